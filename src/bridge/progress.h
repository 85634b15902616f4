/*
 * How far the writes of all backends are: a slot of shared memory for each statement that has
 * many of them. For the view scylla_write_progress.
 */
#ifndef SCYLLA_PROGRESS_H
#define SCYLLA_PROGRESS_H

#include "postgres.h"

#include "datatype/timestamp.h"

typedef struct ScyllaProgressSlot ScyllaProgressSlot;

typedef struct ScyllaProgress
{
	int pid;
	Oid databaseid;
	Oid userid; /* whose statement it is */
	Oid relid;
	TimestampTz start;
	uint64 sent; /* rows */
	uint64 acknowledged;
	uint64 failed;
	uint64 bytes; /* of their values */
} ScyllaProgress;

/* A slot for a statement that writes to a relation; NULL: none is free, and it is not shown. */
extern ScyllaProgressSlot *scylla_progress_begin(Oid relid);

/* Tell how far it is: sent, acknowledged, failed and bytes of the progress. */
extern void scylla_progress_update(ScyllaProgressSlot *slot, const ScyllaProgress *progress);

extern void scylla_progress_end(ScyllaProgressSlot *slot);

/* The next statement at or behind *index, which is set behind it; false: there is none. Its numbers
 * may be of slightly different moments. */
extern bool scylla_progress_next(int *index, ScyllaProgress *progress);

#endif /* SCYLLA_PROGRESS_H */
