/*
 * EXPLAIN of scans. Prints the contract that runs, and what running it cost; asks the server for
 * nothing.
 */
#include "postgres.h"

#include "exec/explain.h"

#include "compat.h"
#include "exec/plan_tree.h"
#include "exec/scan.h"
#include "nodes/value.h"
#include "utils/ruleutils.h"

/*
 * Core does not hand the ancestors down to this callback, so they are looked for: a nested loop
 * above gives its parameters their names. Those of sub-plans and InitPlans show as $n.
 */
static List *
make_deparse_context(ForeignScanState *node, ExplainState *es)
{
	List *ancestors = scylla_plan_ancestors(es->pstmt, node->ss.ps.plan);

	return set_deparse_context_plan(es->deparse_cxt, node->ss.ps.plan, ancestors);
}

static void
explain_binds(ForeignScanState *node, const ScyllaScanPlan *plan, const ScyllaScanArm *arm,
			  ExplainState *es)
{
	ForeignScan *fsplan = castNode(ForeignScan, node->ss.ps.plan);
	List *context = make_deparse_context(node, es);
	List *binds = NIL;

	for (int i = 0; i < arm->condition_count; i++)
		for (int j = 0; j < arm->conditions[i].marker_count; j++)
		{
			int bind = arm->conditions[i].markers[j].bind;
			Node *expr;

			if (bind < 0)
				continue;
			expr = list_nth(fsplan->fdw_exprs, bind);
			binds = lappend(binds, deparse_expression(expr, context, true, false));
		}
	if (plan->is_limit_sent)
		binds = lappend(binds, deparse_expression(list_nth(fsplan->fdw_exprs, plan->limit_bind),
												  context, true, false));
	if (binds != NIL)
		ExplainPropertyList("Bind", binds, es);
}

static void
explain_local_clause(const char *clause, const char *reason, ExplainState *es)
{
	if (es->format == EXPLAIN_FORMAT_TEXT)
	{
		ExplainPropertyText("Local", psprintf("%s (%s)", clause, reason), es);
		return;
	}
	ExplainOpenGroup("Local", NULL, true, es);
	ExplainPropertyText("Clause", clause, es);
	ExplainPropertyText("Reason", reason, es);
	ExplainCloseGroup("Local", NULL, true, es);
}

static void
explain_local(ForeignScanState *node, const ScyllaScanPlan *plan, ExplainState *es)
{
	List *context = make_deparse_context(node, es);
	ListCell *clause;
	ListCell *reason;

	if (plan->local_reasons == NIL && plan->result_reasons == NIL)
		return;
	if (es->format != EXPLAIN_FORMAT_TEXT)
		ExplainOpenGroup("Local", "Local", false, es);
	forboth (clause, node->ss.ps.plan->qual, reason, plan->local_reasons)
	{
		char *text = deparse_expression(lfirst(clause), context, true, false);

		explain_local_clause(text, strVal(lfirst(reason)), es);
	}
	foreach (reason, plan->result_reasons)
		explain_local_clause(strVal(linitial(lfirst(reason))), strVal(lsecond(lfirst(reason))), es);
	if (es->format != EXPLAIN_FORMAT_TEXT)
		ExplainCloseGroup("Local", "Local", false, es);
}

void
scylla_explain_scan_plan(ForeignScanState *node, const ScyllaScanPlan *plan, ExplainState *es)
{
	for (int i = 0; i < plan->arm_count; i++)
	{
		const ScyllaScanArm *arm = &plan->arms[i];

		ExplainPropertyText("Remote CQL", scylla_scan_plan_cql(plan, arm, 0), es);
		ExplainPropertyText("Access", scylla_scan_plan_access(arm), es);
		explain_binds(node, plan, arm, es);
	}
	/* Where no row can match nothing is sent. */
	if (plan->arm_count == 0)
		ExplainPropertyText("Access", scylla_scan_plan_access(NULL), es);
	explain_local(node, plan, es);
}

static int
count_shards(const ScyllaCounters *counters)
{
	int count = 0;
	ListCell *cell;

	foreach (cell, counters->nodes)
		count += bms_num_members(((const ScyllaCountedNode *) lfirst(cell))->shards);
	return count;
}

static void
explain_run(const ScyllaScanState *scan, ExplainState *es)
{
	const ScyllaCounters *counters = &scan->setup->counters;
	int shards = count_shards(counters);

	if (scan->removed_rows > 0 || es->format != EXPLAIN_FORMAT_TEXT)
		ExplainPropertyUInteger("Rows Removed by Recheck", NULL, scan->removed_rows, es);
	ExplainPropertyUInteger("Requests", NULL, counters->requests, es);
	ExplainPropertyUInteger("Pages", NULL, counters->pages, es);
	ExplainPropertyUInteger("Rows Received", NULL, counters->rows, es);
	ExplainPropertyUInteger("Bytes Received", NULL, counters->bytes, es);
	ExplainPropertyUInteger("Retries", NULL, counters->retries, es);
	ExplainPropertyInteger("Nodes", NULL, list_length(counters->nodes), es);
	if (shards > 0 || es->format != EXPLAIN_FORMAT_TEXT)
		ExplainPropertyInteger("Shards", NULL, shards, es);
	if (es->timing)
		ExplainPropertyFloat("Wait Time", "ms", counters->wait_us / 1000.0, 3, es);
	if (counters->tracing_id != NULL)
		ExplainPropertyText("Tracing Id", counters->tracing_id, es);
}

void
scyllaExplainForeignScan(ForeignScanState *node, ExplainState *es)
{
	const ScyllaScanState *scan = node->fdw_state;

	if (es->verbose)
		scylla_explain_scan_plan(node, scan->plan, es);
	if (es->analyze && scan->setup != NULL)
		explain_run(scan, es);
}
