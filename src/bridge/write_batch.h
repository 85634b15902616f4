/*
 * Consecutive rows of one partition, gathered to go as one unlogged batch: to the server they are one
 * write instead of many. Memory is that of the context current at scylla_write_batch_new().
 *
 * A batch has one timestamp, so that nothing tells which of two of its writes is the later one: no two
 * of its rows have the same key.
 */
#ifndef SCYLLA_WRITE_BATCH_H
#define SCYLLA_WRITE_BATCH_H

#include "bridge/writer.h"

typedef struct ScyllaWriteBatch ScyllaWriteBatch;

/* At most so many rows in one; 0: there are none. */
extern ScyllaWriteBatch *scylla_write_batch_new(int max_rows);

/* Whether the row can go with those that are gathered; if none are, with others at all. */
extern bool scylla_write_batch_takes(const ScyllaWriteBatch *batch, const ScyllaWrite *write);
/* Copies the row, which it takes. */
extern void scylla_write_batch_add(ScyllaWriteBatch *batch, const ScyllaWrite *write);
/* Those that are gathered, as one write that is valid until the next row is added; false: none are. */
extern bool scylla_write_batch_take(ScyllaWriteBatch *batch, ScyllaWrite *write);

#endif /* SCYLLA_WRITE_BATCH_H */
