/*
 * Clusters made of nothing but the structs that a reading of the topology fills.
 */
#include "cluster.h"

#include "cql/mem.h"
#include "cql/wire/type.h"

static cql_column key_column = {.keyspace = "ks", .table = "t", .name = "k"};
static cql_metadata markers = {.column_count = 1, .columns = &key_column};
static cql_metadata no_columns;

cql_statement cluster_statement = {.references = 1,
								   .text = "INSERT",
								   .id = (uint8_t[]) {1},
								   .id_len = 1,
								   .bind = &markers,
								   .result = &no_columns};

uint64_t
next_number(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static void
add_ring(cql_topology *topology, int tokens_of_node)
{
	size_t count = (size_t) topology->node_count * (size_t) tokens_of_node;
	cql_ring_token *tokens = calloc(count, sizeof *tokens);
	cql_place *places = calloc((size_t) topology->node_count, sizeof *places);
	uint64_t seed = 1;

	for (int i = 0; i < topology->node_count; i++)
		places[i] = topology->nodes[i]->place;
	for (size_t i = 0; i < count; i++)
		tokens[i] = (cql_ring_token) {(int64_t) next_number(&seed),
									  (uint16_t) (i % (size_t) topology->node_count)};
	assert_true(
		cql_ring_init(&topology->ring, tokens, count, places, (uint16_t) topology->node_count));
	free(tokens);
	free(places);
}

void
cluster_make_contacts(cql_contact *contacts, int count)
{
	assert_in_range(count, 1, CLUSTER_MAX_NODES);
	for (int i = 0; i < count; i++)
		assert_true(cql_contact_from_cell(
			(cql_cell) {(const uint8_t[]) {127, 0, 0, (uint8_t) (i + 1)}, 4}, 9042, &contacts[i]));
}

void
cluster_learn(cql_session *session, const cluster_node *nodes, int tokens_of_node)
{
	cql_topology *topology = &session->topology;

	for (int i = 0; i < topology->node_count; i++)
	{
		cql_node *node = topology->nodes[i];

		node->is_member = node->has_host_id = true;
		memset(node->host_id, i + 1, sizeof node->host_id);
		node->place = (cql_place) {nodes[i].dc, nodes[i].rack};
	}
	topology->control = topology->nodes[0];
	topology->member_count = topology->node_count;
	topology->local_dc = 0;
	topology->local_rack = CQL_NO_ID;
	cql_topology_renew(topology);
	topology->read_at_ms = UINT64_MAX;
	topology->keyspaces = cql_alloc_zero(sizeof *topology->keyspaces);
	topology->keyspaces[0].name = cql_copy_text("ks", 2);
	topology->keyspace_count = 1;
	cluster_replicate(session, 1, 0);
	add_ring(topology, tokens_of_node);
}

cql_session *
cluster_open(cql_loop *loop, int node_count, const cql_session_options *options)
{
	static const cluster_node racks[] = {{0, 0, 0}, {0, 1, 0}, {0, 2, 0}};
	cql_contact contacts[CLUSTER_MAX_NODES];
	cql_session_options with_contacts = *options;
	cql_session *made;
	cql_error error;

	key_column.type = cql_type_scalar(CQL_TYPE_INT);
	cluster_make_contacts(contacts, node_count);
	with_contacts.contacts = contacts;
	with_contacts.contact_count = node_count;
	made = cql_session_new(loop, &with_contacts, &error);
	assert_non_null(made);
	cluster_learn(made, racks, 16);
	return made;
}

cql_request *
cluster_submit(cql_session *session, const cql_request_spec *spec)
{
	cql_request *request;
	cql_error error;

	assert_int_equal(cql_request_submit(session, spec, &request, &error), CQL_OK);
	return request;
}

void
cluster_init(cql_session *session, const cluster_node *nodes, int count, int tokens_of_node)
{
	cql_contact contacts[CLUSTER_MAX_NODES];

	memset(session, 0, sizeof *session);
	cluster_make_contacts(contacts, count);
	assert_true(cql_topology_init(&session->topology, contacts, count));
	for (int i = 0; i < count; i++)
		assert_true(cql_node_set_shards(session->topology.nodes[i], nodes[i].shards, 12));
	session->max_connections = 32;
	session->has_tablets = true;
	cluster_learn(session, nodes, tokens_of_node);
}

void
cluster_cleanup(cql_session *session)
{
	cql_topology_cleanup(&session->topology);
}

void
cluster_replicate(cql_session *session, uint16_t factor, uint16_t other_factor)
{
	cql_keyspace *keyspace = &session->topology.keyspaces[0];

	keyspace->own =
		(cql_replication) {.strategy = CQL_STRATEGY_NETWORK, .factors = {factor, other_factor}};
	keyspace->replication = &keyspace->own;
}

cql_table *
cluster_add_tablets(cql_session *session)
{
	cql_topology *topology = &session->topology;

	assert_null(cql_table_find(session, &topology->keyspaces[0], "t"));
	topology->tables->has_tablets = true;
	topology->tables->is_wanted = false;
	return topology->tables;
}
