/*
 * Packs the contract between planner and executor into a list of nodes, which PostgreSQL can
 * copy, cache and send to workers, and unpacks it. Nobody else knows the layout:
 *
 *   ((keyspace table serverid read_consistency fetch_size is_excess_truncated)
 *    (access is_unique partition_conditions) (column ...) (condition ...) (local reason ...))
 */
#include "postgres.h"

#include "nodes/value.h"
#include "plan/scan_plan.h"

static List *
encode_column(const ScyllaFetchColumn *column)
{
	return list_make5(makeInteger(column->attnum), makeString(column->name),
					  makeInteger(column->function), makeString(column->type_text),
					  makeInteger(column->is_key));
}

static void
decode_column(List *packed, ScyllaFetchColumn *column)
{
	column->attnum = (AttrNumber) intVal(linitial(packed));
	column->name = strVal(lsecond(packed));
	column->function = (ScyllaFunction) intVal(lthird(packed));
	column->type_text = strVal(lfourth(packed));
	column->is_key = intVal(list_nth(packed, 4)) != 0;
}

static List *
encode_condition(const ScyllaScanCondition *condition)
{
	return list_make5(makeInteger(condition->attnum), makeString(condition->name),
					  makeString(condition->type_text), makeInteger(condition->op),
					  makeInteger(condition->bind));
}

static void
decode_condition(List *packed, ScyllaScanCondition *condition)
{
	condition->attnum = (AttrNumber) intVal(linitial(packed));
	condition->name = strVal(lsecond(packed));
	condition->type_text = strVal(lthird(packed));
	condition->op = (ScyllaOperator) intVal(lfourth(packed));
	condition->bind = intVal(list_nth(packed, 4));
}

static List *
encode_table(const ScyllaScanPlan *plan)
{
	List *packed =
		list_make4(makeString(plan->keyspace), makeString(plan->table),
				   makeInteger((int) plan->serverid), makeInteger(plan->read_consistency));

	packed = lappend(packed, makeInteger(plan->fetch_size));
	return lappend(packed, makeInteger(plan->is_excess_truncated));
}

static void
decode_table(List *packed, ScyllaScanPlan *plan)
{
	plan->keyspace = strVal(linitial(packed));
	plan->table = strVal(lsecond(packed));
	plan->serverid = (Oid) intVal(lthird(packed));
	plan->read_consistency = intVal(lfourth(packed));
	plan->fetch_size = intVal(list_nth(packed, 4));
	plan->is_excess_truncated = intVal(list_nth(packed, 5)) != 0;
}

List *
scylla_scan_plan_encode(const ScyllaScanPlan *plan)
{
	List *columns = NIL;
	List *conditions = NIL;

	for (int i = 0; i < plan->column_count; i++)
		columns = lappend(columns, encode_column(&plan->columns[i]));
	for (int i = 0; i < plan->condition_count; i++)
		conditions = lappend(conditions, encode_condition(&plan->conditions[i]));
	return list_make5(encode_table(plan),
					  list_make3(makeInteger(plan->access), makeInteger(plan->is_unique),
								 makeInteger(plan->partition_conditions)),
					  columns, conditions, plan->local_reasons);
}

ScyllaScanPlan *
scylla_scan_plan_decode(List *packed)
{
	ScyllaScanPlan *plan = palloc0(sizeof(ScyllaScanPlan));
	List *flags = lsecond(packed);
	List *columns = lthird(packed);
	List *conditions = lfourth(packed);
	ListCell *cell;

	decode_table(linitial(packed), plan);
	plan->access = (ScyllaAccess) intVal(linitial(flags));
	plan->is_unique = intVal(lsecond(flags)) != 0;
	plan->partition_conditions = intVal(lthird(flags));

	plan->columns = palloc0(list_length(columns) * sizeof(ScyllaFetchColumn));
	foreach (cell, columns)
		decode_column(lfirst(cell), &plan->columns[plan->column_count++]);

	plan->conditions = palloc0(list_length(conditions) * sizeof(ScyllaScanCondition));
	foreach (cell, conditions)
		decode_condition(lfirst(cell), &plan->conditions[plan->condition_count++]);

	plan->local_reasons = list_nth(packed, 4);
	return plan;
}
