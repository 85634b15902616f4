/*
 * scylla_token: the token of a partition key, computed here.
 *
 * The values pass through the same converters as bind values, so the bytes that are hashed are
 * those that the server would get. Where the foreign table's column options are whole, nothing is
 * asked of the cluster. What a call found out serves the other calls of its query.
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "fmgr.h"
#include "foreign/fdwapi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "catalog/schema.h"
#include "catalog/table.h"
#include "command/bind_value.h"
#include "command/describe.h"
#include "exec/scan.h"

/* In the memory of the function's expression. */
typedef struct TokenMaker
{
	Oid relid;
	const ScyllaTable *table;
	const cql_type **types; /* of the partition key's columns */
	ScyllaConverter **converters;
	Oid *converter_types; /* that they were made for; InvalidOid: not made yet */
	Oid *plain_types;     /* that were seen to need no coercion */
	cql_cell *cells;
	int *starts;           /* of each value in values */
	StringInfoData values; /* each as [int] length and bytes */
	StringInfoData key;
} TokenMaker;

/* ---- the table ---- */

static TokenMaker *
make_maker(Oid relid)
{
	TokenMaker *maker = palloc0(sizeof(TokenMaker));
	const ScyllaTable *table;
	cql_type_arena *arena;
	int count;

	scylla_check_foreign_table(relid);
	table = scylla_table_open(relid, GetUserId());
	arena = scylla_type_arena_new();
	count = table->partition_count;
	maker->relid = relid;
	maker->table = table;
	maker->types = palloc0(count * sizeof(cql_type *));
	maker->converters = palloc0(count * sizeof(ScyllaConverter *));
	maker->converter_types = palloc0(count * sizeof(Oid));
	maker->plain_types = palloc0(count * sizeof(Oid));
	maker->cells = palloc0(count * sizeof(cql_cell));
	maker->starts = palloc0(count * sizeof(int));
	for (int i = 0; i < count; i++)
	{
		maker->types[i] = cql_type_parse(arena, table->partition_types[i]);
		if (maker->types[i] == NULL)
			ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_DATA_TYPE),
							errmsg("CQL type %s of partition key column \"%s\" is not understood",
								   table->partition_types[i], table->partition_names[i])));
	}
	initStringInfo(&maker->values);
	initStringInfo(&maker->key);
	return maker;
}

static TokenMaker *
get_maker(FunctionCallInfo fcinfo, Oid relid)
{
	TokenMaker *maker = fcinfo->flinfo->fn_extra;
	MemoryContext caller;

	if (maker != NULL && maker->relid == relid)
		return maker;
	caller = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	maker = make_maker(relid);
	MemoryContextSwitchTo(caller);
	fcinfo->flinfo->fn_extra = maker;
	return maker;
}

/* ---- the key ---- */

static void
check_count(const TokenMaker *maker, int count)
{
	const ScyllaTable *table = maker->table;
	StringInfoData names;

	if (count == table->partition_count)
		return;
	initStringInfo(&names);
	for (int i = 0; i < table->partition_count; i++)
		appendStringInfo(&names, "%s%s", i > 0 ? ", " : "", table->partition_names[i]);
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("the number of values (%d) is not that of the partition key columns of "
						   "foreign table \"%s\" (%d)",
						   count, table->local_name, table->partition_count),
					errdetail("The remote partition key is (%s).", names.data)));
}

static ScyllaConverter *
get_converter(FunctionCallInfo fcinfo, TokenMaker *maker, int index, Oid type)
{
	ScyllaConverterSpec spec = {.cql = maker->types[index],
								.type = type,
								.typmod = -1,
								.table = maker->table->local_name,
								.column = maker->table->partition_names[index],
								.is_excess_truncated = maker->table->options->is_excess_truncated};
	MemoryContext caller;

	if (maker->converter_types[index] == type)
		return maker->converters[index];
	caller = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	maker->converters[index] = scylla_converter_new(&spec);
	maker->converter_types[index] = type;
	MemoryContextSwitchTo(caller);
	return maker->converters[index];
}

static void
append_value(FunctionCallInfo fcinfo, TokenMaker *maker, int index, Datum value, Oid type)
{
	if (type != maker->plain_types[index])
	{
		Oid given = type;

		value = scylla_bind_coerce(maker->types[index], value, &type);
		if (type == given)
			maker->plain_types[index] = type;
	}
	maker->starts[index] = maker->values.len;
	(void) scylla_encode(get_converter(fcinfo, maker, index, type), value, SCYLLA_ROUND_STORE,
						 &maker->values);
}

/* From the values, once they no longer move. */
static int64
hash_values(TokenMaker *maker)
{
	int count = maker->table->partition_count;
	size_t len;

	for (int i = 0; i < count; i++)
	{
		const uint8 *start = (const uint8 *) maker->values.data + maker->starts[i];

		maker->cells[i] = (cql_cell) {start + 4, (int32) cql_get_u32(start)};
	}
	if (!cql_key_measure(maker->cells, count, &len))
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("partition key too long"),
						errdetail("CQL takes at most 65535 bytes.")));
	resetStringInfo(&maker->key);
	enlargeStringInfo(&maker->key, (int) len);
	cql_key_write(maker->cells, count, (uint8 *) maker->key.data);
	return cql_key_token((const uint8 *) maker->key.data, len);
}

extern PGDLLEXPORT Datum scylla_token(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(scylla_token);

Datum
scylla_token(PG_FUNCTION_ARGS)
{
	TokenMaker *maker;
	Datum *values;
	Oid *types;
	bool *nulls;
	int count;

	if (PG_ARGISNULL(0))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("argument \"%s\" must not be null", "relation")));
	maker = get_maker(fcinfo, PG_GETARG_OID(0));
	count = extract_variadic_args(fcinfo, 1, false, &values, &types, &nulls);
	if (count < 0)
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("the array of key values must not be null")));
	check_count(maker, count);
	resetStringInfo(&maker->values);
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			ereport(ERROR, (errcode(ERRCODE_NOT_NULL_VIOLATION),
							errmsg("null value for partition key column \"%s\" of foreign table "
								   "\"%s\"",
								   maker->table->partition_names[i], maker->table->local_name)));
		append_value(fcinfo, maker, i, values[i], types[i]);
	}
	PG_RETURN_INT64(hash_values(maker));
}
