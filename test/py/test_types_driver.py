"""Values of every CQL type, exactly and both ways: what an independent driver writes reads back in
SQL, and what SQL binds reads back in the driver. Edge values of each scalar type, then random
values of random types.

TYPES_SEED and TYPES_VALUES (100000) set the random test's seed and the number of its values.
"""

import os
import random
import time

import pytest

from cql_types import SCALARS, Shape, Udts, draw_type, parse_json
from support import query

KEYSPACE = "types_driver"
SEED = int(os.environ.get("TYPES_SEED") or random.SystemRandom().randrange(2**32))
VALUES = int(os.environ.get("TYPES_VALUES") or 100000)
COLUMNS_PER_TABLE = 40
ROWS_PER_TABLE = 125
NESTING = 3


@pytest.fixture(scope="module")
def sql(make_keyspace):
    return make_keyspace(KEYSPACE)


def import_table(sql, table):
    """Import it; {column: (declaration, Shape)} of the columns that it got."""
    query(sql, "IMPORT FOREIGN SCHEMA {0} LIMIT TO ({1}) FROM SERVER {0} INTO {0}".format(KEYSPACE, table))
    rows = query(sql, "SELECT attname, format_type(atttypid, atttypmod), atttypid::oid FROM pg_attribute "
                      "WHERE attrelid = %s::regclass AND attnum > 0", ["%s.%s" % (KEYSPACE, table)])
    return {name: (declaration, find_shape(sql, oid)) for name, declaration, oid in rows}


def find_shape(sql, oid):
    name, kind, category, element, relation = query(
        sql, "SELECT typname, typtype, typcategory, typelem, typrelid FROM pg_type WHERE oid = %s", [oid])[0]
    if name == "jsonb":
        return Shape("json")
    if kind == "c":
        fields = query(sql, "SELECT atttypid FROM pg_attribute WHERE attrelid = %s AND attnum > 0 ORDER BY attnum",
                       [relation])
        return Shape("record", [find_shape(sql, field) for field, in fields])
    if category == "A":
        return Shape("array", [find_shape(sql, element)])
    return Shape("scalar")


def differences(cql, wanted, got):
    return [] if (wanted is got if wanted is None or got is None else cql.same(wanted, got)) else [
        "%s: %s became %s" % (cql, shorten(wanted), shorten(got))]


def shorten(value):
    text = repr(value)
    return text if len(text) < 400 else "%s...(%d)" % (text[:400], len(text))


# ---- edge values ----

@pytest.mark.parametrize("name", SCALARS)
def test_driver_writes_sql_reads(driver, sql, name):
    cql = SCALARS[name]
    table = "read_" + name
    driver.execute("CREATE TABLE %s.%s (k int PRIMARY KEY, v %s)" % (KEYSPACE, table, name))
    driver.execute_all("INSERT INTO %s.%s (k, v) VALUES (?, ?)" % (KEYSPACE, table),
                       [(k, cql.to_driver(value)) for k, value in enumerate(cql.edges)])
    declaration, _shape = import_table(sql, table)["v"]
    assert declaration == cql.sql
    rows = dict(query(sql, "SELECT k, v::text FROM %s.%s" % (KEYSPACE, table)))
    assert sorted(rows) == list(range(len(cql.edges)))
    assert sum((differences(cql, value, cql.from_sql(rows[k])) for k, value in enumerate(cql.edges)), []) == []


@pytest.mark.parametrize("name", SCALARS)
def test_sql_binds_driver_reads(driver, sql, name):
    cql = SCALARS[name]
    table = "%s.bind_%s" % (KEYSPACE, name)
    driver.execute("CREATE TABLE %s (k int PRIMARY KEY, v %s)" % (table, name))
    for k, value in enumerate(cql.edges):
        query(sql, "SELECT scylla_execute('%s', 'INSERT INTO %s (k, v) VALUES (?, ?)', %%s, %%s::%s)"
              % (KEYSPACE, table, cql.sql), [k, cql.to_sql(value)])
    rows = dict(driver.execute("SELECT k, v FROM %s" % table))
    assert sorted(rows) == list(range(len(cql.edges)))
    assert sum((differences(cql, value, cql.from_driver(rows[k])) for k, value in enumerate(cql.edges)), []) == []


def test_counters(driver, sql):
    driver.execute("CREATE TABLE %s.counters (k int PRIMARY KEY, v counter)" % KEYSPACE)
    steps = [1, -1, 2**63 - 1, -2**63 + 1]
    for k, step in enumerate(steps):
        driver.execute("UPDATE %s.counters SET v = v + ? WHERE k = ?" % KEYSPACE, [step, k])
    assert import_table(sql, "counters")["v"][0] == "bigint"
    assert query(sql, "SELECT v FROM %s.counters ORDER BY k" % KEYSPACE) == [(step,) for step in steps]
    query(sql, "SELECT scylla_execute('{0}', 'UPDATE {0}.counters SET v = v + ? WHERE k = ?', -41::bigint, 0)"
          .format(KEYSPACE))
    assert driver.execute("SELECT v FROM %s.counters WHERE k = 0" % KEYSPACE) == [(-40,)]


def test_null(driver, sql):
    """Each type's null is SQL's NULL, both ways."""
    columns = ["c_" + name for name in SCALARS]
    driver.execute("CREATE TABLE %s.nulls (k int PRIMARY KEY, %s)"
                   % (KEYSPACE, ", ".join("c_%s %s" % (name, name) for name in SCALARS)))
    driver.execute("INSERT INTO %s.nulls (k) VALUES (1)" % KEYSPACE)
    import_table(sql, "nulls")
    assert query(sql, "SELECT %s FROM %s.nulls" % (", ".join(columns), KEYSPACE)) == [(None,) * len(columns)]
    query(sql, "SELECT scylla_execute('{0}', 'INSERT INTO {0}.nulls (k, {1}) VALUES (2{2})'{3})".format(
        KEYSPACE, ", ".join(columns), ", ?" * len(columns),
        "".join(", NULL::" + scalar.sql for scalar in SCALARS.values())))
    assert driver.execute("SELECT %s FROM %s.nulls WHERE k = 2" % (", ".join(columns), KEYSPACE)) == [
        (None,) * len(columns)]


# ---- random values ----

class Trial:
    """A table of random types, written by one side and read by the other."""

    def __init__(self, driver, sql, name, rng, nesting):
        self.driver = driver
        self.sql = sql
        self.name = name
        self.rng = rng
        udts = Udts(name)
        self.types = {"c%d" % i: draw_type(rng, rng.randint(0, nesting), udts)
                      for i in range(COLUMNS_PER_TABLE)}
        for udt in udts:
            driver.execute("CREATE TYPE %s.%s (%s)" % (KEYSPACE, udt.cql, udt.definition))
        driver.execute("CREATE TABLE %s.%s (k int PRIMARY KEY, %s)" % (KEYSPACE, name, ", ".join(
            "%s %s" % (column, self.declare(cql)) for column, cql in self.types.items())))
        if udts and query(sql, "SELECT FROM pg_proc WHERE proname = 'scylla_create_types'") and rng.random() < 0.5:
            query(sql, "SELECT scylla_create_types('{0}', '{0}', '{0}')".format(KEYSPACE))
        self.columns = import_table(sql, name)
        missing = [cql for column, cql in self.types.items() if column not in self.columns]
        assert not missing, "not imported: %s" % missing
        self.rows = [[self.draw(cql) for cql in self.types.values()] for _ in range(ROWS_PER_TABLE)]

    def declare(self, cql):
        """Some frozen, some not."""
        return cql.frozen if hasattr(cql, "frozen") and self.rng.random() < 0.5 else cql.cql

    def draw(self, cql):
        """A value or null; a collection that is not frozen has no empty value but null."""
        value = cql.draw(self.rng) if self.rng.random() < 0.9 else None
        return None if value == [] else value

    def insert(self):
        return "INSERT INTO %s.%s (k, %s) VALUES (?%s)" % (
            KEYSPACE, self.name, ", ".join(self.types), ", ?" * len(self.types))

    def driver_to_sql(self):
        self.driver.execute_all(self.insert(), [
            [k] + [value if value is None else cql.to_driver(value) for cql, value in zip(self.types.values(), row)]
            for k, row in enumerate(self.rows)])
        rows = query(self.sql, "SELECT k, %s FROM %s.%s" % (
            ", ".join(column + "::text" for column in self.types), KEYSPACE, self.name))
        self.compare(rows, lambda column, cql, text: self.columns[column][1].parse(cql, text))

    def server_to_json(self):
        """The server's own JSON, which is the reference for jsonb, reads by the rules of this test."""
        rows = self.driver.execute("SELECT JSON * FROM %s.%s" % (KEYSPACE, self.name))
        parsed = [parse_json(text) for text, in rows]
        self.compare([[row[name] for name in ["k"] + list(self.types)] for row in parsed],
                     lambda column, cql, value: cql.from_json(value))

    def sql_to_driver(self):
        query(self.sql, "SELECT scylla_execute('{0}', 'TRUNCATE {0}.{1}')".format(KEYSPACE, self.name))
        casts = "".join(", %s::" + self.columns[column][0] for column in self.types)
        call = "SELECT scylla_execute('%s', '%s', %%s%s)" % (KEYSPACE, self.insert(), casts)
        for k, row in enumerate(self.rows):
            texts = [value if value is None else self.columns[column][1].print(cql, value)
                     for (column, cql), value in zip(self.types.items(), row)]
            query(self.sql, call, [k] + texts)
        rows = self.driver.execute("SELECT k, %s FROM %s.%s" % (", ".join(self.types), KEYSPACE, self.name))
        self.compare(rows, lambda column, cql, value: cql.from_driver(value))

    def compare(self, rows, read):
        found = {row[0]: row[1:] for row in rows}
        assert sorted(found) == list(range(len(self.rows)))
        wrong = []
        for k, row in enumerate(self.rows):
            for (column, cql), wanted, got in zip(self.types.items(), row, found[k]):
                wrong += differences(cql, wanted, got if got is None else read(column, cql, got))
        assert wrong[:10] == []


def is_nesting_supported(driver, sql):
    driver.execute("CREATE TYPE IF NOT EXISTS %s.probe_type (f int)" % KEYSPACE)
    driver.execute("CREATE TABLE IF NOT EXISTS %s.probe (k int PRIMARY KEY, l list<int>, s set<text>, m map<int, text>, "
                   "t tuple<int, text>, u probe_type, v vector<float, 2>)" % KEYSPACE)
    return len(import_table(sql, "probe")) == 7


@pytest.mark.time_limit(600)
def test_random_values(driver, sql):
    """Half of the values in each direction; the seed is shown."""
    print("TYPES_SEED=%d" % SEED)
    nesting = NESTING if is_nesting_supported(driver, sql) else 0
    rng = random.Random(SEED)
    began = time.monotonic()
    done = 0
    while done < VALUES:
        trial = Trial(driver, sql, "random_%d" % (done // (2 * COLUMNS_PER_TABLE * ROWS_PER_TABLE)), rng, nesting)
        trial.driver_to_sql()
        trial.server_to_json()
        trial.sql_to_driver()
        done += 2 * len(trial.types) * len(trial.rows)
    print("%d values, nested to depth %d, in %.0f s" % (done, nesting, time.monotonic() - began))
