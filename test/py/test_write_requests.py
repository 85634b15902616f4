"""Writes as the server sees them: how many rows are in flight at once, whatever makes them; their
consistency; and which of them are sent again."""

import io
import struct
from concurrent.futures import ThreadPoolExecutor

import pytest

from node import EXECUTE, QUERY, close, edit, error, hold, rows_body
from support import COLUMNS, Running, assert_error, failure, private_kib, query, wait_until, wait_until_waiting

ROWS = 100
WINDOW = 16
ONE, QUORUM, SERIAL, LOCAL_SERIAL = 1, 4, 8, 9
GENERATED = "INSERT INTO {t} SELECT g, 'v' || g FROM generate_series(1, %d) g" % ROWS
APPLIED = rows_body("ks", "t", [("[applied]", "boolean")], [{"[applied]": True}])


def is_insert(request):
    return request.text.startswith("INSERT")


def inserts(node):
    return [request for request in node.seen(EXECUTE) if is_insert(request)]


def run(connection, statement):
    with connection.cursor() as cursor:
        if statement.startswith("COPY"):
            cursor.copy_expert(statement, io.StringIO("".join("%d\tv\n" % k for k in range(ROWS))))
        else:
            cursor.execute(statement)


@pytest.mark.parametrize("statement", [
    GENERATED, "INSERT INTO {t} VALUES " + ", ".join("(%d, 'v')" % k for k in range(ROWS)),
    "WITH new AS (%s RETURNING k) SELECT count(*) FROM new" % GENERATED, "COPY {t} FROM STDIN"],
                         ids=["select", "values", "returning", "copy"])
@pytest.mark.parametrize("has_trigger", [False, True], ids=["plain", "triggers"])
def test_rows_are_in_flight_together(statement, has_trigger, pg, nodes, make_server, make_table):
    """As many as the window holds, while none of them is answered; what nobody has to know of the answer
    (RETURNING, triggers, COPY of PostgreSQL 15, which gives single rows) does not make them wait."""
    node = nodes()
    table = make_table(make_server(node.port, request_timeout="1min"), max_in_flight=WINDOW)
    connection = pg()
    if has_trigger:
        query(connection, "CREATE FUNCTION pg_temp.see() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
                          "CREATE TRIGGER before_row BEFORE INSERT ON %s FOR EACH ROW EXECUTE FUNCTION pg_temp.see();"
                          "CREATE TRIGGER after_row AFTER INSERT ON %s FOR EACH ROW EXECUTE FUNCTION pg_temp.see()"
              % (table, table))
    counts = []

    def count(request):
        if is_insert(request):
            counts.append(len(request.connection.outstanding))
        return is_insert(request)

    node.rule(EXECUTE, hold(), when=count)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, connection, statement.format(t=table))
        node.wait(lambda: len(node.held) == WINDOW)
        node.rules = []
        node.release()
        running.result()
    assert max(counts) == WINDOW and len(inserts(node)) == ROWS


def test_bytes_in_flight_are_bounded(pg, nodes, make_server, make_table):
    """90 MB of rows that nobody answers: the backend keeps no more of them than it may have in flight."""
    node = nodes()
    table = make_table(make_server(node.port, request_timeout="5min"))
    connection, control = pg(), pg()
    query(connection, GENERATED.format(t=table))
    before = private_kib(connection.info.backend_pid)
    node.clear()
    node.rule(EXECUTE, hold(), when=is_insert)
    running = Running(connection, "INSERT INTO %s SELECT g, repeat('x', 30000) FROM generate_series(1, 3000) g" % table)
    node.wait(lambda: len(node.held) >= 500)
    wait_until_waiting(control, connection.info.backend_pid)
    assert private_kib(connection.info.backend_pid) - before < 48 * 1024
    node.rules = []
    wait_until(lambda: node.release() or running.ended, 60)  # some more may have come meanwhile
    assert running.join().error is None
    assert len(inserts(node)) == 3000


def test_consistency(pg, nodes, make_server, make_table):
    node = nodes()
    table = make_table(make_server(node.port), write_consistency="quorum", serial_consistency="serial")
    node.rule(EXECUTE, edit(body=APPLIED), when=lambda request: "IF NOT EXISTS" in request.text)
    connection = pg()
    plain = "INSERT INTO %s VALUES (1, 'a')" % table
    conditional = plain + " ON CONFLICT DO NOTHING"
    query(connection, plain)
    query(connection, conditional)
    query(connection, "ALTER FOREIGN TABLE %s OPTIONS (DROP serial_consistency)" % table)
    query(connection, "SET scylla_fdw.write_consistency = 'one'")
    query(connection, plain)
    query(connection, conditional)
    assert [(request.consistency, request.serial_consistency) for request in inserts(node)] == [
        (QUORUM, None), (QUORUM, SERIAL), (ONE, None), (ONE, LOCAL_SERIAL)]


def test_what_is_sent_again(pg, nodes, make_server, make_table):
    """After a lost connection a row that is simply written is; a conditional write never is."""
    node = nodes()
    table = make_table(make_server(node.port), columns=COLUMNS)
    connection = pg()
    node.rule(EXECUTE, close(), times=1, when=is_insert)
    query(connection, "INSERT INTO %s VALUES (1, 'a')" % table)
    assert len(inserts(node)) == 2
    node.clear()
    node.rule(EXECUTE, close(), times=1, when=is_insert)
    found = failure(connection, "INSERT INTO %s VALUES (2, 'b') ON CONFLICT DO NOTHING" % table)
    assert_error(found, "08007", "key k = 2", "The write may have been applied")
    assert len(inserts(node)) == 1


@pytest.mark.parametrize("statement, state, aborted", [
    ("%s", "57014", "transaction"),
    ("DO $$ BEGIN BEGIN %s; EXCEPTION WHEN query_canceled THEN NULL; END; END $$", None, "sub-transaction")],
                         ids=["transaction", "sub-transaction"])
def test_cancel_of_rows_in_flight(statement, state, aborted, pg, nodes, make_server, make_table):
    """Nobody knows of any of them, and that is said; the session serves the next statement."""
    node = nodes()
    table = make_table(make_server(node.port, request_timeout="1min"), max_in_flight=WINDOW)
    connection, control = pg(), pg()
    node.rule(EXECUTE, hold(), when=is_insert)
    running = Running(connection, statement % GENERATED.format(t=table))
    node.wait(lambda: len(node.held) == WINDOW)
    query(control, "SELECT pg_cancel_backend(%d)" % connection.info.backend_pid)
    assert getattr(running.join(60).error, "pgcode", None) == state
    assert any("writes of the aborted %s through scylla_fdw are not undone" % aborted in notice
               and "%d rows were written or may have been" % WINDOW in notice for notice in connection.notices)
    node.rules = []
    node.release()
    query(connection, GENERATED.format(t=table))
    assert len(inserts(node)) == WINDOW + ROWS


@pytest.mark.parametrize("statement", ["TRUNCATE {t}", "SELECT scylla_execute('{s}', 'INSERT INTO ks.t (k) VALUES (1)')"],
                         ids=["truncate", "execute"])
def test_what_stands_of_a_single_request(statement, pg, nodes, make_server, make_table):
    """A transaction that aborts warns of what may have been written, and of nothing that was refused."""
    node = nodes()
    server = make_server(node.port, request_timeout="1min")
    statement = statement.format(t=make_table(server), s=server)
    connection, control = pg(), pg()

    def is_it(request):
        return request.text.startswith(("TRUNCATE", "INSERT"))

    for verdict, is_unknown in ((error(0x2200), False), (error(0x1100, extra=struct.pack(">HiiH", 1, 0, 1, 6) + b"SIMPLE"),
                                                          True)):
        del connection.notices[:]
        node.rules = []
        node.rule((EXECUTE, QUERY), verdict, when=is_it)
        failure(connection, statement)
        assert any("1 row was written or may have been" in notice for notice in connection.notices) == is_unknown
    del connection.notices[:]
    node.rules = []
    node.rule((EXECUTE, QUERY), hold(), when=is_it)
    running = Running(connection, statement)
    node.wait(lambda: node.held)
    query(control, "SELECT pg_cancel_backend(%d)" % running.pid)
    assert running.join().error.pgcode == "57014"
    assert any("1 row was written or may have been" in notice for notice in connection.notices)
