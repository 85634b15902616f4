/*
 * Slots in flight come first, in any order: one that is done changes places with the last of them.
 */
#include "postgres.h"

#include "bridge/write_window.h"

/* Values in flight of one statement, together; a single larger row goes alone. */
#define MAX_BYTES (16 * 1024 * 1024)
#define MIN_SLOTS 16
/* The part of the window that has to be free before it is filled again. */
#define ROOM 8

bool
scylla_write_window_is_full(const ScyllaWriteWindow *window, const ScyllaWrite *write)
{
	return window->in_flight > 0 && (window->rows + 1 + write->more_rows > window->max_rows ||
									 window->bytes + write->values_len > MAX_BYTES);
}

bool
scylla_write_window_has_room(const ScyllaWriteWindow *window)
{
	int room = (window->max_rows + ROOM - 1) / ROOM;

	return window->rows <= window->max_rows - room && window->bytes <= MAX_BYTES - MAX_BYTES / ROOM;
}

bool
scylla_write_window_has_partition(const ScyllaWriteWindow *window, uint32 partition)
{
	for (int i = 0; i < window->in_flight; i++)
		if (window->slots[i].partition == partition)
			return true;
	return false;
}

/* What is known of a row that is in flight is its key. */
static void
keep_key(const ScyllaWriteWindow *window, ScyllaWriteSlot *slot, const ScyllaWrite *write)
{
	if (slot->key_size < write->key_len)
	{
		if (slot->key != NULL)
			pfree(slot->key);
		slot->key_size = 2 * write->key_len;
		slot->key = MemoryContextAlloc(window->context, slot->key_size);
	}
	memcpy(slot->key, write->key, write->key_len);
	slot->key_len = write->key_len;
}

static void
make_spare(const ScyllaWriteWindow *window, ScyllaWriteSlot *slot)
{
	MemoryContext caller = MemoryContextSwitchTo(window->context);

	if (slot->batch == NULL)
		slot->batch = scylla_write_batch_new();
	MemoryContextSwitchTo(caller);
}

static void
grow(ScyllaWriteWindow *window)
{
	int count = Min(Max(MIN_SLOTS, 2 * window->slot_count), window->max_rows);
	size_t size = count * sizeof(ScyllaWriteSlot);

	if (window->slots == NULL)
		window->slots = MemoryContextAlloc(window->context, size);
	else
		window->slots = repalloc(window->slots, size);
	memset(window->slots + window->slot_count, 0,
		   (count - window->slot_count) * sizeof(ScyllaWriteSlot));
	window->slot_count = count;
}

ScyllaWriteSlot *
scylla_write_window_reserve(ScyllaWriteWindow *window, const ScyllaWrite *write)
{
	ScyllaWriteSlot *slot;

	if (window->in_flight == window->slot_count)
		grow(window);
	slot = &window->slots[window->in_flight];
	if (write->more_rows > 0)
		make_spare(window, slot);
	else
		keep_key(window, slot, write);
	slot->rows = 1 + write->more_rows;
	slot->statement = write->statement;
	slot->values_len = write->values_len;
	slot->is_applied = write->is_applied;
	slot->is_idempotent = write->is_idempotent;
	slot->is_doubtful = write->is_doubtful;
	return slot;
}

void
scylla_write_window_add(ScyllaWriteWindow *window)
{
	const ScyllaWriteSlot *slot = &window->slots[window->in_flight++];

	window->rows += slot->rows;
	window->bytes += slot->values_len;
}

ScyllaWriteSlot *
scylla_write_window_take(ScyllaWriteWindow *window, int index)
{
	ScyllaWriteSlot taken = window->slots[index];
	ScyllaWriteSlot *last = &window->slots[--window->in_flight];

	window->slots[index] = *last;
	*last = taken;
	window->rows -= taken.rows;
	window->bytes -= taken.values_len;
	return last;
}

void
scylla_write_window_abandon(ScyllaWriteWindow *window)
{
	for (int i = 0; i < window->in_flight; i++)
		cql_request_free(window->slots[i].request);
	window->in_flight = 0;
}
