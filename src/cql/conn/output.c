/*
 * The write queue: frames leave in the order of cql_conn_submit(), in the form that this peer takes
 * them, a few at a time and perhaps cut anywhere by the socket.
 */
#include <string.h>

#include "cql/conn/exchange.h"
#include "cql/mem.h"
#include "cql/wire/compress.h"
#include "cql/wire/request.h"

/* ---- forms of a frame ---- */

static void
fit_to_peer(const cql_conn *conn, cql_exchange *exchange)
{
	/* One that was sent before has the form that the last peer took. */
	if (exchange->hidden_len > 0 && conn->supported.has_metadata_id)
		cql_exchange_restore(exchange);
	else if (exchange->hidden_len == 0 && exchange->frame[4] == CQL_OPCODE_EXECUTE &&
			 !conn->supported.has_metadata_id)
		exchange->hidden_len = cql_execute_hide_metadata_id(exchange->frame);
	exchange->wire = exchange->frame + exchange->hidden_len;
	exchange->wire_len = exchange->frame_len - exchange->hidden_len;
	/* Of a password there is to be no other copy. */
	if (conn->has_compression && exchange != &conn->handshake)
		exchange->packed = cql_pack_frame(exchange->wire, exchange->wire_len, &exchange->wire_len);
	if (exchange->packed != NULL)
		exchange->wire = exchange->packed;
}

void
cql_exchange_restore(cql_exchange *exchange)
{
	if (exchange->hidden_len > 0)
		cql_execute_show_metadata_id(exchange->frame, exchange->hidden_len);
	exchange->hidden_len = 0;
}

void
cql_exchange_leave(cql_exchange *exchange)
{
	cql_release(exchange->packed);
	exchange->packed = NULL;
	exchange->wire = NULL;
	exchange->wire_len = 0;
}

/* ---- the queue ---- */

bool
cql_conn_submit(cql_conn *conn, cql_exchange *exchange, uint64_t deadline_ms)
{
	int stream = cql_streams_take(&conn->streams, exchange);

	if (stream < 0)
		return false;
	fit_to_peer(conn, exchange);
	cql_frame_set_stream(exchange->wire, (int16_t) stream);
	exchange->stream = stream;
	exchange->is_begun = false;
	exchange->deadline_ms = deadline_ms;
	exchange->state = CQL_EXCHANGE_QUEUED;
	cql_conn_append_queue(conn, exchange);
	cql_conn_insert_deadline(conn, exchange);
	conn->requests++;
	return true;
}

/*
 * A frame sent in part has to be sent to its end, for the stream of bytes must stay whole; so
 * when its exchange leaves early the connection keeps the rest. Only the head of the queue can be
 * sent in part.
 */
static void
keep_rest(cql_conn *conn, cql_exchange *exchange)
{
	size_t rest_len = exchange->wire_len - conn->head_sent;

	cql_exchange_unlink(&conn->queue, exchange);
	conn->rest = cql_alloc(rest_len);
	if (conn->rest == NULL)
	{
		cql_conn_close(conn, CQL_ERROR_NO_MEMORY, "out of memory");
		return;
	}
	memcpy(conn->rest, exchange->wire + conn->head_sent, rest_len);
	conn->rest_len = rest_len;
	conn->rest_deadline_ms = exchange->deadline_ms;
	conn->head_sent = 0;
}

void
cql_conn_stop_sending(cql_conn *conn, cql_exchange *exchange)
{
	/* A server that refuses a long request may say so before it has read all of it. */
	if (exchange->state == CQL_EXCHANGE_QUEUED)
		keep_rest(conn, exchange);
	cql_exchange_leave(exchange);
}

void
cql_conn_detach(cql_conn *conn, cql_exchange *exchange)
{
	cql_conn_unlink_deadline(conn, exchange);
	if (exchange->state == CQL_EXCHANGE_QUEUED && !exchange->is_begun)
	{
		cql_exchange_unlink(&conn->queue, exchange);
		conn->queued_bytes -= exchange->wire_len;
		cql_streams_release(&conn->streams, exchange->stream);
		cql_exchange_leave(exchange);
		return;
	}
	cql_conn_stop_sending(conn, exchange);
	if (conn->has_header && conn->header.stream == exchange->stream)
	{
		/* its answer is being read: skip the rest of it */
		cql_release(conn->body);
		conn->body = NULL;
	}
	cql_streams_orphan(&conn->streams, exchange->stream);
}

bool
cql_plain_has_output(const cql_conn *conn)
{
	return conn->state != CQL_CONN_CLOSED && (conn->rest != NULL || conn->queue.first != NULL);
}

int
cql_plain_output(cql_conn *conn, struct iovec *parts, int max)
{
	int count = 0;
	size_t skip = conn->head_sent;

	if (conn->state == CQL_CONN_CLOSED)
		return 0;
	if (conn->rest != NULL && count < max)
	{
		parts[count++] =
			(struct iovec) {.iov_base = conn->rest + skip, .iov_len = conn->rest_len - skip};
		skip = 0;
	}
	for (cql_exchange *e = conn->queue.first; e != NULL && count < max; e = e->by_queue.next)
	{
		parts[count++] = (struct iovec) {.iov_base = e->wire + skip, .iov_len = e->wire_len - skip};
		skip = 0;
	}
	return count;
}

void
cql_plain_sent(cql_conn *conn, size_t len)
{
	conn->queued_bytes -= len;
	len += conn->head_sent;
	if (conn->rest != NULL)
	{
		if (len < conn->rest_len)
		{
			conn->head_sent = len;
			return;
		}
		len -= conn->rest_len;
		cql_release(conn->rest);
		conn->rest = NULL;
	}
	while (conn->queue.first != NULL && len >= conn->queue.first->wire_len)
	{
		cql_exchange *exchange = conn->queue.first;

		len -= exchange->wire_len;
		cql_exchange_unlink(&conn->queue, exchange);
		exchange->is_begun = true;
		exchange->state = CQL_EXCHANGE_SENT;
		exchange->tls_end = conn->tls != NULL ? cql_tls_made(conn->tls) : 0;
	}
	if (len > 0 && conn->queue.first != NULL)
		conn->queue.first->is_begun = true;
	conn->head_sent = len;
}
