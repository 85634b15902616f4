"""Random queries give the same rows as on a local copy (differential.py): so many of fixed seeds."""

import psycopg2
import pytest

from differential import KEYSPACE, prepare, run_case
from support import keep_cql

SEEDS = (1, 2, 3, 6, 7, 8, 9)  # of which most queries have rows
QUERIES = 40


@pytest.fixture(scope="module")
def connection(database, driver, cql_host, cql_port):
    driver.make_keyspace(KEYSPACE)
    connected = psycopg2.connect(dbname=database)
    connected.autocommit = True
    prepare(connected, cql_host, cql_port)
    yield connected
    connected.close()


@pytest.mark.time_limit(300)
@pytest.mark.parametrize("seed", SEEDS)
def test_random_queries(seed, driver, connection):
    case = run_case(seed, QUERIES, driver, connection)
    assert case.counts["with rows"] > QUERIES
    keep_cql(case.texts)
