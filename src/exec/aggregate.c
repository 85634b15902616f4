/*
 * Combining. Each aggregate has a state like PostgreSQL's own: a value that is NULL until there is
 * one, and the number of values that went into it. CQL gives 0 as the sum of nothing, so whether
 * there is a sum is told by the count beside it.
 */
#include "postgres.h"

#include "exec/aggregate.h"

#include "access/stratnum.h"
#include "catalog/pg_type.h"
#include "types/typemap.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/typcache.h"

typedef struct AggregateState
{
	const ScyllaScanAggregate *aggregate;
	ScyllaConverter *converter;
	ScyllaConverter *counter; /* NULL: the aggregate has no count column */
	FmgrInfo *compare;        /* of min and max */
	int16 len;
	bool is_by_value;
	/* of the group */
	Datum value;
	bool is_null;
	int64 count;
} AggregateState;

struct ScyllaCombiner
{
	MemoryContext context; /* of the group's values */
	cql_type_arena *arena; /* of the types that columns are read as */
	int count;
	AggregateState *states;
};

static void
free_types(void *arg)
{
	cql_type_arena_free(((ScyllaCombiner *) arg)->arena);
}

static void
acquire_types(ScyllaCombiner *combiner)
{
	MemoryContextCallback *callback = palloc0(sizeof(MemoryContextCallback));

	callback->func = free_types;
	callback->arg = combiner;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, callback);
	combiner->arena = cql_type_arena_new();
	if (combiner->arena == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
}

static ScyllaConverter *
make_converter(const ScyllaCombiner *combiner, const char *cql, Oid type, const char *local_table)
{
	ScyllaConverterSpec spec = {
		.cql = cql_type_parse(combiner->arena, cql),
		.type = type,
		.typmod = -1,
		.table = local_table,
	};

	if (spec.cql == NULL)
		elog(ERROR, "CQL type \"%s\" is not understood", cql);
	return scylla_converter_new(&spec);
}

ScyllaCombiner *
scylla_combiner_new(const ScyllaScanPlan *plan, const char *local_table)
{
	ScyllaCombiner *combiner = palloc0(sizeof(ScyllaCombiner));

	acquire_types(combiner);
	combiner->context =
		AllocSetContextCreate(CurrentMemoryContext, "scylla_fdw aggregates", ALLOCSET_SMALL_SIZES);
	combiner->count = plan->aggregate_count;
	combiner->states = palloc0(Max(combiner->count, 1) * sizeof(AggregateState));
	for (int i = 0; i < combiner->count; i++)
	{
		AggregateState *state = &combiner->states[i];
		const ScyllaScanAggregate *aggregate = &plan->aggregates[i];

		state->aggregate = aggregate;
		state->converter =
			make_converter(combiner, aggregate->type_text, aggregate->type, local_table);
		if (aggregate->count_column >= 0)
			state->counter = make_converter(combiner, "bigint", INT8OID, local_table);
		if (aggregate->kind == SCYLLA_AGGREGATE_MIN || aggregate->kind == SCYLLA_AGGREGATE_MAX)
			state->compare =
				&lookup_type_cache(aggregate->type, TYPECACHE_CMP_PROC_FINFO)->cmp_proc_finfo;
		get_typlenbyval(aggregate->type, &state->len, &state->is_by_value);
	}
	return combiner;
}

void
scylla_combiner_reset(ScyllaCombiner *combiner)
{
	MemoryContextReset(combiner->context);
	for (int i = 0; i < combiner->count; i++)
	{
		AggregateState *state = &combiner->states[i];

		state->is_null = true;
		state->count = 0;
		if (state->aggregate->kind != SCYLLA_AGGREGATE_COUNT)
			continue;
		state->value = Int64GetDatum(0);
		state->is_null = false;
	}
}

/* ---- adding ---- */

static Datum
add_numbers(Oid type, Datum a, Datum b)
{
	if (type == INT8OID)
		return DirectFunctionCall2(int8pl, a, b);
	return DirectFunctionCall2(numeric_add, a, b);
}

static bool
is_better(const AggregateState *state, Datum value)
{
	int order = DatumGetInt32(
		FunctionCall2Coll(state->compare, state->aggregate->collation, value, state->value));

	return state->aggregate->kind == SCYLLA_AGGREGATE_MIN ? order < 0 : order > 0;
}

static void
add_value(AggregateState *state, Datum value)
{
	switch (state->aggregate->kind)
	{
		case SCYLLA_AGGREGATE_COUNT:
		case SCYLLA_AGGREGATE_SUM:
		case SCYLLA_AGGREGATE_AVG:
			if (!state->is_null)
				value = add_numbers(state->aggregate->type, state->value, value);
			break;
		case SCYLLA_AGGREGATE_MIN:
		case SCYLLA_AGGREGATE_MAX:
			if (!state->is_null && !is_better(state, value))
				return;
			break;
	}
	state->value = datumCopy(value, state->is_by_value, state->len);
	state->is_null = false;
}

static void
add_part(AggregateState *state, const cql_cell *cells)
{
	bool is_null = false;
	Datum value;

	if (state->counter != NULL)
	{
		int64 count = DatumGetInt64(
			scylla_decode(state->counter, cells[state->aggregate->count_column], &is_null));

		if (is_null || count == 0)
			return;
		state->count += count;
	}
	value = scylla_decode(state->converter, cells[state->aggregate->column], &is_null);
	if (!is_null)
		add_value(state, value);
}

void
scylla_combiner_add(ScyllaCombiner *combiner, const cql_cell *cells)
{
	MemoryContext old = MemoryContextSwitchTo(combiner->context);

	for (int i = 0; i < combiner->count; i++)
		add_part(&combiner->states[i], cells);
	MemoryContextSwitchTo(old);
}

/* ---- results ---- */

static Datum
divide(const AggregateState *state)
{
	return DirectFunctionCall2(numeric_div, state->value,
							   NumericGetDatum(int64_to_numeric(state->count)));
}

void
scylla_combiner_store(ScyllaCombiner *combiner, TupleTableSlot *slot)
{
	MemoryContext old = MemoryContextSwitchTo(combiner->context);

	for (int i = 0; i < combiner->count; i++)
	{
		const AggregateState *state = &combiner->states[i];
		int index = state->aggregate->attnum - 1;
		bool is_average = state->aggregate->kind == SCYLLA_AGGREGATE_AVG;

		slot->tts_isnull[index] = state->is_null;
		if (!state->is_null)
			slot->tts_values[index] = is_average ? divide(state) : state->value;
	}
	MemoryContextSwitchTo(old);
}
