/*
 * Sessions and requests over real sockets, against a peer that this test plays itself in the same
 * thread: it reads frames by hand and answers as each test says.
 */
#define _GNU_SOURCE

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cql/cql.h"
#include "cql/mem.h"

/* ---- the peer ---- */

typedef struct peer
{
	int listener;
	int fd; /* one connection at a time; -1: none */
	struct sockaddr_in address;
	uint8_t in[1 << 16];
	size_t in_len;
	/* the last request that was no handshake */
	uint8_t opcode;
	int stream;
	uint8_t body[1 << 16];
	size_t body_len;
	int request_count;
	int connection_count;
} peer;

static peer node;
static cql_loop *loop;
static cql_session *session;

static void
peer_listen(peer *p, int port)
{
	int one = 1;
	socklen_t len = sizeof p->address;

	memset(p, 0, sizeof *p);
	p->fd = -1;
	p->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	setsockopt(p->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	p->address.sin_family = AF_INET;
	p->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	p->address.sin_port = htons((uint16_t) port);
	assert_int_equal(bind(p->listener, (struct sockaddr *) &p->address, sizeof p->address), 0);
	assert_int_equal(listen(p->listener, 8), 0);
	getsockname(p->listener, (struct sockaddr *) &p->address, &len);
}

static void
peer_hang_up(peer *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	p->in_len = 0;
}

static void
peer_close(peer *p)
{
	peer_hang_up(p);
	close(p->listener);
}

static void
peer_answer(peer *p, int stream, uint8_t opcode, const void *body, size_t len)
{
	uint8_t frame[512] = {0x84, 0, (uint8_t) (stream >> 8), (uint8_t) stream, opcode,
						  0,    0, (uint8_t) (len >> 8),    (uint8_t) len};

	/* in one piece: a second small one would wait for the first one's acknowledgement */
	assert_true(9 + len <= sizeof frame);
	if (len > 0)
		memcpy(frame + 9, body, len);
	assert_int_equal(send(p->fd, frame, 9 + len, MSG_NOSIGNAL), 9 + len);
}

#define ANSWER(p, opcode, bytes) peer_answer(p, (p)->stream, opcode, bytes, sizeof(bytes) - 1)

/* What a session asks for itself after some requests: to read the topology. */
static bool
is_about_topology(const peer *p)
{
	return p->opcode == 0x07 && (memmem(p->body, p->body_len, "FROM system.", 12) != NULL ||
								 memmem(p->body, p->body_len, "FROM system_schema.", 19) != NULL);
}

/* Take what has come: play the handshake, note any other request. True if there was one. */
static bool
peer_step(peer *p)
{
	ssize_t got;
	size_t len;

	if (p->fd < 0)
	{
		p->fd = accept4(p->listener, NULL, NULL, SOCK_NONBLOCK);
		if (p->fd < 0)
			return false;
		p->connection_count++;
	}
	got = recv(p->fd, p->in + p->in_len, sizeof p->in - p->in_len, 0);
	if (got == 0 || (got < 0 && errno != EAGAIN))
	{
		peer_hang_up(p);
		return false;
	}
	if (got > 0)
		p->in_len += (size_t) got;
	if (p->in_len < 9)
		return false;
	len =
		9 + ((size_t) p->in[5] << 24 | (size_t) p->in[6] << 16 | (size_t) p->in[7] << 8 | p->in[8]);
	if (p->in_len < len)
		return false;
	p->opcode = p->in[4];
	p->stream = p->in[2] << 8 | p->in[3];
	p->body_len = len - 9;
	memcpy(p->body, p->in + 9, p->body_len);
	p->in_len -= len;
	memmove(p->in, p->in + len, p->in_len);
	if (p->opcode == 0x05)
		ANSWER(p, 0x06, "\x00\x00");
	else if (p->opcode == 0x01)
		ANSWER(p, 0x02, "");
	else if (is_about_topology(p))
		ANSWER(p, 0x08, "\x00\x00\x00\x01");
	else
	{
		p->request_count++;
		return true;
	}
	return false;
}

/* ---- the driver's side ---- */

static void
turn(void)
{
	cql_loop_turn(loop);
}

/* Turn both sides until the peer has a request. */
static void
await_request(peer *p)
{
	for (int i = 0; i < 2000; i++)
	{
		turn();
		if (peer_step(p))
			return;
		usleep(100);
	}
	fail_msg("the peer got no request");
}

static void
await_done(cql_request *request)
{
	for (int i = 0; i < 5000 && !cql_request_is_done(request); i++)
	{
		turn();
		(void) peer_step(&node);
		usleep(100);
	}
	assert_true(cql_request_is_done(request));
}

static void
open_session(const peer *const *peers, int count, uint32_t timeout_ms)
{
	cql_contact contacts[4];
	cql_error error;
	cql_session_options options = {.contacts = contacts,
								   .contact_count = count,
								   .connect_timeout_ms = 300,
								   .request_timeout_ms = timeout_ms};

	memset(contacts, 0, sizeof contacts);
	for (int i = 0; i < count; i++)
	{
		memcpy(&contacts[i].address, &peers[i]->address, sizeof peers[i]->address);
		contacts[i].address_len = sizeof peers[i]->address;
	}
	session = cql_session_new(loop, &options, &error);
	assert_non_null(session);
}

static int
set_up(void **state)
{
	const peer *peers[] = {&node};
	cql_error error;

	(void) state;
	peer_listen(&node, 0);
	loop = cql_loop_new(&error);
	open_session(peers, 1, 2000);
	return 0;
}

static int
tear_down(void **state)
{
	(void) state;
	cql_session_free(session);
	cql_loop_free(loop);
	peer_close(&node);
	return 0;
}

static cql_request *
submit_query(const char *text, uint32_t timeout_ms)
{
	cql_request_spec spec = {
		.cql = text, .consistency = CQL_CONSISTENCY_ONE, .timeout_ms = timeout_ms};
	cql_request *request = NULL;
	cql_error error;

	assert_int_equal(cql_request_submit(session, &spec, &request, &error), CQL_OK);
	return request;
}

static cql_request *
submit_prepare(const char *text)
{
	cql_request *request = NULL;
	cql_error error;

	assert_int_equal(cql_prepare_submit(session, text, &request, &error), CQL_OK);
	return request;
}

/* PREPARED: id "id", one bind variable k int (the partition key), one column v text. */
static const char prepared[] = "\x00\x00\x00\x04\x00\x02id"
							   "\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00"
							   "\x00\x02ks\x00\x01t\x00\x01k\x00\x09"
							   "\x00\x00\x00\x01\x00\x00\x00\x01"
							   "\x00\x02ks\x00\x01t\x00\x01v\x00\x0d";
/* The same with k as bigint. */
static const char prepared_otherwise[] = "\x00\x00\x00\x04\x00\x02id"
										 "\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00"
										 "\x00\x02ks\x00\x01t\x00\x01k\x00\x02"
										 "\x00\x00\x00\x01\x00\x00\x00\x01"
										 "\x00\x02ks\x00\x01t\x00\x01v\x00\x0d";
/* ROWS: column v text, two rows: 'a' and null. */
static const char rows[] = "\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00\x00\x01"
						   "\x00\x02ks\x00\x01t\x00\x01v\x00\x0d"
						   "\x00\x00\x00\x02"
						   "\x00\x00\x00\x01"
						   "a"
						   "\xff\xff\xff\xff";
static const char unprepared[] = "\x00\x00\x25\x00\x00\x01?\x00\x02id";
static const char voided[] = "\x00\x00\x00\x01";

static cql_statement *
prepare(const char *text)
{
	cql_request *request = submit_prepare(text);
	cql_statement *statement = NULL;
	cql_error error;

	await_request(&node);
	assert_int_equal(node.opcode, 0x09);
	ANSWER(&node, 0x08, prepared);
	await_done(request);
	assert_int_equal(cql_request_take_statement(request, &statement, &error), CQL_OK);
	cql_request_free(request);
	return statement;
}

static cql_request *
submit_execute(cql_statement *statement)
{
	cql_request_spec spec = {.statement = statement,
							 .values = "\x00\x00\x00\x04\x00\x00\x00\x07",
							 .values_len = 8,
							 .value_count = 1,
							 .consistency = CQL_CONSISTENCY_LOCAL_QUORUM};
	cql_request *request = NULL;
	cql_error error;

	assert_int_equal(cql_request_submit(session, &spec, &request, &error), CQL_OK);
	return request;
}

static cql_error_kind
failure_of(cql_request *request, cql_error *error)
{
	cql_result *result = NULL;

	assert_int_equal(cql_request_take_result(request, &result, error), CQL_FAILED);
	return error->kind;
}

/* ---- tests ---- */

static void
test_nothing_is_opened_before_the_first_request(void **state)
{
	cql_connection_info info;

	(void) state;
	turn();
	assert_false(peer_step(&node));
	assert_int_equal(node.connection_count, 0);
	assert_false(cql_session_connection(session, 0, &info));
}

static void
test_prepare_and_execute(void **state)
{
	cql_statement *statement = prepare("SELECT v FROM ks.t WHERE k = ?");
	cql_request *request;
	cql_result *result = NULL;
	cql_error error;
	cql_cell cell;

	(void) state;
	assert_int_equal(cql_statement_bind_count(statement), 1);
	assert_string_equal(cql_statement_bind(statement, 0)->name, "k");
	assert_int_equal(cql_statement_bind(statement, 0)->type->id, CQL_TYPE_INT);
	assert_int_equal(cql_statement_key_count(statement), 1);
	assert_int_equal(cql_statement_key_bind(statement, 0), 0);
	assert_string_equal(cql_statement_column(statement, 0)->name, "v");

	request = submit_execute(statement);
	await_request(&node);
	assert_int_equal(node.opcode, 0x0A);
	/* [short bytes] id, [short] consistency LOCAL_QUORUM, [byte] flags values, [short] 1, value */
	assert_int_equal(node.body_len, 4 + 2 + 1 + 2 + 8);
	assert_memory_equal(node.body, "\x00\x02id\x00\x06\x01\x00\x01\x00\x00\x00\x04\x00\x00\x00\x07",
						node.body_len);
	ANSWER(&node, 0x08, rows);
	await_done(request);
	assert_int_equal(cql_request_take_result(request, &result, &error), CQL_OK);
	assert_true(cql_result_has_columns_of(result, statement));
	assert_int_equal(cql_result_row_count(result), 2);
	assert_true(cql_result_next_row(result, &cell));
	assert_int_equal(cell.len, 1);
	assert_memory_equal(cell.data, "a", 1);
	assert_true(cql_result_next_row(result, &cell));
	assert_true(cql_cell_is_null(cell));
	assert_false(cql_result_next_row(result, &cell));
	cql_result_rewind(result);
	assert_true(cql_result_next_row(result, &cell));
	/* once per request */
	cql_request_free(request);
	cql_result_free(result);
	cql_statement_release(statement);
}

static void
test_cache_asks_once(void **state)
{
	cql_statement *first = prepare("SELECT 1");
	cql_request *request = submit_prepare("SELECT 1");
	cql_statement *second = NULL;
	cql_error error;

	(void) state;
	assert_true(cql_request_is_done(request));
	assert_int_equal(cql_request_take_statement(request, &second, &error), CQL_OK);
	assert_ptr_equal(first, second);
	assert_int_equal(node.request_count, 1);
	cql_request_free(request);
	cql_statement_release(first);
	cql_statement_release(second);
}

/* The session keeps 512 texts; statements in use outlive their place in the cache. */
static void
test_cache_pushes_the_oldest_out(void **state)
{
	char text[32];
	cql_statement *kept = prepare("SELECT kept");
	cql_request *request;

	(void) state;
	for (int i = 0; i < 512; i++)
	{
		snprintf(text, sizeof text, "SELECT %d", i);
		cql_statement_release(prepare(text));
	}
	assert_string_equal(cql_statement_text(kept), "SELECT kept");
	request = submit_prepare("SELECT kept");
	assert_false(cql_request_is_done(request));
	cql_request_free(request);
	cql_statement_release(kept);
}

static void
test_unprepared_is_mended(void **state)
{
	cql_statement *statement = prepare("SELECT v FROM ks.t WHERE k = ?");
	cql_request *request = submit_execute(statement);
	uint8_t execute[64];
	size_t execute_len;
	cql_result *result = NULL;
	cql_error error;

	(void) state;
	await_request(&node);
	execute_len = node.body_len;
	memcpy(execute, node.body, execute_len);
	ANSWER(&node, 0x00, unprepared);
	await_request(&node);
	assert_int_equal(node.opcode, 0x09);
	ANSWER(&node, 0x08, prepared);
	await_request(&node);
	assert_int_equal(node.opcode, 0x0A);
	assert_int_equal(node.body_len, execute_len);
	assert_memory_equal(node.body, execute, execute_len);
	ANSWER(&node, 0x08, rows);
	await_done(request);
	assert_int_equal(cql_request_take_result(request, &result, &error), CQL_OK);
	cql_result_free(result);
	cql_request_free(request);
	cql_statement_release(statement);
}

/* A batch is prepared again as a single row is, and goes once more as it was. */
static void
test_unprepared_batch_is_mended(void **state)
{
	static const char values[] = "\x00\x00\x00\x01"
								 "a\x00\x00\x00\x01"
								 "b";
	static const char body[] = "\x01\x00\x02\x01\x00\x02id\x00\x01\x00\x00\x00\x01"
							   "a\x01\x00\x02id\x00\x01\x00\x00\x00\x01"
							   "b\x00\x06\x00";
	cql_statement *statement = prepare("INSERT INTO ks.t (k) VALUES (?)");
	cql_request_spec spec = {.statement = statement,
							 .values = values,
							 .values_len = sizeof values - 1,
							 .value_count = 1,
							 .more_rows = 1,
							 .consistency = CQL_CONSISTENCY_LOCAL_QUORUM};
	cql_request *request;
	cql_result *result = NULL;
	cql_error error;

	(void) state;
	assert_int_equal(cql_request_submit(session, &spec, &request, &error), CQL_OK);
	for (int i = 0; i < 2; i++)
	{
		await_request(&node);
		assert_int_equal(node.opcode, 0x0D);
		assert_int_equal(node.body_len, sizeof body - 1);
		assert_memory_equal(node.body, body, node.body_len);
		if (i > 0)
			break;
		ANSWER(&node, 0x00, unprepared);
		await_request(&node);
		assert_int_equal(node.opcode, 0x09);
		ANSWER(&node, 0x08, prepared);
	}
	ANSWER(&node, 0x08, voided);
	await_done(request);
	assert_int_equal(cql_request_take_result(request, &result, &error), CQL_OK);
	cql_result_free(result);
	cql_request_free(request);
	cql_statement_release(statement);
}

static void
test_unprepared_without_end(void **state)
{
	cql_statement *statement = prepare("SELECT v FROM ks.t WHERE k = ?");
	cql_request *request = submit_execute(statement);
	cql_error error;

	(void) state;
	for (int round = 0; round < 2; round++)
	{
		await_request(&node);
		ANSWER(&node, 0x00, unprepared);
		await_request(&node);
		assert_int_equal(node.opcode, 0x09);
		ANSWER(&node, 0x08, prepared);
	}
	await_request(&node);
	ANSWER(&node, 0x00, unprepared);
	await_done(request);
	assert_int_equal(failure_of(request, &error), CQL_ERROR_SERVER);
	assert_int_equal(error.server_code, CQL_SERVER_UNPREPARED);
	cql_request_free(request);
	cql_statement_release(statement);
}

/* Values bound for an int must not be executed where they would now be a bigint. */
static void
test_changed_bind_variables(void **state)
{
	cql_statement *statement = prepare("SELECT v FROM ks.t WHERE k = ?");
	cql_request *request = submit_execute(statement);
	cql_error error;

	(void) state;
	await_request(&node);
	ANSWER(&node, 0x00, unprepared);
	await_request(&node);
	ANSWER(&node, 0x08, prepared_otherwise);
	await_done(request);
	assert_int_equal(failure_of(request, &error), CQL_ERROR_CHANGED);
	cql_request_free(request);
	/* the cache has forgotten it: it is asked for anew */
	request = submit_prepare("SELECT v FROM ks.t WHERE k = ?");
	assert_false(cql_request_is_done(request));
	cql_request_free(request);
	cql_statement_release(statement);
}

static void
test_contact_points_in_turn(void **state)
{
	static peer dead;
	const peer *peers[] = {&dead, &node};
	cql_request *request;

	(void) state;
	peer_listen(&dead, 0);
	peer_close(&dead);
	cql_session_free(session);
	open_session(peers, 2, 2000);
	request = submit_query("q", 0);
	await_request(&node);
	ANSWER(&node, 0x08, voided);
	await_done(request);
	cql_request_free(request);
}

static void
test_no_contact_point_answers(void **state)
{
	static peer dead;
	static peer mute; /* accepts and says nothing */
	const peer *peers[] = {&dead, &mute};
	cql_request *request;
	cql_error error;

	(void) state;
	peer_listen(&dead, 0);
	peer_close(&dead);
	peer_listen(&mute, 0);
	cql_session_free(session);
	open_session(peers, 2, 2000);
	request = submit_query("q", 0);
	await_done(request);
	assert_int_equal(failure_of(request, &error), CQL_ERROR_UNREACHABLE);
	assert_false(error.may_be_applied);
	assert_non_null(strstr(error.message, "Connection refused"));
	assert_non_null(strstr(error.message, "timeout expired"));
	cql_request_free(request);
	/* and the session is not spoilt: it tries again */
	request = submit_query("q", 0);
	await_done(request);
	assert_int_equal(failure_of(request, &error), CQL_ERROR_UNREACHABLE);
	cql_request_free(request);
	peer_close(&mute);
}

static void
test_lost_under_a_request_and_reconnected(void **state)
{
	cql_request *request = submit_query("q", 0);
	cql_error error;

	(void) state;
	await_request(&node);
	peer_hang_up(&node);
	await_done(request);
	assert_int_equal(failure_of(request, &error), CQL_ERROR_LOST);
	assert_true(error.may_be_applied);
	cql_request_free(request);

	request = submit_query("q", 0);
	await_request(&node);
	ANSWER(&node, 0x08, voided);
	await_done(request);
	assert_int_equal(node.connection_count, 2);
	cql_request_free(request);
}

/* The peer went away while nothing was asked: the next request finds that out by itself. */
static void
test_lost_while_idle(void **state)
{
	cql_request *request = submit_query("q", 0);
	cql_result *result = NULL;
	cql_error error;

	(void) state;
	await_request(&node);
	ANSWER(&node, 0x08, voided);
	await_done(request);
	cql_request_free(request);
	peer_hang_up(&node);
	usleep(2000);

	request = submit_query("q", 0);
	await_request(&node);
	ANSWER(&node, 0x08, voided);
	await_done(request);
	assert_int_equal(cql_request_take_result(request, &result, &error), CQL_OK);
	cql_result_free(result);
	cql_request_free(request);
}

static void
test_deadline_and_late_answer(void **state)
{
	cql_request *slow = submit_query("slow", 30);
	cql_request *next;
	cql_error error;
	cql_connection_info info;
	int slow_stream;

	(void) state;
	await_request(&node);
	slow_stream = node.stream;
	await_done(slow);
	assert_int_equal(failure_of(slow, &error), CQL_ERROR_TIMEOUT);
	assert_true(error.may_be_applied);
	cql_request_free(slow);
	assert_true(cql_session_connection(session, 0, &info));
	assert_int_equal(info.orphans, 1);

	next = submit_query("next", 0);
	await_request(&node);
	assert_int_not_equal(node.stream, slow_stream);
	peer_answer(&node, slow_stream, 0x08, rows, sizeof rows - 1);
	ANSWER(&node, 0x08, voided);
	await_done(next);
	assert_true(cql_session_connection(session, 0, &info));
	assert_int_equal(info.orphans, 0);
	cql_request_free(next);
}

/* A deadline makes the loop's descriptor readable: nobody need know of timers. */
static void
test_deadline_wakes_the_descriptor(void **state)
{
	cql_request *request = submit_query("q", 50);

	(void) state;
	await_request(&node);
	while (!cql_request_is_done(request))
		cql_loop_wait(loop);
	cql_request_free(request);
}

static void
test_back_pressure(void **state)
{
	char *text = malloc(200001);
	cql_request *requests[16];
	cql_request_spec spec = {.cql = text, .consistency = CQL_CONSISTENCY_ONE};
	cql_error error;
	cql_status status = CQL_OK;
	int count = 0;

	(void) state;
	memset(text, 'x', 200000);
	text[200000] = '\0';
	while (count < 16 &&
		   (status = cql_request_submit(session, &spec, &requests[count], &error)) == CQL_OK)
		count++;
	assert_int_equal(status, CQL_BUSY);
	assert_false(cql_session_has_room(session));
	assert_in_range(count, 5, 7); /* 1 MiB of waiting bytes, then no more */
	for (int i = 0; i < count; i++)
		cql_request_free(requests[i]);
	assert_true(cql_session_has_room(session));
	free(text);
}

static void
expect_malformed(const char *body, size_t len)
{
	cql_request *request = submit_query("q", 0);
	cql_error error;

	await_request(&node);
	peer_answer(&node, node.stream, 0x08, body, len);
	await_done(request);
	assert_int_equal(failure_of(request, &error), CQL_ERROR_PROTOCOL);
	cql_request_free(request);
	(void) peer_step(&node); /* sees the end of the connection */
	(void) peer_step(&node);
}

static void
test_malformed_rows_cut_the_connection(void **state)
{
	const size_t row_count_at = sizeof rows - 1 - 13;
	char forged[sizeof rows];
	int connections;

	(void) state;
	/* cut at every byte */
	for (size_t len = 0; len < sizeof rows - 1; len++)
		expect_malformed(rows, len);
	/* each byte of the row count and of the first cell's length, and the sign of the second's */
	for (size_t i = 0; i < 9; i++)
	{
		size_t at = row_count_at + i;

		memcpy(forged, rows, sizeof rows);
		forged[at] = (char) (i < 8 ? 0x7F : forged[at]);
		forged[row_count_at + 9] = (char) (i < 8 ? 0xFF : 0x01);
		expect_malformed(forged, sizeof rows - 1);
	}
	connections = node.connection_count;
	assert_true(connections > (int) sizeof rows);
}

static void
test_session_is_freed_under_its_requests(void **state)
{
	cql_request *sent = submit_query("q", 0);
	cql_request *waiting;
	cql_error error;
	const peer *peers[] = {&node};

	(void) state;
	await_request(&node);
	waiting = submit_query("w", 0);
	cql_session_free(session);
	assert_true(cql_request_is_done(sent));
	assert_int_equal(failure_of(sent, &error), CQL_ERROR_LOST);
	assert_true(cql_request_is_done(waiting));
	cql_request_free(sent);
	cql_request_free(waiting);
	open_session(peers, 1, 1000);
}

static void
test_free_in_every_state(void **state)
{
	cql_statement *statement;
	cql_request *request;

	(void) state;
	cql_request_free(submit_query("before the connection", 0));
	request = submit_query("while connecting", 0);
	turn();
	cql_request_free(request);
	request = submit_query("sent", 0);
	await_request(&node);
	cql_request_free(request);
	statement = prepare("SELECT v FROM ks.t WHERE k = ?");
	request = submit_execute(statement);
	await_request(&node);
	ANSWER(&node, 0x00, unprepared);
	await_request(&node); /* while it is prepared anew */
	cql_request_free(request);
	cql_statement_release(statement);
}

/* ---- the n-th allocation fails ---- */

static int allocations_left;
static bool is_counting;

static void *
failing_alloc(size_t size)
{
	return !is_counting || allocations_left-- > 0 ? malloc(size) : NULL;
}

static void *
failing_resize(void *block, size_t size)
{
	return !is_counting || allocations_left-- > 0 ? realloc(block, size) : NULL;
}

/* One query from a new session to its rows; true when no allocation had to fail. */
static bool
query_with_allocations(int count)
{
	const peer *peers[] = {&node};
	cql_request_spec spec = {.cql = "q", .consistency = CQL_CONSISTENCY_ONE};
	cql_request *request = NULL;
	cql_result *result = NULL;
	cql_error error;
	bool is_complete = false;

	peer_hang_up(&node);
	open_session(peers, 1, 1000);
	allocations_left = count;
	is_counting = true;
	if (cql_request_submit(session, &spec, &request, &error) == CQL_OK)
	{
		for (int i = 0; i < 3000 && !cql_request_is_done(request); i++)
		{
			turn();
			if (peer_step(&node))
				ANSWER(&node, 0x08, rows);
			usleep(20);
		}
		assert_true(cql_request_is_done(request));
		is_complete = cql_request_take_result(request, &result, &error) == CQL_OK;
		if (!is_complete)
			assert_int_equal(error.kind, CQL_ERROR_NO_MEMORY);
		cql_result_free(result);
		cql_request_free(request);
	}
	else
		assert_int_equal(error.kind, CQL_ERROR_NO_MEMORY);
	is_counting = false;
	cql_session_free(session);
	return is_complete;
}

static void
test_every_allocation_fails_once(void **state)
{
	static const cql_mem failing = {failing_alloc, failing_resize, free};
	const peer *peers[] = {&node};
	int count = 0;

	(void) state;
	cql_session_free(session);
	cql_mem_set(&failing);
	while (!query_with_allocations(count))
	{
		count++;
		assert_true(count < 200);
	}
	assert_true(count > 10);
	cql_mem_set(NULL);
	open_session(peers, 1, 1000);
}

static void
test_too_large_is_no_want_of_memory(void **state)
{
	cql_request_spec spec = {.cql = "q",
							 .values = "",
							 .values_len = (size_t) 300 * 1024 * 1024,
							 .value_count = 1,
							 .consistency = CQL_CONSISTENCY_ONE};
	cql_request *request = NULL;
	cql_error error;

	(void) state;
	assert_int_equal(cql_request_submit(session, &spec, &request, &error), CQL_FAILED);
	assert_int_equal(error.kind, CQL_ERROR_ARGUMENT);
}

/* ---- a peer that ends the connection at the wrong moment ---- */

/* It shakes hands and hangs up, again and again: the request must not wait for a better one for
 * ever. */
static void
test_hang_up_after_every_handshake(void **state)
{
	cql_request *request = submit_query("q", 0);
	cql_error error;

	(void) state;
	for (int i = 0; i < 20000 && !cql_request_is_done(request); i++)
	{
		turn();
		(void) peer_step(&node);
		if (node.fd >= 0 && node.opcode == 0x01)
		{
			node.opcode = 0;
			peer_hang_up(&node);
		}
	}
	assert_in_range(node.connection_count, 1, 4);
	assert_int_equal(failure_of(request, &error), CQL_ERROR_LOST);
	assert_false(error.may_be_applied);
	cql_request_free(request);
}

/* Part of an answer, then a reset: both are there when the driver looks. */
static void
test_reset_within_an_answer(void **state)
{
	cql_request *request = submit_query("q", 0);
	struct linger linger = {.l_onoff = 1, .l_linger = 0};
	cql_error error;

	(void) state;
	await_request(&node);
	assert_int_equal(send(node.fd, "\x84\x00\x00", 3, MSG_NOSIGNAL), 3);
	usleep(2000);
	setsockopt(node.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
	peer_hang_up(&node);
	usleep(2000);
	for (int i = 0; i < 100 && !cql_request_is_done(request); i++)
	{
		turn();
		usleep(1000);
	}
	assert_true(cql_request_is_done(request));
	assert_int_equal(failure_of(request, &error), CQL_ERROR_LOST);
	cql_request_free(request);
}

/* What a lost PREPARE would have prepared was not run. */
static void
test_lost_prepare_applies_nothing(void **state)
{
	cql_statement *statement = prepare("INSERT");
	cql_request *request = submit_prepare("p");
	cql_error error;

	(void) state;
	await_request(&node);
	peer_hang_up(&node);
	await_done(request);
	assert_int_equal(failure_of(request, &error), CQL_ERROR_LOST);
	assert_false(error.may_be_applied);
	cql_request_free(request);

	/* nor was a statement that the server did not know */
	request = submit_execute(statement);
	await_request(&node);
	ANSWER(&node, 0x00, unprepared);
	await_request(&node);
	assert_int_equal(node.opcode, 0x09);
	peer_hang_up(&node);
	await_done(request);
	assert_int_equal(failure_of(request, &error), CQL_ERROR_LOST);
	assert_false(error.may_be_applied);
	cql_request_free(request);
	cql_statement_release(statement);
}

/* Answers that nobody waits for hold ids and the server's memory: another connection takes over. */
static void
test_too_many_orphans(void **state)
{
	cql_request *request = submit_query("q", 0);
	cql_connection_info info;
	uint8_t waste[1 << 14];
	int first_fd;

	(void) state;
	await_request(&node);
	ANSWER(&node, 0x08, voided);
	await_done(request);
	cql_request_free(request);
	for (int i = 0; i < 1025; i++)
	{
		request = submit_query("q", 0);
		turn();
		while (recv(node.fd, waste, sizeof waste, 0) > 0)
			continue;
		cql_request_free(request);
	}
	assert_true(cql_session_connection(session, 0, &info));
	assert_in_range(info.orphans, 1025, 1025 + 3);

	first_fd = node.fd;
	node.fd = -1;
	node.in_len = 0;
	request = submit_query("q", 0);
	await_request(&node);
	ANSWER(&node, 0x08, voided);
	await_done(request);
	assert_int_equal(node.connection_count, 2);
	cql_request_free(request);
	close(first_fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nothing_is_opened_before_the_first_request, set_up,
										tear_down),
		cmocka_unit_test_setup_teardown(test_prepare_and_execute, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_cache_asks_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_cache_pushes_the_oldest_out, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_unprepared_is_mended, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_unprepared_batch_is_mended, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_unprepared_without_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_changed_bind_variables, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_contact_points_in_turn, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_contact_point_answers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_lost_under_a_request_and_reconnected, set_up,
										tear_down),
		cmocka_unit_test_setup_teardown(test_lost_while_idle, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_deadline_and_late_answer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_deadline_wakes_the_descriptor, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_back_pressure, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_malformed_rows_cut_the_connection, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_session_is_freed_under_its_requests, set_up,
										tear_down),
		cmocka_unit_test_setup_teardown(test_free_in_every_state, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_too_large_is_no_want_of_memory, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_hang_up_after_every_handshake, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_reset_within_an_answer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_lost_prepare_applies_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_too_many_orphans, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_every_allocation_fails_once, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
