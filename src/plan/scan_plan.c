/*
 * Packs the contract between planner and executor into a list of nodes, which PostgreSQL can
 * copy, cache and send to workers, and unpacks it. Nobody else knows the layout:
 *
 *   ((keyspace table serverid read_consistency fetch_size max_in_flight
 *     is_excess_truncated bypass_cache pid number full_scan is_delete read_rate
 *     unbound_key has_server_timeout)
 *    (is_distinct partition_limit limit_bind is_limit_sent (order ...) lookup_param shared_column)
 *    (is_aggregated (aggregate ...) (group name ...))
 *    (column ...) (arm ...) ((local reason ...) ((what why) ...)))
 */
#include "postgres.h"

#include "miscadmin.h"
#include "nodes/value.h"
#include "plan/scan_plan.h"

static List *
encode_column(const ScyllaFetchColumn *column)
{
	List *packed = list_make4(makeInteger(column->attnum), makeString(column->name),
							  makeInteger(column->is_expression), makeInteger(column->function));

	packed = lappend(packed, makeString(column->type_text));
	packed = lappend(packed, makeInteger(column->is_key));
	return lappend(packed, makeInteger(column->is_found_by_bytes));
}

static void
decode_column(List *packed, ScyllaFetchColumn *column)
{
	column->attnum = (AttrNumber) intVal(linitial(packed));
	column->name = strVal(lsecond(packed));
	column->is_expression = intVal(lthird(packed)) != 0;
	column->function = (ScyllaFunction) intVal(lfourth(packed));
	column->type_text = strVal(list_nth(packed, 4));
	column->is_key = intVal(list_nth(packed, 5)) != 0;
	column->is_found_by_bytes = intVal(list_nth(packed, 6)) != 0;
}

static List *
encode_marker(const ScyllaScanMarker *marker)
{
	return list_make4(makeInteger(marker->attnum), makeString(marker->name),
					  makeString(marker->type_text), makeInteger(marker->bind));
}

static void
decode_marker(List *packed, ScyllaScanMarker *marker)
{
	marker->attnum = (AttrNumber) intVal(linitial(packed));
	marker->name = strVal(lsecond(packed));
	marker->type_text = strVal(lthird(packed));
	marker->bind = intVal(lfourth(packed));
}

static List *
encode_condition(const ScyllaScanCondition *condition)
{
	List *packed =
		list_make4(makeInteger(condition->form), makeInteger(condition->op),
				   makeInteger(condition->is_rechecked), makeInteger(condition->is_list));

	for (int i = 0; i < condition->marker_count; i++)
		packed = lappend(packed, encode_marker(&condition->markers[i]));
	return packed;
}

static void
decode_condition(List *packed, ScyllaScanCondition *condition)
{
	condition->form = (ScyllaConditionForm) intVal(linitial(packed));
	condition->op = (ScyllaOperator) intVal(lsecond(packed));
	condition->is_rechecked = intVal(lthird(packed)) != 0;
	condition->is_list = intVal(lfourth(packed)) != 0;
	condition->marker_count = list_length(packed) - 4;
	condition->markers = palloc0(condition->marker_count * sizeof(ScyllaScanMarker));
	for (int i = 0; i < condition->marker_count; i++)
		decode_marker(list_nth(packed, i + 4), &condition->markers[i]);
}

static List *
encode_arm(const ScyllaScanArm *arm)
{
	List *conditions = NIL;

	for (int i = 0; i < arm->condition_count; i++)
		conditions = lappend(conditions, encode_condition(&arm->conditions[i]));
	return list_make4(list_make5(makeInteger(arm->access), makeInteger(arm->is_unique),
								 makeInteger(arm->partition_conditions),
								 makeInteger(arm->is_filtered), makeInteger(arm->clause)),
					  makeInteger(arm->ring_pieces), conditions,
					  arm->path_name != NULL ? makeString(arm->path_name) : NULL);
}

static void
decode_arm(List *packed, ScyllaScanArm *arm)
{
	List *flags = linitial(packed);
	List *conditions = lthird(packed);
	ListCell *cell;

	arm->access = (ScyllaAccess) intVal(linitial(flags));
	arm->is_unique = intVal(lsecond(flags)) != 0;
	arm->partition_conditions = intVal(lthird(flags));
	arm->is_filtered = intVal(lfourth(flags)) != 0;
	arm->clause = intVal(list_nth(flags, 4));
	arm->ring_pieces = intVal(lsecond(packed));
	arm->path_name = lfourth(packed) != NULL ? strVal(lfourth(packed)) : NULL;
	arm->conditions = palloc0(list_length(conditions) * sizeof(ScyllaScanCondition));
	foreach (cell, conditions)
		decode_condition(lfirst(cell), &arm->conditions[arm->condition_count++]);
}

static List *
encode_order(const ScyllaScanOrder *order)
{
	List *packed = list_make4(makeString(order->name), makeInteger(order->is_descending),
							  makeInteger(order->attnum), makeInteger((int) order->sort_operator));

	packed = lappend(packed, makeInteger((int) order->collation));
	packed = lappend(packed, makeInteger(order->is_nulls_first));
	return lappend(packed, makeInteger(order->may_displace));
}

static void
decode_order(List *packed, ScyllaScanOrder *order)
{
	order->name = strVal(linitial(packed));
	order->is_descending = intVal(lsecond(packed)) != 0;
	order->attnum = (AttrNumber) intVal(lthird(packed));
	order->sort_operator = (Oid) intVal(lfourth(packed));
	order->collation = (Oid) intVal(list_nth(packed, 4));
	order->is_nulls_first = intVal(list_nth(packed, 5)) != 0;
	order->may_displace = intVal(list_nth(packed, 6)) != 0;
}

/* Of the plan packed last. */
static int last_number = 0;

static List *
encode_table(const ScyllaScanPlan *plan)
{
	List *packed =
		list_make4(makeString(plan->keyspace), makeString(plan->table),
				   makeInteger((int) plan->serverid), makeInteger(plan->read_consistency));

	packed = lappend(packed, makeInteger(plan->fetch_size));
	packed = lappend(packed, makeInteger(plan->max_in_flight));
	packed = lappend(packed, makeInteger(plan->is_excess_truncated));
	packed = lappend(packed, makeInteger(plan->bypass_cache));
	packed = lappend(packed, makeInteger(MyProcPid));
	packed = lappend(packed, makeInteger(++last_number));
	packed = lappend(packed, makeInteger(plan->full_scan));
	packed = lappend(packed, makeInteger(plan->is_delete));
	packed = lappend(packed, makeInteger(plan->read_rate));
	packed = lappend(packed, plan->unbound_key != NULL ? makeString(plan->unbound_key) : NULL);
	return lappend(packed, makeInteger(plan->has_server_timeout));
}

ScyllaPlanId
scylla_scan_plan_id(List *packed)
{
	List *table = linitial(packed);

	return (ScyllaPlanId) {.pid = intVal(list_nth(table, 8)), .number = intVal(list_nth(table, 9))};
}

static void
decode_table(List *packed, ScyllaScanPlan *plan)
{
	plan->keyspace = strVal(linitial(packed));
	plan->table = strVal(lsecond(packed));
	plan->serverid = (Oid) intVal(lthird(packed));
	plan->read_consistency = intVal(lfourth(packed));
	plan->fetch_size = intVal(list_nth(packed, 4));
	plan->max_in_flight = intVal(list_nth(packed, 5));
	plan->is_excess_truncated = intVal(list_nth(packed, 6)) != 0;
	plan->bypass_cache = intVal(list_nth(packed, 7));
	plan->full_scan = (ScyllaFullScan) intVal(list_nth(packed, 10));
	plan->is_delete = intVal(list_nth(packed, 11)) != 0;
	plan->read_rate = intVal(list_nth(packed, 12));
	plan->unbound_key = list_nth(packed, 13) != NULL ? strVal(list_nth(packed, 13)) : NULL;
	plan->has_server_timeout = intVal(list_nth(packed, 14)) != 0;
}

static List *
encode_result(const ScyllaScanPlan *plan)
{
	List *packed = list_make4(makeInteger(plan->is_distinct), makeInteger(plan->partition_limit),
							  makeInteger(plan->limit_bind), makeInteger(plan->is_limit_sent));
	List *orders = NIL;

	for (int i = 0; i < plan->order_count; i++)
		orders = lappend(orders, encode_order(&plan->orders[i]));
	packed = lappend(packed, orders);
	packed = lappend(packed, makeInteger(plan->lookup_param));
	return lappend(packed, makeInteger(plan->shared_column));
}

static void
decode_result(List *packed, ScyllaScanPlan *plan)
{
	List *orders = list_nth(packed, 4);
	ListCell *cell;

	plan->is_distinct = intVal(linitial(packed)) != 0;
	plan->partition_limit = intVal(lsecond(packed));
	plan->limit_bind = intVal(lthird(packed));
	plan->is_limit_sent = intVal(lfourth(packed)) != 0;
	plan->lookup_param = intVal(list_nth(packed, 5));
	plan->shared_column = intVal(list_nth(packed, 6));
	plan->orders = palloc0(list_length(orders) * sizeof(ScyllaScanOrder));
	foreach (cell, orders)
		decode_order(lfirst(cell), &plan->orders[plan->order_count++]);
}

static List *
encode_aggregate(const ScyllaScanAggregate *aggregate)
{
	List *packed =
		list_make4(makeInteger(aggregate->attnum), makeInteger(aggregate->kind),
				   makeInteger((int) aggregate->type), makeInteger((int) aggregate->collation));

	packed = lappend(packed, makeInteger(aggregate->column));
	packed = lappend(packed, makeString(aggregate->type_text));
	return lappend(packed, makeInteger(aggregate->count_column));
}

static void
decode_aggregate(List *packed, ScyllaScanAggregate *aggregate)
{
	aggregate->attnum = (AttrNumber) intVal(linitial(packed));
	aggregate->kind = (ScyllaAggregateKind) intVal(lsecond(packed));
	aggregate->type = (Oid) intVal(lthird(packed));
	aggregate->collation = (Oid) intVal(lfourth(packed));
	aggregate->column = intVal(list_nth(packed, 4));
	aggregate->type_text = strVal(list_nth(packed, 5));
	aggregate->count_column = intVal(list_nth(packed, 6));
}

static List *
encode_aggregation(const ScyllaScanPlan *plan)
{
	List *aggregates = NIL;

	for (int i = 0; i < plan->aggregate_count; i++)
		aggregates = lappend(aggregates, encode_aggregate(&plan->aggregates[i]));
	return list_make3(makeInteger(plan->is_aggregated), aggregates, plan->group_names);
}

static void
decode_aggregation(List *packed, ScyllaScanPlan *plan)
{
	List *aggregates = lsecond(packed);
	ListCell *cell;

	plan->is_aggregated = intVal(linitial(packed)) != 0;
	plan->group_names = lthird(packed);
	plan->aggregates = palloc0(list_length(aggregates) * sizeof(ScyllaScanAggregate));
	foreach (cell, aggregates)
		decode_aggregate(lfirst(cell), &plan->aggregates[plan->aggregate_count++]);
}

List *
scylla_scan_plan_encode(const ScyllaScanPlan *plan)
{
	List *columns = NIL;
	List *arms = NIL;

	for (int i = 0; i < plan->column_count; i++)
		columns = lappend(columns, encode_column(&plan->columns[i]));
	for (int i = 0; i < plan->arm_count; i++)
		arms = lappend(arms, encode_arm(&plan->arms[i]));
	return lappend(list_make5(encode_table(plan), encode_result(plan), encode_aggregation(plan),
							  columns, arms),
				   list_make2(plan->local_reasons, plan->result_reasons));
}

ScyllaScanPlan *
scylla_scan_plan_decode(List *packed)
{
	ScyllaScanPlan *plan = palloc0(sizeof(ScyllaScanPlan));
	List *columns = lfourth(packed);
	List *arms = list_nth(packed, 4);
	ListCell *cell;

	decode_table(linitial(packed), plan);
	decode_result(lsecond(packed), plan);
	decode_aggregation(lthird(packed), plan);

	plan->columns = palloc0(list_length(columns) * sizeof(ScyllaFetchColumn));
	foreach (cell, columns)
		decode_column(lfirst(cell), &plan->columns[plan->column_count++]);

	plan->arms = palloc0(list_length(arms) * sizeof(ScyllaScanArm));
	foreach (cell, arms)
		decode_arm(lfirst(cell), &plan->arms[plan->arm_count++]);

	plan->local_reasons = linitial(list_nth(packed, 5));
	plan->result_reasons = lsecond(list_nth(packed, 5));
	return plan;
}
