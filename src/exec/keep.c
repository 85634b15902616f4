/*
 * A short list of plans that were run lately, by their id. What is kept of one is nobody's while
 * it stands in the list; an execution takes it out, so that another one of the same plan, inside
 * of it, makes its own. A plan that runs for the first time is only noted: most are never run
 * again.
 *
 * A plan of a changed table is another plan. But not every change of a type makes a new plan, so
 * any change of a relation or type makes what was kept before worthless.
 */
#include "postgres.h"

#include "exec/keep.h"

#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#define KEPT_PLANS 32

/* Larger ones (of long arrays, of many streams) are not kept. */
#define MAX_KEPT_BYTES (64 * 1024)

typedef struct KeptPlan
{
	ScyllaPlanId id;
	ScyllaScanSetup *setup; /* in CacheMemoryContext; NULL: none, or it is taken */
	uint64 generation;      /* of the catalogs that it was made from */
	uint64 last_use;
} KeptPlan;

static KeptPlan plans[KEPT_PLANS];
static uint64 last_use = 0;
static uint64 catalog_generation = 0;

static void
note_relation_change(Datum arg, Oid relid)
{
	catalog_generation++;
}

static void
note_type_change(Datum arg, int cache_id, uint32 hash_value)
{
	catalog_generation++;
}

static void
register_callbacks(void)
{
	static bool is_registered = false;

	if (is_registered)
		return;
	CacheRegisterRelcacheCallback(note_relation_change, (Datum) 0);
	CacheRegisterSyscacheCallback(TYPEOID, note_type_change, (Datum) 0);
	is_registered = true;
}

static void
drop_setup(KeptPlan *plan)
{
	ScyllaScanSetup *setup = plan->setup;

	plan->setup = NULL;
	if (setup != NULL)
		MemoryContextDelete(setup->context);
}

static KeptPlan *
find_plan(ScyllaPlanId id)
{
	for (int i = 0; i < KEPT_PLANS; i++)
		if (plans[i].id.number == id.number && plans[i].id.pid == id.pid)
			return &plans[i];
	return NULL;
}

/* In the place of the one that was run longest ago. */
static void
note_plan(ScyllaPlanId id)
{
	KeptPlan *oldest = &plans[0];

	for (int i = 1; i < KEPT_PLANS; i++)
		if (plans[i].last_use < oldest->last_use)
			oldest = &plans[i];
	drop_setup(oldest);
	oldest->id = id;
	oldest->last_use = ++last_use;
}

/* ---- while it is taken ---- */

/* In the execution's context, whose reset throws away what was not given back. */
struct ScyllaKeepGuard
{
	MemoryContextCallback callback;
	ScyllaScanSetup *setup; /* NULL: given back */
	uint64 generation;      /* of the catalogs that the set-up was made from */
};

static void
throw_away(void *arg)
{
	ScyllaKeepGuard *guard = arg;

	if (guard->setup != NULL)
		MemoryContextDelete(guard->setup->context);
	guard->setup = NULL;
}

/* Before the set-up is made, so that an error finds it. */
static ScyllaKeepGuard *
make_guard(void)
{
	ScyllaKeepGuard *guard = palloc0(sizeof(ScyllaKeepGuard));

	guard->callback.func = throw_away;
	guard->callback.arg = guard;
	guard->generation = catalog_generation;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &guard->callback);
	return guard;
}

ScyllaScanSetup *
scylla_keep_take(ForeignScanState *node)
{
	ScyllaPlanId id = scylla_scan_plan_id(castNode(ForeignScan, node->ss.ps.plan)->fdw_private);
	KeptPlan *plan = find_plan(id);
	ScyllaKeepGuard *guard;

	register_callbacks();
	if (plan == NULL)
	{
		note_plan(id);
		return scylla_setup_new(node);
	}
	plan->last_use = ++last_use;
	if (plan->generation != catalog_generation)
		drop_setup(plan);
	guard = make_guard();
	guard->setup = plan->setup;
	plan->setup = NULL;
	if (guard->setup == NULL)
	{
		/* It outlives the execution only once it is whole and the guard knows it. */
		guard->setup = scylla_setup_new(node);
		MemoryContextSetParent(guard->setup->context, CacheMemoryContext);
	}
	guard->setup->guard = guard;
	return guard->setup;
}

void
scylla_keep_give_back(ScyllaScanSetup *setup, List *packed_plan)
{
	ScyllaKeepGuard *guard = setup->guard;
	KeptPlan *plan;

	if (guard == NULL)
		return; /* it ends with the execution */
	plan = find_plan(scylla_scan_plan_id(packed_plan));
	if (plan == NULL || plan->setup != NULL || setup->remote.is_outdated ||
		MemoryContextMemAllocated(setup->context, true) > MAX_KEPT_BYTES)
		return; /* the guard throws it away */
	guard->setup = NULL;
	setup->guard = NULL;
	plan->setup = setup;
	plan->generation = guard->generation;
}
