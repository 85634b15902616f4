/*
 * EXPLAIN of scans and writes: prints the contract that runs, and what running it cost.
 */
#ifndef SCYLLA_EXPLAIN_H
#define SCYLLA_EXPLAIN_H

#include "postgres.h"

#include "foreign/fdwapi.h"

extern void scyllaExplainForeignScan(ForeignScanState *node, struct ExplainState *es);
extern void scyllaExplainForeignModify(ModifyTableState *mtstate, ResultRelInfo *result,
									   List *fdw_private, int subplan_index,
									   struct ExplainState *es);

#endif /* SCYLLA_EXPLAIN_H */
