"""Helpers of the Python tests: statements in threads, errors as values, what /proc tells."""

import os
import threading
import time

import psycopg2

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# What most tests declare: a column's SQL type, CQL type and role in the key.
COLUMNS = {"k": ("integer", "int", "partition 1"), "v": ("text", "text", "regular")}
REMOTE_COLUMNS = {"k": "int", "v": "text"}

LOOKUP = "SELECT v FROM %s WHERE k = 1"
WRITE = "SELECT scylla_execute('%s', 'INSERT INTO ks.t (k, v) VALUES (1, ''x'')')"


def query(connection, sql, parameters=None):
    """Run a statement; its rows, or None where it gives none."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall() if cursor.description else None


def failure(connection, sql, parameters=None):
    """Run a statement that has to fail; the error."""
    try:
        rows = query(connection, sql, parameters)
    except psycopg2.Error as error:
        return error
    raise AssertionError("did not fail but returned %r: %s" % (rows, sql))


def words(error):
    """All that a user sees of an error."""
    diag = error.diag
    parts = [diag.message_primary, diag.message_detail, diag.message_hint, diag.context]
    return "\n".join(part for part in parts if part)


def assert_error(found, sqlstate, *parts):
    """The SQLSTATE, a hint or detail, and each of the parts somewhere."""
    assert found.pgcode == sqlstate, words(found)
    assert found.diag.message_detail, words(found)
    for part in parts:
        assert part in words(found), "%r is not in: %s" % (part, words(found))


class Running:
    """A statement that runs in a thread of its own. After join(): rows or error, and when it ended."""

    def __init__(self, connection, sql):
        self.pid = connection.info.backend_pid
        self.rows = self.error = self.ended = None
        self.began = time.monotonic()
        self.thread = threading.Thread(target=self.run, args=[connection, sql], daemon=True)
        self.thread.start()

    def run(self, connection, sql):
        try:
            self.rows = query(connection, sql)
        except psycopg2.Error as error:
            self.error = error
        self.ended = time.monotonic()

    def join(self, seconds=60):
        self.thread.join(seconds)
        assert self.ended is not None, "the statement still runs"
        return self


def keep_cql(texts):
    """For ScyllaDB's grammar, a step of test/run."""
    with open(os.path.join(TOP, ".scratch/cql.log"), "a") as log:
        log.writelines(text + "\n" for text in sorted(texts))


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.002)


def wait_until_waiting(control, pid):
    """Until a backend sleeps in the extension's waiter, or an Append's."""
    wait_until(lambda: query(control, "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND "
                                      "(wait_event_type = 'Extension' OR wait_event = 'AppendReady')", [pid]))


SHORT = "3s"  # a request_timeout, and a pause that is longer
LONGER = 3.5


def read_after_pause(connection, control, node, sql):
    """The rows of a statement that comes long after it was asked for what the node holds, and gets it while it waits."""
    node.wait(lambda: node.held)
    time.sleep(LONGER)
    running = Running(connection, sql)
    wait_until_waiting(control, running.pid)
    node.release()
    running.join()
    assert running.error is None, words(running.error)
    return running.rows


def log_of(control, pid):
    """What a backend has written to the server's log. (An error that ends the session is there, but
    psycopg2 tells only that the connection has ended.)"""
    log = query(control, "SELECT pg_read_file(current_setting('data_directory') || '/../log')")[0][0]
    return "\n".join(line for line in log.splitlines() if "[%d]" % pid in line)


def descriptors(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def threads(pid):
    return len(os.listdir("/proc/%d/task" % pid))


def private_kib(pid):
    """Resident memory of the process that is not shared (shared buffers are)."""
    with open("/proc/%d/status" % pid) as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon:"))
