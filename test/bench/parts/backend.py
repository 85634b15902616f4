"""memory, types: what a backend gains, and what it spends on a value."""
import contextlib
import os

from base import KEY_STEP, PAGE_ROWS, RECORDED_PAGES, ROUNDS, ROWS, SOME_ROWS, median, note, path_of, stub
from report import at_most, demand
from servers import recorder, servers

MIB = 1024 * 1024


def first_query(sql):
    """What the first query adds to a bare backend: MiB of memory that it wrote itself, of files
    that are mapped, and of the server's shared memory that it looked at."""
    kinds = "RssAnon", "RssFile", "RssShmem"
    with contextlib.closing(servers.connect()) as backend:
        before = [backend.status_mib(kind) for kind in kinds]
        backend.run(sql)
        return [backend.status_mib(kind) - mib for kind, mib in zip(kinds, before)]


def note_first_query(name, sql, limit_mib=None):
    own, files, shared = (median(each) for each in zip(*(first_query(sql) for _ in range(ROUNDS))))
    note(name, "%.1f MiB: %.1f its own, %.1f of mapped files; besides, %.1f of shared buffers"
         % (own + files, own, files, shared), at_most(limit_mib, own + files, "MiB") if limit_mib else None)


def part_memory():
    servers.need(min(ROWS, SOME_ROWS))
    one = "SELECT * FROM cluster.item WHERE id = 1"
    note_first_query("a bare backend's first query adds", one, 4)
    with servers.preloaded():
        note_first_query("  where shared_preload_libraries has loaded the extension", one, 4)
    note_first_query("  postgres_fdw's", "SELECT * FROM local.one WHERE id = 1")

    backend = servers.connect()
    descriptors = None
    for i in range(10000):
        backend.run("SELECT * FROM cluster.item WHERE id = %d" % (i * KEY_STEP % servers.loaded))
        if i == 0:
            descriptors, resident = backend.count("fd"), backend.resident_mib()
    growth = backend.count("fd") - descriptors
    note("10,000 queries later", "%+d descriptors, %+.1f MiB, %d thread"
         % (growth, backend.resident_mib() - resident, backend.count("task")),
         demand("flat, 1 thread", growth == 0 and backend.count("task") == 1))
    backend.close()
    part_memory_scan()


def part_memory_scan():
    """The extension itself against a stub that goes on for ten million rows."""
    recording = path_of("fdw.recording")
    backend = servers.connect()
    with recorder(recording) as port:
        servers.make_server(backend, "recorded", "127.0.0.1", port)
        backend.close()
        scan_pages("recorded", RECORDED_PAGES)
    with stub(recording, 2000) as port:
        backend = servers.connect()
        backend.run("ALTER SERVER recorded OPTIONS (SET port '%d')" % port)
        backend.close()
        rows, growth, threads = scan_pages("recorded", 2000)
    page_mib = largest_frame(recording) / MIB
    note("scan of %d rows from the stub adds at its peak" % rows, "%.1f MiB, %.1f pages; %d thread"
         % (growth, growth / page_mib, threads),
         demand("<= 2 pages + 1 MiB", growth <= 2 * page_mib + 1 and threads == 1))


def largest_frame(path):
    with open(path, "rb") as file:
        largest = 0
        while header := file.read(9):
            length = int.from_bytes(header[5:], "big")
            largest = max(largest, length)
            file.seek(length, os.SEEK_CUR)
        return largest


def scan_pages(schema, pages):
    """In a backend of its own, after a first page: rows, MiB added at the peak, threads."""
    with contextlib.closing(servers.connect()) as backend:
        backend.run("BEGIN")
        backend.run("DECLARE everything NO SCROLL CURSOR FOR SELECT * FROM %s.item" % schema)
        backend.run("MOVE 1 IN everything")
        first = backend.status_mib("VmRSS")
        backend.forget_peak()
        tag = backend.run("MOVE %d IN everything" % (pages * PAGE_ROWS))
        figures = int(tag.split()[1]) + 1, backend.status_mib("VmHWM") - first, backend.count("task")
        backend.run("COMMIT")
        return figures


TYPE_ROWS = 1000  # fewer than a page has
TYPE_COLUMNS = 32
TYPE_PASSES = 20
DECODE_GOAL_NS = 15
# CQL type: (a value, the goal of what it may cost)
TYPE_VALUES = {
    "int": ("123456789", DECODE_GOAL_NS), "bigint": ("1234567890123456789", DECODE_GOAL_NS),
    "text": ("'twenty characters...'", DECODE_GOAL_NS), "timestamp": ("1700000000123", DECODE_GOAL_NS),
    "uuid": ("12345678-9abc-4def-8123-456789abcdef", DECODE_GOAL_NS), "boolean": ("true", DECODE_GOAL_NS),
    "tinyint": ("12", None), "smallint": ("1234", None), "float": ("1.5", None), "double": ("1.5", None),
    "ascii": ("'twenty characters...'", None), "blob": ("0x" + "ab" * 20, None), "date": ("'2024-02-29'", None),
    "time": ("'12:34:56.789'", None), "duration": ("1mo2d3h", None), "inet": ("'192.168.1.2'", None),
    "timeuuid": ("50554d6e-29bb-11e5-b345-feff819cdc9f", None), "varint": ("123456789012345678901234567890", None),
    "decimal": ("1234567.89", None), "list<int>": ("[1, 2, 3, 4]", None), "set<text>": ("{'a', 'b', 'c'}", None),
    "map<text, int>": ("{'a': 1, 'b': 2}", None), "tuple<int, text>": ("(1, 'a')", None),
    "vector<float, 8>": ("[1, 2, 3, 4, 5, 6, 7, 8]", None)}


def load_types(backend):
    """A table with a column of each type and one that is null, all rows alike."""
    table = "scylla_fdw_bench.types"
    columns = ["c%d" % i for i in range(len(TYPE_VALUES))]
    backend.run("SELECT scylla_execute('cluster', 'CREATE TABLE %s (k int PRIMARY KEY, nothing int, %s)')"
                % (table, ", ".join("%s %s" % pair for pair in zip(columns, TYPE_VALUES))))
    insert = "INSERT INTO %s (k, %s) VALUES (?, %s)" % (
        table, ", ".join(columns), ", ".join(value for value, _goal in TYPE_VALUES.values()))
    backend.run("SELECT count(scylla_execute('cluster', '%s', k)) FROM generate_series(1, %d) k"
                % (insert.replace("'", "''"), TYPE_ROWS))
    backend.run("IMPORT FOREIGN SCHEMA scylla_fdw_bench LIMIT TO (types) FROM SERVER cluster INTO cluster")
    backend.cursor.execute("SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
                           "WHERE attrelid = 'cluster.types'::regclass AND attnum > 0")
    declarations = dict(backend.cursor.fetchall())
    return {cql: (column, declarations[column]) for cql, column in zip(TYPE_VALUES, columns) if column in declarations}


def declare_wide(backend, name, column, declaration):
    """A foreign table whose columns all show one and the same remote column."""
    backend.run("DROP FOREIGN TABLE IF EXISTS public.%s" % name)
    backend.run("CREATE FOREIGN TABLE public.%s (%s) SERVER cluster OPTIONS (keyspace 'scylla_fdw_bench', "
                "\"table\" 'types')" % (name, ", ".join("v%d %s OPTIONS (\"column\" '%s')" % (i, declaration, column)
                                                        for i in range(TYPE_COLUMNS))))


def walk_ns(backend, name):
    """CPU of the backend for each cell of a page that it walks again and again: the page is one
    and stays, so nothing is received."""
    backend.run("BEGIN")
    backend.run("DECLARE everything NO SCROLL CURSOR FOR SELECT wide.* FROM generate_series(1, %d) "
                "LEFT JOIN public.%s wide ON true" % (TYPE_PASSES + 1, name))
    backend.run("MOVE %d IN everything" % TYPE_ROWS)
    cpu_s = backend.cpu_s()
    tag = backend.run("MOVE ALL IN everything")
    cpu_s = backend.cpu_s() - cpu_s
    backend.run("COMMIT")
    if tag != "MOVE %d" % (TYPE_ROWS * TYPE_PASSES):
        raise RuntimeError("%s instead of %d rows" % (tag, TYPE_ROWS * TYPE_PASSES))
    return cpu_s * 1e9 / TYPE_ROWS / TYPE_PASSES / TYPE_COLUMNS


def part_types():
    """Each type beside a column that is null: the row, the slot and the cell are walked just so,
    but nothing is decoded. The best of many short rounds, taken in turn."""
    servers.need(1)
    backend = servers.connect()
    columns = load_types(backend)
    backend.run("SET enable_material = off")
    declare_wide(backend, "nothing", "nothing", "int")
    for cql, (column, declaration) in columns.items():
        declare_wide(backend, "wide", column, declaration)
        pairs = [(walk_ns(backend, "wide"), walk_ns(backend, "nothing")) for _ in range(5 * ROUNDS)]
        cost = min(value for value, _null in pairs) - min(null for _value, null in pairs)
        goal = TYPE_VALUES[cql][1]
        note("decoding a value of %s as %s" % (cql, declaration), "%.1f ns" % cost,
             at_most(goal, cost, "ns") if goal else None)
    backend.run("SELECT scylla_execute('cluster', 'DROP TABLE scylla_fdw_bench.types')")
    backend.close()
