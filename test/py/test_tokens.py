"""scylla_token() and the functions about timeuuids, beside what the server and the independent driver
compute; and the columns that CQL computes."""

import os
import random
import uuid

import pytest
from cassandra.metadata import Murmur3Token

from cql_types import SCALARS, days_from_civil, print_timestamp
from support import query

KEYSPACE = "tokens"
KEY_TYPES = [scalar for scalar in SCALARS.values() if scalar.is_hashable_key]
SEED = int(os.environ.get("TYPES_SEED") or random.SystemRandom().randrange(2**32))


@pytest.fixture(scope="module")
def sql(make_keyspace):
    return make_keyspace(KEYSPACE)


def is_key(scalar, value):
    """No server takes the empty key; numeric has no negative scale, which in a key matters."""
    return value not in ("", b"") and not (scalar.name == "decimal" and value.as_tuple().exponent > 0) and not (
        isinstance(value, (str, bytes)) and len(scalar.to_sql(value).encode()) > 60000)


def make_table(driver, sql, name, types):
    columns = ["k%d" % i for i in range(len(types))]
    driver.execute("CREATE TABLE %s.%s (%s, PRIMARY KEY ((%s)))" % (
        KEYSPACE, name, ", ".join(map("{} {}".format, columns, types)), ", ".join(columns)))
    query(sql, "IMPORT FOREIGN SCHEMA {0} LIMIT TO ({1}) FROM SERVER {0} INTO {0}".format(KEYSPACE, name))
    return columns


def check_tokens(driver, sql, name, types, rows):
    """Each key's token is that of the server, of the driver, of SQL and of the computed column."""
    columns = make_table(driver, sql, name, types)
    table = "%s.%s" % (KEYSPACE, name)
    listed = ", ".join(columns)
    insert = driver.session.prepare("INSERT INTO %s (%s) VALUES (%s)" % (table, listed, ", ".join("?" * len(types))))
    select = "SELECT token(%s) FROM %s WHERE %s" % (listed, table, " AND ".join(map("{} = ?".format, columns)))
    query(sql, "ALTER FOREIGN TABLE %s ADD COLUMN token bigint OPTIONS (function 'token')" % table)
    tokens = []
    for row in rows:
        values = [scalar.to_driver(value) for scalar, value in zip(types, row)]
        bound = insert.bind(values)
        driver.session.execute(bound)
        (wanted,), = driver.execute(select, values)
        assert Murmur3Token.hash_fn(bound.routing_key) == wanted
        got = query(sql, "SELECT scylla_token('%s', %s)" % (table, ", ".join("%s::" + scalar.sql for scalar in types)),
                    [scalar.to_sql(value) for scalar, value in zip(types, row)])
        assert got == [(wanted,)], row
        tokens.append((wanted,))
    assert sorted(query(sql, "SELECT token FROM %s" % table)) == sorted(set(tokens))
    assert query(sql, "SELECT count(*) FROM %s WHERE token <> scylla_token('%s', %s)" % (table, table, listed)) == [(0,)]


@pytest.mark.parametrize("scalar", KEY_TYPES, ids=str)
def test_keys_of_one_column(driver, sql, scalar):
    values = [value for value in scalar.edges if is_key(scalar, value)]
    check_tokens(driver, sql, "one_" + scalar.name, [scalar], [[value] for value in values])


def test_keys_of_several_columns(driver, sql):
    print("TYPES_SEED=%d" % SEED)
    rng = random.Random(SEED)
    for number in range(8):
        types = [rng.choice(KEY_TYPES) for _ in range(rng.randint(2, 5))]
        rows = [[scalar.draw(rng) for scalar in types] for _ in range(20)]
        check_tokens(driver, sql, "several_%d" % number, types, rows)


# ---- timeuuids ----

FIRST_MS = days_from_civil(1582, 10, 15) * 86400000
LAST_MS = (2**60 // 10000) + FIRST_MS - 1


def test_timeuuids_of_a_millisecond(driver, sql):
    rng = random.Random(SEED)
    times = [FIRST_MS, FIRST_MS + 1, -1001, -1, 0, 1, 999, 946684800000, LAST_MS - 1, LAST_MS] + [
        rng.randint(FIRST_MS, LAST_MS) for _ in range(300)]
    driver.execute("CREATE TABLE %s.times (t timestamp PRIMARY KEY)" % KEYSPACE)
    driver.execute_all("INSERT INTO %s.times (t) VALUES (?)" % KEYSPACE, [[time] for time in times])
    rows = driver.execute("SELECT t, minTimeuuid(t), maxTimeuuid(t) FROM %s.times" % KEYSPACE)
    assert len(rows) == len(set(times))
    for time, least, greatest in rows:
        for us in ("000", "001", "999"):  # fractions of the millisecond are dropped
            text = print_timestamp(time).replace("+00", us + "+00")
            assert query(sql, "SELECT min_timeuuid(%s)::text, max_timeuuid(%s)::text", [text, text]) == [
                (str(least), str(greatest))], text


def test_time_of_a_timeuuid(sql):
    rng = random.Random(SEED)
    numbers = [0, 2**128 - 1] + [rng.getrandbits(128) for _ in range(300)]
    for timeuuid in [uuid.UUID(int=number & ~(0xf << 76) | 1 << 76) for number in numbers]:
        us = timeuuid.time // 10 + FIRST_MS * 1000
        text = print_timestamp(us // 1000).replace("+00", "%03d+00" % (us % 1000))
        assert query(sql, "SELECT timeuuid_timestamp(%s) = %s::timestamptz", [str(timeuuid), text]) == [(True,)], text


# ---- computed columns ----

def test_ttl_and_writetime(driver, sql):
    driver.execute("CREATE TABLE %s.computed (k int, c int, s int static, v text, \"W w\" frozen<list<int>>, n int, "
                   "PRIMARY KEY (k, c))" % KEYSPACE)
    query(sql, "CREATE FOREIGN TABLE {0}.computed (k int, c int, v_time timestamptz OPTIONS (function 'writetime(v)'), "
               "v_us bigint OPTIONS (function 'writetime(v)'), s_time bigint OPTIONS (function 'writetime(s)'), "
               "w_ttl int OPTIONS (function 'ttl(W w)'), n_ttl int OPTIONS (function 'ttl(n)')) SERVER {0}"
          .format(KEYSPACE))
    driver.execute("INSERT INTO %s.computed (k, c, v, n) VALUES (1, 1, 'x', 1) USING TIMESTAMP 1700000000123457"
                   % KEYSPACE)
    driver.execute("INSERT INTO %s.computed (k, s) VALUES (1, 1) USING TIMESTAMP -1" % KEYSPACE)
    driver.execute("INSERT INTO %s.computed (k, c, \"W w\") VALUES (1, 1, [1]) USING TTL 1000" % KEYSPACE)
    rows = query(sql, "SELECT v_time::text, v_us, s_time, w_ttl BETWEEN 900 AND 1000, n_ttl FROM %s.computed" % KEYSPACE)
    assert rows == [("2023-11-14 22:13:20.123457+00", 1700000000123457, -1, True, None)]
    # of a static column alone, beside a condition on the clustering key
    assert query(sql, "SELECT s_time FROM %s.computed WHERE k = 1 AND c = 1" % KEYSPACE) == [(-1,)]
