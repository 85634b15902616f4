/*
 * Metadata of results and statements: every combination of its flags, whole, cut and forged;
 * what is known is shared and costs nothing, and memory that is missing is told from bad bytes.
 */
#include "support.h"

#include "cql/mem.h"
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

/* ---- metadata ---- */

enum
{
	GLOBAL_SPEC = 1,
	MORE_PAGES = 2,
	NO_METADATA = 4,
	CHANGED = 8
};

static void
write_columns(cql_writer *writer, int32_t flags, int32_t count)
{
	if (flags & GLOBAL_SPEC)
	{
		cql_write_string(writer, "ks");
		cql_write_string(writer, "t");
	}
	for (int32_t i = 0; i < count; i++)
	{
		char name[16];

		if (!(flags & GLOBAL_SPEC))
		{
			cql_write_string(writer, "ks");
			cql_write_string(writer, i < 2 ? "t" : "other");
		}
		snprintf(name, sizeof name, "c%d", (int) i);
		cql_write_string(writer, name);
		cql_write_short(writer, CQL_TYPE_LIST);
		cql_write_short(writer, CQL_TYPE_INT);
	}
}

/* <metadata> of a result, with paging state "state" and id "id" where flags ask for them. */
static void
write_result_metadata(cql_writer *writer, int32_t flags, int32_t count)
{
	cql_write_int(writer, flags);
	cql_write_int(writer, count);
	if (flags & MORE_PAGES)
		cql_write_bytes(writer, "state", 5);
	if (flags & NO_METADATA)
		return;
	if (flags & CHANGED)
		cql_write_short_bytes(writer, "id", 2);
	write_columns(writer, flags, count);
}

static void
build_rows_head(int32_t flags, int32_t count)
{
	cql_writer_cleanup(&built);
	write_result_metadata(&built, flags, count);
}

/* What a statement would have announced; shared by the tests that read pages. */
static cql_metadata *known;
static cql_rows_head head;
static cql_metadata *seen; /* the metadata that came out, already released */

static void
read_rows_head(cql_reader *body)
{
	bool is_out_of_memory = true;

	cql_read_rows_head(body, known, &head, &is_out_of_memory);
	assert_false(is_out_of_memory);
	assert_int_equal(head.metadata == NULL, body->failed);
	seen = head.metadata;
	cql_metadata_release(head.metadata);
}

/* Metadata of count columns, as a statement would hold it. */
static cql_metadata *
make_known(int32_t flags, int32_t count)
{
	cql_reader body;
	bool is_out_of_memory;

	build_rows_head(flags, count);
	body = cql_reader_over(built.data, built.len);
	cql_read_rows_head(&body, NULL, &head, &is_out_of_memory);
	assert_false(body.failed);
	return head.metadata;
}

static void
check_columns(const cql_metadata *metadata, int32_t flags, int32_t count)
{
	assert_int_equal(metadata->column_count, count);
	for (int32_t i = 0; i < count; i++)
	{
		char name[16];
		char type[16];

		snprintf(name, sizeof name, "c%d", (int) i);
		assert_string_equal(metadata->columns[i].keyspace, "ks");
		assert_string_equal(metadata->columns[i].table,
							(flags & GLOBAL_SPEC) || i < 2 ? "t" : "other");
		assert_string_equal(metadata->columns[i].name, name);
		cql_type_print(metadata->columns[i].type, true, type, sizeof type);
		assert_string_equal(type, "list<int>");
	}
}

static void
rows_head_is_read_with_every_flag(void **state)
{
	(void) state;
	known = NULL;
	for (int32_t flags = 0; flags < 16; flags++)
	{
		const int32_t count = flags & NO_METADATA ? 0 : 5;
		cql_reader body;
		bool is_out_of_memory;

		build_rows_head(flags, count);
		check_whole_cut_and_forged(read_rows_head, built.data, built.len);
		body = cql_reader_over(built.data, built.len);
		cql_read_rows_head(&body, NULL, &head, &is_out_of_memory);
		assert_int_equal(cql_reader_left(&body), 0);
		assert_int_equal(head.has_more_pages, (flags & MORE_PAGES) != 0);
		assert_int_equal(head.paging_state.len, flags & MORE_PAGES ? 5 : CQL_CELL_NULL);
		assert_true(
			is_view(head.new_metadata_id, (flags & CHANGED) && !(flags & NO_METADATA) ? "id" : ""));
		check_columns(head.metadata, flags, count);
		cql_metadata_release(head.metadata);
	}
}

static void
columns_that_are_known_are_shared(void **state)
{
	(void) state;
	for (int32_t flags = 0; flags < 16; flags++)
	{
		known = make_known(flags & GLOBAL_SPEC, 5);
		build_rows_head(flags, 5);
		check_whole_cut_and_forged(read_rows_head, built.data, built.len);
		assert_false(does_read_fail(read_rows_head, built.data, built.len));
		assert_ptr_equal(seen, known);
		assert_int_equal(known->references, 1);
		cql_metadata_release(known);
	}
}

static void
columns_that_differ_are_read_anew(void **state)
{
	cql_reader body;
	bool is_out_of_memory;

	(void) state;
	known = make_known(GLOBAL_SPEC, 5);
	for (int32_t count = 0; count < 8; count++)
		for (int32_t flags = 0; flags <= GLOBAL_SPEC; flags++)
		{
			if (count == 5 && flags == GLOBAL_SPEC)
				continue;
			build_rows_head(flags, count);
			body = cql_reader_over(built.data, built.len);
			cql_read_rows_head(&body, known, &head, &is_out_of_memory);
			assert_false(body.failed);
			assert_ptr_not_equal(head.metadata, known);
			check_columns(head.metadata, flags, count);
			cql_metadata_release(head.metadata);
		}
	/* one other byte in the last column's type */
	build_rows_head(GLOBAL_SPEC, 5);
	built.data[built.len - 1] = CQL_TYPE_BIGINT;
	body = cql_reader_over(built.data, built.len);
	cql_read_rows_head(&body, known, &head, &is_out_of_memory);
	assert_ptr_not_equal(head.metadata, known);
	assert_int_equal(head.metadata->columns[4].type->elements[0]->id, CQL_TYPE_BIGINT);
	cql_metadata_release(head.metadata);
	cql_metadata_release(known);
}

static void
columns_left_out_must_be_known(void **state)
{
	(void) state;
	build_rows_head(NO_METADATA, 5);
	known = NULL;
	assert_true(does_read_fail(read_rows_head, built.data, built.len));
	known = make_known(GLOBAL_SPEC, 4);
	build_rows_head(NO_METADATA, 5);
	assert_true(does_read_fail(read_rows_head, built.data, built.len));
	cql_metadata_release(known);
}

/* Asking for the next page with no state would give the first page again, for ever. */
static void
more_pages_need_a_paging_state(void **state)
{
	static const char null_state[] = "\0\0\0\6\0\0\0\0\xff\xff\xff\xff";
	static const char empty_state[] = "\0\0\0\6\0\0\0\0\0\0\0\0";

	(void) state;
	known = NULL;
	assert_true(does_read_fail(read_rows_head, null_state, sizeof null_state - 1));
	assert_true(does_read_fail(read_rows_head, empty_state, sizeof empty_state - 1));
}

static void
forged_column_counts_are_refused(void **state)
{
	static const int32_t counts[] = {-1, INT32_MIN, INT32_MAX, 0xFFFF, 6};

	(void) state;
	known = NULL;
	for (size_t i = 0; i < LENGTH_OF(counts); i++)
		for (int32_t flags = 0; flags < 16; flags++)
		{
			build_rows_head(flags, 5);
			cql_put_u32(built.data + 4, (uint32_t) counts[i]);
			assert_true(does_read_fail(read_rows_head, built.data, built.len));
		}
}

/* ---- PREPARED ---- */

#define LWT_MASK 0x80000000u

/* A statement of three bind variables, the key of them 2 and 0, and a result of two columns. */
static void
build_prepared(int32_t bind_flags, int32_t result_flags)
{
	cql_writer_cleanup(&built);
	cql_write_short_bytes(&built, "statement", 9);
	cql_write_short_bytes(&built, "meta", 4);
	cql_write_int(&built, bind_flags);
	cql_write_int(&built, 3);
	cql_write_int(&built, 2);
	cql_write_short(&built, 2);
	cql_write_short(&built, 0);
	write_columns(&built, bind_flags, 3);
	write_result_metadata(&built, result_flags, result_flags & NO_METADATA ? 0 : 2);
}

static void
read_prepared(cql_reader *body)
{
	cql_prepared prepared;
	bool is_out_of_memory = true;

	cql_read_prepared(body, true, LWT_MASK, &prepared, &is_out_of_memory);
	assert_false(is_out_of_memory);
	assert_int_equal(prepared.bind == NULL, body->failed);
	assert_int_equal(prepared.result == NULL, body->failed);
	cql_metadata_release(prepared.bind);
	cql_metadata_release(prepared.result);
}

static void
prepared_is_read(void **state)
{
	(void) state;
	for (int i = 0; i < 8; i++)
	{
		const int32_t global = i & GLOBAL_SPEC;
		const int32_t lwt = i & 2 ? (int32_t) LWT_MASK : 0;
		const int32_t no_result = i & NO_METADATA;
		cql_prepared prepared;
		cql_reader body;
		bool is_out_of_memory;

		build_prepared(global | lwt, global | no_result);
		check_whole_cut_and_forged(read_prepared, built.data, built.len);
		body = cql_reader_over(built.data, built.len);
		cql_read_prepared(&body, true, LWT_MASK, &prepared, &is_out_of_memory);
		assert_true(is_view(prepared.id, "statement"));
		assert_true(is_view(prepared.metadata_id, "meta"));
		assert_int_equal(prepared.bind->is_lwt, lwt != 0);
		assert_int_equal(prepared.bind->key_count, 2);
		assert_int_equal(prepared.bind->key_indexes[0], 2);
		assert_int_equal(prepared.bind->key_indexes[1], 0);
		check_columns(prepared.bind, global, 3);
		check_columns(prepared.result, global, no_result ? 0 : 2);
		cql_metadata_release(prepared.bind);
		cql_metadata_release(prepared.result);
	}
}

static void
extensions_that_were_not_agreed_on_are_not_read(void **state)
{
	cql_prepared prepared;
	cql_reader body;
	bool is_out_of_memory;

	(void) state;
	build_prepared((int32_t) LWT_MASK, 0);
	/* Without its metadata id; the [short bytes] of the statement's own is 11 long. */
	memmove(built.data + 11, built.data + 17, built.len - 17);
	body = cql_reader_over(built.data, built.len - 6);
	cql_read_prepared(&body, false, 0, &prepared, &is_out_of_memory);
	assert_false(body.failed);
	assert_int_equal(prepared.metadata_id.len, 0);
	assert_false(prepared.bind->is_lwt);
	cql_metadata_release(prepared.bind);
	cql_metadata_release(prepared.result);
}

/* Whoever hashes the key would read values that are not there. */
static void
key_beyond_the_bind_variables_is_refused(void **state)
{
	/* id, metadata id, flags, count, key count, then the indexes */
	const size_t first_index = 11 + 6 + 12;

	(void) state;
	build_prepared(GLOBAL_SPEC, 0);
	assert_int_equal(cql_get_u16(built.data + first_index), 2);
	cql_put_u16(built.data + first_index, 3);
	assert_true(does_read_fail(read_prepared, built.data, built.len));
	cql_put_u16(built.data + first_index, 0xFFFF);
	assert_true(does_read_fail(read_prepared, built.data, built.len));
}

/* ---- memory ---- */

static bool
read_rows_head_and_prepared(void *argument)
{
	cql_reader rows = ((cql_reader *) argument)[0];
	cql_reader prepared = ((cql_reader *) argument)[1];
	cql_prepared statement;
	bool is_out_of_memory;

	cql_read_rows_head(&rows, NULL, &head, &is_out_of_memory);
	assert_int_equal(rows.failed, is_out_of_memory);
	cql_metadata_release(head.metadata);
	if (is_out_of_memory)
		return false;
	cql_read_prepared(&prepared, true, LWT_MASK, &statement, &is_out_of_memory);
	assert_int_equal(prepared.failed, is_out_of_memory);
	cql_metadata_release(statement.bind);
	cql_metadata_release(statement.result);
	return !is_out_of_memory;
}

static bool
read_known_rows_head(void *argument)
{
	cql_reader body = *(cql_reader *) argument;

	read_rows_head(&body);
	return !body.failed;
}

static void
each_failing_allocation_is_told_from_malformed_bytes(void **state)
{
	cql_reader bodies[2];
	uint8_t *rows;
	size_t rows_len;

	(void) state;
	build_rows_head(0, 100);
	rows = cql_writer_take(&built, &rows_len);
	build_prepared(0, 0);
	bodies[0] = cql_reader_over(rows, rows_len);
	bodies[1] = cql_reader_over(built.data, built.len);
	fail_each_allocation(read_rows_head_and_prepared, bodies);
	cql_release(rows);
}

static void
known_columns_cost_no_allocation(void **state)
{
	cql_reader body;

	(void) state;
	known = make_known(GLOBAL_SPEC, 100);
	build_rows_head(GLOBAL_SPEC | MORE_PAGES, 100);
	body = cql_reader_over(built.data, built.len);
	assert_int_equal(count_allocations(read_known_rows_head, &body), 0);
	build_rows_head(NO_METADATA, 100);
	body = cql_reader_over(built.data, built.len);
	assert_int_equal(count_allocations(read_known_rows_head, &body), 0);
	cql_metadata_release(known);
	cql_metadata_release(NULL);
}

#define metadata_test(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		metadata_test(rows_head_is_read_with_every_flag),
		metadata_test(columns_that_are_known_are_shared),
		metadata_test(columns_that_differ_are_read_anew),
		metadata_test(columns_left_out_must_be_known),
		metadata_test(more_pages_need_a_paging_state),
		metadata_test(forged_column_counts_are_refused),
		metadata_test(prepared_is_read),
		metadata_test(extensions_that_were_not_agreed_on_are_not_read),
		metadata_test(key_beyond_the_bind_variables_is_refused),
		metadata_test(each_failing_allocation_is_told_from_malformed_bytes),
		metadata_test(known_columns_cost_no_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
