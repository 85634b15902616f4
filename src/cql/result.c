/*
 * Results: a RESULT frame's body as one block, and the rows in it as views.
 *
 * All rows are walked once when the page comes, so that malformed bytes fail the request that
 * asked for them, and reading a row later needs no check and no allocation.
 */
#include <stdio.h>
#include <string.h>

#include "cql/mem.h"
#include "cql/session.h"

/* Walk every cell; false when they do not fit into the body. */
static bool
check_rows(cql_reader *body, int32_t row_count, int32_t column_count)
{
	const uint8_t *pos = body->pos;
	const uint8_t *end = body->end;

	/* A cell takes four bytes at least, which bounds the loops below by the block's size. */
	if (row_count < 0 || (row_count > 0 && column_count == 0) ||
		(int64_t) row_count * column_count > (end - pos) / 4)
		return false;
	for (int64_t left = (int64_t) row_count * column_count; left > 0; left--)
	{
		int32_t len;

		if (end - pos < 4)
			return false;
		len = (int32_t) cql_get_u32(pos);
		pos += 4;
		if (len > 0)
		{
			if (end - pos < len)
				return false;
			pos += len;
		}
	}
	return true;
}

static cql_result_fault
read_rows(cql_result *result, cql_reader *body, cql_metadata *known)
{
	bool is_out_of_memory = false;

	cql_read_rows_head(body, known, &result->head, &is_out_of_memory);
	if (result->head.metadata == NULL)
		return is_out_of_memory ? CQL_RESULT_NO_MEMORY : CQL_RESULT_MALFORMED;
	result->row_count = cql_read_int(body);
	if (body->failed || !check_rows(body, result->row_count, result->head.metadata->column_count))
		return CQL_RESULT_MALFORMED;
	result->rows = body->pos;
	cql_result_rewind(result);
	return CQL_RESULT_OK;
}

cql_result_fault
cql_result_new(uint8_t *block, const cql_frame_header *header, cql_metadata *known,
			   cql_result **out)
{
	cql_result *result = cql_alloc_zero(sizeof *result);
	cql_reader body = cql_reader_over(block, header->body_len);
	cql_result_fault fault = CQL_RESULT_OK;

	if (result == NULL)
	{
		cql_release(block);
		return CQL_RESULT_NO_MEMORY;
	}
	result->block = block;
	result->block_len = header->body_len;
	cql_frame_read_prefix(&body, header->flags, &result->prefix);
	result->kind = (cql_result_kind) cql_read_int(&body);
	if (body.failed || result->kind < CQL_RESULT_VOID || result->kind > CQL_RESULT_SCHEMA_CHANGE ||
		result->kind == CQL_RESULT_PREPARED)
		fault = CQL_RESULT_MALFORMED; /* PREPARED answers PREPARE alone, which does not come here */
	else if (result->kind == CQL_RESULT_ROWS)
		fault = read_rows(result, &body, known);
	if (fault != CQL_RESULT_OK)
	{
		cql_result_free(result);
		return fault;
	}
	*out = result;
	return CQL_RESULT_OK;
}

void
cql_result_free(cql_result *result)
{
	if (result == NULL)
		return;
	if (result->head.metadata != NULL)
		cql_metadata_release(result->head.metadata);
	cql_release(result->block);
	cql_release(result);
}

size_t
cql_result_byte_count(const cql_result *result)
{
	return result->block_len;
}

const char *
cql_result_node(const cql_result *result)
{
	return result->node;
}

int32_t
cql_result_shard(const cql_result *result)
{
	return result->shard;
}

int
cql_result_retry_count(const cql_result *result)
{
	return result->retry_count;
}

int
cql_result_warning_count(const cql_result *result)
{
	return result->prefix.warning_count;
}

void
cql_result_warning(const cql_result *result, int index, char *buf, size_t size)
{
	cql_reader warnings = result->prefix.warnings;
	cql_view text = {"", 0};

	for (int i = 0; i <= index && !warnings.failed; i++)
		text = cql_read_string(&warnings);
	snprintf(buf, size, "%.*s", (int) text.len, text.data == NULL ? "" : text.data);
}

const uint8_t *
cql_result_tracing_id(const cql_result *result)
{
	return result->prefix.tracing_id;
}

bool
cql_result_is_schema_change(const cql_result *result)
{
	return result->kind == CQL_RESULT_SCHEMA_CHANGE;
}

int
cql_result_column_count(const cql_result *result)
{
	return result->kind == CQL_RESULT_ROWS ? result->head.metadata->column_count : 0;
}

const cql_column *
cql_result_column(const cql_result *result, int index)
{
	return &result->head.metadata->columns[index];
}

bool
cql_result_has_columns_of(const cql_result *result, const cql_statement *statement)
{
	return result->kind == CQL_RESULT_ROWS && result->head.metadata == statement->result;
}

int32_t
cql_result_row_count(const cql_result *result)
{
	return result->row_count;
}

bool
cql_result_has_more_pages(const cql_result *result)
{
	return result->head.has_more_pages;
}

cql_cell
cql_result_paging_state(const cql_result *result)
{
	return result->head.paging_state;
}

bool
cql_result_next_row(cql_result *result, cql_cell *cells)
{
	const uint8_t *pos = result->pos;
	int32_t column_count;

	if (result->row >= result->row_count)
		return false;
	column_count = result->head.metadata->column_count;
	for (int32_t i = 0; i < column_count; i++)
	{
		int32_t len = (int32_t) cql_get_u32(pos);

		pos += 4;
		cells[i] = (cql_cell) {.data = pos, .len = len < 0 ? CQL_CELL_NULL : len};
		if (len > 0)
			pos += len;
	}
	result->pos = pos;
	result->row++;
	return true;
}

void
cql_result_rewind(cql_result *result)
{
	result->pos = result->rows;
	result->row = 0;
}
