"""Nodes that die, come back, join, hang and leave, and two data centers: three real nodes in dc1, one in dc2
and one that comes and goes, under reads and writes of long-lived backends. The tests go on where the one
before has ended."""

import itertools
import os
import re
import signal
import threading
import time

import psycopg2
import pytest
from cassandra.policies import DCAwareRoundRobinPolicy

from cluster import OWN_NODES, connected, make_cluster, make_server, requests_of
from codec import QUERY, REGISTER
from driver import Driver
from support import failure, query, wait_until, words

PLACES = ["dc1:r1", "dc1:r2", "dc1:r3", "dc2:r1"]
# A busy machine is no dead node.
PATIENT = {"connect_timeout": "60s", "request_timeout": "40s"}
PATIENCE = 300
ROUND = 20
WORK = "DO $$ BEGIN FOR i IN 0..99 LOOP INSERT INTO {0} (k, v) VALUES (i, 'w'); PERFORM v FROM {0} WHERE k = i; " \
       "END LOOP; END $$"

pytestmark = OWN_NODES
cluster = make_cluster("members", PLACES)


@pytest.fixture(scope="module")
def judge(cluster):
    """The independent driver, in dc1."""
    connected = Driver(cluster.host(2), cluster.port, DCAwareRoundRobinPolicy("dc1"))
    yield connected
    connected.close()


@pytest.fixture(scope="module")
def keyspace(judge):
    judge.execute("DROP KEYSPACE IF EXISTS members_ks")
    judge.execute("CREATE KEYSPACE members_ks WITH replication = "
                  "{'class': 'NetworkTopologyStrategy', 'dc1': 3, 'dc2': 1}")
    judge.execute("CREATE TABLE members_ks.t (k int PRIMARY KEY, v text)")
    judge.execute("CREATE TABLE members_ks.load (k int PRIMARY KEY, v text)")
    return "members_ks"


def make_table(connection, name, server, remote="t", **options):
    query(connection, "CREATE FOREIGN TABLE %s (k int OPTIONS (key 'partition 1', type 'int'), "
                      "v text OPTIONS (key 'regular', type 'text')) SERVER %s OPTIONS (%s)"
          % (name, server, ", ".join("%s '%s'" % option for option in
                                     {"keyspace": "members_ks", '"table"': remote, **options}.items())))
    return name


# ---- two data centers ----

@pytest.mark.parametrize("contact, place, served", [
    (1, {}, (1, 2, 3)),
    (4, {}, (4,)),
    (4, {"local_dc": "dc1"}, (1, 2, 3)),
    (1, {"local_dc": "dc2"}, (4,)),
    (4, {"local_dc": "dc1", "local_rack": "r1"}, (1,)),
], ids=["of_contact_1", "of_contact_4", "named_1", "named_2", "rack"])
@pytest.mark.parametrize("level", ["LOCAL_QUORUM", "LOCAL_ONE"])
def test_requests_stay_in_the_data_center(contact, place, served, level, cluster, keyspace, pg, request):
    """A rack has its namesake elsewhere."""
    connection = pg()
    name = "members_" + request.node.callspec.id.replace("-", "_").lower()
    make_server(connection, name, cluster.port, host=cluster.host(contact), **PATIENT, **place)
    table = make_table(connection, name + "_t", name, read_consistency=level, write_consistency=level)
    work = WORK.format(table)
    wait_until(lambda: query(connection, work) or connected(connection, name) >= cluster.names(*served), PATIENCE)
    before = requests_of(connection, name)
    query(connection, work)
    gained = {node for node, requests in requests_of(connection, name).items() if requests > before.get(node, 0)}
    assert gained == cluster.names(*served)
    assert dict(query(connection, "SELECT node, dc || ':' || rack FROM scylla_nodes WHERE server = '%s'" % name)) \
        == {cluster.name(at): place for at, place in enumerate(PLACES, 1)}


def test_check_finds_the_node_that_gets_most(cluster, judge, pg):
    """All writes are of one key, which has one replica."""
    judge.execute("DROP KEYSPACE IF EXISTS members_one")
    judge.execute("CREATE KEYSPACE members_one WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': 1}")
    judge.execute("CREATE TABLE members_one.t (k int PRIMARY KEY, v text)")
    connection = pg()
    make_server(connection, "members_one", cluster.port, **PATIENT)
    table = make_table(connection, "members_one_t", "members_one", keyspace="members_one")
    work = WORK.format(table)
    wait_until(lambda: query(connection, work) or connected(connection, "members_one") >= cluster.names(1, 2, 3),
               PATIENCE)

    def findings():
        return [detail for detail, in query(connection, "SELECT detail FROM scylla_check('%s') "
                                                        "WHERE finding = 'balance'" % table) if "has got" in detail]
    before = requests_of(connection, "members_one")
    write = "INSERT INTO %s (k, v) SELECT 1, 'v' || i FROM generate_series(1, 2000) AS i" % table
    wait_until(lambda: query(connection, write) or findings(), PATIENCE)
    after = requests_of(connection, "members_one")
    busiest = max(after, key=lambda node: after[node] - before[node])
    detail, = findings()
    assert re.fullmatch(r"node %s has got \d+ requests of this backend, more than twice as many as others of its "
                        r"data center" % re.escape(busiest), detail), detail


# ---- under reads and writes ----

class Load:
    """Rounds of writes, and of reads of what was written, in a thread; `nodes` are those that the backend
    has seen after a round."""

    def __init__(self, connection, table, server, first):
        self.connection = connection
        self.table = table
        self.server = server
        self.first = self.next = first
        self.rounds = 0
        self.error = None
        self.is_ending = False
        self.nodes = {}
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            while not self.is_ending:
                self.go_round()
                time.sleep(0.1)  # nodes that start need the processor more
        except (psycopg2.Error, AssertionError) as error:
            self.error = error

    def go_round(self):
        keys = "generate_series(%d, %d) AS i" % (self.next, self.next + ROUND - 1)
        query(self.connection, "INSERT INTO %s (k, v) SELECT i, 'v' || i FROM %s" % (self.table, keys))
        found = query(self.connection, "SELECT count(*) FROM %s WHERE (SELECT v FROM %s WHERE k = i) = 'v' || i"
                      % (keys, self.table))
        assert found == [(ROUND,)], found
        self.nodes = {node: (state, requests) for node, state, requests in
                      query(self.connection, "SELECT node, state, requests FROM scylla_nodes WHERE server = '%s'"
                            % self.server)}
        self.next += ROUND
        self.rounds += 1

    def wait(self, condition):
        wait_until(lambda: self.error or condition(), PATIENCE)
        assert self.error is None, self.error

    def go_on(self, rounds=5):
        """So many more that began after this."""
        goal = self.rounds + 1 + rounds
        self.wait(lambda: self.rounds >= goal)

    def state(self, node):
        return self.nodes.get(node, (None, 0))[0]

    def wait_for_requests(self, node):
        """That the node gets some from now on."""
        before = self.nodes.get(node, (None, 0))[1]
        self.wait(lambda: self.state(node) == "connected" and self.nodes[node][1] > before)

    def end(self):
        self.is_ending = True
        self.thread.join(PATIENCE)


@pytest.fixture(scope="module")
def front(cluster, keyspace):
    """Behind it nobody hears or says other things than before it; but it tells who was asked for what."""
    from front import Front

    started = Front([(cluster.host(at), cluster.port) for at in (1, 2, 3, 4)], shards=1, is_telling=True,
                    without=("TABLETS_ROUTING_V1",))
    yield started
    started.stop()
    assert started.complaints == []


@pytest.fixture(scope="module")
def loads(cluster, front, keyspace, database):
    """One backend before the nodes, another one before the front."""
    started = []
    for at, (name, port) in enumerate((("members_load", cluster.port), ("members_front", front.port))):
        connection = psycopg2.connect(dbname=database)
        connection.autocommit = True
        make_server(connection, name, port, local_dc="dc1", **PATIENT)
        started.append(Load(connection, make_table(connection, name + "_t", name, "load"), name, at * 10 ** 8))
    yield started
    for load in started:
        load.end()
        load.connection.close()


@pytest.fixture
def name_for(cluster, front):
    """name_for(load, number): how a load's backend calls a node."""
    return lambda load, number: "%s:%d" % (cluster.host(number), front.port if "front" in load.server else cluster.port)


def readers_of_peers(front):
    """The front's nodes that were asked for the topology, in that order."""
    return [request.node.address for request in front.seen(QUERY)
            if request.text.original.endswith("rpc_address FROM system.peers")]


def test_contact_and_control_node_is_killed(cluster, front, loads, name_for, pg):
    """Nobody has an error. An idle backend that was connected to it alone makes one attempt in vain."""
    for load in loads:
        load.wait(lambda: all(load.state(name_for(load, at)) == "connected" for at in (1, 2, 3)))
    idle = pg()
    make_server(idle, "members_idle", cluster.port, host="%s,%s" % (cluster.host(1), cluster.host(2)), **PATIENT)
    table = make_table(idle, "members_idle_t", "members_idle", "load")
    assert query(idle, "SELECT v FROM %s WHERE k = 1" % table) == [("v1",)]
    assert connected(idle, "members_idle") == cluster.names(1)
    assert set(readers_of_peers(front)) == {cluster.host(1)}
    cluster.kill(1)
    assert query(idle, "SELECT v FROM %s WHERE k = 1" % table) == [("v1",)]
    assert query(idle, "SELECT node, state FROM scylla_nodes WHERE server = 'members_idle' ORDER BY 1") \
        == [(cluster.name(1), "down"), (cluster.name(2), "connected")]
    for load in loads:
        load.wait(lambda: load.state(name_for(load, 1)) == "down")
        load.go_on()
    front.wait(lambda: readers_of_peers(front)[-1] != cluster.host(1), PATIENCE)
    front.wait(lambda: front.seen(REGISTER), PATIENCE)
    assert {request.node.address for request in front.seen(REGISTER)} <= {cluster.host(2), cluster.host(3)}
    front.wait(lambda: ("DOWN", cluster.host(1)) in front.told, PATIENCE)


def test_node_that_comes_back(cluster, loads, name_for):
    cluster.start(1)
    for load in loads:
        load.wait_for_requests(name_for(load, 1))


def test_node_that_joins(cluster, front, loads, name_for):
    readings = len(readers_of_peers(front))
    cluster.start(5, "dc1:r1")
    front.add_node((cluster.host(5), cluster.port))
    front.wait(lambda: {("NEW_NODE", cluster.host(5)), ("UP", cluster.host(5))} <= set(front.told), PATIENCE)
    for load in loads:
        load.wait_for_requests(name_for(load, 5))
    assert len(readers_of_peers(front)) > readings
    for load in loads:
        assert query(load.connection, "SELECT rack, connections, ring_share BETWEEN 1 AND 99 FROM scylla_nodes "
                     "WHERE server = '%s' AND node = '%s'" % (load.server, name_for(load, 5))) == [("r1", 1, True)]
        assert query(load.connection, "SELECT count(*) FROM scylla_connections WHERE server = '%s' AND node = '%s'"
                     % (load.server, name_for(load, 5))) == [(1,)]
        load.go_on()


def test_node_that_hangs(cluster, loads, name_for):
    """It is left alone until it answers again; writes in flight to it go elsewhere."""
    cluster.signal(5, signal.SIGSTOP)
    try:
        for load in loads:
            load.wait(lambda: load.state(name_for(load, 5)) != "connected")
            load.go_on()
    finally:
        cluster.signal(5, signal.SIGCONT)
    for load in loads:
        load.wait_for_requests(name_for(load, 5))


def test_node_that_leaves(cluster, front, loads, name_for):
    cluster.leave(5)
    front.wait(lambda: ("REMOVED_NODE", cluster.host(5)) in front.told, PATIENCE)
    for load in loads:
        load.wait(lambda: name_for(load, 5) not in load.nodes)
        load.go_on()
        assert query(load.connection, "SELECT round(sum(ring_share)) FROM scylla_nodes WHERE server = '%s'"
                     % load.server) == [(100,)]
        assert query(load.connection, "SELECT count(*) FROM scylla_shards WHERE server = '%s' AND node = '%s' "
                     "AND connections > 0" % (load.server, name_for(load, 5))) == [(0,)]


def test_all_that_was_written_is_there(loads, judge):
    for load in loads:
        load.end()
        assert load.error is None
    assert sorted(judge.execute("SELECT k, v FROM members_ks.load")) \
        == [(k, "v%d" % k) for load in loads for k in range(load.first, load.next)]


# ---- a data center is gone ----

def test_data_center_that_dies(cluster, keyspace, pg):
    """Another one serves what its consistency lets it serve."""
    connection = pg()
    make_server(connection, "members_far", cluster.port, host="%s,%s" % (cluster.host(4), cluster.host(1)),
                local_dc="dc2", **PATIENT)
    near = make_table(connection, "members_near_t", "members_far")
    far = make_table(connection, "members_far_t", "members_far", read_consistency="QUORUM",
                     write_consistency="QUORUM")
    for table in (near, far):
        query(connection, WORK.format(table))
    cluster.kill(4)
    query(connection, WORK.format(far))
    found = failure(connection, "SELECT v FROM %s WHERE k = 1" % near)
    assert found.pgcode == "08001", words(found)
    assert cluster.name(4) in words(found)
    assert query(connection, "SELECT v FROM %s WHERE k = 1" % far) == [("w",)]


def test_ddl_does_not_wait_for_the_dead(cluster, keyspace, pg):
    """The others remember the schema that a dead node had. They themselves may take their time."""
    connection = pg()
    make_server(connection, "members_ddl", cluster.port, **PATIENT)
    columns = itertools.count()

    def is_agreed():
        connection.notices.clear()
        query(connection, "SELECT scylla_execute('members_ddl', 'ALTER TABLE members_ks.t ADD v%d text')"
              % next(columns))
        return connection.notices == []
    wait_until(is_agreed, PATIENCE)

    versions = {}

    def are_all_known():
        """So they are where one and the same node was asked for both; of two it is one less."""
        versions.clear()
        for table in ("peers", "local"):
            versions.update(query(connection, "SELECT * FROM scylla_query('members_ddl', 'SELECT rpc_address, "
                                              "schema_version FROM system.%s') AS t (peer inet, version uuid)" % table))
        return versions.keys() == {cluster.host(at) for at in (1, 2, 3, 4)}
    wait_until(are_all_known, PATIENCE)
    # (a node that one of them takes for dead, wrongly, is not waited for either)
    assert len(set(versions.values())) > 1
    assert query(connection, "SELECT state FROM scylla_nodes WHERE server = 'members_ddl' AND node = %s",
                 [cluster.name(4)]) == [("down",)]
