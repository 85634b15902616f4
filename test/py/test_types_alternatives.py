"""What a column may be declared as besides what IMPORT declares: values read as each, and bound as
each come back to the driver; custom types; databases of another encoding; pgvector where it is."""

from decimal import Decimal

import psycopg2
import pytest

from node import AUTH_RESPONSE
from support import failure, query, words

KEYSPACE = "types_alternatives"

# (CQL type, declared as, the value for the driver, its text in SQL)
PAIRS = [
    ("text", "varchar", "ä€", "ä€"),
    ("text", "varchar(3)", "äbc", "äbc"),
    ("text", "json", '{"b": 1,  "a": [2]}', '{"b": 1,  "a": [2]}'),
    ("text", "jsonb", '{"a": [2], "b": 1}', '{"a": [2], "b": 1}'),
    ("text", "xml", "<a>b</a>", "<a>b</a>"),
    ("text", KEYSPACE + ".mood", "ok", "ok"),
    ("ascii", "varchar", "abc", "abc"),
    ("ascii", "json", "[1]", "[1]"),
    ("ascii", "jsonb", "[1]", "[1]"),
    ("ascii", "xml", "<a/>", "<a/>"),
    ("ascii", KEYSPACE + ".mood", "sad", "sad"),
    ("tinyint", "integer", -128, "-128"),
    ("tinyint", "bigint", 127, "127"),
    ("tinyint", "numeric", -1, "-1"),
    ("smallint", "integer", -32768, "-32768"),
    ("smallint", "bigint", 32767, "32767"),
    ("smallint", "numeric", 5, "5"),
    ("int", "bigint", -2**31, "-2147483648"),
    ("int", "numeric", 2**31 - 1, "2147483647"),
    ("bigint", "numeric", -2**63, "-9223372036854775808"),
    ("varint", "smallint", -32768, "-32768"),
    ("varint", "integer", 2**31 - 1, "2147483647"),
    ("varint", "bigint", -2**63, "-9223372036854775808"),
    ("varint", "numeric", 10**999 + 1, "1" + "0" * 998 + "1"),
    ("decimal", "numeric", Decimal("-" + "9" * 500 + "." + "8" * 500), "-" + "9" * 500 + "." + "8" * 500),
    ("decimal", "numeric(6,2)", Decimal("1234.50"), "1234.50"),
    ("float", "double precision", 0.5, "0.5"),
    ("timestamp", "timestamptz", 1704067200123, "2024-01-01 00:00:00.123+00"),
    ("timestamp", "timestamp", -1, "1969-12-31 23:59:59.999"),
    ("timestamp", "timestamp(3)", 1, "1970-01-01 00:00:00.001"),
    ("int", KEYSPACE + ".small", 7, "7"),
    ("text", KEYSPACE + ".short", "abc", "abc"),
]


@pytest.fixture(scope="module")
def sql(make_keyspace):
    connection = make_keyspace(KEYSPACE)
    query(connection, "CREATE TYPE {0}.mood AS ENUM ('sad', 'ok'); CREATE DOMAIN {0}.small AS int CHECK (value < 10);"
                      "CREATE DOMAIN {0}.short AS varchar(3)".format(KEYSPACE))
    return connection


@pytest.mark.parametrize("number", range(len(PAIRS)), ids=["%s as %s" % pair[:2] for pair in PAIRS])
def test_both_ways(driver, sql, number):
    cql, declaration, value, text = PAIRS[number]
    table = "%s.t%d" % (KEYSPACE, number)
    driver.execute("CREATE TABLE %s (k int PRIMARY KEY, v %s)" % (table, cql))
    driver.execute("INSERT INTO %s (k, v) VALUES (1, ?)" % table, [value])
    query(sql, "CREATE FOREIGN TABLE %s (k int, v %s) SERVER %s" % (table, declaration, KEYSPACE))
    assert query(sql, "SELECT v::text FROM %s" % table) == [(text,)]
    query(sql, "SELECT scylla_execute('%s', 'INSERT INTO %s (k, v) VALUES (2, ?)', '%s'::%s)"
          % (KEYSPACE, table, text, declaration))
    assert driver.execute("SELECT v FROM %s WHERE k = 2" % table) == [(value,)]


def test_custom_type(driver, sql):
    """As its bytes, and never written."""
    driver.execute("CREATE TABLE %s.own (k int PRIMARY KEY, v 'DynamicCompositeType(s=>UTF8Type)')" % KEYSPACE)
    driver.execute("INSERT INTO %s.own (k, v) VALUES (1, 0x807300016100)" % KEYSPACE)
    query(sql, "IMPORT FOREIGN SCHEMA {0} LIMIT TO (own) FROM SERVER {0} INTO {0}".format(KEYSPACE))
    assert query(sql, "SELECT v::text, pg_typeof(v)::text FROM %s.own" % KEYSPACE) == [("\\x807300016100", "bytea")]
    error = failure(sql, "SELECT scylla_execute('{0}', 'INSERT INTO {0}.own (k, v) VALUES (2, ?)', '\\x00'::bytea)"
                    .format(KEYSPACE))
    assert error.pgcode == "0A000" and error.diag.column_name == "v", words(error)


# ---- other encodings ----

@pytest.fixture
def encoded(database, cql_host, cql_port):
    """encoded(name): a connection to a database of that encoding, with the server in it."""
    control = psycopg2.connect(dbname=database)
    control.autocommit = True
    connections = []

    def connect(encoding):
        name = "py_" + encoding.lower()
        query(control, "DROP DATABASE IF EXISTS " + name)
        query(control, "CREATE DATABASE %s ENCODING '%s' LOCALE 'C' TEMPLATE template0" % (name, encoding))
        connection = psycopg2.connect(dbname=name)
        connection.autocommit = True
        connections.append((name, connection))
        query(connection, "CREATE EXTENSION scylla_fdw; CREATE SERVER s FOREIGN DATA WRAPPER scylla_fdw OPTIONS "
                          "(host '%s', port '%d'); CREATE USER MAPPING FOR CURRENT_USER SERVER s"
              % (cql_host, cql_port))
        return connection

    yield connect
    for name, connection in connections:
        connection.close()
        query(control, "DROP DATABASE " + name)
    control.close()


@pytest.mark.parametrize("encoding, wanted", [("LATIN1", b"h\xf6he"), ("SQL_ASCII", "höhe".encode())])
def test_encoding(encoding, wanted, driver, sql, encoded):
    driver.execute("CREATE TABLE IF NOT EXISTS %s.texts (k text PRIMARY KEY, j list<text>)" % KEYSPACE)
    driver.execute("INSERT INTO %s.texts (k, j) VALUES ('höhe', ['höhe'])" % KEYSPACE)
    driver.execute("INSERT INTO %s.texts (k, j) VALUES ('plain', null)" % KEYSPACE)
    connection = encoded(encoding)
    query(connection, "CREATE FOREIGN TABLE texts (k text, j text[]) SERVER s OPTIONS (keyspace '%s')" % KEYSPACE)
    rows = query(connection, "SELECT k::bytea, j[1]::bytea FROM texts WHERE k = convert_from(%s, %s)",
                 [wanted, encoding])
    assert [tuple(map(bytes, row)) for row in rows] == [(wanted, wanted)]
    assert query(connection, "SELECT j FROM texts WHERE k = 'plain'") == [(None,)]
    query(connection, "SELECT scylla_execute('s', 'INSERT INTO %s.texts (k) VALUES (?)', "
                      "convert_from(%%s, %%s) || '2')" % KEYSPACE, [wanted, encoding])
    assert driver.execute("SELECT k FROM %s.texts WHERE k = 'höhe2'" % KEYSPACE) == [("höhe2",)]
    driver.execute("DELETE FROM %s.texts WHERE k = 'höhe2'" % KEYSPACE)


def test_credentials_of_another_encoding(nodes, encoded):
    node = nodes(users={"jörg": "größe"})
    connection = encoded("LATIN1")
    query(connection, "CREATE SERVER own FOREIGN DATA WRAPPER scylla_fdw OPTIONS (host '127.0.0.1', port '%d');"
                      "CREATE USER MAPPING FOR CURRENT_USER SERVER own OPTIONS (user 'jörg', password 'größe')"
          % node.port)
    assert query(connection, "SELECT v FROM scylla_query('own', 'SELECT k, v FROM ks.t') AS t (k int, v text)"
                             " LIMIT 1") == [("one",)]
    assert [request.credentials for request in node.seen(AUTH_RESPONSE)] == [("jörg", "größe")]


def test_text_that_the_encoding_has_not(driver, sql, encoded):
    driver.execute("CREATE TABLE %s.euro (k text PRIMARY KEY)" % KEYSPACE)
    driver.execute("INSERT INTO %s.euro (k) VALUES ('€')" % KEYSPACE)
    connection = encoded("LATIN1")
    query(connection, "CREATE FOREIGN TABLE euro (k text) SERVER s OPTIONS (keyspace '%s')" % KEYSPACE)
    error = failure(connection, "SELECT k FROM euro")
    assert error.pgcode == "22P05" and error.diag.column_name == "k", words(error)


def test_bytes_that_are_no_utf8(driver, sql, encoded):
    """Nobody has checked the text of an SQL_ASCII database."""
    driver.execute("CREATE TABLE %s.bytes (k text PRIMARY KEY)" % KEYSPACE)
    connection = encoded("SQL_ASCII")
    error = failure(connection, "SELECT scylla_execute('s', 'INSERT INTO %s.bytes (k) VALUES (?)', "
                                "convert_from('\\xff', 'SQL_ASCII'))" % KEYSPACE)
    assert error.pgcode == "22021" and error.diag.column_name == "k", words(error)


# ---- pgvector ----

def test_pgvector(driver, sql):
    if not query(sql, "SELECT 1 FROM pg_available_extensions WHERE name = 'vector'"):
        pytest.skip("pgvector is not installed")
    query(sql, "CREATE EXTENSION IF NOT EXISTS vector")
    driver.execute("CREATE TABLE %s.vectors (k int PRIMARY KEY, v vector<float, 3>)" % KEYSPACE)
    driver.execute("INSERT INTO %s.vectors (k, v) VALUES (1, [1, 2.5, -0.0])" % KEYSPACE)
    query(sql, "CREATE FOREIGN TABLE {0}.vectors (k int, v vector(3)) SERVER {0}".format(KEYSPACE))
    insert = ("SELECT scylla_execute('{0}', 'INSERT INTO {0}.vectors (k, v) VALUES (2, ?)', '[%s]'::vector)"
              .format(KEYSPACE))
    query(sql, insert % "0.1,3e38,1e-45")
    rows = query(sql, "SELECT k, v::text, v::real[]::text FROM %s.vectors ORDER BY k" % KEYSPACE)
    assert rows == [(1, "[1,2.5,-0]", "{1,2.5,-0}"), (2, "[0.1,3e+38,1e-45]", "{0.1,3e+38,1e-45}")]
    error = failure(sql, insert % "1,2")
    assert error.pgcode == "2202E" and error.diag.column_name == "v", words(error)
    driver.execute("INSERT INTO %s.vectors (k, v) VALUES (3, [1, NaN, 2])" % KEYSPACE)
    error = failure(sql, "SELECT v FROM %s.vectors WHERE k = 3" % KEYSPACE)
    assert error.pgcode == "22000" and '"v"' in words(error), words(error)
    query(sql, "CREATE FOREIGN TABLE {0}.others (k int, v vector(4)) SERVER {0} OPTIONS (\"table\" 'vectors')"
          .format(KEYSPACE))
    error = failure(sql, "SELECT v FROM %s.others WHERE k = 1" % KEYSPACE)
    assert error.pgcode == "2202E" and error.diag.column_name == "v", words(error)
