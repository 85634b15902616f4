/*
 * A session: its connection, the requests that wait for one, and what the handshake told.
 *
 * It connects when a request needs it, to the contact points in turn, and again when the
 * connection broke. Policy lives here; bytes and time come from net and conn.
 */
#include "cql/session.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "cql/mem.h"

/* Above these a submit is refused until the loop has turned: bytes that wait for the socket, and
 * requests without an answer (below the number of stream ids of one connection). */
#define MAX_WAITING_BYTES ((size_t) 1024 * 1024)
#define MAX_OPEN_REQUESTS 30000

static bool
copy_text(char **copy, const char *text)
{
	if (text == NULL)
		return true;
	*copy = cql_copy_text(text, strlen(text));
	return *copy != NULL;
}

/* A password leaves no trace in memory that others may get. */
static void
forget_text(char *text)
{
	if (text != NULL)
		explicit_bzero(text, strlen(text));
	cql_release(text);
}

static void
free_session(cql_session *session)
{
	cql_release(session->contacts);
	cql_release(session->user);
	forget_text(session->password);
	cql_release(session->application_name);
	cql_tls_context_free(session->tls);
	cql_release(session);
}

/* The address as text: what the certificate is to name where no host is told. */
static void
print_host(const cql_contact *contact, char *buf, size_t size)
{
	const void *address =
		contact->address.ss_family == AF_INET6
			? (const void *) &((const struct sockaddr_in6 *) &contact->address)->sin6_addr
			: (const void *) &((const struct sockaddr_in *) &contact->address)->sin_addr;

	if (inet_ntop(contact->address.ss_family, address, buf, (socklen_t) size) == NULL)
		snprintf(buf, size, "?");
}

static bool
start_tls(cql_session *session, const cql_tls_options *options, cql_error *error)
{
	for (int i = 0; i < session->contact_count; i++)
	{
		cql_contact *contact = &session->contacts[i];

		if (contact->host[0] == '\0')
			print_host(contact, contact->host, sizeof contact->host);
	}
	if (options->mode == CQL_TLS_OFF)
		return true;
	session->tls = cql_tls_context_new(options, error);
	return session->tls != NULL;
}

cql_session *
cql_session_new(cql_loop *loop, const cql_session_options *options, cql_error *error)
{
	size_t contacts_len = (size_t) options->contact_count * sizeof *options->contacts;
	cql_session *session = cql_alloc_zero(sizeof *session);

	if (session == NULL || (session->contacts = cql_alloc(contacts_len)) == NULL ||
		!copy_text(&session->user, options->user) ||
		!copy_text(&session->password, options->password) ||
		!copy_text(&session->application_name, options->application_name))
	{
		if (session != NULL)
			free_session(session);
		cql_error_set(error, CQL_ERROR_NO_MEMORY, "out of memory");
		return NULL;
	}
	memcpy(session->contacts, options->contacts, contacts_len);
	session->contact_count = options->contact_count;
	if (!start_tls(session, &options->tls, error))
	{
		free_session(session);
		return NULL;
	}
	session->must_ask_password = options->must_ask_password;
	session->compression = options->compression;
	session->connect_timeout_ms = options->connect_timeout_ms;
	session->request_timeout_ms = options->request_timeout_ms;
	session->loop = loop;
	session->next_in_loop = loop->sessions;
	loop->sessions = session;
	return session;
}

/* ---- requests that wait ---- */

void
cql_session_enqueue(cql_session *session, cql_request *request)
{
	request->is_waiting = true;
	request->next_waiting = NULL;
	if (session->waiting_last != NULL)
		session->waiting_last->next_waiting = request;
	else
		session->waiting_first = request;
	session->waiting_last = request;
	session->waiting_bytes += request->exchange.frame_len;
}

static cql_request *
pop_waiting(cql_session *session)
{
	cql_request *request = session->waiting_first;

	session->waiting_first = request->next_waiting;
	if (session->waiting_first == NULL)
		session->waiting_last = NULL;
	session->waiting_bytes -= request->exchange.frame_len;
	request->is_waiting = false;
	return request;
}

void
cql_session_dequeue(cql_session *session, cql_request *request)
{
	cql_request *before = NULL;

	for (cql_request *at = session->waiting_first; at != request; at = at->next_waiting)
		before = at;
	if (before != NULL)
		before->next_waiting = request->next_waiting;
	else
		session->waiting_first = request->next_waiting;
	if (session->waiting_last == request)
		session->waiting_last = before;
	session->waiting_bytes -= request->exchange.frame_len;
	request->is_waiting = false;
	if (session->waiting_first == NULL && session->link != NULL && !session->link->is_ready)
		session->link->is_abandoned = true;
}

bool
cql_session_has_room(const cql_session *session)
{
	size_t bytes = session->waiting_bytes;

	if (session->link != NULL)
		bytes += session->link->conn.queued_bytes;
	return bytes < MAX_WAITING_BYTES && session->open_count < MAX_OPEN_REQUESTS;
}

static void
fail_waiting(cql_session *session, const cql_error *error)
{
	while (session->waiting_first != NULL)
		cql_request_fail(pop_waiting(session), error);
}

/* ---- connecting ---- */

/* "127.0.0.1:9042", "[::1]:9042" */
static void
print_address(const cql_contact *contact, char *buf, size_t size)
{
	char host[INET6_ADDRSTRLEN];

	print_host(contact, host, sizeof host);
	if (contact->address.ss_family == AF_INET6)
		snprintf(buf, size, "[%s]:%u", host,
				 ntohs(((const struct sockaddr_in6 *) &contact->address)->sin6_port));
	else
		snprintf(buf, size, "%s:%u", host,
				 ntohs(((const struct sockaddr_in *) &contact->address)->sin_port));
}

static void
open_link(cql_session *session, uint64_t now_ms)
{
	const cql_contact *contact = &session->contacts[session->contact];
	cql_conn_options options = {
		.user = session->user,
		.password = session->password,
		.must_ask_password = session->must_ask_password,
		.application_name = session->application_name,
		.compression = session->compression,
		.tls = session->tls,
		.host = contact->host,
		.handshake_deadline_ms = now_ms + session->connect_timeout_ms,
	};
	char node[CQL_NODE_NAME_LEN];
	cql_link *link = cql_alloc_zero(sizeof *link);
	cql_error error;

	print_address(contact, node, sizeof node);
	if (link == NULL || !cql_conn_init(&link->conn, node, &options))
	{
		cql_release(link);
		cql_error_set(&error, CQL_ERROR_NO_MEMORY, "out of memory");
		fail_waiting(session, &error);
		return;
	}
	link->opened_ms = now_ms;
	link->socket = cql_socket_open(session->loop->net, (const struct sockaddr *) &contact->address,
								   contact->address_len, NULL, &link->conn);
	session->link = link;
	/* Refused at once: the coming turn finds the connection closed. */
	if (link->socket == NULL)
		cql_net_wake_at(session->loop->net, now_ms);
}

/* What went wrong with all contact points so far, one after the other. */
static void
join_failure(cql_session *session, const cql_error *error)
{
	char *message = session->failure.message;
	size_t len = strlen(message);

	if (session->attempts == 0)
	{
		cql_error_set(&session->failure, CQL_ERROR_UNREACHABLE, "%s", "");
		len = 0;
	}
	/* What is wrong with TLS can be set right by options; so it shows before other reasons. */
	if (error->kind == CQL_ERROR_TLS)
	{
		session->failure.kind = error->kind;
		session->failure.server_code = error->server_code;
	}
	snprintf(session->failure.node, sizeof session->failure.node, "%s", error->node);
	snprintf(message + len, sizeof session->failure.message - len, "%s%s: %s", len > 0 ? "; " : "",
			 error->node, error->message);
}

/* A connection ended before it was ready. */
static void
take_failed_attempt(cql_session *session, const cql_error *error)
{
	/* Another node would say the same to these credentials, or to this lack of memory. */
	bool is_final =
		error->kind == CQL_ERROR_CREDENTIALS || error->kind == CQL_ERROR_NOT_ASKED ||
		error->kind == CQL_ERROR_NO_MEMORY ||
		(error->kind == CQL_ERROR_SERVER && error->server_code == CQL_SERVER_BAD_CREDENTIALS);

	join_failure(session, error);
	session->attempts++;
	session->contact = (session->contact + 1) % session->contact_count;
	if (!is_final && session->attempts < session->contact_count)
		return;
	fail_waiting(session, is_final ? error : &session->failure);
	session->attempts = 0;
}

static void
advance_done(cql_session *session)
{
	cql_exchange *exchange;

	while ((exchange = cql_conn_take_done(&session->link->conn)) != NULL)
	{
		if (exchange->state == CQL_EXCHANGE_ANSWERED)
			session->losses = 0;
		cql_request_advance((cql_request *) exchange);
	}
}

static void
free_link(cql_link *link)
{
	if (link->socket != NULL)
		cql_socket_close(link->socket);
	cql_conn_cleanup(&link->conn);
	cql_release(link);
}

/*
 * A connection that was ready broke. What it never sent waits for the next one; but nodes that only
 * shake hands, and answer nothing, must not keep it waiting for ever.
 */
static void
take_loss(cql_session *session, const cql_error *error)
{
	session->contact = (session->contact + 1) % session->contact_count;
	session->losses++;
	if (session->losses <= session->contact_count)
		return;
	fail_waiting(session, error);
	session->losses = 0;
}

/* The connection is closed: its requests fail or wait for the next one. */
static void
drop_link(cql_session *session)
{
	cql_link *link = session->link;

	advance_done(session);
	/* An attempt whose time ran for somebody else says nothing to who waits now. */
	if (!link->is_ready && link->is_abandoned)
		session->attempts = 0;
	else if (!link->is_ready)
		take_failed_attempt(session, &link->conn.error);
	else
		take_loss(session, &link->conn.error);
	session->link = NULL;
	free_link(link);
}

static void
take_ready(cql_session *session)
{
	cql_link *link = session->link;

	link->is_ready = true;
	session->attempts = 0;
	session->is_scylla = link->conn.supported.is_scylla;
}

/* Nothing that anybody waits for is on the connection. */
static void
check_idle(cql_link *link)
{
	/* Nobody read while the session was idle: a server that went away shows only now. */
	cql_socket_probe(link->socket);
	/* Answers that came never would leave no id for those who wait. */
	if (link->conn.streams.orphan_count == CQL_STREAMS_MAX)
		cql_conn_close(&link->conn, CQL_ERROR_LOST, "too many requests were never answered");
}

void
cql_session_pump(cql_session *session, uint64_t now_ms)
{
	cql_link *link = session->link;

	if (session->waiting_first == NULL)
		return;
	if (link != NULL && link->is_ready && cql_streams_in_flight(&link->conn.streams) == 0)
		check_idle(link);
	if (link != NULL && link->conn.state == CQL_CONN_CLOSED)
		drop_link(session);
	link = session->link;
	if (link == NULL)
	{
		if (session->waiting_first != NULL)
			open_link(session, now_ms);
		return;
	}
	if (link->conn.state != CQL_CONN_READY)
		return;
	while (session->waiting_first != NULL && cql_request_send(session->waiting_first, link, now_ms))
		(void) pop_waiting(session);
	if (cql_conn_has_output(&link->conn))
		cql_socket_flush_later(link->socket);
}

void
cql_session_process(cql_session *session, uint64_t now_ms)
{
	cql_link *link = session->link;

	if (link != NULL)
	{
		cql_conn_expire(&link->conn, now_ms);
		if (link->conn.state == CQL_CONN_READY && !link->is_ready)
			take_ready(session);
		advance_done(session);
		if (link->conn.state == CQL_CONN_CLOSED)
			drop_link(session);
	}
	cql_session_pump(session, now_ms);
}

uint64_t
cql_session_next_deadline(const cql_session *session)
{
	return session->link != NULL ? cql_conn_next_deadline(&session->link->conn) : UINT64_MAX;
}

/* ---- the end, and questions ---- */

void
cql_session_free(cql_session *session)
{
	cql_session **place;
	cql_error error;

	if (session == NULL)
		return;
	cql_error_set(&error, CQL_ERROR_LOST, "the session was closed");
	if (session->link != NULL)
	{
		cql_conn_close(&session->link->conn, CQL_ERROR_LOST, "the session was closed");
		advance_done(session);
		free_link(session->link);
		session->link = NULL;
	}
	fail_waiting(session, &error);
	for (cql_request *request = session->requests; request != NULL; request = request->next)
		request->session = NULL;
	cql_cache_clear(&session->cache);

	place = &session->loop->sessions;
	while (*place != session)
		place = &(*place)->next_in_loop;
	*place = session->next_in_loop;
	free_session(session);
}

bool
cql_session_is_scylla(const cql_session *session)
{
	return session->is_scylla;
}

bool
cql_session_connection(const cql_session *session, int index, cql_connection_info *out)
{
	const cql_link *link = session->link;

	if (index != 0 || link == NULL)
		return false;
	memset(out, 0, sizeof *out);
	snprintf(out->node, sizeof out->node, "%s", link->conn.node);
	out->shard = link->conn.supported.shard_count > 0 ? (int32_t) link->conn.supported.shard : -1;
	out->is_ready = link->is_ready;
	out->has_tls = link->conn.tls != NULL;
	out->has_compression = link->conn.has_compression;
	out->in_flight = cql_streams_in_flight(&link->conn.streams);
	out->orphans = link->conn.streams.orphan_count;
	out->requests = link->conn.requests;
	out->bytes_sent = link->conn.bytes_sent;
	out->bytes_received = link->conn.bytes_received;
	out->age_ms = cql_net_now_ms() - link->opened_ms;
	return true;
}
