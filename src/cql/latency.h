/*
 * A histogram of latencies: four buckets for each doubling, so a quantile is told within an
 * eighth, from 1 µs to two minutes.
 */
#ifndef CQL_LATENCY_H
#define CQL_LATENCY_H

#include <stdint.h>

#define CQL_LATENCY_BUCKETS 104

typedef struct cql_latency
{
	uint32_t counts[CQL_LATENCY_BUCKETS];
	uint64_t count;
} cql_latency;

extern void cql_latency_add(cql_latency *latency, uint64_t us);
/* What share (0 to 1) of all were not above, in µs; 0 if there are none. */
extern uint64_t cql_latency_quantile(const cql_latency *latency, double share);

#endif /* CQL_LATENCY_H */
