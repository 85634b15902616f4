"""A scripted CQL node: protocol v4 with a codec of its own, from the standard library alone.

    node = Node()
    node.add_table("ks.t", {"k": "int", "v": "text"}, key=["k"], pages=[[(1, "a"), (2, "b")]])
    node.rule(EXECUTE, stall(), skip=1)      # the second EXECUTE is never answered
    node.seen(PREPARE)                       # requests so far, decoded
    node.wait(lambda: node.seen(EXECUTE))    # until one has come
    node.stop()

It serves what add_table() names, and answers every other SELECT with no rows of text columns. It
is strict about what clients send: what it dislikes stands in node.complaints. A rule gets the
reply that would be sent and may change, keep or spoil it.
"""

import hashlib
import re
import socket
import struct
import threading
import time

ERROR, STARTUP, READY, AUTHENTICATE, OPTIONS, SUPPORTED, QUERY, RESULT, PREPARE, EXECUTE = (
    0x00, 0x01, 0x02, 0x03, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0A)
REGISTER, EVENT, BATCH, AUTH_CHALLENGE, AUTH_RESPONSE, AUTH_SUCCESS = (
    0x0B, 0x0C, 0x0D, 0x0E, 0x0F, 0x10)

TYPES = {"ascii": 0x01, "bigint": 0x02, "blob": 0x03, "boolean": 0x04, "int": 0x09, "uuid": 0x0C,
         "text": 0x0D}

VOID, ROWS, SET_KEYSPACE, PREPARED, SCHEMA_CHANGE = 1, 2, 3, 4, 5
GLOBAL_SPEC, HAS_MORE, NO_METADATA = 1, 2, 4


# ---- the codec ----

class Malformed(Exception):
    """A request that is none."""


class Reader:
    def __init__(self, data):
        self.data = data
        self.at = 0

    def raw(self, length):
        if length < 0 or self.at + length > len(self.data):
            raise Malformed("cut at %d of %d bytes" % (self.at, len(self.data)))
        self.at += length
        return self.data[self.at - length:self.at]

    def number(self, form):
        return struct.unpack(">" + form, self.raw(struct.calcsize(form)))[0]

    def string(self):
        return self.raw(self.number("H")).decode()

    def long_string(self):
        return self.raw(self.number("i")).decode()

    def short_bytes(self):
        return self.raw(self.number("H"))

    def value(self):
        """bytes, None for null, or "unset"."""
        length = self.number("i")
        if length < -2:
            raise Malformed("a value of length %d" % length)
        return None if length == -1 else "unset" if length == -2 else self.raw(length)

    def end(self):
        if self.at != len(self.data):
            raise Malformed("%d bytes too many" % (len(self.data) - self.at))


def short(number):
    return struct.pack(">H", number)


def integer(number):
    return struct.pack(">i", number)


def string(text):
    data = text.encode()
    return short(len(data)) + data


def string_list(texts):
    return short(len(texts)) + b"".join(string(text) for text in texts)


def sized(data):
    """[bytes]; None is null."""
    return integer(-1) if data is None else integer(len(data)) + data


def encode(type_name, value):
    if value is None or isinstance(value, bytes):
        return value
    if type_name in ("int", "bigint"):
        return struct.pack(">i" if type_name == "int" else ">q", value)
    if type_name == "boolean":
        return b"\1" if value else b"\0"
    return str(value).encode()


def column_specs(columns):
    return b"".join(string(name) + short(TYPES[type_name]) for name, type_name in columns)


class Reply:
    """A response; length, where it is set, is what the header says of the body."""

    def __init__(self, opcode, body=b"", stream=0):
        self.version = 0x84
        self.flags = 0
        self.stream = stream
        self.opcode = opcode
        self.body = body
        self.length = None

    def frame(self):
        length = len(self.body) if self.length is None else self.length
        return struct.pack(">BBhBI", self.version, self.flags, self.stream, self.opcode, length) + self.body


def error_body(code, message, extra=b""):
    return struct.pack(">I", code) + string(message) + extra


# ---- statements ----

LIMIT = "[limit]"  # the bind variable of LIMIT ?, as servers call it
TOKEN = "partition key token"  # and that of token(k) > ?
NAME = r'(?:"(?:[^"]|"")*"|\w+)'


def unquote(name):
    name = name.strip()
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


class Table:
    def __init__(self, name, columns, key, pages):
        self.keyspace, self.name = name.split(".")
        self.columns = dict(columns)
        self.key = list(key)
        self.pages = pages  # lists of rows, or a function of the request and the page's number

    def page(self, request, number):
        """Rows as dicts, and whether there is another page."""
        rows = self.pages[number] if isinstance(self.pages, list) else self.pages(request, number)
        more = number + 1 < len(self.pages) if isinstance(self.pages, list) else rows is not None
        return [dict(zip(self.columns, row)) for row in rows or []], more


class Statement:
    """What the node makes of a text: its table, result columns and bind variables."""

    def __init__(self, text, tables):
        self.text = text
        self.id = hashlib.md5(text.encode()).digest()
        found = re.search(r"(?:FROM|INTO|UPDATE)\s+(%s)\s*\.\s*(%s)" % (NAME, NAME), text, re.I)
        full_name = ".".join(unquote(part) for part in found.groups()) if found else "."
        self.table = tables.get(full_name)
        self.keyspace, self.name = full_name.split(".", 1)
        self.columns = self.find_columns(text)
        self.binds = [(name, self.type_of(name)) for name in self.find_binds(text)]

    def type_of(self, name):
        if name in (LIMIT, TOKEN):
            return "int" if name == LIMIT else "bigint"
        return self.table.columns.get(name, "text") if self.table else "text"

    def find_columns(self, text):
        found = re.match(r"\s*SELECT\s+(?:DISTINCT\s+)?(.*?)\s+FROM\s", text, re.I | re.S)
        if not found:
            return None
        names = [unquote(part) for part in found[1].split(",")]
        if names == ["*"]:
            names = list(self.table.columns) if self.table else ["key"]
        return [(name, self.type_of(name)) for name in names]

    @staticmethod
    def find_binds(text):
        found = re.match(r"\s*INSERT\s+INTO\s+\S+\s*\((.*?)\)\s*VALUES\s*\((.*?)\)", text, re.I | re.S)
        if found:
            pairs = zip(found[1].split(","), found[2].split(","))
            return [unquote(name) for name, value in pairs if value.strip() == "?"]
        text = re.sub(r"\btoken\([^)]*\)", '"%s"' % TOKEN, text)
        names = [unquote(name) for name in re.findall(r"(%s)\s*(?:=|<=|>=|<|>)\s*\?" % NAME, text)]
        return names + [LIMIT] * bool(re.search(r"\bLIMIT\s+\?", text, re.I))

    def prepared(self):
        keys = [index for index, (name, _) in enumerate(self.binds) if self.table and name in self.table.key]
        if not self.table or len(keys) != len(self.table.key):
            keys = []
        spec = string(self.keyspace) + string(self.name)
        bind = integer(GLOBAL_SPEC) + integer(len(self.binds)) + integer(len(keys))
        bind += b"".join(map(short, keys)) + spec + column_specs(self.binds)
        if self.columns is None:
            result = integer(NO_METADATA) + integer(0)
        else:
            result = integer(GLOBAL_SPEC) + integer(len(self.columns)) + spec + column_specs(self.columns)
        return integer(PREPARED) + short(len(self.id)) + self.id + bind + result

    def rows(self, request):
        """The RESULT body of a page: rows that have the bound values where all are of `c = ?`."""
        if self.columns is None:
            return integer(VOID)
        number = int(request.paging_state or 0)
        rows, has_more = self.table.page(request, number) if self.table else ([], False)
        if self.binds and not re.search(r"[<>]=?\s*\?", self.text):
            wanted = dict(zip((name for name, _ in self.binds), request.values))
            limit = wanted.pop(LIMIT, None)
            rows = [row for row in rows
                    if all(encode(self.type_of(name), row[name]) == value for name, value in wanted.items())]
            rows = rows[:struct.unpack(">i", limit)[0]] if limit else rows
        return rows_body(self.keyspace, self.name, self.columns, rows,
                         str(number + 1).encode() if has_more else None,
                         request.is_metadata_skipped)


def rows_body(keyspace, table, columns, rows, paging_state=None, is_metadata_skipped=False):
    flags = GLOBAL_SPEC | (HAS_MORE if paging_state else 0)
    if is_metadata_skipped:
        flags = flags & ~GLOBAL_SPEC | NO_METADATA
    head = integer(flags) + integer(len(columns)) + (sized(paging_state) if paging_state else b"")
    if not is_metadata_skipped:
        head += string(keyspace) + string(table) + column_specs(columns)
    cells = b"".join(sized(encode(type_name, row[name])) for row in rows for name, type_name in columns)
    return integer(ROWS) + head + integer(len(rows)) + cells


# ---- requests ----

class Request:
    """A decoded request. Fields that its kind does not have are None."""

    def __init__(self, connection, header, body):
        version, self.flags, self.stream, self.opcode, _ = header
        self.connection = connection
        self.time = time.monotonic()
        self.body = body
        self.text = self.statement_id = self.credentials = self.options = None
        self.values = []
        self.paging_state = self.page_rows = self.consistency = self.serial_consistency = None
        self.is_metadata_skipped = False
        if version != 4:
            raise Malformed("version %d" % version)
        if self.stream < 0:
            raise Malformed("stream %d" % self.stream)
        reader = Reader(body)
        if self.opcode == STARTUP:
            self.options = {reader.string(): reader.string() for _ in range(reader.number("H"))}
        elif self.opcode == AUTH_RESPONSE:
            self.credentials = tuple(reader.value().decode().split("\0")[1:])
        elif self.opcode == PREPARE:
            self.text = reader.long_string()
        elif self.opcode in (QUERY, EXECUTE):
            if self.opcode == QUERY:
                self.text = reader.long_string()
            else:
                self.statement_id = reader.short_bytes()
            self.read_parameters(reader)
        elif self.opcode == BATCH:
            reader.at = len(body)
        elif self.opcode != OPTIONS:
            raise Malformed("opcode 0x%02x" % self.opcode)
        reader.end()

    def read_parameters(self, reader):
        self.consistency = reader.number("H")
        flags = reader.number("B")
        if flags & 0x01:
            self.values = [reader.value() for _ in range(reader.number("H"))]
        self.is_metadata_skipped = bool(flags & 0x02)
        if flags & 0x04:
            self.page_rows = reader.number("i")
        if flags & 0x08:
            self.paging_state = reader.value()
        if flags & 0x10:
            self.serial_consistency = reader.number("H")
        if flags & 0x20:
            reader.number("q")
        if flags & 0xC0:
            raise Malformed("query flags 0x%02x" % flags)


# ---- what rules do ----
# An action takes the connection, the request and the reply that is due; what it returns is sent.

def stall():
    """Never answer."""
    return lambda connection, request, reply: None


def hold(sent=0):
    """Answer when node.release() is called, but for so many bytes of the frame."""
    def act(connection, request, reply):
        connection.send_raw(reply.frame()[:sent])
        with connection.node.changed:
            connection.node.held.append((connection, request, reply.frame()[sent:]))
            connection.node.changed.notify_all()
    return act


def delay(seconds):
    def act(connection, request, reply):
        threading.Timer(seconds, connection.send, [reply, request]).start()
    return act


def close(after=None):
    """End the connection, after so many bytes of the reply (None: before it)."""
    def act(connection, request, reply):
        connection.send_raw(reply.frame()[:after or 0])
        connection.close()
    return act


def reset():
    def act(connection, request, reply):
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.socket.close()
    return act


def raw(data):
    """Send these bytes instead of a frame."""
    return lambda connection, request, reply: connection.send_raw(data)


def slow(pause=0.0, chunk=1):
    """The reply in writes of so many bytes."""
    def act(connection, request, reply):
        frame = reply.frame()
        connection.answered(request)
        for at in range(0, len(frame), chunk):
            connection.send_raw(frame[at:at + chunk])
            time.sleep(pause)
    return act


def edit(**fields):
    """Other fields of the frame: version, flags, stream, opcode, length, body."""
    def act(connection, request, reply):
        vars(reply).update(fields)
        return reply
    return act


def patch(change):
    """Another body: change(body)."""
    def act(connection, request, reply):
        reply.body = change(reply.body)
        return reply
    return act


def error(code, message="a scripted error", extra=b""):
    return edit(opcode=ERROR, body=error_body(code, message, extra))


def unprepared():
    def act(connection, request, reply):
        body = error_body(0x2500, "not prepared", short(len(request.statement_id)) + request.statement_id)
        return edit(opcode=ERROR, body=body)(connection, request, reply)
    return act


def warn(*texts):
    def act(connection, request, reply):
        reply.flags |= 0x08
        reply.body = string_list(texts) + reply.body
        return reply
    return act


def trace(tracing_id):
    """To be used before warn(): the id stands first in the body."""
    def act(connection, request, reply):
        reply.flags |= 0x02
        reply.body = tracing_id + reply.body
        return reply
    return act


def both(first, second):
    """One action after the other."""
    def act(connection, request, reply):
        reply = first(connection, request, reply)
        return reply and second(connection, request, reply)
    return act


class Rule:
    def __init__(self, opcodes, action, skip, times, when):
        self.opcodes = opcodes if isinstance(opcodes, tuple) else (opcodes,)
        self.action = action
        self.skip = skip
        self.times = times
        self.when = when

    def takes(self, request):
        """Whether the rule is for this request; counts it."""
        if request.opcode not in self.opcodes or self.times == 0:
            return False
        if self.when is not None and not self.when(request):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True


# ---- the node ----

class Connection:
    def __init__(self, node, peer, number):
        self.node = node
        self.socket = peer
        self.number = number
        self.outstanding = set()  # stream ids of requests without an answer
        self.is_open = True
        self.writing = threading.Lock()

    def receive(self, length):
        data = b""
        while len(data) < length:
            more = self.socket.recv(length - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def send_raw(self, data):
        try:
            with self.writing:
                self.socket.sendall(data)
        except OSError:
            pass  # the client has gone: its right

    def answered(self, request):
        self.outstanding.discard(request.stream)

    def send(self, reply, request):
        self.answered(request)
        self.send_raw(reply.frame())

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()

    def serve(self):
        try:
            if self.node.tls is not None:
                self.socket = self.node.tls.wrap_socket(self.socket, server_side=True)
            while True:
                header = struct.unpack(">BBhBI", self.receive(9))
                request = Request(self, header, self.receive(header[4]))
                if request.stream in self.outstanding:
                    raise Malformed("stream %d is in use" % request.stream)
                self.outstanding.add(request.stream)
                self.node.take(self, request)
        except (EOFError, OSError):
            pass
        except Malformed as problem:
            self.node.complaints.append(str(problem))
        self.socket.close()
        with self.node.changed:
            self.is_open = False
            self.node.changed.notify_all()


class Node:
    """users: asks for a password if not None. supported: more keys of SUPPORTED. listener: a
    listening socket to take over. tls: an ssl.SSLContext."""

    def __init__(self, users=None, supported=None, listener=None, tls=None):
        self.tls = tls
        self.users = users
        self.supported = {"CQL_VERSION": ["3.4.7"], "COMPRESSION": ["lz4"], **(supported or {})}
        self.tables = {}
        self.statements = {}
        self.rules = []
        self.requests = []
        self.complaints = []
        self.connections = []
        self.held = []
        self.changed = threading.Condition()
        self.host, self.port = "127.0.0.1", 0
        self.start(listener)

    @property
    def address(self):
        return "%s:%d" % (self.host, self.port)

    def start(self, listener=None):
        """Listen; after stop(), on the same port as before."""
        self.listener = listener or socket.create_server((self.host, self.port))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, args=[self.listener], daemon=True).start()

    def accept(self, listener):
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.changed:
                connection = Connection(self, peer, len(self.connections))
                self.connections.append(connection)
                self.changed.notify_all()
            threading.Thread(target=connection.serve, daemon=True).start()

    def stop(self):
        """Listen no more and end every connection."""
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        for connection in self.connections:
            connection.close()

    def add_table(self, name, columns, key=(), pages=()):
        self.tables[name] = Table(name, columns, key, pages if callable(pages) else list(pages))

    def rule(self, opcodes, action, skip=0, times=None, when=None):
        """The first rule that takes a request acts on it: one of these opcodes for which
        when(request) holds, after `skip` others, `times` times."""
        self.rules.append(Rule(opcodes, action, skip, times, when))

    def clear(self):
        """No more rules, and nothing seen."""
        with self.changed:
            self.rules = []
            self.requests = []

    def forget_statements(self):
        self.statements = {}

    def release(self):
        """Send what hold() kept, in order."""
        held, self.held = self.held, []
        for connection, request, data in held:
            connection.answered(request)
            connection.send_raw(data)

    def seen(self, *opcodes):
        return [request for request in list(self.requests) if not opcodes or request.opcode in opcodes]

    def open_connections(self):
        return [connection for connection in list(self.connections) if connection.is_open]

    def wait(self, condition, seconds=60):
        """Until condition() holds, looked at whenever something has come."""
        with self.changed:
            if not self.changed.wait_for(condition, seconds):
                raise TimeoutError("the node has seen %s" % [hex(r.opcode) for r in self.requests])

    def take(self, connection, request):
        if request.opcode == EXECUTE and request.statement_id in self.statements:
            request.text = self.statements[request.statement_id].text
        reply = Reply(*self.answer(request), stream=request.stream)
        with self.changed:
            self.requests.append(request)
            rule = next((rule for rule in self.rules if rule.takes(request)), None)
            self.changed.notify_all()
        if rule is not None:
            reply = rule.action(connection, request, reply)
        if reply is not None:
            connection.send(reply, request)

    def answer(self, request):
        """Opcode and body of what is due."""
        if request.opcode == OPTIONS:
            pairs = [string(key) + string_list(values) for key, values in self.supported.items()]
            return SUPPORTED, short(len(pairs)) + b"".join(pairs)
        if request.opcode == STARTUP:
            if self.users is not None:
                return AUTHENTICATE, string("org.apache.cassandra.auth.PasswordAuthenticator")
            return READY, b""
        if request.opcode == AUTH_RESPONSE:
            user, password = request.credentials
            if (self.users or {}).get(user) == password:
                return AUTH_SUCCESS, sized(None)
            return ERROR, error_body(0x0100, "Provided username %s and/or password are incorrect" % user)
        if request.opcode == PREPARE:
            statement = Statement(request.text, self.tables)
            self.statements[statement.id] = statement
            return RESULT, statement.prepared()
        if request.opcode == QUERY:
            return RESULT, Statement(request.text, self.tables).rows(request)
        if request.opcode == EXECUTE:
            if request.statement_id not in self.statements:
                return ERROR, error_body(0x2500, "not prepared",
                                         short(len(request.statement_id)) + request.statement_id)
            return RESULT, self.statements[request.statement_id].rows(request)
        return RESULT, integer(VOID)
