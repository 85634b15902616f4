"""What a rule of the front can do. An action takes the connection, the request and the reply that
Cassandra gave (None where the rule asks nobody); what it returns is sent, None is not."""

import asyncio
import os

from codec import (ERROR, GLOBAL_SPEC, PAGE_SIZE, RESULT, ROWS, TEXT, Reader, error_body, integer, short, sized,
                   string)


class Rule:
    """For requests of these opcodes, at this node and shard (None: any), for which when(request)
    holds, after `skip` others, `times` times (None: always)."""

    def __init__(self, opcodes, action, node=None, shard=None, skip=0, times=None, when=None):
        self.opcodes = opcodes if isinstance(opcodes, tuple) else (opcodes,)
        self.action = action
        self.node = node
        self.shard = shard
        self.skip = skip
        self.times = times
        self.when = when
        self.taken = 0

    def takes(self, request):
        if request.opcode not in self.opcodes or self.times == 0:
            return False
        if self.node is not None and request.node is not self.node:
            return False
        if self.shard is not None and request.shard != self.shard:
            return False
        if self.when is not None and not self.when(request):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        self.taken += 1
        return True


def unasked(action):
    """Cassandra never sees the request."""
    action.is_unasked = True
    return action


def delay(seconds):
    def act(connection, request, reply):
        asyncio.get_running_loop().call_later(seconds, connection.send, reply)
    return act


def short_pages(rows):
    """Of an EXECUTE: its pages end after so many rows, whatever it asks for; as ScyllaDB ends them where rows
    are wide."""
    @unasked
    def act(connection, request, reply):
        if reply is not None:
            return reply
        body = connection.translate(request)
        reader = Reader(body)
        reader.short_bytes()
        _, end = connection.values_of(body[reader.at:])
        end += reader.at
        if not body[reader.at + 2] & PAGE_SIZE:
            raise ValueError("no page size to change")
        connection.ask(request, body[:end] + integer(rows) + body[end + 4:])
        return None
    return act


def vanish(is_applied=False):
    """No answer, for this request alone; is_applied: though Cassandra did what was asked."""
    def act(connection, request, reply):
        return None
    return act if is_applied else unasked(act)


@unasked
def stall(connection, request, reply):
    """From now on the connection answers nothing."""
    connection.is_stalled = True


def cut(after=0):
    """The connection ends after so many bytes of the answer."""
    def act(connection, request, reply):
        connection.write(connection.frame(reply)[:after])
        connection.close()
    return act


@unasked
def reset(connection, request, reply):
    connection.reset()


def garbage(length=64):
    def act(connection, request, reply):
        connection.write(os.urandom(length))
    return unasked(act)


def wrong_stream(stream=32000):
    def act(connection, request, reply):
        reply.stream = stream
        return reply
    return act


def truncate(length):
    """A body that is shorter than what stands in it, in a frame that is whole."""
    def act(connection, request, reply):
        reply.body = reply.body[:length]
        return reply
    return act


def error(code, message="an error by the front", extra=b"", is_applied=False):
    def act(connection, request, reply):
        reply = reply or connection.reply_to(request)
        reply.opcode, reply.flags, reply.body = ERROR, 0, error_body(code, message, extra)
        return reply
    return act if is_applied else unasked(act)


def texts(columns, *rows):
    """Rows of text, whatever was asked; Cassandra never sees it."""
    def act(connection, request, reply):
        body = integer(ROWS) + integer(GLOBAL_SPEC) + integer(len(columns)) + string("ks") + string("t")
        body += b"".join(string(column) + short(TEXT) for column in columns) + integer(len(rows))
        body += b"".join(sized(None if cell is None else cell.encode()) for row in rows for cell in row)
        reply = connection.reply_to(request)
        reply.opcode, reply.body = RESULT, body
        return reply
    return unasked(act)


RATE_LIMIT = 0xF000


def rate_limit(is_write=False):
    """As the client has asked to be told."""
    def act(connection, request, reply):
        if "SCYLLA_RATE_LIMIT_ERROR" in connection.options:
            return error(RATE_LIMIT, "rate limit", bytes([is_write, 1]))(connection, request, None)
        return error(0x2300, "rate limit")(connection, request, None)
    return unasked(act)
