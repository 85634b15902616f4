/*
 * Looks for scans of the written table in a plan.
 */
#include "postgres.h"

#include "exec/self_read.h"

#include "exec/scan.h"
#include "nodes/nodeFuncs.h"

typedef struct SelfRead
{
	const ScyllaModifyPlan *plan;
	int scan_count;
	bool is_by_path; /* one of them goes by an index or view */
} SelfRead;

static bool
goes_by_path(const ScyllaScanPlan *plan)
{
	for (int i = 0; i < plan->arm_count; i++)
		if (plan->arms[i].path_name != NULL)
			return true;
	return false;
}

static void
look_at(ForeignScanState *node, SelfRead *read)
{
	const ScyllaScanState *scan = node->fdw_state;
	const ForeignScan *fsplan = castNode(ForeignScan, node->ss.ps.plan);

	if (fsplan->fs_server != read->plan->serverid || fsplan->operation != CMD_SELECT ||
		scan == NULL)
		return;
	if (strcmp(scan->plan->keyspace, read->plan->keyspace) != 0 ||
		strcmp(scan->plan->table, read->plan->table) != 0)
		return;
	read->scan_count++;
	read->is_by_path |= goes_by_path(scan->plan);
}

static bool
walk(PlanState *state, void *context)
{
	if (state == NULL)
		return false;
	if (IsA(state, ForeignScanState))
		look_at((ForeignScanState *) state, context);
	return planstate_tree_walker(state, walk, context);
}

bool
scylla_self_read_find(PlanState *statement, const ScyllaModifyPlan *plan)
{
	SelfRead read = {.plan = plan};

	(void) planstate_tree_walker(statement, walk, &read);
	return read.is_by_path || read.scan_count > (plan->kind == SCYLLA_MODIFY_INSERT ? 0 : 1);
}
