/*
 * Parallel scans. What workers save is the work on rows here, decoding and whatever stands above;
 * one backend alone keeps several nodes at work already. Each worker has to connect first.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "compat.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "plan/parallel.h"
#include "plan/ring.h"

/* Round trips until a worker has its first answer. */
#define CONNECT_ROUND_TRIPS 3.0

/* What a table's options say is known only later (scyllaGetForeignRelSize). */
bool
scyllaIsForeignScanParallelSafe(PlannerInfo *root, RelOptInfo *rel, RangeTblEntry *rte)
{
	return true;
}

/* As many as for a local table of these rows. */
static int
count_workers(RelOptInfo *rel, const ScyllaScanLoad *load)
{
	double bytes = load->read_rows * (MAXALIGN(load->width) + MAXALIGN(SizeofHeapTupleHeader));

	return compute_parallel_worker(rel, ceil(bytes / BLCKSZ), -1, max_parallel_workers_per_gather);
}

/* How many participants share the rows, the leader with the time that workers leave it. */
static double
count_participants(int workers)
{
	double leader = 1.0 - 0.3 * workers;

	return parallel_leader_participation && leader > 0 ? workers + leader : workers;
}

void
scylla_parallel_add_path(PlannerInfo *root, RelOptInfo *rel, const ScyllaScanLoad *load,
						 double rows)
{
	const ScyllaRelPlan *plan = rel->fdw_private;
	ScyllaPathShape *shape = palloc0(sizeof(ScyllaPathShape));
	ScyllaScanLoad shared = *load;
	int workers = count_workers(rel, load);
	double participants = count_participants(workers);
	ForeignPath *path;
	Cost startup;
	Cost total;

	shape->ring_pieces = scylla_ring_scan_pieces(&plan->sizes, load);
	if (!scylla_enable_parallel_scan || shape->ring_pieces == 0 || workers == 0)
		return;
	shared.requests = shape->ring_pieces;
	scylla_cost_scan(&shared, &startup, &total);
	total = (total - startup) / participants;
	startup += CONNECT_ROUND_TRIPS * load->options->startup_cost;
	path = scylla_foreignscan_path(root, rel, clamp_row_est(rows / participants), startup,
								   startup + total, NIL, NULL);
	path->fdw_private = list_make1(shape);
	path->path.parallel_aware = true;
	path->path.parallel_workers = workers;
	add_partial_path(rel, (Path *) path);
}

/*
 * A lookup by the rows that a worker has may run there. A scan of its own would be run by each of
 * them; and an Append that could run in a worker is not an asynchronous one.
 */
void
scylla_parallel_restrict(ForeignPath *path)
{
	if (path->path.param_info == NULL || IS_OTHER_REL(path->path.parent))
		path->path.parallel_safe = false;
}
