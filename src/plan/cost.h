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
} ScyllaSizes;

/*
 * From ANALYZE (tuples; negative if there was none), else from the cluster's size estimates, else
 * from defaults. row_width is PostgreSQL's mean width of a whole row.
 */
extern void scylla_cost_sizes(const ScyllaTable *table, double tuples, int row_width,
							  ScyllaSizes *sizes);

/* Rows that the server sends for an access whose range has range_sides bounds. */
extern double scylla_cost_fetched(const ScyllaSizes *sizes, const ScyllaTable *table,
								  const ScyllaAccessChoice *access, int range_sides);

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
