/*
 * Assignments that CQL makes by an operation of its own, without the value that stands there: what
 * is added to a counter or a collection, or taken from it. Private to plan/.
 */
#ifndef SCYLLA_DELTA_H
#define SCYLLA_DELTA_H

#include "postgres.h"

#include "catalog/table.h"
#include "nodes/pathnodes.h"
#include "plan/modify_plan.h"

/* column = column + value, and so on. */
typedef struct ScyllaDelta
{
	AttrNumber attnum;
	ScyllaAssign assign; /* ADD, SUBTRACT or PREPEND */
	Expr *value;         /* in terms of the rows that the UPDATE reads */
} ScyllaDelta;

/*
 * The assignments of an UPDATE that are exactly such operations (a list of ScyllaDelta). None where
 * a trigger could change what is assigned, nor for a table that is updated as a child of another.
 */
extern List *scylla_deltas_of(PlannerInfo *root, Index rtindex, const ScyllaTable *table,
							  Relation relation);

#endif /* SCYLLA_DELTA_H */
