/*
 * What the planner's callbacks keep between each other: about a relation, and about a path.
 * Private to plan/.
 */
#ifndef SCYLLA_REL_PLAN_H
#define SCYLLA_REL_PLAN_H

#include "postgres.h"

#include "nodes/pathnodes.h"
#include "plan/cost.h"
#include "plan/lookup_plan.h"
#include "plan/scan_plan.h"

/* Of a foreign table: RelOptInfo.fdw_private. */
typedef struct ScyllaRelPlan
{
	ScyllaTable *table;
	/* The same without remote filters: neither server sorts against the table's own order what it
	 * finds by an index, and it goes by one as soon as a filter is sent, known here or not. */
	ScyllaTable *unfiltered;
	ScyllaSizes sizes;
	List *quals;          /* ScyllaQual of each of baserestrictinfo */
	List *judged;         /* every ScyllaQual that was made, join clauses' too */
	List *result_reasons; /* why PostgreSQL computes what could have been the server's: lists of
						   * two String nodes, what and why */
} ScyllaRelPlan;

/* Tell by EXPLAIN of the scan, once, what is computed here rather than by the server, and why. */
extern void scylla_rel_tell(ScyllaRelPlan *plan, const char *what, const char *reason);

/* The ScyllaQual of each RestrictInfo but for pseudoconstants; each is judged once. */
extern List *scylla_rel_quals(PlannerInfo *root, RelOptInfo *rel, List *clauses);

/*
 * What a path gives beside the rows of its relation: the only element of ForeignPath.fdw_private,
 * or there is none and the rows come in any order, all of them. Which clauses are sent is no part
 * of it: that follows from the relations that the path takes parameters from.
 */
typedef struct ScyllaPathShape
{
	int order_count;
	ScyllaScanOrder *orders;
	bool is_reversed;
	const ScyllaColumn *empty_column; /* whose empty values are asked for by an arm of their own */
	Expr *limit;                      /* bigint, NULL: all rows; or NULL */
	bool is_limit_exact;
	bool is_distinct;
	int partition_limit;
	int ring_pieces;          /* the whole ring is asked for in so many pieces; 0: at once */
	ScyllaLookupPlan *lookup; /* of the join that it is a part of; or NULL */
} ScyllaPathShape;

/* The table as a path of that shape (NULL: of none) may ask for it. */
static inline const ScyllaTable *
scylla_shaped_table(const ScyllaRelPlan *plan, const ScyllaPathShape *shape)
{
	return shape != NULL && shape->is_reversed ? plan->unfiltered : plan->table;
}

/* The shape of a path, or NULL. */
static inline const ScyllaPathShape *
scylla_path_shape(const ForeignPath *path)
{
	return path->fdw_private != NIL ? linitial(path->fdw_private) : NULL;
}

#endif /* SCYLLA_REL_PLAN_H */
