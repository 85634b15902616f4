/*
 * EXPLAIN of scans: prints the contract that runs, and what running it cost.
 */
#ifndef SCYLLA_EXPLAIN_H
#define SCYLLA_EXPLAIN_H

#include "postgres.h"

#include "foreign/fdwapi.h"

extern void scyllaExplainForeignScan(ForeignScanState *node, struct ExplainState *es);

#endif /* SCYLLA_EXPLAIN_H */
