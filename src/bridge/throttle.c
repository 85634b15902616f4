/*
 * Holds rows back so that no more than the rate go. Who was late does not catch up by more than
 * a moment's rows; the loop turns meanwhile. What one statement was ahead of time the next one of
 * this backend waits for.
 */
#include "postgres.h"

#include "bridge/throttle.h"

#include "bridge/wait.h"
#include "utils/hsearch.h"
#include "utils/timestamp.h"

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
	int rate;        /* rows per second */
	TimestampTz due; /* when the next row may go */
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
		throttle->due = 0;
	throttle->rate = rate;
	return throttle;
}

static bool
is_never(void *argument)
{
	return false;
}

void
scylla_throttle(ScyllaThrottle *throttle, int rows)
{
	TimestampTz now;

	if (throttle == NULL)
		return;
	now = GetCurrentTimestamp();
	if (throttle->due > now + BURST_US)
	{
		scylla_wait_at_most(is_never, NULL, (int) ((throttle->due - now) / 1000));
		now = GetCurrentTimestamp();
	}
	throttle->due = Max(throttle->due, now) + (int64) rows * USECS_PER_SEC / throttle->rate;
}
