/*
 * Reads pieces of a table's ring, several of them asked for ahead: rows for ANALYZE.
 */
#ifndef SCYLLA_RING_READER_H
#define SCYLLA_RING_READER_H

#include "postgres.h"

#include "executor/tuptable.h"
#include "utils/rel.h"

#include "bridge/session.h"
#include "catalog/table.h"

/* The part of the ring that a piece is. */
extern double scylla_ring_fraction(cql_token_range piece);

typedef enum ScyllaRingContent
{
	SCYLLA_RING_ROWS, /* whole rows */
	SCYLLA_RING_KEYS  /* each partition key once; the other columns read as NULL */
} ScyllaRingContent;

typedef struct ScyllaRingReader ScyllaRingReader;

/* In CurrentMemoryContext; session must be pinned while it is used. */
extern ScyllaRingReader *scylla_ring_reader_new(ScyllaSession *session, Relation relation,
												const ScyllaTable *table,
												ScyllaRingContent content);

/* Begin with a list of pieces, which must live until the reader is through with them. */
extern void scylla_ring_reader_start(ScyllaRingReader *reader, const cql_token_range *pieces,
									 int count);

/* Go on to the next piece, whether this one was read to its end or not; false: that was the last. */
extern bool scylla_ring_reader_next_piece(ScyllaRingReader *reader);

/*
 * Store the next row of the piece, in the order of the ring, in the slot: in CurrentMemoryContext,
 * good until the next call. False: the piece has no more.
 */
extern bool scylla_ring_reader_next(ScyllaRingReader *reader, TupleTableSlot *slot);

/* Of the row at hand. */
extern int64 scylla_ring_reader_token(const ScyllaRingReader *reader);

/* Mean size of the rows received so far, in bytes; 0: there were none. */
extern double scylla_ring_reader_row_bytes(const ScyllaRingReader *reader);

/* Abandon what is in flight. */
extern void scylla_ring_reader_end(ScyllaRingReader *reader);

#endif /* SCYLLA_RING_READER_H */
