"""Appends of several servers: all are asked before one of them answers, whichever answers first is read, and time
limits and cancels take effect while the Append waits."""

import pytest

from node import EXECUTE, hold, stall
from support import SHORT, Running, failure, query, read_after_pause, wait_until

ROWS = [[(k, "v%d" % k) for k in range(10)], [(k, "w%d" % k) for k in range(10)]]


@pytest.fixture
def make_pair(nodes, make_server, make_table):
    """make_pair(**options of both servers): two nodes, and a query that appends their tables."""

    def make(**options):
        pair = [nodes(pages=[rows]) for rows in ROWS]
        tables = [make_table(make_server(node.port, retries=0, **options)) for node in pair]
        return (*pair, " UNION ALL ".join("SELECT v FROM %s" % table for table in tables))

    return make


def values(rows):
    return [(v,) for _, v in rows]


def test_both_are_asked(pg, make_pair):
    one, two, sql = make_pair()
    for node in one, two:
        node.rule(EXECUTE, hold())
    connection = pg()
    assert query(connection, "EXPLAIN (COSTS OFF) " + sql)[1][0].startswith("  ->  Async Foreign Scan")
    running = Running(connection, sql)
    one.wait(lambda: one.held)
    two.wait(lambda: two.held)
    two.release()
    one.release()
    assert sorted(running.join().rows) == sorted(values(ROWS[0] + ROWS[1]))


@pytest.mark.parametrize("late", [0, 1])
def test_who_answers_is_read(late, pg, make_pair):
    """Rows of the one come while the other says nothing."""
    one, two, sql = make_pair()
    silent = (one, two)[late]
    silent.rule(EXECUTE, hold())
    connection = pg()
    query(connection, "BEGIN; DECLARE c CURSOR FOR " + sql)
    assert query(connection, "FETCH 10 FROM c") == values(ROWS[1 - late])
    silent.wait(lambda: silent.held)
    silent.release()
    assert query(connection, "FETCH ALL FROM c") == values(ROWS[late])
    query(connection, "COMMIT")


def test_rows_that_are_filtered_out(pg, make_pair):
    """What came and did not match is no end, nor does it keep others waiting."""
    one, two, sql = make_pair()
    one.rule(EXECUTE, hold())
    connection = pg()
    query(connection, "BEGIN; DECLARE c CURSOR FOR SELECT v FROM (%s) x WHERE length(v || 'x') = 3 AND v LIKE '%%3'" % sql)
    assert query(connection, "FETCH 1 FROM c") == [("w3",)]
    one.wait(lambda: one.held)
    one.release()
    assert query(connection, "FETCH ALL FROM c") == [("v3",)]
    query(connection, "COMMIT")


def test_request_timeout(pg, make_pair):
    one, _two, sql = make_pair(request_timeout="300ms")
    one.rule(EXECUTE, stall())
    connection = pg()
    found = failure(connection, sql)
    assert found.pgcode == "58030"
    one.rules = []
    assert len(query(connection, sql)) == 20


def test_request_timeout_beside_pauses(pg, make_pair):
    """The time in which the client reads one table, or does nothing, is none of the other's."""
    _one, two, sql = make_pair(request_timeout=SHORT)
    two.rule(EXECUTE, hold())
    connection = pg()
    query(connection, "BEGIN; DECLARE c CURSOR FOR " + sql)
    rows = query(connection, "FETCH 1 FROM c")
    rows += read_after_pause(connection, pg(), two, "FETCH ALL FROM c")
    assert sorted(rows) == sorted(values(ROWS[0] + ROWS[1]))
    assert len(two.seen(EXECUTE)) == 1
    query(connection, "COMMIT")


def test_request_timeout_beside_wake_ups(pg, make_pair):
    """A backend that is woken for other reasons all the time waits no longer for that."""
    one, two, sql = make_pair(request_timeout="1s")
    for node in one, two:
        node.rule(EXECUTE, stall())
    connection, control = pg(), pg()
    query(connection, "LISTEN news")
    running = Running(connection, sql)
    wait_until(lambda: one.seen(EXECUTE) and two.seen(EXECUTE))

    def has_ended():
        query(control, "NOTIFY news")
        return running.ended

    wait_until(has_ended, seconds=30)
    assert running.error.pgcode == "58030"


@pytest.mark.parametrize("how", ["cancel", "timeout"])
def test_cancel(how, pg, make_pair):
    one, two, sql = make_pair(request_timeout="1min")
    for node in one, two:
        node.rule(EXECUTE, stall())
    connection, control = pg(), pg()
    query(connection, "SELECT 1")
    if how == "timeout":
        query(connection, "SET statement_timeout = '300ms'")
    running = Running(connection, sql)
    wait_until(lambda: one.seen(EXECUTE) and two.seen(EXECUTE))
    if how == "cancel":
        query(control, "SELECT pg_cancel_backend(%d)" % running.pid)
    assert running.join(10).error.pgcode == "57014"
    one.rules = two.rules = []
    query(connection, "SET statement_timeout = 0")
    assert len(query(connection, sql)) == 20
