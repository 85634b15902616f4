"""Lookups of one partition that share a request: each finds its own row and no other's, whatever the type
of the clustering column, the window, the order of the outer rows and the size of pages."""

import itertools

import pytest

from codec import EXECUTE
from faults import short_pages
from support import keep_cql, query

# CQL type, and SQL that makes the i-th value of it (i from 0 to 59, all different but for the narrow ones)
SHARED = {
    "int": "(i - 30)",
    "bigint": "(i - 30) * 1000000000000",
    "smallint": "(i - 30)::int2",
    "tinyint": "(i - 30)::int2",
    "text": "CASE i WHEN 0 THEN '' ELSE repeat('é', i) END",
    "ascii": "'a' || i",
    "blob": "decode(lpad(to_hex(i), 2, '0'), 'hex')",
    "boolean": "i % 2 = 0",
    "date": "'2000-01-01'::date + i",
    "timestamp": "'2000-01-01'::timestamptz + i * interval '1 ms'",
    "uuid": "md5(i::text)::uuid",
    "timeuuid": "('00000000-0000-1000-8080-' || lpad(to_hex(i), 12, '0'))::uuid",
}
# Equal values may have other bytes; and an address that Cassandra finds in a list is another one afterwards.
SINGLE = {
    "varint": "i - 30",
    "inet": "((CASE WHEN i % 4 < 2 THEN '::ffff:10.0.0.' ELSE '10.0.0.' END) || i)::inet",
}
KEYS = 60
names = ("far%d" % number for number in itertools.count())


@pytest.fixture(scope="module")
def site(make_keyspace):
    connection = make_keyspace("py_multi_get")
    query(connection, "SET search_path = py_multi_get; SET enable_hashjoin = off; SET enable_mergejoin = off;"
                      "SET enable_memoize = off")
    return connection


@pytest.fixture
def make_far(site, driver):
    """make_far(type, values, **options): the name of a new foreign table with three partitions of KEYS rows, half of
    them missing; of a local table "NAME_near" with its rows; and of a third, "NAME_wanted", with their keys, of
    those that are missing, some twice, and NULLs, in an order by n in which neighbours are of one partition."""

    def make(cql, values, order="ASC", **options):
        name = next(names)
        driver.execute("CREATE TABLE py_multi_get.%s (p int, q text, c %s, v text, PRIMARY KEY ((p, q), c)) "
                       "WITH CLUSTERING ORDER BY (c %s)" % (name, cql, order))
        query(site, "IMPORT FOREIGN SCHEMA py_multi_get LIMIT TO (%s) FROM SERVER py_multi_get INTO py_multi_get"
              % name)
        for option in options.items():
            query(site, "ALTER FOREIGN TABLE %s OPTIONS (%s '%s')" % (name, *option))
        query(site, "CREATE TABLE {0}_all AS SELECT p, 'q' AS q, {1} AS c, p || ' ' || i AS v, i "
                    "FROM generate_series(1, 3) p, generate_series(0, {2}) i;"
                    "INSERT INTO {0} SELECT DISTINCT ON (p, c) p, q, c, v FROM {0}_all WHERE i % 2 = 0 OR i > 50 "
                    "ORDER BY p, c, i;"
                    "CREATE TABLE {0}_near AS SELECT * FROM {0};"
                    "CREATE TABLE {0}_wanted AS SELECT row_number() OVER (ORDER BY p, i, twice) AS n, p, q, "
                    "CASE WHEN i % 13 <> 5 THEN c END AS c FROM {0}_all, generate_series(1, 2) twice "
                    "WHERE twice = 1 OR i % 7 = 0; ANALYZE {0}_wanted".format(name, values, KEYS - 1))
        return name

    return make


JOIN = "SELECT w.n, f.{2} FROM (SELECT * FROM {0}_wanted ORDER BY {3}) w {4} JOIN {1} f " \
       "ON (f.p, f.q, f.c) = (w.p, w.q, w.c)"


def check(site, far, columns="v", order="n", kind="LEFT"):
    """The scan's (requests, lookups) of a join that gives what it gives of the local copy."""
    join = JOIN.format(far, far, columns, order, kind)
    assert sorted(query(site, join)) == sorted(query(site, JOIN.format(far, far + "_near", columns, order, kind)))
    plan = query(site, "EXPLAIN (ANALYZE, FORMAT json) " + join)[0][0]
    found = {}

    def walk(node):
        for name in ("Requests", "Lookups"):
            if name in node:
                found[name] = node[name]
        for child in node.get("Plans", []):
            walk(child)
    walk(plan[0]["Plan"])
    return found["Requests"], found["Lookups"]


@pytest.mark.parametrize("cql", SHARED)
def test_types_that_are_told_by_their_bytes(cql, site, make_far):
    far = make_far(cql, SHARED[cql])
    requests, lookups = check(site, far)
    assert requests <= lookups / (2 if cql == "boolean" else 8)


@pytest.mark.parametrize("cql", SINGLE)
def test_types_that_are_not(cql, site, make_far):
    far = make_far(cql, SINGLE[cql])
    requests, lookups = check(site, far)
    assert requests == lookups


def test_addresses_in_a_list(site, make_far):
    far = make_far("inet", SINGLE["inet"])
    some = "SELECT v FROM %s WHERE p = 1 AND q = 'q' AND c IN ('::ffff:10.0.0.0', '10.0.0.2', '10.0.0.4') ORDER BY v"
    assert query(site, some % far) == query(site, some % (far + "_near")) == [("1 0",), ("1 2",)]


@pytest.mark.parametrize("window", (2, 7, 256))
@pytest.mark.parametrize("order", ("n", "c, p", "md5(n::text)"))
def test_windows_and_orders(order, window, site, make_far):
    far = make_far("int", SHARED["int"], "DESC")
    query(site, "SET scylla_fdw.lookup_join_window = %d" % window)
    for columns in ("v", "c", "p", "q = 'q', f.v"):
        for kind in ("LEFT", "INNER"):
            requests, lookups = check(site, far, columns, order, kind)
            assert requests <= lookups
    query(site, "RESET scylla_fdw.lookup_join_window")


def test_pages_of_few_rows(site, make_far):
    """No more lookups share a request than rows have room on a page."""
    far = make_far("int", SHARED["int"], fetch_size="4")
    requests, lookups = check(site, far)
    assert lookups / 4 <= requests < lookups / 2


def test_multi_cell_columns(site, make_far, driver):
    """Neither server takes IN beside them."""
    far = make_far("int", SHARED["int"])
    driver.execute("ALTER TABLE py_multi_get.%s ADD tags set<text>" % far)
    query(site, "SELECT public.scylla_refresh()")
    query(site, "ALTER FOREIGN TABLE {0} ADD COLUMN tags text[]; ALTER TABLE {0}_near ADD COLUMN tags text[];"
                "UPDATE {0} SET tags = '{{x}}' WHERE p = 1 AND q = 'q' AND c > 0;"
                "UPDATE {0}_near SET tags = '{{x}}' WHERE p = 1 AND q = 'q' AND c > 0".format(far))
    requests, lookups = check(site, far, "tags")
    assert requests == lookups
    requests, lookups = check(site, far)
    assert requests < lookups / 8


def test_update_and_delete(site, make_far):
    far = make_far("int", SHARED["int"])
    query(site, "DELETE FROM {0}_wanted a USING {0}_wanted b WHERE (a.p, a.c) = (b.p, b.c) AND a.n > b.n".format(far))
    same = "(f.p, f.q, f.c) = (w.p, w.q, w.c)"
    for sql in ("UPDATE {0} f SET v = f.v || ' ' || w.n FROM {1}_wanted w WHERE {2} AND w.n % 3 = 0",
                "DELETE FROM {0} f USING {1}_wanted w WHERE {2} AND w.n % 5 = 0"):
        for name in (far, far + "_near"):
            query(site, sql.format(name, far, same))
        rows = "SELECT p, q, c, v FROM %s ORDER BY p, c"
        assert query(site, rows % far) == query(site, rows % (far + "_near"))
    assert query(site, "SELECT count(*) FROM %s WHERE v LIKE '%% %% %%'" % far)[0][0] > 10


def test_pages_that_end_early(site, make_far, fronts, cql_host, cql_port, make_server, pg):
    """A shared page that is not the whole answer is read once; from then on each lookup asks for itself."""
    far = make_far("int", SHARED["int"])
    front = fronts([(cql_host, cql_port)], shards=0)
    server = make_server(front.port, cql_host, connect_timeout="60s", request_timeout="60s")
    query(site, "CREATE FOREIGN TABLE {0}_fronted (p int OPTIONS (key 'partition 1'), "
                "q text OPTIONS (key 'partition 2'), c int OPTIONS (key 'clustering 1 asc'), v text) SERVER {1} "
                "OPTIONS (keyspace 'py_multi_get', \"table\" '{0}');"
                "CREATE VIEW {0}_fronted_wanted AS SELECT * FROM {0}_wanted;"
                "CREATE VIEW {0}_fronted_near AS SELECT * FROM {0}_near".format(far, server))
    assert len(front.seen(EXECUTE)) == 0
    requests, lookups = check(site, far + "_fronted")
    assert requests < lookups / 8
    shared = {request.text.original for request in front.seen(EXECUTE)}
    assert any("IN ?" in text for text in shared)
    keep_cql(shared)
    front.rule(EXECUTE, short_pages(2), when=lambda request: "IN ?" in request.text.original)
    requests, lookups = check(site, far + "_fronted")
    assert requests > lookups / 2
