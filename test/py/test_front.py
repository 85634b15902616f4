"""The Scylla front (test/front), judged by the independent driver for ScyllaDB: it must see the shards
and the tablets that the front claims. And our driver behind it."""

import ctypes
import random

import pytest
from cassandra import ConsistencyLevel, ReadTimeout
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.metadata import Murmur3Token
from cassandra.policies import DCAwareRoundRobinPolicy, TokenAwarePolicy

from codec import EXECUTE, OPTIONS, STARTUP, integer, lz4_pack, lz4_unpack, murmur3, shard_of
from faults import cut, delay, error, garbage, rate_limit, reset, stall, truncate, vanish, wrong_stream
from front import IGNORE_MSB
from rewrite import Text
from support import assert_error, failure, query, wait_until, words

SHARDS = 3
TABLETS = 16


@pytest.fixture(scope="module")
def table(driver):
    driver.make_keyspace("py_front")
    driver.execute("CREATE TABLE py_front.t (k int PRIMARY KEY, v text)")
    driver.execute_all("INSERT INTO py_front.t (k, v) VALUES (?, ?)", [(k, "v%d" % k) for k in range(300)])
    return "py_front.t"


@pytest.fixture
def front(fronts, table, cql_host, cql_port):
    return fronts([(cql_host, cql_port)], shards=SHARDS)


@pytest.fixture
def connect():
    """connect(front, **options): a session of the independent driver."""
    clusters = []

    def make(front, **options):
        policy = TokenAwarePolicy(DCAwareRoundRobinPolicy())
        profile = ExecutionProfile(load_balancing_policy=policy, consistency_level=ConsistencyLevel.LOCAL_ONE,
                                   request_timeout=10)
        cluster = Cluster([front.nodes[0].address], port=front.port, protocol_version=4,
                          execution_profiles={EXEC_PROFILE_DEFAULT: profile}, **options)
        clusters.append(cluster)
        return cluster.connect()

    yield make
    for cluster in clusters:
        cluster.shutdown()


# ---- the judge ----

def test_judge_sees_shards(front, connect):
    session = connect(front)
    cluster = session.cluster
    wait_until(lambda: all(node["connected"] == SHARDS for node in cluster.shard_aware_stats().values()))
    assert cluster.is_shard_aware()
    assert [node["shards_count"] for node in cluster.shard_aware_stats().values()] == [SHARDS]
    host = next(iter(cluster.metadata.all_hosts()))
    assert host.host_id == front.nodes[0].host_id
    assert host.sharding_info.sharding_ignore_msb == IGNORE_MSB
    # the first one's shard is the front's choice, those of the others are told by their source ports
    connections = [connection for connection in front.nodes[0].connections if connection.is_open]
    assert {connection.shard for connection in connections} == set(range(SHARDS))
    assert sum(connection.is_shard_aware for connection in connections) == SHARDS - 1
    random.seed(1)
    for _ in range(1000):
        token = random.randint(-2**63, 2**63 - 1)
        assert host.sharding_info.shard_id_from_token(token) == front.shard_of(token)


def test_judge_sees_no_shards(fronts, table, connect, cql_host, cql_port, make_server, make_table, pg):
    """Nor do we, where none are offered."""
    front = fronts([(cql_host, cql_port)], shards=0)
    session = connect(front)
    assert not session.cluster.is_shard_aware()
    assert session.execute("SELECT v FROM py_front.t WHERE k = 7").one() == ("v7",)
    with pytest.raises(ValueError):
        front.make_tablets(table, TABLETS)
    server = make_server(front.port, front.nodes[0].address)
    connection = pg()
    query(connection, "CREATE USER MAPPING FOR CURRENT_USER SERVER %s" % server)
    assert query(connection, "SELECT v FROM %s WHERE k = 7" % make_table(server, table)) == [("v7",)]
    assert query(connection, "SELECT state, shards FROM scylla_nodes WHERE server = '%s'" % server) \
        == [("connected", None)]


def test_judge_routes_by_shard(front, connect):
    session = connect(front)
    wait_until(lambda: all(node["connected"] == SHARDS for node in session.cluster.shard_aware_stats().values()))
    statement = session.prepare("SELECT v FROM py_front.t WHERE k = ?")
    front.clear()
    for k in range(100):
        assert session.execute(statement, [k]).one() == ("v%d" % k,)
    asked = front.seen(EXECUTE)
    assert len(asked) == 100
    assert all(request.shard == front.shard_of(request.token) for request in asked)
    assert {request.shard for request in asked} == set(range(SHARDS))


def test_judge_learns_tablets(front, connect, table):
    tablets = front.make_tablets(table, TABLETS)
    session = connect(front)
    wait_until(lambda: all(node["connected"] == SHARDS for node in session.cluster.shard_aware_stats().values()))
    statement = session.prepare("SELECT v FROM py_front.t WHERE k = ?")
    for k in range(300):
        assert session.execute(statement, [k]).one() == ("v%d" % k,)
    learnt = session.cluster.metadata._tablets
    assert learnt.table_has_tablets("py_front", "t")
    for k in range(300):
        key = statement.bind([k]).routing_key
        token = Murmur3Token.from_key(key)
        assert token.value == murmur3(key)
        claimed = front.tablet_of(table, token.value)
        tablet = learnt.get_tablet_for_key("py_front", "t", token)
        if tablet is not None:
            assert (tablet.first_token, tablet.last_token, tablet.replicas) == (
                claimed.first, claimed.last, claimed.replicas)
    known = [tablet for tablet in tablets if learnt.get_tablet_for_key("py_front", "t", Murmur3Token(tablet.last))]
    assert len(known) > TABLETS / 2  # those where the first guess was right need no hint
    # and the driver goes by what it has learnt
    front.clear()
    for k in range(300):
        session.execute(statement, [k])
    assert front.hints == 0
    for request in front.seen(EXECUTE):
        assert (request.node.host_id, request.shard) in front.tablet_of(table, request.token).replicas


def test_judge_reads_served_tablets(front, connect, table):
    tablets = front.make_tablets(table, TABLETS)
    session = connect(front)
    (table_id,), = session.execute("SELECT id FROM system_schema.tables WHERE keyspace_name = 'py_front' "
                                   "AND table_name = 't'")
    rows = session.execute(session.prepare("SELECT last_token, replicas, tablet_count FROM system.tablets "
                                           "WHERE table_id = ?"), [table_id]).all()
    assert [(row.last_token, row.replicas) for row in rows] == [(tablet.last, tablet.replicas) for tablet in tablets]
    assert {row.tablet_count for row in rows} == {TABLETS}


def test_judge_sees_marks_and_metadata_ids(front, connect, table):
    session = connect(front)
    assert session.prepare("INSERT INTO py_front.t (k, v) VALUES (?, ?) IF NOT EXISTS").is_lwt()
    assert not session.prepare("INSERT INTO py_front.t (k, v) VALUES (?, ?)").is_lwt()
    statement = session.prepare("SELECT * FROM py_front.t WHERE k = ?")
    assert statement.result_metadata_id
    front.clear()
    assert session.execute(statement, [7]).one() == (7, "v7")
    request, = front.seen(EXECUTE)
    assert request.metadata_id == statement.result_metadata_id
    assert request.is_metadata_skipped


def test_judge_takes_timeouts_and_faults(front, connect, table):
    session = connect(front)
    statement = session.prepare("SELECT v FROM py_front.t WHERE k = ? BYPASS CACHE USING TIMEOUT 5s")
    assert session.execute(statement, [1]).one() == ("v1",)
    statement = session.prepare("UPDATE py_front.t USING TTL ? AND TIMEOUT ? SET v = ? WHERE k = ?")
    assert [column.name for column in statement.column_metadata] == ["[ttl]", "[timeout]", "v", "k"]
    front.rule(EXECUTE, error(0x1200, "too slow", b"\0\1\0\0\0\0\0\0\0\1\0"))
    with pytest.raises(ReadTimeout):
        session.execute(session.prepare("SELECT v FROM py_front.t WHERE k = ?"), [1])


# ---- the front's own parts ----

@pytest.mark.parametrize("text, behind, timeout, marker, is_bypassing", [
    ("SELECT a FROM t WHERE k = ? BYPASS CACHE USING TIMEOUT 5s", "SELECT a FROM t WHERE k = ?", "5s", None, True),
    ("SELECT a FROM t WHERE k = ? USING TIMEOUT ?", "SELECT a FROM t WHERE k = ?", "?", 1, False),
    ("INSERT INTO t (k) VALUES (?) USING TIMEOUT 1m30s", "INSERT INTO t (k) VALUES (?)", "1m30s", None, False),
    ("UPDATE t USING TTL ? AND TIMEOUT ? SET v = ? WHERE k = ?", "UPDATE t USING TTL ? SET v = ? WHERE k = ?",
     "?", 1, False),
    ("UPDATE t USING TIMEOUT ? AND TTL ? SET v = 1 WHERE k = ?", "UPDATE t USING TTL ? SET v = 1 WHERE k = ?",
     "?", 0, False),
    ("DELETE FROM t USING TIMESTAMP ? AND TIMEOUT 5ms WHERE k = 'USING TIMEOUT 1s'",
     "DELETE FROM t USING TIMESTAMP ? WHERE k = 'USING TIMEOUT 1s'", "5ms", None, False),
    ("SELECT replicas FROM system.tablets WHERE table_id = ?",
     "SELECT replicas FROM scylla_front.tablets WHERE table_id = ?", None, None, False),
    ('SELECT "BYPASS CACHE" FROM t', 'SELECT "BYPASS CACHE" FROM t', None, None, False),
])
def test_texts(text, behind, timeout, marker, is_bypassing):
    found = Text(text)
    assert (found.text, found.timeout, found.timeout_marker, found.is_bypassing) == (
        behind, timeout, marker, is_bypassing)


def test_tokens(driver):
    random.seed(2)
    for length in list(range(40)) + [1000]:
        key = bytes(random.randint(0, 255) for _ in range(length))
        assert murmur3(key) == Murmur3Token.from_key(key).value
    for shards in (1, 3, 12, 255):
        assert 0 <= shard_of(2**63 - 1, shards, 0) < shards


def test_lz4():
    """Blocks of the library, with literals and matches of every length that is written differently."""
    library = ctypes.CDLL("liblz4.so.1")
    random.seed(3)
    for length in list(range(60)) + [269, 270, 271, 284, 285, 286, 524, 525, 526]:
        for body in (random.randbytes(length), random.randbytes(30) + bytes(length), random.randbytes(length) * 2):
            block = ctypes.create_string_buffer(len(body) + 100)
            packed = library.LZ4_compress_default(body, block, len(body), len(block))
            assert lz4_unpack(integer(len(body)) + block.raw[:packed]) == body
            assert lz4_unpack(lz4_pack(body)) == body


# ---- our driver ----

SELECT = "SELECT v FROM %s WHERE k = %d"
READY = "scylla_connections WHERE shard IS NOT NULL"  # others shake hands yet


@pytest.fixture
def foreign(front, make_server, make_mapping, make_table):
    """The name of the foreign table, by way of the front."""
    server = make_server(front.port, front.nodes[0].address, request_timeout="60s")
    make_mapping(server)
    return make_table(server, "py_front.t")


def server_of(connection, foreign):
    return query(connection, "SELECT srvname FROM pg_foreign_table JOIN pg_foreign_server s ON ftserver = s.oid "
                             "WHERE ftrelid = '%s'::regclass" % foreign)[0][0]


def test_reads_and_metadata(front, foreign, pg):
    connection = pg()
    assert query(connection, "SELECT count(*) FROM %s" % foreign) == [(300,)]
    for k in range(20):
        assert query(connection, SELECT % (foreign, k)) == [("v%d" % k,)]
    assert query(connection, "SELECT DISTINCT shard BETWEEN 0 AND 2 FROM " + READY) == [(True,)]
    executed = front.seen(EXECUTE)
    assert all(request.metadata_id and request.is_metadata_skipped for request in executed
               if request.text and "py_front.t" in request.text.original)


@pytest.mark.parametrize("option, scan, lookup", [
    ("auto", True, False), ("true", True, True), ("false", False, False)])
def test_bypass_cache(option, scan, lookup, front, foreign, pg):
    """The first query of a backend, too, which is planned before anybody knows what is there."""
    query(pg(), "ALTER FOREIGN TABLE %s OPTIONS (ADD bypass_cache '%s')" % (foreign, option))
    for sql, expected in (("SELECT count(v) FROM %s" % foreign, scan), (SELECT % (foreign, 1), lookup)):
        for connection in (pg(), pg()):
            for _ in range(2):
                front.clear()
                query(connection, sql)
                asked = [request for request in front.seen(EXECUTE) if "py_front.t" in request.text.original]
                assert asked and {request.is_bypassing for request in asked} == {expected}


@pytest.mark.parametrize("compression", ["lz4", "none"])
def test_compression(compression, front, foreign, pg):
    connection = pg()
    server = server_of(connection, foreign)
    query(connection, "ALTER SERVER %s OPTIONS (ADD compression '%s')" % (server, compression))
    assert query(connection, "SELECT count(v) FROM %s" % foreign) == [(300,)]
    assert query(connection, "SELECT DISTINCT compression FROM " + READY) == [(compression == "lz4",)]


@pytest.mark.parametrize("action, sqlstate, said", [
    (error(0x1001, "too busy"), "53000", "too busy"),
    (rate_limit(), "53400", "rate limit"),
    (vanish(), "58030", "no answer"),
    (stall, "58030", "no answer"),
    (delay(3), "58030", "no answer"),
    (cut(), "08006", ""),
    (cut(20), "08006", ""),
    (reset, "08006", ""),
    (garbage(), "08P01", ""),
    (wrong_stream(), "08P01", "stream 32000"),
    (truncate(5), "08P01", "malformed"),
], ids=["overloaded", "rate_limit", "vanish", "stall", "delay", "cut", "half", "reset", "garbage", "stream", "truncate"])
def test_faults(action, sqlstate, said, front, foreign, pg):
    """One fault is one error, in words; the next statement works."""
    connection = pg()
    query(connection, "ALTER SERVER %s OPTIONS (SET request_timeout '1s')" % server_of(connection, foreign))
    assert query(connection, SELECT % (foreign, 1)) == [("v1",)]
    rule = front.rule(EXECUTE, action, when=lambda request: request.text and "py_front.t" in request.text.original)
    assert_error(failure(connection, SELECT % (foreign, 2)), sqlstate, said)
    assert rule.taken >= 1
    front.clear()
    for _ in range(2):
        try:
            assert query(connection, SELECT % (foreign, 3)) == [("v3",)]
        except Exception as left_over:  # a connection that answers nothing any more shows by its time
            assert left_over.pgcode == "58030", words(left_over)
        else:
            break


def test_handshake_faults(front, foreign, pg):
    faults = [cut(), cut(5), reset, garbage(), error(0, "not now")]
    for opcode, actions in ((OPTIONS, faults + [truncate(1)]), (STARTUP, faults)):
        for action in actions:
            front.rule(opcode, action)
            assert_error(failure(pg(), SELECT % (foreign, 1)), "08001", "%s:%d" % (front.nodes[0].address, front.port))
            front.clear()
    assert query(pg(), SELECT % (foreign, 1)) == [("v1",)]
