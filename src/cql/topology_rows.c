/*
 * What the rows of a reading say, put in the place of what was known: nodes and their places, the
 * ring, keyspaces.
 */
#include <stdlib.h>
#include <string.h>

#include "cql/mem.h"
#include "cql/session.h"

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

static bool
has_place(const member *row)
{
	return row->host_id.len == CQL_HOST_ID_LEN && row->dc.len > 0 && row->rack.len >= 0;
}

/* Who owns nothing (it is joining or leaving, or is to vote only) serves no requests, unless the user
 * named it and it is there: then it knows the others. */
static bool
is_peer(const member *row)
{
	return has_place(row) && row->tokens.len > 0;
}

/* The node of a peer's row: that of its host id, else that of its address, else a new one. */
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
		cql_node_tell_address(node, &address);
		return node;
	}
	for (int i = 0; i < topology->node_count; i++)
		if (cql_contact_equal(&topology->nodes[i]->address, &address))
			return topology->nodes[i];
	return cql_topology_add_node(topology, &address);
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
	cql_reader reader = cql_reader_over(cell.data, cell.len > 0 ? (size_t) cell.len : 0);
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

void
cql_keyspaces_free(cql_keyspace *keyspaces, int count)
{
	for (int i = 0; i < count; i++)
		cql_release(keyspaces[i].name);
	cql_release(keyspaces);
}

static bool
is_same_replication(const cql_replication *a, const cql_replication *b)
{
	return a->strategy == b->strategy && a->factor == b->factor &&
		   memcmp(a->factors, b->factors, sizeof a->factors) == 0;
}

static void
share_replication(cql_keyspace *keyspaces, int at)
{
	int i = 0;

	while (!is_same_replication(&keyspaces[i].own, &keyspaces[at].own))
		i++;
	keyspaces[at].replication = &keyspaces[i].own;
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
			cql_keyspaces_free(keyspaces, *count);
			return NULL;
		}
		read_replication(topology, cells[1], &keyspaces[*count].own);
		share_replication(keyspaces, *count);
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

bool
cql_topology_take(cql_session *session, cql_result *const *results)
{
	cql_topology *topology = &session->topology;
	token_list list = {0};
	cql_ring ring;
	cql_keyspace *keyspaces;
	int keyspace_count;
	member row;

	if (!next_member(results[CQL_QUERY_LOCAL], &row) || !has_place(&row) ||
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
		cql_node *node = is_peer(&row) ? find_peer(topology, &row) : NULL;

		if (node == NULL || node->is_member)
			continue;
		take_member(topology, node, &row);
		append_tokens(&list, row.tokens, node->id);
	}
	if (!build_ring(topology, &list, &ring))
	{
		cql_keyspaces_free(keyspaces, keyspace_count);
		return false;
	}
	cql_ring_cleanup(&topology->ring);
	cql_keyspaces_free(topology->keyspaces, topology->keyspace_count);
	topology->ring = ring;
	topology->keyspaces = keyspaces;
	topology->keyspace_count = keyspace_count;
	cql_topology_renew(topology);
	settle_local_place(session);
	leave_nodes(session);
	cql_tables_forget(topology, has_keyspace_of);
	return true;
}
