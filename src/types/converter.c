/*
 * Making converters, and what happens around a conversion: length and domain checks, the warning
 * about empty values, errors. Knows no type's bytes; typemap.c says which functions convert.
 */
#include "postgres.h"

#include <ctype.h>

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "types/structure.h"

#define TYPE_TEXT_SIZE 256
/* Of a name in a path. */
#define MAX_SHOWN_NAME 64

const ScyllaFault scylla_fault_malformed = {
	ERRCODE_INVALID_TEXT_REPRESENTATION, "malformed value",
	"The bytes that the server sent are no value of that CQL type.", NULL};

const ScyllaFault scylla_fault_number_range = {ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
											   "number out of range", NULL, NULL};

static const ScyllaFault fault_length = {ERRCODE_STRING_DATA_RIGHT_TRUNCATION,
										 "text longer than its declared length", NULL,
										 "Declare the column with a greater length, or as text."};
static const ScyllaFault fault_scale = {ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
										"number with more digits than declared", NULL,
										"Declare the column with a greater scale, or as numeric."};
static const ScyllaFault fault_precision = {ERRCODE_DATETIME_FIELD_OVERFLOW,
											"time finer than its declared precision", NULL,
											"Declare the column with a greater precision."};

static const ScyllaFault fault_read_only = {ERRCODE_FEATURE_NOT_SUPPORTED, "read-only value", NULL,
											NULL};

/* ---- errors ---- */

/* ".name", or with brackets where it isn't a plain one; longer ones are cut. */
static void
append_name(StringInfo path, const char *name, int len)
{
	int shown = pg_mbcliplen(name, len, MAX_SHOWN_NAME);
	bool is_plain = shown == len && len > 0;

	for (int i = 0; i < len && is_plain; i++)
		is_plain = isalnum((unsigned char) name[i]) || name[i] == '_' || IS_HIGHBIT_SET(name[i]);
	appendStringInfo(path, is_plain ? ".%.*s" : "[\"%.*s", shown, name);
	if (!is_plain)
		appendStringInfoString(path, shown < len ? "...\"]" : "\"]");
}

/* "$.address.lines[2]": where in the column's value the converter's own stands. */
static void
append_path(StringInfo path, const ScyllaConverter *converter)
{
	const ScyllaConverter *parent = converter->parent;
	const ScyllaPlace *place;

	if (parent == NULL)
	{
		appendStringInfoChar(path, '$');
		return;
	}
	append_path(path, parent);
	place = &parent->place;
	if (parent->cql->id == CQL_TYPE_UDT)
		append_name(path, parent->structure->field_names[place->index],
					strlen(parent->structure->field_names[place->index]));
	else if (parent->cql->id == CQL_TYPE_MAP && place->key != NULL)
		append_name(path, place->key, place->key_len);
	else
		appendStringInfo(path, "[%u]", place->index);
}

static char *
describe_path(const ScyllaConverter *converter)
{
	StringInfoData path;

	initStringInfo(&path);
	append_path(&path, converter);
	return path.data;
}

/* "$.address.zip: ", for the beginning of a message about an element. */
static const char *
describe_element(const ScyllaConverter *converter)
{
	return converter->parent != NULL ? psprintf("%s: ", describe_path(converter)) : "";
}

/* " in column …", for the end of a message. */
static char *
describe_place(const ScyllaConverter *converter)
{
	char cql[TYPE_TEXT_SIZE];

	if (converter->cql->id == CQL_TYPE_CUSTOM)
		strlcpy(cql, "custom", sizeof(cql));
	else
		cql_type_print(converter->cql, false, cql, sizeof(cql));
	if (converter->column == NULL)
		return psprintf(" in a value of CQL type %s", cql);
	if (converter->table == NULL)
		return psprintf(" in column \"%s\" (CQL type %s)", converter->column, cql);
	return psprintf(" in column \"%s\" of foreign table \"%s\" (CQL type %s)", converter->column,
					converter->table, cql);
}

/* For clients that read an error's fields. */
static int
tell_fields(const char *table, const char *column)
{
	if (table != NULL)
		err_generic_string(PG_DIAG_TABLE_NAME, table);
	if (column != NULL)
		err_generic_string(PG_DIAG_COLUMN_NAME, column);
	return 0;
}

void
scylla_convert_raise(const ScyllaConverter *converter, const ScyllaFault *fault)
{
	ereport(ERROR,
			(errcode(fault->sqlstate),
			 errmsg("%s%s%s", describe_element(converter), fault->what, describe_place(converter)),
			 fault->detail != NULL ? errdetail("%s", fault->detail) : 0,
			 fault->hint != NULL ? errhint("%s", fault->hint) : 0,
			 tell_fields(converter->table, converter->column)));
}

ScyllaFit
scylla_convert_misfit(const ScyllaConverter *converter, ScyllaRound round, ScyllaFit fit,
					  const ScyllaFault *fault)
{
	if (round == SCYLLA_ROUND_STORE)
		scylla_convert_raise(converter, fault);
	return fit;
}

static void
add_context(void *arg)
{
	ScyllaConverter *converter = arg;

	if (converter->column == NULL)
		return;
	tell_fields(converter->table, converter->column);
	if (converter->parent != NULL)
		errcontext("element %s", describe_path(converter));
	if (converter->table != NULL)
		errcontext("column \"%s\" of foreign table \"%s\"", converter->column, converter->table);
	else
		errcontext("column \"%s\"", converter->column);
}

void
scylla_convert_enter(ErrorContextCallback *callback, ScyllaConverter *converter)
{
	callback->callback = add_context;
	callback->arg = converter;
	callback->previous = error_context_stack;
	error_context_stack = callback;
}

void
scylla_convert_leave(const ErrorContextCallback *callback)
{
	error_context_stack = callback->previous;
}

void
scylla_converter_warn_empty(ScyllaConverter *converter)
{
	TimestampTz statement = GetCurrentStatementStartTimestamp();

	if (converter->warned_empty == statement)
		return;
	converter->warned_empty = statement;
	ereport(WARNING, (errmsg("%sempty value read as NULL%s", describe_element(converter),
							 describe_place(converter)),
					  errdetail("CQL has an empty value for that type, PostgreSQL has none."),
					  tell_fields(converter->table, converter->column)));
}

/* ---- declared lengths and domains ---- */

/* Whether a length can matter: the values of a CQL timestamp have three digits, and so on. */
static bool
needs_length_check(const ScyllaTypePair *pair, int32 typmod)
{
	if (typmod < 0)
		return false;
	switch (pair->type)
	{
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			return typmod < (pair == &scylla_write_time_pair ? MAX_TIMESTAMP_PRECISION : 3);
		case TIMEOID:
			return typmod < MAX_TIME_PRECISION;
		case INTERVALOID:
			return INTERVAL_RANGE(typmod) != INTERVAL_FULL_RANGE ||
				   INTERVAL_PRECISION(typmod) < MAX_INTERVAL_PRECISION;
		default:
			return true;
	}
}

static void
check_varchar(ScyllaConverter *converter, Datum value)
{
	text *data = DatumGetTextPP(value);
	int chars = pg_mbstrlen_with_len(VARDATA_ANY(data), VARSIZE_ANY_EXHDR(data));

	if (chars > converter->typmod - (int32) VARHDRSZ)
		scylla_convert_raise(converter, &fault_length);
}

static bool
is_same_interval(const Interval *a, const Interval *b)
{
	return a->month == b->month && a->day == b->day && a->time == b->time;
}

/* PostgreSQL rounds to a declared length; here that would change what is stored. */
static Datum
apply_length(ScyllaConverter *converter, Datum value)
{
	Oid type = converter->base_type;
	ErrorContextCallback callback;
	Datum result;
	bool is_same;

	if (type == VARCHAROID)
	{
		check_varchar(converter, value);
		return value;
	}
	scylla_convert_enter(&callback, converter);
	result = FunctionCall3(&converter->check_function, value, Int32GetDatum(converter->typmod),
						   BoolGetDatum(false));
	scylla_convert_leave(&callback);
	if (type == NUMERICOID)
		is_same = DatumGetBool(DirectFunctionCall2(numeric_eq, value, result));
	else if (type == INTERVALOID)
		is_same = is_same_interval(DatumGetIntervalP(value), DatumGetIntervalP(result));
	else
		is_same = DatumGetInt64(value) == DatumGetInt64(result); /* time and timestamps */
	if (!is_same)
		scylla_convert_raise(converter, type == NUMERICOID ? &fault_scale : &fault_precision);
	return result;
}

static bool
is_domain(const ScyllaConverter *converter)
{
	return converter->type != converter->base_type;
}

static void
check_domain(ScyllaConverter *converter, Datum value, bool is_null)
{
	ErrorContextCallback callback;

	if (!is_domain(converter))
		return;
	scylla_convert_enter(&callback, converter);
	domain_check(value, is_null, converter->type, &converter->check_extra, converter->context);
	scylla_convert_leave(&callback);
}

Datum
scylla_converter_check(ScyllaConverter *converter, Datum value)
{
	if (OidIsValid(converter->check_function.fn_oid))
		value = apply_length(converter, value);
	check_domain(converter, value, false);
	return value;
}

void
scylla_converter_check_null(ScyllaConverter *converter)
{
	check_domain(converter, (Datum) 0, true);
}

/* ---- making ---- */

static char *
describe_column(const ScyllaConverterSpec *spec)
{
	if (spec->column == NULL)
		return "";
	if (spec->table == NULL)
		return psprintf(" of column \"%s\"", spec->column);
	return psprintf(" of column \"%s\" of foreign table \"%s\"", spec->column, spec->table);
}

static void raise_no_pair(const ScyllaConverterSpec *spec) __attribute__((noreturn));

static void
raise_no_pair(const ScyllaConverterSpec *spec)
{
	char *choices = scylla_type_choices(spec->cql);
	char cql[TYPE_TEXT_SIZE];

	cql_type_print(spec->cql, true, cql, sizeof(cql));
	if (spec->is_write_time)
		choices = psprintf("%s, %s", choices, format_type_be(TIMESTAMPTZOID));
	ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_DATA_TYPE),
					errmsg("CQL type %s%s does not go with type %s", cql, describe_column(spec),
						   format_type_be(spec->type)),
					errhint("Types that it goes with: %s.", choices),
					tell_fields(spec->table, spec->column)));
}

static Datum
refuse_decode(ScyllaConverter *converter, cql_cell cell)
{
	ScyllaConverterSpec spec = {.cql = converter->cql,
								.type = converter->type,
								.table = converter->table,
								.column = converter->column};

	raise_no_pair(&spec);
}

static ScyllaFit
refuse_encode(ScyllaConverter *converter, Datum value, ScyllaRound round, StringInfo out)
{
	scylla_convert_raise(converter, &fault_read_only);
}

bool
scylla_type_has_empty_value(cql_type_id cql)
{
	return cql == CQL_TYPE_ASCII || cql == CQL_TYPE_TEXT || cql == CQL_TYPE_BLOB ||
		   cql == CQL_TYPE_CUSTOM;
}

bool
scylla_type_can_be_empty(cql_type_id cql)
{
	return cql != CQL_TYPE_TINYINT && cql != CQL_TYPE_SMALLINT && cql != CQL_TYPE_DATE &&
		   cql != CQL_TYPE_TIME;
}

int
scylla_type_least(cql_type_id cql, uint8 *out)
{
	static const struct
	{
		cql_type_id type;
		int len;
		uint8 cell[SCYLLA_LEAST_SIZE];
	} least[] = {
		{CQL_TYPE_TINYINT, 1, {0x80}},     {CQL_TYPE_SMALLINT, 2, {0x80}},
		{CQL_TYPE_INT, 4, {0x80}},         {CQL_TYPE_BIGINT, 8, {0x80}},
		{CQL_TYPE_TIMESTAMP, 8, {0x80}},   {CQL_TYPE_DATE, 4, {0}},
		{CQL_TYPE_TIME, 8, {0}},           {CQL_TYPE_BOOLEAN, 1, {0}},
		{CQL_TYPE_FLOAT, 4, {0xFF, 0x80}}, {CQL_TYPE_DOUBLE, 8, {0xFF, 0xF0}},
	};

	for (int i = 0; i < (int) lengthof(least); i++)
	{
		if (least[i].type != cql)
			continue;
		if (out != NULL)
			memcpy(out, least[i].cell, least[i].len);
		return least[i].len;
	}
	return 0;
}

ScyllaConverter *
scylla_converter_new(const ScyllaConverterSpec *spec)
{
	int32 typmod = spec->typmod;
	Oid base = getBaseTypeAndTypmod(spec->type, &typmod);
	const ScyllaTypePair *pair = spec->is_write_time && base == TIMESTAMPTZOID
									 ? &scylla_write_time_pair
									 : scylla_type_row(spec->cql, base, SCYLLA_PAIR_OF_VALUE);
	ScyllaConverter *converter;
	Oid function = InvalidOid;

	if (pair == NULL)
		raise_no_pair(spec);
	converter = palloc0(sizeof(*converter));
	converter->pair = pair;
	converter->cql = spec->cql;
	converter->decode = pair->decode != NULL ? pair->decode : refuse_decode;
	converter->encode = pair->encode != NULL ? pair->encode : refuse_encode;
	converter->type = spec->type;
	converter->base_type = base;
	converter->typmod = typmod;
	converter->table = spec->table != NULL ? pstrdup(spec->table) : NULL;
	converter->column = spec->column != NULL ? pstrdup(spec->column) : NULL;
	converter->is_excess_truncated = spec->is_excess_truncated;
	converter->is_empty_value = scylla_type_has_empty_value(pair->cql);
	converter->context = CurrentMemoryContext;
	if (needs_length_check(pair, typmod) &&
		find_typmod_coercion_function(base, &function) == COERCION_PATH_FUNC)
		fmgr_info_cxt(function, &converter->check_function, CurrentMemoryContext);
	converter->is_checked = OidIsValid(converter->check_function.fn_oid) || is_domain(converter);
	if (scylla_type_is_structured(spec->cql))
		scylla_structure_build(converter);
	return converter;
}
