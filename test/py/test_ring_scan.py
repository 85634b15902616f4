"""Scans of the ring in pieces: that they cover it, how many are in flight, and workers that share them."""

import struct

import pytest

from node import EXECUTE, delay, error, hold
from support import Running, query, wait_until

ROWS = 1000
RING = 1 << 64
FIRST, LAST = -(1 << 63), (1 << 63) - 1
TOKENS = [LAST if k == 0 else FIRST + 1 + k * (RING // ROWS) for k in range(ROWS)]  # of row k


def range_of(request):
    return tuple(struct.unpack(">q", value)[0] for value in request.values)


def rows_of(request, number):
    """Of the one page; None: there is none (node.py)."""
    start, end = range_of(request)
    return None if number > 0 else [(k, "v%d" % k) for k, token in enumerate(TOKENS) if start < token <= end]


@pytest.fixture
def make_large(nodes, pg, make_server, make_mapping, make_table):
    """make_large(users, **options of the table): a node with rows in a ring, and its table, which is known to be large
    and costs nothing to begin with."""

    def make(users=None, **options):
        node = nodes(users=users)
        node.add_table("ks.t", {"k": "int", "v": "text"}, ["k"], rows_of)
        server = make_server(node.port, fdw_startup_cost=0, request_timeout="1min")
        make_mapping(server, role="PUBLIC", **({"user": "u", "password": "p"} if users else {}))
        table = make_table(server, fetch_size=100, **options)
        query(pg(), "UPDATE pg_class SET reltuples = %d WHERE relname = '%s'" % (ROWS, table))
        return node, table

    return make


def share(connection, workers=2):
    query(connection, "SET min_parallel_table_scan_size = 0; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;"
                      "SET max_parallel_workers_per_gather = %d" % workers)


def first_pages(node):
    return [request for request in node.seen(EXECUTE) if not request.paging_state]


def assert_covered(node):
    """Each token is asked for exactly once."""
    ranges = sorted(map(range_of, first_pages(node)))
    assert len(ranges) > 5
    assert ranges[0][0] == FIRST and ranges[-1][1] == LAST
    assert [end for _, end in ranges[:-1]] == [start for start, _ in ranges[1:]]


def processes_of(node):
    """That have asked: each has a connection of its own."""
    return {request.connection.number for request in node.seen(EXECUTE)}


def test_pieces_cover_the_ring(pg, make_large):
    node, table = make_large()
    assert sorted(query(pg(), "SELECT k FROM %s" % table)) == [(k,) for k in range(ROWS)]
    assert_covered(node)


def test_pieces_in_flight_are_bounded(pg, make_large):
    node, table = make_large(max_in_flight=4)
    counts = []
    node.rule(EXECUTE, delay(0.005), when=lambda request: counts.append(len(request.connection.outstanding)) or True)
    assert query(pg(), "SELECT count(v || 'x') FROM %s" % table) == [(ROWS,)]
    # four pieces, and the pages behind those that have come
    assert 1 < max(counts) <= 8


def test_workers_share_the_ring(pg, make_large):
    """Each process asks over a connection of its own."""
    node, table = make_large()
    connection = pg()
    share(connection)
    node.rule(EXECUTE, hold())  # so that workers come before the leader is through
    running = Running(connection, "SELECT count(v || 'x') FROM %s" % table)
    wait_until(lambda: len(processes_of(node)) > 1)
    node.rules = []
    wait_until(lambda: running.ended or node.release())  # also what was about to be held
    assert running.join().rows == [(ROWS,)]
    assert_covered(node)
    wait_until(lambda: len(node.open_connections()) == 1)


def test_workers_have_the_password(pg, make_large, make_role):
    node, table = make_large(users={"u": "p"})
    role = make_role()
    connection = pg(user=role)
    share(connection)
    query(connection, "SET parallel_leader_participation = off")
    assert query(connection, "SELECT count(v || 'x') FROM %s" % table) == [(ROWS,)]
    assert_covered(node)


def test_cancel_beside_workers(pg, make_large):
    """Nobody goes on, and the session is usable."""
    node, table = make_large()
    connection, control = pg(), pg()
    share(connection)
    node.rule(EXECUTE, hold())
    running = Running(connection, "SELECT count(v || 'x') FROM %s" % table)
    wait_until(lambda: len(processes_of(node)) > 1)
    query(control, "SELECT pg_cancel_backend(%d)" % running.pid)
    assert running.join().error.pgcode == "57014"
    wait_until(lambda: len(node.open_connections()) == 1)
    node.rules = []
    node.release()
    node.clear()
    assert query(connection, "SELECT count(v || 'x') FROM %s" % table) == [(ROWS,)]
    assert_covered(node)


def test_error_of_a_worker(pg, make_large):
    """It is the statement's, and the others stop."""
    node, table = make_large()
    connection = pg()
    share(connection)
    query(connection, "SET parallel_leader_participation = off")
    node.rule(EXECUTE, error(0x1200, "a scripted timeout", struct.pack(">HiiB", 1, 0, 1, 0)),
              when=lambda request: range_of(request)[0] > 0)
    with pytest.raises(Exception) as raised:
        query(connection, "SELECT count(v || 'x') FROM %s" % table)
    assert raised.value.pgcode == "58030"
    wait_until(lambda: len(node.open_connections()) <= 1)
    node.rules = []
    assert query(connection, "SELECT count(v || 'x') FROM %s" % table) == [(ROWS,)]
