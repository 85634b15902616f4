/*
 * So many rows a second: holds back whoever is ahead of time.
 */
#ifndef SCYLLA_THROTTLE_H
#define SCYLLA_THROTTLE_H

#include "postgres.h"

#include "datatype/timestamp.h"

/* Zero, but for the rate, is a new one. */
typedef struct ScyllaThrottle
{
	int rate;        /* rows per second; 0: no limit */
	TimestampTz due; /* when the next row may go */
} ScyllaThrottle;

/* So many rows go now: wait until they may. Cancel and termination leave by ereport. */
extern void scylla_throttle(ScyllaThrottle *throttle, int rows);

#endif /* SCYLLA_THROTTLE_H */
