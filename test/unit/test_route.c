/*
 * The choice of a link: replicas by rack, data center and the rest, as the consistency allows; whose
 * turn it is; shards; and what happens where the best one has no link, or one that is not well.
 */
#include "cluster.h"
#include "fake_net.h"

#define MAX_LINKS 32

static cql_loop loop;
static cql_session session;
static cql_link links[MAX_LINKS];
static int link_count;
static cql_column key_column = {.keyspace = "ks", .table = "t", .name = "k"};
static cql_metadata markers = {.column_count = 1, .columns = &key_column};
static cql_metadata no_columns;
static cql_statement statement;

/* Two data centers of three racks each; a ring of one token a node, so that the order of replicas
 * is known. */
static const cluster_node six[] = {{0, 0, 0}, {0, 1, 0}, {0, 2, 0},
								   {1, 3, 0}, {1, 4, 0}, {1, 5, 0}};

static void
begin(const cluster_node *nodes, int count)
{
	fake_reset();
	cluster_init(&session, nodes, count, 1);
	session.loop = &loop;
	session.link_options.is_shard_aware = true;
	memset(links, 0, sizeof links);
	link_count = 0;
	statement = (cql_statement) {.bind = &markers, .result = &no_columns};
	markers.is_lwt = false;
}

static int
end(void **state)
{
	(void) state;
	cluster_cleanup(&session);
	return 0;
}

/* As if there were a socket. */
static cql_link *
link_node(int id, uint32_t shard)
{
	cql_node *node = session.topology.nodes[id];
	cql_link *link = &links[link_count++];
	cql_link **place = &session.pool.first;

	link->node = node;
	link->shard = shard;
	link->is_ready = true;
	link->conn.state = CQL_CONN_READY;
	while (*place != NULL)
		place = &(*place)->next;
	*place = link;
	session.pool.count++;
	node->link_count++;
	node->shards[shard].link = link;
	return link;
}

static void
link_all(int count)
{
	for (int i = 0; i < count; i++)
		(void) link_node(i, 0);
}

static cql_request
request_for(int64_t token, bool is_local)
{
	return (cql_request) {
		.statement = &statement, .has_token = true, .token = token, .is_local = is_local};
}

/* The node that such a request goes to; -1: none. */
static int
pick(int64_t token, bool is_local)
{
	cql_request request = request_for(token, is_local);
	const cql_link *link = cql_route_pick(&session, &request);

	return link != NULL ? link->node->id : -1;
}

/* The replicas of a token in the ring's order. */
static int
order(int64_t token, bool is_local, int *nodes)
{
	cql_placement placement = {&session.topology.keyspaces[0], NULL, is_local ? 0 : CQL_NO_ID};
	cql_tablet_replica replicas[CQL_MAX_REPLICAS];
	int count = cql_locate(&session.topology, &placement, token, replicas);

	for (int i = 0; i < count; i++)
		nodes[i] = replicas[i].node;
	return count;
}

static void
break_link(int id)
{
	links[id].conn.state = CQL_CONN_CLOSED;
}

static void
test_turns_in_the_data_center(void **state)
{
	int seen[6] = {0};

	(void) state;
	begin(six, 6);
	cluster_replicate(&session, 3, 3);
	link_all(6);
	for (int i = 0; i < 30; i++)
	{
		seen[pick(i * INT64_C(1000000007000), true)]++;
		seen[pick(i * INT64_C(1000000007000), false)]++;
	}
	for (int i = 0; i < 3; i++)
	{
		assert_in_range(seen[i], 10, 30);
		assert_int_equal(seen[i + 3], 0);
	}
}

static void
test_rack_first(void **state)
{
	(void) state;
	begin(six, 6);
	cluster_replicate(&session, 3, 3);
	link_all(6);
	session.topology.local_rack = 1;
	for (int i = 0; i < 10; i++)
		assert_int_equal(pick(i, false), 1);
	/* then the data center, then the rest if the consistency is not local */
	break_link(1);
	for (int i = 0; i < 10; i++)
		assert_in_range(pick(i, false), 0, 2);
	break_link(0);
	break_link(2);
	for (int i = 0; i < 10; i++)
	{
		assert_in_range(pick(i, false), 3, 5);
		assert_int_equal(pick(i, true), -1);
	}
}

static void
test_others_than_replicas(void **state)
{
	static const cluster_node nodes[] = {{0, 0, 0}, {0, 0, 0}, {0, 0, 0}};
	int replica;

	(void) state;
	begin(nodes, 3);
	link_all(3);
	assert_int_equal(order(5, true, &replica), 1);
	assert_int_equal(pick(5, true), replica);
	break_link(replica);
	assert_true(pick(5, true) >= 0 && pick(5, true) != replica);
	/* and it is noted who should have had it */
	session.topology.nodes[replica]->link_count = 0;
	session.pool.count = 2;
	(void) pick(5, true);
	assert_true(session.topology.nodes[replica]->demand > 0);
}

static void
test_conditional_statements_meet(void **state)
{
	int replicas[6];

	(void) state;
	begin(six, 6);
	cluster_replicate(&session, 3, 3);
	link_all(6);
	markers.is_lwt = true;
	for (int i = 0; i < 20; i++)
	{
		int64_t token = i * INT64_C(400000000000000007);

		assert_int_equal(order(token, true, replicas), 3);
		/* whoever asks, and however often */
		session.turn = (uint32_t) i;
		for (int j = 0; j < 4; j++)
			assert_int_equal(pick(token, true), replicas[0]);
	}
	/* down: the second in the ring's order, for all */
	assert_int_equal(order(7, true, replicas), 3);
	break_link(replicas[0]);
	for (int j = 0; j < 4; j++)
		assert_int_equal(pick(7, true), replicas[1]);
}

static void
test_tried_nodes(void **state)
{
	cql_request request;
	int replicas[6];

	(void) state;
	begin(six, 6);
	cluster_replicate(&session, 3, 3);
	link_all(6);
	assert_int_equal(order(9, true, replicas), 3);
	request = request_for(9, true);
	for (int i = 0; i < 3; i++)
	{
		cql_link *link = cql_route_pick(&session, &request);

		assert_non_null(link);
		assert_false(cql_request_has_tried(&request, link->node));
		request.tried[request.tried_count++] = link->node->id;
	}
	assert_null(cql_route_pick(&session, &request));
	request.may_return = true;
	assert_non_null(cql_route_pick(&session, &request));
}

static void
test_range_goes_to_its_replica(void **state)
{
	int replicas[6];

	(void) state;
	begin(six, 6);
	cluster_replicate(&session, 3, 3);
	link_all(6);
	assert_int_equal(order(11, true, replicas), 3);
	for (uint32_t i = 0; i < 9; i++)
	{
		cql_request request = request_for(11, true);

		request.is_range = true;
		request.replica = i % 3;
		assert_int_equal(cql_route_pick(&session, &request)->node->id, replicas[i % 3]);
	}
}

/* A link that is not well serves only where there is no other; one that is pinned always. */
static void
test_fitness(void **state)
{
	cql_request request = request_for(1, true);

	(void) state;
	begin(six, 6);
	cluster_replicate(&session, 3, 3);
	link_all(6);
	links[0].is_retired = true;
	links[1].heartbeat.state = CQL_EXCHANGE_SENT;
	for (int i = 0; i < 10; i++)
		assert_int_equal(pick(i, true), 2);
	links[2].conn.streams.capacity = links[2].conn.streams.orphan_count = 2000;
	for (int i = 0; i < 10; i++)
		assert_in_range(pick(i, true), 0, 1);
	request.pin = &links[0];
	assert_ptr_equal(cql_route_pick(&session, &request), &links[0]);
	break_link(0);
	assert_ptr_equal(cql_route_pick(&session, &request), &links[1]);
}

static void
test_shards(void **state)
{
	static const cluster_node nodes[] = {{0, 0, 4}, {0, 0, 4}};
	uint64_t seed = 1;

	(void) state;
	begin(nodes, 2);
	for (int i = 0; i < 2; i++)
		for (uint32_t shard = 0; shard < 4; shard++)
			(void) link_node(i, shard);
	for (int i = 0; i < 200; i++)
	{
		int64_t token = (int64_t) next_number(&seed);
		cql_request request = request_for(token, true);
		const cql_link *link = cql_route_pick(&session, &request);
		int replica;

		assert_int_equal(order(token, true, &replica), 1);
		assert_int_equal(link->node->id, replica);
		/* biased-token-round-robin with 12 bits ignored */
		assert_int_equal(
			link->shard,
			(uint32_t) (((unsigned __int128) (((uint64_t) token + (UINT64_C(1) << 63)) << 12) *
						 4) >>
						64));
	}
}

/* Without a link to its shard a request takes another of the node, and wishes for one. */
static void
test_missing_shard(void **state)
{
	static const cluster_node nodes[] = {{0, 0, 4}};
	cql_table *table;
	cql_tablet_replica replica = {0, 2};

	(void) state;
	begin(nodes, 1);
	table = cluster_add_tablets(&session);
	assert_true(
		cql_tablets_put(&table->tablets, (cql_token_range) {INT64_MIN, INT64_MAX}, &replica, 1));
	cql_topology_renew(&session.topology);
	(void) link_node(0, 0);
	(void) link_node(0, 1);
	links[0].conn.streams.capacity = 5;
	for (int i = 0; i < 10; i++)
	{
		cql_request request = request_for(i, true);

		assert_ptr_equal(cql_route_pick(&session, &request), &links[1]);
	}
	assert_int_equal(session.topology.nodes[0]->shards[2].demand, 10);
	(void) link_node(0, 2);
	assert_ptr_equal(session.topology.nodes[0]->shards[2].link, &links[2]);
	{
		cql_request request = request_for(1, true);

		assert_ptr_equal(cql_route_pick(&session, &request), &links[2]);
	}
	assert_int_equal(session.topology.nodes[0]->shards[2].demand, 10);
}

/* Nothing says where it should go: where least is under way, near nodes first. */
static void
test_no_token(void **state)
{
	cql_request request = {.is_local = false};

	(void) state;
	begin(six, 6);
	link_all(6);
	links[0].conn.streams.capacity = 3;
	links[1].conn.streams.capacity = 1;
	links[2].conn.streams.capacity = 2;
	assert_ptr_equal(cql_route_pick(&session, &request), &links[1]);
	/* a node that no topology told of may be anywhere */
	request.is_local = true;
	for (int i = 0; i < 3; i++)
		break_link(i);
	assert_null(cql_route_pick(&session, &request));
	session.topology.nodes[5]->place = (cql_place) {CQL_NO_ID, CQL_NO_ID};
	assert_ptr_equal(cql_route_pick(&session, &request), &links[5]);
}

#define TEST(function) cmocka_unit_test_teardown(function, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_turns_in_the_data_center),
		TEST(test_rack_first),
		TEST(test_others_than_replicas),
		TEST(test_conditional_statements_meet),
		TEST(test_tried_nodes),
		TEST(test_range_goes_to_its_replica),
		TEST(test_fitness),
		TEST(test_shards),
		TEST(test_missing_shard),
		TEST(test_no_token),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
