/*
 * Shared scans. All participants number an arm's probes alike, since they evaluate the same
 * expressions and have the same pieces of the ring from the leader, who alone looks where they are.
 * So they only have to count together.
 *
 * The costs of a worker's reading are written whenever a page was read, and not at its end alone:
 * where a LIMIT stops the leader, it leaves before the workers do.
 */
#include "postgres.h"

#include "exec/parallel.h"

/* Nodes and shards that a worker tells of; it has no more connections than that, nearly always. */
#define MAX_PLACES 64

typedef struct SharedPlace
{
	char node[CQL_NODE_NAME_LEN];
	int32 shard;
} SharedPlace;

/* What a worker's reading has cost. */
typedef struct SharedCosts
{
	ScyllaCounters counters; /* the numbers alone */
	uint64 removed_rows;
	int place_count;
	SharedPlace places[MAX_PLACES];
} SharedCosts;

/* Only a scan of the ring is shared, which has one arm. */
struct ScyllaSharedScan
{
	pg_atomic_uint64 next; /* number of the next probe */
	int worker_count;
	int piece_count;
	cql_ring_piece pieces[FLEXIBLE_ARRAY_MEMBER]; /* behind them SharedCosts of each worker */
};

static Size
costs_offset(int piece_count)
{
	return MAXALIGN(offsetof(ScyllaSharedScan, pieces) + piece_count * sizeof(cql_ring_piece));
}

static SharedCosts *
costs_of(ScyllaSharedScan *shared, int worker)
{
	return (SharedCosts *) ((char *) shared + costs_offset(shared->piece_count)) + worker;
}

/* ---- the leader ---- */

/* Here already, since the size follows from the number of pieces. */
Size
scyllaEstimateDSMForeignScan(ForeignScanState *node, ParallelContext *pcxt)
{
	ScyllaScanState *scan = node->fdw_state;
	ScyllaArmSetup *arm = &scan->setup->arms[0];

	Assert(scan->plan->arm_count == 1);
	scylla_scan_connect(node);
	scylla_setup_resolve(scan->setup, arm, 0, node->ss.ss_ScanTupleSlot->tts_tupleDescriptor);
	scylla_setup_split_ring(scan->setup, arm);
	return costs_offset(arm->probes->ring.count) + pcxt->nworkers * sizeof(SharedCosts);
}

void
scyllaInitializeDSMForeignScan(ForeignScanState *node, ParallelContext *pcxt, void *coordinate)
{
	ScyllaScanState *scan = node->fdw_state;
	const ScyllaRing *ring = &scan->setup->arms[0].probes->ring;
	ScyllaSharedScan *shared = coordinate;

	pg_atomic_init_u64(&shared->next, 0);
	shared->worker_count = pcxt->nworkers;
	shared->piece_count = ring->count;
	memcpy(shared->pieces, ring->pieces, ring->count * sizeof(cql_ring_piece));
	memset(costs_of(shared, 0), 0, shared->worker_count * sizeof(SharedCosts));
	scan->shared = shared;
}

/* Add up what the workers tell, and let them begin anew. */
static void
collect_costs(ScyllaScanState *scan)
{
	ScyllaCounters *counters = &scan->setup->counters;

	for (int i = 0; i < scan->shared->worker_count; i++)
	{
		SharedCosts *costs = costs_of(scan->shared, i);

		scylla_counters_add(counters, &costs->counters);
		for (int j = 0; j < costs->place_count; j++)
			scylla_counters_note(counters, costs->places[j].node, costs->places[j].shard);
		scan->removed_rows += costs->removed_rows;
		memset(costs, 0, sizeof(SharedCosts));
	}
}

void
scyllaReInitializeDSMForeignScan(ForeignScanState *node, ParallelContext *pcxt, void *coordinate)
{
	ScyllaScanState *scan = node->fdw_state;

	pg_atomic_write_u64(&scan->shared->next, 0);
	collect_costs(scan);
}

/* ---- a worker ---- */

void
scyllaInitializeWorkerForeignScan(ForeignScanState *node, shm_toc *toc, void *coordinate)
{
	ScyllaScanState *scan = node->fdw_state;

	scan->shared = coordinate;
}

static void
add_place(SharedCosts *costs, const char *node, int shard)
{
	SharedPlace *place = &costs->places[costs->place_count];

	if (costs->place_count == MAX_PLACES)
		return;
	strlcpy(place->node, node, sizeof(place->node));
	place->shard = shard;
	costs->place_count++;
}

static void
add_places(SharedCosts *costs, const ScyllaCountedNode *node)
{
	int shard = -1;

	if (bms_is_empty(node->shards))
		add_place(costs, node->name, -1);
	while ((shard = bms_next_member(node->shards, shard)) >= 0)
		add_place(costs, node->name, shard);
}

void
scylla_parallel_publish(const ScyllaScanState *scan)
{
	SharedCosts *costs;
	ListCell *cell;

	if (scan->shared == NULL || !IsParallelWorker())
		return;
	costs = costs_of(scan->shared, ParallelWorkerNumber);
	costs->counters = scan->setup->counters;
	costs->removed_rows = scan->removed_rows;
	costs->place_count = 0;
	foreach (cell, scan->setup->counters.nodes)
		add_places(costs, lfirst(cell));
}

/* ---- both ---- */

void
scylla_parallel_share(const ScyllaScanState *scan, ScyllaArmSetup *arm)
{
	ScyllaSharedScan *shared = scan->shared;

	arm->probes->shared = shared != NULL ? &shared->next : NULL;
	if (shared != NULL)
		arm->probes->ring = (ScyllaRing) {.pieces = shared->pieces, .count = shared->piece_count};
}

void
scylla_parallel_leave(ScyllaScanState *scan)
{
	if (IsParallelWorker())
		scylla_parallel_publish(scan);
	else
		collect_costs(scan);
	scan->shared = NULL;
}
