/*
 * What is asked of the cluster's own tables and by which link: one that turns out to be dead, events
 * that come meanwhile, contact points that own nothing or have moved, where a view's tablets stand;
 * and whose knowledge a statement goes by.
 */
#include "cluster.h"
#include "fake_net.h"

static cql_loop *loop;
static cql_session *session;

static cql_session *
open_session(int node_count)
{
	cql_session_options options = {
		.connect_timeout_ms = 5000, .request_timeout_ms = 60000, .idle_timeout_ms = 10000};

	return cluster_open(loop, node_count, &options);
}

static int
begin(void **state)
{
	cql_error error;

	(void) state;
	fake_reset();
	loop = cql_loop_new(&error);
	return loop == NULL;
}

static int
end(void **state)
{
	(void) state;
	cql_session_free(session);
	session = NULL;
	cql_loop_free(loop);
	return 0;
}

static cql_request *
submit(cql_session *to)
{
	static const uint8_t key[] = {1};
	cql_request_spec spec = {.statement = &cluster_statement,
							 .consistency = CQL_CONSISTENCY_LOCAL_QUORUM,
							 .routing_key = key,
							 .routing_key_len = sizeof key,
							 .is_idempotent = true};

	return cluster_submit(to, &spec);
}

static void
run(cql_session *on)
{
	cql_request *request = submit(on);
	cql_result *result;
	cql_error error;

	for (int i = 0; i < 100 && !cql_request_is_done(request); i++)
		cql_loop_turn(loop);
	assert_int_equal(cql_request_take_result(request, &result, &error), CQL_OK);
	cql_result_free(result);
	cql_request_free(request);
}

/* ---- by a link that is dead ---- */

/* The link was idle for too long, which shows only when a query is put on it. */
static void
test_reading_by_a_dead_link(void **state)
{
	cql_topology *topology;

	(void) state;
	session = open_session(1);
	topology = &session->topology;
	run(session);
	topology->generation = 0;
	topology->read_at_ms = 0;
	topology->readings = 2; /* so that it would listen */
	fake.now_us += 20000000;
	assert_true(cql_session_learn_ring(session, "ks", "t"));
	assert_null(topology->listener);
	assert_false(topology->is_reading);
	run(session);
	assert_int_equal(fake.opened, 2);
	/* and by the new one it is read */
	assert_false(cql_session_learn_ring(session, "ks", "t"));
	assert_ptr_equal(topology->listener, session->pool.first);
}

/* Nor does a request keep it, that was to go by it and by no other. */
static void
test_no_request_keeps_a_dead_link(void **state)
{
	cql_request_spec spec = {.cql = "SELECT", .consistency = CQL_CONSISTENCY_ONE};
	cql_request *request;
	cql_error error;

	(void) state;
	session = open_session(1);
	run(session);
	fake.now_us += 20000000;
	assert_int_equal(cql_request_submit_on(session, &spec, session->pool.first, &request, &error),
					 CQL_OK);
	assert_null(request->pin);
	for (int i = 0; i < 10; i++)
		cql_loop_turn(loop);
	assert_true(cql_request_is_done(request));
	assert_int_equal(fake.opened, 2);
	cql_request_free(request);
}

/* ---- what comes while it is read ---- */

static void
test_event_while_it_is_read(void **state)
{
	static const uint8_t body[] = {0,   15,  'T', 'O', 'P', 'O', 'L', 'O', 'G', 'Y', '_',  'C',
								   'H', 'A', 'N', 'G', 'E', 0,   8,   'N', 'E', 'W', '_',  'N',
								   'O', 'D', 'E', 4,   127, 0,   0,   4,   0,   0,   0x23, 0x52};
	cql_topology *topology;
	cql_conn_event event = {.body = cql_alloc(sizeof body), .body_len = sizeof body};

	(void) state;
	session = open_session(1);
	topology = &session->topology;
	run(session);
	fake.is_holding = true;
	topology->read_at_ms = 0;
	assert_true(cql_topology_read(session, cql_net_now_ms()));
	assert_true(topology->read_at_ms > cql_net_now_ms() + 10000);
	memcpy(event.body, body, sizeof body);
	cql_topology_take_event(session, &event, cql_net_now_ms());
	assert_true(topology->is_reading);
	assert_int_equal(topology->read_at_ms, cql_net_now_ms() + 2000);
}

/* ---- tablets ---- */

/* ROWS up to the first of them; types do not matter here. */
static void
begin_rows(cql_writer *writer, const char *const *columns, int column_count, int row_count)
{
	cql_writer_init(writer);
	cql_write_int(writer, CQL_RESULT_ROWS);
	cql_write_int(writer, 1); /* one keyspace and table for all */
	cql_write_int(writer, column_count);
	cql_write_string(writer, "system");
	cql_write_string(writer, "t");
	for (int i = 0; i < column_count; i++)
	{
		cql_write_string(writer, columns[i]);
		cql_write_short(writer, CQL_TYPE_BLOB);
	}
	cql_write_int(writer, row_count);
}

static void
answer_rows(uint32_t stream, cql_writer *writer)
{
	answer(fake.sockets->conn, (int) stream, CQL_OPCODE_RESULT, writer->data, writer->len, 4096);
	cql_writer_cleanup(writer);
}

/* A table's id, or none. */
static void
answer_id(uint32_t stream, bool is_known)
{
	static const char *const columns[] = {"id"};
	cql_writer writer;

	begin_rows(&writer, columns, 1, is_known ? 1 : 0);
	if (is_known)
		cql_write_bytes(&writer, "0123456789abcdef", 16);
	answer_rows(stream, &writer);
}

/* One tablet, which the first node's first shard has. */
static void
answer_tablets(uint32_t stream)
{
	static const char *const columns[] = {"last_token", "replicas"};
	static const uint8_t replicas[] = {0, 0, 0, 1, 0, 0, 0, 28, 0, 0, 0, 16, 1, 1, 1, 1, 1, 1,
									   1, 1, 1, 1, 1, 1, 1, 1,  1, 1, 0, 0,  0, 4, 0, 0, 0, 0};
	cql_writer writer;

	begin_rows(&writer, columns, 2, 1);
	cql_write_int(&writer, 8);
	cql_write_long(&writer, INT64_MAX);
	cql_write_bytes(&writer, replicas, sizeof replicas);
	answer_rows(stream, &writer);
}

/* Its id is asked for as that of a table and as that of a view. */
static void
read_tablets(bool is_view)
{
	const cql_table *table;
	cql_socket *socket;

	session = open_session(1);
	run(session);
	session->has_tablets = true;
	fake.is_holding = true;
	assert_false(cql_session_learn_ring(session, "ks", "t"));
	cql_loop_turn(loop);
	socket = fake.sockets;
	assert_int_equal(socket->held_count, 2);
	socket->held_count = 0;
	answer_id(socket->held[0], !is_view);
	answer_id(socket->held[1], is_view);
	cql_loop_turn(loop);
	cql_loop_turn(loop);
	assert_int_equal(socket->held_count, 1);
	socket->held_count = 0;
	answer_tablets(socket->held[0]);
	cql_loop_turn(loop);
	table = cql_table_known(&session->topology, "ks", "t");
	assert_non_null(table);
	assert_int_equal(table->tablets.count, 1);
	assert_null(session->requests);
}

static void
test_tablets_of_a_table(void **state)
{
	(void) state;
	read_tablets(false);
}

static void
test_tablets_of_a_view(void **state)
{
	(void) state;
	read_tablets(true);
}

/* ---- members ---- */

/* A set of one token; 0: no set. */
static void
write_tokens(cql_writer *writer, char token)
{
	if (token == 0)
	{
		cql_write_int(writer, -1);
		return;
	}
	cql_write_int(writer, 9);
	cql_write_int(writer, 1);
	cql_write_bytes(writer, &token, 1);
}

/* Its host id is its number, sixteen times. */
static void
write_member(cql_writer *writer, int number, char token)
{
	uint8_t host_id[CQL_HOST_ID_LEN];

	memset(host_id, number, sizeof host_id);
	cql_write_bytes(writer, host_id, sizeof host_id);
	cql_write_bytes(writer, "dc", 2);
	cql_write_bytes(writer, "rack", 4);
	cql_write_bytes(writer, "4", 1);
	write_tokens(writer, token);
}

/*
 * The session reads its topology from node 1, which has that token, and is told of node 2 at
 * 127.0.0.(address).
 */
static void
read_members(char own_token, uint8_t address)
{
	static const char *const columns[] = {"host_id",         "data_center", "rack",
										  "release_version", "tokens",      "native_address",
										  "native_port",     "peer"};
	const uint8_t inet[] = {127, 0, 0, address};
	cql_topology *topology = &session->topology;
	cql_socket *socket;
	cql_writer writer;

	topology->read_at_ms = 0;
	fake.is_holding = true;
	assert_true(cql_topology_read(session, cql_net_now_ms()));
	cql_loop_turn(loop);
	socket = fake.sockets;
	assert_int_equal(socket->held_count, CQL_QUERY_COUNT);
	socket->held_count = 0;
	begin_rows(&writer, columns, 5, 1);
	write_member(&writer, 1, own_token);
	answer_rows(socket->held[CQL_QUERY_LOCAL], &writer);
	begin_rows(&writer, columns, 8, 1);
	write_member(&writer, 2, '7');
	cql_write_bytes(&writer, inet, sizeof inet);
	cql_write_bytes(&writer, inet, sizeof inet);
	cql_write_int(&writer, 4);
	cql_write_int(&writer, FAKE_PORT);
	answer_rows(socket->held[CQL_QUERY_PEERS], &writer);
	begin_rows(&writer, columns, 2, 0);
	answer_rows(socket->held[CQL_QUERY_KEYSPACES], &writer);
	cql_loop_turn(loop);
	fake.is_holding = false;
	topology->read_at_ms = UINT64_MAX;
}

/* Of a node that owns nothing, as one that only votes, the others are learned all the same. */
static void
test_contact_point_without_tokens(void **state)
{
	const cql_topology *topology;

	(void) state;
	session = open_session(1);
	topology = &session->topology;
	run(session);
	read_members(0, 2);
	assert_int_equal(topology->readings, 1);
	assert_int_equal(topology->member_count, 2);
	assert_int_equal(topology->ring.count, 1);
	assert_int_equal(topology->ring.owners[0], topology->nodes[1]->id);
	assert_string_equal(topology->nodes[1]->name, "127.0.0.2:9042");
	run(session);
}

static void
try_second_node(void)
{
	cql_session_try_node(session, session->topology.nodes[1]->host_id);
	for (int i = 0; i < 5; i++)
	{
		fake.now_us += 100000;
		cql_loop_turn(loop);
	}
}

/* A contact point is used at the address that the user gave; that it has another one by now counts
 * when it is found there no more, and no longer than it is there. */
static void
test_contact_point_moves(void **state)
{
	(void) state;
	session = open_session(2);
	fake.is_down[1] = true;
	run(session);
	assert_int_equal(session->pool.first->node->id, 0);
	read_members('3', 5);
	assert_string_equal(session->topology.nodes[1]->name, "127.0.0.2:9042");
	try_second_node();
	assert_int_equal(fake.opened_at_node[1], 1);
	fake.now_us += 20000000;
	try_second_node();
	assert_int_equal(fake_open_count(4), 1);
	assert_string_equal(session->topology.nodes[1]->name, "127.0.0.5:9042");
	/* back again */
	fake.is_down[1] = false;
	fake.is_down[4] = true;
	fake_cut(4);
	cql_loop_turn(loop);
	for (int i = 0; i < 2; i++)
	{
		fake.now_us += 20000000;
		try_second_node();
	}
	assert_int_equal(fake_open_count(1), 1);
}

/* ---- statements ---- */

/* Where its rows are is another session's to tell, be it as old as the first. */
static void
test_statement_of_another_session(void **state)
{
	cql_session *first;

	(void) state;
	first = open_session(3);
	session = open_session(3);
	run(first);
	assert_ptr_equal(cluster_statement.keyspace, &first->topology.keyspaces[0]);
	cql_session_free(first);
	run(session);
	assert_ptr_equal(cluster_statement.keyspace, &session->topology.keyspaces[0]);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_reading_by_a_dead_link), TEST(test_no_request_keeps_a_dead_link),
		TEST(test_event_while_it_is_read), TEST(test_tablets_of_a_table),
		TEST(test_tablets_of_a_view),      TEST(test_contact_point_without_tokens),
		TEST(test_contact_point_moves),    TEST(test_statement_of_another_session),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
