/*
 * EXPLAIN of writes: prints the contract that runs, and what became of the rows.
 */
#include "postgres.h"

#include "exec/explain.h"

#include "compat.h"
#include "exec/direct_delete.h"
#include "exec/modify.h"

static void
explain_plan(const ScyllaModifyPlan *plan, ExplainState *es)
{
	ScyllaModifyTarget target = plan->is_static_only ? SCYLLA_TARGET_STATIC : SCYLLA_TARGET_ROW;

	ExplainPropertyText("Remote CQL",
						scylla_modify_plan_cql(plan, target, SCYLLA_WORDS_PLAIN, NULL), es);
}

static void
explain_counters(const char *what, const ScyllaWriterCounters *counters, ExplainState *es)
{
	ExplainPropertyUInteger(what, NULL, counters->sent, es);
	ExplainPropertyUInteger("Bytes Sent", NULL, counters->bytes, es);
	if (es->timing)
		ExplainPropertyFloat("Wait Time", "ms", counters->wait_us / 1000.0, 3, es);
}

void
scyllaExplainForeignModify(ModifyTableState *mtstate, ResultRelInfo *result, List *fdw_private,
						   int subplan_index, ExplainState *es)
{
	const ScyllaModifyState *modify = result->ri_FdwState;

	if (es->verbose)
		explain_plan(scylla_modify_plan_decode(fdw_private), es);
	if (es->verbose && modify != NULL && modify->is_deferred)
		ExplainPropertyText("Writes", "when all rows are read", es);
	if (!es->analyze || modify == NULL || modify->rows == NULL)
		return;
	/* What is still in flight belongs to what is told here. */
	scylla_row_writer_finish(modify->rows);
	explain_counters("Rows Sent", scylla_writer_counters(scylla_row_writer_writer(modify->rows)),
					 es);
}

void
scyllaExplainDirectModify(ForeignScanState *node, ExplainState *es)
{
	const ScyllaDirectState *direct = node->fdw_state;

	if (es->verbose)
		scylla_explain_scan_plan(node, direct->plan->where, es);
	if (es->verbose && direct->plan->is_counted)
		ExplainPropertyText("Counted", "statements, not rows", es);
	if (es->analyze && direct->writer != NULL)
		explain_counters("Statements Sent", scylla_writer_counters(direct->writer), es);
}
