/*
 * The shard of a ScyllaDB node that serves a token, in vnode keyspaces (ScyllaDB's
 * biased-token-round-robin). In tablet keyspaces the tablet tells the shard.
 */
#ifndef CQL_RING_SHARD_H
#define CQL_RING_SHARD_H

#include <stdint.h>

/* shard_count is at least 1, ignore_msb below 64; the result is below shard_count. */
static inline uint32_t
cql_shard_of_token(int64_t token, uint32_t shard_count, uint32_t ignore_msb)
{
	uint64_t biased = ((uint64_t) token + (UINT64_C(1) << 63)) << ignore_msb;

	return (uint32_t) (((unsigned __int128) biased * shard_count) >> 64);
}

#endif /* CQL_RING_SHARD_H */
