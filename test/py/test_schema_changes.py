"""The remote schema changes under a backend that has prepared its statements."""

import pytest

from codec import EXECUTE, PREPARE, QUERY
from faults import texts
from support import failure, query, words

PEERS = "SELECT schema_version, host_id FROM system.peers"


@pytest.fixture(scope="module")
def keyspace(driver):
    driver.make_keyspace("py_changes")
    return "py_changes"


@pytest.fixture
def place(keyspace, driver):
    """A table with a user-defined type, and one row."""
    driver.execute("DROP TABLE IF EXISTS py_changes.t")
    driver.execute("DROP TYPE IF EXISTS py_changes.address")
    driver.execute("CREATE TYPE py_changes.address (street text)")
    driver.execute("CREATE TABLE py_changes.t (k int PRIMARY KEY, a frozen<address>)")
    driver.execute("INSERT INTO py_changes.t (k, a) VALUES (1, {street: 'here'})")
    return "py_changes.t"


@pytest.fixture
def front(fronts, place, cql_host, cql_port):
    return fronts([(cql_host, cql_port)], shards=1)


@pytest.fixture
def server(front, make_server, make_mapping):
    name = make_server(front.port, front.nodes[0].address, request_timeout="60s")
    make_mapping(name)
    return name


@pytest.fixture
def table(server, make_table):
    return make_table(server, "py_changes.t", {"k": ("integer", "int", "partition 1"),
                                               "a": ("jsonb", "frozen<address>", "regular")})


def prepared_by_others(connection, driver):
    """As another client that prepares what this backend has: then the server knows the statement's id,
    and the new columns belong to it."""
    for cql, in query(connection, "SELECT cql FROM scylla_statements"):
        driver.session.prepare(cql)


def changed(front):
    """Answers that told new columns by themselves."""
    return [request for request in front.seen(EXECUTE) if request.is_metadata_changed]


def test_changed_columns_are_told(front, server, table, pg, driver):
    """A type got a field: nobody asked, no statement is prepared anew, and no value is misread."""
    connection = pg()
    read = "SELECT a FROM %s WHERE k = 1" % table
    for _ in range(3):
        assert query(connection, read) == [({"street": "here"},)]
    driver.execute("ALTER TYPE py_changes.address ADD zip int")
    driver.execute("INSERT INTO py_changes.t (k, a) VALUES (1, {street: 'there', zip: 7})")
    prepared_by_others(connection, driver)
    front.clear()
    first = query(connection, read)
    assert len(changed(front)) == 1 and not front.seen(PREPARE)
    assert first[0][0]["street"] == "there"
    assert query(connection, read) == [({"street": "there", "zip": 7},)]
    assert query(connection, read) == [({"street": "there", "zip": 7},)]
    assert len(changed(front)) == 1


def test_changed_columns_of_a_query(front, server, pg, driver):
    """SELECT * of a table that got a column."""
    driver.execute("DROP TABLE IF EXISTS py_changes.grows")
    driver.execute("CREATE TABLE py_changes.grows (k int PRIMARY KEY)")
    driver.execute("INSERT INTO py_changes.grows (k) VALUES (1)")
    connection = pg()
    ask = "SELECT * FROM scylla_query('%s', 'SELECT * FROM py_changes.grows') AS r (%s)"
    assert query(connection, ask % (server, "k int")) == [(1,)]
    driver.execute("ALTER TABLE py_changes.grows ADD v text")
    prepared_by_others(connection, driver)
    found = failure(connection, ask % (server, "k int"))
    assert found.pgcode == "HV021" and "changed while it was run" in words(found)
    assert query(connection, ask % (server, "k int, v text")) == [(1, None)]


@pytest.mark.parametrize("is_told", [True, False])
def test_bound_types_that_changed(is_told, server, table, pg, driver):
    """What is bound stays as it was prepared until the backend is told, or meets a value that does not fit."""
    connection = pg()
    write = "INSERT INTO %s (k, a) VALUES (2, '{\"street\": \"s\", \"zip\": 1}')" % table
    query(connection, "INSERT INTO %s (k, a) VALUES (2, '{\"street\": \"s\"}')" % table)
    driver.execute("ALTER TYPE py_changes.address ADD zip int")
    if is_told:
        query(connection, "SELECT scylla_refresh('%s')" % server)
    else:
        assert '"zip"' in words(failure(connection, write))
    query(connection, write)
    assert query(connection, "SELECT a FROM %s WHERE k = 2" % table) == [({"street": "s", "zip": 1},)]


def test_ddl_forgets_bound_types(server, table, pg):
    connection = pg()
    query(connection, "INSERT INTO %s (k, a) VALUES (2, '{\"street\": \"s\"}')" % table)
    query(connection, "SELECT scylla_execute('%s', 'ALTER TYPE py_changes.address ADD zip int')" % server)
    query(connection, "INSERT INTO %s (k, a) VALUES (2, '{\"street\": \"s\", \"zip\": 1}')" % table)
    assert query(connection, "SELECT a FROM %s WHERE k = 2" % table) == [({"street": "s", "zip": 1},)]


def test_counters_go_on(server, table, pg):
    """What is prepared anew is the same statement to who counts."""
    connection = pg()
    for _ in range(3):
        query(connection, "SELECT a FROM %s WHERE k = 1" % table)
        query(connection, "SELECT scylla_refresh('%s')" % server)
    assert query(connection, "SELECT calls FROM scylla_statements WHERE cql LIKE '%py_changes.t WHERE%'") == [(3,)]


# ---- agreement ----

ALTER = "SELECT scylla_execute('%s', 'ALTER TABLE py_changes.t ADD %s text')"
VERSIONS = texts(["schema_version", "host_id"], ["a" * 16, "1" * 16], ["b" * 16, "2" * 16])


def asked(front):
    return len([request for request in front.seen(QUERY) if request.text.original == PEERS])


def test_ddl_waits_for_agreement(front, server, pg):
    connection = pg()
    front.rule(QUERY, VERSIONS, when=lambda request: request.text.original == PEERS, times=2)
    assert query(connection, ALTER % (server, "v1")) == [(True,)]
    assert asked(front) == 3
    assert connection.notices == []


def test_nodes_that_do_not_agree(front, server, pg):
    connection = pg()
    query(connection, "ALTER SERVER %s OPTIONS (SET request_timeout '5s')" % server)
    front.rule(QUERY, VERSIONS, when=lambda request: request.text.original == PEERS)
    assert query(connection, ALTER % (server, "v2")) == [(True,)]
    assert asked(front) > 1
    assert "do not agree on the schema yet" in "".join(connection.notices)


def test_node_that_is_down_is_not_waited_for(front, server, pg):
    """It is in the cluster, and the last that was heard of it is an old version; nobody listens there."""
    down, address = "2" * 16, "\x7f\x00\x00\x63"
    token = "\x00\x00\x00\x01\x00\x00\x00\x017"
    front.rule(QUERY, texts(["schema_version", "host_id"], ["b" * 16, down]),
               when=lambda request: request.text.original == PEERS)
    front.rule(QUERY, texts(["host_id", "data_center", "rack", "release_version", "tokens", "peer", "rpc_address"],
                            [down, "datacenter1", "rack9", "5", token, address, address]),
               when=lambda request: "tokens" in request.text.original and "system.peers" in request.text.original)
    connection = pg()
    assert query(connection, ALTER % (server, "v3")) == [(True,)]
    assert connection.notices == []
    assert query(connection, "SELECT state FROM scylla_nodes WHERE node LIKE '127.0.0.99:%'") == [("down",)]
    unknown = asked(front)
    assert 3 < unknown < 20
    # and who knows it by now does not ask at all
    assert query(connection, ALTER % (server, "v4")) == [(True,)]
    assert connection.notices == []
    assert asked(front) == unknown + 1


def test_only_ddl_waits(front, server, pg):
    query(pg(), "SELECT scylla_execute('%s', 'INSERT INTO py_changes.t (k) VALUES (3)')" % server)
    assert asked(front) == 0
