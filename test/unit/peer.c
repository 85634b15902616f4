/*
 * The other end of a connection; see peer.h.
 */
#include "peer.h"

const uint8_t supported_body[24] = {0,   1,   0,   11, 'C', 'Q', 'L', '_', 'V', 'E', 'R', 'S',
									'I', 'O', 'N', 0,  1,   0,   5,   '3', '.', '4', '.', '7'};

size_t
drain(cql_conn *conn, uint8_t *out, size_t size)
{
	size_t len = 0;
	struct iovec parts[4];
	int count;

	while ((count = cql_conn_output(conn, parts, 4)) > 0)
	{
		size_t sent = 0;

		for (int i = 0; i < count; i++)
		{
			assert_true(len + parts[i].iov_len <= size);
			memcpy(out + len, parts[i].iov_base, parts[i].iov_len);
			len += parts[i].iov_len;
			sent += parts[i].iov_len;
		}
		cql_conn_sent(conn, sent);
	}
	return len;
}

void
feed_in_pieces(cql_conn *conn, const void *bytes, size_t len, size_t piece)
{
	const uint8_t *from = bytes;

	while (len > 0 && conn->state != CQL_CONN_CLOSED)
	{
		size_t room;
		uint8_t *into = cql_conn_input(conn, &room);
		size_t take = len < piece ? len : piece;

		if (take > room)
			take = room;
		memcpy(into, from, take);
		cql_conn_received(conn, take);
		from += take;
		len -= take;
	}
}

size_t
put_frame(uint8_t *out, int stream, uint8_t opcode, const void *body, size_t len)
{
	out[0] = 0x84;
	out[1] = 0;
	out[2] = (uint8_t) (stream >> 8);
	out[3] = (uint8_t) stream;
	out[4] = opcode;
	out[5] = (uint8_t) (len >> 24);
	out[6] = (uint8_t) (len >> 16);
	out[7] = (uint8_t) (len >> 8);
	out[8] = (uint8_t) len;
	if (len > 0)
		memcpy(out + 9, body, len);
	return 9 + len;
}

void
answer(cql_conn *conn, int stream, uint8_t opcode, const void *body, size_t len, size_t piece)
{
	uint8_t *frame = malloc(9 + len);

	feed_in_pieces(conn, frame, put_frame(frame, stream, opcode, body, len), piece);
	free(frame);
}

int
stream_of(const uint8_t *frame)
{
	return frame[2] << 8 | frame[3];
}
