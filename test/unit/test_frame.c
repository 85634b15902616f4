/*
 * The frame: what is no response of ours, headers of requests, and the prefix of a body in every
 * combination of flags, truncated and forged.
 */
#include "support.h"

#include "cql/wire/frame.h"

static void
first_byte_tells_who_answers(void **state)
{
	(void) state;
	for (int byte = 0; byte <= 0xFF; byte++)
	{
		cql_frame_fault fault = cql_frame_judge_first_byte((uint8_t) byte);

		if (byte == 0x84)
			assert_int_equal(fault, CQL_FRAME_OK);
		else if (byte >= 0x14 && byte <= 0x17)
			assert_int_equal(fault, CQL_FRAME_TLS);
		else if (byte >= 0x81 && byte <= 0x8F)
			assert_int_equal(fault, CQL_FRAME_BAD_VERSION);
		else
			assert_int_equal(fault, CQL_FRAME_NOT_CQL);
	}
	/* a request's own version, HTTP, SSH, PostgreSQL's refusal of SSL */
	assert_int_equal(cql_frame_judge_first_byte(0x04), CQL_FRAME_NOT_CQL);
	assert_int_equal(cql_frame_judge_first_byte('H'), CQL_FRAME_NOT_CQL);
	assert_int_equal(cql_frame_judge_first_byte('S'), CQL_FRAME_NOT_CQL);
	assert_int_equal(cql_frame_judge_first_byte('N'), CQL_FRAME_NOT_CQL);
}

static cql_frame_fault
read_header(const char *bytes, cql_frame_header *header)
{
	uint8_t *copy = exact_copy(bytes, CQL_FRAME_HEADER_LEN);
	cql_frame_fault fault;

	memset(header, 0x55, sizeof *header);
	fault = cql_frame_read_header(copy, header);
	free(copy);
	return fault;
}

static void
header_is_read(void **state)
{
	cql_frame_header header;

	(void) state;
	assert_int_equal(read_header("\x84\x0a\x12\x34\x08\0\1\2\3", &header), CQL_FRAME_OK);
	assert_int_equal(header.version, 0x84);
	assert_int_equal(header.flags, CQL_FLAG_TRACING | CQL_FLAG_WARNING);
	assert_int_equal(header.stream, 0x1234);
	assert_int_equal(header.opcode, CQL_OPCODE_RESULT);
	assert_int_equal(header.body_len, 0x010203);

	assert_int_equal(read_header("\x84\0\xff\xff\x0c\0\0\0\0", &header), CQL_FRAME_OK);
	assert_int_equal(header.stream, -1);
}

static void
header_is_filled_even_when_it_is_wrong(void **state)
{
	cql_frame_header header;

	(void) state;
	assert_int_equal(read_header("\x85\1\0\2\0\0\0\0\3", &header), CQL_FRAME_BAD_VERSION);
	assert_int_equal(header.version, 0x85);
	assert_int_equal(header.flags, 1);
	assert_int_equal(header.stream, 2);
	assert_int_equal(header.opcode, 0);
	assert_int_equal(header.body_len, 3);
	assert_int_equal(read_header("HTTP/1.1 ", &header), CQL_FRAME_NOT_CQL);
	assert_int_equal(header.version, 'H');
	assert_int_equal(read_header("\x15\3\3\0\2\2\x28\0\0", &header), CQL_FRAME_TLS);
}

static void
only_responses_have_a_response_s_opcode(void **state)
{
	static const uint8_t responses[] = {0x00, 0x02, 0x03, 0x06, 0x08, 0x0C, 0x0E, 0x10};

	(void) state;
	for (int opcode = 0; opcode <= 0xFF; opcode++)
	{
		char bytes[] = "\x84\0\0\0\0\0\0\0\0";
		cql_frame_header header;
		cql_frame_fault wanted = CQL_FRAME_BAD_OPCODE;

		if (memchr(responses, opcode, sizeof responses) != NULL)
			wanted = CQL_FRAME_OK;
		bytes[4] = (char) opcode;
		assert_int_equal(read_header(bytes, &header), wanted);
		assert_int_equal(header.opcode, opcode);
	}
}

static void
length_is_limited(void **state)
{
	cql_frame_header header;

	(void) state;
	assert_int_equal(read_header("\x84\0\0\0\x08\x10\0\0\0", &header), CQL_FRAME_OK);
	assert_int_equal(header.body_len, CQL_FRAME_MAX_BODY_LEN);
	assert_int_equal(read_header("\x84\0\0\0\x08\x10\0\0\1", &header), CQL_FRAME_TOO_LONG);
	assert_int_equal(read_header("\x84\0\0\0\x08\x7f\xff\xff\xff", &header), CQL_FRAME_TOO_LONG);
	assert_int_equal(read_header("\x84\0\0\0\x08\x80\0\0\0", &header), CQL_FRAME_TOO_LONG);
	assert_int_equal(read_header("\x84\0\0\0\x08\xff\xff\xff\xff", &header), CQL_FRAME_TOO_LONG);
	assert_int_equal(header.body_len, UINT32_MAX);
}

static void
request_s_header_is_written(void **state)
{
	cql_writer writer;

	(void) state;
	cql_writer_init(&writer);
	cql_frame_begin(&writer, CQL_OPCODE_QUERY, CQL_FLAG_TRACING);
	cql_write_raw(&writer, "hello", 5);
	cql_frame_end(&writer);
	assert_false(writer.failed);
	assert_int_equal(writer.len, 14);
	assert_memory_equal(writer.data, "\4\2\0\0\7\0\0\0\5hello", 14);
	cql_frame_set_stream(writer.data, 0x7FFE);
	assert_memory_equal(writer.data, "\4\2\x7f\xfe\7\0\0\0\5hello", 14);
	cql_writer_cleanup(&writer);
}

static void
body_above_the_limit_fails(void **state)
{
	cql_writer writer;

	(void) state;
	cql_writer_init(&writer);
	cql_frame_begin(&writer, CQL_OPCODE_QUERY, 0);
	cql_writer_reserve(&writer, CQL_FRAME_MAX_BODY_LEN + 1);
	assert_false(writer.failed);
	/* Room is enough; the bytes need not be touched. */
	writer.len += CQL_FRAME_MAX_BODY_LEN;
	cql_frame_end(&writer);
	assert_false(writer.failed);
	writer.len++;
	cql_frame_end(&writer);
	assert_true(writer.failed);
	cql_frame_end(&writer);
	cql_writer_cleanup(&writer);
}

/* ---- the prefix ---- */

#define TRACING_ID "0123456789abcdef"

/* The parts that the flags say, and "rest" behind them. */
static size_t
write_prefix(uint8_t flags, cql_writer *writer)
{
	cql_writer_init(writer);
	if (flags & CQL_FLAG_TRACING)
		cql_write_raw(writer, TRACING_ID, 16);
	if (flags & CQL_FLAG_WARNING)
	{
		cql_write_short(writer, 2);
		cql_write_string(writer, "first");
		cql_write_string(writer, "");
	}
	if (flags & CQL_FLAG_CUSTOM_PAYLOAD)
	{
		cql_write_short(writer, 2);
		cql_write_string(writer, "key");
		cql_write_bytes(writer, "value", 5);
		cql_write_string(writer, "nothing");
		cql_write_bytes(writer, NULL, CQL_CELL_NULL);
	}
	cql_write_raw(writer, "rest", 4);
	return writer->len - 4;
}

static bool
is_view(cql_view view, const char *text)
{
	return view.len == strlen(text) && memcmp(view.data, text, view.len) == 0;
}

static void
check_prefix(uint8_t flags, cql_frame_prefix *prefix)
{
	cql_cell value;

	if (flags & CQL_FLAG_TRACING)
		assert_memory_equal(prefix->tracing_id, TRACING_ID, 16);
	else
		assert_null(prefix->tracing_id);

	assert_int_equal(prefix->warning_count, flags & CQL_FLAG_WARNING ? 2 : 0);
	if (flags & CQL_FLAG_WARNING)
	{
		assert_true(is_view(cql_read_string(&prefix->warnings), "first"));
		assert_true(is_view(cql_read_string(&prefix->warnings), ""));
	}
	assert_int_equal(cql_reader_left(&prefix->warnings), 0);
	assert_false(prefix->warnings.failed);

	assert_int_equal(prefix->payload_count, flags & CQL_FLAG_CUSTOM_PAYLOAD ? 2 : 0);
	assert_false(cql_frame_find_payload(prefix, "nothing", &value));
	assert_false(cql_frame_find_payload(prefix, "ke", &value));
	assert_int_equal(cql_frame_find_payload(prefix, "key", &value),
					 (flags & CQL_FLAG_CUSTOM_PAYLOAD) != 0);
	if (flags & CQL_FLAG_CUSTOM_PAYLOAD)
		assert_int_equal(value.len, 5);
	if (flags & CQL_FLAG_CUSTOM_PAYLOAD)
	{
		assert_true(is_view(cql_read_string(&prefix->payload), "key"));
		assert_int_equal(cql_read_bytes(&prefix->payload).len, 5);
		assert_true(is_view(cql_read_string(&prefix->payload), "nothing"));
		assert_true(cql_cell_is_null(cql_read_bytes(&prefix->payload)));
	}
	assert_int_equal(cql_reader_left(&prefix->payload), 0);
	assert_false(prefix->payload.failed);
}

/* The eight combinations of the three flags, as bits 1 to 3. */
static uint8_t
flags_of(int combination)
{
	return (uint8_t) (combination << 1);
}

static void
prefix_is_taken_off(void **state)
{
	(void) state;
	for (int i = 0; i < 8; i++)
	{
		cql_writer writer;
		cql_frame_prefix prefix;
		cql_reader body;

		write_prefix(flags_of(i), &writer);
		body = cql_reader_over(writer.data, writer.len);
		cql_frame_read_prefix(&body, flags_of(i), &prefix);
		assert_false(body.failed);
		assert_memory_equal(body.pos, "rest", 4);
		assert_int_equal(cql_reader_left(&body), 4);
		check_prefix(flags_of(i), &prefix);
		cql_writer_cleanup(&writer);
	}
}

static void
truncated_prefix_fails(void **state)
{
	(void) state;
	for (int i = 1; i < 8; i++)
	{
		cql_writer writer;
		size_t prefix_len = write_prefix(flags_of(i), &writer);

		for (size_t len = 0; len < prefix_len; len++)
		{
			uint8_t *bytes = exact_copy(writer.data, len);
			cql_reader body = cql_reader_over(bytes, len);
			cql_frame_prefix prefix;

			cql_frame_read_prefix(&body, flags_of(i), &prefix);
			assert_true(body.failed);
			assert_int_equal(prefix.warning_count, 0);
			assert_int_equal(prefix.payload_count, 0);
			free(bytes);
		}
		cql_writer_cleanup(&writer);
	}
}

/* Every two and four bytes overwritten in turn: the counts and lengths are among them. */
static void
forged_prefix_is_never_read_beyond(void **state)
{
	static const uint8_t forgeries[][4] = {
		{0xff, 0xff, 0xff, 0xff}, {0x7f, 0xff, 0xff, 0xff}, {0x80, 0, 0, 0}};
	static const size_t widths[] = {2, 4};

	(void) state;
	for (int i = 1; i < 8; i++)
	{
		cql_writer writer;

		write_prefix(flags_of(i), &writer);
		for (size_t at = 0; at + 4 <= writer.len; at++)
			for (size_t forgery = 0; forgery < LENGTH_OF(forgeries); forgery++)
				for (size_t w = 0; w < LENGTH_OF(widths); w++)
				{
					uint8_t *bytes = exact_copy(writer.data, writer.len);
					cql_reader body = cql_reader_over(bytes, writer.len);
					cql_frame_prefix prefix;

					memcpy(bytes + at, forgeries[forgery], widths[w]);
					cql_frame_read_prefix(&body, flags_of(i), &prefix);
					for (int j = 0; j < prefix.warning_count; j++)
						cql_read_string(&prefix.warnings);
					assert_false(prefix.warnings.failed);
					free(bytes);
				}
		cql_writer_cleanup(&writer);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_byte_tells_who_answers),
		cmocka_unit_test(header_is_read),
		cmocka_unit_test(header_is_filled_even_when_it_is_wrong),
		cmocka_unit_test(only_responses_have_a_response_s_opcode),
		cmocka_unit_test(length_is_limited),
		cmocka_unit_test(request_s_header_is_written),
		cmocka_unit_test(body_above_the_limit_fails),
		cmocka_unit_test(prefix_is_taken_off),
		cmocka_unit_test(truncated_prefix_fails),
		cmocka_unit_test(forged_prefix_is_never_read_beyond),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
