"""Scans of many requests: answers in any order, what is in flight at once, errors of one among many."""

import struct

import pytest

from node import EXECUTE, delay, error, hold
from support import SHORT, Running, failure, query, read_after_pause, wait_until, words

KEYS = 50
ROWS = [(k, "v%d" % k) for k in range(KEYS)]


@pytest.fixture
def make_wide(nodes, make_server, make_table):
    """make_wide(**options): a node with a row for each of KEYS keys, and its foreign table."""

    def make(**options):
        node = nodes(pages=[ROWS])
        return node, make_table(make_server(node.port), **options)

    return make


def key_of(request):
    return struct.unpack(">i", request.values[0])[0]


def keys_of(node):
    return [key_of(request) for request in node.seen(EXECUTE)]


def select(table, columns="k, v"):
    return "SELECT %s FROM %s WHERE k = ANY (ARRAY(SELECT generate_series(0, %d)))" % (columns, table, KEYS - 1)


def test_every_key_is_asked_once(pg, make_wide):
    node, table = make_wide()
    assert sorted(query(pg(), select(table))) == ROWS
    assert sorted(keys_of(node)) == list(range(KEYS))
    assert len({request.text for request in node.seen(EXECUTE)}) == 1


def test_answers_in_any_order(pg, make_wide):
    """Nobody waits for the request that was sent first."""
    node, table = make_wide()
    node.rule(EXECUTE, hold(), when=lambda request: key_of(request) == 0)
    connection = pg()
    query(connection, "BEGIN; DECLARE c CURSOR FOR " + select(table))
    assert sorted(query(connection, "FETCH %d FROM c" % (KEYS - 1))) == ROWS[1:]
    node.release()
    assert query(connection, "FETCH ALL FROM c") == ROWS[:1]
    query(connection, "COMMIT")


def test_in_flight_is_bounded(pg, make_wide):
    node, table = make_wide(max_in_flight=4)
    counts = []

    def count(request):
        counts.append(len(request.connection.outstanding))
        return True

    node.rule(EXECUTE, delay(0.01), when=count)
    assert sorted(query(pg(), select(table))) == ROWS
    assert 1 < max(counts) <= 4


def test_unread_bytes_are_bounded(pg, nodes, make_server, make_table):
    """Behind pages of 4 MiB nothing more is asked for until they are read."""
    node = nodes()
    node.add_table("ks.big", {"k": "int", "b": "blob"}, ["k"],
                   [[(k, bytes(4 * 1024 * 1024)) for k in range(KEYS)]])
    table = make_table(make_server(node.port, request_timeout="1min"), "ks.big",
                       {"k": ("integer", "int", "partition 1"), "b": ("bytea", "blob", "regular")})
    connection = pg()
    query(connection, "BEGIN; DECLARE c CURSOR FOR " + select(table, "k, length(b)"))
    asked = []
    for _ in range(KEYS):
        assert query(connection, "FETCH 1 FROM c")[0][1] == 4 * 1024 * 1024
        asked.append(len(keys_of(node)))
    # At first nobody knows how large the pages are: a first window of 16 is asked for. Later four are.
    read = range(1, KEYS + 1)
    assert max(count for count, done in zip(asked, read) if done < 12) <= 16
    assert max(count - done for count, done in zip(asked, read) if done > 20) <= 5
    assert asked[-1] == KEYS
    query(connection, "COMMIT")


def test_pauses_longer_than_a_request(pg, nodes, make_server, make_table):
    """While the rows before them are read, answers have all the time of the world."""
    node = nodes(pages=[ROWS])
    table = make_table(make_server(node.port, request_timeout=SHORT))
    node.rule(EXECUTE, hold(), when=lambda request: key_of(request) == 7)
    connection = pg()
    query(connection, "BEGIN; DECLARE c CURSOR FOR " + select(table))
    rows = query(connection, "FETCH %d FROM c" % (KEYS - 1))
    rows += read_after_pause(connection, pg(), node, "FETCH ALL FROM c")
    assert sorted(rows) == ROWS
    assert sorted(keys_of(node)) == list(range(KEYS))
    query(connection, "COMMIT")


def test_limit_is_cheap(pg, make_wide):
    """Few of the keys are asked for when the first rows will do."""
    node, table = make_wide()
    assert len(query(pg(), select(table) + " LIMIT 2")) == 2
    assert len(keys_of(node)) < 20


def test_error_of_one_request(pg, make_wide):
    """It names the key, and what else is in flight does no harm."""
    node, table = make_wide()
    connection = pg()
    node.rule(EXECUTE, error(0x1200, "a scripted timeout", struct.pack(">HiiB", 1, 0, 1, 0)),
              when=lambda request: key_of(request) == 7)
    found = failure(connection, select(table))
    assert found.pgcode == "58030", words(found)
    assert "k = 7" in found.diag.context
    node.rules = []
    assert sorted(query(connection, select(table))) == ROWS
    assert query(connection, "SELECT in_flight, orphans FROM scylla_connections") == [(0, 0)]


def test_fan_out_that_is_left(pg, make_wide):
    """Answers that nobody wants any more are thrown away when they come."""
    node, table = make_wide()
    connection = pg()
    node.rule(EXECUTE, hold(), when=lambda request: key_of(request) % 2 == 0)
    query(connection, "BEGIN; DECLARE c CURSOR FOR " + select(table))
    assert len(query(connection, "FETCH 3 FROM c")) == 3
    query(connection, "ROLLBACK")
    assert query(connection, "SELECT in_flight FROM scylla_connections") == [(0,)]
    node.rules = []
    node.release()
    assert sorted(query(connection, select(table))) == ROWS
    wait_until(lambda: query(connection, "SELECT in_flight, orphans FROM scylla_connections") == [(0, 0)])


def test_rescans(pg, make_wide):
    """Each outer row asks for its own keys."""
    node, table = make_wide()
    rows = query(pg(), "SELECT i, (SELECT string_agg(v, ',' ORDER BY v) FROM %s WHERE k = ANY (ARRAY[i, i + 1, i])) "
                       "FROM generate_series(1, 3) i" % table)
    assert rows == [(1, "v1,v2"), (2, "v2,v3"), (3, "v3,v4")]
    assert sorted(keys_of(node)) == [1, 2, 2, 3, 3, 4]


@pytest.mark.parametrize("join", ["lookups", "scan"])
def test_rows_that_changed_while_they_were_locked(join, pg, make_wide):
    """What was read of the foreign table is checked again beside the new version of the local row."""
    node, table = make_wide()
    control, other = pg(), pg()
    query(other, "SET enable_%s = off; SET enable_mergejoin = off"
          % ("hashjoin" if join == "lookups" else "nestloop"))
    query(control, "DROP TABLE IF EXISTS locked; CREATE TABLE locked (i int, note text);"
                   "INSERT INTO locked VALUES (5, 'a'), (7, 'a'), (9, 'a')")
    query(control, "BEGIN; UPDATE locked SET i = i + 1 WHERE i = 5; UPDATE locked SET note = 'b' WHERE i = 7")
    running = Running(other, "SELECT i, v, note FROM locked JOIN %s ON k = i ORDER BY i FOR UPDATE OF locked" % table)
    watcher = pg()
    wait_until(lambda: query(watcher, "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'",
                             [running.pid]))
    query(control, "COMMIT")
    assert running.join().rows == [(7, "v7", "b"), (9, "v9", "a")]
    asked = [request.values for request in node.seen(EXECUTE)]
    assert len(asked) == (3 if join == "lookups" else 1)
