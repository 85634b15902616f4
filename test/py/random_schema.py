"""Random tables for the differential test: key shapes, clustering orders, statics, types, collations
and rows, as CQL and as SQL."""

import datetime
import json
import uuid
from decimal import Decimal

EPOCH = datetime.datetime(1970, 1, 1)


class Type:
    """A CQL type: what a column of it may be declared as, values for the driver, and constants that
    queries compare it with besides (as SQL, with their type)."""

    def __init__(self, cql, declarations, values, foreign=(), is_summed=False, to_text=str, element=None):
        self.cql = cql
        self.declarations = declarations
        self.values = values
        self.foreign = foreign
        self.is_summed = is_summed
        self.to_text = to_text
        self.element = element  # of a collection: texts of elements (of a map: keys), as they stand in quotes

    @property
    def is_text(self):
        return self.cql in ("text", "ascii")


def timestamp_text(ms):
    return str(EPOCH + datetime.timedelta(milliseconds=ms))


def float_text(value):
    return repr(float(value))


UUIDS = [uuid.UUID("00000000-0000-4000-8000-00000000000%d" % i) for i in range(3)] + [
    uuid.UUID("f0000000-0000-4000-8000-000000000001")]
TIMEUUIDS = [uuid.UUID("50554d6e-29bb-11e5-b345-feff819cdc9f"), uuid.UUID("50554d6e-29bb-11e5-8000-000000000000"),
             uuid.UUID("ffffffff-ffff-1fff-bf7f-7f7f7f7f7f7f"), uuid.UUID("00000001-29bc-11e5-b345-feff819cdc9f")]
FLOATS = [0.0, -0.0, 1.5, -1.5, 2.0, 1e30, float("inf"), float("-inf"), float("nan")]
WIDE_INTEGERS = ["5000000000::int8", "-5000000000::int8", "1.5::numeric", "2.0::numeric", "1::int2", "'NaN'::numeric"]


def array_text(values):
    return "{%s}" % ", ".join('"%s"' % value for value in values)


def json_text(value):
    return json.dumps(dict(value) if hasattr(value, "items") else list(value))


TYPES = [
    Type("int", ["int", "int", "bigint", "numeric", "near.whole"], [-2**31, -1, 0, 1, 2, 3, 7, 2**31 - 1], WIDE_INTEGERS, True),
    Type("bigint", ["bigint", "numeric"], [-2**63, -1, 0, 1, 2, 3, 5000000000, 2**63 - 1], WIDE_INTEGERS[2:], True),
    Type("smallint", ["smallint", "int"], [-32768, -1, 0, 1, 2, 32767], ["40000::int4", "1::int8"], True),
    Type("tinyint", ["smallint", "bigint"], [-128, -1, 0, 1, 2, 127], ["200::int4", "1::int8"], True),
    Type("varint", ["numeric"], [-10**20, -129, -1, 0, 1, 128, 10**20], ["1.5::numeric", "1::int4", "'NaN'::numeric"], True),
    Type("decimal", ["numeric"], [Decimal(text) for text in ("0", "1.0", "1.00", "1.5", "-1.5", "1E+3", "0.001")],
         ["1::int4", "'NaN'::numeric"], True),
    Type("float", ["real", "float8"], FLOATS, ["1.5::float8", "0.1::float8", "1::int4", "'NaN'::float8"], to_text=float_text),
    Type("double", ["float8"], FLOATS, ["1.5::float4", "0.1::float4", "1::int4", "'-0'::float8"], to_text=float_text),
    Type("text", ["text", "text", "varchar", "near.words"], ["", "a", "A", "b", "ab", "a ", "ä", "€", "\U0001F600", "\uFF61", "_", "Z"],
         ["'a'::varchar", "'a'::bpchar"]),
    Type("ascii", ["text"], ["", "a", "A", "b", "ab", "~", "Z"], ["'ä'::text", "'a'::bpchar"]),
    Type("boolean", ["boolean"], [False, True]),
    Type("uuid", ["uuid"], UUIDS),
    Type("timeuuid", ["uuid"], TIMEUUIDS),
    Type("blob", ["bytea"], [b"", b"\0", b"\0\1", b"\1", b"\xff"], to_text=lambda value: "\\x" + value.hex()),
    Type("inet", ["inet"], ["10.0.0.1", "10.0.0.2", "::1", "fe80::1", "255.255.255.255"], ["'10.0.0.0/8'::inet"]),
    Type("timestamp", ["timestamptz(3)", "timestamptz", "timestamp"],
         [0, 1, -1, 1704067200000, 1704067200001, 1704153600000, -62135596800000],
         ["'1970-01-01 00:00:00.0005'::timestamp", "'infinity'::timestamptz", "'2024-01-01'::date",
          "'1969-12-31 23:59:59.9995+00'::timestamptz"], to_text=timestamp_text),
    Type("date", ["date"], [datetime.date(1970, 1, 1), datetime.date(1969, 12, 31), datetime.date(2024, 2, 29),
                            datetime.date(2024, 3, 1)], ["'2024-02-29 00:00'::timestamp", "'infinity'::date"]),
    Type("time", ["time"], [datetime.time(0), datetime.time(10), datetime.time(10, 0, 0, 1),
                            datetime.time(23, 59, 59, 999999)], ["'24:00'::time"]),
]
# Outside the key only. Values have their elements in the order in which CQL returns them.
COLLECTIONS = [
    Type("set<text>", ["text[]"], [["a"], ["a", "b"], ["b", "c"], ["ä"]], to_text=array_text, element=["a", "b", "ä", "x"]),
    Type("list<int>", ["int[]"], [[1], [1, 2], [2, 1, 1], [3]], to_text=array_text, element=["1", "2", "3", "7"]),
    Type("map<text, int>", ["jsonb"], [{"a": 1}, {"a": 1, "b": 2}, {"b": 1}, {"ä": 3}], to_text=json_text,
         element=["a", "b", "ä", "x"]),
    Type("set<text>", ["jsonb"], [["a"], ["a", "b"], ["ä"]], to_text=json_text, element=["a", "b", "ä", "x"]),
    Type("frozen<list<int>>", ["int[]"], [[1], [1, 2], [2, 1, 1], []], to_text=array_text, element=["1", "2", "3", "7"]),
]
# SAI has no blobs.
INDEX_KINDS = {"blob": [""], "frozen<list<int>>": [""]}
# Those that CQL finds by PostgreSQL's equality.
KEY_TYPES = [one for one in TYPES if one.cql not in ("float", "double", "decimal", "time")]
ANY_CASE = " COLLATE near.any_case"  # not deterministic
COLLATIONS = ["", "", ' COLLATE "C"', ' COLLATE "C"', ' COLLATE "und-x-icu"', ' COLLATE "POSIX"', ANY_CASE]
STRUCTURAL = ("partition", "clustering")


class Column:
    def __init__(self, rng, name, role):
        self.name = name
        self.role = role
        self.type = rng.choice(COLLECTIONS if role == "regular" and rng.random() < 0.2 else
                               KEY_TYPES if role == "partition" and rng.random() < 0.9 else TYPES)
        self.declaration = rng.choice(self.type.declarations)
        self.collation = rng.choice(COLLATIONS) if self.type.is_text else ""
        self.order = rng.choice(("ASC", "DESC")) if role == "clustering" else None
        self.index = None  # as option indexes has it: (target, kind)
        if rng.random() < (0.35 if role == "regular" else 0.12):
            self.index = (self.index_target(rng), rng.choice(INDEX_KINDS.get(self.type.cql, ["", " sai"])))
        # Few values in a column, so that rows meet.
        self.values = rng.sample(self.type.values, min(len(self.type.values), rng.randint(2, 5)))
        if role == "partition" and self.type.cql in ("text", "ascii"):
            self.values = [value for value in self.values if value] or ["a"]
        if role == "partition" and self.type.cql == "blob":
            self.values = [value for value in self.values if value] or [b"\1"]

    def index_target(self, rng):
        if self.type.element is None:
            return self.name
        kinds = ["full"] if self.type.cql.startswith("frozen") else (
            ["keys", "values", "entries"] if self.type.cql.startswith("map") else ["values"])
        return "%s(%s)" % (rng.choice(kinds), self.name)

    @property
    def has_twins(self):
        """Values that are equal but not the same: which of them stands for both is open."""
        return self.collation == ANY_CASE

    @property
    def base(self):
        return self.declaration.split("(")[0]

    @property
    def has_order(self):
        return self.type.element is None or self.declaration != "jsonb"

    def literal(self, value):
        """SQL of a value, of the column's declared type."""
        return "NULL::%s" % self.base if value is None else "'%s'::%s" % (
            self.type.to_text(value).replace("'", "''"), self.base)


class Schema:
    """A table, and rows for it."""

    def __init__(self, rng, name):
        self.name = name
        counts = {"partition": rng.choice((1, 1, 1, 2, 2, 3)), "clustering": rng.choice((0, 1, 2, 2, 3)),
                  "regular": rng.randint(1, 4)}
        counts["static"] = rng.choice((0, 0, 1, 2)) if counts["clustering"] else 0
        self.columns = [Column(rng, role[0] + str(i), role)
                        for role in ("partition", "clustering", "static", "regular") for i in range(counts[role])]
        # Cassandra has no index on a partition key of one column, and fails with its own error where one
        # on a part of the key meets static columns and SAI.
        if counts["partition"] == 1 or counts["static"]:
            for column in self.of("partition"):
                column.index = None
        self.has_token = rng.random() < 0.4
        self.has_options = rng.random() < 0.6
        self.views = [view for view in (View(rng, self, "%s_view%d" % (name, i)) for i in range(rng.choice((0, 1, 1, 2))))
                      if view.key]
        self.rows = self.draw_rows(rng)
        self.static_rows = [tuple(rng.choice(column.values + [None]) if column.role == "static"
                                  else rng.choice(column.values) for column in self.of("partition", "static"))
                            for _ in range(rng.randint(0, 8) if counts["static"] else 0)]

    def of(self, *roles):
        return [column for column in self.columns if column.role in roles]

    def draw_rows(self, rng):
        columns = self.of("partition", "clustering", "regular")
        return [tuple(rng.choice(column.values if column.role in STRUCTURAL else column.values + [None])
                      for column in columns) for _ in range(rng.choice((0, 5, 30, 80, 150)))]

    # ---- as CQL ----

    def cql_create(self, keyspace):
        parts = ["%s %s%s" % (column.name, column.type.cql, " STATIC" if column.role == "static" else "")
                 for column in self.columns]
        clustering = self.of("clustering")
        key = "(%s)%s" % (names(self.of("partition")), "".join(", " + column.name for column in clustering))
        order = (" WITH CLUSTERING ORDER BY (%s)" % ", ".join("%s %s" % (column.name, column.order)
                                                             for column in clustering)) if clustering else ""
        yield "CREATE TABLE %s.%s (%s, PRIMARY KEY (%s))%s" % (keyspace, self.name, ", ".join(parts), key, order)
        for column in self.indexed():
            target, kind = column.index
            yield "CREATE INDEX %s_%s ON %s.%s (%s)%s" % (
                self.name, column.name, keyspace, self.name, target, " USING 'sai'" if kind else "")
        for view in self.views:
            yield view.cql_create(keyspace)

    def indexed(self):
        return [column for column in self.columns if column.index]

    def cql_insert(self, keyspace, columns):
        return "INSERT INTO %s.%s (%s) VALUES (%s)" % (keyspace, self.name, names(columns),
                                                        ", ".join("?" for _ in columns))

    def cql_select(self, keyspace):
        return "SELECT %s%s FROM %s.%s" % (names(self.columns), ", token(%s)" % names(self.of("partition"))
                                           if self.has_token else "", keyspace, self.name)

    # ---- as SQL ----

    def declarations(self):
        return ["%s %s%s" % (column.name, column.declaration, column.collation) for column in self.columns]

    def sql_foreign(self, server):
        options = {column.name: " OPTIONS (key '%s', type '%s')" % (self.key_option(column), column.type.cql)
                   if self.has_options else "" for column in self.columns}
        parts = ["%s %s%s%s" % (column.name, column.declaration, options[column.name], column.collation)
                 for column in self.columns]
        if self.has_token:
            parts.append("tok bigint OPTIONS (function 'token')")
        paths = ", indexes '%s', views '%s'" % (
            ", ".join("%s_%s (%s)%s" % ((self.name, column.name) + column.index) for column in self.indexed()),
            ", ".join(view.option() for view in self.views)) if self.has_options else ""
        return "CREATE FOREIGN TABLE far.%s (%s) SERVER %s OPTIONS (keyspace '%s'%s)" % (
            self.name, ", ".join(parts), server, server, paths)

    def key_option(self, column):
        if column.role not in STRUCTURAL:
            return column.role
        place = self.of(column.role).index(column) + 1
        return "%s %d%s" % (column.role, place, " " + column.order.lower() if column.order else "")

    def sql_local(self):
        return "CREATE TABLE near.%s (%s)" % (self.name, ", ".join(
            self.declarations() + (["tok bigint"] if self.has_token else [])))

    def sql_around(self, world):
        """Views of the table, and a partitioned one that it is the only partition of with rows."""
        first = self.of("partition")[0]
        yield "CREATE VIEW %s.twice AS SELECT * FROM %s.t UNION ALL SELECT * FROM %s.t WHERE %s IS NOT NULL" % (
            world, world, world, first.name)
        yield "CREATE VIEW %s.guarded WITH (security_barrier) AS SELECT * FROM %s.t WHERE %s >= %s" % (
            world, world, first.name, first.literal(min(first.values, key=first.type.to_text)))
        yield "CREATE TABLE %s.parent (LIKE %s.t) PARTITION BY LIST (%s)" % (world, world, first.name)
        yield "CREATE TABLE %s.other PARTITION OF %s.parent FOR VALUES IN (NULL)" % (world, world)
        yield "ALTER TABLE %s.parent ATTACH PARTITION %s.t DEFAULT" % (world, world)

    def sql_insert(self, row):
        """row as the driver gives it."""
        values = [column.literal(plain(value)) for column, value in zip(self.columns, row)]
        return "INSERT INTO near.%s VALUES (%s)" % (self.name, ", ".join(values + [str(value) for value in
                                                                                  row[len(self.columns):]]))


class View:
    """A materialized view: the primary key in another order, perhaps behind one more column."""

    def __init__(self, rng, schema, name):
        self.name = name
        self.table = schema.name
        columns = schema.of(*STRUCTURAL)
        more = [column for column in schema.of("regular") if column.type.element is None and not column.has_twins]
        more = rng.sample(more, 1) if more and rng.random() < 0.7 else []
        rng.shuffle(columns)
        place = rng.choice((0, 0, len(columns)))
        self.key = columns[:place] + more + columns[place:] if len(columns) + len(more) > 1 else []
        self.partition_count = 1 if rng.random() < 0.7 else min(2, len(self.key))
        self.orders = [rng.choice(("asc", "desc")) for _ in self.key]
        others = [column for column in schema.of("regular") if column not in self.key]
        self.others = None if rng.random() < 0.6 and not schema.of("static") else rng.sample(others, len(others) // 2)

    def clustering(self):
        return list(zip(self.key, self.orders))[self.partition_count:]

    def cql_create(self, keyspace):
        clustering = self.clustering()
        return "CREATE MATERIALIZED VIEW %s.%s AS SELECT %s FROM %s.%s WHERE %s PRIMARY KEY ((%s)%s)%s" % (
            keyspace, self.name, "*" if self.others is None else names(self.key + self.others), keyspace, self.table,
            " AND ".join("%s IS NOT NULL" % column.name for column in self.key), names(self.key[:self.partition_count]),
            "".join(", " + column.name for column, _order in clustering),
            " WITH CLUSTERING ORDER BY (%s)" % ", ".join("%s %s" % (column.name, order) for column, order in clustering)
            if clustering else "")

    def option(self):
        clustering = "".join(", %s%s" % (column.name, " desc" if order == "desc" else "")
                             for column, order in self.clustering())
        others = " *" if self.others is None else " (%s)" % names(self.others) if self.others else ""
        return "%s ((%s)%s)%s" % (self.name, names(self.key[:self.partition_count]), clustering, others)


def names(columns):
    return ", ".join(column.name for column in columns)


def plain(value):
    """The driver has classes of its own for dates, times and collections."""
    kind = type(value).__name__
    if kind == "SortedSet":
        return tuple(value)
    if kind == "OrderedMapSerializedKey":
        return dict(value)
    return value.date() if kind == "Date" else value.time() if kind == "Time" else value
