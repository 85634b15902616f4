/*
 * Holds rows back so that no more than the rate go. Who was late does not catch up by more than
 * a moment's rows; the loop turns meanwhile. What one statement was ahead of time the next one of
 * this backend waits for.
 */
#include "postgres.h"

#include "bridge/throttle.h"

#include "bridge/wait.h"
#include "utils/hsearch.h"

/* Rows of so much time go at once. */
#define BURST_US (20 * 1000)

typedef struct ThrottleKey
{
	Oid relid;
	ScyllaThrottleUse use;
} ThrottleKey;

struct ScyllaThrottle
{
	ThrottleKey key;
	int rate;      /* rows per second */
	uint64 due_us; /* when the next row may go */
};

static HTAB *throttles = NULL;

ScyllaThrottle *
scylla_throttle_get(Oid relid, ScyllaThrottleUse use, int rate)
{
	ThrottleKey key = {relid, use};
	ScyllaThrottle *throttle;
	bool is_found;

	if (rate == 0)
		return NULL;
	if (throttles == NULL)
	{
		HASHCTL control = {.keysize = sizeof(ThrottleKey), .entrysize = sizeof(ScyllaThrottle)};

		throttles = hash_create("scylla_fdw throttles", 16, &control, HASH_ELEM | HASH_BLOBS);
	}
	throttle = hash_search(throttles, &key, HASH_ENTER, &is_found);
	if (!is_found)
		throttle->due_us = 0;
	throttle->rate = rate;
	return throttle;
}

void
scylla_throttle(ScyllaThrottle *throttle, int rows)
{
	uint64 now_us;

	if (throttle == NULL)
		return;
	now_us = scylla_monotonic_us();
	if (throttle->due_us > now_us + BURST_US)
	{
		scylla_wait_ms((int) ((throttle->due_us - now_us) / 1000));
		now_us = scylla_monotonic_us();
	}
	throttle->due_us = Max(throttle->due_us, now_us) + (uint64) rows * 1000000 / throttle->rate;
}
