/*
 * From judged clauses to the contract: what a scan sends, fetches and checks itself. Private to
 * plan/.
 */
#ifndef SCYLLA_PLAN_SCAN_H
#define SCYLLA_PLAN_SCAN_H

#include "postgres.h"

#include "nodes/bitmapset.h"
#include "plan/qual.h"
#include "plan/scan_plan.h"

/* The parts of a ForeignScan that the clauses of a scan make. */
typedef struct ScyllaScanParts
{
	ScyllaScanPlan plan;
	List *binds;              /* expressions, for fdw_exprs */
	List *filter;             /* clauses to check locally, for plan.qual */
	List *recheck;            /* clauses that only the server checks, for fdw_recheck_quals */
	const ScyllaTable *table; /* in whose key the rows are stored: of a view, as the view has it */
} ScyllaScanParts;

/* Split the quals (those of one path) into what is sent and what is checked locally. */
extern void scylla_scan_split(const ScyllaTable *table, List *quals, ScyllaScanParts *parts);

/* Whether the executor may have to check clauses of parts.recheck after all, so that their columns
 * are to be fetched: it leaves out conditions that ask for too much, or that CQL can't say. */
extern bool scylla_scan_may_recheck(const ScyllaScanPlan *plan);

/* The narrowest clustering column that a condition binds, or NULL. */
extern const ScyllaColumn *scylla_scan_restricted_clustering(const ScyllaTable *table,
															 const ScyllaScanPlan *plan);

/*
 * Fill in the columns to fetch, after the split. attributes is as pull_varattnos makes it, of all
 * that the scan returns and filters by. Raises 0A000 for a system column other than tableoid.
 */
extern void scylla_scan_fetch(const ScyllaTable *table, const Bitmapset *attributes,
							  ScyllaScanParts *parts);

#endif /* SCYLLA_PLAN_SCAN_H */
