/*
 * The writes of a statement that are in flight, as far as they take room: rows and bytes. What becomes
 * of them is the writer's affair.
 *
 * A slot's buffers stay when it gets another write: rows that follow each other allocate nothing.
 */
#ifndef SCYLLA_WRITE_WINDOW_H
#define SCYLLA_WRITE_WINDOW_H

#include "bridge/write_batch.h"

typedef struct ScyllaWriteSlot
{
	cql_request *request;
	cql_statement *statement; /* borrowed */
	size_t values_len;
	bool *is_applied;
	bool is_idempotent;
	bool is_doubtful; /* sent before, in a batch that may have been applied */
	uint32 partition; /* hash of the routing key, of a conditional write */
	int rows;
	char *key; /* of the only row */
	size_t key_len;
	size_t key_size;
	ScyllaWriteBatch *batch; /* has the rows if there are several; else one to be used, or NULL */
} ScyllaWriteSlot;

/* All but the first two begin as zero. */
typedef struct ScyllaWriteWindow
{
	MemoryContext context; /* of all that it has */
	int max_rows;
	ScyllaWriteSlot *slots;
	int slot_count;
	int in_flight; /* the first so many slots */
	int rows;      /* in them */
	size_t bytes;  /* of their values */
} ScyllaWriteWindow;

/* Whether the write has to wait; and whether there is so much room that it pays to fill it again. */
extern bool scylla_write_window_is_full(const ScyllaWriteWindow *window, const ScyllaWrite *write);
extern bool scylla_write_window_has_room(const ScyllaWriteWindow *window);

/* Whether a conditional write of the partition, by its hash, is in flight. */
extern bool scylla_write_window_has_partition(const ScyllaWriteWindow *window, uint32 partition);

/* The slot behind those in flight, made ready for the write, for which there is room: the key of a
 * single row is in it, and for a batch one that can take its place. add() puts it in flight. */
extern ScyllaWriteSlot *scylla_write_window_reserve(ScyllaWriteWindow *window,
													const ScyllaWrite *write);
extern void scylla_write_window_add(ScyllaWriteWindow *window);

/* The index-th of those in flight, no more so; valid until the next reserve(). */
extern ScyllaWriteSlot *scylla_write_window_take(ScyllaWriteWindow *window, int index);

/* Nobody waits for what is in flight any more. */
extern void scylla_write_window_abandon(ScyllaWriteWindow *window);

#endif /* SCYLLA_WRITE_WINDOW_H */
