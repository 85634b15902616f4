/*
 * A scan that workers share: each has a session of its own, and takes probes by their numbers from
 * counters in shared memory until there are none left.
 */
#ifndef SCYLLA_EXEC_PARALLEL_H
#define SCYLLA_EXEC_PARALLEL_H

#include "postgres.h"

#include "access/parallel.h"
#include "foreign/fdwapi.h"

#include "exec/scan.h"

/* In flight at most in each of them: what one has asked for no other can read when it is idle. */
#define SCYLLA_SHARED_WINDOW 4

extern Size scyllaEstimateDSMForeignScan(ForeignScanState *node, ParallelContext *pcxt);
extern void scyllaInitializeDSMForeignScan(ForeignScanState *node, ParallelContext *pcxt,
										   void *coordinate);
extern void scyllaReInitializeDSMForeignScan(ForeignScanState *node, ParallelContext *pcxt,
											 void *coordinate);
extern void scyllaInitializeWorkerForeignScan(ForeignScanState *node, shm_toc *toc,
											  void *coordinate);

/* Have an arm take probes, of the ring's pieces, by shared numbers; nothing where nobody helps. */
extern void scylla_parallel_share(const ScyllaScanState *scan, ScyllaArmSetup *arm);

/* Tell the leader what a worker's reading has cost so far. */
extern void scylla_parallel_publish(const ScyllaScanState *scan);

/* The shared memory is about to go; the leader takes the workers' costs for its own. */
extern void scylla_parallel_leave(ScyllaScanState *scan);

#endif /* SCYLLA_EXEC_PARALLEL_H */
