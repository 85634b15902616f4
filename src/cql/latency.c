/*
 * Buckets 0 to 3 are 0 to 3 µs; from there on a number's highest bit and the two bits below it
 * pick its bucket.
 */
#include "cql/latency.h"

static int
bucket_of(uint64_t us)
{
	int high;
	int bucket;

	if (us < 4)
		return (int) us;
	high = 63 - __builtin_clzll(us);
	bucket = (high - 1) * 4 + (int) (us >> (high - 2) & 3);
	return bucket < CQL_LATENCY_BUCKETS ? bucket : CQL_LATENCY_BUCKETS - 1;
}

/* The middle of a bucket. */
static uint64_t
value_of(int bucket)
{
	int high = bucket / 4 + 1;
	uint64_t width;

	if (bucket < 4)
		return (uint64_t) bucket;
	width = UINT64_C(1) << (high - 2);
	return (UINT64_C(1) << high) + (uint64_t) (bucket % 4) * width + width / 2;
}

void
cql_latency_add(cql_latency *latency, uint64_t us)
{
	latency->counts[bucket_of(us)]++;
	latency->count++;
}

uint64_t
cql_latency_quantile(const cql_latency *latency, double share)
{
	uint64_t wanted = (uint64_t) ((double) latency->count * share);
	uint64_t seen = 0;

	if (latency->count == 0)
		return 0;
	if (wanted >= latency->count)
		wanted = latency->count - 1;
	for (int bucket = 0; bucket < CQL_LATENCY_BUCKETS; bucket++)
	{
		seen += latency->counts[bucket];
		if (seen > wanted)
			return value_of(bucket);
	}
	return value_of(CQL_LATENCY_BUCKETS - 1);
}
