/*
 * Whether a statement reads the remote table that it writes.
 */
#ifndef SCYLLA_SELF_READ_H
#define SCYLLA_SELF_READ_H

#include "postgres.h"

#include "nodes/execnodes.h"

#include "plan/modify_plan.h"

/*
 * Whether the plan of a ModifyTable may read a row that it has written, because CQL has no snapshots: an INSERT
 * that reads its table, an UPDATE or DELETE that reads it more than once, or by an index or view
 * whose order the write changes.
 */
extern bool scylla_self_read_find(PlanState *statement, const ScyllaModifyPlan *plan);

#endif /* SCYLLA_SELF_READ_H */
