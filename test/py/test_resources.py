"""One thread, flat descriptors and memory, sessions that are closed when they shall be and come back
when they can."""

import time

import pytest

from node import EXECUTE, OPTIONS, STARTUP, close, edit, error, integer, raw, reset, stall
from support import LOOKUP, descriptors, failure, private_kib, query, threads


@pytest.fixture(scope="module")
def real_keyspace(database, cql_host, cql_port):
    """A keyspace on the real server with one table of 100 rows; the foreign server for it."""
    import psycopg2
    server = "real_server"
    connection = psycopg2.connect(dbname=database)
    connection.autocommit = True
    query(connection, "CREATE SERVER %s FOREIGN DATA WRAPPER scylla_fdw "
                      "OPTIONS (host '%s', port '%d', connect_timeout '20s', request_timeout '20s')"
          % (server, cql_host, cql_port))
    replication = "{'class': 'NetworkTopologyStrategy', 'replication_factor': 1}"
    for cql in ("DROP KEYSPACE IF EXISTS py_resources",
                "CREATE KEYSPACE py_resources WITH replication = " + replication,
                "CREATE TABLE py_resources.t (k int PRIMARY KEY, v text)"):
        query(connection, "SELECT scylla_execute(%s, %s)", [server, cql])
    query(connection, "SELECT scylla_execute(%s, 'INSERT INTO py_resources.t (k, v) VALUES (?, ?)', i, 'v' || i) "
                      "FROM generate_series(1, 100) AS i", [server])
    query(connection, "IMPORT FOREIGN SCHEMA py_resources FROM SERVER %s INTO public" % server)
    yield server
    query(connection, "SELECT scylla_execute(%s, 'DROP KEYSPACE py_resources')", [server])
    connection.close()


@pytest.fixture
def make_node_table(nodes, make_server, make_table):
    """make_node_table(): a node, its server and a table."""

    def make(pages=([(1, "one"), (2, "two")],), **options):
        node = nodes(pages=pages)
        server = make_server(node.port, **options)
        return node, server, make_table(server)

    return make


def loop(body, count):
    """A DO block that runs statements count times, in transactions of their own where they fail."""
    return "DO $$ BEGIN FOR i IN 1..%d LOOP %s END LOOP; END $$" % (count, body)


# ---- against the real server ----

def test_ten_thousand_lookups(pg, real_keyspace):
    """One thread, and no descriptor or memory more than after the first hundred."""
    connection = pg()
    pid = connection.info.backend_pid
    lookup = "PERFORM v FROM t WHERE k = i % 100 + 1;"
    query(connection, loop(lookup, 200))
    query(connection, loop(lookup, 200))
    before, memory = descriptors(pid), private_kib(pid)
    for _ in range(10):
        query(connection, loop(lookup, 1000))
        assert descriptors(pid) == before
        assert threads(pid) == 1
    assert private_kib(pid) - memory < 512
    assert query(connection, "SELECT count(*) FROM t WHERE k = 7") == [(1,)]


def test_first_query(pg, real_keyspace):
    """The first query of a backend adds at most 4 MiB to it, and makes no thread."""
    connection = pg()
    pid = connection.info.backend_pid
    query(connection, "SELECT count(*) FROM pg_class")
    before = private_kib(pid)
    assert query(connection, "SELECT v FROM t WHERE k = 7") == [("v7",)]
    assert private_kib(pid) - before <= 4096
    assert threads(pid) == 1


def test_reconnects_to_the_real_server(pg, real_keyspace):
    """200 sessions, one after the other."""
    connection = pg()
    pid = connection.info.backend_pid

    def reconnect(count):
        for _ in range(count):
            assert query(connection, "SELECT scylla_disconnect('%s')" % real_keyspace) == [(True,)]
            assert query(connection, "SELECT v FROM t WHERE k = 7") == [("v7",)]

    query(connection, "SELECT v FROM t WHERE k = 7")
    reconnect(20)
    before, memory = descriptors(pid), private_kib(pid)
    reconnect(200)
    assert descriptors(pid) == before
    assert private_kib(pid) - memory < 512
    assert threads(pid) == 1


# ---- against the scripted node ----

FAULTS = {
    "error": (EXECUTE, error(0x1001, "too busy")),
    "garbage": (EXECUTE, raw(b"garbage, garbage")),
    "forged": (EXECUTE, edit(body=integer(2) + integer(1) + integer(0x7FFFFFFF))),
    "reset": (EXECUTE, reset()),
    "half": (EXECUTE, close(after=40)),
    "timeout": (EXECUTE, stall()),
    "handshake": (STARTUP, edit(opcode=0x42)),
    "refused": (OPTIONS, close()),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_failing_queries(fault, pg, make_node_table):
    """200 failures of each kind: no descriptor, no memory, no connection stays."""
    node, server, table = make_node_table(request_timeout="10ms" if fault == "timeout" else "5s")
    connection = pg()
    pid = connection.info.backend_pid

    def fail(count):
        for _ in range(count):
            assert failure(connection, LOOKUP % table).pgcode[:2] in ("08", "53", "58")

    node.rule(*FAULTS[fault])
    fail(50)
    before, memory = descriptors(pid), private_kib(pid)
    fail(200)
    assert descriptors(pid) <= before + 1  # the last failure's connection may stand
    assert private_kib(pid) - memory < 512
    assert threads(pid) == 1
    node.wait(lambda: len(node.open_connections()) <= 1)
    node.clear()
    query(connection, "SELECT scylla_disconnect('%s')" % server)
    assert query(connection, LOOKUP % table) == [("one",)]


def test_distinct_statements(pg, make_node_table):
    """More texts than the cache of prepared statements holds: old ones go."""
    node, server, table = make_node_table()
    connection = pg()
    pid = connection.info.backend_pid

    def run(first, last):
        query(connection, "DO $$ BEGIN FOR i IN %d..%d LOOP PERFORM * FROM scylla_query('%s', "
                          "'SELECT v FROM ks.t WHERE k = ? /*' || i || repeat('.', 1000) || '*/', 1) "
                          "AS t (v text); END LOOP; END $$" % (first, last, server))

    for first in range(0, 900, 300):
        run(first, first + 299)
    before, memory = descriptors(pid), private_kib(pid)
    for first in range(900, 2400, 300):
        run(first, first + 299)
    assert private_kib(pid) - memory < 1024
    assert descriptors(pid) == before
    assert len(node.connections) == 1


def test_large_scans(pg, make_node_table):
    """A scan's memory is that of its pages, and comes back."""
    rows = [(row, "x" * 1000) for row in range(1000)]
    node, server, table = make_node_table(pages=lambda request, number: rows if number < 20 else None)
    connection = pg()
    pid = connection.info.backend_pid
    counted_here = "SELECT count(upper(v)) FROM %s" % table
    assert query(connection, counted_here) == [(20000,)]
    before = private_kib(pid)
    for _ in range(3):
        assert query(connection, counted_here) == [(20000,)]
    assert private_kib(pid) - before < 4096


def test_backend_exit(pg, make_node_table):
    """The node sees the connection's end when the session ends, idle or in the middle of a scan."""
    node, server, table = make_node_table(pages=[[(1, "one")], [(2, "two")], [(3, "three")]])
    for sql in (LOOKUP % table, "BEGIN; DECLARE c CURSOR FOR SELECT * FROM %s; FETCH 1 FROM c" % table):
        connection = pg()
        query(connection, sql)
        assert len(node.open_connections()) == 1
        connection.close()
        node.wait(lambda: not node.open_connections())


def test_disconnect(pg, make_node_table):
    node, server, table = make_node_table()
    other, other_server, other_table = make_node_table()
    connection = pg()
    assert query(connection, "SELECT scylla_disconnect('%s')" % server) == [(False,)]
    for each in (table, other_table):
        query(connection, LOOKUP % each)
    assert query(connection, "SELECT scylla_disconnect('%s')" % server) == [(True,)]
    node.wait(lambda: not node.open_connections())
    assert len(other.open_connections()) == 1
    assert query(connection, "SELECT server FROM scylla_connections") == [(other_server,)]
    assert query(connection, "SELECT scylla_disconnect('%s')" % server) == [(False,)]
    assert query(connection, LOOKUP % table) == [("one",)]
    assert query(connection, "SELECT scylla_disconnect_all()") == [(True,)]
    node.wait(lambda: not node.open_connections())
    other.wait(lambda: not other.open_connections())
    assert query(connection, "SELECT scylla_disconnect_all()") == [(False,)]
    assert failure(connection, "SELECT scylla_disconnect('nowhere')").pgcode == "42704"


def test_disconnect_under_a_scan(pg, make_node_table):
    """An open cursor reads on; its connection ends with it."""
    node, server, table = make_node_table(pages=[[(1, "one")], [(2, "two")], [(3, "three")]])
    connection = pg()
    query(connection, "BEGIN; DECLARE c CURSOR FOR SELECT k FROM %s" % table)
    assert query(connection, "FETCH 1 FROM c") == [(1,)]
    assert query(connection, "SELECT scylla_disconnect('%s')" % server) == [(True,)]
    assert query(connection, LOOKUP % table) == [("one",)]
    assert len(node.connections) == 2
    assert query(connection, "FETCH ALL FROM c") == [(2,), (3,)]
    query(connection, "COMMIT")
    assert query(connection, LOOKUP % table) == [("one",)]
    node.wait(lambda: len(node.open_connections()) == 1)
    assert not node.connections[0].is_open


CHANGES = {
    "server": ("ALTER SERVER {server} OPTIONS (SET port '{port}')", None),
    "mapping": ("ALTER USER MAPPING FOR CURRENT_USER SERVER {server} OPTIONS (SET password 'new')", None),
    "own_mapping": ("CREATE USER MAPPING FOR CURRENT_USER SERVER {server} OPTIONS (user 'own', password 'new')",
                    "PUBLIC"),
    "drop_mapping": ("DROP USER MAPPING FOR CURRENT_USER SERVER {server}", None),
}


@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "elsewhere"])
@pytest.mark.parametrize("change", CHANGES)
def test_changed_options(change, elsewhere, pg, nodes, make_server, make_mapping, make_table):
    """ALTER, CREATE and DROP of server and mapping, in this backend or another: a new session, and
    the old one ends, unless it is still somebody's."""
    sql, whose = CHANGES[change]
    node, new_node = nodes(), nodes()
    server = make_server(node.port)
    make_mapping(server, whose or "CURRENT_USER", user="reader", password="old")
    table = make_table(server)
    connection = pg()
    assert query(connection, LOOKUP % table) == [("one",)]
    query(pg() if elsewhere else connection, sql.format(server=server, port=new_node.port))
    assert query(connection, LOOKUP % table) == [("one",)]
    target = new_node if change == "server" else node
    assert len(target.open_connections()) >= 1
    assert len(node.connections) + len(new_node.connections) == 2
    if change == "own_mapping":
        assert node.connections[0].is_open
    else:
        node.wait(lambda: not node.connections[0].is_open)
        assert query(connection, "SELECT count(*) FROM scylla_connections") == [(1,)]


def test_dropped_server(pg, make_node_table):
    node, server, table = make_node_table()
    connection = pg()
    query(connection, LOOKUP % table)
    query(connection, "DROP SERVER %s CASCADE" % server)
    other, _, other_table = make_node_table()
    assert query(connection, LOOKUP % other_table) == [("one",)]
    node.wait(lambda: not node.open_connections())
    assert query(connection, "SELECT count(*) FROM scylla_connections") == [(1,)]


@pytest.mark.parametrize("pause", [0, 0.2])
def test_restarted_server(pause, pg, make_node_table):
    """A server that went away and came back while nobody asked: the next query just works."""
    node, server, table = make_node_table()
    connection = pg()
    for _ in range(3):
        assert query(connection, LOOKUP % table) == [("one",)]
        node.stop()
        node.forget_statements()
        node.wait(lambda: not node.open_connections())
        node.start()
        time.sleep(pause)
    assert query(connection, LOOKUP % table) == [("one",)]
    assert len(node.connections) == 4


def test_restarted_within_a_scan(pg, make_node_table):
    """A page that was asked for ahead and lost with its server is asked for again."""
    node, server, table = make_node_table(pages=[[(1, "one")], [(2, "two")], [(3, "three")]])
    connection = pg()
    query(connection, "BEGIN; DECLARE c CURSOR FOR SELECT k FROM %s" % table)
    node.rule(EXECUTE, stall(), when=lambda request: request.paging_state)
    assert query(connection, "FETCH 1 FROM c") == [(1,)]
    node.wait(lambda: len(node.seen(EXECUTE)) == 2)
    node.stop()
    node.wait(lambda: not node.open_connections())
    node.clear()
    node.start()
    assert query(connection, "FETCH ALL FROM c") == [(2,), (3,)]
    query(connection, "COMMIT")


def test_dead_server_costs_nothing(pg, make_node_table):
    """500 queries while the server is away, in one session: no descriptor and no memory."""
    node, server, table = make_node_table()
    connection = pg()
    pid = connection.info.backend_pid
    query(connection, LOOKUP % table)
    node.stop()

    def fail(count):
        for _ in range(count):
            assert failure(connection, LOOKUP % table).pgcode in ("08001", "08006")

    fail(50)
    before, memory = descriptors(pid), private_kib(pid)
    fail(500)
    assert descriptors(pid) == before
    assert private_kib(pid) - memory < 512
    node.start()
    assert query(connection, LOOKUP % table) == [("one",)]
