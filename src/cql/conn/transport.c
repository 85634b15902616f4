/*
 * What the socket's side sees of a connection: the frames themselves, or TLS around them.
 *
 * Frames are encrypted only when the socket asks for bytes, and a bounded number of them, so what
 * the peer does not take stays in the queue as it is. An encrypted frame counts as sent.
 */
#include <string.h>

#include "cql/conn/exchange.h"

/* Ciphertext that is made at once: enough for a write of the socket to be worth it. */
#define OUTPUT_LEN ((size_t) 64 * 1024)
#define MAX_PARTS 16

/* ---- TLS: out ---- */

static void
fail_tls(cql_conn *conn, const cql_error *error)
{
	/* Up to READY the reason matters to the one who connects; later the connection was lost. */
	if (conn->state != CQL_CONN_READY)
		conn->error = *error;
	cql_conn_close(conn, CQL_ERROR_LOST, "TLS failed: %s", error->message);
}

/* The next record's bytes: those of a large frame in place, of small ones side by side in `into`. */
static const uint8_t *
gather(cql_conn *conn, uint8_t *into, size_t *len)
{
	struct iovec parts[MAX_PARTS];
	int count = cql_plain_output(conn, parts, MAX_PARTS);

	*len = 0;
	if (count > 0 && parts[0].iov_len >= CQL_TLS_RECORD_LEN)
	{
		*len = CQL_TLS_RECORD_LEN;
		return parts[0].iov_base;
	}
	for (int i = 0; i < count && *len < CQL_TLS_RECORD_LEN; i++)
	{
		size_t room = CQL_TLS_RECORD_LEN - *len;
		size_t take = parts[i].iov_len < room ? parts[i].iov_len : room;

		memcpy(into + *len, parts[i].iov_base, take);
		*len += take;
	}
	return into;
}

static void
encrypt(cql_conn *conn)
{
	uint8_t record[CQL_TLS_RECORD_LEN];
	bool is_secret = conn->state == CQL_CONN_AUTH;
	cql_error error;

	while (conn->state > CQL_CONN_TLS && cql_plain_has_output(conn) &&
		   cql_tls_output(conn->tls).iov_len < OUTPUT_LEN)
	{
		size_t len;
		const uint8_t *plain = gather(conn, record, &len);

		if (cql_tls_write(conn->tls, plain, len, &error) != CQL_TLS_DONE)
			fail_tls(conn, &error);
		else
			cql_plain_sent(conn, len);
	}
	/* A password leaves no trace in memory that others may get. */
	if (is_secret)
		explicit_bzero(record, sizeof record);
}

/* ---- TLS: in ---- */

static void
shake_hands(cql_conn *conn)
{
	cql_error error;

	switch (cql_tls_shake_hands(conn->tls, &error))
	{
		case CQL_TLS_DONE:
			cql_handshake_start(conn);
			break;
		case CQL_TLS_MORE:
			break;
		case CQL_TLS_ENDED:
			cql_conn_close(conn, CQL_ERROR_LOST, "the server ended TLS");
			break;
		case CQL_TLS_FAILED:
			fail_tls(conn, &error);
			break;
	}
}

/* Everything that the ciphertext holds goes to where the frames are read. */
static void
decrypt(cql_conn *conn)
{
	cql_tls_status status = CQL_TLS_DONE;
	cql_error error;

	while (status == CQL_TLS_DONE && conn->state != CQL_CONN_CLOSED)
	{
		size_t room;
		size_t len;
		uint8_t *into = cql_plain_input(conn, &room);

		status = cql_tls_read(conn->tls, into, room, &len, &error);
		if (status == CQL_TLS_DONE)
			cql_plain_received(conn, len);
	}
	if (status == CQL_TLS_ENDED)
		cql_conn_close(conn, CQL_ERROR_LOST, "the server closed the connection");
	else if (status == CQL_TLS_FAILED)
		fail_tls(conn, &error);
}

/* ---- either ---- */

void
cql_conn_start(cql_conn *conn)
{
	if (conn->tls == NULL)
	{
		cql_handshake_start(conn);
		return;
	}
	conn->state = CQL_CONN_TLS;
	shake_hands(conn);
}

uint8_t *
cql_conn_input(cql_conn *conn, size_t *len)
{
	return conn->tls != NULL ? cql_tls_input(conn->tls, len) : cql_plain_input(conn, len);
}

void
cql_conn_received(cql_conn *conn, size_t len)
{
	conn->bytes_received += len;
	if (conn->state == CQL_CONN_CLOSED)
		return;
	if (conn->tls == NULL)
	{
		cql_plain_received(conn, len);
		return;
	}
	cql_tls_received(conn->tls, len);
	if (conn->state == CQL_CONN_TLS)
		shake_hands(conn);
	if (conn->state > CQL_CONN_TLS)
		decrypt(conn);
}

bool
cql_conn_has_output(const cql_conn *conn)
{
	if (conn->state == CQL_CONN_CLOSED)
		return false;
	if (conn->tls != NULL && cql_tls_output(conn->tls).iov_len > 0)
		return true;
	return cql_plain_has_output(conn);
}

int
cql_conn_output(cql_conn *conn, struct iovec *parts, int max)
{
	if (conn->tls == NULL)
		return cql_plain_output(conn, parts, max);
	encrypt(conn);
	if (conn->state == CQL_CONN_CLOSED || cql_tls_output(conn->tls).iov_len == 0)
		return 0;
	parts[0] = cql_tls_output(conn->tls);
	return 1;
}

void
cql_conn_sent(cql_conn *conn, size_t len)
{
	conn->bytes_sent += len;
	if (conn->state == CQL_CONN_CLOSED)
		return;
	if (conn->tls != NULL)
		cql_tls_sent(conn->tls, len);
	else
		cql_plain_sent(conn, len);
}
