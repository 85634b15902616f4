"""What the Python tests share: connections to the scratch PostgreSQL, the CQL server's address,
and servers of their own. Run by test/run, which sets the environment that is read here."""

import itertools
import os
import signal
import socket
import subprocess
import sys
import threading

import psycopg2
import pytest

from node import Node
from support import COLUMNS, REMOTE_COLUMNS, TOP, query

sys.path.insert(0, os.path.join(TOP, "test", "front"))
TEST_SECONDS = 120
WHY_LENGTH = 600  # of a failure, in characters


def pytest_configure(config):
    config.addinivalue_line("markers", "time_limit(seconds): what the test may take, where that is more than usual")


def pytest_report_teststatus(report):
    """Why a test failed, in its line: where nothing else of the output is kept, that is."""
    if not report.failed:
        return None
    crash = getattr(report.longrepr, "reprcrash", None)
    why = "%s:%d: %s" % (os.path.basename(crash.path), crash.lineno, crash.message) if crash else report.longreprtext
    kind = "failed" if report.when == "call" else "error"
    return kind, kind[0].upper(), "%s in %s: %s" % (kind.upper(), report.when, " ".join(why.split())[:WHY_LENGTH])


@pytest.fixture(autouse=True)
def time_limit(request):
    """No test hangs the suite."""
    marker = request.node.get_closest_marker("time_limit")
    seconds = marker.args[0] if marker else TEST_SECONDS

    def fail(_number, _frame):
        raise TimeoutError("the test took more than %d s" % seconds)

    previous = signal.signal(signal.SIGALRM, fail)
    signal.alarm(seconds)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, previous)


@pytest.fixture(scope="session")
def cql_host():
    return os.environ["SCYLLA_TEST_HOST"]


@pytest.fixture(scope="session")
def cql_port():
    return int(os.environ["SCYLLA_TEST_PORT"])


@pytest.fixture(scope="session")
def driver(cql_host, cql_port):
    """The independent driver, connected (driver.py); its keyspaces go with the session."""
    from driver import Driver

    connected = Driver(cql_host, cql_port)
    yield connected
    connected.close()


@pytest.fixture(scope="session")
def database():
    """A fresh database with the extension in it; its name. All tests of a run share it."""
    name = "py"
    control = psycopg2.connect(dbname="postgres")
    control.autocommit = True
    with control.cursor() as cursor:
        cursor.execute("DROP DATABASE IF EXISTS %s" % name)
        cursor.execute("CREATE DATABASE %s" % name)
    control.close()
    with psycopg2.connect(dbname=name) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE EXTENSION scylla_fdw")
    connection.close()
    return name


@pytest.fixture(scope="session")
def make_keyspace(database, driver, cql_host, cql_port):
    """make_keyspace(name): a new keyspace, and a schema and a foreign server of that name. Gives a
    connection whose settings make the text of values the same everywhere."""
    connections = []

    def make(name):
        driver.make_keyspace(name)
        connection = psycopg2.connect(dbname=database)
        connection.autocommit = True
        connections.append(connection)
        query(connection, "SET intervalstyle = 'iso_8601'; SET client_min_messages = warning; SET timezone = 'UTC';"
                          "CREATE SCHEMA {0}; CREATE SERVER {0} FOREIGN DATA WRAPPER scylla_fdw "
                          "OPTIONS (host '{1}', port '{2}', request_timeout '1min'); CREATE USER MAPPING FOR CURRENT_USER SERVER {0}"
              .format(name, cql_host, cql_port))
        return connection

    yield make
    for connection in connections:
        connection.close()


@pytest.fixture
def pg(database):
    """pg(**parameters): a new connection in autocommit mode; closed when the test ends."""
    connections = []

    def connect(**parameters):
        connection = psycopg2.connect(**{"dbname": database, **parameters})
        connection.autocommit = True
        connections.append(connection)
        return connection

    yield connect
    for connection in connections:
        connection.close()


@pytest.fixture(scope="session")
def psql(database):
    """psql(sql, **variables): run a script and return what it printed; fails on the first error."""

    def run(sql, **variables):
        command = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database]
        for name, value in variables.items():
            command += ["-v", "%s=%s" % (name, value)]
        done = subprocess.run(command, input=sql, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def cassandra():
    """cassandra(name, *options): (host, port) of a Cassandra of one's own, started with these options
    of test/scripts/cassandra when first asked for; all end with the session."""
    script = os.path.join(TOP, "test/scripts/cassandra")
    started = {}

    def start(name, *options):
        if name not in started:
            if "SCYLLA_TEST_GIVEN" in os.environ:
                pytest.skip("needs a server of its own")
            command = [script, "start", "--name", name, "--owner", str(os.getpid())] + list(options)
            environment = {key: value for key, value in os.environ.items() if not key.startswith("SCYLLA_TEST_")}
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            words = dict(word.split("=", 1) for word in done.stdout.split() if "=" in word)
            started[name] = (words["SCYLLA_TEST_HOST"], int(words["SCYLLA_TEST_PORT"]))
        return started[name]

    yield start
    for name in started:
        subprocess.run([script, "stop", "--name", name])


@pytest.fixture(scope="session")
def cassandra_auth(cassandra):
    """(host, port) of a server that asks for a password: superuser cassandra, password cassandra."""
    return cassandra("auth", "--auth", "--address", "127.0.0.11")


@pytest.fixture
def fronts():
    """fronts(nodes, **options): a Scylla front (test/front) before Cassandra nodes; it stops when the
    test ends, and must have had nothing to complain of."""
    from front import Front

    started = []

    def start(behind, **options):
        front = Front(behind, **options)
        started.append(front)
        return front

    yield start
    complaints = [complaint for front in started for complaint in front.complaints]
    for front in started:
        front.stop()
    assert complaints == []


@pytest.fixture
def nodes():
    """nodes(**options): a scripted node (node.py) that has ks.t with columns k and v. It stops when
    the test ends, and must have had nothing to complain of."""
    started = []

    def start(pages=([(1, "one"), (2, "two"), (3, "three")],), **options):
        node = Node(**options)
        node.add_table("ks.t", REMOTE_COLUMNS, ["k"], pages)
        started.append(node)
        return node

    yield start
    complaints = [complaint for node in started for complaint in node.complaints]
    for node in started:
        node.stop()
    assert complaints == []


numbers = itertools.count(1)


@pytest.fixture
def make_server(pg):
    """make_server(port, host, **options): the name of a new foreign server. Names are never used
    twice, and go with the database."""

    def make(port, host="127.0.0.1", **options):
        name = "server%d" % next(numbers)
        options = {"host": host, "port": port, **options}
        query(pg(), "CREATE SERVER %s FOREIGN DATA WRAPPER scylla_fdw OPTIONS (%s)"
              % (name, ", ".join("%s '%s'" % option for option in options.items())))
        return name

    return make


@pytest.fixture
def make_mapping(pg):
    """make_mapping(server, role, **options): a user mapping."""

    def make(server, role="CURRENT_USER", **options):
        query(pg(), "CREATE USER MAPPING FOR %s SERVER %s%s"
              % (role, server, " OPTIONS (%s)" % ", ".join("%s '%s'" % option for option in options.items())
                 if options else ""))

    return make


@pytest.fixture
def make_table(pg):
    """make_table(server, remote, columns, **options): the name of a new foreign table that anyone
    may read; columns as COLUMNS in support.py: their options make planning ask nothing."""

    def make(server, remote="ks.t", columns=None, **options):
        name = "table%d" % next(numbers)
        keyspace, table = remote.split(".")
        options = {"keyspace": keyspace, "table": table, **options}
        query(pg(), "CREATE FOREIGN TABLE %s (%s) SERVER %s OPTIONS (%s); GRANT ALL ON %s TO PUBLIC"
              % (name, ", ".join(column + (" %s OPTIONS (type '%s', key '%s')" % facts if facts[1] else " " + facts[0])
                                 for column, facts in (columns or COLUMNS).items()),
                 server, ", ".join("%s '%s'" % option for option in options.items()), name))
        return name

    return make


@pytest.fixture
def make_role(pg):
    """make_role(): the name of a new role that is no superuser."""

    def make():
        name = "role%d" % next(numbers)
        query(pg(), "DROP ROLE IF EXISTS %s; CREATE ROLE %s LOGIN" % (name, name))
        return name

    return make


@pytest.fixture
def listen():
    """listen(serve): the port of a server that gives each connection to serve(socket), then closes it."""
    listeners = []

    def start(serve):
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def accept():
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                try:
                    serve(peer)
                except OSError:
                    pass
                peer.close()

        threading.Thread(target=accept, daemon=True).start()
        return listener.getsockname()[1]

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


@pytest.fixture
def closed_port():
    """A port that is bound, so that nobody else takes it, but refuses connections."""
    holder = socket.socket()
    holder.bind(("127.0.0.1", 0))
    yield holder.getsockname()[1]
    holder.close()
