"""Pages: many, empty, asked for ahead, slow, large; given up in the middle; statements that the
server forgets or changes."""

import hashlib
import os
import time
import uuid

import pytest

from node import EXECUTE, PREPARE, both, edit, hold, rows_body, slow, trace, unprepared, warn
from support import SHORT, failure, query, read_after_pause, words


@pytest.fixture
def make_paged(nodes, make_server, make_table):
    """make_paged(pages): a node with these pages and the foreign table that shows them."""

    def make(pages, **options):
        node = nodes(pages=pages)
        return node, make_table(make_server(node.port, **options))

    return make


def rows_of(pages):
    return [row for page in pages for row in page]


def executes(node):
    """Number of the page that each EXECUTE asked for."""
    return [int(request.paging_state or 0) for request in node.seen(EXECUTE)]


def test_many_pages(pg, make_paged):
    pages = [[(10 * page + row, "v%d" % row) for row in range(10)] for page in range(200)]
    node, table = make_paged(pages, fetch_size=10)
    assert query(pg(), "SELECT k, v FROM %s" % table) == rows_of(pages)
    assert executes(node) == list(range(200))
    assert {request.page_rows for request in node.seen(EXECUTE)} == {10}


@pytest.mark.parametrize("pages", [
    [[]],
    [[], []],
    [[], [(1, "one")]],
    [[(1, "one")], []],
    [[(1, "one")], [], [], [], [(2, "two")], [], []],
    [[]] * 500 + [[(1, "one")]],
], ids=["none", "two", "first", "last", "between", "many"])
def test_empty_pages(pages, pg, make_paged):
    """A page without rows is not the end."""
    node, table = make_paged(pages)
    connection = pg()
    for _ in range(2):
        assert query(connection, "SELECT k, v FROM %s" % table) == rows_of(pages)
    assert query(connection, "SELECT count(*) FROM (SELECT k FROM %s OFFSET 0) x" % table) == [(len(rows_of(pages)),)]
    assert executes(node) == 3 * list(range(len(pages)))


def test_prefetch(pg, make_paged):
    """The next page is asked for when the first row of this one is given out, and no more of them."""
    pages = [[(10 * page + row, "v") for row in range(3)] for page in range(4)]
    node, table = make_paged(pages)
    connection = pg()
    query(connection, "BEGIN; DECLARE c CURSOR FOR SELECT k FROM %s" % table)
    assert executes(node) == []
    assert query(connection, "FETCH 1 FROM c") == [(0,)]
    node.wait(lambda: len(executes(node)) == 2)
    assert query(connection, "FETCH 2 FROM c") == [(1,), (2,)]
    time.sleep(0.05)
    assert executes(node) == [0, 1]
    assert query(connection, "FETCH 1 FROM c") == [(10,)]
    node.wait(lambda: executes(node) == [0, 1, 2])
    assert query(connection, "FETCH ALL FROM c") == [(row[0],) for row in rows_of(pages)[4:]]
    query(connection, "COMMIT")


def test_prefetched_page_that_is_not_wanted_for_long(pg, make_paged):
    """Its time passes only while somebody waits for it."""
    node, table = make_paged([[(1, "one")], [(2, "two")]], request_timeout=SHORT)
    connection = pg()
    node.rule(EXECUTE, hold(), when=lambda request: request.paging_state)
    query(connection, "BEGIN; DECLARE c CURSOR FOR SELECT k FROM %s" % table)
    assert query(connection, "FETCH 1 FROM c") == [(1,)]
    assert read_after_pause(connection, pg(), node, "FETCH ALL FROM c") == [(2,)]
    assert executes(node) == [0, 1]
    query(connection, "COMMIT")


def test_slow_bytes(pg, make_paged):
    """One byte a write, in the handshake too."""
    pages = [[(1, "one"), (2, "two")], [(3, "three")]]
    node, table = make_paged(pages)
    for opcode in range(0x11):
        node.rule(opcode, slow(0.0002))
    assert query(pg(), "SELECT k, v FROM %s" % table) == rows_of(pages)


def test_big_cells(pg, nodes, make_server, make_table):
    """20 MB in a cell, twice in a page; nothing of it stays."""
    value = os.urandom(20 * 1000 * 1000)
    node = nodes()
    node.add_table("ks.big", {"k": "int", "b": "blob"}, ["k"], [[(1, value), (2, value)], [(3, value)]])
    table = make_table(make_server(node.port, request_timeout="1min"), "ks.big",
                       {"k": ("integer", "int", "partition 1"), "b": ("bytea", "blob", "regular")})
    rows = query(pg(), "SELECT k, length(b), md5(b) FROM %s" % table)
    digest = hashlib.md5(value).hexdigest()
    assert rows == [(k, len(value), digest) for k in (1, 2, 3)]


@pytest.mark.parametrize("outlive", [
    "SELECT u, count(*) OVER () FROM {0}",
    "SELECT a.u, b.u FROM {0} a JOIN {0} b USING (k)",
    "SELECT DISTINCT u FROM {0}",
    "SELECT unnest(array_agg(u)) FROM {0}",
    "SELECT lag(u, 0) OVER (ORDER BY k), lag(u, 7) OVER (ORDER BY k) FROM {0}",
    "WITH every AS MATERIALIZED (SELECT * FROM {0}) SELECT (SELECT u FROM every e WHERE e.k = every.k) FROM every",
    "SELECT (SELECT t.u FROM {0} t WHERE t.k = o.k OFFSET 0) FROM {0} o",
], ids=["window", "join", "distinct", "array", "lag", "cte", "subquery"])
def test_values_outlive_their_page(outlive, pg, nodes, make_server, make_table):
    """A uuid points into its page; what is kept longer than the row is a copy."""
    uuids = [hashlib.md5(b"%d" % k).digest() for k in range(60)]
    node = nodes()
    node.add_table("ks.u", {"k": "int", "u": "uuid"}, ["k"],
                   lambda request, number: [(k, uuids[k]) for k in range(3 * number, 3 * number + 3)]
                   if number < 20 else None)
    table = make_table(make_server(node.port), "ks.u",
                       {"k": ("integer", "int", "clustering 1 asc"), "u": ("uuid", "uuid", "partition 1")})
    connection = pg()
    query(connection, "SET scylla_fdw.enable_pushdown = off; SET enable_nestloop = off")
    rows = query(connection, outlive.format(table))
    assert sorted(row[0] for row in rows) == sorted(str(uuid.UUID(bytes=data)) for data in uuids)
    if "JOIN" in outlive:
        assert all(row[0] == row[1] for row in rows)


@pytest.mark.parametrize("leave", ["close", "rollback", "error"])
def test_scan_that_is_left(leave, pg, make_paged):
    """A page asked for ahead that nobody wants any more: thrown away when it comes."""
    node, table = make_paged([[(10 * page + row, "v") for row in range(3)] for page in range(4)])
    connection = pg()
    node.rule(EXECUTE, hold(), when=lambda request: request.paging_state)
    if leave == "error":
        assert failure(connection, "SELECT 1 / (k - 1) FROM %s" % table).pgcode == "22012"
    else:
        query(connection, "BEGIN; DECLARE c CURSOR FOR SELECT k FROM %s" % table)
        assert query(connection, "FETCH 1 FROM c") == [(0,)]
        query(connection, "CLOSE c; COMMIT" if leave == "close" else "ROLLBACK")
    node.wait(lambda: node.held)
    assert query(connection, "SELECT in_flight, orphans FROM scylla_connections") == [(0, 1)]
    node.rules = []
    node.release()
    assert len(query(connection, "SELECT k FROM %s" % table)) == 12
    assert query(connection, "SELECT in_flight, orphans FROM scylla_connections") == [(0, 0)]
    assert len(node.connections) == 1


def test_scans_side_by_side(pg, make_paged):
    """Two cursors read the same table in turns, on one connection."""
    pages = [[(10 * page + row, "v") for row in range(3)] for page in range(20)]
    node, table = make_paged(pages)
    connection = pg()
    query(connection, "BEGIN; DECLARE a CURSOR FOR SELECT k FROM %s; DECLARE b CURSOR FOR SELECT k FROM %s"
          % (table, table))
    rows = {"a": [], "b": []}
    for turn in range(40):
        for name, count in (("a", 2), ("b", 3 if turn % 2 else 1)):
            rows[name] += query(connection, "FETCH %d FROM %s" % (count, name))
    expected = [(row[0],) for row in rows_of(pages)]
    assert rows == {"a": expected, "b": expected}
    assert len(node.connections) == 1
    query(connection, "COMMIT")


@pytest.mark.parametrize("how", ["answer", "lost"])
def test_unprepared(how, pg, make_paged):
    """A server that has forgotten a statement is told it again, and nobody notices."""
    node, table = make_paged([[(1, "one"), (2, "two")]])
    connection = pg()
    lookup = "SELECT v FROM %s WHERE k = 2" % table
    assert query(connection, lookup) == [("two",)]
    node.clear()
    if how == "answer":
        node.rule(EXECUTE, unprepared(), times=1)
    else:
        node.forget_statements()
    assert query(connection, lookup) == [("two",)]
    first, prepare, again = node.seen(PREPARE, EXECUTE)
    assert [request.opcode for request in (first, prepare, again)] == [EXECUTE, PREPARE, EXECUTE]
    assert (first.values, first.page_rows, first.consistency) == (again.values, again.page_rows, again.consistency)


def test_unprepared_in_the_middle(pg, make_paged):
    pages = [[(page, "v")] for page in range(5)]
    node, table = make_paged(pages)
    node.rule(EXECUTE, unprepared(), times=1, when=lambda request: request.paging_state == b"3")
    assert query(pg(), "SELECT k, v FROM %s" % table) == rows_of(pages)
    assert executes(node) == [0, 1, 2, 3, 3, 4]


def test_unprepared_for_ever(pg, make_paged):
    node, table = make_paged([[(1, "one")]])
    connection = pg()
    node.rule(EXECUTE, unprepared())
    error = failure(connection, "SELECT v FROM %s" % table)
    assert error.pgcode == "58000"
    assert node.address in words(error) and "ks.t" in words(error)
    assert len(node.seen(EXECUTE)) < 10
    node.clear()
    assert query(connection, "SELECT v FROM %s" % table) == [("one",)]


def test_unprepared_and_changed(pg, make_paged):
    """The statement that is prepared again takes other values: those that were bound mean nothing."""
    node, table = make_paged([[(1, "one")]])
    connection = pg()
    lookup = "SELECT v FROM %s WHERE k = 1" % table
    assert query(connection, lookup) == [("one",)]
    node.tables["ks.t"].columns["k"] = "text"
    node.forget_statements()
    node.clear()
    assert failure(connection, lookup).pgcode == "HV021"
    assert len(node.seen(EXECUTE)) == 1
    node.tables["ks.t"].columns["k"] = "int"
    node.forget_statements()
    assert query(connection, lookup) == [("one",)]


@pytest.mark.parametrize("columns", [
    [("k", "int"), ("v", "int")],
    [("k", "int")],
    [("k", "int"), ("v", "text"), ("w", "text")],
], ids=["type", "fewer", "more"])
def test_changed_result(columns, pg, make_paged):
    """Rows with other columns than were announced are never read as those."""
    node, table = make_paged([[(1, "one")]])
    connection = pg()
    body = rows_body("ks", "t", columns, [{"k": 1, "v": 7, "w": "w"}])
    node.rule(EXECUTE, edit(body=body), times=1)
    error = failure(connection, "SELECT k, v FROM %s" % table)
    assert error.pgcode == "HV021", words(error)
    assert "ks.t" in words(error)
    assert query(connection, "SELECT k, v FROM %s" % table) == [(1, "one")]


def test_changed_between_pages(pg, make_paged):
    node, table = make_paged([[(1, "one")], [(2, "two")]])
    body = rows_body("ks", "t", [("k", "int"), ("v", "int")], [{"k": 1, "v": 7}])
    node.rule(EXECUTE, edit(body=body), when=lambda request: request.paging_state)
    assert failure(pg(), "SELECT k, v FROM %s" % table).pgcode == "HV021"


def test_renamed_but_the_same(pg, make_paged):
    """Columns in the order that was asked for, from a server that gives names as it likes."""
    node, table = make_paged([[(1, "one")]])
    body = rows_body("ks", "t", [("k", "int"), ("v", "text")], [{"k": 5, "v": "five"}])
    node.rule(EXECUTE, edit(body=body + b"bytes behind the end are to be ignored"))
    assert query(pg(), "SELECT k, v FROM %s" % table) == [(5, "five")]


@pytest.mark.parametrize("drift", [{"v": "int"}, {"k": "bigint"}], ids=["column", "key"])
def test_changed_since_the_import(drift, pg, make_paged):
    """The prepared statement shows other types than the column options say."""
    node, table = make_paged([[(1, "one")]])
    node.tables["ks.t"].columns.update(drift)
    error = failure(pg(), "SELECT v FROM %s WHERE k = 1" % table)
    assert error.pgcode == "HV021", words(error)
    assert list(drift)[0] in error.diag.message_primary
    assert node.seen(EXECUTE) == []


def test_warnings(pg, make_paged):
    """The server's warnings are PostgreSQL's; a tracing id before them does no harm."""
    node, table = make_paged([[(1, "one")]])
    connection = pg()
    node.rule(EXECUTE, both(warn("read 1000 tombstones", "b\N{GREEK SMALL LETTER ALPHA}d"),
                            trace(bytes(range(16)))))
    assert query(connection, "SELECT v FROM %s" % table) == [("one",)]
    notices = "".join(connection.notices)
    assert notices.count("WARNING:") == 2
    assert "read 1000 tombstones" in notices and "b\N{GREEK SMALL LETTER ALPHA}d" in notices


def test_tracing_id(pg, make_paged):
    """What scylla_fdw.trace asks for, EXPLAIN ANALYZE shows."""
    node, table = make_paged([[(1, "one")]])
    connection = pg()
    node.rule(EXECUTE, trace(bytes(range(16))))
    query(connection, "SET scylla_fdw.trace = on")
    plan = "\n".join(row[0] for row in query(connection, "EXPLAIN (ANALYZE, VERBOSE) SELECT v FROM %s" % table))
    assert "00010203-0405-0607-0809-0a0b0c0d0e0f" in plan
    assert node.seen(EXECUTE)[0].flags & 0x02
