/*
 * Bind values of a scan. What a bound means that the CQL type cannot hold is decided here, by one
 * table: PostgreSQL compares with the value as it is, so the nearest value that gives the same
 * rows is sent, or the condition turns out to be always or never true.
 */
#include "postgres.h"

#include "exec/params.h"

#include "executor/executor.h"
#include "nodes/nodeFuncs.h"
#include "types/typemap.h"

typedef struct BindParam
{
	ExprState *expr;
	Oid type;
	const ScyllaScanCondition *condition;
	ScyllaConverter *converter;
	Datum value;
} BindParam;

struct ScyllaParams
{
	const char *local_table;
	MemoryContext context;
	int count;
	int partition_count; /* the first so many bind the partition key */
	BindParam *params;   /* one for each condition, in their order */
	bool is_resolved;
	ScyllaEncodedParams encoded;
};

/* What becomes of a condition whose bound lies below or above every value of the column. */
typedef enum Verdict
{
	VERDICT_SEND,
	VERDICT_ALWAYS, /* every row fulfils it */
	VERDICT_NEVER
} Verdict;

typedef struct BoundRule
{
	ScyllaRound round; /* to which side a bound between two values goes */
	Verdict rounded;
	Verdict below;
	Verdict above;
	/* Nothing compares with it as CQL would: an equality is false, a range is left to the local
	 * filter, which the planner keeps for such types. */
	Verdict none;
} BoundRule;

static const BoundRule bound_rules[] = {
	[SCYLLA_OP_EQUAL] = {SCYLLA_ROUND_NEAREST, VERDICT_NEVER, VERDICT_NEVER, VERDICT_NEVER,
						 VERDICT_NEVER},
	[SCYLLA_OP_LESS] = {SCYLLA_ROUND_UP, VERDICT_SEND, VERDICT_NEVER, VERDICT_ALWAYS,
						VERDICT_ALWAYS},
	[SCYLLA_OP_LESS_EQUAL] = {SCYLLA_ROUND_DOWN, VERDICT_SEND, VERDICT_NEVER, VERDICT_ALWAYS,
							  VERDICT_ALWAYS},
	[SCYLLA_OP_GREATER] = {SCYLLA_ROUND_DOWN, VERDICT_SEND, VERDICT_ALWAYS, VERDICT_NEVER,
						   VERDICT_ALWAYS},
	[SCYLLA_OP_GREATER_EQUAL] = {SCYLLA_ROUND_UP, VERDICT_SEND, VERDICT_ALWAYS, VERDICT_NEVER,
								 VERDICT_ALWAYS},
};

/* What a partition key, or a clustering column's value, takes at most: both servers refuse more. */
#define MAX_KEY_BYTES 65535

/* The length that stands before the bytes of a [value]. */
#define VALUE_HEADER_BYTES 4

/* The plan says which conditions may be left out with 64 bits. */
#define MAX_CONDITIONS 64

ScyllaParams *
scylla_params_new(PlanState *node, const ScyllaScanArm *arm, List *exprs, const char *local_table)
{
	ScyllaParams *params = palloc0(sizeof(ScyllaParams));

	if (arm->condition_count > MAX_CONDITIONS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("more than %d conditions for one remote statement", MAX_CONDITIONS)));
	params->local_table = local_table;
	params->context = CurrentMemoryContext;
	params->count = arm->condition_count;
	params->partition_count = arm->partition_conditions;
	params->params = palloc0(Max(params->count, 1) * sizeof(BindParam));
	initStringInfo(&params->encoded.values);
	for (int i = 0; i < params->count; i++)
	{
		BindParam *param = &params->params[i];
		const ScyllaScanMarker *marker = &arm->conditions[i].markers[0];
		Expr *expr = list_nth(exprs, marker->bind);

		param->condition = &arm->conditions[i];
		param->type = exprType((Node *) expr);
		param->expr = ExecInitExpr(expr, node);
	}
	return params;
}

bool
scylla_params_evaluate(ScyllaParams *params, ExprContext *context)
{
	for (int i = 0; i < params->count; i++)
	{
		bool is_null;

		params->params[i].value =
			ExecEvalExprSwitchContext(params->params[i].expr, context, &is_null);
		if (is_null)
			return false;
	}
	return true;
}

void
scylla_params_resolve(ScyllaParams *params, const cql_statement *statement,
					  bool is_excess_truncated)
{
	MemoryContext old;

	if (params->is_resolved)
		return;
	old = MemoryContextSwitchTo(params->context);
	for (int i = 0; i < params->count; i++)
	{
		ScyllaConverterSpec spec = {
			.cql = cql_statement_bind(statement, i)->type,
			.type = params->params[i].type,
			.typmod = -1,
			.table = params->local_table,
			.column = params->params[i].condition->markers[0].name,
			.is_excess_truncated = is_excess_truncated,
		};

		params->params[i].converter = scylla_converter_new(&spec);
	}
	MemoryContextSwitchTo(old);
	params->is_resolved = true;
}

static Verdict
encode_bound(BindParam *param, StringInfo out)
{
	const BoundRule *rule = &bound_rules[param->condition->op];
	int start = out->len;

	switch (scylla_encode(param->converter, param->value, rule->round, out))
	{
		case SCYLLA_FIT_EXACT:
			if (param->condition->op == SCYLLA_OP_EQUAL &&
				out->len - start - VALUE_HEADER_BYTES > MAX_KEY_BYTES)
				return VERDICT_NEVER;
			return VERDICT_SEND;
		case SCYLLA_FIT_ROUNDED:
			return rule->rounded;
		case SCYLLA_FIT_BELOW:
			return rule->below;
		case SCYLLA_FIT_ABOVE:
			return rule->above;
		case SCYLLA_FIT_NONE:
			break;
	}
	return rule->none;
}

/*
 * Whether a partition can have the key that was encoded: it is a list of [value]s. Servers call an
 * empty or too long key an error, but to PostgreSQL it's one that isn't there. Composite keys have
 * two more bytes a part.
 */
static bool
is_possible_partition(const ScyllaParams *params)
{
	int length = params->encoded.values.len;

	if (params->partition_count == 1)
		return length > VALUE_HEADER_BYTES && length - VALUE_HEADER_BYTES <= MAX_KEY_BYTES;
	return length - params->partition_count * (VALUE_HEADER_BYTES - 2) <= MAX_KEY_BYTES;
}

bool
scylla_params_encode(ScyllaParams *params, const ScyllaEncodedParams **encoded)
{
	ScyllaEncodedParams *out = &params->encoded;

	resetStringInfo(&out->values);
	out->value_count = 0;
	out->skipped = 0;
	for (int i = 0; i < params->count; i++)
	{
		switch (encode_bound(&params->params[i], &out->values))
		{
			case VERDICT_SEND:
				out->value_count++;
				break;
			case VERDICT_ALWAYS:
				out->skipped |= UINT64CONST(1) << i;
				break;
			case VERDICT_NEVER:
				return false;
		}
		if (i + 1 == params->partition_count && !is_possible_partition(params))
			return false;
	}
	*encoded = out;
	return true;
}
