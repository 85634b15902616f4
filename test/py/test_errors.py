"""Every ERROR code, whatever its text, answers that are late, connections that are lost: each one clear
error, and the session is usable afterwards."""

import struct
import threading

import pytest

from node import (ERROR, EXECUTE, PREPARE, QUERY, STARTUP, close, delay, edit, error, integer, reset, rows_body, short,
                  slow, stall, string, string_list)
from support import LOOKUP, WRITE, Running, assert_error, failure, query, words

CONSISTENCY = short(6)  # local_quorum
UNAVAILABLE = CONSISTENCY + integer(2) + integer(1)
TIMEOUT = CONSISTENCY + integer(1) + integer(2)
FAILURE = TIMEOUT + integer(1)

ERRORS = [  # code, extra fields, SQLSTATE of a read, of a write, what else is told
    (0x0000, b"", "58000", "58000", ()),
    (0x000A, b"", "08P01", "08P01", ()),
    (0x0100, b"", "28P01", "28P01", ()),
    (0x1000, UNAVAILABLE, "57P03", "57P03", ("local_quorum", "1 of 2")),
    (0x1001, b"", "53000", "53000", ()),
    (0x1002, b"", "53000", "53000", ()),
    (0x1003, b"", "58030", "58030", ()),
    (0x1100, TIMEOUT + string("SIMPLE"), "08007", "08007", ("local_quorum", "1 of 2", "SIMPLE")),
    (0x1100, TIMEOUT + string("NEW_KIND"), "08007", "08007", ("NEW_KIND",)),
    (0x1200, TIMEOUT + b"\1", "58030", "58030", ("local_quorum", "1 of 2")),
    (0x1300, FAILURE + b"\0", "58030", "58030", ("local_quorum", "1 of 2", "1 failed")),
    (0x1400, string("ks") + string("f") + string_list(["int"]), "38000", "38000", ()),
    (0x1500, FAILURE + string("BATCH"), "58030", "58030", ("BATCH", "1 failed")),
    (0x1600, b"", "58030", "58030", ()),
    (0x1700, TIMEOUT, "08007", "08007", ()),
    (0x2000, b"", "42601", "42601", ()),
    (0x2100, b"", "42501", "42501", ()),
    (0x2200, b"", "22023", "22023", ()),
    (0x2300, b"", "22023", "22023", ()),
    (0x2400, string("ks") + string("t"), "42710", "42710", ()),
    (0x9999, b"", "58000", "58000", ()),
]


@pytest.mark.parametrize("code, extra, of_read, of_write, told", ERRORS,
                         ids=["%04x" % row[0] for row in ERRORS])
def test_error_codes(code, extra, of_read, of_write, told, pg, nodes, make_server, make_table):
    """Each code's SQLSTATE, with the server's text, the node, the table, and what the code adds."""
    text = "the words of the server for it"
    node = nodes()
    server = make_server(node.port)
    table = make_table(server)
    connection = pg()
    for opcode in (PREPARE, EXECUTE):
        node.clear()
        query(connection, "SELECT scylla_disconnect('%s')" % server)
        node.rule(opcode, error(code, text, extra))
        found = failure(connection, LOOKUP % table)
        assert_error(found, of_read, server, node.address, "ks.t", *told)
        assert text in found.diag.message_detail
    node.clear()
    node.rule((EXECUTE, QUERY), error(code, text, extra))
    found = failure(connection, WRITE % server)
    assert_error(found, of_write, server, node.address, *told)
    assert text in found.diag.message_detail
    node.clear()
    assert query(connection, LOOKUP % table) == [("one",)]


@pytest.mark.parametrize("text, sqlstate", [
    ("keyspace nowhere does not exist", "HV00Q"),
    ("Keyspace 'nowhere' does not exist", "HV00Q"),
    ("table t does not exist", "HV00R"),
    ("unconfigured table t", "HV00R"),
    ("Undefined column name v in table ks.t", "HV005"),
    ("Unrecognized name v", "HV005"),
    ("Invalid amount of bind variables", "22023"),
])
def test_invalid_because_missing(text, sqlstate, pg, nodes, make_server, make_table):
    """What servers say of things that are not there."""
    node = nodes()
    table = make_table(make_server(node.port))
    node.rule(PREPARE, error(0x2200, text))
    assert_error(failure(pg(), LOOKUP % table), sqlstate, text, "ks.t")


def test_rate_limit(pg, nodes, make_server, make_table):
    """ScyllaDB announces the code of its rate limit error; it is asked to use it."""
    node = nodes(supported={"SCYLLA_RATE_LIMIT_ERROR": ["ERROR_CODE=61440"]})
    table = make_table(make_server(node.port))
    node.rule(EXECUTE, error(0xF000, "over the limit", b"\0\1"))
    assert_error(failure(pg(), LOOKUP % table), "53400", "over the limit", node.address)
    assert "SCYLLA_RATE_LIMIT_ERROR" in node.seen(STARTUP)[0].options


@pytest.mark.parametrize("text", ["", "x" * 60000, "caf\u00e9 " * 300, "bad\x01\x1b[2Jword", "50% of %s %n"],
                         ids=["none", "long", "accents", "control", "percent"])
def test_any_text(text, pg, nodes, make_server, make_table):
    node = nodes()
    table = make_table(make_server(node.port))
    node.rule(EXECUTE, error(0x0000, text))
    found = failure(pg(), LOOKUP % table)
    assert_error(found, "58000", node.address)
    assert text[:20].split("\x01")[0] in found.diag.message_detail
    assert "\x1b" not in words(found)


def test_text_that_is_no_text(pg, nodes, make_server, make_table):
    """Bytes that are no UTF-8, or hold a NUL: shown as far as they can be."""
    node = nodes()
    table = make_table(make_server(node.port))
    connection = pg()
    for data in (b"good\xff\xfe\xc3bytes", b"good\0bytes", b"good\xed\xa0\x80", b"good\xf0\x9f"):
        node.rules = []
        node.rule(EXECUTE, edit(opcode=ERROR, body=struct.pack(">IH", 0, len(data)) + data))
        assert_error(failure(connection, LOOKUP % table), "58000", "good")


def test_request_timeout(pg, nodes, make_server, make_table):
    node = nodes()
    server = make_server(node.port, request_timeout="100ms")
    table = make_table(server)
    connection = pg()
    for opcode in (PREPARE, EXECUTE):
        node.clear()
        node.rule(opcode, stall())
        running = Running(connection, LOOKUP % table).join()
        assert_error(running.error, "58030", node.address, "ks.t", "100 ms")
        assert 0.09 < running.ended - running.began < 2
        node.clear()
        assert query(connection, LOOKUP % table) == [("one",)]
    node.rule((QUERY, EXECUTE), stall())
    assert_error(failure(connection, WRITE % server), "08007", node.address, "may have been applied")
    node.clear()
    assert query(connection, LOOKUP % table) == [("one",)]


def test_answer_that_trickles(pg, nodes, make_server, make_table):
    """Bytes that keep coming do not prolong a request's time; what is left of them is skipped."""
    node = nodes()
    table = make_table(make_server(node.port, request_timeout="150ms"))
    connection = pg()
    assert query(connection, LOOKUP % table) == [("one",)]
    ended = threading.Event()

    def trickle(link, request, reply):
        slow(0.01)(link, request, reply)
        ended.set()

    node.rule(EXECUTE, trickle, times=1)
    running = Running(connection, LOOKUP % table).join()
    assert_error(running.error, "58030", "150 ms")
    assert running.ended - running.began < 0.5
    assert ended.wait(10)
    assert query(connection, "SELECT v FROM %s WHERE k = 2" % table) == [("two",)]
    assert len(node.connections) == 1


def test_answer_that_is_late(pg, nodes, make_server, make_table):
    """It comes while the next request waits for its own."""
    node = nodes()
    table = make_table(make_server(node.port, request_timeout="150ms"))
    connection = pg()
    assert query(connection, LOOKUP % table) == [("one",)]
    node.rule(EXECUTE, delay(0.2), times=1)
    node.rule(EXECUTE, delay(0.1), times=1)
    assert failure(connection, LOOKUP % table).pgcode == "58030"
    assert query(connection, "SELECT v FROM %s WHERE k = 2" % table) == [("two",)]
    assert len(node.connections) == 1


@pytest.mark.parametrize("action", [close(), reset(), close(after=7), close(after=12)],
                         ids=["close", "reset", "header", "body"])
def test_lost_connection(action, pg, nodes, make_server, make_table):
    node = nodes()
    server = make_server(node.port)
    table = make_table(server)
    connection = pg()
    node.rule((QUERY, EXECUTE), action)
    assert_error(failure(connection, LOOKUP % table), "08006", node.address, "ks.t")
    assert_error(failure(connection, WRITE % server), "08007", node.address, "may have been applied")
    node.rules = []
    assert query(connection, LOOKUP % table) == [("one",)]


def test_bad_text_in_a_cell(pg, nodes, make_server, make_table):
    """A value that PostgreSQL cannot hold is no protocol violation: the connection stays."""
    node = nodes()
    table = make_table(make_server(node.port))
    connection = pg()
    for data in (b"\xff\xfe", b"a\0b", b"\xed\xa0\x80"):
        node.clear()
        node.rule(EXECUTE, edit(body=rows_body("ks", "t", [("v", "text")], [{"v": data}])), times=1)
        found = failure(connection, LOOKUP % table)
        assert found.pgcode == "22021", words(found)
        assert '"v"' in words(found) and table in words(found)
        assert query(connection, LOOKUP % table) == [("one",)]
    assert len(node.connections) == 1


def test_errors_in_a_loop(pg, nodes, closed_port, make_server, make_table):
    """Errors caught within one statement leave no session, socket or descriptor behind."""
    dead = make_table(make_server(closed_port))
    node = nodes()
    table = make_table(make_server(node.port))
    node.rule(EXECUTE, reset(), when=lambda request: request.values == [integer(7)])
    connection = pg()
    query(connection, """
        DO $$
        DECLARE refused int := 0; lost int := 0;
        BEGIN
            FOR i IN 1..1000 LOOP
                BEGIN
                    PERFORM v FROM %s WHERE k = i;
                EXCEPTION WHEN sqlstate '08001' THEN
                    refused := refused + 1;
                END;
                IF i %% 10 = 0 THEN
                    BEGIN
                        PERFORM v FROM %s WHERE k = 7;
                    EXCEPTION WHEN sqlstate '08006' THEN
                        lost := lost + 1;
                    END;
                END IF;
            END LOOP;
            IF refused <> 1000 OR lost <> 100 THEN
                RAISE 'refused %%, lost %%', refused, lost;
            END IF;
        END $$""" % (dead, table))
    node.rules = []
    assert query(connection, LOOKUP % table) == [("one",)]
