/*
 * Running writes: the executor's callbacks for INSERT, COPY, UPDATE, DELETE and TRUNCATE.
 */
#ifndef SCYLLA_EXEC_MODIFY_H
#define SCYLLA_EXEC_MODIFY_H

#include "postgres.h"

#include "foreign/fdwapi.h"

#include "exec/write_row.h"

/* Owned by the executor's query context; lives until the end of the query. */
typedef struct ScyllaModifyState
{
	ScyllaModifyPlan *plan;
	EState *estate;
	ResultRelInfo *result;
	MemoryContext context;
	Oid userid;
	bool is_deferred;         /* the statement reads what it writes: rows wait until all are read */
	AttrNumber *junk;         /* of UPDATE and DELETE: where the plan below has keys and deltas */
	AttrNumber whole_row;     /* of DELETE with RETURNING: where it has the old row; else 0 */
	HeapTupleData old_tuple;  /* that row */
	bool *is_applied;         /* of a batch of conditional writes */
	TupleTableSlot **applied; /* the rows of the batch that were applied */
	/* Rows that are routed here while this is also the target of an UPDATE; or NULL */
	struct ScyllaModifyState *routed;
	ScyllaRowWriter *rows; /* from the first row on */
} ScyllaModifyState;

extern void scyllaBeginForeignModify(ModifyTableState *mtstate, ResultRelInfo *result,
									 List *fdw_private, int subplan_index, int eflags);
extern void scyllaBeginForeignInsert(ModifyTableState *mtstate, ResultRelInfo *result);
extern int scyllaGetForeignModifyBatchSize(ResultRelInfo *result);
extern TupleTableSlot *scyllaExecForeignInsert(EState *estate, ResultRelInfo *result,
											   TupleTableSlot *slot, TupleTableSlot *plan_slot);
extern TupleTableSlot **scyllaExecForeignBatchInsert(EState *estate, ResultRelInfo *result,
													 TupleTableSlot **slots,
													 TupleTableSlot **plan_slots, int *slot_count);
extern TupleTableSlot *scyllaExecForeignUpdate(EState *estate, ResultRelInfo *result,
											   TupleTableSlot *slot, TupleTableSlot *plan_slot);
extern TupleTableSlot *scyllaExecForeignDelete(EState *estate, ResultRelInfo *result,
											   TupleTableSlot *slot, TupleTableSlot *plan_slot);
extern void scyllaEndForeignModify(EState *estate, ResultRelInfo *result);
extern void scyllaEndForeignInsert(EState *estate, ResultRelInfo *result);
extern void scyllaExecForeignTruncate(List *relations, DropBehavior behavior, bool restart_seqs);

#endif /* SCYLLA_EXEC_MODIFY_H */
