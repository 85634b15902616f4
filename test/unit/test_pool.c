/*
 * When links are opened, and when they are not: by work that goes somewhere again and again, to the
 * shard-aware port and without it, within the cap, not while a node fails, not by all at once; and
 * when they are closed. Time is the test's own.
 */
#include "cluster.h"
#include "fake_net.h"

#define SESSIONS 200
#define CONNECT_TIMEOUT_MS 5000

static cql_loop *loop;
static cql_session *session;

/* Nodes whose first contact point is a member of a ring that all of them replicate. */
static cql_session *
open_session(int node_count, cql_session_options options)
{
	cql_session *made;

	options.connect_timeout_ms = CONNECT_TIMEOUT_MS;
	options.request_timeout_ms = 60000;
	options.is_shard_aware = true;
	made = cluster_open(loop, node_count, &options);
	cluster_replicate(made, (uint16_t) node_count, 0);
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

static void
turn(int count)
{
	for (int i = 0; i < count; i++)
		cql_loop_turn(loop);
}

static void
pass(uint64_t ms)
{
	fake.now_us += ms * 1000;
	turn(3);
}

static cql_request *
submit(cql_session *to, uint64_t number)
{
	cql_request_spec spec = {.statement = &cluster_statement,
							 .consistency = CQL_CONSISTENCY_LOCAL_QUORUM,
							 .routing_key = &number,
							 .routing_key_len = sizeof number,
							 .is_idempotent = true};

	return cluster_submit(to, &spec);
}

/* Requests one after the other, each of which must succeed. */
static void
run(int count)
{
	static uint64_t number = 0;

	for (int i = 0; i < count; i++)
	{
		cql_request *request = submit(session, number++);
		cql_result *result;
		cql_error error;

		for (int j = 0; j < 100 && !cql_request_is_done(request); j++)
			turn(1);
		assert_int_equal(cql_request_take_result(request, &result, &error), CQL_OK);
		cql_result_free(result);
		cql_request_free(request);
	}
}

/* Work, with time for what it asks for. */
static void
work(int rounds)
{
	for (int i = 0; i < rounds; i++)
	{
		run(100);
		pass(60);
	}
}

static void
test_few_requests_open_one(void **state)
{
	(void) state;
	session = open_session(3, (cql_session_options) {0});
	turn(5);
	assert_int_equal(fake.opened, 0);
	run(30);
	pass(1000);
	run(1);
	assert_int_equal(fake.opened, 1);
}

/* The first request waits for its link. Once it was sent its deadline wakes nobody: else every wait would
 * end at once from then on. */
static void
test_nothing_is_due_when_nobody_waits(void **state)
{
	cql_request *request;

	(void) state;
	session = open_session(3, (cql_session_options) {0});
	request = submit(session, 0);
	assert_non_null(session->waiting_first);
	assert_true(cql_session_next_deadline(session) < UINT64_MAX);
	cql_request_free(request);
	run(1);
	assert_null(session->waiting_first);
	assert_int_equal(cql_session_next_deadline(session), UINT64_MAX);
}

static void
test_work_opens_one_a_node(void **state)
{
	(void) state;
	session = open_session(3, (cql_session_options) {0});
	work(10);
	assert_int_equal(fake.opened, 3);
	for (int i = 0; i < 3; i++)
	{
		assert_int_equal(fake_open_count(i), 1);
		assert_true(fake.answered[i] > 100);
	}
}

static void
test_shards_by_source_port(void **state)
{
	bool is_seen[4] = {false};

	(void) state;
	fake.shards = 4;
	session = open_session(1, (cql_session_options) {0});
	work(20);
	assert_int_equal(fake.opened, 4);
	for (const cql_socket *socket = fake.sockets; socket != NULL; socket = socket->next)
	{
		is_seen[socket->shard] = true;
		assert_int_equal(socket->has_source_ports, socket->port == FAKE_SHARD_PORT);
		if (!socket->has_source_ports)
			continue;
		/* from the ephemeral range, one shard's */
		assert_in_range(socket->source_ports.first, 49152, 49152 + 4);
		assert_int_equal(socket->source_ports.step, 4);
		assert_int_equal(socket->source_ports.first % 4, socket->shard);
		assert_int_equal(socket->source_ports.start % 4, socket->shard);
	}
	for (int i = 0; i < 4; i++)
		assert_true(is_seen[i]);
}

/* The plain port gives any shard: what comes is used, what nobody needs is closed. */
static void
test_closed_shard_port(void **state)
{
	int opened;

	(void) state;
	fake.shards = 4;
	fake.is_shard_port_closed = true;
	session = open_session(1, (cql_session_options) {0});
	work(30);
	assert_in_range(fake.opened, 5, 2 * 4 + 2);
	assert_true(fake_open_count(-1) <= 4);
	for (const cql_socket *socket = fake.sockets; socket != NULL; socket = socket->next)
		assert_int_equal(socket->port, FAKE_PORT);
	/* It stands for five minutes, then the port is tried again. */
	cql_session_free(session);
	session = open_session(1, (cql_session_options) {.idle_timeout_ms = 1000});
	work(5);
	fake.is_shard_port_closed = false;
	pass(100000);
	opened = fake.opened;
	work(5);
	for (const cql_socket *socket = fake.sockets; socket != NULL; socket = socket->next)
		assert_int_equal(socket->port, FAKE_PORT);
	assert_true(fake.opened > opened);
	pass(300000);
	work(10);
	assert_int_equal(fake_open_count(-1), 4);
	assert_int_equal(fake.sockets->port, FAKE_SHARD_PORT);
}

/* A node that is down refuses connections to its shard-aware port too, which is no reason to do without
 * that port when the node is there again. */
static void
test_shard_port_after_a_restart(void **state)
{
	const cql_node *node;

	(void) state;
	fake.shards = 4;
	session = open_session(3, (cql_session_options) {0});
	node = session->topology.nodes[2];
	work(20);
	fake.is_down[2] = true;
	fake_cut(2);
	work(20);
	assert_true(node->failures > 0);
	assert_int_equal(fake_open_count(2), 0);
	fake.is_down[2] = false;
	pass(20000);
	work(30);
	assert_int_equal(fake_open_count(2), 4);
	assert_int_equal(node->no_shard_port_until_ms, 0);
}

static void *
refuse_shards(size_t size)
{
	return size == 2 * sizeof(cql_shard) ? NULL : malloc(size);
}

/* The node was restarted with other shards, and there is no memory for them. */
static void
test_no_memory_for_other_shards(void **state)
{
	static const cql_mem mem = {.alloc = refuse_shards, .resize = realloc, .release = free};
	const cql_node *node;
	int opened;

	(void) state;
	fake.shards = 4;
	session = open_session(1, (cql_session_options) {0});
	node = session->topology.nodes[0];
	work(2);
	opened = fake.opened;
	assert_in_range(opened, 2, 3);
	fake.shards = 2;
	cql_mem_set(&mem);
	work(4);
	cql_mem_set(NULL);
	assert_true(fake.opened > opened);
	fake.is_down[0] = true;
	fake_cut(0);
	pass(10);
	assert_int_equal(node->shard_count, 4);
	for (int i = 0; i < 4; i++)
		assert_null(node->shards[i].link);
}

/* Source ports arrive changed: the right shards are found by trying, not for ever. */
static void
test_nat(void **state)
{
	int opened;

	(void) state;
	fake.shards = 4;
	fake.is_nat = true;
	session = open_session(1, (cql_session_options) {0});
	work(40);
	assert_in_range(fake.opened, 4, 2 * 4 + 2);
	opened = fake.opened;
	work(40);
	assert_true(fake.opened <= opened + 1);
}

static void
test_cap(void **state)
{
	(void) state;
	fake.shards = 8;
	session = open_session(3, (cql_session_options) {.max_connections = 5});
	for (int i = 0; i < 40; i++)
	{
		run(100);
		pass(60);
		assert_true(fake_open_count(-1) <= 5);
	}
	/* a share for every node */
	for (int i = 0; i < 3; i++)
		assert_in_range(fake_open_count(i), 1, 2);
}

/* The host grants no descriptors: the one that there is has to do. */
static void
test_no_descriptors(void **state)
{
	(void) state;
	cql_loop_grant_extra_fds(loop, 0);
	session = open_session(3, (cql_session_options) {0});
	work(10);
	assert_int_equal(fake.opened, 1);
	cql_loop_grant_extra_fds(loop, 1);
	work(10);
	assert_int_equal(fake.opened, 2);
}

static void
test_idle_close(void **state)
{
	(void) state;
	session = open_session(3, (cql_session_options) {.idle_timeout_ms = 10000});
	work(10);
	assert_int_equal(fake_open_count(-1), 3);
	pass(9000);
	assert_int_equal(fake_open_count(-1), 3);
	pass(2000);
	assert_int_equal(fake_open_count(-1), 0);
	run(1);
	assert_int_equal(fake_open_count(-1), 1);
}

static void
test_lifetime(void **state)
{
	cql_request *request;

	(void) state;
	session = open_session(1, (cql_session_options) {.max_lifetime_ms = 60000});
	run(1);
	pass(59000);
	run(1);
	assert_int_equal(fake.opened, 1);
	/* what is under way on an old one is waited for */
	fake.is_holding = true;
	request = submit(session, 1);
	turn(2);
	pass(2000);
	assert_int_equal(fake_open_count(-1), 1);
	fake_answer();
	turn(2);
	assert_true(cql_request_is_done(request));
	cql_request_free(request);
	assert_int_equal(fake_open_count(-1), 0);
	fake.is_holding = false;
	run(1);
	assert_int_equal(fake.opened, 2);
}

/* Nor does work that never pauses keep one. */
static void
test_lifetime_under_load(void **state)
{
	cql_request *requests[3];

	(void) state;
	session =
		open_session(1, (cql_session_options) {.max_lifetime_ms = 10000, .max_connections = 1});
	run(1);
	fake.is_holding = true;
	requests[0] = submit(session, 1);
	turn(2);
	pass(11000);
	assert_int_equal(fake.opened, 1);
	requests[1] = submit(session, 2);
	pass(100);
	pass(100);
	assert_int_equal(fake_open_count(-1), 2);
	requests[2] = submit(session, 3);
	turn(2);
	assert_int_equal(fake.sockets->held_count, 1);
	assert_int_equal(fake.sockets->next->held_count, 2);
	fake_answer();
	turn(2);
	assert_int_equal(fake_open_count(-1), 1);
	assert_int_equal(fake.opened, 2);
	for (size_t i = 0; i < LENGTH_OF(requests); i++)
	{
		assert_true(cql_request_is_done(requests[i]));
		cql_request_free(requests[i]);
	}
}

/* A node that fails is left alone for longer each time, up to ten seconds, give or take 15 %. */
static void
test_back_off(void **state)
{
	const cql_node *node;
	uint64_t expected_ms = 50;

	(void) state;
	session = open_session(3, (cql_session_options) {0});
	node = session->topology.nodes[2];
	fake.is_down[2] = true;
	for (uint32_t failures = 1; failures <= 12; failures++)
	{
		while (node->failures < failures)
		{
			int tries = fake.opened_at_node[2];

			run(20);
			pass(10);
			assert_in_range(fake.opened_at_node[2], tries, tries + 1);
			if (node->failures == failures)
				break;
			/* nothing before its time */
			if (fake.opened_at_node[2] == tries && cql_net_now_ms() < node->retry_at_ms)
				fake.now_us = (node->retry_at_ms - 1) * 1000;
		}
		assert_in_range(node->retry_at_ms - cql_net_now_ms(), expected_ms * 85 / 100 - 11,
						expected_ms * 115 / 100);
		expected_ms = expected_ms * 2 < 10000 ? expected_ms * 2 : 10000;
	}
	fake.is_down[2] = false;
	pass(12000);
	work(3);
	assert_int_equal(node->failures, 0);
	assert_int_equal(fake_open_count(2), 1);
}

/* Reads in flight on a node that dies are asked elsewhere; one that may not be repeated fails. */
static void
test_death(void **state)
{
	cql_request *requests[30];
	cql_result *result;
	cql_error error;

	(void) state;
	session = open_session(3, (cql_session_options) {.max_retries = 2});
	work(10);
	fake.is_holding = true;
	for (uint64_t i = 0; i < LENGTH_OF(requests); i++)
		requests[i] = submit(session, i);
	turn(2);
	fake.is_down[1] = true;
	fake_cut(1);
	fake.is_holding = false;
	turn(5);
	for (size_t i = 0; i < LENGTH_OF(requests); i++)
	{
		assert_int_equal(cql_request_take_result(requests[i], &result, &error), CQL_OK);
		assert_string_not_equal(cql_result_node(result), "127.0.0.2:9042");
		cql_result_free(result);
		cql_request_free(requests[i]);
	}
	assert_int_equal(fake_open_count(1), 0);
}

static bool
is_down(int node)
{
	return cql_session_is_down(session, session->topology.nodes[node]->host_id);
}

/* Whether a node lives that nobody works with is found out by one attempt. */
static void
test_try_node(void **state)
{
	const uint8_t *hosts[3];

	(void) state;
	session = open_session(3, (cql_session_options) {0});
	for (int i = 0; i < 3; i++)
		hosts[i] = session->topology.nodes[i]->host_id;
	run(1);
	fake.is_down[2] = true;
	for (int i = 0; i < 3; i++)
		assert_false(is_down(i));
	for (int i = 0; i < 3; i++)
		cql_session_try_node(session, hosts[i]);
	pass(60);
	pass(60);
	assert_int_equal(fake.opened, 3);
	assert_false(is_down(0));
	assert_false(is_down(1));
	assert_true(is_down(2));
	assert_int_equal(fake_open_count(1), 1);
}

/* An event of the listener. */
static void
tell(const char *change, int node)
{
	cql_conn_event event = {0};
	cql_writer writer;
	size_t len;

	cql_writer_init(&writer);
	cql_write_string(&writer, "STATUS_CHANGE");
	cql_write_string(&writer, change);
	for (int i = 0; i < 5; i++)
		cql_write_byte(&writer, (uint8_t[]) {4, 127, 0, 0, (uint8_t) (node + 1)}[i]);
	cql_write_int(&writer, 9042);
	event.body = cql_writer_take(&writer, &len);
	event.body_len = (uint32_t) len;
	cql_topology_take_event(session, &event, cql_net_now_ms());
}

/* What others have heard of a node counts where there is no link to it. */
static void
test_status_events(void **state)
{
	const cql_node *unused;

	(void) state;
	session = open_session(3, (cql_session_options) {0});
	run(1);
	assert_int_equal(fake_open_count(0), 1);
	unused = session->topology.nodes[2];
	tell("DOWN", 0);
	assert_false(is_down(0));
	tell("DOWN", 2);
	tell("DOWN", 2);
	assert_true(is_down(2));
	assert_true(unused->retry_at_ms > cql_net_now_ms());
	tell("UP", 2);
	assert_false(is_down(2));
	assert_int_equal(unused->retry_at_ms, 0);
	tell("DOWN", 7);
}

/* One contact point says nothing: the next is tried while the first still has its time. */
static void
test_mute_contact_point(void **state)
{
	cql_request *request;
	cql_result *result;
	cql_error error;

	(void) state;
	session = open_session(3, (cql_session_options) {0});
	fake.is_mute[0] = true;
	request = submit(session, 1);
	turn(3);
	assert_int_equal(fake.opened, 1);
	pass(CONNECT_TIMEOUT_MS / 8 + 1);
	turn(3);
	assert_int_equal(fake.opened, 2);
	assert_int_equal(cql_request_take_result(request, &result, &error), CQL_OK);
	cql_result_free(result);
	cql_request_free(request);
}

/* Who may not leave a data center that is down fails, and nobody else who waits. */
static void
test_local_requests_fail_alone(void **state)
{
	cql_request_spec spec = {.statement = &cluster_statement};
	cql_consistency consistencies[] = {CQL_CONSISTENCY_LOCAL_QUORUM, CQL_CONSISTENCY_QUORUM,
									   CQL_CONSISTENCY_LOCAL_QUORUM, CQL_CONSISTENCY_QUORUM};
	cql_request *requests[LENGTH_OF(consistencies)];
	cql_error error;

	(void) state;
	session = open_session(2, (cql_session_options) {0});
	session->topology.nodes[1]->place.dc = 1;
	fake.is_down[0] = true;
	for (size_t i = 0; i < LENGTH_OF(requests); i++)
	{
		spec.consistency = consistencies[i];
		requests[i] = cluster_submit(session, &spec);
	}
	turn(10);
	for (size_t i = 0; i < LENGTH_OF(requests); i++)
	{
		cql_result *result;
		cql_status status = cql_request_take_result(requests[i], &result, &error);

		assert_int_equal(status, consistencies[i] == CQL_CONSISTENCY_QUORUM ? CQL_OK : CQL_FAILED);
		if (status == CQL_OK)
			cql_result_free(result);
		else
			assert_int_equal(error.kind, CQL_ERROR_UNREACHABLE);
		cql_request_free(requests[i]);
	}
	assert_int_equal(fake.answered[1], 2);
}

/* Many backends that do the same at the same time do not open their links at the same time. */
static void
test_storm(void **state)
{
	cql_session *sessions[SESSIONS];
	int first = 0;
	int most = 0;

	(void) state;
	for (int i = 0; i < SESSIONS; i++)
	{
		sessions[i] = open_session(3, (cql_session_options) {0});
		fake.now_us++;
	}
	for (uint64_t i = 0; i < 150; i++)
	{
		cql_request *requests[SESSIONS];

		for (int j = 0; j < SESSIONS; j++)
			requests[j] = submit(sessions[j], i);
		turn(6);
		for (int j = 0; j < SESSIONS; j++)
		{
			assert_true(cql_request_is_done(requests[j]));
			cql_request_free(requests[j]);
		}
		if (i == 0)
			assert_int_equal(fake.opened, SESSIONS);
	}
	/* one each and hardly more, however much they would like */
	assert_in_range(fake.opened, SESSIONS, SESSIONS + SESSIONS / 10);
	for (int ms = 0; ms < 60; ms++)
		pass(1);
	assert_in_range(fake.opened, 2 * SESSIONS, 3 * SESSIONS);
	for (int i = SESSIONS; i < fake.opened; i++)
	{
		while (fake.opened_ms[i] - fake.opened_ms[first] >= 5 || first < SESSIONS)
			first++;
		most = i - first + 1 > most ? i - first + 1 : most;
	}
	/* five of fifty milliseconds have a tenth of them, and not much more */
	assert_true(most < (fake.opened - SESSIONS) / 5);
	for (int i = 0; i < SESSIONS; i++)
		cql_session_free(sessions[i]);
}

/* Bytes that wake who waits on the only link, once the server has the requests. */
static size_t
bytes_that_wake(void)
{
	turn(1);
	assert_int_equal(fake_open_count(-1), 1);
	return fake.sockets->low_water;
}

static void
test_answers_are_gathered(void **state)
{
	cql_request *requests[48];
	const size_t answer_len = 13;

	(void) state;
	session = open_session(1, (cql_session_options) {0});
	run(1);
	fake.is_holding = true;
	for (int i = 0; i < 40; i++)
		requests[i] = submit(session, (uint64_t) i);
	cql_loop_gather(loop, 8);
	assert_int_equal(bytes_that_wake(), 40 / 8 * answer_len);
	for (int i = 40; i < 48; i++)
		requests[i] = submit(session, (uint64_t) i);
	assert_int_equal(bytes_that_wake(), 48 / 8 * answer_len);
	/* What nobody waits for any more may never come. */
	for (int i = 4; i < 48; i++)
		cql_request_free(requests[i]);
	assert_int_equal(bytes_that_wake(), 1);
	for (int i = 4; i < 20; i++)
		requests[i] = submit(session, (uint64_t) i);
	assert_int_equal(bytes_that_wake(), 20 / 8 * answer_len);
	cql_loop_gather(loop, 0);
	assert_int_equal(bytes_that_wake(), 1);
	cql_loop_gather(loop, 8);
	fake_answer();
	assert_int_equal(bytes_that_wake(), 1);
	for (int i = 0; i < 20; i++)
	{
		assert_true(cql_request_is_done(requests[i]));
		cql_request_free(requests[i]);
	}
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_few_requests_open_one),
		TEST(test_nothing_is_due_when_nobody_waits),
		TEST(test_work_opens_one_a_node),
		TEST(test_shards_by_source_port),
		TEST(test_closed_shard_port),
		TEST(test_shard_port_after_a_restart),
		TEST(test_no_memory_for_other_shards),
		TEST(test_nat),
		TEST(test_cap),
		TEST(test_no_descriptors),
		TEST(test_idle_close),
		TEST(test_lifetime),
		TEST(test_lifetime_under_load),
		TEST(test_back_off),
		TEST(test_death),
		TEST(test_try_node),
		TEST(test_status_events),
		TEST(test_mute_contact_point),
		TEST(test_local_requests_fail_alone),
		TEST(test_answers_are_gathered),
		TEST(test_storm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
