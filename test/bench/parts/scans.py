"""scan, parallel: all rows of a table."""
import contextlib
import os
import time

from base import PAGE_ROWS, ROUNDS, ROWS, build_peer, measure, median, note, path_of, stub
from report import at_least
from servers import busy_s, recorder, servers

PEER_RANGES = 16  # that the Rust driver scans at once: more gain nothing
# A condition on the last column (IMPORT has them by name behind the key), which stays local: a heap's row is taken
# apart up to there, where it would be left as it is without anybody who looks at a column.
ALL_COLUMNS = "SELECT * FROM %s.item WHERE t IS DISTINCT FROM 'infinity'"


def scan(backend, schema):
    """
    Read all rows with all columns. MOVE runs the plan as a query does, so every column is taken out of what came, but
    nothing is put into text or sent. (CPU ns a row, rows/s)
    """
    backend.run("BEGIN")
    backend.run("DECLARE everything NO SCROLL CURSOR FOR " + ALL_COLUMNS % schema)
    cpu_s, began = backend.cpu_s(), time.monotonic()
    tag = backend.run("MOVE ALL IN everything")
    wall_s, cpu_s = time.monotonic() - began, backend.cpu_s() - cpu_s
    backend.run("COMMIT")
    rows = int(tag.split()[1])
    if rows != servers.loaded:
        raise RuntimeError("%s.item gave %d rows instead of %d" % (schema, rows, servers.loaded))
    return cpu_s * 1e9 / rows, rows / wall_s


def copy_locally():
    """The table as one of PostgreSQL's own, all visible."""
    with contextlib.closing(servers.connect()) as backend:
        backend.run("CREATE TABLE IF NOT EXISTS public.item AS SELECT * FROM cluster.item")
        backend.run("VACUUM ANALYZE public.item")


def part_scan():
    servers.need(ROWS)
    copy_locally()
    with contextlib.closing(servers.connect()) as backend:
        for name in ("local", "local_default"):
            backend.run("IMPORT FOREIGN SCHEMA public LIMIT TO (item) FROM SERVER %s INTO %s" % (name, name))
    figures = {"cluster": [], "local": [], "local_default": [], "public": []}
    for _ in range(ROUNDS):
        for schema in figures:
            with contextlib.closing(servers.connect()) as backend:
                figures[schema].append(scan(backend, schema))
    cpu = {schema: median([pair[0] for pair in pairs]) for schema, pairs in figures.items()}
    rate = {schema: median([pair[1] for pair in pairs]) for schema, pairs in figures.items()}
    names = {"local": "postgres_fdw, fetch_size %d" % PAGE_ROWS, "local_default": "postgres_fdw, fetch_size 100",
             "public": "a local table"}
    note("full scan of %d rows of 5 columns beside postgres_fdw" % servers.loaded,
         "%.0f ns CPU of the backend a row, %.0f k rows/s; 1/%.1f of postgres_fdw"
         % (cpu["cluster"], rate["cluster"] / 1e3, cpu["local"] / cpu["cluster"]),
         at_least(3, cpu["local"] / cpu["cluster"], "times less CPU"))
    for schema, name in names.items():
        note("  " + name, "%.0f ns, %.0f k rows/s" % (cpu[schema], rate[schema] / 1e3))
    part_scan_ring(build_peer())


AGGREGATED = "SELECT count(*), sum(n), max(t) FROM %s.item"


def with_server_cpu(measured):
    """What was measured, and the server's CPU for each row of the table meanwhile, in us."""
    cpu_s = servers.cpu_s()
    result = measured()
    return result, (servers.cpu_s() - cpu_s) * 1e6 / servers.loaded


def part_scan_ring(peer_program):
    """The ring in pieces, as of a table that was analyzed; what the server computes of it; and the peer; in turn."""
    backend = servers.connect()
    backend.run("ANALYZE cluster.item")
    backend.run("SET max_parallel_workers_per_gather = 0")
    scans, aggregates, peers = [], [], []
    for _ in range(ROUNDS):
        scans.append(with_server_cpu(lambda: scan(backend, "cluster")))
        aggregates.append(with_server_cpu(lambda: timed_ms(backend, AGGREGATED % "cluster")))
        if peer_program is not None:
            peers.append(measure(peer_program, "scans", *servers.cql(), servers.loaded, PEER_RANGES))
    backend.close()
    rate = median([one[1] for one, _server in scans])
    note("full scan of the ring in pieces", "%.0f k rows/s, %.2f us CPU of the backend a row, %.2f us of the server"
         % (rate / 1e3, median([one[0] for one, _server in scans]) / 1e3, median([server for _one, server in scans])))
    if peers:
        other = median([one["rate"] for one in peers])
        note("  beside the scylla Rust driver's typed rows, one thread",
             "%.0f k rows/s, %.2f us CPU a row; the scan has %.2f of it"
             % (other / 1e3, median([one["cpu_us"] for one in peers]), rate / other), at_least(1.0, rate / other))
    ratio = median([servers.loaded / one[1] * 1e3 / ms for (one, _), (ms, _) in zip(scans, aggregates)])
    note("  beside count, sum and max by the server", "%.1f x as fast, %.2f us CPU of the server a row"
         % (ratio, median([server for _ms, server in aggregates])), at_least(5, ratio, "x"))


SHARED = "SELECT count(id + n), max(length(s)), count(t), sum(m + 0.5) FROM %s.item"


@contextlib.contextmanager
def recorded_ring(schema):
    """The table of the real server in pieces of the ring, replayed by a stub in a schema of that name; known to be
    large, and costing nothing to begin with."""
    recording = path_of("ring.recording")
    backend = servers.connect()
    with recorder(recording) as port:
        servers.make_server(backend, schema, "127.0.0.1", port)
        backend.run("ALTER SERVER %s OPTIONS (ADD fdw_startup_cost '0')" % schema)
        backend.run("UPDATE pg_class SET reltuples = %d WHERE oid = '%s.item'::regclass" % (servers.loaded, schema))
        backend.close()
        with contextlib.closing(servers.connect()) as backend:
            share(backend, 1)
            backend.run(SHARED % schema)
            backend.run(AGGREGATED % schema)
            scan(backend, schema)
    with stub(recording, 10 ** 9) as port:
        with contextlib.closing(servers.connect()) as backend:
            backend.run("ALTER SERVER %s OPTIONS (SET port '%d')" % (schema, port))
        yield


def share(backend, workers):
    backend.run("SET max_parallel_workers_per_gather = %d" % workers)
    backend.run("SET parallel_setup_cost = 0")
    backend.run("SET parallel_tuple_cost = 0")


def timed_ms(backend, sql):
    began = time.monotonic()
    backend.run(sql)
    return (time.monotonic() - began) * 1e3


def part_parallel():
    """One process and two on the same answers of a stub, in turn; and one on a local table."""
    servers.need(ROWS)
    copy_locally()
    figures = {name: [] for name in ("scan", "local scan", "pushed", "alone", "local", "shared")}
    busy = {"alone": [], "shared": []}
    with recorded_ring("ring"), contextlib.closing(servers.connect()) as backend:
        for _ in range(ROUNDS):
            share(backend, 0)
            figures["scan"].append(scan(backend, "ring"))
            figures["local scan"].append(scan(backend, "public"))
            figures["pushed"].append(timed_ms(backend, AGGREGATED % "ring"))
            figures["local"].append(timed_ms(backend, SHARED % "public"))
            for workers, name in enumerate(busy):
                share(backend, workers)
                busy_before, began = busy_s(), time.monotonic()
                figures[name].append(timed_ms(backend, SHARED % "ring"))
                busy[name].append((busy_s() - busy_before) / (time.monotonic() - began))
        balance = participants(backend, SHARED % "ring")
    note_stub_scan(figures)
    ratio = median([one / other for one, other in zip(figures["alone"], figures["shared"])])
    note("aggregate over the stub's rows, leader and one worker",
         "%.0f ms, %.2f x the leader alone" % (median(figures["shared"]), ratio), at_least(1.8, ratio, "x"))
    note("  rows of the busier one", "%.0f %%" % (100 * max(balance) / sum(balance)))
    note("  cores of the machine that are busy", "%.1f of %d; %.1f with the leader alone"
         % (median(busy["shared"]), os.cpu_count(), median(busy["alone"])))


def note_stub_scan(figures):
    scans, heap = figures["scan"], figures["local scan"]
    ratio = median([one[1] / other[1] for one, other in zip(scans, heap)])
    note("full scan from the stub beside a local table", "%.0f k rows/s and %.0f, %.0f ns CPU a row and %.0f; ratio %.2f"
         % (*(median([one[1] for one in each]) / 1e3 for each in (scans, heap)),
            *(median([one[0] for one in each]) for each in (scans, heap)), ratio), at_least(0.5, ratio))
    ratio = median([one / other for one, other in zip(figures["local"], figures["alone"])])
    note("  with an aggregate of all columns above it", "%.0f ms and %.0f ms, ratio %.2f"
         % (median(figures["alone"]), median(figures["local"]), ratio), at_least(0.5, ratio))
    ratio = median([servers.loaded / one[1] * 1e3 / ms for one, ms in zip(scans, figures["pushed"])])
    note("  beside an aggregate whose parts the stub answers", "%.0f ms, %.0f x as fast"
         % (median(figures["pushed"]), ratio), at_least(5, ratio, "x"))


def participants(backend, sql):
    """Rows that each process read of the foreign table."""
    backend.cursor.execute("EXPLAIN (ANALYZE, VERBOSE, TIMING OFF, FORMAT json) " + sql)
    plan = backend.cursor.fetchone()[0][0]["Plan"]
    while plan["Node Type"] != "Foreign Scan":
        plan = plan["Plans"][0]
    workers = [worker["Actual Rows"] * worker["Actual Loops"] for worker in plan.get("Workers", [])]
    return workers + [plan["Actual Rows"] * plan["Actual Loops"] - sum(workers)]
