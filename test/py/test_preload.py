"""The extension loaded by the postmaster (shared_preload_libraries), before there are backends."""

import os
import subprocess

import psycopg2
import pytest

from support import TOP, query, threads

SCRIPT = os.path.join(TOP, "test/scripts/pg")
SETTINGS = {"shared_preload_libraries": "scylla_fdw", "scylla_fdw.lookup_join_window": "8"}


@pytest.fixture(scope="module")
def preloaded():
    """A PostgreSQL of its own: by what libpq finds it."""
    options = ["-c %s=%s" % setting for setting in SETTINGS.items()]
    done = subprocess.run([SCRIPT, "start", "--name", "preloaded", "--owner", str(os.getpid()), "--", *options],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    words = dict(word.split("=", 1) for word in done.stdout.split() if "=" in word)
    yield {"host": words["PGHOST"], "port": words["PGPORT"], "user": words["PGUSER"], "dbname": words["PGDATABASE"]}
    subprocess.run([SCRIPT, "stop", "--name", "preloaded"])


@pytest.fixture
def connect(pg, preloaded):
    """connect(): a new connection to that PostgreSQL."""
    return lambda: pg(**preloaded)


@pytest.fixture
def session(connect):
    return connect()


def test_settings_are_known_at_once(session):
    """Those of postgresql.conf are in force, and judged, before the extension is used."""
    assert query(session, "SHOW scylla_fdw.lookup_join_window") == [("8",)]
    with pytest.raises(psycopg2.errors.InvalidParameterValue):
        query(session, "SET scylla_fdw.lookup_join_window = 0")


def fill_shared_memory(connect):
    """Locks that sessions share take what PostgreSQL has left over; a few are given back, for others need some.
    The sessions."""
    holders = []
    while True:
        holders.append(connect())
        try:
            query(holders[-1], "SELECT count(pg_advisory_lock_shared(i)) FROM generate_series(1, 5000) i")
        except psycopg2.errors.OutOfMemory:
            break
    for holder in holders:
        query(holder, "SELECT count(pg_advisory_unlock_shared(i)) FROM generate_series(1, 100) i")
    return holders


def test_no_memory_to_be_watched_in(session, connect, nodes):
    """A statement that writes many rows is not shown then; the backend can be cancelled as before. This comes
    first, for memory that is had once stays."""
    node = nodes()
    holders = fill_shared_memory(connect)
    query(session, "CREATE EXTENSION scylla_fdw; CREATE SERVER scripted FOREIGN DATA WRAPPER scylla_fdw "
                   "OPTIONS (host '127.0.0.1', port '%d'); CREATE USER MAPPING FOR CURRENT_USER SERVER scripted;"
                   "CREATE FOREIGN TABLE watched (k int OPTIONS (key 'partition 1', type 'int'),"
                   "v text OPTIONS (key 'regular', type 'text')) SERVER scripted OPTIONS (keyspace 'ks', \"table\" 't')"
          % node.port)
    query(session, "INSERT INTO watched SELECT i, 'v' FROM generate_series(1, 500) i")
    assert query(session, "SELECT * FROM scylla_write_progress") == []
    with pytest.raises(psycopg2.errors.QueryCanceled):
        query(session, "SET statement_timeout = '100ms'; SELECT pg_sleep(60)")
    for holder in holders:
        query(holder, "SELECT pg_advisory_unlock_all()")
    query(session, "RESET statement_timeout; DROP EXTENSION scylla_fdw CASCADE")


def test_reads_joins_and_writes(session, driver):
    """Each backend has a session of its own, the leader and its workers too."""
    driver.make_keyspace("py_preload")
    driver.execute("CREATE TABLE py_preload.t (k int PRIMARY KEY, v text)")
    host, port = os.environ["SCYLLA_TEST_HOST"], os.environ["SCYLLA_TEST_PORT"]
    query(session, "CREATE EXTENSION scylla_fdw; CREATE SERVER s FOREIGN DATA WRAPPER scylla_fdw "
                   "OPTIONS (host '%s', port '%s', request_timeout '1min', fetch_size '50');"
                   "CREATE USER MAPPING FOR CURRENT_USER SERVER s;"
                   "IMPORT FOREIGN SCHEMA py_preload FROM SERVER s INTO public" % (host, port))
    query(session, "INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 200) AS i")
    assert query(session, "SELECT v FROM t WHERE k = 7") == [("v7",)]

    query(session, "CREATE TABLE outside AS SELECT i AS k FROM generate_series(1, 300) AS i; ANALYZE outside;"
                   "SET enable_hashjoin = off; SET enable_mergejoin = off")
    join = "SELECT count(v), count(*) FROM outside JOIN t USING (k)"
    assert "Scylla Lookup Window" in str(query(session, "EXPLAIN " + join))
    assert query(session, join) == [(200, 200)]

    query(session, "ALTER SERVER s OPTIONS (fdw_startup_cost '0'); ANALYZE t; SET parallel_setup_cost = 0;"
                   "SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0")
    whole = "SELECT sum(length(v)), count(*) FROM t WHERE length(v) > 0"
    assert "Workers Planned" in str(query(session, "EXPLAIN " + whole))
    assert query(session, whole) == [(9 * 2 + 90 * 3 + 101 * 4, 200)]
    assert threads(session.info.backend_pid) == 1
