/*
 * Responses that no server can be made to send at will: every error code with its fields, a
 * ScyllaDB's SUPPORTED. Bodies are built with our own writer, which test_bytes.c answers for;
 * metadata has its own test_metadata.c, and what a real server sends is read in test_golden.c.
 */
#include "support.h"

#include "cql/wire/response.h"

static cql_writer built;

static int
begin(void **state)
{
	(void) state;
	cql_writer_init(&built);
	return 0;
}

static int
end(void **state)
{
	(void) state;
	cql_writer_cleanup(&built);
	return 0;
}

static bool
is_view(cql_view view, const char *text)
{
	return view.len == strlen(text) && memcmp(view.data, text, view.len) == 0;
}

/* ---- ERROR ---- */

/* What an error of each code must come to; fields that its code has not stay as they begin. */
typedef struct error_case
{
	int32_t code;
	bool may_be_applied;
	const char *fields; /* what stands behind the message: H short, i int, b byte, s string */
} error_case;

static const error_case error_cases[] = {
	{CQL_SERVER_ERROR, true, ""},
	{CQL_SERVER_PROTOCOL, false, ""},
	{CQL_SERVER_BAD_CREDENTIALS, false, ""},
	{CQL_SERVER_UNAVAILABLE, false, "Hii"},
	{CQL_SERVER_OVERLOADED, false, ""},
	{CQL_SERVER_BOOTSTRAPPING, false, ""},
	{CQL_SERVER_TRUNCATE, true, ""},
	{CQL_SERVER_WRITE_TIMEOUT, true, "Hiis"},
	{CQL_SERVER_READ_TIMEOUT, false, "Hiib"},
	{CQL_SERVER_READ_FAILURE, false, "Hiiib"},
	{CQL_SERVER_FUNCTION_FAILURE, false, "ss"},
	{CQL_SERVER_WRITE_FAILURE, true, "Hiiis"},
	{CQL_SERVER_CDC_WRITE_FAILURE, true, ""},
	{CQL_SERVER_CAS_WRITE_UNKNOWN, true, "Hii"},
	{CQL_SERVER_SYNTAX, false, ""},
	{CQL_SERVER_UNAUTHORIZED, false, ""},
	{CQL_SERVER_INVALID, false, ""},
	{CQL_SERVER_CONFIG, false, ""},
	{CQL_SERVER_ALREADY_EXISTS, false, "ss"},
	{CQL_SERVER_UNPREPARED, false, "s"},
	{0x7777, true, ""},
	{-1, true, ""},
};

#define RATE_LIMIT_CODE 0xF000

static cql_error error;

static void
read_error(cql_reader *body)
{
	cql_view statement_id;

	memset(&error, 0x55, sizeof error);
	cql_read_error(body, RATE_LIMIT_CODE, &error, &statement_id);
	assert_non_null(statement_id.data);
}

/* The first number written is 1, the next 2, ...; the first text "one", the next "two". */
static void
build_error(const error_case *c)
{
	static const char *const texts[] = {"one", "two"};
	int number = 0;
	int text = 0;

	cql_writer_cleanup(&built);
	cql_write_int(&built, c->code);
	cql_write_string(&built, "message");
	for (const char *field = c->fields; *field != '\0'; field++)
	{
		if (*field == 'H')
			cql_write_short(&built, (uint16_t) ++number);
		else if (*field == 'i')
			cql_write_int(&built, ++number);
		else if (*field == 'b')
			cql_write_byte(&built, 1);
		else
			cql_write_string(&built, texts[text++]);
	}
}

static void
check_error_fields(const error_case *c)
{
	const bool has_consistency = c->fields[0] == 'H';
	const bool has_names = strcmp(c->fields, "ss") == 0;
	/* UNAVAILABLE tells what is required first, then who is alive. */
	const bool is_swapped = c->code == CQL_SERVER_UNAVAILABLE;
	const char *last = c->fields + (c->fields[0] != '\0' ? strlen(c->fields) - 1 : 0);

	assert_int_equal(error.consistency, has_consistency ? 1 : -1);
	assert_int_equal(error.received, !has_consistency ? 0 : is_swapped ? 3 : 2);
	assert_int_equal(error.required, !has_consistency ? 0 : is_swapped ? 2 : 3);
	assert_int_equal(error.failure_count, strncmp(c->fields, "Hiii", 4) == 0 ? 4 : 0);
	assert_int_equal(error.is_data_present, *last == 'b');
	assert_string_equal(error.write_type, has_consistency && *last == 's' ? "one" : "");
	assert_string_equal(error.keyspace, has_names ? "one" : "");
	assert_string_equal(error.name, has_names ? "two" : "");
}

static void
every_error_is_read_with_its_fields(void **state)
{
	(void) state;
	for (size_t i = 0; i < LENGTH_OF(error_cases); i++)
	{
		const error_case *c = &error_cases[i];

		build_error(c);
		check_whole_cut_and_forged(read_error, built.data, built.len);
		assert_false(does_read_fail(read_error, built.data, built.len));
		assert_int_equal(error.kind, CQL_ERROR_SERVER);
		assert_int_equal(error.server_code, c->code);
		assert_int_equal(error.may_be_applied, c->may_be_applied);
		assert_int_equal(error.shard, -1);
		assert_string_equal(error.node, "");
		assert_string_equal(error.message, "message");
		check_error_fields(c);
		/* What a later version adds behind it is no fault. */
		cql_write_raw(&built, "more", 4);
		assert_false(does_read_fail(read_error, built.data, built.len));
	}
}

static void
rate_limit_has_the_code_that_was_announced(void **state)
{
	cql_view statement_id;
	cql_reader body;

	(void) state;
	cql_write_int(&built, RATE_LIMIT_CODE);
	cql_write_string(&built, "slow down");
	cql_write_raw(&built, "\1\1", 2);
	check_whole_cut_and_forged(read_error, built.data, built.len);
	assert_false(does_read_fail(read_error, built.data, built.len));
	assert_int_equal(error.kind, CQL_ERROR_RATE_LIMIT);
	assert_int_equal(error.server_code, RATE_LIMIT_CODE);
	assert_false(error.may_be_applied);
	/* a write that replicas refused, of which others may have taken it; a read */
	built.data[built.len - 1] = 0;
	assert_false(does_read_fail(read_error, built.data, built.len));
	assert_true(error.may_be_applied);
	built.data[built.len - 2] = 0;
	assert_false(does_read_fail(read_error, built.data, built.len));
	assert_false(error.may_be_applied);

	body = cql_reader_over(built.data, built.len);
	cql_read_error(&body, 0, &error, &statement_id);
	assert_int_equal(error.kind, CQL_ERROR_SERVER);
	assert_true(error.may_be_applied);

	/* 0 is no announcement, yet the code of an error. */
	body = cql_reader_over("\0\0\0\0\0\1x", 7);
	cql_read_error(&body, 0, &error, &statement_id);
	assert_false(body.failed);
	assert_int_equal(error.kind, CQL_ERROR_SERVER);
}

static void
unprepared_names_its_statement(void **state)
{
	cql_view statement_id;
	cql_reader body;

	(void) state;
	build_error(&(error_case) {CQL_SERVER_UNPREPARED, false, "s"});
	body = cql_reader_over(built.data, built.len);
	cql_read_error(&body, 0, &error, &statement_id);
	assert_true(is_view(statement_id, "one"));
}

/* Texts that are longer than their field end before a character that does not fit in whole. */
static void
long_texts_are_cut_between_characters(void **state)
{
	char text[2 * CQL_ERROR_MESSAGE_LEN];

	(void) state;
	for (size_t lead = 0; lead < 4; lead++)
	{
		memset(text, 'x', lead);
		text[lead] = '\0';
		while (strlen(text) < CQL_ERROR_MESSAGE_LEN)
			strcat(text, "\xf0\x9d\x84\x9e"); /* U+1D11E */
		cql_writer_cleanup(&built);
		cql_write_int(&built, CQL_SERVER_ALREADY_EXISTS);
		cql_write_string(&built, text);
		cql_write_string(&built, text);
		cql_write_string(&built, text);
		assert_false(does_read_fail(read_error, built.data, built.len));
		assert_true(strlen(error.message) > CQL_ERROR_MESSAGE_LEN - 5);
		assert_int_equal(strlen(error.message) % 4, lead);
		assert_memory_equal(error.message, text, strlen(error.message));
		assert_true(strlen(error.keyspace) > CQL_IDENTIFIER_LEN - 5);
		assert_int_equal(strlen(error.keyspace) % 4, lead);
	}
	/* bytes that are no UTF-8 at all */
	cql_writer_cleanup(&built);
	memset(text, 0x80, sizeof text);
	cql_write_int(&built, 0);
	cql_write_short_bytes(&built, text, sizeof text);
	assert_false(does_read_fail(read_error, built.data, built.len));
	assert_string_equal(error.message, "");
}

static void
text_that_just_fits_is_whole(void **state)
{
	char text[CQL_ERROR_MESSAGE_LEN];

	(void) state;
	memset(text, 'm', sizeof text);
	text[sizeof text - 1] = '\0';
	cql_write_int(&built, 0);
	cql_write_string(&built, text);
	assert_false(does_read_fail(read_error, built.data, built.len));
	assert_string_equal(error.message, text);
}

/* ---- SUPPORTED ---- */

static cql_supported supported;

static void
read_supported(cql_reader *body)
{
	memset(&supported, 0x55, sizeof supported);
	cql_read_supported(body, &supported);
}

static const char *const scylla_options[][2] = {
	{"CQL_VERSION", "3.3.1"},
	{"COMPRESSION", "lz4"},
	{"SCYLLA_SHARD", "3"},
	{"SCYLLA_NR_SHARDS", "12"},
	{"SCYLLA_SHARDING_ALGORITHM", "biased-token-round-robin"},
	{"SCYLLA_SHARDING_IGNORE_MSB", "12"},
	{"SCYLLA_PARTITIONER", "org.apache.cassandra.dht.Murmur3Partitioner"},
	{"SCYLLA_SHARD_AWARE_PORT", "19042"},
	{"SCYLLA_SHARD_AWARE_PORT_SSL", "19142"},
	{"SCYLLA_LWT_ADD_METADATA_MARK", "LWT_OPTIMIZATION_META_BIT_MASK=2147483648"},
	{"SCYLLA_RATE_LIMIT_ERROR", "ERROR_CODE=61440"},
	{"TABLETS_ROUTING_V1", ""},
	{"SCYLLA_USE_METADATA_ID", ""},
	{"SCYLLA_HOST_ID", "01234567-89ab-cdEF-0123-456789abcdef"},
	{"CLIENT_OPTIONS", "whatever"},
};

/* A ScyllaDB's options, with one value replaced (or, by NULL, its key left out). */
static void
build_supported(const char *key, const char *value)
{
	const bool is_left_out = key != NULL && value == NULL;

	cql_writer_cleanup(&built);
	cql_write_short(&built, (uint16_t) (LENGTH_OF(scylla_options) - is_left_out));
	for (size_t i = 0; i < LENGTH_OF(scylla_options); i++)
	{
		const bool is_chosen = key != NULL && strcmp(key, scylla_options[i][0]) == 0;

		if (is_chosen && is_left_out)
			continue;
		cql_write_string(&built, scylla_options[i][0]);
		if (scylla_options[i][1][0] == '\0')
		{
			cql_write_short(&built, 0);
			continue;
		}
		cql_write_short(&built, 2);
		cql_write_string(&built, is_chosen ? value : scylla_options[i][1]);
		cql_write_string(&built, "another");
	}
}

static void
scylla_tells_its_shards_and_extensions(void **state)
{
	(void) state;
	build_supported(NULL, NULL);
	check_whole_cut_and_forged(read_supported, built.data, built.len);
	assert_false(does_read_fail(read_supported, built.data, built.len));
	assert_string_equal(supported.cql_version, "3.3.1");
	assert_true(supported.has_lz4);
	assert_true(supported.is_scylla);
	assert_int_equal(supported.shard, 3);
	assert_int_equal(supported.shard_count, 12);
	assert_int_equal(supported.ignore_msb, 12);
	assert_int_equal(supported.shard_aware_port, 19042);
	assert_int_equal(supported.shard_aware_port_tls, 19142);
	assert_true(supported.has_tablets_v1);
	assert_true(supported.has_metadata_id);
	assert_true(supported.lwt_mask == 0x80000000);
	assert_int_equal(supported.rate_limit_code, 0xF000);
}

static void
sharding_is_known_wholly_or_not_at_all(void **state)
{
	static const char *const wrong[][2] = {
		{"SCYLLA_SHARD", NULL},
		{"SCYLLA_SHARD", "12"},
		{"SCYLLA_SHARD", "-1"},
		{"SCYLLA_SHARD", ""},
		{"SCYLLA_SHARD", "3 "},
		{"SCYLLA_NR_SHARDS", NULL},
		{"SCYLLA_NR_SHARDS", "0"},
		{"SCYLLA_NR_SHARDS", "65536"},
		{"SCYLLA_NR_SHARDS", "99999999999999999999999999"},
		{"SCYLLA_SHARDING_IGNORE_MSB", NULL},
		{"SCYLLA_SHARDING_IGNORE_MSB", "64"},
		{"SCYLLA_SHARDING_ALGORITHM", NULL},
		{"SCYLLA_SHARDING_ALGORITHM", "round-robin"},
		{"SCYLLA_PARTITIONER", NULL},
		{"SCYLLA_PARTITIONER", "org.apache.cassandra.dht.RandomPartitioner"},
	};

	(void) state;
	for (size_t i = 0; i < LENGTH_OF(wrong); i++)
	{
		build_supported(wrong[i][0], wrong[i][1]);
		assert_false(does_read_fail(read_supported, built.data, built.len));
		assert_true(supported.is_scylla);
		assert_int_equal(supported.shard, 0);
		assert_int_equal(supported.shard_count, 0);
		assert_int_equal(supported.ignore_msb, 0);
		assert_int_equal(supported.shard_aware_port, 0);
		assert_int_equal(supported.shard_aware_port_tls, 0);
		assert_true(supported.has_metadata_id);
	}
	/* The ports may be switched off; shards are known without them. */
	build_supported("SCYLLA_SHARD_AWARE_PORT", NULL);
	assert_false(does_read_fail(read_supported, built.data, built.len));
	assert_int_equal(supported.shard_count, 12);
	assert_int_equal(supported.shard_aware_port, 0);
}

static void
extensions_that_make_no_sense_are_not_offered(void **state)
{
	(void) state;
	build_supported("SCYLLA_LWT_ADD_METADATA_MARK", "BIT=1");
	assert_false(does_read_fail(read_supported, built.data, built.len));
	assert_int_equal(supported.lwt_mask, 0);
	build_supported("SCYLLA_LWT_ADD_METADATA_MARK", "LWT_OPTIMIZATION_META_BIT_MASK=4294967296");
	assert_false(does_read_fail(read_supported, built.data, built.len));
	assert_int_equal(supported.lwt_mask, 0);
	build_supported("SCYLLA_RATE_LIMIT_ERROR", "ERROR_CODE=");
	assert_false(does_read_fail(read_supported, built.data, built.len));
	assert_int_equal(supported.rate_limit_code, 0);
}

static void
host_id_is_a_uuid_or_none(void **state)
{
	static const char *const wrong[] = {"", "01234567-89ab-cdef-0123-456789abcde",
										"01234567-89ab-cdef-0123-456789abcdef0",
										"g1234567-89ab-cdef-0123-456789abcdef"};
	static const uint8_t host_id[] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
									  0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef};

	(void) state;
	build_supported(NULL, NULL);
	assert_false(does_read_fail(read_supported, built.data, built.len));
	assert_true(supported.has_host_id);
	assert_memory_equal(supported.host_id, host_id, sizeof host_id);
	for (size_t i = 0; i < LENGTH_OF(wrong); i++)
	{
		build_supported("SCYLLA_HOST_ID", wrong[i]);
		assert_false(does_read_fail(read_supported, built.data, built.len));
		assert_false(supported.has_host_id);
	}
}

/* ---- EVENT ---- */

static cql_event event;

static void
read_event(cql_reader *body)
{
	cql_read_event(body, &event);
}

static void
events_of_nodes_are_read(void **state)
{
	static const char up[] = "\0\015STATUS_CHANGE\0\2UP\4\x7f\0\0\2\0\0\x23\x52";
	static const char moved[] = "\0\017TOPOLOGY_CHANGE\0\010NEW_NODE\x10"
								"0123456789abcdef\0\0\x23\x52";
	static const char bad_address[] = "\0\015STATUS_CHANGE\0\2UP\5\x7f\0\0\2\0\0\0\x23\x52";
	static const char unknown[] = "\0\5OTHER\0\0";

	(void) state;
	check_whole_cut_and_forged(read_event, up, sizeof up - 1);
	assert_false(does_read_fail(read_event, up, sizeof up - 1));
	assert_int_equal(event.kind, CQL_EVENT_STATUS);
	assert_int_equal(event.change.len, 2);
	assert_int_equal(event.address_len, 4);
	assert_int_equal(event.port, 9042);
	check_whole_cut_and_forged(read_event, moved, sizeof moved - 1);
	assert_false(does_read_fail(read_event, moved, sizeof moved - 1));
	assert_int_equal(event.kind, CQL_EVENT_TOPOLOGY);
	assert_int_equal(event.address_len, 16);
	assert_true(does_read_fail(read_event, bad_address, sizeof bad_address - 1));
	assert_false(does_read_fail(read_event, unknown, sizeof unknown - 1));
	assert_int_equal(event.kind, CQL_EVENT_UNKNOWN);
}

/* ---- SCHEMA_CHANGE ---- */

static cql_schema_change change;

static void
read_schema_change(cql_reader *body)
{
	cql_read_schema_change(body, &change);
}

static void
schema_changes_are_read(void **state)
{
	cql_reader body;

	(void) state;
	for (int has_name = 0; has_name <= 1; has_name++)
	{
		cql_writer_cleanup(&built);
		cql_write_string(&built, "UPDATED");
		cql_write_string(&built, has_name ? "TABLE" : "KEYSPACE");
		cql_write_string(&built, "ks");
		if (has_name)
			cql_write_string(&built, "t");
		check_whole_cut_and_forged(read_schema_change, built.data, built.len);
		body = cql_reader_over(built.data, built.len);
		read_schema_change(&body);
		assert_true(is_view(change.change, "UPDATED"));
		assert_true(is_view(change.target, has_name ? "TABLE" : "KEYSPACE"));
		assert_true(is_view(change.keyspace, "ks"));
		assert_true(is_view(change.name, has_name ? "t" : ""));
	}
}

#define response_test(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		response_test(every_error_is_read_with_its_fields),
		response_test(rate_limit_has_the_code_that_was_announced),
		response_test(unprepared_names_its_statement),
		response_test(long_texts_are_cut_between_characters),
		response_test(text_that_just_fits_is_whole),
		response_test(scylla_tells_its_shards_and_extensions),
		response_test(sharding_is_known_wholly_or_not_at_all),
		response_test(extensions_that_make_no_sense_are_not_offered),
		response_test(host_id_is_a_uuid_or_none),
		response_test(events_of_nodes_are_read),
		response_test(schema_changes_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
