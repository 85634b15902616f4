/*
 * Rows of pages into slots: only the columns that the plan fetches for somebody are decoded.
 * Nothing is allocated here per row; what a value needs is the tuple context's. This is where a scan
 * spends most of its time: what can be known before is not looked at per row.
 */
#include "postgres.h"

#include "exec/tuple.h"

#include "exec/row_key.h"
#include "nodes/bitmapset.h"
#include "types/typemap.h"

/* A column whose value somebody looks at. */
typedef struct TupleColumn
{
	int cell;  /* of the row */
	int value; /* of the slot */
	ScyllaConverter *converter;
} TupleColumn;

struct ScyllaTupleReader
{
	const ScyllaScanPlan *plan;
	const cql_statement *statement;
	const char *local_table;
	int count;
	TupleColumn *columns;
	bool is_whole;         /* the slot has no other columns */
	StringInfoData bytes;  /* of a value that is encoded again */
	const cql_cell *cells; /* of the row being decoded, for the error context */
};

static void
add_column(ScyllaTupleReader *reader, Form_pg_attribute attribute, int cell)
{
	const ScyllaFetchColumn *fetch = &reader->plan->columns[cell];
	ScyllaConverterSpec spec = {
		.cql = cql_statement_column(reader->statement, cell)->type,
		.type = attribute->atttypid,
		.typmod = attribute->atttypmod,
		.table = reader->local_table,
		.column = pstrdup(NameStr(attribute->attname)),
		.is_write_time = fetch->function == SCYLLA_FUNCTION_WRITETIME,
		.is_excess_truncated = reader->plan->is_excess_truncated,
	};

	reader->columns[reader->count++] = (TupleColumn) {
		.cell = cell, .value = fetch->attnum - 1, .converter = scylla_converter_new(&spec)};
}

ScyllaTupleReader *
scylla_tuple_reader_new(TupleDesc descriptor, const ScyllaScanPlan *plan,
						const cql_statement *statement, const char *local_table)
{
	ScyllaTupleReader *reader = palloc0(sizeof(ScyllaTupleReader));
	Bitmapset *values = NULL;

	reader->plan = plan;
	reader->statement = statement;
	reader->local_table = pstrdup(local_table);
	initStringInfo(&reader->bytes);
	reader->columns = palloc0(Max(plan->column_count, 1) * sizeof(TupleColumn));
	for (int i = 0; i < plan->column_count; i++)
	{
		AttrNumber attnum = plan->columns[i].attnum;

		/* 0: fetched for another reason than its value */
		if (attnum == 0)
			continue;
		add_column(reader, TupleDescAttr(descriptor, attnum - 1), i);
		values = bms_add_member(values, attnum);
	}
	reader->is_whole = bms_num_members(values) == descriptor->natts;
	bms_free(values);
	return reader;
}

/* ---- the row's key, for errors ---- */

static void
add_row_context(void *arg)
{
	const ScyllaTupleReader *reader = arg;
	StringInfoData key;

	initStringInfo(&key);
	for (int i = 0; i < reader->plan->column_count; i++)
	{
		const ScyllaFetchColumn *fetch = &reader->plan->columns[i];

		if (!fetch->is_key)
			continue;
		scylla_row_key_append(&key, fetch->name, cql_statement_column(reader->statement, i)->type,
							  reader->cells[i]);
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
	if (!reader->is_whole)
		memset(slot->tts_isnull, true, slot->tts_tupleDescriptor->natts * sizeof(bool));
	for (int i = 0; i < reader->count; i++)
	{
		const TupleColumn *column = &reader->columns[i];

		slot->tts_values[column->value] =
			scylla_decode(column->converter, cells[column->cell], &slot->tts_isnull[column->value]);
	}
	error_context_stack = context.previous;
	ExecStoreVirtualTuple(slot);
}

/* ---- rows that are to be written ---- */

/* An empty cell reads as NULL, and is none. */
static bool
keeps_bytes(ScyllaTupleReader *reader, const TupleColumn *column, cql_cell cell,
			const TupleTableSlot *slot)
{
	if (slot->tts_isnull[column->value])
		return cell.len < 0;
	resetStringInfo(&reader->bytes);
	(void) scylla_encode(column->converter, slot->tts_values[column->value], SCYLLA_ROUND_STORE,
						 &reader->bytes);
	return reader->bytes.len == CQL_VALUE_HEADER_BYTES + cell.len &&
		   memcmp(reader->bytes.data + CQL_VALUE_HEADER_BYTES, cell.data, (size_t) cell.len) == 0;
}

bool
scylla_tuple_is_writable(ScyllaTupleReader *reader, const cql_cell *cells,
						 const TupleTableSlot *slot)
{
	for (int i = 0; i < reader->count; i++)
	{
		const TupleColumn *column = &reader->columns[i];

		if (reader->plan->columns[column->cell].is_found_by_bytes &&
			!keeps_bytes(reader, column, cells[column->cell], slot))
			return false;
	}
	return true;
}

void
scylla_tuple_refuse_write(ScyllaTupleReader *reader, const cql_cell *cells)
{
	ErrorContextCallback context = {
		.previous = error_context_stack, .callback = add_row_context, .arg = reader};

	reader->cells = cells;
	error_context_stack = &context;
	ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					errmsg("cannot write a row of foreign table \"%s\" by its primary key",
						   reader->local_table),
					errdetail("Its key is not read exactly: written again, it would be the key of "
							  "another row."),
					errhint("Leave the row out by WHERE, and write it by scylla_execute().")));
}
