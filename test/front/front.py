#!/usr/bin/python3
"""A front that makes Cassandra nodes look like ScyllaDB, as far as drivers see.

    front = Front([("127.0.0.1", 9042), ("127.0.0.2", 9042)], shards=2)
    front.make_tablets("ks.t", 8)                   # tablets of a table that exists, and their replicas
    front.rule(EXECUTE, delay(1), node=front.nodes[0])
    front.seen(EXECUTE)                             # what has come, decoded, with node and shard
    front.stop()

Each node of Cassandra gets a node of the front at its own address, on another port, so what system
tables say of addresses stays true. It offers shards (the plain port gives the one with the fewest
connections, the shard-aware port the one that the source port names), tablets, the LWT mark, the
rate limit error, metadata ids and lz4; faults come by rules (faults.py). The client's connections
and Cassandra's go in pairs, with the same stream ids.

As a program: front.py [--shards N] [--tablets KS.TABLE=COUNT]... HOST:PORT...; prints the ports.
"""

import asyncio
import collections
import contextlib
import random
import socket
import struct
import sys
import threading
import uuid

from codec import (BATCH, COMPRESSED, DURATION, ERROR, EVENT, EXECUTE, GLOBAL_SPEC, HAS_MORE, HEADER,
                   METADATA_CHANGED, NO_METADATA, PAYLOAD, PREPARE, PREPARED, QUERY, REGISTER, RESULT, ROWS,
                   SKIP_METADATA, STARTUP, SUPPORTED, TRACING, VALUES, WARNING, Client, Reader, integer, long_string,
                   lz4_pack, lz4_unpack, metadata_id, partition_token, shard_of, short, short_bytes, sized, string,
                   string_map, string_multimap)
from faults import Rule
from rewrite import KEYSPACE, Text

LWT_MARK = 1 << 31
IGNORE_MSB = 12
EXTENSIONS = ("SCYLLA_LWT_ADD_METADATA_MARK", "SCYLLA_RATE_LIMIT_ERROR", "TABLETS_ROUTING_V1",
              "SCYLLA_USE_METADATA_ID")


class Request:
    """A client's frame. text, values, token and tablet where they are known."""

    def __init__(self, connection, flags, stream, opcode, body):
        self.connection = connection
        self.node = connection.node
        self.shard = connection.shard
        self.flags = flags
        self.stream = stream
        self.opcode = opcode
        self.body = body
        self.text = self.statement = self.values = self.token = self.metadata_id = self.rule = None
        self.timeout = None  # USING TIMEOUT: a literal, or the bound cell
        self.is_bypassing = self.is_metadata_skipped = self.is_metadata_changed = False
        self.is_compressed = bool(flags & COMPRESSED)


class Reply:
    def __init__(self, flags, stream, opcode, body):
        self.flags = flags
        self.stream = stream
        self.opcode = opcode
        self.body = body


class Statement:
    """What the front knows of a prepared one. id: Cassandra's, which is the same for texts that differ in
    what was taken out, while clients' are not; key: which of Cassandra's markers make the partition key."""

    def __init__(self, id, text, table, key, spec):
        self.id = id
        self.client_id = id + text.taken_out
        self.text = text
        self.table = table
        self.key = key
        self.spec = spec


Tablet = collections.namedtuple("Tablet", "first last replicas")  # (first, last], [(host id, shard)]


# ---- a client's connection ----

class Connection:
    def __init__(self, node, shard, reader, writer):
        self.node = node
        self.front = node.front
        self.shard = shard
        self.reader = reader
        self.writer = writer
        self.options = {}
        self.pending = {}
        self.events = set()
        self.is_open = True
        self.is_stalled = False

    async def serve(self):
        tasks = []
        try:
            self.behind_reader, self.behind = await asyncio.open_connection(*self.node.behind)
            tasks = [asyncio.ensure_future(self.take_requests()), asyncio.ensure_future(self.take_replies())]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done() and not isinstance(task.exception(), (asyncio.IncompleteReadError, OSError, type(None))):
                    self.front.complaints.append(repr(task.exception()))
            self.behind.close()
        except OSError:
            pass
        for task in tasks:
            task.cancel()
        self.close()

    def close(self):
        self.is_open = False
        self.writer.close()

    def reset(self):
        self.is_open = False
        with contextlib.suppress(OSError):  # the client was faster, and its socket is closed already
            self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                                            struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    # requests

    async def take_requests(self):
        while True:
            header = await self.reader.readexactly(9)
            version, flags, stream, opcode, length = HEADER.unpack(header)
            if version != 4:
                raise ValueError("a request of version %d" % version)
            body = await self.reader.readexactly(length)
            await self.node.running.wait()
            if flags & COMPRESSED:
                if "COMPRESSION" not in self.options:
                    raise ValueError("a compressed request, though no compression was agreed upon")
                body = lz4_unpack(body)
            self.take(Request(self, flags, stream, opcode, body))
            await self.behind.drain()

    def take(self, request):
        if request.stream in self.pending:
            raise ValueError("stream %d is in use" % request.stream)
        body = self.translate(request)
        request.rule = self.front.find_rule(request)
        self.front.note(request)
        if request.rule is not None and getattr(request.rule.action, "is_unasked", False):
            reply = request.rule.action(self, request, None)
            if reply is not None:
                self.send(reply)
            return
        self.ask(request, body)

    def ask(self, request, body):
        """Cassandra, in whose words the body is."""
        self.pending[request.stream] = request
        self.behind.write(HEADER.pack(4, request.flags & ~COMPRESSED, request.stream, request.opcode, len(body)) + body)

    def translate(self, request):
        """The body as Cassandra takes it; notes what it says."""
        reader = Reader(request.body)
        if request.opcode == STARTUP:
            self.options = {reader.string(): reader.string() for _ in range(reader.number("H"))}
            return string_map({key: value for key, value in self.options.items()
                               if key not in EXTENSIONS and key != "COMPRESSION"})
        if request.opcode == REGISTER:
            self.events = {reader.string() for _ in range(reader.number("H"))}
        if request.opcode in (QUERY, PREPARE):
            request.text = Text(reader.long_string())
            request.timeout, request.is_bypassing = request.text.timeout, request.text.is_bypassing
            rest = reader.rest()
            if request.opcode == QUERY and request.text.timeout_marker is not None:
                rest = self.drop_value(request, rest, request.text.timeout_marker)
            return long_string(request.text.text) + rest
        if request.opcode == EXECUTE:
            return self.translate_execute(request, reader)
        if request.opcode == BATCH:
            return self.translate_batch(request, reader)
        return request.body

    def translate_batch(self, request, reader):
        """Of prepared statements; the token is the first one's."""
        kind, count = reader.number("B"), reader.number("H")
        body = struct.pack(">BH", kind, count)
        for _ in range(count):
            if reader.number("B") != 1:
                raise ValueError("a statement of a batch is not prepared")
            statement_id = reader.short_bytes()
            statement = self.front.statements.get(statement_id)
            start = reader.at
            for _ in range(reader.number("H")):
                reader.bytes()
            values = request.body[start:reader.at]
            if statement is not None:
                statement_id = statement.id
                request.statement = request.statement or statement
                request.token = request.token or self.token_of(statement, short(0) + bytes([VALUES]) + values)
            body += bytes([1]) + short_bytes(statement_id) + values
        return body + reader.rest()

    def translate_execute(self, request, reader):
        statement_id = reader.short_bytes()
        request.statement = statement = self.front.statements.get(statement_id)
        if "SCYLLA_USE_METADATA_ID" in self.options:
            request.metadata_id = reader.short_bytes()
        rest = reader.rest()
        request.is_metadata_skipped = bool(rest[2] & SKIP_METADATA)
        if request.metadata_id is not None:
            rest = rest[:2] + bytes([rest[2] & ~SKIP_METADATA]) + rest[3:]
        if statement is not None:
            statement_id = statement.id
            request.text = statement.text
            request.timeout, request.is_bypassing = statement.text.timeout, statement.text.is_bypassing
            if statement.text.timeout_marker is not None:
                rest = self.drop_value(request, rest, statement.text.timeout_marker)
            request.token = self.token_of(statement, rest)
            request.values, _ = self.values_of(rest)
        return short_bytes(statement_id) + rest

    @staticmethod
    def values_of(rest):
        """The bound cells of query parameters, and where the values end."""
        reader = Reader(rest, 3)
        if not rest[2] & VALUES:
            return [], 3
        return [reader.bytes() for _ in range(reader.number("H"))], reader.at

    def drop_value(self, request, rest, marker):
        cells, end = self.values_of(rest)
        reader = Reader(rest, 5)
        kept = b""
        for at in range(len(cells)):
            start = reader.at
            reader.bytes()
            if at != marker:
                kept += rest[start:reader.at]
        request.timeout = cells[marker]
        flags = rest[2] if len(cells) > 1 else rest[2] & ~VALUES
        return rest[:2] + bytes([flags]) + (short(len(cells) - 1) if len(cells) > 1 else b"") + kept + rest[end:]

    def token_of(self, statement, rest):
        cells, _ = self.values_of(rest)
        if not statement.key or max(statement.key) >= len(cells):
            return None
        key = [cells[at] for at in statement.key]
        return None if None in key else partition_token(key)

    # replies

    async def take_replies(self):
        while True:
            header = await self.behind_reader.readexactly(9)
            _, flags, stream, opcode, length = HEADER.unpack(header)
            body = await self.behind_reader.readexactly(length)
            await self.node.running.wait()
            reply = Reply(flags, stream, opcode, body)
            if stream < 0:
                reply.body = self.front.translate_event(body)
                if reply.body is not None:
                    self.send(reply)
                continue
            request = self.pending.pop(stream)
            self.dress(request, reply)
            if request.rule is not None:
                reply = request.rule.action(self, request, reply)
            if reply is not None:
                self.send(reply)
            if self.is_open:
                await self.writer.drain()

    def dress(self, request, reply):
        """Make Cassandra's reply ScyllaDB's."""
        if reply.opcode == SUPPORTED:
            reader = Reader(reply.body)
            pairs = {}
            for _ in range(reader.number("H")):
                key = reader.string()
                pairs[key] = [reader.string() for _ in range(reader.number("H"))]
            reply.body = string_multimap(self.node.supported(pairs, self.shard))
        elif reply.opcode == RESULT:
            prefix, body = self.split_prefix(reply)
            kind = struct.unpack_from(">i", body)[0]
            if kind == PREPARED and request.opcode == PREPARE:
                body = self.dress_prepared(request, body)
            elif kind == ROWS and request.metadata_id is not None:
                body = self.dress_rows(request, body)
            reply.body = prefix + body
            self.add_tablet(request, reply, len(prefix))

    @staticmethod
    def split_prefix(reply):
        reader = Reader(reply.body)
        if reply.flags & TRACING:
            reader.raw(16)
        if reply.flags & WARNING:
            for _ in range(reader.number("H")):
                reader.string()
        return reply.body[:reader.at], reply.body[reader.at:]

    def dress_prepared(self, request, body):
        reader = Reader(body, 4)
        statement_id = reader.short_bytes()
        flags, count, key_count = reader.number("i"), reader.number("i"), reader.number("i")
        key = [reader.number("H") for _ in range(key_count)]
        table = (reader.string(), reader.string()) if flags & GLOBAL_SPEC else None
        columns = [reader.column_spec(flags & GLOBAL_SPEC) for _ in range(count)]
        if table is None and columns:
            first = Reader(columns[0])
            table = first.string(), first.string()
        result_at = reader.at
        result_flags, result_count = reader.number("i"), reader.number("i")
        spec = reader.rest() if not result_flags & NO_METADATA else b""
        statement = Statement(statement_id, request.text, table and ".".join(table), key, spec)
        self.front.statements[statement.client_id] = statement

        marker = request.text.timeout_marker
        shown_key = [at + (marker is not None and at >= marker) for at in key]
        if marker is not None:
            names = b"" if flags & GLOBAL_SPEC else b"".join(map(string, table or ("", "")))
            columns.insert(marker, names + string("[timeout]") + short(DURATION))
        if request.text.is_conditional and "SCYLLA_LWT_ADD_METADATA_MARK" in self.options:
            flags |= LWT_MARK
        result = integer(PREPARED) + short_bytes(statement.client_id)
        if "SCYLLA_USE_METADATA_ID" in self.options:
            result += short_bytes(metadata_id(spec))
        result += struct.pack(">Iii", flags & 0xFFFFFFFF, len(columns), key_count) + b"".join(map(short, shown_key))
        if flags & GLOBAL_SPEC:
            result += string(table[0]) + string(table[1])
        return result + b"".join(columns) + body[result_at:]

    @staticmethod
    def dress_rows(request, body):
        """Leave the columns out where the client knows them, or tell their id where it does not."""
        reader = Reader(body, 4)
        flags, count = reader.number("i"), reader.number("i")
        paging = sized(reader.bytes()) if flags & HAS_MORE else b""
        start = reader.at
        if flags & GLOBAL_SPEC:
            reader.string()
            reader.string()
        for _ in range(count):
            reader.column_spec(flags & GLOBAL_SPEC)
        spec = body[start:reader.at]
        rows = reader.rest()
        request.is_metadata_changed = request.metadata_id != metadata_id(spec)
        if request.is_metadata_changed:
            return (integer(ROWS) + integer(flags | METADATA_CHANGED) + integer(count) + paging
                    + short_bytes(metadata_id(spec)) + spec + rows)
        if request.is_metadata_skipped:
            return integer(ROWS) + integer(flags & HAS_MORE | NO_METADATA) + integer(count) + paging + rows
        return body

    def add_tablet(self, request, reply, at):
        """A hint for who came to the wrong replica."""
        if "TABLETS_ROUTING_V1" not in self.options or request.token is None:
            return
        tablet = self.front.tablet_of(request.statement.table, request.token)
        if tablet is None or (self.node.host_id, self.shard) in tablet.replicas:
            return
        replicas = b"".join(sized(sized(host_id.bytes) + sized(integer(shard))) for host_id, shard in tablet.replicas)
        value = (sized(struct.pack(">q", tablet.first)) + sized(struct.pack(">q", tablet.last))
                 + sized(integer(len(tablet.replicas)) + replicas))
        reply.body = (reply.body[:at] + short(1) + string("tablets-routing-v1") + sized(value) + reply.body[at:])
        reply.flags |= PAYLOAD
        self.front.hints += 1

    def reply_to(self, request):
        return Reply(0, request.stream, ERROR, b"")

    def frame(self, reply):
        flags, body = reply.flags, reply.body
        # as ScyllaDB does: whatever the size, from READY on
        if "COMPRESSION" in self.options:
            flags, body = flags | COMPRESSED, lz4_pack(body)
        return HEADER.pack(0x84, flags, reply.stream, reply.opcode, len(body)) + body

    def send(self, reply):
        self.write(self.frame(reply))

    def write(self, data):
        if self.is_open and not self.is_stalled:
            self.writer.write(data)


# ---- a node ----

class Node:
    def __init__(self, front, behind, credentials):
        self.front = front
        self.behind = behind
        self.address = behind[0]
        self.connections = []
        self.servers = []
        self.running = asyncio.Event()
        client = Client(*behind, credentials)
        (host_id, data_center, rack), = client.query("SELECT host_id, data_center, rack FROM system.local")
        client.close()
        self.host_id = uuid.UUID(bytes=host_id)
        self.data_center, self.rack = data_center.decode(), rack.decode()

    async def start(self):
        self.running.set()
        front = self.front
        for port, shard_aware in ((front.port, False), (front.shard_port, True)):
            if port:
                self.servers.append(await asyncio.start_server(
                    lambda reader, writer, shard_aware=shard_aware: self.accept(shard_aware, reader, writer),
                    self.address, port, ssl=front.tls))

    async def stop(self):
        """Listen no more, and end all connections."""
        for server in self.servers:
            server.close()
        self.servers = []
        for connection in self.connections:
            if connection.is_open:
                connection.reset()

    def pause(self):
        """As SIGSTOP does: the kernel still takes connections and bytes, nobody answers."""
        self.running.clear()

    def resume(self):
        self.running.set()

    async def accept(self, shard_aware, reader, writer):
        port = writer.get_extra_info("peername")[1]
        shard = port % self.front.shards if shard_aware and not self.front.is_nat else self.least_used_shard()
        connection = Connection(self, shard, reader, writer)
        connection.is_shard_aware = shard_aware
        self.connections.append(connection)
        await connection.serve()

    def least_used_shard(self):
        counts = collections.Counter({shard: 0 for shard in range(self.front.shards or 1)})
        counts.update(connection.shard for connection in self.connections if connection.is_open)
        return min(counts, key=lambda shard: (counts[shard], shard))

    def open_shards(self):
        """Of the connections that are open now."""
        return sorted(connection.shard for connection in self.connections if connection.is_open)

    def supported(self, pairs, shard):
        front = self.front
        pairs["COMPRESSION"] = ["lz4", "snappy"]
        pairs["SCYLLA_HOST_ID"] = [str(self.host_id)]
        if front.shards:
            pairs.update({"SCYLLA_SHARD": [str(shard)], "SCYLLA_NR_SHARDS": [str(front.shards)],
                          "SCYLLA_SHARDING_ALGORITHM": ["biased-token-round-robin"],
                          "SCYLLA_SHARDING_IGNORE_MSB": [str(IGNORE_MSB)],
                          "SCYLLA_PARTITIONER": ["org.apache.cassandra.dht.Murmur3Partitioner"]})
            if front.shard_port:
                pairs["SCYLLA_SHARD_AWARE_PORT_SSL" if front.tls else "SCYLLA_SHARD_AWARE_PORT"] = [
                    str(front.shard_port)]
        offers = {"SCYLLA_LWT_ADD_METADATA_MARK": ["LWT_OPTIMIZATION_META_BIT_MASK=%d" % LWT_MARK],
                  "SCYLLA_RATE_LIMIT_ERROR": ["ERROR_CODE=61440"], "TABLETS_ROUTING_V1": [],
                  "SCYLLA_USE_METADATA_ID": []}
        pairs.update({key: value for key, value in offers.items() if key not in front.without})
        return pairs


# ---- the front ----

class Front:
    """nodes: (host, port) of Cassandra's. shards: of each node; 0: nothing is said of shards. without:
    extensions that are not offered. is_shard_port_open: False: no shard-aware port is told. is_nat: source
    ports arrive changed, so the shard-aware port gives any shard. is_telling: events of Cassandra's nodes
    are passed on, and noted in `told`. tls: an ssl.SSLContext."""

    def __init__(self, nodes, shards=2, without=(), is_shard_port_open=True, is_nat=False, is_telling=False,
                 tls=None, credentials=("cassandra", "cassandra")):
        self.shards = shards
        self.without = without
        self.is_nat = is_nat
        self.is_telling = is_telling
        self.told = []
        self.tls = tls
        self.rules = []
        self.requests = []
        self.complaints = []
        self.statements = {}
        self.tablets = {}
        self.hints = 0
        self.lock = threading.Condition()
        self.credentials = credentials
        self.port, self.shard_port = self.free_ports(nodes)
        if not is_shard_port_open or not shards:
            self.shard_port = 0
        self.loop = asyncio.new_event_loop()
        self.nodes = [Node(self, behind, credentials) for behind in nodes]
        self.make_tables()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        for node in self.nodes:
            self.call(node.start())

    @staticmethod
    def free_ports(nodes):
        """Two that are free at all addresses, and below those that connections are made from."""
        while True:
            ports = random.sample(range(20000, 32000), 2)
            try:
                for host, _ in nodes:
                    for port in ports:
                        socket.create_server((host, port)).close()
                return ports
            except OSError:
                continue

    def call(self, coroutine):
        """Run it in the front's thread."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    def add_node(self, behind):
        """Before a node of Cassandra that came later."""
        node = Node(self, behind, self.credentials)
        self.nodes.append(node)
        self.call(node.start())
        return node

    def stop(self):
        for node in self.nodes:
            node.resume()
            self.call(node.stop())
        self.call(self.end_tasks())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()

    @staticmethod
    async def end_tasks():
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def down(self, node):
        """It listens no more, its connections are reset, the others tell."""
        self.call(node.stop())
        self.tell("STATUS_CHANGE", "DOWN", node)

    def up(self, node):
        self.call(node.start())
        self.tell("STATUS_CHANGE", "UP", node)

    def event(self, kind, change, address):
        return string(kind) + string(change) + bytes([len(address)]) + address + integer(self.port)

    def tell(self, kind, change, node):
        """Send an event about a node to everybody who registered for it."""
        body = self.event(kind, change, socket.inet_aton(node.address))

        async def send():
            for connection in [connection for each in self.nodes for connection in each.connections]:
                if kind in connection.events:
                    connection.send(Reply(0, -1, EVENT, body))
        self.call(send())

    def translate_event(self, body):
        """What Cassandra tells of its nodes is not what the front lets them be, unless it has to be."""
        reader = Reader(body)
        kind = reader.string()
        if kind == "SCHEMA_CHANGE":
            return body
        if not self.is_telling:
            return None
        change, address = reader.string(), reader.raw(reader.number("B"))
        with self.lock:
            self.told.append((change, socket.inet_ntoa(address)))
        return self.event(kind, change, address)

    # tables that Cassandra lacks

    def make_tables(self):
        client = Client(*self.nodes[0].behind, self.credentials)
        for cql in (
                "CREATE KEYSPACE IF NOT EXISTS %s WITH replication = "
                "{'class': 'SimpleStrategy', 'replication_factor': 1}",
                "CREATE TABLE IF NOT EXISTS %s.tablets (table_id uuid, last_token bigint, keyspace_name text static, "
                "table_name text static, tablet_count int static, replicas list<frozen<tuple<uuid, int>>>, "
                "new_replicas list<frozen<tuple<uuid, int>>>, stage text, transition text, "
                "PRIMARY KEY (table_id, last_token))",
                "CREATE TABLE IF NOT EXISTS %s.scylla_keyspaces (keyspace_name text PRIMARY KEY, "
                "initial_tablets int, storage_type text, storage_options map<text, text>)",
                "CREATE TABLE IF NOT EXISTS %s.scylla_tables (keyspace_name text, table_name text, partitioner text, "
                "version uuid, PRIMARY KEY (keyspace_name, table_name))",
                "CREATE TABLE IF NOT EXISTS %s.large_partitions (keyspace_name text, table_name text, "
                "sstable_name text, partition_size bigint, partition_key text, rows bigint, compaction_time timestamp, "
                "PRIMARY KEY ((keyspace_name, table_name), sstable_name, partition_size, partition_key)) "
                "WITH CLUSTERING ORDER BY (sstable_name ASC, partition_size DESC, partition_key ASC)"):
            client.query(cql % KEYSPACE)
        client.close()

    def make_tablets(self, table, count, replicas=1):
        """Claim that a table has so many tablets (a power of two), each with so many replicas."""
        if not self.shards:
            raise ValueError("tablets lie on shards, and there are none")
        keyspace, name = table.split(".")
        span = (1 << 64) // count
        places = [(node.host_id, shard) for shard in range(self.shards) for node in self.nodes]
        tablets = []
        for number in range(count):
            first = -(1 << 63) + span * number
            chosen = []
            for at in range(len(places)):
                place = places[(number + at) % len(places)]
                if len(chosen) < replicas and place[0] not in [host_id for host_id, _ in chosen]:
                    chosen.append(place)
            tablets.append(Tablet(first, first + span if number < count - 1 else (1 << 63) - 1, chosen))
        client = Client(*self.nodes[0].behind, self.credentials)
        (table_id,), = client.query("SELECT id FROM system_schema.tables WHERE keyspace_name = '%s' AND "
                                    "table_name = '%s'" % (keyspace, name))
        client.query("INSERT INTO %s.scylla_keyspaces (keyspace_name, initial_tablets) VALUES ('%s', 1)"
                     % (KEYSPACE, keyspace))
        client.query("DELETE FROM %s.tablets WHERE table_id = %s" % (KEYSPACE, uuid.UUID(bytes=table_id)))
        client.query("INSERT INTO %s.tablets (table_id, keyspace_name, table_name, tablet_count) "
                     "VALUES (%s, '%s', '%s', %d)" % (KEYSPACE, uuid.UUID(bytes=table_id), keyspace, name, count))
        for tablet in tablets:
            client.query("INSERT INTO %s.tablets (table_id, last_token, replicas) VALUES (%s, %d, [%s])"
                         % (KEYSPACE, uuid.UUID(bytes=table_id), tablet.last,
                            ", ".join("(%s, %d)" % replica for replica in tablet.replicas)))
        client.close()
        self.tablets[table] = tablets
        return tablets

    def tablet_of(self, table, token):
        return next((tablet for tablet in self.tablets.get(table, [])
                     if tablet.first < token <= tablet.last or token == tablet.first == -(1 << 63)), None)

    def shard_of(self, token):
        """Without tablets."""
        return shard_of(token, self.shards, IGNORE_MSB)

    # rules, and what was seen

    def rule(self, opcodes, action, **conditions):
        """The first rule that takes a request acts on it; see faults.Rule."""
        rule = Rule(opcodes, action, **conditions)
        with self.lock:
            self.rules.append(rule)
        return rule

    def find_rule(self, request):
        with self.lock:
            return next((rule for rule in self.rules if rule.takes(request)), None)

    def note(self, request):
        with self.lock:
            self.requests.append(request)
            self.lock.notify_all()

    def clear(self):
        """No more rules, and nothing seen."""
        with self.lock:
            self.rules = []
            self.requests = []
            self.hints = 0

    def seen(self, *opcodes):
        with self.lock:
            return [request for request in self.requests if not opcodes or request.opcode in opcodes]

    def wait(self, condition, seconds=60):
        with self.lock:
            if not self.lock.wait_for(condition, seconds):
                raise TimeoutError("the front has seen %s" % [request.opcode for request in self.requests])


def main():
    arguments = sys.argv[1:]
    shards, tablets, nodes = 2, [], []
    while arguments:
        word = arguments.pop(0)
        if word == "--shards":
            shards = int(arguments.pop(0))
        elif word == "--tablets":
            tablets.append(arguments.pop(0).split("="))
        else:
            host, port = word.split(":")
            nodes.append((host, int(port)))
    front = Front(nodes, shards)
    for table, count in tablets:
        front.make_tablets(table, int(count))
    print(front.port, front.shard_port, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
