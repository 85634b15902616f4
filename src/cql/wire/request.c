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
	if (parameters->is_metadata_skipped)
		flags |= QUERY_SKIP_METADATA;
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
write_parameters(cql_writer *writer, const cql_query_parameters *parameters)
{
	uint8_t flags = parameter_flags(parameters);

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
	write_parameters(writer, parameters);
	cql_frame_end(writer);
}

void
cql_write_execute(cql_writer *writer, cql_view statement_id, cql_view metadata_id,
				  const cql_query_parameters *parameters, uint8_t flags)
{
	cql_frame_begin(writer, CQL_OPCODE_EXECUTE, flags);
	cql_write_short_bytes(writer, statement_id.data, statement_id.len);
	if (metadata_id.len > 0)
		cql_write_short_bytes(writer, metadata_id.data, metadata_id.len);
	write_parameters(writer, parameters);
	cql_frame_end(writer);
}
