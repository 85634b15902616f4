/*
 * A scan of the whole ring in pieces: how many, and the condition that bounds one. Private to
 * plan/.
 */
#ifndef SCYLLA_PLAN_RING_H
#define SCYLLA_PLAN_RING_H

#include "postgres.h"

#include "plan/cost.h"
#include "plan/scan_plan.h"

/* Pieces of about a page each for a scan; 0: it is asked for as a whole, being small, or of a size
 * that nobody knows. */
extern int scylla_ring_scan_pieces(const ScyllaSizes *sizes, const ScyllaScanLoad *load);

/* Pieces for aggregates, each of which is one row. */
extern int scylla_ring_aggregate_pieces(const ScyllaSizes *sizes);

/* Have an arm that reads the whole ring ask for each of so many pieces. */
extern void scylla_ring_divide(const ScyllaTable *table, ScyllaScanArm *arm, int pieces);

#endif /* SCYLLA_PLAN_RING_H */
