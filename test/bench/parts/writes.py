"""writes, csv: many rows in, and files."""
import os
import resource
import shutil
import time

from base import HERE, ROWS, SOME_ROWS, build_peer, command, measure, note, scratch
from report import at_least, at_most
from servers import servers


def timed_writes(backend, sql, rows):
    """(rate, CPU us a row, peak of memory in MiB above what it was)."""
    backend.forget_peak()
    before, cpu_s, began = backend.resident_mib(), backend.cpu_s(), time.monotonic()
    backend.run(sql)
    seconds = time.monotonic() - began
    return rows / seconds, (backend.cpu_s() - cpu_s) * 1e6 / rows, backend.status_mib("VmHWM") - before


WRITE_ROWS = ("SELECT (g / 100)::bigint, (g %% 100)::int, g * 7::bigint, g / 8.0::float8, 'text of row ' || g "
              "FROM generate_series(0, %d) g")
# The same, in an order in which neighbours are of different partitions.
SCATTERED_ROWS = ("SELECT (g / 100)::bigint, (g %% 100)::int, g * 7::bigint, g / 8.0::float8, 'text of row ' || g "
                  "FROM (SELECT i %% %d * 100 + i / %d FROM generate_series(0, %d) i) AS scattered(g)")


def part_writes():
    """Each in turn, the peer first and last, since the server gets slower as it fills."""
    peer_program = build_peer()
    servers.need(1000)
    backend = servers.connect()
    backend.run("SELECT scylla_execute('cluster', 'DROP TABLE IF EXISTS scylla_fdw_bench.w')")
    backend.run("SELECT scylla_execute('cluster', 'CREATE TABLE scylla_fdw_bench.w (p bigint, c int, a bigint, "
                "b double, s text, PRIMARY KEY (p, c))')")
    backend.run("CREATE FOREIGN TABLE cluster.w (p bigint, c int, a bigint, b float8, s text) SERVER cluster "
                "OPTIONS (keyspace 'scylla_fdw_bench', \"table\" 'w')")
    file = os.path.join(scratch, "pg", "bench", "rows")
    backend.run("COPY (%s) TO '%s'" % (WRITE_ROWS % (ROWS - 1), file))
    statements = [("INSERT ... SELECT of %d rows" % ROWS, "INSERT INTO cluster.w " + WRITE_ROWS % (ROWS - 1)),
                  ("COPY of %d rows" % ROWS, "COPY cluster.w FROM '%s'" % file),
                  ("INSERT ... SELECT of them scattered over partitions",
                   "INSERT INTO cluster.w " + SCATTERED_ROWS % (ROWS // 100, ROWS // 100, ROWS - 1))]
    peers = []
    for what, sql in statements:
        if peer_program is not None:
            peers.append(measure(peer_program, "writes", *servers.cql(), ROWS, 256))
            note("scylla Rust driver, the same rows, 256 in flight, one thread", "%.1f k/s, %.1f us CPU each"
                 % (peers[-1]["rate"] / 1e3, peers[-1]["cpu_us"]))
        rate, cpu_us, peak = timed_writes(backend, sql, ROWS)
        ratio = rate / peers[-1]["rate"] if peers else None
        note(what, "%.1f k/s, %.1f us CPU each%s" % (rate / 1e3, cpu_us, ", %.2f of the peer" % ratio if ratio else ""),
             at_least(0.9, ratio, "of the peer") if ratio else None)
        note("  memory", "%.1f MiB at most" % peak, at_most(64, peak, "MiB"))
    some = min(ROWS, SOME_ROWS)
    backend.run("CREATE TABLE correction AS SELECT (g / 100)::bigint AS p, g %% 100 AS c, g::bigint AS a "
                "FROM generate_series(0, %d) g; ANALYZE correction" % (some - 1))
    rate, cpu_us, _peak = timed_writes(backend, "UPDATE cluster.w SET a = l.a FROM correction l "
                                                "WHERE w.p = l.p AND w.c = l.c", some)
    one_by_one = min(some, 2000)
    single, _cpu_us, _peak = timed_writes(backend, """
        DO $$
        BEGIN
            FOR g IN 0 .. %d LOOP
                UPDATE cluster.w SET a = a + 1 WHERE p = g / 100 AND c = g %% 100;
            END LOOP;
        END
        $$""" % (one_by_one - 1), one_by_one)
    note("UPDATE of %d rows of %d by key" % (some, ROWS), "%.1f k/s, %.1f us CPU each, %.0f x one by one"
         % (rate / 1e3, cpu_us, rate / single), at_least(20, rate / single, "x"))
    backend.run("SELECT scylla_execute('cluster', 'DROP TABLE scylla_fdw_bench.w')")
    backend.close()


def timed_dsbulk(operation, table, url, folder):
    """(rows/s, CPU us a row), the start of its virtual machine included."""
    host, port = servers.cql()
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    command(os.path.join(HERE, "dsbulk"), operation, "-h", host, "-port", port, "-k", "scylla_fdw_bench", "-t", table,
            "-url", url, "-maxConcurrentFiles", "1", "-logDir", folder)
    seconds, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return servers.loaded / seconds, cpu_s * 1e6 / servers.loaded


def timed_copy(backend, sql):
    """(rows/s, CPU us a row)."""
    cpu_s, began = backend.cpu_s(), time.monotonic()
    tag = backend.run(sql)
    seconds = time.monotonic() - began
    if tag != "COPY %d" % servers.loaded:
        raise RuntimeError("%s instead of %d rows" % (tag, servers.loaded))
    return servers.loaded / seconds, (backend.cpu_s() - cpu_s) * 1e6 / servers.loaded


def make_copies(backend):
    """Empty tables of the same columns, one for each who loads."""
    for name in ("copied", "copied_by_dsbulk"):
        backend.run("SELECT scylla_execute('cluster', 'CREATE TABLE scylla_fdw_bench.%s "
                    "(id bigint PRIMARY KEY, n int, t timestamp, s text, m bigint)')" % name)
    backend.run("IMPORT FOREIGN SCHEMA scylla_fdw_bench LIMIT TO (copied) FROM SERVER cluster INTO cluster")


def part_csv():
    """In turn; each loads the file that it wrote."""
    has_dsbulk = shutil.which("mvn") is not None
    if has_dsbulk:
        command(os.path.join(HERE, "dsbulk"))
    servers.need(ROWS)
    backend = servers.connect()
    backend.run("ANALYZE cluster.item")
    make_copies(backend)
    folder = os.path.join(scratch, "pg", "bench")
    file, unloaded = (os.path.join(folder, name) for name in ("item.csv", "unloaded"))
    note_files("COPY of %d rows to CSV" % ROWS,
               timed_copy(backend, "COPY (SELECT * FROM cluster.item) TO '%s' CSV HEADER" % file),
               has_dsbulk and timed_dsbulk("unload", "item", unloaded, folder))
    note_files("COPY of them from CSV",
               timed_copy(backend, "COPY cluster.copied FROM '%s' CSV HEADER" % file),
               has_dsbulk and timed_dsbulk("load", "copied_by_dsbulk", unloaded, folder))
    backend.close()


def note_files(what, ours, dsbulk):
    note(what, "%.1f k/s, %.1f us CPU each" % (ours[0] / 1e3, ours[1]))
    if dsbulk:
        note("  beside DSBulk", "%.1f k/s, %.1f us CPU each; COPY has %.1f of its rate"
             % (dsbulk[0] / 1e3, dsbulk[1], ours[0] / dsbulk[0]))
