/*
 * What this backend has noticed about remote tables while it read them; for scylla_check().
 */
#ifndef SCYLLA_USAGE_H
#define SCYLLA_USAGE_H

#include "postgres.h"

typedef struct ScyllaUsage
{
	uint64 full_scans;
	uint64
		tombstone_pages; /* of which the server warns, or that have no rows but are not the last */
} ScyllaUsage;

/* Of a server's table (keyspace.table), made at its first use; lives as long as the backend. */
extern ScyllaUsage *scylla_usage_of(Oid serverid, const char *relation);

#endif /* SCYLLA_USAGE_H */
