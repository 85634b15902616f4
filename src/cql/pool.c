/*
 * The links of a session: when one is opened, what its end means, when it is closed unasked.
 *
 * Few: the first request opens one, to a contact point. Others are opened where work goes again
 * and again, never because one request would like it; a node gets one at a time, and after
 * failures none for a while. Only requests that no link takes have node after node tried (round.c).
 */
#include <string.h>

#include "cql/mem.h"
#include "cql/session.h"

/* A node or shard that so many requests wanted within a period gets a link. */
#define DEMAND_TO_OPEN 32
#define DEMAND_PERIOD_MS 10000
/* Links are opened some time later, so that backends that do the same do it not at once. */
#define OPEN_JITTER_MS 50
/* After a shard-aware port did not do what it should: address translation does not change often. */
#define NO_SHARD_PORT_MS 300000
/* More shards than that are no node's. */
#define MAX_SHARDS 4096
#define TIDY_INTERVAL_MS 1000

/* ---- the list ---- */

static void
append_link(cql_pool *pool, cql_link *link)
{
	cql_link **place = &pool->first;

	while (*place != NULL)
		place = &(*place)->next;
	*place = link;
	pool->count++;
	pool->connecting++;
}

static void
remove_link(cql_pool *pool, cql_link *link)
{
	cql_link **place = &pool->first;

	while (*place != link)
		place = &(*place)->next;
	*place = link->next;
	pool->count--;
	if (!link->is_ready)
		pool->connecting--;
}

/* The shard's link is gone: another one that goes there takes its place. */
static void
replace_shard_link(cql_pool *pool, const cql_link *gone)
{
	cql_shard *shard = gone->is_ready ? &gone->node->shards[gone->shard] : NULL;

	if (shard == NULL || shard->link != gone)
		return;
	shard->link = NULL;
	for (cql_link *link = pool->first; link != NULL; link = link->next)
		if (link != gone && link->is_ready && link->node == gone->node &&
			link->shard == gone->shard)
			shard->link = link;
}

cql_link *
cql_pool_open(cql_session *session, cql_node *node, int32_t shard)
{
	cql_link *link =
		cql_link_open(node, shard, &session->link_options, cql_session_random(session));

	if (link != NULL)
		append_link(&session->pool, link);
	return link;
}

/* ---- links that work would like ---- */

int
cql_pool_extra_count(const cql_session *session)
{
	int count = 0;

	for (const cql_session *other = session->loop->sessions; other != NULL;
		 other = other->next_in_loop)
		count += other->pool.count > 1 ? other->pool.count - 1 : 0;
	return count;
}

int
cql_pool_wanted_count(const cql_session *session)
{
	const cql_pool *pool = &session->pool;
	int wanted = pool->wanted;

	/* Another attempt while the first goes on. */
	if (session->waiting_first != NULL && pool->connecting > 0)
		wanted++;
	return wanted;
}

/* Those that are retired go once nothing is on them. */
static int
count_staying(const cql_pool *pool)
{
	int count = 0;

	for (const cql_link *link = pool->first; link != NULL; link = link->next)
		count += !link->is_retired;
	return count;
}

/* A node's fair share of the links that a session may have. */
static int
share_of_node(const cql_session *session)
{
	int nodes = session->topology.member_count > 1 ? session->topology.member_count : 1;

	return (session->max_connections + nodes - 1) / nodes;
}

static void
want_link(cql_session *session, cql_node *node, int32_t shard)
{
	node->is_wanted = true;
	node->wanted_shard = session->link_options.is_shard_aware ? shard : -1;
	node->open_at_ms = cql_net_now_ms() + cql_session_random(session) % OPEN_JITTER_MS;
	session->pool.wanted++;
	cql_net_wake_at(session->loop->net, node->open_at_ms);
}

void
cql_pool_replace(cql_session *session, const cql_link *link)
{
	cql_node *node = link->node;

	if (!node->is_wanted && !node->is_connecting && node->is_member &&
		cql_net_now_ms() >= node->retry_at_ms)
		want_link(session, node, node->shard_count > 0 ? (int32_t) link->shard : -1);
}

void
cql_pool_want(cql_session *session, cql_node *node, int32_t shard, uint32_t weight)
{
	uint64_t now_ms = cql_net_now_ms();
	uint32_t period = (uint32_t) (now_ms / DEMAND_PERIOD_MS);
	bool is_first = node->link_count == 0;
	uint32_t *demand = &node->demand;
	uint32_t *demand_period = &node->demand_period;

	if (node->is_wanted || node->is_connecting || now_ms < node->retry_at_ms ||
		session->pool.count >= session->max_connections ||
		node->link_count >= share_of_node(session))
		return;
	if (!is_first)
	{
		/* Without its port a shard is got by luck, and luck is not tried for ever. */
		if (!session->link_options.is_shard_aware || shard < 0 ||
			(uint32_t) shard >= node->shard_count ||
			(node->shard_misses > node->shard_count && now_ms < node->no_shard_port_until_ms))
			return;
		demand = &node->shards[shard].demand;
		demand_period = &node->shards[shard].demand_period;
	}
	*demand = *demand_period == period ? *demand + weight : weight;
	*demand_period = period;
	if (*demand < DEMAND_TO_OPEN)
		return;
	*demand = 0;
	want_link(session, node, shard);
}

static void
open_wanted(cql_session *session, uint64_t now_ms)
{
	cql_pool *pool = &session->pool;
	cql_topology *topology = &session->topology;

	for (int i = 0; i < topology->node_count && pool->wanted > 0; i++)
	{
		cql_node *node = topology->nodes[i];

		if (!node->is_wanted || node->open_at_ms > now_ms)
			continue;
		if (pool->connecting >= CQL_POOL_MAX_CONNECTING)
		{
			node->open_at_ms = now_ms + OPEN_JITTER_MS;
			continue;
		}
		node->is_wanted = false;
		pool->wanted--;
		/* Refused by the host, or full: the links that there are have to do. */
		if (count_staying(pool) < session->max_connections && node->is_member &&
			cql_pool_extra_count(session) < session->loop->extra_granted)
			/* A node that is down says nothing of its shard-aware port. */
			(void) cql_pool_open(session, node, node->failures > 0 ? -1 : node->wanted_shard);
	}
}

/* ---- a link's life ---- */

static void
retire_links_of(cql_pool *pool, const cql_node *node)
{
	for (cql_link *link = pool->first; link != NULL; link = link->next)
	{
		if (link->node != node || !link->is_ready)
			continue;
		link->is_retired = true;
		link->shard = 0;
	}
}

/* The link went to some shard: is it the one that was wanted, or one that is of use? */
static void
take_shard(cql_session *session, cql_link *link, uint64_t now_ms)
{
	cql_node *node = link->node;
	cql_shard *shard = &node->shards[link->shard];

	if (shard->latency == NULL)
		shard->latency = cql_alloc_zero(sizeof *shard->latency);
	if (link->wanted_shard >= 0 && link->shard != (uint32_t) link->wanted_shard)
	{
		node->shard_misses++;
		if (node->no_shard_port_until_ms <= now_ms)
			node->no_shard_port_until_ms = now_ms + NO_SHARD_PORT_MS;
	}
	else if (link->is_on_shard_port)
		node->shard_misses = 0;
	if (shard->link == NULL || cql_link_judge(shard->link) != CQL_LINK_FIT)
		shard->link = link;
	else if (!link->is_needed)
		link->is_retired = true;
}

static void
take_ready(cql_session *session, cql_link *link, uint64_t now_ms)
{
	cql_pool *pool = &session->pool;
	cql_node *node = link->node;
	const cql_supported *supported = &link->conn.supported;
	uint32_t shard_count = supported->shard_count <= MAX_SHARDS ? supported->shard_count : 0;
	bool is_other = node->shards != NULL && node->shard_count != shard_count;

	if (!cql_node_set_shards(node, shard_count, supported->ignore_msb))
	{
		cql_conn_close(&link->conn, CQL_ERROR_NO_MEMORY, "out of memory");
		return;
	}
	/* Restarted with other shards: what was known of the old ones is worth nothing. */
	if (is_other)
		retire_links_of(pool, node);
	node->shard_port = supported->shard_aware_port;
	node->shard_port_tls = supported->shard_aware_port_tls;
	node->is_connecting = false;
	cql_node_succeed(node);
	pool->connecting--;
	cql_round_begin(session);
	link->is_ready = true;
	link->silent_ms = cql_attended_ms(&session->loop->clock);
	link->shard = supported->shard < shard_count ? supported->shard : 0;
	session->is_scylla = supported->is_scylla;
	session->has_tablets = supported->has_tablets_v1;
	take_shard(session, link, now_ms);
}

static void
advance_done(cql_session *session, cql_link *link)
{
	cql_exchange *exchange;

	while ((exchange = cql_conn_take_done(&link->conn)) != NULL)
	{
		if (exchange == &link->heartbeat)
		{
			if (exchange->state == CQL_EXCHANGE_TIMED_OUT)
				cql_conn_close(&link->conn, CQL_ERROR_LOST, "the server did not answer for %u ms",
							   2 * session->link_options.heartbeat_timeout_ms);
			cql_exchange_cleanup(exchange);
			continue;
		}
		if (exchange == &link->listening)
		{
			cql_exchange_cleanup(exchange);
			continue;
		}
		if (exchange->state == CQL_EXCHANGE_ANSWERED)
			session->pool.losses = 0;
		cql_request_advance((cql_request *) exchange);
	}
}

/*
 * A link that was ready broke. What it never sent waits for another one; but nodes that only
 * shake hands, and answer nothing, must not keep it waiting for ever.
 */
static void
take_loss(cql_session *session, const cql_error *error)
{
	cql_pool *pool = &session->pool;

	pool->losses++;
	if (pool->losses <= session->topology.node_count)
		return;
	cql_session_fail_waiting(session, error);
	pool->losses = 0;
}

static void
judge_end(cql_session *session, const cql_link *link, uint64_t now_ms)
{
	cql_node *node = link->node;

	if (link->is_on_shard_port && !link->is_ready)
	{
		/* Closed by a firewall, or no port of ours was free: the plain port does as well. */
		node->no_shard_port_until_ms = now_ms + NO_SHARD_PORT_MS;
		return;
	}
	cql_node_fail(node, now_ms, cql_session_random(session));
	cql_topology_doubt(session, now_ms);
	if (link->is_ready)
	{
		take_loss(session, &link->conn.error);
		return;
	}
	cql_node_turn_address(node);
	if (link->is_abandoned)
		/* An attempt whose time ran for somebody else says nothing to who waits now. */
		cql_round_begin(session);
	else if (link->is_needed)
		cql_round_take_failure(session, &link->conn.error);
}

/* The link is closed: its requests fail or go elsewhere. */
static void
drop_link(cql_session *session, cql_link *link, uint64_t now_ms)
{
	advance_done(session, link);
	remove_link(&session->pool, link);
	replace_shard_link(&session->pool, link);
	if (session->topology.listener == link)
		session->topology.listener = NULL;
	/* Not only of those that wait: one may be on its way to this link. */
	for (cql_request *request = session->requests; request != NULL; request = request->next)
		if (request->pin == link)
			request->pin = NULL;
	if (!link->is_retired)
		judge_end(session, link, now_ms);
	cql_link_free(link);
}

bool
cql_pool_check(cql_session *session, cql_link *link, uint64_t now_ms)
{
	cql_link_check_idle(link, &session->link_limits, now_ms);
	if (link->conn.state != CQL_CONN_CLOSED)
		return true;
	drop_link(session, link, now_ms);
	return false;
}

static void
process_link(cql_session *session, cql_link *link, uint64_t now_ms)
{
	const cql_link_limits *limits = &session->link_limits;
	cql_conn_event event;

	cql_link_watch(link, &session->link_options);
	if (link->conn.state == CQL_CONN_READY && !link->is_ready)
		take_ready(session, link, now_ms);
	advance_done(session, link);
	while (cql_conn_take_event(&link->conn, &event))
		cql_topology_take_event(session, &event, now_ms);
	if (link->is_ready && limits->max_lifetime_ms != 0 &&
		now_ms - link->opened_ms >= limits->max_lifetime_ms)
		link->is_retired = true;
	if (link->is_retired && link->is_ready && cql_link_in_flight(link) == 0)
		cql_conn_close(&link->conn, CQL_ERROR_LOST, "the connection was not needed any more");
	if (link->conn.state == CQL_CONN_CLOSED)
		drop_link(session, link, now_ms);
}

/* Close what nobody has used for long. */
static void
tidy(cql_session *session, uint64_t now_ms)
{
	uint32_t idle_timeout_ms = session->link_limits.idle_timeout_ms;
	cql_link *next;

	session->pool.tidy_at_ms = now_ms + TIDY_INTERVAL_MS;
	for (cql_link *link = session->pool.first; link != NULL; link = next)
	{
		next = link->next;
		if (link->is_ready && idle_timeout_ms != 0 && cql_link_in_flight(link) == 0 &&
			now_ms - link->used_ms >= idle_timeout_ms)
			(void) cql_pool_check(session, link, now_ms);
	}
}

void
cql_pool_process(cql_session *session, uint64_t now_ms)
{
	cql_link *next;

	for (cql_link *link = session->pool.first; link != NULL; link = next)
	{
		next = link->next;
		process_link(session, link, now_ms);
	}
	if (now_ms >= session->pool.tidy_at_ms)
		tidy(session, now_ms);
	if (session->pool.wanted > 0)
		open_wanted(session, now_ms);
}

uint64_t
cql_pool_next_deadline(const cql_session *session)
{
	const cql_pool *pool = &session->pool;
	const cql_clock *clock = &session->loop->clock;
	uint64_t deadline_ms = UINT64_MAX;
	uint64_t next_ms;

	for (const cql_link *link = pool->first; link != NULL; link = link->next)
	{
		next_ms = cql_link_next_deadline(link, &session->link_options);
		deadline_ms = next_ms < deadline_ms ? next_ms : deadline_ms;
	}
	if (session->waiting_first != NULL && pool->connecting > 0)
	{
		next_ms = cql_round_next_ms(session);
		if (next_ms > cql_attended_ms(clock))
			deadline_ms = next_ms < deadline_ms ? next_ms : deadline_ms;
	}
	deadline_ms = cql_attended_to_clock_ms(clock, deadline_ms);
	for (int i = 0; i < session->topology.node_count && pool->wanted > 0; i++)
	{
		const cql_node *node = session->topology.nodes[i];

		if (node->is_wanted && node->open_at_ms < deadline_ms)
			deadline_ms = node->open_at_ms;
	}
	return deadline_ms;
}

void
cql_pool_close(cql_session *session)
{
	cql_pool *pool = &session->pool;

	while (pool->first != NULL)
	{
		cql_link *link = pool->first;

		cql_conn_close(&link->conn, CQL_ERROR_LOST, "the session was closed");
		/* No request goes elsewhere from here. */
		advance_done(session, link);
		remove_link(pool, link);
		cql_link_free(link);
	}
}
