/*
 * THE CONTRACT between planner and executor for lookup joins.
 *
 * A lookup join is PostgreSQL's own nested loop over a scan with parameters, whose outer side is
 * wrapped in a CustomScan, the window: it reads outer rows ahead and has the scan ask for them, so
 * that the answer is on its way, or here, when the loop comes to a row. The window finds the scan
 * by an exec parameter, as PostgreSQL's recursive unions are found by their work tables: it leaves
 * the address of a ForeignScanState pointer there, into which the scan puts itself.
 */
#ifndef SCYLLA_LOOKUP_PLAN_H
#define SCYLLA_LOOKUP_PLAN_H

#include "postgres.h"

#include "nodes/pg_list.h"

/* Of the CustomScan, in EXPLAIN and in PostgreSQL's table of custom scans. */
#define SCYLLA_LOOKUP_WINDOW_NAME "Scylla Lookup Window"

/* The CustomScan's custom_private. */
typedef struct ScyllaLookupPlan
{
	int param;        /* ScyllaScanPlan.lookup_param of the scan */
	int first_window; /* lookups in flight at first */
} ScyllaLookupPlan;

static inline List *
scylla_lookup_plan_encode(const ScyllaLookupPlan *plan)
{
	return list_make2_int(plan->param, plan->first_window);
}

static inline ScyllaLookupPlan
scylla_lookup_plan_decode(const List *packed)
{
	return (ScyllaLookupPlan) {.param = linitial_int(packed), .first_window = lsecond_int(packed)};
}

#endif /* SCYLLA_LOOKUP_PLAN_H */
