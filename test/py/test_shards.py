"""Our driver behind the Scylla front: connections to single shards, tablets learnt from hints, and what
happens where the shard-aware port does not do what it should."""

import pytest

from codec import BATCH, EXECUTE, OPTIONS, QUERY
from faults import error
from support import query

SHARDS = 3
KEYS = 300
READS = "DO $$ BEGIN FOR i IN 1..%d LOOP PERFORM v FROM %s WHERE k = i %% %d; END LOOP; END $$"
# one that still shakes hands has no shard yet
CONNECTED = "SELECT shard FROM scylla_connections WHERE server = '%s' AND shard IS NOT NULL ORDER BY shard"


@pytest.fixture(scope="module")
def remote(driver):
    driver.make_keyspace("py_shards")
    driver.execute("CREATE TABLE py_shards.t (k int PRIMARY KEY, v text)")
    driver.execute_all("INSERT INTO py_shards.t (k, v) VALUES (?, ?)", [(k, "v%d" % k) for k in range(KEYS)])
    return "py_shards.t"


@pytest.fixture
def start(fronts, remote, cql_host, cql_port, make_server, make_table):
    """start(options of the server, **options of the front): the front, the server, its table."""

    def make(server_options=None, **options):
        front = fronts([(cql_host, cql_port)], shards=SHARDS, **options)
        server = make_server(front.port, host=cql_host, connect_timeout="20s", request_timeout="20s",
                             **(server_options or {}))
        return front, server, make_table(server, remote)

    return make


def read(connection, table, count):
    query(connection, READS % (count, table, KEYS))


def spread(connection, server, table):
    for _ in range(20):
        read(connection, table, 100)
        if query(connection, CONNECTED % server) == [(shard,) for shard in range(SHARDS)]:
            return
    raise AssertionError(query(connection, "SELECT * FROM scylla_shards"))


def misrouted(front, shard_of, opcode=EXECUTE):
    asked = front.seen(opcode)
    assert asked
    return [request for request in asked if request.shard != shard_of(request.token)]


def test_batches_go_to_their_shard(start, driver, make_table, pg):
    driver.execute("CREATE TABLE py_shards.wide (p int, c int, PRIMARY KEY (p, c))")
    columns = {"p": ("int", "int", "partition 1"), "c": ("int", "int", "clustering 1 asc")}
    front, server, table = start()
    wide = make_table(server, "py_shards.wide", columns)
    connection = pg()
    spread(connection, server, table)
    front.clear()
    query(connection, "INSERT INTO %s SELECT g / 10, g %% 10 FROM generate_series(0, 299) g" % wide)
    assert len(front.seen(BATCH)) == 30
    assert misrouted(front, front.shard_of, BATCH) == []
    assert sorted(driver.execute("SELECT p, c FROM py_shards.wide")) == [(g // 10, g % 10) for g in range(300)]


def test_requests_go_to_their_shard(start, pg):
    front, server, table = start()
    connection = pg()
    spread(connection, server, table)
    # the first one's shard was the front's choice, those of the others are told by their source ports
    assert sum(one.is_shard_aware for one in front.nodes[0].connections) == SHARDS - 1
    front.clear()
    read(connection, table, KEYS)
    assert misrouted(front, front.shard_of) == []
    rows = query(connection, "SELECT shard, connections, requests > 50, errors, p50_ms > 0 FROM scylla_shards "
                             "WHERE server = '%s' ORDER BY shard" % server)
    assert rows == [(shard, 1, True, 0, True) for shard in range(SHARDS)]
    assert query(connection, "SELECT shards, connections FROM scylla_nodes WHERE server = '%s'" % server) \
        == [(SHARDS, SHARDS)]


def test_few_requests_open_one_connection(start, pg):
    front, server, table = start()
    connection = pg()
    read(connection, table, 20)
    assert len(front.nodes[0].connections) == 1


@pytest.mark.parametrize("option", [{"shard_aware": "false"}, {"max_connections": "1"}])
def test_no_more_than_allowed(option, start, pg):
    front, server, table = start(option)
    connection = pg()
    read(connection, table, 400)
    assert len(front.nodes[0].connections) == 1


def test_closed_shard_port(start, pg):
    """The plain port gives the shard with the fewest connections, so that all are found."""
    front, server, table = start(is_shard_port_open=False)
    connection = pg()
    spread(connection, server, table)
    front.clear()
    read(connection, table, KEYS)
    assert misrouted(front, front.shard_of) == []


def test_changed_source_ports(start, pg):
    """Address translation gives any shard: the right ones are found by trying, not without end."""
    front, server, table = start(is_nat=True)
    connection = pg()
    for _ in range(10):
        read(connection, table, 200)
    assert 1 <= len(query(connection, CONNECTED % server)) <= SHARDS
    assert len(front.nodes[0].connections) <= 2 * SHARDS + 2


def test_tablets(start, remote, pg):
    """Hints of misrouted requests teach where the tablets are; later ones that they were split, and merged."""
    front, server, table = start()
    connection = pg()
    for count in (16, 32, 8):
        front.make_tablets(remote, count)
        spread(connection, server, table)
        for _ in range(3):
            read(connection, table, KEYS)
        front.clear()
        read(connection, table, KEYS)
        assert misrouted(front, lambda token: front.tablet_of(remote, token).replicas[0][1]) == []


def test_tablets_are_read(start, remote, pg):
    """All of them from system.tablets, once the first requests are routed: what was never asked for before needs
    no hint."""
    front, server, table = start()
    front.make_tablets(remote, 512)
    connection = pg()
    spread(connection, server, table)
    front.clear()
    read(connection, table, KEYS)
    assert misrouted(front, lambda token: front.tablet_of(remote, token).replicas[0][1]) == []
    assert front.hints == 0


def test_scans_ask_each_tablet_where_it_is(start, remote, pg):
    """The ring is read in pieces none of which lies in two tablets, each from the tablet's own shard."""
    front, server, table = start()
    front.make_tablets(remote, 8)
    connection = pg()
    spread(connection, server, table)
    query(connection, "ALTER FOREIGN TABLE %s OPTIONS (fetch_size '50'); ANALYZE %s" % (table, table))
    front.clear()
    assert query(connection, "SELECT count(length(v)) FROM %s" % table) == [(KEYS,)]
    pieces = [[int.from_bytes(value, "big", signed=True) for value in request.values] + [request.shard]
              for request in front.seen(EXECUTE)]
    assert len(pieces) >= 8
    for start_token, end_token, shard in pieces:
        tablet = front.tablet_of(remote, end_token)
        assert tablet.first <= start_token and shard == tablet.replicas[0][1]


def test_tablets_that_nobody_may_read(start, remote, pg):
    """Then hints teach them, as they come."""
    front, server, table = start()
    front.make_tablets(remote, 8)
    front.rule(QUERY, error(0x2100, "no SELECT permission on system.tablets"),
               when=lambda request: "system.tablets" in request.text.original)
    connection = pg()
    spread(connection, server, table)
    for _ in range(3):
        read(connection, table, KEYS)
    assert front.hints > 0
    front.clear()
    read(connection, table, KEYS)
    assert front.hints == 0


def test_silent_connection_is_asked_whether_it_lives(start, pg):
    """A request's answer is lost: the connection is asked, says that it lives, and stays."""
    from faults import vanish
    front, server, table = start({"retries": "0"})
    connection = pg()
    read(connection, table, 5)
    query(connection, "ALTER SERVER %s OPTIONS (SET request_timeout '3s')" % server)
    read(connection, table, 5)
    front.clear()
    front.rule(EXECUTE, vanish(), times=1)
    with pytest.raises(Exception) as raised:
        read(connection, table, 1)
    assert raised.value.pgcode == "58030"
    assert len(front.seen(OPTIONS)) >= 1
    read(connection, table, 5)
    assert len([one for one in front.nodes[0].connections if one.is_open]) == 1
