/*
 * Running a scan: evaluate, bind, send the probes, read pages, give rows.
 *
 * Contexts: what lasts is in the set-up's context, what a row needs in the node's per-tuple
 * memory; a page is one block of the driver's, owned by its stream's cursor. Whatever leaves by
 * an error is cleaned up by the cursors' reset callbacks.
 */
#include "postgres.h"

#include "exec/scan.h"

#include "bridge/usage.h"
#include "bridge/writer.h"
#include "compat.h"
#include "exec/keep.h"
#include "exec/parallel.h"
#include "exec/scan_rows.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "option.h"
#include "utils/memutils.h"
#include "utils/rel.h"

/* Of one run of a scan; what asks for more has a window of its own, the fan-out's. */
#define MAX_PROBES_AHEAD 64

static Oid
find_user(const ForeignScan *fsplan, EState *estate)
{
	Oid userid = scylla_scan_user(fsplan, estate);

	return OidIsValid(userid) ? userid : GetUserId();
}

static ExprState *
init_clause(const ScyllaScanArm *arm, List *exprs, PlanState *node)
{
	if (arm->clause < 0)
		return NULL;
	return ExecInitQual(list_make1(list_nth(exprs, arm->clause)), node);
}

/* Which of the columns has an arm for its empty values; -1: none. */
static int
find_empty_column(const ScyllaScanPlan *plan)
{
	for (int i = 0; i < plan->arm_count; i++)
		for (int j = 0; j < plan->arms[i].condition_count; j++)
		{
			const ScyllaScanCondition *condition = &plan->arms[i].conditions[j];

			if (condition->form != SCYLLA_FORM_EMPTY || condition->op != SCYLLA_OP_EQUAL)
				continue;
			for (int column = 0; column < plan->column_count; column++)
				if (plan->columns[column].attnum == condition->markers[0].attnum)
					return column;
		}
	return -1;
}

static void
init_expressions(ScyllaScanState *scan, List *exprs, PlanState *node)
{
	scan->clauses = palloc0(Max(scan->plan->arm_count, 1) * sizeof(ExprState *));
	for (int i = 0; i < scan->plan->arm_count; i++)
	{
		scylla_params_init(scan->setup->arms[i].params, exprs, node);
		scan->clauses[i] = init_clause(&scan->plan->arms[i], exprs, node);
	}
	scan->empty_column = find_empty_column(scan->plan);
	if (scan->plan->limit_bind >= 0)
		scan->limit = ExecInitExpr(list_nth(exprs, scan->plan->limit_bind), node);
}

/* Tell the window of the lookup join, which has begun before, which scan is its. */
static void
join_window(ForeignScanState *node)
{
	const ScyllaScanState *scan = node->fdw_state;
	const ParamExecData *params = node->ss.ps.state->es_param_exec_vals;
	ForeignScanState **place;

	if (scan->plan->lookup_param < 0)
		return;
	place = (ForeignScanState **) DatumGetPointer(params[scan->plan->lookup_param].value);
	if (place != NULL)
		*place = node;
}

/* Whether a ModifyTable above writes the rows: it has taken its relations before it begins its scans. */
static bool
is_target(const ForeignScanState *node)
{
	ResultRelInfo **results = node->ss.ps.state->es_result_relations;
	Index relid = ((const Scan *) node->ss.ps.plan)->scanrelid;

	return results != NULL && relid > 0 && results[relid - 1] != NULL;
}

void
scyllaBeginForeignScan(ForeignScanState *node, int eflags)
{
	ForeignScan *fsplan = castNode(ForeignScan, node->ss.ps.plan);
	ScyllaScanState *scan = palloc0(sizeof(ScyllaScanState));

	node->fdw_state = scan;
	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
	{
		scan->plan = scylla_scan_plan_decode(fsplan->fdw_private);
		return;
	}
	scan->setup = scylla_keep_take(node);
	scan->setup->counters = (ScyllaCounters) {.context = CurrentMemoryContext};
	scan->plan = scan->setup->plan;
	scan->userid = find_user(fsplan, node->ss.ps.state);
	init_expressions(scan, fsplan->fdw_exprs, &node->ss.ps);
	scan->is_target = is_target(node);
	scan->phase = SCYLLA_SCAN_NEW;
	join_window(node);
}

/* ---- the limit ---- */

/* How many rows are wanted; INT64_MAX: all. */
static int64
evaluate_limit(const ScyllaScanState *scan, ExprContext *context)
{
	bool is_null;
	Datum value;

	if (scan->limit == NULL)
		return INT64_MAX;
	value = ExecEvalExprSwitchContext(scan->limit, context, &is_null);
	return is_null ? INT64_MAX : DatumGetInt64(value);
}

/* The server may stop at the limit where every row that it counts is one that is given. */
static bool
can_send_limit(const ScyllaScanPlan *plan, const ScyllaProbes *probes, int64 limit)
{
	return plan->is_limit_sent && limit <= PG_INT32_MAX && !probes->needs_recheck &&
		   !scylla_merge_may_displace(plan) && !scylla_probes_may_read_null(probes);
}

/* ---- starting ---- */

static ScyllaUsage *
get_usage(const ScyllaScanState *scan)
{
	return scylla_usage_of(scan->plan->serverid, scan->setup->remote.remote_table);
}

/* What the option full_scan says of reading the whole ring, once. Judged when the scan runs, so that
 * plans can be looked at and subplans that are never needed do no harm. */
static void
judge_full_scan(ScyllaScanState *scan)
{
	const ScyllaScanPlan *plan = scan->plan;

	if (scan->is_judged)
		return;
	scan->is_judged = true;
	get_usage(scan)->full_scans++;
	if (plan->full_scan == SCYLLA_FULL_SCAN_ALLOW)
		return;
	ereport(
		plan->full_scan == SCYLLA_FULL_SCAN_DENY ? ERROR : WARNING,
		(errcode(ERRCODE_STATEMENT_TOO_COMPLEX),
		 errmsg("scan of all of %s.%s", plan->keyspace, plan->table),
		 errdetail("The option full_scan of the foreign table or its server is \"%s\".",
				   plan->full_scan == SCYLLA_FULL_SCAN_DENY ? "deny" : "warn"),
		 plan->unbound_key != NULL
			 ? errhint("Partitions alone would be read with a condition (= or IN) on %s.",
					   plan->unbound_key)
			 : errhint(
				   "EXPLAIN VERBOSE tells why the conditions on the partition key stay local.")));
}

static void
judge_arms(ScyllaScanState *scan)
{
	bool is_full = false;

	for (int i = 0; i < scan->plan->arm_count; i++)
		is_full |= scan->plan->arms[i].access == SCYLLA_ACCESS_FULL_SCAN;
	if (is_full)
		judge_full_scan(scan);
}

void
scylla_scan_connect(ForeignScanState *node)
{
	ScyllaScanState *scan = node->fdw_state;
	EState *estate = node->ss.ps.state;
	ScyllaSession *session;

	if (scan->is_connected)
		return;
	if (!IsParallelWorker())
		judge_arms(scan);
	session = scylla_session_get(scan->plan->serverid, scan->userid);
	scylla_session_pin(session, estate->es_query_cxt);
	scylla_setup_connect(scan->setup, session, scylla_trace && estate->es_instrument != 0);
	scan->is_connected = true;
}

/* False: no row can match, and the server need not be asked. */
static bool
evaluate_arms(ScyllaScanState *scan, ExprContext *context)
{
	bool is_possible = false;

	for (int i = 0; i < scan->plan->arm_count; i++)
	{
		ScyllaArmSetup *arm = &scan->setup->arms[i];

		arm->is_possible = scylla_params_evaluate(arm->params, context);
		is_possible |= arm->is_possible;
	}
	return is_possible;
}

/* Rows that the server aggregates cannot be dropped here. */
static void
check_aggregated(const ScyllaScanState *scan, const ScyllaArmSetup *arm)
{
	if (!scan->plan->is_aggregated ||
		(!arm->probes->needs_recheck && !scylla_probes_may_read_null(arm->probes)))
		return;
	ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					errmsg("a value that foreign table \"%s\" is compared with cannot be sent with "
						   "an aggregate",
						   scan->setup->remote.local_table),
					errdetail("It lies below all values of its CQL type."),
					errhint("Leave the condition out, or set scylla_fdw.enable_pushdown to off.")));
}

static void
open_arm(ForeignScanState *node, ScyllaArmSetup *arm, int64 limit)
{
	ScyllaScanState *scan = node->fdw_state;
	bool is_limit_known = scan->plan->is_limit_sent && limit <= PG_INT32_MAX;
	uint64 skipped;

	scylla_setup_resolve(scan->setup, arm, is_limit_known ? 0 : SCYLLA_SKIP_LIMIT,
						 node->ss.ss_ScanTupleSlot->tts_tupleDescriptor);
	if (arm->arm->ring_pieces > 0 && scan->shared == NULL)
		scylla_setup_split_ring(scan->setup, arm);
	scylla_parallel_share(scan, arm);
	scylla_probes_open(arm->probes, scylla_params_encode(arm->params));
	arm->is_possible = arm->probes->count > 0;
	if (!arm->is_possible)
		return;
	if (arm->probes->is_without_view)
		judge_full_scan(scan);
	skipped = arm->probes->skipped;
	if (can_send_limit(scan->plan, arm->probes, limit))
		arm->probes->limit = (int32) limit;
	else if (scan->plan->is_limit_sent)
		skipped |= SCYLLA_SKIP_LIMIT;
	check_aggregated(scan, arm);
	arm->variant = scylla_setup_variant(scan->setup, arm->arm, skipped);
	scan->probe_count += arm->probes->count;
	scan->needs_recheck |= arm->probes->needs_recheck;
}

/* Pieces of the ring are a page each; of other probes a row or a few are expected. */
static int
first_window(const ScyllaScanState *scan, int64 limit)
{
	if (scan->plan->arms[0].ring_pieces > 0)
		return (int) Min(limit / scan->plan->fetch_size + 1, SCYLLA_FIRST_PIECES);
	return (int) Min(limit, SCYLLA_FIRST_WINDOW);
}

/* Whether the table is scanned in the place of a view, whose order its rows haven't. */
static bool
has_lost_view(const ScyllaScanState *scan)
{
	for (int i = 0; i < scan->plan->arm_count; i++)
		if (scan->setup->arms[i].is_possible && scan->setup->arms[i].probes->is_without_view)
			return true;
	return false;
}

static void
start_fanout(ForeignScanState *node, int64 limit)
{
	ScyllaScanState *scan = node->fdw_state;
	ScyllaScanPlan *plan = scan->plan;
	double streams = has_lost_view(scan) ? SCYLLA_UNSORTED_STREAMS : scan->probe_count;
	bool is_merged = streams > 1 ? scylla_merge_has_keys(plan) : scylla_merge_may_displace(plan);
	ScyllaMergeSpec spec = {
		.plan = plan,
		.local_table = scan->setup->remote.local_table,
		.fanout = scan->setup->fanout,
		.descriptor = node->ss.ss_ScanTupleSlot->tts_tupleDescriptor,
		.read_row = scylla_scan_read_row,
		.argument = node,
	};
	MemoryContext old;

	scan->setup->first_rows = limit < plan->fetch_size ? (int) limit : 0;
	if (!is_merged)
	{
		scylla_fanout_start(scan->setup->fanout, first_window(scan, limit), 0);
		if (scan->shared != NULL)
			scylla_fanout_limit(scan->setup->fanout, SCYLLA_SHARED_WINDOW);
		return;
	}
	/* Every stream is needed for the first row. */
	scylla_fanout_start(scan->setup->fanout, plan->max_in_flight,
						scylla_merge_page_rows(plan, scan->probe_count));
	/* The rows outlive this call's per-tuple memory. */
	old = MemoryContextSwitchTo(node->ss.ps.state->es_query_cxt);
	scan->merge = scylla_merge_begin(&spec, streams);
	MemoryContextSwitchTo(old);
}

/* Evaluate, and have the probes ready. False: no row can match. */
static bool
open_arms(ForeignScanState *node, int64 limit)
{
	ScyllaScanState *scan = node->fdw_state;

	scan->probe_count = 0;
	scan->needs_recheck = false;
	if (limit <= 0 || !evaluate_arms(scan, node->ss.ps.ps_ExprContext))
		return false;
	scylla_scan_connect(node);
	scylla_writers_settle(node->ss.ps.state);
	for (int i = 0; i < scan->plan->arm_count; i++)
		if (scan->setup->arms[i].is_possible)
			open_arm(node, &scan->setup->arms[i], limit);
	scan->setup->next_arm = 0;
	scan->is_every_row_wanted = scylla_scan_wants_every_row(scan);
	return scan->probe_count > 0;
}

static ScyllaScanPhase
start_scan(ForeignScanState *node)
{
	ScyllaScanState *scan = node->fdw_state;
	int64 limit = evaluate_limit(scan, node->ss.ps.ps_ExprContext);

	if (!open_arms(node, limit))
		return SCYLLA_SCAN_DONE;
	scan->is_looked_up = scan->lookahead != NULL && scan->probe_count <= MAX_PROBES_AHEAD;
	if (scan->is_looked_up)
		scylla_lookahead_begin(scan->lookahead, scylla_setup_next_probe, scan->setup);
	else
		start_fanout(node, limit);
	return SCYLLA_SCAN_RUNNING;
}

/* ---- of a lookup join ---- */

List *
scylla_scan_ask_ahead(ForeignScanState *node)
{
	ScyllaScanState *scan = node->fdw_state;
	ExprContext *context = node->ss.ps.ps_ExprContext;
	MemoryContext old;
	ScyllaProbe probe;
	List *asked = NIL;
	bool is_possible;

	ResetExprContext(context);
	/* As when the scan is run: what encoding leaves behind goes with the row. */
	old = MemoryContextSwitchTo(context->ecxt_per_tuple_memory);
	is_possible = open_arms(node, INT64_MAX) && scan->probe_count <= MAX_PROBES_AHEAD;
	MemoryContextSwitchTo(old);
	if (!is_possible)
		return NIL;
	if (scan->lookahead == NULL)
		scan->lookahead = scylla_lookahead_new(node->ss.ps.state->es_query_cxt, scan->setup);
	while (scylla_setup_next_probe(scan->setup, &probe))
		asked = lappend(asked, scylla_lookahead_ask(scan->lookahead, &probe));
	return asked;
}

/* ---- running ---- */

TupleTableSlot *
scyllaIterateForeignScan(ForeignScanState *node)
{
	ScyllaScanState *scan = node->fdw_state;
	TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;

	ExecClearTuple(slot);
	scan->is_pending = false;
	if (scan->phase == SCYLLA_SCAN_NEW)
	{
		scan->phase = start_scan(node);
		scylla_scan_begin_aggregates(scan);
	}
	if (scan->plan->is_aggregated)
		return scylla_scan_next_aggregates(node);
	if (scan->phase == SCYLLA_SCAN_RUNNING && !scylla_scan_next_row(node, slot) &&
		!scan->is_pending)
		scan->phase = SCYLLA_SCAN_DONE;
	return slot;
}

/* ---- again, and the end ---- */

static void
forget_rows(ScyllaScanState *scan)
{
	scan->stream = NULL;
	if (scan->merge != NULL)
		scylla_merge_end(scan->merge);
	scan->merge = NULL;
	if (scan->is_looked_up)
		scylla_lookahead_end(scan->lookahead);
	scan->is_looked_up = false;
}

/* A result that is a single page is read again; else it is asked for again. */
void
scyllaReScanForeignScan(ForeignScanState *node)
{
	ScyllaScanState *scan = node->fdw_state;
	bool has_new_values = bms_overlap(node->ss.ps.chgParam, scan->setup->bind_params);

	if (scan->phase == SCYLLA_SCAN_NEW ||
		(!has_new_values && scan->probe_count == 0 && !scan->plan->is_aggregated))
		return; /* not begun; or no row can match, still */
	if (!has_new_values && scan->is_connected && scan->merge == NULL && scan->shared == NULL &&
		scylla_fanout_rewind(scan->setup->fanout))
	{
		forget_rows(scan);
		scylla_scan_begin_aggregates(scan);
		scan->phase = SCYLLA_SCAN_RUNNING;
		return;
	}
	forget_rows(scan);
	if (scan->is_connected)
		scylla_fanout_end(scan->setup->fanout);
	scan->phase = SCYLLA_SCAN_NEW;
}

/* Beside workers, and in one: nobody will ask for more, unless it begins again. Of any foreign scan
 * node, also one that writes directly. */
void
scyllaShutdownForeignScan(ForeignScanState *node)
{
	bool is_scan = castNode(ForeignScan, node->ss.ps.plan)->operation == CMD_SELECT;
	ScyllaScanState *scan = is_scan ? node->fdw_state : NULL;

	if (scan == NULL || scan->shared == NULL)
		return;
	forget_rows(scan);
	if (scan->is_connected)
		scylla_fanout_end(scan->setup->fanout);
	if (scan->phase != SCYLLA_SCAN_NEW)
		scan->phase = SCYLLA_SCAN_DONE;
	scylla_parallel_leave(scan);
}

/* Where the server filters, a page without rows is none of deleted ones. */
static void
note_tombstones(const ScyllaScanState *scan)
{
	for (int i = 0; i < scan->plan->arm_count; i++)
		if (scan->plan->arms[i].is_filtered || scan->plan->arms[i].access == SCYLLA_ACCESS_INDEX)
			return;
	get_usage(scan)->tombstone_pages += scan->setup->counters.tombstone_pages;
}

void
scyllaEndForeignScan(ForeignScanState *node)
{
	ScyllaScanState *scan = node->fdw_state;

	/* EXPLAIN alone, or an error before Begin was through. */
	if (scan == NULL || scan->setup == NULL)
		return;
	forget_rows(scan);
	if (scan->is_connected)
		scylla_fanout_end(scan->setup->fanout);
	if (scan->lookahead != NULL)
		scylla_lookahead_free(scan->lookahead);
	if (scan->setup->counters.tombstone_pages > 0)
		note_tombstones(scan);
	scylla_keep_give_back(scan->setup, castNode(ForeignScan, node->ss.ps.plan)->fdw_private);
}
