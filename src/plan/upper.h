/*
 * What is made of a scan's rows: grouping, aggregates and DISTINCT, answered by the server.
 */
#ifndef SCYLLA_UPPER_H
#define SCYLLA_UPPER_H

#include "postgres.h"

#include "foreign/fdwapi.h"

extern void scyllaGetForeignUpperPaths(PlannerInfo *root, UpperRelationKind stage,
									   RelOptInfo *input_rel, RelOptInfo *output_rel, void *extra);

/* The table's relation that a path of an upper relation scans. */
extern RelOptInfo *scylla_upper_scanned(const ForeignPath *path);

/* The plan of a path of an upper relation. */
extern ForeignScan *scylla_upper_plan(const ForeignPath *path, List *tlist, Plan *outer_plan);

#endif /* SCYLLA_UPPER_H */
