/*
 * THE cost model of scans, and the sizes that it starts from.
 *
 *   latency  a round trip (option fdw_startup_cost) before the first row; a scan that asks every
 *            node (the whole ring, an index) takes several, however few rows there are. Requests
 *            for several keys are in flight together: as many round trips as windows of them
 *            (option max_in_flight), and a small cost each. IN of an array that is known only when
 *            it runs is taken for 10 keys, as PostgreSQL takes it
 *   pages    a part of a round trip for each page after the first, as the next one is asked for
 *            while this one is read
 *   read     a part of fdw_tuple_cost for each row that the server looks at, of which filtering
 *            lets only some through; several times that where it is found through an index
 *   rows     fdw_tuple_cost for carrying and decoding each row that is fetched and as much for
 *            each so many bytes of it, and PostgreSQL's own costs for checking and projecting it
 *   merge    comparisons, where rows of several sorted answers are merged
 *   limit    of what follows the first row, the part that so many rows are of all (LIMIT, one row of
 *            each partition)
 *   answers  where the server computes aggregates: a part of what the scan costs behind its start,
 *            for the rows are read, but not carried; a part of a round trip for each piece of the
 *            ring; and the rows of the answer, as those of a scan
 *   lookup   in a lookup join so many scans share a round trip as are in flight together
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
	bool is_guess; /* nothing is known of the table */
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
 * Part of the rows that a range on a column (NULL: the token) leaves, by its clauses: by the
 * column's statistics if it has any.
 */
extern double scylla_cost_range(PlannerInfo *root, RelOptInfo *rel, const ScyllaColumn *column,
								List *conditions);

/*
 * Rows that the server looks at for one key of an access by the table's own key, of whose slices
 * a range leaves that part (1: all). Those of an index or view follow from its clause.
 */
extern double scylla_cost_read(const ScyllaSizes *sizes, const ScyllaAccessChoice *access,
							   double range);

/* Of a scan, over all of its requests. */
typedef struct ScyllaScanLoad
{
	const ScyllaOptions *options;
	ScyllaAccess access;
	double requests;  /* of different keys: IN, arms of an OR; 0: no row can match */
	double read_rows; /* that the server looks at */
	double fetched_rows;
	double returned_rows; /* after the local filter */
	int width;            /* bytes of a fetched row */
	bool is_merged;       /* the requests' rows are merged in order */
	QualCost filter;      /* of the local filter, per row */
	QualCost target;      /* of the projection */
} ScyllaScanLoad;

extern void scylla_cost_scan(const ScyllaScanLoad *load, Cost *startup, Cost *total);

/* The total where only that part of a scan's rows is asked for. */
extern Cost scylla_cost_part(Cost startup, Cost total, double part);

/* Of aggregates that the server computes. */
typedef struct ScyllaAnswerLoad
{
	const ScyllaOptions *options;
	const Path *scan; /* of the rows that are aggregated */
	double pieces;    /* of the ring; 0: it is not asked for by pieces */
	double rows;      /* groups, or 1 */
	bool is_total;    /* the only row comes after all that is read */
} ScyllaAnswerLoad;

extern void scylla_cost_answer(const ScyllaAnswerLoad *load, Cost *startup, Cost *total);

/* The costs of a scan with parameters, made those of one of so many runs in a lookup join. */
extern void scylla_cost_lookup(const ScyllaOptions *options, double lookups, Cost *startup,
							   Cost *total);

#endif /* SCYLLA_COST_H */
