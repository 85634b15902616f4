/*
 * Tablets of one table: which nodes and shards hold which part of the ring. They are learnt one
 * by one from what the server says of misrouted requests, so there may be gaps; what came later
 * is truer than what it overlaps.
 */
#ifndef CQL_RING_TABLETS_H
#define CQL_RING_TABLETS_H

#include "cql/ring/ring.h"

typedef struct cql_tablet_replica
{
	uint16_t node; /* CQL_NO_ID: there is none, nor behind it */
	uint16_t shard;
} cql_tablet_replica;

/* Sorted, without overlaps: (firsts[i], lasts[i]], whose replicas are `width` entries from
 * replicas[i * width] on. */
typedef struct cql_tablets
{
	size_t count;
	size_t capacity;
	int width;
	int64_t *firsts;
	int64_t *lasts;
	cql_tablet_replica *replicas;
} cql_tablets;

extern void cql_tablets_init(cql_tablets *tablets);
extern void cql_tablets_cleanup(cql_tablets *tablets);
extern size_t cql_tablets_byte_count(const cql_tablets *tablets);

/* In the place of all that it overlaps. False: out of memory, or first >= last; nothing changed. */
extern bool cql_tablets_put(cql_tablets *tablets, cql_token_range range,
							const cql_tablet_replica *replicas, int count);
/* The replicas of a token's tablet, in the server's order; returns how many, 0: not known. */
extern int cql_tablets_find(const cql_tablets *tablets, int64_t token,
							const cql_tablet_replica **replicas);
/* Forget every tablet that a node has a replica of: it is gone. */
extern void cql_tablets_drop_node(cql_tablets *tablets, uint16_t node);

#endif /* CQL_RING_TABLETS_H */
