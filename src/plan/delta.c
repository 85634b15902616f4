/*
 * Recognizes what CQL can add to a counter or collection, or take from it.
 *
 * The operation is CQL's only where it is PostgreSQL's as well: an element that is removed is found
 * by the same equality, and what is added to a map replaces the same keys. An expression that is
 * anything else is assigned as a whole (a counter cannot be).
 */
#include "postgres.h"

#include "access/transam.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "plan/compare.h"
#include "plan/delta.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

/* An assignment that is looked at. */
typedef struct Assignment
{
	Index rtindex;
	const ScyllaColumn *column;
	ScyllaDelta *out;
} Assignment;

static Expr *
strip(Expr *expr)
{
	while (IsA(expr, RelabelType))
		expr = ((RelabelType *) expr)->arg;
	return expr;
}

static bool
is_column(const Assignment *assignment, Expr *expr)
{
	Var *var = (Var *) strip(expr);

	return IsA(var, Var) && (Index) var->varno == assignment->rtindex &&
		   var->varattno == assignment->column->attnum && var->varlevelsup == 0;
}

static bool
found(Assignment *assignment, ScyllaAssign assign, Expr *value)
{
	assignment->out->attnum = assignment->column->attnum;
	assignment->out->assign = assign;
	assignment->out->value = value;
	return true;
}

/* Function and arguments of a call, by whatever notation; false: it is none of a built-in's. */
static bool
take_call(Expr *expr, Oid *function, Expr **left, Expr **right)
{
	List *args;

	if (IsA(expr, OpExpr))
	{
		*function = get_opcode(((OpExpr *) expr)->opno);
		args = ((OpExpr *) expr)->args;
	}
	else if (IsA(expr, FuncExpr))
	{
		*function = ((FuncExpr *) expr)->funcid;
		args = ((FuncExpr *) expr)->args;
	}
	else
		return false;
	if (*function >= FirstGenbkiObjectId || list_length(args) != 2)
		return false;
	*left = linitial(args);
	*right = lsecond(args);
	return true;
}

/* ---- counters ---- */

static bool
match_counter(Assignment *assignment, Expr *expr)
{
	char *name;
	Oid function;
	Expr *left;
	Expr *right;

	if (!IsA(expr, OpExpr) || !take_call(expr, &function, &left, &right))
		return false;
	name = get_opname(((OpExpr *) expr)->opno);
	if (strcmp(name, "+") == 0 && is_column(assignment, left))
		return found(assignment, SCYLLA_ASSIGN_ADD, right);
	if (strcmp(name, "+") == 0 && is_column(assignment, right))
		return found(assignment, SCYLLA_ASSIGN_ADD, left);
	if (strcmp(name, "-") == 0 && is_column(assignment, left))
		return found(assignment, SCYLLA_ASSIGN_SUBTRACT, right);
	return false;
}

/* ---- lists and sets, as arrays ---- */

static Expr *
make_array(Expr *element, Oid array_type)
{
	ArrayExpr *array = makeNode(ArrayExpr);

	array->array_typeid = array_type;
	array->element_typeid = get_element_type(array_type);
	array->elements = list_make1(element);
	array->location = -1;
	return (Expr *) array;
}

/* The element, or none where it is NULL: there is no NULL to remove. */
static Expr *
make_removed(Expr *element, Oid array_type)
{
	Oid type = get_element_type(array_type);
	Expr *null = (Expr *) makeNullConst(type, -1, get_typcollation(type));

	return (Expr *) makeFuncExpr(F_ARRAY_REMOVE, array_type,
								 list_make2(make_array(element, array_type), null), InvalidOid,
								 get_typcollation(type), COERCE_EXPLICIT_CALL);
}

/* A set has no order: in front is behind. */
static ScyllaAssign
prepend_to(const ScyllaColumn *column)
{
	return column->cql_type->id == CQL_TYPE_SET ? SCYLLA_ASSIGN_ADD : SCYLLA_ASSIGN_PREPEND;
}

/* Whether both sides find an element by the same equality. */
static bool
has_same_equality(const ScyllaColumn *column, Expr *element, Oid collation)
{
	const ScyllaTypePair *pair =
		scylla_type_pair_find(column->cql_type->elements[0], exprType((Node *) element));

	return scylla_compare_is_same_equality(pair, collation);
}

static bool
match_array(Assignment *assignment, Expr *expr)
{
	const ScyllaColumn *column = assignment->column;
	Oid type = exprType((Node *) expr);
	Oid function;
	Expr *left;
	Expr *right;

	if (!OidIsValid(get_element_type(type)) || !take_call(expr, &function, &left, &right))
		return false;
	if (is_column(assignment, left))
	{
		if (function == F_ARRAY_CAT)
			return found(assignment, SCYLLA_ASSIGN_ADD, right);
		if (function == F_ARRAY_APPEND)
			return found(assignment, SCYLLA_ASSIGN_ADD, make_array(right, type));
		if (function == F_ARRAY_REMOVE &&
			has_same_equality(column, right, exprInputCollation((Node *) expr)))
			return found(assignment, SCYLLA_ASSIGN_SUBTRACT, make_removed(right, type));
	}
	else if (is_column(assignment, right))
	{
		if (function == F_ARRAY_CAT)
			return found(assignment, prepend_to(column), left);
		if (function == F_ARRAY_PREPEND)
			return found(assignment, prepend_to(column), make_array(left, type));
	}
	return false;
}

/* ---- maps, as jsonb ---- */

static bool
has_text_keys(const ScyllaColumn *column)
{
	cql_type_id key = column->cql_type->elements[0]->id;

	return key == CQL_TYPE_TEXT || key == CQL_TYPE_ASCII;
}

/* m['key'] = value */
static bool
match_subscript(Assignment *assignment, SubscriptingRef *subscript)
{
	Expr *key;

	if (subscript->refassgnexpr == NULL || list_length(subscript->refupperindexpr) != 1 ||
		subscript->reflowerindexpr != NIL || !is_column(assignment, subscript->refexpr))
		return false;
	key = linitial(subscript->refupperindexpr);
	if (exprType((Node *) key) != TEXTOID)
		return false;
	return found(assignment, SCYLLA_ASSIGN_ADD,
				 (Expr *) makeFuncExpr(F_JSONB_BUILD_OBJECT_ANY, JSONBOID,
									   list_make2(key, subscript->refassgnexpr), InvalidOid,
									   InvalidOid, COERCE_EXPLICIT_CALL));
}

static bool
match_map(Assignment *assignment, Expr *expr)
{
	Oid function;
	Expr *left;
	Expr *right;

	if (assignment->column->type != JSONBOID || !has_text_keys(assignment->column))
		return false;
	if (IsA(expr, SubscriptingRef))
		return match_subscript(assignment, (SubscriptingRef *) expr);
	if (!take_call(expr, &function, &left, &right) || !is_column(assignment, left))
		return false;
	if (function == F_JSONB_CONCAT)
		return found(assignment, SCYLLA_ASSIGN_ADD, right);
	if (function == F_JSONB_DELETE_JSONB_TEXT)
		return found(assignment, SCYLLA_ASSIGN_SUBTRACT, make_array(right, TEXTARRAYOID));
	return false;
}

static bool
match(Assignment *assignment, Expr *expr)
{
	const cql_type *type = assignment->column->cql_type;

	if (type == NULL || type->is_frozen || assignment->column->function != SCYLLA_FUNCTION_NONE)
		return false;
	switch (type->id)
	{
		case CQL_TYPE_COUNTER:
			return match_counter(assignment, strip(expr));
		case CQL_TYPE_LIST:
		case CQL_TYPE_SET:
			return match_array(assignment, strip(expr));
		case CQL_TYPE_MAP:
			return match_map(assignment, strip(expr));
		default:
			return false;
	}
}

/* The value is computed once more, apart from the expression that it stands in. */
static bool
can_repeat(Expr *value)
{
	return !contain_volatile_functions((Node *) value) && !contain_subplans((Node *) value);
}

List *
scylla_deltas_of(PlannerInfo *root, Index rtindex, const ScyllaTable *table, Relation relation)
{
	List *deltas = NIL;
	ListCell *target;
	ListCell *colno = list_head(root->update_colnos);

	if (root->parse->commandType != CMD_UPDATE || (int) rtindex != root->parse->resultRelation ||
		(relation->trigdesc != NULL && relation->trigdesc->trig_update_before_row))
		return NIL;
	foreach (target, root->parse->targetList)
	{
		TargetEntry *entry = lfirst(target);
		ScyllaDelta delta;
		Assignment assignment = {.rtindex = rtindex, .out = &delta};

		if (entry->resjunk)
			continue;
		assignment.column = &table->columns[lfirst_int(colno) - 1];
		colno = lnext(root->update_colnos, colno);
		if (match(&assignment, entry->expr) && can_repeat(delta.value))
			deltas = lappend(deltas, memcpy(palloc(sizeof(delta)), &delta, sizeof(delta)));
	}
	return deltas;
}
