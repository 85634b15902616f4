/*
 * Where rows are: the replicas of a token by tablets or by the ring, and how near they are.
 */
#include "cql/ring/shard.h"
#include "cql/session.h"

bool
cql_consistency_is_local(cql_consistency consistency)
{
	return consistency == CQL_CONSISTENCY_LOCAL_QUORUM ||
		   consistency == CQL_CONSISTENCY_LOCAL_ONE || consistency == CQL_CONSISTENCY_LOCAL_SERIAL;
}

cql_rank
cql_rank_of(const cql_topology *topology, const cql_node *node)
{
	if (topology->local_dc != CQL_NO_ID && node->place.dc != topology->local_dc)
		return CQL_ELSEWHERE;
	return topology->local_rack == CQL_NO_ID || node->place.rack == topology->local_rack
			   ? CQL_IN_RACK
			   : CQL_IN_DC;
}

int
cql_locate(const cql_topology *topology, const cql_placement *placement, int64_t token,
		   cql_tablet_replica *replicas)
{
	const cql_tablet_replica *found;
	const uint16_t *nodes;
	int count;

	if (placement->table != NULL)
	{
		count = cql_tablets_find(&placement->table->tablets, token, &found);
		for (int i = 0; i < count; i++)
			replicas[i] = found[i];
		return count;
	}
	if (placement->keyspace == NULL)
		return 0;
	count = cql_ring_recall(&topology->ring, placement->keyspace->replication, token, placement->dc,
							&nodes);
	for (int i = 0; i < count; i++)
		replicas[i] = (cql_tablet_replica) {nodes[i], CQL_NO_ID};
	return count;
}

int32_t
cql_shard_at(const cql_node *node, const cql_tablet_replica *replica, int64_t token)
{
	if (replica->shard != CQL_NO_ID)
		return replica->shard;
	return node->shard_count > 0
			   ? (int32_t) cql_shard_of_token(token, node->shard_count, node->ignore_msb)
			   : -1;
}
