/*
 * Recognises what CQL's CONTAINS and CONTAINS KEY can say. What they find is a superset at best (a
 * collection has many spellings), so it is always checked again.
 *
 * Of frozen collections nothing is asked: beside an SAI index Cassandra takes one for a single value,
 * and finds nothing.
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "plan/contains.h"
#include "plan/entry.h"
#include "plan/operand.h"
#include "utils/array.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

static bool
is_text(const cql_type *cql)
{
	return cql->id == CQL_TYPE_TEXT || cql->id == CQL_TYPE_ASCII;
}

static bool
is_list_or_set(const cql_type *cql)
{
	return cql->id == CQL_TYPE_LIST || cql->id == CQL_TYPE_SET;
}

/* A column that is a collection; false: the node is none. */
static bool
match_collection(RelOptInfo *rel, const ScyllaTable *table, Node *node, ScyllaContains *out)
{
	out->column = scylla_qual_column(rel, table, node);
	return out->column != NULL && out->column->pair != NULL && out->column->cql_type != NULL &&
		   !out->column->cql_type->is_frozen &&
		   (is_list_or_set(out->column->cql_type) || out->column->cql_type->id == CQL_TYPE_MAP);
}

static bool
match_array_column(RelOptInfo *rel, const ScyllaTable *table, Node *node, ScyllaContains *out)
{
	if (!match_collection(rel, table, node, out) || !is_list_or_set(out->column->cql_type) ||
		!OidIsValid(get_base_element_type(out->column->type)))
		return false;
	out->form = SCYLLA_FORM_CONTAINS;
	out->cql = out->column->cql_type->elements[0];
	return true;
}

/* Elements are compared one by one, as cells are. */
static bool
is_element_alike(const ScyllaContains *contains, Oid value_type)
{
	Oid element = get_base_element_type(contains->column->type);
	const ScyllaTypePair *pair = scylla_type_pair_find(contains->cql, element);
	const ScyllaTypePair *value = pair != NULL ? scylla_type_pair_bind(pair, value_type) : NULL;

	return value != NULL && pair->equal == SCYLLA_PUSH_EXACT && value->equal == SCYLLA_PUSH_EXACT;
}

/* x = ANY (column) */
static bool
match_any(RelOptInfo *rel, const ScyllaTable *table, const ScalarArrayOpExpr *clause,
		  ScyllaContains *out)
{
	Node *value = linitial(clause->args);
	Oid family;

	if (!clause->useOr || !match_array_column(rel, table, lsecond(clause->args), out) ||
		!is_element_alike(out, exprType(value)))
		return false;
	family = lookup_type_cache(getBaseType(exprType(value)), TYPECACHE_BTREE_OPFAMILY)->btree_opf;
	if (get_op_opfamily_strategy(clause->opno, family) != BTEqualStrategyNumber)
		return false;
	out->values = list_make1(value);
	out->collation = clause->inputcollid;
	return true;
}

/* Elements of a constant; those that are NULL are left out, for no collection contains them. */
static List *
list_constants(const Const *array)
{
	ArrayType *value = DatumGetArrayTypeP(array->constvalue);
	Oid type = ARR_ELEMTYPE(value);
	List *constants = NIL;
	Datum *elements;
	bool *nulls;
	int count;
	int16 len;
	bool by_value;
	char align;

	get_typlenbyvalalign(type, &len, &by_value, &align);
	deconstruct_array(value, type, len, by_value, align, &elements, &nulls, &count);
	for (int i = 0; i < count; i++)
		if (!nulls[i])
			constants = lappend(constants, makeConst(type, -1, get_typcollation(type), len,
													 elements[i], false, by_value));
	return constants;
}

List *
scylla_list_elements(Node *array)
{
	if (IsA(array, Const) && !((Const *) array)->constisnull)
		return list_constants((Const *) array);
	if (IsA(array, ArrayExpr) && !((ArrayExpr *) array)->multidims)
		return ((ArrayExpr *) array)->elements;
	return NIL;
}

/* column @> array, array <@ column */
static bool
match_contains(RelOptInfo *rel, const ScyllaTable *table, const OpExpr *clause, ScyllaContains *out)
{
	bool is_reversed = clause->opno == OID_ARRAY_CONTAINED_OP;
	Node *collection = is_reversed ? lsecond(clause->args) : linitial(clause->args);
	Node *array = is_reversed ? linitial(clause->args) : lsecond(clause->args);

	if (!match_array_column(rel, table, collection, out))
		return false;
	out->values = scylla_list_elements(array);
	out->collation = clause->inputcollid;
	return out->values != NIL && is_element_alike(out, exprType(linitial(out->values)));
}

/* jsonb: the key of an object, or a text of an array; hstore: a key */
static bool
match_exists(RelOptInfo *rel, const ScyllaTable *table, const OpExpr *clause, ScyllaContains *out)
{
	if (!match_collection(rel, table, linitial(clause->args), out))
		return false;
	out->form =
		out->column->cql_type->id == CQL_TYPE_MAP ? SCYLLA_FORM_CONTAINS_KEY : SCYLLA_FORM_CONTAINS;
	out->cql = out->column->cql_type->elements[0];
	out->values = list_make1(lsecond(clause->args));
	out->collation = InvalidOid;
	return is_text(out->cql);
}

bool
scylla_contains_match(RelOptInfo *rel, const ScyllaTable *table, Node *clause, ScyllaContains *out)
{
	const OpExpr *op = (OpExpr *) clause;

	if (IsA(clause, ScalarArrayOpExpr))
		return match_any(rel, table, (ScalarArrayOpExpr *) clause, out);
	if (!IsA(clause, OpExpr) || list_length(op->args) != 2)
		return false;
	if (op->opno == OID_ARRAY_CONTAINS_OP || op->opno == OID_ARRAY_CONTAINED_OP)
		return match_contains(rel, table, op, out);
	if (get_opcode(op->opno) == F_JSONB_EXISTS ||
		scylla_is_function_of(get_opcode(op->opno), "hstore", "exist"))
		return match_exists(rel, table, op, out);
	return scylla_entry_match(rel, table, clause, out);
}
