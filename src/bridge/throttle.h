/*
 * So many rows a second, of a foreign table and in this backend: holds back whoever is ahead of
 * time.
 */
#ifndef SCYLLA_THROTTLE_H
#define SCYLLA_THROTTLE_H

#include "postgres.h"

typedef enum ScyllaThrottleUse
{
	SCYLLA_THROTTLE_READ,
	SCYLLA_THROTTLE_WRITE
} ScyllaThrottleUse;

typedef struct ScyllaThrottle ScyllaThrottle;

/* The throttle of a foreign table, with this rate (rows per second) from now on; NULL where that is
 * 0: no limit. It lives as long as the backend. */
extern ScyllaThrottle *scylla_throttle_get(Oid relid, ScyllaThrottleUse use, int rate);

/* So many rows go now: wait until they may. Cancel and termination leave by ereport. */
extern void scylla_throttle(ScyllaThrottle *throttle, int rows);

#endif /* SCYLLA_THROTTLE_H */
