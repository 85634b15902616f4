"""TLS: the four modes against a real server that wants client certificates, and every way in which it
can fail against a scripted node: 08001 with the reason in words and a hint."""

import os
import shutil
import ssl
import tempfile
import time

import pytest

from certificates import Certificates
from node import EXECUTE, OPTIONS, close
from support import LOOKUP, Running, assert_error, failure, query, wait_until_waiting, words

V1_2, V1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@pytest.fixture(scope="module")
def certificates():
    directory = tempfile.mkdtemp()
    os.chmod(directory, 0o755)
    made = Certificates(directory)
    made.authority("authority")
    made.authority("stranger")
    made.issue("server", "authority", "IP:127.0.0.1")
    made.issue("named", "authority", "DNS:localhost,DNS:*.example.org")
    made.issue("elsewhere", "authority", "DNS:a.example,IP:10.1.2.3,IP:fd00::1")
    made.issue("expired", "authority", "IP:127.0.0.1", days=0)
    made.issue("client", "authority", "DNS:client")
    made.issue("other_client", "stranger", "DNS:client")
    yield made
    shutil.rmtree(directory)


# ---- the real server ----

@pytest.fixture(scope="module")
def tls_cassandra(cassandra, certificates):
    """(host, port) of a Cassandra that takes TLS alone, and lets in who has a certificate."""
    store = certificates.join("server.key", "server.crt", "authority.crt")
    yaml = certificates.path("yaml")
    with open(yaml, "w") as file:
        file.write("client_encryption_options: {enabled: true, optional: false, require_client_auth: true, "
                   "ssl_context_factory: {class_name: org.apache.cassandra.security.PEMBasedSslContextFactory}, "
                   "keystore: %s, truststore: %s}\n" % (store, certificates.path("authority.crt")))
    return cassandra("tls", "--yaml", yaml)


CQL = "SELECT * FROM scylla_query('%s', 'SELECT cql_version FROM system.local') AS r (v text)"


@pytest.fixture
def identity(certificates):
    return {"sslcert": certificates.path("client.crt"), "sslkey": certificates.path("client.key")}


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
@pytest.mark.parametrize("form", ["file", "text"])
def test_modes(mode, version, form, pg, tls_cassandra, certificates, make_server, make_mapping):
    options = {"sslrootcert": "authority.crt", "sslcert": "client.crt", "sslkey": "client.key"}
    give = certificates.path if form == "file" else certificates.text
    server = make_server(tls_cassandra[1], tls_cassandra[0], sslmode=mode, ssl_min_protocol_version=version,
                         **{name: give(value) for name, value in options.items()})
    make_mapping(server)
    connection = pg()
    assert query(connection, CQL % server) == [("3.4.7",)]
    assert query(connection, "SELECT tls FROM scylla_connections") == [(True,)]


def test_large_values(pg, tls_cassandra, certificates, identity, make_server, make_mapping):
    """Records in their hundreds, in both directions, with and without compression."""
    text = "".join(chr(0x20 + i * 7919 % 90) for i in range(100000)) * 40
    for compression in ("none", "lz4"):
        server = make_server(tls_cassandra[1], tls_cassandra[0], sslmode="verify-full", compression=compression,
                             sslrootcert=certificates.path("authority.crt"), **identity)
        make_mapping(server)
        connection = pg()
        execute = "SELECT scylla_execute('%s', %%s)" % server
        query(connection, execute, ["DROP KEYSPACE IF EXISTS py_tls"])
        query(connection, execute, ["CREATE KEYSPACE py_tls WITH replication = "
                                    "{'class': 'SimpleStrategy', 'replication_factor': 1}"])
        query(connection, execute, ["CREATE TABLE py_tls.t (k int PRIMARY KEY, v text)"])
        for k in range(3):
            query(connection, "SELECT scylla_execute('%s', 'INSERT INTO py_tls.t (k, v) VALUES (?, ?)', %%s, "
                              "%%s::text)" % server, [k, text])
        rows = query(connection, "SELECT * FROM scylla_query('%s', 'SELECT k, v FROM py_tls.t') AS r (k int, v text)"
                     % server)
        assert sorted(k for k, _ in rows) == [0, 1, 2]
        assert all(v == text for _, v in rows)


def test_plain_text_does_not_fall_in(pg, tls_cassandra, make_server, make_mapping):
    server = make_server(tls_cassandra[1], tls_cassandra[0])
    make_mapping(server)
    assert failure(pg(), CQL % server).pgcode == "08001"


@pytest.mark.parametrize("client, said", [(None, "certificate"), ("other_client", "certificate")])
def test_certificate_that_is_not_let_in(client, said, pg, tls_cassandra, certificates, make_server, make_mapping):
    options = {}
    if client:
        options = {"sslcert": certificates.text(client + ".crt"), "sslkey": certificates.text(client + ".key")}
    server = make_server(tls_cassandra[1], tls_cassandra[0], sslmode="verify-full",
                         sslrootcert=certificates.path("authority.crt"), **options)
    make_mapping(server)
    found = failure(pg(), CQL % server)
    assert_error(found, "08001", server, "127.0.0.1:%d" % tls_cassandra[1], said, "sslcert")


def test_real_server_is_verified(pg, tls_cassandra, certificates, identity, make_server, make_mapping):
    """Another authority, and a name that the certificate does not have; ALTER puts both right."""
    server = make_server(tls_cassandra[1], "localhost", sslmode="verify-full",
                         sslrootcert=certificates.path("stranger.crt"), **identity)
    make_mapping(server)
    connection = pg()
    assert_error(failure(connection, CQL % server), "08001", "not signed by an authority that is trusted",
                 "sslrootcert")
    query(connection, "ALTER SERVER %s OPTIONS (SET sslrootcert '%s')" % (server, certificates.path("authority.crt")))
    assert_error(failure(connection, CQL % server), "08001", "is for 127.0.0.1, not for localhost", "option host")
    query(connection, "ALTER SERVER %s OPTIONS (SET sslmode 'verify-ca')" % server)
    assert query(connection, CQL % server) == [("3.4.7",)]
    query(connection, "ALTER SERVER %s OPTIONS (SET sslmode 'verify-full', SET host '127.0.0.1')" % server)
    assert query(connection, CQL % server) == [("3.4.7",)]


# ---- the scripted node ----

@pytest.fixture
def make_tls_server(certificates, make_server):
    """make_tls_server(node, **options): verify-full with the right authority, unless told otherwise."""

    def make(node, **options):
        options = {"sslmode": "verify-full", "sslrootcert": certificates.path("authority.crt"), **options}
        return make_server(node.port, **{name: value for name, value in options.items() if value is not None})

    return make


@pytest.mark.parametrize("certificate, host, said, hint", [
    ("server", "localhost", "is for 127.0.0.1, not for localhost", "option host"),
    ("elsewhere", "127.0.0.1", "is for a.example, 10.1.2.3, fd00:0:0:0:0:0:0:1, not for 127.0.0.1", "option host"),
    ("expired", "127.0.0.1", "(/CN=expired) expired at 20", "Renew"),
    ("stranger", "127.0.0.1", "(/CN=stranger) is signed by itself", "sslrootcert"),
    ("other_client", "127.0.0.1", "is not signed by an authority that is trusted", "sslrootcert"),
])
@pytest.mark.parametrize("version", [V1_2, V1_3])
def test_certificate_that_is_not_accepted(certificate, host, said, hint, version, pg, nodes, certificates,
                                          make_tls_server, make_table):
    node = nodes(tls=certificates.context(certificate, version))
    server = make_tls_server(node, host=host)
    found = failure(pg(), LOOKUP % make_table(server))
    assert_error(found, "08001", "TLS", server, node.address, said)
    assert hint in found.diag.message_hint
    assert node.requests == []
    # without verification anybody will do
    connection = pg()
    query(connection, "ALTER SERVER %s OPTIONS (SET sslmode 'require', DROP sslrootcert)" % server)
    assert query(connection, LOOKUP % make_table(server)) == [("one",)]


def test_name_is_verified(pg, nodes, certificates, make_tls_server, make_table):
    node = nodes(tls=certificates.context("named"))
    assert query(pg(), LOOKUP % make_table(make_tls_server(node, host="localhost"))) == [("one",)]
    assert_error(failure(pg(), LOOKUP % make_table(make_tls_server(node))), "08001",
                 "is for localhost, *.example.org, not for 127.0.0.1")


def test_authority_is_asked_where_one_is_named(pg, nodes, certificates, make_tls_server, make_table):
    """As libpq does: sslrootcert turns require into verify-ca."""
    node = nodes(tls=certificates.context("other_client"))
    server = make_tls_server(node, sslmode="require")
    assert_error(failure(pg(), LOOKUP % make_table(server)), "08001", "not signed by an authority")


def test_system_authorities(pg, nodes, certificates, make_tls_server, make_table):
    node = nodes(tls=certificates.context("server"))
    server = make_tls_server(node, sslmode="require", sslrootcert="system")
    assert_error(failure(pg(), LOOKUP % make_table(server)), "08001", "not signed by an authority")


def test_server_without_tls(pg, nodes, make_tls_server, make_table):
    node = nodes()
    server = make_tls_server(node)
    found = failure(pg(), LOOKUP % make_table(server))
    assert_error(found, "08001", node.address)
    assert not node.seen(OPTIONS)
    node.complaints.clear()


def test_server_that_answers_in_plain_text(pg, listen, certificates, make_server, make_table):
    port = listen(lambda peer: peer.sendall(b"\x84\0\0\0\0\0\0\0\0"))
    server = make_server(port, sslmode="require")
    assert_error(failure(pg(), LOOKUP % make_table(server)), "08001", "127.0.0.1:%d" % port,
                 "does not answer in TLS", "sslmode")


def test_version(pg, nodes, certificates, make_tls_server, make_table):
    node = nodes(tls=certificates.context("server", V1_2))
    server = make_tls_server(node, ssl_min_protocol_version="TLSv1.3")
    found = failure(pg(), LOOKUP % make_table(server))
    assert_error(found, "08001", "version", "ssl_min_protocol_version")


@pytest.mark.parametrize("version", [V1_2, V1_3])
def test_client_certificate(version, pg, nodes, certificates, make_tls_server, make_table):
    node = nodes(tls=certificates.context("server", version, clients="authority"))
    server = make_tls_server(node)
    connection = pg()
    table = make_table(server)
    assert_error(failure(connection, LOOKUP % table), "08001", "certificate", "sslcert")
    query(connection, "ALTER SERVER %s OPTIONS (ADD sslcert '%s', ADD sslkey '%s')"
          % (server, certificates.path("client.crt"), certificates.path("client.key")))
    assert query(connection, LOOKUP % table) == [("one",)]


def test_resumption(pg, nodes, certificates, make_tls_server, make_table):
    """A connection that is lost comes back by a shorter handshake."""
    for version in (V1_2, V1_3):
        context = certificates.context("server", version)
        node = nodes(tls=context)
        table = make_table(make_tls_server(node))
        connection = pg()
        assert query(connection, LOOKUP % table) == [("one",)]
        assert not node.connections[-1].socket.session_reused
        for number in range(1, 4):
            node.connections[-1].close()
            node.wait(lambda: not node.open_connections())
            while query_or_none(connection, LOOKUP % table) is None:
                pass
            assert len(node.connections) == number + 1
            assert node.connections[-1].socket.session_reused


def query_or_none(connection, sql):
    try:
        return query(connection, sql)
    except Exception as error:
        assert error.pgcode == "08006", words(error)
        return None


# ---- options ----

@pytest.mark.parametrize("options, said", [
    ({"sslrootcert": None}, "sslrootcert names no authority"),
    ({"sslrootcert": "/nowhere/at/all"}, 'File "/nowhere/at/all" of option sslrootcert cannot be read: No such file'),
    ({"sslrootcert": "/tmp"}, "no regular file"),
    ({"sslrootcert": "client.key"}, "sslrootcert holds no certificate"),
    ({"sslcert": "client.crt"}, "sslkey is not"),
    ({"sslkey": "client.key"}, "sslcert is not"),
    ({"sslcert": "client.crt", "sslkey": "server.key"}, "not that of the certificate"),
    ({"sslcert": "client.crt", "sslkey": "client.crt"}, "sslkey holds no private key"),
    ({"sslcert": "client.key", "sslkey": "client.key"}, "sslcert holds no certificate"),
])
def test_options_that_cannot_be_used(options, said, pg, nodes, certificates, make_tls_server, make_table):
    node = nodes()
    options = {name: certificates.path(value) if value and value.startswith(("client", "server")) else value
               for name, value in options.items()}
    found = failure(pg(), LOOKUP % make_table(make_tls_server(node, **options)))
    assert_error(found, "08001", said)
    assert found.diag.message_hint
    assert node.connections == []


def test_key_with_password(pg, nodes, certificates, make_tls_server, make_table):
    """Nobody is asked for it."""
    certificates.run("pkcs8", "-topk8", "-in", "client.key", "-passout", "pass:secret", "-out", "locked.key")
    server = make_tls_server(nodes(), sslcert=certificates.path("client.crt"), sslkey=certificates.path("locked.key"))
    assert_error(failure(pg(), LOOKUP % make_table(server)), "08001", "without a password")


@pytest.mark.parametrize("option, file, said", [
    ("sslrootcert", "client.key", "sslrootcert holds no certificate"),
    ("sslcert", "client.key", "sslcert holds no certificate"),
    ("sslkey", "client.crt", "sslkey holds no private key"),
    ("sslkey", "locked.key", "without a password"),
])
def test_texts_that_cannot_be_used(option, file, said, pg, certificates, make_server):
    """Told when they are set, and nothing of them is shown."""
    certificates.run("pkcs8", "-topk8", "-in", "client.key", "-passout", "pass:secret", "-out", "locked.key")
    found = failure(pg(), "ALTER SERVER %s OPTIONS (ADD %s '%s')" % (make_server(1), option, certificates.text(file)))
    assert_error(found, "HV024", said)
    assert found.diag.message_hint
    assert "BEGIN" not in words(found).replace("BEGIN and END", "")


def test_who_may_name_files(pg, database, nodes, certificates, make_server, make_mapping, make_table, make_role):
    """Who sets the option, and the server's owner later on."""
    node = nodes(tls=certificates.context("server"), users={"anna": "pw"})
    role = make_role()
    admin = pg()
    query(admin, "GRANT USAGE ON FOREIGN DATA WRAPPER scylla_fdw TO %s" % role)
    plain = pg(user=role)
    create = ("CREATE SERVER by_%s FOREIGN DATA WRAPPER scylla_fdw OPTIONS (host '127.0.0.1', port '%d', "
              "sslmode 'verify-full', sslrootcert '%s')")
    found = failure(plain, create % (role, node.port, certificates.path("authority.crt")))
    assert_error(found, "42501", "sslrootcert", "pg_read_server_files")
    query(plain, create % (role, node.port, certificates.text("authority.crt")))
    query(admin, "GRANT pg_read_server_files TO %s" % role)
    query(plain, "ALTER SERVER by_%s OPTIONS (SET sslrootcert '%s')" % (role, certificates.path("authority.crt")))
    make_mapping("by_" + role, role, user="anna", password="pw")
    table = make_table("by_" + role)
    assert query(plain, LOOKUP % table) == [("one",)]
    query(admin, "REVOKE pg_read_server_files FROM %s" % role)
    query(plain, "SELECT scylla_disconnect_all()")
    assert_error(failure(plain, LOOKUP % table), "42501", "sslrootcert", "pg_read_server_files")
    query(admin, "REVOKE USAGE ON FOREIGN DATA WRAPPER scylla_fdw FROM %s" % role)


# ---- in the midst of it ----

def test_cancel_in_the_handshake(pg, listen, certificates, make_server, make_table):
    """Whoever listens there says nothing: the backend waits in the TLS handshake, and leaves at once."""
    ends = []

    def silent(peer):
        peer.recv(10)
        ends.append(time.sleep(5))

    server = make_server(listen(silent), sslmode="require", connect_timeout="1min")
    control, connection = pg(), pg()
    running = Running(connection, LOOKUP % make_table(server))
    wait_until_waiting(control, running.pid)
    asked = time.monotonic()
    query(control, "SELECT pg_cancel_backend(%s)", [running.pid])
    running.join()
    assert running.error.pgcode == "57014"
    assert running.ended - asked < 0.5


def test_timeout_in_the_handshake(pg, listen, make_server, make_table):
    server = make_server(listen(lambda peer: time.sleep(2)), sslmode="require", connect_timeout="200ms")
    assert_error(failure(pg(), LOOKUP % make_table(server)), "08001", "TLS handshake")


def test_end_within_a_record(pg, nodes, certificates, make_tls_server, make_table):
    """The node goes away without saying so: a read is tried again, until nobody answers."""
    node = nodes(tls=certificates.context("server"))
    table = make_table(make_tls_server(node))
    connection = pg()
    node.rule(EXECUTE, close(after=5), times=1)
    assert query(connection, LOOKUP % table) == [("one",)]
    node.rule(EXECUTE, close(after=5))
    assert failure(connection, LOOKUP % table).pgcode == "08006"
