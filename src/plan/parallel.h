/*
 * Scans in parallel workers: the paths that share a scan, and which others may run in one. Private
 * to plan/.
 */
#ifndef SCYLLA_PLAN_PARALLEL_H
#define SCYLLA_PLAN_PARALLEL_H

#include "postgres.h"

#include "plan/rel_plan.h"

extern bool scyllaIsForeignScanParallelSafe(PlannerInfo *root, RelOptInfo *rel, RangeTblEntry *rte);

/* Add a partial path for a scan of the whole ring that gives so many rows (all participants
 * together), where it is large enough for workers. */
extern void scylla_parallel_add_path(PlannerInfo *root, RelOptInfo *rel, const ScyllaScanLoad *load,
									 double rows);

/* Say whether a path that workers do not share may run in each of them. */
extern void scylla_parallel_restrict(ForeignPath *path);

#endif /* SCYLLA_PLAN_PARALLEL_H */
