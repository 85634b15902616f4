"""The servers of a run, a backend's figures among them."""
import contextlib
import ipaddress
import math
import os
import re

import psycopg2

from base import HERE, TOP, PAGE_ROWS, measure, peer, progress, read, scratch, script


class Servers:
    """A Cassandra and a PostgreSQL named 'bench', started when first asked for."""

    def __init__(self):
        self.contact = None
        self.pg = None
        self.loaded = 0

    def cql(self):
        """Host and port of the real server."""
        if self.contact is None:
            progress("starting a CQL server")
            text = script("cassandra", "start", "--name", "bench", "--owner", str(os.getpid()))
            self.contact = re.search(r"HOST=(\S+) SCYLLA_TEST_PORT=(\S+)", text).groups()
        return self.contact

    def load(self, rows):
        """Load that many rows: figures."""
        contact = self.cql()
        progress("loading %d rows" % rows)
        figures = measure("load", *contact, rows, 256)
        self.loaded = rows
        return figures

    def need(self, rows):
        """See to it that the table holds at least that many."""
        if self.loaded < rows:
            self.load(rows)

    def connect(self):
        """A new connection to the scratch PostgreSQL: a new backend."""
        if self.pg is None:
            self.pg = self.start_postgres("bench")
        return Backend()

    def start_postgres(self, name, *options):
        """A scratch PostgreSQL with tables: the environment by which it is found, set from now on."""
        progress("starting PostgreSQL")
        text = script("pg", "start", "--name", name, "--owner", str(os.getpid()), "--", *options)
        found_by = dict(word.split("=", 1) for word in text.split() if "=" in word)
        os.environ.update(found_by)
        self.make_tables()
        return found_by

    @contextlib.contextmanager
    def preloaded(self):
        """Another PostgreSQL for a while, which loads the extension before it has backends."""
        usual = dict(os.environ)
        self.start_postgres("preloaded", "-c", "shared_preload_libraries=scylla_fdw")
        try:
            yield
        finally:
            script("pg", "stop", "--name", "preloaded")
            os.environ.update(usual)

    def make_tables(self):
        with contextlib.closing(Backend()) as backend:
            backend.run("CREATE EXTENSION scylla_fdw")
            backend.run("CREATE EXTENSION postgres_fdw")
            self.make_server(backend, "cluster", *self.cql())
            for name, fetch_size in (("local", PAGE_ROWS), ("local_default", 100)):
                backend.run("CREATE SERVER %s FOREIGN DATA WRAPPER postgres_fdw OPTIONS "
                            "(host '%s', port '%s', dbname 'postgres', fetch_size '%d')"
                            % (name, os.environ["PGHOST"], os.environ["PGPORT"], fetch_size))
                backend.run("CREATE USER MAPPING FOR postgres SERVER " + name)
                backend.run("CREATE SCHEMA " + name)
            backend.run("CREATE TABLE public.one AS SELECT 1 AS id")
            backend.run("IMPORT FOREIGN SCHEMA public FROM SERVER local INTO local")

    @staticmethod
    def make_server(backend, name, host, port):
        """A server of ours with its table in a schema of the same name."""
        backend.run("CREATE SERVER %s FOREIGN DATA WRAPPER scylla_fdw OPTIONS (host '%s', port '%s')"
                    % (name, host, port))
        backend.run("CREATE USER MAPPING FOR postgres SERVER " + name)
        backend.run("CREATE SCHEMA " + name)
        backend.run("IMPORT FOREIGN SCHEMA scylla_fdw_bench FROM SERVER %s INTO %s" % (name, name))

    def cpu_s(self):
        """Of the server's own process, all threads; NaN where it is not ours."""
        if "SCYLLA_TEST_HOST" in os.environ:
            return math.nan
        return process_cpu_s(int(read(os.path.join(scratch, "cassandra", "bench", "1", "pid"))))

    def stop(self):
        if self.contact is not None:
            if "SCYLLA_TEST_HOST" in os.environ and self.loaded:
                measure("load", *self.contact, 0, 1)
            script("cassandra", "stop", "--name", "bench")
        if self.pg is not None:
            script("pg", "stop", "--name", "bench")


class Backend:
    """A session, and what its process uses."""

    def __init__(self):
        self.connection = psycopg2.connect(dbname="postgres")
        self.connection.autocommit = True
        self.cursor = self.connection.cursor()
        self.cursor.execute("SELECT pg_backend_pid()")
        self.pid = self.cursor.fetchone()[0]

    def run(self, sql):
        """Returns the command's tag."""
        self.cursor.execute(sql)
        return self.cursor.statusmessage

    def close(self):
        self.connection.close()

    def cpu_s(self):
        """User and system, exact to the scheduler's clock where the kernel has that."""
        with contextlib.suppress(OSError):
            return int(read("/proc/%d/schedstat" % self.pid).split()[0]) / 1e9
        return process_cpu_s(self.pid)

    def status_mib(self, field):
        return int(re.search(r"%s:\s+(\d+) kB" % field, read("/proc/%d/status" % self.pid))[1]) / 1024

    def resident_mib(self):
        """Without the pages of the server's shared memory, which are counted in every backend that
        looked at them."""
        return self.status_mib("RssAnon") + self.status_mib("RssFile")

    def forget_peak(self):
        with open("/proc/%d/clear_refs" % self.pid, "w") as file:
            file.write("5")

    def count(self, kind):
        return len(os.listdir("/proc/%d/%s" % (self.pid, kind)))


def process_cpu_s(pid):
    """User and system of all threads, in the clock's ticks."""
    fields = read("/proc/%d/stat" % pid).rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def sharded_cluster(nodes, shards):
    """A cluster of its own, behind the front that makes ScyllaDB's of it: host and port of the front."""
    progress("starting %d CQL servers" % nodes)
    text = script("cassandra", "start", "--name", "bench-shards", "--nodes", str(nodes), "--owner", str(os.getpid()))
    host, port = re.search(r"HOST=(\S+) SCYLLA_TEST_PORT=(\S+)", text).groups()
    addresses = ["%s:%s" % (ipaddress.ip_address(host) + i, port) for i in range(nodes)]
    try:
        with peer(os.path.join(TOP, "test", "front", "front.py"), "--shards", str(shards), *addresses) as front:
            yield host, front
    finally:
        script("cassandra", "stop", "--name", "bench-shards")


def busy_s():
    """CPU that all processes of the machine have had, in the clock's ticks."""
    user, nice, system, _idle, _iowait, irq, softirq = map(int, read("/proc/stat").split()[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


servers = Servers()


def recorder(path):
    """A new recording of what goes through the port."""
    if os.path.exists(path):
        os.remove(path)
    return peer(os.path.join(HERE, "record"), *servers.cql(), path)
