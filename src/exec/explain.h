/*
 * EXPLAIN of scans: prints the contract that runs, and what running it cost.
 */
#ifndef SCYLLA_EXPLAIN_H
#define SCYLLA_EXPLAIN_H

#include "postgres.h"

#include "commands/explain.h"
#include "foreign/fdwapi.h"

extern void scyllaExplainForeignScan(ForeignScanState *node, ExplainState *es);

#endif /* SCYLLA_EXPLAIN_H */
