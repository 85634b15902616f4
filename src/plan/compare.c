/*
 * The rules by which PostgreSQL's comparison is CQL's.
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "parser/parse_coerce.h"
#include "plan/compare.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

const char *
scylla_compare_operand(const ScyllaOperand *operand)
{
	if (operand->column != NULL && operand->column->function != SCYLLA_FUNCTION_NONE)
		return "on a computed column";
	/* the table's own declaration is checked elsewhere; without a pair there is no meaning */
	if (operand->pair == NULL)
		return "column's type has no CQL counterpart";
	return NULL;
}

static bool
is_date_or_timestamp(Oid type)
{
	return type == DATEOID || type == TIMESTAMPOID || type == TIMESTAMPTZOID;
}

/*
 * Operators go by their strategy in the default btree family of the operand's type, never by
 * name: text_pattern_ops, citext and user-defined operators mean something else.
 */
const char *
scylla_compare_operator(const ScyllaComparison *comparison, ScyllaOperator *op)
{
	static const ScyllaOperator by_strategy[] = {
		[BTLessStrategyNumber] = SCYLLA_OP_LESS,
		[BTLessEqualStrategyNumber] = SCYLLA_OP_LESS_EQUAL,
		[BTEqualStrategyNumber] = SCYLLA_OP_EQUAL,
		[BTGreaterEqualStrategyNumber] = SCYLLA_OP_GREATER_EQUAL,
		[BTGreaterStrategyNumber] = SCYLLA_OP_GREATER,
	};
	const ScyllaTypePair *pair = comparison->operand.pair;
	Oid family = lookup_type_cache(pair->type, TYPECACHE_BTREE_OPFAMILY)->btree_opf;
	int strategy = OidIsValid(family) ? get_op_opfamily_strategy(comparison->opno, family) : 0;
	Oid left_type;
	Oid right_type;

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

bool
scylla_compare_is_deterministic(Oid collation)
{
	return !OidIsValid(collation) || get_collation_isdeterministic(collation);
}

bool
scylla_compare_is_same_equality(const ScyllaTypePair *pair, Oid collation)
{
	return pair != NULL && pair->equal == SCYLLA_PUSH_EXACT &&
		   scylla_compare_is_deterministic(collation);
}

/* CQL compares bytes. Under a nondeterministic collation even equal text has several forms. */
static const char *
judge_collation(const ScyllaTypePair *pair, Oid collation, ScyllaOperator op)
{
	if (!scylla_compare_is_deterministic(collation))
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

/* The pair that allows less: the CQL type must compare as the column's type and as the value's. */
static const ScyllaTypePair *
weaker_pair(const ScyllaComparison *comparison, ScyllaOperator op)
{
	const ScyllaTypePair *column = comparison->operand.pair;
	const ScyllaTypePair *value = scylla_type_pair_bind(column, comparison->value_type);

	if (value == NULL)
		return NULL;
	return pushable(value, op) > pushable(column, op) ? value : column;
}

/*
 * A value that the CQL type doesn't have (a bigint beyond an int column) is the encoder's business:
 * it tells, and what the executor then does is exact.
 */
const char *
scylla_compare_judge(const ScyllaComparison *comparison, ScyllaOperator op, ScyllaQual *qual)
{
	const ScyllaTypePair *weaker = weaker_pair(comparison, op);
	const char *reason;

	if (weaker == NULL)
		return psprintf("no CQL value of type %s", format_type_be(comparison->value_type));
	reason = judge_collation(comparison->operand.pair, comparison->collation, op);
	if (reason == NULL)
		reason = judge_collation(weaker, comparison->collation, op);
	if (reason != NULL)
		return reason;

	if (pushable(weaker, op) == SCYLLA_PUSH_NEVER)
		return weaker->reason != NULL ? weaker->reason : "CQL compares otherwise";
	if (pushable(weaker, op) == SCYLLA_PUSH_SUPERSET)
	{
		qual->is_superset = true;
		qual->reason = psprintf(
			"superset: %s", weaker->reason != NULL ? weaker->reason : "CQL compares more loosely");
	}
	return NULL;
}

/* A partition is found by = alone. */
bool
scylla_compare_is_by_order(const ScyllaComparison *comparison)
{
	const ScyllaOperand *operand = &comparison->operand;
	const ScyllaTypePair *equal = weaker_pair(comparison, SCYLLA_OP_EQUAL);
	const ScyllaTypePair *order = weaker_pair(comparison, SCYLLA_OP_LESS_EQUAL);

	return equal != NULL && equal->equal == SCYLLA_PUSH_NEVER &&
		   order->order == SCYLLA_PUSH_EXACT &&
		   (operand->column == NULL || operand->column->role != SCYLLA_KEY_PARTITION);
}
