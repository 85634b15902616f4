/*
 * Rows of pages: which of them belong to the result. The server gives some that don't: beyond what a
 * condition left out would have kept back, for another arm, or with NULL where a range is asked for.
 */
#include "postgres.h"

#include "exec/scan_rows.h"

#include "exec/parallel.h"
#include "executor/executor.h"
#include "miscadmin.h"

typedef enum NullInRange
{
	NULL_NOWHERE,
	NULL_LATER,  /* behind the first element of a row of values: others may decide */
	NULL_DECIDES /* the condition is not true */
} NullInRange;

/*
 * A column that reads as NULL fulfils no range, but the server may give such rows: the row of a
 * partition that has static columns only, when the condition was left out; and a row whose
 * clustering cell is empty, which CQL sorts before all values.
 */
static NullInRange
find_null_in_range(const ScyllaScanArm *arm, const TupleTableSlot *slot)
{
	NullInRange found = NULL_NOWHERE;

	for (int i = 0; i < arm->condition_count; i++)
	{
		const ScyllaScanCondition *condition = &arm->conditions[i];

		if (!scylla_operator_is_range(condition->op) || scylla_condition_is_of_token(condition))
			continue;
		if (slot->tts_isnull[condition->markers[0].attnum - 1])
			return NULL_DECIDES;
		for (int j = 1; j < condition->marker_count; j++)
			if (slot->tts_isnull[condition->markers[j].attnum - 1])
				found = NULL_LATER;
	}
	return found;
}

/* Whether a row that an arm brought is the arm's to give: the first one's whose clause is true; or,
 * where the second one asks for the empty values of a column, that one's if it has such a value. */
static bool
is_of_arm(const ScyllaScanState *scan, const ScyllaScanArm *arm, ExprContext *context)
{
	int index = (int) (arm - scan->plan->arms);

	if (scan->plan->arm_count == 1)
		return true;
	if (scan->empty_column >= 0)
		return index > 0 || scan->setup->cells[scan->empty_column].len != 0;
	for (int i = 0; i < index; i++)
		if (ExecQual(scan->clauses[i], context))
			return false;
	return ExecQual(scan->clauses[index], context);
}

static bool
is_wanted(ForeignScanState *node, const ScyllaScanArm *arm, TupleTableSlot *slot)
{
	ScyllaScanState *scan = node->fdw_state;
	ExprContext *context = node->ss.ps.ps_ExprContext;
	NullInRange null_in_range = find_null_in_range(arm, slot);

	if (null_in_range == NULL_DECIDES)
		return false;
	context->ecxt_scantuple = slot;
	if ((scan->needs_recheck || null_in_range == NULL_LATER) &&
		!ExecQual(node->fdw_recheck_quals, context))
		return false;
	return is_of_arm(scan, arm, context);
}

bool
scylla_scan_wants_every_row(const ScyllaScanState *scan)
{
	const ScyllaScanArm *arm = &scan->plan->arms[0];

	if (scan->needs_recheck || scan->plan->arm_count != 1)
		return false;
	for (int i = 0; i < arm->condition_count; i++)
		if (scylla_operator_is_range(arm->conditions[i].op) &&
			!scylla_condition_is_of_token(&arm->conditions[i]))
			return false;
	return true;
}

/* A row that PostgreSQL's own filter drops is none to be written. */
static void
check_target(ForeignScanState *node, TupleTableSlot *slot)
{
	const ScyllaScanSetup *setup = ((ScyllaScanState *) node->fdw_state)->setup;
	ExprContext *context = node->ss.ps.ps_ExprContext;

	if (scylla_tuple_is_writable(setup->reader, setup->cells, slot))
		return;
	context->ecxt_scantuple = slot;
	if (ExecQual(node->ss.ps.qual, context))
		scylla_tuple_refuse_write(setup->reader, setup->cells);
}

/* Other lookups' rows may stand on the same page. */
static bool
is_own(const ScyllaStream *stream, const cql_cell *cells)
{
	const cql_cell *owner = stream->owner;
	const cql_cell *cell = &cells[stream->owner_column];

	return owner == NULL || (cell->len == owner->len &&
							 memcmp(cell->data, owner->data, (size_t) Max(owner->len, 0)) == 0);
}

bool
scylla_scan_read_row(void *argument, ScyllaStream *stream, TupleTableSlot *slot,
					 MemoryContext context)
{
	ForeignScanState *node = argument;
	ScyllaScanState *scan = node->fdw_state;
	ScyllaScanSetup *setup = scan->setup;
	MemoryContext old = MemoryContextSwitchTo(context);
	ExprContext *econtext = node->ss.ps.ps_ExprContext;
	bool has_row;

	/* A merge reads many rows before it gives one. */
	if (context != econtext->ecxt_per_tuple_memory)
		ResetExprContext(econtext);
	while ((has_row = cql_result_next_row(stream->page, setup->cells)))
	{
		if (!is_own(stream, setup->cells))
			continue;
		scylla_tuple_store(setup->reader, setup->cells, slot);
		if (scan->is_every_row_wanted || is_wanted(node, stream->variant->arm, slot))
			break;
		ExecClearTuple(slot);
		MemoryContextReset(context);
		scan->removed_rows++;
		CHECK_FOR_INTERRUPTS();
	}
	if (has_row && scan->is_target)
		check_target(node, slot);
	MemoryContextSwitchTo(old);
	return has_row;
}

ScyllaStream *
scylla_scan_stream(ScyllaScanState *scan)
{
	ScyllaFanout *fanout = scan->setup->fanout;

	if (scan->stream != NULL)
		return scan->stream;
	if (scan->is_looked_up)
		return scan->stream = scylla_lookahead_next(scan->lookahead);
	scan->is_pending = scan->is_async && !scylla_fanout_poll(fanout);
	if (!scan->is_pending)
		scan->stream = scylla_fanout_next(fanout);
	return scan->stream;
}

void
scylla_scan_release(ScyllaScanState *scan)
{
	if (!scan->is_looked_up)
		scylla_fanout_release(scan->setup->fanout, scan->stream);
	scan->stream = NULL;
	scylla_parallel_publish(scan);
}

bool
scylla_scan_next_row(ForeignScanState *node, TupleTableSlot *slot)
{
	ScyllaScanState *scan = node->fdw_state;
	MemoryContext context = node->ss.ps.ps_ExprContext->ecxt_per_tuple_memory;

	if (scan->merge != NULL)
		return scylla_merge_next(scan->merge, slot);
	while (scylla_scan_stream(scan) != NULL)
	{
		if (scylla_scan_read_row(node, scan->stream, slot, context))
			return true;
		scylla_scan_release(scan);
	}
	return false;
}
