/*
 * Links that requests wait for: node after node is tried, each once in a round, until one takes them
 * or none is left. A link that gets ready, and a failure that is everybody's, begin a new round.
 */
#include <stdio.h>

#include "cql/session.h"

/* How soon another node is tried while the last try still goes on: a fraction of its timeout. */
#define STAGGER_FRACTION 8

static bool
is_in_round(const cql_session *session, const cql_node *node)
{
	return node->tried_round == session->pool.round;
}

/*
 * The next node of this round: those that the topology has and that did not fail lately come
 * first, contact points that are no member last. NULL: all were tried.
 */
static cql_node *
next_candidate(const cql_session *session, const cql_request *request, uint64_t now_ms)
{
	const cql_topology *topology = &session->topology;
	cql_node *best = NULL;
	int best_rank = 0;

	for (int i = 0; i < topology->node_count; i++)
	{
		cql_node *node = topology->nodes[i];
		bool is_known = node->is_member || topology->member_count == 0;
		int rank = (is_known ? 0 : 4) + (node->failures > 0 ? 2 : 0) +
				   (node->retry_at_ms > now_ms ? 1 : 0);

		if ((!node->is_member && !node->is_contact) || is_in_round(session, node) ||
			node->is_connecting || !cql_route_allows(session, request, node) ||
			(!request->may_return && cql_request_has_tried(request, node)))
			continue;
		if (best == NULL || rank < best_rank ||
			(rank == best_rank && rank > 0 && node->retry_at_ms < best->retry_at_ms))
		{
			best = node;
			best_rank = rank;
		}
	}
	return best;
}

void
cql_round_begin(cql_session *session)
{
	session->pool.round++;
	session->pool.attempts = 0;
}

/* No node was tried, for none may serve the request. */
static void
describe_want(cql_session *session)
{
	const cql_topology *topology = &session->topology;

	cql_error_set(&session->pool.failure, CQL_ERROR_UNREACHABLE,
				  "no node of data center \"%s\" is left",
				  topology->local_dc < topology->dc_count ? topology->dcs[topology->local_dc] : "");
}

/* All nodes that it may go to were tried. */
static void
give_up(cql_session *session, cql_request *request)
{
	if (session->pool.attempts == 0)
		describe_want(session);
	cql_session_dequeue(session, request);
	cql_request_fail(request, request->error.kind != CQL_ERROR_NONE ? &request->error
																	: &session->pool.failure);
}

/* The next node for the first of those that wait which has one left, without those that have none. */
static cql_node *
next_wanted(cql_session *session, uint64_t now_ms)
{
	bool is_hopeless[2] = {false, false}; /* requests that tried no node yet, by is_local */
	cql_request *next;

	for (cql_request *request = session->waiting_first; request != NULL; request = next)
	{
		bool is_fresh = request->tried_count == 0;
		cql_node *node = NULL;

		next = request->next_waiting;
		if (request->not_before_ms != 0)
			continue;
		if (!is_fresh || !is_hopeless[request->is_local])
			node = next_candidate(session, request, now_ms);
		if (node != NULL)
			return node;
		is_hopeless[request->is_local] |= is_fresh;
		if (session->pool.connecting == 0)
			give_up(session, request);
	}
	return NULL;
}

uint64_t
cql_round_next_ms(const cql_session *session)
{
	return session->pool.last_attempt_ms +
		   session->link_options.connect_timeout_ms / STAGGER_FRACTION;
}

void
cql_round_advance(cql_session *session, uint64_t now_ms)
{
	cql_pool *pool = &session->pool;
	uint64_t attended_ms = cql_attended_ms(&session->loop->clock);
	cql_node *node;
	cql_link *link;
	cql_error error;

	if (pool->connecting > 0 &&
		(pool->connecting >= CQL_POOL_MAX_CONNECTING || attended_ms < cql_round_next_ms(session) ||
		 (pool->count > 0 && cql_pool_extra_count(session) + 1 > session->loop->extra_granted)))
		return;
	node = next_wanted(session, now_ms);
	if (node != NULL)
	{
		node->tried_round = pool->round;
		pool->last_attempt_ms = attended_ms;
		link = cql_pool_open(session, node, -1);
		if (link != NULL)
		{
			link->is_needed = true;
			return;
		}
		cql_error_set(&error, CQL_ERROR_NO_MEMORY, "out of memory");
		cql_session_fail_waiting(session, &error);
		cql_round_begin(session);
	}
	else if (pool->connecting == 0)
		cql_round_begin(session);
}

/* What went wrong with all nodes of the round so far, one after the other. */
static void
join_failure(cql_pool *pool, const cql_error *error)
{
	if (pool->attempts == 0)
		cql_error_set(&pool->failure, CQL_ERROR_UNREACHABLE, "%s", "");
	/* What options can set right shows before other reasons. */
	if (error->kind == CQL_ERROR_TLS || error->kind == CQL_ERROR_NOT_ASKED)
	{
		pool->failure.kind = error->kind;
		pool->failure.server_code = error->server_code;
	}
	snprintf(pool->failure.node, sizeof pool->failure.node, "%s", error->node);
	cql_error_append(&pool->failure, "%s%s: %s", pool->failure.message[0] != '\0' ? "; " : "",
					 error->node, error->message);
}

void
cql_round_take_failure(cql_session *session, const cql_error *error)
{
	/* Another node would say the same to these credentials, or to this lack of memory. */
	bool is_final =
		error->kind == CQL_ERROR_CREDENTIALS || error->kind == CQL_ERROR_NO_MEMORY ||
		(error->kind == CQL_ERROR_SERVER && error->server_code == CQL_SERVER_BAD_CREDENTIALS);

	join_failure(&session->pool, error);
	session->pool.attempts++;
	if (!is_final)
		return;
	cql_session_fail_waiting(session, error);
	cql_round_begin(session);
}
