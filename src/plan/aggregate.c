/*
 * Aggregates in CQL's words. CQL's own sum and avg are of the column's type, which overflows and
 * cuts off, so that what is summed is first cast to a wider one; and CQL has empty values, which
 * read as NULL here, but count there and are the least: a cast makes them null.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/transam.h"
#include "catalog/pg_aggregate.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "plan/aggregate.h"
#include "plan/deparse.h"
#include "plan/qual.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

/* How the values of a CQL type are counted, summed and compared: formats for the column's name,
 * and the CQL types of what they give. NULL: not so that PostgreSQL would agree. */
typedef struct AggregateForm
{
	cql_type_id type;
	const char *not_empty; /* null for an empty value */
	const char *wide;      /* cast to what a sum has room in; null for an empty value */
	const char *wide_type;
	const char *ordered; /* of the type's order; null for an empty value */
	const char *ordered_type;
} AggregateForm;

static const AggregateForm forms[] = {
	{CQL_TYPE_ASCII, "%s", NULL, NULL, NULL, NULL},
	{CQL_TYPE_TEXT, "%s", NULL, NULL, "%s", "text"},
	{CQL_TYPE_BLOB, "%s", NULL, NULL, "%s", "blob"},
	{CQL_TYPE_TINYINT, "CAST(%s AS text)", "CAST(%s AS bigint)", "bigint", "CAST(%s AS varint)",
	 "varint"},
	{CQL_TYPE_SMALLINT, "CAST(%s AS text)", "CAST(%s AS bigint)", "bigint", "CAST(%s AS varint)",
	 "varint"},
	{CQL_TYPE_INT, "CAST(%s AS text)", "CAST(%s AS bigint)", "bigint", "CAST(%s AS varint)",
	 "varint"},
	{CQL_TYPE_BIGINT, "CAST(%s AS text)", "CAST(%s AS varint)", "varint", "CAST(%s AS varint)",
	 "varint"},
	{CQL_TYPE_VARINT, "CAST(%s AS text)", "%s", "varint", NULL, NULL},
	{CQL_TYPE_FLOAT, "CAST(%s AS text)", NULL, NULL, NULL, NULL},
	{CQL_TYPE_DOUBLE, "CAST(%s AS text)", NULL, NULL, NULL, NULL},
	{CQL_TYPE_DECIMAL, "CAST(%s AS text)", NULL, NULL, NULL, NULL},
	/* milliseconds, which are also the bytes of a timestamp */
	{CQL_TYPE_TIMESTAMP, "toUnixTimestamp(%s)", NULL, NULL, "toUnixTimestamp(%s)", "bigint"},
};

static const AggregateForm *
find_form(const ScyllaColumn *column)
{
	for (int i = 0; i < (int) lengthof(forms); i++)
		if (forms[i].type == column->cql_type->id)
			return &forms[i];
	return NULL;
}

/* ---- expressions ---- */

/* The index of a column that the statement selects, added where it is new. */
static int
add_expression(ScyllaAggregation *aggregation, char *text, const char *type_text)
{
	ScyllaFetchColumn *fetch;
	ListCell *cell;

	foreach (cell, aggregation->columns)
	{
		fetch = lfirst(cell);
		if (fetch->is_expression && strcmp(fetch->name, text) == 0)
			return foreach_current_index(cell);
	}
	fetch = palloc0(sizeof(ScyllaFetchColumn));
	fetch->name = text;
	fetch->is_expression = true;
	fetch->type_text = pstrdup(type_text);
	aggregation->columns = lappend(aggregation->columns, fetch);
	return list_length(aggregation->columns) - 1;
}

static int
add_call(ScyllaAggregation *aggregation, const char *function, const char *format,
		 const ScyllaColumn *column, const char *type_text)
{
	StringInfoData name;
	StringInfoData text;

	initStringInfo(&name);
	scylla_deparse_name(&name, column->name);
	initStringInfo(&text);
	appendStringInfo(&text, "%s(", function);
	for (const char *p = format; *p != '\0'; p++)
	{
		if (p[0] == '%' && p[1] == 's')
		{
			appendStringInfoString(&text, name.data);
			p++;
		}
		else
			appendStringInfoChar(&text, *p);
	}
	appendStringInfoChar(&text, ')');
	return add_expression(aggregation, text.data, type_text);
}

static void
note_role(const ScyllaColumn *column, ScyllaAggregation *aggregation)
{
	if (column->role == SCYLLA_KEY_STATIC)
		aggregation->has_static = true;
	else if (column->role != SCYLLA_KEY_PARTITION)
		aggregation->has_other = true;
}

void
scylla_aggregate_mix(const ScyllaColumn *column, ScyllaAggregation *aggregation)
{
	if (aggregation->has_static && !aggregation->has_other)
		(void) add_call(aggregation, "count", "%s", column, "bigint");
}

/* ---- functions ---- */

static bool
has_no_empty_value(const ScyllaColumn *column)
{
	return column->is_not_null || scylla_type_has_empty_value(column->cql_type->id);
}

static const char *
add_count(const ScyllaColumn *column, ScyllaScanAggregate *aggregate,
		  ScyllaAggregation *aggregation)
{
	const AggregateForm *form = find_form(column);
	const char *format = has_no_empty_value(column) ? "%s" : form != NULL ? form->not_empty : NULL;

	if (format == NULL)
		return "CQL counts empty values, which read as NULL";
	aggregate->column = add_call(aggregation, "count", format, column, "bigint");
	aggregate->type_text = pstrdup("bigint");
	return NULL;
}

static const char *
refuse_sum(const ScyllaColumn *column)
{
	switch (column->cql_type->id)
	{
		case CQL_TYPE_FLOAT:
		case CQL_TYPE_DOUBLE:
			return "a sum of floats depends on the order in which they are added";
		case CQL_TYPE_DECIMAL:
			return "CQL's decimals have other limits than numeric";
		default:
			return "CQL has no such sum";
	}
}

/* Of sum and avg: a sum with room, and the number of what was added, without which it is NULL. */
static const char *
add_sum(const ScyllaColumn *column, ScyllaScanAggregate *aggregate, ScyllaAggregation *aggregation)
{
	const AggregateForm *form = find_form(column);
	ScyllaScanAggregate count = {0};
	const char *reason;

	if (form == NULL || form->wide == NULL)
		return refuse_sum(column);
	reason = add_count(column, &count, aggregation);
	if (reason != NULL)
		return reason;
	aggregate->column = add_call(aggregation, "sum", form->wide, column, form->wide_type);
	aggregate->type_text = pstrdup(form->wide_type);
	aggregate->count_column = count.column;
	return NULL;
}

static const char *
judge_order(const ScyllaColumn *column, Oid collation)
{
	if (column->cql_type->id == CQL_TYPE_FLOAT || column->cql_type->id == CQL_TYPE_DOUBLE)
		return "0 and -0, and NaNs, are not told apart alike";
	if (column->cql_type->id == CQL_TYPE_DECIMAL)
		return "equal decimals may have different scales";
	if (column->pair->order != SCYLLA_PUSH_EXACT)
		return column->pair->reason != NULL ? column->pair->reason : "CQL sorts otherwise";
	if (column->pair->needs_c_collation && !scylla_collation_is_c(collation))
		return "collation is not C";
	return NULL;
}

/* An empty value is CQL's least one, so that only a minimum has to keep it out: where it is the
 * greatest, there is no other, and it reads as NULL. */
static const char *
add_extreme(const ScyllaColumn *column, ScyllaScanAggregate *aggregate,
			ScyllaAggregation *aggregation)
{
	const AggregateForm *form = find_form(column);
	const char *reason = judge_order(column, aggregate->collation);
	bool is_plain = aggregate->kind == SCYLLA_AGGREGATE_MAX || has_no_empty_value(column);
	const char *function = aggregate->kind == SCYLLA_AGGREGATE_MAX ? "max" : "min";

	if (reason != NULL)
		return reason;
	if (!is_plain && (form == NULL || form->ordered == NULL))
		return "an empty value, which reads as NULL, is CQL's least";
	if (is_plain)
	{
		aggregate->column = add_call(aggregation, function, "%s", column, column->cql_type_text);
		aggregate->type_text = pstrdup(column->cql_type_text);
		return NULL;
	}
	aggregate->column = add_call(aggregation, function, form->ordered, column, form->ordered_type);
	aggregate->type_text =
		pstrdup(column->cql_type->id == CQL_TYPE_TIMESTAMP ? "timestamp" : form->ordered_type);
	return NULL;
}

/* min and max are the aggregates that an index scan in the operator's order could answer. */
static bool
find_extreme(const Aggref *aggref, const ScyllaColumn *column, ScyllaAggregateKind *kind)
{
	HeapTuple tuple = SearchSysCache1(AGGFNOID, ObjectIdGetDatum(aggref->aggfnoid));
	Oid family = lookup_type_cache(column->pair->type, TYPECACHE_BTREE_OPFAMILY)->btree_opf;
	Oid operator;
	int strategy;

	if (!HeapTupleIsValid(tuple))
		return false;
	operator=((Form_pg_aggregate) GETSTRUCT(tuple))->aggsortop;
	ReleaseSysCache(tuple);
	strategy = OidIsValid(operator) ? get_op_opfamily_strategy(operator, family) : 0;
	*kind = strategy == BTLessStrategyNumber ? SCYLLA_AGGREGATE_MIN : SCYLLA_AGGREGATE_MAX;
	return strategy == BTLessStrategyNumber || strategy == BTGreaterStrategyNumber;
}

static bool
find_kind(const Aggref *aggref, const ScyllaColumn *column, ScyllaAggregateKind *kind)
{
	switch (aggref->aggfnoid)
	{
		case F_COUNT_ANY:
			*kind = SCYLLA_AGGREGATE_COUNT;
			return true;
		case F_SUM_INT2:
		case F_SUM_INT4:
		case F_SUM_INT8:
		case F_SUM_NUMERIC:
		case F_SUM_FLOAT4:
		case F_SUM_FLOAT8:
			*kind = SCYLLA_AGGREGATE_SUM;
			return true;
		case F_AVG_INT2:
		case F_AVG_INT4:
		case F_AVG_INT8:
		case F_AVG_NUMERIC:
		case F_AVG_FLOAT4:
		case F_AVG_FLOAT8:
			*kind = SCYLLA_AGGREGATE_AVG;
			return true;
		default:
			return aggref->aggfnoid < FirstUnpinnedObjectId && find_extreme(aggref, column, kind);
	}
}

/* ---- aggregates ---- */

static const char *
add_of_column(const ScyllaColumn *column, ScyllaScanAggregate *aggregate,
			  ScyllaAggregation *aggregation)
{
	switch (aggregate->kind)
	{
		case SCYLLA_AGGREGATE_COUNT:
			return add_count(column, aggregate, aggregation);
		case SCYLLA_AGGREGATE_MIN:
		case SCYLLA_AGGREGATE_MAX:
			return add_extreme(column, aggregate, aggregation);
		case SCYLLA_AGGREGATE_SUM:
		case SCYLLA_AGGREGATE_AVG:
			break;
	}
	return add_sum(column, aggregate, aggregation);
}

static const char *
judge_aggref(const Aggref *aggref)
{
	if (aggref->aggfilter != NULL)
		return "CQL has no FILTER";
	if (aggref->aggdistinct != NIL)
		return "CQL has no DISTINCT of an argument";
	if (aggref->aggorder != NIL || aggref->aggdirectargs != NIL || aggref->aggvariadic)
		return "CQL has no such aggregate";
	return NULL;
}

/* What goes on to be combined by PostgreSQL has to be a plain value. */
static const char *
judge_partial(const Aggref *aggref, ScyllaAggregateKind kind)
{
	if (!DO_AGGSPLIT_SKIPFINAL(aggref->aggsplit))
		return NULL;
	if (kind == SCYLLA_AGGREGATE_AVG ||
		(kind == SCYLLA_AGGREGATE_SUM && aggref->aggtranstype != INT8OID))
		return "its partial result is no plain value";
	return NULL;
}

const char *
scylla_aggregate_add(RelOptInfo *rel, const Aggref *aggref, AttrNumber attnum,
					 ScyllaAggregation *aggregation)
{
	const ScyllaTable *table = ((ScyllaRelPlan *) rel->fdw_private)->table;
	ScyllaScanAggregate *aggregate = palloc0(sizeof(ScyllaScanAggregate));
	const ScyllaColumn *column = NULL;
	const char *reason = judge_aggref(aggref);

	aggregate->attnum = attnum;
	aggregate->type = aggref->aggtype;
	aggregate->collation = aggref->inputcollid;
	aggregate->count_column = -1;
	if (reason == NULL && aggref->aggfnoid == F_COUNT_)
	{
		aggregate->kind = SCYLLA_AGGREGATE_COUNT;
		aggregate->column = add_expression(aggregation, pstrdup("count(*)"), "bigint");
		aggregate->type_text = pstrdup("bigint");
	}
	else if (reason == NULL)
	{
		if (list_length(aggref->args) == 1)
			column = scylla_qual_column(rel, table,
										(Node *) linitial_node(TargetEntry, aggref->args)->expr);
		if (column == NULL || column->pair == NULL || column->function != SCYLLA_FUNCTION_NONE ||
			column->cql_type->id == CQL_TYPE_COUNTER)
			reason = "not of a column that CQL can aggregate";
		else if (!find_kind(aggref, column, &aggregate->kind))
			reason = "CQL has no such aggregate";
		else
			reason = judge_partial(aggref, aggregate->kind);
		if (reason == NULL)
			reason = add_of_column(column, aggregate, aggregation);
	}
	if (reason == NULL && column != NULL)
		note_role(column, aggregation);
	if (reason == NULL)
		aggregation->aggregates = lappend(aggregation->aggregates, aggregate);
	return reason;
}

void
scylla_aggregate_add_group(const ScyllaColumn *column, AttrNumber attnum,
						   ScyllaAggregation *aggregation)
{
	ScyllaFetchColumn *fetch = palloc0(sizeof(ScyllaFetchColumn));

	fetch->attnum = attnum;
	fetch->name = pstrdup(column->name);
	fetch->type_text = pstrdup(column->cql_type_text);
	fetch->is_key = true;
	aggregation->columns = lappend(aggregation->columns, fetch);
	note_role(column, aggregation);
}
