/*
 * The handshake: OPTIONS → SUPPORTED, STARTUP → READY or AUTHENTICATE, AUTH_RESPONSE →
 * AUTH_SUCCESS (protocol v4, section 4). Its one exchange goes through the same queue, streams
 * and reader as every other. Any other answer closes the connection with the reason.
 */
#include <stdio.h>
#include <string.h>

#include "cql/conn/exchange.h"
#include "cql/mem.h"
#include "cql/wire/request.h"

#define DRIVER_NAME "scylla_fdw"
#define DRIVER_VERSION "1.0"

/* One of its frames holds the password, which leaves no trace in memory that others may get. */
void
cql_handshake_cleanup(cql_conn *conn)
{
	if (conn->handshake.frame != NULL)
		explicit_bzero(conn->handshake.frame, conn->handshake.frame_len);
	cql_exchange_cleanup(&conn->handshake);
}

/* Send the frame that the writer holds as the handshake's next step. */
static void
send_step(cql_conn *conn, cql_writer *writer, cql_conn_state next)
{
	cql_handshake_cleanup(conn);
	conn->handshake.frame = cql_writer_take(writer, &conn->handshake.frame_len);
	if (conn->handshake.frame == NULL ||
		!cql_conn_submit(conn, &conn->handshake, conn->options.handshake_deadline_ms))
		cql_conn_close(conn, CQL_ERROR_NO_MEMORY, "out of memory");
	else
		conn->state = next;
}

void
cql_handshake_start(cql_conn *conn)
{
	cql_writer writer;

	cql_writer_init(&writer);
	cql_write_options(&writer);
	send_step(conn, &writer, CQL_CONN_OPTIONS);
}

/* Every extension that the server offers and we know is asked for. The server looks at the key
 * alone, but other drivers repeat the mark's mask, so some server may come to want it. */
static int
list_extensions(const cql_supported *supported, cql_string_pair *pairs, char *lwt_mark, size_t size)
{
	int count = 0;

	if (supported->rate_limit_code != 0)
		pairs[count++] = (cql_string_pair) {"SCYLLA_RATE_LIMIT_ERROR", ""};
	if (supported->lwt_mask != 0)
	{
		snprintf(lwt_mark, size, "LWT_OPTIMIZATION_META_BIT_MASK=%u", supported->lwt_mask);
		pairs[count++] = (cql_string_pair) {"SCYLLA_LWT_ADD_METADATA_MARK", lwt_mark};
	}
	if (supported->has_tablets_v1)
		pairs[count++] = (cql_string_pair) {"TABLETS_ROUTING_V1", ""};
	if (supported->has_metadata_id)
		pairs[count++] = (cql_string_pair) {"SCYLLA_USE_METADATA_ID", ""};
	return count;
}

static void
start_up(cql_conn *conn, cql_reader *body)
{
	cql_string_pair pairs[9];
	char lwt_mark[64];
	int count = 0;
	bool has_compression;
	cql_writer writer;

	cql_read_supported(body, &conn->supported);
	has_compression = conn->options.compression == CQL_COMPRESSION_LZ4 && conn->supported.has_lz4;
	pairs[count++] = (cql_string_pair) {"CQL_VERSION", "3.0.0"};
	pairs[count++] = (cql_string_pair) {"DRIVER_NAME", DRIVER_NAME};
	pairs[count++] = (cql_string_pair) {"DRIVER_VERSION", DRIVER_VERSION};
	if (conn->options.application_name != NULL)
		pairs[count++] = (cql_string_pair) {"APPLICATION_NAME", conn->options.application_name};
	if (has_compression)
		pairs[count++] = (cql_string_pair) {"COMPRESSION", "lz4"};
	count += list_extensions(&conn->supported, pairs + count, lwt_mark, sizeof lwt_mark);

	cql_writer_init(&writer);
	cql_write_startup(&writer, pairs, count);
	send_step(conn, &writer, CQL_CONN_STARTUP);
	/* From the answer on: this message itself is never compressed. */
	conn->has_compression = has_compression;
}

/*
 * Only authenticators that are known to take a plain user and password are sent them; what
 * another one would do with the bytes is unknown.
 */
static bool
takes_plain_password(cql_view authenticator)
{
	static const char *const known[] = {"PasswordAuthenticator",
										"MutualTlsWithPasswordFallbackAuthenticator",
										"TransitionalAuthenticator", "SaslauthdAuthenticator"};

	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
	{
		size_t len = strlen(known[i]);

		if (authenticator.len >= len &&
			memcmp(authenticator.data + authenticator.len - len, known[i], len) == 0)
			return true;
	}
	return false;
}

static void
authenticate(cql_conn *conn, cql_reader *body)
{
	cql_view authenticator = cql_read_string(body);
	cql_writer writer;

	conn->has_password_been_asked = true;
	if (!takes_plain_password(authenticator))
		cql_conn_close(conn, CQL_ERROR_CREDENTIALS,
					   "the server wants to authenticate by \"%.*s\", which is not supported",
					   (int) authenticator.len, authenticator.data);
	else if (conn->options.user == NULL || conn->options.password == NULL)
		cql_conn_close(conn, CQL_ERROR_CREDENTIALS,
					   "the server wants a user and a password, and none are given");
	else
	{
		cql_writer_init(&writer);
		cql_write_auth_plain(&writer, conn->options.user, conn->options.password);
		send_step(conn, &writer, CQL_CONN_AUTH);
	}
}

/* READY to STARTUP: the server asked for nothing. */
static void
enter_unasked(cql_conn *conn)
{
	if (conn->options.must_ask_password)
		cql_conn_close(conn, CQL_ERROR_NOT_ASKED, "the server did not ask for the password");
	else
		conn->state = CQL_CONN_READY;
}

static void
refuse(cql_conn *conn, cql_reader *body, int32_t rate_limit_code)
{
	cql_view statement_id;

	cql_read_error(body, rate_limit_code, &conn->error, &statement_id);
	if (body->failed)
		conn->error.kind = CQL_ERROR_NONE;
	conn->error.may_be_applied = false;
	cql_conn_close(conn, CQL_ERROR_PROTOCOL, "a malformed ERROR in the handshake");
}

/* The state that the handshake is in picks which answers it takes. */
void
cql_handshake_answer(cql_conn *conn)
{
	uint8_t opcode = conn->handshake.header.opcode;
	uint8_t *block = conn->handshake.body;
	cql_reader body = cql_reader_over(block, conn->handshake.header.body_len);
	cql_frame_prefix prefix;

	conn->handshake.body = NULL;
	cql_frame_read_prefix(&body, conn->handshake.header.flags, &prefix);
	if (opcode == CQL_OPCODE_ERROR)
		refuse(conn, &body, conn->supported.rate_limit_code);
	else if (conn->state == CQL_CONN_OPTIONS && opcode == CQL_OPCODE_SUPPORTED)
		start_up(conn, &body);
	else if (conn->state == CQL_CONN_STARTUP && opcode == CQL_OPCODE_READY)
		enter_unasked(conn);
	else if (conn->state == CQL_CONN_STARTUP && opcode == CQL_OPCODE_AUTHENTICATE)
		authenticate(conn, &body);
	else if (conn->state == CQL_CONN_AUTH && opcode == CQL_OPCODE_AUTH_SUCCESS)
		conn->state = CQL_CONN_READY;
	else if (conn->state == CQL_CONN_AUTH && opcode == CQL_OPCODE_AUTH_CHALLENGE)
		cql_conn_close(conn, CQL_ERROR_CREDENTIALS,
					   "the server wants more than a user and a password");
	else
		cql_conn_close(conn, CQL_ERROR_PROTOCOL, "opcode 0x%02x in the handshake", opcode);
	if (body.failed)
		cql_conn_close(conn, CQL_ERROR_PROTOCOL,
					   "a malformed answer in the handshake (opcode 0x%02x)", opcode);
	cql_release(block);
}
