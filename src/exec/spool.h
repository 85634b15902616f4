/*
 * Encoded rows that wait in a temporary file, in the order in which they came.
 */
#ifndef SCYLLA_SPOOL_H
#define SCYLLA_SPOOL_H

#include "postgres.h"

#include "bridge/writer.h"
#include "plan/modify_plan.h"

typedef struct ScyllaSpool ScyllaSpool;

/* In CurrentMemoryContext; its file goes with the resource owner. */
extern ScyllaSpool *scylla_spool_new(void);

/* Everything of the write is kept but for its statement and is_applied: the target tells them. */
extern void scylla_spool_put(ScyllaSpool *spool, const ScyllaWrite *write,
							 ScyllaModifyTarget target);

/* Take the next row out, from the first on; false behind the last, and the spool is empty again.
 * What the write points to is the spool's, until the next call. */
extern bool scylla_spool_take(ScyllaSpool *spool, ScyllaWrite *write, ScyllaModifyTarget *target);

#endif /* SCYLLA_SPOOL_H */
