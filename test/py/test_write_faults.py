"""Writes while something goes wrong, by a proxy before the server: what was reported as written is
there, what failed is named, and the same statement run again converges."""

import queue
import re
import struct

import psycopg2
import pytest

from proxy import CUT, INVALID, OVERLOADED, Proxy, error, write_timeout
from support import Running, assert_error, failure, query, wait_until, wait_until_waiting, words

COUNTS = re.compile(r"Of the (\d+) rows that the statement has sent, (\d+) were written, (\d+) may have been, "
                    r"and (\d+) were not\.")


@pytest.fixture(scope="module")
def keyspace(make_keyspace, driver):
    connection = make_keyspace("py_faults")
    driver.execute("CREATE TABLE py_faults.t (k int PRIMARY KEY, v text)")
    driver.execute("CREATE TABLE py_faults.hits (k int PRIMARY KEY, n counter)")
    driver.execute("CREATE TABLE py_faults.wide (p int, c int, v text, PRIMARY KEY (p, c))")
    driver.execute("CREATE TABLE py_faults.several (p int, c int, l list<int>, s set<int>, f frozen<list<int>>, "
                   "PRIMARY KEY (p, c))")
    return connection


@pytest.fixture
def proxy(cql_host, cql_port):
    started = Proxy(cql_host, cql_port)
    yield started
    started.stop()


@pytest.fixture
def table(keyspace, driver, proxy, pg, make_server, make_mapping):
    """A connection whose table "t" and "hits" go through the proxy, both empty."""
    driver.execute("TRUNCATE py_faults.t")
    driver.execute("TRUNCATE py_faults.hits")
    driver.execute("TRUNCATE py_faults.wide")
    driver.execute("TRUNCATE py_faults.several")
    connection = pg()
    server = make_server(proxy.port, keyspace="py_faults", request_timeout="1min")
    make_mapping(server)
    query(connection, "SET client_min_messages = warning; CREATE SCHEMA %s; SET search_path = %s, public;"
                      "IMPORT FOREIGN SCHEMA py_faults FROM SERVER %s INTO %s" % (server, server, server, server))
    return connection


def keys(driver):
    return {k for k, in driver.execute("SELECT k FROM py_faults.t")}


def insert(last):
    return "INSERT INTO t SELECT g, 'v' || g FROM generate_series(1, %d) g" % last


def counts(found):
    return [int(number) for number in COUNTS.search(found.diag.message_detail).groups()]


def key_of(found):
    return int(re.search(r"key k = (\d+)", found.diag.message_detail)[1])


def poison(key, verdict):
    """A rule that spoils the rows of one key, however often they are tried."""
    mark = struct.pack(">ii", 4, key)
    return lambda _number, body: verdict if mark in body else None


def assert_honest(found, driver, total):
    """The numbers of the error are what the cluster has."""
    sent, written, unknown, refused = counts(found)
    assert sent == written + unknown + refused <= total
    present = keys(driver)
    assert written <= len(present) <= written + unknown
    return present


WIDE = "INSERT INTO wide SELECT g / 100, g % 100, 'v' || g FROM generate_series(0, 1999) g"
WIDE_ROWS = {(g // 100, g % 100) for g in range(2000)}
ROW_5_37 = struct.pack(">iiii", 4, 5, 4, 37)


def wide_keys(driver):
    return set(driver.execute("SELECT p, c FROM py_faults.wide"))


def is_batch(body):
    """An unlogged one; EXECUTE's body begins with the length of a short id."""
    return body[0] == 1


def is_row_5(body):
    """Of the partition whose batch is spoiled, alone."""
    return not is_batch(body) and struct.pack(">ii", 4, 5) in body


def test_batch_that_times_out(table, proxy, driver):
    """64 rows of a partition share a request and what becomes of it, so they go again one by one."""
    proxy.rule = lambda _number, body: write_timeout() if ROW_5_37 in body else None
    found = failure(table, WIDE)
    assert_error(found, "08007", "a write timed out", "key p = 5, c = 37.", "The write may have been applied")
    sent, written, unknown, refused = counts(found)
    assert (unknown, refused) == (1, 0) and sent == written + 1
    present = wide_keys(driver)
    assert len(present) == written and {(5, c) for c in range(37)} <= present and (5, 37) not in present
    proxy.rule = None
    query(table, WIDE)
    assert wide_keys(driver) == WIDE_ROWS


def test_batch_that_times_out_once(table, proxy, driver):
    """More often than a request is repeated, and still each row is written in the end."""
    proxy.rule = lambda _number, body: write_timeout() if is_batch(body) and ROW_5_37 in body else None
    with table.cursor() as cursor:
        cursor.execute(WIDE)
        assert cursor.statusmessage == "INSERT 0 2000"
    assert wide_keys(driver) == WIDE_ROWS


def test_batch_without_retries(table, proxy, driver):
    """Nothing goes twice then; the error tells from which row to which."""
    [(server,)] = query(table, "SELECT current_schema()")
    query(table, "ALTER SERVER %s OPTIONS (ADD retries '0')" % server)
    proxy.rule = lambda _number, body: write_timeout() if ROW_5_37 in body else None
    found = failure(table, WIDE)
    assert_error(found, "08007", "key p = 5, c = 0 to p = 5, c = 63 (64 rows in a batch)")
    sent, written, unknown, refused = counts(found)
    assert (unknown, refused) == (64, 0) and sent == written + 64
    present = wide_keys(driver)
    assert len(present) == written and not present & {(5, c) for c in range(64)}


def test_rows_of_a_batch_that_may_have_been_applied(table, proxy, driver):
    """Each of them may have been, whatever becomes of it alone, and those that don't go again, too."""
    def rule(_number, body):
        if is_row_5(body):
            return error(INVALID, "not alone")
        return write_timeout() if ROW_5_37 in body else None

    proxy.rule = rule
    found = failure(table, WIDE)
    assert_error(found, "22023", "not alone", "key p = 5, c = ", "The write may have been applied")
    sent, written, unknown, refused = counts(found)
    assert (unknown, refused) == (64, 0) and sent == written + 64
    assert len(wide_keys(driver)) == written
    assert any("%d rows were written or may have been" % sent in notice for notice in table.notices)


def test_batch_that_is_refused(table, proxy, driver):
    """Its rows go again one by one: one of them is named, those before it at least are written."""
    proxy.rule = lambda _number, body: error(INVALID, "not this row") if ROW_5_37 in body else None
    found = failure(table, WIDE)
    assert_error(found, "22023", "not this row", "key p = 5, c = 37.", "The write was not applied")
    sent, written, unknown, refused = counts(found)
    assert (unknown, refused) == (0, 1) and sent == written + 1
    present = wide_keys(driver)
    assert len(present) == written and {(5, c) for c in range(37)} <= present and (5, 37) not in present
    assert any("%d rows were written" % written in notice for notice in table.notices)
    proxy.rule = None
    query(table, WIDE)
    assert wide_keys(driver) == WIDE_ROWS


def test_update_and_delete_of_a_batch_name_their_row(table, proxy, driver):
    query(table, WIDE)
    for statement in ("UPDATE wide SET v = 'changed' WHERE p = 5", "DELETE FROM wide WHERE p = 5"):
        proxy.rule = lambda _number, body: error(INVALID, "not this row") if ROW_5_37 in body else None
        assert_error(failure(table, statement), "22023", "key p = 5, c = 37.")
    assert {v for v, in driver.execute("SELECT v FROM py_faults.wide WHERE p = 5 AND c = 37")} == {"v537"}


def test_rows_after_a_refused_batch(table, proxy, driver):
    """What a later row of the statement says still wins over one that went once more."""
    verdicts = [error(INVALID, "not at first")]
    proxy.rule = lambda _number, body: verdicts.pop() if verdicts and is_batch(body) else None
    query(table, "INSERT INTO wide SELECT 1, g % 10, 'v' || g FROM generate_series(0, 99) g")
    assert not verdicts
    assert dict(driver.execute("SELECT c, v FROM py_faults.wide")) == {c: "v%d" % (90 + c) for c in range(10)}


def test_batches_that_are_too_large(table, proxy, driver):
    """No single row is: all are written, and the session makes smaller ones from then on."""
    large = WIDE.replace("'v'", "repeat('v', 100)")
    refused = []

    def refuse_large(_number, body):
        if not is_batch(body) or len(body) < 5000:
            return None
        refused.append(len(body))
        return error(INVALID, "Batch too large")

    proxy.rule = refuse_large
    with table.cursor() as cursor:
        cursor.execute(large)
        assert cursor.statusmessage == "INSERT 0 2000"
    assert refused and wide_keys(driver) == WIDE_ROWS
    del refused[:]
    before = proxy.executes
    query(table, large)
    assert not refused and proxy.executes - before < 500


def test_batch_that_is_refused_once(table, proxy, driver):
    """For a reason that has passed: its rows are written, and the batches of the session stay as large as they were."""
    longest = []

    def count(_number, body):
        longest[:] = [max([len(body), *longest])]

    def refuse_first(number, body):
        return error(INVALID, "not now") if number == 1 else None

    large = WIDE.replace("'v'", "repeat('v', 100)")
    proxy.rule = count
    query(table, large)
    before = longest[0]
    proxy.executes = 0
    proxy.rule = refuse_first
    query(table, large)
    del longest[:]
    proxy.rule = count
    query(table, large)
    assert longest == [before] and wide_keys(driver) == WIDE_ROWS


def test_refused_by_the_server(keyspace, driver):
    """A real one: Cassandra's files, as it writes them by default, hold no time beyond 2038."""
    driver.execute("CREATE TABLE py_faults.lasting (p int, c int, v text, PRIMARY KEY (p, c))")
    query(keyspace, "IMPORT FOREIGN SCHEMA py_faults LIMIT TO (lasting) FROM SERVER py_faults INTO py_faults;"
                    "ALTER FOREIGN TABLE py_faults.lasting ADD ttl interval OPTIONS (using 'ttl')")
    found = failure(keyspace, "INSERT INTO py_faults.lasting SELECT 1, g, 'v', CASE WHEN g = 7 THEN '7000 days' ELSE "
                              "'1 day' END::interval FROM generate_series(1, 20) g")
    assert_error(found, "22023", "key p = 1, c = 7.")
    assert counts(found) == [20, 19, 0, 1]
    assert {c for c, in driver.execute("SELECT c FROM py_faults.lasting")} == set(range(1, 21)) - {7}


@pytest.mark.time_limit(300)
def test_connection_cut_in_the_middle(table, proxy, driver):
    """The driver may try again what it may try again: then nothing is missing."""
    proxy.rule = lambda number, _body: CUT if number == 50000 else None
    try:
        query(table, insert(100000))
    except psycopg2.Error as found:
        assert_error(found, "08007", "key k = ", "may have been applied")
        assert_honest(found, driver, 100000)
    proxy.rule = None
    query(table, insert(100000))
    assert keys(driver) == set(range(1, 100001))


def test_counters_are_never_repeated(table, proxy, driver):
    proxy.rule = lambda number, _body: CUT if number == 500 else None
    found = failure(table, "INSERT INTO hits SELECT g, 1 FROM generate_series(1, 1000) g")
    assert_error(found, "08007", "key k = ", "may have been applied")
    _sent, written, unknown, _refused = counts(found)
    rows = dict(driver.execute("SELECT k, n FROM py_faults.hits"))
    assert set(rows.values()) <= {1}
    assert written <= len(rows) <= written + unknown


@pytest.mark.parametrize("verdict, first, tries", [(CUT, 3, 2), (write_timeout(), 1, 4)], ids=["row", "batch"])
@pytest.mark.parametrize("columns, values, is_repeated", [
    ("s, f", "'{1,2}', '{1,2}'", True), ("l, s", "NULL, '{1}'", True), ("l, s", "'{1,2}', NULL", False),
    ("l", "CASE WHEN g = 3 THEN '{1}'::int[] END", False)], ids=["set", "no list", "list", "one list"])
def test_lists_are_never_repeated(verdict, first, tries, columns, values, is_repeated, table, proxy, driver):
    """CQL gives the elements of a list numbers anew each time, so that they would be there twice."""
    seen = []

    def rule(_number, body):
        seen.append(body)
        return verdict if len(seen) == 1 else None

    proxy.rule = rule
    statement = "INSERT INTO several (p, c, %s) SELECT 1, g, %s FROM generate_series(%d, 3) g" % (columns, values, first)
    if is_repeated:
        query(table, statement)
    else:
        assert_error(failure(table, statement), "08007", "key p = 1, c = ", "The write may have been applied")
    assert len(seen) == (tries if is_repeated else 1)
    assert len(driver.execute("SELECT c FROM py_faults.several")) == (4 - first if is_repeated else 0)


def test_write_timeout_on_one_row(table, proxy, driver):
    proxy.rule = poison(777, write_timeout("no quorum for this one"))
    found = failure(table, insert(2000))
    assert_error(found, "08007", "a write timed out", "no quorum for this one", "The write may have been applied")
    assert key_of(found) == 777
    present = assert_honest(found, driver, 2000)
    assert 777 not in present and counts(found)[2:] == [1, 0]
    assert any("writes of the aborted transaction" in notice for notice in table.notices)
    proxy.rule = None
    query(table, insert(2000))
    assert keys(driver) == set(range(1, 2001))


def test_refusal_of_one_row(table, proxy, driver):
    """Surely not written: the error is the server's, and the row does not count as written."""
    proxy.rule = poison(55, error(INVALID, "not this row"))
    found = failure(table, insert(100))
    assert_error(found, "22023", "not this row", "The write was not applied")
    assert key_of(found) == 55
    assert 55 not in assert_honest(found, driver, 100)
    assert counts(found)[2:] == [0, 1]


def test_conditional_writes_that_are_not_applied(table, proxy, driver):
    """They are acknowledged, and nothing of them stands."""
    query(table, insert(5))
    conditional = insert(10) + " ON CONFLICT DO NOTHING"
    proxy.rule = poison(8, error(INVALID, "not this row"))
    found = failure(table, conditional)
    assert key_of(found) == 8 and counts(found) == [10, 4, 0, 6]
    assert any("4 rows were written or may have been" in notice for notice in table.notices)
    assert keys(driver) == set(range(1, 11)) - {8}
    del table.notices[:]
    proxy.rule = None
    with table.cursor() as cursor:
        cursor.execute("BEGIN; INSERT INTO t VALUES (1, 'v') ON CONFLICT DO NOTHING")
        assert cursor.statusmessage == "INSERT 0 0"
        cursor.execute("ROLLBACK")
    assert not any("are not undone" in notice for notice in table.notices)


def test_the_only_row(table, proxy, driver):
    """Of one row there is nothing more to tell, and no WARNING if it was not written."""
    proxy.rule = poison(1, error(INVALID, "not this row"))
    found = failure(table, "INSERT INTO t VALUES (1, 'v')")
    assert "Of the" not in words(found) and key_of(found) == 1
    assert not any("are not undone" in notice for notice in table.notices)
    assert keys(driver) == set()


def test_overload_for_a_while(table, proxy, driver):
    """There is no other node to go to; rows before and after it are written."""
    proxy.rule = lambda number, _body: error(OVERLOADED, "too much") if 300 <= number < 310 else None
    found = failure(table, insert(1000))
    assert_error(found, "53000", "too much", "key k = ", "The write was not applied")
    present = assert_honest(found, driver, 1000)
    _sent, _written, unknown, refused = counts(found)
    assert unknown == 0 and 1 <= refused <= 10 and key_of(found) not in present
    query(table, insert(1000))
    assert keys(driver) == set(range(1, 1001))


def test_merge_is_refused(table, driver):
    """By PostgreSQL, for foreign tables."""
    query(table, insert(2))
    found = failure(table, "MERGE INTO t USING (VALUES (1)) s (k) ON t.k = s.k WHEN MATCHED THEN DELETE")
    assert_error(found, "0A000", "MERGE", '"t"')
    assert keys(driver) == {1, 2}


def test_overload_that_lasts(table, proxy, driver):
    proxy.rule = lambda number, _body: error(OVERLOADED, "too much") if number > 300 else None
    found = failure(table, insert(1000))
    assert_error(found, "53000", "too much", "key k = ")
    assert_honest(found, driver, 1000)
    proxy.rule = None
    query(table, insert(1000))
    assert keys(driver) == set(range(1, 1001))


def test_server_gone(table, proxy, driver):
    def end(number, _body):
        if number == 200:
            proxy.is_accepting = False
            return CUT
        return None

    proxy.rule = end
    found = failure(table, insert(1000))
    assert found.pgcode in ("08007", "08001", "08006"), words(found)
    assert_honest(found, driver, 1000)
    proxy.rule = None
    proxy.accept()
    query(table, insert(1000))
    assert keys(driver) == set(range(1, 1001))


def test_update_and_delete_name_their_row(table, proxy, driver):
    query(table, insert(100))
    proxy.rule = poison(30, error(INVALID, "not this row"))
    found = failure(table, "UPDATE t SET v = 'changed' WHERE v <> ''")
    assert key_of(found) == 30
    found = failure(table, "DELETE FROM t WHERE v <> ''")
    assert key_of(found) == 30
    sent, written, unknown, refused = counts(found)
    assert (unknown, refused) == (0, 1) and len(keys(driver)) == 100 - written


def test_copy_names_its_row(table, proxy, driver, tmp_path):
    (tmp_path / "rows").write_text("".join("%d\tv\n" % k for k in range(1, 501)))
    proxy.rule = poison(222, write_timeout())
    with open(tmp_path / "rows") as file, table.cursor() as cursor:
        with pytest.raises(psycopg2.Error) as raised:
            cursor.copy_expert("COPY t FROM STDIN", file)
    assert raised.value.pgcode == "08007" and key_of(raised.value) == 222
    assert 222 not in assert_honest(raised.value, driver, 500)


def test_cancel_that_a_function_outlives(table, proxy, driver, pg):
    """It waits for the rows before it, and is cancelled while one of their batches is about to go again."""
    control = pg()
    verdicts = queue.Queue()
    query(table, "ALTER FOREIGN TABLE wide OPTIONS (ADD max_in_flight '64');"
                 "CREATE FUNCTION see(c int) RETURNS text LANGUAGE plpgsql AS $$ BEGIN IF c = 69 THEN PERFORM FROM t; END IF;"
                 "RETURN 'v'; EXCEPTION WHEN query_canceled THEN RETURN 'cancelled'; END $$")
    query(table, "SELECT see(69)")
    proxy.rule = lambda _number, _body: verdicts.get()
    running = Running(table, "INSERT INTO wide SELECT 1, g, see(g) FROM generate_series(1, 100) g")
    verdicts.put(error(INVALID, "not together"))
    verdicts.put(error(INVALID, "not together"))
    # 16 batches of 4 fill the window, and two of them leave it; then more than they had is to go.
    wait_until(lambda: query(control, "SELECT rows_sent FROM scylla_write_progress WHERE pid = %d" % running.pid) == [(56,)])
    wait_until_waiting(control, running.pid)
    query(control, "SELECT pg_cancel_backend(%d)" % running.pid)
    wait_until(lambda: not query(control, "SELECT 1 FROM pg_locks WHERE pid = %d AND relation IN "
                                          "(SELECT oid FROM pg_class WHERE relname = 't')" % running.pid))
    proxy.rule = None
    verdicts.put(None)
    assert running.join().error is None
    assert dict(driver.execute("SELECT c, v FROM py_faults.wide")) == {
        c: "cancelled" if c == 69 else "v" for c in range(1, 101)}


def test_statement_timeout(table, proxy, driver):
    """Cancelled while rows are in flight: nobody knows of them, so all that were sent are counted."""
    query(table, "SET statement_timeout = '3s'")
    query(table, "ALTER FOREIGN TABLE t OPTIONS (write_rate '2000')")
    found = failure(table, insert(100000))
    assert found.pgcode == "57014"
    query(table, "RESET statement_timeout")
    notice = next(notice for notice in table.notices if "are not undone" in notice)
    assert len(keys(driver)) <= int(re.search(r"(\d+) rows were written", notice)[1])
