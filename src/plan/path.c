/*
 * The planner's callbacks: the size of a foreign table, its paths, and the plan of the chosen one.
 *
 * A path is known by the outer relations that it takes parameters from, from which it follows
 * which clauses apply, and so which access; and by the shape of its result. Making its plan
 * chooses once more among the same clauses, which are judged once a relation.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "compat.h"
#include "nodes/nodeFuncs.h"
#include "nodes/value.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/planmain.h"
#include "optimizer/restrictinfo.h"
#include "plan/choose.h"
#include "plan/order.h"
#include "plan/parallel.h"
#include "plan/path.h"
#include "plan/rel_plan.h"
#include "plan/ring.h"
#include "plan/scan.h"
#include "plan/unique_key.h"
#include "plan/upper.h"
#include "plan/view.h"

/* Sets of outer relations that are tried at most; beyond that, combinations are left out. */
#define MAX_OUTER_SETS 32

/* ---- judging, once a clause ---- */

static ScyllaQual *
get_qual(PlannerInfo *root, RelOptInfo *rel, RestrictInfo *rinfo)
{
	ScyllaRelPlan *plan = rel->fdw_private;
	ScyllaQual *qual;
	ListCell *cell;

	foreach (cell, plan->judged)
		if (((ScyllaQual *) lfirst(cell))->rinfo == rinfo)
			return lfirst(cell);
	qual = scylla_qual_new(root, rel, plan->table, rinfo);
	plan->judged = lappend(plan->judged, qual);
	return qual;
}

List *
scylla_rel_quals(PlannerInfo *root, RelOptInfo *rel, List *clauses)
{
	List *quals = NIL;
	ListCell *cell;

	foreach (cell, clauses)
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, cell);

		/* a gating Result node above the scan checks those without variables */
		if (!rinfo->pseudoconstant)
			quals = lappend(quals, get_qual(root, rel, rinfo));
	}
	return quals;
}

void
scylla_rel_tell(ScyllaRelPlan *plan, const char *what, const char *reason)
{
	ListCell *cell;

	foreach (cell, plan->result_reasons)
		if (strcmp(strVal(linitial(lfirst(cell))), what) == 0)
			return;
	plan->result_reasons = lappend(
		plan->result_reasons, list_make2(makeString(pstrdup(what)), makeString(pstrdup(reason))));
}

/* ---- estimates ---- */

/* What ways into the table with certain quals give and cost. */
typedef struct ScanEstimate
{
	ScyllaQualChoice choice;
	ScyllaScanLoad load;
	double rows; /* after the local filter */
} ScanEstimate;

/* For selectivities; a qual in an arm of an OR has no RestrictInfo. */
static void *
clause_of(const ScyllaQual *qual)
{
	return qual->rinfo != NULL ? (void *) qual->rinfo : (void *) qual->clause;
}

/* Of the quals of which something is sent: those by which rows are found, or the others, which
 * thin them out. */
static List *
sent_clauses(const ScyllaWay *way, bool is_filter)
{
	List *clauses = NIL;
	ListCell *cell;

	foreach (cell, way->sent)
	{
		const ScyllaSent *sent = lfirst(cell);

		if ((sent->use == SCYLLA_USE_FILTER) == is_filter)
			clauses = list_append_unique_ptr(clauses, clause_of(sent->qual));
	}
	return clauses;
}

/* The part of the slice or ring that the way's range leaves. */
static double
select_range(PlannerInfo *root, RelOptInfo *rel, const ScyllaWay *way)
{
	const ScyllaColumn *column = NULL;
	List *clauses = NIL;
	ListCell *cell;

	foreach (cell, way->sent)
	{
		const ScyllaSent *sent = lfirst(cell);
		List *columns = sent->condition->columns;

		if (sent->use != SCYLLA_USE_BOUND || !scylla_operator_is_range(sent->condition->op))
			continue;
		column = columns != NIL ? linitial(columns) : NULL;
		clauses = list_append_unique_ptr(clauses, clause_of(sent->qual));
	}
	return scylla_cost_range(root, rel, column, clauses);
}

static double
select_by(PlannerInfo *root, RelOptInfo *rel, List *clauses)
{
	return clauselist_selectivity(root, clauses, (int) rel->relid, JOIN_INNER, NULL);
}

/* Rows that the server looks at. */
static double
estimate_read(PlannerInfo *root, RelOptInfo *rel, const ScyllaWay *way, List *finding)
{
	const ScyllaSizes *sizes = &((ScyllaRelPlan *) rel->fdw_private)->sizes;
	double rows;

	if (way->access.access == SCYLLA_ACCESS_VIEW || way->access.access == SCYLLA_ACCESS_INDEX)
		rows = sizes->rows * select_by(root, rel, finding);
	else
		rows = scylla_cost_read(sizes, &way->access, select_range(root, rel, way)) * way->keys;
	return clamp_row_est(Min(rows, sizes->rows));
}

/* Adds what is asked for by a way to the load. */
static void
load_way(PlannerInfo *root, RelOptInfo *rel, List *quals, const ScyllaWay *way,
		 ScyllaScanLoad *load)
{
	List *finding = sent_clauses(way, false);
	List *others = NIL; /* they thin out what is read, wherever they are checked */
	double read = estimate_read(root, rel, way, finding);
	ListCell *cell;

	foreach (cell, quals)
	{
		ScyllaQual *qual = lfirst(cell);

		if (!list_member_ptr(finding, qual->rinfo) && (way->clause == NULL || qual->arms == NIL))
			others = lappend(others, qual->rinfo);
	}
	/* of the arms of an OR the one that costs most a row */
	if (load->requests == 0 || way->access.access == SCYLLA_ACCESS_INDEX)
		load->access = way->access.access;
	load->requests += way->keys;
	load->read_rows += read;
	load->fetched_rows += clamp_row_est(read * select_by(root, rel, sent_clauses(way, true)));
	load->returned_rows += clamp_row_est(read * select_by(root, rel, others));
}

static void
estimate_scan(PlannerInfo *root, RelOptInfo *rel, const ScyllaTable *table, List *quals,
			  ScanEstimate *estimate)
{
	ScyllaScanLoad *load = &estimate->load;
	List *filter = NIL;
	ListCell *cell;

	*load = (ScyllaScanLoad) {
		.options = table->options, .width = rel->reltarget->width, .target = rel->reltarget->cost};
	scylla_choose(table, quals, &estimate->choice);
	foreach (cell, quals)
		if (estimate->choice.reasons[foreach_current_index(cell)] != NULL)
			filter = lappend(filter, ((ScyllaQual *) lfirst(cell))->rinfo);
	foreach (cell, estimate->choice.ways)
		load_way(root, rel, quals, lfirst(cell), load);
	cost_qual_eval(&load->filter, filter, root);
	estimate->rows = clamp_row_est(load->returned_rows);
}

/* Nothing is left that parameters could add. */
static bool
is_unique(const ScyllaQualChoice *choice)
{
	const ScyllaWay *way;

	if (list_length(choice->ways) != 1)
		return choice->ways == NIL;
	way = linitial(choice->ways);
	return way->access.is_unique && way->keys == 1;
}

/* ---- the callbacks ---- */

/* What is to be written is read where it is written: a view may lag behind. */
static void
keep_views(PlannerInfo *root, RelOptInfo *rel, ScyllaTable *table)
{
	Bitmapset *attributes = NULL;

	if (bms_is_member((int) rel->relid, root->all_result_relids))
		table->views = NIL;
	if (table->views == NIL)
		return;
	pull_varattnos((Node *) rel->reltarget->exprs, rel->relid, &attributes);
	pull_varattnos((Node *) get_actual_clauses(rel->baserestrictinfo), rel->relid, &attributes);
	scylla_views_keep(table, attributes);
}

static ScyllaTable *
copy_unfiltered(const ScyllaTable *table)
{
	ScyllaTable *copy = palloc(sizeof(ScyllaTable));

	*copy = *table;
	copy->options = palloc(sizeof(ScyllaOptions));
	*copy->options = *table->options;
	copy->options->can_filter = false;
	return copy;
}

void
scyllaGetForeignRelSize(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid)
{
	ScyllaRelPlan *plan = palloc0(sizeof(ScyllaRelPlan));
	ScanEstimate estimate;

	plan->table = scylla_table_open(foreigntableid, scylla_rel_userid(root, baserel));
	scylla_cost_sizes(root, baserel, plan->table, &plan->sizes);
	baserel->fdw_private = plan;
	baserel->consider_parallel &= plan->table->options->is_parallel;
	keep_views(root, baserel, plan->table);
	plan->unfiltered = copy_unfiltered(plan->table);
	plan->quals = scylla_rel_quals(root, baserel, baserel->baserestrictinfo);
	scylla_unique_key_declare(baserel, plan->table);

	estimate_scan(root, baserel, plan->table, plan->quals, &estimate);
	baserel->tuples = plan->sizes.rows;
	baserel->rows = estimate.rows;
}

/* Whether the whole ring is read, by one statement. */
static bool
reads_ring(const ScyllaQualChoice *choice)
{
	const ScyllaWay *way = list_length(choice->ways) == 1 ? linitial(choice->ways) : NULL;

	return way != NULL && way->access.access == SCYLLA_ACCESS_FULL_SCAN;
}

/* The pieces that the ring is asked for in, where a part of the rows will do. */
static int
count_ring_pieces(RelOptInfo *rel, const ScanEstimate *estimate, double fraction)
{
	ScyllaScanLoad load = estimate->load;

	if (!reads_ring(&estimate->choice))
		return 0;
	load.read_rows *= fraction;
	load.fetched_rows *= fraction;
	return scylla_ring_scan_pieces(&((ScyllaRelPlan *) rel->fdw_private)->sizes, &load);
}

/* A path of that shape; a limit makes it so much cheaper. */
static void
add_shaped_path(PlannerInfo *root, RelOptInfo *rel, const ScanEstimate *estimate, List *pathkeys,
				const ScyllaScanParts *parts, ScyllaPathShape *shape)
{
	double rows = scylla_order_limit(root, rel, parts, pathkeys, estimate->rows, shape);
	ScyllaScanLoad load = estimate->load;
	Cost startup;
	Cost total;
	ForeignPath *path;

	shape->ring_pieces = count_ring_pieces(rel, estimate, rows / estimate->rows);
	load.requests = Max(load.requests, shape->ring_pieces);
	load.is_merged = shape->order_count > 0;
	scylla_cost_scan(&load, &startup, &total);
	total = scylla_cost_part(startup, total, rows / estimate->rows);
	path = scylla_foreignscan_path(root, rel, rows, startup, total, pathkeys, NULL);
	path->fdw_private = list_make1(shape);
	scylla_parallel_restrict(path);
	add_path(rel, (Path *) path);
}

/* The path that gives the table's order, or the reverse, if it is of use. */
static void
add_sorted_path(PlannerInfo *root, RelOptInfo *rel, bool is_reversed)
{
	ScyllaRelPlan *plan = rel->fdw_private;
	ScyllaPathShape *shape = palloc0(sizeof(ScyllaPathShape));
	ScyllaScanParts parts;
	ScanEstimate estimate;
	List *pathkeys;

	shape->is_reversed = is_reversed;
	scylla_scan_split(scylla_shaped_table(plan, shape), plan->quals, &parts);
	pathkeys = scylla_order_pathkeys(root, rel, &parts, shape);
	if (pathkeys == NIL)
		return;
	estimate_scan(root, rel, scylla_shaped_table(plan, shape), plan->quals, &estimate);
	add_shaped_path(root, rel, &estimate, pathkeys, &parts, shape);
}

static bool
goes_by_index(const ScyllaScanPlan *plan)
{
	for (int i = 0; i < plan->arm_count; i++)
		if (plan->arms[i].access == SCYLLA_ACCESS_INDEX)
			return true;
	return false;
}

/* The paths without parameters: in any order, and in each that is of use. */
static void
add_shaped_paths(PlannerInfo *root, RelOptInfo *rel, const ScanEstimate *estimate)
{
	ScyllaRelPlan *plan = rel->fdw_private;
	ScyllaScanParts parts;

	scylla_scan_split(plan->table, plan->quals, &parts);
	add_shaped_path(root, rel, estimate, NIL, &parts, palloc0(sizeof(ScyllaPathShape)));
	if (rel->consider_parallel && reads_ring(&estimate->choice))
		scylla_parallel_add_path(root, rel, &estimate->load, estimate->rows);
	if (!scylla_enable_pushdown)
		return;
	add_sorted_path(root, rel, false);
	add_sorted_path(root, rel, true);
	if (root->sort_pathkeys != NIL && bms_equal(rel->relids, root->all_baserels) &&
		goes_by_index(&parts.plan))
		scylla_rel_tell(plan, "ORDER BY", "rows found by an index come in no order");
}

/*
 * A path that takes parameters from required_outer (possibly from none). One with parameters is
 * only worth having if they are sent: that is, if they bind the partition key, or more of a slice.
 */
static void
add_scan_path(PlannerInfo *root, RelOptInfo *rel, Relids required_outer,
			  const ScanEstimate *unparameterised)
{
	ScyllaRelPlan *plan = rel->fdw_private;
	ParamPathInfo *param = get_baserel_parampathinfo(root, rel, required_outer);
	List *quals = plan->quals;
	ScanEstimate estimate;
	ForeignPath *path;
	Cost startup;
	Cost total;

	if (param != NULL)
		quals = list_concat_copy(quals, scylla_rel_quals(root, rel, param->ppi_clauses));
	estimate_scan(root, rel, plan->table, quals, &estimate);
	if (unparameterised != NULL &&
		scylla_choose_bounds(&estimate.choice) <= scylla_choose_bounds(&unparameterised->choice))
		return;
	if (param != NULL)
	{
		/* All paths of one parameterisation must tell the same number of rows. */
		estimate.rows = Min(estimate.rows, rel->rows);
		param->ppi_rows = estimate.rows;
	}
	if (required_outer == NULL)
	{
		add_shaped_paths(root, rel, &estimate);
		return;
	}
	scylla_cost_scan(&estimate.load, &startup, &total);
	path = scylla_foreignscan_path(root, rel, estimate.rows, startup, total, NIL, required_outer);
	scylla_parallel_restrict(path);
	add_path(rel, (Path *) path);
}

static bool
has_outer_set(List *sets, Relids relids)
{
	ListCell *cell;

	foreach (cell, sets)
		if (bms_equal(lfirst(cell), relids))
			return true;
	return false;
}

/* Add a set and its union with each of the others: a key may take its parts from several. */
static List *
add_outer_set(List *sets, Relids relids)
{
	int old_count = list_length(sets);

	if (bms_is_empty(relids) || has_outer_set(sets, relids))
		return sets;
	for (int i = 0; i < old_count && list_length(sets) < MAX_OUTER_SETS; i++)
	{
		Relids both = bms_union(list_nth(sets, i), relids);

		if (!has_outer_set(sets, both))
			sets = lappend(sets, both);
	}
	return has_outer_set(sets, relids) ? sets : lappend(sets, relids);
}

/* The outer relations of each clause that could be sent with their values as parameters. */
static List *
add_outer_sets_of(PlannerInfo *root, RelOptInfo *rel, List *clauses, List *sets)
{
	ListCell *cell;

	foreach (cell, clauses)
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, cell);
		const ScyllaQual *qual;
		Relids outer;

		if (!join_clause_is_movable_to(rinfo, rel))
			continue;
		qual = get_qual(root, rel, rinfo);
		if (qual->conditions == NIL && qual->arms == NIL)
			continue;
		outer = bms_union(rinfo->clause_relids, rel->lateral_relids);
		outer = bms_del_member(outer, (int) rel->relid);
		sets = add_outer_set(sets, outer);
	}
	return sets;
}

typedef struct MemberMatch
{
	const ScyllaTable *table;
	const ScyllaColumn *column;
} MemberMatch;

static bool
is_member_of_column(PlannerInfo *root, RelOptInfo *rel, EquivalenceClass *ec, EquivalenceMember *em,
					void *arg)
{
	MemberMatch *match = arg;

	return scylla_qual_column(rel, match->table, (Node *) em->em_expr) == match->column;
}

/* Equalities that follow from others: f.k = l.a where the query says f.k = m.b and m.b = l.a. */
static List *
add_outer_sets_of_column(PlannerInfo *root, RelOptInfo *rel, const ScyllaColumn *column, List *sets)
{
	ScyllaRelPlan *plan = rel->fdw_private;
	MemberMatch match = {plan->table, column};
	List *clauses;

	if (column == NULL)
		return sets;
	clauses = generate_implied_equalities_for_column(root, rel, is_member_of_column, &match,
													 rel->lateral_referencers);
	return add_outer_sets_of(root, rel, clauses, sets);
}

static List *
find_outer_sets(PlannerInfo *root, RelOptInfo *rel)
{
	ScyllaRelPlan *plan = rel->fdw_private;
	List *sets = add_outer_sets_of(root, rel, rel->joininfo, NIL);

	if (!rel->has_eclass_joins)
		return sets;
	for (int i = 0; i < plan->table->partition_count; i++)
		sets = add_outer_sets_of_column(root, rel, plan->table->partition_key[i], sets);
	for (int i = 0; i < plan->table->clustering_count; i++)
		sets = add_outer_sets_of_column(root, rel, plan->table->clustering_key[i], sets);
	return sets;
}

void
scyllaGetForeignPaths(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid)
{
	ScyllaRelPlan *plan = baserel->fdw_private;
	ScanEstimate estimate;
	ListCell *cell;

	add_scan_path(root, baserel, baserel->lateral_relids, NULL);
	estimate_scan(root, baserel, plan->table, plan->quals, &estimate);
	if (!scylla_enable_pushdown || is_unique(&estimate.choice))
		return;
	foreach (cell, find_outer_sets(root, baserel))
		if (!bms_equal(lfirst(cell), baserel->lateral_relids))
			add_scan_path(root, baserel, lfirst(cell), &estimate);
}

/*
 * A parent with row marks asks each child for what any of them needs: ctid, where another child is
 * a plain table. Rows of foreign tables are marked by a copy, and nobody looks at their ctid.
 */
static bool
is_child_of_marked(PlannerInfo *root, const RelOptInfo *rel)
{
	ListCell *cell;

	foreach (cell, root->rowMarks)
	{
		const PlanRowMark *mark = lfirst_node(PlanRowMark, cell);

		if (mark->rti == rel->relid && mark->rti != mark->prti)
			return true;
	}
	return false;
}

ForeignScan *
scyllaGetForeignPlan(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid,
					 ForeignPath *best_path, List *tlist, List *scan_clauses, Plan *outer_plan)
{
	ScyllaRelPlan *plan = baserel->fdw_private;
	const ScyllaPathShape *shape = scylla_path_shape(best_path);
	List *quals;
	Bitmapset *attributes = NULL;
	ScyllaScanParts parts;

	if (IS_UPPER_REL(baserel))
		return scylla_upper_plan(best_path, tlist, outer_plan);
	quals = scylla_rel_quals(root, baserel, scan_clauses);
	scylla_scan_split(scylla_shaped_table(plan, scylla_path_shape(best_path)), quals, &parts);

	/* The target list may name every column for convenience; reltarget has those in use. */
	pull_varattnos((Node *) baserel->reltarget->exprs, baserel->relid, &attributes);
	pull_varattnos((Node *) parts.filter, baserel->relid, &attributes);
	pull_varattnos((Node *) parts.binds, baserel->relid, &attributes); /* arms of an OR */
	if (is_child_of_marked(root, baserel))
		attributes = bms_del_member(attributes, SelfItemPointerAttributeNumber -
													FirstLowInvalidHeapAttributeNumber);
	if (scylla_scan_may_recheck(&parts.plan))
		pull_varattnos((Node *) parts.recheck, baserel->relid, &attributes);
	attributes = scylla_order_apply(shape, plan->table, &parts, attributes);
	if (shape != NULL && shape->lookup != NULL)
		parts.plan.lookup_param = shape->lookup->param;
	parts.plan.result_reasons = plan->result_reasons;
	scylla_scan_fetch(plan->table, attributes, &parts);

	return make_foreignscan(tlist, parts.filter, baserel->relid, parts.binds,
							scylla_scan_plan_encode(&parts.plan), NIL, parts.recheck, outer_plan);
}

/* Rows that are merged in an order are not given one by one as they come. */
bool
scyllaIsForeignPathAsyncCapable(ForeignPath *path)
{
	bool is_upper = IS_UPPER_REL(path->path.parent);
	RelOptInfo *rel = is_upper ? scylla_upper_scanned(path) : path->path.parent;
	const ScyllaPathShape *shape = is_upper ? NULL : scylla_path_shape(path);

	return ((ScyllaRelPlan *) rel->fdw_private)->table->options->is_async &&
		   (shape == NULL || shape->order_count == 0);
}
