/*
 * Set-ups that outlive their execution: a cached plan that is run again and again, as in a loop of
 * PL/pgSQL, finds there what does not change from one time to the next.
 */
#ifndef SCYLLA_KEEP_H
#define SCYLLA_KEEP_H

#include "exec/setup.h"

/* The set-up for a node's plan, new or kept; this execution's alone until it gives it back. An
 * execution that ends by an error throws it away. */
extern ScyllaScanSetup *scylla_keep_take(ForeignScanState *node);

/* The execution is over, with nothing in flight. */
extern void scylla_keep_give_back(ScyllaScanSetup *setup, List *packed_plan);

#endif /* SCYLLA_KEEP_H */
