/*
 * The window of a lookup join: a queue of outer rows, each with what was asked for it. A row is
 * given out in its turn, and what was asked for it is held until the next one is; the scan finds
 * it by the same values, so that nothing depends on what was asked ahead but time.
 *
 * The queue is bounded by the lookups in flight, by a multiple of them in rows, so that one slow
 * answer does not hold up the others, and by work_mem.
 */
#include "postgres.h"

#include "exec/lookup_join.h"

#include "access/parallel.h"
#include "bridge/wait.h"
#include "compat.h"
#include "exec/plan_tree.h"
#include "exec/scan.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/extensible.h"
#include "option.h"
#include "plan/lookup_plan.h"
#include "utils/memutils.h"

/* Rows in the queue for each lookup that may be in flight. */
#define ROWS_PER_LOOKUP 4

typedef struct WindowRow
{
	dlist_node node;
	MinimalTuple tuple;
	List *asked; /* of ScyllaAsked; NIL: nothing */
} WindowRow;

/* A parameter of the scan, and the column of our rows that gives its value. */
typedef struct WindowParam
{
	int param;
	AttrNumber attnum;
} WindowParam;

/* What looking up has cost: ours, and what the scan counts of its reading. */
typedef struct LookupCosts
{
	ScyllaLookaheadCounts lookups;
	ScyllaCounters reading; /* the numbers alone */
	uint64 removed_rows;
} LookupCosts;

/* Each participant has a window and lookups of its own; together they only count. */
typedef struct SharedWindow
{
	int worker_count;
	LookupCosts costs[FLEXIBLE_ARRAY_MEMBER]; /* of each worker, as of its last row */
} SharedWindow;

typedef struct LookupWindow
{
	CustomScanState node;
	ForeignScanState *scan; /* whose lookups these are */
	List *params;           /* of WindowParam; NIL until the first row is wanted */
	bool is_passing;        /* nothing is asked ahead */
	int first_size;
	MemoryContext context; /* of the rows */
	/* this run */
	dlist_head rows; /* that wait */
	int row_count;
	size_t row_bytes;
	WindowRow *given; /* the row that was given out last */
	bool is_exhausted;
	int size;       /* lookups that may be in flight */
	int until_look; /* rows to give out before it is looked whether to read on */
	/* beside workers */
	SharedWindow *shared; /* NULL: nobody helps, or no more */
	ScyllaLookaheadCounts of_workers;
} LookupWindow;

/* ---- beginning ---- */

static void
reset_run(LookupWindow *window)
{
	MemoryContextReset(window->context);
	dlist_init(&window->rows);
	window->row_count = 0;
	window->row_bytes = 0;
	window->given = NULL;
	window->is_exhausted = false;
	window->size = window->first_size;
	window->until_look = 0;
}

static void
begin_window(CustomScanState *node, EState *estate, int eflags)
{
	LookupWindow *window = (LookupWindow *) node;
	CustomScan *plan = castNode(CustomScan, node->ss.ps.plan);
	ScyllaLookupPlan lookup = scylla_lookup_plan_decode(plan->custom_private);
	ParamExecData *place = &estate->es_param_exec_vals[lookup.param];

	node->custom_ps = list_make1(ExecInitNode(linitial(plan->custom_plans), estate, eflags));
	window->first_size = lookup.first_window;
	window->context =
		AllocSetContextCreate(CurrentMemoryContext, "scylla_fdw window", ALLOCSET_DEFAULT_SIZES);
	reset_run(window);
	place->value = PointerGetDatum(&window->scan);
	place->isnull = false;
}

/* By the nested loop above us: which parameters it makes of which of our columns. */
static void
find_params(LookupWindow *window)
{
	const PlanState *state = &window->node.ss.ps;
	List *ancestors = scylla_plan_ancestors(state->state->es_plannedstmt, state->plan);
	ListCell *cell;

	/* Behind a gate, say. Then rows pass through, and the scan asks for itself. */
	window->is_passing = ancestors == NIL || !IsA(linitial(ancestors), NestLoop);
	if (window->is_passing)
		return;
	foreach (cell, linitial_node(NestLoop, ancestors)->nestParams)
	{
		const NestLoopParam *known = lfirst_node(NestLoopParam, cell);
		WindowParam *param = palloc(sizeof(WindowParam));

		param->param = known->paramno;
		param->attnum = known->paramval->varattno;
		window->params = lappend(window->params, param);
	}
}

/* ---- reading ahead ---- */

/* The next row of the outer plan, as we give it; NULL: there is none. */
static TupleTableSlot *
next_outer(LookupWindow *window)
{
	ScanState *state = &window->node.ss;
	TupleTableSlot *outer = ExecProcNode(linitial(window->node.custom_ps));
	TupleTableSlot *slot = state->ss_ScanTupleSlot;

	if (TupIsNull(outer))
		return NULL;
	/* Expressions above are made for a virtual tuple. */
	ExecClearTuple(slot);
	slot_getallattrs(outer);
	memcpy(slot->tts_values, outer->tts_values, slot->tts_tupleDescriptor->natts * sizeof(Datum));
	memcpy(slot->tts_isnull, outer->tts_isnull, slot->tts_tupleDescriptor->natts * sizeof(bool));
	ExecStoreVirtualTuple(slot);
	if (state->ps.ps_ProjInfo == NULL)
		return slot;
	ResetExprContext(state->ps.ps_ExprContext);
	state->ps.ps_ExprContext->ecxt_scantuple = slot;
	return ExecProject(state->ps.ps_ProjInfo);
}

/* The nested loop sets them anew before it runs the scan. */
static void
set_params(const LookupWindow *window, TupleTableSlot *slot)
{
	ParamExecData *params = window->node.ss.ps.state->es_param_exec_vals;
	ListCell *cell;

	foreach (cell, window->params)
	{
		const WindowParam *param = lfirst(cell);

		params[param->param].value =
			slot_getattr(slot, param->attnum, &params[param->param].isnull);
	}
}

/* False: there are no more rows. */
static bool
read_ahead(LookupWindow *window)
{
	TupleTableSlot *slot = next_outer(window);
	MemoryContext old;
	WindowRow *row;

	window->is_exhausted = slot == NULL;
	if (slot == NULL)
		return false;
	set_params(window, slot);
	old = MemoryContextSwitchTo(window->context);
	row = palloc(sizeof(WindowRow));
	row->tuple = ExecCopySlotMinimalTuple(slot);
	row->asked = scylla_scan_ask_ahead(window->scan);
	MemoryContextSwitchTo(old);
	dlist_push_tail(&window->rows, &row->node);
	window->row_count++;
	window->row_bytes += row->tuple->t_len;
	return true;
}

static ScyllaLookahead *
lookahead_of(const LookupWindow *window)
{
	return ((ScyllaScanState *) window->scan->fdw_state)->lookahead;
}

static uint64
count_lookups(const LookupWindow *window)
{
	const ScyllaLookahead *lookahead = lookahead_of(window);

	return lookahead != NULL ? scylla_lookahead_counts(lookahead)->lookups : 0;
}

static bool
has_room(const LookupWindow *window)
{
	const ScyllaLookahead *lookahead = lookahead_of(window);
	double bytes = (double) window->row_bytes;

	if (window->row_count == 0)
		return true;
	if (lookahead != NULL && !scylla_lookahead_has_room(lookahead))
		return false;
	if (lookahead != NULL)
		bytes += scylla_lookahead_bytes(lookahead);
	return window->row_count < ROWS_PER_LOOKUP * window->size && bytes < work_mem * 1024.0;
}

static int
widest(const LookupWindow *window)
{
	const ScyllaScanState *scan = window->scan->fdw_state;

	return Min(scylla_lookup_join_window, scan->plan->max_in_flight);
}

/* By halves, so that a turn of the loop sends many requests. */
static void
refill(LookupWindow *window)
{
	ScyllaLookahead *lookahead = lookahead_of(window);
	int in_flight;
	uint64 lookups;

	if (window->is_exhausted || (window->row_count > 0 && window->until_look-- > 0))
		return;
	window->size = Min(window->size, widest(window));
	window->until_look = window->size / 16;
	in_flight = lookahead != NULL ? scylla_lookahead_in_flight(lookahead) : 0;
	if (window->row_count > 0 && in_flight > window->size / 2)
		return;
	lookups = count_lookups(window) + (uint64) Max(window->size - in_flight, 1);
	while (has_room(window) && count_lookups(window) < lookups)
		if (!read_ahead(window))
			break;
	if (lookahead_of(window) != NULL)
		scylla_lookahead_send(lookahead_of(window));
	/* They leave at a turn, and the next may come only after all that is here was read. */
	scylla_wait_nothing();
}

/* ---- giving ---- */

static void
drop_given(LookupWindow *window)
{
	ListCell *cell;

	if (window->given == NULL)
		return;
	foreach (cell, window->given->asked)
		scylla_lookahead_release(lookahead_of(window), lfirst(cell));
	list_free(window->given->asked);
	pfree(window->given->tuple);
	pfree(window->given);
	window->given = NULL;
}

static TupleTableSlot *
give_row(LookupWindow *window)
{
	const ScanState *state = &window->node.ss;
	TupleTableSlot *slot =
		state->ps.ps_ProjInfo != NULL ? state->ps.ps_ResultTupleSlot : state->ss_ScanTupleSlot;

	if (window->row_count == 0)
		return ExecClearTuple(slot);
	window->given = dlist_container(WindowRow, node, dlist_pop_head_node(&window->rows));
	window->row_count--;
	window->row_bytes -= window->given->tuple->t_len;
	window->size = Min(window->size + 1, widest(window));
	ExecForceStoreMinimalTuple(window->given->tuple, slot, false);
	return slot;
}

/* ---- beside workers ---- */

static void
add_counts(ScyllaLookaheadCounts *counts, const ScyllaLookaheadCounts *others)
{
	counts->lookups += others->lookups;
	counts->duplicates += others->duplicates;
	counts->waits += others->waits;
	counts->most_in_flight = Max(counts->most_in_flight, others->most_in_flight);
}

/* Of a worker, at each row, since a leader that has enough rows does not wait for its end. */
static void
publish_costs(const LookupWindow *window)
{
	const ScyllaScanState *scan = window->scan->fdw_state;
	LookupCosts *costs;

	if (window->shared == NULL || !IsParallelWorker() || scan->lookahead == NULL)
		return;
	costs = &window->shared->costs[ParallelWorkerNumber];
	costs->lookups = *scylla_lookahead_counts(scan->lookahead);
	costs->reading = scan->setup->counters;
	costs->removed_rows = scan->removed_rows;
}

/* The scan below us is nobody's to share, so that what workers' scans count comes by us as well. */
static void
collect_costs(LookupWindow *window)
{
	ScyllaScanState *scan = window->scan->fdw_state;

	for (int i = 0; i < window->shared->worker_count; i++)
	{
		LookupCosts *costs = &window->shared->costs[i];

		add_counts(&window->of_workers, &costs->lookups);
		scylla_counters_add(&scan->setup->counters, &costs->reading);
		scan->removed_rows += costs->removed_rows;
		memset(costs, 0, sizeof(LookupCosts));
	}
}

static Size
estimate_shared(CustomScanState *node, ParallelContext *pcxt)
{
	return offsetof(SharedWindow, costs) + pcxt->nworkers * sizeof(LookupCosts);
}

static void
initialize_shared(CustomScanState *node, ParallelContext *pcxt, void *coordinate)
{
	LookupWindow *window = (LookupWindow *) node;

	window->shared = coordinate;
	window->shared->worker_count = pcxt->nworkers;
	memset(window->shared->costs, 0, pcxt->nworkers * sizeof(LookupCosts));
}

static void
reinitialize_shared(CustomScanState *node, ParallelContext *pcxt, void *coordinate)
{
	collect_costs((LookupWindow *) node);
}

static void
initialize_worker(CustomScanState *node, shm_toc *toc, void *coordinate)
{
	((LookupWindow *) node)->shared = coordinate;
}

/* The shared memory is about to go. */
static void
leave_shared(CustomScanState *node)
{
	LookupWindow *window = (LookupWindow *) node;

	if (window->shared != NULL && IsParallelWorker())
		publish_costs(window);
	else if (window->shared != NULL)
		collect_costs(window);
	window->shared = NULL;
}

/* ---- running ---- */

/* A row that is checked again after somebody changed it asks for nothing ahead. */
static TupleTableSlot *
next_row(CustomScanState *node)
{
	LookupWindow *window = (LookupWindow *) node;

	if (window->params == NIL && !window->is_passing)
		find_params(window);
	if (window->is_passing || node->ss.ps.state->es_epq_active != NULL)
		return next_outer(window);
	drop_given(window);
	refill(window);
	publish_costs(window);
	return give_row(window);
}

/* ---- again, and the end ---- */

static void
drop_rows(LookupWindow *window)
{
	drop_given(window);
	while (window->row_count > 0)
	{
		(void) give_row(window);
		drop_given(window);
	}
}

static void
rescan_window(CustomScanState *node)
{
	LookupWindow *window = (LookupWindow *) node;
	PlanState *outer = linitial(node->custom_ps);

	drop_rows(window);
	reset_run(window);
	if (node->ss.ps.chgParam != NULL)
		UpdateChangedParamSet(outer, node->ss.ps.chgParam);
	if (outer->chgParam == NULL)
		ExecReScan(outer);
}

/* What is still asked for ends with the scan. */
static void
end_window(CustomScanState *node)
{
	ExecEndNode(linitial(node->custom_ps));
}

static void
explain_window(CustomScanState *node, List *ancestors, ExplainState *es)
{
	const LookupWindow *window = (LookupWindow *) node;
	ScyllaLookaheadCounts counts = window->of_workers;

	if (!es->analyze)
		return;
	if (lookahead_of(window) != NULL)
		add_counts(&counts, scylla_lookahead_counts(lookahead_of(window)));
	ExplainPropertyUInteger("Lookups", NULL, counts.lookups, es);
	ExplainPropertyUInteger("Duplicates Saved", NULL, counts.duplicates, es);
	ExplainPropertyInteger("Window Used", NULL, counts.most_in_flight, es);
	ExplainPropertyUInteger("Waits", NULL, counts.waits, es);
}

/* ---- made by name ---- */

static const CustomExecMethods exec_methods = {
	.CustomName = SCYLLA_LOOKUP_WINDOW_NAME,
	.BeginCustomScan = begin_window,
	.ExecCustomScan = next_row,
	.EndCustomScan = end_window,
	.ReScanCustomScan = rescan_window,
	.EstimateDSMCustomScan = estimate_shared,
	.InitializeDSMCustomScan = initialize_shared,
	.ReInitializeDSMCustomScan = reinitialize_shared,
	.InitializeWorkerCustomScan = initialize_worker,
	.ShutdownCustomScan = leave_shared,
	.ExplainCustomScan = explain_window,
};

static Node *
create_window(CustomScan *plan)
{
	LookupWindow *window = palloc0(sizeof(LookupWindow));

	NodeSetTag(window, T_CustomScanState);
	window->node.methods = &exec_methods;
	return (Node *) window;
}

static const CustomScanMethods scan_methods = {
	.CustomName = SCYLLA_LOOKUP_WINDOW_NAME,
	.CreateCustomScanState = create_window,
};

void
scylla_lookup_window_register(void)
{
	RegisterCustomScanMethods(&scan_methods);
}
