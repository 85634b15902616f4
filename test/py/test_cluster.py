"""Three real nodes, each in a rack of its own: what the backend finds out about them, that requests go to
replicas, and that reads go on when a node dies, hangs, and comes back."""

import os
import signal
import time

import psycopg2
import pytest

from cluster import OWN_NODES, connected, make_cluster, make_server
from codec import EXECUTE
from support import Running, failure, query, wait_until

PLACES = ["dc1:r1", "dc1:r2", "dc1:r3"]
KEYS = 300
READS = "DO $$ BEGIN FOR i IN 1..%d LOOP PERFORM v FROM cluster_t WHERE k = i %% %d; END LOOP; END $$"
SCHEMAS = " UNION ".join("SELECT * FROM scylla_query('cluster', 'SELECT schema_version FROM system.%s') AS t (v uuid)"
                         % table for table in ("local", "peers"))
SHARES = "SELECT node, requests FROM scylla_shards WHERE server = '%s' ORDER BY node"

pytestmark = OWN_NODES
cluster = make_cluster("cluster", PLACES)


@pytest.fixture(scope="module")
def site(cluster, database):
    """The name of a server with a table in it, of three replicas and KEYS rows."""
    connection = psycopg2.connect(dbname=database)
    connection.autocommit = True
    make_server(connection, "cluster", cluster.port)
    execute = "SELECT scylla_execute('cluster', %s)"
    query(connection, execute, ["DROP KEYSPACE IF EXISTS cluster_ks"])
    query(connection, execute, ["CREATE KEYSPACE cluster_ks WITH replication = "
                                "{'class': 'NetworkTopologyStrategy', 'replication_factor': 3}"])
    query(connection, execute, ["CREATE TABLE cluster_ks.t (k int PRIMARY KEY, v text)"])
    wait_until(lambda: len(query(connection, SCHEMAS)) == 1, 60)
    query(connection, "CREATE FOREIGN TABLE cluster_t (k int OPTIONS (key 'partition 1', type 'int'), "
                      "v text OPTIONS (key 'regular', type 'text')) "
                      "SERVER cluster OPTIONS (keyspace 'cluster_ks', \"table\" 't')")
    query(connection, "SELECT scylla_execute('cluster', 'INSERT INTO cluster_ks.t (k, v) VALUES (?, ?)', i, 'v' || i) "
                      "FROM generate_series(0, %d) i" % (KEYS - 1))
    connection.close()
    return "cluster"


def read(connection, count):
    query(connection, READS % (count, KEYS))


def spread(connection, server):
    """Read until there is a connection to every node."""
    for _ in range(20):
        read(connection, 100)
        if len(connected(connection, server)) == 3:
            return
    raise AssertionError(query(connection, "SELECT * FROM scylla_nodes"))


def test_few_requests_know_one_node(site, cluster, pg):
    connection = pg()
    read(connection, 10)
    assert query(connection, "SELECT node, dc, state, connections FROM scylla_nodes") \
        == [(cluster.name(1), None, "connected", 1)]
    assert len(query(connection, "SELECT 1 FROM scylla_connections")) == 1


def test_sustained_work_goes_to_all_replicas(site, cluster, pg):
    connection = pg()
    spread(connection, site)
    rows = query(connection, "SELECT node, dc, rack, state, shards, connections, host_id IS NOT NULL, release <> '' "
                             "FROM scylla_nodes ORDER BY node")
    assert rows == [(cluster.name(n), "dc1", "r%d" % n, "connected", None, 1, True, True) for n in (1, 2, 3)]
    shares = query(connection, "SELECT sum(ring_share) FROM scylla_nodes")[0][0]
    assert abs(shares - 100) < 0.001
    before = dict(query(connection, SHARES % site))
    read(connection, 900)
    gained = {node: requests - before[node] for node, requests in query(connection, SHARES % site)}
    assert all(200 < count < 400 for count in gained.values()), gained
    assert query(connection, "SELECT count(*) FROM scylla_shards WHERE p50_ms > 0 AND p99_ms >= p50_ms "
                             "AND max_ms >= p99_ms AND errors = 0") == [(3,)]
    calls, rows, retries = query(connection, "SELECT calls, rows, retries FROM scylla_statements "
                                             "WHERE cql LIKE '%cluster_ks.t WHERE k = ?'")[0]
    assert calls == rows > 900 and retries == 0


def test_rack_first(site, cluster, pg):
    connection = pg()
    make_server(connection, "cluster_rack", cluster.port, local_dc="dc1", local_rack="r2")
    query(connection, "CREATE FOREIGN TABLE cluster_rack_t (k int, v text) SERVER cluster_rack "
                      "OPTIONS (keyspace 'cluster_ks', \"table\" 't')")
    reads = "DO $$ BEGIN FOR i IN 1..300 LOOP PERFORM v FROM cluster_rack_t WHERE k = i; END LOOP; END $$"
    wait_until(lambda: query(connection, reads) or cluster.name(2) in connected(connection, "cluster_rack"), 60)
    before = dict(query(connection, SHARES % "cluster_rack"))
    query(connection, reads)
    gained = {node: requests - before.get(node, 0)
              for node, requests in query(connection, SHARES % "cluster_rack")}
    assert gained[cluster.name(2)] == sum(gained.values()) == 300


def test_conditional_writes_of_a_key_meet(site, cluster, pg, fronts):
    """At the first of its replicas, whichever backend writes, so that they meet no rivals elsewhere."""
    front = fronts([("127.0.0.%d" % n, cluster.port) for n in (1, 2, 3)], shards=1)
    control = pg()
    query(control, "CREATE SERVER cluster_front FOREIGN DATA WRAPPER scylla_fdw OPTIONS (host '127.0.0.1', "
                   "port '%d', connect_timeout '20s', request_timeout '60s'); "
                   "CREATE FOREIGN TABLE cluster_front_t (k int OPTIONS (key 'partition 1', type 'int'), "
                   "v text OPTIONS (key 'regular', type 'text')) "
                   "SERVER cluster_front OPTIONS (keyspace 'cluster_ks', \"table\" 't')" % front.port)
    nodes_of = {}
    for _ in range(2):
        backend = pg()
        for _ in range(20):
            query(backend, "DO $$ BEGIN FOR i IN 0..99 LOOP PERFORM v FROM cluster_front_t WHERE k = i; "
                           "END LOOP; END $$")
            if len(connected(backend, "cluster_front")) == 3:
                break
        front.clear()
        for k in list(range(10)) * 2:
            query(backend, "INSERT INTO cluster_front_t (k, v) VALUES (%d, 'taken') ON CONFLICT DO NOTHING" % k)
        written = [request for request in front.seen(EXECUTE) if request.text.is_conditional]
        assert len(written) >= 20  # more where a node had to be taught the statement
        for request in written:
            nodes_of.setdefault(request.token, set()).add(request.node.address)
    assert len(nodes_of) == 10
    assert all(len(nodes) == 1 for nodes in nodes_of.values()), nodes_of
    assert len(set.union(*nodes_of.values())) > 1


def test_max_connections(site, cluster, pg):
    connection = pg()
    make_server(connection, "cluster_one", cluster.port, max_connections=1)
    query(connection, "CREATE FOREIGN TABLE cluster_one_t (k int, v text) SERVER cluster_one "
                      "OPTIONS (keyspace 'cluster_ks', \"table\" 't')")
    query(connection, "DO $$ BEGIN FOR i IN 1..300 LOOP PERFORM v FROM cluster_one_t WHERE k = i; END LOOP; END $$")
    assert query(connection, "SELECT count(*) FROM scylla_connections") == [(1,)]


def test_idle_timeout_and_max_lifetime(site, cluster, pg):
    connection = pg()
    for name, option in (("cluster_idle", "idle_timeout"), ("cluster_old", "max_lifetime")):
        make_server(connection, name, cluster.port, **{option: "300ms"})
        query(connection, "CREATE FOREIGN TABLE %s_t (k int, v text) SERVER %s "
                          "OPTIONS (keyspace 'cluster_ks', \"table\" 't')" % (name, name))
        lookup = "SELECT v FROM %s_t WHERE k = 7" % name
        assert query(connection, lookup) == [("v7",)]
        time.sleep(0.5)
        assert query(connection, lookup) == [("v7",)]
        assert query(connection, "SELECT age < interval '450 ms' FROM scylla_connections WHERE server = '%s'"
                     % name) == [(True,)]


def test_unknown_data_center(site, cluster, pg):
    connection = pg()
    make_server(connection, "cluster_dc", cluster.port, local_dc="nowhere")
    query(connection, "CREATE FOREIGN TABLE cluster_dc_t (k int, v text) SERVER cluster_dc "
                      "OPTIONS (keyspace 'cluster_ks', \"table\" 't')")
    found = failure(connection, "DO $$ BEGIN FOR i IN 1..100 LOOP PERFORM v FROM cluster_dc_t WHERE k = 7; "
                                "END LOOP; END $$")
    assert found.pgcode == "08001"
    assert "nowhere" in found.diag.message_detail


def wait_for_all(connection, server):
    wait_until(lambda: read(connection, 100) or len(connected(connection, server)) == 3, 120)


def test_contact_point_that_hangs(site, cluster, pg):
    """It takes connections and says nothing: long before its time is over the next one is tried as well."""
    connection = pg()
    timeout_s = 40
    make_server(connection, "cluster_hung", cluster.port, "127.0.0.1,127.0.0.2", connect_timeout="%ds" % timeout_s)
    cluster.signal(1, signal.SIGSTOP)
    try:
        began = time.monotonic()
        query(connection, "SELECT * FROM scylla_query('cluster_hung', 'SELECT key FROM system.local') AS t (k text)")
        assert time.monotonic() - began < timeout_s
        assert connected(connection, "cluster_hung") == {cluster.name(2)}
    finally:
        cluster.signal(1, signal.SIGCONT)
    wait_for_all(connection, site)


def test_node_that_pauses(site, cluster, pg):
    """It answers late; nothing fails."""
    connection = pg()
    spread(connection, site)
    running = Running(connection, READS % (12000, KEYS))
    time.sleep(0.5)
    cluster.signal(3, signal.SIGSTOP)
    time.sleep(0.2)
    assert running.ended is None
    cluster.signal(3, signal.SIGCONT)
    assert running.join(300).error is None


def test_node_that_hangs(site, cluster, pg):
    """It is stopped, and closes nothing: what it does not answer is asked elsewhere within its time."""
    connection = pg()
    spread(connection, site)
    cluster.signal(3, signal.SIGSTOP)
    try:
        running = Running(connection, READS % (1000, KEYS)).join(120)
        assert running.error is None
        retries = query(connection, "SELECT sum(retries) FROM scylla_statements")[0][0]
        assert retries > 0
        assert connected(connection, site) == {cluster.name(1), cluster.name(2)}
    finally:
        cluster.signal(3, signal.SIGCONT)
    wait_for_all(connection, site)


def test_two_hundred_backends(site, cluster, pg, database):
    """All begin at once: each opens one connection, and none more for a few reads."""
    backends = [pg() for _ in range(200)]
    running = [Running(backend, READS % (5, KEYS)) for backend in backends]
    for one in running:
        assert one.join(300).error is None
    counts = [query(backend, "SELECT count(*) FROM scylla_connections")[0][0] for backend in backends]
    assert counts == [1] * len(backends)


def test_node_that_dies(site, cluster, pg):
    """The last test: the node stays dead. Reads in flight see no error; the first success after its death
    comes within a connect timeout, for who was connected to it alone as well."""
    connection = pg()
    spread(connection, site)
    query(connection, "SELECT v FROM cluster_t WHERE k = 1")
    running = Running(connection, READS % (4000, KEYS))
    time.sleep(0.5)
    cluster.signal(1, signal.SIGKILL)
    assert running.join(300).error is None
    assert connected(connection, site) == {cluster.name(2), cluster.name(3)}
    began = time.monotonic()
    assert query(connection, "SELECT v FROM cluster_t WHERE k = 7") == [("v7",)]
    assert time.monotonic() - began < 5
    assert query(connection, "SELECT state FROM scylla_nodes WHERE node = '%s'" % cluster.name(1)) == [("down",)]
