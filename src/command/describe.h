/*
 * What the SQL functions about one foreign table share.
 */
#ifndef SCYLLA_DESCRIBE_H
#define SCYLLA_DESCRIBE_H

#include "postgres.h"

/* Lock the relation, and raise 42809 unless it is a foreign table of scylla_fdw. */
extern void scylla_check_foreign_table(Oid relid);

/* Whether the user may read it, or a column of it. */
extern bool scylla_may_read(Oid relid);

/* The first, and raise 42501 unless the second: before the cluster is asked about the table. */
extern void scylla_check_readable_table(Oid relid);

#endif /* SCYLLA_DESCRIBE_H */
