/*
 * Which link a request goes to: that of its own shard, else of its own node, else of another
 * replica, else any; of the local rack, then of the local data center, then of others if the
 * consistency allows it. A link that would have been better is noted as wanted, never waited for.
 */
#include "cql/session.h"

/* As many requests under way on a link are too many for it alone. */
#define CROWDED 32
/* What a request counts for a link that it would rather have: a scan's range is worth several. */
#define WEIGHT 1
#define RANGE_WEIGHT 8

bool
cql_route_needs_tokens(const cql_session *session)
{
	const cql_topology *topology = &session->topology;

	return topology->member_count > 1 ||
		   (topology->member_count == 1 && topology->control->shard_count > 1);
}

bool
cql_route_allows(const cql_session *session, const cql_request *request, const cql_node *node)
{
	/* Elsewhere a local consistency is about another data center's replicas. A node that no
	 * topology told of may be anywhere. */
	return !request->is_local || node->place.dc == CQL_NO_ID ||
		   cql_rank_of(&session->topology, node) != CQL_ELSEWHERE;
}

/* A node that serves a request best, and its shard (-1: any). */
typedef struct target
{
	cql_node *node;
	int32_t shard;
} target;

static bool
is_open_to(const cql_session *session, const cql_request *request, const cql_node *node)
{
	return cql_route_allows(session, request, node) &&
		   (request->may_return || !cql_request_has_tried(request, node));
}

/* ---- where the rows are ---- */

static void
locate_statement(cql_session *session, cql_statement *statement)
{
	const cql_topology *topology = &session->topology;
	const cql_column *column = NULL;

	if (statement->bind->column_count > 0)
		column = &statement->bind->columns[0];
	else if (statement->result->column_count > 0)
		column = &statement->result->columns[0];
	statement->generation = topology->generation;
	statement->keyspace = column != NULL ? cql_topology_keyspace(topology, column->keyspace) : NULL;
	statement->table = statement->keyspace != NULL
						   ? cql_table_find(session, statement->keyspace, column->table)
						   : NULL;
}

/* Who has a request's rows; returns how many, 0: not known. */
static int
find_replicas(cql_session *session, const cql_request *request, cql_tablet_replica *replicas)
{
	const cql_topology *topology = &session->topology;
	cql_statement *statement = request->statement;
	cql_placement placement;

	if (statement->generation != topology->generation)
		locate_statement(session, statement);
	placement = (cql_placement) {statement->keyspace, statement->table,
								 request->is_local ? topology->local_dc : CQL_NO_ID};
	return cql_locate(topology, &placement, request->token, replicas);
}

/* ---- links ---- */

/* The better of two: the fitter one, else that with less to do. */
static cql_link *
better_link(cql_link *a, cql_link *b)
{
	cql_link_fitness fitness_a = a != NULL ? cql_link_judge(a) : CQL_LINK_UNFIT;
	cql_link_fitness fitness_b = cql_link_judge(b);

	if (fitness_a != fitness_b)
		return fitness_a > fitness_b ? a : b;
	if (fitness_a == CQL_LINK_UNFIT)
		return NULL;
	return cql_link_in_flight(a) <= cql_link_in_flight(b) ? a : b;
}

static bool
is_of_shard(const cql_link *link, const target *wanted)
{
	return link->node == wanted->node && (wanted->shard < 0 || link->node->shard_count == 0 ||
										  link->shard == (uint32_t) wanted->shard);
}

/* That of the shard, or another one of the node. NULL: none takes a request. */
static cql_link *
link_to(const cql_session *session, const target *wanted)
{
	const cql_node *node = wanted->node;
	cql_link *best = NULL;

	if (node->shards == NULL || node->link_count == 0)
		return NULL;
	if (wanted->shard >= 0 && (uint32_t) wanted->shard < node->shard_count)
		best = node->shards[wanted->shard].link;
	else if (node->shard_count == 0)
		best = node->shards[0].link;
	if (best != NULL && cql_link_judge(best) == CQL_LINK_FIT)
		return best;
	for (cql_link *link = session->pool.first; link != NULL; link = link->next)
		if (link->node == node)
			best = better_link(best, link);
	return best != NULL && cql_link_judge(best) != CQL_LINK_UNFIT ? best : NULL;
}

/* Which of the replicas has its turn. */
static uint32_t
first_replica(cql_session *session, const cql_request *request)
{
	if (request->is_range)
		return request->replica;
	/* Conditional statements all go to the same one, so that they meet no rivals elsewhere. */
	return request->statement->bind->is_lwt ? 0 : session->turn++;
}

/* The nearest replica that has a link; *first is the one that should have had one. */
static cql_link *
pick_replica(cql_session *session, const cql_request *request, target *first)
{
	const cql_topology *topology = &session->topology;
	cql_tablet_replica replicas[CQL_MAX_REPLICAS];
	int count = find_replicas(session, request, replicas);
	int start = count > 0 ? (int) (first_replica(session, request) % (uint32_t) count) : 0;
	cql_link *poor = NULL;

	first->node = NULL;
	for (cql_rank near = CQL_IN_RACK; near < CQL_RANK_COUNT; near++)
	{
		for (int i = 0; i < count; i++)
		{
			const cql_tablet_replica *at =
				&replicas[start + i < count ? start + i : start + i - count];
			target here = {.node = topology->nodes[at->node]};
			cql_link *link;

			if (cql_rank_of(topology, here.node) != near ||
				!is_open_to(session, request, here.node))
				continue;
			here.shard = cql_shard_at(here.node, at, request->token);
			if (first->node == NULL)
				*first = here;
			link = link_to(session, &here);
			if (link != NULL && cql_link_judge(link) == CQL_LINK_FIT)
				return link;
			if (poor == NULL)
				poor = link;
		}
	}
	return poor;
}

static cql_link *
pick_any(const cql_session *session, const cql_request *request)
{
	cql_link *best = session->pool.first;

	/* Little work has one link, and nothing to choose. */
	if (session->pool.count == 1 && cql_link_judge(best) == CQL_LINK_FIT &&
		is_open_to(session, request, best->node))
		return best;
	best = NULL;
	for (cql_link *link = session->pool.first; link != NULL; link = link->next)
	{
		if (!is_open_to(session, request, link->node) || cql_link_judge(link) == CQL_LINK_UNFIT)
			continue;
		if (best != NULL && cql_link_judge(best) == cql_link_judge(link) &&
			cql_rank_of(&session->topology, best->node) <
				cql_rank_of(&session->topology, link->node))
			continue;
		if (best != NULL && cql_link_judge(best) == cql_link_judge(link) &&
			cql_rank_of(&session->topology, best->node) >
				cql_rank_of(&session->topology, link->node))
			best = link;
		else
			best = better_link(best, link);
	}
	return best;
}

/* ---- wishes ---- */

/* Much is under way on one link, and nothing says where it should go: to the next node without. */
static void
want_another(cql_session *session, const cql_request *request)
{
	const cql_topology *topology = &session->topology;

	for (int i = 0; i < topology->node_count; i++)
	{
		cql_node *node =
			topology->nodes[(session->turn + (uint32_t) i) % (uint32_t) topology->node_count];

		if (node->is_member && node->link_count == 0 &&
			cql_rank_of(&session->topology, node) != CQL_ELSEWHERE &&
			is_open_to(session, request, node))
		{
			cql_pool_want(session, node, -1, WEIGHT);
			return;
		}
	}
}

cql_link *
cql_route_pick(cql_session *session, cql_request *request)
{
	target first = {NULL, -1};
	cql_link *link = NULL;

	if (request->pin != NULL && cql_link_judge(request->pin) != CQL_LINK_UNFIT)
		return request->pin;
	if (request->has_token && request->statement != NULL)
		link = pick_replica(session, request, &first);
	if (link == NULL)
		link = pick_any(session, request);
	if (first.node != NULL && (link == NULL || !is_of_shard(link, &first)))
		cql_pool_want(session, first.node, first.shard, request->is_range ? RANGE_WEIGHT : WEIGHT);
	else if (first.node == NULL && link != NULL && session->topology.member_count > 1 &&
			 cql_link_in_flight(link) >= CROWDED)
		want_another(session, request);
	if (link != NULL && link->is_retired)
		cql_pool_replace(session, link);
	return link;
}
