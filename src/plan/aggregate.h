/*
 * Which aggregates CQL can answer, and by which expressions. Private to plan/.
 */
#ifndef SCYLLA_AGGREGATE_H
#define SCYLLA_AGGREGATE_H

#include "postgres.h"

#include "nodes/primnodes.h"
#include "plan/rel_plan.h"

/* Columns and aggregates of a contract in the making. */
typedef struct ScyllaAggregation
{
	List *columns;     /* of ScyllaFetchColumn */
	List *aggregates;  /* of ScyllaScanAggregate */
	List *group_names; /* String nodes */
	bool has_static;   /* whether a static column is selected, */
	bool has_other;    /* and whether a clustering or regular one is */
} ScyllaAggregation;

/*
 * Add an aggregate over the relation's rows, the result's column attnum, with the expressions that
 * it is made of. NULL, or why PostgreSQL has to compute it, in words for EXPLAIN.
 */
extern const char *scylla_aggregate_add(RelOptInfo *rel, const Aggref *aggref, AttrNumber attnum,
										ScyllaAggregation *aggregation);

/* Add a column by whose values the rows are grouped, the result's column attnum. */
extern void scylla_aggregate_add_group(const ScyllaColumn *column, AttrNumber attnum,
									   ScyllaAggregation *aggregation);

/* Select a column for no part of the result, where static ones alone would be. */
extern void scylla_aggregate_mix(const ScyllaColumn *column, ScyllaAggregation *aggregation);

#endif /* SCYLLA_AGGREGATE_H */
