/*
 * Rows on their way out: a row's values, column by column of a ScyllaModifyPlan, become one request
 * of the statement's writer. Prepares what it needs at the first row.
 */
#ifndef SCYLLA_WRITE_ROW_H
#define SCYLLA_WRITE_ROW_H

#include "postgres.h"

#include "nodes/execnodes.h"
#include "utils/rel.h"

#include "bridge/cursor.h"
#include "bridge/writer.h"
#include "plan/modify_plan.h"

/* What a row gives to a column of the plan. */
typedef struct ScyllaRowValue
{
	Datum value;
	bool is_null;
	bool is_left_out; /* the row says nothing about it */
} ScyllaRowValue;

typedef struct ScyllaRowWriter ScyllaRowWriter;

/* In CurrentMemoryContext, in which plan and relation must live. The session is pinned, owner is the
 * executor's state (see scylla_writers_settle). */
extern ScyllaRowWriter *scylla_row_writer_new(const ScyllaModifyPlan *plan, Relation relation,
											  ScyllaSession *session, const EState *owner);

/* The values of the row that is sent next, as many as the plan has columns: to be filled. */
extern ScyllaRowValue *scylla_row_writer_values(ScyllaRowWriter *rows);

/*
 * Send the row. is_applied is NULL, or of a conditional plan set once the writer is drained. Errors
 * of its values name the row's key as far as it is known. What it allocates is freed again.
 */
extern void scylla_row_writer_send(ScyllaRowWriter *rows, bool *is_applied);

/* From now on rows wait until finish(): for a statement that reads what it writes. Not for a
 * conditional plan. */
extern void scylla_row_writer_defer(ScyllaRowWriter *rows);

/* Send what waits, and return when all is acknowledged; raises the first error. */
extern void scylla_row_writer_finish(ScyllaRowWriter *rows);

extern ScyllaWriter *scylla_row_writer_writer(ScyllaRowWriter *rows);

#endif /* SCYLLA_WRITE_ROW_H */
