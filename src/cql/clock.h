/*
 * Two times. Ages (of connections, of what is known of the cluster, of failures) go by the clock.
 * What is waited for goes by attended time, which stands still while nobody turns the loop or waits
 * on its descriptor: an answer may have come long ago then, and not been read.
 */
#ifndef CQL_CLOCK_H
#define CQL_CLOCK_H

#include <stdint.h>

typedef struct cql_clock
{
	uint64_t now_us;  /* monotonic, as of the last turn or submit */
	uint64_t away_us; /* of it, all in which nobody attended */
} cql_clock;

static inline uint64_t
cql_clock_ms(const cql_clock *clock)
{
	return clock->now_us / 1000;
}

static inline uint64_t
cql_attended_us(const cql_clock *clock)
{
	return clock->now_us - clock->away_us;
}

static inline uint64_t
cql_attended_ms(const cql_clock *clock)
{
	return cql_attended_us(clock) / 1000;
}

/* What the clock will show by an attended time, if nobody goes away; UINT64_MAX is never. */
static inline uint64_t
cql_attended_to_clock_ms(const cql_clock *clock, uint64_t attended_ms)
{
	/* rounded up, for at the millisecond before it is not reached */
	return attended_ms == UINT64_MAX ? attended_ms : attended_ms + (clock->away_us + 999) / 1000;
}

#endif /* CQL_CLOCK_H */
