/*
 * Drift: the server no longer means what a plan believes.
 */
#ifndef SCYLLA_DRIFT_H
#define SCYLLA_DRIFT_H

#include "postgres.h"

#include "bridge/cursor.h"

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

#endif /* SCYLLA_DRIFT_H */
