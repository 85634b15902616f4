"""ANALYZE asks a bounded number of requests, shows how far it is, and can be cancelled."""

import pytest

from codec import EXECUTE
from faults import vanish
from support import Running, query, wait_until

COLUMNS = {"k": ("integer", "int", "partition 1"), "v": ("text", "text", "regular")}
PIECES, TRIALS = 100, 8
# for the size of the table, the keys that are counted, and pieces of more than a page
OTHERS = 12


@pytest.fixture(scope="module")
def tables(driver):
    driver.make_keyspace("py_analyze")
    for count in (1500, 4500):
        driver.execute("CREATE TABLE py_analyze.t%d (k int PRIMARY KEY, v text)" % count)
        driver.execute_all("INSERT INTO py_analyze.t%d (k, v) VALUES (?, ?)" % count,
                           [(k, "v%d" % (k % 5)) for k in range(count)])


@pytest.fixture
def front(fronts, tables, cql_host, cql_port):
    return fronts([(cql_host, cql_port)], shards=1)


@pytest.fixture
def make_foreign(front, make_server, make_mapping, make_table):
    def make(remote):
        server = make_server(front.port, front.nodes[0].address, request_timeout="60s")
        make_mapping(server)
        return make_table(server, "py_analyze." + remote, COLUMNS)
    return make


@pytest.fixture
def analyst(pg):
    """A connection whose samples are small: of 300 rows."""
    connection = pg()
    query(connection, "SET default_statistics_target = 1")
    return connection


def is_asked(request):
    return request.text is not None and "py_analyze." in request.text.original


@pytest.mark.parametrize("count", [1500, 4500])
def test_requests_are_bounded(count, front, make_foreign, analyst):
    """By the pieces of the ring, whatever the table holds."""
    table = make_foreign("t%d" % count)
    query(analyst, "ANALYZE %s" % table)
    asked = [request for request in front.seen(EXECUTE) if is_asked(request)]
    assert PIECES + TRIALS <= len(asked) <= PIECES + TRIALS + OTHERS
    estimate = query(analyst, "SELECT reltuples FROM pg_class WHERE relname = '%s'" % table)[0][0]
    assert count / 2 < estimate < count * 2
    assert query(analyst, "SELECT n_distinct FROM pg_stats WHERE tablename = '%s' AND attname = 'v'" % table) == [(5,)]


def test_progress_and_cancel(front, make_foreign, analyst, pg):
    control = pg()
    table = make_foreign("t1500")
    front.rule(EXECUTE, vanish(), when=is_asked, skip=60)
    running = Running(analyst, "ANALYZE %s" % table)
    progress = ("SELECT sample_blks_scanned, sample_blks_total FROM pg_stat_progress_analyze "
                "WHERE relid = '%s'::regclass AND sample_blks_total = %d" % (table, PIECES))
    wait_until(lambda: [done for done, _ in query(control, progress) if done >= 30])
    assert query(control, progress)[0][0] < PIECES
    query(control, "SELECT pg_cancel_backend(%d)" % running.pid)
    assert running.join().error.pgcode == "57014"
    assert query(control, progress) == []
    assert query(control, "SELECT reltuples FROM pg_class WHERE relname = '%s'" % table) == [(-1,)]
    front.clear()
    query(analyst, "ANALYZE %s" % table)
    assert query(control, "SELECT reltuples > 0 FROM pg_class WHERE relname = '%s'" % table) == [(True,)]
