/*
 * Bodies of requests. The writer is sticky, so nothing here tests for failure: the caller does
 * so once, and a text or value too long for the notation fails it like memory that is missing.
 */
#include "cql/wire/request.h"

#include <string.h>

/* Flags of <query_parameters> (v4, section 4.1.4). */
enum
{
	QUERY_VALUES = 0x01,
	QUERY_SKIP_METADATA = 0x02,
	QUERY_PAGE_SIZE = 0x04,
	QUERY_PAGING_STATE = 0x08,
	QUERY_SERIAL_CONSISTENCY = 0x10,
	QUERY_DEFAULT_TIMESTAMP = 0x20
};

/* Of BATCH (v4, section 4.1.7): its type, and the kind of each of its queries. */
enum
{
	BATCH_UNLOGGED = 1,
	BATCH_PREPARED = 1
};

void
cql_write_options(cql_writer *writer)
{
	cql_frame_begin(writer, CQL_OPCODE_OPTIONS, 0);
	cql_frame_end(writer);
}

void
cql_write_startup(cql_writer *writer, const cql_string_pair *options, int count)
{
	cql_frame_begin(writer, CQL_OPCODE_STARTUP, 0);
	cql_write_short(writer, (uint16_t) count);
	for (int i = 0; i < count; i++)
	{
		cql_write_string(writer, options[i].key);
		cql_write_string(writer, options[i].value);
	}
	cql_frame_end(writer);
}

void
cql_write_auth_plain(cql_writer *writer, const char *user, const char *password)
{
	size_t user_len = strlen(user);
	size_t password_len = strlen(password);

	if (user_len > CQL_FRAME_MAX_BODY_LEN || password_len > CQL_FRAME_MAX_BODY_LEN)
	{
		writer->failed = true;
		return;
	}
	/* All room at once: growing in between would leave a copy of the password behind. */
	cql_writer_reserve(writer, CQL_FRAME_HEADER_LEN + 4 + 2 + user_len + password_len);
	cql_frame_begin(writer, CQL_OPCODE_AUTH_RESPONSE, 0);
	cql_write_int(writer, (int32_t) (2 + user_len + password_len));
	cql_write_byte(writer, 0);
	cql_write_raw(writer, user, user_len);
	cql_write_byte(writer, 0);
	cql_write_raw(writer, password, password_len);
	cql_frame_end(writer);
}

void
cql_write_prepare(cql_writer *writer, const char *cql)
{
	cql_frame_begin(writer, CQL_OPCODE_PREPARE, 0);
	cql_write_long_string(writer, cql);
	cql_frame_end(writer);
}

static uint8_t
parameter_flags(const cql_query_parameters *parameters)
{
	uint8_t flags = 0;

	if (parameters->value_count > 0)
		flags |= QUERY_VALUES;
	if (parameters->page_rows > 0)
		flags |= QUERY_PAGE_SIZE;
	if (parameters->paging_state_len > 0)
		flags |= QUERY_PAGING_STATE;
	if (parameters->serial_consistency != 0)
		flags |= QUERY_SERIAL_CONSISTENCY;
	if (parameters->has_timestamp)
		flags |= QUERY_DEFAULT_TIMESTAMP;
	return flags;
}

static void
write_parameters(cql_writer *writer, const cql_query_parameters *parameters, uint8_t flags)
{

	if (parameters->values_len > CQL_FRAME_MAX_BODY_LEN ||
		parameters->paging_state_len > CQL_FRAME_MAX_BODY_LEN)
	{
		writer->failed = true;
		return;
	}
	cql_write_short(writer, parameters->consistency);
	cql_write_byte(writer, flags);
	if (flags & QUERY_VALUES)
	{
		cql_write_short(writer, parameters->value_count);
		cql_write_raw(writer, parameters->values, parameters->values_len);
	}
	if (flags & QUERY_PAGE_SIZE)
		cql_write_int(writer, parameters->page_rows);
	if (flags & QUERY_PAGING_STATE)
		cql_write_bytes(writer, parameters->paging_state, (int32_t) parameters->paging_state_len);
	if (flags & QUERY_SERIAL_CONSISTENCY)
		cql_write_short(writer, parameters->serial_consistency);
	if (flags & QUERY_DEFAULT_TIMESTAMP)
		cql_write_long(writer, parameters->timestamp_us);
}

void
cql_write_query(cql_writer *writer, const char *cql, const cql_query_parameters *parameters,
				uint8_t flags)
{
	cql_frame_begin(writer, CQL_OPCODE_QUERY, flags);
	cql_write_long_string(writer, cql);
	write_parameters(writer, parameters, parameter_flags(parameters));
	cql_frame_end(writer);
}

void
cql_write_execute(cql_writer *writer, cql_view statement_id, cql_view metadata_id,
				  const cql_query_parameters *parameters, uint8_t flags)
{
	uint8_t query_flags = parameter_flags(parameters);

	if (metadata_id.len > 0)
		query_flags |= QUERY_SKIP_METADATA;
	cql_frame_begin(writer, CQL_OPCODE_EXECUTE, flags);
	cql_write_short_bytes(writer, statement_id.data, statement_id.len);
	cql_write_short_bytes(writer, metadata_id.data, metadata_id.len);
	write_parameters(writer, parameters, query_flags);
	cql_frame_end(writer);
}

/* Header and statement id of an EXECUTE: what stands before the metadata id. */
static size_t
execute_head_len(const uint8_t *frame)
{
	return CQL_FRAME_HEADER_LEN + 2 + cql_get_u16(frame + CQL_FRAME_HEADER_LEN);
}

/* The first of two neighbours changes places with the second. */
static void
rotate(uint8_t *bytes, size_t first_len, size_t second_len)
{
	while (first_len > 0 && second_len > 0)
	{
		uint8_t chunk[64];
		size_t len = second_len < sizeof chunk ? second_len : sizeof chunk;

		memcpy(chunk, bytes + first_len, len);
		memmove(bytes + len, bytes, first_len);
		memcpy(bytes, chunk, len);
		bytes += len;
		second_len -= len;
	}
}

static void
change_body_len(uint8_t *frame, uint32_t added)
{
	cql_put_u32(frame + 5, cql_get_u32(frame + 5) + added);
}

/* The hidden id waits in front of the frame. */
size_t
cql_execute_hide_metadata_id(uint8_t *frame)
{
	size_t head_len = execute_head_len(frame);
	size_t id_len = 2 + (size_t) cql_get_u16(frame + head_len);

	rotate(frame, head_len, id_len);
	frame += id_len;
	change_body_len(frame, (uint32_t) -id_len);
	/* the flags stand behind the consistency */
	frame[head_len + 2] &= (uint8_t) ~QUERY_SKIP_METADATA;
	return id_len;
}

void
cql_execute_show_metadata_id(uint8_t *frame, size_t hidden_len)
{
	size_t head_len = execute_head_len(frame + hidden_len);

	rotate(frame, hidden_len, head_len);
	change_body_len(frame, (uint32_t) hidden_len);
	if (hidden_len > 2)
		frame[head_len + hidden_len + 2] |= QUERY_SKIP_METADATA;
}

/* Behind the rows stands what stands behind the values of other requests. */
void
cql_write_batch(cql_writer *writer, cql_view statement_id, int row_count,
				const cql_query_parameters *parameters, uint8_t flags)
{
	cql_reader values = cql_reader_over(parameters->values, parameters->values_len);
	cql_query_parameters tail = {
		.consistency = parameters->consistency,
		.serial_consistency = parameters->serial_consistency,
		.has_timestamp = parameters->has_timestamp,
		.timestamp_us = parameters->timestamp_us,
	};

	cql_frame_begin(writer, CQL_OPCODE_BATCH, flags);
	cql_write_byte(writer, BATCH_UNLOGGED);
	cql_write_short(writer, (uint16_t) row_count);
	for (int row = 0; row < row_count; row++)
	{
		const uint8_t *first = values.pos;

		for (int i = 0; i < parameters->value_count; i++)
			(void) cql_read_bytes(&values);
		cql_write_byte(writer, BATCH_PREPARED);
		cql_write_short_bytes(writer, statement_id.data, statement_id.len);
		cql_write_short(writer, parameters->value_count);
		if (!values.failed)
			cql_write_raw(writer, first, (size_t) (values.pos - first));
	}
	writer->failed |= values.failed || cql_reader_left(&values) > 0;
	write_parameters(writer, &tail, parameter_flags(&tail));
	cql_frame_end(writer);
}

void
cql_write_register(cql_writer *writer, const char *const *kinds, int count)
{
	cql_frame_begin(writer, CQL_OPCODE_REGISTER, 0);
	cql_write_short(writer, (uint16_t) count);
	for (int i = 0; i < count; i++)
		cql_write_string(writer, kinds[i]);
	cql_frame_end(writer);
}
