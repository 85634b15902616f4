"""README's table of types is what the extension says."""

import html
import os
import re

import pytest

from support import failure, query, words

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
KEYSPACE = "readme"

# What stands for an entry of the table that is no type by itself.
EXAMPLES = {"list<T>": "list<int>", "set<T>": "set<int>", "vector<T, n>": "vector<float, 3>",
            "list (of collections)": "list<frozen<list<int>>>", "set (of collections)": "set<frozen<set<int>>>",
            "vector (of collections)": "vector<frozen<list<int>>, 2>", "map": "map<text, text>",
            "tuple": "tuple<int, text>", "UDT": "pair", "custom": "'DynamicCompositeType(s=>UTF8Type)'"}
SPELLINGS = {"character varying": "varchar", "timestamp with time zone": "timestamptz",
             "timestamp without time zone": "timestamp", "time without time zone": "time",
             "array of one of": "array", "array of a composite type of two fields": "array",
             "composite type of the fields": "composite type"}


def read(*path):
    with open(os.path.join(TOP, *path)) as file:
        return file.read()


def types_of(text):
    """The types of a list, without remarks in brackets; the first is what IMPORT declares."""
    while "(" in text:
        text = re.sub(r"\s*\([^()]*\)", "", text)
    names = [name.strip() for name in re.split("[;,]", text)]
    return list(dict.fromkeys(SPELLINGS.get(name, name) for name in names))


def table_rows():
    """(entry, what README says of it)."""
    table = html.unescape(re.search(r"\| CQL \| PostgreSQL \|\n.*?\n\n", read("README.md"), re.S)[0])
    for line in table.strip().splitlines()[2:]:
        cql, postgresql = line.strip("| ").split(" | ")
        remark = " (of collections)" if "(of collections)" in cql else ""
        for entry in re.findall(r"\w+(?:<[^>]*>)?", cql.replace(remark, "")):
            yield entry + remark, types_of(postgresql)


ROWS = list(table_rows())


@pytest.fixture(scope="module")
def sql(driver, make_keyspace):
    connection = make_keyspace(KEYSPACE)
    driver.execute("CREATE TYPE %s.pair (a int, b text)" % KEYSPACE)
    query(connection, "CREATE EXTENSION IF NOT EXISTS hstore")
    return connection


@pytest.mark.parametrize("number", range(len(ROWS)), ids=[entry for entry, _types in ROWS])
def test_row(driver, sql, number):
    """A type that goes with nothing: the hint tells what would."""
    entry, wanted = ROWS[number]
    table = "%s.t%d" % (KEYSPACE, number)
    driver.execute("CREATE TABLE %s (k int PRIMARY KEY, c %s)" % (table, EXAMPLES.get(entry, entry)))
    error = failure(sql, "SELECT * FROM scylla_query('%s', 'SELECT c FROM %s') AS r (c box)" % (KEYSPACE, table))
    assert error.pgcode == "HV004", words(error)
    choices = types_of(re.fullmatch("Types that it goes with: (.*)\\.", error.diag.message_hint)[1])
    if not query(sql, "SELECT 1 FROM pg_extension WHERE extname = 'vector'"):
        wanted = [name for name in wanted if name != "vector"]
    assert sorted(choices) == sorted(wanted)
    assert choices[0] == wanted[0] or entry == "UDT"


def test_no_type_is_missing():
    known = {name.lower() for name in re.findall(r"\{CQL_TYPE_(\w+), ", read("src", "types", "typemap.c"))}
    assert {re.match(r"\w+", entry)[0].lower() for entry, _types in ROWS} == known
