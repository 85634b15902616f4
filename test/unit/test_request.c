/*
 * Requests against bytes written out by hand from the specification, and against those that
 * test/scripts/record_frames wrote with its own codec and a real server took.
 */
#include "golden.h"

#include "cql/wire/request.h"

static cql_writer writer;

static int
begin(void **state)
{
	(void) state;
	cql_writer_init(&writer);
	return 0;
}

static int
end(void **state)
{
	(void) state;
	cql_writer_cleanup(&writer);
	return 0;
}

/* The frame that was written is exactly this. */
#define assert_frame(bytes) check_frame(bytes, sizeof bytes - 1)

static void
check_frame(const char *bytes, size_t len)
{
	assert_false(writer.failed);
	assert_int_equal(writer.len, len);
	assert_memory_equal(writer.data, bytes, len);
}

static cql_view
view_of(const char *text)
{
	return (cql_view) {.data = text, .len = strlen(text)};
}

static const cql_view no_view = {.data = "", .len = 0};

static void
options_has_no_body(void **state)
{
	(void) state;
	cql_write_options(&writer);
	assert_frame("\4\0\0\0\5\0\0\0\0");
}

static void
startup_is_a_string_map(void **state)
{
	const cql_string_pair options[] = {{"CQL_VERSION", "3.0.0"}, {"A", ""}};

	(void) state;
	cql_write_startup(&writer, options, 2);
	assert_frame("\4\0\0\0\1\0\0\0\x1b\0\2\0\x0b"
				 "CQL_VERSION\0\5"
				 "3.0.0\0\1A\0\0");
}

static void
auth_is_a_plain_token(void **state)
{
	(void) state;
	cql_write_auth_plain(&writer, "me", "secret");
	assert_frame("\4\0\0\0\x0f\0\0\0\x0e\0\0\0\x0a\0me\0secret");
}

/* A writer that grew would have left the password in the block it grew out of. */
static void
long_password_is_written_without_growing(void **state)
{
	char *password = malloc(10001);

	(void) state;
	memset(password, 'p', 10000);
	password[10000] = '\0';
	cql_write_auth_plain(&writer, "", password);
	assert_false(writer.failed);
	assert_int_equal(writer.len, 9 + 4 + 2 + 10000);
	assert_int_equal(writer.capacity, writer.len);
	free(password);
}

static void
prepare_is_a_long_string(void **state)
{
	(void) state;
	cql_write_prepare(&writer, "SELECT 1");
	assert_frame("\4\0\0\0\x09\0\0\0\x0c\0\0\0\x08SELECT 1");
}

static void
query_without_parameters(void **state)
{
	const cql_query_parameters parameters = {.consistency = 1};

	(void) state;
	cql_write_query(&writer, "X", &parameters, 0);
	assert_frame("\4\0\0\0\7\0\0\0\x08\0\0\0\1X\0\1\0");
}

static void
query_with_all_parameters(void **state)
{
	const cql_query_parameters parameters = {
		.consistency = 6,
		.serial_consistency = 9,
		.value_count = 2,
		.values = "\0\0\0\1v\xff\xff\xff\xfe",
		.values_len = 9,
		.page_rows = 5000,
		.paging_state = "state",
		.paging_state_len = 5,
		.has_timestamp = true,
		.timestamp_us = -2,
	};

	(void) state;
	cql_write_query(&writer, "X", &parameters, CQL_FLAG_TRACING);
	assert_frame("\4\2\0\0\7\0\0\0\x2a\0\0\0\1X\0\6\x3d\0\2\0\0\0\1v\xff\xff\xff\xfe"
				 "\0\0\x13\x88\0\0\0\5state\0\x09\xff\xff\xff\xff\xff\xff\xff\xfe");
}

static void
timestamp_of_zero_is_sent(void **state)
{
	const cql_query_parameters parameters = {.consistency = 1, .has_timestamp = true};

	(void) state;
	cql_write_query(&writer, "", &parameters, 0);
	assert_frame("\4\0\0\0\7\0\0\0\x0f\0\0\0\0\0\1\x20\0\0\0\0\0\0\0\0");
}

static void
execute_names_its_statement(void **state)
{
	const cql_query_parameters parameters = {.consistency = 10};

	(void) state;
	cql_write_execute(&writer, view_of("id"), no_view, &parameters, 0);
	assert_frame("\4\0\0\0\x0a\0\0\0\x09\0\2id\0\0\0\x0a\0");
}

static void
execute_with_a_metadata_id_asks_for_no_columns(void **state)
{
	const cql_query_parameters parameters = {.consistency = 1};

	(void) state;
	cql_write_execute(&writer, view_of("id"), view_of("meta"), &parameters, 0);
	assert_frame("\4\0\0\0\x0a\0\0\0\x0d\0\2id\0\4meta\0\1\2");
}

/* Whatever its length, the id goes out of the way, and comes back to where it was. */
static void
metadata_id_is_hidden_and_shown(void **state)
{
	static const char ids[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
							  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
	const cql_query_parameters parameters = {.consistency = 4, .page_rows = 7};
	static const char tail[] = "\0\4\4\0\0\0\7";

	(void) state;
	for (size_t id_len = 0; id_len < 100; id_len += 9)
	{
		for (size_t metadata_id_len = 0; metadata_id_len < 128; metadata_id_len++)
		{
			const cql_view id = {.data = ids, .len = id_len};
			const cql_view metadata_id = {.data = ids, .len = metadata_id_len};
			size_t hidden_len;
			uint8_t *before;
			uint8_t *at;

			cql_write_execute(&writer, id, metadata_id, &parameters, 0);
			assert_false(writer.failed);
			before = exact_copy(writer.data, writer.len);
			hidden_len = cql_execute_hide_metadata_id(writer.data);
			at = writer.data + hidden_len;
			assert_int_equal(hidden_len, 2 + metadata_id_len);
			assert_memory_equal(at, "\4\0\0\0\x0a", 5);
			assert_int_equal(cql_get_u32(at + 5), writer.len - hidden_len - 9);
			assert_int_equal(cql_get_u16(at + 9), id_len);
			assert_memory_equal(at + 11, ids, id_len);
			assert_int_equal(writer.len - hidden_len, 11 + id_len + sizeof tail - 1);
			assert_memory_equal(at + 11 + id_len, tail, sizeof tail - 1);
			cql_execute_show_metadata_id(writer.data, hidden_len);
			assert_memory_equal(writer.data, before, writer.len);
			free(before);
			cql_writer_cleanup(&writer);
		}
	}
}

/* Each row with the statement's id, and what they have in common once, behind them. */
static void
batch_has_a_row_after_the_other(void **state)
{
	static const char values[] = "\0\0\0\1A\xff\xff\xff\xfe";
	cql_query_parameters parameters = {.consistency = 6,
									   .has_timestamp = true,
									   .timestamp_us = 0x0102030405060708,
									   .value_count = 1,
									   .values = values,
									   .values_len = sizeof values - 1};

	(void) state;
	cql_write_batch(&writer, view_of("id"), 2, &parameters, 0);
	assert_frame("\4\0\0\0\x0d\0\0\0\x25\1\0\2"
				 "\1\0\2id\0\1\0\0\0\1A"
				 "\1\0\2id\0\1\xff\xff\xff\xfe"
				 "\0\6\x20\1\2\3\4\5\6\7\x08");
	cql_writer_cleanup(&writer);

	for (int rows = 1; rows <= 3; rows += 2)
	{
		cql_write_batch(&writer, view_of("id"), rows, &parameters, 0);
		assert_true(writer.failed);
		cql_writer_cleanup(&writer);
	}
	parameters.values_len--;
	cql_write_batch(&writer, view_of("id"), 2, &parameters, 0);
	assert_true(writer.failed);
}

static void
register_is_a_string_list(void **state)
{
	static const char *const kinds[] = {"A", "BC"};

	(void) state;
	cql_write_register(&writer, kinds, 2);
	assert_frame("\4\0\0\0\x0b\0\0\0\x09\0\2\0\1A\0\2BC");
}

static void
what_the_protocol_cannot_say_fails(void **state)
{
	char *text = malloc(UINT16_MAX + 2);
	cql_query_parameters parameters = {.consistency = 1};
	const cql_string_pair option = {.key = "K", .value = text};

	(void) state;
	memset(text, 'x', UINT16_MAX + 1);
	text[UINT16_MAX + 1] = '\0';
	cql_write_startup(&writer, &option, 1);
	assert_true(writer.failed);
	cql_writer_cleanup(&writer);

	cql_write_execute(&writer, view_of(text), no_view, &parameters, 0);
	assert_true(writer.failed);
	cql_writer_cleanup(&writer);

	/* Lengths alone are judged; no byte behind the pointers is touched. */
	parameters.paging_state = text;
	parameters.paging_state_len = SIZE_MAX;
	cql_write_query(&writer, "X", &parameters, 0);
	assert_true(writer.failed);
	cql_writer_cleanup(&writer);

	parameters = (cql_query_parameters) {.value_count = 1, .values = text, .values_len = SIZE_MAX};
	cql_write_query(&writer, "X", &parameters, 0);
	assert_true(writer.failed);
	free(text);
}

static bool
write_requests(void *argument)
{
	static const char values[2000];
	const cql_query_parameters parameters = {
		.value_count = 1, .values = values, .values_len = sizeof values};
	const cql_string_pair option = {"CQL_VERSION", "3.0.0"};
	bool has_failed = false;

	(void) argument;
	for (int i = 0; i < 7; i++)
	{
		cql_writer request;

		cql_writer_init(&request);
		switch (i)
		{
			case 0:
				cql_write_options(&request);
				break;
			case 1:
				cql_write_startup(&request, &option, 1);
				break;
			case 2:
				cql_write_auth_plain(&request, "user", "password");
				break;
			case 3:
				cql_write_prepare(&request, "SELECT");
				break;
			case 4:
				cql_write_query(&request, "SELECT", &parameters, 0);
				break;
			case 5:
				cql_write_batch(&request, view_of("id"), 500, &parameters, 0);
				break;
			default:
				cql_write_execute(&request, view_of("id"), no_view, &parameters, 0);
				break;
		}
		has_failed |= request.failed;
		cql_writer_cleanup(&request);
	}
	return !has_failed;
}

static void
each_failing_allocation_is_noticed(void **state)
{
	(void) state;
	fail_each_allocation(write_requests, NULL);
}

/* ---- as recorded ---- */

static long long
number_fact(const golden *frame, const char *word)
{
	char *fact = find_fact(frame, word, 0);
	long long number;

	assert_non_null(fact);
	number = strtoll(fact, NULL, 10);
	free(fact);
	return number;
}

/* "COUNT HEX" or "COUNT -"; the bytes are to be freed. */
static uint8_t *
bytes_fact(const golden *frame, const char *word, long *count, size_t *len)
{
	char *fact = find_fact(frame, word, 0);
	uint8_t *bytes;
	char *hex;

	assert_non_null(fact);
	bytes = malloc(strlen(fact));
	*count = strtol(fact, &hex, 10);
	*len = strcmp(hex, " -") == 0 ? 0 : parse_hex(hex + 1, strlen(hex + 1), bytes);
	free(fact);
	return bytes;
}

static void
write_with_parameters(const golden *frame, const char *what, uint8_t flags)
{
	char *timestamp = find_fact(frame, "timestamp", 0);
	cql_query_parameters parameters = {
		.consistency = (uint16_t) number_fact(frame, "consistency"),
		.serial_consistency = (uint16_t) number_fact(frame, "serial"),
		.has_timestamp = strcmp(timestamp, "-") != 0,
		.timestamp_us = strtoll(timestamp, NULL, 10),
	};
	long value_count;
	long page_rows;
	uint8_t *values = bytes_fact(frame, "values", &value_count, &parameters.values_len);
	uint8_t *state = bytes_fact(frame, "page", &page_rows, &parameters.paging_state_len);
	char *fact = find_fact(frame, strcmp(what, "query") == 0 ? "cql" : "id", 0);

	parameters.values = values;
	parameters.value_count = (uint16_t) value_count;
	parameters.page_rows = (int32_t) page_rows;
	parameters.paging_state = state;
	if (strcmp(what, "query") == 0)
		cql_write_query(&writer, fact, &parameters, flags);
	else
	{
		char id[64];
		cql_view id_view = {.data = id, .len = parse_hex(fact, strlen(fact), (uint8_t *) id)};

		cql_write_execute(&writer, id_view, (cql_view) {.data = "", .len = 0}, &parameters, flags);
	}
	free(fact);
	free(timestamp);
	free(values);
	free(state);
}

static void
write_startup(const golden *frame)
{
	cql_string_pair options[8];
	char *facts[8];
	int count = 0;

	for (; (facts[count] = find_fact(frame, "option", count)) != NULL; count++)
	{
		options[count].key = strtok(facts[count], " ");
		options[count].value = strtok(NULL, "");
	}
	cql_write_startup(&writer, options, count);
	while (count > 0)
		free(facts[--count]);
}

static void
write_request(const golden *frame, const char *what, uint8_t flags)
{
	char *cql = find_fact(frame, "cql", 0);
	char *user = find_fact(frame, "user", 0);
	char *password = find_fact(frame, "password", 0);

	if (strcmp(what, "options") == 0)
		cql_write_options(&writer);
	else if (strcmp(what, "startup") == 0)
		write_startup(frame);
	else if (strcmp(what, "auth") == 0)
		cql_write_auth_plain(&writer, user, password);
	else if (strcmp(what, "prepare") == 0)
		cql_write_prepare(&writer, cql);
	else
		write_with_parameters(frame, what, flags);
	free(cql);
	free(user);
	free(password);
}

static void
requests_are_written_as_recorded(void **state)
{
	int count = 0;

	(void) state;
	for (size_t i = 0; i < golden_count; i++)
	{
		unsigned flags;
		int stream;
		char what[16];

		if (sscanf(golden_frames[i].facts, "request %x %d %15s", &flags, &stream, what) != 3)
			continue;
		/* Without a metadata id we never ask to leave the columns out. */
		if (strstr(golden_frames[i].facts, "\nskip_metadata 1") != NULL)
			continue;
		count++;
		write_request(&golden_frames[i], what, (uint8_t) flags);
		assert_false(writer.failed);
		if (strcmp(what, "execute") == 0)
		{
			/* The recorder's server has no metadata ids. */
			size_t hidden_len = cql_execute_hide_metadata_id(writer.data);

			writer.len -= hidden_len;
			memmove(writer.data, writer.data + hidden_len, writer.len);
		}
		cql_frame_set_stream(writer.data, (int16_t) stream);
		if (writer.len != golden_frames[i].len ||
			memcmp(writer.data, golden_frames[i].frame, writer.len) != 0)
			fail_msg("%s is written differently", golden_frames[i].name);
		cql_writer_cleanup(&writer);
	}
	assert_true(count >= 10);
}

#define request_test(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		request_test(options_has_no_body),
		request_test(startup_is_a_string_map),
		request_test(auth_is_a_plain_token),
		request_test(long_password_is_written_without_growing),
		request_test(prepare_is_a_long_string),
		request_test(query_without_parameters),
		request_test(query_with_all_parameters),
		request_test(timestamp_of_zero_is_sent),
		request_test(execute_names_its_statement),
		request_test(execute_with_a_metadata_id_asks_for_no_columns),
		request_test(metadata_id_is_hidden_and_shown),
		request_test(batch_has_a_row_after_the_other),
		request_test(register_is_a_string_list),
		request_test(what_the_protocol_cannot_say_fails),
		request_test(each_failing_allocation_is_noticed),
		request_test(requests_are_written_as_recorded),
	};

	return cmocka_run_group_tests(tests, load_golden_frames, free_golden_frames);
}
