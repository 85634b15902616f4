/*
 * What would make a scan of the whole ring a read of partitions, for the option full_scan.
 * Private to plan/.
 */
#ifndef SCYLLA_FULL_SCAN_H
#define SCYLLA_FULL_SCAN_H

#include "postgres.h"

#include "catalog/table.h"

/*
 * The partition key columns that none of the quals (of ScyllaQual) compares by = or IN, with commas
 * between them; NULL: each is compared, though in a way that cannot be sent.
 */
extern char *scylla_full_scan_unbound(const ScyllaTable *table, List *quals);

#endif /* SCYLLA_FULL_SCAN_H */
