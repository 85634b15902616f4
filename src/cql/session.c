/*
 * A session: its options, the requests that wait for a link, and what happens after each turn of
 * the loop. Which link serves a request is route.c's to say, which links there are pool.c's and round.c's,
 * what the cluster looks like topology.c's.
 */
#include "cql/session.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cql/mem.h"

/* Above these a submit is refused until the loop has turned: bytes that wait for the socket, and
 * requests without an answer (below the number of stream ids of one connection). */
#define MAX_WAITING_BYTES ((size_t) 1024 * 1024)
#define MAX_OPEN_REQUESTS 30000
#define DEFAULT_MAX_CONNECTIONS 32
/* A peer that is silent for a quarter of a request's time is asked whether it lives, and has as
 * long to say so; what is left serves a try elsewhere. */
#define HEARTBEAT_FRACTION 4
#define MIN_HEARTBEAT_TIMEOUT_MS 500

/* ---- making ---- */

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
	cql_topology_cleanup(&session->topology);
	cql_tls_context_free(session->tls);
	cql_release(session->user);
	forget_text(session->password);
	cql_release(session->application_name);
	cql_release(session->local_dc);
	cql_release(session->local_rack);
	cql_release(session);
}

static bool
start_tls(cql_session *session, const cql_tls_options *options, cql_error *error)
{
	if (options->mode == CQL_TLS_OFF)
		return true;
	session->tls = cql_tls_context_new(options, error);
	return session->tls != NULL;
}

static void
set_options(cql_session *session, const cql_session_options *options)
{
	uint32_t heartbeat_ms = options->request_timeout_ms / HEARTBEAT_FRACTION;

	session->contact_count = options->contact_count;
	session->request_timeout_ms = options->request_timeout_ms;
	session->max_connections =
		options->max_connections > 0 ? options->max_connections : DEFAULT_MAX_CONNECTIONS;
	session->max_retries = options->max_retries;
	session->link_limits = (cql_link_limits) {
		.idle_timeout_ms = options->idle_timeout_ms,
		.max_lifetime_ms = options->max_lifetime_ms,
	};
	session->link_options = (cql_link_options) {
		.net = session->loop->net,
		.clock = &session->loop->clock,
		.user = session->user,
		.password = session->password,
		.application_name = session->application_name,
		.must_ask_password = options->must_ask_password,
		.is_shard_aware = options->is_shard_aware,
		.compression = options->compression,
		.tls = session->tls,
		.connect_timeout_ms = options->connect_timeout_ms,
		.heartbeat_timeout_ms =
			heartbeat_ms > MIN_HEARTBEAT_TIMEOUT_MS ? heartbeat_ms : MIN_HEARTBEAT_TIMEOUT_MS,
	};
}

cql_session *
cql_session_new(cql_loop *loop, const cql_session_options *options, cql_error *error)
{
	cql_session *session = cql_alloc_zero(sizeof *session);

	if (session == NULL || !copy_text(&session->user, options->user) ||
		!copy_text(&session->password, options->password) ||
		!copy_text(&session->application_name, options->application_name) ||
		!copy_text(&session->local_dc, options->local_dc) ||
		!copy_text(&session->local_rack, options->local_rack) ||
		!cql_topology_init(&session->topology, options->contacts, options->contact_count))
	{
		if (session != NULL)
			free_session(session);
		cql_error_set(error, CQL_ERROR_NO_MEMORY, "out of memory");
		return NULL;
	}
	if (!start_tls(session, &options->tls, error))
	{
		free_session(session);
		return NULL;
	}
	session->loop = loop;
	set_options(session, options);
	session->pool.round = 1;
	session->waiting_due_ms = UINT64_MAX;
	session->random_state = cql_net_now_us() * 2654435761u + (uint64_t) getpid();
	session->turn = cql_session_random(session);
	session->next_in_loop = loop->sessions;
	loop->sessions = session;
	return session;
}

/* splitmix64 */
uint32_t
cql_session_random(cql_session *session)
{
	uint64_t z = (session->random_state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t) (z >> 32);
}

/* ---- requests that wait ---- */

static void
note_due(cql_session *session, const cql_request *request)
{
	uint64_t due_ms = request->deadline_ms;

	if (request->not_before_ms != 0 && request->not_before_ms < due_ms)
		due_ms = request->not_before_ms;
	if (due_ms < session->waiting_due_ms)
		session->waiting_due_ms = due_ms;
}

void
cql_session_enqueue(cql_session *session, cql_request *request)
{
	request->is_waiting = true;
	request->next_waiting = NULL;
	request->prev_waiting = session->waiting_last;
	if (session->waiting_last != NULL)
		session->waiting_last->next_waiting = request;
	else
		session->waiting_first = request;
	session->waiting_last = request;
	session->waiting_bytes += request->exchange.frame_len;
	note_due(session, request);
}

static void
unlink_waiting(cql_session *session, cql_request *request)
{
	if (request->prev_waiting != NULL)
		request->prev_waiting->next_waiting = request->next_waiting;
	else
		session->waiting_first = request->next_waiting;
	if (request->next_waiting != NULL)
		request->next_waiting->prev_waiting = request->prev_waiting;
	else
		session->waiting_last = request->prev_waiting;
	session->waiting_bytes -= request->exchange.frame_len;
	request->is_waiting = false;
	/* Nobody looks when nobody waits: what was due would be so at every turn. */
	if (session->waiting_first == NULL)
		session->waiting_due_ms = UINT64_MAX;
}

void
cql_session_dequeue(cql_session *session, cql_request *request)
{
	unlink_waiting(session, request);
	if (session->waiting_first != NULL)
		return;
	for (cql_link *link = session->pool.first; link != NULL; link = link->next)
		if (!link->is_ready)
			link->is_abandoned = true;
}

bool
cql_session_has_room(const cql_session *session)
{
	size_t bytes = session->waiting_bytes;

	for (const cql_link *link = session->pool.first; link != NULL; link = link->next)
		bytes += link->conn.queued_bytes;
	return bytes < MAX_WAITING_BYTES && session->open_count < MAX_OPEN_REQUESTS;
}

void
cql_session_fail_waiting(cql_session *session, const cql_error *error)
{
	while (session->waiting_first != NULL)
	{
		cql_request *request = session->waiting_first;

		unlink_waiting(session, request);
		/* What made it wait again says more than why it could not go elsewhere. */
		cql_request_fail(request, request->error.kind != CQL_ERROR_NONE ? &request->error : error);
	}
}

/* ---- sending ---- */

/* False: no link takes it now, or it failed meanwhile with all that waited. */
static bool
try_to_send(cql_session *session, cql_request *request, uint64_t now_ms)
{
	cql_link *link;

	do
		link = cql_route_pick(session, request);
	while (link != NULL && cql_link_in_flight(link) == 0 &&
		   !cql_pool_check(session, link, now_ms) && !request->is_done);
	if (link == NULL || request->is_done || !cql_request_send(request, link))
		return false;
	cql_link_touch(link, &session->link_options);
	if (cql_conn_has_output(&link->conn))
		cql_socket_flush_later(link->socket);
	return true;
}

/* End the wait of those whose time is over, and find out when to look again. */
static void
expire_waiting(cql_session *session)
{
	uint64_t now_ms = cql_attended_ms(&session->loop->clock);
	cql_request *next;

	session->waiting_due_ms = UINT64_MAX;
	for (cql_request *request = session->waiting_first; request != NULL; request = next)
	{
		next = request->next_waiting;
		if (request->not_before_ms <= now_ms)
			request->not_before_ms = 0;
		if (request->deadline_ms <= now_ms)
		{
			cql_session_dequeue(session, request);
			cql_request_expire(request);
		}
		else
			note_due(session, request);
	}
}

static void
pump(cql_session *session, uint64_t now_ms)
{
	cql_request *next;
	bool is_any_ready = true;

	if (session->waiting_due_ms <= cql_attended_ms(&session->loop->clock))
		expire_waiting(session);
	for (cql_request *request = session->waiting_first; request != NULL && is_any_ready;
		 request = next)
	{
		next = request->next_waiting;
		if (request->not_before_ms != 0)
			continue;
		if (try_to_send(session, request, now_ms))
			unlink_waiting(session, request);
		else if (request->is_waiting)
			is_any_ready = session->pool.count > session->pool.connecting;
		else
			break;
	}
	if (session->waiting_first != NULL)
		cql_round_advance(session, now_ms);
}

void
cql_session_start(cql_session *session, cql_request *request)
{
	const cql_clock *clock = &session->loop->clock;
	/* Every contact point may take its time, and then the request. */
	uint64_t wait_ms =
		(uint64_t) session->link_options.connect_timeout_ms * (uint64_t) session->contact_count +
		request->timeout_ms;

	cql_loop_resume(session->loop);
	request->deadline_ms = cql_attended_ms(clock) + wait_ms;
	session->request_count++;
	if (session->waiting_first == NULL && try_to_send(session, request, cql_clock_ms(clock)))
		return;
	cql_session_enqueue(session, request);
	pump(session, cql_clock_ms(clock));
}

void
cql_session_process(cql_session *session, uint64_t now_ms)
{
	cql_pool_process(session, now_ms);
	cql_topology_process(session, now_ms);
	if (session->waiting_first != NULL)
		pump(session, now_ms);
}

uint64_t
cql_session_next_deadline(const cql_session *session)
{
	uint64_t deadline_ms = cql_pool_next_deadline(session);
	uint64_t due_ms = cql_attended_to_clock_ms(&session->loop->clock, session->waiting_due_ms);

	return due_ms < deadline_ms ? due_ms : deadline_ms;
}

/* ---- the end ---- */

void
cql_session_free(cql_session *session)
{
	cql_session **place;
	cql_error error;

	if (session == NULL)
		return;
	cql_error_set(&error, CQL_ERROR_LOST, "the session was closed");
	session->max_retries = 0;
	cql_pool_close(session);
	cql_session_fail_waiting(session, &error);
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
