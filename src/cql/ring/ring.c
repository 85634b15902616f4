/*
 * The ring: two flat arrays, and walks over them. The rules of the strategies are Cassandra's and
 * ScyllaDB's own (SimpleStrategy, NetworkTopologyStrategy), which drivers have to repeat.
 */
#include "cql/ring/ring.h"

#include <stdlib.h>
#include <string.h>

#include "cql/mem.h"

struct cql_ring_memo
{
	const cql_replication *replication; /* NULL: it is free */
	uint16_t dc;
	int width;
	uint16_t *nodes; /* `width` for each token; CQL_NO_ID: none, the first one: not looked up yet */
};

static int
compare_tokens(const void *a, const void *b)
{
	const cql_ring_token *left = a;
	const cql_ring_token *right = b;

	if (left->token != right->token)
		return left->token < right->token ? -1 : 1;
	return (int) left->owner - (int) right->owner;
}

/* How many nodes and racks each data center has, as far as they own tokens. */
static bool
count_places(cql_ring *ring)
{
	/* one mark for each node, one for each rack: both are ids of 16 bits */
	uint8_t *seen = cql_alloc_zero((size_t) 2 * (CQL_NO_ID + 1));

	if (seen == NULL)
		return false;
	for (size_t i = 0; i < ring->count; i++)
	{
		uint16_t node = ring->owners[i];
		cql_place place = ring->places[node];
		uint8_t *is_rack_seen = &seen[CQL_NO_ID + 1 + place.rack];

		if (seen[node] || place.dc >= CQL_MAX_DCS)
			continue;
		seen[node] = 1;
		if (place.dc >= ring->dc_limit)
			ring->dc_limit = (uint16_t) (place.dc + 1);
		ring->dc_nodes[place.dc]++;
		ring->dc_racks[place.dc] = (uint16_t) (ring->dc_racks[place.dc] + !*is_rack_seen);
		*is_rack_seen = 1;
	}
	cql_release(seen);
	return true;
}

void
cql_ring_cleanup(cql_ring *ring)
{
	for (int i = 0; ring->memos != NULL && i < CQL_RING_MEMOS; i++)
		cql_release(ring->memos[i].nodes);
	cql_release(ring->memos);
	cql_release(ring->tokens);
	cql_release(ring->starts);
	cql_release(ring->owners);
	cql_release(ring->places);
	memset(ring, 0, sizeof *ring);
}

size_t
cql_ring_byte_count(const cql_ring *ring)
{
	size_t size = sizeof *ring + ring->count * (sizeof *ring->tokens + sizeof *ring->owners) +
				  ring->node_limit * sizeof *ring->places +
				  (((size_t) 1 << ring->start_bits) + 1) * sizeof *ring->starts +
				  CQL_RING_MEMOS * sizeof *ring->memos;

	for (int i = 0; i < CQL_RING_MEMOS; i++)
		size += ring->count * (size_t) ring->memos[i].width * sizeof *ring->memos[i].nodes;
	return size;
}

/* The upper bits of a token, in the ring's order. */
static size_t
slot_of(const cql_ring *ring, int64_t token)
{
	uint64_t biased = (uint64_t) token + (UINT64_C(1) << 63);

	return ring->start_bits > 0 ? (size_t) (biased >> (64 - ring->start_bits)) : 0;
}

/* About eight tokens a slot, so that a search stays within a cache line or two. */
static bool
index_tokens(cql_ring *ring)
{
	size_t slots;
	size_t slot = 0;

	while (ring->start_bits < 16 && ((size_t) 8 << ring->start_bits) < ring->count)
		ring->start_bits++;
	slots = (size_t) 1 << ring->start_bits;
	ring->starts = cql_alloc((slots + 1) * sizeof *ring->starts);
	if (ring->starts == NULL)
		return false;
	for (size_t i = 0; i < ring->count; i++)
		while (slot <= slot_of(ring, ring->tokens[i]))
			ring->starts[slot++] = (uint32_t) i;
	while (slot <= slots)
		ring->starts[slot++] = (uint32_t) ring->count;
	return true;
}

bool
cql_ring_init(cql_ring *ring, cql_ring_token *tokens, size_t count, const cql_place *places,
			  uint16_t node_limit)
{
	memset(ring, 0, sizeof *ring);
	ring->tokens = cql_alloc(count * sizeof *ring->tokens);
	ring->owners = cql_alloc(count * sizeof *ring->owners);
	ring->places = cql_alloc(node_limit * sizeof *ring->places);
	ring->memos = cql_alloc_zero(CQL_RING_MEMOS * sizeof *ring->memos);
	if (ring->tokens == NULL || ring->owners == NULL || ring->places == NULL || ring->memos == NULL)
	{
		cql_ring_cleanup(ring);
		return false;
	}
	if (node_limit > 0)
		memcpy(ring->places, places, node_limit * sizeof *places);
	ring->node_limit = node_limit;
	if (count > 1)
		qsort(tokens, count, sizeof *tokens, compare_tokens);
	for (size_t i = 0; i < count; i++)
	{
		if (ring->count > 0 && ring->tokens[ring->count - 1] == tokens[i].token)
			continue;
		ring->tokens[ring->count] = tokens[i].token;
		ring->owners[ring->count++] = tokens[i].owner;
	}
	if (!count_places(ring) || !index_tokens(ring))
	{
		cql_ring_cleanup(ring);
		return false;
	}
	return true;
}

size_t
cql_ring_find(const cql_ring *ring, int64_t token)
{
	size_t slot = slot_of(ring, token);
	size_t at = ring->starts[slot];
	size_t end = ring->starts[slot + 1];

	while (at < end && ring->tokens[at] < token)
		at++;
	/* Behind the last token the ring begins anew. */
	return at < ring->count ? at : 0;
}

static bool
has_node(const uint16_t *nodes, int count, uint16_t node)
{
	for (int i = 0; i < count; i++)
		if (nodes[i] == node)
			return true;
	return false;
}

static int
find_simple(const cql_ring *ring, int factor, size_t at, uint16_t *nodes)
{
	int count = 0;

	for (size_t walked = 0; walked < ring->count && count < factor; walked++)
	{
		uint16_t node = ring->owners[at];

		if (!has_node(nodes, count, node))
			nodes[count++] = node;
		at = at + 1 < ring->count ? at + 1 : 0;
	}
	return count;
}

static bool
has_rack(const cql_ring *ring, const uint16_t *nodes, int count, cql_place place)
{
	for (int i = 0; i < count; i++)
	{
		cql_place other = ring->places[nodes[i]];

		if (other.dc == place.dc && other.rack == place.rack)
			return true;
	}
	return false;
}

/*
 * Of each data center its factor, at most its nodes. A rack that has a replica already gets a
 * second one only as often as there are more replicas than racks.
 */
static int
find_network(const cql_ring *ring, const cql_replication *replication, size_t at, uint16_t only_dc,
			 uint16_t *nodes)
{
	int left[CQL_MAX_DCS];
	int repeats[CQL_MAX_DCS];
	int total = 0;
	int count = 0;

	for (int dc = 0; dc < ring->dc_limit; dc++)
	{
		int factor = only_dc == CQL_NO_ID || only_dc == dc ? replication->factors[dc] : 0;

		left[dc] = factor < ring->dc_nodes[dc] ? factor : ring->dc_nodes[dc];
		repeats[dc] = factor - ring->dc_racks[dc];
		total += left[dc];
	}
	if (total > CQL_MAX_REPLICAS)
		total = CQL_MAX_REPLICAS;
	for (size_t walked = 0; walked < ring->count && count < total; walked++)
	{
		uint16_t node = ring->owners[at];
		cql_place place = ring->places[node];

		at = at + 1 < ring->count ? at + 1 : 0;
		if (place.dc >= CQL_MAX_DCS || left[place.dc] == 0 || has_node(nodes, count, node))
			continue;
		if (has_rack(ring, nodes, count, place) && repeats[place.dc]-- <= 0)
			continue;
		left[place.dc]--;
		nodes[count++] = node;
	}
	return count;
}

/* Of the token at an index. */
static int
find_replicas(const cql_ring *ring, const cql_replication *replication, size_t at, uint16_t dc,
			  uint16_t *nodes)
{
	switch (replication->strategy)
	{
		case CQL_STRATEGY_SIMPLE:
			return find_simple(ring,
							   replication->factor < CQL_MAX_REPLICAS ? replication->factor
																	  : CQL_MAX_REPLICAS,
							   at, nodes);
		case CQL_STRATEGY_NETWORK:
			return find_network(ring, replication, at, dc, nodes);
		case CQL_STRATEGY_LOCAL:
			break;
	}
	return 0;
}

int
cql_ring_replicas(const cql_ring *ring, const cql_replication *replication, int64_t token,
				  uint16_t dc, uint16_t *nodes)
{
	return ring->count > 0 ? find_replicas(ring, replication, cql_ring_find(ring, token), dc, nodes)
						   : 0;
}

/* ---- what is remembered ---- */

/* The one of a replication; a new one takes the place of the oldest. NULL: there are no replicas, or
 * no memory. */
static cql_ring_memo *
find_memo(const cql_ring *ring, const cql_replication *replication, uint16_t dc)
{
	cql_ring_memo *memos = ring->memos;
	cql_ring_memo memo = {.replication = replication, .dc = dc};
	uint16_t nodes[CQL_MAX_REPLICAS];
	size_t len;

	for (int i = 0; i < CQL_RING_MEMOS; i++)
		if (memos[i].replication == replication && memos[i].dc == dc)
			return &memos[i];
	/* Every token has as many: factors, or nodes where those are fewer. */
	memo.width = find_replicas(ring, replication, 0, dc, nodes);
	len = ring->count * (size_t) memo.width * sizeof *memo.nodes;
	memo.nodes = memo.width > 0 ? cql_alloc(len) : NULL;
	if (memo.nodes == NULL)
		return NULL;
	memset(memo.nodes, UINT8_MAX, len);
	cql_release(memos[CQL_RING_MEMOS - 1].nodes);
	memmove(&memos[1], &memos[0], (CQL_RING_MEMOS - 1) * sizeof *memos);
	memos[0] = memo;
	return &memos[0];
}

int
cql_ring_recall(const cql_ring *ring, const cql_replication *replication, int64_t token,
				uint16_t dc, const uint16_t **nodes)
{
	const cql_ring_memo *memo = ring->count > 0 ? find_memo(ring, replication, dc) : NULL;
	uint16_t found[CQL_MAX_REPLICAS];
	uint16_t *row;
	size_t at;

	if (memo == NULL)
		return 0;
	/* The row is not far behind that of the slot's first token: both come from memory at once. */
	at = ring->starts[slot_of(ring, token)];
	__builtin_prefetch(memo->nodes + at * (size_t) memo->width);
	at = cql_ring_find(ring, token);
	row = memo->nodes + at * (size_t) memo->width;
	if (row[0] == CQL_NO_ID)
	{
		(void) find_replicas(ring, replication, at, dc, found);
		memcpy(row, found, (size_t) memo->width * sizeof *row);
	}
	*nodes = row;
	return memo->width;
}

double
cql_ring_share(const cql_ring *ring, uint16_t node)
{
	double owned = 0;

	for (size_t i = 0; i < ring->count; i++)
	{
		/* the first range begins behind the last token */
		uint64_t before = (uint64_t) ring->tokens[i > 0 ? i - 1 : ring->count - 1];

		if (ring->owners[i] == node)
			owned += (double) ((uint64_t) ring->tokens[i] - before);
	}
	return ring->count > 1                               ? owned / 0x1p64 * 100
		   : ring->count == 1 && ring->owners[0] == node ? 100
														 : 0;
}

cql_token_range
cql_ring_part(uint32_t index, uint32_t count)
{
	const uint64_t before_all = (uint64_t) INT64_MIN;
	uint64_t start = (uint64_t) (((unsigned __int128) index << 64) / count);
	uint64_t end = (uint64_t) (((unsigned __int128) (index + 1) << 64) / count);

	return (cql_token_range) {.start = (int64_t) (before_all + start),
							  .end = index + 1 < count ? (int64_t) (before_all + end) : INT64_MAX};
}
