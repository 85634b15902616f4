/*
 * What a transaction of PostgreSQL means for writes that CQL cannot undo: a WARNING where it
 * aborts, a refusal where it is to be prepared, and timestamps in the order of the statements.
 */
#ifndef SCYLLA_TRANSACTION_H
#define SCYLLA_TRANSACTION_H

#include "postgres.h"

/* Nesting of the running (sub-)transaction: to whom writes of a statement that begins now belong. */
extern int scylla_transaction_level(void);

/* So many writes of a level's statement were sent, or (negative) turned out to be refused. */
extern void scylla_transaction_count(int level, int64 writes);

/* Microseconds since 1970, later than any that this backend got before; and how many those are. */
extern int64 scylla_write_timestamp_us(void);
extern uint64 scylla_write_timestamp_count(void);

#endif /* SCYLLA_TRANSACTION_H */
