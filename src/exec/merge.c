/*
 * Merging. The heap holds the streams by the row at their head; a row's values are in a context of
 * its stream's own, so a head waits there at no cost.
 *
 * Out of order a row can be only by a NULL: an empty cell sorts before all values in CQL. Where
 * the plan wants it behind them, the first such row ends the merge: what is left, which is nowhere
 * before what was given, is sorted.
 */
#include "postgres.h"

#include "exec/merge.h"

#include "executor/executor.h"
#include "lib/binaryheap.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/sortsupport.h"
#include "utils/tuplesort.h"

/* Rows that the pages of all streams hold together, in pages of the usual size; and how few rows a
 * page may have. */
#define MERGED_PAGES 4
#define MIN_PAGE_ROWS 10

typedef enum MergePhase
{
	MERGE_NEW,
	MERGE_HEAP,
	MERGE_SORTED
} MergePhase;

/* A stream and the row at its head. */
typedef struct MergeHead
{
	ScyllaStream *stream;
	TupleTableSlot *slot;
	MemoryContext context;
	bool is_past_first; /* the row is not the stream's first one */
} MergeHead;

struct ScyllaMerge
{
	ScyllaMergeSpec spec;
	MemoryContext context;
	MergePhase phase;
	bool is_small; /* few enough streams for a heap */
	int key_count;
	SortSupport keys; /* of the plan's orders that tell rows apart */
	MergeHead *heads;
	int head_count;
	binaryheap *heap; /* of indexes of heads */
	bool has_given;   /* the first head's row was given, and is to be replaced */
	Tuplesortstate *sort;
	TupleTableSlot *sorted;
};

/* ---- out of order ---- */

bool
scylla_merge_has_keys(const ScyllaScanPlan *plan)
{
	for (int i = 0; i < plan->order_count; i++)
		if (plan->orders[i].attnum > 0)
			return true;
	return false;
}

bool
scylla_merge_may_displace(const ScyllaScanPlan *plan)
{
	for (int i = 0; i < plan->order_count; i++)
		if (plan->orders[i].may_displace)
			return true;
	return false;
}

/* A NULL before others that should come behind them; or behind some, which were given already. */
static bool
is_displaced(const ScyllaMerge *merge, const MergeHead *head)
{
	const ScyllaScanPlan *plan = merge->spec.plan;

	for (int i = 0; i < plan->order_count; i++)
	{
		const ScyllaScanOrder *order = &plan->orders[i];

		if (!order->may_displace || !head->slot->tts_isnull[order->attnum - 1])
			continue;
		if (order->is_descending && head->is_past_first)
			ereport(ERROR,
					(errcode(ERRCODE_FDW_INVALID_DATA_TYPE),
					 errmsg("column \"%s\" of foreign table \"%s\" has an empty value, out of the "
							"order that was asked for",
							order->name, merge->spec.local_table),
					 errdetail("CQL sorts an empty value before all others; it reads as NULL, "
							   "which was to come first in descending order."),
					 errhint("Add NULLS LAST to ORDER BY, or set scylla_fdw.enable_pushdown to "
							 "off.")));
		return !order->is_descending;
	}
	return false;
}

/* ---- heads ---- */

static int
compare_slots(const ScyllaMerge *merge, const TupleTableSlot *a, const TupleTableSlot *b)
{
	for (int i = 0; i < merge->key_count; i++)
	{
		SortSupport key = &merge->keys[i];
		int index = key->ssup_attno - 1;
		int order = ApplySortComparator(a->tts_values[index], a->tts_isnull[index],
										b->tts_values[index], b->tts_isnull[index], key);

		if (order != 0)
			return order;
	}
	return 0;
}

/* The heap has its greatest element first. */
static int
compare_heads(Datum a, Datum b, void *arg)
{
	const ScyllaMerge *merge = arg;

	return compare_slots(merge, merge->heads[DatumGetInt32(b)].slot,
						 merge->heads[DatumGetInt32(a)].slot);
}

/* The stream's next row becomes its head; false: it has none. */
static bool
read_head(ScyllaMerge *merge, MergeHead *head)
{
	const ScyllaMergeSpec *spec = &merge->spec;

	for (;;)
	{
		ExecClearTuple(head->slot);
		MemoryContextReset(head->context);
		if (spec->read_row(spec->argument, head->stream, head->slot, head->context))
			return true;
		if (!scylla_fanout_advance(spec->fanout, head->stream))
			return false;
	}
}

static void
add_head(ScyllaMerge *merge, ScyllaStream *stream)
{
	MergeHead *head;

	merge->heads = repalloc(merge->heads, (merge->head_count + 1) * sizeof(MergeHead));
	head = &merge->heads[merge->head_count];
	memset(head, 0, sizeof(*head));
	head->stream = stream;
	head->context = AllocSetContextCreate(merge->context, "scylla_fdw row", ALLOCSET_SMALL_SIZES);
	head->slot = MakeSingleTupleTableSlot(merge->spec.descriptor, &TTSOpsVirtual);
	if (read_head(merge, head))
		merge->head_count++;
}

/* ---- sorting what is left ---- */

static void
begin_sort(ScyllaMerge *merge)
{
	const ScyllaScanPlan *plan = merge->spec.plan;
	AttrNumber *attnums = palloc(plan->order_count * sizeof(AttrNumber));
	Oid *operators = palloc(plan->order_count * sizeof(Oid));
	Oid *collations = palloc(plan->order_count * sizeof(Oid));
	bool *nulls_first = palloc(plan->order_count * sizeof(bool));
	int count = 0;

	for (int i = 0; i < plan->order_count; i++)
	{
		if (plan->orders[i].attnum == 0)
			continue;
		attnums[count] = plan->orders[i].attnum;
		operators[count] = plan->orders[i].sort_operator;
		collations[count] = plan->orders[i].collation;
		nulls_first[count++] = plan->orders[i].is_nulls_first;
	}
	merge->sort = tuplesort_begin_heap(merge->spec.descriptor, count, attnums, operators,
									   collations, nulls_first, work_mem, NULL, 0);
	merge->sorted = MakeSingleTupleTableSlot(merge->spec.descriptor, &TTSOpsMinimalTuple);
}

static void
sort_streams(ScyllaMerge *merge)
{
	const ScyllaMergeSpec *spec = &merge->spec;
	TupleTableSlot *slot = MakeSingleTupleTableSlot(spec->descriptor, &TTSOpsVirtual);
	MemoryContext context =
		AllocSetContextCreate(merge->context, "scylla_fdw row", ALLOCSET_SMALL_SIZES);
	ScyllaStream *stream;

	while ((stream = scylla_fanout_next(spec->fanout)) != NULL)
	{
		for (;;)
		{
			ExecClearTuple(slot);
			MemoryContextReset(context);
			if (!spec->read_row(spec->argument, stream, slot, context))
				break;
			tuplesort_puttupleslot(merge->sort, slot);
		}
		scylla_fanout_release(spec->fanout, stream);
	}
	ExecDropSingleTupleTableSlot(slot);
}

/* The heads that were not given yet, what is behind them, and all other streams. */
static void
sort_rest(ScyllaMerge *merge)
{
	MemoryContext old = MemoryContextSwitchTo(merge->context);

	begin_sort(merge);
	while (!binaryheap_empty(merge->heap))
	{
		MergeHead *head = &merge->heads[DatumGetInt32(binaryheap_remove_first(merge->heap))];

		do
			tuplesort_puttupleslot(merge->sort, head->slot);
		while (read_head(merge, head));
	}
	sort_streams(merge);
	tuplesort_performsort(merge->sort);
	merge->phase = MERGE_SORTED;
	MemoryContextSwitchTo(old);
}

/* ---- merging ---- */

int
scylla_merge_page_rows(const ScyllaScanPlan *plan, double stream_count)
{
	double rows = MERGED_PAGES * (double) plan->fetch_size / Max(stream_count, 1);

	return (int) Min(Max(rows, MIN_PAGE_ROWS), plan->fetch_size);
}

static void
add_key(ScyllaMerge *merge, const ScyllaScanOrder *order)
{
	SortSupport key = &merge->keys[merge->key_count++];

	key->ssup_cxt = merge->context;
	key->ssup_collation = order->collation;
	key->ssup_nulls_first = order->is_nulls_first;
	key->ssup_attno = order->attnum;
	PrepareSortSupportFromOrderingOp(order->sort_operator, key);
}

ScyllaMerge *
scylla_merge_begin(const ScyllaMergeSpec *spec, double stream_count)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "scylla_fdw merge", ALLOCSET_SMALL_SIZES);
	ScyllaMerge *merge = MemoryContextAllocZero(context, sizeof(ScyllaMerge));
	const ScyllaScanPlan *plan = spec->plan;

	merge->spec = *spec;
	merge->context = context;
	merge->is_small = stream_count <= SCYLLA_MAX_MERGED_STREAMS;
	merge->heads = MemoryContextAlloc(context, sizeof(MergeHead));
	merge->keys = MemoryContextAllocZero(context, plan->order_count * sizeof(SortSupportData));
	for (int i = 0; i < plan->order_count; i++)
		if (plan->orders[i].attnum > 0)
			add_key(merge, &plan->orders[i]);
	return merge;
}

static bool
has_displaced_head(const ScyllaMerge *merge)
{
	for (int i = 0; i < merge->head_count; i++)
		if (is_displaced(merge, &merge->heads[i]))
			return true;
	return false;
}

/* Every stream's first row. */
static void
fill_heap(ScyllaMerge *merge)
{
	MemoryContext old = MemoryContextSwitchTo(merge->context);
	ScyllaStream *stream;

	while (merge->is_small && (stream = scylla_fanout_next(merge->spec.fanout)) != NULL)
		add_head(merge, stream);
	merge->heap = binaryheap_allocate(Max(merge->head_count, 1), compare_heads, merge);
	for (int i = 0; i < merge->head_count; i++)
		binaryheap_add_unordered(merge->heap, Int32GetDatum(i));
	binaryheap_build(merge->heap);
	merge->phase = MERGE_HEAP;
	MemoryContextSwitchTo(old);
	if (!merge->is_small || has_displaced_head(merge))
		sort_rest(merge);
}

/* The row that was given makes place for the next of its stream. */
static void
replace_given(ScyllaMerge *merge)
{
	Datum first = binaryheap_first(merge->heap);
	MergeHead *head = &merge->heads[DatumGetInt32(first)];

	merge->has_given = false;
	head->is_past_first = true;
	if (!read_head(merge, head))
	{
		(void) binaryheap_remove_first(merge->heap);
		return;
	}
	binaryheap_replace_first(merge->heap, first);
	if (is_displaced(merge, head))
		sort_rest(merge);
}

static void
copy_row(TupleTableSlot *slot, TupleTableSlot *from)
{
	int count = from->tts_tupleDescriptor->natts;

	slot_getallattrs(from);
	memcpy(slot->tts_values, from->tts_values, count * sizeof(Datum));
	memcpy(slot->tts_isnull, from->tts_isnull, count * sizeof(bool));
	ExecStoreVirtualTuple(slot);
}

bool
scylla_merge_next(ScyllaMerge *merge, TupleTableSlot *slot)
{
	if (merge->phase == MERGE_NEW)
		fill_heap(merge);
	else if (merge->has_given)
		replace_given(merge);
	if (merge->phase == MERGE_SORTED)
	{
		if (!tuplesort_gettupleslot(merge->sort, true, false, merge->sorted, NULL))
			return false;
		copy_row(slot, merge->sorted);
		return true;
	}
	if (binaryheap_empty(merge->heap))
		return false;
	copy_row(slot, merge->heads[DatumGetInt32(binaryheap_first(merge->heap))].slot);
	merge->has_given = true;
	return true;
}

void
scylla_merge_end(ScyllaMerge *merge)
{
	if (merge->sort != NULL)
		tuplesort_end(merge->sort);
	MemoryContextDelete(merge->context);
}
