"""What a connection was found to be does not hold for the next one, which may be to another node;
and a node that breaks connections is not asked for ever."""

import pytest

from node import EXECUTE, PREPARE, QUERY, STARTUP, close, stall
from support import LOOKUP, failure, query


def test_password_is_asked_for_on_every_connection(pg, nodes, make_server, make_mapping, make_table, make_role):
    """A node that asks for the password does not vouch for one that lets everybody in."""
    asking = nodes(users={"reader": "secret"})
    open_node = nodes(pages=[[(1, "not for everybody")]])
    server = make_server(asking.port, host="127.0.0.1:%d,127.0.0.1:%d" % (asking.port, open_node.port))
    role = make_role()
    make_mapping(server, role, user="reader", password="secret")
    table = make_table(server)
    connection = pg(user=role)
    assert query(connection, LOOKUP % table) == [("one",)]
    asking.rule(EXECUTE, close(), times=1)
    assert failure(connection, LOOKUP % table).pgcode == "08006"
    assert query(connection, LOOKUP % table) == [("one",)]
    asking.stop()
    assert failure(connection, LOOKUP % table).pgcode == "2F003"
    assert open_node.seen(PREPARE, EXECUTE, QUERY) == []


def test_closed_after_every_handshake(pg, nodes, make_server, make_table):
    node = nodes()
    table = make_table(make_server(node.port))
    connection = pg()
    node.rule(STARTUP, close(after=9))
    assert failure(connection, LOOKUP % table).pgcode in ("08001", "08006")
    assert len(node.seen(STARTUP)) < 10
    node.rules = []
    assert query(connection, LOOKUP % table) == [("one",)]


@pytest.mark.parametrize("action, sqlstate", [(close, "08006"), (stall, "58030")])
def test_write_whose_prepare_is_lost(action, sqlstate, pg, nodes, make_server):
    """Only to be prepared is not to be applied."""
    node = nodes()
    server = make_server(node.port, request_timeout="200ms")
    node.rule(PREPARE, action())
    found = failure(pg(), "SELECT scylla_execute('%s', 'INSERT INTO ks.t (k, v) VALUES (?, ?)', 1, 'x')" % server)
    assert found.pgcode == sqlstate
    assert "The write was not applied" in found.diag.message_detail
    assert node.seen(EXECUTE) == []
