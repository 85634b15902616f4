/*
 * Recognises what CQL's m[k] = v can say of a map that is jsonb or hstore. Both have texts for keys,
 * so the map must too; and of the values only those whose JSON is the value itself: integers, texts
 * and booleans. As with CONTAINS, what is found is checked again.
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "plan/entry.h"
#include "plan/operand.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/typcache.h"

static bool
match_map(RelOptInfo *rel, const ScyllaTable *table, Node *node, ScyllaContains *out)
{
	const cql_type *map;

	out->column = scylla_qual_column(rel, table, node);
	if (out->column == NULL || out->column->pair == NULL || out->column->cql_type == NULL)
		return false;
	map = out->column->cql_type;
	out->form = SCYLLA_FORM_ENTRY;
	out->cql = NULL;
	return map->id == CQL_TYPE_MAP && !map->is_frozen &&
		   (map->elements[0]->id == CQL_TYPE_TEXT || map->elements[0]->id == CQL_TYPE_ASCII);
}

/* ---- m -> 'k' = v ---- */

/* The text under which an expression takes a value from a map; NULL: it takes none. */
static Node *
match_lookup(RelOptInfo *rel, const ScyllaTable *table, Node *node, ScyllaContains *out)
{
	List *args;
	Oid function;

	if (IsA(node, SubscriptingRef))
	{
		const SubscriptingRef *ref = (SubscriptingRef *) node;

		if (ref->refcontainertype != JSONBOID || ref->refassgnexpr != NULL ||
			list_length(ref->refupperindexpr) != 1 || ref->reflowerindexpr != NIL)
			return NULL;
		args = list_make2(ref->refexpr, linitial(ref->refupperindexpr));
	}
	else if (IsA(node, OpExpr) && list_length(((OpExpr *) node)->args) == 2)
	{
		function = get_opcode(((OpExpr *) node)->opno);
		if (function != F_JSONB_OBJECT_FIELD && function != F_JSONB_OBJECT_FIELD_TEXT &&
			!scylla_is_function_of(function, "hstore", "fetchval"))
			return NULL;
		args = ((OpExpr *) node)->args;
	}
	else
		return NULL;
	if (!match_map(rel, table, linitial(args), out) || exprType(lsecond(args)) != TEXTOID)
		return NULL;
	return lsecond(args);
}

static bool
is_integer_type(Oid type)
{
	return type == INT2OID || type == INT4OID || type == INT8OID || type == NUMERICOID;
}

/* What a cast to an integer type is of, or the node; a map's integers keep their value by it. */
static Node *
strip_integer_cast(Node *node)
{
	if (IsA(node, CoerceViaIO) && is_integer_type(((CoerceViaIO *) node)->resulttype))
		return (Node *) ((CoerceViaIO *) node)->arg;
	if (!IsA(node, FuncExpr))
		return node;
	switch (((FuncExpr *) node)->funcid)
	{
		case F_INT2_JSONB:
		case F_INT4_JSONB:
		case F_INT8_JSONB:
		case F_NUMERIC_JSONB:
			return linitial(((FuncExpr *) node)->args);
		default:
			return node;
	}
}

/* A JSON scalar as a constant of its own type; NULL: null, or no scalar. */
static Node *
make_scalar(const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvString:
			return (Node *) makeConst(TEXTOID, -1, DEFAULT_COLLATION_OID, -1,
									  PointerGetDatum(cstring_to_text_with_len(
										  value->val.string.val, value->val.string.len)),
									  false, false);
		case jbvNumeric:
			return (Node *) makeConst(NUMERICOID, -1, InvalidOid, -1,
									  NumericGetDatum(value->val.numeric), false, false);
		case jbvBool:
			return makeBoolConst(value->val.boolean, false);
		default:
			return NULL;
	}
}

static Node *
scalar_of(const Const *json)
{
	JsonbValue value;

	if (json->constisnull || !JsonbExtractScalar(&DatumGetJsonbP(json->constvalue)->root, &value))
		return NULL;
	return make_scalar(&value);
}

static bool
is_integer(const cql_type *cql)
{
	switch (cql->id)
	{
		case CQL_TYPE_TINYINT:
		case CQL_TYPE_SMALLINT:
		case CQL_TYPE_INT:
		case CQL_TYPE_BIGINT:
		case CQL_TYPE_VARINT:
			return true;
		default:
			return false;
	}
}

/* Whether a map's value of that type is the JSON value, or the text, that PostgreSQL compares. */
static bool
is_value_alike(const cql_type *cql, Oid type)
{
	switch (type)
	{
		case TEXTOID:
			return cql->id == CQL_TYPE_TEXT || cql->id == CQL_TYPE_ASCII;
		case BOOLOID:
			return cql->id == CQL_TYPE_BOOLEAN;
		default:
			return is_integer_type(type) && is_integer(cql);
	}
}

static bool
is_default_equality(const OpExpr *clause)
{
	Oid type = exprType(linitial(clause->args));
	Oid family = lookup_type_cache(type, TYPECACHE_BTREE_OPFAMILY)->btree_opf;

	return OidIsValid(family) &&
		   get_op_opfamily_strategy(clause->opno, family) == BTEqualStrategyNumber;
}

/* With the map on the left, as PostgreSQL's parser leaves what people write. */
static bool
match_equal(RelOptInfo *rel, const ScyllaTable *table, const OpExpr *clause, ScyllaContains *out)
{
	Node *left = linitial(clause->args);
	Node *value = lsecond(clause->args);
	Node *lookup = strip_integer_cast(left);
	Node *key = match_lookup(rel, table, lookup, out);

	if (key == NULL || !is_default_equality(clause))
		return false;
	if (exprType(left) == JSONBOID)
		value = IsA(value, Const) ? scalar_of((Const *) value) : NULL;
	if (value == NULL)
		return false;
	out->keys = list_make1(key);
	out->values = list_make1(value);
	out->collation = clause->inputcollid;
	return is_value_alike(out->column->cql_type->elements[1], exprType(value));
}

/* ---- m @> '{"k": v}' ---- */

/* The members of a constant object that can be asked for; the others are for the recheck. */
static void
list_members(const Const *json, const cql_type *value_type, ScyllaContains *out)
{
	Jsonb *object = DatumGetJsonbP(json->constvalue);
	JsonbIterator *iterator = JsonbIteratorInit(&object->root);
	JsonbIteratorToken token;
	JsonbValue item;
	Node *key = NULL;

	if (!JB_ROOT_IS_OBJECT(object))
		return;
	while ((token = JsonbIteratorNext(&iterator, &item, true)) != WJB_DONE)
	{
		Node *value;

		if (token == WJB_KEY)
			key = make_scalar(&item);
		if (token != WJB_VALUE)
			continue;
		value = make_scalar(&item);
		if (value == NULL || !is_value_alike(value_type, exprType(value)))
			continue;
		out->keys = lappend(out->keys, key);
		out->values = lappend(out->values, value);
	}
}

static bool
match_members(RelOptInfo *rel, const ScyllaTable *table, const OpExpr *clause, ScyllaContains *out)
{
	const Const *json = lsecond(clause->args);

	if (!IsA(json, Const) || json->constisnull ||
		!match_map(rel, table, linitial(clause->args), out))
		return false;
	out->collation = InvalidOid;
	list_members(json, out->column->cql_type->elements[1], out);
	return out->values != NIL;
}

bool
scylla_entry_match(RelOptInfo *rel, const ScyllaTable *table, Node *clause, ScyllaContains *out)
{
	const OpExpr *op = (OpExpr *) clause;

	if (!IsA(clause, OpExpr) || list_length(op->args) != 2)
		return false;
	if (get_opcode(op->opno) == F_JSONB_CONTAINS)
		return match_members(rel, table, op, out);
	return match_equal(rel, table, op, out);
}
