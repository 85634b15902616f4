"""Values that one side has and the other has not: each is an error with its SQLSTATE that names the
column, and never another value. Empty values, which CQL has of most types, are NULL with a WARNING."""

import pytest

from cql_types import LAST_DAY, LAST_MS, SCALARS
from support import failure, query, words

KEYSPACE = "types_errors"

# (CQL type, the value as CQL, what the column is declared as, SQLSTATE)
READ_ERRORS = [
    ("text", "blobAsText(0x610062)", "text", "22021"),
    ("ascii", "blobAsAscii(0x6100)", "text", "22021"),
    ("text", "'abcd'", "varchar(3)", "22001"),
    ("text", "'{'", "json", "22P02"),
    ("text", "'{'", "jsonb", "22P02"),
    ("varint", "32768", "smallint", "22003"),
    ("varint", "-2147483649", "integer", "22003"),
    ("varint", "9223372036854775808", "bigint", "22003"),
    ("varint", "blobAsVarint(0x01%s)" % ("00" * 54427), "numeric", "22003"),  # 131073 digits
    ("decimal", "1E-16384", "numeric", "22003"),
    ("decimal", "blobAsDecimal(0xfffe000001)", "numeric", "22003"),  # 1E+131072
    ("decimal", "blobAsDecimal(0x8000000001)", "numeric", "22003"),
    ("decimal", "blobAsDecimal(0x7fffffff01)", "numeric", "22003"),
    ("decimal", "1.234", "numeric(5,2)", "22003"),
    ("timestamp", str(LAST_MS + 1), "timestamptz", "22008"),
    ("timestamp", str(2**63 - 1), "timestamptz", "22008"),
    ("timestamp", str(-2**63), "timestamptz", "22008"),
    ("timestamp", "'2024-01-01 00:00:00.001+0000'", "timestamptz(2)", "22008"),
    ("date", str(2**31 + LAST_DAY + 1), "date", "22008"),
    ("date", str(2**32 - 1), "date", "22008"),
    ("date", "0", "date", "22008"),
    ("time", "'12:00:00.000000001'", "time", "22008"),
    ("time", "'23:59:59.999999999'", "time", "22008"),
    ("duration", "1ns", "interval", "22008"),
    ("duration", "-1mo1ns", "interval", "22008"),
    ("double", "0.1", "numeric", "HV004"),
    ("double", "0.1", "real", "HV004"),
    ("bigint", "1", "integer", "HV004"),
]

# (CQL type, the bind value, SQLSTATE)
BIND_ERRORS = [
    ("ascii", "'ä'::text", "22021"),
    ("tinyint", "128::smallint", "22003"),
    ("tinyint", "-129::integer", "22003"),
    ("smallint", "32768::integer", "22003"),
    ("int", "2147483648::bigint", "22003"),
    ("int", "-2147483649::numeric", "22003"),
    ("bigint", "9223372036854775808::numeric", "22003"),
    ("bigint", "0.5::numeric", "22003"),
    ("varint", "1.5::numeric", "22003"),
    ("varint", "'NaN'::numeric", "22003"),
    ("decimal", "'NaN'::numeric", "22003"),
    ("timestamp", "'infinity'::timestamptz", "22008"),
    ("timestamp", "'-infinity'::timestamptz", "22008"),
    ("timestamp", "'2024-01-01 00:00:00.0001+00'::timestamptz", "22008"),
    ("date", "'infinity'::date", "22008"),
    ("date", "'-infinity'::date", "22008"),
    ("time", "'24:00'::time", "22008"),
    ("duration", "'1 mon -1 day'::interval", "22008"),
    ("duration", "'-1 day 00:00:00.000001'::interval", "22008"),
    ("duration", "make_interval(hours => 2562048)", "22008"),
    ("duration", "'1 parsec'::text", "22P02"),
    ("timeuuid", "'12345678-9abc-4def-8123-456789abcdef'::uuid", "22P02"),
    ("inet", "'10.0.0.0/8'::inet", "22P02"),
    ("int", "'x'::text", "HV004"),
    ("float", "1::float8 / 3", "22003"),
    ("float", "1e300::float8", "22003"),
]


@pytest.fixture(scope="module")
def sql(driver, make_keyspace):
    connection = make_keyspace(KEYSPACE)
    driver.execute("CREATE TABLE %s.t (k int PRIMARY KEY, %s)"
                   % (KEYSPACE, ", ".join("c_%s %s" % (name, name) for name in SCALARS)))
    return connection


def declare(sql, cql, declaration, options=""):
    """A foreign table with that column alone beside the key."""
    query(sql, "DROP FOREIGN TABLE IF EXISTS {0}.t; CREATE FOREIGN TABLE {0}.t (k integer, v {2} OPTIONS "
               "(\"column\" 'c_{1}')) SERVER {0} {3}".format(KEYSPACE, cql, declaration, options))


def check_error(error, code, column, *named):
    assert error.pgcode == code, words(error)
    assert error.diag.column_name == column, words(error)
    for name in named:
        assert name in words(error)


@pytest.mark.parametrize("case", READ_ERRORS, ids=lambda case: "%s %.30s as %s" % case[:3])
def test_read(driver, sql, case):
    cql, value, declaration, code = case
    driver.execute("INSERT INTO %s.t (k, c_%s) VALUES (7, %s)" % (KEYSPACE, cql, value))
    declare(sql, cql, declaration)
    error = failure(sql, "SELECT k, v FROM %s.t WHERE k = 7" % KEYSPACE)
    check_error(error, code, "v", '"v"', '"t"', *["k = 7"] if code != "HV004" else [])
    assert query(sql, "SELECT k FROM %s.t WHERE k = 7" % KEYSPACE) == [(7,)]
    driver.execute("DELETE FROM %s.t WHERE k = 7" % KEYSPACE)


@pytest.mark.parametrize("case", BIND_ERRORS, ids=lambda case: "%s %s" % case[:2])
def test_bind(sql, case):
    cql, value, code = case
    error = failure(sql, "SELECT scylla_execute('{0}', 'INSERT INTO {0}.t (k, c_{1}) VALUES (8, ?)', {2})"
                    .format(KEYSPACE, cql, value))
    check_error(error, code, "c_" + cql, '"c_%s"' % cql)
    assert query(sql, "SELECT * FROM scylla_query('{0}', 'SELECT k FROM {0}.t WHERE k = 8') AS (k int)"
                 .format(KEYSPACE)) == []


@pytest.mark.parametrize("value, cell, message", [
    ("text", b"\xff", "UTF-8"), ("text", b"a\xc3", "UTF-8"), ("text", b"\xed\xa0\x80", "UTF-8"),
    ("text", b"\xc0\x80", "UTF-8"), ("text", b"\xf4\x90\x80\x80", "UTF-8"), ("ascii", b"\x80", ""),
    ("text", b"a\x00b", "")])
def test_bytes_that_are_no_text(nodes, pg, make_server, value, cell, message):
    """No real server lets them in, so a scripted one sends them."""
    node = nodes()
    node.add_table("ks.bad", {"k": "int", "v": value}, ["k"], [[(1, cell)]])
    server = make_server(node.port)
    connection = pg()
    query(connection, "CREATE FOREIGN TABLE %s_bad (k int OPTIONS (type 'int', key 'partition 1'), v text OPTIONS "
                      "(type '%s', key 'regular')) SERVER %s OPTIONS (keyspace 'ks', \"table\" 'bad')"
          % (server, value, server))
    error = failure(connection, "SELECT v FROM %s_bad WHERE k = 1" % server)
    check_error(error, "22021", "v", '"v"', message)


# ---- digits that PostgreSQL or CQL does not have ----

def test_excess_precision_truncates(driver, sql):
    driver.execute("INSERT INTO %s.t (k, c_time, c_duration) VALUES (9, '23:59:59.999999999', 1h1999ns)" % KEYSPACE)
    truncate = "OPTIONS (excess_precision 'truncate')"
    declare(sql, "time", "time", truncate)
    assert query(sql, "SELECT v::text FROM %s.t WHERE k = 9" % KEYSPACE) == [("23:59:59.999999",)]
    declare(sql, "duration", "interval", truncate)
    assert query(sql, "SELECT v::text FROM %s.t WHERE k = 9" % KEYSPACE) == [("PT1H0.000001S",)]
    declare(sql, "duration", "text")
    assert query(sql, "SELECT v FROM %s.t WHERE k = 9" % KEYSPACE) == [("1h1us999ns",)]


def test_excess_precision_truncates_downward(driver, sql):
    query(sql, "ALTER SERVER %s OPTIONS (ADD excess_precision 'truncate')" % KEYSPACE)
    try:
        for k, text in enumerate(("1969-12-31 23:59:59.999999+00", "1970-01-01 00:00:00.000999+00",
                                  "1969-12-31 23:59:59.998001+00"), 10):
            query(sql, "SELECT scylla_execute('{0}', 'INSERT INTO {0}.t (k, c_timestamp) VALUES (?, ?)', {1}, "
                       "'{2}'::timestamptz)".format(KEYSPACE, k, text))
    finally:
        query(sql, "ALTER SERVER %s OPTIONS (DROP excess_precision)" % KEYSPACE)
    rows = dict(driver.execute("SELECT k, c_timestamp FROM %s.t WHERE k IN (10, 11, 12)" % KEYSPACE))
    assert rows == {10: -1, 11: 0, 12: -2}


# ---- empty values ----

EMPTY = [name for name in SCALARS if name not in ("ascii", "text", "blob", "tinyint", "smallint", "date", "time",
                                                  "duration")]  # those have none, or it is a value


def notices(connection, sql):
    del connection.notices[:]
    rows = query(connection, sql)
    return rows, [notice for notice in connection.notices if notice.startswith("WARNING")]


@pytest.mark.parametrize("name", EMPTY)
def test_empty_values_are_null_with_one_warning(driver, sql, name):
    for k in (20, 21, 22):
        driver.execute("INSERT INTO %s.t (k, c_%s) VALUES (%d, blobAs%s(0x))" % (KEYSPACE, name, k, name))
    declare(sql, name, SCALARS[name].sql)
    rows, warnings = notices(sql, "SELECT k, v FROM %s.t WHERE k >= 20" % KEYSPACE)
    assert sorted(rows) == [(20, None), (21, None), (22, None)]
    assert len(warnings) == 1 and '"v"' in warnings[0] and '"t"' in warnings[0]
    _rows, warnings = notices(sql, "SELECT v FROM %s.t WHERE k >= 20" % KEYSPACE)
    assert len(warnings) == 1


@pytest.mark.parametrize("name", ["ascii", "text", "blob"])
def test_empty_text_is_a_value(driver, sql, name):
    driver.execute("INSERT INTO %s.t (k, c_%s) VALUES (20, blobAs%s(0x))"
                   % (KEYSPACE, name, name) if name != "blob" else
                   "INSERT INTO %s.t (k, c_blob) VALUES (20, 0x)" % KEYSPACE)
    declare(sql, name, SCALARS[name].sql)
    rows, warnings = notices(sql, "SELECT length(v) FROM %s.t WHERE k = 20" % KEYSPACE)
    assert rows == [(0,)] and warnings == []


def test_domains_and_lengths(driver, sql):
    """A domain's constraint is checked as the column is read, for NULL too."""
    query(sql, "CREATE DOMAIN {0}.small AS integer CHECK (value < 10); "
               "CREATE DOMAIN {0}.present AS integer NOT NULL".format(KEYSPACE))
    driver.execute("INSERT INTO %s.t (k, c_int) VALUES (30, 11)" % KEYSPACE)
    driver.execute("INSERT INTO %s.t (k) VALUES (31)" % KEYSPACE)
    declare(sql, "int", KEYSPACE + ".small")
    assert failure(sql, "SELECT v FROM %s.t WHERE k = 30" % KEYSPACE).pgcode == "23514"
    declare(sql, "int", KEYSPACE + ".present")
    assert failure(sql, "SELECT v FROM %s.t WHERE k = 31" % KEYSPACE).pgcode == "23502"
