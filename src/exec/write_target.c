/*
 * Prepares the CQL texts of writes. One that was prepared before the remote table changed is
 * prepared again, and refused if it still is about other columns, types or keys.
 */
#include "postgres.h"

#include "exec/write_target.h"

#include "bridge/dialect.h"
#include "exec/drift.h"
#include "utils/rel.h"

/* The statement's variable for the index-th value. */
static int
bind_of_value(const ScyllaWriteTarget *target, int index)
{
	return target->timeout == SCYLLA_TIMEOUT_FIRST ? index + 1 : index;
}

/*
 * Of a key that has changed CQL may still take the statement, and mean other rows by it: a DELETE of
 * a row is then one of a partition. (A server that does not tell which variables make the partition
 * key says nothing against it.)
 */
static bool
has_other_partition_key(const ScyllaWriteTable *table, const ScyllaWriteTarget *target)
{
	const cql_statement *statement = scylla_statement_get(target->statement);
	int count = cql_statement_key_count(statement);

	if (count > 0 && count != table->plan->partition_count)
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
has_drift(const ScyllaWriteTable *table, const ScyllaWriteTarget *target, ScyllaDrift *drift)
{
	const cql_statement *statement = scylla_statement_get(target->statement);

	*drift = (ScyllaDrift) {0};
	if (cql_statement_bind_count(statement) !=
			target->bind_count + (target->timeout != SCYLLA_TIMEOUT_NONE) ||
		has_other_partition_key(table, target))
		return true;
	for (int i = 0; i < target->bind_count; i++)
	{
		const ScyllaModifyColumn *column = &table->plan->columns[target->order[i]];
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
	const ScyllaWriteTable *table = argument;

	scylla_drift_explain(table->session, RelationGetRelid(table->relation), NULL);
}

static ScyllaReportContext
make_report(const ScyllaWriteTable *table)
{
	return (ScyllaReportContext) {.session = table->session,
								  .relation = table->remote_name,
								  .explain = explain_refusal,
								  .argument = table};
}

/* In the dialect of whom the session is connected to, as scylla_prepare_read() does. */
static void
prepare_once(const ScyllaWriteTable *table, ScyllaWriteTarget *target)
{
	ScyllaReportContext about = make_report(table);
	const ScyllaModifyPlan *plan = table->plan;
	char *cql = scylla_modify_plan_cql(plan, target->kind, SCYLLA_WORDS_PLAIN, target->order);

	target->timeout = SCYLLA_TIMEOUT_NONE;
	if (scylla_is_timed(plan->has_server_timeout) &&
		scylla_has_dialect(table->session, cql, &about))
	{
		cql = scylla_modify_plan_cql(plan, target->kind, SCYLLA_WORDS_TIMED, target->order);
		target->timeout =
			scylla_modify_plan_inserts(plan) ? SCYLLA_TIMEOUT_LAST : SCYLLA_TIMEOUT_FIRST;
	}
	target->statement = scylla_prepare(table->session, cql, &about);
}

/* A statement that was prepared before the remote table changed is prepared again. */
static void
prepare_statement(const ScyllaWriteTable *table, ScyllaWriteTarget *target)
{
	ScyllaDrift drift;

	prepare_once(table, target);
	if (!has_drift(table, target, &drift))
		return;
	scylla_statement_forget(table->session, target->statement);
	scylla_statement_release(target->statement);
	prepare_once(table, target);
	if (has_drift(table, target, &drift))
	{
		explain_refusal(table); /* it knows more of a key */
		scylla_drift_raise(table->session, target->statement,
						   RelationGetRelationName(table->relation), table->remote_name, &drift);
	}
}

static void
make_converters(const ScyllaWriteTable *table, ScyllaWriteTarget *target)
{
	const cql_statement *statement = scylla_statement_get(target->statement);

	for (int i = 0; i < target->bind_count; i++)
	{
		int index = target->order[i];
		Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(table->relation),
													table->plan->columns[index].attnum - 1);
		ScyllaConverterSpec spec = {
			.cql = cql_statement_bind(statement, bind_of_value(target, i))->type,
			.type = table->plan->columns[index].value_type,
			.typmod = table->plan->columns[index].value_typmod,
			.table = RelationGetRelationName(table->relation),
			.column = NameStr(attribute->attname),
			.is_excess_truncated = table->plan->is_excess_truncated,
		};

		table->types[index] = spec.cql;
		if (table->plan->columns[index].assign != SCYLLA_ASSIGN_TTL)
			target->converters[index] = scylla_converter_new(&spec);
	}
}

/*
 * Whether rows may go in a batch, whose writes have one timestamp: not where the row that comes later
 * has to win, so none has a static column, and it must show whether two have the same key. Nor where
 * the server orders writes itself.
 */
static bool
judge_sharing(const ScyllaWriteTable *table)
{
	const ScyllaModifyPlan *plan = table->plan;

	if (plan->clustering_count == 0 || plan->is_conditional || plan->is_counter ||
		table->has_static)
		return false;
	for (int i = plan->partition_count; i < scylla_modify_plan_key_count(plan); i++)
		if (!scylla_type_has_one_form(table->types[i]))
			return false;
	return true;
}

/*
 * ScyllaDB does not look at the timeout of a statement in a batch, and BATCH has no other place for
 * it: the server's own holds, as it does without statement_timeout. So where that is about to end rows
 * go singly; and time only gets shorter.
 */
static void
prepare_shared(const ScyllaWriteTable *table, ScyllaWriteTarget *target)
{
	ScyllaReportContext about = make_report(table);

	if (!judge_sharing(table))
		return;
	if (target->timeout == SCYLLA_TIMEOUT_NONE)
		target->shared = target->statement;
	else if (!scylla_is_time_short(table->session))
		target->shared = scylla_prepare(
			table->session,
			scylla_modify_plan_cql(table->plan, target->kind, SCYLLA_WORDS_PLAIN, NULL), &about);
}

ScyllaWriteTarget *
scylla_write_target_new(const ScyllaWriteTable *table, ScyllaModifyTarget kind)
{
	const ScyllaModifyPlan *plan = table->plan;
	ScyllaWriteTarget *target = palloc0(sizeof(ScyllaWriteTarget));

	target->kind = kind;
	target->order = palloc0(Max(plan->column_count, 1) * sizeof(int));
	target->converters = palloc0(Max(plan->column_count, 1) * sizeof(ScyllaConverter *));
	for (int i = 0; i < plan->column_count; i++)
		target->bind_count += scylla_modify_plan_binds(plan, &plan->columns[i], kind);
	if (plan->kind == SCYLLA_MODIFY_DELETE && kind == SCYLLA_TARGET_ROW)
		scylla_drift_check_delete(table->session, RelationGetRelid(table->relation),
								  plan->clustering_count);
	prepare_statement(table, target);
	target->is_in_order = true;
	for (int i = 1; i < target->bind_count; i++)
		target->is_in_order &= target->order[i - 1] < target->order[i];
	make_converters(table, target);
	prepare_shared(table, target);
	return target;
}
