"""What is left of statement_timeout goes to ScyllaDB as USING TIMEOUT, with reads and writes alike."""

import re

import pytest

from codec import BATCH, EXECUTE, QUERY, Reader
from faults import delay
from support import keep_cql, query

COLUMNS = {"k": ("integer", "int", "partition 1"), "c": ("integer", "int", "clustering 1 asc"),
           "s": ("text", "text", "static"), "v": ("text", "text", "regular")}
COUNTER = {"k": ("integer", "int", "partition 1"), "n": ("bigint", "counter", "regular")}
STATEMENT_MS, REQUEST_MS = 50000, 60000


@pytest.fixture(scope="module")
def tables(driver):
    driver.make_keyspace("py_timeout")
    driver.execute("CREATE TABLE py_timeout.t (k int, c int, s text static, v text, PRIMARY KEY (k, c))")
    driver.execute("CREATE TABLE py_timeout.w (k int, c int, v text, PRIMARY KEY (k, c))")
    driver.execute("CREATE TABLE py_timeout.n (k int PRIMARY KEY, n counter)")


@pytest.fixture
def front(fronts, tables, driver, cql_host, cql_port):
    driver.execute("TRUNCATE py_timeout.t")
    driver.execute_all("INSERT INTO py_timeout.t (k, c, v) VALUES (?, ?, ?)",
                       [(k, c, "v%d" % c) for k in range(5) for c in range(4)])
    return fronts([(cql_host, cql_port)])


@pytest.fixture
def server(front, make_server, make_mapping):
    name = make_server(front.port, front.nodes[0].address, request_timeout="%dms" % REQUEST_MS)
    make_mapping(name)
    return name


@pytest.fixture
def limited(pg):
    """A connection under statement_timeout."""
    connection = pg()
    query(connection, "SET statement_timeout = %d" % STATEMENT_MS)
    return connection


def read_vint(reader):
    first = reader.number("B")
    extra = next((n for n in range(8) if not first & 0x80 >> n), 8)
    number = first & 0xFF >> extra + 1 if extra < 8 else 0
    for byte in reader.raw(extra):
        number = number << 8 | byte
    return number >> 1 ^ -(number & 1)


def milliseconds(cell):
    reader = Reader(cell)
    months, days, nanoseconds = (read_vint(reader) for _ in range(3))
    assert (months, days, reader.rest()) == (0, 0, b"")
    assert nanoseconds % 1000000 == 0  # ScyllaDB takes no finer ones
    return nanoseconds // 1000000


def timeouts(front):
    """Of what was asked of the test's tables, in order: milliseconds, or None."""
    asked = [request for request in front.seen(EXECUTE) if "py_timeout." in request.text.original]
    assert asked
    keep_cql({request.text.original for request in asked})
    return [None if request.timeout is None else milliseconds(request.timeout) for request in asked]


def assert_timed(front, limit=STATEMENT_MS):
    found = timeouts(front)
    assert all(ms is not None and limit / 2 < ms <= limit for ms in found), found
    front.clear()


READS = {
    "row": ("SELECT v FROM {t} WHERE k = 1 AND c = 2", [("v2",)]),
    "keys": ("SELECT count(*) FROM {t} WHERE k IN (1, 2, 3) AND v >= 'v3'", [(3,)]),
    "order": ("SELECT c FROM {t} WHERE k = 1 ORDER BY c DESC LIMIT 2", [(3,), (2,)]),
    "filter": ("SELECT count(*) FROM {t} WHERE k = 1 AND v = 'v1'", [(1,)]),
    "ring": ("SELECT sum(c) FROM (SELECT c FROM {t} OFFSET 0) r", [(30,)]),
    "aggregate": ("SELECT max(c) FROM {t} WHERE k = 3", [(3,)]),
    "analyze": ("ANALYZE {t}", None),
}


@pytest.mark.parametrize("read", READS)
def test_reads(read, front, server, make_table, limited):
    """Of the first statement of a backend, too, which is planned before anybody knows who is there."""
    sql, rows = READS[read]
    table = make_table(server, "py_timeout.t", COLUMNS)
    for _ in range(2):
        assert query(limited, sql.format(t=table)) == rows
        assert_timed(front)


WRITES = {
    "insert": "INSERT INTO {t} (k, c, s, v) SELECT 7, g, 's', 'w' FROM generate_series(0, 3) g",
    "new": "INSERT INTO {t} (k, c, v) VALUES (7, 1, 'w'), (7, 2, 'w'), (7, 3, 'w') ON CONFLICT DO NOTHING",
    "own": "INSERT INTO {t} (k, c, v) SELECT k + 10, c, v FROM {t} WHERE k = 1",
    "update": "UPDATE {t} SET v = 'x' WHERE k = 1",
    "static": "UPDATE {t} SET s = 'x' WHERE k = 1",
    "delete": "DELETE FROM {t} WHERE k = 1",
}
LEFT = {"insert": ("k = 7 AND s = 's' AND v = 'w'", 4), "new": ("k = 7 AND v = 'w'", 3), "own": ("k = 11", 4),
        "update": ("k = 1 AND v = 'x'", 4), "static": ("k = 1 AND s = 'x'", 4), "delete": ("k = 1", 0)}


@pytest.mark.parametrize("options", [{}, {"ttl": "600"}], ids=["plain", "ttl"])
@pytest.mark.parametrize("write", WRITES)
def test_writes(write, options, front, server, make_table, limited):
    table = make_table(server, "py_timeout.t", COLUMNS, **options)
    query(limited, WRITES[write].format(t=table))
    assert_timed(front)
    condition, count = LEFT[write]
    assert query(limited, "SELECT count(*) FROM %s WHERE %s" % (table, condition)) == [(count,)]
    query(limited, WRITES[write].format(t=table))
    assert_timed(front)


@pytest.mark.parametrize("condition, left", [
    ("k = 1", 16), ("k IN (1, 2, 3) AND c >= 2", 14), ("k = 1 AND c > (-3000000000)::bigint", 16)],
                         ids=["partition", "ranges", "unbounded"])
def test_direct_delete(condition, left, front, server, make_table, limited):
    table = make_table(server, "py_timeout.t", COLUMNS, direct_delete="true")
    query(limited, "DELETE FROM %s WHERE %s" % (table, condition))
    assert all(request.text.original.startswith("DELETE FROM py_timeout.t USING TIMEOUT ? WHERE k = ?")
               for request in front.seen(EXECUTE) if "py_timeout." in request.text.original)
    assert_timed(front)
    assert query(limited, "SELECT count(*) FROM %s" % table) == [(left,)]


def test_truncate(front, server, make_table, limited):
    """Where ScyllaDB takes a literal, but no bind variable."""
    table = make_table(server, "py_timeout.t", COLUMNS)
    for statement, has_limit in (("SET statement_timeout = %d" % STATEMENT_MS, True), ("SELECT 1", True),
                                 ("RESET statement_timeout", False)):
        query(limited, statement)
        front.clear()
        query(limited, "TRUNCATE %s" % table)
        [text] = [request.text.original for request in front.seen(QUERY) if "py_timeout." in request.text.original]
        match = re.fullmatch(r"TRUNCATE py_timeout\.t(?: USING TIMEOUT (\d+)ms)?", text)
        assert match and (match[1] is not None) == has_limit, text
        assert not has_limit or STATEMENT_MS / 2 < int(match[1]) <= STATEMENT_MS
        keep_cql([text])
    assert query(limited, "SELECT count(*) FROM %s" % table) == [(0,)]


def test_ttl_of_rows(front, server, make_table, limited):
    """Two bind variables that are no column's value."""
    table = make_table(server, "py_timeout.t", COLUMNS)
    query(limited, "ALTER FOREIGN TABLE {0} ADD ttl int OPTIONS (using 'ttl'); "
                   "ALTER FOREIGN TABLE {0} ADD lasts int OPTIONS (function 'ttl(v)')".format(table))
    query(limited, "INSERT INTO %s (k, c, v, ttl) VALUES (8, 1, 'a', 500), (8, 2, 'b', NULL)" % table)
    query(limited, "UPDATE %s SET v = 'c', ttl = 5000 WHERE k = 1 AND c = 1" % table)
    assert_timed(front)
    assert query(limited, "SELECT c, v, lasts > 0, lasts > 500 FROM %s WHERE k IN (1, 8) AND c < 3 AND "
                          "(k = 8 OR c = 1) ORDER BY k, c" % table) == [
        (1, "c", True, True), (1, "a", True, False), (2, "b", None, None)]


@pytest.mark.parametrize("insert", ["SELECT 1, g, 'v' FROM generate_series(1, 10) g",
                                    "SELECT 1, g, coalesce(v, 'v') FROM generate_series(1, 10) g LEFT JOIN {t} ON c = -g"],
                         ids=["sent", "deferred"])
def test_batches(insert, front, server, make_table, limited):
    """They have no place for it, and are for statements that have time enough."""
    table = make_table(server, "py_timeout.w", {name: COLUMNS[name] for name in "kcv"})
    insert = ("INSERT INTO {t} " + insert).format(t=table)
    query(limited, insert)
    assert_timed(front)
    assert not front.seen(BATCH)
    query(limited, "SET statement_timeout = '10min'")
    front.clear()
    query(limited, insert)
    [batch] = front.seen(BATCH)
    assert batch.statement.text.original == "INSERT INTO py_timeout.w (k, c, v) VALUES (?, ?, ?)"
    query(limited, "INSERT INTO %s (k, c) VALUES (2, 1)" % table)
    assert timeouts(front)[-1] == REQUEST_MS
    assert query(limited, "SELECT k, count(*) FROM %s GROUP BY k ORDER BY k" % table) == [(1, 10), (2, 1)]
    query(limited, "DELETE FROM %s" % table)


def test_counters(front, server, make_table, limited):
    table = make_table(server, "py_timeout.n", COUNTER)
    query(limited, "INSERT INTO %s (k, n) VALUES (1, 5)" % table)
    query(limited, "UPDATE %s SET n = n + 2 WHERE k = 1" % table)
    assert query(limited, "SELECT n FROM %s WHERE k = 1" % table) == [(7,)]
    assert_timed(front)


def test_without_limit(front, server, make_table, pg):
    """And back again: a plan that is kept, and its statements, serve both."""
    connection = pg()
    table = make_table(server, "py_timeout.t", COLUMNS)
    query(connection, "PREPARE r AS SELECT count(*) FROM {0} WHERE k = 1; "
                      "PREPARE w AS UPDATE {0} SET v = 'y' WHERE k = 1 AND c = 1".format(table))
    for _ in range(4):
        query(connection, "RESET statement_timeout")
        assert query(connection, "EXECUTE r") == [(4,)]
        query(connection, "EXECUTE w")
        assert set(timeouts(front)) == {None}
        front.clear()
        query(connection, "SET statement_timeout = %d" % STATEMENT_MS)
        assert query(connection, "EXECUTE r") == [(4,)]
        query(connection, "EXECUTE w")
        assert_timed(front)


@pytest.mark.parametrize("place", ["SERVER", "FOREIGN TABLE"])
def test_option(place, front, server, make_table, limited):
    table = make_table(server, "py_timeout.t", COLUMNS)
    query(limited, "ALTER %s %s OPTIONS (ADD server_timeout 'false')" % (place, server if place == "SERVER" else table))
    query(limited, "SELECT count(*) FROM %s WHERE k = 1" % table)
    query(limited, "UPDATE %s SET v = 'y' WHERE k = 1" % table)
    query(limited, "WITH d AS (DELETE FROM %s WHERE k = 1) SELECT 1" % table)
    assert set(timeouts(front)) == {None}
    query(limited, "TRUNCATE %s" % table)
    assert all(request.timeout is None for request in front.seen(QUERY))


def test_request_timeout_is_shorter(front, server, make_table, limited):
    query(limited, "ALTER SERVER %s OPTIONS (SET request_timeout '20s')" % server)
    table = make_table(server, "py_timeout.t", COLUMNS)
    query(limited, "SELECT count(*) FROM %s WHERE k = 1" % table)
    query(limited, "INSERT INTO %s (k, c) VALUES (1, 1)" % table)
    assert set(timeouts(front)) == {20000}


def test_less_is_left_of_later_pages(front, server, make_table, limited):
    table = make_table(server, "py_timeout.t", COLUMNS, fetch_size=1)
    front.rule(EXECUTE, delay(0.05), when=lambda request: "py_timeout.t" in request.text.original)
    assert query(limited, "SELECT c FROM %s WHERE k = 1" % table) == [(0,), (1,), (2,), (3,)]
    left = timeouts(front)
    assert len(left) >= 4
    assert all(later <= earlier - 50 for earlier, later in zip(left, left[1:])), left


def test_cursor_outlives_its_limit(front, server, make_table, limited):
    """The limit is each statement's, and there may be none when later pages are asked for."""
    table = make_table(server, "py_timeout.t", COLUMNS, fetch_size=1)
    query(limited, "BEGIN; DECLARE r CURSOR FOR SELECT c FROM %s WHERE k = 1" % table)
    assert query(limited, "FETCH r") == [(0,)]
    query(limited, "SET statement_timeout = 0")
    assert query(limited, "FETCH ALL FROM r") == [(1,), (2,), (3,)]
    query(limited, "COMMIT")
    assert REQUEST_MS in timeouts(front)


def test_cassandra_is_not_told(tables, make_server, make_mapping, make_table, limited, cql_host, cql_port):
    """Its grammar has no such words."""
    server = make_server(cql_port, cql_host)
    make_mapping(server)
    table = make_table(server, "py_timeout.t", COLUMNS, direct_delete="true")
    query(limited, "TRUNCATE %s" % table)
    query(limited, "INSERT INTO %s (k, c, v) VALUES (9, 1, 'a'), (8, 1, 'b')" % table)
    query(limited, "DELETE FROM %s WHERE k = 8" % table)
    assert query(limited, "SELECT k, v FROM %s" % table) == [(9, "a")]
    assert query(limited, "SELECT count(*) FROM scylla_statements WHERE cql LIKE '%TIMEOUT%'") == [(0,)]
