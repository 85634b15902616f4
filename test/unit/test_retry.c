/*
 * What is done about a failed try, error by error; how long the pauses are; and what latencies the
 * histogram tells.
 */
#include "support.h"

#include "cql/session.h"

typedef struct retry_case
{
	const char *what;
	cql_error error;
	bool is_idempotent;
	cql_retry expected;
} retry_case;

#define SERVER(code) .kind = CQL_ERROR_SERVER, .server_code = (code)

static const retry_case cases[] = {
	{"unavailable", {SERVER(CQL_SERVER_UNAVAILABLE)}, true, CQL_RETRY_NEXT},
	{"unavailable", {SERVER(CQL_SERVER_UNAVAILABLE)}, false, CQL_RETRY_NOT},
	{"bootstrapping", {SERVER(CQL_SERVER_BOOTSTRAPPING)}, false, CQL_RETRY_NEXT},
	{"overloaded", {SERVER(CQL_SERVER_OVERLOADED)}, true, CQL_RETRY_NEXT},
	{"overloaded", {SERVER(CQL_SERVER_OVERLOADED)}, false, CQL_RETRY_NOT},
	{"server error", {SERVER(CQL_SERVER_ERROR)}, true, CQL_RETRY_NEXT},
	{"server error", {SERVER(CQL_SERVER_ERROR)}, false, CQL_RETRY_NOT},
	{"read timeout without the data",
	 {SERVER(CQL_SERVER_READ_TIMEOUT), .received = 2, .required = 2},
	 true,
	 CQL_RETRY_SAME},
	{"read timeout",
	 {SERVER(CQL_SERVER_READ_TIMEOUT), .received = 1, .required = 2, .is_data_present = true},
	 true,
	 CQL_RETRY_NEXT},
	{"write timeout of the batch log",
	 {SERVER(CQL_SERVER_WRITE_TIMEOUT), .write_type = "BATCH_LOG"},
	 true,
	 CQL_RETRY_SAME},
	{"write timeout of the batch log",
	 {SERVER(CQL_SERVER_WRITE_TIMEOUT), .write_type = "BATCH_LOG"},
	 false,
	 CQL_RETRY_NOT},
	{"write timeout",
	 {SERVER(CQL_SERVER_WRITE_TIMEOUT), .write_type = "SIMPLE"},
	 true,
	 CQL_RETRY_NEXT},
	{"write timeout",
	 {SERVER(CQL_SERVER_WRITE_TIMEOUT), .write_type = "SIMPLE"},
	 false,
	 CQL_RETRY_NOT},
	{"read failure", {SERVER(CQL_SERVER_READ_FAILURE)}, true, CQL_RETRY_NOT},
	{"write failure", {SERVER(CQL_SERVER_WRITE_FAILURE)}, true, CQL_RETRY_NOT},
	{"truncate error", {SERVER(CQL_SERVER_TRUNCATE)}, true, CQL_RETRY_NOT},
	{"syntax", {SERVER(CQL_SERVER_SYNTAX)}, true, CQL_RETRY_NOT},
	{"invalid", {SERVER(CQL_SERVER_INVALID)}, true, CQL_RETRY_NOT},
	{"rate limit", {.kind = CQL_ERROR_RATE_LIMIT, .server_code = 0xF000}, true, CQL_RETRY_NOT},
	{"lost", {.kind = CQL_ERROR_LOST}, true, CQL_RETRY_NEXT},
	{"lost", {.kind = CQL_ERROR_LOST}, false, CQL_RETRY_NOT},
	{"timeout", {.kind = CQL_ERROR_TIMEOUT}, true, CQL_RETRY_NOT},
	{"protocol", {.kind = CQL_ERROR_PROTOCOL}, true, CQL_RETRY_NOT},
};

static void
test_judge(void **state)
{
	(void) state;
	for (size_t i = 0; i < LENGTH_OF(cases); i++)
	{
		cql_retry_verdict verdict = cql_retry_judge(&cases[i].error, cases[i].is_idempotent);

		if (verdict.retry != cases[i].expected)
			fail_msg("%s, %s: %d", cases[i].what,
					 cases[i].is_idempotent ? "idempotent" : "not idempotent", verdict.retry);
		/* only who has too much to do is given time */
		assert_int_equal(verdict.is_paused,
						 verdict.retry != CQL_RETRY_NOT &&
							 cases[i].error.kind == CQL_ERROR_SERVER &&
							 cases[i].error.server_code == CQL_SERVER_OVERLOADED);
	}
}

static void
test_pauses_grow_and_end(void **state)
{
	uint32_t longest = 0;

	(void) state;
	for (int i = 0; i < 100; i++)
		for (uint32_t random = 0; random < 1000; random += 7)
		{
			uint32_t pause_ms = cql_retry_pause_ms(i, random);

			assert_in_range(pause_ms, 10, 1000);
			longest = pause_ms > longest ? pause_ms : longest;
		}
	assert_in_range(cql_retry_pause_ms(0, 0), 10, 30);
	assert_in_range(longest, 500, 1000);
}

/* Within an eighth of each number, small and large. */
static void
test_latencies(void **state)
{
	(void) state;
	for (uint64_t us = 1; us < UINT64_C(100000000); us = us * 3 + 1)
	{
		cql_latency latency = {0};
		uint64_t told;

		assert_int_equal(cql_latency_quantile(&latency, 0.5), 0);
		cql_latency_add(&latency, us);
		told = cql_latency_quantile(&latency, 0.5);
		assert_true(told * 8 >= us * 7 && told * 8 <= us * 9);
	}
}

static void
test_quantiles(void **state)
{
	cql_latency latency = {0};

	(void) state;
	for (int i = 0; i < 980; i++)
		cql_latency_add(&latency, 100);
	for (int i = 0; i < 20; i++)
		cql_latency_add(&latency, 10000);
	assert_in_range(cql_latency_quantile(&latency, 0.5), 88, 113);
	assert_in_range(cql_latency_quantile(&latency, 0.99), 8750, 11250);
	assert_in_range(cql_latency_quantile(&latency, 1), 8750, 11250);
	/* beyond the last bucket */
	cql_latency_add(&latency, UINT64_MAX);
	assert_true(cql_latency_quantile(&latency, 1) > UINT64_C(60000000));
}

/* Longer each time, up to ten seconds, by chance a bit more or less; nothing after a success. */
static void
test_back_off(void **state)
{
	static const uint64_t expected_ms[] = {50, 100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000};
	cql_node node = {0};

	(void) state;
	for (size_t i = 0; i < LENGTH_OF(expected_ms); i++)
	{
		cql_node_fail(&node, 1000, (uint32_t) i * 97);
		assert_in_range(node.retry_at_ms - 1000, expected_ms[i] * 85 / 100,
						expected_ms[i] * 115 / 100);
	}
	cql_node_succeed(&node);
	assert_int_equal(node.retry_at_ms, 0);
	cql_node_fail(&node, 1000, 0);
	assert_in_range(node.retry_at_ms - 1000, 42, 58);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_judge),     cmocka_unit_test(test_pauses_grow_and_end),
		cmocka_unit_test(test_latencies), cmocka_unit_test(test_quantiles),
		cmocka_unit_test(test_back_off),
	};

	return cmocka_run_group_tests_name("retry", tests, NULL, NULL);
}
