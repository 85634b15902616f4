/*
 * DELETE without reading: where the WHERE says exactly that whole partitions go, or ranges of their
 * rows, the scan below the DELETE becomes one CQL statement for each of them. Nobody counts the rows
 * then, so it is done where nobody is told their number, or the option direct_delete allows it.
 *
 * Core asks only where no row trigger, stored generated column or WITH CHECK OPTION has to see the
 * rows.
 */
#include "postgres.h"

#include "compat.h"
#include "nodes/plannodes.h"
#include "plan/modify.h"
#include "plan/modify_plan.h"
#include "plan/order.h"

/* The scan of the table that the DELETE has directly below it, or NULL: joins, filters and conditions
 * that gate the scan are PostgreSQL's. */
static ForeignScan *
find_scan(const ModifyTable *plan, Index result_relation)
{
	ForeignScan *scan = (ForeignScan *) outerPlan(plan);

	if (!IsA(scan, ForeignScan) || scan->scan.scanrelid != result_relation ||
		scan->scan.plan.qual != NIL)
		return NULL;
	return scan;
}

/* Whether the conditions tell partitions, or ranges in them, and no other rows. */
static bool
make_exact(const ScyllaTable *table, ScyllaScanPlan *where)
{
	ScyllaScanParts parts = {.plan = *where, .table = table};
	const ScyllaScanArm *arm = &where->arms[0];

	if (where->arm_count != 1 || arm->is_filtered || arm->path_name != NULL ||
		arm->partition_conditions < table->partition_count || !scylla_order_exclude_empty(&parts))
		return false;
	*where = parts.plan;
	/* Neither server deletes a range behind an IN. */
	for (int i = 0; i < where->arms[0].condition_count; i++)
		where->arms[0].conditions[i].is_list = false;
	where->is_delete = true;
	where->column_count = 0; /* nothing comes back */
	where->bypass_cache = SCYLLA_BYPASS_NONE;
	return true;
}

bool
scyllaPlanDirectModify(PlannerInfo *root, ModifyTable *plan, Index result_relation,
					   int subplan_index)
{
	RangeTblEntry *rte = planner_rt_fetch(result_relation, root);
	ForeignScan *scan = find_scan(plan, result_relation);
	ScyllaDirectPlan direct = {.is_counted = plan->canSetTag};
	const ScyllaTable *table;

	if (plan->operation != CMD_DELETE || plan->returningLists != NIL || scan == NULL)
		return false;
	table = scylla_table_open(rte->relid, scylla_target_userid(root, result_relation));
	if (table->options->is_conditional || (plan->canSetTag && !table->options->is_delete_direct))
		return false;
	direct.where = scylla_scan_plan_decode(scan->fdw_private);
	if (!make_exact(table, direct.where))
		return false;
	direct.write = scylla_modify_plan_decode(
		scyllaPlanForeignModify(root, plan, result_relation, subplan_index));
	scan->operation = CMD_DELETE;
	scan->resultRelation = result_relation;
	scan->fdw_private = scylla_direct_plan_encode(&direct);
	return true;
}
