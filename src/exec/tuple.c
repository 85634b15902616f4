/*
 * Rows of pages into slots: only the columns that the plan fetches for somebody are decoded.
 * Nothing is allocated here per row; what a value needs is the tuple context's.
 */
#include "postgres.h"

#include "exec/tuple.h"

#include "exec/row_key.h"
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
scylla_tuple_reader_new(TupleDesc descriptor, const ScyllaScanPlan *plan,
						const cql_statement *statement, const char *local_table)
{
	ScyllaTupleReader *reader = palloc0(sizeof(ScyllaTupleReader));

	reader->local_table = pstrdup(local_table);
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
		attribute = TupleDescAttr(descriptor, column->attnum - 1);
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
		scylla_row_key_append(&key, column->fetch->name, column->type, reader->cells[i]);
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
