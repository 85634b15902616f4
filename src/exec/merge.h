/*
 * Rows of several streams in the order that the plan promises. Each stream comes in that order by
 * itself; where there are too many streams for that, or one breaks the order, rows are sorted.
 */
#ifndef SCYLLA_MERGE_H
#define SCYLLA_MERGE_H

#include "postgres.h"

#include "executor/tuptable.h"

#include "exec/fanout.h"
#include "plan/scan_plan.h"

/* More streams than this are not kept open side by side. */
#define SCYLLA_MAX_MERGED_STREAMS 1000

/* The number of streams that are in no order of their own: all is sorted, as of too many. */
#define SCYLLA_UNSORTED_STREAMS (SCYLLA_MAX_MERGED_STREAMS + 1.0)

typedef struct ScyllaMerge ScyllaMerge;

/* Store the next row of the stream's page that belongs to the result, with its values in the
 * context, where nothing else may be; false: the page has no more. */
typedef bool (*ScyllaReadRow)(void *argument, ScyllaStream *stream, TupleTableSlot *slot,
							  MemoryContext context);

typedef struct ScyllaMergeSpec
{
	const ScyllaScanPlan *plan;
	const char *local_table; /* for errors */
	ScyllaFanout *fanout;
	TupleDesc descriptor;
	ScyllaReadRow read_row;
	void *argument;
} ScyllaMergeSpec;

/* Whether rows of several streams have to be merged for the promised order. */
extern bool scylla_merge_has_keys(const ScyllaScanPlan *plan);

/* Whether rows of a single stream may be out of the promised order: a clustering cell that is
 * empty reads as NULL, and comes first in CQL whatever the plan says of NULL. */
extern bool scylla_merge_may_displace(const ScyllaScanPlan *plan);

/* Rows of a page, where so many streams are read side by side. */
extern int scylla_merge_page_rows(const ScyllaScanPlan *plan, double stream_count);

/* In a child of CurrentMemoryContext. The fan-out has been started. */
extern ScyllaMerge *scylla_merge_begin(const ScyllaMergeSpec *spec, double stream_count);

/* The next row into a slot, as a virtual tuple that is valid until the next call; false: none. */
extern bool scylla_merge_next(ScyllaMerge *merge, TupleTableSlot *slot);

extern void scylla_merge_end(ScyllaMerge *merge);

#endif /* SCYLLA_MERGE_H */
