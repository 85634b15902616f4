/*
 * Bind values of an arm: evaluated once, encoded as bounds (types/bound.h) of columns, of the
 * token, and of rows of values.
 */
#include "postgres.h"

#include "exec/params.h"

#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "nodes/nodeFuncs.h"
#include "types/bound.h"
#include "utils/array.h"
#include "utils/lsyscache.h"

/* A bind marker's expression. */
typedef struct MarkerParam
{
	ExprState *expr;
	Oid type; /* of an array its elements' */
	ScyllaConverter *converter;
	cql_type_id cql;
	Datum value;
	bool is_null;
} MarkerParam;

/* A condition's. */
typedef struct ConditionParam
{
	const ScyllaScanCondition *condition;
	MarkerParam *markers;
	ScyllaBoundTrust trust;
	int16 element_len;
	bool element_by_value;
	char element_align;
	int choice_room; /* size of the choices' array */
} ConditionParam;

struct ScyllaParams
{
	const char *local_table;
	MemoryContext context;
	int count;
	bool is_of_view;
	ConditionParam *conditions;    /* in the arm's order */
	ScyllaConditionValues *values; /* parallel */
	StringInfoData bytes;          /* what choices point to, once all are encoded */
	StringInfoData lists;          /* likewise, of a condition that takes lists of them */
};

/* ---- evaluating ---- */

static void
describe_array(ConditionParam *param)
{
	MarkerParam *marker = &param->markers[0];

	marker->type = get_element_type(getBaseType(marker->type));
	if (!OidIsValid(marker->type))
		elog(ERROR, "value of IN is no array");
	get_typlenbyvalalign(marker->type, &param->element_len, &param->element_by_value,
						 &param->element_align);
}

/* An equality on the key is never left out, since others are nothing without it; and no key has a
 * value that CQL refuses. A view's key may be no key of the table: what is left out there is checked
 * here. */
static ScyllaBoundTrust
trust_of(const ScyllaScanArm *arm, int index)
{
	const ScyllaScanCondition *condition = &arm->conditions[index];
	bool is_on_key = index < arm->partition_conditions ||
					 (!arm->is_filtered && arm->access != SCYLLA_ACCESS_INDEX);

	if (arm->access == SCYLLA_ACCESS_VIEW)
		return SCYLLA_BOUND_RECHECKED;
	if (!condition->is_rechecked || (is_on_key && !scylla_operator_is_range(condition->op)))
		return SCYLLA_BOUND_ENFORCED;
	return SCYLLA_BOUND_RECHECKED;
}

ScyllaParams *
scylla_params_new(const ScyllaScanArm *arm, List *exprs, const char *local_table)
{
	ScyllaParams *params = palloc0(sizeof(ScyllaParams));

	params->local_table = local_table;
	params->context = CurrentMemoryContext;
	params->count = arm->condition_count;
	params->is_of_view = arm->access == SCYLLA_ACCESS_VIEW;
	params->conditions = palloc0(Max(params->count, 1) * sizeof(ConditionParam));
	params->values = palloc0(Max(params->count, 1) * sizeof(ScyllaConditionValues));
	initStringInfo(&params->bytes);
	initStringInfo(&params->lists);
	for (int i = 0; i < params->count; i++)
	{
		ConditionParam *param = &params->conditions[i];

		param->condition = &arm->conditions[i];
		param->trust = trust_of(arm, i);
		param->markers = palloc0(param->condition->marker_count * sizeof(MarkerParam));
		for (int j = 0; j < param->condition->marker_count; j++)
			if (param->condition->markers[j].bind >= 0)
				param->markers[j].type =
					exprType(list_nth(exprs, param->condition->markers[j].bind));
		if (param->condition->op == SCYLLA_OP_IN)
			describe_array(param);
	}
	return params;
}

void
scylla_params_init(ScyllaParams *params, List *exprs, PlanState *node)
{
	for (int i = 0; i < params->count; i++)
		for (int j = 0; j < params->conditions[i].condition->marker_count; j++)
		{
			const ScyllaScanMarker *marker = &params->conditions[i].condition->markers[j];

			if (marker->bind >= 0)
				params->conditions[i].markers[j].expr =
					ExecInitExpr(list_nth(exprs, marker->bind), node);
		}
}

bool
scylla_params_evaluate(ScyllaParams *params, ExprContext *context)
{
	for (int i = 0; i < params->count; i++)
	{
		MarkerParam *markers = params->conditions[i].markers;

		for (int j = 0; j < params->conditions[i].condition->marker_count; j++)
			if (markers[j].expr != NULL)
				markers[j].value =
					ExecEvalExprSwitchContext(markers[j].expr, context, &markers[j].is_null);
		/* (c1, c2) > (1, NULL) is true of greater c1. */
		if (markers[0].is_null)
			return false;
	}
	return true;
}

void
scylla_params_resolve(ScyllaParams *params, const cql_statement *statement,
					  bool is_excess_truncated)
{
	int bind = 0;

	for (int i = 0; i < params->count; i++)
	{
		ConditionParam *param = &params->conditions[i];

		for (int j = 0; j < param->condition->marker_count; j++)
		{
			const cql_type *type = cql_statement_bind(statement, bind++)->type;
			const cql_type *cql = param->condition->is_list ? type->elements[0] : type;
			ScyllaConverterSpec spec = {
				.cql = cql,
				.type = param->markers[j].type,
				.typmod = -1,
				.table = params->local_table,
				.column = param->condition->markers[j].name,
				.is_excess_truncated = is_excess_truncated,
			};

			param->markers[j].cql = cql->id;
			if (param->condition->markers[j].bind >= 0)
				param->markers[j].converter = scylla_converter_new(&spec);
		}
	}
}

/* ---- encoding ---- */

static ScyllaVerdict
encode_bound(const ConditionParam *param, Datum value, StringInfo out)
{
	return scylla_bound_encode(param->markers[0].converter, param->condition->op, param->trust,
							   value, out);
}

/*
 * No key's token is the least number, which the servers take for the ring's start or its end: a
 * bound there would mean the whole ring.
 */
static ScyllaVerdict
encode_token(const ConditionParam *param, StringInfo out)
{
	int start = out->len;
	ScyllaVerdict verdict = encode_bound(param, param->markers[0].value, out);
	cql_cell cell = {.data = (const uint8_t *) out->data + start + CQL_VALUE_HEADER_BYTES,
					 .len = out->len - start - CQL_VALUE_HEADER_BYTES};
	int64_t token;

	if (verdict != SCYLLA_VERDICT_SEND || !cql_read_i64(cell, &token) || token != INT64_MIN)
		return verdict;
	out->len = start;
	return param->condition->op == SCYLLA_OP_GREATER ||
				   param->condition->op == SCYLLA_OP_GREATER_EQUAL
			   ? SCYLLA_VERDICT_ALWAYS
			   : SCYLLA_VERDICT_NEVER;
}

/*
 * Rows of values compare by the first elements that differ. A first bound beyond all values
 * decides alone; in any other place, what the types cannot hold, or NULL, leaves rows for which
 * only PostgreSQL can tell.
 */
static ScyllaVerdict
encode_row(const ConditionParam *param, StringInfo out, bool *needs_recheck)
{
	int start = out->len;
	ScyllaVerdict verdict = SCYLLA_VERDICT_SEND;

	for (int i = 0; i < param->condition->marker_count; i++)
	{
		const MarkerParam *marker = &param->markers[i];

		if (!marker->is_null && scylla_encode(marker->converter, marker->value,
											  SCYLLA_ROUND_NEAREST, out) == SCYLLA_FIT_EXACT)
			continue;
		out->len = start;
		if (i == 0)
			verdict = encode_bound(param, marker->value, out);
		out->len = start;
		if (i == 0 && verdict != SCYLLA_VERDICT_SEND)
			return verdict;
		*needs_recheck = true;
		return SCYLLA_VERDICT_ALWAYS;
	}
	return SCYLLA_VERDICT_SEND;
}

/* Key and value of a map's entry: neither is NULL, and an equality with either can fail. */
static ScyllaVerdict
encode_entry(const ConditionParam *param, StringInfo out)
{
	int start = out->len;

	for (int i = 0; i < param->condition->marker_count; i++)
	{
		const MarkerParam *marker = &param->markers[i];
		ScyllaVerdict verdict = SCYLLA_VERDICT_NEVER;

		if (!marker->is_null)
			verdict = scylla_bound_encode(marker->converter, param->condition->op, param->trust,
										  marker->value, out);
		if (verdict == SCYLLA_VERDICT_SEND)
			continue;
		out->len = start;
		return verdict;
	}
	return SCYLLA_VERDICT_SEND;
}

/* A cell of no bytes; or of the type's least value otherwise, for >=. */
static void
append_lowest(const ConditionParam *param, StringInfo out)
{
	uint8 least[SCYLLA_LEAST_SIZE];
	uint8 header[CQL_VALUE_HEADER_BYTES];
	int len = param->condition->op == SCYLLA_OP_GREATER_EQUAL
				  ? scylla_type_least(param->markers[0].cql, least)
				  : 0;

	cql_put_u32(header, (uint32) len);
	appendBinaryStringInfo(out, (const char *) header, sizeof(header));
	appendBinaryStringInfo(out, (const char *) least, len);
}

/*
 * A bound below all values still says that there is one: rather than leave it out, and get rows
 * that read as NULL, send the lowest bound of its kind.
 */
static ScyllaVerdict
lower_bound(const ConditionParam *param, StringInfo out)
{
	const ScyllaScanCondition *condition = param->condition;
	cql_type_id cql = param->markers[0].cql;

	if (condition->op == SCYLLA_OP_GREATER && !scylla_type_can_be_empty(cql))
		return SCYLLA_VERDICT_ALWAYS;
	if (condition->op == SCYLLA_OP_GREATER_EQUAL && scylla_type_least(cql, NULL) == 0)
		return SCYLLA_VERDICT_ALWAYS;
	append_lowest(param, out);
	return SCYLLA_VERDICT_SEND;
}

static bool
is_lower_bound(const ScyllaScanCondition *condition)
{
	return condition->form == SCYLLA_FORM_COLUMN &&
		   (condition->op == SCYLLA_OP_GREATER || condition->op == SCYLLA_OP_GREATER_EQUAL);
}

static void
reserve_choices(ScyllaParams *params, int index, int count)
{
	ConditionParam *param = &params->conditions[index];
	ScyllaConditionValues *values = &params->values[index];

	if (count <= param->choice_room)
		return;
	if (values->choices != NULL)
		pfree(values->choices);
	values->choices = NULL;
	param->choice_room = 0;
	values->choices = MemoryContextAllocHuge(params->context, count * sizeof(ScyllaChoice));
	param->choice_room = count;
}

/* The choices' places are told once the bytes have stopped moving: until then by their length. */
static void
add_choice(ScyllaConditionValues *values, int len)
{
	values->choices[values->choice_count++] = (ScyllaChoice) {.data = NULL, .len = len};
}

/* NULL elements equal nothing. */
static ScyllaVerdict
encode_elements(ScyllaParams *params, int index)
{
	const ConditionParam *param = &params->conditions[index];
	ArrayType *array = DatumGetArrayTypeP(param->markers[0].value);
	Datum *elements;
	bool *nulls;
	int count;

	deconstruct_array(array, param->markers[0].type, param->element_len, param->element_by_value,
					  param->element_align, &elements, &nulls, &count);
	reserve_choices(params, index, Max(count, 1));
	for (int i = 0; i < count; i++)
	{
		int start = params->bytes.len;
		ScyllaVerdict verdict = SCYLLA_VERDICT_NEVER;

		if (!nulls[i])
			verdict = encode_bound(param, elements[i], &params->bytes);
		/* One that CQL refuses to be compared with, and the local filter decides about. */
		if (verdict == SCYLLA_VERDICT_ALWAYS)
			return verdict;
		if (verdict == SCYLLA_VERDICT_SEND)
			add_choice(&params->values[index], params->bytes.len - start);
	}
	return params->values[index].choice_count > 0 ? SCYLLA_VERDICT_SEND : SCYLLA_VERDICT_NEVER;
}

static ScyllaVerdict
encode_single(ScyllaParams *params, int index)
{
	const ConditionParam *param = &params->conditions[index];
	int start = params->bytes.len;
	ScyllaVerdict verdict;

	if (param->condition->form == SCYLLA_FORM_TOKEN)
		verdict = encode_token(param, &params->bytes);
	else if (param->condition->form == SCYLLA_FORM_ROW)
		verdict = encode_row(param, &params->bytes, &params->values[index].needs_recheck);
	else if (param->condition->form == SCYLLA_FORM_ENTRY)
		verdict = encode_entry(param, &params->bytes);
	else if (param->condition->form == SCYLLA_FORM_EMPTY)
	{
		append_lowest(param, &params->bytes);
		verdict = SCYLLA_VERDICT_SEND;
	}
	else
		verdict = encode_bound(param, param->markers[0].value, &params->bytes);
	if (verdict == SCYLLA_VERDICT_ALWAYS && is_lower_bound(param->condition))
		verdict = lower_bound(param, &params->bytes);
	reserve_choices(params, index, 1);
	if (verdict == SCYLLA_VERDICT_SEND)
		add_choice(&params->values[index], params->bytes.len - start);
	return verdict;
}

static int
compare_choices(const void *a, const void *b)
{
	const ScyllaChoice *left = a;
	const ScyllaChoice *right = b;
	int order = memcmp(left->data, right->data, Min(left->len, right->len));

	return order != 0 ? order : left->len - right->len;
}

/* Equal cells are one key, whatever they were before. */
static void
remove_duplicates(ScyllaConditionValues *values)
{
	int count = 0;

	qsort(values->choices, values->choice_count, sizeof(ScyllaChoice), compare_choices);
	for (int i = 0; i < values->choice_count; i++)
		if (count == 0 || compare_choices(&values->choices[i], &values->choices[count - 1]) != 0)
			values->choices[count++] = values->choices[i];
	values->choice_count = count;
}

static void
place_choices(ScyllaParams *params)
{
	const char *next = params->bytes.data;

	for (int i = 0; i < params->count; i++)
	{
		ScyllaConditionValues *values = &params->values[i];

		for (int j = 0; j < values->choice_count; j++)
		{
			values->choices[j].data = next;
			next += values->choices[j].len;
		}
		if (values->choice_count > 1 && params->conditions[i].condition->op == SCYLLA_OP_IN)
			remove_duplicates(values);
	}
}

/* A list's [value]: its length, how many elements it has, and each as a [value]. */
static void
append_list(StringInfo out, const ScyllaChoice *elements, int count)
{
	uint8 header[2 * CQL_VALUE_HEADER_BYTES];
	int len = CQL_VALUE_HEADER_BYTES;

	for (int i = 0; i < count; i++)
		len += elements[i].len;
	cql_put_u32(header, (uint32) len);
	cql_put_u32(header + CQL_VALUE_HEADER_BYTES, (uint32) count);
	appendBinaryStringInfo(out, (const char *) header, sizeof(header));
	for (int i = 0; i < count; i++)
		appendBinaryStringInfo(out, elements[i].data, elements[i].len);
}

/* The choices become lists of as many of them as one request may have. */
static void
join_choices(ScyllaParams *params, ScyllaConditionValues *values)
{
	const char *next;
	int count = 0;

	resetStringInfo(&params->lists);
	for (int i = 0; i < values->choice_count; i += SCYLLA_LIST_ELEMENTS)
	{
		int start = params->lists.len;

		append_list(&params->lists, &values->choices[i],
					Min(values->choice_count - i, SCYLLA_LIST_ELEMENTS));
		values->choices[count++].len = params->lists.len - start;
	}
	values->choice_count = count;
	next = params->lists.data;
	for (int i = 0; i < count; i++)
	{
		values->choices[i].data = next;
		next += values->choices[i].len;
	}
}

static ScyllaVerdict
encode_condition(ScyllaParams *params, int index)
{
	const ScyllaScanCondition *condition = params->conditions[index].condition;

	if (condition->form == SCYLLA_FORM_RING_PIECE)
		return SCYLLA_VERDICT_SEND;
	return condition->op == SCYLLA_OP_IN ? encode_elements(params, index)
										 : encode_single(params, index);
}

/* An empty value sorts first in CQL, so a lower bound keeps it out; and of some types it is a value
 * like any other. */
static bool
excludes_empty(const ConditionParam *param)
{
	const ScyllaScanCondition *condition = param->condition;

	if (condition->form != SCYLLA_FORM_COLUMN && condition->form != SCYLLA_FORM_EMPTY)
		return false;
	return condition->op == SCYLLA_OP_GREATER || condition->op == SCYLLA_OP_GREATER_EQUAL ||
		   (scylla_operator_is_range(condition->op) &&
			scylla_type_has_empty_value(param->markers[0].cql));
}

const ScyllaConditionValues *
scylla_params_encode(ScyllaParams *params)
{
	resetStringInfo(&params->bytes);
	for (int i = 0; i < params->count; i++)
	{
		ScyllaConditionValues *values = &params->values[i];

		values->choice_count = 0;
		values->needs_recheck = false;
		values->verdict = encode_condition(params, i);
		if (values->verdict == SCYLLA_VERDICT_NEVER)
			return NULL;
		values->needs_recheck |= params->is_of_view && values->verdict == SCYLLA_VERDICT_ALWAYS;
		values->excludes_empty = excludes_empty(&params->conditions[i]);
	}
	place_choices(params);
	for (int i = 0; i < params->count; i++)
		if (params->conditions[i].condition->is_list)
			join_choices(params, &params->values[i]);
	return params->values;
}
