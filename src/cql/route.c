/*
 * Which link a request goes to: that of its own shard, else of its own node, else of another
 * replica, else any; of the local rack, then of the local data center, then of others if the
 * consistency allows it. A link that would have been better is noted as wanted, never waited for.
 */
#include "cql/ring/shard.h"
#include "cql/session.h"

/* As many requests under way on a link are too many for it alone. */
#define CROWDED 32
/* What a request counts for a link that it would rather have: a scan's range is worth several. */
#define WEIGHT 1
#define RANGE_WEIGHT 8

/* A node that serves a request best, and its shard (-1: any). */
typedef struct target
{
	cql_node *node;
	int32_t shard;
} target;

/* Smaller is nearer. */
typedef enum rank
{
	IN_RACK,
	IN_DC,
	ELSEWHERE,
	RANK_COUNT
} rank;

static rank
rank_of(const cql_session *session, const cql_node *node)
{
	const cql_topology *topology = &session->topology;

	if (topology->local_dc != CQL_NO_ID && node->place.dc != topology->local_dc)
		return ELSEWHERE;
	return topology->local_rack == CQL_NO_ID || node->place.rack == topology->local_rack ? IN_RACK
																						 : IN_DC;
}

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
	return !request->is_local || node->place.dc == CQL_NO_ID || rank_of(session, node) != ELSEWHERE;
}

static bool
is_open_to(const cql_session *session, const cql_request *request, const cql_node *node)
{
	return cql_route_allows(session, request, node) &&
		   (request->may_return || !cql_request_has_tried(request, node));
}

/* ---- where the rows are ---- */

static void
locate_statement(const cql_topology *topology, cql_statement *statement)
{
	const cql_column *column = NULL;

	if (statement->bind->column_count > 0)
		column = &statement->bind->columns[0];
	else if (statement->result->column_count > 0)
		column = &statement->result->columns[0];
	statement->keyspace = NULL;
	statement->table = NULL;
	statement->generation = topology->generation;
	if (column == NULL)
		return;
	statement->keyspace = cql_topology_keyspace(topology, column->keyspace);
	statement->table = cql_topology_table(topology, column->keyspace, column->table);
}

/* The nodes and shards that hold a request's rows; returns how many, 0: not known. */
static int
find_targets(const cql_session *session, const cql_request *request, target *targets)
{
	const cql_topology *topology = &session->topology;
	cql_statement *statement = request->statement;
	const cql_tablet_replica *replicas;
	uint16_t nodes[CQL_MAX_REPLICAS];
	int count;

	if (statement->generation != topology->generation)
		locate_statement(topology, statement);
	if (statement->table != NULL)
	{
		count = cql_tablets_find(&statement->table->tablets, request->token, &replicas);
		for (int i = 0; i < count; i++)
			targets[i] = (target) {topology->nodes[replicas[i].node], replicas[i].shard};
		return count;
	}
	if (statement->keyspace == NULL)
		return 0;
	count = cql_ring_replicas(&topology->ring, &statement->keyspace->replication, request->token,
							  request->is_local ? topology->local_dc : CQL_NO_ID, nodes);
	for (int i = 0; i < count; i++)
	{
		cql_node *node = topology->nodes[nodes[i]];

		targets[i].node = node;
		targets[i].shard =
			node->shard_count > 0
				? (int32_t) cql_shard_of_token(request->token, node->shard_count, node->ignore_msb)
				: -1;
	}
	return count;
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

/* The nearest replica that has a link; *first is the one that should have had one. */
static cql_link *
pick_replica(cql_session *session, const cql_request *request, target *first)
{
	target targets[CQL_MAX_REPLICAS];
	int count = find_targets(session, request, targets);
	/* Conditional statements all go to the same replica, so that they meet no rivals elsewhere. */
	int start = count > 0 && !request->statement->bind->is_lwt
					? (int) (session->turn++ % (uint32_t) count)
					: 0;
	cql_link *poor = NULL;

	first->node = NULL;
	for (rank near = IN_RACK; near < RANK_COUNT; near++)
	{
		for (int i = 0; i < count; i++)
		{
			const target *at = &targets[(start + i) % count];
			cql_link *link;

			if (rank_of(session, at->node) != near || !is_open_to(session, request, at->node))
				continue;
			if (first->node == NULL)
				*first = *at;
			link = link_to(session, at);
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
	cql_link *best = NULL;

	for (cql_link *link = session->pool.first; link != NULL; link = link->next)
	{
		if (!is_open_to(session, request, link->node) || cql_link_judge(link) == CQL_LINK_UNFIT)
			continue;
		if (best != NULL && cql_link_judge(best) == cql_link_judge(link) &&
			rank_of(session, best->node) < rank_of(session, link->node))
			continue;
		if (best != NULL && cql_link_judge(best) == cql_link_judge(link) &&
			rank_of(session, best->node) > rank_of(session, link->node))
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

		if (node->is_member && node->link_count == 0 && rank_of(session, node) != ELSEWHERE &&
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
	return link;
}
