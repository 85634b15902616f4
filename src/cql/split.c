/*
 * The ring in pieces, for scans: cut where the replicas become others, and where a piece would be
 * wider than wanted; each then given to one of its nearest replicas so that all have as much to do.
 */
#include <string.h>

#include "cql/mem.h"
#include "cql/session.h"

/* ---- stretches of the same replicas ---- */

typedef struct ring_stretch
{
	cql_token_range range;
	int count;
	cql_tablet_replica replicas[CQL_MAX_REPLICAS]; /* of its last token */
} ring_stretch;

/* A walk along the ring. */
typedef struct ring_walk
{
	const cql_topology *topology;
	cql_placement placement;
	size_t at; /* of the tablet, or the vnode, that is next */
	bool is_over;
	ring_stretch next; /* unless is_over */
} ring_walk;

/* Where the replicas may become others, behind a token. */
static int64_t
next_boundary(ring_walk *walk, int64_t start)
{
	const cql_ring *ring = &walk->topology->ring;
	const cql_tablets *tablets;

	if (walk->placement.table == NULL)
	{
		/* A token may be the first number that there is: nothing lies before it. */
		while (walk->at < ring->count && ring->tokens[walk->at] <= start)
			walk->at++;
		return walk->at < ring->count ? ring->tokens[walk->at] : INT64_MAX;
	}
	tablets = &walk->placement.table->tablets;
	if (walk->at == tablets->count)
		return INT64_MAX;
	/* There may be a gap before it. */
	return start < tablets->firsts[walk->at] ? tablets->firsts[walk->at]
											 : tablets->lasts[walk->at++];
}

static void
look_ahead(ring_walk *walk)
{
	int64_t start = walk->next.range.end;

	walk->is_over = start == INT64_MAX;
	if (walk->is_over)
		return;
	walk->next.range = (cql_token_range) {start, next_boundary(walk, start)};
	walk->next.count =
		cql_locate(walk->topology, &walk->placement, walk->next.range.end, walk->next.replicas);
}

static void
begin_walk(ring_walk *walk, const cql_topology *topology, const cql_placement *placement)
{
	walk->topology = topology;
	walk->placement = *placement;
	walk->at = 0;
	walk->next.range.end = INT64_MIN;
	look_ahead(walk);
}

/* In whatever order. */
static bool
has_same_replicas(const ring_stretch *a, const ring_stretch *b)
{
	if (a->count != b->count)
		return false;
	for (int i = 0; i < a->count; i++)
	{
		int j = 0;

		while (j < b->count && (a->replicas[i].node != b->replicas[j].node ||
								a->replicas[i].shard != b->replicas[j].shard))
			j++;
		if (j == b->count)
			return false;
	}
	return true;
}

/* The longest from here on. */
static bool
next_stretch(ring_walk *walk, ring_stretch *out)
{
	if (walk->is_over)
		return false;
	*out = walk->next;
	look_ahead(walk);
	while (!walk->is_over && has_same_replicas(out, &walk->next))
	{
		out->range.end = walk->next.range.end;
		look_ahead(walk);
	}
	return true;
}

/* ---- pieces ---- */

static uint64_t
width_of(cql_token_range range)
{
	return (uint64_t) range.end - (uint64_t) range.start;
}

/* How many pieces a stretch makes: each about the wanted part of the ring. */
static uint64_t
count_pieces(cql_token_range range, int wanted)
{
	unsigned __int128 rounded =
		(unsigned __int128) width_of(range) * (unsigned) wanted + (UINT64_C(1) << 63);
	uint64_t count = (uint64_t) (rounded >> 64);

	return count > 0 ? count : 1;
}

static cql_token_range
part_of(cql_token_range range, uint64_t index, uint64_t count)
{
	unsigned __int128 width = width_of(range);

	return (cql_token_range) {
		.start = (int64_t) ((uint64_t) range.start + (uint64_t) (width * index / count)),
		.end = (int64_t) ((uint64_t) range.start + (uint64_t) (width * (index + 1) / count))};
}

/* To the nearest replica that has got the least so far; loads by node id, in tokens. */
static void
assign(const ring_walk *walk, uint64_t *loads, cql_ring_piece *piece)
{
	const cql_topology *topology = walk->topology;
	cql_tablet_replica replicas[CQL_MAX_REPLICAS];
	int count = cql_locate(topology, &walk->placement, piece->range.end, replicas);
	const cql_node *best = NULL;
	cql_rank best_rank = CQL_RANK_COUNT;
	int32_t shard;

	piece->replica = 0;
	piece->owner = CQL_NO_OWNER;
	for (int i = 0; i < count; i++)
	{
		const cql_node *node = topology->nodes[replicas[i].node];
		cql_rank rank = cql_rank_of(topology, node);

		if (best != NULL &&
			(rank > best_rank || (rank == best_rank && loads[node->id] >= loads[best->id])))
			continue;
		best_rank = rank;
		best = node;
		piece->replica = (uint32_t) i;
	}
	if (best == NULL)
		return;
	loads[best->id] += width_of(piece->range);
	shard = cql_shard_at(best, &replicas[piece->replica], piece->range.end);
	piece->owner = (uint32_t) best->id << 16 | (uint16_t) (shard < 0 ? 0 : shard);
}

static int
cut_evenly(int count, cql_ring_piece *pieces)
{
	for (int i = 0; i < count; i++)
		pieces[i] = (cql_ring_piece) {.range = cql_ring_part((uint32_t) i, (uint32_t) count),
									  .owner = CQL_NO_OWNER};
	return count;
}

/* Returns how many; -1: more than max. */
static int
cut(ring_walk *walk, int wanted, cql_ring_piece *pieces, int max)
{
	ring_stretch stretch;
	int count = 0;

	while (next_stretch(walk, &stretch))
	{
		uint64_t parts = count_pieces(stretch.range, wanted);

		if (parts > (uint64_t) (max - count))
			return -1;
		for (uint64_t i = 0; i < parts; i++)
			pieces[count++].range = part_of(stretch.range, i, parts);
	}
	return count;
}

int
cql_session_split_ring(const cql_session *session, const cql_split *split, cql_ring_piece *pieces,
					   int max)
{
	const cql_topology *topology = &session->topology;
	cql_placement placement = {
		.keyspace = cql_topology_keyspace(topology, split->keyspace),
		.dc = cql_consistency_is_local(split->consistency) ? topology->local_dc : CQL_NO_ID};
	uint64_t *loads;
	ring_walk walk = {0};
	int count;

	if (placement.keyspace == NULL)
		return cut_evenly(split->wanted, pieces);
	placement.table = cql_table_known(topology, split->keyspace, split->table);
	loads = cql_alloc_zero((size_t) topology->node_count * sizeof *loads);
	if (loads == NULL)
		return cut_evenly(split->wanted, pieces);
	begin_walk(&walk, topology, &placement);
	count = cut(&walk, split->wanted, pieces, max);
	for (int i = 0; i < count; i++)
		assign(&walk, loads, &pieces[i]);
	cql_release(loads);
	return count >= 0 ? count : cut_evenly(split->wanted, pieces);
}
