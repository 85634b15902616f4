/*
 * The ring of a cluster whose keyspaces use vnodes: who owns which token, and from that the
 * replicas of a token under a keyspace's replication, computed when they are first asked for and
 * then remembered. Keyspaces that are replicated in the same way share what is remembered.
 *
 * Nodes are ids below a limit, given by whoever builds the ring; data centers and racks likewise.
 */
#ifndef CQL_RING_RING_H
#define CQL_RING_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cql/cql_value.h"

/* No node, data center or rack. */
#define CQL_NO_ID UINT16_MAX
/* Data centers that a replication can name; what is above is not routed to. */
#define CQL_MAX_DCS 64
/* More replicas than this of one token are not looked at. */
#define CQL_MAX_REPLICAS 24

typedef struct cql_place
{
	uint16_t dc;
	uint16_t rack; /* an id of its own in every data center */
} cql_place;

/* Replicas that were found once under a replication, by token. */
typedef struct cql_ring_memo cql_ring_memo;
/* As many are kept, of the replications and data centers that were asked for last. */
#define CQL_RING_MEMOS 4

typedef struct cql_ring
{
	size_t count;
	int64_t *tokens;  /* ascending */
	uint32_t *starts; /* of tokens with these upper bits: the first one's index */
	int start_bits;
	uint16_t *owners;  /* node of each token */
	cql_place *places; /* by node id */
	uint16_t node_limit;
	uint16_t dc_limit;              /* ids of data centers that have nodes are below it */
	uint16_t dc_nodes[CQL_MAX_DCS]; /* nodes with tokens, in each data center */
	uint16_t dc_racks[CQL_MAX_DCS]; /* racks with such nodes */
	cql_ring_memo *memos;
} cql_ring;

/* While a ring is made. */
typedef struct cql_ring_token
{
	int64_t token;
	uint16_t owner;
} cql_ring_token;

/*
 * From tokens in any order (which are sorted in place) and the place of every node. False: out of
 * memory, and nothing is held. Doubled tokens keep the lower node id.
 */
extern bool cql_ring_init(cql_ring *ring, cql_ring_token *tokens, size_t count,
						  const cql_place *places, uint16_t node_limit);
extern void cql_ring_cleanup(cql_ring *ring);
extern size_t cql_ring_byte_count(const cql_ring *ring);

/* Index of the token range that holds a token: (tokens[i - 1], tokens[i]]. The ring is not empty. */
extern size_t cql_ring_find(const cql_ring *ring, int64_t token);

typedef enum cql_strategy
{
	CQL_STRATEGY_LOCAL,  /* every node has its own, or all have all: any will do */
	CQL_STRATEGY_SIMPLE, /* the next `factor` nodes */
	CQL_STRATEGY_NETWORK /* factors[dc] nodes of each data center, of different racks if possible */
} cql_strategy;

typedef struct cql_replication
{
	cql_strategy strategy;
	uint16_t factor;
	uint16_t factors[CQL_MAX_DCS];
} cql_replication;

/*
 * Replicas of a token in the ring's order, the primary first; returns how many (at most
 * CQL_MAX_REPLICAS), 0 for LOCAL. Where the strategy places them by data center, only those of dc
 * are told unless it is CQL_NO_ID.
 */
extern int cql_ring_replicas(const cql_ring *ring, const cql_replication *replication,
							 int64_t token, uint16_t dc, uint16_t *nodes);

/*
 * The same, remembered; views *nodes until the ring is cleaned up, or other replications were asked
 * for. What is at replication's address must not change while the ring lives.
 */
extern int cql_ring_recall(const cql_ring *ring, const cql_replication *replication, int64_t token,
						   uint16_t dc, const uint16_t **nodes);

/* How much of the ring a node is the first owner of, in percent. */
extern double cql_ring_share(const cql_ring *ring, uint16_t node);

#endif /* CQL_RING_RING_H */
