/*
 * Recognises what CQL can restrict: columns; the token, by a computed column or scylla_token() of
 * the table's own key; the time of a timeuuid; and integers cast to numeric or double precision,
 * which PostgreSQL does by itself where a column is compared with 1.5. All keep the column's order,
 * so that bounds can be told exactly.
 */
#include "postgres.h"

#include "access/transam.h"
#include "catalog/dependency.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "plan/operand.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

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
set_token(ScyllaOperand *operand)
{
	static const cql_type bigint = {.id = CQL_TYPE_BIGINT};

	operand->form = SCYLLA_FORM_TOKEN;
	operand->column = NULL;
	operand->pair = scylla_type_pair_find(&bigint, INT8OID);
}

bool
scylla_is_function_of(Oid function, const char *extension, const char *name)
{
	return function >= FirstNormalObjectId && strcmp(get_func_name(function), name) == 0 &&
		   getExtensionOfObject(ProcedureRelationId, function) ==
			   get_extension_oid(extension, true);
}

/* scylla_token('t'::regclass, k1, k2), of this table and all of its key in order. */
static bool
is_token_of_row(RelOptInfo *rel, const ScyllaTable *table, const FuncExpr *call)
{
	const Const *relation = linitial(call->args);

	if (call->funcvariadic || list_length(call->args) != table->partition_count + 1 ||
		!IsA(relation, Const) || relation->constisnull ||
		DatumGetObjectId(relation->constvalue) != table->relid)
		return false;
	for (int i = 0; i < table->partition_count; i++)
	{
		const ScyllaColumn *column = scylla_qual_column(rel, table, list_nth(call->args, i + 1));

		if (column == NULL || column->function != SCYLLA_FUNCTION_NONE ||
			column->role != SCYLLA_KEY_PARTITION || column->position != i + 1)
			return false;
	}
	return scylla_is_function_of(call->funcid, "scylla_fdw", "scylla_token");
}

/* A function of one column that CQL can bound as that column; false: it is no such function. */
static bool
match_function_of_column(const FuncExpr *call, ScyllaOperand *operand)
{
	const ScyllaColumn *column = operand->column;

	switch (call->funcid)
	{
		case F_NUMERIC_INT2:
		case F_NUMERIC_INT4:
		case F_NUMERIC_INT8:
			operand->pair = scylla_type_pair_cast(column->cql_type, NUMERICOID);
			return true;
		case F_FLOAT8_INT2:
		case F_FLOAT8_INT4:
		case F_FLOAT8_INT8:
			operand->pair = scylla_type_pair_cast(column->cql_type, FLOAT8OID);
			return true;
		default:
			if (column->cql_type == NULL || column->cql_type->id != CQL_TYPE_TIMEUUID ||
				!scylla_is_function_of(call->funcid, "scylla_fdw", "timeuuid_timestamp"))
				return false;
			operand->pair = scylla_type_pair_cast(column->cql_type, TIMESTAMPTZOID);
			return true;
	}
}

static bool
match_call(RelOptInfo *rel, const ScyllaTable *table, const FuncExpr *call, ScyllaOperand *operand)
{
	if (list_length(call->args) == 1)
	{
		operand->column = scylla_qual_column(rel, table, linitial(call->args));
		return operand->column != NULL && operand->column->pair != NULL &&
			   match_function_of_column(call, operand);
	}
	if (call->funcresulttype != INT8OID || !is_token_of_row(rel, table, call))
		return false;
	set_token(operand);
	return true;
}

bool
scylla_operand_match(RelOptInfo *rel, const ScyllaTable *table, Node *node, ScyllaOperand *operand)
{
	operand->form = SCYLLA_FORM_COLUMN;
	if (IsA(node, FuncExpr))
		return match_call(rel, table, (FuncExpr *) node, operand);

	operand->column = scylla_qual_column(rel, table, node);
	if (operand->column == NULL)
		return false;
	operand->pair = operand->column->pair;
	if (operand->column->function == SCYLLA_FUNCTION_TOKEN && operand->column->type == INT8OID)
		set_token(operand);
	return true;
}
