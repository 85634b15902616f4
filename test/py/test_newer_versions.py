"""What PostgreSQL has learnt since 15, on foreign tables: skipped where it has not yet."""

import io

import pytest

from support import failure, query


@pytest.fixture(scope="module")
def table(make_keyspace, driver):
    """py_newer.t, a table of rows (1, 1, 'a', 10) and (1, 2, 'b', NULL), and py_newer.hits of a counter."""
    connection = make_keyspace("py_newer")
    driver.execute("CREATE TABLE py_newer.t (p int, c int, v text, n int, PRIMARY KEY (p, c))")
    driver.execute("CREATE TABLE py_newer.hits (k int PRIMARY KEY, n counter)")
    query(connection, "IMPORT FOREIGN SCHEMA py_newer FROM SERVER py_newer INTO py_newer; SET search_path = py_newer, public")
    return connection


@pytest.fixture
def rows(table, driver):
    driver.execute("TRUNCATE py_newer.t")
    query(table, "INSERT INTO t (p, c, v, n) VALUES (1, 1, 'a', 10), (1, 2, 'b', NULL)")
    return table


def needs(connection, version):
    if connection.server_version < version * 10000:
        pytest.skip("PostgreSQL %d has it" % version)


def test_copy_leaves_bad_rows_out(table, driver):
    needs(table, 17)
    with table.cursor() as cursor:
        cursor.copy_expert("COPY t (p, c, n) FROM STDIN (ON_ERROR ignore)", io.StringIO("7\t1\t1\n7\tx\t2\n7\t3\t3\n"))
        assert cursor.rowcount == 2
    assert driver.execute("SELECT c, n FROM py_newer.t WHERE p = 7") == [(1, 1), (3, 3)]


def test_merge_from_a_foreign_table(rows):
    needs(rows, 17)
    query(rows, "CREATE TEMP TABLE near (c int, v text); INSERT INTO near VALUES (1, 'x'), (9, 'y')")
    assert sorted(query(rows, """
        MERGE INTO near USING (SELECT * FROM t WHERE p = 1) t ON near.c = t.c
        WHEN MATCHED THEN UPDATE SET v = t.v
        WHEN NOT MATCHED THEN INSERT VALUES (t.c, t.v)
        WHEN NOT MATCHED BY SOURCE THEN DELETE
        RETURNING merge_action(), near.c, near.v""")) == [("DELETE", 9, "y"), ("INSERT", 2, "b"), ("UPDATE", 1, "a")]
    assert failure(rows, "MERGE INTO t USING near ON t.p = 1 AND t.c = near.c "
                         "WHEN MATCHED THEN UPDATE SET v = near.v").pgcode in ("42809", "0A000")


def test_json_table_is_looked_up(rows):
    needs(rows, 17)
    keys = "JSON_TABLE('[{\"c\": 1}, {\"c\": 2}, {\"c\": 3}]', '$[*]' COLUMNS (c int PATH '$.c')) j"
    assert query(rows, "SELECT j.c, v FROM %s LEFT JOIN t ON p = 1 AND t.c = j.c ORDER BY 1" % keys) == [
        (1, "a"), (2, "b"), (3, None)]


def test_returning_old_and_new_of_an_insert(rows):
    needs(rows, 18)
    assert query(rows, "INSERT INTO t (p, c, v) VALUES (2, 1, 'x') RETURNING old.v, new.v, new.n, old IS NULL") == [
        (None, "x", None, True)]
    # those that are there already are no rows of the INSERT
    assert query(rows, "INSERT INTO t (p, c, v) VALUES (1, 1, 'x'), (1, 3, 'y') ON CONFLICT DO NOTHING "
                       "RETURNING old.v, new.v") == [(None, "y")]


def test_returning_old_and_new_of_an_update(rows, driver):
    needs(rows, 18)
    assert sorted(query(rows, "UPDATE t SET n = coalesce(n, 0) + 1 WHERE p = 1 "
                              "RETURNING old.c, new.c, old.n, new.n, old.v, new")) == [
        (1, 1, 10, 11, "a", "(1,1,11,a)"), (2, 2, None, 1, "b", "(1,2,1,b)")]
    assert query(rows, "UPDATE t SET v = x FROM (VALUES (2, 'z')) k (c, x) WHERE p = 1 AND t.c = k.c "
                       "RETURNING WITH (OLD AS before, NEW AS after) before.v, after.v, x") == [("b", "z", "z")]
    assert driver.execute("SELECT c, v, n FROM py_newer.t WHERE p = 1") == [(1, "a", 11), (2, "z", 1)]


def test_returning_old_and_new_of_a_delete(rows, driver):
    needs(rows, 18)
    assert query(rows, "DELETE FROM t WHERE p = 1 AND c = 1 RETURNING old.*, new.v, new IS NULL, v") == [
        (1, 1, 10, "a", None, True, "a")]
    query(rows, "ALTER FOREIGN TABLE t OPTIONS (ADD if_exists 'true')")
    assert query(rows, "DELETE FROM t WHERE p = 1 RETURNING old.c, new.c") == [(2, None)]
    query(rows, "ALTER FOREIGN TABLE t OPTIONS (DROP if_exists)")
    assert driver.execute("SELECT c FROM py_newer.t WHERE p = 1") == []


def test_returning_old_and_new_of_a_counter(table, driver):
    """As with RETURNING of all versions: computed from what was read."""
    needs(table, 18)
    assert query(table, "INSERT INTO hits VALUES (1, 5) RETURNING old.n, new.n") == [(None, 5)]
    assert query(table, "UPDATE hits SET n = n + 2 WHERE k = 1 RETURNING old.n, new.n") == [(5, 7)]
    assert driver.execute("SELECT n FROM py_newer.hits WHERE k = 1") == [(7,)]


def test_returning_old_and_new_through_a_partitioned_table(rows, driver):
    needs(rows, 18)
    query(rows, "CREATE TABLE whole (v text, n int, c int, p int) PARTITION BY LIST (p);"
                "ALTER TABLE whole ATTACH PARTITION t FOR VALUES IN (1)")
    try:
        assert query(rows, "UPDATE whole SET v = 'w' WHERE p = 1 AND c = 1 RETURNING old, new") == [
            ("(a,10,1,1)", "(w,10,1,1)")]
        assert query(rows, "INSERT INTO whole VALUES ('i', 3, 3, 1) RETURNING old.n, new.n") == [(None, 3)]
        assert query(rows, "DELETE FROM whole WHERE p = 1 AND c = 1 RETURNING old, new.v") == [("(w,10,1,1)", None)]
    finally:
        query(rows, "ALTER TABLE whole DETACH PARTITION t; DROP TABLE whole")


@pytest.fixture
def computed(rows):
    """py_newer.doubled: t with a virtual column before its others, which nothing remote stands for."""
    needs(rows, 18)
    query(rows, "CREATE FOREIGN TABLE doubled (p int, twice int GENERATED ALWAYS AS (n * 2) VIRTUAL, c int, v text, n int)"
                " SERVER py_newer OPTIONS (keyspace 'py_newer', \"table\" 't')")
    yield rows
    query(rows, "DROP FOREIGN TABLE doubled")


def test_virtual_columns_are_read(computed):
    assert query(computed, "SELECT * FROM doubled ORDER BY c") == [(1, 20, 1, "a", 10), (1, None, 2, "b", None)]
    assert query(computed, "SELECT c, twice FROM doubled WHERE p = 1 AND twice > 5") == [(1, 20)]
    assert query(computed, "SELECT sum(twice), count(twice), count(*) FROM doubled") == [(20, 1, 2)]
    assert query(computed, "SELECT doubled FROM doubled WHERE c = 1") == [("(1,20,1,a,10)",)]
    assert query(computed, "SELECT b.twice FROM doubled a JOIN doubled b ON b.p = a.p AND b.c = a.twice / 20") == [(20,)]
    [(plan,)] = query(computed, "EXPLAIN (VERBOSE, FORMAT JSON) SELECT twice FROM doubled WHERE p = 1")
    assert "SELECT n FROM py_newer.t WHERE p = ?" in str(plan)


def test_virtual_columns_are_not_written(computed, driver):
    assert query(computed, "INSERT INTO doubled (p, c, n) VALUES (3, 1, 4) RETURNING *") == [(3, 8, 1, None, 4)]
    assert query(computed, "UPDATE doubled SET n = 5 WHERE p = 3 RETURNING old.twice, new.twice, twice") == [(8, 10, 10)]
    assert driver.execute("SELECT p, c, v, n FROM py_newer.t WHERE p = 3") == [(3, 1, None, 5)]
    assert query(computed, "DELETE FROM doubled WHERE p = 3 RETURNING old.twice, new.twice, n") == [(10, None, 5)]
    with computed.cursor() as cursor:
        cursor.copy_expert("COPY doubled (p, c, n) FROM STDIN", io.StringIO("3\t2\t6\n"))
    assert query(computed, "SELECT twice FROM doubled WHERE p = 3") == [(12,)]
    assert failure(computed, "UPDATE doubled SET twice = 1 WHERE p = 3").pgcode == "428C9"


def test_virtual_columns_are_described_as_nothing(computed):
    query(computed, "ANALYZE doubled")
    assert query(computed, "SELECT name, mismatch FROM scylla_describe('doubled') WHERE kind = 'column'") == [
        ("p", None), ("c", None), ("n", None), ("v", None)]
