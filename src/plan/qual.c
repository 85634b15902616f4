/*
 * Judges clauses: a clause is pushed only if CQL means by it exactly what PostgreSQL means for
 * that type, operator, collation and value; or, marked so, something wider. Each refusal is a
 * reason in words that EXPLAIN shows, so the order of the checks is that of their usefulness.
 *
 * Values play no part in which text is sent: constants, parameters and stable expressions are all
 * bind values, so generic plans push what custom plans push. Only a constant that no row can have
 * is looked at, since nothing need be asked then.
 */
#include "postgres.h"

#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "optimizer/restrictinfo.h"
#include "plan/compare.h"
#include "plan/contains.h"
#include "plan/impossible.h"
#include "plan/qual.h"
#include "utils/lsyscache.h"

/* The relation whose clauses are judged. */
typedef struct Judge
{
	PlannerInfo *root;
	RelOptInfo *rel;
	const ScyllaTable *table;
} Judge;

#define NOT_A_COMPARISON "not a comparison of a column with a value"

/* An OR of more arms than this is rather checked locally than asked for one by one. */
#define MAX_ARMS 100

static const char *judge_clause(const Judge *judge, Node *clause, ScyllaQual *qual);

/* ---- values ---- */

/* A bind value is evaluated once per scan. */
static const char *
judge_value(const Judge *judge, Node *value)
{
	if (bms_is_member(judge->rel->relid, pull_varnos(judge->root, value)))
		return "compares columns of one row";
	if (contain_volatile_functions(value))
		return "volatile";
	if (contain_subplans(value))
		return "subquery depends on the row";
	return NULL;
}

/* ---- conditions ---- */

static ScyllaCondition *
add_condition(ScyllaQual *qual, const ScyllaOperand *operand, ScyllaOperator op, Node *value)
{
	ScyllaCondition *condition = palloc0(sizeof(ScyllaCondition));

	condition->form = operand->form;
	condition->op = op;
	if (operand->column != NULL)
		condition->columns = list_make1((void *) operand->column);
	condition->values = list_make1(value);
	qual->conditions = lappend(qual->conditions, condition);
	return condition;
}

/*
 * What compares by order alone is equal if it is neither less nor greater: 1.0 and 1.00 are two
 * keys of one place, as are the timeuuids of a microsecond.
 */
static const char *
judge_equal_by_order(const ScyllaComparison *comparison, ScyllaQual *qual)
{
	const char *reason = scylla_compare_judge(comparison, SCYLLA_OP_LESS_EQUAL, qual);

	if (reason != NULL)
		return reason;
	add_condition(qual, &comparison->operand, SCYLLA_OP_GREATER_EQUAL, comparison->value);
	add_condition(qual, &comparison->operand, SCYLLA_OP_LESS_EQUAL, comparison->value);
	return NULL;
}

/* Of what was taken apart; array: the value is an array, of which one element is to be equal. */
static const char *
judge_comparison(const Judge *judge, const ScyllaComparison *comparison, ScyllaQual *qual)
{
	ScyllaOperator op;
	const char *reason = scylla_compare_operand(&comparison->operand);

	if (reason == NULL)
		reason = judge_value(judge, comparison->value);
	if (reason == NULL)
		reason = scylla_compare_operator(comparison, &op);
	if (reason != NULL)
		return reason;
	if (comparison->is_array && op != SCYLLA_OP_EQUAL)
		return "compares an array otherwise than by = ANY";
	if (op == SCYLLA_OP_EQUAL && !comparison->is_array && scylla_compare_is_by_order(comparison))
		return judge_equal_by_order(comparison, qual);
	reason = scylla_compare_judge(comparison, op, qual);
	if (reason == NULL)
		add_condition(qual, &comparison->operand, comparison->is_array ? SCYLLA_OP_IN : op,
					  comparison->value);
	return reason;
}

static bool
is_equal_by_order(const ScyllaComparison *comparison)
{
	ScyllaOperator op;

	return scylla_compare_operand(&comparison->operand) == NULL &&
		   scylla_compare_operator(comparison, &op) == NULL && op == SCYLLA_OP_EQUAL &&
		   scylla_compare_is_by_order(comparison);
}

static ScyllaQual *judge_part(const Judge *judge, Expr *clause);

/* What is found by order has a range for each value: arms, as of an OR. */
static void
add_elements(const Judge *judge, const ScalarArrayOpExpr *clause, ScyllaQual *qual)
{
	List *elements = scylla_list_elements(lsecond(clause->args));
	ListCell *cell;

	if (list_length(elements) > MAX_ARMS)
		return;
	foreach (cell, elements)
	{
		Expr *equal = make_opclause(clause->opno, BOOLOID, false, linitial(clause->args),
									lfirst(cell), InvalidOid, clause->inputcollid);

		qual->arms = lappend(qual->arms, list_make1(judge_part(judge, equal)));
	}
}

static const char *
judge_operator(const Judge *judge, const OpExpr *clause, ScyllaQual *qual)
{
	ScyllaComparison comparison = {.opno = clause->opno, .collation = clause->inputcollid};

	if (list_length(clause->args) != 2)
		return NOT_A_COMPARISON;
	comparison.value = lsecond(clause->args);
	if (!scylla_operand_match(judge->rel, judge->table, linitial(clause->args),
							  &comparison.operand))
	{
		if (!scylla_operand_match(judge->rel, judge->table, lsecond(clause->args),
								  &comparison.operand))
			return "no column stands alone on one side";
		comparison.value = linitial(clause->args);
		comparison.opno = get_commutator(clause->opno);
		if (!OidIsValid(comparison.opno))
			return "operator has no commutator";
	}
	comparison.value_type = exprType(comparison.value);
	return judge_comparison(judge, &comparison, qual);
}

/* column = ANY (array) */
static const char *
judge_array(const Judge *judge, const ScalarArrayOpExpr *clause, ScyllaQual *qual)
{
	ScyllaComparison comparison = {.opno = clause->opno,
								   .collation = clause->inputcollid,
								   .value = lsecond(clause->args),
								   .is_array = true};
	const char *reason;

	if (!clause->useOr)
		return "compares with all elements of an array";
	if (!scylla_operand_match(judge->rel, judge->table, linitial(clause->args),
							  &comparison.operand))
		return "no column stands alone on one side";
	comparison.value_type = get_base_element_type(exprType(comparison.value));
	reason = judge_comparison(judge, &comparison, qual);
	if (reason != NULL && judge_value(judge, comparison.value) == NULL &&
		is_equal_by_order(&comparison))
		add_elements(judge, clause, qual);
	return reason;
}

/* b, NOT b, b IS TRUE, b IS FALSE: as filters all mean b = true or b = false. */
static bool
match_boolean(const Judge *judge, Node *clause, ScyllaComparison *comparison)
{
	bool value = true;

	if (is_notclause(clause))
	{
		value = false;
		clause = (Node *) get_notclausearg((Expr *) clause);
	}
	else if (IsA(clause, BooleanTest))
	{
		BooleanTest *test = (BooleanTest *) clause;

		if (test->booltesttype != IS_TRUE && test->booltesttype != IS_FALSE)
			return false;
		value = test->booltesttype == IS_TRUE;
		clause = (Node *) test->arg;
	}
	if (!scylla_operand_match(judge->rel, judge->table, clause, &comparison->operand) ||
		comparison->operand.pair == NULL || comparison->operand.pair->type != BOOLOID)
		return false;
	comparison->opno = BooleanEqualOperator;
	comparison->value = makeBoolConst(value, false);
	comparison->value_type = BOOLOID;
	return true;
}

/* CQL finds too much at times, so this is checked again wherever it is sent. */
static const char *
judge_contains(const Judge *judge, const ScyllaContains *contains, ScyllaQual *qual)
{
	const ScyllaOperand operand = {contains->form, contains->column, contains->column->pair};
	ListCell *cell;

	if (!scylla_compare_is_deterministic(contains->collation))
		return "collation is not deterministic";
	foreach (cell, contains->values)
	{
		Node *key =
			contains->keys != NIL ? list_nth(contains->keys, foreach_current_index(cell)) : NULL;
		const char *reason = judge_value(judge, lfirst(cell));
		ScyllaCondition *condition;

		if (reason == NULL && key != NULL)
			reason = judge_value(judge, key);
		if (reason != NULL)
			return reason;
		condition = add_condition(qual, &operand, SCYLLA_OP_EQUAL, lfirst(cell));
		condition->cql = contains->cql;
		if (key != NULL)
			condition->values = lcons(key, condition->values);
	}
	qual->is_superset = true;
	return NULL;
}

/* ---- rows: (c1, c2) > (a, b) ---- */

typedef struct RowMatch
{
	const RowCompareExpr *clause;
	List *columns; /* of const ScyllaColumn */
	List *values;
	ScyllaOperator op;
	bool is_clustering_prefix; /* CQL can say it: the first clustering columns, of one direction */
} RowMatch;

/* The element of a row comparison at a place, as a comparison by itself. */
static bool
match_element(const Judge *judge, const RowCompareExpr *clause, int i, ScyllaComparison *comparison)
{
	comparison->opno = list_nth_oid(clause->opnos, i);
	comparison->collation = list_nth_oid(clause->inputcollids, i);
	comparison->value = list_nth(clause->rargs, i);
	if (!scylla_operand_match(judge->rel, judge->table, list_nth(clause->largs, i),
							  &comparison->operand))
	{
		if (!scylla_operand_match(judge->rel, judge->table, list_nth(clause->rargs, i),
								  &comparison->operand))
			return false;
		comparison->value = list_nth(clause->largs, i);
		comparison->opno = get_commutator(comparison->opno);
	}
	comparison->value_type = exprType(comparison->value);
	return OidIsValid(comparison->opno);
}

static const char *
judge_element(const Judge *judge, RowMatch *match, int i)
{
	ScyllaComparison comparison = {0};
	ScyllaQual element = {0};
	ScyllaOperator op;
	const ScyllaColumn *column;
	const char *reason;

	if (!match_element(judge, match->clause, i, &comparison))
		return NOT_A_COMPARISON;
	column = comparison.operand.column;
	reason = judge_comparison(judge, &comparison, &element);
	if (reason != NULL)
		return reason;
	op = ((ScyllaCondition *) linitial(element.conditions))->op;
	if (i == 0)
	{
		match->op = op;
		match->is_clustering_prefix = true;
	}
	if (op != match->op || element.is_superset || column == NULL || column->pair == NULL ||
		comparison.operand.pair != column->pair || column->role != SCYLLA_KEY_CLUSTERING ||
		column->position != i + 1 ||
		column->is_descending != judge->table->clustering_key[0]->is_descending)
		match->is_clustering_prefix = false;
	match->columns = lappend(match->columns, (void *) column);
	match->values = lappend(match->values, comparison.value);
	return NULL;
}

/* An empty value sorts first in CQL and is NULL here, so of what is less there it may be none. */
static bool
is_lower_bound(ScyllaOperator op)
{
	return op == SCYLLA_OP_GREATER || op == SCYLLA_OP_GREATER_EQUAL;
}

static void
add_row(const RowMatch *match, ScyllaQual *qual)
{
	ScyllaCondition *condition = palloc0(sizeof(ScyllaCondition));

	condition->form = SCYLLA_FORM_ROW;
	condition->op = match->op;
	condition->columns = match->columns;
	condition->values = match->values;
	condition->is_whole = is_lower_bound(match->op);
	qual->conditions = lappend(qual->conditions, condition);
}

static ScyllaOperator
or_equal(ScyllaOperator op)
{
	if (op == SCYLLA_OP_LESS)
		return SCYLLA_OP_LESS_EQUAL;
	return op == SCYLLA_OP_GREATER ? SCYLLA_OP_GREATER_EQUAL : op;
}

/* Whatever the rest of the row says, the first element follows: c1 >= a. */
static const char *
judge_row(const Judge *judge, const RowCompareExpr *clause, ScyllaQual *qual)
{
	RowMatch match = {.clause = clause};
	ScyllaComparison first = {0};
	ScyllaQual element = {0};
	const char *reason = judge_element(judge, &match, 0);
	ScyllaCondition *condition;

	if (reason != NULL)
		return reason;
	for (int i = 1; i < list_length(clause->opnos); i++)
		if (judge_element(judge, &match, i) != NULL)
			match.is_clustering_prefix = false;
	if (match.is_clustering_prefix)
		add_row(&match, qual);

	(void) match_element(judge, clause, 0, &first);
	(void) judge_comparison(judge, &first, &element);
	condition = linitial(element.conditions);
	condition->op = or_equal(condition->op);
	condition->is_fallback = match.is_clustering_prefix;
	qual->conditions = lappend(qual->conditions, condition);
	qual->is_superset = true;
	qual->reason = match.is_clustering_prefix && !is_lower_bound(match.op)
					   ? "superset: an empty value sorts first in CQL and is NULL here"
					   : "superset: of the row the first column is sent";
	return NULL;
}

/* ---- OR ---- */

static ScyllaQual *
judge_part(const Judge *judge, Expr *clause)
{
	ScyllaQual *part = palloc0(sizeof(ScyllaQual));

	part->clause = clause;
	part->reason = judge_clause(judge, (Node *) clause, part);
	return part;
}

/* The single condition by = or IN that an arm is; NULL: it is something else. */
static const ScyllaCondition *
only_equality(const List *arm)
{
	const ScyllaQual *qual = linitial(arm);
	const ScyllaCondition *condition;

	if (list_length(arm) != 1 || list_length(qual->conditions) != 1 || qual->is_superset)
		return NULL;
	condition = linitial(qual->conditions);
	return condition->form == SCYLLA_FORM_COLUMN && condition->op == SCYLLA_OP_EQUAL ? condition
																					 : NULL;
}

/* The values of k = 1 OR k = 2; NIL: it is not so simple, or they are of several types. */
static List *
collect_alternatives(const List *arms)
{
	const ScyllaCondition *first = only_equality(linitial(arms));
	List *values = NIL;
	ListCell *cell;

	foreach (cell, arms)
	{
		const ScyllaCondition *condition = only_equality(lfirst(cell));

		if (condition == NULL || linitial(condition->columns) != linitial(first->columns) ||
			exprType(linitial(condition->values)) != exprType(linitial(first->values)))
			return NIL;
		values = lappend(values, linitial(condition->values));
	}
	return values;
}

/* ARRAY[1, 2], or NULL where there are no arrays of that type. */
static Node *
make_array(List *values)
{
	ArrayExpr *array = makeNode(ArrayExpr);

	array->element_typeid = exprType(linitial(values));
	array->array_typeid = get_array_type(array->element_typeid);
	array->array_collid = exprCollation(linitial(values));
	array->elements = values;
	array->location = -1;
	return OidIsValid(array->array_typeid) ? (Node *) array : NULL;
}

static bool
add_alternatives(ScyllaQual *qual)
{
	List *values = collect_alternatives(qual->arms);
	Node *array = values != NIL ? make_array(values) : NULL;
	const ScyllaCondition *first;
	ScyllaCondition *condition;

	if (array == NULL)
		return false;
	first = only_equality(linitial(qual->arms));
	condition = palloc(sizeof(ScyllaCondition));
	*condition = *first;
	condition->op = SCYLLA_OP_IN;
	condition->values = list_make1(eval_const_expressions(NULL, array));
	qual->conditions = list_make1(condition);
	qual->arms = NIL;
	return true;
}

static const char *
judge_or(const Judge *judge, const BoolExpr *clause, ScyllaQual *qual)
{
	ListCell *cell;
	ListCell *part;

	/* Which arm a row belongs to is asked of it more than once. */
	if (contain_volatile_functions((Node *) clause))
		return "volatile";
	if (list_length(clause->args) > MAX_ARMS)
		return psprintf("OR of more than %d conditions", MAX_ARMS);
	foreach (cell, clause->args)
	{
		List *arm = NIL;

		foreach (part, make_ands_implicit(lfirst(cell)))
			arm = lappend(arm, judge_part(judge, lfirst(part)));
		qual->arms = lappend(qual->arms, arm);
	}
	return add_alternatives(qual) ? NULL : "OR of conditions that do not all bind a partition";
}

/* ---- clauses ---- */

static const char *
judge_clause(const Judge *judge, Node *clause, ScyllaQual *qual)
{
	ScyllaComparison comparison = {0};
	ScyllaContains contains = {0};
	const char *reason;

	if (is_orclause(clause))
		reason = judge_or(judge, (BoolExpr *) clause, qual);
	else if (scylla_contains_match(judge->rel, judge->table, clause, &contains))
		reason = judge_contains(judge, &contains, qual);
	else if (IsA(clause, ScalarArrayOpExpr))
		reason = judge_array(judge, (ScalarArrayOpExpr *) clause, qual);
	else if (IsA(clause, RowCompareExpr))
		reason = judge_row(judge, (RowCompareExpr *) clause, qual);
	else if (match_boolean(judge, clause, &comparison))
		reason = judge_comparison(judge, &comparison, qual);
	else if (IsA(clause, OpExpr))
		reason = judge_operator(judge, (OpExpr *) clause, qual);
	else
		reason = NOT_A_COMPARISON;
	if (reason != NULL)
	{
		qual->conditions = NIL;
		qual->is_superset = false;
		return reason;
	}
	qual->is_never = scylla_is_impossible(judge->table, qual->conditions);
	return qual->reason;
}

ScyllaQual *
scylla_qual_new(PlannerInfo *root, RelOptInfo *rel, const ScyllaTable *table, RestrictInfo *rinfo)
{
	const Judge judge = {root, rel, table};
	ScyllaQual *qual = palloc0(sizeof(ScyllaQual));

	qual->clause = rinfo->clause;
	qual->rinfo = rinfo;
	if (!scylla_enable_pushdown)
		qual->reason = "scylla_fdw.enable_pushdown is off";
	/* Before a more trusted qual is checked, not even the coordinator's trace may see a value. */
	else if (!restriction_is_securely_promotable(rinfo, rel))
		qual->reason = "a security barrier's conditions come first";
	else
		qual->reason = judge_clause(&judge, (Node *) rinfo->clause, qual);
	return qual;
}
