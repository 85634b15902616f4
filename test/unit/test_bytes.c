/*
 * Cursors: every reader at every truncation, forged lengths, and a writer that runs out of room.
 */
#include "support.h"

#include "cql/mem.h"
#include "cql/wire/bytes.h"

/* ---- reading ---- */

typedef void (*read_one)(cql_reader *reader);

static void
read_byte(cql_reader *reader)
{
	uint8_t byte = cql_read_byte(reader);

	assert_int_equal(byte, reader->failed ? 0 : 0x81);
}

static void
read_short(cql_reader *reader)
{
	uint16_t number = cql_read_short(reader);

	assert_int_equal(number, reader->failed ? 0 : 0x8182);
}

static void
read_int(cql_reader *reader)
{
	int32_t number = cql_read_int(reader);

	assert_int_equal(number, reader->failed ? 0 : (int32_t) 0x81828384);
}

static void
read_long(cql_reader *reader)
{
	int64_t number = cql_read_long(reader);

	assert_true(number == (reader->failed ? 0 : (int64_t) 0x8182838485868788));
}

static void
read_raw(cql_reader *reader)
{
	const uint8_t *bytes = cql_read_raw(reader, 3);

	if (reader->failed)
		assert_null(bytes);
	else
		assert_memory_equal(bytes, "abc", 3);
}

static void
check_view(cql_view view, const cql_reader *reader)
{
	assert_non_null(view.data);
	assert_int_equal(view.len, reader->failed ? 0 : 3);
	assert_memory_equal(view.data, "abc", view.len);
}

static void
read_string(cql_reader *reader)
{
	cql_view view = cql_read_string(reader);

	check_view(view, reader);
}

static void
read_long_string(cql_reader *reader)
{
	cql_view view = cql_read_long_string(reader);

	check_view(view, reader);
}

static void
read_short_bytes(cql_reader *reader)
{
	cql_view view = cql_read_short_bytes(reader);

	check_view(view, reader);
}

static void
read_bytes(cql_reader *reader)
{
	cql_cell cell = cql_read_bytes(reader);

	if (reader->failed)
	{
		assert_null(cell.data);
		assert_int_equal(cell.len, CQL_CELL_NULL);
	}
	else
	{
		assert_int_equal(cell.len, 3);
		assert_memory_equal(cell.data, "abc", 3);
	}
}

typedef struct reader_case
{
	read_one read;
	size_t len;
	const char *bytes;
} reader_case;

static const reader_case reader_cases[] = {
	{read_byte, 1, "\x81"},
	{read_short, 2, "\x81\x82"},
	{read_int, 4, "\x81\x82\x83\x84"},
	{read_long, 8, "\x81\x82\x83\x84\x85\x86\x87\x88"},
	{read_raw, 3, "abc"},
	{read_string, 5, "\0\3abc"},
	{read_long_string, 7, "\0\0\0\3abc"},
	{read_short_bytes, 5, "\0\3abc"},
	{read_bytes, 7, "\0\0\0\3abc"},
};

static void
each_reader_takes_what_it_needs(void **state)
{
	(void) state;
	for (size_t i = 0; i < LENGTH_OF(reader_cases); i++)
	{
		uint8_t *bytes = exact_copy(reader_cases[i].bytes, reader_cases[i].len);
		cql_reader reader = cql_reader_over(bytes, reader_cases[i].len);

		reader_cases[i].read(&reader);
		assert_false(reader.failed);
		assert_int_equal(cql_reader_left(&reader), 0);
		free(bytes);
	}
}

/* One byte short or more: the reader fails, stays failed, and gives nothing from then on. */
static void
each_reader_fails_at_each_truncation(void **state)
{
	(void) state;
	for (size_t i = 0; i < LENGTH_OF(reader_cases); i++)
		for (size_t len = 0; len < reader_cases[i].len; len++)
		{
			uint8_t *bytes = exact_copy(reader_cases[i].bytes, len);
			cql_reader reader = cql_reader_over(bytes, len);

			reader_cases[i].read(&reader);
			assert_true(reader.failed);
			for (size_t j = 0; j < LENGTH_OF(reader_cases); j++)
			{
				reader_cases[j].read(&reader);
				assert_true(reader.failed);
				assert_int_equal(cql_reader_left(&reader), 0);
			}
			assert_null(cql_read_raw(&reader, 0));
			free(bytes);
		}
}

static void
forged_lengths_fail(void **state)
{
	static const struct
	{
		read_one read;
		size_t len;
		const char *bytes;
	} forged[] = {
		{read_string, 5,
		 "\xff\xff"
		 "abc"},
		{read_short_bytes, 5,
		 "\xff\xff"
		 "abc"},
		{read_long_string, 7,
		 "\xff\xff\xff\xff"
		 "abc"},
		{read_long_string, 7,
		 "\x7f\xff\xff\xff"
		 "abc"},
		{read_long_string, 7,
		 "\x80\0\0\0"
		 "abc"},
		{read_bytes, 7,
		 "\x7f\xff\xff\xff"
		 "abc"},
		{read_bytes, 7, "\0\0\0\4abc"},
	};

	(void) state;
	for (size_t i = 0; i < LENGTH_OF(forged); i++)
	{
		uint8_t *bytes = exact_copy(forged[i].bytes, forged[i].len);
		cql_reader reader = cql_reader_over(bytes, forged[i].len);

		forged[i].read(&reader);
		assert_true(reader.failed);
		free(bytes);
	}
}

static void
negative_length_of_bytes_is_null(void **state)
{
	static const char *const lengths[] = {"\xff\xff\xff\xff", "\xff\xff\xff\xfe", "\x80\0\0\0"};

	(void) state;
	for (size_t i = 0; i < LENGTH_OF(lengths); i++)
	{
		cql_reader reader = cql_reader_over(lengths[i], 4);
		cql_cell cell = cql_read_bytes(&reader);

		assert_false(reader.failed);
		assert_true(cql_cell_is_null(cell));
		assert_int_equal(cell.len, CQL_CELL_NULL);
	}
}

static void
empty_is_not_null(void **state)
{
	cql_reader reader = cql_reader_over("\0\0\0\0", 4);
	cql_cell cell = cql_read_bytes(&reader);

	(void) state;
	assert_int_equal(cell.len, 0);
	assert_non_null(cell.data);
	assert_false(reader.failed);
}

static void
nothing_may_be_read_from_nothing(void **state)
{
	cql_reader reader = cql_reader_over(NULL, 0);

	(void) state;
	assert_non_null(cql_read_raw(&reader, 0));
	assert_false(reader.failed);
	cql_read_byte(&reader);
	assert_true(reader.failed);
}

static void
counts_are_held_against_what_is_left(void **state)
{
	static const struct
	{
		int64_t count;
		size_t item_len;
		bool fits;
	} counts[] = {
		{0, 4, true},          {2, 4, true},         {3, 4, false},          {8, 1, true},
		{9, 1, false},         {-1, 1, false},       {INT32_MAX, 2, false},  {INT64_MAX, 8, false},
		{INT64_MIN, 8, false}, {1, SIZE_MAX, false}, {UINT32_MAX, 4, false}, {0, SIZE_MAX, true},
	};

	(void) state;
	for (size_t i = 0; i < LENGTH_OF(counts); i++)
	{
		cql_reader reader = cql_reader_over("12345678", 8);

		assert_int_equal(cql_reader_fits(&reader, counts[i].count, counts[i].item_len),
						 counts[i].fits);
		assert_int_equal(reader.failed, !counts[i].fits);
		cql_reader_fail(&reader);
		assert_false(cql_reader_fits(&reader, 0, 1));
	}
}

/* ---- writing ---- */

static void
write_all(cql_writer *writer)
{
	cql_write_byte(writer, 0x81);
	cql_write_short(writer, 0x8182);
	cql_write_int(writer, (int32_t) 0x81828384);
	cql_write_long(writer, (int64_t) 0x8182838485868788);
	cql_write_raw(writer, "abc", 3);
	cql_write_raw(writer, NULL, 0);
	cql_write_string(writer, "abc");
	cql_write_long_string(writer, "abc");
	cql_write_short_bytes(writer, "abc", 3);
	cql_write_bytes(writer, "abc", 3);
	cql_write_bytes(writer, NULL, CQL_CELL_NULL);
	cql_write_bytes(writer, NULL, CQL_CELL_UNSET);
	cql_write_bytes(writer, "", 0);
}

static void
what_is_written_is_read_back(void **state)
{
	cql_writer writer;
	size_t len;
	uint8_t *bytes;
	cql_reader reader;

	(void) state;
	cql_writer_init(&writer);
	write_all(&writer);
	bytes = cql_writer_take(&writer, &len);
	assert_non_null(bytes);
	assert_null(writer.data);
	reader = cql_reader_over(bytes, len);
	for (size_t i = 0; i < LENGTH_OF(reader_cases); i++)
		reader_cases[i].read(&reader);
	assert_int_equal(cql_read_int(&reader), -1);
	assert_int_equal(cql_read_int(&reader), -2);
	assert_int_equal(cql_read_int(&reader), 0);
	assert_int_equal(cql_reader_left(&reader), 0);
	assert_false(reader.failed);
	cql_release(bytes);
	cql_writer_cleanup(&writer);
}

static void
writer_grows(void **state)
{
	cql_writer writer;

	(void) state;
	cql_writer_init(&writer);
	for (uint32_t i = 0; i < 100000; i++)
		cql_write_int(&writer, (int32_t) i);
	assert_false(writer.failed);
	assert_int_equal(writer.len, 400000);
	for (uint32_t i = 0; i < 100000; i++)
		assert_int_equal(cql_get_u32(writer.data + 4 * i), i);
	cql_writer_cleanup(&writer);
}

static void
empty_writer_gives_a_block(void **state)
{
	cql_writer writer;
	size_t len;
	uint8_t *bytes;

	(void) state;
	cql_writer_init(&writer);
	bytes = cql_writer_take(&writer, &len);
	assert_non_null(bytes);
	assert_int_equal(len, 0);
	cql_release(bytes);
}

static void
lengths_beyond_the_notation_fail(void **state)
{
	char *text = malloc(UINT16_MAX + 2);
	cql_writer writer;
	size_t len;

	(void) state;
	memset(text, 'x', UINT16_MAX + 1);
	text[UINT16_MAX + 1] = '\0';

	cql_writer_init(&writer);
	cql_write_string(&writer, text + 1);
	assert_false(writer.failed);
	assert_int_equal(writer.len, 2 + UINT16_MAX);
	cql_write_string(&writer, text);
	assert_true(writer.failed);
	cql_write_byte(&writer, 1);
	assert_int_equal(writer.len, 2 + UINT16_MAX);
	assert_null(cql_writer_take(&writer, &len));
	assert_int_equal(len, 0);
	cql_writer_cleanup(&writer);

	cql_write_short_bytes(&writer, text, UINT16_MAX + 1);
	assert_true(writer.failed);
	cql_writer_cleanup(&writer);
	assert_false(writer.failed);

	cql_write_byte(&writer, 1);
	cql_writer_reserve(&writer, SIZE_MAX);
	assert_true(writer.failed);
	cql_writer_cleanup(&writer);
	free(text);
}

static bool
write_much(void *argument)
{
	cql_writer writer;
	size_t len;
	uint8_t *bytes;

	(void) argument;
	cql_writer_init(&writer);
	for (int i = 0; i < 100; i++)
		write_all(&writer);
	bytes = cql_writer_take(&writer, &len);
	cql_release(bytes);
	cql_writer_cleanup(&writer);
	return bytes != NULL;
}

static bool
copy_some_text(void *argument)
{
	char *copy = cql_copy_text("abcdef", 3);
	char *zero = cql_alloc_zero(0);
	bool is_right = copy != NULL && zero != NULL && strcmp(copy, "abc") == 0;

	(void) argument;
	cql_release(copy);
	cql_release(zero);
	return is_right;
}

static void
each_failing_allocation_is_noticed(void **state)
{
	(void) state;
	fail_each_allocation(write_much, NULL);
	fail_each_allocation(copy_some_text, NULL);
	assert_null(cql_copy_text("", SIZE_MAX));
}

static void
words_are_known_in_any_case(void **state)
{
	(void) state;
	assert_true(cql_view_is_word((cql_view) {"TinyINT", 7}, "tinyint"));
	assert_false(cql_view_is_word((cql_view) {"TinyINT", 6}, "tinyint"));
	assert_false(cql_view_is_word((cql_view) {"tinyints", 8}, "tinyint"));
	assert_false(cql_view_is_word((cql_view) {"int\0", 4}, "int"));
	assert_true(cql_view_is_word((cql_view) {"", 0}, ""));
	/* One bit makes a capital of a small letter, but no letter of a sign. */
	assert_false(cql_view_is_word((cql_view) {"@", 1}, "`"));
	assert_false(cql_view_is_word((cql_view) {"[", 1}, "{"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_reader_takes_what_it_needs),
		cmocka_unit_test(each_reader_fails_at_each_truncation),
		cmocka_unit_test(forged_lengths_fail),
		cmocka_unit_test(negative_length_of_bytes_is_null),
		cmocka_unit_test(empty_is_not_null),
		cmocka_unit_test(nothing_may_be_read_from_nothing),
		cmocka_unit_test(counts_are_held_against_what_is_left),
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(writer_grows),
		cmocka_unit_test(empty_writer_gives_a_block),
		cmocka_unit_test(lengths_beyond_the_notation_fail),
		cmocka_unit_test(each_failing_allocation_is_noticed),
		cmocka_unit_test(words_are_known_in_any_case),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
