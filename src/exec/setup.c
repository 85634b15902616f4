/*
 * The set-up of a scan. Nothing in it belongs to the execution that runs: expressions are made
 * ready by it (scylla_params_init), the session is pinned by it.
 */
#include "postgres.h"

#include "exec/setup.h"

#include "bridge/dialect.h"
#include "bridge/ring.h"
#include "compat.h"
#include "exec/multi_get.h"
#include "optimizer/clauses.h"
#include "option.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/* Pieces of the ring at most, where replicas make them more than are wanted. */
#define MAX_SPLIT 4

static bool
asks_for_empty(const ScyllaScanArm *arm)
{
	return arm->condition_count > 0 &&
		   arm->conditions[arm->condition_count - 1].form == SCYLLA_FORM_EMPTY;
}

/* What the server aggregates, and which of two arms a row is of, can't be checked again. */
static void
make_arms(ScyllaScanSetup *setup, List *exprs)
{
	setup->arms = palloc0(Max(setup->plan->arm_count, 1) * sizeof(ScyllaArmSetup));
	for (int i = 0; i < setup->plan->arm_count; i++)
	{
		ScyllaArmSetup *arm = &setup->arms[i];

		arm->arm = &setup->plan->arms[i];
		arm->params = scylla_params_new(arm->arm, exprs, setup->remote.local_table);
		arm->probes = scylla_probes_new(arm->arm);
		if (setup->plan->shared_column >= 0)
			arm->shared = scylla_multi_get_arm(arm->arm);
		arm->probes->is_complete = setup->plan->is_aggregated || asks_for_empty(arm->arm);
	}
}

ScyllaScanSetup *
scylla_setup_new(ForeignScanState *node)
{
	ForeignScan *fsplan = castNode(ForeignScan, node->ss.ps.plan);
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "scylla_fdw scan", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	ScyllaScanSetup *setup = palloc0(sizeof(ScyllaScanSetup));

	setup->context = context;
	setup->plan = scylla_scan_plan_decode(fsplan->fdw_private);
	setup->bind_params = pull_paramids((Expr *) fsplan->fdw_exprs);
	setup->cells = palloc0(Max(setup->plan->column_count, 1) * sizeof(cql_cell));
	setup->connected =
		AllocSetContextCreate(context, "scylla_fdw connected scan", ALLOCSET_SMALL_SIZES);
	setup->remote.plan = setup->plan;
	setup->remote.remote_table = psprintf("%s.%s", setup->plan->keyspace, setup->plan->table);
	/* The node has no relation where it gives aggregates of one. */
	setup->remote.relid = scylla_scanned_entry(fsplan, node->ss.ps.state)->relid;
	setup->remote.local_table = get_rel_name(setup->remote.relid);
	setup->remote.throttle =
		scylla_throttle_get(setup->remote.relid, SCYLLA_THROTTLE_READ, setup->plan->read_rate);
	if (setup->plan->is_aggregated)
		setup->combiner = scylla_combiner_new(setup->plan, setup->remote.local_table);
	make_arms(setup, fsplan->fdw_exprs);
	MemoryContextSwitchTo(old);
	return setup;
}

bool
scylla_setup_next_probe(void *argument, ScyllaProbe *probe)
{
	ScyllaScanSetup *setup = argument;

	for (; setup->next_arm < setup->plan->arm_count; setup->next_arm++)
	{
		ScyllaArmSetup *arm = &setup->arms[setup->next_arm];

		if (!arm->is_possible || !scylla_probes_next(arm->probes, &probe->input))
			continue;
		probe->variant = arm->variant;
		probe->input.first_rows = setup->first_rows;
		return true;
	}
	return false;
}

static void
make_fanout(ScyllaScanSetup *setup)
{
	ScyllaFanoutSpec spec = {
		.stream = setup->streams,
		.next_probe = scylla_setup_next_probe,
		.argument = setup,
	};

	setup->fanout = scylla_fanout_new(&spec);
}

void
scylla_setup_connect(ScyllaScanSetup *setup, ScyllaSession *session, bool is_traced)
{
	int consistency = scylla_read_consistency(setup->plan->read_consistency);
	bool is_timed = scylla_is_timed(setup->plan->has_server_timeout);
	MemoryContext old;

	if (setup->fanout != NULL && setup->remote.session == session &&
		setup->schema_generation == session->schema_generation &&
		setup->streams.consistency == consistency && setup->streams.is_traced == is_traced &&
		setup->remote.is_timed == is_timed)
		return;
	MemoryContextReset(setup->connected);
	setup->variants = NIL;
	setup->reader = NULL;
	for (int i = 0; i < setup->plan->arm_count; i++)
	{
		setup->arms[i].is_resolved = false;
		setup->arms[i].pieces = NULL;
	}
	setup->remote.session = session;
	setup->remote.is_timed = is_timed;
	setup->schema_generation = session->schema_generation;
	setup->streams = (ScyllaStreamSpec) {.remote = &setup->remote,
										 .consistency = consistency,
										 .is_traced = is_traced,
										 .counters = &setup->counters};
	old = MemoryContextSwitchTo(setup->connected);
	make_fanout(setup);
	MemoryContextSwitchTo(old);
}

ScyllaVariant *
scylla_setup_variant(ScyllaScanSetup *setup, const ScyllaScanArm *arm, uint64 skipped)
{
	MemoryContext old = MemoryContextSwitchTo(setup->connected);
	ScyllaVariant *variant = scylla_variant_get(&setup->remote, arm, skipped, &setup->variants);

	MemoryContextSwitchTo(old);
	return variant;
}

void
scylla_setup_resolve(ScyllaScanSetup *setup, ScyllaArmSetup *arm, uint64 skipped,
					 TupleDesc descriptor)
{
	MemoryContext old;
	const cql_statement *statement;

	if (arm->is_resolved)
		return;
	statement = scylla_statement_get(scylla_setup_variant(setup, arm->arm, skipped)->statement);
	old = MemoryContextSwitchTo(setup->connected);
	scylla_params_resolve(arm->params, statement, setup->plan->is_excess_truncated);
	if (setup->reader == NULL)
		setup->reader =
			scylla_tuple_reader_new(descriptor, setup->plan, statement, setup->remote.local_table);
	MemoryContextSwitchTo(old);
	arm->is_resolved = true;
}

void
scylla_setup_split_ring(ScyllaScanSetup *setup, ScyllaArmSetup *arm)
{
	cql_split split = {
		.keyspace = setup->plan->keyspace,
		.table = setup->plan->table,
		.consistency = (cql_consistency) setup->streams.consistency,
		.wanted = arm->arm->ring_pieces,
	};
	ScyllaRing *ring = &arm->probes->ring;
	MemoryContext old = MemoryContextSwitchTo(setup->connected);

	if (arm->pieces != NULL)
		pfree(arm->pieces);
	arm->pieces = NULL;
	arm->pieces =
		scylla_split_ring(setup->remote.session, &split, MAX_SPLIT * split.wanted, &ring->count);
	ring->pieces = arm->pieces;
	MemoryContextSwitchTo(old);
}
