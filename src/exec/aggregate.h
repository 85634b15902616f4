/*
 * Results of aggregates, made of what the server computed for a statement or a group.
 */
#ifndef SCYLLA_EXEC_AGGREGATE_H
#define SCYLLA_EXEC_AGGREGATE_H

#include "postgres.h"

#include "bridge/session.h"
#include "executor/tuptable.h"
#include "plan/scan_plan.h"

typedef struct ScyllaCombiner ScyllaCombiner;

/* In CurrentMemoryContext. The plan must outlive it; local_table is for errors. */
extern ScyllaCombiner *scylla_combiner_new(const ScyllaScanPlan *plan, const char *local_table);

/* Begin a group: no row was seen. */
extern void scylla_combiner_reset(ScyllaCombiner *combiner);

/* Add what the server computed of a part of the group: a row's cells, by the plan's columns. */
extern void scylla_combiner_add(ScyllaCombiner *combiner, const cql_cell *cells);

/* Put the group's results into a slot's values. They live until the next reset. */
extern void scylla_combiner_store(ScyllaCombiner *combiner, TupleTableSlot *slot);

#endif /* SCYLLA_EXEC_AGGREGATE_H */
