/*
 * A row's key in words. Values are cut: a key is shown so that the row can be found.
 */
#include "postgres.h"

#include "exec/row_key.h"

#include "mb/pg_wchar.h"

#define MAX_SHOWN 40

static void
append_text(StringInfo out, cql_cell cell)
{
	int len = Min(cell.len, MAX_SHOWN);

	appendStringInfoChar(out, '\'');
	for (int i = 0; i < len;)
	{
		int char_len = pg_utf_mblen(cell.data + i);

		if (char_len > cell.len - i)
			char_len = 1;
		if (char_len > 1 && GetDatabaseEncoding() == PG_UTF8 &&
			pg_utf8_islegal(cell.data + i, char_len))
			appendBinaryStringInfo(out, (const char *) cell.data + i, char_len);
		else if (char_len == 1 && cell.data[i] >= 0x20 && cell.data[i] < 0x7F)
			appendStringInfoChar(out, (char) cell.data[i]);
		else
			appendStringInfoChar(out, '?');
		i += char_len;
	}
	appendStringInfoString(out, cell.len > MAX_SHOWN ? "...'" : "'");
}

static void
append_hex(StringInfo out, cql_cell cell, bool is_uuid)
{
	int len = Min(cell.len, MAX_SHOWN / 2);

	if (!is_uuid)
		appendStringInfoString(out, "0x");
	for (int i = 0; i < len; i++)
		appendStringInfo(out, is_uuid && i >= 4 && i <= 10 && i % 2 == 0 ? "-%02x" : "%02x",
						 cell.data[i]);
	if (cell.len > len)
		appendStringInfoString(out, "...");
}

static void
append_key_value(StringInfo out, const cql_type *type, cql_cell cell)
{
	int8_t i8;
	int16_t i16;
	int32_t i32;
	int64_t i64;

	if (cql_cell_is_null(cell))
		appendStringInfoString(out, "null");
	else if (type->id == CQL_TYPE_TEXT || type->id == CQL_TYPE_ASCII)
		append_text(out, cell);
	else if (type->id == CQL_TYPE_TINYINT && cql_read_i8(cell, &i8))
		appendStringInfo(out, "%d", i8);
	else if (type->id == CQL_TYPE_SMALLINT && cql_read_i16(cell, &i16))
		appendStringInfo(out, "%d", i16);
	else if (type->id == CQL_TYPE_INT && cql_read_i32(cell, &i32))
		appendStringInfo(out, "%d", i32);
	else if ((type->id == CQL_TYPE_BIGINT || type->id == CQL_TYPE_TIMESTAMP) &&
			 cql_read_i64(cell, &i64))
		appendStringInfo(out, INT64_FORMAT, (int64) i64);
	else
		append_hex(out, cell,
				   cell.len == 16 && (type->id == CQL_TYPE_UUID || type->id == CQL_TYPE_TIMEUUID));
}

void
scylla_row_key_append(StringInfo out, const char *name, const cql_type *type, cql_cell cell)
{
	appendStringInfo(out, "%s%s = ", out->len > 0 ? ", " : "", name);
	append_key_value(out, type, cell);
}
