/*
 * The connection's life: its write queue, its reader, its deadlines, its end.
 *
 * Invariants: an exchange is in `queue` only while QUEUED, in `by_deadline` only while QUEUED or
 * SENT, in `done` only after that; so no pointer to it remains once it was taken or abandoned.
 * Only close_now() makes a connection CLOSED.
 */
#include "cql/conn/conn.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cql/mem.h"

/* A side buffer takes headers and small answers; measured, larger ones leave the L2 cache. */
#define SIDE_LEN ((size_t) 64 * 1024)
/* Bodies that have at least this much to come are read in place rather than through `side`. */
#define DIRECT_LEN ((size_t) 4 * 1024)

static void
append_done(cql_conn *conn, cql_exchange *exchange, cql_exchange_state state)
{
	exchange->state = state;
	exchange->by_queue.prev = conn->done.last;
	exchange->by_queue.next = NULL;
	if (conn->done.last != NULL)
		conn->done.last->by_queue.next = exchange;
	else
		conn->done.first = exchange;
	conn->done.last = exchange;
}

static void
unlink_queue(cql_exchange_list *list, cql_exchange *exchange)
{
	cql_exchange_link *link = &exchange->by_queue;

	if (link->prev != NULL)
		link->prev->by_queue.next = link->next;
	else
		list->first = link->next;
	if (link->next != NULL)
		link->next->by_queue.prev = link->prev;
	else
		list->last = link->prev;
	link->prev = link->next = NULL;
}

static void
append_queue(cql_conn *conn, cql_exchange *exchange)
{
	exchange->by_queue.prev = conn->queue.last;
	exchange->by_queue.next = NULL;
	if (conn->queue.last != NULL)
		conn->queue.last->by_queue.next = exchange;
	else
		conn->queue.first = exchange;
	conn->queue.last = exchange;
	conn->queued_bytes += exchange->frame_len;
}

static void
unlink_deadline(cql_conn *conn, cql_exchange *exchange)
{
	cql_exchange_link *link = &exchange->by_deadline;

	if (link->prev != NULL)
		link->prev->by_deadline.next = link->next;
	else
		conn->by_deadline.first = link->next;
	if (link->next != NULL)
		link->next->by_deadline.prev = link->prev;
	else
		conn->by_deadline.last = link->prev;
	link->prev = link->next = NULL;
}

/* Deadlines mostly rise with time, so the place is found from the end at once. */
static void
insert_deadline(cql_conn *conn, cql_exchange *exchange)
{
	cql_exchange *after = conn->by_deadline.last;
	cql_exchange *before;

	while (after != NULL && after->deadline_ms > exchange->deadline_ms)
		after = after->by_deadline.prev;
	before = after != NULL ? after->by_deadline.next : conn->by_deadline.first;
	exchange->by_deadline.prev = after;
	exchange->by_deadline.next = before;
	if (after != NULL)
		after->by_deadline.next = exchange;
	else
		conn->by_deadline.first = exchange;
	if (before != NULL)
		before->by_deadline.prev = exchange;
	else
		conn->by_deadline.last = exchange;
}

void
cql_exchange_cleanup(cql_exchange *exchange)
{
	cql_release(exchange->frame);
	cql_release(exchange->body);
	memset(exchange, 0, sizeof *exchange);
}

bool
cql_conn_init(cql_conn *conn, const char *node, const cql_conn_options *options)
{
	memset(conn, 0, sizeof *conn);
	conn->side = cql_alloc(SIDE_LEN);
	if (conn->side == NULL)
		return false;
	conn->options = *options;
	snprintf(conn->node, sizeof conn->node, "%s", node);
	cql_streams_init(&conn->streams);
	return true;
}

void
cql_conn_cleanup(cql_conn *conn)
{
	cql_exchange_cleanup(&conn->handshake);
	cql_streams_cleanup(&conn->streams);
	cql_release(conn->orphan_frame);
	cql_release(conn->side);
	cql_release(conn->body);
	memset(conn, 0, sizeof *conn);
	conn->state = CQL_CONN_CLOSED;
}

void
cql_conn_start(cql_conn *conn)
{
	cql_handshake_start(conn);
}

void
cql_conn_close(cql_conn *conn, cql_error_kind kind, const char *format, ...)
{
	va_list arguments;
	cql_exchange *exchange;

	if (conn->state == CQL_CONN_CLOSED)
		return;
	conn->state = CQL_CONN_CLOSED;
	/* The handshake may have filled the server's own error already. */
	if (conn->error.kind == CQL_ERROR_NONE)
	{
		conn->error.kind = kind;
		conn->error.shard = -1;
		conn->error.consistency = -1;
		va_start(arguments, format);
		vsnprintf(conn->error.message, sizeof conn->error.message, format, arguments);
		va_end(arguments);
	}
	snprintf(conn->error.node, sizeof conn->error.node, "%s", conn->node);

	while ((exchange = conn->by_deadline.first) != NULL)
	{
		unlink_deadline(conn, exchange);
		if (exchange->state == CQL_EXCHANGE_QUEUED)
			unlink_queue(&conn->queue, exchange);
		if (exchange == &conn->handshake)
			exchange->state = CQL_EXCHANGE_LOST;
		else
			append_done(conn, exchange, CQL_EXCHANGE_LOST);
	}
	conn->queued_bytes = 0;
	cql_release(conn->orphan_frame);
	conn->orphan_frame = NULL;
	cql_release(conn->body);
	conn->body = NULL;
}

/* ---- out ---- */

bool
cql_conn_submit(cql_conn *conn, cql_exchange *exchange, uint64_t deadline_ms)
{
	int stream = cql_streams_take(&conn->streams, exchange);

	if (stream < 0)
		return false;
	cql_frame_set_stream(exchange->frame, (int16_t) stream);
	exchange->stream = stream;
	exchange->is_begun = false;
	exchange->deadline_ms = deadline_ms;
	exchange->state = CQL_EXCHANGE_QUEUED;
	append_queue(conn, exchange);
	insert_deadline(conn, exchange);
	conn->requests++;
	return true;
}

/*
 * A frame sent in part has to be sent to its end, for the stream of bytes must stay whole; so
 * when its exchange leaves early the connection takes the frame over. Only the head of the queue
 * can be sent in part.
 */
static void
adopt_frame(cql_conn *conn, cql_exchange *exchange)
{
	unlink_queue(&conn->queue, exchange);
	conn->orphan_frame = exchange->frame;
	conn->orphan_frame_len = exchange->frame_len;
	conn->orphan_deadline_ms = exchange->deadline_ms;
	exchange->frame = NULL;
	exchange->frame_len = 0;
}

/*
 * Take an exchange off the connection before its answer came. Its stream id is free again only
 * if the peer cannot have seen the request.
 */
static void
detach(cql_conn *conn, cql_exchange *exchange)
{
	unlink_deadline(conn, exchange);
	if (exchange->state == CQL_EXCHANGE_QUEUED && !exchange->is_begun)
	{
		unlink_queue(&conn->queue, exchange);
		conn->queued_bytes -= exchange->frame_len;
		cql_streams_release(&conn->streams, exchange->stream);
		return;
	}
	if (exchange->state == CQL_EXCHANGE_QUEUED)
		adopt_frame(conn, exchange);
	if (conn->has_header && conn->header.stream == exchange->stream)
	{
		/* its answer is being read: skip the rest of it */
		cql_release(conn->body);
		conn->body = NULL;
	}
	cql_streams_orphan(&conn->streams, exchange->stream);
}

void
cql_conn_abandon(cql_conn *conn, cql_exchange *exchange)
{
	detach(conn, exchange);
	exchange->state = CQL_EXCHANGE_IDLE;
}

cql_exchange *
cql_conn_take_done(cql_conn *conn)
{
	cql_exchange *exchange = conn->done.first;

	if (exchange != NULL)
		unlink_queue(&conn->done, exchange);
	return exchange;
}

bool
cql_conn_has_output(const cql_conn *conn)
{
	return conn->state != CQL_CONN_CLOSED &&
		   (conn->orphan_frame != NULL || conn->queue.first != NULL);
}

int
cql_conn_output(cql_conn *conn, struct iovec *parts, int max)
{
	int count = 0;
	size_t skip = conn->head_sent;

	if (conn->state == CQL_CONN_CLOSED)
		return 0;
	if (conn->orphan_frame != NULL && count < max)
	{
		parts[count++] = (struct iovec) {.iov_base = conn->orphan_frame + skip,
										 .iov_len = conn->orphan_frame_len - skip};
		skip = 0;
	}
	for (cql_exchange *e = conn->queue.first; e != NULL && count < max; e = e->by_queue.next)
	{
		parts[count++] =
			(struct iovec) {.iov_base = e->frame + skip, .iov_len = e->frame_len - skip};
		skip = 0;
	}
	return count;
}

void
cql_conn_sent(cql_conn *conn, size_t len)
{
	conn->bytes_sent += len;
	if (conn->state == CQL_CONN_CLOSED)
		return;
	conn->queued_bytes -= len;
	len += conn->head_sent;
	if (conn->orphan_frame != NULL)
	{
		if (len < conn->orphan_frame_len)
		{
			conn->head_sent = len;
			return;
		}
		len -= conn->orphan_frame_len;
		cql_release(conn->orphan_frame);
		conn->orphan_frame = NULL;
	}
	while (conn->queue.first != NULL && len >= conn->queue.first->frame_len)
	{
		cql_exchange *exchange = conn->queue.first;

		len -= exchange->frame_len;
		unlink_queue(&conn->queue, exchange);
		exchange->is_begun = true;
		exchange->state = CQL_EXCHANGE_SENT;
	}
	if (len > 0 && conn->queue.first != NULL)
		conn->queue.first->is_begun = true;
	conn->head_sent = len;
}

/* ---- in ---- */

/* The whole answer to an exchange is there. */
static void
complete(cql_conn *conn, cql_exchange *exchange)
{
	unlink_deadline(conn, exchange);
	/* A server that refuses a long request may say so before it has read all of it. */
	if (exchange->state == CQL_EXCHANGE_QUEUED)
		adopt_frame(conn, exchange);
	cql_streams_release(&conn->streams, exchange->stream);
	exchange->header = conn->header;
	exchange->body = conn->body;
	conn->body = NULL;
	if (exchange != &conn->handshake)
		append_done(conn, exchange, CQL_EXCHANGE_ANSWERED);
	else
	{
		exchange->state = CQL_EXCHANGE_ANSWERED;
		cql_handshake_answer(conn);
	}
}

static void
finish_frame(cql_conn *conn)
{
	int stream = conn->header.stream;
	cql_exchange *exchange = cql_streams_exchange(&conn->streams, stream);

	conn->has_header = false;
	conn->body_have = 0;
	if (stream < 0)
		return; /* an event: none was registered for, so none is missed */
	if (exchange != NULL)
		complete(conn, exchange);
	else
		cql_streams_release(&conn->streams, stream);
}

static void
report_fault(cql_conn *conn, cql_frame_fault fault)
{
	switch (fault)
	{
		case CQL_FRAME_OK:
			break;
		case CQL_FRAME_TLS:
			cql_conn_close(conn, CQL_ERROR_PROTOCOL,
						   "the server answers in TLS, but the connection is in plain text");
			break;
		case CQL_FRAME_NOT_CQL:
			cql_conn_close(conn, CQL_ERROR_PROTOCOL, "the server does not speak CQL");
			break;
		case CQL_FRAME_BAD_VERSION:
			cql_conn_close(conn, CQL_ERROR_PROTOCOL,
						   "the server answers in version %d of the protocol, not in version 4",
						   conn->header.version & 0x7F);
			break;
		case CQL_FRAME_BAD_OPCODE:
			cql_conn_close(conn, CQL_ERROR_PROTOCOL, "unknown opcode 0x%02x in a response",
						   conn->header.opcode);
			break;
		case CQL_FRAME_TOO_LONG:
			cql_conn_close(conn, CQL_ERROR_PROTOCOL,
						   "a response announces %u bytes, more than the protocol allows",
						   conn->header.body_len);
			break;
	}
}

/* A header is there: find out who waits for its body, and make room for it. */
static void
begin_frame(cql_conn *conn)
{
	cql_stream_state state = cql_streams_state(&conn->streams, conn->header.stream);
	cql_exchange *exchange = cql_streams_exchange(&conn->streams, conn->header.stream);

	conn->has_header = true;
	conn->body_have = 0;
	if (conn->header.stream >= 0 && state == CQL_STREAM_FREE)
		cql_conn_close(conn, CQL_ERROR_PROTOCOL, "a response on stream %d, which is not in use",
					   conn->header.stream);
	else if (exchange != NULL && exchange->state == CQL_EXCHANGE_QUEUED && !exchange->is_begun)
		cql_conn_close(conn, CQL_ERROR_PROTOCOL, "an answer on stream %d came before its request",
					   exchange->stream);
	else if (conn->header.flags & CQL_FLAG_COMPRESSED)
		cql_conn_close(conn, CQL_ERROR_PROTOCOL,
					   "a compressed response, though no compression was agreed upon");
	else if (exchange != NULL && conn->header.body_len > 0)
	{
		conn->body = cql_alloc(conn->header.body_len);
		if (conn->body == NULL)
		{
			detach(conn, exchange);
			if (exchange == &conn->handshake)
				cql_conn_close(conn, CQL_ERROR_NO_MEMORY, "out of memory");
			else
				append_done(conn, exchange, CQL_EXCHANGE_NO_MEMORY);
		}
	}
}

uint8_t *
cql_conn_input(cql_conn *conn, size_t *len)
{
	if (conn->body != NULL && conn->header.body_len - conn->body_have >= DIRECT_LEN)
	{
		*len = conn->header.body_len - conn->body_have;
		return conn->body + conn->body_have;
	}
	/* Everything whole was consumed, so at most part of a header stands in front. */
	if (conn->side_begin > 0)
	{
		memmove(conn->side, conn->side + conn->side_begin, conn->side_end - conn->side_begin);
		conn->side_end -= conn->side_begin;
		conn->side_begin = 0;
	}
	*len = SIDE_LEN - conn->side_end;
	return conn->side + conn->side_end;
}

/* Take what the side buffer has of the header or the body; false when it has too little. */
static bool
consume(cql_conn *conn)
{
	size_t have = conn->side_end - conn->side_begin;
	const uint8_t *bytes = conn->side + conn->side_begin;

	if (!conn->has_header)
	{
		cql_frame_fault fault = CQL_FRAME_OK;

		if (have == 0)
			return false;
		if (have < CQL_FRAME_HEADER_LEN)
			fault = cql_frame_judge_first_byte(bytes[0]);
		else
			fault = cql_frame_read_header(bytes, &conn->header);
		if (fault != CQL_FRAME_OK)
		{
			report_fault(conn, fault);
			return false;
		}
		if (have < CQL_FRAME_HEADER_LEN)
			return false;
		conn->side_begin += CQL_FRAME_HEADER_LEN;
		begin_frame(conn);
	}
	else
	{
		size_t want = conn->header.body_len - conn->body_have;
		size_t take = have < want ? have : want;

		if (conn->body != NULL)
			memcpy(conn->body + conn->body_have, bytes, take);
		conn->body_have += take;
		conn->side_begin += take;
		if (take < want)
			return false;
	}
	if (conn->state != CQL_CONN_CLOSED && conn->body_have == conn->header.body_len)
		finish_frame(conn);
	return conn->state != CQL_CONN_CLOSED;
}

void
cql_conn_received(cql_conn *conn, size_t len)
{
	if (conn->state == CQL_CONN_CLOSED)
		return;
	conn->bytes_received += len;
	/* The same test as in cql_conn_input(): nothing changed since. */
	if (conn->body != NULL && conn->header.body_len - conn->body_have >= DIRECT_LEN)
	{
		conn->body_have += len;
		if (conn->body_have == conn->header.body_len)
			finish_frame(conn);
		return;
	}
	conn->side_end += len;
	while (consume(conn))
		continue;
	if (conn->side_begin == conn->side_end)
		conn->side_begin = conn->side_end = 0;
}

/* ---- time ---- */

uint64_t
cql_conn_next_deadline(const cql_conn *conn)
{
	uint64_t deadline = UINT64_MAX;

	if (conn->state == CQL_CONN_CLOSED)
		return deadline;
	if (conn->state != CQL_CONN_READY)
		deadline = conn->options.handshake_deadline_ms;
	if (conn->by_deadline.first != NULL && conn->by_deadline.first->deadline_ms < deadline)
		deadline = conn->by_deadline.first->deadline_ms;
	if (conn->orphan_frame != NULL && conn->orphan_deadline_ms < deadline)
		deadline = conn->orphan_deadline_ms;
	return deadline;
}

void
cql_conn_expire(cql_conn *conn, uint64_t now_ms)
{
	cql_exchange *exchange;

	if (conn->state == CQL_CONN_CLOSED)
		return;
	if (conn->state != CQL_CONN_READY && now_ms >= conn->options.handshake_deadline_ms)
	{
		cql_conn_close(conn, CQL_ERROR_UNREACHABLE, "timeout expired %s",
					   conn->state == CQL_CONN_NEW ? "before the TCP connection was there"
												   : "before the server finished the handshake");
		return;
	}
	while ((exchange = conn->by_deadline.first) != NULL && exchange->deadline_ms <= now_ms)
	{
		if (exchange == &conn->handshake)
			break; /* judged above, by the same number */
		detach(conn, exchange);
		append_done(conn, exchange, CQL_EXCHANGE_TIMED_OUT);
	}
	/* Whatever waits behind a frame that the peer does not take would wait for ever. */
	if (conn->orphan_frame != NULL && conn->orphan_deadline_ms <= now_ms)
		cql_conn_close(conn, CQL_ERROR_LOST, "the server took only part of a request in time");
}
