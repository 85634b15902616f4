"""Passwords: wrong, missing, required of those who are no superusers, and never shown."""

import uuid

import pytest

from node import AUTH_RESPONSE, EXECUTE, QUERY, STARTUP, close, edit, sized, stall, string
from support import LOOKUP, WRITE, assert_error, failure, query, words

def test_credentials_of_cassandra(pg, cassandra_auth, make_server, make_mapping):
    host, port = cassandra_auth
    server = make_server(port, host=host, connect_timeout="20s", request_timeout="20s")
    sql = "SELECT key FROM scylla_query('%s', 'SELECT key FROM system.local') AS t (key text)" % server
    connection = pg()
    assert_error(failure(connection, sql), "28P01", server, "%s:%d" % (host, port))
    make_mapping(server, user="cassandra", password="not-that")
    assert_error(failure(connection, sql), "28P01", server, "%s:%d" % (host, port))
    query(connection, "ALTER USER MAPPING FOR CURRENT_USER SERVER %s OPTIONS (SET user 'nobody-there')" % server)
    assert_error(failure(connection, sql), "28P01", server)
    query(connection, "ALTER USER MAPPING FOR CURRENT_USER SERVER %s "
                      "OPTIONS (SET user 'cassandra', SET password 'cassandra')" % server)
    assert query(connection, sql) == [("local",)]


def test_unauthorized_by_cassandra(pg, cassandra_auth, make_server, make_mapping):
    host, port = cassandra_auth
    server = make_server(port, host=host, connect_timeout="20s", request_timeout="20s")
    make_mapping(server, user="cassandra", password="cassandra")
    query(pg(), "SELECT scylla_execute('%s', 'CREATE ROLE IF NOT EXISTS humble WITH PASSWORD = ''humble'' "
                "AND LOGIN = true')" % server)
    connection = pg()
    query(connection, "ALTER USER MAPPING FOR CURRENT_USER SERVER %s "
                      "OPTIONS (SET user 'humble', SET password 'humble')" % server)
    found = failure(connection, "SELECT scylla_execute('%s', 'CREATE KEYSPACE forbidden WITH replication = "
                                "{''class'': ''SimpleStrategy'', ''replication_factor'': 1}')" % server)
    assert_error(found, "42501", server, "humble")


@pytest.mark.parametrize("authenticator", ["com.example.KerberosAuthenticator", "", "x" * 3000])
def test_unknown_authenticator(authenticator, pg, nodes, make_server, make_mapping, make_table):
    """A scheme that is not known is never sent the password."""
    node = nodes(users={"reader": "secret"})
    server = make_server(node.port)
    make_mapping(server, user="reader", password="secret")
    table = make_table(server)
    node.rule(STARTUP, edit(body=string(authenticator)))
    connection = pg()
    assert_error(failure(connection, LOOKUP % table), "28P01", node.address)
    assert node.seen(AUTH_RESPONSE) == []
    node.rules = []
    assert query(connection, LOOKUP % table) == [("one",)]


def test_challenge(pg, nodes, make_server, make_mapping, make_table):
    node = nodes(users={"reader": "secret"})
    server = make_server(node.port)
    make_mapping(server, user="reader", password="secret")
    node.rule(AUTH_RESPONSE, edit(opcode=0x0E, body=sized(b"more")))
    assert_error(failure(pg(), LOOKUP % make_table(server)), "28P01", node.address)


class TestPasswordRequired:
    """Users who are no superusers must give a password, and the server must have asked for it."""

    @pytest.fixture
    def role(self, make_role):
        return make_role()

    @staticmethod
    def connect(pg, role):
        return pg(user=role)

    def test_no_mapping(self, role, pg, nodes, make_server, make_table):
        node = nodes()
        server = make_server(node.port)
        assert_error(failure(pg(user=role), LOOKUP % make_table(server)), "2F003", server)
        assert node.connections == []

    @pytest.mark.parametrize("options", [{}, {"user": "reader"}, {"password": "secret"}],
                             ids=["empty", "user", "password"])
    def test_mapping_without_password(self, options, role, pg, nodes, make_server, make_mapping, make_table):
        node = nodes(users={"reader": "secret"})
        server = make_server(node.port)
        make_mapping(server, role, **options)
        assert_error(failure(pg(user=role), LOOKUP % make_table(server)), "2F003", server)
        assert node.connections == []

    @pytest.mark.parametrize("sql", [
        LOOKUP,
        "SELECT v FROM {table}",
        "SELECT key FROM scylla_query('{server}', 'SELECT key FROM system.local') AS t (key text)",
        WRITE.replace("%s", "{server}"),
        "IMPORT FOREIGN SCHEMA ks FROM SERVER {server} INTO public",
    ], ids=["lookup", "scan", "query", "execute", "import"])
    def test_password_not_asked_for(self, sql, role, pg, nodes, make_server, make_mapping, make_table):
        """Nothing is read or written with an access that is not the user's own."""
        node = nodes()
        server = make_server(node.port)
        make_mapping(server, role, user="reader", password="secret")
        table = make_table(server)
        query(pg(), "GRANT USAGE ON FOREIGN SERVER %s TO %s; GRANT CREATE ON SCHEMA public TO %s"
              % (server, role, role))
        connection = pg(user=role)
        sql = sql.replace("%s", table).format(table=table, server=server)
        for _ in range(2):
            assert_error(failure(connection, sql), "2F003", server)
        assert node.seen(EXECUTE, QUERY) == []

    def test_password_asked_for(self, role, pg, nodes, make_server, make_mapping, make_table):
        node = nodes(users={"reader": "secret"})
        server = make_server(node.port)
        make_mapping(server, role, user="reader", password="secret")
        assert query(pg(user=role), LOOKUP % make_table(server)) == [("one",)]
        assert [request.credentials for request in node.seen(AUTH_RESPONSE)] == [("reader", "secret")]

    def test_public_mapping_of_a_superuser(self, role, pg, nodes, make_server, make_mapping, make_table):
        """What the superuser's session may do without a password, others may not."""
        node = nodes()
        server = make_server(node.port)
        make_mapping(server, "PUBLIC")
        table = make_table(server)
        connection = pg()
        assert query(connection, LOOKUP % table) == [("one",)]
        query(connection, "SET ROLE %s" % role)
        assert_error(failure(connection, LOOKUP % table), "2F003", server)

    def test_password_not_required(self, role, pg, nodes, make_server, make_mapping, make_table):
        node = nodes()
        server = make_server(node.port)
        make_mapping(server, role, password_required="false")
        table = make_table(server)
        assert query(pg(user=role), LOOKUP % table) == [("one",)]

    def test_only_superusers_lift_it(self, role, pg, nodes, make_server, make_mapping):
        server = make_server(nodes().port)
        query(pg(), "GRANT USAGE ON FOREIGN SERVER %s TO %s" % (server, role))
        connection = pg(user=role)
        create = "CREATE USER MAPPING FOR CURRENT_USER SERVER %s OPTIONS (user 'u', password 'p'%s)"
        assert failure(connection, create % (server, ", password_required 'false'")).pgcode == "42501"
        query(connection, create % (server, ""))
        alter = "ALTER USER MAPPING FOR CURRENT_USER SERVER %s OPTIONS (ADD password_required 'false')"
        assert failure(connection, alter % server).pgcode == "42501"


def test_password_is_never_shown(pg, nodes, listen, closed_port, make_server, make_mapping, make_role, make_table):
    """Not in an error, not in EXPLAIN, not in the server's log, however talkative it is."""
    password = "pw-%s" % uuid.uuid4()
    role = make_role()
    node = nodes(users={"reader": "another"})
    http = listen(lambda peer: peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    said = []
    for port in (node.port, closed_port, http):
        server = make_server(port, connect_timeout="200ms")
        table = make_table(server)
        for whose in ("CURRENT_USER", role):
            make_mapping(server, whose, user="reader", password=password)
        query(pg(), "GRANT USAGE ON FOREIGN SERVER %s TO %s" % (server, role))
        for action in (None, stall(), close(), edit(opcode=0x42), edit(body=b"\0")):
            node.rules = []
            if action:
                node.rule(AUTH_RESPONSE, action)
            connection = pg()
            query(connection, "SET log_min_messages = debug5; SET client_min_messages = debug5; "
                              "SET log_error_verbosity = verbose")
            query(connection, "SET ROLE %s" % role if action is None else "RESET ROLE")
            said.append(words(failure(connection, LOOKUP % table)))
            said += connection.notices
            said += [row[0] for row in query(connection, "EXPLAIN VERBOSE " + LOOKUP % table)]
    control = pg()
    assert {request.credentials for request in node.seen(AUTH_RESPONSE)} == {("reader", password)}
    said.append(words(failure(control, "ALTER USER MAPPING FOR CURRENT_USER SERVER %s OPTIONS (ADD password 'x')"
                              % server)))
    assert password not in "\n".join(said)
    log = query(control, "SELECT pg_read_file(current_setting('data_directory') || '/../log')")[0][0]
    assert password not in log and server in log
