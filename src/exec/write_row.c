/*
 * Encodes rows. Cells are made in the order of the plan's columns, the key first, so that an error
 * in a value can tell which row has it; the statement's order may be another, and then they are
 * copied once more.
 */
#include "postgres.h"

#include "exec/write_row.h"

#include "bridge/dialect.h"
#include "bridge/transaction.h"
#include "exec/row_key.h"
#include "exec/spool.h"
#include "exec/using_value.h"
#include "exec/write_target.h"
#include "utils/memutils.h"

struct ScyllaRowWriter
{
	ScyllaWriteTable table;
	ScyllaWriter *writer;
	ScyllaSpool *spool; /* where rows wait; NULL: they are sent at once */
	MemoryContext context;
	MemoryContext row_context; /* reset with each row */
	ScyllaRowValue *values;
	ScyllaWriteTarget *targets[2]; /* by ScyllaModifyTarget; NULL: no row took it yet */
	/* of the row that is encoded */
	const ScyllaWriteTarget *target;
	StringInfoData cells;
	int *starts; /* in cells, by column; -1: not there (yet) */
	StringInfoData ordered;
	StringInfoData routing_key;
	StringInfoData key; /* key cells, long ones cut: [int] length and bytes */
};

static char *describe_key(const void *argument, const char *key, size_t key_len);

ScyllaRowWriter *
scylla_row_writer_new(const ScyllaModifyPlan *plan, Relation relation, ScyllaSession *session,
					  const EState *owner)
{
	ScyllaRowWriter *rows = palloc0(sizeof(ScyllaRowWriter));
	ScyllaWriterSpec spec = {
		.session = session,
		.owner = owner,
		.consistency = scylla_write_consistency(plan->write_consistency),
		.serial_consistency = plan->serial_consistency,
		.max_in_flight = plan->max_in_flight,
		.rate = plan->write_rate,
		.relid = RelationGetRelid(relation),
		.describe_key = describe_key,
		.describe_argument = rows,
	};

	rows->table.plan = plan;
	rows->table.relation = relation;
	rows->table.remote_name = psprintf("%s.%s", plan->keyspace, plan->table);
	rows->table.session = session;
	rows->context = CurrentMemoryContext;
	rows->row_context =
		AllocSetContextCreate(CurrentMemoryContext, "scylla_fdw row", ALLOCSET_DEFAULT_SIZES);
	rows->values = palloc0(Max(plan->column_count, 1) * sizeof(ScyllaRowValue));
	rows->table.types = palloc0(Max(plan->column_count, 1) * sizeof(cql_type *));
	rows->starts = palloc0(Max(plan->column_count, 1) * sizeof(int));
	for (int i = 0; i < plan->column_count; i++)
		rows->table.has_static |= plan->columns[i].role == SCYLLA_KEY_STATIC;
	initStringInfo(&rows->cells);
	initStringInfo(&rows->ordered);
	initStringInfo(&rows->routing_key);
	initStringInfo(&rows->key);
	spec.relation = rows->table.remote_name;
	rows->writer = scylla_writer_new(&spec);
	return rows;
}

ScyllaRowValue *
scylla_row_writer_values(ScyllaRowWriter *rows)
{
	return rows->values;
}

ScyllaWriter *
scylla_row_writer_writer(ScyllaRowWriter *rows)
{
	return rows->writer;
}

/* ---- the row's key, for errors ---- */

static void
pack_key(ScyllaRowWriter *rows)
{
	int count = scylla_modify_plan_key_count(rows->table.plan);

	resetStringInfo(&rows->key);
	for (int i = 0; i < count; i++)
	{
		const uint8 *cell;
		int32 len;

		if (rows->starts[i] < 0)
			break;
		cell = (const uint8 *) rows->cells.data + rows->starts[i];
		len = (int32) cql_get_u32(cell);
		appendBinaryStringInfo(&rows->key, (const char *) cell,
							   CQL_VALUE_HEADER_BYTES + Min(Max(len, 0), SCYLLA_KEY_SHOWN_BYTES));
	}
}

static char *
describe_key(const void *argument, const char *key, size_t key_len)
{
	const ScyllaRowWriter *rows = argument;
	const char *end = key + key_len;
	int count = scylla_modify_plan_key_count(rows->table.plan);
	StringInfoData out;

	initStringInfo(&out);
	for (int i = 0; i < count && key < end; i++)
	{
		cql_cell cell = {(const uint8 *) key + CQL_VALUE_HEADER_BYTES,
						 (int32) cql_get_u32((const uint8 *) key)};

		scylla_row_key_append(&out, rows->table.plan->columns[i].name, rows->table.types[i], cell);
		key += CQL_VALUE_HEADER_BYTES + Min(Max(cell.len, 0), SCYLLA_KEY_SHOWN_BYTES);
	}
	return out.data;
}

static void
add_row_context(void *argument)
{
	ScyllaRowWriter *rows = argument;
	char *key;

	pack_key(rows);
	key = describe_key(rows, rows->key.data, rows->key.len);
	errcontext(key[0] != '\0' ? "row with %s to be written to foreign table \"%s\""
							  : "row%s to be written to foreign table \"%s\"",
			   key, RelationGetRelationName(rows->table.relation));
	pfree(key);
}

/* ---- what a row becomes ---- */

/*
 * Which of the two texts a row takes. A partition that has static columns alone reads as one row
 * whose clustering columns are NULL, so such a row is about the static columns.
 */
static ScyllaModifyTarget
choose_target(const ScyllaRowWriter *rows)
{
	const ScyllaModifyPlan *plan = rows->table.plan;

	if (plan->is_static_only)
		return SCYLLA_TARGET_STATIC;
	if (!rows->table.has_static || plan->clustering_count == 0)
		return SCYLLA_TARGET_ROW;
	for (int i = plan->partition_count; i < plan->column_count; i++)
		if (plan->columns[i].role != SCYLLA_KEY_STATIC && !rows->values[i].is_null &&
			!scylla_modify_is_using(plan->columns[i].assign))
			return SCYLLA_TARGET_ROW;
	return SCYLLA_TARGET_STATIC;
}

static const ScyllaWriteTarget *
get_target(ScyllaRowWriter *rows, ScyllaModifyTarget kind)
{
	MemoryContext caller = MemoryContextSwitchTo(rows->context);

	if (rows->targets[kind] == NULL)
		rows->targets[kind] = scylla_write_target_new(&rows->table, kind);
	MemoryContextSwitchTo(caller);
	return rows->targets[kind];
}

/* ---- encoding ---- */

static void
append_length(StringInfo out, int32 length)
{
	enlargeStringInfo(out, CQL_VALUE_HEADER_BYTES);
	cql_put_u32((uint8 *) out->data + out->len, (uint32) length);
	out->len += CQL_VALUE_HEADER_BYTES;
}

static void
refuse_null_key(const ScyllaRowWriter *rows, const ScyllaModifyColumn *column)
{
	Form_pg_attribute attribute =
		TupleDescAttr(RelationGetDescr(rows->table.relation), column->attnum - 1);

	ereport(ERROR,
			(errcode(ERRCODE_NOT_NULL_VIOLATION),
			 errmsg("null value in primary key column \"%s\" of foreign table \"%s\"",
					NameStr(attribute->attname), RelationGetRelationName(rows->table.relation)),
			 errhint("Give every column of the primary key a value."),
			 errtablecol(rows->table.relation, column->attnum)));
}

/* The cell that says nothing about a column. To an operation on a collection that is NULL: Cassandra
 * stumbles over anything else that is no list. */
static int32
silent_cell(const ScyllaModifyPlan *plan, const ScyllaModifyColumn *column)
{
	return !plan->is_counter && scylla_modify_is_delta(column->assign) ? CQL_CELL_NULL
																	   : CQL_CELL_UNSET;
}

static void
encode_null(ScyllaRowWriter *rows, const ScyllaModifyColumn *column)
{
	const ScyllaModifyPlan *plan = rows->table.plan;
	bool is_unset =
		plan->kind == SCYLLA_MODIFY_INSERT && (plan->is_null_unset || !column->is_named);

	if (column->assign == SCYLLA_ASSIGN_KEY)
		refuse_null_key(rows, column);
	append_length(&rows->cells, is_unset || column->assign != SCYLLA_ASSIGN_VALUE
									? silent_cell(plan, column)
									: CQL_CELL_NULL);
}

/* NULL is the table's option, or else what the remote table says. */
static void
encode_ttl(ScyllaRowWriter *rows, int index)
{
	const ScyllaRowValue *value = &rows->values[index];
	int32 ttl_s = rows->table.plan->ttl_s;
	uint8 cell[4];

	if (!value->is_null)
		ttl_s = scylla_using_ttl_s(value->value, rows->table.plan->columns[index].value_type);
	append_length(&rows->cells, ttl_s >= 0 ? (int32) sizeof(cell) : CQL_CELL_UNSET);
	cql_put_u32(cell, (uint32) ttl_s);
	if (ttl_s >= 0)
		appendBinaryStringInfo(&rows->cells, (const char *) cell, sizeof(cell));
}

static void
encode_column(ScyllaRowWriter *rows, int index)
{
	const ScyllaModifyColumn *column = &rows->table.plan->columns[index];
	const ScyllaRowValue *value = &rows->values[index];
	int start = rows->cells.len;

	if (column->assign == SCYLLA_ASSIGN_TTL)
		encode_ttl(rows, index);
	else if (value->is_left_out)
		append_length(&rows->cells, silent_cell(rows->table.plan, column));
	else if (value->is_null)
		encode_null(rows, column);
	else
		(void) scylla_encode(rows->target->converters[index], value->value, SCYLLA_ROUND_STORE,
							 &rows->cells);
	rows->starts[index] = start;
}

/* The type that a value does not fit may have changed since it was prepared: the next statement asks. */
static void
doubt_types(void *argument)
{
	ScyllaRowWriter *rows = argument;

	add_row_context(rows);
	scylla_statement_forget(rows->table.session, rows->target->statement);
}

static void
encode_cells(ScyllaRowWriter *rows)
{
	ErrorContextCallback context = {
		.previous = error_context_stack, .callback = doubt_types, .arg = rows};
	const ScyllaModifyPlan *plan = rows->table.plan;

	resetStringInfo(&rows->cells);
	for (int i = 0; i < plan->column_count; i++)
		rows->starts[i] = -1;
	error_context_stack = &context;
	for (int i = 0; i < plan->column_count; i++)
		if (scylla_modify_plan_binds(plan, &plan->columns[i], rows->target->kind))
			encode_column(rows, i);
	error_context_stack = context.previous;
}

static int
cell_size(const ScyllaRowWriter *rows, int index)
{
	int32 len = (int32) cql_get_u32((const uint8 *) rows->cells.data + rows->starts[index]);

	return CQL_VALUE_HEADER_BYTES + Max(len, 0);
}

static const StringInfoData *
order_cells(ScyllaRowWriter *rows)
{
	if (rows->target->is_in_order)
		return &rows->cells;
	resetStringInfo(&rows->ordered);
	for (int i = 0; i < rows->target->bind_count; i++)
	{
		int index = rows->target->order[i];

		appendBinaryStringInfo(&rows->ordered, rows->cells.data + rows->starts[index],
							   cell_size(rows, index));
	}
	return &rows->ordered;
}

static void
make_routing_key(ScyllaRowWriter *rows)
{
	int count = rows->table.plan->partition_count;
	cql_cell *key = palloc(count * sizeof(cql_cell));
	size_t len;

	for (int i = 0; i < count; i++)
		key[i] =
			(cql_cell) {(const uint8 *) rows->cells.data + rows->starts[i] + CQL_VALUE_HEADER_BYTES,
						cell_size(rows, i) - CQL_VALUE_HEADER_BYTES};
	if (!cql_key_measure(key, count, &len))
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("partition key of a row of foreign table \"%s\" is too long",
							   RelationGetRelationName(rows->table.relation)),
						errdetail("CQL takes at most 65535 bytes.")));
	resetStringInfo(&rows->routing_key);
	enlargeStringInfo(&rows->routing_key, (int) len);
	cql_key_write(key, count, (uint8 *) rows->routing_key.data);
	rows->routing_key.len = (int) len;
}

/*
 * Twice the same is once, but for what adds to what stands there (also to a set). A list that is
 * assigned, too: CQL takes away what is older, and adds elements, which go by a number that each try
 * gets anew.
 */
static bool
is_idempotent(const ScyllaRowWriter *rows)
{
	const ScyllaModifyPlan *plan = rows->table.plan;

	if (plan->is_conditional || plan->is_counter)
		return false;
	for (int i = 0; i < plan->column_count; i++)
	{
		const ScyllaRowValue *value = &rows->values[i];

		if (scylla_modify_is_delta(plan->columns[i].assign) ||
			(plan->columns[i].is_list && !value->is_null && !value->is_left_out))
			return false;
	}
	return true;
}

/* The row's own, or one later than all before it. Lightweight transactions and counters have an
 * order of the server's own. */
static void
choose_timestamp(const ScyllaRowWriter *rows, ScyllaWrite *write)
{
	const ScyllaModifyPlan *plan = rows->table.plan;

	if (plan->is_conditional || plan->is_counter)
		return;
	write->has_timestamp = true;
	write->timestamp_us = scylla_write_timestamp_us();
	write->turn = scylla_write_timestamp_count();
	for (int i = 0; i < plan->column_count; i++)
		if (plan->columns[i].assign == SCYLLA_ASSIGN_TIMESTAMP && !rows->values[i].is_null)
		{
			write->is_time_given = true;
			write->timestamp_us =
				scylla_using_timestamp_us(rows->values[i].value, plan->columns[i].value_type);
		}
}

static void
choose_statements(const ScyllaRowWriter *rows, const ScyllaWriteTarget *target, ScyllaWrite *write)
{
	bool is_single = target->shared == NULL || (target->timeout != SCYLLA_TIMEOUT_NONE &&
												scylla_is_time_short(rows->table.session));

	write->statement = scylla_statement_get(target->statement);
	write->timeout = target->timeout;
	write->shared = is_single ? NULL : scylla_statement_get(target->shared);
}

void
scylla_row_writer_send(ScyllaRowWriter *rows, bool *is_applied)
{
	MemoryContext caller;
	const StringInfoData *values;
	ScyllaWrite write;

	memset(&write, 0, sizeof(write)); /* and its padding: it may go to a file */
	write.is_applied = is_applied;
	write.is_idempotent = is_idempotent(rows);
	rows->target = get_target(rows, choose_target(rows));
	caller = MemoryContextSwitchTo(rows->row_context);
	encode_cells(rows);
	make_routing_key(rows);
	pack_key(rows);
	values = order_cells(rows);
	choose_statements(rows, rows->target, &write);
	write.values = values->data;
	write.values_len = values->len;
	write.value_count = rows->target->bind_count;
	write.routing_key = rows->routing_key.data;
	write.routing_key_len = rows->routing_key.len;
	choose_timestamp(rows, &write);
	write.key = rows->key.data;
	write.key_len = rows->key.len;
	if (rows->spool != NULL)
		scylla_spool_put(rows->spool, &write, rows->target->kind);
	else
		scylla_writer_submit(rows->writer, &write);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(rows->row_context);
}

void
scylla_row_writer_defer(ScyllaRowWriter *rows)
{
	rows->spool = scylla_spool_new();
}

void
scylla_row_writer_finish(ScyllaRowWriter *rows)
{
	ScyllaModifyTarget kind;
	ScyllaWrite write;

	while (rows->spool != NULL && scylla_spool_take(rows->spool, &write, &kind))
	{
		choose_statements(rows, rows->targets[kind], &write);
		scylla_writer_submit(rows->writer, &write);
	}
	scylla_writer_drain(rows->writer);
}
