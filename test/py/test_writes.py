"""What the foreign tables write, read back by the independent driver."""

import time
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest

from support import failure, query


@pytest.fixture(scope="module")
def table(make_keyspace, driver):
    connection = make_keyspace("py_writes")
    driver.execute("CREATE TABLE py_writes.t (p int, c int, v text, d double, b blob, PRIMARY KEY (p, c))")
    query(connection, "IMPORT FOREIGN SCHEMA py_writes FROM SERVER py_writes INTO py_writes")
    return connection


ROW = "SELECT g / 100, g %% 100, 'value ' || g, g / 8.0, decode(lpad(to_hex(g), 8, '0'), 'hex') " \
      "FROM generate_series(%d, %d) g"


def row(number):
    return number // 100, number % 100, "value %d" % number, number / 8.0, number.to_bytes(4, "big")


def rows_of(driver, first, last):
    rows = []
    for p in range(first // 100, last // 100 + 1):
        rows += driver.execute("SELECT p, c, v, d, b FROM py_writes.t WHERE p = ?", [p])
    return [tuple(found) for found in rows]


def test_every_row_is_there(table, driver):
    with table.cursor() as cursor:
        cursor.execute("INSERT INTO py_writes.t (p, c, v, d, b) " + ROW % (0, 19999))
        assert cursor.statusmessage == "INSERT 0 20000"
    assert rows_of(driver, 0, 19999) == [row(number) for number in range(20000)]


def waits(pid):
    """How often the process has waited for something so far."""
    with open("/proc/%d/status" % pid) as file:
        return next(int(line.split()[1]) for line in file if line.startswith("voluntary_ctxt_switches"))


def test_answers_are_taken_together(table):
    """Of 1024 in flight an eighth at a time: whoever looks at each spends more on that than on the row."""
    pid = table.info.backend_pid
    before = waits(pid)
    query(table, "INSERT INTO py_writes.t (p, c, v, d, b) " + ROW % (60000, 79999))
    assert waits(pid) - before < 2000


def test_copy(table, driver, tmp_path):
    with table.cursor() as cursor:
        with open(tmp_path / "rows", "w+") as file:
            cursor.copy_expert("COPY (%s) TO STDOUT" % (ROW % (30000, 39999)), file)
            file.seek(0)
            cursor.copy_expert("COPY py_writes.t (p, c, v, d, b) FROM STDIN", file)
        assert cursor.rowcount == 10000
    assert rows_of(driver, 30000, 39999) == [row(number) for number in range(30000, 40000)]


TEXT = "1|1|d\xe4y|none|\\\\x01\n1|2||3|none\n".encode("latin1")
CSV = "c,p,v,d,b\n1,1,'d\xe4\\'y',0.5,\\x01\n2,1,,,''\n".encode()


@pytest.mark.parametrize("columns, options, rows", [
    ("p, c, v, d, b", "DELIMITER '|', NULL 'none', ENCODING 'latin1'", TEXT),
    ("c, p, v, d, b", "FORMAT csv, HEADER, QUOTE '''', ESCAPE '\\', FORCE_NULL (b), FORCE_NOT_NULL (v)", CSV),
    ("c, p, v, d, b", "FORMAT binary", None)], ids=["text", "csv", "binary"])
def test_options_of_copy(columns, options, rows, table, driver, tmp_path):
    """The rows are those of a local table that is copied into alike."""
    query(table, "CREATE TEMP TABLE near (p int, c int, v text, d double precision, b bytea)")
    query(table, "DELETE FROM py_writes.t WHERE p = 1")
    with open(tmp_path / "rows", "w+b") as file, table.cursor() as cursor:
        file.write(rows or b"")
        if rows is None:
            query(table, "INSERT INTO near VALUES (1, 1, 'day', 0.5, decode('01', 'hex')), (1, 2, '', NULL, '')")
            cursor.copy_expert("COPY near (%s) TO STDOUT (%s)" % (columns, options), file)
            query(table, "TRUNCATE near")
        for name in ("near", "py_writes.t"):
            file.seek(0)
            cursor.copy_expert("COPY %s (%s) FROM STDIN (%s)" % (name, columns, options), file)
            assert cursor.rowcount == 2
    expected = query(table, "SELECT p, c, v, d, b FROM near ORDER BY c")
    query(table, "DROP TABLE near")
    assert [tuple(row) for row in driver.execute("SELECT p, c, v, d, b FROM py_writes.t WHERE p = 1")] == [
        (p, c, v, d, None if b is None else bytes(b)) for p, c, v, d, b in expected]


def test_update_and_delete_of_many_rows(table, driver):
    query(table, "INSERT INTO py_writes.t (p, c, v, d, b) " + ROW % (50000, 51999))
    with table.cursor() as cursor:
        cursor.execute("UPDATE py_writes.t SET v = upper(v), d = -d WHERE p BETWEEN 500 AND 519 AND c % 2 = 0")
        assert cursor.statusmessage == "UPDATE 1000"
        cursor.execute("DELETE FROM py_writes.t WHERE p BETWEEN 500 AND 519 AND c % 10 = 1")
        assert cursor.statusmessage == "DELETE 200"
    expected = [row(number) for number in range(50000, 52000) if number % 10 != 1]
    assert rows_of(driver, 50000, 51999) == [
        (p, c, v.upper(), -d, b) if c % 2 == 0 else (p, c, v, d, b) for p, c, v, d, b in expected]


def calls(connection, cql):
    """Requests so far of the backend's statements that begin so, and the rows in them."""
    return query(connection, "SELECT coalesce(sum(calls), 0), coalesce(sum(rows), 0) FROM scylla_statements "
                             "WHERE cql LIKE %s", [cql + "%"])[0]


def test_rows_of_a_partition_share_requests(table, driver):
    """Those that come one after the other, 64 at most; and those of different partitions do not."""
    for rows, requests in (("SELECT 8000, g, 'v', g, NULL FROM generate_series(1, 1000) g", 16),
                           ("SELECT 8001 + g % 2, g, 'v', g, NULL FROM generate_series(1, 1000) g", 1000)):
        before = calls(table, "INSERT INTO py_writes.t ")
        with table.cursor() as cursor:
            cursor.execute("INSERT INTO py_writes.t (p, c, v, d, b) " + rows)
            assert cursor.statusmessage == "INSERT 0 1000"
        after = calls(table, "INSERT INTO py_writes.t ")
        assert (after[0] - before[0], after[1] - before[1]) == (requests, 1000)
    found = [driver.execute("SELECT c, d FROM py_writes.t WHERE p = ?", [p]) for p in (8000, 8001, 8002)]
    assert found[0] == [(g, float(g)) for g in range(1, 1001)]
    assert found[1] + found[2] == [(g, float(g)) for start in (2, 1) for g in range(start, 1001, 2)]
    with table.cursor() as cursor:
        before = calls(table, "DELETE FROM py_writes.t ")
        cursor.execute("DELETE FROM py_writes.t WHERE p = 8000 AND d > 500")
        assert cursor.statusmessage == "DELETE 500"
        after = calls(table, "DELETE FROM py_writes.t ")
        assert (after[0] - before[0], after[1] - before[1]) == (8, 500)
    assert driver.execute("SELECT count(*) FROM py_writes.t WHERE p = 8000") == [(500,)]


def test_the_last_row_of_a_key_wins(make_keyspace, driver):
    """Where rows go in a batch with one timestamp, CQL would take the greater value."""
    connection = make_keyspace("py_last")
    driver.execute("CREATE TABLE py_last.t (p int, c int, v text, PRIMARY KEY (p, c))")
    driver.execute("CREATE TABLE py_last.d (p int, c decimal, v text, PRIMARY KEY (p, c))")
    driver.execute("CREATE TABLE py_last.s (p int, c int, s text STATIC, v text, PRIMARY KEY (p, c))")
    query(connection, "IMPORT FOREIGN SCHEMA py_last FROM SERVER py_last INTO py_last")
    query(connection, "INSERT INTO py_last.t SELECT 1, g % 7, chr(122 - g) FROM generate_series(0, 20) g")
    assert driver.execute("SELECT c, v FROM py_last.t") == [(c, chr(122 - 14 - c)) for c in range(7)]
    query(connection, "INSERT INTO py_last.d VALUES (1, 1.0, 'z'), (1, 1.00, 'y'), (1, 1, 'x'), (1, 2, 'w')")
    assert [v for v, in driver.execute("SELECT v FROM py_last.d")] == ["x", "w"]
    query(connection, "INSERT INTO py_last.s (p, c, s, v) SELECT 1, g, chr(122 - g), 'v' FROM generate_series(0, 20) g")
    assert driver.execute("SELECT DISTINCT p, s FROM py_last.s") == [(1, chr(122 - 20))]


def test_what_a_function_writes_stays_between_rows(make_keyspace, driver):
    """A row that comes after it wins over it, one that came before does not."""
    connection = make_keyspace("py_between")
    driver.execute("CREATE TABLE py_between.t (p int, c int, v text, PRIMARY KEY (p, c))")
    query(connection, "IMPORT FOREIGN SCHEMA py_between FROM SERVER py_between INTO py_between")
    query(connection, "CREATE FUNCTION py_between.write_both(c int) RETURNS text LANGUAGE plpgsql AS $$ BEGIN "
                      "IF c = 3 THEN INSERT INTO py_between.t VALUES (1, 2, 'function'), (1, 4, 'function'); END IF; "
                      "RETURN 'row'; END $$")
    query(connection, "INSERT INTO py_between.t SELECT 1, g, py_between.write_both(g) FROM generate_series(1, 5) g")
    found = dict(driver.execute("SELECT c, v FROM py_between.t"))
    assert found == {1: "row", 2: "function", 3: "row", 4: "row", 5: "row"}


def test_a_conditional_write_of_a_function_finds_the_rows_before_it(make_keyspace, driver):
    connection = make_keyspace("py_claims")
    driver.execute("CREATE TABLE py_claims.t (p int, c int, v text, PRIMARY KEY (p, c))")
    query(connection, "IMPORT FOREIGN SCHEMA py_claims FROM SERVER py_claims INTO py_claims")
    query(connection, "CREATE FUNCTION py_claims.claim(c int) RETURNS text LANGUAGE plpgsql AS $$ DECLARE n int; BEGIN "
                      "INSERT INTO py_claims.t VALUES (1, c, 'function') ON CONFLICT DO NOTHING; "
                      "GET DIAGNOSTICS n = ROW_COUNT; RETURN n; END $$")
    query(connection, "INSERT INTO py_claims.t SELECT 1, g, py_claims.claim(g - 1) FROM generate_series(1, 5) g")
    found = dict(driver.execute("SELECT c, v FROM py_claims.t"))
    assert found == {0: "function", 1: "1", 2: "0", 3: "0", 4: "0", 5: "0"}


def test_timestamps_of_a_backend_rise(table, driver):
    """Those of a batch are one; what a later statement writes is later."""
    query(table, "INSERT INTO py_writes.t (p, c, v) SELECT 9000, g, '' FROM generate_series(1, 500) g")
    query(table, "INSERT INTO py_writes.t (p, c, v) VALUES (9000, 501, '')")
    times = [time for time, in driver.execute("SELECT writetime(v) FROM py_writes.t WHERE p = 9000")]
    assert times == sorted(times) and len(times) == 501 and len(set(times)) == 9


def test_columns_that_are_not_named_are_left_out(table, driver):
    """A NULL that is written is a tombstone, and hides what an older write brings later."""
    query(table, "INSERT INTO py_writes.t (p, c, v) VALUES (9100, 1, 'v')")
    query(table, "INSERT INTO py_writes.t (p, c, v, d, b) VALUES (9100, 2, 'v', NULL, NULL)")
    driver.execute("INSERT INTO py_writes.t (p, c, d) VALUES (9100, 1, 1.5) USING TIMESTAMP 1")
    driver.execute("INSERT INTO py_writes.t (p, c, d) VALUES (9100, 2, 1.5) USING TIMESTAMP 1")
    assert driver.execute("SELECT c, d FROM py_writes.t WHERE p = 9100") == [(1, 1.5), (2, None)]
    query(table, "ALTER FOREIGN TABLE py_writes.t OPTIONS (insert_nulls 'unset')")
    query(table, "INSERT INTO py_writes.t (p, c, v, d, b) VALUES (9100, 3, 'v', NULL, NULL)")
    query(table, "ALTER FOREIGN TABLE py_writes.t OPTIONS (DROP insert_nulls)")
    driver.execute("INSERT INTO py_writes.t (p, c, d) VALUES (9100, 3, 1.5) USING TIMESTAMP 1")
    assert driver.execute("SELECT d FROM py_writes.t WHERE p = 9100 AND c = 3") == [(1.5,)]


def test_a_row_that_fails_keeps_those_before_it(table, driver):
    """But for those of a batch that is not full yet."""
    found = failure(table, "INSERT INTO py_writes.t (p, c, v) SELECT 9200, nullif(g, 300), '' "
                           "FROM generate_series(1, 1000) g")
    assert found.pgcode == "23502"
    assert "row with p = 9200" in found.diag.context
    assert driver.execute("SELECT count(*) FROM py_writes.t WHERE p = 9200")[0][0] <= 256
    assert any("256 rows were written or may have been" in notice for notice in table.notices)


def test_counters(make_keyspace, driver):
    connection = make_keyspace("py_writes_counter")
    driver.execute("CREATE TABLE py_writes_counter.hits (k int PRIMARY KEY, a counter, b counter)")
    query(connection, "IMPORT FOREIGN SCHEMA py_writes_counter FROM SERVER py_writes_counter INTO py_writes_counter")
    query(connection, "INSERT INTO py_writes_counter.hits (k, a) SELECT g % 10, g FROM generate_series(1, 1000) g")
    query(connection, "INSERT INTO py_writes_counter.hits VALUES (3, NULL, 5), (3, -1, NULL)")
    sums = {k: sum(g for g in range(1, 1001) if g % 10 == k) for k in range(10)}
    sums[3] -= 1
    assert driver.execute("SELECT k, a, b FROM py_writes_counter.hits WHERE k = 3") == [(3, sums[3], 5)]
    assert dict((k, a) for k, a in driver.execute("SELECT k, a FROM py_writes_counter.hits")) == sums


def wait_for(connection, sql, check):
    """The first answer that fits: the other session does its work meanwhile."""
    for _ in range(600):
        rows = query(connection, sql)
        if check(rows):
            return rows
        time.sleep(0.05)
    raise AssertionError("still %s" % rows)


def test_progress_in_another_session(table, pg):
    """What a long INSERT has sent and what is acknowledged shows to others, and goes with it."""
    watcher = pg()
    watch = "SELECT * FROM scylla_write_progress WHERE pid = %d" % table.info.backend_pid
    query(table, "ALTER FOREIGN TABLE py_writes.t OPTIONS (ADD write_rate '2000')")
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(failure, table, "INSERT INTO py_writes.t (p, c, v, d, b) " + ROW % (100000, 999999))
        [first] = wait_for(watcher, watch, lambda rows: rows and rows[0][4] > 0)
        [later] = wait_for(watcher, watch, lambda rows: rows and rows[0][4] > first[4])
        _pid, relation, started, sent, acknowledged, failed, sent_bytes = later
        assert relation == "py_writes.t" and started == first[2] and failed == 0
        assert 0 < acknowledged <= sent and sent >= first[3] and sent_bytes > 30 * sent
        query(watcher, "CREATE ROLE py_writes_other; SET ROLE py_writes_other")
        assert query(watcher, watch) == []
        query(watcher, "RESET ROLE; GRANT pg_read_all_stats TO py_writes_other; SET ROLE py_writes_other")
        assert len(query(watcher, watch)) == 1
        query(watcher, "RESET ROLE; DROP ROLE py_writes_other")
        query(watcher, "SELECT pg_cancel_backend(%d)" % table.info.backend_pid)
        assert running.result().pgcode == "57014"
    assert query(watcher, watch) == []
    query(table, "ALTER FOREIGN TABLE py_writes.t OPTIONS (DROP write_rate)")


def test_extraction_goes_on_where_a_session_was_killed(make_keyspace, driver, pg):
    """Two sessions share a table's pieces; what one leaves behind when it is killed the other does."""
    connection = make_keyspace("py_extract")
    driver.execute("CREATE TABLE py_extract.t (k int PRIMARY KEY, v text)")
    query(connection, """
        CREATE FOREIGN TABLE py_extract.t (k int, v text, token bigint OPTIONS (function 'token')) SERVER py_extract;
        INSERT INTO py_extract.t (k, v) SELECT g, 'v' || g FROM generate_series(1, 2000) g;
        CREATE TABLE py_extract.copy (k int, v text);
        CREATE TABLE py_extract.job AS SELECT start_token, end_token, false AS is_done
            FROM scylla_partition_ranges('py_extract.t', 40);
        CREATE PROCEDURE py_extract.work() LANGUAGE plpgsql AS $$
        DECLARE
            piece py_extract.job;
        BEGIN
            LOOP
                SELECT * INTO piece FROM py_extract.job WHERE NOT is_done LIMIT 1 FOR UPDATE SKIP LOCKED;
                EXIT WHEN NOT FOUND;
                INSERT INTO py_extract.copy SELECT k, v FROM py_extract.t
                    WHERE token > piece.start_token AND token <= piece.end_token;
                UPDATE py_extract.job SET is_done = true WHERE start_token = piece.start_token;
                PERFORM pg_sleep(0.05);
                COMMIT;
            END LOOP;
        END $$""")
    killed, other = pg(), pg()
    done = "SELECT count(*) FROM py_extract.job WHERE is_done"
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(failure, killed, "CALL py_extract.work()")
        wait_for(connection, done, lambda rows: rows[0][0] > 0)
        query(connection, "SELECT pg_terminate_backend(%d)" % killed.info.backend_pid)
        assert isinstance(first.result(), psycopg2.OperationalError)
        [(before,)] = query(connection, done)
        assert before < 40
        pool.submit(query, other, "CALL py_extract.work()").result()
    assert query(connection, done) == [(40,)]
    assert query(connection, "SELECT count(*), count(DISTINCT k) FROM py_extract.copy") == [(2000, 2000)]
