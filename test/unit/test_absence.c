/*
 * A host that goes away for long: what is waited for has as much time left when it comes back, but
 * what only grows old is older. Time is the test's own.
 */
#include "cluster.h"
#include "fake_net.h"

#define TIMEOUT_MS 4000
#define CONNECT_TIMEOUT_MS 1000
#define IDLE_TIMEOUT_MS 60000
/* Of silence until a heartbeat, and that until the end. */
#define HEARTBEAT_MS (TIMEOUT_MS / 4)
#define LONG_MS 3600000

static cql_loop *loop;
static cql_session *session;

static int
begin(void **state)
{
	cql_session_options options = {.connect_timeout_ms = CONNECT_TIMEOUT_MS,
								   .request_timeout_ms = TIMEOUT_MS,
								   .idle_timeout_ms = IDLE_TIMEOUT_MS};
	cql_error error;

	(void) state;
	fake_reset();
	loop = cql_loop_new(&error);
	session = cluster_open(loop, 1, &options);
	return 0;
}

static int
end(void **state)
{
	(void) state;
	cql_session_free(session);
	cql_loop_free(loop);
	return 0;
}

static cql_request *
submit(void)
{
	cql_request_spec spec = {.statement = &cluster_statement,
							 .consistency = CQL_CONSISTENCY_LOCAL_QUORUM};

	return cluster_submit(session, &spec);
}

static void
turn(void)
{
	for (int i = 0; i < 3; i++)
		cql_loop_turn(loop);
}

/* Somebody waits on the loop's descriptor, and turns the loop. */
static void
wait_for(uint64_t ms)
{
	fake.now_us += ms * 1000;
	turn();
}

/* Nobody does, and then somebody comes back. */
static void
be_away(uint64_t ms)
{
	fake.now_us += ms * 1000;
	cql_loop_resume(loop);
	turn();
}

/* How it ended; it has. */
static cql_error_kind
end_request(cql_request *request)
{
	cql_result *result = NULL;
	cql_error error = {.kind = CQL_ERROR_NONE};

	assert_true(cql_request_is_done(request));
	if (cql_request_take_result(request, &result, &error) == CQL_OK)
		cql_result_free(result);
	cql_request_free(request);
	return error.kind;
}

/* One that is sent, and not answered until fake_answer(). */
static cql_request *
submit_held(void)
{
	cql_request *request;

	fake.is_holding = true;
	request = submit();
	turn();
	assert_int_equal(fake.sockets->held_count, 1);
	return request;
}

static void
test_absence_expires_nothing(void **state)
{
	cql_request *request = submit_held();

	(void) state;
	be_away(LONG_MS);
	assert_false(cql_request_is_done(request));
	fake_answer();
	turn();
	assert_int_equal(end_request(request), CQL_ERROR_NONE);
}

/* All of a request's time passes while it is waited for, in whatever pieces; heartbeats are answered. */
static void
test_waiting_expires(void **state)
{
	cql_request *request = submit_held();

	(void) state;
	wait_for(TIMEOUT_MS / 2);
	be_away(LONG_MS);
	wait_for(TIMEOUT_MS / 2 - 1);
	be_away(1);
	assert_false(cql_request_is_done(request));
	wait_for(1);
	assert_int_equal(end_request(request), CQL_ERROR_TIMEOUT);
}

/* Who waits is woken when something is due, and less than a millisecond later. */
static void
test_wake_up(void **state)
{
	cql_request *request = submit_held();

	(void) state;
	wait_for(HEARTBEAT_MS / 4);
	fake.now_us += 300;
	be_away(LONG_MS);
	assert_in_range(fake.wake_at_ms * 1000 - fake.now_us, HEARTBEAT_MS * 750,
					HEARTBEAT_MS * 750 + 999);
	cql_request_free(request);
}

static void
run(void)
{
	cql_request *request = submit();

	turn();
	assert_int_equal(end_request(request), CQL_ERROR_NONE);
}

/* What passes before it is made, or between that and the first turn, is none of a request's time. */
static void
test_absence_around_submit(void **state)
{
	cql_request *request;

	(void) state;
	run();
	fake.now_us += IDLE_TIMEOUT_MS / 2 * 1000;
	fake.is_holding = true;
	request = submit();
	be_away(LONG_MS);
	wait_for(TIMEOUT_MS - 1);
	assert_false(cql_request_is_done(request));
	wait_for(1);
	assert_int_equal(end_request(request), CQL_ERROR_TIMEOUT);
}

/* A peer that takes connections and is silent then. */
static void
test_connecting(void **state)
{
	cql_request *request;

	(void) state;
	fake.is_mute[0] = true;
	request = submit();
	turn();
	be_away(LONG_MS);
	wait_for(CONNECT_TIMEOUT_MS - 1);
	assert_int_equal(fake_open_count(-1), 1);
	assert_false(cql_request_is_done(request));
	wait_for(1);
	assert_int_equal(end_request(request), CQL_ERROR_UNREACHABLE);
}

/* A dead peer is told by silence that somebody listened to. */
static void
test_silence(void **state)
{
	cql_request *request = submit_held();

	(void) state;
	fake.is_mute[0] = true;
	be_away(LONG_MS);
	wait_for(HEARTBEAT_MS);
	be_away(LONG_MS);
	wait_for(HEARTBEAT_MS - 1);
	assert_false(cql_request_is_done(request));
	wait_for(1);
	assert_int_equal(end_request(request), CQL_ERROR_LOST);
}

/* A connection grows old in any case. */
static void
test_idle_connection(void **state)
{
	(void) state;
	run();
	be_away(IDLE_TIMEOUT_MS - 1);
	run();
	assert_int_equal(fake.opened, 1);
	be_away(IDLE_TIMEOUT_MS);
	run();
	assert_int_equal(fake.opened, 2);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_absence_expires_nothing), TEST(test_waiting_expires), TEST(test_wake_up),
		TEST(test_absence_around_submit),   TEST(test_connecting),      TEST(test_silence),
		TEST(test_idle_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
