"""Whose session it is: mappings, roles, views and functions that run as their owner."""

import pytest

from node import AUTH_RESPONSE, STARTUP
from support import LOOKUP, failure, query


@pytest.fixture
def site(nodes, make_server, make_mapping, make_table, make_role):
    """A node that knows alice and bob, a server for it, a role and a mapping for each, a table."""
    class Site:
        pass

    site = Site()
    site.node = nodes(users={"alice": "a-pass", "bob": "b-pass"})
    site.server = make_server(site.node.port)
    site.table = make_table(site.server)
    site.roles = {}
    for name, password in site.node.users.items():
        site.roles[name] = make_role()
        make_mapping(site.server, site.roles[name], user=name, password=password)
    return site


def users(node):
    """Who has logged in at the node, in order."""
    return [request.credentials[0] for request in node.seen(AUTH_RESPONSE)]


def test_connections_view(pg, nodes, make_server, make_table):
    node = nodes(supported={"SCYLLA_SHARD": ["3"], "SCYLLA_NR_SHARDS": ["8"],
                            "SCYLLA_SHARDING_IGNORE_MSB": ["12"],
                            "SCYLLA_PARTITIONER": ["org.apache.cassandra.dht.Murmur3Partitioner"],
                            "SCYLLA_SHARDING_ALGORITHM": ["biased-token-round-robin"]})
    plain = nodes()
    server, plain_server = make_server(node.port), make_server(plain.port)
    table, plain_table = make_table(server), make_table(plain_server)
    connection = pg()
    columns = "server, \"user\", node, shard, tls, compression, in_flight, orphans"
    assert query(connection, "SELECT %s FROM scylla_connections" % columns) == []
    for _ in range(2):  # with a session at hand, the second plan asks for the table's size
        query(connection, LOOKUP % table)
        query(connection, LOOKUP % plain_table)
    user = connection.info.user
    assert query(connection, "SELECT %s FROM scylla_connections ORDER BY server" % columns) == sorted([
        (server, user, node.address, 3, False, False, 0, 0),
        (plain_server, user, plain.address, None, False, False, 0, 0)])
    before = query(connection, "SELECT requests, bytes_sent, bytes_received, age FROM scylla_connections "
                               "WHERE server = '%s'" % server)[0]
    query(connection, LOOKUP % table)
    after = query(connection, "SELECT requests, bytes_sent, bytes_received, age FROM scylla_connections "
                              "WHERE server = '%s'" % server)[0]
    assert after[0] == before[0] + 1
    assert after[1] == before[1] + 9 + len(node.seen()[-1].body)
    assert after[2] > before[2]
    assert after[3] >= before[3]


def test_application_name(pg, nodes, make_server, make_table):
    """The server is told who is there."""
    node = nodes()
    query(pg(application_name="the app"), LOOKUP % make_table(make_server(node.port)))
    options = node.seen(STARTUP)[0].options
    assert options["CQL_VERSION"] == "3.0.0"
    assert options["DRIVER_NAME"] == "scylla_fdw"
    assert options["APPLICATION_NAME"] == "the app"


def test_two_mappings_are_two_sessions(pg, site):
    connection = pg()
    for name in ("alice", "bob", "alice", "bob"):
        query(connection, "SET ROLE %s" % site.roles[name])
        assert query(connection, LOOKUP % site.table) == [("one",)]
    assert users(site.node) == ["alice", "bob"]
    assert len(site.node.open_connections()) == 2
    query(connection, "RESET ROLE")
    rows = query(connection, "SELECT \"user\" FROM scylla_connections ORDER BY 1")
    assert rows == sorted((role,) for role in site.roles.values())


def test_set_role_with_a_cached_plan(pg, site):
    """A prepared statement runs with the mapping of whoever runs it."""
    connection = pg()
    query(connection, "PREPARE lookup(int) AS SELECT v FROM %s WHERE k = $1" % site.table)
    query(connection, "SET plan_cache_mode = force_generic_plan")
    for name in ("alice", "bob", "alice"):
        query(connection, "SET ROLE %s" % site.roles[name])
        assert query(connection, "EXECUTE lookup(2)") == [("two",)]
    assert users(site.node) == ["alice", "bob"]
    connections = [request.connection for request in site.node.seen() if request.text and request.values]
    assert connections[0] is connections[2] is not connections[1]


def test_set_role_between_fetches(pg, site):
    """A cursor stays its opener's."""
    site.node.add_table("ks.t", {"k": "int", "v": "text"}, ["k"], [[(page, "v")] for page in range(5)])
    connection = pg()
    query(connection, "SET ROLE %s; BEGIN; DECLARE c CURSOR FOR SELECT k FROM %s" % (site.roles["alice"], site.table))
    assert query(connection, "FETCH 1 FROM c") == [(0,)]
    query(connection, "SET ROLE %s" % site.roles["bob"])
    assert query(connection, "FETCH ALL FROM c") == [(1,), (2,), (3,), (4,)]
    assert users(site.node) == ["alice"]
    query(connection, "COMMIT")


def test_view_runs_as_its_owner(pg, site):
    admin = pg()
    query(admin, "CREATE VIEW as_alice_%s AS SELECT * FROM %s" % (site.server, site.table))
    query(admin, "ALTER VIEW as_alice_%s OWNER TO %s; GRANT SELECT ON as_alice_%s TO PUBLIC"
          % (site.server, site.roles["alice"], site.server))
    connection = pg(user=site.roles["bob"])
    assert query(connection, LOOKUP % ("as_alice_" + site.server)) == [("one",)]
    assert users(site.node) == ["alice"]
    assert query(connection, LOOKUP % site.table) == [("one",)]
    assert users(site.node) == ["alice", "bob"]


def test_joined_with_ones_own(pg, site):
    """One statement, two mappings."""
    admin = pg()
    query(admin, "CREATE VIEW joined_%s AS SELECT * FROM %s" % (site.server, site.table))
    query(admin, "ALTER VIEW joined_%s OWNER TO %s; GRANT SELECT ON joined_%s TO PUBLIC"
          % (site.server, site.roles["alice"], site.server))
    connection = pg(user=site.roles["bob"])
    rows = query(connection, "SELECT a.v, b.v FROM joined_%s a JOIN %s b USING (k) WHERE k = 2"
                 % (site.server, site.table))
    assert rows == [("two", "two")]
    assert sorted(users(site.node)) == ["alice", "bob"]


def test_security_definer(pg, site):
    query(pg(), """
        CREATE FUNCTION as_alice_{0}(id int) RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS
            $$ BEGIN RETURN (SELECT v FROM {1} WHERE k = id); END $$;
        ALTER FUNCTION as_alice_{0} OWNER TO {2};
        CREATE FUNCTION as_caller_{0}(id int) RETURNS text LANGUAGE plpgsql AS
            $$ BEGIN RETURN (SELECT v FROM {1} WHERE k = id); END $$
        """.format(site.server, site.table, site.roles["alice"]))
    connection = pg(user=site.roles["bob"])
    for _ in range(2):
        assert query(connection, "SELECT as_alice_%s(2), as_caller_%s(3)" % (site.server, site.server)) \
            == [("two", "three")]
    assert sorted(users(site.node)) == ["alice", "bob"]


def test_pass_through_uses_the_callers_mapping(pg, site):
    connection = pg()
    sql = "SELECT v FROM scylla_query('%s', 'SELECT v FROM ks.t WHERE k = ?', 2) AS t (v text)" % site.server
    query(connection, "GRANT USAGE ON FOREIGN SERVER %s TO PUBLIC" % site.server)
    for name in ("alice", "bob"):
        query(connection, "SET ROLE %s" % site.roles[name])
        assert query(connection, sql) == [("two",)]
    assert users(site.node) == ["alice", "bob"]


def test_pass_through_needs_usage(pg, site):
    connection = pg(user=site.roles["alice"])
    for sql in ("SELECT v FROM scylla_query('%s', 'SELECT v FROM ks.t') AS t (v text)",
                "SELECT scylla_execute('%s', 'TRUNCATE ks.t')"):
        assert failure(connection, sql % site.server).pgcode == "42501"
    assert site.node.connections == []


def test_public_mapping_is_one_session(pg, nodes, make_server, make_mapping, make_table, make_role):
    node = nodes(users={"all": "pass"})
    server = make_server(node.port)
    make_mapping(server, "PUBLIC", user="all", password="pass")
    table = make_table(server)
    connection = pg()
    for role in (make_role(), make_role()):
        query(connection, "SET ROLE %s" % role)
        assert query(connection, LOOKUP % table) == [("one",)]
    assert users(node) == ["all"]
    query(connection, "RESET ROLE")
    assert query(connection, "SELECT \"user\" FROM scylla_connections") == [("public",)]


def test_no_connection_before_first_use(pg, site):
    """Neither the library, nor DDL, nor a plan opens one."""
    connection = pg()
    query(connection, "LOAD 'scylla_fdw'")
    query(connection, "EXPLAIN VERBOSE " + LOOKUP % site.table)
    query(connection, "ALTER SERVER %s OPTIONS (ADD request_timeout '3s')" % site.server)
    assert query(connection, "SELECT * FROM %s LIMIT 0" % site.table) == []
    assert site.node.connections == []
    assert query(connection, "SELECT * FROM scylla_connections") == []
