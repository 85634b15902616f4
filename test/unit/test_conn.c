/*
 * The connection as a state machine: bytes in, bytes out, a clock that the test sets. Answers are
 * written by hand here, never by the driver's own encoder.
 */
#include "peer.h"

#include <malloc.h>

static const cql_conn_options no_user = {.handshake_deadline_ms = 5000};
static const cql_conn_options with_user = {.user = "anna",
										   .password = "geheim",
										   .application_name = "test",
										   .handshake_deadline_ms = 5000};

/* Bring a new connection to READY without a password. */
static void
make_ready(cql_conn *conn, size_t piece)
{
	uint8_t sent[512];

	assert_true(cql_conn_init(conn, "127.0.0.1:9042", &no_user));
	cql_conn_start(conn);
	assert_int_equal(drain(conn, sent, sizeof sent), 9);
	assert_int_equal(sent[4], CQL_OPCODE_OPTIONS);
	answer(conn, stream_of(sent), CQL_OPCODE_SUPPORTED, supported_body, sizeof supported_body,
		   piece);
	assert_true(drain(conn, sent, sizeof sent) > 9);
	assert_int_equal(sent[4], CQL_OPCODE_STARTUP);
	answer(conn, stream_of(sent), CQL_OPCODE_READY, NULL, 0, piece);
	assert_int_equal(conn->state, CQL_CONN_READY);
}

/* ---- requests ---- */

/* An exchange with a frame of len bytes in all. */
static void
make_exchange(cql_exchange *exchange, size_t len)
{
	memset(exchange, 0, sizeof *exchange);
	exchange->frame = cql_alloc_zero(len);
	exchange->frame_len = len;
	exchange->frame[0] = 0x04;
	exchange->frame[4] = CQL_OPCODE_QUERY;
}

static void
submit(cql_conn *conn, cql_exchange *exchange, uint64_t deadline_ms)
{
	make_exchange(exchange, 32);
	assert_true(cql_conn_submit(conn, exchange, deadline_ms));
}

/* Let the connection go as its owner does. */
static void
finish(cql_conn *conn, cql_exchange **exchanges, int count)
{
	cql_conn_close(conn, CQL_ERROR_LOST, "over");
	while (cql_conn_take_done(conn) != NULL)
		continue;
	for (int i = 0; i < count; i++)
		cql_exchange_cleanup(exchanges[i]);
	cql_conn_cleanup(conn);
}

/* ---- the handshake ---- */

static void
test_handshake_without_password(void **state)
{
	(void) state;
	for (size_t piece = 1; piece < 64; piece++)
	{
		cql_conn conn;

		make_ready(&conn, piece);
		assert_string_equal(conn.supported.cql_version, "3.4.7");
		assert_false(conn.has_password_been_asked);
		assert_false(conn.supported.is_scylla);
		finish(&conn, NULL, 0);
	}
}

static void
start_with_user(cql_conn *conn, const cql_conn_options *options, const char *authenticator,
				uint8_t *sent, size_t size)
{
	uint8_t body[128];
	size_t len = strlen(authenticator);

	assert_true(cql_conn_init(conn, "127.0.0.1:9042", options));
	cql_conn_start(conn);
	drain(conn, sent, size);
	answer(conn, stream_of(sent), CQL_OPCODE_SUPPORTED, supported_body, sizeof supported_body,
		   1000);
	drain(conn, sent, size);
	body[0] = 0;
	body[1] = (uint8_t) len;
	memcpy(body + 2, authenticator, len);
	answer(conn, stream_of(sent), CQL_OPCODE_AUTHENTICATE, body, len + 2, 1000);
}

static void
test_handshake_with_password(void **state)
{
	static const char token[] = "\0anna\0geheim";
	cql_conn conn;
	uint8_t sent[512];
	size_t len;

	(void) state;
	start_with_user(&conn, &with_user, "org.apache.cassandra.auth.PasswordAuthenticator", sent,
					sizeof sent);
	assert_int_equal(conn.state, CQL_CONN_AUTH);
	assert_true(conn.has_password_been_asked);
	len = drain(&conn, sent, sizeof sent);
	assert_int_equal(len, 9 + 4 + sizeof token - 1);
	assert_int_equal(sent[4], CQL_OPCODE_AUTH_RESPONSE);
	assert_memory_equal(sent + 13, token, sizeof token - 1);
	answer(&conn, stream_of(sent), CQL_OPCODE_AUTH_SUCCESS, "\xff\xff\xff\xff", 4, 1);
	assert_int_equal(conn.state, CQL_CONN_READY);
	finish(&conn, NULL, 0);
}

static int leaked_passwords;

static void
watching_release(void *block)
{
	leaked_passwords += memmem(block, malloc_usable_size(block), "geheim", 6) != NULL;
	free(block);
}

/* Whether the server accepts it, or never answers. */
static void
test_password_leaves_no_trace(void **state)
{
	static const cql_mem mem = {.alloc = malloc, .resize = realloc, .release = watching_release};
	cql_conn conn;
	uint8_t sent[512];

	(void) state;
	cql_mem_set(&mem);
	leaked_passwords = 0;
	for (int is_answered = 0; is_answered < 2; is_answered++)
	{
		start_with_user(&conn, &with_user, "PasswordAuthenticator", sent, sizeof sent);
		assert_true(drain(&conn, sent, sizeof sent) > 9);
		assert_int_equal(sent[4], CQL_OPCODE_AUTH_RESPONSE);
		if (is_answered)
			answer(&conn, stream_of(sent), CQL_OPCODE_AUTH_SUCCESS, "\xff\xff\xff\xff", 4, 9);
		finish(&conn, NULL, 0);
	}
	cql_mem_set(NULL);
	assert_int_equal(leaked_passwords, 0);
}

/* Passwords may be tokens of some kilobytes. A compressed copy would stay in memory. */
static void
test_long_password_is_not_compressed(void **state)
{
	static const uint8_t supported[] = {0,   1,   0,   11,  'C', 'O', 'M', 'P', 'R', 'E', 'S',
										'S', 'I', 'O', 'N', 0,   1,   0,   3,   'l', 'z', '4'};
	char password[2000];
	cql_conn_options options = {.user = "anna",
								.password = password,
								.compression = CQL_COMPRESSION_LZ4,
								.handshake_deadline_ms = 5000};
	uint8_t sent[4096];
	cql_conn conn;

	(void) state;
	memset(password, 'x', sizeof password - 1);
	password[sizeof password - 1] = '\0';
	assert_true(cql_conn_init(&conn, "n", &options));
	cql_conn_start(&conn);
	drain(&conn, sent, sizeof sent);
	answer(&conn, stream_of(sent), CQL_OPCODE_SUPPORTED, supported, sizeof supported, 1000);
	drain(&conn, sent, sizeof sent);
	assert_true(conn.has_compression);
	answer(&conn, stream_of(sent), CQL_OPCODE_AUTHENTICATE, "\0\25PasswordAuthenticator", 23, 1000);
	assert_int_equal(drain(&conn, sent, sizeof sent), 9 + 4 + 1 + 4 + 1 + sizeof password - 1);
	assert_int_equal(sent[4], CQL_OPCODE_AUTH_RESPONSE);
	assert_int_equal(sent[1], 0);
	finish(&conn, NULL, 0);
}

static void
test_password_goes_to_no_unknown_authenticator(void **state)
{
	cql_conn conn;
	uint8_t sent[512];

	(void) state;
	start_with_user(&conn, &with_user, "org.example.SendMeEverything", sent, sizeof sent);
	assert_int_equal(conn.state, CQL_CONN_CLOSED);
	assert_int_equal(conn.error.kind, CQL_ERROR_CREDENTIALS);
	assert_int_equal(drain(&conn, sent, sizeof sent), 0);
	finish(&conn, NULL, 0);
}

static void
test_password_is_asked_and_none_given(void **state)
{
	cql_conn conn;
	uint8_t sent[512];

	(void) state;
	start_with_user(&conn, &no_user, "org.apache.cassandra.auth.PasswordAuthenticator", sent,
					sizeof sent);
	assert_int_equal(conn.state, CQL_CONN_CLOSED);
	assert_int_equal(conn.error.kind, CQL_ERROR_CREDENTIALS);
	assert_true(conn.has_password_been_asked);
	finish(&conn, NULL, 0);
}

/* Before any request, and on every connection: the next one may be to another node. */
static void
test_password_must_be_asked_for(void **state)
{
	cql_conn_options options = with_user;
	cql_conn conn;
	uint8_t sent[512];

	(void) state;
	options.must_ask_password = true;
	assert_true(cql_conn_init(&conn, "n", &options));
	cql_conn_start(&conn);
	drain(&conn, sent, sizeof sent);
	answer(&conn, stream_of(sent), CQL_OPCODE_SUPPORTED, supported_body, sizeof supported_body,
		   1000);
	drain(&conn, sent, sizeof sent);
	answer(&conn, stream_of(sent), CQL_OPCODE_READY, NULL, 0, 9);
	assert_int_equal(conn.state, CQL_CONN_CLOSED);
	assert_int_equal(conn.error.kind, CQL_ERROR_NOT_ASKED);
	finish(&conn, NULL, 0);

	start_with_user(&conn, &options, "PasswordAuthenticator", sent, sizeof sent);
	drain(&conn, sent, sizeof sent);
	answer(&conn, stream_of(sent), CQL_OPCODE_AUTH_SUCCESS, "\xff\xff\xff\xff", 4, 9);
	assert_int_equal(conn.state, CQL_CONN_READY);
	finish(&conn, NULL, 0);
}

static void
test_bad_credentials(void **state)
{
	static const char body[] = "\x00\x00\x01\x00\x00\x05wrong";
	cql_conn conn;
	uint8_t sent[512];

	(void) state;
	start_with_user(&conn, &with_user, "PasswordAuthenticator", sent, sizeof sent);
	drain(&conn, sent, sizeof sent);
	answer(&conn, stream_of(sent), CQL_OPCODE_ERROR, body, sizeof body - 1, 3);
	assert_int_equal(conn.state, CQL_CONN_CLOSED);
	assert_int_equal(conn.error.kind, CQL_ERROR_SERVER);
	assert_int_equal(conn.error.server_code, CQL_SERVER_BAD_CREDENTIALS);
	assert_string_equal(conn.error.message, "wrong");
	assert_string_equal(conn.error.node, "127.0.0.1:9042");
	finish(&conn, NULL, 0);
}

static void
test_handshake_answers_out_of_place(void **state)
{
	static const uint8_t opcodes[] = {CQL_OPCODE_READY, CQL_OPCODE_RESULT, CQL_OPCODE_AUTH_SUCCESS,
									  CQL_OPCODE_AUTH_CHALLENGE};

	(void) state;
	for (size_t i = 0; i < sizeof opcodes; i++)
	{
		cql_conn conn;
		uint8_t sent[64];

		assert_true(cql_conn_init(&conn, "n", &no_user));
		cql_conn_start(&conn);
		drain(&conn, sent, sizeof sent);
		answer(&conn, stream_of(sent), opcodes[i], NULL, 0, 9);
		assert_int_equal(conn.state, CQL_CONN_CLOSED);
		assert_int_equal(conn.error.kind, CQL_ERROR_PROTOCOL);
		finish(&conn, NULL, 0);
	}
}

static void
test_handshake_deadline(void **state)
{
	cql_conn conn;

	(void) state;
	assert_true(cql_conn_init(&conn, "n", &no_user));
	assert_int_equal(cql_conn_next_deadline(&conn), 5000);
	cql_conn_start(&conn);
	cql_conn_expire(&conn, 4999);
	assert_int_equal(conn.state, CQL_CONN_OPTIONS);
	cql_conn_expire(&conn, 5000);
	assert_int_equal(conn.state, CQL_CONN_CLOSED);
	assert_int_equal(conn.error.kind, CQL_ERROR_UNREACHABLE);
	finish(&conn, NULL, 0);
}

/* ---- a peer that is none ---- */

static void
expect_refusal(const char *bytes, size_t len, const char *words)
{
	cql_conn conn;

	make_ready(&conn, 100);
	feed_in_pieces(&conn, bytes, len, len);
	assert_int_equal(conn.state, CQL_CONN_CLOSED);
	assert_int_equal(conn.error.kind, CQL_ERROR_PROTOCOL);
	assert_non_null(strstr(conn.error.message, words));
	finish(&conn, NULL, 0);
}

static void
test_garbage(void **state)
{
	(void) state;
	expect_refusal("HTTP/1.1 400 Bad Request\r\n", 26, "does not speak CQL");
	expect_refusal("H", 1, "does not speak CQL");
	expect_refusal("\x15\x03\x03\x00\x02\x02\x46", 7, "TLS");
	expect_refusal("\x83\x00\x00\x00\x02\x00\x00\x00\x00", 9, "version 3");
	expect_refusal("\x84\x00\x00\x00\x07\x00\x00\x00\x00", 9, "opcode");
	expect_refusal("\x84\x00\x00\x00\x02\xff\xff\xff\xff", 9, "more than the protocol allows");
	expect_refusal("\x84\x00\x00\x09\x02\x00\x00\x00\x00", 9, "stream 9");
	expect_refusal("\x84\x00\x7f\xff\x02\x00\x00\x00\x00", 9, "stream 32767");
}

static void
test_compressed_without_agreement(void **state)
{
	cql_conn conn;
	cql_exchange exchange;
	uint8_t sent[64];
	char frame[9] = {(char) 0x84, CQL_FLAG_COMPRESSED, 0, 0, CQL_OPCODE_RESULT, 0, 0, 0, 0};

	(void) state;
	make_ready(&conn, 100);
	submit(&conn, &exchange, 100);
	drain(&conn, sent, sizeof sent);
	frame[3] = (char) exchange.stream;
	feed_in_pieces(&conn, frame, sizeof frame, 9);
	assert_int_equal(conn.error.kind, CQL_ERROR_PROTOCOL);
	assert_ptr_equal(cql_conn_take_done(&conn), &exchange);
	assert_int_equal(exchange.state, CQL_EXCHANGE_LOST);
	finish(&conn, (cql_exchange *[]) {&exchange}, 1);
}

static void
test_events_are_passed_over(void **state)
{
	cql_conn conn;

	(void) state;
	make_ready(&conn, 100);
	answer(&conn, -1, CQL_OPCODE_EVENT,
		   "\x00\x03"
		   "abc",
		   5, 2);
	assert_int_equal(conn.state, CQL_CONN_READY);
	finish(&conn, NULL, 0);
}

/* ---- exchanges ---- */

static void
test_many_in_flight_answered_in_reverse(void **state)
{
	enum
	{
		COUNT = 1000
	};
	static cql_exchange exchanges[COUNT];
	static uint8_t sent[COUNT * 32];
	cql_exchange *all[COUNT];
	cql_conn conn;

	(void) state;
	make_ready(&conn, 100);
	for (int i = 0; i < COUNT; i++)
	{
		submit(&conn, &exchanges[i], 1000 + (uint64_t) i);
		all[i] = &exchanges[i];
	}
	assert_int_equal(cql_streams_in_flight(&conn.streams), COUNT);
	assert_int_equal(conn.queued_bytes, COUNT * 32);
	assert_int_equal(drain(&conn, sent, sizeof sent), COUNT * 32);
	assert_int_equal(conn.queued_bytes, 0);
	for (int i = COUNT - 1; i >= 0; i--)
	{
		uint8_t body[4];

		/* what was sent carries the stream id that the exchange was given */
		assert_int_equal(stream_of(sent + i * 32), exchanges[i].stream);
		cql_put_u32(body, (uint32_t) i);
		answer(&conn, exchanges[i].stream, CQL_OPCODE_RESULT, body, 4, 7);
		assert_ptr_equal(cql_conn_take_done(&conn), &exchanges[i]);
		assert_int_equal(exchanges[i].state, CQL_EXCHANGE_ANSWERED);
		assert_int_equal(cql_get_u32(exchanges[i].body), i);
	}
	assert_int_equal(cql_streams_in_flight(&conn.streams), 0);
	assert_int_equal(cql_conn_next_deadline(&conn), UINT64_MAX);
	finish(&conn, all, COUNT);
}

static void
test_large_body_in_pieces(void **state)
{
	static const size_t pieces[] = {1, 2, 8, 9, 10, 4095, 4096, 65535, 65536, 1000000};
	enum
	{
		LEN = 200003
	};
	uint8_t *body = malloc(LEN);

	(void) state;
	for (size_t i = 0; i < LEN; i++)
		body[i] = (uint8_t) (i * 7 + i / 251);
	for (size_t p = 0; p < sizeof pieces / sizeof pieces[0]; p++)
	{
		cql_conn conn;
		cql_exchange big;
		cql_exchange small;
		uint8_t sent[64];
		uint8_t *frames = malloc(LEN + 9 + 12);
		size_t len;

		make_ready(&conn, 100);
		submit(&conn, &big, 1000);
		submit(&conn, &small, 1000);
		drain(&conn, sent, sizeof sent);
		len = put_frame(frames, big.stream, CQL_OPCODE_RESULT, body, LEN);
		len += put_frame(frames + len, small.stream, CQL_OPCODE_RESULT, "abc", 3);
		feed_in_pieces(&conn, frames, len, pieces[p]);
		assert_ptr_equal(cql_conn_take_done(&conn), &big);
		assert_ptr_equal(cql_conn_take_done(&conn), &small);
		assert_int_equal(big.header.body_len, LEN);
		assert_memory_equal(big.body, body, LEN);
		assert_memory_equal(small.body, "abc", 3);
		free(frames);
		finish(&conn, (cql_exchange *[]) {&big, &small}, 2);
	}
	free(body);
}

static void
test_partial_writes(void **state)
{
	cql_conn conn;
	cql_exchange a;
	cql_exchange b;
	struct iovec parts[4];

	(void) state;
	make_ready(&conn, 100);
	submit(&conn, &a, 1000);
	submit(&conn, &b, 1000);
	assert_int_equal(cql_conn_output(&conn, parts, 4), 2);
	cql_conn_sent(&conn, 10);
	assert_int_equal(a.state, CQL_EXCHANGE_QUEUED);
	assert_true(a.is_begun);
	assert_false(b.is_begun);
	assert_int_equal(cql_conn_output(&conn, parts, 4), 2);
	assert_ptr_equal(parts[0].iov_base, a.frame + 10);
	assert_int_equal(parts[0].iov_len, 22);
	cql_conn_sent(&conn, 23);
	assert_int_equal(a.state, CQL_EXCHANGE_SENT);
	assert_true(b.is_begun);
	assert_int_equal(cql_conn_output(&conn, parts, 4), 1);
	assert_ptr_equal(parts[0].iov_base, b.frame + 1);
	cql_conn_sent(&conn, 31);
	assert_false(cql_conn_has_output(&conn));
	assert_int_equal(conn.queued_bytes, 0);
	finish(&conn, (cql_exchange *[]) {&a, &b}, 2);
}

static void
test_loss_tells_what_was_begun(void **state)
{
	cql_conn conn;
	cql_exchange sent;
	cql_exchange partial;
	cql_exchange fresh;

	(void) state;
	make_ready(&conn, 100);
	submit(&conn, &sent, 1000);
	submit(&conn, &partial, 1000);
	submit(&conn, &fresh, 1000);
	cql_conn_sent(&conn, 33);
	cql_conn_close(&conn, CQL_ERROR_LOST, "cut");
	for (int i = 0; i < 3; i++)
		assert_int_equal(cql_conn_take_done(&conn)->state, CQL_EXCHANGE_LOST);
	assert_null(cql_conn_take_done(&conn));
	assert_true(sent.is_begun);
	assert_true(partial.is_begun);
	assert_false(fresh.is_begun);
	assert_string_equal(conn.error.message, "cut");
	finish(&conn, (cql_exchange *[]) {&sent, &partial, &fresh}, 3);
}

static void
test_abandon(void **state)
{
	cql_conn conn;
	cql_exchange queued;
	cql_exchange partial;
	cql_exchange sent;
	uint8_t out[128];
	int partial_stream;
	int sent_stream;

	(void) state;
	make_ready(&conn, 100);
	submit(&conn, &sent, 1000);
	submit(&conn, &partial, 1000);
	submit(&conn, &queued, 1000);
	cql_conn_sent(&conn, 32 + 5);
	sent_stream = sent.stream;
	partial_stream = partial.stream;

	/* never left: the id is free at once */
	cql_conn_abandon(&conn, &queued);
	assert_int_equal(conn.streams.orphan_count, 0);
	assert_int_equal(cql_streams_state(&conn.streams, queued.stream), CQL_STREAM_FREE);
	/* left in part: the rest is still sent, the id is an orphan */
	cql_conn_abandon(&conn, &partial);
	cql_conn_abandon(&conn, &sent);
	cql_exchange_cleanup(&partial);
	cql_exchange_cleanup(&sent);
	assert_int_equal(conn.streams.orphan_count, 2);
	assert_int_equal(cql_streams_in_flight(&conn.streams), 0);
	assert_int_equal(drain(&conn, out, sizeof out), 27);
	/* late answers free the ids and reach nobody */
	answer(&conn, partial_stream, CQL_OPCODE_RESULT, "late", 4, 3);
	answer(&conn, sent_stream, CQL_OPCODE_RESULT, "late", 4, 100);
	assert_int_equal(conn.streams.orphan_count, 0);
	assert_null(cql_conn_take_done(&conn));
	assert_int_equal(conn.state, CQL_CONN_READY);
	finish(&conn, (cql_exchange *[]) {&queued}, 1);
}

static void
test_orphan_id_is_not_reused(void **state)
{
	cql_conn conn;
	cql_exchange first;
	cql_exchange second;
	uint8_t out[128];
	int orphan;

	(void) state;
	make_ready(&conn, 100);
	submit(&conn, &first, 1000);
	drain(&conn, out, sizeof out);
	orphan = first.stream;
	cql_conn_abandon(&conn, &first);
	cql_exchange_cleanup(&first);
	submit(&conn, &second, 1000);
	assert_int_not_equal(second.stream, orphan);
	drain(&conn, out, sizeof out);
	answer(&conn, orphan, CQL_OPCODE_RESULT, "old", 3, 100);
	assert_null(cql_conn_take_done(&conn));
	answer(&conn, second.stream, CQL_OPCODE_RESULT, "new", 3, 100);
	assert_ptr_equal(cql_conn_take_done(&conn), &second);
	assert_memory_equal(second.body, "new", 3);
	finish(&conn, (cql_exchange *[]) {&second}, 1);
}

/* Given up while its answer is being read, at every byte of it. */
static void
test_abandon_within_the_answer(void **state)
{
	uint8_t frame[9 + 20];
	static const char body[20] = "0123456789012345678";

	(void) state;
	for (size_t cut = 1; cut < sizeof frame; cut++)
	{
		cql_conn conn;
		cql_exchange exchange;
		cql_exchange next;
		uint8_t out[64];

		make_ready(&conn, 100);
		submit(&conn, &exchange, 1000);
		drain(&conn, out, sizeof out);
		put_frame(frame, exchange.stream, CQL_OPCODE_RESULT, body, sizeof body);
		feed_in_pieces(&conn, frame, cut, cut);
		cql_conn_abandon(&conn, &exchange);
		cql_exchange_cleanup(&exchange);
		assert_int_equal(conn.streams.orphan_count, 1);
		submit(&conn, &next, 1000);
		drain(&conn, out, sizeof out);
		feed_in_pieces(&conn, frame + cut, sizeof frame - cut, 3);
		assert_int_equal(conn.streams.orphan_count, 0);
		answer(&conn, next.stream, CQL_OPCODE_RESULT, "x", 1, 100);
		assert_ptr_equal(cql_conn_take_done(&conn), &next);
		finish(&conn, (cql_exchange *[]) {&next}, 1);
	}
}

static void
test_deadlines(void **state)
{
	static const uint64_t deadlines[] = {300, 100, 200, 400, 100};
	cql_conn conn;
	cql_exchange exchanges[5];
	cql_exchange *all[5];
	uint8_t out[256];

	(void) state;
	make_ready(&conn, 100);
	for (int i = 0; i < 5; i++)
	{
		submit(&conn, &exchanges[i], deadlines[i]);
		all[i] = &exchanges[i];
	}
	drain(&conn, out, sizeof out);
	assert_int_equal(cql_conn_next_deadline(&conn), 100);
	cql_conn_expire(&conn, 99);
	assert_null(cql_conn_take_done(&conn));
	cql_conn_expire(&conn, 100);
	assert_ptr_equal(cql_conn_take_done(&conn), &exchanges[1]);
	assert_ptr_equal(cql_conn_take_done(&conn), &exchanges[4]);
	assert_int_equal(exchanges[1].state, CQL_EXCHANGE_TIMED_OUT);
	assert_int_equal(conn.streams.orphan_count, 2);
	assert_int_equal(cql_conn_next_deadline(&conn), 200);
	answer(&conn, exchanges[2].stream, CQL_OPCODE_RESULT, NULL, 0, 9);
	assert_ptr_equal(cql_conn_take_done(&conn), &exchanges[2]);
	assert_int_equal(cql_conn_next_deadline(&conn), 300);
	/* the late answer to what timed out */
	answer(&conn, exchanges[1].stream, CQL_OPCODE_RESULT, "late", 4, 2);
	assert_int_equal(conn.streams.orphan_count, 1);
	assert_int_equal(conn.state, CQL_CONN_READY);
	finish(&conn, all, 5);
}

static void
test_answer_before_its_request(void **state)
{
	cql_conn conn;
	cql_exchange exchange;

	(void) state;
	make_ready(&conn, 100);
	submit(&conn, &exchange, 1000);
	answer(&conn, exchange.stream, CQL_OPCODE_RESULT, NULL, 0, 9);
	assert_int_equal(conn.state, CQL_CONN_CLOSED);
	assert_int_equal(conn.error.kind, CQL_ERROR_PROTOCOL);
	finish(&conn, (cql_exchange *[]) {&exchange}, 1);
}

/* Likewise when only the answer's header has come: nobody may leave or take that id meanwhile. */
static void
test_answer_begins_before_its_request(void **state)
{
	cql_conn conn;
	cql_exchange exchange;
	uint8_t frame[32];
	size_t len;

	(void) state;
	make_ready(&conn, 100);
	submit(&conn, &exchange, 1000);
	len = put_frame(frame, exchange.stream, CQL_OPCODE_RESULT, "long", 4);
	feed_in_pieces(&conn, frame, len - 1, 100);
	if (conn.state != CQL_CONN_CLOSED)
		cql_conn_abandon(&conn, &exchange);
	feed_in_pieces(&conn, frame + len - 1, 1, 1);
	assert_true(conn.streams.free_count <= conn.streams.capacity);
	assert_int_equal(conn.state, CQL_CONN_CLOSED);
	assert_int_equal(conn.error.kind, CQL_ERROR_PROTOCOL);
	finish(&conn, (cql_exchange *[]) {&exchange}, 1);
}

/* A peer that takes no bytes must not block the connection for ever by a frame sent in part. */
static void
test_frame_that_cannot_be_sent(void **state)
{
	cql_conn conn;
	cql_exchange exchange;
	cql_exchange other;

	(void) state;
	make_ready(&conn, 100);
	submit(&conn, &exchange, 1000);
	submit(&conn, &other, 3000);
	cql_conn_sent(&conn, 20);
	cql_conn_abandon(&conn, &exchange);
	assert_int_equal(cql_conn_next_deadline(&conn), 1000);
	cql_conn_expire(&conn, 999);
	assert_int_equal(conn.state, CQL_CONN_READY);
	cql_conn_expire(&conn, 1000);
	assert_int_equal(conn.state, CQL_CONN_CLOSED);
	assert_int_equal(conn.error.kind, CQL_ERROR_LOST);
	assert_ptr_equal(cql_conn_take_done(&conn), &other);
	assert_false(other.is_begun);
	finish(&conn, (cql_exchange *[]) {&exchange, &other}, 2);
}

/* A server may refuse a long request before it has read it all. */
static void
test_early_refusal(void **state)
{
	static const char body[] = "\x00\x00\x22\x00\x00\x03"
							   "big";
	cql_conn conn;
	cql_exchange exchange;
	uint8_t out[64];

	(void) state;
	make_ready(&conn, 100);
	submit(&conn, &exchange, 1000);
	cql_conn_sent(&conn, 20);
	answer(&conn, exchange.stream, CQL_OPCODE_ERROR, body, sizeof body - 1, 100);
	assert_ptr_equal(cql_conn_take_done(&conn), &exchange);
	assert_int_equal(exchange.state, CQL_EXCHANGE_ANSWERED);
	assert_int_equal(drain(&conn, out, sizeof out), 12);
	finish(&conn, (cql_exchange *[]) {&exchange}, 1);
}

static void
test_stream_ids_run_out(void **state)
{
	static cql_exchange exchange;
	cql_streams streams;
	static bool seen[CQL_STREAMS_MAX];

	(void) state;
	cql_streams_init(&streams);
	for (int i = 0; i < CQL_STREAMS_MAX; i++)
	{
		int id = cql_streams_take(&streams, &exchange);

		assert_in_range(id, 0, CQL_STREAMS_MAX - 1);
		assert_false(seen[id]);
		seen[id] = true;
	}
	assert_int_equal(cql_streams_take(&streams, &exchange), -1);
	cql_streams_orphan(&streams, 77);
	assert_int_equal(cql_streams_take(&streams, &exchange), -1);
	cql_streams_release(&streams, 77);
	assert_int_equal(cql_streams_take(&streams, &exchange), 77);
	cql_streams_cleanup(&streams);
}

/* ---- memory ---- */

static int allocations_left;

static void *
failing_alloc(size_t size)
{
	return allocations_left-- > 0 ? malloc(size) : NULL;
}

static void *
failing_resize(void *block, size_t size)
{
	return allocations_left-- > 0 ? realloc(block, size) : NULL;
}

/* A handshake, a request and its answer, with the n-th allocation failing, for every n. */
static bool
run_with_allocations(int count)
{
	static const cql_mem failing = {failing_alloc, failing_resize, free};
	cql_conn conn;
	cql_exchange exchange = {0};
	uint8_t sent[512];
	bool is_answered = false;

	exchange.frame = calloc(1, 32);
	exchange.frame_len = 32;
	allocations_left = count;
	cql_mem_set(&failing);
	if (cql_conn_init(&conn, "n", &with_user))
	{
		cql_conn_start(&conn);
		drain(&conn, sent, sizeof sent);
		answer(&conn, 127, CQL_OPCODE_SUPPORTED, NULL, 0, 1);
		cql_conn_close(&conn, CQL_ERROR_LOST, "over");
		cql_conn_cleanup(&conn);
	}
	if (cql_conn_init(&conn, "n", &no_user))
	{
		cql_conn_start(&conn);
		if (drain(&conn, sent, sizeof sent) > 0)
			answer(&conn, stream_of(sent), CQL_OPCODE_SUPPORTED, supported_body,
				   sizeof supported_body, 100);
		if (drain(&conn, sent, sizeof sent) > 0)
			answer(&conn, stream_of(sent), CQL_OPCODE_READY, NULL, 0, 9);
		if (conn.state == CQL_CONN_READY && cql_conn_submit(&conn, &exchange, 1000))
		{
			drain(&conn, sent, sizeof sent);
			answer(&conn, exchange.stream, CQL_OPCODE_RESULT, "abc", 3, 100);
			assert_ptr_equal(cql_conn_take_done(&conn), &exchange);
			is_answered = exchange.state == CQL_EXCHANGE_ANSWERED;
			if (!is_answered)
				assert_int_equal(exchange.state, CQL_EXCHANGE_NO_MEMORY);
		}
		else if (conn.state == CQL_CONN_CLOSED)
			assert_int_equal(conn.error.kind, CQL_ERROR_NO_MEMORY);
		cql_conn_close(&conn, CQL_ERROR_LOST, "over");
		cql_conn_cleanup(&conn);
	}
	cql_exchange_cleanup(&exchange);
	cql_mem_set(NULL);
	return is_answered;
}

static void
test_every_allocation_fails_once(void **state)
{
	int count = 0;

	(void) state;
	while (!run_with_allocations(count))
	{
		count++;
		assert_true(count < 100);
	}
	assert_true(count > 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_handshake_without_password),
		cmocka_unit_test(test_handshake_with_password),
		cmocka_unit_test(test_password_leaves_no_trace),
		cmocka_unit_test(test_long_password_is_not_compressed),
		cmocka_unit_test(test_password_goes_to_no_unknown_authenticator),
		cmocka_unit_test(test_password_is_asked_and_none_given),
		cmocka_unit_test(test_password_must_be_asked_for),
		cmocka_unit_test(test_bad_credentials),
		cmocka_unit_test(test_handshake_answers_out_of_place),
		cmocka_unit_test(test_handshake_deadline),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_compressed_without_agreement),
		cmocka_unit_test(test_events_are_passed_over),
		cmocka_unit_test(test_many_in_flight_answered_in_reverse),
		cmocka_unit_test(test_large_body_in_pieces),
		cmocka_unit_test(test_partial_writes),
		cmocka_unit_test(test_loss_tells_what_was_begun),
		cmocka_unit_test(test_abandon),
		cmocka_unit_test(test_orphan_id_is_not_reused),
		cmocka_unit_test(test_abandon_within_the_answer),
		cmocka_unit_test(test_deadlines),
		cmocka_unit_test(test_answer_before_its_request),
		cmocka_unit_test(test_answer_begins_before_its_request),
		cmocka_unit_test(test_frame_that_cannot_be_sent),
		cmocka_unit_test(test_early_refusal),
		cmocka_unit_test(test_stream_ids_run_out),
		cmocka_unit_test(test_every_allocation_fails_once),
	};

	return cmocka_run_group_tests_name("conn", tests, NULL, NULL);
}
