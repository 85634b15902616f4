/*
 * Holds rows back so that no more than the rate go. Who was late does not catch up by more than
 * a moment's rows; the loop turns meanwhile.
 */
#include "postgres.h"

#include "bridge/throttle.h"

#include "bridge/wait.h"
#include "utils/timestamp.h"

/* Rows of so much time go at once. */
#define BURST_US (20 * 1000)

static bool
is_never(void *argument)
{
	return false;
}

void
scylla_throttle(ScyllaThrottle *throttle, int rows)
{
	TimestampTz now;

	if (throttle->rate == 0)
		return;
	now = GetCurrentTimestamp();
	if (throttle->due > now + BURST_US)
	{
		scylla_wait_until(is_never, NULL, (int) ((throttle->due - now) / 1000));
		now = GetCurrentTimestamp();
	}
	throttle->due = Max(throttle->due, now) + (int64) rows * USECS_PER_SEC / throttle->rate;
}
