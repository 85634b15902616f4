/*
 * THE cost model of scans, and the sizes that it starts from.
 *
 *   startup  one round trip (option fdw_startup_cost); a scan of the whole ring takes several,
 *            since every node is asked, however few rows there are
 *   rows     fdw_tuple_cost for carrying and decoding each row that is fetched, and
 *            PostgreSQL's own costs for checking and projecting it
 *   pages    a part of a round trip for each page after the first, as the next one is asked for
 *            while this one is read
 */
#ifndef SCYLLA_COST_H
#define SCYLLA_COST_H

#include "postgres.h"

#include "catalog/table.h"
#include "nodes/pathnodes.h"
#include "plan/access.h"

/* What a table holds; every number at least 1. */
typedef struct ScyllaSizes
{
	double rows;
	double partition_rows; /* mean */
	double *slice_rows;    /* mean rows where the first so many clustering columns are bound by = */
} ScyllaSizes;

/*
 * From ANALYZE: rel->tuples (negative if there was none) and the statistics of the key columns;
 * else from the cluster's size estimates, else from defaults. Makes no request.
 */
extern void scylla_cost_sizes(PlannerInfo *root, RelOptInfo *rel, const ScyllaTable *table,
							  ScyllaSizes *sizes);

/*
 * Part of the rows that a range on a column leaves, by its conditions (of RestrictInfo): by the
 * column's statistics if it has any.
 */
extern double scylla_cost_range(PlannerInfo *root, RelOptInfo *rel, const ScyllaColumn *column,
								List *conditions);

/* Rows that the server sends for an access, of whose slices a range leaves that part (1: none). */
extern double scylla_cost_fetched(const ScyllaSizes *sizes, const ScyllaAccessChoice *access,
								  double range);

typedef struct ScyllaScanLoad
{
	const ScyllaOptions *options;
	ScyllaAccess access;
	double fetched_rows;
	double returned_rows; /* after the local filter */
	QualCost filter;      /* of the local filter, per row */
	QualCost target;      /* of the projection */
} ScyllaScanLoad;

extern void scylla_cost_scan(const ScyllaScanLoad *load, Cost *startup, Cost *total);

#endif /* SCYLLA_COST_H */
