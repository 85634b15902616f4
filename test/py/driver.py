"""The independent CQL driver (scylla-driver, from the virtual environment of test/scripts/venv) as
the judge of what our own codec makes of values."""

import os
import struct

from cassandra import ConsistencyLevel, cqltypes
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.concurrent import execute_concurrent_with_args
from cassandra.policies import RoundRobinPolicy
from cassandra.protocol import _ProtocolHandler

# Milliseconds instead of datetime, which ends in the year 9999. The handler of plain Python is
# taken, since the compiled one has a decoder of its own.
cqltypes.DateType.deserialize = staticmethod(lambda cell, version: struct.unpack(">q", cell)[0])


class Driver:
    def __init__(self, host, port, policy=None):
        profile = ExecutionProfile(load_balancing_policy=policy or RoundRobinPolicy(), request_timeout=60,
                                   consistency_level=ConsistencyLevel.LOCAL_QUORUM)
        self.cluster = Cluster([host], port=port, protocol_version=4,
                               execution_profiles={EXEC_PROFILE_DEFAULT: profile})
        self.session = self.cluster.connect()
        self.session.client_protocol_handler = _ProtocolHandler
        self.keyspaces = []

    def make_keyspace(self, name):
        self.execute("DROP KEYSPACE IF EXISTS %s" % name)
        self.execute("CREATE KEYSPACE %s WITH replication = "
                     "{'class': 'NetworkTopologyStrategy', 'replication_factor': 1}" % name)
        self.keyspaces.append(name)

    def execute(self, cql, values=None):
        """Rows as tuples; values are bound to a prepared statement."""
        return list(self.session.execute(self.session.prepare(cql) if values is not None else cql, values))

    def execute_all(self, cql, rows):
        """A statement once per row of values, many at a time."""
        execute_concurrent_with_args(self.session, self.session.prepare(cql), rows, concurrency=32)

    def close(self):
        """A server of our own goes away with all that is in it; another's is left clean."""
        for name in self.keyspaces if "SCYLLA_TEST_GIVEN" in os.environ else []:
            self.execute("DROP KEYSPACE %s" % name)
        self.cluster.shutdown()
