/*
 * Encodes rows. Cells are made in the order of the plan's columns, the key first, so that an error
 * in a value can tell which row has it; the statement's order may be another, and then they are
 * copied once more.
 */
#include "postgres.h"

#include "exec/write_row.h"

#include "bridge/dialect.h"
#include "bridge/transaction.h"
#include "exec/drift.h"
#include "exec/row_key.h"
#include "exec/spool.h"
#include "exec/using_value.h"
#include "types/typemap.h"
#include "utils/memutils.h"

/* The length that stands before the bytes of a [value]. */
#define VALUE_HEADER_BYTES 4

/* A CQL text of the plan, prepared. */
typedef struct WriteTarget
{
	ScyllaStatement *statement; /* NULL: not prepared yet */
	ScyllaTimeoutPlace timeout;
	int bind_count;               /* but for the timeout's */
	int *order;                   /* columns, in the order of the bind variables */
	bool is_in_order;             /* of the plan's columns */
	bool can_share;               /* see ScyllaWrite */
	ScyllaConverter **converters; /* by column */
} WriteTarget;

struct ScyllaRowWriter
{
	const ScyllaModifyPlan *plan;
	Relation relation;
	char *remote_table;
	ScyllaSession *session;
	ScyllaWriter *writer;
	ScyllaSpool *spool; /* where rows wait; NULL: they are sent at once */
	MemoryContext context;
	MemoryContext row_context; /* reset with each row */
	bool has_static;           /* the plan writes a static column */
	ScyllaRowValue *values;
	const cql_type **types; /* by column, once a target that binds it is prepared */
	WriteTarget targets[2]; /* by ScyllaModifyTarget */
	/* of the row that is encoded */
	ScyllaModifyTarget kind;
	const WriteTarget *target;
	StringInfoData cells;
	int *starts; /* in cells, by column; -1: not there (yet) */
	StringInfoData ordered;
	StringInfoData routing_key;
	StringInfoData key; /* key cells, long ones cut: [int] length and bytes */
};

static char *describe_key(const void *argument, const char *key, size_t key_len);

static int
count_key(const ScyllaModifyPlan *plan)
{
	return plan->partition_count + plan->clustering_count;
}

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

	rows->plan = plan;
	rows->relation = relation;
	rows->remote_table = psprintf("%s.%s", plan->keyspace, plan->table);
	rows->session = session;
	rows->context = CurrentMemoryContext;
	rows->row_context =
		AllocSetContextCreate(CurrentMemoryContext, "scylla_fdw row", ALLOCSET_DEFAULT_SIZES);
	rows->values = palloc0(Max(plan->column_count, 1) * sizeof(ScyllaRowValue));
	rows->types = palloc0(Max(plan->column_count, 1) * sizeof(cql_type *));
	rows->starts = palloc0(Max(plan->column_count, 1) * sizeof(int));
	for (int i = 0; i < plan->column_count; i++)
		rows->has_static |= plan->columns[i].role == SCYLLA_KEY_STATIC;
	initStringInfo(&rows->cells);
	initStringInfo(&rows->ordered);
	initStringInfo(&rows->routing_key);
	initStringInfo(&rows->key);
	spec.relation = rows->remote_table;
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
	resetStringInfo(&rows->key);
	for (int i = 0; i < count_key(rows->plan); i++)
	{
		const uint8 *cell;
		int32 len;

		if (rows->starts[i] < 0)
			break;
		cell = (const uint8 *) rows->cells.data + rows->starts[i];
		len = (int32) cql_get_u32(cell);
		appendBinaryStringInfo(&rows->key, (const char *) cell,
							   VALUE_HEADER_BYTES + Min(Max(len, 0), SCYLLA_KEY_SHOWN_BYTES));
	}
}

static char *
describe_key(const void *argument, const char *key, size_t key_len)
{
	const ScyllaRowWriter *rows = argument;
	const char *end = key + key_len;
	StringInfoData out;

	initStringInfo(&out);
	for (int i = 0; i < count_key(rows->plan) && key < end; i++)
	{
		cql_cell cell = {(const uint8 *) key + VALUE_HEADER_BYTES,
						 (int32) cql_get_u32((const uint8 *) key)};

		scylla_row_key_append(&out, rows->plan->columns[i].name, rows->types[i], cell);
		key += VALUE_HEADER_BYTES + Min(Max(cell.len, 0), SCYLLA_KEY_SHOWN_BYTES);
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
			   key, RelationGetRelationName(rows->relation));
	pfree(key);
}

/* ---- targets ---- */

/* The statement's variable for the index-th value. */
static int
bind_of_value(const WriteTarget *target, int index)
{
	return target->timeout == SCYLLA_TIMEOUT_FIRST ? index + 1 : index;
}

/*
 * Of a key that has changed CQL may still take the statement, and mean other rows by it: a DELETE of
 * a row is then one of a partition. (A server that does not tell which variables make the partition
 * key says nothing against it.)
 */
static bool
has_other_partition_key(const ScyllaRowWriter *rows, const WriteTarget *target)
{
	const cql_statement *statement = scylla_statement_get(target->statement);
	int count = cql_statement_key_count(statement);

	if (count > 0 && count != rows->plan->partition_count)
		return true;
	for (int i = 0; i < count; i++)
	{
		int bind = 0;

		while (bind < target->bind_count && target->order[bind] != i)
			bind++;
		if (cql_statement_key_bind(statement, i) != bind_of_value(target, bind))
			return true;
	}
	return false;
}

static bool
has_drift(const ScyllaRowWriter *rows, const WriteTarget *target, ScyllaDrift *drift)
{
	const cql_statement *statement = scylla_statement_get(target->statement);

	*drift = (ScyllaDrift) {0};
	if (cql_statement_bind_count(statement) !=
			target->bind_count + (target->timeout != SCYLLA_TIMEOUT_NONE) ||
		has_other_partition_key(rows, target))
		return true;
	for (int i = 0; i < target->bind_count; i++)
	{
		const ScyllaModifyColumn *column = &rows->plan->columns[target->order[i]];
		const cql_type *type = cql_statement_bind(statement, bind_of_value(target, i))->type;

		*drift = (ScyllaDrift) {column->name, type, column->type_text};
		/* What is added to a column, or taken from it, may be of a type of its own. */
		if ((column->assign == SCYLLA_ASSIGN_KEY || column->assign == SCYLLA_ASSIGN_VALUE) &&
			!scylla_drift_is_type(type, column->type_text))
			return true;
	}
	return false;
}

static void
explain_refusal(const void *argument)
{
	const ScyllaRowWriter *rows = argument;

	scylla_drift_explain(rows->session, RelationGetRelid(rows->relation), NULL);
}

static void
prepare_text(ScyllaRowWriter *rows, WriteTarget *target, ScyllaModifyWords words)
{
	ScyllaReportContext about = {.session = rows->session,
								 .relation = rows->remote_table,
								 .explain = explain_refusal,
								 .argument = rows};
	ScyllaModifyTarget kind = (ScyllaModifyTarget) (target - rows->targets);
	char *cql = scylla_modify_plan_cql(rows->plan, kind, words, target->order);

	if (target->statement != NULL)
		scylla_statement_release(target->statement);
	target->statement = scylla_prepare(rows->session, cql, &about);
}

/* In the dialect of whom the session is connected to, as scylla_prepare_read() does. */
static void
prepare_once(ScyllaRowWriter *rows, WriteTarget *target)
{
	bool is_timed = scylla_is_timed(rows->plan->has_server_timeout);

	target->timeout = SCYLLA_TIMEOUT_NONE;
	if (!is_timed || !cql_session_is_scylla(rows->session->cql))
		prepare_text(rows, target, SCYLLA_WORDS_PLAIN);
	if (!is_timed || !cql_session_is_scylla(rows->session->cql))
		return;
	prepare_text(rows, target, SCYLLA_WORDS_TIMED);
	target->timeout =
		scylla_modify_plan_inserts(rows->plan) ? SCYLLA_TIMEOUT_LAST : SCYLLA_TIMEOUT_FIRST;
}

/* A statement that was prepared before the remote table changed is prepared again. */
static void
prepare_statement(ScyllaRowWriter *rows, WriteTarget *target)
{
	ScyllaDrift drift;

	prepare_once(rows, target);
	if (!has_drift(rows, target, &drift))
		return;
	scylla_statement_forget(rows->session, target->statement);
	prepare_once(rows, target);
	if (has_drift(rows, target, &drift))
	{
		explain_refusal(rows); /* it knows more of a key */
		scylla_drift_raise(rows->session, target->statement,
						   RelationGetRelationName(rows->relation), rows->remote_table, &drift);
	}
}

static void
make_converters(ScyllaRowWriter *rows, WriteTarget *target)
{
	const cql_statement *statement = scylla_statement_get(target->statement);

	for (int i = 0; i < target->bind_count; i++)
	{
		int index = target->order[i];
		Form_pg_attribute attribute =
			TupleDescAttr(RelationGetDescr(rows->relation), rows->plan->columns[index].attnum - 1);
		ScyllaConverterSpec spec = {
			.cql = cql_statement_bind(statement, bind_of_value(target, i))->type,
			.type = rows->plan->columns[index].value_type,
			.typmod = rows->plan->columns[index].value_typmod,
			.table = RelationGetRelationName(rows->relation),
			.column = NameStr(attribute->attname),
			.is_excess_truncated = rows->plan->is_excess_truncated,
		};

		rows->types[index] = spec.cql;
		if (rows->plan->columns[index].assign != SCYLLA_ASSIGN_TTL)
			target->converters[index] = scylla_converter_new(&spec);
	}
}

/* Equal values of it are equal bytes: there is no 1.0 beside 1.00, nor 0 beside -0. */
static bool
has_one_form(const cql_type *type)
{
	switch (type->id)
	{
		case CQL_TYPE_CUSTOM:
		case CQL_TYPE_DECIMAL:
		case CQL_TYPE_DOUBLE:
		case CQL_TYPE_FLOAT:
			return false;
		default:
			return type->id < CQL_TYPE_LIST;
	}
}

/*
 * Whether rows may go in a batch, whose writes have one timestamp: not where the row that comes later
 * has to win, so none has a static column, and it must show whether two have the same key. Nor where
 * the server orders writes itself. ScyllaDB's timeout would be the batch's.
 */
static bool
judge_sharing(const ScyllaRowWriter *rows, const WriteTarget *target)
{
	const ScyllaModifyPlan *plan = rows->plan;

	if (plan->clustering_count == 0 || plan->is_conditional || plan->is_counter ||
		rows->has_static || target->timeout != SCYLLA_TIMEOUT_NONE)
		return false;
	for (int i = plan->partition_count; i < count_key(plan); i++)
		if (!has_one_form(rows->types[i]))
			return false;
	return true;
}

static void
prepare_target(ScyllaRowWriter *rows, ScyllaModifyTarget kind)
{
	WriteTarget *target = &rows->targets[kind];
	const ScyllaModifyPlan *plan = rows->plan;
	MemoryContext caller = MemoryContextSwitchTo(rows->context);

	target->order = palloc0(Max(plan->column_count, 1) * sizeof(int));
	target->converters = palloc0(Max(plan->column_count, 1) * sizeof(ScyllaConverter *));
	for (int i = 0; i < plan->column_count; i++)
		target->bind_count += scylla_modify_plan_binds(plan, &plan->columns[i], kind);
	if (plan->kind == SCYLLA_MODIFY_DELETE && kind == SCYLLA_TARGET_ROW)
		scylla_drift_check_delete(rows->session, RelationGetRelid(rows->relation),
								  plan->clustering_count);
	prepare_statement(rows, target);
	target->is_in_order = true;
	for (int i = 1; i < target->bind_count; i++)
		target->is_in_order &= target->order[i - 1] < target->order[i];
	make_converters(rows, target);
	target->can_share = judge_sharing(rows, target);
	MemoryContextSwitchTo(caller);
}

/*
 * Which of the two texts a row takes. A partition that has static columns alone reads as one row
 * whose clustering columns are NULL, so such a row is about the static columns.
 */
static ScyllaModifyTarget
choose_target(const ScyllaRowWriter *rows)
{
	const ScyllaModifyPlan *plan = rows->plan;

	if (plan->is_static_only)
		return SCYLLA_TARGET_STATIC;
	if (!rows->has_static || plan->clustering_count == 0)
		return SCYLLA_TARGET_ROW;
	for (int i = plan->partition_count; i < plan->column_count; i++)
		if (plan->columns[i].role != SCYLLA_KEY_STATIC && !rows->values[i].is_null &&
			!scylla_modify_is_using(plan->columns[i].assign))
			return SCYLLA_TARGET_ROW;
	return SCYLLA_TARGET_STATIC;
}

/* ---- encoding ---- */

static void
append_length(StringInfo out, int32 length)
{
	enlargeStringInfo(out, VALUE_HEADER_BYTES);
	cql_put_u32((uint8 *) out->data + out->len, (uint32) length);
	out->len += VALUE_HEADER_BYTES;
}

static void
refuse_null_key(const ScyllaRowWriter *rows, const ScyllaModifyColumn *column)
{
	Form_pg_attribute attribute =
		TupleDescAttr(RelationGetDescr(rows->relation), column->attnum - 1);

	ereport(ERROR, (errcode(ERRCODE_NOT_NULL_VIOLATION),
					errmsg("null value in primary key column \"%s\" of foreign table \"%s\"",
						   NameStr(attribute->attname), RelationGetRelationName(rows->relation)),
					errhint("Give every column of the primary key a value."),
					errtablecol(rows->relation, column->attnum)));
}

static void
encode_null(ScyllaRowWriter *rows, const ScyllaModifyColumn *column)
{
	const ScyllaModifyPlan *plan = rows->plan;
	bool is_unset =
		plan->kind == SCYLLA_MODIFY_INSERT && (plan->is_null_unset || !column->is_named);

	if (column->assign == SCYLLA_ASSIGN_KEY)
		refuse_null_key(rows, column);
	append_length(&rows->cells, is_unset || column->assign != SCYLLA_ASSIGN_VALUE ? CQL_CELL_UNSET
																				  : CQL_CELL_NULL);
}

/* NULL is the table's option, or else what the remote table says. */
static void
encode_ttl(ScyllaRowWriter *rows, int index)
{
	const ScyllaRowValue *value = &rows->values[index];
	int32 ttl_s = rows->plan->ttl_s;
	uint8 cell[4];

	if (!value->is_null)
		ttl_s = scylla_using_ttl_s(value->value, rows->plan->columns[index].value_type);
	append_length(&rows->cells, ttl_s >= 0 ? (int32) sizeof(cell) : CQL_CELL_UNSET);
	cql_put_u32(cell, (uint32) ttl_s);
	if (ttl_s >= 0)
		appendBinaryStringInfo(&rows->cells, (const char *) cell, sizeof(cell));
}

static void
encode_column(ScyllaRowWriter *rows, int index)
{
	const ScyllaRowValue *value = &rows->values[index];
	int start = rows->cells.len;

	if (rows->plan->columns[index].assign == SCYLLA_ASSIGN_TTL)
		encode_ttl(rows, index);
	else if (value->is_left_out)
		append_length(&rows->cells, CQL_CELL_UNSET);
	else if (value->is_null)
		encode_null(rows, &rows->plan->columns[index]);
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
	scylla_statement_forget(rows->session, rows->target->statement);
}

static void
encode_cells(ScyllaRowWriter *rows)
{
	ErrorContextCallback context = {
		.previous = error_context_stack, .callback = doubt_types, .arg = rows};
	const ScyllaModifyPlan *plan = rows->plan;

	resetStringInfo(&rows->cells);
	for (int i = 0; i < plan->column_count; i++)
		rows->starts[i] = -1;
	error_context_stack = &context;
	for (int i = 0; i < plan->column_count; i++)
		if (scylla_modify_plan_binds(plan, &plan->columns[i], rows->kind))
			encode_column(rows, i);
	error_context_stack = context.previous;
}

static int
cell_size(const ScyllaRowWriter *rows, int index)
{
	int32 len = (int32) cql_get_u32((const uint8 *) rows->cells.data + rows->starts[index]);

	return VALUE_HEADER_BYTES + Max(len, 0);
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
	int count = rows->plan->partition_count;
	cql_cell *key = palloc(count * sizeof(cql_cell));
	size_t len;

	for (int i = 0; i < count; i++)
		key[i] =
			(cql_cell) {(const uint8 *) rows->cells.data + rows->starts[i] + VALUE_HEADER_BYTES,
						cell_size(rows, i) - VALUE_HEADER_BYTES};
	if (!cql_key_measure(key, count, &len))
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("partition key of a row of foreign table \"%s\" is too long",
							   RelationGetRelationName(rows->relation)),
						errdetail("CQL takes at most 65535 bytes.")));
	resetStringInfo(&rows->routing_key);
	enlargeStringInfo(&rows->routing_key, (int) len);
	cql_key_write(key, count, (uint8 *) rows->routing_key.data);
	rows->routing_key.len = (int) len;
}

/* Twice the same is once, but for what adds to what stands there (also to a set, which nobody here
 * tells from a list). */
static bool
is_idempotent(const ScyllaModifyPlan *plan)
{
	if (plan->is_conditional || plan->is_counter)
		return false;
	for (int i = 0; i < plan->column_count; i++)
		if (scylla_modify_is_delta(plan->columns[i].assign))
			return false;
	return true;
}

/* The row's own, or one later than all before it. Lightweight transactions and counters have an
 * order of the server's own. */
static void
choose_timestamp(const ScyllaRowWriter *rows, ScyllaWrite *write)
{
	const ScyllaModifyPlan *plan = rows->plan;

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

void
scylla_row_writer_send(ScyllaRowWriter *rows, bool *is_applied)
{
	const ScyllaModifyPlan *plan = rows->plan;
	MemoryContext caller;
	const StringInfoData *values;
	ScyllaWrite write = {.is_applied = is_applied, .is_idempotent = is_idempotent(plan)};

	rows->kind = choose_target(rows);
	rows->target = &rows->targets[rows->kind];
	if (rows->target->statement == NULL)
		prepare_target(rows, rows->kind);
	caller = MemoryContextSwitchTo(rows->row_context);
	encode_cells(rows);
	make_routing_key(rows);
	pack_key(rows);
	values = order_cells(rows);
	write.statement = scylla_statement_get(rows->target->statement);
	write.values = values->data;
	write.values_len = values->len;
	write.value_count = rows->target->bind_count;
	write.timeout = rows->target->timeout;
	write.routing_key = rows->routing_key.data;
	write.routing_key_len = rows->routing_key.len;
	choose_timestamp(rows, &write);
	write.can_share = rows->target->can_share;
	write.key = rows->key.data;
	write.key_len = rows->key.len;
	if (rows->spool != NULL)
		scylla_spool_put(rows->spool, &write, rows->kind);
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
		write.statement = scylla_statement_get(rows->targets[kind].statement);
		scylla_writer_submit(rows->writer, &write);
	}
	scylla_writer_drain(rows->writer);
}
