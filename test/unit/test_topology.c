/*
 * What is asked of the cluster's own tables and by which link: one that turns out to be dead, events
 * that come meanwhile.
 */
#include "cluster.h"
#include "fake_net.h"

static cql_loop *loop;
static cql_session *session;
static cql_column key_column = {.keyspace = "ks", .table = "t", .name = "k"};
static cql_metadata markers = {.column_count = 1, .columns = &key_column};
static cql_metadata no_columns;
static cql_statement statement = {
	.references = 1, .id = (uint8_t[]) {1}, .id_len = 1, .bind = &markers, .result = &no_columns};

static const cluster_node three[] = {{0, 0, 0}, {0, 1, 0}, {0, 2, 0}};

static cql_session *
open_session(int node_count)
{
	cql_contact contacts[CLUSTER_MAX_NODES];
	cql_session_options options = {.contacts = contacts,
								   .contact_count = node_count,
								   .connect_timeout_ms = 5000,
								   .request_timeout_ms = 60000,
								   .idle_timeout_ms = 10000};
	cql_session *made;
	cql_error error;

	cluster_make_contacts(contacts, node_count);
	made = cql_session_new(loop, &options, &error);
	assert_non_null(made);
	cluster_learn(made, three, 16);
	return made;
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
	cql_request_spec spec = {.statement = &statement,
							 .consistency = CQL_CONSISTENCY_LOCAL_QUORUM,
							 .routing_key = key,
							 .routing_key_len = sizeof key,
							 .is_idempotent = true};
	cql_request *request;
	cql_error error;

	assert_int_equal(cql_request_submit(to, &spec, &request, &error), CQL_OK);
	return request;
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

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_reading_by_a_dead_link),
		TEST(test_no_request_keeps_a_dead_link),
		TEST(test_event_while_it_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
