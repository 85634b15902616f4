/*
 * Looks through a statement's plans: its nodes do not know what stands above them.
 */
#include "postgres.h"

#include "exec/plan_tree.h"

static bool find_ancestors(Plan *plan, const Plan *target, List **ancestors);

static bool
find_in_plans(List *plans, const Plan *target, List **ancestors)
{
	ListCell *cell;

	foreach (cell, plans)
		if (find_ancestors(lfirst(cell), target, ancestors))
			return true;
	return false;
}

/* Collect the plan nodes above the target, the nearest first. */
static bool
find_ancestors(Plan *plan, const Plan *target, List **ancestors)
{
	bool is_found;

	if (plan == NULL || plan == target)
		return plan == target;
	is_found = find_ancestors(plan->lefttree, target, ancestors) ||
			   find_ancestors(plan->righttree, target, ancestors);
	if (!is_found && IsA(plan, Append))
		is_found = find_in_plans(((Append *) plan)->appendplans, target, ancestors);
	else if (!is_found && IsA(plan, MergeAppend))
		is_found = find_in_plans(((MergeAppend *) plan)->mergeplans, target, ancestors);
	else if (!is_found && IsA(plan, SubqueryScan))
		is_found = find_ancestors(((SubqueryScan *) plan)->subplan, target, ancestors);
	else if (!is_found && IsA(plan, CustomScan))
		is_found = find_in_plans(((CustomScan *) plan)->custom_plans, target, ancestors);
	if (is_found)
		*ancestors = lappend(*ancestors, plan);
	return is_found;
}

List *
scylla_plan_ancestors(const PlannedStmt *statement, const Plan *target)
{
	List *ancestors = NIL;

	if (!find_ancestors(statement->planTree, target, &ancestors))
		(void) find_in_plans(statement->subplans, target, &ancestors);
	return ancestors;
}
