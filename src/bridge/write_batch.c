/*
 * Gathers rows until one comes that cannot go with them, and knows each of them again. Whether they
 * were sent, and who counts them, is the writer's affair.
 */
#include "postgres.h"

#include "bridge/write_batch.h"

#include "common/hashfn.h"
#include "lib/stringinfo.h"

/* A row, behind the one before it. */
typedef struct BatchRow
{
	int values_end;
	int key_end;
	uint32 key_hash;
} BatchRow;

struct ScyllaWriteBatch
{
	int count;
	ScyllaWrite write; /* the first row's; what it points to is in the buffers */
	StringInfoData values;
	StringInfoData routing_key;
	StringInfoData keys;
	uint64 turn; /* the last row's */
	BatchRow rows[SCYLLA_BATCH_MAX_ROWS];
};

ScyllaWriteBatch *
scylla_write_batch_new(void)
{
	ScyllaWriteBatch *batch = palloc0(sizeof(ScyllaWriteBatch));

	initStringInfo(&batch->values);
	initStringInfo(&batch->routing_key);
	initStringInfo(&batch->keys);
	return batch;
}

void
scylla_write_batch_free(ScyllaWriteBatch *batch)
{
	pfree(batch->values.data);
	pfree(batch->routing_key.data);
	pfree(batch->keys.data);
	pfree(batch);
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
		if (batch->rows[i].key_hash == hash)
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
scylla_write_batch_takes(const ScyllaWriteBatch *batch, const ScyllaWrite *write,
						 const ScyllaBatchLimits *limits)
{
	const ScyllaWrite *first = &batch->write;

	if (write->shared == NULL || batch->count >= limits->rows || write->values_len > limits->bytes)
		return false;
	return batch->count == 0 ||
		   (first->shared == write->shared &&
			batch->values.len + write->values_len <= limits->bytes &&
			(size_t) batch->routing_key.len == write->routing_key_len &&
			memcmp(batch->routing_key.data, write->routing_key, write->routing_key_len) == 0 &&
			has_fitting_time(batch, write) && !has_key(batch, hash_key(write)));
}

void
scylla_write_batch_add(ScyllaWriteBatch *batch, const ScyllaWrite *write)
{
	BatchRow *row = &batch->rows[batch->count++];

	if (batch->count == 1)
	{
		batch->write = *write;
		appendBinaryStringInfo(&batch->routing_key, write->routing_key,
							   (int) write->routing_key_len);
	}
	appendBinaryStringInfo(&batch->values, write->values, (int) write->values_len);
	appendBinaryStringInfo(&batch->keys, write->key, (int) write->key_len);
	row->values_end = batch->values.len;
	row->key_end = batch->keys.len;
	row->key_hash = hash_key(write);
	batch->turn = write->turn;
	batch->write.is_idempotent &= write->is_idempotent;
}

void
scylla_write_batch_doubt(ScyllaWriteBatch *batch)
{
	batch->write.is_doubtful = true;
}

void
scylla_write_batch_clear(ScyllaWriteBatch *batch)
{
	batch->count = 0;
	resetStringInfo(&batch->values);
	resetStringInfo(&batch->routing_key);
	resetStringInfo(&batch->keys);
}

int
scylla_write_batch_count(const ScyllaWriteBatch *batch)
{
	return batch->count;
}

ScyllaWrite
scylla_write_batch_row(const ScyllaWriteBatch *batch, int index)
{
	const BatchRow *row = &batch->rows[index];
	int values_start = index > 0 ? row[-1].values_end : 0;
	int key_start = index > 0 ? row[-1].key_end : 0;
	ScyllaWrite write = batch->write;

	write.values = batch->values.data + values_start;
	write.values_len = row->values_end - values_start;
	write.routing_key = batch->routing_key.data;
	write.key = batch->keys.data + key_start;
	write.key_len = row->key_end - key_start;
	return write;
}

ScyllaWrite
scylla_write_batch_all(const ScyllaWriteBatch *batch)
{
	ScyllaWrite write = scylla_write_batch_row(batch, 0);

	if (batch->count == 1)
		return write;
	write.statement = write.shared;
	write.timeout = SCYLLA_TIMEOUT_NONE;
	write.values_len = batch->values.len;
	write.more_rows = batch->count - 1;
	return write;
}
