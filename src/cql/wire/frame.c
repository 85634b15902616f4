/*
 * The frame around every message: judging a response's header, beginning and ending a request's,
 * and what may stand before the message in a body.
 */
#include "cql/wire/frame.h"

#include <string.h>

/* Content types of a TLS record (RFC 8446, section 5.1). */
#define TLS_CHANGE_CIPHER_SPEC 0x14
#define TLS_APPLICATION_DATA 0x17

#define TRACING_ID_LEN 16

cql_frame_fault
cql_frame_judge_first_byte(uint8_t byte)
{
	if (byte == CQL_FRAME_RESPONSE)
		return CQL_FRAME_OK;
	if (byte >= TLS_CHANGE_CIPHER_SPEC && byte <= TLS_APPLICATION_DATA)
		return CQL_FRAME_TLS;
	/* Versions 1 to 15 with the direction bit; a server may refuse ours in its own version. */
	if (byte > 0x80 && byte <= 0x8F)
		return CQL_FRAME_BAD_VERSION;
	return CQL_FRAME_NOT_CQL;
}

static bool
is_response(uint8_t opcode)
{
	switch (opcode)
	{
		case CQL_OPCODE_ERROR:
		case CQL_OPCODE_READY:
		case CQL_OPCODE_AUTHENTICATE:
		case CQL_OPCODE_SUPPORTED:
		case CQL_OPCODE_RESULT:
		case CQL_OPCODE_EVENT:
		case CQL_OPCODE_AUTH_CHALLENGE:
		case CQL_OPCODE_AUTH_SUCCESS:
			return true;
		default:
			return false;
	}
}

cql_frame_fault
cql_frame_read_header(const uint8_t *bytes, cql_frame_header *out)
{
	cql_frame_fault fault = cql_frame_judge_first_byte(bytes[0]);

	out->version = bytes[0];
	out->flags = bytes[1];
	out->stream = (int16_t) cql_get_u16(bytes + 2);
	out->opcode = bytes[4];
	out->body_len = cql_get_u32(bytes + 5);
	if (fault != CQL_FRAME_OK)
		return fault;
	if (!is_response(out->opcode))
		return CQL_FRAME_BAD_OPCODE;
	/* The wire's length is signed: a negative one is above the limit too. */
	if (out->body_len > CQL_FRAME_MAX_BODY_LEN)
		return CQL_FRAME_TOO_LONG;
	return CQL_FRAME_OK;
}

void
cql_frame_begin(cql_writer *writer, cql_opcode opcode, uint8_t flags)
{
	/* stream id and length are not known yet */
	const uint8_t header[CQL_FRAME_HEADER_LEN] = {CQL_FRAME_REQUEST, flags, 0, 0, (uint8_t) opcode};

	cql_write_raw(writer, header, sizeof header);
}

void
cql_frame_end(cql_writer *writer)
{
	size_t body_len;

	if (writer->failed)
		return;
	body_len = writer->len - CQL_FRAME_HEADER_LEN;
	if (body_len > CQL_FRAME_MAX_BODY_LEN)
		writer->failed = true;
	else
		cql_put_u32(writer->data + 5, (uint32_t) body_len);
}

void
cql_frame_set_stream(uint8_t *frame, int16_t stream)
{
	cql_put_u16(frame + 2, (uint16_t) stream);
}

/* Step over count items, each a [string] or a pair of [string] and [bytes]; view them all. */
static cql_reader
skip_items(cql_reader *body, int count, bool is_pairs)
{
	const uint8_t *start = body->pos;

	for (int i = 0; i < count && !body->failed; i++)
	{
		cql_read_string(body);
		if (is_pairs)
			cql_read_bytes(body);
	}
	if (body->failed)
		return cql_reader_over(NULL, 0);
	return cql_reader_over(start, (size_t) (body->pos - start));
}

void
cql_frame_read_prefix(cql_reader *body, uint8_t flags, cql_frame_prefix *out)
{
	*out = (cql_frame_prefix) {
		.warnings = cql_reader_over(NULL, 0),
		.payload = cql_reader_over(NULL, 0),
	};
	if (flags & CQL_FLAG_TRACING)
		out->tracing_id = cql_read_raw(body, TRACING_ID_LEN);
	if (flags & CQL_FLAG_WARNING)
	{
		out->warning_count = cql_read_short(body);
		out->warnings = skip_items(body, out->warning_count, false);
	}
	if (flags & CQL_FLAG_CUSTOM_PAYLOAD)
	{
		out->payload_count = cql_read_short(body);
		out->payload = skip_items(body, out->payload_count, true);
	}
	if (body->failed)
		out->warning_count = out->payload_count = 0;
}

bool
cql_frame_find_payload(const cql_frame_prefix *prefix, const char *key, cql_cell *value)
{
	cql_reader payload = prefix->payload;

	for (int i = 0; i < prefix->payload_count && !payload.failed; i++)
	{
		cql_view name = cql_read_string(&payload);
		cql_cell cell = cql_read_bytes(&payload);

		if (name.len == strlen(key) && memcmp(name.data, key, name.len) == 0 &&
			!cql_cell_is_null(cell))
		{
			*value = cell;
			return true;
		}
	}
	return false;
}
