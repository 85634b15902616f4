/*
 * What the rows of a statement become: one of its plan's CQL texts, prepared, with a converter for
 * each value. Tells also what the prepared statement allows: in which order the values go, and
 * whether rows may share a request.
 */
#ifndef SCYLLA_WRITE_TARGET_H
#define SCYLLA_WRITE_TARGET_H

#include "postgres.h"

#include "bridge/cursor.h"
#include "bridge/session.h"
#include "bridge/writer.h"
#include "plan/modify_plan.h"
#include "types/typemap.h"
#include "utils/relcache.h"

/* What a statement writes to, and how. */
typedef struct ScyllaWriteTable
{
	const ScyllaModifyPlan *plan;
	Relation relation;
	char *remote_name;
	ScyllaSession *session;
	bool has_static;        /* the plan writes a static column */
	const cql_type **types; /* by column, once a target that binds it is made */
} ScyllaWriteTable;

/* A CQL text of the plan, prepared. */
typedef struct ScyllaWriteTarget
{
	ScyllaModifyTarget kind;
	ScyllaStatement *statement;
	ScyllaTimeoutPlace timeout;
	int bind_count;               /* but for the timeout's */
	int *order;                   /* columns, in the order of the bind variables */
	bool is_in_order;             /* of the plan's columns */
	ScyllaStatement *shared;      /* for rows in a batch; NULL: there are none */
	ScyllaConverter **converters; /* by column */
} ScyllaWriteTarget;

/* In CurrentMemoryContext; the table must outlive it, and learns the types. Raises what a table that
 * changed remotely does not allow. */
extern ScyllaWriteTarget *scylla_write_target_new(const ScyllaWriteTable *table,
												  ScyllaModifyTarget kind);

#endif /* SCYLLA_WRITE_TARGET_H */
