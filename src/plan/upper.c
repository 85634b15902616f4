/*
 * Grouping, aggregates and DISTINCT as paths. The server may only see to them where it sees exactly
 * the rows that PostgreSQL would see: every clause is sent, means the same, and nothing is dropped
 * here afterwards. HAVING and whatever is computed from aggregates is left to PostgreSQL.
 */
#include "postgres.h"

#include <math.h>

#include "access/stratnum.h"
#include "compat.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/value.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/planmain.h"
#include "optimizer/tlist.h"
#include "plan/aggregate.h"
#include "plan/compare.h"
#include "plan/order.h"
#include "plan/parallel.h"
#include "plan/qual.h"
#include "plan/ring.h"
#include "plan/scan.h"
#include "plan/upper.h"
#include "utils/lsyscache.h"
#include "utils/selfuncs.h"
#include "utils/typcache.h"

#define GROUPS_REASON "CQL groups by the partition key, or by it and the first clustering columns"

/* An upper path in the making, and what its plan is made of: the only element of its fdw_private. */
typedef struct UpperPath
{
	RelOptInfo *rel; /* that is scanned */
	ScyllaScanParts parts;
	ScyllaAggregation aggregation;
	List *scan_tlist;  /* fdw_scan_tlist: the columns of the result, by resno */
	List *having;      /* clauses, for plan.qual */
	Bitmapset *groups; /* attribute numbers of the columns that are grouped by */
	List *group_exprs;
	bool is_grouped;
	double rows; /* before HAVING */
} UpperPath;

/* ---- which scans ---- */

/* What the server would have to know of the rows for more than sending them: NULL if it does, else
 * why it doesn't; "" if EXPLAIN tells that already. */
static const char *
split_exactly(RelOptInfo *rel, ScyllaScanParts *parts)
{
	const ScyllaRelPlan *plan = rel->fdw_private;

	scylla_scan_split(plan->table, plan->quals, parts);
	if (parts->filter != NIL || parts->plan.arm_count == 0)
		return "";
	if (parts->plan.arm_count > 1)
		return "an OR is asked for arm by arm, and a row may come of several";
	if (parts->plan.arms[0].access == SCYLLA_ACCESS_VIEW)
		return "a view has no rows of some keys";
	return scylla_order_exclude_empty(parts) ? NULL
											 : "rows with an empty value, which reads as NULL, "
											   "cannot be left out";
}

static const ScyllaScanCondition *
find_equality(const ScyllaScanPlan *plan, const ScyllaColumn *column)
{
	for (int i = 0; i < plan->arms[0].condition_count; i++)
	{
		const ScyllaScanCondition *condition = &plan->arms[0].conditions[i];

		if (condition->form == SCYLLA_FORM_COLUMN &&
			condition->markers[0].attnum == column->attnum &&
			(condition->op == SCYLLA_OP_EQUAL || condition->op == SCYLLA_OP_IN))
			return condition;
	}
	return NULL;
}

/* Whether all rows of one statement have the same value of a key column. */
static bool
is_fixed(const ScyllaScanPlan *plan, const ScyllaColumn *column)
{
	const ScyllaScanCondition *condition = find_equality(plan, column);

	return condition != NULL && condition->op == SCYLLA_OP_EQUAL;
}

/* CQL tells the values of a column, which the expression is, apart as PostgreSQL does: also where the
 * query has another collation than the column. */
static bool
has_same_groups(const ScyllaColumn *column, const Node *expr)
{
	return scylla_compare_is_same_equality(column->pair, exprCollation(expr));
}

static bool
is_grouped_by(const Bitmapset *groups, const ScyllaColumn *column)
{
	return bms_is_member(column->attnum, groups);
}

/* Whether groups tell partitions apart, and no statement gives a part of a group. */
static bool
covers_partition_key(const ScyllaTable *table, const ScyllaScanPlan *plan, const Bitmapset *groups)
{
	for (int i = 0; i < table->partition_count; i++)
	{
		const ScyllaColumn *column = table->partition_key[i];

		if (column == NULL || (!is_grouped_by(groups, column) && !is_fixed(plan, column)))
			return false;
	}
	return true;
}

/* ---- grouping ---- */

/* GROUP BY takes a prefix of the primary key. False: the groups are none. */
static bool
name_groups(UpperPath *upper)
{
	const ScyllaTable *table = ((ScyllaRelPlan *) upper->rel->fdw_private)->table;
	const ScyllaScanPlan *plan = &upper->parts.plan;
	int found = 0;
	int clustering = 0;

	if (!covers_partition_key(table, plan, upper->groups))
		return false;
	for (int i = 0; i < table->partition_count; i++)
		found += is_grouped_by(upper->groups, table->partition_key[i]);
	for (int i = 0; i < table->clustering_count; i++)
	{
		const ScyllaColumn *column = table->clustering_key[i];

		if (column == NULL)
			break;
		if (is_grouped_by(upper->groups, column))
		{
			found++;
			clustering = i + 1;
		}
		else if (!is_fixed(plan, column))
			break;
	}
	if (found != bms_num_members(upper->groups))
		return false;
	/* Each value of an IN is a statement, and so has to be a group. */
	for (int i = clustering; i < table->clustering_count; i++)
	{
		const ScyllaColumn *column = table->clustering_key[i];

		if (column != NULL && find_equality(plan, column) != NULL && !is_fixed(plan, column))
			return false;
	}
	for (int i = 0; i < table->partition_count; i++)
		upper->aggregation.group_names =
			lappend(upper->aggregation.group_names, makeString(pstrdup(table->partition_names[i])));
	for (int i = 0; i < clustering; i++)
		upper->aggregation.group_names = lappend(
			upper->aggregation.group_names, makeString(pstrdup(table->clustering_key[i]->name)));
	return true;
}

static bool
is_default_equality(const SortGroupClause *clause, const ScyllaColumn *column)
{
	Oid family = lookup_type_cache(column->pair->type, TYPECACHE_BTREE_OPFAMILY)->btree_opf;

	return OidIsValid(family) &&
		   get_op_opfamily_strategy(clause->eqop, family) == BTEqualStrategyNumber;
}

static TargetEntry *
add_result(UpperPath *upper, Expr *expr)
{
	TargetEntry *entry =
		makeTargetEntry(copyObject(expr), list_length(upper->scan_tlist) + 1, NULL, false);

	upper->scan_tlist = lappend(upper->scan_tlist, entry);
	return entry;
}

static bool
add_group(UpperPath *upper, const SortGroupClause *clause, Expr *expr)
{
	const ScyllaTable *table = ((ScyllaRelPlan *) upper->rel->fdw_private)->table;
	const ScyllaColumn *column = scylla_qual_column(upper->rel, table, (Node *) expr);

	if (column == NULL || !has_same_groups(column, (Node *) expr) ||
		!is_default_equality(clause, column))
		return false;
	if (is_grouped_by(upper->groups, column))
		return false;
	upper->groups = bms_add_member(upper->groups, column->attnum);
	upper->group_exprs = lappend(upper->group_exprs, expr);
	scylla_aggregate_add_group(column, add_result(upper, expr)->resno, &upper->aggregation);
	return true;
}

static void
tell_aggregate_reason(UpperPath *upper, const Aggref *aggref, const char *reason)
{
	ScyllaRelPlan *plan = upper->rel->fdw_private;
	const TargetEntry *argument = aggref->args != NIL ? linitial(aggref->args) : NULL;
	const ScyllaColumn *column =
		argument != NULL ? scylla_qual_column(upper->rel, plan->table, (Node *) argument->expr)
						 : NULL;
	const char *name = argument == NULL ? "*" : column != NULL ? column->local_name : "...";

	scylla_rel_tell(plan, psprintf("%s(%s)", get_func_name(aggref->aggfnoid), name), reason);
}

static bool
add_aggregate(UpperPath *upper, Aggref *aggref)
{
	const char *reason;

	if (tlist_member((Expr *) aggref, upper->scan_tlist) != NULL)
		return true;
	reason = scylla_aggregate_add(upper->rel, aggref, list_length(upper->scan_tlist) + 1,
								  &upper->aggregation);
	if (reason != NULL)
	{
		tell_aggregate_reason(upper, aggref, reason);
		return false;
	}
	(void) add_result(upper, (Expr *) aggref);
	return true;
}

/* The aggregates in an expression; its other variables are group columns, or it is refused. */
static bool
add_aggregates_of(UpperPath *upper, Node *expr)
{
	List *parts = pull_var_clause(expr, PVC_INCLUDE_AGGREGATES | PVC_INCLUDE_PLACEHOLDERS);
	bool can_do = true;
	ListCell *cell;

	foreach (cell, parts)
	{
		if (IsA(lfirst(cell), Aggref))
			can_do &= add_aggregate(upper, lfirst(cell));
		else
			can_do &= tlist_member(lfirst(cell), upper->scan_tlist) != NULL;
	}
	return can_do;
}

/* What the groups and aggregates of a target are; false: not all of it is the server's. */
static bool
match_target(PlannerInfo *root, const PathTarget *target, UpperPath *upper)
{
	bool can_do = true;
	ListCell *cell;

	foreach (cell, target->exprs)
	{
		Index ref = get_pathtarget_sortgroupref(target, foreach_current_index(cell));
		SortGroupClause *clause =
			ref != 0 ? get_sortgroupref_clause_noerr(ref, root->parse->groupClause) : NULL;

		if (clause == NULL || add_group(upper, clause, lfirst(cell)))
			continue;
		scylla_rel_tell(upper->rel->fdw_private, "GROUP BY", GROUPS_REASON);
		return false;
	}
	foreach (cell, target->exprs)
		can_do &= add_aggregates_of(upper, lfirst(cell));
	foreach (cell, upper->having)
		can_do &= add_aggregates_of(upper, lfirst(cell));
	return can_do;
}

/* Neither server restricts clustering columns where static ones alone are selected. */
static void
mix_static(UpperPath *upper)
{
	const ScyllaTable *table = ((ScyllaRelPlan *) upper->rel->fdw_private)->table;
	const ScyllaColumn *clustering = scylla_scan_restricted_clustering(table, &upper->parts.plan);

	if (clustering != NULL)
		scylla_aggregate_mix(clustering, &upper->aggregation);
}

/* ---- paths ---- */

static double
estimate_groups(PlannerInfo *root, UpperPath *upper)
{
	if (!upper->is_grouped)
		return 1;
	if (upper->group_exprs == NIL)
		return 1;
	return clamp_row_est(
		estimate_num_groups(root, upper->group_exprs, upper->rel->rows, NULL, NULL));
}

/* The server reads the rows that would be fetched else; what it sends are the groups. */
static void
add_upper_path(PlannerInfo *root, RelOptInfo *output_rel, UpperPath *upper)
{
	const ScyllaAnswerLoad load = {
		.options = ((ScyllaRelPlan *) upper->rel->fdw_private)->table->options,
		.scan = upper->rel->cheapest_total_path,
		.pieces = upper->parts.plan.arms[0].ring_pieces,
		.rows = upper->rows,
		.is_total = !upper->is_grouped,
	};
	double rows = upper->rows;
	Cost startup;
	Cost total;
	ForeignPath *path;

	scylla_cost_answer(&load, &startup, &total);
	if (upper->having != NIL)
		rows =
			clamp_row_est(rows * clauselist_selectivity(root, upper->having, 0, JOIN_INNER, NULL));
	path = scylla_foreign_upper_path(root, output_rel, output_rel->reltarget, rows, startup, total);
	path->fdw_private = list_make1(upper);
	scylla_parallel_restrict(path);
	add_path(output_rel, (Path *) path);
}

/* A clause without variables decides in a node above the scan, which a plan of groups has not. */
static bool
has_gating_clause(const RelOptInfo *rel)
{
	ListCell *cell;

	foreach (cell, rel->baserestrictinfo)
		if (lfirst_node(RestrictInfo, cell)->pseudoconstant)
			return true;
	return false;
}

static void
add_grouping_path(PlannerInfo *root, RelOptInfo *input_rel, RelOptInfo *output_rel,
				  const GroupPathExtraData *extra, bool is_partial)
{
	ScyllaRelPlan *plan = input_rel->fdw_private;
	UpperPath *upper = palloc0(sizeof(UpperPath));
	const char *reason;

	upper->rel = input_rel;
	upper->is_grouped = root->parse->groupClause != NIL;
	upper->having = is_partial ? NIL : (List *) extra->havingQual;
	if (root->parse->groupingSets != NIL || has_gating_clause(input_rel))
		return;
	reason = split_exactly(input_rel, &upper->parts);
	if (reason == NULL && !match_target(root, output_rel->reltarget, upper))
		return;
	if (reason == NULL && upper->is_grouped && !name_groups(upper))
		reason = GROUPS_REASON;
	if (reason != NULL)
	{
		if (*reason != '\0')
			scylla_rel_tell(plan, upper->is_grouped ? "GROUP BY" : "aggregates", reason);
		return;
	}
	mix_static(upper);
	if (upper->parts.plan.arms[0].access == SCYLLA_ACCESS_FULL_SCAN)
		scylla_ring_divide(plan->table, &upper->parts.plan.arms[0],
						   scylla_ring_aggregate_pieces(&plan->sizes));
	upper->rows = estimate_groups(root, upper);
	add_upper_path(root, output_rel, upper);
}

/* ---- DISTINCT ---- */

/* The columns of DISTINCT; NULL: not all of them are columns of the key, or static. */
static Bitmapset *
find_distinct_columns(PlannerInfo *root, RelOptInfo *rel)
{
	const ScyllaTable *table = ((ScyllaRelPlan *) rel->fdw_private)->table;
	Bitmapset *columns = NULL;
	ListCell *cell;

	foreach (cell, root->parse->distinctClause)
	{
		SortGroupClause *clause = lfirst_node(SortGroupClause, cell);
		Node *expr = get_sortgroupclause_expr(clause, root->processed_tlist);
		const ScyllaColumn *column = scylla_qual_column(rel, table, expr);

		if (column == NULL)
			return NULL;
		if (column->role != SCYLLA_KEY_STATIC &&
			(column->role != SCYLLA_KEY_PARTITION || !has_same_groups(column, expr) ||
			 !is_default_equality(clause, column)))
			return NULL;
		columns = bms_add_member(columns, column->attnum);
	}
	return columns;
}

/* SELECT DISTINCT takes conditions on the partition key alone. */
static bool
has_partition_conditions_alone(const ScyllaScanPlan *plan)
{
	const ScyllaScanArm *arm = &plan->arms[0];

	return arm->condition_count == arm->partition_conditions && !arm->is_filtered;
}

/* PER PARTITION LIMIT is of one statement, and there must be one for each partition. */
static bool
has_statement_for_partition(const ScyllaTable *table, const ScyllaScanPlan *plan)
{
	for (int i = 0; i < table->clustering_count; i++)
	{
		const ScyllaColumn *column = table->clustering_key[i];

		if (column != NULL && find_equality(plan, column) != NULL && !is_fixed(plan, column))
			return false;
	}
	return !plan->arms[0].is_filtered;
}

/* A path for one row of each partition. */
static void
add_distinct_path(PlannerInfo *root, RelOptInfo *input_rel, RelOptInfo *output_rel)
{
	const ScyllaRelPlan *plan = input_rel->fdw_private;
	ScyllaPathShape *shape = palloc0(sizeof(ScyllaPathShape));
	const Path *scan = input_rel->cheapest_total_path;
	ScyllaScanLoad load = {.options = plan->table->options, .width = input_rel->reltarget->width};
	ScyllaScanParts parts;
	Bitmapset *columns;
	double rows;
	ForeignPath *path;

	if (root->parse->hasTargetSRFs || split_exactly(input_rel, &parts) != NULL)
		return;
	columns = find_distinct_columns(root, input_rel);
	if (columns == NULL || !covers_partition_key(plan->table, &parts.plan, columns))
		return;
	if (!root->parse->hasDistinctOn && has_partition_conditions_alone(&parts.plan))
		shape->is_distinct = true;
	else if (has_statement_for_partition(plan->table, &parts.plan) &&
			 scylla_order_first_rows(root, input_rel, &parts))
		shape->partition_limit = 1;
	else
		return;
	rows = clamp_row_est(input_rel->rows / plan->sizes.partition_rows);
	load.read_rows = load.fetched_rows = rows;
	if (parts.plan.arms[0].access == SCYLLA_ACCESS_FULL_SCAN)
		shape->ring_pieces = scylla_ring_scan_pieces(&plan->sizes, &load);
	path = scylla_foreignscan_path(
		root, input_rel, rows, scan->startup_cost,
		scylla_cost_part(scan->startup_cost, scan->total_cost, rows / input_rel->rows), NIL, NULL);
	path->fdw_private = list_make1(shape);
	scylla_parallel_restrict(path);
	add_path(output_rel, (Path *) create_projection_path(root, output_rel, (Path *) path,
														 root->upper_targets[UPPERREL_DISTINCT]));
}

void
scyllaGetForeignUpperPaths(PlannerInfo *root, UpperRelationKind stage, RelOptInfo *input_rel,
						   RelOptInfo *output_rel, void *extra)
{
	if (!scylla_enable_pushdown || !IS_SIMPLE_REL(input_rel) || input_rel->fdw_private == NULL ||
		!bms_is_empty(input_rel->lateral_relids))
		return;
	if (stage == UPPERREL_GROUP_AGG || stage == UPPERREL_PARTIAL_GROUP_AGG)
		add_grouping_path(root, input_rel, output_rel, extra, stage == UPPERREL_PARTIAL_GROUP_AGG);
	else if (stage == UPPERREL_DISTINCT)
		add_distinct_path(root, input_rel, output_rel);
}

/* ---- the plan ---- */

static void
fill_contract(UpperPath *upper)
{
	ScyllaScanPlan *plan = &upper->parts.plan;
	ScyllaAggregation *aggregation = &upper->aggregation;
	ListCell *cell;

	plan->is_aggregated = true;
	plan->group_names = aggregation->group_names;
	plan->columns = palloc0(Max(list_length(aggregation->columns), 1) * sizeof(ScyllaFetchColumn));
	foreach (cell, aggregation->columns)
		plan->columns[plan->column_count++] = *(ScyllaFetchColumn *) lfirst(cell);
	plan->aggregates =
		palloc0(Max(list_length(aggregation->aggregates), 1) * sizeof(ScyllaScanAggregate));
	foreach (cell, aggregation->aggregates)
		plan->aggregates[plan->aggregate_count++] = *(ScyllaScanAggregate *) lfirst(cell);
	foreach (cell, upper->having)
		plan->local_reasons =
			lappend(plan->local_reasons, makeString(pstrdup("CQL has no HAVING")));
}

RelOptInfo *
scylla_upper_scanned(const ForeignPath *path)
{
	return ((UpperPath *) linitial(path->fdw_private))->rel;
}

ForeignScan *
scylla_upper_plan(const ForeignPath *path, List *tlist, Plan *outer_plan)
{
	UpperPath *upper = linitial(path->fdw_private);

	fill_contract(upper);
	return make_foreignscan(tlist, upper->having, 0, upper->parts.binds,
							scylla_scan_plan_encode(&upper->parts.plan), upper->scan_tlist, NIL,
							outer_plan);
}
