/*
 * Gathers rows until one comes that cannot go with them. What is gathered was not sent, and nobody
 * counts it yet.
 */
#include "postgres.h"

#include "bridge/write_batch.h"

#include "common/hashfn.h"
#include "lib/stringinfo.h"

/* Measured: ten rows at once cost the server a third of ten single ones, more bring little more. */
#define MAX_ROWS 64
#define MAX_BYTES (16 * 1024)

struct ScyllaWriteBatch
{
	int max_rows;
	int count;
	ScyllaWrite write; /* the first row's; what it points to is in the buffers */
	StringInfoData values;
	StringInfoData routing_key;
	StringInfoData key;
	StringInfoData last_key;
	uint64 turn;             /* the last row's */
	uint32 hashes[MAX_ROWS]; /* of the keys, in the order of the rows */
};

ScyllaWriteBatch *
scylla_write_batch_new(int max_rows)
{
	ScyllaWriteBatch *batch = palloc0(sizeof(ScyllaWriteBatch));

	batch->max_rows = Min(max_rows, MAX_ROWS);
	initStringInfo(&batch->values);
	initStringInfo(&batch->routing_key);
	initStringInfo(&batch->key);
	initStringInfo(&batch->last_key);
	return batch;
}

/* Keys come as errors show them, long ones cut: the same hash means that rows may have the same key. */
static uint32
hash_key(const ScyllaWrite *write)
{
	return hash_bytes((const unsigned char *) write->key, (int) write->key_len);
}

static bool
has_key(const ScyllaWriteBatch *batch, uint32 hash)
{
	for (int i = 0; i < batch->count; i++)
		if (batch->hashes[i] == hash)
			return true;
	return false;
}

/* The backend's own timestamps only order writes: what a trigger or function wrote between two rows
 * has to stay between them. Those that rows bring along are data. */
static bool
has_fitting_time(const ScyllaWriteBatch *batch, const ScyllaWrite *write)
{
	if (batch->write.is_time_given != write->is_time_given)
		return false;
	return write->is_time_given ? batch->write.timestamp_us == write->timestamp_us
								: batch->turn + 1 == write->turn;
}

bool
scylla_write_batch_takes(const ScyllaWriteBatch *batch, const ScyllaWrite *write)
{
	const ScyllaWrite *first = &batch->write;

	if (!write->can_share || batch->count >= batch->max_rows || write->values_len > MAX_BYTES)
		return false;
	return batch->count == 0 ||
		   (first->statement == write->statement &&
			batch->values.len + write->values_len <= MAX_BYTES &&
			(size_t) batch->routing_key.len == write->routing_key_len &&
			memcmp(batch->routing_key.data, write->routing_key, write->routing_key_len) == 0 &&
			has_fitting_time(batch, write) && !has_key(batch, hash_key(write)));
}

static void
copy_bytes(StringInfo to, const char *bytes, size_t len)
{
	resetStringInfo(to);
	appendBinaryStringInfo(to, bytes, (int) len);
}

void
scylla_write_batch_add(ScyllaWriteBatch *batch, const ScyllaWrite *write)
{
	if (batch->count == 0)
	{
		batch->write = *write;
		resetStringInfo(&batch->values);
		copy_bytes(&batch->routing_key, write->routing_key, write->routing_key_len);
		copy_bytes(&batch->key, write->key, write->key_len);
	}
	else
		copy_bytes(&batch->last_key, write->key, write->key_len);
	appendBinaryStringInfo(&batch->values, write->values, (int) write->values_len);
	batch->turn = write->turn;
	batch->hashes[batch->count++] = hash_key(write);
}

bool
scylla_write_batch_take(ScyllaWriteBatch *batch, ScyllaWrite *write)
{
	if (batch->count == 0)
		return false;
	*write = batch->write;
	write->values = batch->values.data;
	write->values_len = batch->values.len;
	write->routing_key = batch->routing_key.data;
	write->key = batch->key.data;
	write->more_rows = batch->count - 1;
	write->last_key = batch->last_key.data;
	write->last_key_len = write->more_rows > 0 ? batch->last_key.len : 0;
	batch->count = 0;
	return true;
}
