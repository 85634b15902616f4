/*
 * Aggregates that the server computes: of a group each row is the result; without groups all rows
 * are parts of the only one.
 */
#include "postgres.h"

#include "exec/scan_rows.h"

/* The next row of any page, undecoded. */
static bool
next_cells(ScyllaScanState *scan)
{
	while (scylla_scan_stream(scan) != NULL)
	{
		if (cql_result_next_row(scan->stream->page, scan->setup->cells))
			return true;
		scylla_scan_release(scan);
	}
	return false;
}

void
scylla_scan_begin_aggregates(ScyllaScanState *scan)
{
	if (scan->plan->is_aggregated)
		scylla_combiner_reset(scan->setup->combiner);
}

static bool
next_group(ScyllaScanState *scan, TupleTableSlot *slot)
{
	if (scan->phase != SCYLLA_SCAN_RUNNING || !next_cells(scan))
		return false;
	scylla_tuple_store(scan->setup->reader, scan->setup->cells, slot);
	scylla_combiner_reset(scan->setup->combiner);
	scylla_combiner_add(scan->setup->combiner, scan->setup->cells);
	scylla_combiner_store(scan->setup->combiner, slot);
	return true;
}

/* There is a result without any rows, too. False: parts of it have yet to come. */
static bool
store_total(ScyllaScanState *scan, TupleTableSlot *slot)
{
	while (scan->phase == SCYLLA_SCAN_RUNNING && next_cells(scan))
		scylla_combiner_add(scan->setup->combiner, scan->setup->cells);
	if (scan->is_pending)
		return false;
	memset(slot->tts_isnull, true, slot->tts_tupleDescriptor->natts * sizeof(bool));
	scylla_combiner_store(scan->setup->combiner, slot);
	ExecStoreVirtualTuple(slot);
	return true;
}

TupleTableSlot *
scylla_scan_next_aggregates(ForeignScanState *node)
{
	ScyllaScanState *scan = node->fdw_state;
	TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;

	if (scan->phase == SCYLLA_SCAN_ENDED)
		return slot;
	if (scan->plan->group_names != NIL && next_group(scan, slot))
		return slot;
	if (scan->is_pending || (scan->plan->group_names == NIL && !store_total(scan, slot)))
		return slot;
	scan->phase = SCYLLA_SCAN_ENDED;
	return slot;
}
