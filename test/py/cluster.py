"""A cluster of real nodes on loopback, by test/scripts/cassandra: they can be killed, paused, started
again, and join and leave."""

import os
import re
import signal
import subprocess

import pytest

from support import TOP, query

SCRIPT = os.path.join(TOP, "test/scripts/cassandra")
OPTIONS = {"connect_timeout": "5s", "request_timeout": "20s"}


class Cluster:
    """Nodes 1 to len(places), each in its "dc:rack", at 127.0.0.1 and so on. SCYLLA_TEST_CLUSTER names one
    that runs already, and goes on."""

    def __init__(self, name, places):
        self.is_given = "SCYLLA_TEST_CLUSTER" in os.environ
        self.scratch = subprocess.run([os.path.join(TOP, "test/scripts/scratch"), "path"], stdout=subprocess.PIPE,
                                      text=True, check=True).stdout.strip()
        self.cluster = os.environ.get("SCYLLA_TEST_CLUSTER", name)
        self.owner = [] if self.is_given else ["--owner", str(os.getpid())]
        if self.is_given:
            output = self.script("env")
        else:
            output = self.script("start", "--places", ",".join(places), *self.owner)
        self.port = int(re.search(r"SCYLLA_TEST_PORT=(\d+)", output)[1])

    def script(self, *arguments):
        environment = {key: value for key, value in os.environ.items() if not key.startswith("SCYLLA_TEST_")}
        done = subprocess.run([SCRIPT, *arguments, "--name", self.cluster], env=environment, capture_output=True,
                              text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def stop(self):
        if not self.is_given:
            self.script("stop")

    # nodes by their numbers, from 1 on

    def host(self, number):
        return "127.0.0.%d" % number

    def name(self, number):
        return "%s:%d" % (self.host(number), self.port)

    def names(self, *numbers):
        return {self.name(number) for number in numbers}

    def signal(self, number, what):
        with open(os.path.join(self.scratch, "cassandra", self.cluster, str(number), "pid")) as file:
            os.kill(int(file.read()), what)

    def kill(self, number):
        self.signal(number, signal.SIGKILL)

    def start(self, number, place=""):
        """It was killed and starts again; or it is a new one, at a place."""
        self.script("node", str(number), *self.owner, *(["--places", place] if place else []))

    def leave(self, number):
        self.script("leave", str(number))


OWN_NODES = [pytest.mark.skipif("SCYLLA_TEST_GIVEN" in os.environ, reason="needs nodes of its own"),
             pytest.mark.time_limit(900)]


def make_cluster(name, places):
    """The fixture of a file's tests: a cluster that ends with them."""
    @pytest.fixture(scope="module")
    def cluster():
        started = Cluster(name, places)
        yield started
        started.stop()

    return cluster


def make_server(connection, name, port, host="127.0.0.1", **options):
    options = {"host": host, "port": port, **OPTIONS, **options}
    query(connection, "CREATE SERVER %s FOREIGN DATA WRAPPER scylla_fdw OPTIONS (%s)"
          % (name, ", ".join("%s '%s'" % option for option in options.items())))


def connected(connection, server):
    """The nodes that this backend has a connection to."""
    return {node for node, in query(connection, "SELECT node FROM scylla_nodes WHERE server = '%s' "
                                                "AND state = 'connected'" % server)}


def requests_of(connection, server):
    """How many requests of this backend each node has got."""
    return dict(query(connection, "SELECT node, requests FROM scylla_nodes WHERE server = '%s'" % server))
