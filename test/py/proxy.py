"""A proxy before a real CQL server that spoils what a test says: it forwards whole frames, and asks a
rule about each EXECUTE and BATCH.

    proxy = Proxy(host, port)
    proxy.rule = lambda number, body: error(OVERLOADED, "...") if number % 2 else None
    proxy.port
    proxy.cut()                        # ends all connections; new ones are welcome
    proxy.refuse()                     # ... and are not, until proxy.accept()
    proxy.stop()

A rule gets the number of the request (from 1) and its body, and gives None (forward it), the body of
an ERROR to answer with, or CUT.
"""

import socket
import struct
import threading

ERROR_OPCODE, EXECUTE, BATCH = 0x00, 0x0A, 0x0D
HEADER = struct.Struct(">BBhBi")
CUT = object()

OVERLOADED, WRITE_TIMEOUT, INVALID = 0x1001, 0x1100, 0x2200


def error(code, message, extra=b""):
    text = message.encode()
    return struct.pack(">iH", code, len(text)) + text + extra


def write_timeout(message="timed out"):
    """Consistency ONE, 0 of 1 replicas, a simple write."""
    return error(WRITE_TIMEOUT, message, struct.pack(">HiiH", 1, 0, 1, 6) + b"SIMPLE")


def read_exactly(peer, length):
    data = b""
    while len(data) < length:
        part = peer.recv(length - len(data))
        if not part:
            raise OSError("the peer has closed")
        data += part
    return data


class Proxy:
    def __init__(self, host, port):
        self.target = (host, port)
        self.rule = None
        self.executes = 0
        self.is_accepting = True
        self.lock = threading.Lock()
        self.pairs = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if not self.is_accepting:
                client.close()
                continue
            server = socket.create_connection(self.target)
            for peer in (client, server):
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.pairs.append((client, server))
            answering = threading.Lock()
            threading.Thread(target=self.requests, args=[client, server, answering], daemon=True).start()
            threading.Thread(target=self.answers, args=[client, server, answering], daemon=True).start()

    def requests(self, client, server, answering):
        try:
            while True:
                header = read_exactly(client, HEADER.size)
                _version, _flags, stream, opcode, length = HEADER.unpack(header)
                body = read_exactly(client, length)
                verdict = self.ask(body) if opcode in (EXECUTE, BATCH) else None
                if verdict is CUT:
                    raise OSError("cut")
                if verdict is None:
                    server.sendall(header + body)
                else:
                    with answering:
                        client.sendall(HEADER.pack(0x84, 0, stream, ERROR_OPCODE, len(verdict)) + verdict)
        except OSError:
            self.close(client, server)

    def ask(self, body):
        with self.lock:
            self.executes += 1
            return self.rule(self.executes, body) if self.rule else None

    def answers(self, client, server, answering):
        try:
            while True:
                header = read_exactly(server, HEADER.size)
                body = read_exactly(server, HEADER.unpack(header)[4])
                with answering:
                    client.sendall(header + body)
        except OSError:
            self.close(client, server)

    @staticmethod
    def close(*peers):
        for peer in peers:
            try:
                peer.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            peer.close()

    def cut(self):
        for pair in self.pairs:
            self.close(*pair)
        self.pairs = []

    def refuse(self):
        self.is_accepting = False
        self.cut()

    def accept(self):
        self.is_accepting = True

    def stop(self):
        self.listener.close()
        self.refuse()
