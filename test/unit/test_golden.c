/*
 * Frames recorded from a real server (test/scripts/record_frames) against what the recorder's own
 * codec read: our readers must describe each response in the very words of the index. Every one is
 * also read cut at every byte and with every count and length forged. Requests are compared in
 * test_request.c.
 */
#include "golden.h"

#include "cql/mem.h"
#include "cql/wire/compress.h"
#include "cql/wire/response.h"

/* Columns that PREPARE announced, for the result that came without. */
static cql_metadata *known;

static cql_reader
body_of(const golden *frame)
{
	return cql_reader_over(frame->frame + CQL_FRAME_HEADER_LEN, frame->len - CQL_FRAME_HEADER_LEN);
}

static int
load(void **state)
{
	cql_reader body;
	cql_prepared prepared;
	bool is_out_of_memory;

	load_golden_frames(state);
	body = body_of(find_golden_frame("prepared_select"));
	assert_int_equal(cql_read_int(&body), CQL_RESULT_PREPARED);
	cql_read_prepared(&body, false, 0, &prepared, &is_out_of_memory);
	assert_false(body.failed);
	cql_metadata_release(prepared.bind);
	known = prepared.result;
	return 0;
}

static int
unload(void **state)
{
	cql_metadata_release(known);
	return free_golden_frames(state);
}

/* ---- responses in words ---- */

static FILE *out;

static void
print_view(cql_view view)
{
	fwrite(view.data, 1, view.len, out);
}

static void
print_hex(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		fprintf(out, "%02x", bytes[i]);
}

static void
print_cell(cql_cell cell)
{
	if (cql_cell_is_null(cell))
		fputs("-", out);
	else if (cell.len == 0)
		fputs("''", out);
	else
		print_hex(cell.data, (size_t) cell.len);
}

static void
print_columns(const cql_metadata *metadata)
{
	char type[256];

	for (int32_t i = 0; i < metadata->column_count; i++)
	{
		const cql_column *column = &metadata->columns[i];

		cql_type_print(column->type, false, type, sizeof type);
		fprintf(out, "column %s.%s.%s %s\n", column->keyspace, column->table, column->name, type);
		for (uint32_t j = 0; column->type->id == CQL_TYPE_UDT && j < column->type->element_count;
			 j++)
		{
			cql_type_print(column->type->elements[j], false, type, sizeof type);
			fprintf(out, "field %s %s\n", column->type->field_names[j], type);
		}
	}
}

static void
describe_error(cql_reader *body)
{
	cql_error error;
	cql_view statement_id;

	cql_read_error(body, 0, &error, &statement_id);
	fprintf(out, "code %04x\nmessage ", (unsigned) error.server_code);
	for (const char *p = error.message; *p != '\0'; p++)
	{
		if (*p == '\n')
			fputs("\\n", out);
		else
			fputc(*p, out);
	}
	fputc('\n', out);
	if (error.consistency >= 0)
		fprintf(out, "consistency %d required %d received %d\n", error.consistency, error.required,
				error.received);
	if (error.keyspace[0] != '\0')
		fprintf(out, "names %s.%s\n", error.keyspace, error.name);
	if (statement_id.len != 0)
	{
		fputs("id ", out);
		print_hex((const uint8_t *) statement_id.data, statement_id.len);
		fputc('\n', out);
	}
}

static void
describe_rows(cql_reader *body)
{
	const bool is_left_out = cql_reader_left(body) >= 4 && (cql_get_u32(body->pos) & 4);
	cql_rows_head head;
	bool is_out_of_memory;
	int32_t row_count;

	cql_read_rows_head(body, known, &head, &is_out_of_memory);
	if (body->failed)
		return;
	fputs("more ", out);
	print_cell(head.paging_state);
	fputc('\n', out);
	if (is_left_out)
		fputs("columns left out\n", out);
	else
		print_columns(head.metadata);
	row_count = cql_read_int(body);
	fprintf(out, "rows %d\n", row_count);
	for (int32_t i = 0; i < row_count && !body->failed && head.metadata->column_count > 0; i++)
	{
		fputs("row", out);
		for (int32_t j = 0; j < head.metadata->column_count; j++)
		{
			fputc(' ', out);
			print_cell(cql_read_bytes(body));
		}
		fputc('\n', out);
	}
	cql_metadata_release(head.metadata);
}

static void
describe_prepared(cql_reader *body)
{
	cql_prepared prepared;
	bool is_out_of_memory;

	cql_read_prepared(body, false, 0, &prepared, &is_out_of_memory);
	if (body->failed)
		return;
	fputs("id ", out);
	print_hex((const uint8_t *) prepared.id.data, prepared.id.len);
	fputs("\nkey", out);
	for (int32_t i = 0; i < prepared.bind->key_count; i++)
		fprintf(out, " %d", prepared.bind->key_indexes[i]);
	fputc('\n', out);
	print_columns(prepared.bind);
	fputs("result\n", out);
	print_columns(prepared.result);
	cql_metadata_release(prepared.bind);
	cql_metadata_release(prepared.result);
}

static void
print_schema_change(const cql_schema_change *change)
{
	print_view(change->change);
	fputc(' ', out);
	print_view(change->target);
	fputc(' ', out);
	print_view(change->keyspace);
	fputc(' ', out);
	print_view(change->name.len != 0 ? change->name : (cql_view) {.data = "-", .len = 1});
	fputc('\n', out);
}

static void
describe_schema_change(cql_reader *body)
{
	cql_schema_change change;

	cql_read_schema_change(body, &change);
	print_schema_change(&change);
}

static void
describe_result(cql_reader *body)
{
	int32_t kind = cql_read_int(body);

	fprintf(out, "kind %d\n", kind);
	switch (kind)
	{
		case CQL_RESULT_ROWS:
			describe_rows(body);
			break;
		case CQL_RESULT_SET_KEYSPACE:
			fputs("keyspace ", out);
			print_view(cql_read_string(body));
			fputc('\n', out);
			break;
		case CQL_RESULT_PREPARED:
			describe_prepared(body);
			break;
		case CQL_RESULT_SCHEMA_CHANGE:
			describe_schema_change(body);
			break;
		default:
			break;
	}
}

static void
describe_event(cql_reader *body)
{
	cql_event event;

	cql_read_event(body, &event);
	if (event.kind != CQL_EVENT_SCHEMA)
		return; /* the server sent no other: the bytes were forged */
	fprintf(out, "SCHEMA_CHANGE\n");
	print_schema_change(&event.schema);
}

static void
describe_supported(cql_reader *body)
{
	cql_supported supported;

	cql_read_supported(body, &supported);
	fprintf(out, "cql %s\nlz4 %d\nscylla %d\n", supported.cql_version, supported.has_lz4,
			supported.is_scylla);
}

static void
describe_prefix(cql_reader *body, uint8_t flags)
{
	cql_frame_prefix prefix;

	cql_frame_read_prefix(body, flags, &prefix);
	if (prefix.tracing_id != NULL)
	{
		fputs("tracing ", out);
		print_hex(prefix.tracing_id, 16);
		fputc('\n', out);
	}
	for (int i = 0; i < prefix.warning_count; i++)
	{
		fputs("warning ", out);
		print_view(cql_read_string(&prefix.warnings));
		fputc('\n', out);
	}
}

/* The frame whose body is read; a body_reader has no other way to know. */
static cql_frame_header header;

static void
describe_body(cql_reader *body)
{
	describe_prefix(body, header.flags);
	switch (header.opcode)
	{
		case CQL_OPCODE_ERROR:
			describe_error(body);
			break;
		case CQL_OPCODE_SUPPORTED:
			describe_supported(body);
			break;
		case CQL_OPCODE_AUTHENTICATE:
			fputs("class ", out);
			print_view(cql_read_string(body));
			fputc('\n', out);
			break;
		case CQL_OPCODE_AUTH_SUCCESS:
			fputs("token ", out);
			print_cell(cql_read_bytes(body));
			fputc('\n', out);
			break;
		case CQL_OPCODE_RESULT:
			describe_result(body);
			break;
		case CQL_OPCODE_EVENT:
			describe_event(body);
			break;
		default:
			break;
	}
}

/* Returns how much of the body its readers wanted; trailing bytes are left alone. */
static size_t
check_response(const golden *frame)
{
	cql_frame_fault fault = cql_frame_read_header(frame->frame, &header);
	cql_reader body = body_of(frame);
	uint8_t *unpacked = NULL;
	size_t left;
	char *text;
	size_t text_len;

	out = open_memstream(&text, &text_len);
	fprintf(out, "response %02x %02x %d %02x %u\n", header.version, header.flags, header.stream,
			header.opcode, header.body_len);
	if (header.flags & CQL_FLAG_COMPRESSED)
	{
		assert_int_equal(cql_unpack(body.pos, cql_reader_left(&body), &unpacked, &header.body_len),
						 CQL_UNPACK_OK);
		fprintf(out, "unpacked %u\n", header.body_len);
		body = cql_reader_over(unpacked, header.body_len);
	}
	else
		assert_int_equal(header.body_len, frame->len - CQL_FRAME_HEADER_LEN);
	if (fault == CQL_FRAME_OK)
		describe_body(&body);
	else
		assert_int_equal(fault, CQL_FRAME_BAD_VERSION);
	fclose(out);
	assert_false(body.failed);
	if (strcmp(text, frame->facts) != 0)
		fail_msg("%s reads:\n%s\nbut the index says:\n%s", frame->name, text, frame->facts);
	free(text);
	left = cql_reader_left(&body);
	cql_release(unpacked);
	return header.body_len - left;
}

static void
responses_are_read_as_recorded(void **state)
{
	int count = 0;

	(void) state;
	for (size_t i = 0; i < golden_count; i++)
		if (strncmp(golden_frames[i].facts, "response ", 9) == 0)
		{
			check_response(&golden_frames[i]);
			count++;
		}
	assert_true(count >= 40);
}

static void
responses_cut_or_forged_are_never_read_beyond(void **state)
{
	(void) state;
	for (size_t i = 0; i < golden_count; i++)
		if (strncmp(golden_frames[i].facts, "response 84 ", 12) == 0 &&
			!(golden_frames[i].frame[1] & CQL_FLAG_COMPRESSED))
		{
			size_t wanted = check_response(&golden_frames[i]);

			out = fopen("/dev/null", "w");
			check_whole_cut_and_forged(describe_body, golden_frames[i].frame + CQL_FRAME_HEADER_LEN,
									   wanted);
			fclose(out);
		}
}

/* What makes pages cheap: the server describes a result in the same bytes each time. */
static void
pages_share_the_columns_that_prepare_announced(void **state)
{
	cql_reader body = body_of(find_golden_frame("rows_scalars"));
	cql_rows_head head;
	bool is_out_of_memory;

	(void) state;
	assert_int_equal(cql_read_int(&body), CQL_RESULT_ROWS);
	cql_read_rows_head(&body, known, &head, &is_out_of_memory);
	assert_ptr_equal(head.metadata, known);
	cql_metadata_release(head.metadata);
}

/* ---- values ---- */

/* The cells of a row of rows_scalars: c, then a column of each scalar type by name. */
static void
read_scalars(int row, cql_cell *cells)
{
	cql_reader body = body_of(find_golden_frame("rows_scalars"));
	cql_rows_head head;
	bool is_out_of_memory;

	cql_read_int(&body);
	cql_read_rows_head(&body, NULL, &head, &is_out_of_memory);
	cql_read_int(&body);
	for (int i = 0; i <= row; i++)
		for (int32_t j = 0; j < head.metadata->column_count; j++)
			cells[j] = cql_read_bytes(&body);
	assert_false(body.failed);
	cql_metadata_release(head.metadata);
}

static void
values_are_what_was_stored(void **state)
{
	cql_cell cells[20];
	int64_t i64;
	int32_t i32;
	int16_t i16;
	int8_t i8;
	double d;
	float f;
	bool b;
	cql_duration duration;
	cql_cell unscaled;

	(void) state;
	read_scalars(0, cells);
	assert_true(cql_read_i64(cells[2], &i64) && i64 == INT64_MAX);
	assert_true(cql_read_bool(cells[4], &b) && b);
	assert_true(cql_read_date(cells[5], &i32) && i32 == 1);
	assert_true(cql_read_decimal(cells[6], &i32, &unscaled) && i32 == 2);
	assert_true(cql_read_i8(unscaled, &i8) && i8 == -125);
	assert_true(cql_read_double(cells[7], &d) && d == 1.5);
	assert_true(cql_read_duration(cells[8], &duration));
	assert_true(duration.months == 1 && duration.days == 2 && duration.nanoseconds == 3);
	assert_true(cql_read_float(cells[9], &f) && f == -0.5f);
	assert_true(cql_read_i32(cells[11], &i32) && i32 == INT32_MAX);
	assert_true(cql_read_i16(cells[12], &i16) && i16 == INT16_MAX);
	assert_true(cql_read_time(cells[14], &i64) && i64 == 86399999999999);
	assert_true(cql_read_i8(cells[17], &i8) && i8 == INT8_MAX);

	read_scalars(1, cells);
	assert_true(cql_read_date(cells[5], &i32) && i32 == INT32_MIN);
	assert_true(cql_read_duration(cells[8], &duration));
	assert_true(duration.months == -1 && duration.days == -2 && duration.nanoseconds == -3);
	assert_true(cql_read_float(cells[9], &f) && f != f);
	assert_true(cql_read_time(cells[14], &i64) && i64 == 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(responses_are_read_as_recorded),
		cmocka_unit_test(responses_cut_or_forged_are_never_read_beyond),
		cmocka_unit_test(pages_share_the_columns_that_prepare_announced),
		cmocka_unit_test(values_are_what_was_stored),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
