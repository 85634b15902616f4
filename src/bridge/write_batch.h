/*
 * Consecutive rows of one partition, gathered to go as one unlogged batch: to the server they are one
 * write instead of many. Memory is that of the context current at scylla_write_batch_new(). What was
 * sent stays until it is cleared, for a batch that fails goes again row by row.
 *
 * A batch has one timestamp, so that nothing tells which of two of its writes is the later one: no two
 * of its rows have the same key.
 */
#ifndef SCYLLA_WRITE_BATCH_H
#define SCYLLA_WRITE_BATCH_H

#include "bridge/writer.h"

typedef struct ScyllaWriteBatch ScyllaWriteBatch;

typedef struct ScyllaBatchLimits
{
	int rows; /* of a batch; 0: there are none */
	size_t bytes;
} ScyllaBatchLimits;

/* Measured: ten rows at once cost the server a third of ten single ones, more bring little more. */
#define SCYLLA_BATCH_MAX_ROWS 64
#define SCYLLA_BATCH_MAX_BYTES (16 * 1024)
/* Less is nowhere too much. */
#define SCYLLA_BATCH_MIN_BYTES 1024

extern ScyllaWriteBatch *scylla_write_batch_new(void);
extern void scylla_write_batch_free(ScyllaWriteBatch *batch);

/* Whether the row can go with those that are gathered; if none are, with others at all. */
extern bool scylla_write_batch_takes(const ScyllaWriteBatch *batch, const ScyllaWrite *write,
									 const ScyllaBatchLimits *limits);
/* Copies the row, which it takes. */
extern void scylla_write_batch_add(ScyllaWriteBatch *batch, const ScyllaWrite *write);
/* It may have been applied: its rows say so. */
extern void scylla_write_batch_doubt(ScyllaWriteBatch *batch);
extern void scylla_write_batch_clear(ScyllaWriteBatch *batch);

extern int scylla_write_batch_count(const ScyllaWriteBatch *batch);
/* Those that are gathered, of which there are some, as one write; valid as long as they are. */
extern ScyllaWrite scylla_write_batch_all(const ScyllaWriteBatch *batch);
/* One of them; also valid so long. */
extern ScyllaWrite scylla_write_batch_row(const ScyllaWriteBatch *batch, int index);

#endif /* SCYLLA_WRITE_BATCH_H */
