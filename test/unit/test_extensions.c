/*
 * ScyllaDB's extensions on a connection: what is asked for of that which is offered, frames in the
 * form that this peer takes, events, and compression.
 */
#include "golden.h"
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
		/* an answer, a loss, a time-out, given up: the next one gets its own form after each */
		if (i == 0)
			answer(&conn, exchange.stream, CQL_OPCODE_RESULT, NULL, 0, 100);
		else if (i == 2)
			cql_conn_abandon(&conn, &exchange);
		else if (i == 3)
			cql_conn_expire(&conn, 1000);
		finish(&conn);
	}
	cql_exchange_restore(&exchange);
	assert_memory_equal(exchange.frame + 9, with, sizeof with - 1);
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

/* ---- compression ---- */

static const cql_conn_options with_lz4 = {.compression = CQL_COMPRESSION_LZ4,
										  .handshake_deadline_ms = 5000};
static const char *const lz4[] = {"COMPRESSION", "lz4", NULL};

/* Feed a recorded frame as the answer on a stream. */
static void
answer_as_recorded(cql_conn *conn, const golden *frame, int stream, size_t piece)
{
	uint8_t *copy = exact_copy(frame->frame, frame->len);

	cql_frame_set_stream(copy, (int16_t) stream);
	feed_in_pieces(conn, copy, frame->len, piece);
	free(copy);
}

/* Up to READY, which comes compressed too; false when memory was out. */
static bool
agree_on_lz4(cql_conn *conn)
{
	static const char body[] = "\0\1\0\013COMPRESSION\0\2\0\6snappy\0\3lz4";
	uint8_t startup[512];
	size_t len;

	if (!cql_conn_init(conn, "n", &with_lz4))
		return false;
	cql_conn_start(conn);
	if (drain(conn, startup, sizeof startup) == 0)
		return false;
	answer(conn, stream_of(startup), CQL_OPCODE_SUPPORTED, body, sizeof body - 1, 100);
	len = drain(conn, startup, sizeof startup);
	if (len == 0)
		return false;
	assert_true(names(startup, len, "COMPRESSION"));
	answer_as_recorded(conn, find_golden_frame("ready_lz4"), stream_of(startup), 1);
	return conn->state == CQL_CONN_READY;
}

static void
compression_is_agreed_upon(void **state)
{
	cql_conn conn;
	uint8_t startup[512];
	size_t len;

	(void) state;
	assert_true(agree_on_lz4(&conn));
	assert_true(conn.has_compression);
	finish(&conn);
	/* offered but not asked */
	len = shake_hands(&conn, lz4, startup, sizeof startup);
	assert_false(names(startup, len, "COMPRESSION"));
	assert_false(conn.has_compression);
	finish(&conn);
}

/* However long it is: the server does not know yet that it has to unpack. */
static void
startup_is_not_compressed(void **state)
{
	static const char body[] = "\0\1\0\013COMPRESSION\0\1\0\3lz4";
	char name[601];
	cql_conn_options options = with_lz4;
	cql_conn conn;
	uint8_t sent[1024];

	(void) state;
	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	options.application_name = name;
	assert_true(cql_conn_init(&conn, "n", &options));
	cql_conn_start(&conn);
	assert_int_equal(drain(&conn, sent, sizeof sent), 9);
	answer(&conn, stream_of(sent), CQL_OPCODE_SUPPORTED, body, sizeof body - 1, 100);
	assert_true(drain(&conn, sent, sizeof sent) > 600);
	assert_int_equal(sent[4], CQL_OPCODE_STARTUP);
	assert_int_equal(sent[1], 0);
	finish(&conn);
}

static void
make_query(cql_exchange *exchange, size_t text_len)
{
	const cql_query_parameters parameters = {.consistency = 1};
	char *text = malloc(text_len + 1);
	cql_writer writer;

	memset(text, 'x', text_len);
	text[text_len] = '\0';
	cql_writer_init(&writer);
	cql_write_query(&writer, text, &parameters, 0);
	memset(exchange, 0, sizeof *exchange);
	exchange->frame = cql_writer_take(&writer, &exchange->frame_len);
	free(text);
}

static void
compressed_answers_are_unpacked(void **state)
{
	const golden *frame = find_golden_frame("rows_lz4");
	char *unpacked = find_fact(frame, "unpacked", 0);
	uint8_t out[512];

	(void) state;
	for (size_t piece = 1; piece < 700; piece += piece < 20 ? 1 : 97)
	{
		cql_conn conn;
		cql_exchange exchange;
		cql_exchange given_up;

		assert_true(agree_on_lz4(&conn));
		make_query(&exchange, 10);
		make_query(&given_up, 10);
		assert_true(cql_conn_submit(&conn, &exchange, 1000));
		assert_true(cql_conn_submit(&conn, &given_up, 1000));
		drain(&conn, out, sizeof out);
		cql_conn_abandon(&conn, &given_up);
		answer_as_recorded(&conn, frame, given_up.stream, piece);
		answer_as_recorded(&conn, frame, exchange.stream, piece);
		assert_ptr_equal(cql_conn_take_done(&conn), &exchange);
		assert_int_equal(exchange.state, CQL_EXCHANGE_ANSWERED);
		assert_int_equal(exchange.header.flags, 0);
		assert_int_equal(exchange.header.body_len, strtoul(unpacked, NULL, 10));
		assert_memory_equal(exchange.body, "\0\0\0\2", 4);
		assert_int_equal(conn.streams.orphan_count, 0);
		cql_exchange_cleanup(&exchange);
		cql_exchange_cleanup(&given_up);
		finish(&conn);
	}
	free(unpacked);
}

/* Whatever is compressed wrongly ends the connection, once. */
static void
malformed_compression_ends_the_connection(void **state)
{
	static const char *const bodies[] = {
		"", "\0", "\0\0\0", "\0\0\0\1", "\0\0\0\2\x10x", "\x7f\xff\xff\xff\x10x"};
	static const size_t lens[] = {0, 1, 3, 4, 6, 6};
	uint8_t out[512];

	(void) state;
	for (size_t i = 0; i < LENGTH_OF(bodies); i++)
	{
		cql_conn conn;
		cql_exchange exchange;
		uint8_t frame[32];
		size_t len;

		assert_true(agree_on_lz4(&conn));
		make_query(&exchange, 10);
		assert_true(cql_conn_submit(&conn, &exchange, 1000));
		drain(&conn, out, sizeof out);
		len = put_frame(frame, exchange.stream, CQL_OPCODE_RESULT, bodies[i], lens[i]);
		frame[1] = CQL_FLAG_COMPRESSED;
		feed_in_pieces(&conn, frame, len, 2);
		assert_int_equal(conn.state, CQL_CONN_CLOSED);
		assert_int_equal(conn.error.kind, CQL_ERROR_PROTOCOL);
		assert_non_null(strstr(conn.error.message, "compressed"));
		assert_ptr_equal(cql_conn_take_done(&conn), &exchange);
		assert_int_equal(exchange.state, CQL_EXCHANGE_LOST);
		cql_exchange_cleanup(&exchange);
		finish(&conn);
	}
}

/* Large requests leave compressed, and go plain to a peer that knows no lz4. */
static void
large_requests_are_compressed(void **state)
{
	cql_conn conn;
	cql_exchange exchange;
	uint8_t out[4096];
	size_t len;

	(void) state;
	make_query(&exchange, 2000);
	assert_true(agree_on_lz4(&conn));
	assert_true(cql_conn_submit(&conn, &exchange, 1000));
	len = drain(&conn, out, sizeof out);
	assert_true(len < 200);
	assert_int_equal(out[1], CQL_FLAG_COMPRESSED);
	assert_int_equal(stream_of(out), exchange.stream);
	cql_conn_abandon(&conn, &exchange);
	finish(&conn);

	shake_hands(&conn, cassandra, out, sizeof out);
	assert_true(cql_conn_submit(&conn, &exchange, 1000));
	assert_int_equal(drain(&conn, out, sizeof out), exchange.frame_len);
	assert_int_equal(out[1], 0);
	cql_conn_abandon(&conn, &exchange);
	cql_exchange_cleanup(&exchange);
	finish(&conn);
}

static bool
read_compressed(void *argument)
{
	const golden *frame = argument;
	cql_conn conn = {.state = CQL_CONN_CLOSED};
	cql_exchange exchange = {0};
	cql_writer writer;
	uint8_t out[512];
	bool is_answered = false;

	cql_writer_init(&writer);
	cql_write_options(&writer);
	exchange.frame = cql_writer_take(&writer, &exchange.frame_len);
	if (exchange.frame != NULL && agree_on_lz4(&conn) && cql_conn_submit(&conn, &exchange, 1000))
	{
		drain(&conn, out, sizeof out);
		answer_as_recorded(&conn, frame, exchange.stream, 10000);
		assert_ptr_equal(cql_conn_take_done(&conn), &exchange);
		is_answered = exchange.state == CQL_EXCHANGE_ANSWERED;
		/* An answer without room costs the request, not the connection. */
		assert_int_equal(conn.state, CQL_CONN_READY);
		assert_int_equal(conn.streams.orphan_count, 0);
	}
	cql_exchange_cleanup(&exchange);
	finish(&conn);
	return is_answered;
}

static void
each_failing_allocation_is_survived(void **state)
{
	(void) state;
	fail_each_allocation(read_compressed, (void *) find_golden_frame("rows_lz4"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compression_is_agreed_upon),
		cmocka_unit_test(startup_is_not_compressed),
		cmocka_unit_test(compressed_answers_are_unpacked),
		cmocka_unit_test(malformed_compression_ends_the_connection),
		cmocka_unit_test(large_requests_are_compressed),
		cmocka_unit_test(each_failing_allocation_is_survived),
		cmocka_unit_test(what_is_offered_is_asked_for),
		cmocka_unit_test(metadata_id_goes_to_those_who_know_it),
		cmocka_unit_test(rest_of_a_frame_is_sent_by_the_connection),
		cmocka_unit_test(events_are_kept_for_who_wants_them),
	};

	return cmocka_run_group_tests_name("extensions", tests, load_golden_frames, free_golden_frames);
}
