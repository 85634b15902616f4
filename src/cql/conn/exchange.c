/*
 * The lists that an exchange stands in while it is on a connection; pure pointer work.
 */
#include "cql/conn/exchange.h"

#include <string.h>

#include "cql/mem.h"

void
cql_conn_append_done(cql_conn *conn, cql_exchange *exchange, cql_exchange_state state)
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

void
cql_exchange_unlink(cql_exchange_list *list, cql_exchange *exchange)
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

void
cql_conn_append_queue(cql_conn *conn, cql_exchange *exchange)
{
	exchange->by_queue.prev = conn->queue.last;
	exchange->by_queue.next = NULL;
	if (conn->queue.last != NULL)
		conn->queue.last->by_queue.next = exchange;
	else
		conn->queue.first = exchange;
	conn->queue.last = exchange;
	conn->queued_bytes += exchange->wire_len;
}

void
cql_conn_unlink_deadline(cql_conn *conn, cql_exchange *exchange)
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
void
cql_conn_insert_deadline(cql_conn *conn, cql_exchange *exchange)
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
