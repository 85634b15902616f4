"""join: rows looked up for those of another table."""
import time

from base import ROUNDS, SOME_ROWS, build_peer, measure, median, note
from report import at_least
from servers import servers

JOINED = ("SELECT count(i.id), count(i.n), count(i.t), count(i.s), count(i.m) FROM wanted w "
          "JOIN cluster.item i ON i.id = w.id WHERE w.id < %d")
JOIN_SETTINGS = "RESET ALL; SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_memoize = off; "


def timed_join(backend, rows, settings=""):
    """(rate, CPU us a row, the server's) of a join of that many rows, which must all be found."""
    backend.run(JOIN_SETTINGS + settings)
    cpu_s, server_cpu_s, began = backend.cpu_s(), servers.cpu_s(), time.monotonic()
    backend.run(JOINED % rows)
    seconds = time.monotonic() - began
    found = backend.cursor.fetchone()[0]
    if found != rows:
        raise RuntimeError("%d of %d rows were found" % (found, rows))
    return rows / seconds, (backend.cpu_s() - cpu_s) * 1e6 / rows, (servers.cpu_s() - server_cpu_s) * 1e6 / rows


def part_join():
    """Each key once, in turn with its peers; the nested loop has fewer, one after the other."""
    peer_program = build_peer()
    servers.need(SOME_ROWS)
    backend = servers.connect()
    backend.run("CREATE TABLE wanted AS SELECT id::bigint FROM generate_series(0, %d) id; ANALYZE wanted" % (SOME_ROWS - 1))
    backend.run(JOIN_SETTINGS + "EXPLAIN " + JOINED % SOME_ROWS)
    if not any("Scylla Lookup Window" in line for line, in backend.cursor.fetchall()):
        raise RuntimeError("the join is no lookup join")
    timed_join(backend, SOME_ROWS)
    joins, loops, drivers, peers = [], [], [], []
    for _ in range(ROUNDS):
        joins.append(timed_join(backend, SOME_ROWS))
        drivers.append(measure("driver_points", *servers.cql(), SOME_ROWS, 256, 0))
        joins.append(timed_join(backend, SOME_ROWS))
        if peer_program is not None:
            peers.append(measure(peer_program, "lookups", *servers.cql(), SOME_ROWS, 256))
        joins.append(timed_join(backend, SOME_ROWS))
        loops.append(timed_join(backend, SOME_ROWS // 20, "SET scylla_fdw.enable_lookup_join = off"))
    backend.close()
    rate, cpu_us, server_cpu_us = (median(figures) for figures in zip(*joins))
    loop, _cpu, loop_server_cpu_us = (median(figures) for figures in zip(*loops))
    note("%d rows joined by lookups, 256 in flight" % SOME_ROWS,
         "%.1f k/s, %.1f us CPU each; %.0f x a nested loop's %.2f k/s" % (rate / 1e3, cpu_us, rate / loop, loop / 1e3),
         at_least(20, rate / loop, "x"))
    note("  CPU of the server", "%.0f us a lookup, %.0f in the nested loop" % (server_cpu_us, loop_server_cpu_us))
    for name, figures, goal in (("bare driver", drivers, None), ("scylla Rust driver, one thread", peers, 0.9)):
        if not figures:
            continue
        other = median([one["rate"] for one in figures])
        note("  the same keys by the " + name, "%.1f k/s, %.1f us CPU each; the join has %.2f of it"
             % (other / 1e3, median([one["cpu_us"] for one in figures]), rate / other),
             at_least(goal, rate / other) if goal else None)
