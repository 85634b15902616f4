"""Lookup joins beside a session that changes the outer rows."""

import pytest

from support import Running, query, wait_until


@pytest.fixture
def joined(make_keyspace, driver):
    """Ten outer rows whose keys are found, and what their update by a lookup join is."""
    connection = make_keyspace("py_lookup")
    driver.execute("CREATE TABLE py_lookup.far (id int PRIMARY KEY, v text)")
    query(connection, "SET search_path = py_lookup; SET enable_hashjoin = off; SET enable_memoize = off;"
                      "IMPORT FOREIGN SCHEMA py_lookup FROM SERVER py_lookup INTO py_lookup;"
                      "INSERT INTO far SELECT i, 'far ' || i FROM generate_series(1, 30) i;"
                      "CREATE TABLE near AS SELECT i AS id, i AS k, 'as it was' AS v, 0 AS n FROM generate_series(1, 10) i;"
                      "ANALYZE near")
    yield connection
    query(connection, "DROP TABLE near")


UPDATE = "UPDATE near SET v = far.v FROM far WHERE far.id = near.k"


def test_rows_that_changed_meanwhile_are_checked_again(joined, pg):
    assert "Scylla Lookup Window" in "\n".join(line for line, in query(joined, "EXPLAIN " + UPDATE))
    other = pg()
    query(other, "BEGIN; UPDATE py_lookup.near SET k = 20 WHERE id = 3; UPDATE py_lookup.near SET n = 1 WHERE id = 5;"
                 "DELETE FROM py_lookup.near WHERE id = 7")
    update = Running(joined, UPDATE)
    control = pg()
    wait_until(lambda: query(control, "SELECT 1 FROM pg_locks WHERE pid = %s AND NOT granted", [update.pid]))
    query(other, "COMMIT")
    assert update.join().error is None
    # Of row 3 the key is another now than the one whose answer was joined; so it is no match.
    assert query(joined, "SELECT id, k, v, n FROM near ORDER BY id") == [
        (i, 20 if i == 3 else i, "as it was" if i == 3 else "far %d" % i, int(i == 5)) for i in range(1, 11) if i != 7]


def test_memory_of_the_window(make_keyspace, driver):
    """What the making of a key leaves behind does not stay for all rows that were ever read ahead."""
    connection = make_keyspace("py_lookup_memory")
    driver.execute("CREATE TABLE py_lookup_memory.far (id varint PRIMARY KEY, v text)")
    query(connection, "SET search_path = py_lookup_memory; SET enable_hashjoin = off; SET enable_mergejoin = off;"
                      "SET enable_memoize = off;"
                      "IMPORT FOREIGN SCHEMA py_lookup_memory FROM SERVER py_lookup_memory INTO py_lookup_memory;"
                      "INSERT INTO far SELECT i, 'far ' || i FROM generate_series(0, 9) i;"
                      "CREATE TABLE near AS SELECT (i % 10)::numeric AS k FROM generate_series(1, 20000) i;"
                      "ANALYZE near")
    join = "SELECT far.v FROM near JOIN far ON far.id = near.k"
    assert "Scylla Lookup Window" in "\n".join(line for line, in query(connection, "EXPLAIN " + join))
    query(connection, "BEGIN; DECLARE c CURSOR FOR %s; MOVE 19000 IN c" % join)
    [(size,)] = query(connection, "SELECT sum(total_bytes) FROM pg_backend_memory_contexts "
                                  "WHERE name = 'scylla_fdw window'")
    assert 0 < size < 1024 * 1024
    assert len(query(connection, "FETCH ALL FROM c")) == 1000
    query(connection, "COMMIT")
