"""Frames that are cut or forged: one protocol error, a new connection, and the backend lives on."""

import struct

import pytest

from node import (AUTHENTICATE, ERROR, EXECUTE, PREPARE, READY, edit, error_body, integer, patch, raw, short, sized,
                  string)
from support import LOOKUP, assert_error, failure, query

SPEC = string("ks") + string("t")


def rows(flags=1, count=1, paging=b"", spec=SPEC + string("v") + short(0x0D), row_count=1, cells=sized(b"one")):
    """The body of a ROWS result, with anything wrong in it."""
    return integer(2) + struct.pack(">I", flags) + integer(count) + paging + spec + integer(row_count) + cells


def column(type_bytes):
    return rows(spec=SPEC + string("v") + type_bytes)


def nested(depth):
    return short(0x20) * depth + short(0x09)


FRAMES = {
    "wrong_stream": edit(stream=99),
    "taken_by_nobody": edit(stream=32767),
    "request_opcode": edit(opcode=EXECUTE),
    "unknown_opcode": edit(opcode=0x77),
    "handshake_opcode": edit(opcode=READY, body=b""),
    "authenticate": edit(opcode=AUTHENTICATE, body=string("x")),
    "version_5": edit(version=0x85),
    "request_direction": edit(version=0x04),
    "length_negative": edit(length=0xFFFFFFFF),
    "length_huge": edit(length=0x7FFFFFFF),
    "length_above_256_mib": edit(length=256 * 1024 * 1024 + 1),
    "compressed": edit(flags=0x01),
    "garbage": raw(bytes(range(1, 200))),
    "zeros": raw(b"\0" * 100),
    "empty_body": edit(body=b""),
    "unknown_kind": edit(body=integer(77)),
    "prepared_kind": edit(body=integer(4)),
    "flags_without_prefix": edit(flags=0x0E, body=b""),
    "warnings_cut": edit(flags=0x08, body=short(9) + string("x")),
    "payload_cut": edit(flags=0x04, body=short(3) + string("x")),
    "columns_negative": edit(body=rows(count=-1)),
    "columns_huge": edit(body=rows(count=0x7FFFFFFF)),
    "columns_too_many": edit(body=rows(count=1000)),
    "rows_negative": edit(body=rows(row_count=-1)),
    "rows_huge": edit(body=rows(row_count=0x7FFFFFFF)),
    "rows_one_too_many": edit(body=rows(row_count=2)),
    "rows_of_nothing": edit(body=rows(count=0, spec=SPEC, row_count=0x7FFFFFFF, cells=b"")),
    "cell_too_long": edit(body=rows(cells=integer(4) + b"one")),
    "cell_huge": edit(body=rows(cells=integer(0x7FFFFFFF) + b"one")),
    "paging_state_too_long": edit(body=rows(flags=3, paging=integer(5000) + b"x")),
    "paging_state_null": edit(body=rows(flags=3, paging=integer(-1))),
    "name_too_long": edit(body=rows(spec=SPEC + short(60000) + b"v")),
    "unknown_type": edit(body=column(short(0x7777))),
    "nested_too_deep": edit(body=column(nested(20000))),
    "tuple_of_too_many": edit(body=column(short(0x31) + short(65535))),
    "udt_cut": edit(body=column(short(0x30) + string("ks") + string("u") + short(3))),
    "error_empty": edit(opcode=ERROR, body=b""),
    "error_cut": edit(opcode=ERROR, body=error_body(0x1100, "late", short(6))),
    "error_text_too_long": edit(opcode=ERROR, body=integer(0) + short(500) + b"x"),
    "unprepared_cut": edit(opcode=ERROR, body=error_body(0x2500, "gone", short(50))),
}


@pytest.mark.parametrize("action", FRAMES.values(), ids=FRAMES)
def test_forged_frames(action, pg, nodes, make_server, make_table):
    """One error, the connection is given up, and the next query is served by another."""
    node = nodes()
    server = make_server(node.port)
    table = make_table(server)
    connection = pg()
    pid = connection.info.backend_pid
    assert query(connection, LOOKUP % table) == [("one",)]
    node.rule(EXECUTE, action, times=1)
    assert_error(failure(connection, LOOKUP % table), "08P01", server, node.address, "ks.t")
    assert query(connection, LOOKUP % table) == [("one",)]
    assert len(node.connections) == 2
    node.wait(lambda: not node.connections[0].is_open)
    assert query(connection, "SELECT pg_backend_pid()") == [(pid,)]


PREPARED = {
    "id_cut": integer(4) + short(40) + b"x",
    "binds_negative": integer(4) + short(1) + b"x" + integer(1) + integer(-1) + integer(0),
    "binds_huge": integer(4) + short(1) + b"x" + integer(1) + integer(0x7FFFFFFF) + integer(0) + SPEC,
    "keys_huge": integer(4) + short(1) + b"x" + integer(1) + integer(0) + integer(0x7FFFFFFF) + SPEC,
    "keys_negative": integer(4) + short(1) + b"x" + integer(1) + integer(0) + integer(-1) + SPEC,
    "key_beyond": integer(4) + short(1) + b"x" + integer(1) + integer(1) + integer(1) + short(1) + SPEC
                  + string("k") + short(9) + integer(4) + integer(0),
    "columns_huge": integer(4) + short(1) + b"x" + integer(1) + integer(0) + integer(0) + SPEC
                    + integer(1) + integer(0x7FFFFFFF) + SPEC,
    "rows": rows(),
    "void": integer(1),
    "nothing": b"",
}


@pytest.mark.parametrize("body", PREPARED.values(), ids=PREPARED)
def test_forged_prepared(body, pg, nodes, make_server, make_table):
    node = nodes()
    table = make_table(make_server(node.port))
    connection = pg()
    node.rule(PREPARE, edit(body=body), times=1)
    assert_error(failure(connection, LOOKUP % table), "08P01", node.address, "ks.t")
    assert query(connection, LOOKUP % table) == [("one",)]


@pytest.mark.parametrize("body", [
    integer(1),
    integer(3) + string("ks"),
    integer(5) + string("CREATED") + string("TABLE") + string("ks") + string("t"),
], ids=["void", "set_keyspace", "schema_change"])
def test_no_rows_at_all(body, pg, nodes, make_server, make_table):
    """An answer that is well-formed but none to a SELECT is not taken for a table without rows."""
    node = nodes()
    server = make_server(node.port)
    table = make_table(server)
    connection = pg()
    node.rule(EXECUTE, edit(body=body))
    for sql in (LOOKUP % table, "SELECT v FROM %s" % table,
                "SELECT v FROM scylla_query('%s', 'SELECT v FROM ks.t') AS t (v text)" % server):
        assert failure(connection, sql).pgcode in ("HV021", "08P01")
    node.rules = []
    assert query(connection, LOOKUP % table) == [("one",)]


@pytest.mark.parametrize("opcode", [PREPARE, EXECUTE], ids=["prepare", "execute"])
def test_cut_at_every_byte(opcode, pg, nodes, make_server, make_table):
    """A body that ends early is never read beyond its end; the whole one is right."""
    node = nodes(pages=[[(1, "one")]])
    server = make_server(node.port)
    table = make_table(server)
    connection = pg()
    lengths = []
    node.rule(opcode, patch(lambda body: lengths.append(len(body)) or body))
    assert query(connection, LOOKUP % table) == [("one",)]
    for length in range(lengths[0]):
        node.clear()
        node.rule(opcode, patch(lambda body: body[:length]), times=1)
        query(connection, "SELECT scylla_disconnect('%s')" % server)
        assert failure(connection, LOOKUP % table).pgcode == "08P01", length
    node.clear()
    assert query(connection, LOOKUP % table) == [("one",)]


def test_garbage_while_idle(pg, nodes, make_server, make_table):
    """What an idle connection brings is found before the next request is sent on it."""
    node = nodes()
    table = make_table(make_server(node.port))
    connection = pg()
    assert query(connection, LOOKUP % table) == [("one",)]
    node.connections[0].send_raw(b"garbage, garbage, garbage")
    assert query(connection, LOOKUP % table) == [("one",)]
    assert len(node.connections) == 2


def test_events_are_ignored(pg, nodes, make_server, make_table):
    """An event that nobody asked for is legal, between requests and in the middle of one."""
    node = nodes()
    table = make_table(make_server(node.port))
    connection = pg()
    event = struct.pack(">BBhBI", 0x84, 0, -1, 0x0C, 5) + b"event"
    assert query(connection, LOOKUP % table) == [("one",)]
    node.connections[0].send_raw(event)

    def before(link, request, reply):
        link.send_raw(event)
        return reply

    node.rule(EXECUTE, before)
    assert query(connection, LOOKUP % table) == [("one",)]
    assert len(node.connections) == 1
