"""Random queries for the differential test. A query is parts of SQL with {0}, {1}… for constants
and far or near in {schema}, so that it runs on the foreign table and on its copy, with literals and
with parameters."""

COMPARISONS = ["=", "=", "=", "<", "<=", ">", ">=", "<>"]


class Query:
    """conjuncts are what WHERE says; each can be left out, and so can order, limit and group."""

    def __init__(self):
        self.select = []
        self.tables = ""
        self.conjuncts = []
        self.group = []
        self.having = ""
        self.order = []  # (column's expression, "ASC NULLS LAST"…); the expressions lead the select list
        self.limit = ""
        self.is_distinct = False
        self.distinct_on = []
        self.constants = []  # (literals of each execution, type)

    def text(self, constants, schema, has_limit=True):
        select = [name for name, _direction in self.order] + self.select
        head = "DISTINCT ON (%s) " % ", ".join(self.distinct_on) if self.distinct_on else (
            "DISTINCT " if self.is_distinct else "")
        parts = ["SELECT %s%s" % (head, ", ".join(select)), "FROM " + self.tables]
        if self.conjuncts:
            parts.append("WHERE " + " AND ".join("(%s)" % text for text in self.conjuncts))
        if self.group:
            parts.append("GROUP BY " + ", ".join(self.group))
        if self.having:
            parts.append("HAVING " + self.having)
        if self.order:
            parts.append("ORDER BY " + ", ".join("%s %s" % pair for pair in self.order))
        if self.limit and has_limit:
            parts.append(self.limit)
        # Not format(): literals may have braces.
        text = " ".join(parts).replace("{schema}", schema)
        for number, constant in reversed(list(enumerate(constants))):
            text = text.replace("{%d}" % number, constant)
        return text


class Generator:
    def __init__(self, rng, schema, near_columns):
        """near_columns: columns of table near.keys, which is local in both worlds, by type."""
        self.rng = rng
        self.schema = schema
        self.near_columns = near_columns

    # ---- constants ----

    def constant(self, column):
        """A value like the column's, now and then of another type."""
        if column.type.foreign and self.rng.random() < 0.08:
            literal = self.rng.choice(column.type.foreign)
            return self.parameter(["%s" % literal] * 3, literal.rsplit("::", 1)[1])
        values = [None if self.rng.random() < 0.04 else self.rng.choice(
            column.values if self.rng.random() < 0.85 else column.type.values) for _ in range(3)]
        return self.parameter([column.literal(value) for value in values], column.base)

    def array(self, column):
        arrays = []
        for _ in range(3):
            values = [self.rng.choice(column.values + [None] if self.rng.random() < 0.1 else column.values)
                      for _ in range(self.rng.choice((0, 1, 2, 3, 3, 5)))]
            arrays.append("ARRAY[%s]::%s[]" % (", ".join(column.literal(value) for value in values), column.base))
        return self.parameter(arrays, column.base + "[]")

    def parameter(self, literals, type_name):
        self.query.constants.append((literals, type_name))
        return "{%d}" % (len(self.query.constants) - 1)

    # ---- conditions ----

    def element_condition(self, column, name):
        """What CONTAINS, CONTAINS KEY and entries may answer; of jsonb nothing else is asked."""
        def element():
            return self.rng.choice(column.type.element)

        if column.type.cql.startswith("map"):
            number = self.rng.choice("1237")
            return self.rng.choice([
                "%s ? %s" % (name, self.parameter(["'%s'::text" % element() for _ in range(3)], "text")),
                "%s @> %s" % (name, self.parameter(["'{\"%s\": %s}'::jsonb" % (element(), number)
                                                    for _ in range(3)], "jsonb")),
                "%s -> '%s' = '%s'::jsonb" % (name, element(), number),
                "%s ->> '%s' = '%s'" % (name, element(), number)])
        if column.declaration == "jsonb":
            return "%s ? %s" % (name, self.parameter(["'%s'::text" % element() for _ in range(3)], "text"))
        # Not {1}, which would be a constant's place.
        arrays = ["'{ %s }'::%s" % (", ".join(self.rng.choice(column.type.element + ["NULL"])
                                            for _ in range(self.rng.choice((0, 1, 1, 2)))), column.base) for _ in range(3)]
        return self.rng.choice([
            "%s = ANY (%s)" % (self.parameter(["'%s'::%s" % (element(), column.base[:-2]) for _ in range(3)],
                                              column.base[:-2]), name),
            "%s @> %s" % (name, self.parameter(arrays, column.base)), "%s <@ %s" % (self.parameter(arrays, column.base), name),
            "%s && %s" % (name, self.parameter(arrays, column.base))])

    def comparison(self, column, name):
        if column.type.element and (not column.has_order or self.rng.random() < 0.6):
            return self.element_condition(column, name)
        if self.rng.random() < 0.1:
            return "%s %s %s" % (self.constant(column), self.rng.choice(COMPARISONS), name)
        return "%s %s %s" % (name, self.rng.choice(COMPARISONS), self.constant(column))

    def membership(self, column, name):
        if column.type.element:
            return self.comparison(column, name)
        kind = self.rng.randrange(4)
        if kind == 0:
            return "%s IN (%s)" % (name, ", ".join(self.constant(column) for _ in range(self.rng.randint(1, 4))))
        if kind == 1:
            return "%s = ANY (%s)" % (name, self.array(column))
        if kind == 2:
            return "%s NOT IN (%s)" % (name, ", ".join(self.constant(column) for _ in range(2)))
        return "%s %s %s (%s)" % (name, self.rng.choice(("<", ">=", "<>", "=")), self.rng.choice(("ANY", "ALL")),
                                  self.array(column))

    def subquery(self, column, name, alias):
        near = self.near_columns.get(column.name)
        if near is None or column.type.element:
            return self.comparison(column, name)
        return self.rng.choice([
            "%s IN (SELECT n.%s FROM near.keys n WHERE n.id < 4)" % (name, near),
            "%s = (SELECT n.%s FROM near.keys n WHERE n.id = 2)" % (name, near),
            "EXISTS (SELECT FROM near.keys n WHERE n.%s = %s)" % (near, name),
            "%s NOT IN (SELECT n.%s FROM near.keys n WHERE n.%s IS NOT NULL)" % (name, near, near),
            "%s >= (SELECT n.%s FROM near.keys n WHERE n.id = %s.tag)" % (name, near, alias)
            if alias == "near_keys" else "%s < (SELECT max(n.id)::text FROM near.keys n)" % name
            if column.type.is_text else "%s = ANY (SELECT n.%s FROM near.keys n)" % (name, near)])

    def rows(self, alias):
        """A comparison of rows of clustering columns."""
        columns = self.schema.of("clustering")
        count = self.rng.randint(2, len(columns))
        start = 0 if self.rng.random() < 0.8 else self.rng.randint(0, len(columns) - count)
        columns = columns[start:start + count]
        left = ", ".join(alias + column.name for column in columns)

        def right():
            return ", ".join(self.constant(column) for column in columns)

        if self.rng.random() < 0.3:
            return "(%s) IN (%s)" % (left, ", ".join("(%s)" % right() for _ in range(self.rng.randint(1, 3))))
        return "(%s) %s (%s)" % (left, self.rng.choice(("<", "<=", ">", ">=", "=")), right())

    def atom(self, columns, alias):
        column = self.rng.choice(columns)
        name = alias + column.name
        kind = self.rng.random()
        if kind < 0.45:
            return self.comparison(column, name)
        if kind < 0.65:
            return self.membership(column, name)
        if kind < 0.72 and column.has_order:
            return "%s BETWEEN %s AND %s" % (name, self.constant(column), self.constant(column))
        if kind < 0.78:
            return "%s IS %sNULL" % (name, self.rng.choice(("", "NOT ")))
        if kind < 0.84:
            return self.subquery(column, name, alias)
        if kind < 0.92 and len(self.schema.of("clustering")) > 1:
            return self.rows(alias)
        if column.type.cql == "boolean":
            return self.rng.choice(("%s", "NOT %s", "%s IS TRUE", "%s IS NOT FALSE", "%s IS UNKNOWN")) % name
        if column.type.is_text and not column.has_twins:  # LIKE refuses those
            return "%s LIKE %s" % (name, self.parameter(["'a%'::text", "'%b'::text", "'_'::text"], "text"))
        if self.schema.has_token and self.rng.random() < 0.5:
            return "%stok %s %s" % (alias, self.rng.choice(COMPARISONS), self.parameter(
                ["0::int8", "-4069959284402364209::int8", "9223372036854775807::int8"], "int8"))
        return "%s IS DISTINCT FROM %s" % (name, self.constant(column))

    def condition(self, columns, alias, depth=2):
        kind = self.rng.random()
        if depth == 0 or kind < 0.7:
            return self.atom(columns, alias)
        inner = [self.condition(columns, alias, depth - 1) for _ in range(self.rng.randint(2, 3))]
        if kind < 0.9:
            return " OR ".join("(%s)" % text for text in inner)
        if kind < 0.95:
            return "NOT (%s)" % inner[0]
        return " AND ".join("(%s)" % text for text in inner)

    def key_conditions(self, alias):
        """What makes an access: all of the partition key, a beginning of the clustering columns."""
        found = []
        for column in self.schema.of("partition"):
            name = alias + column.name
            kind = self.rng.random()
            if kind < 0.65:
                found.append("%s = %s" % (name, self.constant(column)))
            elif kind < 0.8:
                found.append("%s IN (%s)" % (name, ", ".join(self.constant(column) for _ in range(3))))
            elif kind < 0.9:
                found.append("%s = ANY (%s)" % (name, self.array(column)))
            else:
                found.append("%s = %s OR %s = %s" % (name, self.constant(column), name, self.constant(column)))
        for column in self.schema.of("clustering"):
            kind = self.rng.random()
            if kind < 0.3:
                break
            if kind < 0.6:
                found.append("%s%s = %s" % (alias, column.name, self.constant(column)))
            elif kind < 0.75:
                found.append(self.membership(column, alias + column.name))
            else:
                found.append(self.comparison(column, alias + column.name))
                if self.rng.random() < 0.5:
                    found.append(self.comparison(column, alias + column.name))
                break
        return found

    def path_conditions(self, alias):
        """What an index or a view answers."""
        found = []
        for view in self.rng.sample(self.schema.views, min(1, len(self.schema.views))):
            for column in view.key[:self.rng.randint(view.partition_count, len(view.key))]:
                found.append("%s%s = %s" % (alias, column.name, self.constant(column)) if self.rng.random() < 0.7
                             else self.membership(column, alias + column.name))
        indexed = self.schema.indexed()
        if indexed and (not found or self.rng.random() < 0.5):
            column = self.rng.choice(indexed)
            found = [self.comparison(column, alias + column.name)]
        return found

    def where(self, alias, key_chance=0.65):
        found = self.key_conditions(alias) if self.rng.random() < key_chance else []
        if not found and self.rng.random() < 0.7:
            found = self.path_conditions(alias)
        for _ in range(self.rng.choice((0, 0, 1, 1, 2)) if found else self.rng.choice((0, 1, 1, 2))):
            found.append(self.condition(self.schema.columns, alias))
        self.rng.shuffle(found)
        return found

    # ---- queries ----

    def draw(self):
        self.query = Query()
        draw = self.rng.choice([self.draw_rows, self.draw_rows, self.draw_rows, self.draw_sorted, self.draw_sorted,
                                self.draw_distinct, self.draw_aggregate, self.draw_aggregate, self.draw_join,
                                self.draw_join, self.draw_self_join, self.draw_first, self.draw_lateral,
                                self.draw_nested, self.draw_window])
        draw()
        if self.rng.random() < 0.3:
            self.query.limit = self.rng.choice(["LIMIT 1", "LIMIT 3", "LIMIT 2 OFFSET 1", "OFFSET 2", "LIMIT 0",
                                                "LIMIT %s" % self.parameter(["2::int8", "5::int8", "NULL::int8"], "int8")])
        return self.query

    def some_columns(self, alias=""):
        columns = self.schema.columns
        if self.rng.random() < 0.4:
            return [alias + column.name for column in columns]
        return [alias + column.name for column in self.rng.sample(columns, self.rng.randint(1, len(columns)))]

    def draw_rows(self):
        # through views, and as a partition, too
        self.query.tables = "{schema}." + self.rng.choice(("t", "t", "t", "twice", "guarded", "parent"))
        self.query.select = self.some_columns()
        self.query.conjuncts = self.where("")

    def draw_sorted(self):
        self.draw_rows()
        clustering = self.schema.of("clustering")
        if clustering and self.rng.random() < 0.8:
            columns = clustering[:self.rng.randint(1, len(clustering))]
            if self.rng.random() < 0.2:
                columns = self.schema.of("partition") + columns
            turn = self.rng.random() < 0.4
            self.query.order = [(column.name, "DESC" if (column.order == "DESC") != turn else "ASC") for column in columns]
            if self.rng.random() < 0.3:
                self.query.order = [(name, self.rng.choice(("ASC", "DESC", "ASC NULLS FIRST", "DESC NULLS LAST")))
                                    for name, _direction in self.query.order]
        else:
            column = self.rng.choice(self.schema.columns)
            self.query.order = [(column.name, self.rng.choice(("ASC", "DESC")))]

    def draw_distinct(self):
        self.query.tables = "{schema}.t"
        self.query.is_distinct = True
        partition = self.schema.of("partition")
        columns = (partition if self.rng.random() < 0.6 else partition + self.schema.of("static")
                   if self.rng.random() < 0.5 else self.rng.sample(self.schema.columns, 1))
        self.query.select = [self.representative(column) for column in columns]
        self.query.conjuncts = self.where("", 0.3)

    def draw_first(self):
        """DISTINCT ON; of rows that are first alike only what they share is shown."""
        query = self.query
        query.tables = "{schema}.t"
        query.conjuncts = self.where("", 0.4)
        partition = [column.name for column in self.schema.of("partition")]
        query.distinct_on = partition if self.rng.random() < 0.8 else partition[:1]
        clustering = self.schema.of("clustering")[:self.rng.randint(0, 3)]
        turn = self.rng.random() < 0.3
        query.order = [(name, "ASC") for name in query.distinct_on] + [
            (column.name, "DESC" if (column.order == "DESC") != turn else "ASC") for column in clustering]
        query.select = [column.name for column in self.schema.of("static")] if query.distinct_on == partition else []
        if clustering == self.schema.of("clustering") and query.distinct_on == partition:
            query.select = self.some_columns()

    def draw_lateral(self):
        """For each row of near.keys, the scan begins again."""
        query = self.query
        clustering = [column for column in self.schema.of("clustering") if not column.has_twins]
        order = ", ".join("%s %s" % (column.name, column.order) for column in clustering)
        shown = ", ".join(column.name for column in clustering) or "count(*)"
        inner = "SELECT %s FROM {schema}.t WHERE %s%s LIMIT %s" % (
            shown, " AND ".join("(%s)" % text for text in self.where("", 0.5)[:2] + self.correlated()),
            " ORDER BY " + order if order else "", self.rng.choice(("1", "3", "k.tag")))
        query.tables = "near.keys k CROSS JOIN LATERAL (%s) s" % inner
        query.select = ["k.id", "s.*"]

    def draw_nested(self):
        """A correlated subquery in the select list, and one that is run once."""
        query = self.query
        column = self.rng.choice([column for column in self.schema.columns if column.type.element is None])
        inner = "(SELECT %s FROM {schema}.t WHERE %s)" % (
            self.aggregate(), " AND ".join("(%s)" % text for text in self.where("", 0.5)[:2] + self.correlated()))
        query.tables = "near.keys k"
        query.select = ["k.id", inner]
        if self.rng.random() < 0.5:
            query.conjuncts = ["EXISTS (SELECT FROM {schema}.t WHERE %s)" % self.comparison(column, column.name)]

    def correlated(self):
        columns = self.schema.of("partition") + self.schema.of("clustering")[:self.rng.randint(0, 2)]
        return ["%s %s k.%s" % (column.name, "=" if column.role == "partition" else self.rng.choice(("=", "<", ">=")),
                                column.name) for column in columns]

    def draw_window(self):
        query = self.query
        query.tables = "{schema}.t"
        query.conjuncts = self.where("", 0.6)
        key = [column.name for column in self.schema.of("partition", "clustering") if not column.has_twins]
        partition, order = key[:1], key[1:3]
        query.select = key + ["%s OVER (%s%s)" % (
            self.rng.choice(("rank()", "count(*)", "dense_rank()")), "PARTITION BY " + partition[0] if partition else "",
            " ORDER BY " + ", ".join(order) if order else "")]

    @staticmethod
    def representative(column):
        return "lower(%s)" % column.name if column.has_twins else column.name

    def aggregate(self, alias=""):
        column = self.rng.choice(self.schema.columns)
        name = alias + column.name
        choices = ["count(*)", "count(%s)" % name, "count(DISTINCT %s)" % name]
        if column.type.element is None and column.type.cql not in ("boolean", "blob", "uuid", "timeuuid") and not column.has_twins:
            choices += ["min(%s)" % name, "max(%s)" % name] * 2
        if column.type.is_summed:
            choices += ["sum(%s)" % name, "avg(%s)" % name] * 2
        text = self.rng.choice(choices)
        if self.rng.random() < 0.25:
            text += " FILTER (WHERE %s)" % self.atom(self.schema.columns, alias)
        return text

    def draw_aggregate(self):
        query = self.query
        query.tables = "{schema}." + self.rng.choice(("t", "t", "t", "parent"))
        query.conjuncts = self.where("", 0.5)
        key = [self.representative(column) for column in self.schema.of("partition", "clustering")]
        kind = self.rng.random()
        if kind < 0.3:
            query.group = key[:self.rng.randint(1, len(key))]
        elif kind < 0.45:
            query.group = [self.representative(self.rng.choice(self.schema.columns))]
        query.select = query.group + [self.aggregate() for _ in range(self.rng.randint(1, 3))]
        if query.group and self.rng.random() < 0.3:
            query.having = "%s >= %s" % (self.rng.choice(("count(*)", "count(*) + 1")),
                                         self.parameter(["2::int8", "1::int8", "3::int8"], "int8"))

    def join_clauses(self, left, right):
        """On the partition key, and perhaps on some of the clustering columns."""
        columns = self.schema.of("partition") + self.schema.of("clustering")[:self.rng.randint(0, 2)]
        pairs = [(column, self.near_columns[column.name] if left == "k." else column.name) for column in columns]
        return ["%s%s %s %s%s" % (right, column.name,
                                  "=" if column.role == "partition" else self.rng.choice(("=", "=", "<", ">=")), left, name)
                for column, name in pairs]

    def draw_join(self):
        query = self.query
        on = " AND ".join(self.join_clauses("k.", "t.") + ([self.condition(self.schema.columns, "t.", 1)]
                                                           if self.rng.random() < 0.3 else []))
        kind = self.rng.random()
        query.select = ["k.id"] + self.some_columns("t.")
        query.conjuncts = self.where("t.", 0.1)
        if kind < 0.7:
            join = self.rng.choice(("JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN"))
            if join != "JOIN" and self.rng.random() < 0.3:
                query.conjuncts.append("t.%s IS NULL OR k.tag > 3" % self.schema.columns[0].name)
            query.tables = "near.keys k %s {schema}.t t ON %s" % (join, on)
        elif kind < 0.85:
            query.select = ["k.id"]
            query.tables = "near.keys k"
            query.conjuncts = ["%s (SELECT FROM {schema}.t t WHERE %s)" % (self.rng.choice(("EXISTS", "NOT EXISTS")), on)]
        else:
            inner = "SELECT count(*) AS n FROM {schema}.t t WHERE %s" % on
            query.select = ["k.id", "s.n"]
            query.tables = "near.keys k LEFT JOIN LATERAL (%s) s ON true" % inner
            query.conjuncts = []

    def draw_self_join(self):
        query = self.query
        query.tables = "{schema}.t a %s {schema}.t t ON %s" % (
            self.rng.choice(("JOIN", "LEFT JOIN")), " AND ".join(self.join_clauses("a.", "t.")))
        query.select = self.some_columns("a.")[:2] + self.some_columns("t.")[:3]
        query.conjuncts = self.where("a.", 0.8)
