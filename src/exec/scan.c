/*
 * Running a scan: prepare at the first row asked for, bind, read pages, give rows.
 *
 * Contexts: what lasts is in the query's context, what a row needs in the node's per-tuple
 * memory, in which the executor calls; a page is one block of the driver's, owned by the cursor.
 * Whatever leaves by an error is cleaned up by the cursor's reset callback.
 */
#include "postgres.h"

#include "exec/scan.h"

#include "bridge/writer.h"
#include "compat.h"
#include "exec/drift.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "optimizer/clauses.h"
#include "option.h"
#include "utils/memutils.h"
#include "utils/rel.h"

static Oid
find_user(const ForeignScan *fsplan, EState *estate)
{
	Oid userid = scylla_scan_user(fsplan, estate);

	return OidIsValid(userid) ? userid : GetUserId();
}

void
scyllaBeginForeignScan(ForeignScanState *node, int eflags)
{
	ForeignScan *fsplan = castNode(ForeignScan, node->ss.ps.plan);
	ScyllaScanState *scan = palloc0(sizeof(ScyllaScanState));
	EState *estate = node->ss.ps.state;

	node->fdw_state = scan;
	scan->plan = scylla_scan_plan_decode(fsplan->fdw_private);
	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
		return;

	scan->context = estate->es_query_cxt;
	scan->relation = node->ss.ss_currentRelation;
	scan->userid = find_user(fsplan, estate);
	scan->remote_table = psprintf("%s.%s", scan->plan->keyspace, scan->plan->table);
	scan->arm = &scan->plan->arms[0];
	scan->is_traced = scylla_trace && estate->es_instrument != 0;
	scan->params = scylla_params_new(&node->ss.ps, scan->arm, fsplan->fdw_exprs,
									 RelationGetRelationName(scan->relation));
	scan->cells = palloc0(scan->plan->column_count * sizeof(cql_cell));
	scan->bind_params = pull_paramids((Expr *) fsplan->fdw_exprs);
	scan->phase = SCYLLA_SCAN_NEW;
}

/* ---- does the server still mean what the plan believes? ---- */

static bool
has_column_drift(const ScyllaScanState *scan, const ScyllaScanVariant *variant,
				 const cql_result *page, ScyllaDrift *drift)
{
	const cql_statement *statement = scylla_statement_get(variant->statement);
	int count =
		page != NULL ? cql_result_column_count(page) : cql_statement_column_count(statement);

	if (count != scan->plan->column_count)
		return true;
	for (int i = 0; i < scan->plan->column_count; i++)
	{
		const ScyllaFetchColumn *fetch = &scan->plan->columns[i];
		const cql_column *column =
			page != NULL ? cql_result_column(page, i) : cql_statement_column(statement, i);

		*drift = (ScyllaDrift) {fetch->name, column->type, fetch->type_text};
		if (!scylla_drift_is_type(column->type, fetch->type_text))
			return true;
	}
	return false;
}

static bool
has_bind_drift(const ScyllaScanState *scan, const ScyllaScanVariant *variant, ScyllaDrift *drift)
{
	const cql_statement *statement = scylla_statement_get(variant->statement);
	int count = cql_statement_bind_count(statement);
	int bind = 0;

	for (int i = 0; i < scan->arm->condition_count; i++)
	{
		const ScyllaScanMarker *marker = &scan->arm->conditions[i].markers[0];
		const cql_type *type;

		if (variant->skipped & (UINT64CONST(1) << i))
			continue;
		if (bind == count)
			break;
		type = cql_statement_bind(statement, bind++)->type;
		*drift = (ScyllaDrift) {marker->name, type, marker->type_text};
		if (!scylla_drift_is_type(type, marker->type_text))
			return true;
	}
	*drift = (ScyllaDrift) {0};
	return bind != count;
}

static void
raise_drift(const ScyllaScanState *scan, const ScyllaScanVariant *variant, const ScyllaDrift *drift)
{
	scylla_drift_raise(scan->session, variant->statement, RelationGetRelationName(scan->relation),
					   scan->remote_table, drift);
}

static bool
has_drift(const ScyllaScanState *scan, const ScyllaScanVariant *variant, ScyllaDrift *drift)
{
	*drift = (ScyllaDrift) {0};
	return has_column_drift(scan, variant, NULL, drift) || has_bind_drift(scan, variant, drift);
}

static void
check_page(const ScyllaScanState *scan, const ScyllaScanVariant *variant, const cql_result *page)
{
	ScyllaDrift drift = {0};

	if (cql_result_has_columns_of(page, scylla_statement_get(variant->statement)))
		return;
	if (has_column_drift(scan, variant, page, &drift))
		raise_drift(scan, variant, &drift);
	/* A user-defined type got a field. This scan passes over it, the next one shall know it. */
	scylla_statement_forget(scan->session, variant->statement);
}

/* ---- variants ---- */

static void
open_cursor(const ScyllaScanState *scan, ScyllaScanVariant *variant)
{
	ScyllaCursorSpec spec = {
		.session = scan->session,
		.statement = scylla_statement_get(variant->statement),
		.consistency = scylla_read_consistency(scan->plan->read_consistency),
		.page_rows = scan->plan->fetch_size,
		.is_idempotent = true,
		.is_traced = scan->is_traced,
		.is_prefetching = !scan->arm->is_unique,
		.about = {.relation = scan->remote_table},
	};

	variant->cursor = scylla_cursor_new(&spec);
}

/* A statement that was prepared before the remote table changed is prepared again. */
static void
prepare_variant(const ScyllaScanState *scan, ScyllaScanVariant *variant, const char *cql)
{
	ScyllaReportContext about = {.relation = scan->remote_table};
	ScyllaDrift drift;

	variant->statement = scylla_prepare(scan->session, cql, &about);
	if (!has_drift(scan, variant, &drift))
		return;
	scylla_statement_forget(scan->session, variant->statement);
	scylla_statement_release(variant->statement);
	variant->statement = scylla_prepare(scan->session, cql, &about);
	if (has_drift(scan, variant, &drift))
		raise_drift(scan, variant, &drift);
}

static ScyllaScanVariant *
make_variant(ScyllaScanState *scan, uint64 skipped)
{
	ScyllaScanVariant *variant = palloc0(sizeof(ScyllaScanVariant));

	variant->skipped = skipped;
	prepare_variant(scan, variant, scylla_scan_plan_cql(scan->plan, scan->arm, skipped));
	open_cursor(scan, variant);
	scan->variants = lappend(scan->variants, variant);
	return variant;
}

static ScyllaScanVariant *
get_variant(ScyllaScanState *scan, uint64 skipped)
{
	MemoryContext old;
	ScyllaScanVariant *variant;
	ListCell *cell;

	foreach (cell, scan->variants)
	{
		variant = lfirst(cell);
		if (variant->skipped == skipped)
			return variant;
	}
	old = MemoryContextSwitchTo(scan->context);
	variant = make_variant(scan, skipped);
	MemoryContextSwitchTo(old);
	return variant;
}

/* ---- rows ---- */

/* What needs the server, once: at the first row that somebody asks for. */
static void
connect_scan(ScyllaScanState *scan)
{
	MemoryContext old;
	cql_statement *statement;

	if (scan->reader != NULL)
		return;
	old = MemoryContextSwitchTo(scan->context);
	if (scan->session == NULL)
	{
		scan->session = scylla_session_get(scan->plan->serverid, scan->userid);
		scylla_session_pin(scan->session, scan->context);
	}
	statement = scylla_statement_get(get_variant(scan, 0)->statement);
	scylla_params_resolve(scan->params, statement, scan->plan->is_excess_truncated);
	scan->reader = scylla_tuple_reader_new(scan->relation, scan->plan, statement);
	MemoryContextSwitchTo(old);
}

static ScyllaScanPhase
start_scan(ForeignScanState *node)
{
	ScyllaScanState *scan = node->fdw_state;
	const ScyllaEncodedParams *encoded;

	scan->variant = NULL;
	scan->page = NULL;
	if (!scylla_params_evaluate(scan->params, node->ss.ps.ps_ExprContext))
		return SCYLLA_SCAN_DONE;
	connect_scan(scan);
	scylla_writers_settle(node->ss.ps.state);
	if (!scylla_params_encode(scan->params, &encoded))
		return SCYLLA_SCAN_DONE;
	scan->variant = get_variant(scan, encoded->skipped);
	scylla_cursor_start(scan->variant->cursor, encoded->values.data, encoded->values.len,
						encoded->value_count);
	return SCYLLA_SCAN_RUNNING;
}

static bool
fetch_row(ScyllaScanState *scan)
{
	ScyllaScanVariant *variant = scan->variant;

	for (;;)
	{
		if (scan->page != NULL && cql_result_next_row(scan->page, scan->cells))
			return true;
		scan->page = NULL;
		scan->page = scylla_cursor_next_page(variant->cursor);
		/* Behind the last row too: what has no rows may be no answer to a SELECT at all. */
		check_page(scan, variant, scylla_cursor_result(variant->cursor));
		if (scan->page == NULL)
			return false;
	}
}

/*
 * A column that reads as NULL fulfils no range, but the server may give such rows: the row of a
 * partition that has static columns only, when the condition was left out; and a row whose
 * clustering cell is empty, which CQL sorts before all values.
 */
static bool
has_null_in_range(const ScyllaScanState *scan, const TupleTableSlot *slot)
{
	for (int i = 0; i < scan->arm->condition_count; i++)
	{
		const ScyllaScanCondition *condition = &scan->arm->conditions[i];

		if (scylla_operator_is_range(condition->op) &&
			slot->tts_isnull[condition->markers[0].attnum - 1])
			return true;
	}
	return false;
}

TupleTableSlot *
scyllaIterateForeignScan(ForeignScanState *node)
{
	ScyllaScanState *scan = node->fdw_state;
	TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;

	ExecClearTuple(slot);
	if (scan->phase == SCYLLA_SCAN_NEW)
		scan->phase = start_scan(node);
	while (scan->phase == SCYLLA_SCAN_RUNNING)
	{
		if (!fetch_row(scan))
		{
			scan->phase = SCYLLA_SCAN_DONE;
			break;
		}
		scylla_tuple_store(scan->reader, scan->cells, slot);
		if (!has_null_in_range(scan, slot))
			break;
		ExecClearTuple(slot);
	}
	return slot;
}

/* A result that is a single page is read again; else it is asked for again. */
void
scyllaReScanForeignScan(ForeignScanState *node)
{
	ScyllaScanState *scan = node->fdw_state;
	bool has_new_values = bms_overlap(node->ss.ps.chgParam, scan->bind_params);

	if (scan->phase == SCYLLA_SCAN_NEW)
		return;
	scan->page = NULL;
	if (!has_new_values && scan->variant == NULL)
		return; /* no row can match, still */
	if (!has_new_values && scylla_cursor_rewind(scan->variant->cursor))
	{
		scan->phase = SCYLLA_SCAN_RUNNING;
		return;
	}
	if (scan->variant != NULL)
		scylla_cursor_end(scan->variant->cursor);
	scan->phase = SCYLLA_SCAN_NEW;
}

void
scyllaEndForeignScan(ForeignScanState *node)
{
	ScyllaScanState *scan = node->fdw_state;
	ListCell *cell;

	/* EXPLAIN alone, or an error before Begin was through. */
	if (scan == NULL || scan->context == NULL)
		return;
	foreach (cell, scan->variants)
		scylla_cursor_end(((ScyllaScanVariant *) lfirst(cell))->cursor);
}
