"""Wrong addresses, several contact points, servers that are none, handshakes that fail: 08001 with the
reason of each contact point."""

import ssl
import struct

import pytest

from node import (AUTHENTICATE, ERROR, OPTIONS, READY, STARTUP, SUPPORTED, close, edit, error, reset, short, stall,
                  string)
from support import LOOKUP, Running, assert_error, failure, query, wait_until

# ---- no server ----

def test_unresolvable_name(pg, nodes, make_server, make_table):
    node = nodes()
    server = make_server(node.port, host="no-such-host.invalid")
    table = make_table(server)
    connection = pg()
    for _ in range(2):
        assert_error(failure(connection, LOOKUP % table), "08001", server, "no-such-host.invalid")
    query(connection, "ALTER SERVER %s OPTIONS (SET host 'no-such-host.invalid,127.0.0.1')" % server)
    assert query(connection, LOOKUP % table) == [("one",)]


def test_closed_port(pg, closed_port, make_server, make_table):
    server = make_server(closed_port)
    found = failure(pg(), LOOKUP % make_table(server))
    assert_error(found, "08001", server, "127.0.0.1:%d" % closed_port, "refused")
    assert found.diag.message_hint


def test_contact_points_in_turn(pg, nodes, closed_port, listen, make_server, make_table):
    """The first refuses, the second speaks no CQL, the third serves."""
    http = listen(lambda peer: peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    node = nodes()
    hosts = "127.0.0.1:%d, localhost:%d,127.0.0.1" % (closed_port, http)
    server = make_server(node.port, host=hosts)
    table = make_table(server)
    connection = pg()
    assert query(connection, LOOKUP % table) == [("one",)]
    assert query(connection, "SELECT node FROM scylla_connections") == [(node.address,)]
    node.stop()
    found = failure(connection, LOOKUP % table)
    if found.pgcode == "08006":  # the connection's end came after the request
        found = failure(connection, LOOKUP % table)
    assert_error(found, "08001", "127.0.0.1:%d" % closed_port, "127.0.0.1:%d" % http, node.address)


def test_connect_timeout(pg, nodes, make_server, make_table):
    node = nodes()
    table = make_table(make_server(node.port, connect_timeout="100ms"))
    connection = pg()
    for opcode in (OPTIONS, STARTUP):
        node.clear()
        node.rule(opcode, stall())
        running = Running(connection, LOOKUP % table).join()
        assert_error(running.error, "08001", node.address, "timeout")
        assert 0.09 < running.ended - running.began < 2
    node.clear()
    # A tenth of a second may be short on a busy machine even so.
    wait_until(lambda: Running(connection, LOOKUP % table).join().error is None)
    assert query(connection, LOOKUP % table) == [("one",)]


# ---- servers that are none ----

def silent(peer):
    peer.recv(1)


def read_all(peer):
    peer.settimeout(0.2)
    peer.recv(100)


def serve_tls(peer):
    """Real TLS: what it makes of plain bytes is its own affair."""
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).wrap_socket(peer, server_side=True)


def answer(data):
    def serve(peer):
        read_all(peer)
        peer.sendall(data)
    return serve


def greet(data):
    def serve(peer):
        peer.sendall(data)
        read_all(peer)
    return serve


@pytest.mark.parametrize("serve, said", [
    (lambda peer: None, ""),
    (read_all, ""),
    (silent, ""),
    (serve_tls, ""),
    (answer(bytes.fromhex("15030300020246")), "TLS"),
    (answer(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"), "does not speak CQL"),
    (greet(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"), "does not speak CQL"),
    (greet(b"\0" * 4096), "does not speak CQL"),
    (answer(b"\x84"), ""),
    (answer(struct.pack(">BBhBI", 0x85, 0, 0, ERROR, 4) + b"\0\0\0\x0a"), "version 5"),
    (answer(struct.pack(">BBhBI", 0x83, 0, 0, ERROR, 4) + b"\0\0\0\x0a"), "version 3"),
], ids=["closes", "reads", "half", "tls", "tls_alert", "http", "ssh", "zeros", "byte", "v5", "v3"])
def test_no_cql_server(serve, said, pg, nodes, listen, make_server, make_table):
    port = listen(serve)
    server = make_server(port)
    table = make_table(server)
    connection = pg()
    for _ in range(2):
        assert_error(failure(connection, LOOKUP % table), "08001", server, "127.0.0.1:%d" % port, said)
    node = nodes()
    query(connection, "ALTER SERVER %s OPTIONS (SET port '%d')" % (server, node.port))
    assert query(connection, LOOKUP % table) == [("one",)]


@pytest.mark.parametrize("opcode, action", [
    (OPTIONS, edit(opcode=READY, body=b"")),
    (OPTIONS, edit(opcode=AUTHENTICATE, body=string("x"))),
    (OPTIONS, edit(body=short(500) + string("KEY"))),
    (OPTIONS, edit(flags=1)),
    (OPTIONS, edit(stream=77)),
    (OPTIONS, edit(length=0x7FFFFFFF)),
    (OPTIONS, error(0x000A, "Invalid or unsupported protocol version (4)")),
    (STARTUP, edit(opcode=SUPPORTED, body=short(0))),
    (STARTUP, edit(opcode=0x42)),
    (STARTUP, error(0x0000, "not now")),
    (STARTUP, error(0x1001, "too busy")),
    (STARTUP, error(0x1002, "still starting")),
    (STARTUP, edit(opcode=ERROR, body=b"\0\0")),
    (STARTUP, close()),
    (STARTUP, reset()),
    (STARTUP, close(after=5)),
], ids=["ready", "authenticate", "cut", "compressed", "stream", "length", "protocol_error", "supported", "opcode",
        "server_error", "overloaded", "bootstrapping", "cut_error", "close", "reset", "half"])
def test_failed_handshake(opcode, action, pg, nodes, make_server, make_table):
    node = nodes()
    table = make_table(make_server(node.port))
    connection = pg()
    node.rule(opcode, action)
    assert_error(failure(connection, LOOKUP % table), "08001", node.address)
    node.rules = []
    assert query(connection, LOOKUP % table) == [("one",)]
