/*
 * Rows of pages into slots: only the columns that the plan fetches for somebody are decoded.
 * Nothing is allocated here per row; what a value needs is the tuple context's.
 */
#include "postgres.h"

#include "exec/tuple.h"

#include "mb/pg_wchar.h"
#include "types/typemap.h"

typedef struct TupleColumn
{
	AttrNumber attnum; /* 0: fetched for another reason than its value */
	const ScyllaFetchColumn *fetch;
	const cql_type *type;
	ScyllaConverter *converter;
} TupleColumn;

struct ScyllaTupleReader
{
	const char *local_table;
	int count;
	TupleColumn *columns;
	const cql_cell *cells; /* of the row being decoded, for the error context */
};

ScyllaTupleReader *
scylla_tuple_reader_new(Relation relation, const ScyllaScanPlan *plan,
						const cql_statement *statement)
{
	ScyllaTupleReader *reader = palloc0(sizeof(ScyllaTupleReader));

	reader->local_table = pstrdup(RelationGetRelationName(relation));
	reader->count = plan->column_count;
	reader->columns = palloc0(Max(reader->count, 1) * sizeof(TupleColumn));
	for (int i = 0; i < reader->count; i++)
	{
		TupleColumn *column = &reader->columns[i];
		ScyllaConverterSpec spec = {.table = reader->local_table,
									.is_excess_truncated = plan->is_excess_truncated};
		Form_pg_attribute attribute;

		column->fetch = &plan->columns[i];
		column->attnum = column->fetch->attnum;
		column->type = cql_statement_column(statement, i)->type;
		if (column->attnum == 0)
			continue;
		attribute = TupleDescAttr(RelationGetDescr(relation), column->attnum - 1);
		spec.cql = column->type;
		spec.type = attribute->atttypid;
		spec.typmod = attribute->atttypmod;
		spec.column = pstrdup(NameStr(attribute->attname));
		spec.is_write_time = column->fetch->function == SCYLLA_FUNCTION_WRITETIME;
		column->converter = scylla_converter_new(&spec);
	}
	return reader;
}

/* ---- the row's key, for errors ---- */

/* Longer values are cut: a key is shown so that the row can be found. */
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

/* Without output functions, which could raise an error inside of an error. */
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

static void
add_row_context(void *arg)
{
	const ScyllaTupleReader *reader = arg;
	StringInfoData key;

	initStringInfo(&key);
	for (int i = 0; i < reader->count; i++)
	{
		const TupleColumn *column = &reader->columns[i];

		if (!column->fetch->is_key)
			continue;
		appendStringInfo(&key, "%s%s = ", key.len > 0 ? ", " : "", column->fetch->name);
		append_key_value(&key, column->type, reader->cells[i]);
	}
	if (key.len > 0)
		errcontext("row with %s of foreign table \"%s\"", key.data, reader->local_table);
	else
		errcontext("row of foreign table \"%s\"", reader->local_table);
	pfree(key.data);
}

/* ---- decoding ---- */

void
scylla_tuple_store(ScyllaTupleReader *reader, const cql_cell *cells, TupleTableSlot *slot)
{
	ErrorContextCallback context = {
		.previous = error_context_stack, .callback = add_row_context, .arg = reader};

	reader->cells = cells;
	error_context_stack = &context;
	memset(slot->tts_isnull, true, slot->tts_tupleDescriptor->natts * sizeof(bool));
	for (int i = 0; i < reader->count; i++)
	{
		const TupleColumn *column = &reader->columns[i];
		int index = column->attnum - 1;

		if (index >= 0)
			slot->tts_values[index] =
				scylla_decode(column->converter, cells[i], &slot->tts_isnull[index]);
	}
	error_context_stack = context.previous;
	ExecStoreVirtualTuple(slot);
}
