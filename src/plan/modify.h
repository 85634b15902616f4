/*
 * The planner's callbacks for writes.
 */
#ifndef SCYLLA_PLAN_MODIFY_H
#define SCYLLA_PLAN_MODIFY_H

#include "postgres.h"

#include "foreign/fdwapi.h"

extern int scyllaIsForeignRelUpdatable(Relation relation);
extern void scyllaAddForeignUpdateTargets(PlannerInfo *root, Index rtindex, RangeTblEntry *rte,
										  Relation relation);
extern List *scyllaPlanForeignModify(PlannerInfo *root, ModifyTable *plan, Index result_relation,
									 int subplan_index);

/* Turns the scan below a DELETE into the DELETE itself, where that means the same. */
extern bool scyllaPlanDirectModify(PlannerInfo *root, ModifyTable *plan, Index result_relation,
								   int subplan_index);

#endif /* SCYLLA_PLAN_MODIFY_H */
