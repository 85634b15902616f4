/*
 * The planner's callbacks for scans of foreign tables.
 */
#ifndef SCYLLA_PATH_H
#define SCYLLA_PATH_H

#include "postgres.h"

#include "foreign/fdwapi.h"

extern void scyllaGetForeignRelSize(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid);
extern void scyllaGetForeignPaths(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid);
extern ForeignScan *scyllaGetForeignPlan(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid,
										 ForeignPath *best_path, List *tlist, List *scan_clauses,
										 Plan *outer_plan);
extern bool scyllaIsForeignPathAsyncCapable(ForeignPath *path);

#endif /* SCYLLA_PATH_H */
