/*
 * Bodies of responses but for RESULT's metadata, which has its own file (metadata.c). Text is
 * copied into fixed arrays only here, cut at a character's edge.
 */
#include "cql/wire/response.h"

#include <string.h>

/* ---- text ---- */

/* Copy what fits; never half a UTF-8 sequence, since the text goes on into PostgreSQL. */
static void
copy_text(char *out, size_t size, cql_view text)
{
	size_t len = text.len;

	if (len >= size)
	{
		len = size - 1;
		while (len > 0 && ((uint8_t) text.data[len] & 0xC0) == 0x80)
			len--;
	}
	memcpy(out, text.data, len);
	out[len] = '\0';
}

static bool
is_text(cql_view view, const char *text)
{
	return view.len == strlen(text) && memcmp(view.data, text, view.len) == 0;
}

static bool
has_prefix(cql_view view, const char *prefix)
{
	return view.len >= strlen(prefix) && memcmp(view.data, prefix, strlen(prefix)) == 0;
}

/* A decimal number of at most max; false if it is anything else. */
static bool
parse_number(cql_view text, uint64_t max, uint64_t *out)
{
	uint64_t number = 0;

	if (text.len == 0 || text.len > 19)
		return false;
	for (size_t i = 0; i < text.len; i++)
	{
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
		number = number * 10 + (uint64_t) (text.data[i] - '0');
	}
	if (number > max)
		return false;
	*out = number;
	return true;
}

/* ---- ERROR ---- */

/*
 * Can a write that got this answer stand all the same? Only codes that the coordinator sends
 * before it writes anywhere rule it out; a code that we do not know does not.
 */
static bool
may_be_applied(int32_t code)
{
	switch (code)
	{
		case CQL_SERVER_PROTOCOL:
		case CQL_SERVER_BAD_CREDENTIALS:
		case CQL_SERVER_UNAVAILABLE:
		case CQL_SERVER_OVERLOADED:
		case CQL_SERVER_BOOTSTRAPPING:
		case CQL_SERVER_SYNTAX:
		case CQL_SERVER_UNAUTHORIZED:
		case CQL_SERVER_INVALID:
		case CQL_SERVER_CONFIG:
		case CQL_SERVER_ALREADY_EXISTS:
		case CQL_SERVER_UNPREPARED:
			return false;
			/* Reads, those of a conditional write too: they come before its proposal. */
		case CQL_SERVER_READ_TIMEOUT:
		case CQL_SERVER_READ_FAILURE:
			/* Functions are called on values to be written, or on rows that were read. */
		case CQL_SERVER_FUNCTION_FAILURE:
			return false;
		default:
			return true;
	}
}

static void
read_received_and_required(cql_reader *body, cql_error *error)
{
	error->consistency = cql_read_short(body);
	error->received = cql_read_int(body);
	error->required = cql_read_int(body);
}

static void
read_write_type(cql_reader *body, cql_error *error)
{
	copy_text(error->write_type, sizeof error->write_type, cql_read_string(body));
}

static void
read_names(cql_reader *body, cql_error *error)
{
	copy_text(error->keyspace, sizeof error->keyspace, cql_read_string(body));
	copy_text(error->name, sizeof error->name, cql_read_string(body));
}

static void
read_error_fields(cql_reader *body, cql_error *error, cql_view *statement_id)
{
	switch (error->server_code)
	{
		case CQL_SERVER_UNAVAILABLE:
			error->consistency = cql_read_short(body);
			error->required = cql_read_int(body);
			error->received = cql_read_int(body); /* nodes alive */
			break;
		case CQL_SERVER_WRITE_TIMEOUT:
			read_received_and_required(body, error);
			read_write_type(body, error);
			break;
		case CQL_SERVER_READ_TIMEOUT:
			read_received_and_required(body, error);
			error->is_data_present = cql_read_byte(body) != 0;
			break;
		case CQL_SERVER_READ_FAILURE:
			read_received_and_required(body, error);
			error->failure_count = cql_read_int(body);
			error->is_data_present = cql_read_byte(body) != 0;
			break;
		case CQL_SERVER_WRITE_FAILURE:
			read_received_and_required(body, error);
			error->failure_count = cql_read_int(body);
			read_write_type(body, error);
			break;
		case CQL_SERVER_CAS_WRITE_UNKNOWN:
			read_received_and_required(body, error);
			break;
		case CQL_SERVER_FUNCTION_FAILURE:
		case CQL_SERVER_ALREADY_EXISTS:
			read_names(body, error);
			break;
		case CQL_SERVER_UNPREPARED:
			*statement_id = cql_read_short_bytes(body);
			break;
		default:
			break;
	}
}

void
cql_read_error(cql_reader *body, int32_t rate_limit_code, cql_error *error, cql_view *statement_id)
{
	memset(error, 0, sizeof *error);
	*statement_id = (cql_view) {.data = "", .len = 0};
	error->kind = CQL_ERROR_SERVER;
	error->shard = -1;
	error->consistency = -1;
	error->server_code = cql_read_int(body);
	copy_text(error->message, sizeof error->message, cql_read_string(body));
	if (rate_limit_code != 0 && error->server_code == rate_limit_code)
	{
		bool is_write = cql_read_byte(body) == 1;
		bool is_refused_by_coordinator = cql_read_byte(body) != 0;

		error->kind = CQL_ERROR_RATE_LIMIT;
		/* A coordinator that is no replica has each of them decide for itself. */
		error->may_be_applied = is_write && !is_refused_by_coordinator;
		return;
	}
	error->may_be_applied = may_be_applied(error->server_code);
	read_error_fields(body, error, statement_id);
}

/* ---- SUPPORTED ---- */

/* What must be seen before a node counts as sharded in the way that we know. */
enum
{
	SEEN_SHARD = 0x01,
	SEEN_SHARD_COUNT = 0x02,
	SEEN_IGNORE_MSB = 0x04,
	SEEN_PARTITIONER = 0x08,
	SEEN_ALGORITHM = 0x10,
	SEEN_ALL = 0x1F
};

/* The key's sharding fact, if it is one and its value is sane, as a SEEN_ bit. */
static uint32_t
read_sharding(cql_view key, cql_view value, cql_supported *out)
{
	uint64_t number;

	if (is_text(key, "SCYLLA_PARTITIONER"))
		return is_text(value, "org.apache.cassandra.dht.Murmur3Partitioner") ? SEEN_PARTITIONER : 0;
	if (is_text(key, "SCYLLA_SHARDING_ALGORITHM"))
		return is_text(value, "biased-token-round-robin") ? SEEN_ALGORITHM : 0;
	if (is_text(key, "SCYLLA_SHARD") && parse_number(value, UINT16_MAX, &number))
	{
		out->shard = (uint32_t) number;
		return SEEN_SHARD;
	}
	if (is_text(key, "SCYLLA_NR_SHARDS") && parse_number(value, UINT16_MAX, &number))
	{
		out->shard_count = (uint32_t) number;
		return SEEN_SHARD_COUNT;
	}
	if (is_text(key, "SCYLLA_SHARDING_IGNORE_MSB") && parse_number(value, 63, &number))
	{
		out->ignore_msb = (uint32_t) number;
		return SEEN_IGNORE_MSB;
	}
	if (is_text(key, "SCYLLA_SHARD_AWARE_PORT") && parse_number(value, UINT16_MAX, &number))
		out->shard_aware_port = (uint16_t) number;
	if (is_text(key, "SCYLLA_SHARD_AWARE_PORT_SSL") && parse_number(value, UINT16_MAX, &number))
		out->shard_aware_port_tls = (uint16_t) number;
	return 0;
}

/* The number in "NAME=number". */
static bool
parse_setting(cql_view value, const char *name, uint64_t *out)
{
	size_t name_len = strlen(name);

	if (!has_prefix(value, name))
		return false;
	value.data += name_len;
	value.len -= name_len;
	return parse_number(value, UINT32_MAX, out);
}

/* "550e8400-e29b-41d4-a716-446655440000" */
static bool
parse_uuid(cql_view text, uint8_t *out)
{
	static const char digits[] = "0123456789abcdef";
	int count = 0;

	for (size_t i = 0; i < text.len; i++)
	{
		char c = text.data[i];
		const char *digit;

		if (c == '-')
			continue;
		digit = memchr(digits, c >= 'A' && c <= 'F' ? c | 0x20 : c, sizeof digits - 1);
		if (digit == NULL || count == 32)
			return false;
		out[count / 2] = (uint8_t) (out[count / 2] << 4 | (digit - digits));
		count++;
	}
	return count == 32;
}

static void
read_extension(cql_view key, cql_view value, cql_supported *out)
{
	uint64_t number;

	if (is_text(key, "CQL_VERSION") && out->cql_version[0] == '\0')
		copy_text(out->cql_version, sizeof out->cql_version, value);
	else if (is_text(key, "COMPRESSION") && is_text(value, "lz4"))
		out->has_lz4 = true;
	else if (is_text(key, "SCYLLA_HOST_ID") && !out->has_host_id)
		out->has_host_id = parse_uuid(value, out->host_id);
	else if (is_text(key, "SCYLLA_LWT_ADD_METADATA_MARK") &&
			 parse_setting(value, "LWT_OPTIMIZATION_META_BIT_MASK=", &number))
		out->lwt_mask = (uint32_t) number;
	else if (is_text(key, "SCYLLA_RATE_LIMIT_ERROR") &&
			 parse_setting(value, "ERROR_CODE=", &number))
		out->rate_limit_code = (int32_t) (uint32_t) number;
}

static void
forget_sharding(cql_supported *out)
{
	out->shard = 0;
	out->shard_count = 0;
	out->ignore_msb = 0;
	out->shard_aware_port = 0;
	out->shard_aware_port_tls = 0;
}

void
cql_read_supported(cql_reader *body, cql_supported *out)
{
	int key_count = cql_read_short(body);
	uint32_t seen = 0;

	memset(out, 0, sizeof *out);
	for (int i = 0; i < key_count && !body->failed; i++)
	{
		cql_view key = cql_read_string(body);
		int value_count = cql_read_short(body);

		out->is_scylla |= has_prefix(key, "SCYLLA_");
		/* For these the key alone counts, and its list may be empty. */
		out->has_tablets_v1 |= is_text(key, "TABLETS_ROUTING_V1");
		out->has_metadata_id |= is_text(key, "SCYLLA_USE_METADATA_ID");
		for (int j = 0; j < value_count && !body->failed; j++)
		{
			cql_view value = cql_read_string(body);

			seen |= read_sharding(key, value, out);
			read_extension(key, value, out);
		}
	}
	if (seen != SEEN_ALL || out->shard >= out->shard_count)
		forget_sharding(out);
}

/* ---- SCHEMA_CHANGE ---- */

void
cql_read_schema_change(cql_reader *body, cql_schema_change *out)
{
	out->change = cql_read_string(body);
	out->target = cql_read_string(body);
	out->keyspace = cql_read_string(body);
	out->name = (cql_view) {.data = "", .len = 0};
	/* A function's argument types follow its name; nobody asks for them. */
	if (!is_text(out->target, "KEYSPACE"))
		out->name = cql_read_string(body);
}

/* ---- EVENT ---- */

static void
read_inet(cql_reader *body, cql_event *out)
{
	out->address_len = cql_read_byte(body);
	if (out->address_len != 4 && out->address_len != 16)
		cql_reader_fail(body);
	out->address = cql_read_raw(body, out->address_len);
	out->port = (uint16_t) cql_read_int(body);
}

void
cql_read_event(cql_reader *body, cql_event *out)
{
	cql_view kind = cql_read_string(body);

	memset(out, 0, sizeof *out);
	if (is_text(kind, "SCHEMA_CHANGE"))
	{
		out->kind = CQL_EVENT_SCHEMA;
		cql_read_schema_change(body, &out->schema);
		return;
	}
	if (is_text(kind, "TOPOLOGY_CHANGE"))
		out->kind = CQL_EVENT_TOPOLOGY;
	else if (is_text(kind, "STATUS_CHANGE"))
		out->kind = CQL_EVENT_STATUS;
	else
		return;
	out->change = cql_read_string(body);
	read_inet(body, out);
}
