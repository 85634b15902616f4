/*
 * Shared scans. All participants number an arm's probes alike, since they evaluate the same
 * expressions; so a counter for each arm is all that they have to agree on.
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

struct ScyllaSharedScan
{
	int arm_count;
	int worker_count;
	pg_atomic_uint64 next[FLEXIBLE_ARRAY_MEMBER]; /* of each arm; SharedCosts of workers follow */
};

static Size
costs_offset(int arm_count)
{
	return MAXALIGN(offsetof(ScyllaSharedScan, next) + arm_count * sizeof(pg_atomic_uint64));
}

static SharedCosts *
costs_of(ScyllaSharedScan *shared, int worker)
{
	return (SharedCosts *) ((char *) shared + costs_offset(shared->arm_count)) + worker;
}

/* ---- the leader ---- */

Size
scyllaEstimateDSMForeignScan(ForeignScanState *node, ParallelContext *pcxt)
{
	const ScyllaScanState *scan = node->fdw_state;

	return costs_offset(scan->plan->arm_count) + pcxt->nworkers * sizeof(SharedCosts);
}

static void
reset_counters(ScyllaSharedScan *shared)
{
	for (int i = 0; i < shared->arm_count; i++)
		pg_atomic_write_u64(&shared->next[i], 0);
}

void
scyllaInitializeDSMForeignScan(ForeignScanState *node, ParallelContext *pcxt, void *coordinate)
{
	ScyllaScanState *scan = node->fdw_state;
	ScyllaSharedScan *shared = coordinate;

	/* Once for all, whoever reads. */
	scylla_scan_judge(scan);
	shared->arm_count = scan->plan->arm_count;
	shared->worker_count = pcxt->nworkers;
	for (int i = 0; i < shared->arm_count; i++)
		pg_atomic_init_u64(&shared->next[i], 0);
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

	reset_counters(coordinate);
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

pg_atomic_uint64 *
scylla_parallel_counter(const ScyllaScanState *scan, const ScyllaScanArm *arm)
{
	return scan->shared != NULL ? &scan->shared->next[arm - scan->plan->arms] : NULL;
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
