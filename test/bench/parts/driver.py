"""rows, wire, route, points, shards: the driver alone."""
import glob
import hashlib
import os
import statistics

from base import (HERE, PAGE_ROWS, PROGRAMS, RECORDED_KEYS, RECORDED_PAGES, ROUNDS, measure, measure_best, median, note,
                  path_of, progress, read, stub)
from report import at_least, at_most, demand
from servers import recorder, servers, sharded_cluster

ROUTED = 1000000
SHARDED_KEYS = 20000
SHARDED_SECONDS = 5
WIRE_MB = 128


def driver_recording():
    """What the driver's programs and a real server said, made once for these sources."""
    digest = hashlib.sha1()
    for name in ["base.py", "parts/driver.py", "record", "bench.h", "bench.c"] + [name + ".c" for name in PROGRAMS]:
        digest.update(read(os.path.join(HERE, name)).encode())
    path = path_of("driver-%s.recording" % digest.hexdigest()[:12])
    if not os.path.exists(path):
        for stale in glob.glob(path_of("driver*.recording*")):
            os.remove(stale)
        servers.need(RECORDED_PAGES * PAGE_ROWS)
        progress("recording")
        with recorder(path + ".new") as port:
            measure("driver_points", "127.0.0.1", port, RECORDED_KEYS, 16, 0)
            measure("driver_rows", "127.0.0.1", port, RECORDED_PAGES)
        os.rename(path + ".new", path)
    return path


def part_rows():
    recording = driver_recording()
    memory = measure_best("driver_rows", recording, 1)
    core_rate = 1e9 / memory["cpu_ns"]
    note("rows from memory: received, checked, every cell read",
         "%.1f M rows per second of a core, %.0f ns a row" % (core_rate / 1e6, memory["cpu_ns"]),
         at_least(10, core_rate / 1e6, "M rows/s"))
    note("  allocations", "%.4f a row, %.2f a page of %.0f rows, %.0f KiB"
         % (memory["page_allocations"] / memory["page_rows"], memory["page_allocations"],
            memory["page_rows"], memory["page_bytes"] / 1024),
         demand("none a row", memory["page_allocations"] < 10))
    with stub(recording, 1000) as port:
        socket = measure_best("driver_rows", "127.0.0.1", port, 1000)
    note("rows over a socket from the stub",
         "%.1f M rows/s, %.0f ns CPU a row" % (socket["rate"] / 1e6, socket["cpu_ns"]))


def part_wire():
    """The best of each direction, ours and the library's: others on the machine only slow it down."""
    runs = [measure("driver_wire", WIRE_MB) for _ in range(ROUNDS)]
    best = {key: max(run[key] for run in runs) for key in runs[0]}
    for name, what in (("lz4", "lz4 pages in (to 1/%.1f)" % best["lz4_ratio"]), ("tls_in", "TLS pages in"),
                       ("tls_out", "TLS requests out")):
        ratio = best[name] / best["bare_" + name]
        note(what, "%.0f MB/s of CPU, %.2f of the bare library's %.0f" % (best[name], ratio, best["bare_" + name]),
             at_least(0.9, ratio))


def part_route():
    runs = [measure("driver_route", ROUTED) for _ in range(ROUNDS)]
    for name, what in (("tablets_ns", "a table of 4096 tablets"), ("ring_ns", "500 nodes of 256 tokens")):
        best = min(run[name] for run in runs)
        note("routing a request, " + what, "%.0f ns" % best, at_most(200, best, "ns"))


def part_points():
    with stub(driver_recording(), RECORDED_PAGES) as port:
        for in_flight in (1, 64, 256):
            figures = measure_best("driver_points", "127.0.0.1", port, RECORDED_KEYS, in_flight, 1)
            note("prepared point reads from the stub, %d in flight" % in_flight,
                 "%.0f k/s, %.2f us CPU, %.1f allocations each"
                 % (figures["rate"] / 1e3, figures["cpu_us"], figures["allocations"]),
                 at_least(300, figures["rate"] / 1e3, "k/s") if in_flight >= 64 else None)
    with stub(driver_recording(), RECORDED_PAGES, 2, 2) as port:
        spread = measure_best("driver_points", "127.0.0.1", port, RECORDED_KEYS, in_flight, 1)
    share = spread["rate"] / figures["rate"]
    note("the same from 2 nodes of 2 shards, %d in flight" % in_flight,
         "%.0f k/s, %.2f us CPU, %.2f of one connection's rate" % (spread["rate"] / 1e3, spread["cpu_us"], share))


def part_shards():
    """In turn with one plain connection to the same nodes through the same front."""
    if "SCYLLA_TEST_HOST" in os.environ:
        return
    with sharded_cluster(nodes=2, shards=2) as front:
        measure("load", *front, SHARDED_KEYS, 64)
        runs = [[measure("driver_points", *front, SHARDED_KEYS, 256, SHARDED_SECONDS, connections)
                 for connections in (0, 1)] for _ in range(ROUNDS + 1)][1:]
    shares = [pool["rate"] / plain["rate"] for pool, plain in runs]
    pool, plain = runs[shares.index(statistics.median_low(shares))]
    note("prepared point reads of 2 nodes of 2 shards through the front, 256 in flight",
         "%.2f k/s, %.1f us CPU each; %.2f of one plain connection's %.2f k/s, %.1f us"
         % (pool["rate"] / 1e3, pool["cpu_us"], median(shares), plain["rate"] / 1e3, plain["cpu_us"]),
         at_least(0.9, median(shares)))
