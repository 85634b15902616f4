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
		   cql_target *targets)
{
	const cql_tablet_replica *replicas;
	uint16_t nodes[CQL_MAX_REPLICAS];
	int count;

	if (placement->table != NULL)
	{
		count = cql_tablets_find(&placement->table->tablets, token, &replicas);
		for (int i = 0; i < count; i++)
			targets[i] = (cql_target) {topology->nodes[replicas[i].node], replicas[i].shard};
		return count;
	}
	if (placement->keyspace == NULL)
		return 0;
	count = cql_ring_replicas(&topology->ring, &placement->keyspace->replication, token,
							  placement->dc, nodes);
	for (int i = 0; i < count; i++)
	{
		cql_node *node = topology->nodes[nodes[i]];

		targets[i].node = node;
		targets[i].shard =
			node->shard_count > 0
				? (int32_t) cql_shard_of_token(token, node->shard_count, node->ignore_msb)
				: -1;
	}
	return count;
}
