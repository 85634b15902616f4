"""load, sql, planning: single rows in and out of the real server, and what planning costs."""
import time

from base import KEY_STEP, ROUNDS, ROWS, SOME_ROWS, measure, median, note
from report import at_least, at_most
from servers import servers


def part_load():
    figures = servers.load(ROWS)
    note("inserts into the real server, 256 in flight", "%.1f k/s, %.1f us CPU each"
         % (figures["rate"] / 1e3, figures["cpu_us"]))


def sql_points(backend, count):
    """Point reads in a PL/pgSQL loop; (rate, CPU us each)."""
    cpu_s, began = backend.cpu_s(), time.monotonic()
    backend.run("""
        DO $$
        DECLARE
            item record;
            key bigint;
        BEGIN
            FOR i IN 0 .. %d LOOP
                key := i * %d %% %d;
                SELECT id, n, t, s, m INTO item FROM cluster.item WHERE id = key;
                IF item.id IS DISTINCT FROM key THEN
                    RAISE 'key %% got another answer', key;
                END IF;
            END LOOP;
        END
        $$""" % (count - 1, KEY_STEP, servers.loaded))
    return count / (time.monotonic() - began), (backend.cpu_s() - cpu_s) * 1e6 / count


WARM_UP_S = 60  # the server compiles what single reads need, on the cores that are measured


def part_sql():
    """Taken in turn and briefly, each first in every other pair, so that what else the machine does slows both alike."""
    servers.need(min(ROWS, SOME_ROWS))
    backend = servers.connect()
    bare_loop = ("driver_points", *servers.cql(), servers.loaded, 1, 1)
    began = time.monotonic()
    while time.monotonic() - began < WARM_UP_S:
        count = int(measure(*bare_loop)["requests"])
        sql_points(backend, count)
    bare, sql = [], []
    for i in range(4 * ROUNDS):
        takes = [lambda: bare.append(measure(*bare_loop)), lambda: sql.append(sql_points(backend, count))]
        for take in takes if i % 2 == 0 else reversed(takes):
            take()
    backend.close()
    ratio = median([pair[0] / one["rate"] for pair, one in zip(sql, bare)])
    note("point reads from the real server, one by one, bare driver", "%.2f k/s, %.1f us CPU each"
         % (median([one["rate"] for one in bare]) / 1e3, median([one["cpu_us"] for one in bare])))
    note("  in a PL/pgSQL loop", "%.2f k/s, %.1f us CPU each; ratio %.2f"
         % (median([pair[0] for pair in sql]) / 1e3, median([pair[1] for pair in sql]), ratio),
         at_least(0.9, ratio))


PLANNED = {
    "one partition": "SELECT * FROM %s WHERE sensor = 1 AND day = '2026-01-01'",
    "a slice and a local filter": "SELECT * FROM %s WHERE sensor = 1 AND day = '2026-01-01' "
                                  "AND at > '2026-01-01' AND note LIKE 'x%%'",
    "the whole table": "SELECT * FROM %s",
    "a join on the key": "SELECT * FROM planned_local l JOIN %s r USING (sensor, day) WHERE celsius > 3",
}


def planning_us(backend, query, count=300):
    """EXPLAIN in a PL/pgSQL loop: parsing, planning, and printing a few words."""
    began = backend.cpu_s()
    backend.run("DO $$ BEGIN FOR i IN 1 .. %d LOOP EXECUTE %s; END LOOP; END $$"
                % (count, "$q$EXPLAIN (COSTS OFF) " + query + "$q$"))
    return (backend.cpu_s() - began) * 1e6 / count


def part_planning():
    """Tables without a cluster behind them: nothing is asked. The best of several rounds in turn."""
    servers.need(min(ROWS, SOME_ROWS))  # of the connection's own tables
    backend = servers.connect()
    columns = {"sensor": ("int", "int", "partition 1"), "day": ("date", "date", "partition 2"),
               "at": ("timestamptz", "timestamp", "clustering 1 desc"),
               "celsius": ("float8", "double", "regular"), "note": ("text", "text", "regular")}
    backend.run("CREATE SERVER nowhere FOREIGN DATA WRAPPER scylla_fdw OPTIONS (port '1')")
    backend.run("CREATE FOREIGN TABLE planned (%s) SERVER nowhere" % ", ".join(
        "%s %s OPTIONS (type '%s', key '%s')" % (name, *column) for name, column in columns.items()))
    plain = ", ".join("%s %s" % (name, column[0]) for name, column in columns.items())
    backend.run("CREATE FOREIGN TABLE planned_other (%s) SERVER local" % plain)
    backend.run("CREATE TABLE planned_local (sensor int, day date)")
    for what, query in PLANNED.items():
        pairs = [(planning_us(backend, query % "planned"), planning_us(backend, query % "planned_other"))
                 for _ in range(3 * ROUNDS)]
        ours, others = min(pair[0] for pair in pairs), min(pair[1] for pair in pairs)
        note("planning of " + what, "%.0f us, postgres_fdw %.0f us; ratio %.2f" % (ours, others, ours / others),
             at_most(2, ours / others))
    backend.close()
