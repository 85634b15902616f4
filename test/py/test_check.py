"""scylla_check(): every finding is provoked, and none is there without its cause."""

import pytest

from codec import QUERY
from faults import error, texts
from rewrite import KEYSPACE
from support import failure, keep_cql, query, wait_until

TIMED = {"k": ("integer", "int", "partition 1"), "at": ("timestamptz", "timestamp", "clustering 1 asc"),
         "v": ("text", "text", "regular")}
STRATEGIES = {"stcs": "SizeTieredCompactionStrategy", "lcs": "LeveledCompactionStrategy",
              "twcs": "TimeWindowCompactionStrategy"}


@pytest.fixture(scope="module")
def tables(driver):
    driver.make_keyspace("py_check")
    driver.execute("CREATE TABLE py_check.t (k int PRIMARY KEY, v text)")
    driver.execute_all("INSERT INTO py_check.t (k, v) VALUES (?, ?)", [(k, "v%d" % k) for k in range(100)])
    for name, strategy in STRATEGIES.items():
        for ttl in (0, 60):
            driver.execute("CREATE TABLE py_check.%s%d (k int, at timestamp, v text, PRIMARY KEY (k, at)) WITH "
                           "compaction = {'class': '%s'} AND default_time_to_live = %d" % (name, ttl, strategy, ttl))


@pytest.fixture
def front(fronts, tables, cql_host, cql_port):
    return fronts([(cql_host, cql_port)], shards=3)


@pytest.fixture
def server(front, make_server, make_mapping):
    name = make_server(front.port, front.nodes[0].address, request_timeout="60s")
    make_mapping(name, user="cassandra", password="cassandra", password_required="false")
    return name


def findings(connection, table):
    return query(connection, "SELECT finding, detail FROM scylla_check(%s) ORDER BY 1, 2", [table])


def test_nothing_to_find(server, make_table, pg):
    connection = pg()
    table = make_table(server, "py_check.t")
    query(connection, "SELECT v FROM %s WHERE k = 1" % table)
    assert findings(connection, table) == []


def test_full_scans(server, make_table, pg):
    connection = pg()
    table = make_table(server, "py_check.t")
    for _ in range(2):
        query(connection, "SELECT count(v) FROM %s" % table)
    assert query(connection, "SELECT server, relation::text, finding, detail, remedy <> '' FROM scylla_check('%s')"
                 % table) == [(server, table, "full scans", "this backend has read the whole ring 2 times", True)]
    assert findings(pg(), table) == []


def test_large_partitions(server, make_table, pg, driver):
    """In one file or several, of this table alone, and only those that are large."""
    insert = ("INSERT INTO %s.large_partitions (keyspace_name, table_name, sstable_name, partition_size, partition_key) "
              "VALUES (?, ?, ?, ?, ?)" % KEYSPACE)
    driver.execute("TRUNCATE %s.large_partitions" % KEYSPACE)
    driver.execute_all(insert, [
        ("py_check", "t", "me-1", 300000000, "7"), ("py_check", "t", "me-2", 2500000000, "7"),
        ("py_check", "t", "me-2", 100000000, "8"), ("py_check", "t", "me-2", 99999999, "9"),
        ("py_check", "other", "me-1", 300000000, "1")])
    table = make_table(server, "py_check.t")
    assert findings(pg(), table) == [("large partitions", "2 of more than 100 MB; the largest, 7, has 2500 MB")]
    driver.execute("TRUNCATE %s.large_partitions" % KEYSPACE)
    assert findings(pg(), table) == []


WINDOWS = "time windows are compacted apart, but this backend has "


@pytest.mark.parametrize("remote, statements, expected", [
    ("twcs60", ["INSERT INTO {t} (k, at, v) VALUES (1, '2026-01-01', 'a')", "SELECT 1 FROM {t} WHERE k = 1"], []),
    ("twcs60", ["INSERT INTO {t} (k, at, v) VALUES (1, '2026-01-01', 'a')", "DELETE FROM {t} WHERE k = 1"],
     [WINDOWS + "deleted rows (1 statements)"]),
    ("twcs0", ["INSERT INTO {t} (k, at, v) SELECT 1, '2026-01-01'::timestamptz + g * '1s'::interval, 'a' "
               "FROM generate_series(1, 3) g"], [WINDOWS + "written rows without a TTL (3)"]),
    ("twcs0", ["ALTER FOREIGN TABLE {t} OPTIONS (ADD ttl '60')",
               "INSERT INTO {t} (k, at, v) VALUES (1, '2026-01-01', 'a')"], []),
    ("stcs0", [], []),
    ("stcs60", [], ["rows end by their TTL and lie in the order of time, but "
                    "org.apache.cassandra.db.compaction.SizeTieredCompactionStrategy mixes old and new ones"]),
    ("lcs0", ["INSERT INTO {t} (k, at, v) SELECT g, '2026-01-01', 'a' FROM generate_series(1, 999) g"], []),
    ("lcs0", ["INSERT INTO {t} (k, at, v) SELECT g, '2026-01-01', 'a' FROM generate_series(1, 1000) g"],
     ["org.apache.cassandra.db.compaction.LeveledCompactionStrategy writes every row many times, and this backend has "
      "mostly written (1000 writes, 0 reads)"]),
], ids=["fits", "deletes", "forever", "ttl", "plain", "mixes", "few", "writes"])
def test_compaction(remote, statements, expected, server, make_table, pg):
    connection = pg()
    table = make_table(server, "py_check." + remote, TIMED)
    for statement in statements:
        query(connection, "SET client_min_messages = error; " + statement.format(t=table))
    assert findings(connection, table) == [("compaction", detail) for detail in expected]


def test_tombstones_by_warning(make_server, make_mapping, make_table, pg, driver, tables, cql_host, cql_port):
    """Cassandra warns of them."""
    driver.execute("DROP TABLE IF EXISTS py_check.dead")
    driver.execute("CREATE TABLE py_check.dead (k int, at timestamp, v text, PRIMARY KEY (k, at))")
    driver.execute_all("DELETE FROM py_check.dead WHERE k = ? AND at = ?", [(1, n) for n in range(1100)])
    server = make_server(cql_port, cql_host)
    make_mapping(server)
    table = make_table(server, "py_check.dead", TIMED)
    connection = pg()
    query(connection, "SET client_min_messages = error")
    assert query(connection, "SELECT v FROM %s WHERE k = 2" % table) == []
    assert findings(connection, table) == []
    assert query(connection, "SELECT v FROM %s WHERE k = 1" % table) == []
    assert findings(connection, table) == [
        ("tombstones", "this backend has read 1 pages in which the server met many deleted rows")]


def test_tombstones_by_empty_pages(nodes, make_server, make_mapping, make_table, pg):
    """ScyllaDB ends a page where it has met many."""
    node = nodes(pages=([], [], [(1, "one")]))
    node.add_table("system_schema.tables", {"compaction": "text", "default_time_to_live": "int"}, pages=[[]])
    node.add_table("system.large_partitions", {"partition_size": "bigint", "partition_key": "text"}, pages=[[]])
    server = make_server(node.port)
    make_mapping(server)
    table = make_table(server)
    connection = pg()
    assert query(connection, "SELECT v FROM %s WHERE k = 1" % table) == [("one",)]
    assert findings(connection, table) == [
        ("tombstones", "this backend has read 2 pages in which the server met many deleted rows")]


def ask_for(connection, table, key, count):
    query(connection, "DO $$ BEGIN FOR i IN 1..%d LOOP PERFORM v FROM %s WHERE k = %s; END LOOP; END $$"
          % (count, table, key))


def test_balance_of_shards(front, server, make_table, pg):
    connection = pg()
    table = make_table(server, "py_check.t")
    shards = "SELECT count(*) FROM scylla_shards WHERE connections > 0"

    def is_spread():
        ask_for(connection, table, "i % 100", 100)
        return query(connection, shards) == [(3,)]
    wait_until(is_spread)
    ask_for(connection, table, "i % 100", 1200)
    assert findings(connection, table) == []
    ask_for(connection, table, "1", 4000)
    (finding, detail), = findings(connection, table)
    assert finding == "balance"
    assert detail.startswith("shard ") and "more than twice as many as the node's others" in detail
    assert query(connection, "SELECT relation FROM scylla_check('%s')" % table) == [(None,)]


def test_balance_of_the_ring(front, server, make_table, pg, driver):
    """A second node has a single token, next to one of the first."""
    (dc, tokens), = driver.execute("SELECT data_center, tokens FROM system.local")
    token = str(int(min(tokens, key=int)) + 1)
    cells = ["2" * 16, dc, "rack9", "5", "\0\0\0\1\0\0\0" + chr(len(token)) + token] + 2 * ["\x7f\0\0\x63"]
    rule = front.rule(QUERY, texts(["host_id", "data_center", "rack", "release_version", "tokens", "peer",
                                    "rpc_address"], cells),
                      when=lambda request: "tokens" in request.text.original and "peers" in request.text.original)
    connection = pg()
    table = make_table(server, "py_check.t")
    wait_until(lambda: ask_for(connection, table, "i % 100", 40) or
               query(connection, "SELECT count(*) FROM scylla_nodes WHERE ring_share IS NOT NULL") == [(2,)], 60)
    assert findings(connection, table) == [
        ("balance", "node %s:%d holds 100.0 %% of the ring, more than twice as much as others of its data center"
         % (front.nodes[0].address, front.port))]
    assert rule.taken > 0


@pytest.mark.parametrize("answer, is_found", [
    (error(0x2200, "Role cassandra doesn't have assigned any service level"), True),
    (texts(["service_level_option", "effective_service_level", "value"], ["shares", "default", "1000"]), True),
    (texts(["service_level_option", "effective_service_level", "value"],
           ["timeout", "default", None], ["shares", "analytics", "100"]), False),
    (error(0x2100, "not authorized"), False),
    (error(0x2000, "line 1:5 no viable alternative at input 'EFFECTIVE'"), False),
], ids=["none", "default", "attached", "unauthorized", "unknown"])
def test_service_level(answer, is_found, front, server, make_table, pg):
    table = make_table(server, "py_check.t")
    asked = "LIST EFFECTIVE SERVICE LEVEL OF 'cassandra'"
    rule = front.rule(QUERY, answer, when=lambda request: request.text.original == asked)
    keep_cql([asked])
    expected = [("service level", "role cassandra has none, so that its requests compete with all others")]
    assert findings(pg(), table) == (expected if is_found else [])
    assert rule.taken == 1


def test_all_tables(server, make_table, make_role, pg):
    """Of whoever asks, and each server once."""
    connection = pg()
    first, second = make_table(server, "py_check.t"), make_table(server, "py_check.t")
    secret = make_table(server, "py_check.t")
    query(connection, "REVOKE ALL ON %s FROM PUBLIC" % secret)
    role = make_role()
    query(connection, "CREATE USER MAPPING FOR %s SERVER %s OPTIONS (password_required 'false')" % (role, server))
    query(connection, "SET ROLE " + role)
    for table in (first, second):
        query(connection, "SELECT count(v) FROM " + table)
    mine = "SELECT relation::text FROM scylla_check() WHERE server = '%s' ORDER BY 1" % server
    # a remote table's scans are of all foreign tables for it
    assert query(connection, mine) == sorted([(first,), (second,)])


def test_no_foreign_table(pg):
    assert failure(pg(), "SELECT * FROM scylla_check('pg_class')").pgcode == "42809"
