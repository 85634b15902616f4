/*
 * The reader: headers and small bodies through a side buffer, large bodies straight into the block
 * that becomes the page. Whoever waits for a frame is known from its header on, so that what
 * nobody wants is skipped and a violation shows before a byte of the body is kept.
 */
#include <string.h>

#include "cql/conn/exchange.h"
#include "cql/mem.h"
#include "cql/wire/compress.h"

/* Bodies that have at least this much to come are read in place rather than through `side`. */
#define DIRECT_LEN ((size_t) 4 * 1024)

/* The whole answer to an exchange is there. */
static void
complete(cql_conn *conn, cql_exchange *exchange)
{
	exchange->header = conn->header;
	exchange->body = conn->body;
	conn->body = NULL;
	cql_conn_unlink_deadline(conn, exchange);
	cql_streams_release(&conn->streams, exchange->stream);
	cql_conn_stop_sending(conn, exchange);
	if (exchange != &conn->handshake)
		cql_conn_append_done(conn, exchange, CQL_EXCHANGE_ANSWERED);
	else
	{
		exchange->state = CQL_EXCHANGE_ANSWERED;
		cql_handshake_answer(conn);
	}
}

/* Nobody waits for an event, but its owner may want to know. */
static void
keep_event(cql_conn *conn)
{
	cql_event_node *node = cql_alloc_zero(sizeof *node);

	if (node == NULL)
	{
		/* One that is missed would leave its owner with a wrong picture. */
		cql_conn_close(conn, CQL_ERROR_NO_MEMORY, "out of memory");
		return;
	}
	node->event = (cql_conn_event) {
		.flags = conn->header.flags, .body = conn->body, .body_len = conn->header.body_len};
	conn->body = NULL;
	if (conn->events_last != NULL)
		conn->events_last->next = node;
	else
		conn->events_first = node;
	conn->events_last = node;
}

/* There is no room for a body: a request can do without its answer, the connection goes on. */
static void
run_out_of_memory(cql_conn *conn, cql_exchange *exchange)
{
	if (exchange == NULL || exchange == &conn->handshake)
	{
		cql_conn_close(conn, CQL_ERROR_NO_MEMORY, "out of memory");
		return;
	}
	cql_conn_detach(conn, exchange);
	cql_conn_append_done(conn, exchange, CQL_EXCHANGE_NO_MEMORY);
}

/* The body that was read becomes what it is the compressed form of. False: there is none. */
static bool
unpack_body(cql_conn *conn, cql_exchange *exchange)
{
	uint8_t *packed = conn->body;
	cql_unpack_fault fault =
		cql_unpack(packed, conn->header.body_len, &conn->body, &conn->header.body_len);

	conn->header.flags &= (uint8_t) ~CQL_FLAG_COMPRESSED;
	cql_release(packed);
	if (fault == CQL_UNPACK_MALFORMED)
		cql_conn_close(conn, CQL_ERROR_PROTOCOL, "a malformed compressed response");
	else if (fault == CQL_UNPACK_NO_MEMORY)
		run_out_of_memory(conn, exchange);
	return fault == CQL_UNPACK_OK;
}

static void
finish_frame(cql_conn *conn)
{
	int stream = conn->header.stream;
	cql_exchange *exchange = cql_streams_exchange(&conn->streams, stream);

	conn->has_header = false;
	conn->body_have = 0;
	if (conn->body != NULL && (conn->header.flags & CQL_FLAG_COMPRESSED) &&
		!unpack_body(conn, exchange))
		exchange = NULL;
	if (conn->state == CQL_CONN_CLOSED)
		return;
	if (stream < 0 && conn->body != NULL)
		keep_event(conn);
	else if (exchange != NULL)
		complete(conn, exchange);
	else if (stream >= 0)
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

static bool
is_wanted_event(const cql_conn *conn)
{
	return conn->takes_events && conn->header.stream < 0 && conn->header.opcode == CQL_OPCODE_EVENT;
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
	else if ((conn->header.flags & CQL_FLAG_COMPRESSED) && !conn->has_compression)
		cql_conn_close(conn, CQL_ERROR_PROTOCOL,
					   "a compressed response, though no compression was agreed upon");
	else if ((conn->header.flags & CQL_FLAG_COMPRESSED) &&
			 conn->header.body_len < CQL_PACKED_HEAD_LEN)
		cql_conn_close(conn, CQL_ERROR_PROTOCOL, "a compressed response of %u bytes",
					   conn->header.body_len);
	else if (conn->header.body_len > 0 && (exchange != NULL || is_wanted_event(conn)))
	{
		conn->body = cql_alloc(conn->header.body_len);
		if (conn->body == NULL)
			run_out_of_memory(conn, exchange);
	}
}

uint8_t *
cql_plain_input(cql_conn *conn, size_t *len)
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
	*len = CQL_SIDE_LEN - conn->side_end;
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
cql_plain_received(cql_conn *conn, size_t len)
{
	/* The same test as in cql_plain_input(): nothing changed since. */
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
