/*
 * Running a DELETE whose rows nobody reads: the executor's callbacks, and the state that EXPLAIN
 * reads.
 */
#ifndef SCYLLA_EXEC_DIRECT_DELETE_H
#define SCYLLA_EXEC_DIRECT_DELETE_H

#include "postgres.h"

#include "foreign/fdwapi.h"

#include "bridge/writer.h"
#include "exec/probe.h"
#include "exec/variant.h"
#include "plan/modify_plan.h"

/* Owned by the executor's query context; lives until the end of the query. */
typedef struct ScyllaDirectState
{
	ScyllaDirectPlan *plan;
	Oid userid;
	ScyllaRemote remote;
	ScyllaParams *params;
	ScyllaProbes *probes;
	/* once there is something to delete */
	const cql_statement *statement; /* with all conditions */
	ScyllaWriter *writer;
	bool is_done;
} ScyllaDirectState;

extern void scyllaBeginDirectModify(ForeignScanState *node, int eflags);
extern TupleTableSlot *scyllaIterateDirectModify(ForeignScanState *node);
extern void scyllaEndDirectModify(ForeignScanState *node);

#endif /* SCYLLA_EXEC_DIRECT_DELETE_H */
