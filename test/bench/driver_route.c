/*
 * driver_route REQUESTS: what it takes to find the link of a request's own replica, in a cluster of
 * 500 nodes of 256 tokens (two data centers of three racks each, three replicas in each) that the
 * session has links to all of, and in a table of 4096 tablets. No socket is opened. Prints
 * nanoseconds per request, the hash of its key and the choice of the link.
 */
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#include "cql/session.h"

#define NODES 500
#define TOKENS_OF_NODE 256
#define TABLETS 4096

static cql_session session;
static cql_keyspace keyspace = {.name = "ks"};
static cql_table table = {.keyspace = "ks", .name = "t", .has_tablets = true};
static cql_column column = {.keyspace = "ks", .table = "t", .name = "k"};
static cql_metadata key_column = {.column_count = 1, .columns = &column};
static cql_metadata no_columns;
static cql_statement statement = {.bind = &key_column, .result = &no_columns};

static uint64_t
next_number(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	return z ^ (z >> 27);
}

/* A node with a link that is ready, as if there were a socket. */
static cql_node *
make_node(int id)
{
	cql_contact address = {.address_len = sizeof(struct sockaddr_storage)};
	cql_node *node = cql_node_new((uint16_t) id, &address);
	cql_link *link = calloc(1, sizeof *link);

	if (node == NULL || link == NULL || !cql_node_set_shards(node, 0, 0))
		bench_die("out of memory");
	node->is_member = true;
	node->place = (cql_place) {(uint16_t) (id % 2), (uint16_t) (id % 2 * 3 + id / 2 % 3)};
	node->link_count = 1;
	node->shards[0].link = link;
	link->node = node;
	link->is_ready = true;
	link->conn.state = CQL_CONN_READY;
	return node;
}

static void
make_cluster(void)
{
	static cql_node *nodes[NODES];
	static cql_place places[NODES];
	static cql_ring_token tokens[NODES * TOKENS_OF_NODE];
	cql_topology *topology = &session.topology;
	uint64_t state = 1;

	for (int i = 0; i < NODES; i++)
	{
		nodes[i] = make_node(i);
		places[i] = nodes[i]->place;
	}
	for (int i = 0; i < NODES * TOKENS_OF_NODE; i++)
		tokens[i] = (cql_ring_token) {(int64_t) next_number(&state), (uint16_t) (i % NODES)};
	if (!cql_ring_init(&topology->ring, tokens, NODES * TOKENS_OF_NODE, places, NODES))
		bench_die("out of memory");
	keyspace.own.strategy = CQL_STRATEGY_NETWORK;
	keyspace.own.factors[0] = keyspace.own.factors[1] = 3;
	keyspace.replication = &keyspace.own;
	topology->nodes = nodes;
	topology->node_count = topology->member_count = NODES;
	topology->keyspaces = &keyspace;
	topology->keyspace_count = 1;
	topology->generation = 1;
	topology->local_dc = 0;
	topology->local_rack = CQL_NO_ID;
	session.max_connections = NODES;
	session.has_tablets = true;
}

static void
make_tablets(void)
{
	const uint64_t width = UINT64_MAX / TABLETS;

	for (uint64_t i = 0; i < TABLETS; i++)
	{
		cql_tablet_replica replicas[3];
		cql_token_range range = {(int64_t) ((uint64_t) INT64_MIN + i * width),
								 (int64_t) ((uint64_t) INT64_MIN + (i + 1) * width)};

		for (uint64_t j = 0; j < 3; j++)
			replicas[j] = (cql_tablet_replica) {(uint16_t) ((i + j) * 2 % NODES), 0};
		if (!cql_tablets_put(&table.tablets, range, replicas, 3))
			bench_die("out of memory");
	}
	session.topology.tables = &table;
	session.topology.generation++;
}

static double
measure(long count)
{
	uint64_t state = 2;
	uint8_t key[8];
	double began = bench_cpu_s();

	for (long i = 0; i < count; i++)
	{
		cql_request request;
		cql_link *link;

		request.pin = NULL;
		request.is_local = request.has_token = true;
		request.is_range = request.may_return = false;
		request.tried_count = 0;
		request.statement = &statement;
		cql_put_u64(key, next_number(&state));
		request.token = cql_key_token(key, sizeof key);
		link = cql_route_pick(&session, &request);
		if (link == NULL || link->node->place.dc != 0)
			bench_die("a request has no place, or one far away");
	}
	return (bench_cpu_s() - began) * 1e9 / (double) count;
}

int
main(int argc, char **argv)
{
	long count;

	if (argc != 2)
		bench_die("usage: driver_route REQUESTS");
	count = bench_number(argv[1]);
	make_cluster();
	bench_print("ring_ns", measure(count));
	make_tablets();
	bench_print("tablets_ns", measure(count));
	return 0;
}
