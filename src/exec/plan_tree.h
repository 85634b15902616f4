/*
 * Where a node stands in its statement's plan.
 */
#ifndef SCYLLA_PLAN_TREE_H
#define SCYLLA_PLAN_TREE_H

#include "postgres.h"

#include "nodes/plannodes.h"

/* The nodes above one, the nearest first; NIL: there is none, or it is no part of the statement. */
extern List *scylla_plan_ancestors(const PlannedStmt *statement, const Plan *target);

#endif /* SCYLLA_PLAN_TREE_H */
