/*
 * Order and number of the rows of a scan: what the clustering order gives, and whether LIMIT can
 * go to the server. Private to plan/.
 */
#ifndef SCYLLA_ORDER_H
#define SCYLLA_ORDER_H

#include "postgres.h"

#include "plan/rel_plan.h"
#include "plan/scan.h"

/*
 * The useful pathkeys that the rows of a scan come sorted by, in the shape's direction, and in the
 * shape what they are made of; NIL: none are.
 */
extern List *scylla_order_pathkeys(PlannerInfo *root, RelOptInfo *rel, const ScyllaScanParts *parts,
								   ScyllaPathShape *shape);

/*
 * Set the shape's limit where the query takes no more than so many of the rows with these pathkeys;
 * and tell how many of so many rows that leaves, by estimate.
 */
extern double scylla_order_limit(PlannerInfo *root, RelOptInfo *rel, const ScyllaScanParts *parts,
								 List *pathkeys, double rows, ScyllaPathShape *shape);

/*
 * Whether one row of each partition, which the query's DISTINCT ON takes, is the first one as CQL
 * has it.
 */
extern bool scylla_order_first_rows(PlannerInfo *root, RelOptInfo *rel,
									const ScyllaScanParts *parts);

/*
 * Have the server leave out the rows that the executor would drop: those whose column of a range
 * has an empty value. False: that's not possible.
 */
extern bool scylla_order_exclude_empty(ScyllaScanParts *parts);

/* Put a path's shape (NULL: none) into the contract. Returns attributes, which are as
 * pull_varattnos makes them, with those that the shape needs. */
extern Bitmapset *scylla_order_apply(const ScyllaPathShape *shape, const ScyllaTable *table,
									 ScyllaScanParts *parts, Bitmapset *attributes);

/* One more condition behind the arm's, all zero. */
extern ScyllaScanCondition *scylla_order_add_condition(ScyllaScanArm *arm);

/*
 * Whether a column of the scan may read as NULL because of an empty value. The row of a partition
 * with static columns alone doesn't count: it is the only row of its partition.
 */
extern bool scylla_may_be_empty(RelOptInfo *rel, const ScyllaTable *table,
								const ScyllaColumn *column);

#endif /* SCYLLA_ORDER_H */
