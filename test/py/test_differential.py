"""Random queries give the same rows as on a local copy (differential.py): so many of fixed seeds."""

import os

import psycopg2
import pytest

from conftest import TOP
from differential import KEYSPACE, prepare, run_case

CASES = 6
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
@pytest.mark.parametrize("seed", range(1, CASES + 1))
def test_random_queries(seed, driver, connection):
    case = run_case(seed, QUERIES, driver, connection)
    assert case.counts["with rows"] > QUERIES
    with open(os.path.join(TOP, ".scratch/cql.log"), "a") as log:
        log.writelines(text + "\n" for text in sorted(case.texts))
