/*
 * Reading the topology: three queries at once to one node, when that is due.
 *
 * What does not change costs nothing but the queries. A reading that fails changes nothing, and is
 * tried again later, at whatever node there is a link to then.
 */
#include "cql/topology.h"

#include <string.h>

#include "cql/mem.h"
#include "cql/session.h"

/* A backend that asks little need not know where its rows are. */
#define REQUESTS_TO_READ 32
#define MAX_AGE_MS 60000
/* After an event, or after something failed: not more often than this. */
#define MIN_AGE_MS 2000
#define READING_TIMEOUT_MS 10000

#define MEMBER_COLUMNS "host_id, data_center, rack, release_version, tokens"

/* ---- making ---- */

cql_node *
cql_topology_add_node(cql_topology *topology, const cql_contact *address)
{
	cql_node *node;

	if (topology->node_count == CQL_NO_ID)
		return NULL;
	if (topology->node_count == topology->node_capacity)
	{
		int capacity = topology->node_capacity == 0 ? 4 : topology->node_capacity * 2;
		cql_node **nodes = cql_resize(topology->nodes, (size_t) capacity * sizeof *topology->nodes);

		if (nodes == NULL)
			return NULL;
		topology->nodes = nodes;
		topology->node_capacity = capacity;
	}
	node = cql_node_new((uint16_t) topology->node_count, address);
	if (node != NULL)
		topology->nodes[topology->node_count++] = node;
	return node;
}

bool
cql_topology_init(cql_topology *topology, const cql_contact *contacts, int count)
{
	topology->local_dc = topology->local_rack = CQL_NO_ID;
	for (int i = 0; i < count; i++)
	{
		cql_node *node = cql_topology_add_node(topology, &contacts[i]);

		if (node == NULL)
			return false;
		node->is_contact = true;
	}
	return true;
}

void
cql_topology_cleanup(cql_topology *topology)
{
	for (int i = 0; i < CQL_QUERY_COUNT; i++)
		cql_request_free(topology->queries[i]);
	for (int i = 0; i < topology->node_count; i++)
		cql_node_free(topology->nodes[i]);
	cql_release(topology->nodes);
	for (int i = 0; i < topology->dc_count; i++)
		cql_release(topology->dcs[i]);
	for (int i = 0; i < topology->rack_count; i++)
		cql_release(topology->racks[i].name);
	cql_release(topology->racks);
	cql_ring_cleanup(&topology->ring);
	cql_keyspaces_free(topology->keyspaces, topology->keyspace_count);
	cql_tables_forget(topology, NULL);
	memset(topology, 0, sizeof *topology);
}

void
cql_topology_renew(cql_topology *topology)
{
	static uint64_t last_generation = 0;

	topology->generation = ++last_generation;
}

const cql_keyspace *
cql_topology_keyspace(const cql_topology *topology, const char *name)
{
	for (int i = 0; i < topology->keyspace_count; i++)
		if (strcmp(topology->keyspaces[i].name, name) == 0)
			return &topology->keyspaces[i];
	return NULL;
}

cql_node *
cql_topology_host(const cql_topology *topology, const uint8_t *host_id)
{
	for (int i = 0; i < topology->node_count; i++)
	{
		cql_node *node = topology->nodes[i];

		if (node->has_host_id && memcmp(node->host_id, host_id, CQL_HOST_ID_LEN) == 0)
			return node;
	}
	return NULL;
}

/* ---- asking ---- */

cql_link *
cql_topology_pick_link(const cql_session *session)
{
	const cql_topology *topology = &session->topology;

	if (topology->listener != NULL && cql_link_judge(topology->listener) == CQL_LINK_FIT)
		return topology->listener;
	for (cql_link *link = session->pool.first; link != NULL; link = link->next)
		if (cql_link_judge(link) == CQL_LINK_FIT &&
			(topology->local_dc == CQL_NO_ID || link->node->place.dc == topology->local_dc))
			return link;
	return NULL;
}

static void
drop_queries(cql_topology *topology)
{
	for (int i = 0; i < CQL_QUERY_COUNT; i++)
	{
		cql_request_free(topology->queries[i]);
		topology->queries[i] = NULL;
	}
	topology->is_reading = false;
}

static void
begin_reading(cql_session *session, uint64_t now_ms)
{
	cql_topology *topology = &session->topology;
	cql_link *link = cql_topology_pick_link(session);
	bool has_peers_v2 = !session->is_scylla && !topology->has_no_peers_v2;
	const char *const texts[CQL_QUERY_COUNT] = {
		[CQL_QUERY_LOCAL] = "SELECT " MEMBER_COLUMNS " FROM system.local WHERE key = 'local'",
		[CQL_QUERY_PEERS] = has_peers_v2
								? "SELECT " MEMBER_COLUMNS
								  ", peer, native_address, native_port FROM system.peers_v2"
								: "SELECT " MEMBER_COLUMNS ", peer, rpc_address FROM system.peers",
		[CQL_QUERY_KEYSPACES] = "SELECT keyspace_name, replication FROM system_schema.keyspaces",
	};
	cql_error error;

	if (link == NULL)
		return;
	topology->is_reading = true;
	for (int i = 0; i < CQL_QUERY_COUNT; i++)
	{
		cql_request_spec spec = {.cql = texts[i],
								 .consistency = CQL_CONSISTENCY_ONE,
								 .is_idempotent = true,
								 .timeout_ms = READING_TIMEOUT_MS};

		if (cql_request_submit_on(session, &spec, link, &topology->queries[i], &error) != CQL_OK ||
			topology->queries[i]->link == NULL)
		{
			drop_queries(topology);
			return;
		}
		/* The first may have found the link dead, and gone by another one. */
		link = topology->queries[i]->link;
	}
	topology->control = link->node;
	/* Backends that began at the same time do not ask at the same time for ever. */
	topology->read_at_ms = now_ms + MAX_AGE_MS + cql_session_random(session) % (MAX_AGE_MS / 2);
	/* Who asks for longer than that is told of changes. */
	if (topology->readings > 1 && topology->listener == NULL)
	{
		cql_link_listen(link, &session->link_options);
		topology->listener = link;
	}
}

void
cql_topology_doubt(cql_session *session, uint64_t now_ms)
{
	cql_topology *topology = &session->topology;

	/* While it is read too: the answer may have been on its way before. */
	if (topology->read_at_ms > now_ms + MIN_AGE_MS)
		topology->read_at_ms = now_ms + MIN_AGE_MS;
}

/* ---- taking answers ---- */

/* FNV-1a of all rows. */
static uint64_t
hash_results(cql_result *const *results)
{
	uint64_t hash = UINT64_C(14695981039346656037);

	for (int i = 0; i < CQL_QUERY_COUNT; i++)
		for (const uint8_t *at = results[i]->rows; at < results[i]->block + results[i]->block_len;
			 at++)
			hash = (hash ^ *at) * UINT64_C(1099511628211);
	return hash;
}

static bool
take_answers(cql_session *session, cql_result **results, cql_error *error)
{
	cql_topology *topology = &session->topology;

	for (int i = 0; i < CQL_QUERY_COUNT; i++)
	{
		if (cql_request_take_result(topology->queries[i], &results[i], error) != CQL_OK)
			return false;
		/* All have to be of one node, for its own row stands apart. */
		cql_error_set(error, CQL_ERROR_NONE, "%s", "");
		if (strcmp(results[i]->node, topology->control->name) != 0 ||
			results[i]->kind != CQL_RESULT_ROWS)
			return false;
	}
	return true;
}

static void
end_reading(cql_session *session, uint64_t now_ms)
{
	cql_topology *topology = &session->topology;
	cql_result *results[CQL_QUERY_COUNT] = {NULL};
	uint64_t content;
	cql_error error;

	if (take_answers(session, results, &error))
	{
		content = hash_results(results);
		if (topology->generation == 0 || content != topology->content)
			topology->content = cql_topology_take(session, results) ? content : 0;
		topology->readings++;
	}
	else if (error.kind == CQL_ERROR_SERVER && error.server_code == CQL_SERVER_INVALID &&
			 !topology->has_no_peers_v2)
	{
		topology->has_no_peers_v2 = true;
		topology->read_at_ms = now_ms;
	}
	for (int i = 0; i < CQL_QUERY_COUNT; i++)
		cql_result_free(results[i]);
	drop_queries(topology);
}

void
cql_topology_process(cql_session *session, uint64_t now_ms)
{
	cql_topology *topology = &session->topology;

	if (topology->is_reading)
	{
		for (int i = 0; i < CQL_QUERY_COUNT; i++)
			if (!cql_request_is_done(topology->queries[i]))
				return;
		end_reading(session, now_ms);
	}
	if (now_ms >= topology->read_at_ms && session->open_count > 0 &&
		(session->request_count >= REQUESTS_TO_READ || session->local_dc != NULL ||
		 session->local_rack != NULL))
		begin_reading(session, now_ms);
	if (topology->generation > 0)
		cql_tables_process(session, now_ms);
}

bool
cql_topology_read(cql_session *session, uint64_t now_ms)
{
	if (!session->topology.is_reading && now_ms >= session->topology.read_at_ms)
		begin_reading(session, now_ms);
	return session->topology.is_reading;
}

/* ---- nodes that are down ---- */

bool
cql_session_is_down(const cql_session *session, const uint8_t *host_id)
{
	const cql_node *node = cql_topology_host(&session->topology, host_id);

	return node != NULL && node->failures > 0 && node->link_count == 0;
}

void
cql_session_try_node(cql_session *session, const uint8_t *host_id)
{
	cql_node *node = cql_topology_host(&session->topology, host_id);

	if (node == NULL)
		(void) cql_topology_read(session, cql_net_now_ms());
	else if (node->link_count == 0)
		cql_pool_want(session, node, -1, CQL_WEIGHT_AT_ONCE);
}

/* ---- what comes unasked ---- */

static bool
is_text(cql_view view, const char *text)
{
	return strlen(text) == view.len && memcmp(text, view.data, view.len) == 0;
}

static cql_node *
find_address(const cql_topology *topology, const cql_event *event)
{
	cql_contact address;

	if (!cql_contact_from_cell((cql_cell) {event->address, event->address_len}, event->port,
							   &address))
		return NULL;
	for (int i = 0; i < topology->node_count; i++)
		if (cql_contact_equal(&topology->nodes[i]->address, &address))
			return topology->nodes[i];
	return NULL;
}

/* A link knows better than what others have heard of its node. */
static void
take_status(cql_session *session, const cql_event *event, uint64_t now_ms)
{
	cql_node *node = find_address(&session->topology, event);

	if (node == NULL || node->link_count > 0)
		return;
	if (is_text(event->change, "UP"))
		/* No need to wait until the back-off is over. */
		cql_node_succeed(node);
	else if (is_text(event->change, "DOWN"))
		cql_node_fail(node, now_ms, cql_session_random(session));
}

void
cql_topology_take_event(cql_session *session, cql_conn_event *event, uint64_t now_ms)
{
	cql_reader body = cql_reader_over(event->body, event->body_len);
	cql_frame_prefix prefix;
	cql_event what;

	cql_frame_read_prefix(&body, event->flags, &prefix);
	cql_read_event(&body, &what);
	if (!body.failed)
	{
		cql_topology_doubt(session, now_ms);
		if (what.kind == CQL_EVENT_STATUS)
			take_status(session, &what, now_ms);
	}
	cql_release(event->body);
}
