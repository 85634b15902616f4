/*
 * The connection's life: its beginning, its deadlines, its end. What it sends is in output.c, what
 * it takes in in input.c.
 *
 * Invariants: an exchange is in `queue` only while QUEUED, in `by_deadline` only while QUEUED or
 * SENT, in `done` only after that; so no pointer to it remains once it was taken or abandoned.
 * Only cql_conn_close() makes a connection CLOSED.
 */
#include "cql/conn/conn.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cql/conn/exchange.h"
#include "cql/mem.h"

bool
cql_conn_init(cql_conn *conn, const char *node, const cql_conn_options *options)
{
	memset(conn, 0, sizeof *conn);
	conn->side = cql_alloc(CQL_SIDE_LEN);
	if (conn->side == NULL)
		return false;
	if (options->tls != NULL)
	{
		conn->tls = cql_tls_new(options->tls, options->host, node);
		if (conn->tls == NULL)
		{
			cql_release(conn->side);
			conn->side = NULL;
			return false;
		}
	}
	conn->options = *options;
	snprintf(conn->node, sizeof conn->node, "%s", node);
	cql_streams_init(&conn->streams);
	return true;
}

void
cql_conn_cleanup(cql_conn *conn)
{
	cql_conn_event event;

	while (cql_conn_take_event(conn, &event))
		cql_release(event.body);
	cql_handshake_cleanup(conn);
	cql_streams_cleanup(&conn->streams);
	cql_release(conn->rest);
	cql_tls_free(conn->tls);
	cql_release(conn->side);
	cql_release(conn->body);
	memset(conn, 0, sizeof *conn);
	conn->state = CQL_CONN_CLOSED;
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
		cql_conn_unlink_deadline(conn, exchange);
		if (exchange->state == CQL_EXCHANGE_QUEUED)
			cql_exchange_unlink(&conn->queue, exchange);
		cql_exchange_leave(exchange);
		if (exchange == &conn->handshake)
			exchange->state = CQL_EXCHANGE_LOST;
		else
			cql_conn_append_done(conn, exchange, CQL_EXCHANGE_LOST);
	}
	conn->queued_bytes = 0;
	cql_release(conn->rest);
	conn->rest = NULL;
	cql_release(conn->body);
	conn->body = NULL;
}

void
cql_conn_abandon(cql_conn *conn, cql_exchange *exchange)
{
	cql_conn_detach(conn, exchange);
	exchange->state = CQL_EXCHANGE_IDLE;
}

cql_exchange *
cql_conn_take_done(cql_conn *conn)
{
	cql_exchange *exchange = conn->done.first;

	if (exchange != NULL)
		cql_exchange_unlink(&conn->done, exchange);
	return exchange;
}

bool
cql_conn_take_event(cql_conn *conn, cql_conn_event *event)
{
	cql_event_node *node = conn->events_first;

	if (node == NULL)
		return false;
	*event = node->event;
	conn->events_first = node->next;
	if (node->next == NULL)
		conn->events_last = NULL;
	cql_release(node);
	return true;
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
	if (conn->rest != NULL && conn->rest_deadline_ms < deadline)
		deadline = conn->rest_deadline_ms;
	return deadline;
}

void
cql_conn_expire(cql_conn *conn, uint64_t now_ms)
{
	cql_exchange *exchange;
	bool is_stuck = false;

	if (conn->state == CQL_CONN_CLOSED)
		return;
	if (conn->state != CQL_CONN_READY && now_ms >= conn->options.handshake_deadline_ms)
	{
		cql_conn_close(conn, CQL_ERROR_UNREACHABLE, "timeout expired %s",
					   conn->state == CQL_CONN_NEW ? "before the TCP connection was there"
					   : conn->state == CQL_CONN_TLS
						   ? "before the server finished the TLS handshake"
						   : "before the server finished the handshake");
		return;
	}
	while ((exchange = conn->by_deadline.first) != NULL && exchange->deadline_ms <= now_ms)
	{
		if (exchange == &conn->handshake)
			break; /* judged above, by the same number */
		is_stuck |= exchange->state == CQL_EXCHANGE_SENT && exchange->tls_end > conn->bytes_sent;
		cql_conn_detach(conn, exchange);
		cql_conn_append_done(conn, exchange, CQL_EXCHANGE_TIMED_OUT);
	}
	/* Whatever waits behind a frame that the peer does not take would wait for ever. */
	if (is_stuck || (conn->rest != NULL && conn->rest_deadline_ms <= now_ms))
		cql_conn_close(conn, CQL_ERROR_LOST, "the server took only part of a request in time");
}
