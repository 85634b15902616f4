/*
 * Reading the topology: three queries at once to one node, and what their rows say put in the place
 * of what was known.
 *
 * What does not change costs nothing but the queries. A reading that fails changes nothing, and is
 * tried again later, at whatever node there is a link to then.
 */
#include "cql/topology.h"

#include <stdlib.h>
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

static cql_node *
add_node(cql_topology *topology, const cql_contact *address)
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
		cql_node *node = add_node(topology, &contacts[i]);

		if (node == NULL)
			return false;
		node->is_contact = true;
	}
	return true;
}

static void
free_keyspaces(cql_keyspace *keyspaces, int count)
{
	for (int i = 0; i < count; i++)
		cql_release(keyspaces[i].name);
	cql_release(keyspaces);
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
	free_keyspaces(topology->keyspaces, topology->keyspace_count);
	cql_tables_forget(topology, NULL);
	memset(topology, 0, sizeof *topology);
}

/* ---- names ---- */

static bool
is_text(const char *text, cql_cell cell)
{
	return cell.len >= 0 && strlen(text) == (size_t) cell.len &&
		   memcmp(text, cell.data, (size_t) cell.len) == 0;
}

static cql_cell
cell_of(const char *text)
{
	return (cql_cell) {(const uint8_t *) text, (int32_t) strlen(text)};
}

static char *
copy_cell(cql_cell cell)
{
	return cell.len >= 0 ? cql_copy_text((const char *) cell.data, (size_t) cell.len) : NULL;
}

/* The name's id, a new one if it is new; CQL_NO_ID: too many, no name, out of memory. */
static uint16_t
intern_dc(cql_topology *topology, cql_cell name)
{
	char *copy;

	for (int i = 0; i < topology->dc_count; i++)
		if (is_text(topology->dcs[i], name))
			return (uint16_t) i;
	if (topology->dc_count == CQL_MAX_DCS || (copy = copy_cell(name)) == NULL)
		return CQL_NO_ID;
	topology->dcs[topology->dc_count] = copy;
	return (uint16_t) topology->dc_count++;
}

static uint16_t
intern_rack(cql_topology *topology, uint16_t dc, cql_cell name)
{
	char *copy;

	for (int i = 0; i < topology->rack_count; i++)
		if (topology->racks[i].dc == dc && is_text(topology->racks[i].name, name))
			return (uint16_t) i;
	if (topology->rack_count == CQL_NO_ID)
		return CQL_NO_ID;
	if (topology->rack_count == topology->rack_capacity)
	{
		int capacity = topology->rack_capacity == 0 ? 4 : topology->rack_capacity * 2;
		cql_rack *racks = cql_resize(topology->racks, (size_t) capacity * sizeof *topology->racks);

		if (racks == NULL)
			return CQL_NO_ID;
		topology->racks = racks;
		topology->rack_capacity = capacity;
	}
	if ((copy = copy_cell(name)) == NULL)
		return CQL_NO_ID;
	topology->racks[topology->rack_count] = (cql_rack) {dc, copy};
	return (uint16_t) topology->rack_count++;
}

const cql_keyspace *
cql_topology_keyspace(const cql_topology *topology, const char *name)
{
	for (int i = 0; i < topology->keyspace_count; i++)
		if (strcmp(topology->keyspaces[i].name, name) == 0)
			return &topology->keyspaces[i];
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
	topology->control = link->node;
	topology->is_reading = true;
	/* Backends that began at the same time do not ask at the same time for ever. */
	topology->read_at_ms = now_ms + MAX_AGE_MS + cql_session_random(session) % (MAX_AGE_MS / 2);
	for (int i = 0; i < CQL_QUERY_COUNT; i++)
	{
		cql_request_spec spec = {.cql = texts[i],
								 .consistency = CQL_CONSISTENCY_ONE,
								 .is_idempotent = true,
								 .timeout_ms = READING_TIMEOUT_MS};

		if (cql_request_submit_on(session, &spec, link, &topology->queries[i], &error) != CQL_OK)
		{
			drop_queries(topology);
			return;
		}
	}
	/* Who asks for longer than that is told of changes. */
	if (topology->readings > 1 && topology->listener == NULL)
	{
		cql_link_listen(link, &session->link_options, now_ms);
		topology->listener = link;
	}
}

void
cql_topology_doubt(cql_session *session, uint64_t now_ms)
{
	cql_topology *topology = &session->topology;

	if (!topology->is_reading && topology->read_at_ms > now_ms + MIN_AGE_MS)
		topology->read_at_ms = now_ms + MIN_AGE_MS;
}

/* ---- rows ---- */

/* A row of system.local or system.peers, as views. */
typedef struct member
{
	cql_cell host_id;
	cql_cell dc;
	cql_cell rack;
	cql_cell release;
	cql_cell tokens;
	cql_cell peer;
	cql_cell address;
	cql_cell port;
} member;

#define MAX_MEMBER_CELLS 8

static bool
next_member(cql_result *result, member *out)
{
	cql_cell cells[MAX_MEMBER_CELLS];

	for (int i = 0; i < MAX_MEMBER_CELLS; i++)
		cells[i] = (cql_cell) {NULL, CQL_CELL_NULL};
	if (cql_result_column_count(result) > MAX_MEMBER_CELLS || !cql_result_next_row(result, cells))
		return false;
	*out =
		(member) {cells[0], cells[1], cells[2], cells[3], cells[4], cells[5], cells[6], cells[7]};
	return true;
}

/* A peer that is joining or leaving has no place yet, or none any more. */
static bool
is_whole(const member *row)
{
	return row->host_id.len == CQL_HOST_ID_LEN && row->dc.len > 0 && row->rack.len >= 0 &&
		   row->tokens.len > 0;
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

/*
 * The node of a peer's row: that of its host id, else that of its address, else a new one. A
 * contact point keeps the address that the user gave, for that one works.
 */
static cql_node *
find_peer(cql_topology *topology, const member *row)
{
	cql_node *node = cql_topology_host(topology, row->host_id.data);
	uint16_t port = cql_contact_port(&topology->control->address);
	int32_t native_port;
	cql_contact address;

	if (cql_read_i32(row->port, &native_port) && native_port > 0 && native_port <= UINT16_MAX)
		port = (uint16_t) native_port;
	if (!cql_contact_from_cell(row->address, port, &address) &&
		!cql_contact_from_cell(row->peer, port, &address))
		return NULL;
	if (node == topology->control)
		return NULL;
	if (node != NULL)
	{
		if (!node->is_contact && !cql_contact_equal(&node->address, &address))
			cql_node_set_address(node, &address);
		return node;
	}
	for (int i = 0; i < topology->node_count; i++)
		if (cql_contact_equal(&topology->nodes[i]->address, &address))
			return topology->nodes[i];
	return add_node(topology, &address);
}

static void
take_member(cql_topology *topology, cql_node *node, const member *row)
{
	size_t release_len = row->release.len > 0 ? (size_t) row->release.len : 0;

	if (release_len >= sizeof node->release)
		release_len = sizeof node->release - 1;
	node->is_member = true;
	node->has_host_id = true;
	memcpy(node->host_id, row->host_id.data, CQL_HOST_ID_LEN);
	node->place.dc = intern_dc(topology, row->dc);
	node->place.rack = intern_rack(topology, node->place.dc, row->rack);
	if (release_len > 0)
		memcpy(node->release, row->release.data, release_len);
	node->release[release_len] = '\0';
	topology->member_count++;
}

/* ---- the ring ---- */

typedef struct token_list
{
	cql_ring_token *tokens;
	size_t count;
	size_t capacity;
	bool is_out_of_memory;
} token_list;

static void
append_token(token_list *list, int64_t token, uint16_t owner)
{
	if (list->count == list->capacity)
	{
		size_t capacity = list->capacity == 0 ? 256 : list->capacity * 2;
		cql_ring_token *tokens = cql_resize(list->tokens, capacity * sizeof *tokens);

		if (tokens == NULL)
		{
			list->is_out_of_memory = true;
			return;
		}
		list->tokens = tokens;
		list->capacity = capacity;
	}
	list->tokens[list->count++] = (cql_ring_token) {token, owner};
}

/* set<text> of numbers */
static void
append_tokens(token_list *list, cql_cell cell, uint16_t owner)
{
	cql_reader reader = cql_reader_over(cell.data, (size_t) cell.len);
	int32_t count = cql_read_int(&reader);
	char text[32];

	for (int32_t i = 0; i < count && !reader.failed; i++)
	{
		cql_cell token = cql_read_bytes(&reader);

		if (token.len <= 0 || (size_t) token.len >= sizeof text)
			continue;
		memcpy(text, token.data, (size_t) token.len);
		text[token.len] = '\0';
		append_token(list, strtoll(text, NULL, 10), owner);
	}
}

static bool
build_ring(const cql_topology *topology, token_list *list, cql_ring *ring)
{
	cql_place *places = cql_alloc((size_t) topology->node_count * sizeof *places);
	bool is_built = false;

	if (places != NULL && !list->is_out_of_memory)
	{
		for (int i = 0; i < topology->node_count; i++)
			places[i] = topology->nodes[i]->place;
		is_built =
			cql_ring_init(ring, list->tokens, list->count, places, (uint16_t) topology->node_count);
	}
	cql_release(places);
	cql_release(list->tokens);
	return is_built;
}

/* ---- keyspaces ---- */

static bool
ends_with(cql_cell cell, const char *end)
{
	size_t len = strlen(end);

	return cell.len >= 0 && (size_t) cell.len >= len &&
		   memcmp(cell.data + cell.len - len, end, len) == 0;
}

/* "3", or "3/1" with transient replicas. */
static uint16_t
read_factor(cql_cell cell)
{
	uint32_t factor = 0;

	for (int32_t i = 0; i < cell.len && cell.data[i] >= '0' && cell.data[i] <= '9' && factor < 1000;
		 i++)
		factor = factor * 10 + (uint32_t) (cell.data[i] - '0');
	return (uint16_t) factor;
}

/* map<text, text>: class, and replication_factor or a factor for each data center */
static void
read_replication(cql_topology *topology, cql_cell cell, cql_replication *out)
{
	cql_reader reader = cql_reader_over(cell.data, cell.len > 0 ? (size_t) cell.len : 0);
	int32_t count = cql_read_int(&reader);

	memset(out, 0, sizeof *out);
	for (int32_t i = 0; i < count && !reader.failed; i++)
	{
		cql_cell key = cql_read_bytes(&reader);
		cql_cell value = cql_read_bytes(&reader);
		uint16_t dc;

		if (is_text("class", key))
			out->strategy = ends_with(value, "SimpleStrategy")            ? CQL_STRATEGY_SIMPLE
							: ends_with(value, "NetworkTopologyStrategy") ? CQL_STRATEGY_NETWORK
																		  : CQL_STRATEGY_LOCAL;
		else if (is_text("replication_factor", key))
			out->factor = read_factor(value);
		else if (key.len > 0 && (dc = intern_dc(topology, key)) != CQL_NO_ID)
			out->factors[dc] = read_factor(value);
	}
}

static cql_keyspace *
read_keyspaces(cql_topology *topology, cql_result *result, int *count)
{
	int32_t row_count = cql_result_row_count(result);
	cql_keyspace *keyspaces = cql_alloc_zero((size_t) row_count * sizeof *keyspaces);
	cql_cell cells[2];

	*count = 0;
	if (keyspaces == NULL)
		return NULL;
	while (cql_result_next_row(result, cells))
	{
		keyspaces[*count].name = copy_cell(cells[0]);
		if (keyspaces[*count].name == NULL)
		{
			free_keyspaces(keyspaces, *count);
			return NULL;
		}
		read_replication(topology, cells[1], &keyspaces[*count].replication);
		(*count)++;
	}
	return keyspaces;
}

/* ---- taking over what was read ---- */

/* Those that are no members any more get no requests, and hold no tablets. */
static void
leave_nodes(cql_session *session)
{
	cql_topology *topology = &session->topology;

	for (int i = 0; i < topology->node_count; i++)
		if (!topology->nodes[i]->is_member)
			for (cql_table *table = topology->tables; table != NULL; table = table->next)
				cql_tablets_drop_node(&table->tablets, topology->nodes[i]->id);
	for (cql_link *link = session->pool.first; link != NULL; link = link->next)
		if (!link->node->is_member && link->is_ready)
			link->is_retired = true;
}

static bool
has_keyspace_of(const cql_topology *topology, const cql_table *table)
{
	return cql_topology_keyspace(topology, table->keyspace) != NULL;
}

static void
settle_local_place(cql_session *session)
{
	cql_topology *topology = &session->topology;
	const cql_node *first = topology->nodes[0];

	if (topology->local_dc != CQL_NO_ID)
		return;
	if (session->local_dc != NULL)
		topology->local_dc = intern_dc(topology, cell_of(session->local_dc));
	else
		topology->local_dc = first->is_member ? first->place.dc : topology->control->place.dc;
	if (session->local_rack != NULL)
		topology->local_rack =
			intern_rack(topology, topology->local_dc, cell_of(session->local_rack));
}

/* False: it cannot be taken over, and nothing but nodes may have changed. */
static bool
take_results(cql_session *session, cql_result *const *results)
{
	cql_topology *topology = &session->topology;
	token_list list = {0};
	cql_ring ring;
	cql_keyspace *keyspaces;
	int keyspace_count;
	member row;

	if (!next_member(results[CQL_QUERY_LOCAL], &row) || !is_whole(&row) ||
		cql_result_column_count(results[CQL_QUERY_KEYSPACES]) != 2)
		return false;
	keyspaces = read_keyspaces(topology, results[CQL_QUERY_KEYSPACES], &keyspace_count);
	if (keyspaces == NULL)
		return false;
	topology->member_count = 0;
	for (int i = 0; i < topology->node_count; i++)
		topology->nodes[i]->is_member = false;
	take_member(topology, topology->control, &row);
	append_tokens(&list, row.tokens, topology->control->id);
	while (next_member(results[CQL_QUERY_PEERS], &row))
	{
		cql_node *node = is_whole(&row) ? find_peer(topology, &row) : NULL;

		if (node == NULL || node->is_member)
			continue;
		take_member(topology, node, &row);
		append_tokens(&list, row.tokens, node->id);
	}
	if (!build_ring(topology, &list, &ring))
	{
		free_keyspaces(keyspaces, keyspace_count);
		return false;
	}
	cql_ring_cleanup(&topology->ring);
	free_keyspaces(topology->keyspaces, topology->keyspace_count);
	topology->ring = ring;
	topology->keyspaces = keyspaces;
	topology->keyspace_count = keyspace_count;
	topology->generation++;
	settle_local_place(session);
	leave_nodes(session);
	cql_tables_forget(topology, has_keyspace_of);
	return true;
}

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
			topology->content = take_results(session, results) ? content : 0;
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

/* ---- what comes unasked ---- */

void
cql_topology_take_event(cql_session *session, cql_conn_event *event, uint64_t now_ms)
{
	cql_reader body = cql_reader_over(event->body, event->body_len);
	cql_frame_prefix prefix;
	cql_event what;
	cql_contact address;

	cql_frame_read_prefix(&body, event->flags, &prefix);
	cql_read_event(&body, &what);
	if (!body.failed)
	{
		cql_topology_doubt(session, now_ms);
		/* It is up again: no need to wait until the back-off is over. */
		if (what.kind == CQL_EVENT_STATUS && what.change.len == 2 &&
			cql_contact_from_cell((cql_cell) {what.address, what.address_len}, what.port, &address))
			for (int i = 0; i < session->topology.node_count; i++)
				if (cql_contact_equal(&session->topology.nodes[i]->address, &address))
					session->topology.nodes[i]->retry_at_ms = 0;
	}
	cql_release(event->body);
}
