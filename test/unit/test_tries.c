/*
 * A request's tries on one node after the other: what its last error tells of the first ones, and
 * statements that each of them has to be taught.
 */
#include "cluster.h"
#include "fake_net.h"

static cql_loop *loop;
static cql_session *session;
static cql_request *
submit_with(cql_consistency serial_consistency)
{
	static uint32_t key = 0;
	cql_request_spec spec = {.statement = &cluster_statement,
							 .consistency = CQL_CONSISTENCY_LOCAL_QUORUM,
							 .serial_consistency = serial_consistency,
							 .routing_key = &key,
							 .routing_key_len = sizeof key,
							 .is_idempotent = serial_consistency == 0};

	key++;
	return cluster_submit(session, &spec);
}

static cql_request *
submit(void)
{
	return submit_with(0);
}

/* A session that has a link to each of three nodes, which answer nothing from now on. */
static int
begin(void **state)
{
	cql_session_options options = {
		.connect_timeout_ms = 5000, .request_timeout_ms = 60000, .max_retries = 3};
	cql_error error;

	(void) state;
	fake_reset();
	loop = cql_loop_new(&error);
	session = cluster_open(loop, 3, &options);
	cluster_replicate(session, 3, 0);
	for (int i = 0; i < 1000 && fake_open_count(-1) < 3; i++)
	{
		cql_request *request = submit();

		fake.now_us += 2000;
		for (int j = 0; j < 5; j++)
			cql_loop_turn(loop);
		cql_request_free(request);
	}
	for (int i = 0; i < 5; i++)
		cql_loop_turn(loop);
	fake.is_holding = true;
	return session->pool.count != 3 || session->pool.connecting > 0;
}

static int
end(void **state)
{
	(void) state;
	cql_session_free(session);
	cql_loop_free(loop);
	return 0;
}

/* Whom the request was sent to. */
static cql_socket *
find_holder(void)
{
	cql_socket *socket;

	for (int i = 0; i < 3; i++)
		cql_loop_turn(loop);
	socket = fake.sockets;
	while (socket != NULL && socket->held_count == 0)
		socket = socket->next;
	assert_non_null(socket);
	return socket;
}

static void
answer_holder(uint8_t opcode, const void *body, size_t len)
{
	cql_socket *socket = find_holder();

	socket->held_count = 0;
	answer(socket->conn, (int) socket->held[0], opcode, body, len, 4096);
	cql_loop_turn(loop);
}

#define ANSWER(opcode, body) answer_holder(opcode, body, sizeof(body))

static const uint8_t unavailable[] = {0, 0, 0x10, 0, 0, 0, 0, 6, 0, 0, 0, 2, 0, 0, 0, 1};
static const uint8_t unavailable_to_propose[] = {0, 0, 0x10, 0, 0, 0, 0, 9, 0, 0, 0, 2, 0, 0, 0, 1};
static const uint8_t overloaded[] = {0, 0, 0x10, 1, 0, 0};
static const uint8_t server_error[] = {0, 0, 0, 0, 0, 0};
static const uint8_t unprepared[] = {0, 0, 0x25, 0, 0, 0, 0, 1, 1};
static const uint8_t prepared[] = {
	0, 0, 0,   4,   0, 1, 1,                                             /* its id */
	0, 0, 0,   1,   0, 0, 0,   1, 0, 0,   0, 0,                          /* one bind variable */
	0, 2, 'k', 's', 0, 1, 't', 0, 1, 'k', 0, 9, 0, 0, 0, 4, 0, 0, 0, 0}; /* no result */
static const uint8_t is_done[] = {0, 0, 0, 1};

/* The first try may stand, whatever the others say. */
static void
test_an_earlier_try_may_stand(void **state)
{
	cql_request *request = submit();
	cql_result *result;
	cql_error error;

	(void) state;
	cql_conn_close(find_holder()->conn, CQL_ERROR_LOST, "connection reset");
	ANSWER(CQL_OPCODE_ERROR, unavailable);
	ANSWER(CQL_OPCODE_ERROR, unavailable);
	assert_true(cql_request_is_done(request));
	assert_int_equal(cql_request_take_result(request, &result, &error), CQL_FAILED);
	assert_int_equal(error.server_code, CQL_SERVER_UNAVAILABLE);
	assert_true(error.may_be_applied);
	cql_request_free(request);
}

static void
check_refusal(const uint8_t *refusal, size_t len, bool may_be_applied)
{
	cql_request *request = submit_with(CQL_CONSISTENCY_LOCAL_SERIAL);
	cql_result *result;
	cql_error error;

	answer_holder(CQL_OPCODE_ERROR, refusal, len);
	assert_true(cql_request_is_done(request));
	assert_int_equal(cql_request_take_result(request, &result, &error), CQL_FAILED);
	assert_int_equal(error.may_be_applied, may_be_applied);
	cql_request_free(request);
}

/* Replicas that accepted a proposal apply it; asked once more, it would find itself there. */
static void
test_refused_commit_is_not_repeated(void **state)
{
	(void) state;
	check_refusal(unavailable, sizeof unavailable, true);
	check_refusal(overloaded, sizeof overloaded, true);
	check_refusal(unavailable_to_propose, sizeof unavailable_to_propose, false);
}

/* A node that was never asked before knows no statement; that it says so is no circle. */
static void
test_each_node_is_taught(void **state)
{
	cql_request *request = submit();
	cql_result *result;
	cql_error error;

	(void) state;
	for (int node = 0; node < 2; node++)
	{
		ANSWER(CQL_OPCODE_ERROR, unprepared);
		ANSWER(CQL_OPCODE_RESULT, prepared);
		ANSWER(CQL_OPCODE_ERROR, server_error);
	}
	ANSWER(CQL_OPCODE_ERROR, unprepared);
	assert_false(cql_request_is_done(request));
	ANSWER(CQL_OPCODE_RESULT, prepared);
	ANSWER(CQL_OPCODE_RESULT, is_done);
	assert_int_equal(cql_request_take_result(request, &result, &error), CQL_OK);
	assert_int_equal(cql_result_retry_count(result), 2);
	cql_result_free(result);
	cql_request_free(request);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_an_earlier_try_may_stand),
		TEST(test_refused_commit_is_not_repeated),
		TEST(test_each_node_is_taught),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
