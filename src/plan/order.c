/*
 * Order and number of rows. A partition's rows are stored in clustering order and can be read
 * forward or backward; the executor merges those of several partitions. A promise is made only
 * where PostgreSQL would put every row at the same place, NULLs included: CQL sorts an empty value,
 * which reads as NULL, before all others.
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "access/sysattr.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "nodes/makefuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "optimizer/paths.h"
#include "plan/order.h"
#include "plan/ring.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

/* Half of what LIMIT and OFFSET may be, so that their sum is no overflow; more rows than any
 * statement can ask for. */
#define MANY_ROWS (PG_INT64_MAX / 2)

/* The part of the rows that a LIMIT takes whose value is not known, as PostgreSQL guesses it. */
#define UNKNOWN_LIMIT_FRACTION 0.1

/* ---- NULLs ---- */

/* A clause that is not true of a row whose column is NULL. */
static bool
is_strict_about(RelOptInfo *rel, const ScyllaTable *table, const ScyllaColumn *column, Node *clause)
{
	ListCell *cell;

	if (IsA(clause, NullTest))
		return ((NullTest *) clause)->nulltesttype == IS_NOT_NULL &&
			   scylla_qual_column(rel, table, (Node *) ((NullTest *) clause)->arg) == column;
	if (!IsA(clause, OpExpr) || !op_strict(((OpExpr *) clause)->opno))
		return false;
	foreach (cell, ((OpExpr *) clause)->args)
		if (scylla_qual_column(rel, table, lfirst(cell)) == column)
			return true;
	return false;
}

/* No partition has an empty key, also where a view sorts by it. */
static bool
is_only_key_column(RelOptInfo *rel, const ScyllaColumn *column)
{
	const ScyllaTable *table = ((ScyllaRelPlan *) rel->fdw_private)->table;

	return table->partition_count == 1 && column->attnum > 0 &&
		   table->columns[column->attnum - 1].role == SCYLLA_KEY_PARTITION;
}

bool
scylla_may_be_empty(RelOptInfo *rel, const ScyllaTable *table, const ScyllaColumn *column)
{
	ListCell *cell;

	if (column->is_not_null || scylla_type_has_empty_value(column->cql_type->id) ||
		is_only_key_column(rel, column))
		return false;
	foreach (cell, rel->baserestrictinfo)
		if (is_strict_about(rel, table, column, (Node *) lfirst_node(RestrictInfo, cell)->clause))
			return false;
	return true;
}

/* ---- pathkeys ---- */

/* One clustering column in the order that it is read in. */
typedef struct OrderColumn
{
	const ScyllaColumn *column;
	Oid family;
	Oid type; /* of the family's operators */
	int strategy;
	bool is_nulls_first; /* as CQL has it, and then as it is promised */
	bool has_nulls;
} OrderColumn;

/* False: PostgreSQL sorts the column otherwise than CQL. */
static bool
describe_order(RelOptInfo *rel, const ScyllaTable *table, const ScyllaColumn *column,
			   bool is_reversed, OrderColumn *order)
{
	TypeCacheEntry *type;

	if (column == NULL || column->pair == NULL || column->pair->order != SCYLLA_PUSH_EXACT)
		return false;
	if (column->pair->needs_c_collation && !scylla_collation_is_c(column->collation))
		return false;
	type = lookup_type_cache(column->pair->type, TYPECACHE_BTREE_OPFAMILY);
	if (!OidIsValid(type->btree_opf))
		return false;
	order->column = column;
	order->family = type->btree_opf;
	order->type = type->btree_opintype;
	order->is_nulls_first = column->is_descending == is_reversed;
	order->strategy = order->is_nulls_first ? BTLessStrategyNumber : BTGreaterStrategyNumber;
	order->has_nulls = scylla_may_be_empty(rel, table, column);
	return true;
}

static bool
has_column(RelOptInfo *rel, const ScyllaTable *table, const OrderColumn *order,
		   EquivalenceClass *ec)
{
	ListCell *cell;

	if (ec->ec_has_volatile || !list_member_oid(ec->ec_opfamilies, order->family) ||
		ec->ec_collation != order->column->collation)
		return false;
	foreach (cell, scylla_members_of(ec, rel->relids))
	{
		EquivalenceMember *member = lfirst(cell);

		if (scylla_qual_column(rel, table, (Node *) member->em_expr) == order->column)
			return true;
	}
	return false;
}

/* The class that the column belongs to; NULL: nobody wants it sorted. */
static EquivalenceClass *
find_class(PlannerInfo *root, RelOptInfo *rel, const ScyllaTable *table, const OrderColumn *order)
{
	ListCell *cell;

	foreach (cell, root->eq_classes)
		if (has_column(rel, table, order, lfirst(cell)))
			return lfirst(cell);
	return NULL;
}

/* Where the query wants NULLs; by default where PostgreSQL has them. */
static bool
wants_nulls_first(PlannerInfo *root, const EquivalenceClass *ec, const OrderColumn *order)
{
	ListCell *cell;

	foreach (cell, root->query_pathkeys)
		if (lfirst_node(PathKey, cell)->pk_eclass == ec)
			return lfirst_node(PathKey, cell)->pk_nulls_first;
	return order->strategy == BTGreaterStrategyNumber;
}

static bool
is_class_sorted(const List *pathkeys, const EquivalenceClass *ec)
{
	ListCell *cell;

	foreach (cell, pathkeys)
		if (lfirst_node(PathKey, cell)->pk_eclass == ec)
			return true;
	return false;
}

/* What the columns looked at so far make. */
typedef struct OrderResult
{
	List *pathkeys;
	ScyllaPathShape *shape;
} OrderResult;

static void
append_order(ScyllaPathShape *shape, const ScyllaColumn *column, ScyllaScanOrder *order)
{
	order->name = pstrdup(column->name);
	order->is_descending = column->is_descending != shape->is_reversed;
	shape->orders[shape->order_count++] = *order;
}

static bool
is_equal_in(const ScyllaScanArm *arm, AttrNumber attnum)
{
	for (int i = 0; i < arm->condition_count; i++)
	{
		const ScyllaScanCondition *condition = &arm->conditions[i];

		if (condition->form == SCYLLA_FORM_COLUMN && condition->op == SCYLLA_OP_EQUAL &&
			condition->markers[0].attnum == attnum)
			return true;
	}
	return false;
}

/* A condition that is sent is strict: what reads as NULL is dropped. */
static bool
is_bound_in(const ScyllaScanPlan *plan, AttrNumber attnum)
{
	for (int i = 0; i < plan->arm_count; i++)
	{
		const ScyllaScanArm *arm = &plan->arms[i];
		bool is_bound = false;

		for (int j = 0; j < arm->condition_count; j++)
			is_bound |= arm->conditions[j].markers[0].attnum == attnum;
		if (!is_bound)
			return false;
	}
	return true;
}

/* Whether each statement gives rows of one partition. */
static bool
reads_partitions(const ScyllaScanPlan *plan)
{
	for (int i = 0; i < plan->arm_count; i++)
		if (plan->arms[i].access != SCYLLA_ACCESS_PARTITION &&
			plan->arms[i].access != SCYLLA_ACCESS_PARTITION_SLICE &&
			plan->arms[i].access != SCYLLA_ACCESS_PARTITIONS &&
			plan->arms[i].access != SCYLLA_ACCESS_VIEW)
			return false;
	return plan->arm_count > 0;
}

/*
 * NULLs that CQL has first and the query last can be put there by the executor when it meets them.
 * Those that CQL has last and the query first have to be asked for beforehand, which CQL can do for
 * the first column that is not bound. False: the column can't be promised.
 */
static bool
place_nulls(const ScyllaScanPlan *plan, bool is_wanted_first, OrderColumn *described,
			ScyllaPathShape *shape, ScyllaScanOrder *order)
{
	bool is_misplaced = described->has_nulls && is_wanted_first != described->is_nulls_first;
	bool is_first = true;

	for (int i = 0; i < shape->order_count; i++)
		if (shape->orders[i].attnum != 0)
			is_first = false;
	/* NULLs that a local filter drops pass the merge before that, where CQL has them. */
	order->is_nulls_first = described->has_nulls ? is_wanted_first : described->is_nulls_first;
	described->is_nulls_first = is_wanted_first;
	order->may_displace = is_misplaced;
	if (!is_misplaced || !is_wanted_first ||
		!scylla_type_can_be_empty(described->column->cql_type->id))
		return true;
	order->may_displace = false;
	shape->empty_column = described->column;
	return is_first && plan->arm_count == 1 && plan->arms[0].access != SCYLLA_ACCESS_VIEW;
}

/* One more column of the order; false: it can't be promised, or nobody wants it. */
static bool
add_column(PlannerInfo *root, RelOptInfo *rel, const ScyllaScanParts *parts,
		   const ScyllaColumn *column, OrderResult *result)
{
	const ScyllaScanPlan *plan = &parts->plan;
	const ScyllaTable *table = parts->table;
	ScyllaPathShape *shape = result->shape;
	ScyllaScanOrder order = {.name = NULL};
	OrderColumn described;
	EquivalenceClass *ec;

	if (column == NULL)
		return false;
	if (plan->arm_count == 1 && is_equal_in(&plan->arms[0], column->attnum))
	{
		append_order(shape, column, &order);
		return true;
	}
	if (!describe_order(rel, table, column, shape->is_reversed, &described))
		return false;
	ec = find_class(root, rel, table, &described);
	if (ec == NULL)
		return false;
	if (is_bound_in(plan, column->attnum))
		described.has_nulls = false;
	if (!place_nulls(plan, wants_nulls_first(root, ec, &described), &described, shape, &order))
	{
		shape->empty_column = NULL;
		return false;
	}
	order.attnum = column->attnum;
	order.sort_operator = get_opfamily_member(described.family, described.type, described.type,
											  (int16) described.strategy);
	order.collation = column->collation;
	append_order(shape, column, &order);
	if (!EC_MUST_BE_REDUNDANT(ec) && !is_class_sorted(result->pathkeys, ec))
		result->pathkeys =
			lappend(result->pathkeys,
					scylla_canonical_pathkey(root, ec, described.family, described.strategy,
											 described.is_nulls_first));
	return true;
}

List *
scylla_order_pathkeys(PlannerInfo *root, RelOptInfo *rel, const ScyllaScanParts *parts,
					  ScyllaPathShape *shape)
{
	const ScyllaTable *table = parts->table;
	OrderResult result = {.shape = shape};

	if (!reads_partitions(&parts->plan))
		return NIL;
	shape->orders = palloc0(Max(table->clustering_count, 1) * sizeof(ScyllaScanOrder));
	for (int i = 0; i < table->clustering_count; i++)
		if (!add_column(root, rel, parts, table->clustering_key[i], &result))
			break;
	return truncate_useless_pathkeys(root, rel, result.pathkeys);
}

/* ---- LIMIT ---- */

/* Whether each row of the relation is one of the query's result, for better or worse. */
static bool
is_whole_query(PlannerInfo *root, RelOptInfo *rel)
{
	const Query *parse = root->parse;
	Relids relids =
		rel->reloptkind == RELOPT_OTHER_MEMBER_REL ? rel->top_parent_relids : rel->relids;

	return parse->commandType == CMD_SELECT && parse->rowMarks == NIL && !parse->hasAggs &&
		   parse->groupClause == NIL && parse->groupingSets == NIL && parse->havingQual == NULL &&
		   !parse->hasWindowFuncs && parse->distinctClause == NIL && parse->setOperations == NULL &&
		   !parse->hasTargetSRFs && bms_equal(relids, root->all_baserels);
}

/* A number of rows, as far as it matters: NULL counts as `nothing`. */
static Expr *
cap_rows(Node *rows, int64 nothing)
{
	Node *many = (Node *) makeConst(INT8OID, -1, InvalidOid, sizeof(int64),
									Int64GetDatum(MANY_ROWS), false, FLOAT8PASSBYVAL);
	Node *none = (Node *) makeConst(INT8OID, -1, InvalidOid, sizeof(int64), Int64GetDatum(nothing),
									false, FLOAT8PASSBYVAL);
	CoalesceExpr *coalesce = makeNode(CoalesceExpr);
	MinMaxExpr *least = makeNode(MinMaxExpr);

	coalesce->coalescetype = INT8OID;
	coalesce->args = list_make2(rows, none);
	coalesce->location = -1;
	least->minmaxtype = INT8OID;
	least->op = IS_LEAST;
	least->args = list_make2(coalesce, many);
	least->location = -1;
	return (Expr *) least;
}

static bool
is_null_const(const Node *node)
{
	return node == NULL || (IsA(node, Const) && ((const Const *) node)->constisnull);
}

/* LIMIT + OFFSET, or NULL. */
static Expr *
make_limit(PlannerInfo *root)
{
	Node *count = root->parse->limitCount;
	Node *offset = root->parse->limitOffset;

	if (is_null_const(count) || root->parse->limitOption != LIMIT_OPTION_COUNT)
		return NULL;
	/* Both are evaluated once by the Limit node, and once more for the scan. */
	if (contain_volatile_functions(count) || contain_subplans(count) ||
		contain_volatile_functions(offset) || contain_subplans(offset))
		return NULL;
	if (is_null_const(offset))
		return (Expr *) copyObject(count);
	return (Expr *) eval_const_expressions(
		root, (Node *) makeFuncExpr(F_INT8PL, INT8OID,
									list_make2(cap_rows(copyObject(count), MANY_ROWS),
											   cap_rows(copyObject(offset), 0)),
									InvalidOid, InvalidOid, COERCE_EXPLICIT_CALL));
}

static bool
may_displace(const ScyllaPathShape *shape)
{
	for (int i = 0; i < shape->order_count; i++)
		if (shape->orders[i].may_displace)
			return true;
	return false;
}

double
scylla_order_limit(PlannerInfo *root, RelOptInfo *rel, const ScyllaScanParts *parts, List *pathkeys,
				   double rows, ScyllaPathShape *shape)
{
	ScyllaScanParts copy = *parts;
	Const *limit;

	if (!scylla_enable_pushdown || !is_whole_query(root, rel) ||
		!pathkeys_contained_in(root->sort_pathkeys, pathkeys))
		return rows;
	shape->limit = make_limit(root);
	if (shape->limit == NULL)
		return rows;
	shape->is_limit_exact = parts->filter == NIL && !may_displace(shape) &&
							parts->plan.arm_count == 1 && scylla_order_exclude_empty(&copy);
	limit = (Const *) shape->limit;
	if (!IsA(limit, Const))
		return clamp_row_est(rows * UNKNOWN_LIMIT_FRACTION);
	return clamp_row_est(Min(rows, (double) DatumGetInt64(limit->constvalue)));
}

/* ---- one row of each partition ---- */

/* The pathkey sorts by the partition's columns, in which its rows don't differ. */
static bool
is_of_partition(RelOptInfo *rel, const ScyllaTable *table, const PathKey *pathkey)
{
	ListCell *cell;

	foreach (cell, scylla_members_of(pathkey->pk_eclass, rel->relids))
	{
		const EquivalenceMember *member = lfirst(cell);
		const ScyllaColumn *column = scylla_qual_column(rel, table, (Node *) member->em_expr);

		if (column != NULL &&
			(column->role == SCYLLA_KEY_PARTITION || column->role == SCYLLA_KEY_STATIC))
			return true;
	}
	return false;
}

/* Whether the rows of a partition are stored in the order that the pathkey sorts by a column. */
static bool
is_stored_by(RelOptInfo *rel, const ScyllaTable *table, const ScyllaColumn *column,
			 const PathKey *pathkey)
{
	OrderColumn described;

	return describe_order(rel, table, column, false, &described) &&
		   has_column(rel, table, &described, pathkey->pk_eclass) &&
		   scylla_is_pathkey_strategy(pathkey, described.strategy) &&
		   (!described.has_nulls || pathkey->pk_nulls_first == described.is_nulls_first);
}

bool
scylla_order_first_rows(PlannerInfo *root, RelOptInfo *rel, const ScyllaScanParts *parts)
{
	const ScyllaTable *table = ((ScyllaRelPlan *) rel->fdw_private)->table;
	int next = 0;
	ListCell *cell;

	foreach (cell, root->sort_pathkeys)
	{
		const PathKey *pathkey = lfirst_node(PathKey, cell);

		if (is_of_partition(rel, table, pathkey))
			continue;
		while (next < table->clustering_count && table->clustering_key[next] != NULL &&
			   is_equal_in(&parts->plan.arms[0], table->clustering_key[next]->attnum))
			next++;
		if (next == table->clustering_count ||
			!is_stored_by(rel, table, table->clustering_key[next], pathkey))
			return false;
		next++;
	}
	return true;
}

/* ---- the contract ---- */

ScyllaScanCondition *
scylla_order_add_condition(ScyllaScanArm *arm)
{
	ScyllaScanCondition *conditions =
		palloc0((arm->condition_count + 1) * sizeof(ScyllaScanCondition));

	if (arm->condition_count > 0)
		memcpy(conditions, arm->conditions, arm->condition_count * sizeof(ScyllaScanCondition));
	arm->conditions = conditions;
	return &conditions[arm->condition_count++];
}

/* column = or > CQL's empty value, or >= the least other one */
static void
add_empty_condition(ScyllaScanArm *arm, const ScyllaColumn *column, ScyllaOperator op)
{
	ScyllaScanCondition *condition = scylla_order_add_condition(arm);
	ScyllaScanMarker *marker = palloc0(sizeof(ScyllaScanMarker));

	marker->attnum = column->attnum;
	marker->name = pstrdup(column->name);
	marker->type_text = pstrdup(column->cql_type_text);
	marker->bind = -1;
	condition->form = SCYLLA_FORM_EMPTY;
	condition->op = op;
	condition->marker_count = 1;
	condition->markers = marker;
}

static bool
has_lower_bound(const ScyllaScanArm *arm, AttrNumber attnum)
{
	for (int i = 0; i < arm->condition_count; i++)
	{
		const ScyllaScanCondition *condition = &arm->conditions[i];

		if (condition->markers[0].attnum == attnum &&
			(condition->op == SCYLLA_OP_GREATER || condition->op == SCYLLA_OP_GREATER_EQUAL))
			return true;
	}
	return false;
}

bool
scylla_order_exclude_empty(ScyllaScanParts *parts)
{
	const ScyllaTable *table = parts->table;
	ScyllaScanArm *arm = palloc(sizeof(ScyllaScanArm));
	int count = parts->plan.arms[0].condition_count;

	*arm = parts->plan.arms[0];
	parts->plan.arms = arm;
	for (int i = 0; i < count; i++)
	{
		const ScyllaScanCondition *condition = &arm->conditions[i];
		AttrNumber attnum = condition->markers[0].attnum;
		const ScyllaColumn *column = attnum > 0 ? &table->columns[attnum - 1] : NULL;

		if (condition->is_rechecked || condition->form == SCYLLA_FORM_ROW)
			return false;
		if (column == NULL || condition->form != SCYLLA_FORM_COLUMN ||
			scylla_type_has_empty_value(column->cql_type->id) ||
			!scylla_operator_is_range(condition->op) || has_lower_bound(arm, attnum))
			continue;
		if (column->role != SCYLLA_KEY_CLUSTERING)
			return false;
		add_empty_condition(arm, column,
							scylla_type_least(column->cql_type->id, NULL) > 0
								? SCYLLA_OP_GREATER_EQUAL
								: SCYLLA_OP_GREATER);
	}
	return true;
}

/* Beside the arm one that asks for the empty values of a clustering column alone. */
static void
add_empty_arm(const ScyllaColumn *column, ScyllaScanPlan *plan)
{
	ScyllaScanArm *arms = palloc(2 * sizeof(ScyllaScanArm));

	arms[0] = plan->arms[0];
	arms[1] = plan->arms[0];
	add_empty_condition(&arms[1], column, SCYLLA_OP_EQUAL);
	if (arms[1].access == SCYLLA_ACCESS_PARTITION)
		arms[1].access = SCYLLA_ACCESS_PARTITION_SLICE;
	plan->arms = arms;
	plan->arm_count = 2;
}

static Bitmapset *
add_attribute(Bitmapset *attributes, AttrNumber attnum)
{
	return bms_add_member(attributes, attnum - FirstLowInvalidHeapAttributeNumber);
}

Bitmapset *
scylla_order_apply(const ScyllaPathShape *shape, const ScyllaTable *table, ScyllaScanParts *parts,
				   Bitmapset *attributes)
{
	ScyllaScanPlan *plan = &parts->plan;

	if (shape == NULL)
		return attributes;
	plan->order_count = shape->order_count;
	plan->orders = shape->orders;
	plan->is_distinct = shape->is_distinct;
	plan->partition_limit = shape->partition_limit;
	if (shape->is_limit_exact || shape->partition_limit > 0)
		(void) scylla_order_exclude_empty(parts);
	if (shape->ring_pieces > 0)
		scylla_ring_divide(table, &plan->arms[0], shape->ring_pieces);
	if (shape->empty_column != NULL)
		add_empty_arm(shape->empty_column, plan);
	if (shape->limit != NULL)
	{
		plan->limit_bind = list_length(parts->binds);
		plan->is_limit_sent = shape->is_limit_exact;
		parts->binds = lappend(parts->binds, shape->limit);
	}
	for (int i = 0; i < shape->order_count; i++)
		if (shape->orders[i].attnum > 0)
			attributes = add_attribute(attributes, shape->orders[i].attnum);
	/* SELECT DISTINCT wants the whole partition key. */
	for (int i = 0; shape->is_distinct && i < table->partition_count; i++)
		attributes = add_attribute(attributes, table->partition_key[i]->attnum);
	return attributes;
}
