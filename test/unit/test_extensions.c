/*
 * ScyllaDB's extensions on a connection: what is asked for of that which is offered, frames in the
 * form that this peer takes, and events.
 */
#include "peer.h"

static const cql_conn_options no_user = {.handshake_deadline_ms = 5000};

/* A SUPPORTED body; pairs end with NULL. */
static size_t
put_supported(uint8_t *out, size_t size, const char *const *pairs)
{
	cql_writer writer;
	uint16_t count = 0;
	size_t len;

	cql_writer_init(&writer);
	cql_write_short(&writer, 0);
	for (; pairs[0] != NULL; pairs += 2, count++)
	{
		cql_write_string(&writer, pairs[0]);
		cql_write_short(&writer, 1);
		cql_write_string(&writer, pairs[1]);
	}
	assert_false(writer.failed);
	assert_true(writer.len <= size);
	memcpy(out, writer.data, writer.len);
	cql_put_u16(out, count);
	len = writer.len;
	cql_writer_cleanup(&writer);
	return len;
}

/* Shake hands with such a peer; the STARTUP that it got, and its length. */
static size_t
shake_hands(cql_conn *conn, const char *const *pairs, uint8_t *startup, size_t size)
{
	uint8_t body[1024];
	size_t body_len = put_supported(body, sizeof body, pairs);
	size_t len;

	assert_true(cql_conn_init(conn, "n", &no_user));
	cql_conn_start(conn);
	drain(conn, startup, size);
	answer(conn, stream_of(startup), CQL_OPCODE_SUPPORTED, body, body_len, 100);
	len = drain(conn, startup, size);
	assert_int_equal(startup[4], CQL_OPCODE_STARTUP);
	answer(conn, stream_of(startup), CQL_OPCODE_READY, NULL, 0, 100);
	assert_int_equal(conn->state, CQL_CONN_READY);
	return len;
}

static void
finish(cql_conn *conn)
{
	cql_conn_close(conn, CQL_ERROR_LOST, "over");
	while (cql_conn_take_done(conn) != NULL)
		continue;
	cql_conn_cleanup(conn);
}

static const char *const scylla[] = {"SCYLLA_LWT_ADD_METADATA_MARK",
									 "LWT_OPTIMIZATION_META_BIT_MASK=2147483648",
									 "SCYLLA_RATE_LIMIT_ERROR",
									 "ERROR_CODE=61440",
									 "TABLETS_ROUTING_V1",
									 "",
									 "SCYLLA_USE_METADATA_ID",
									 "",
									 NULL};
static const char *const cassandra[] = {"CQL_VERSION", "3.4.7", NULL};

static bool
names(const uint8_t *bytes, size_t len, const char *text)
{
	return memmem(bytes, len, text, strlen(text)) != NULL;
}

static void
what_is_offered_is_asked_for(void **state)
{
	cql_conn conn;
	uint8_t startup[512];

	(void) state;
	for (int i = 0; i < 2; i++)
	{
		bool is_scylla = i == 0;
		size_t len = shake_hands(&conn, is_scylla ? scylla : cassandra, startup, sizeof startup);

		for (int j = 0; scylla[j] != NULL; j += 2)
			assert_int_equal(names(startup, len, scylla[j]), is_scylla);
		assert_int_equal(names(startup, len, "LWT_OPTIMIZATION_META_BIT_MASK=2147483648"),
						 is_scylla);
		finish(&conn);
	}
}

/* The same exchange on one connection after the other, as when it is sent again elsewhere. */
static void
metadata_id_goes_to_those_who_know_it(void **state)
{
	static const char with[] = "\0\2id\0\4meta\0\1\2";
	static const char without[] = "\0\2id\0\1\0";
	const cql_query_parameters parameters = {.consistency = 1};
	const char *const *peers[] = {cassandra, scylla, cassandra, cassandra, scylla};
	cql_exchange exchange = {0};
	cql_writer writer;

	(void) state;
	cql_writer_init(&writer);
	cql_write_execute(&writer, (cql_view) {"id", 2}, (cql_view) {"meta", 4}, &parameters, 0);
	exchange.frame = cql_writer_take(&writer, &exchange.frame_len);
	for (size_t i = 0; i < LENGTH_OF(peers); i++)
	{
		bool is_scylla = peers[i] == scylla;
		const char *body = is_scylla ? with : without;
		size_t body_len = is_scylla ? sizeof with - 1 : sizeof without - 1;
		cql_conn conn;
		uint8_t out[512];

		shake_hands(&conn, peers[i], out, sizeof out);
		assert_true(cql_conn_submit(&conn, &exchange, 1000));
		assert_int_equal(conn.queued_bytes, 9 + body_len);
		assert_int_equal(drain(&conn, out, sizeof out), 9 + body_len);
		assert_int_equal(stream_of(out), exchange.stream);
		assert_int_equal(cql_get_u32(out + 5), body_len);
		assert_memory_equal(out + 9, body, body_len);
		/* an answer, a loss, a time-out, given up: the frame is whole again after each */
		if (i == 0)
			answer(&conn, exchange.stream, CQL_OPCODE_RESULT, NULL, 0, 100);
		else if (i == 2)
			cql_conn_abandon(&conn, &exchange);
		else if (i == 3)
			cql_conn_expire(&conn, 1000);
		finish(&conn);
		assert_memory_equal(exchange.frame + 9, with, sizeof with - 1);
	}
	cql_exchange_cleanup(&exchange);
}

/* Begun and left: the rest of the bytes is the connection's own, the exchange may go elsewhere. */
static void
rest_of_a_frame_is_sent_by_the_connection(void **state)
{
	const cql_query_parameters parameters = {.consistency = 1};
	cql_exchange exchange = {0};
	cql_writer writer;
	cql_conn conn;
	uint8_t out[512];

	(void) state;
	shake_hands(&conn, cassandra, out, sizeof out);
	cql_writer_init(&writer);
	cql_write_execute(&writer, (cql_view) {"id", 2}, (cql_view) {"meta", 4}, &parameters, 0);
	exchange.frame = cql_writer_take(&writer, &exchange.frame_len);
	assert_true(cql_conn_submit(&conn, &exchange, 1000));
	cql_conn_sent(&conn, 10);
	cql_conn_expire(&conn, 1000);
	assert_int_equal(conn.state, CQL_CONN_CLOSED); /* what is due cannot be written any more */
	finish(&conn);

	shake_hands(&conn, cassandra, out, sizeof out);
	assert_true(cql_conn_submit(&conn, &exchange, 1000));
	cql_conn_sent(&conn, 10);
	cql_conn_abandon(&conn, &exchange);
	cql_exchange_cleanup(&exchange);
	assert_int_equal(conn.queued_bytes, 6);
	assert_int_equal(drain(&conn, out, sizeof out), 6);
	assert_memory_equal(out, "\2id\0\1\0", 6);
	assert_int_equal(conn.queued_bytes, 0);
	finish(&conn);
}

static void
events_are_kept_for_who_wants_them(void **state)
{
	static const char bodies[][4] = {"one", "two"};
	cql_conn_event event;
	cql_conn conn;
	uint8_t out[512];

	(void) state;
	shake_hands(&conn, cassandra, out, sizeof out);
	answer(&conn, -1, CQL_OPCODE_EVENT, "unwanted", 8, 3);
	assert_false(cql_conn_take_event(&conn, &event));
	conn.takes_events = true;
	for (size_t piece = 1; piece < 20; piece++)
	{
		answer(&conn, -1, CQL_OPCODE_EVENT, bodies[0], 3, piece);
		answer(&conn, -1, CQL_OPCODE_EVENT, bodies[1], 3, piece);
		for (int i = 0; i < 2; i++)
		{
			assert_true(cql_conn_take_event(&conn, &event));
			assert_int_equal(event.body_len, 3);
			assert_memory_equal(event.body, bodies[i], 3);
			cql_release(event.body);
		}
		assert_false(cql_conn_take_event(&conn, &event));
	}
	/* one that nobody takes is no leak */
	answer(&conn, -1, CQL_OPCODE_EVENT, bodies[0], 3, 100);
	finish(&conn);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_offered_is_asked_for),
		cmocka_unit_test(metadata_id_goes_to_those_who_know_it),
		cmocka_unit_test(rest_of_a_frame_is_sent_by_the_connection),
		cmocka_unit_test(events_are_kept_for_who_wants_them),
	};

	return cmocka_run_group_tests_name("extensions", tests, NULL, NULL);
}
