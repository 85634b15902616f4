"""What may be restricted differs between the servers: ScyllaDB filters by IN and by rows of columns, which
Cassandra refuses; Cassandra goes by SAI, which ScyllaDB hasn't. Plans are made before anybody is asked, so
that what is sent is what ScyllaDB takes, and it is the same to both."""

import pytest

from codec import PREPARE
from support import keep_cql, query

KEYSPACE = "py_restrictions"
COLUMNS = """k int OPTIONS (key 'partition 1', type 'int'), c1 int OPTIONS (key 'clustering 1 asc', type 'int'),
    c2 int OPTIONS (key 'clustering 2 asc', type 'int'), s int OPTIONS (key 'static', type 'int'),
    v int OPTIONS (key 'regular', type 'int'), w text OPTIONS (key 'regular', type 'text'),
    tags text[] OPTIONS (key 'regular', type 'set<text>'), m jsonb OPTIONS (key 'regular', type 'map<text, int>')"""

# A query's WHERE, what follows it, and of the statement that is sent what follows its table.
RULES = [
    # the whole partition key, a prefix of the clustering columns, one range
    ("k = 1 AND c1 = 1 AND c2 > 0", "", "WHERE k = ? AND c1 = ? AND c2 > ?"),
    ("k = 1 AND c1 > 0 AND c2 = 1", "", "WHERE k = ? AND c1 > ? AND c2 = ? ALLOW FILTERING"),
    ("k = 1 AND c2 = 1", "", "WHERE k = ? AND c2 = ? ALLOW FILTERING"),
    ("k = 1 AND (c1, c2) > (0, 1)", "", "WHERE k = ? AND (c1, c2) > (?, ?)"),
    # IN: one statement for each partition key; of clustering columns the last, where no collection is selected
    ("k IN (1, 2) AND c1 IN (0, 1)", "", "WHERE k = ? AND c1 IN ?"),
    ("k IN (1, 2) AND c1 IN (0, 1) AND c2 IN (1, 2)", "", "WHERE k = ? AND c1 = ? AND c2 IN ?"),
    ("k IN (1, 2) AND c1 IN (0, 1) AND c2 > 0", "", "WHERE k = ? AND c1 IN ? AND c2 > ?"),
    ("k IN (1, 2) AND c1 IN (0, 1) AND m IS NOT NULL", "", "WHERE k = ? AND c1 = ?"),
    ("k = 1 AND v IN (1, 2)", "", "WHERE k = ?"),
    ("k = 1 AND c1 > 0 AND c2 IN (1, 2)", "", "WHERE k = ? AND c1 > ?"),
    # a row of columns is no filter
    ("(c1, c2) > (0, 1)", "", "WHERE c1 >= ? ALLOW FILTERING"),
    ("k = 1 AND c1 >= 0 AND (c1, c2) > (0, 1)", "", "WHERE k = ? AND c1 >= ?"),
    # collections, static columns
    ("'a' = ANY (tags)", "", "WHERE tags CONTAINS ? ALLOW FILTERING"),
    ("m -> 'a' = '1' AND m ? 'b'", "", "WHERE m CONTAINS KEY ? AND m[?] = ? ALLOW FILTERING"),
    ("m @> '{\"a\": 1, \"b\": 2}'", "", "WHERE m[?] = ? AND m[?] = ? ALLOW FILTERING"),
    ("s = 1", "", "WHERE s = ? ALLOW FILTERING"),
    # an index: by = on it, what is left as a filter; not by IN, nor by a range
    ("w = 'x'", "", "WHERE w = ?"),
    ("w = 'x' AND v = 1 AND c1 = 1", "", "WHERE w = ? AND c1 = ? AND v = ? ALLOW FILTERING"),
    ("w IN ('x', 'y')", "", ""),
    ("w > 'x' COLLATE \"C\"", "", "WHERE w > ? ALLOW FILTERING"),
    ("k = 1 AND w = 'x'", "", "WHERE k = ? AND w = ? ALLOW FILTERING"),
    # neither sorts in reverse what it finds by an index
    ("k = 1 AND w = 'x'", "ORDER BY c1, c2", "WHERE k = ? AND w = ? ALLOW FILTERING"),
    ("k = 1 AND w = 'x'", "ORDER BY c1 DESC NULLS LAST, c2 DESC NULLS LAST",
     "WHERE k = ? ORDER BY c1 DESC, c2 DESC"),
    ("k = 1", "ORDER BY c1 DESC NULLS LAST, c2 DESC NULLS LAST LIMIT 2", "WHERE k = ? ORDER BY c1 DESC, c2 DESC LIMIT ?"),
]


@pytest.fixture(scope="module")
def data(driver):
    driver.make_keyspace(KEYSPACE)
    driver.execute("CREATE TABLE %s.t (k int, c1 int, c2 int, s int STATIC, v int, w text, tags set<text>, "
                   "m map<text, int>, PRIMARY KEY (k, c1, c2))" % KEYSPACE)
    driver.execute("CREATE INDEX by_w ON %s.t (w)" % KEYSPACE)
    driver.execute_all("INSERT INTO %s.t (k, c1, c2, s, v, w, tags, m) VALUES (?, ?, ?, ?, ?, ?, ?, ?)" % KEYSPACE, [
        (k, c1, c2, k, c1 + c2, "xy"[c2 % 2], {"ab"[c1 % 2]}, {"a": c1, "b": 2})
        for k in range(3) for c1 in range(3) for c2 in range(3)])


@pytest.fixture(params=["cassandra", "scylla"])
def peer(request, data, fronts, cql_host, cql_port, make_server, pg):
    """A connection with a foreign table of that name, and the front before its server, or None."""
    front = fronts([(cql_host, cql_port)], shards=2) if request.param == "scylla" else None
    server = make_server(front.port if front else cql_port, host=cql_host, connect_timeout="20s",
                         request_timeout="20s", read_consistency="one")
    connection = pg()
    query(connection, "SET enable_sort = off")
    query(connection, "CREATE FOREIGN TABLE %s (%s) SERVER %s OPTIONS (keyspace '%s', \"table\" 't', "
          "indexes 'by_w (w)')" % (request.param, COLUMNS, server, KEYSPACE))
    yield connection, request.param, front
    query(connection, "DROP FOREIGN TABLE %s" % request.param)


def sent_statements(connection, select):
    return [line.strip()[len("Remote CQL: "):] for line, in query(connection, "EXPLAIN (VERBOSE, COSTS OFF) " + select)
            if line.strip().startswith("Remote CQL: ")]


def test_rules(peer):
    connection, table, front = peer
    texts = set()
    for where, order, wanted in RULES:
        select = "SELECT k, c1, c2 FROM %s WHERE %s %s" % (table, where, order)
        sent, = sent_statements(connection, select)
        rest = sent.partition("%s.t" % KEYSPACE)[2].strip()
        assert rest == wanted, select
        rows = query(connection, select)
        query(connection, "SET scylla_fdw.enable_pushdown = off")
        local = query(connection, select)
        query(connection, "RESET scylla_fdw.enable_pushdown")
        assert rows == local if order else sorted(rows) == sorted(local), select
        assert rows, select
        texts.add(sent)
    keep_cql(texts)
    if front is None:
        return
    prepared = {request.text.text for request in front.seen(PREPARE)}
    assert texts <= {text.replace(" BYPASS CACHE", "") for text in prepared}
