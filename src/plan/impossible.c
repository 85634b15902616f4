/*
 * Asks of constants, by the executor's own rules (types/bound.h), whether any row can match.
 */
#include "postgres.h"

#include "plan/contains.h"
#include "plan/impossible.h"
#include "plan/qual.h"
#include "types/bound.h"
#include "utils/array.h"

/* Of longer arrays the executor finds out. */
#define MAX_ELEMENTS 100

/* A bound with its converter. */
typedef struct Bound
{
	const ScyllaColumn *column; /* NULL: the token */
	ScyllaConverter *converter;
	ScyllaOperator op;
	bool is_partition_key; /* by itself */
	StringInfoData out;
} Bound;

static bool
is_never(Bound *bound, Datum value)
{
	resetStringInfo(&bound->out);
	switch (scylla_bound_encode(bound->converter, bound->op, SCYLLA_BOUND_RECHECKED, value,
								&bound->out))
	{
		case SCYLLA_VERDICT_NEVER:
			return true;
		case SCYLLA_VERDICT_ALWAYS:
			return bound->is_partition_key && bound->op == SCYLLA_OP_EQUAL;
		case SCYLLA_VERDICT_SEND:
			break;
	}
	return bound->is_partition_key && bound->op == SCYLLA_OP_EQUAL &&
		   !scylla_bound_is_partition(bound->out.len, 1);
}

static void
open_bound(const ScyllaTable *table, const ScyllaCondition *condition, Oid type, Bound *bound)
{
	static const cql_type bigint = {.id = CQL_TYPE_BIGINT};
	ScyllaConverterSpec spec = {.type = type,
								.typmod = -1,
								.table = table->local_name,
								.is_excess_truncated = table->options->is_excess_truncated};

	bound->column = condition->columns != NIL ? linitial(condition->columns) : NULL;
	bound->op = condition->op == SCYLLA_OP_IN ? SCYLLA_OP_EQUAL : condition->op;
	spec.cql = condition->cql;
	if (spec.cql == NULL)
		spec.cql = bound->column != NULL ? bound->column->cql_type : &bigint;
	spec.column = bound->column != NULL ? bound->column->name : "token";
	bound->is_partition_key = table->partition_count == 1 && bound->column != NULL &&
							  bound->column->role == SCYLLA_KEY_PARTITION;
	bound->converter = scylla_converter_new(&spec);
	initStringInfo(&bound->out);
}

/* An array without an element that a row could have. */
static bool
has_no_element(const ScyllaTable *table, const ScyllaCondition *condition, Const *value)
{
	ArrayType *array = DatumGetArrayTypeP(value->constvalue);
	Bound bound;
	ListCell *cell;

	if (ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)) > MAX_ELEMENTS)
		return false;
	open_bound(table, condition, ARR_ELEMTYPE(array), &bound);
	foreach (cell, scylla_list_elements((Node *) value))
		if (!is_never(&bound, lfirst_node(Const, cell)->constvalue))
			return false;
	return true;
}

static bool
is_condition_impossible(const ScyllaTable *table, const ScyllaCondition *condition)
{
	Const *value = linitial(condition->values);
	Bound bound;

	/* Of a row the first value alone can tell that the whole is NULL. */
	if (!IsA(value, Const))
		return false;
	if (value->constisnull)
		return true;
	if (condition->form == SCYLLA_FORM_ROW || condition->form == SCYLLA_FORM_ENTRY ||
		condition->is_fallback)
		return false;
	if (condition->op == SCYLLA_OP_IN)
		return has_no_element(table, condition, value);
	open_bound(table, condition, value->consttype, &bound);
	return is_never(&bound, value->constvalue);
}

bool
scylla_is_impossible(const ScyllaTable *table, List *conditions)
{
	ListCell *cell;

	foreach (cell, conditions)
		if (is_condition_impossible(table, lfirst(cell)))
			return true;
	return false;
}
