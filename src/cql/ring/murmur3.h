/*
 * The hash of Murmur3Partitioner, which both Cassandra and ScyllaDB place partitions by: the first
 * half of MurmurHash3_x64_128 (seed 0), save that the bytes behind the last whole block of 16 are
 * taken as signed, as Cassandra's Java did from the start.
 */
#ifndef CQL_RING_MURMUR3_H
#define CQL_RING_MURMUR3_H

#include <stddef.h>
#include <stdint.h>

/* key may be NULL when len is 0. */
extern int64_t cql_murmur3(const uint8_t *key, size_t len);

#endif /* CQL_RING_MURMUR3_H */
