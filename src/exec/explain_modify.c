/*
 * EXPLAIN of writes: prints the contract that runs, and what became of the rows.
 */
#include "postgres.h"

#include "exec/explain.h"

#include "compat.h"
#include "exec/modify.h"

static void
explain_plan(const ScyllaModifyPlan *plan, ExplainState *es)
{
	ScyllaModifyTarget target = plan->is_static_only ? SCYLLA_TARGET_STATIC : SCYLLA_TARGET_ROW;

	ExplainPropertyText("Remote CQL", scylla_modify_plan_cql(plan, target, NULL), es);
}

static void
explain_run(ScyllaRowWriter *rows, ExplainState *es)
{
	const ScyllaWriterCounters *counters;

	/* What is still in flight belongs to what is told here. */
	scylla_row_writer_finish(rows);
	counters = scylla_writer_counters(scylla_row_writer_writer(rows));
	ExplainPropertyUInteger("Rows Sent", NULL, counters->sent, es);
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
	if (es->analyze && modify != NULL && modify->rows != NULL)
		explain_run(modify->rows, es);
}
