/*
 * Bind values of a scan: evaluated once, encoded as bounds (types/bound.h).
 */
#include "postgres.h"

#include "exec/params.h"

#include "executor/executor.h"
#include "nodes/nodeFuncs.h"
#include "types/bound.h"

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

static ScyllaVerdict
encode_bound(BindParam *param, StringInfo out)
{
	ScyllaBoundTrust trust =
		param->condition->is_rechecked ? SCYLLA_BOUND_RECHECKED : SCYLLA_BOUND_ENFORCED;

	return scylla_bound_encode(param->converter, param->condition->op, trust, param->value, out);
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
			case SCYLLA_VERDICT_SEND:
				out->value_count++;
				break;
			case SCYLLA_VERDICT_ALWAYS:
				out->skipped |= UINT64CONST(1) << i;
				break;
			case SCYLLA_VERDICT_NEVER:
				return false;
		}
		if (i + 1 == params->partition_count &&
			!scylla_bound_is_partition(&out->values, params->partition_count))
			return false;
	}
	*encoded = out;
	return true;
}
