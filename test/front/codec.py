"""The front's own codec of protocol v4: nothing of it comes from the driver under test, nor from the
scripted node of test/py."""

import hashlib
import socket
import struct

(ERROR, STARTUP, READY, AUTHENTICATE, OPTIONS, SUPPORTED, QUERY, RESULT, PREPARE, EXECUTE, REGISTER, EVENT,
 BATCH, AUTH_CHALLENGE, AUTH_RESPONSE, AUTH_SUCCESS) = (0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)
COMPRESSED, TRACING, PAYLOAD, WARNING = 1, 2, 4, 8
VOID, ROWS, SET_KEYSPACE, PREPARED, SCHEMA_CHANGE = 1, 2, 3, 4, 5
GLOBAL_SPEC, HAS_MORE, NO_METADATA, METADATA_CHANGED = 1, 2, 4, 8
VALUES, SKIP_METADATA, PAGE_SIZE = 1, 2, 4
TEXT, DURATION = 0x0D, 0x15
HEADER = struct.Struct(">BBhBi")


class Reader:
    def __init__(self, data, at=0):
        self.data = data
        self.at = at

    def raw(self, length):
        if length < 0 or self.at + length > len(self.data):
            raise ValueError("cut at %d of %d bytes" % (self.at, len(self.data)))
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

    def bytes(self):
        """[bytes] or [value]: None for null and for unset."""
        length = self.number("i")
        return None if length < 0 else self.raw(length)

    def rest(self):
        return self.raw(len(self.data) - self.at)

    def type(self):
        """Step over a column's type."""
        code = self.number("H")
        if code == 0:
            self.string()
        elif code in (0x20, 0x22):
            self.type()
        elif code == 0x21:
            self.type()
            self.type()
        elif code == 0x30:
            self.string()
            self.string()
            for _ in range(self.number("H")):
                self.string()
                self.type()
        elif code == 0x31:
            for _ in range(self.number("H")):
                self.type()

    def column_spec(self, has_global):
        """Step over a column; its bytes."""
        start = self.at
        if not has_global:
            self.string()
            self.string()
        self.string()
        self.type()
        return self.data[start:self.at]


def short(number):
    return struct.pack(">H", number)


def integer(number):
    return struct.pack(">i", number)


def string(text):
    data = text.encode()
    return short(len(data)) + data


def long_string(text):
    data = text.encode()
    return integer(len(data)) + data


def short_bytes(data):
    return short(len(data)) + data


def sized(data):
    return integer(-1) if data is None else integer(len(data)) + data


def string_map(pairs):
    return short(len(pairs)) + b"".join(string(key) + string(value) for key, value in pairs.items())


def string_multimap(pairs):
    return short(len(pairs)) + b"".join(
        string(key) + short(len(values)) + b"".join(map(string, values)) for key, values in pairs.items())


def error_body(code, message, extra=b""):
    return struct.pack(">I", code) + string(message) + extra


# ---- lz4 ----

def lz4_unpack(data):
    """[int] length and one block."""
    out, at = bytearray(), 4

    def length(nibble):
        nonlocal at
        total, more = nibble, nibble == 15
        while more:
            total += data[at]
            more = data[at] == 255
            at += 1
        return total

    while at < len(data):
        token = data[at]
        at += 1
        literals = length(token >> 4)
        out += data[at:at + literals]
        at += literals
        if at < len(data):
            offset = data[at] | data[at + 1] << 8
            at += 2
            for _ in range(length(token & 15) + 4):
                out.append(out[-offset])
    if len(out) != struct.unpack(">i", data[:4])[0]:
        raise ValueError("an lz4 body of another length than it says")
    return bytes(out)


def lz4_pack(data):
    """A block of literals alone, which is as legal as any."""
    head = integer(len(data))
    if len(data) < 15:
        return head + bytes([len(data) << 4]) + data
    more, last = divmod(len(data) - 15, 255)
    return head + b"\xf0" + b"\xff" * more + bytes([last]) + data


# ---- tokens ----

MASK = (1 << 64) - 1


def rotate(number, bits):
    return (number << bits | number >> (64 - bits)) & MASK


def mix(number):
    number ^= number >> 33
    number = number * 0xff51afd7ed558ccd & MASK
    number ^= number >> 33
    number = number * 0xc4ceb9fe1a85ec53 & MASK
    return number ^ number >> 33


def murmur3(key):
    """A partition key's token: Cassandra's variant, whose tail bytes are signed."""
    c1, c2 = 0x87c37b91114253d5, 0x4cf5ad432745937f
    h1 = h2 = 0
    blocks = len(key) // 16
    for at in range(0, blocks * 16, 16):
        k1, k2 = struct.unpack_from("<QQ", key, at)
        h1 ^= rotate(k1 * c1 & MASK, 31) * c2 & MASK
        h1 = ((rotate(h1, 27) + h2) * 5 + 0x52dce729) & MASK
        h2 ^= rotate(k2 * c2 & MASK, 33) * c1 & MASK
        h2 = ((rotate(h2, 31) + h1) * 5 + 0x38495ab5) & MASK
    k1 = k2 = 0
    for number, byte in enumerate(key[blocks * 16:]):
        signed = (byte - 256 if byte > 127 else byte) & MASK
        if number < 8:
            k1 ^= signed << 8 * number & MASK
        else:
            k2 ^= signed << 8 * (number - 8) & MASK
    h2 ^= rotate(k2 * c2 & MASK, 33) * c1 & MASK
    h1 ^= rotate(k1 * c1 & MASK, 31) * c2 & MASK
    h1 ^= len(key)
    h2 ^= len(key)
    h1 = (h1 + h2) & MASK
    h2 = (h2 + h1) & MASK
    h1, h2 = mix(h1), mix(h2)
    h1 = (h1 + h2) & MASK
    token = h1 - (1 << 64) if h1 >> 63 else h1
    return (1 << 63) - 1 if token == -(1 << 63) else token


def partition_token(cells):
    """Of the key's cells, in its order."""
    if len(cells) == 1:
        return murmur3(cells[0])
    return murmur3(b"".join(short(len(cell)) + cell + b"\0" for cell in cells))


def shard_of(token, shards, ignore_msb):
    return ((((token + (1 << 63)) << ignore_msb) & MASK) * shards) >> 64


def metadata_id(spec):
    return hashlib.sha256(spec).digest()[:16]


# ---- a client, for what the front itself asks ----

class Client:
    """One question after the other, on a socket of its own."""

    def __init__(self, host, port, credentials=None):
        self.socket = socket.create_connection((host, port), timeout=30)
        opcode, body = self.ask(STARTUP, string_map({"CQL_VERSION": "3.0.0"}))
        if opcode == AUTHENTICATE:
            opcode, body = self.ask(AUTH_RESPONSE, sized(("\0%s\0%s" % credentials).encode()))
        if opcode not in (READY, AUTH_SUCCESS):
            raise RuntimeError("the server behind the front lets nobody in: %r" % body)

    def receive(self, length):
        data = b""
        while len(data) < length:
            part = self.socket.recv(length - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    def ask(self, opcode, body):
        self.socket.sendall(HEADER.pack(4, 0, 1, opcode, len(body)) + body)
        _, flags, _, opcode, length = HEADER.unpack(self.receive(9))
        body = self.receive(length)
        if flags & WARNING:
            reader = Reader(body)
            for _ in range(reader.number("H")):
                reader.string()
            body = reader.rest()
        return opcode, body

    def query(self, cql):
        """Rows as lists of cells."""
        opcode, body = self.ask(QUERY, long_string(cql) + short(1) + b"\0")
        reader = Reader(body)
        if opcode == ERROR:
            raise RuntimeError("%s: %04x %s" % (cql, reader.number("i"), reader.string()))
        if reader.number("i") != ROWS:
            return []
        flags, columns = reader.number("i"), reader.number("i")
        if flags & HAS_MORE:
            reader.bytes()
        if flags & GLOBAL_SPEC:
            reader.string()
            reader.string()
        for _ in range(columns):
            reader.column_spec(flags & GLOBAL_SPEC)
        return [[reader.bytes() for _ in range(columns)] for _ in range(reader.number("i"))]

    def close(self):
        self.socket.close()
