/*
 * What the SQL functions about one foreign table share.
 */
#ifndef SCYLLA_DESCRIBE_H
#define SCYLLA_DESCRIBE_H

#include "postgres.h"

/* Lock the relation, and raise 42809 unless it is a foreign table of scylla_fdw. */
extern void scylla_check_foreign_table(Oid relid);

#endif /* SCYLLA_DESCRIBE_H */
