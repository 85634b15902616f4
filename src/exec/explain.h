/*
 * EXPLAIN of scans and writes: prints the contract that runs, and what running it cost.
 */
#ifndef SCYLLA_EXPLAIN_H
#define SCYLLA_EXPLAIN_H

#include "postgres.h"

#include "foreign/fdwapi.h"

#include "plan/scan_plan.h"

/* What VERBOSE tells of a scan's contract. */
extern void scylla_explain_scan_plan(ForeignScanState *node, const ScyllaScanPlan *plan,
									 struct ExplainState *es);

extern void scyllaExplainForeignScan(ForeignScanState *node, struct ExplainState *es);
extern void scyllaExplainForeignModify(ModifyTableState *mtstate, ResultRelInfo *result,
									   List *fdw_private, int subplan_index,
									   struct ExplainState *es);
extern void scyllaExplainDirectModify(ForeignScanState *node, struct ExplainState *es);

#endif /* SCYLLA_EXPLAIN_H */
