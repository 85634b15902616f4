/*
 * Drift: the server no longer means what a plan believes.
 */
#ifndef SCYLLA_DRIFT_H
#define SCYLLA_DRIFT_H

#include "postgres.h"

#include "bridge/cursor.h"
#include "plan/scan_plan.h"

/* Where the server differs from the plan. */
typedef struct ScyllaDrift
{
	const char *column; /* NULL: the number of columns or bind variables differs */
	const cql_type *actual;
	const char *expected;
} ScyllaDrift;

/* Whether a type of the server's is the one that a plan has as text. */
extern bool scylla_drift_is_type(const cql_type *actual, const char *expected);

/* Raise HV021; what is cached of the statement and of the remote schema is forgotten. */
extern void scylla_drift_raise(ScyllaSession *session, const ScyllaStatement *statement,
							   const char *local_table, const char *remote_table,
							   const ScyllaDrift *drift) __attribute__((noreturn));

/*
 * The server has called a statement invalid. Read the schema of the foreign table's remote side
 * anew, and raise HV021 if its key is not the one that the foreign table was planned with, or the
 * index or view that the plan (NULL: of a write) goes by is gone. Returns where that is not why.
 */
extern void scylla_drift_explain(ScyllaSession *session, Oid relid, const ScyllaScanPlan *plan);

/*
 * The same before a DELETE of rows, which CQL takes as one of ranges of them where the remote
 * clustering key has become longer than so many columns: nobody else notices it. Asks the cluster
 * only if this backend does not know the schema.
 */
extern void scylla_drift_check_delete(ScyllaSession *session, Oid relid, int clustering_count);

#endif /* SCYLLA_DRIFT_H */
