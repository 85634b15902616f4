/*
 * THE table of what becomes of a bound that the CQL type cannot hold. Planner and executor ask it,
 * of constants and of values.
 */
#include "postgres.h"

#include "types/bound.h"

typedef struct BoundRule
{
	ScyllaRound round; /* to which side a bound between two values goes */
	ScyllaVerdict rounded;
	ScyllaVerdict below;
	ScyllaVerdict above;
	/* Nothing compares with it as CQL would: an equality is false, a range is left to the local
	 * filter, which the planner keeps for such types. */
	ScyllaVerdict none;
} BoundRule;

#define SEND SCYLLA_VERDICT_SEND
#define ALWAYS SCYLLA_VERDICT_ALWAYS
#define NEVER SCYLLA_VERDICT_NEVER

static const BoundRule rules[] = {
	[SCYLLA_OP_EQUAL] = {SCYLLA_ROUND_NEAREST, NEVER, NEVER, NEVER, NEVER},
	[SCYLLA_OP_IN] = {SCYLLA_ROUND_NEAREST, NEVER, NEVER, NEVER, NEVER},
	[SCYLLA_OP_LESS] = {SCYLLA_ROUND_UP, SEND, NEVER, ALWAYS, ALWAYS},
	[SCYLLA_OP_LESS_EQUAL] = {SCYLLA_ROUND_DOWN, SEND, NEVER, ALWAYS, ALWAYS},
	[SCYLLA_OP_GREATER] = {SCYLLA_ROUND_DOWN, SEND, ALWAYS, NEVER, ALWAYS},
	[SCYLLA_OP_GREATER_EQUAL] = {SCYLLA_ROUND_UP, SEND, ALWAYS, NEVER, ALWAYS},
};

/* What a partition key, or a clustering column's value, takes at most: both servers refuse more,
 * and also to compare any other column with more. */
#define MAX_KEY_BYTES 65535

static bool
is_equality(ScyllaOperator op)
{
	return op == SCYLLA_OP_EQUAL || op == SCYLLA_OP_IN;
}

/* Cells outside the key can be longer than what they may be compared with. */
static ScyllaVerdict
judge_length(int start, ScyllaOperator op, ScyllaBoundTrust trust, StringInfo out)
{
	if (out->len - start - CQL_VALUE_HEADER_BYTES <= MAX_KEY_BYTES)
		return SEND;
	if (trust == SCYLLA_BOUND_ENFORCED && !is_equality(op))
		return SEND;
	out->len = start;
	return trust == SCYLLA_BOUND_RECHECKED ? ALWAYS : NEVER;
}

ScyllaVerdict
scylla_bound_encode(ScyllaConverter *converter, ScyllaOperator op, ScyllaBoundTrust trust,
					Datum value, StringInfo out)
{
	const BoundRule *rule = &rules[op];
	int start = out->len;
	ScyllaVerdict verdict = rule->none;

	switch (scylla_encode(converter, value, rule->round, out))
	{
		case SCYLLA_FIT_EXACT:
			verdict = SEND;
			break;
		case SCYLLA_FIT_ROUNDED:
			verdict = rule->rounded;
			break;
		case SCYLLA_FIT_BELOW:
			verdict = rule->below;
			break;
		case SCYLLA_FIT_ABOVE:
			verdict = rule->above;
			break;
		case SCYLLA_FIT_NONE:
			break;
	}
	if (verdict == SEND)
		return judge_length(start, op, trust, out);
	out->len = start;
	return verdict;
}

/* Composite keys have two more bytes a part. */
bool
scylla_bound_is_partition(int len, int count)
{
	if (count == 1)
		return len > CQL_VALUE_HEADER_BYTES && len - CQL_VALUE_HEADER_BYTES <= MAX_KEY_BYTES;
	return len - count * (CQL_VALUE_HEADER_BYTES - 2) <= MAX_KEY_BYTES;
}
