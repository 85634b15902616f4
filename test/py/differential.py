"""Random queries against the same query on a local copy of the table.

    test/scripts/differential [--seed N] [--seconds N] [--cases N] [--queries N]

A case is a random table, its rows written by the independent driver and copied by it into a local
table, and random queries: with literals and with parameters, planned custom, generic and as
PostgreSQL likes, with pushdown and without, under various settings of the planner. Where the
answers differ, rows and conditions are left out as long as they still do, and a script is printed
that shows it.
"""

import argparse
import contextlib
import json
import os
import random
import re
import sys
import time
from collections import Counter
from decimal import Decimal

import psycopg2
from cassandra.encoder import Encoder

from random_query import Generator
from random_schema import Schema, names, plain

KEYSPACE = "differential"
SETTINGS = ["enable_hashjoin", "enable_mergejoin", "enable_nestloop", "enable_material", "enable_sort",
            "enable_hashagg", "enable_incremental_sort", "enable_memoize"]
KEY_ROWS = 12
SHRINK_SECONDS = 40


class Difference(Exception):
    """Its text is a script."""


def normal(value):
    """Equal to PostgreSQL, equal here: which of 0 and -0, of 1.0 and 1.00, stands for a group is open."""
    if isinstance(value, Decimal):
        return ("number", str(value.normalize()) if value.is_finite() else str(value))
    if isinstance(value, float):
        return ("number", "NaN" if value != value else repr(value + 0.0))
    if isinstance(value, memoryview):
        return bytes(value)
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, dict):
        return json.dumps(value, sort_keys=True)
    return value


class Run:
    """One way to run a query: settings, and whether constants are parameters."""

    def __init__(self, rng):
        self.settings = {"scylla_fdw.enable_pushdown": "on"}
        for name in rng.sample(SETTINGS, rng.choice((0, 0, 1, 2))):
            self.settings[name] = "off"
        if rng.random() < 0.2:
            self.settings.update(dict.fromkeys(("enable_partitionwise_aggregate", "enable_partitionwise_join"), "on"))
        if rng.random() < 0.2:
            self.settings.update(dict.fromkeys(("parallel_setup_cost", "parallel_tuple_cost"), "0"))
        self.is_prepared = rng.random() < 0.5
        self.is_cursor = not self.is_prepared and rng.random() < 0.3
        if self.is_prepared:
            self.settings["plan_cache_mode"] = rng.choice(("auto", "force_custom_plan", "force_generic_plan"))
        self.repeats = 3 if self.settings.get("plan_cache_mode") == "auto" else 1

    def without_pushdown(self):
        other = Run(random.Random(0))
        other.settings = {"scylla_fdw.enable_pushdown": "off"}
        other.is_prepared, other.is_cursor, other.repeats = False, False, 1
        return other

    def statements(self, query, has_limit=True):
        """(SQL, which of the constants) of each execution, in schema far."""
        if not self.is_prepared:
            for number in range(3 if query.constants else 1):
                text = query.text([literals[number] for literals, _type in query.constants], "far", has_limit)
                yield from self.with_cursor(text, number) if self.is_cursor else [(text, number)]
            return
        types = ", ".join(type_name for _literals, type_name in query.constants)
        yield "PREPARE q%s AS %s" % ("(%s)" % types if types else "", query.text(
            ["$%d" % (number + 1) for number in range(len(query.constants))], "far", has_limit)), None
        for number in [0, 1, 2] * self.repeats:
            arguments = ", ".join(literals[number] for literals, _type in query.constants)
            yield "EXECUTE q%s" % ("(%s)" % arguments if arguments else ""), number
        yield "DEALLOCATE q", None


    @staticmethod
    def with_cursor(text, number):
        """Some rows forward, back to the start, then all."""
        yield "BEGIN", None
        yield "DECLARE c SCROLL CURSOR FOR " + text, None
        yield "MOVE 3 IN c", None
        yield "MOVE BACKWARD ALL IN c", None
        yield "FETCH ALL FROM c", number
        yield "ROLLBACK", None


class Case:
    """A table in both worlds; to be set up in a fresh keyspace."""

    def __init__(self, seed, driver, connection):
        self.rng = random.Random(seed)
        self.seed = seed
        self.driver = driver
        self.cursor = connection.cursor()
        self.schema = Schema(self.rng, "t")
        self.cql = list(self.schema.cql_create(KEYSPACE))
        self.near_rows = self.draw_near_rows()
        self.counts = Counter()  # of answers and accesses
        self.texts = set()       # CQL

    # ---- setting up ----

    def set_up(self):
        self.drop_remote()
        for statement in self.cql:
            self.driver.execute(statement)
        self.wait_for_paths()
        schema = self.schema
        for rows, columns in ((schema.rows, schema.of("partition", "clustering", "regular")),
                              (schema.static_rows, schema.of("partition", "static"))):
            if rows:
                self.driver.execute_all(schema.cql_insert(KEYSPACE, columns), rows)
        for statement in self.sql_set_up():
            self.cursor.execute(statement)
        self.copy()

    def drop_remote(self):
        for view, in self.driver.execute("SELECT view_name FROM system_schema.views WHERE keyspace_name = '%s'" % KEYSPACE):
            self.driver.execute("DROP MATERIALIZED VIEW %s.%s" % (KEYSPACE, view))
        self.driver.execute("DROP TABLE IF EXISTS %s.t" % KEYSPACE)

    def wait_for_paths(self):
        """Plans go only by what is built."""
        count = len(self.schema.views) + len(self.schema.indexed())
        end = time.monotonic() + 60
        while time.monotonic() < end:
            views = self.driver.execute("SELECT * FROM system.built_views WHERE keyspace_name = '%s'" % KEYSPACE)
            indexes = self.driver.execute("SELECT * FROM system.\"IndexInfo\" WHERE table_name = '%s'" % KEYSPACE)
            if len(views) + len(indexes) >= count:
                return
            time.sleep(0.05)
        raise TimeoutError("indexes and views are not built")

    def sql_set_up(self):
        keys = ", ".join("%s %s%s" % (column.name, column.declaration, column.collation)
                         for column in self.schema.columns)
        yield "DROP TABLE IF EXISTS far.parent, near.parent, near.keys CASCADE"
        yield "DROP FOREIGN TABLE IF EXISTS far.t CASCADE"
        yield "DROP TABLE IF EXISTS near.t CASCADE"
        yield "SELECT scylla_refresh()"
        yield self.schema.sql_foreign(KEYSPACE)
        yield self.schema.sql_local()
        for world in "far", "near":
            yield from self.schema.sql_around(world)
        yield "CREATE TABLE near.keys (id int, tag int, %s)" % keys
        for row in self.near_rows:
            yield "INSERT INTO near.keys VALUES (%s)" % ", ".join(row)
        yield "ANALYZE near.keys"

    def draw_near_rows(self):
        return [[str(number), str(self.rng.randrange(KEY_ROWS))] + [
            column.literal(self.rng.choice(column.values + [None])) for column in self.schema.columns]
            for number in range(KEY_ROWS)]

    def remote_rows(self):
        return self.driver.execute(self.schema.cql_select(KEYSPACE))

    def copy(self):
        """What the driver reads becomes the local table."""
        inserts = [self.schema.sql_insert(row) for row in self.remote_rows()]
        self.cursor.execute("; ".join(["TRUNCATE near.t"] + inserts))

    # ---- comparing ----

    def run(self, statement):
        """Rows, or the SQLSTATE of an error."""
        try:
            self.cursor.execute(statement)
        except psycopg2.Error as error:
            if error.pgcode is None or error.pgcode[:2] in ("XX", "HV", "08", "58"):
                return "%s %s" % (error.pgcode, error)
            return error.pgcode
        if self.cursor.description is None:
            return None
        return [tuple(normal(value) for value in row) for row in self.cursor.fetchall()]

    def wanted(self, query, number, has_limit=True):
        return self.run(query.text([literals[number] for literals, _type in query.constants], "near", has_limit))

    def complaint(self, query, number, got):
        """What is wrong with the answer, or None."""
        wanted = self.wanted(query, number)
        self.counts["errors" if isinstance(wanted, str) else "with rows" if wanted else "empty"] += 1
        if isinstance(got, str) or isinstance(wanted, str):
            return None if got == wanted else "got %s\n-- wanted %s" % (shown(got), shown(wanted))
        order = len(query.order)
        if [row[:order] for row in got] != [row[:order] for row in wanted]:
            return "got %s\n-- wanted %s" % (shown(got), shown(wanted))
        if not query.limit:
            more, less = Counter(got) - Counter(wanted), Counter(wanted) - Counter(got)
            if more or less:
                return "%s too much\n-- %s missing" % (shown(more.elements()), shown(less.elements()))
            return None
        # Which of equal rows come is open.
        everything = Counter(self.wanted(query, number, has_limit=False))
        if len(got) != len(wanted) or Counter(got) - everything:
            return "got %s\n-- wanted %s" % (shown(got), shown(wanted))
        return None

    def check(self, query, run):
        """The first complaint of a query run in that way, or None."""
        with self.settings(run):
            for statement, number in run.statements(query):
                answer = self.run(statement)
                if number is None:
                    if answer is not None:
                        return None if self.is_same_refusal(query, answer) else "%s: %s" % (statement, answer)
                    continue
                found = self.complaint(query, number, answer)
                if found is not None:
                    return "%s\n-- %s" % (statement, found)
        return None

    def is_same_refusal(self, query, code):
        """PREPARE fails where the query itself would, at home as well."""
        return any(self.wanted(query, number) == code for number in range(3))

    @contextlib.contextmanager
    def settings(self, run):
        for name, value in run.settings.items():
            self.cursor.execute("SET %s = %s" % (name, value))
        try:
            yield
        finally:
            self.cursor.execute("ROLLBACK")
            with contextlib.suppress(psycopg2.Error):
                self.cursor.execute("DEALLOCATE ALL")
            self.cursor.execute("RESET ALL")
            self.cursor.execute("SET timezone = 'UTC'")

    def explore(self, queries):
        """That many random queries; raises Difference."""
        generator = Generator(self.rng, self.schema, {column.name: column.name for column in self.schema.columns})
        for _ in range(queries):
            query = generator.draw()
            run = Run(self.rng)
            self.note_plan(query)
            for way in (run, run.without_pushdown()):
                if self.check(query, way) is not None:
                    raise Difference(self.script(*self.shrink(query, way)))

    def note_plan(self, query):
        """What the query is made of, for the figures and for ScyllaDB's grammar."""
        literals = [literals[0] for literals, _type in query.constants]
        plan = self.run("EXPLAIN (VERBOSE, COSTS OFF) " + query.text(literals, "far"))
        for line, in plan if isinstance(plan, list) else []:
            kind, _colon, text = line.strip().partition(": ")
            if kind == "Access":
                self.counts["by " + text.split(" by ")[0]] += 1
            elif kind == "Remote CQL":
                self.texts.add(text)

    # ---- a small script ----

    def shrink(self, query, run):
        """Leave out what can be left out for a time; the query."""
        end = time.monotonic() + SHRINK_SECONDS
        self.first_kind = kind_of(self.check(query, run))
        for attempt in self.smaller_queries(query):
            before = dict(vars(query))
            vars(query).update(attempt(query))
            if time.monotonic() > end or not self.is_the_same(query, run):
                vars(query).update(before)
        for roles in (["partition"], ["partition", "clustering"]):
            self.shrink_rows(query, run, self.schema.of(*roles), end)
        return query, run

    def is_the_same(self, query, run):
        """Not every difference is the one that was found."""
        return kind_of(self.check(query, run)) == self.first_kind

    def shrink_rows(self, query, run, key, end):
        """Whatever has one value of these columns goes together."""
        places = [self.schema.columns.index(column) for column in key]

        def key_of(row):
            return tuple(plain(row[place]) for place in places)

        delete = "DELETE FROM %s.t WHERE %s" % (KEYSPACE, " AND ".join("%s = ?" % column.name for column in key))
        for values in {key_of(row) for row in self.remote_rows()}:
            gone = [row for row in self.remote_rows() if key_of(row) == values]
            if time.monotonic() > end:
                return
            if None in values:
                continue
            self.driver.execute(delete, values)
            self.copy()
            if not self.is_the_same(query, run):
                self.put_back(gone)
                self.copy()

    def put_back(self, rows):
        for row in rows:
            columns = [column for column, value in zip(self.schema.columns, row)
                       if value is not None or column.role == "regular"]
            values = [value for column, value in zip(self.schema.columns, row) if column in columns]
            if any(column.role == "clustering" for column in columns) or not self.schema.of("clustering"):
                self.driver.execute(self.schema.cql_insert(KEYSPACE, columns), values)
            else:
                known = [pair for pair in zip(columns, values) if pair[0].role != "regular"]
                self.driver.execute(self.schema.cql_insert(KEYSPACE, [pair[0] for pair in known]),
                                    [pair[1] for pair in known])

    @staticmethod
    def smaller_queries(query):
        yield lambda q: {"limit": ""}
        yield lambda q: {"order": []} if q.select else {}
        yield lambda q: {"having": ""}
        for text in list(query.conjuncts):
            yield lambda q, text=text: {"conjuncts": [other for other in q.conjuncts if other != text]}
        for text in list(query.select):
            yield lambda q, text=text: {"select": [other for other in q.select if other != text] or q.select}

    def script(self, query, run):
        complaint = self.check(query, run)
        if complaint is None:
            complaint = "it came once and not again"
        encoder = Encoder()
        rows = self.remote_rows()
        lines = ["-- seed %d" % self.seed, "-- CQL:"]
        lines += ["--   " + statement for statement in self.cql]
        lines += ["--   INSERT INTO %s.t (%s) VALUES (%s)" % (
            KEYSPACE, names([column for column, value in zip(self.schema.columns, row) if value is not None]),
            ", ".join(encoder.cql_encode_all_types(value) for value in row[:len(self.schema.columns)] if value is not None))
            for row in rows]
        statements = list(self.sql_set_up()) + [self.schema.sql_insert(row) for row in rows]
        uses_keys = "near.keys" in query.text([], "far")
        lines += [statement + ";" for statement in statements if uses_keys or "INTO near.keys" not in statement]
        lines += ["SET %s = %s;" % pair for pair in run.settings.items()]
        lines += [statement + ";" for statement, _number in run.statements(query)]
        return "\n".join(lines + ["-- " + complaint])


def kind_of(complaint):
    """None, a SQLSTATE, or other rows."""
    if complaint is None:
        return None
    found = re.search(r"^-- got ([0-9A-Z]{5})\b", complaint, re.MULTILINE)
    return found[1] if found else "rows"


def shown(rows):
    text = rows if isinstance(rows, str) else ", ".join(map(str, rows)) or "no rows"
    return text if len(text) < 2000 else text[:2000] + "..."


def prepare(connection, host, port):
    """The two worlds in a database that has the extension."""
    with connection.cursor() as cursor:
        cursor.execute("SET client_min_messages = error; CREATE EXTENSION IF NOT EXISTS scylla_fdw;"
                       "DROP SCHEMA IF EXISTS far, near CASCADE; DROP SERVER IF EXISTS {0} CASCADE;"
                       "CREATE SCHEMA far; CREATE SCHEMA near; CREATE DOMAIN near.whole AS int CHECK (VALUE <> 5); "
                       "CREATE DOMAIN near.words AS text CHECK (length(VALUE) < 100); "
                       "CREATE COLLATION near.any_case (provider = icu, "
                       "locale = 'und-u-ks-level2', deterministic = false);"
                       "CREATE SERVER {0} FOREIGN DATA WRAPPER scylla_fdw OPTIONS (host '{1}', port '{2}', read_consistency 'one'); "
                       "CREATE USER MAPPING FOR CURRENT_USER SERVER {0};"
                       "SET timezone = 'UTC'".format(KEYSPACE, host, port))


def run_case(seed, queries, driver, connection):
    """A case, when it is through."""
    case = Case(seed, driver, connection)
    case.set_up()
    case.explore(queries)
    return case


def main():
    from driver import Driver

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=random.randrange(2**31))
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--cases", type=int, default=10**9)
    parser.add_argument("--queries", type=int, default=60, help="of a case")
    parser.add_argument("--go-on", action="store_true", help="after a difference too")
    options = parser.parse_args()
    host, port = os.environ["SCYLLA_TEST_HOST"], int(os.environ["SCYLLA_TEST_PORT"])
    driver = Driver(host, port)
    driver.make_keyspace(KEYSPACE)
    connection = psycopg2.connect(dbname="postgres")
    connection.autocommit = True
    prepare(connection, host, port)
    end = time.monotonic() + options.seconds
    found = 0
    for seed in range(options.seed, options.seed + options.cases):
        if time.monotonic() > end:
            break
        try:
            counts = run_case(seed, options.queries, driver, connection).counts
            figures = ", ".join("%d %s" % (counts[kind], kind) for kind in sorted(counts))
            print("seed %d: %s" % (seed, figures), flush=True)
        except Difference as difference:
            found += 1
            print(difference, flush=True)
            if not options.go_on:
                break
    driver.close()
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
