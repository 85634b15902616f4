/*
 * Judges clauses: a clause is pushed only if CQL means by it exactly what PostgreSQL means for
 * that type, operator, collation and value; or, marked so, something wider. Each refusal is a
 * reason in words that EXPLAIN shows, so the order of the checks is that of their usefulness.
 *
 * Values are never looked at: constants, parameters and stable expressions are all bind values,
 * so generic plans push what custom plans push.
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "optimizer/restrictinfo.h"
#include "parser/parse_coerce.h"
#include "plan/qual.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

/* A clause taken apart: column operator value. */
typedef struct Comparison
{
	const ScyllaColumn *column;
	Oid opno; /* with the column on its left; InvalidOid: = by a boolean column itself */
	Oid collation;
	Node *value;
} Comparison;

#define NOT_A_COMPARISON "not a comparison of a column with a value"

const ScyllaColumn *
scylla_qual_column(RelOptInfo *rel, const ScyllaTable *table, Node *node)
{
	Var *var;

	while (node != NULL && IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	if (node == NULL || !IsA(node, Var))
		return NULL;

	var = (Var *) node;
	if ((Index) var->varno != rel->relid || var->varlevelsup != 0)
		return NULL;
	if (var->varattno <= 0 || var->varattno > table->column_count)
		return NULL;
	if (table->columns[var->varattno - 1].attnum == 0)
		return NULL;
	return &table->columns[var->varattno - 1];
}

static void
set_boolean(Comparison *comparison, const ScyllaColumn *column, bool value)
{
	comparison->column = column;
	comparison->opno = InvalidOid;
	comparison->collation = InvalidOid;
	comparison->value = makeBoolConst(value, false);
}

/* b, NOT b, b IS TRUE, b IS FALSE: as filters all mean b = true or b = false. */
static bool
match_boolean(RelOptInfo *rel, const ScyllaTable *table, Node *clause, Comparison *comparison)
{
	const ScyllaColumn *column;
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
	column = scylla_qual_column(rel, table, clause);
	if (column == NULL || column->pair == NULL || column->pair->type != BOOLOID)
		return false;
	set_boolean(comparison, column, value);
	return true;
}

/* NULL, or why an operator clause is no comparison of a column with a value. */
static const char *
match_operator(PlannerInfo *root, RelOptInfo *rel, const ScyllaTable *table, Node *clause,
			   Comparison *comparison)
{
	OpExpr *op = (OpExpr *) clause;
	Node *left;
	Node *right;
	bool is_commuted = false;

	if (!IsA(clause, OpExpr) || list_length(op->args) != 2)
		return NOT_A_COMPARISON;

	left = linitial(op->args);
	right = lsecond(op->args);
	comparison->column = scylla_qual_column(rel, table, left);
	comparison->value = right;
	if (comparison->column == NULL)
	{
		comparison->column = scylla_qual_column(rel, table, right);
		comparison->value = left;
		is_commuted = true;
	}
	if (comparison->column == NULL)
		return "no column stands alone on one side";
	if (bms_is_member(rel->relid, pull_varnos(root, comparison->value)))
		return "compares columns of one row";

	comparison->opno = is_commuted ? get_commutator(op->opno) : op->opno;
	comparison->collation = op->inputcollid;
	if (!OidIsValid(comparison->opno))
		return "operator has no commutator";
	return NULL;
}

static const char *
judge_key(const ScyllaColumn *column)
{
	if (column->function != SCYLLA_FUNCTION_NONE)
		return "on a computed column";
	if (column->role != SCYLLA_KEY_PARTITION && column->role != SCYLLA_KEY_CLUSTERING)
		return "not on the key";
	/* the table's own declaration is checked elsewhere; without a pair there is no meaning */
	if (column->pair == NULL)
		return "column's type has no CQL counterpart";
	return NULL;
}

/* A bind value is evaluated once per scan. */
static const char *
judge_value(Node *value)
{
	if (contain_volatile_functions(value))
		return "volatile";
	if (contain_subplans(value))
		return "subquery depends on the row";
	return NULL;
}

static bool
is_date_or_timestamp(Oid type)
{
	return type == DATEOID || type == TIMESTAMPOID || type == TIMESTAMPTZOID;
}

/*
 * Operators go by their strategy in the default btree family of the column's type, never by
 * name: text_pattern_ops, citext and user-defined operators mean something else.
 */
static const char *
judge_operator(const Comparison *comparison, ScyllaOperator *op)
{
	static const ScyllaOperator by_strategy[] = {
		[BTLessStrategyNumber] = SCYLLA_OP_LESS,
		[BTLessEqualStrategyNumber] = SCYLLA_OP_LESS_EQUAL,
		[BTEqualStrategyNumber] = SCYLLA_OP_EQUAL,
		[BTGreaterEqualStrategyNumber] = SCYLLA_OP_GREATER_EQUAL,
		[BTGreaterStrategyNumber] = SCYLLA_OP_GREATER,
	};
	const ScyllaTypePair *pair = comparison->column->pair;
	Oid family;
	Oid left_type;
	Oid right_type;
	int strategy;

	if (!OidIsValid(comparison->opno))
	{
		*op = SCYLLA_OP_EQUAL;
		return NULL;
	}

	family = lookup_type_cache(pair->type, TYPECACHE_BTREE_OPFAMILY)->btree_opf;
	strategy = OidIsValid(family) ? get_op_opfamily_strategy(comparison->opno, family) : 0;
	if (strategy < BTLessStrategyNumber || strategy > BTGreaterStrategyNumber)
		return "operator is none of the type's =, <, <=, > and >=";
	*op = by_strategy[strategy];

	/* timestamp, timestamptz and date compare with one another by the session's time zone. */
	op_input_types(comparison->opno, &left_type, &right_type);
	if (left_type != right_type && is_date_or_timestamp(left_type))
		return "compares date and time types by the session's time zone";
	/* A cast that changes nothing was looked through; it must be to the operator's own type. */
	if (!IsBinaryCoercible(pair->type, left_type))
		return "column is cast";
	return NULL;
}

/* CQL compares bytes. Under a nondeterministic collation even equal text has several forms. */
static const char *
judge_collation(const ScyllaTypePair *pair, Oid collation, ScyllaOperator op)
{
	if (OidIsValid(collation) && !get_collation_isdeterministic(collation))
		return "collation is not deterministic";
	if (!pair->needs_c_collation)
		return NULL;
	if (!OidIsValid(collation))
		return "collation is unknown";
	if (op != SCYLLA_OP_EQUAL && !scylla_collation_is_c(collation))
		return "collation is not C";
	return NULL;
}

static ScyllaPushable
pushable(const ScyllaTypePair *pair, ScyllaOperator op)
{
	return op == SCYLLA_OP_EQUAL ? pair->equal : pair->order;
}

/*
 * The CQL type must compare as the column's type and as the value's. A value that the CQL type
 * doesn't have (a bigint beyond an int column) is the encoder's business: it tells, and what
 * the executor then does is exact.
 */
static const char *
judge_types(const Comparison *comparison, ScyllaQual *qual)
{
	const ScyllaTypePair *column = comparison->column->pair;
	const ScyllaTypePair *value = scylla_type_pair_bind(column, exprType(comparison->value));
	const ScyllaTypePair *weaker;
	const char *reason;

	if (value == NULL)
		return psprintf("no CQL value of type %s", format_type_be(exprType(comparison->value)));
	reason = judge_collation(column, comparison->collation, qual->op);
	if (reason == NULL)
		reason = judge_collation(value, comparison->collation, qual->op);
	if (reason != NULL)
		return reason;

	weaker = pushable(value, qual->op) > pushable(column, qual->op) ? value : column;
	if (pushable(weaker, qual->op) == SCYLLA_PUSH_NEVER)
		return weaker->reason != NULL ? weaker->reason : "CQL compares otherwise";
	if (pushable(weaker, qual->op) == SCYLLA_PUSH_SUPERSET)
	{
		qual->is_superset = true;
		qual->reason = psprintf(
			"superset: %s", weaker->reason != NULL ? weaker->reason : "CQL compares more loosely");
	}
	return NULL;
}

static const char *
judge(PlannerInfo *root, RelOptInfo *rel, const ScyllaTable *table, ScyllaQual *qual)
{
	Node *clause = (Node *) qual->rinfo->clause;
	Comparison comparison;
	const char *reason = NULL;

	if (!scylla_enable_pushdown)
		return "scylla_fdw.enable_pushdown is off";
	if (!match_boolean(rel, table, clause, &comparison))
		reason = match_operator(root, rel, table, clause, &comparison);
	if (reason == NULL)
		reason = judge_key(comparison.column);
	/* Before a more trusted qual is checked, not even the coordinator's trace may see a value. */
	if (reason == NULL && !restriction_is_securely_promotable(qual->rinfo, rel))
		reason = "a security barrier's conditions come first";
	if (reason == NULL)
		reason = judge_value(comparison.value);
	if (reason == NULL)
		reason = judge_operator(&comparison, &qual->op);
	if (reason == NULL && comparison.column->role == SCYLLA_KEY_PARTITION &&
		qual->op != SCYLLA_OP_EQUAL)
		reason = SCYLLA_REFUSED_PARTITION_RANGE;
	if (reason == NULL)
		reason = judge_types(&comparison, qual);
	if (reason == NULL)
	{
		qual->column = comparison.column;
		qual->value = (Expr *) comparison.value;
	}
	return reason;
}

ScyllaQual *
scylla_qual_new(PlannerInfo *root, RelOptInfo *rel, const ScyllaTable *table, RestrictInfo *rinfo)
{
	ScyllaQual *qual = palloc0(sizeof(ScyllaQual));
	const char *reason;

	qual->rinfo = rinfo;
	reason = judge(root, rel, table, qual);
	if (reason != NULL)
	{
		qual->is_superset = false;
		qual->reason = reason;
	}
	return qual;
}

static void
describe_condition(const ScyllaQual *qual, ScyllaAccessCondition *condition)
{
	if (qual->column->role == SCYLLA_KEY_PARTITION)
		condition->part = SCYLLA_PART_PARTITION;
	else if (qual->column->role == SCYLLA_KEY_CLUSTERING)
		condition->part = SCYLLA_PART_CLUSTERING;
	else
		condition->part = SCYLLA_PART_NONE;
	condition->position = qual->column->position - 1;
	condition->op = qual->op;
}

/* NULL: the server's answer is taken as it is. */
static const char *
local_reason(const ScyllaAccessKey *key, const ScyllaAccessChoice *access, const ScyllaQual *qual,
			 bool is_used)
{
	ScyllaAccessCondition condition;

	if (qual->column == NULL || is_used)
		return qual->reason;
	describe_condition(qual, &condition);
	return scylla_access_refusal(key, access, &condition);
}

void
scylla_qual_choose(const ScyllaTable *table, List *quals, ScyllaQualChoice *choice)
{
	int qual_count = list_length(quals);
	ScyllaAccessKey key = {table->partition_count, table->clustering_count};
	ScyllaAccessCondition *conditions = palloc(Max(qual_count, 1) * sizeof(*conditions));
	int *origins = palloc(Max(qual_count, 1) * sizeof(int));
	bool *used = palloc(Max(qual_count, 1) * sizeof(bool));
	int count = 0;

	for (int superset = 0; superset <= 1; superset++)
		for (int i = 0; i < qual_count; i++)
		{
			const ScyllaQual *qual = list_nth(quals, i);

			if (qual->column == NULL || qual->is_superset != (superset == 1))
				continue;
			origins[count] = i;
			describe_condition(qual, &conditions[count++]);
		}

	choice->access = scylla_access_choose(&key, conditions, count, used);
	choice->used = palloc0(Max(qual_count, 1) * sizeof(bool));
	choice->reasons = palloc0(Max(qual_count, 1) * sizeof(char *));
	for (int i = 0; i < count; i++)
		choice->used[origins[i]] = used[i];
	for (int i = 0; i < qual_count; i++)
		choice->reasons[i] =
			local_reason(&key, &choice->access, list_nth(quals, i), choice->used[i]);
}
