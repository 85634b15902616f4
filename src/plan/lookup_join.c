/*
 * Paths of lookup joins (plan/lookup_plan.h): for each scan with parameters that the outer side
 * provides, the nested loop that PostgreSQL makes of it, at the cost that it has when its requests
 * are in flight together. What is joined to what, and which clauses are left to check, is
 * PostgreSQL's to say: only the outer side is wrapped.
 */
#include "postgres.h"

#include "plan/lookup_join.h"

#include "compat.h"
#include "nodes/extensible.h"
#include "optimizer/cost.h"
#include "optimizer/paramassign.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "option.h"
#include "plan/lookup_plan.h"
#include "plan/path.h"
#include "plan/rel_plan.h"

/* In flight at first: few where not all rows may be wanted, since what is asked for ahead of a
 * LIMIT is wasted. The window doubles with each round trip. */
#define FIRST_WINDOW 16
#define FIRST_WINDOW_OF_FEW 4

static set_join_pathlist_hook_type previous_hook = NULL;

/* What the planner asks about. */
typedef struct LookupJoin
{
	PlannerInfo *root;
	RelOptInfo *joinrel;
	RelOptInfo *outer;
	RelOptInfo *inner;
	JoinType type; /* as a nested loop knows it */
	JoinPathExtraData *extra;
} LookupJoin;

/* ---- the window ---- */

static Plan *
plan_window(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist, List *clauses,
			List *custom_plans)
{
	ScyllaLookupPlan *lookup = linitial(path->custom_private);
	CustomScan *scan = makeNode(CustomScan);
	Plan *outer = linitial(custom_plans);

	/* The nested loop plans its outer side first, so that the scan finds the parameter. */
	lookup->param = assign_special_exec_param(root);
	scan->scan.plan.targetlist = tlist;
	scan->custom_scan_tlist = copyObject(outer->targetlist);
	scan->custom_plans = custom_plans;
	scan->custom_private = scylla_lookup_plan_encode(lookup);
	scan->flags = path->flags;
	scan->methods = GetCustomScanMethods(SCYLLA_LOOKUP_WINDOW_NAME, false);
	return &scan->scan.plan;
}

static const CustomPathMethods window_methods = {
	.CustomName = SCYLLA_LOOKUP_WINDOW_NAME,
	.PlanCustomPath = plan_window,
};

/* The outer rows, read ahead: the first of them comes a round trip later. */
static Path *
make_window(Path *outer, const ForeignPath *scan, ScyllaLookupPlan *lookup)
{
	CustomPath *path = makeNode(CustomPath);

	path->path.pathtype = T_CustomScan;
	path->path.parent = outer->parent;
	path->path.pathtarget = outer->pathtarget;
	path->path.param_info = outer->param_info;
	path->path.parallel_safe = outer->parallel_safe;
	path->path.parallel_workers = outer->parallel_workers;
	path->path.pathkeys = outer->pathkeys;
	path->path.rows = outer->rows;
	path->path.startup_cost = outer->startup_cost + scan->path.startup_cost;
	path->path.total_cost =
		outer->total_cost + scan->path.startup_cost + cpu_tuple_cost * outer->rows;
	scylla_path_inherit_disabled(&path->path, outer);
	path->flags = CUSTOMPATH_SUPPORT_PROJECTION;
	path->custom_paths = list_make1(outer);
	path->custom_private = list_make1(lookup);
	path->methods = &window_methods;
	return &path->path;
}

/* ---- the scan ---- */

/* As the scan with parameters that the planner knows, at a lookup's share of the time. */
static Path *
make_scan(const LookupJoin *join, const ForeignPath *known, double lookups,
		  ScyllaLookupPlan *lookup)
{
	const ScyllaRelPlan *plan = join->inner->fdw_private;
	ScyllaPathShape *shape = palloc0(sizeof(ScyllaPathShape));
	ForeignPath *path = makeNode(ForeignPath);

	*path = *known;
	shape->lookup = lookup;
	path->fdw_private = list_make1(shape);
	scylla_cost_lookup(plan->table->options, lookups, &path->path.startup_cost,
					   &path->path.total_cost);
	return &path->path;
}

/* ---- the join ---- */

/*
 * Whether a join that takes parameters from relations outside of it is of use, by PostgreSQL's own
 * rules for nested loops; placeholders among such parameters are more than is worth the trouble.
 */
static bool
may_need(const LookupJoin *join, Relids required_outer, const Path *scan)
{
	Relids scan_outer = PATH_REQ_OUTER(scan);

	if (required_outer == NULL)
		return true;
	if (join->root->placeholder_list != NIL)
		return false;
	return bms_overlap(required_outer, join->extra->param_source_rels) ||
		   bms_nonempty_difference(scan_outer, join->outer->relids);
}

static NestPath *
make_join(const LookupJoin *join, Path *outer, const ForeignPath *known, Relids required_outer)
{
	ScyllaLookupPlan *lookup = palloc0(sizeof(ScyllaLookupPlan));
	Path *window = make_window(outer, known, lookup);
	Path *scan = make_scan(join, known, outer->rows, lookup);
	List *pathkeys = build_join_pathkeys(join->root, join->joinrel, join->type, outer->pathkeys);
	JoinCostWorkspace workspace;

	lookup->first_window = join->root->tuple_fraction > 0 ? FIRST_WINDOW_OF_FEW : FIRST_WINDOW;
	initial_cost_nestloop(join->root, &workspace, join->type, window, scan, join->extra);
	return create_nestloop_path(join->root, join->joinrel, join->type, &workspace, join->extra,
								window, scan, join->extra->restrictlist, pathkeys, required_outer);
}

static bool
takes_from(Path *path, const RelOptInfo *rel)
{
	return bms_overlap(PATH_REQ_OUTER(path), rel->relids) ||
		   bms_overlap(PATH_REQ_OUTER(path), rel->top_parent_relids);
}

static void
add_join(const LookupJoin *join, Path *outer, ForeignPath *scan)
{
	Relids required_outer =
		calc_nestloop_required_outer(join->outer->relids, PATH_REQ_OUTER(outer),
									 join->inner->relids, PATH_REQ_OUTER(&scan->path));

	if (!takes_from(outer, join->inner) && may_need(join, required_outer, &scan->path))
		add_path(join->joinrel, (Path *) make_join(join, outer, scan, required_outer));
}

static void
add_partial_joins(const LookupJoin *join, ForeignPath *scan)
{
	ListCell *cell;

	if (!join->joinrel->consider_parallel || !scan->path.parallel_safe ||
		join->joinrel->lateral_relids != NULL ||
		!bms_is_subset(PATH_REQ_OUTER(&scan->path), join->outer->relids))
		return;
	foreach (cell, join->outer->partial_pathlist)
	{
		JoinPath *path = (JoinPath *) make_join(join, lfirst(cell), scan, NULL);

		/* So that workers tell what their lookups have cost. */
		path->outerjoinpath->parallel_aware = true;
		add_partial_path(join->joinrel, &path->path);
	}
}

static bool
is_scylla_table(const RelOptInfo *rel)
{
	return IS_SIMPLE_REL(rel) && rel->fdwroutine != NULL &&
		   rel->fdwroutine->GetForeignPaths == scyllaGetForeignPaths;
}

/* Parameters of a partition are its parent's, and would have to be translated. */
static bool
is_driven_by(Path *scan, const RelOptInfo *outer)
{
	return IsA(scan, ForeignPath) && bms_overlap(PATH_REQ_OUTER(scan), outer->relids);
}

/* The outer paths that a nested loop may have; of rows that are to be made unique, that one. */
static List *
outer_paths(const LookupJoin *join, JoinType type)
{
	Path *unique;

	if (type != JOIN_UNIQUE_OUTER)
		return join->outer->pathlist;
	unique = (Path *) create_unique_path(join->root, join->outer, join->outer->cheapest_total_path,
										 join->extra->sjinfo);
	return unique != NULL ? list_make1(unique) : NIL;
}

/* A gate would come between the nested loop and the window. */
static bool
has_gate(const PlannerInfo *root, const RelOptInfo *rel)
{
	ListCell *cell;

	if (root->hasPseudoConstantQuals)
		foreach (cell, rel->baserestrictinfo)
			if (lfirst_node(RestrictInfo, cell)->pseudoconstant)
				return true;
	return false;
}

static void
add_lookup_joins(PlannerInfo *root, RelOptInfo *joinrel, RelOptInfo *outerrel, RelOptInfo *innerrel,
				 JoinType type, JoinPathExtraData *extra)
{
	LookupJoin join = {
		.root = root,
		.joinrel = joinrel,
		.outer = outerrel,
		.inner = innerrel,
		.type = type == JOIN_UNIQUE_OUTER ? JOIN_INNER : type,
		.extra = extra,
	};
	ListCell *scan;
	ListCell *outer;

	if (previous_hook != NULL)
		previous_hook(root, joinrel, outerrel, innerrel, type, extra);
	if (!scylla_enable_lookup_join || !is_scylla_table(innerrel) || has_gate(root, outerrel))
		return;
	if (join.type != JOIN_INNER && join.type != JOIN_LEFT && join.type != JOIN_SEMI &&
		join.type != JOIN_ANTI)
		return;
	foreach (scan, innerrel->pathlist)
	{
		if (!is_driven_by(lfirst(scan), outerrel))
			continue;
		foreach (outer, outer_paths(&join, type))
			add_join(&join, lfirst(outer), lfirst(scan));
		if (type != JOIN_UNIQUE_OUTER)
			add_partial_joins(&join, lfirst(scan));
	}
}

void
scylla_lookup_join_install(void)
{
	previous_hook = set_join_pathlist_hook;
	set_join_pathlist_hook = add_lookup_joins;
}
