/*
 * THE table of type pairs, and the look-ups in it.
 *
 * A CQL type's first row is what IMPORT declares. Rows without a decoder only bind values. What a
 * row says of = and of the order must hold for every value and every place in a key: a partition
 * key is found by its bytes, a clustering key by the CQL type's comparison.
 *
 * In a row, ANYENUM stands for every enum, ANYARRAY for arrays of what goes with the element type,
 * RECORD for composite types whose attributes go with the fields, RECORDARRAY for arrays of those
 * with a map's key and value, and ANYNONARRAY for the type that an extension brings: hstore for a
 * map of texts, pgvector's vector.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "types/convert.h"
#include "types/structure.h"

#define EXACT SCYLLA_PUSH_EXACT
#define SUPERSET SCYLLA_PUSH_SUPERSET
#define NEVER SCYLLA_PUSH_NEVER

/* What IMPORT declares for CQL's milliseconds, so that PostgreSQL rounds on assignment. */
#define TIMESTAMP_DIGITS 3

/* Bounds outside ASCII have a place between two ascii values, but no value of their own. */
static const char ascii_reason[] = "CQL's ascii has no value for a bound outside ASCII";
static const char encoding_reason[] = "CQL sorts text as UTF-8, the database has another encoding";
static const char document_reason[] = "CQL compares the text, not what it stands for";
static const char counter_reason[] = "CQL cannot restrict a counter";
/* 1.0 and 1.00 hash differently; as a clustering column they are one value, in numeric's order. */
static const char decimal_reason[] = "equal numbers of different scale are different keys in CQL";
/* Both servers sort -0 before 0 and NaN last, all NaNs as one: with bounds at the right zero the
 * order is PostgreSQL's. A partition key is found by its bits. */
static const char float_reason[] = "0 and -0, and NaNs of different bits, are other keys in CQL";
static const char uuid_reason[] = "CQL sorts uuids by version and time, PostgreSQL by bytes";
/* Bounds only: those of a microsecond are all between its first and its last. */
static const char timeuuid_reason[] = "many timeuuids have one time";
/* Both servers compare bytes whatever their number, so that 10.0.0.1 sorts after 0::1. */
static const char inet_reason[] = "CQL sorts addresses by bytes, IPv4 among IPv6";
/* Under excess_precision = truncate, 1000 times of CQL read as one. Order allows for it. */
static const char time_reason[] = "times that differ by nanoseconds may read as equal";
static const char duration_reason[] = "CQL cannot compare durations";
static const char enum_reason[] = "CQL sorts the texts, PostgreSQL an enum by its declaration";
/* A value of a structured type has many spellings: arrays with other bounds, sets in any order,
 * numbers of another scale. A key of that type is found by its bytes. */
static const char structured_reason[] =
	"CQL compares collections, tuples and vectors by their bytes";
static const char write_time_reason[] = "CQL cannot compare what writetime() gives";
/* Beyond 2^53 several have one double. */
static const char rounded_reason[] = "PostgreSQL rounds the integer to compare it";
static const char custom_reason[] = "custom types are read only";

static const ScyllaTypePair pairs[] = {
	{CQL_TYPE_ASCII, TEXTOID, scylla_decode_text, scylla_encode_ascii, EXACT, SUPERSET,
	 ascii_reason, true},
	{CQL_TYPE_ASCII, VARCHAROID, scylla_decode_text, scylla_encode_ascii, EXACT, SUPERSET,
	 ascii_reason, true},
	{CQL_TYPE_ASCII, JSONOID, scylla_decode_json, scylla_encode_ascii, NEVER, NEVER,
	 document_reason, false},
	{CQL_TYPE_ASCII, JSONBOID, scylla_decode_jsonb, scylla_encode_jsonb, NEVER, NEVER,
	 document_reason, false},
	{CQL_TYPE_ASCII, XMLOID, scylla_decode_xml, scylla_encode_ascii, NEVER, NEVER, document_reason,
	 false},
	{CQL_TYPE_ASCII, ANYENUMOID, scylla_decode_enum, scylla_encode_enum, EXACT, NEVER, enum_reason,
	 false},

	{CQL_TYPE_TEXT, TEXTOID, scylla_decode_text, scylla_encode_text, EXACT, EXACT, NULL, true},
	{CQL_TYPE_TEXT, VARCHAROID, scylla_decode_text, scylla_encode_text, EXACT, EXACT, NULL, true},
	{CQL_TYPE_TEXT, JSONOID, scylla_decode_json, scylla_encode_text, NEVER, NEVER, document_reason,
	 false},
	{CQL_TYPE_TEXT, JSONBOID, scylla_decode_jsonb, scylla_encode_jsonb, NEVER, NEVER,
	 document_reason, false},
	{CQL_TYPE_TEXT, XMLOID, scylla_decode_xml, scylla_encode_text, NEVER, NEVER, document_reason,
	 false},
	{CQL_TYPE_TEXT, ANYENUMOID, scylla_decode_enum, scylla_encode_enum, EXACT, NEVER, enum_reason,
	 false},

	{CQL_TYPE_TINYINT, INT2OID, scylla_decode_tinyint_int2, scylla_encode_int2, EXACT, EXACT, NULL,
	 false},
	{CQL_TYPE_TINYINT, INT4OID, scylla_decode_tinyint_int4, scylla_encode_int4, EXACT, EXACT, NULL,
	 false},
	{CQL_TYPE_TINYINT, INT8OID, scylla_decode_tinyint_int8, scylla_encode_int8, EXACT, EXACT, NULL,
	 false},
	{CQL_TYPE_TINYINT, NUMERICOID, scylla_decode_tinyint_numeric, scylla_encode_numeric, EXACT,
	 EXACT, NULL, false},
	{CQL_TYPE_TINYINT, FLOAT8OID, NULL, scylla_encode_whole_float8, EXACT, EXACT, NULL, false},
	{CQL_TYPE_TINYINT, FLOAT4OID, NULL, scylla_encode_whole_float4, EXACT, EXACT, NULL, false},

	{CQL_TYPE_SMALLINT, INT2OID, scylla_decode_smallint_int2, scylla_encode_int2, EXACT, EXACT,
	 NULL, false},
	{CQL_TYPE_SMALLINT, INT4OID, scylla_decode_smallint_int4, scylla_encode_int4, EXACT, EXACT,
	 NULL, false},
	{CQL_TYPE_SMALLINT, INT8OID, scylla_decode_smallint_int8, scylla_encode_int8, EXACT, EXACT,
	 NULL, false},
	{CQL_TYPE_SMALLINT, NUMERICOID, scylla_decode_smallint_numeric, scylla_encode_numeric, EXACT,
	 EXACT, NULL, false},
	{CQL_TYPE_SMALLINT, FLOAT8OID, NULL, scylla_encode_whole_float8, EXACT, EXACT, NULL, false},
	{CQL_TYPE_SMALLINT, FLOAT4OID, NULL, scylla_encode_whole_float4, EXACT, EXACT, NULL, false},

	{CQL_TYPE_INT, INT4OID, scylla_decode_int_int4, scylla_encode_int4, EXACT, EXACT, NULL, false},
	{CQL_TYPE_INT, INT8OID, scylla_decode_int_int8, scylla_encode_int8, EXACT, EXACT, NULL, false},
	{CQL_TYPE_INT, NUMERICOID, scylla_decode_int_numeric, scylla_encode_numeric, EXACT, EXACT, NULL,
	 false},
	{CQL_TYPE_INT, INT2OID, NULL, scylla_encode_int2, EXACT, EXACT, NULL, false},
	{CQL_TYPE_INT, FLOAT8OID, NULL, scylla_encode_whole_float8, EXACT, EXACT, NULL, false},
	{CQL_TYPE_INT, FLOAT4OID, NULL, scylla_encode_whole_float4, EXACT, EXACT, NULL, false},

	{CQL_TYPE_BIGINT, INT8OID, scylla_decode_bigint_int8, scylla_encode_int8, EXACT, EXACT, NULL,
	 false},
	{CQL_TYPE_BIGINT, NUMERICOID, scylla_decode_bigint_numeric, scylla_encode_numeric, EXACT, EXACT,
	 NULL, false},
	{CQL_TYPE_BIGINT, INT2OID, NULL, scylla_encode_int2, EXACT, EXACT, NULL, false},
	{CQL_TYPE_BIGINT, INT4OID, NULL, scylla_encode_int4, EXACT, EXACT, NULL, false},
	{CQL_TYPE_BIGINT, FLOAT8OID, NULL, scylla_encode_whole_float8, NEVER, NEVER, rounded_reason,
	 false},
	{CQL_TYPE_BIGINT, FLOAT4OID, NULL, scylla_encode_whole_float4, NEVER, NEVER, rounded_reason,
	 false},

	{CQL_TYPE_COUNTER, INT8OID, scylla_decode_bigint_int8, scylla_encode_int8, NEVER, NEVER,
	 counter_reason, false},
	{CQL_TYPE_COUNTER, NUMERICOID, scylla_decode_bigint_numeric, scylla_encode_numeric, NEVER,
	 NEVER, counter_reason, false},
	{CQL_TYPE_COUNTER, INT2OID, NULL, scylla_encode_int2, NEVER, NEVER, counter_reason, false},
	{CQL_TYPE_COUNTER, INT4OID, NULL, scylla_encode_int4, NEVER, NEVER, counter_reason, false},

	{CQL_TYPE_VARINT, NUMERICOID, scylla_decode_varint, scylla_encode_varint, EXACT, EXACT, NULL,
	 false},
	{CQL_TYPE_VARINT, INT2OID, scylla_decode_varint_int2, scylla_encode_int2, EXACT, EXACT, NULL,
	 false},
	{CQL_TYPE_VARINT, INT4OID, scylla_decode_varint_int4, scylla_encode_int4, EXACT, EXACT, NULL,
	 false},
	{CQL_TYPE_VARINT, INT8OID, scylla_decode_varint_int8, scylla_encode_int8, EXACT, EXACT, NULL,
	 false},
	{CQL_TYPE_VARINT, FLOAT8OID, NULL, scylla_encode_whole_float8, NEVER, NEVER, rounded_reason,
	 false},
	{CQL_TYPE_VARINT, FLOAT4OID, NULL, scylla_encode_whole_float4, NEVER, NEVER, rounded_reason,
	 false},

	{CQL_TYPE_DECIMAL, NUMERICOID, scylla_decode_decimal, scylla_encode_decimal, NEVER, EXACT,
	 decimal_reason, false},

	{CQL_TYPE_FLOAT, FLOAT4OID, scylla_decode_float_float4, scylla_encode_float_float4, NEVER,
	 EXACT, float_reason, false},
	{CQL_TYPE_FLOAT, FLOAT8OID, scylla_decode_float_float8, scylla_encode_float_float8, NEVER,
	 EXACT, float_reason, false},
	{CQL_TYPE_DOUBLE, FLOAT8OID, scylla_decode_double, scylla_encode_double_float8, NEVER, EXACT,
	 float_reason, false},
	{CQL_TYPE_DOUBLE, FLOAT4OID, NULL, scylla_encode_double_float4, NEVER, EXACT, float_reason,
	 false},

	{CQL_TYPE_BOOLEAN, BOOLOID, scylla_decode_boolean, scylla_encode_boolean, EXACT, EXACT, NULL,
	 false},
	{CQL_TYPE_BLOB, BYTEAOID, scylla_decode_blob, scylla_encode_blob, EXACT, EXACT, NULL, false},
	{CQL_TYPE_UUID, UUIDOID, scylla_decode_uuid, scylla_encode_uuid, EXACT, NEVER, uuid_reason,
	 false},
	{CQL_TYPE_TIMEUUID, UUIDOID, scylla_decode_uuid, scylla_encode_uuid, EXACT, NEVER, uuid_reason,
	 false},
	{CQL_TYPE_TIMEUUID, TIMESTAMPTZOID, NULL, scylla_encode_timeuuid_time, NEVER, EXACT,
	 timeuuid_reason, false},
	{CQL_TYPE_INET, INETOID, scylla_decode_inet, scylla_encode_inet, EXACT, NEVER, inet_reason,
	 false},

	{CQL_TYPE_TIMESTAMP, TIMESTAMPTZOID, scylla_decode_timestamp, scylla_encode_timestamp, EXACT,
	 EXACT, NULL, false},
	{CQL_TYPE_TIMESTAMP, TIMESTAMPOID, scylla_decode_timestamp, scylla_encode_timestamp, EXACT,
	 EXACT, NULL, false},
	{CQL_TYPE_DATE, DATEOID, scylla_decode_date, scylla_encode_date, EXACT, EXACT, NULL, false},
	{CQL_TYPE_TIME, TIMEOID, scylla_decode_time, scylla_encode_time, NEVER, EXACT, time_reason,
	 false},
	{CQL_TYPE_DURATION, INTERVALOID, scylla_decode_duration, scylla_encode_duration, NEVER, NEVER,
	 duration_reason, false},
	{CQL_TYPE_DURATION, TEXTOID, scylla_decode_duration_text, scylla_encode_duration_text, NEVER,
	 NEVER, duration_reason, false},

	{CQL_TYPE_LIST, ANYARRAYOID, scylla_decode_array, scylla_encode_array, NEVER, NEVER,
	 structured_reason, false},
	{CQL_TYPE_LIST, JSONBOID, scylla_decode_structure_jsonb, scylla_encode_structure_jsonb, NEVER,
	 NEVER, structured_reason, false},
	{CQL_TYPE_SET, ANYARRAYOID, scylla_decode_array, scylla_encode_array, NEVER, NEVER,
	 structured_reason, false},
	{CQL_TYPE_SET, JSONBOID, scylla_decode_structure_jsonb, scylla_encode_structure_jsonb, NEVER,
	 NEVER, structured_reason, false},
	{CQL_TYPE_VECTOR, ANYARRAYOID, scylla_decode_array, scylla_encode_array, NEVER, NEVER,
	 structured_reason, false},
	{CQL_TYPE_VECTOR, JSONBOID, scylla_decode_structure_jsonb, scylla_encode_structure_jsonb, NEVER,
	 NEVER, structured_reason, false},
	{CQL_TYPE_VECTOR, ANYNONARRAYOID, scylla_decode_pgvector, scylla_encode_pgvector, NEVER, NEVER,
	 structured_reason, false},
	{CQL_TYPE_MAP, JSONBOID, scylla_decode_structure_jsonb, scylla_encode_structure_jsonb, NEVER,
	 NEVER, structured_reason, false},
	{CQL_TYPE_MAP, RECORDARRAYOID, scylla_decode_array, scylla_encode_array, NEVER, NEVER,
	 structured_reason, false},
	{CQL_TYPE_MAP, ANYNONARRAYOID, scylla_decode_hstore, scylla_encode_hstore, NEVER, NEVER,
	 structured_reason, false},
	{CQL_TYPE_TUPLE, JSONBOID, scylla_decode_structure_jsonb, scylla_encode_structure_jsonb, NEVER,
	 NEVER, structured_reason, false},
	{CQL_TYPE_TUPLE, RECORDOID, scylla_decode_composite, scylla_encode_composite, NEVER, NEVER,
	 structured_reason, false},
	{CQL_TYPE_UDT, JSONBOID, scylla_decode_structure_jsonb, scylla_encode_structure_jsonb, NEVER,
	 NEVER, structured_reason, false},
	{CQL_TYPE_UDT, RECORDOID, scylla_decode_composite, scylla_encode_composite, NEVER, NEVER,
	 structured_reason, false},

	{CQL_TYPE_CUSTOM, BYTEAOID, scylla_decode_blob, NULL, NEVER, NEVER, custom_reason, false},
};

/* In place of the rows above where the database's encoding is not UTF-8: its bytes are what
 * collation "C" compares. (All such encodings hold ASCII as it is, so ascii needs no row.) */
static const ScyllaTypePair other_encoding_pairs[] = {
	{CQL_TYPE_TEXT, TEXTOID, scylla_decode_text, scylla_encode_text, EXACT, NEVER, encoding_reason,
	 false},
	{CQL_TYPE_TEXT, VARCHAROID, scylla_decode_text, scylla_encode_text, EXACT, NEVER,
	 encoding_reason, false},
};

const ScyllaTypePair scylla_write_time_pair = {
	CQL_TYPE_BIGINT, TIMESTAMPTZOID, scylla_decode_write_time, NULL,
	NEVER,           NEVER,          write_time_reason,        false};

static bool
is_fit(const ScyllaTypePair *row, const cql_type *cql, Oid type, ScyllaPairUse use)
{
	if (row->cql != cql->id || (use == SCYLLA_PAIR_OF_COLUMN && row->decode == NULL))
		return false;
	switch (row->type)
	{
		case ANYENUMOID:
			return type_is_enum(type);
		case ANYARRAYOID:
			return scylla_array_fits(cql, type, use);
		case RECORDARRAYOID:
			return scylla_entries_fit(cql, type, use);
		case RECORDOID:
			return scylla_composite_fits(cql, type, use);
		case ANYNONARRAYOID:
			return scylla_extension_type_fits(cql, type);
		default:
			return row->type == type;
	}
}

static const ScyllaTypePair *
find_row(const ScyllaTypePair *rows, int count, const cql_type *cql, Oid type, ScyllaPairUse use)
{
	for (int i = 0; i < count; i++)
		if (is_fit(&rows[i], cql, type, use))
			return &rows[i];
	return NULL;
}

const ScyllaTypePair *
scylla_type_row(const cql_type *cql, Oid type, ScyllaPairUse use)
{
	const ScyllaTypePair *pair = NULL;
	Oid base = getBaseType(type);

	if (GetDatabaseEncoding() != PG_UTF8)
		pair = find_row(other_encoding_pairs, lengthof(other_encoding_pairs), cql, base, use);
	if (pair == NULL)
		pair = find_row(pairs, lengthof(pairs), cql, base, use);
	return pair;
}

const ScyllaTypePair *
scylla_type_pair_find(const cql_type *cql, Oid type)
{
	return scylla_type_row(cql, type, SCYLLA_PAIR_OF_COLUMN);
}

/* Types that PostgreSQL compares by value whichever two meet, and CQL likewise. */
static int
comparison_family(Oid type)
{
	switch (type)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
			return 1;
		case FLOAT4OID:
		case FLOAT8OID:
			return 2;
		case TEXTOID:
		case VARCHAROID:
			return 3;
		default:
			return 0;
	}
}

const ScyllaTypePair *
scylla_type_pair_bind(const ScyllaTypePair *column, Oid type)
{
	cql_type cql = {.id = column->cql};
	Oid base = getBaseType(type);
	const ScyllaTypePair *pair;

	/* Nothing of a structured type is ever sent, and the row tells why. */
	if (scylla_type_is_structured(&cql))
		return column;
	if (column->type == ANYENUMOID)
		return type_is_enum(base) ? column : NULL;
	if (base != column->type && (comparison_family(base) == 0 ||
								 comparison_family(base) != comparison_family(column->type)))
		return NULL;
	pair = scylla_type_row(&cql, base, SCYLLA_PAIR_OF_VALUE);
	return pair != NULL && pair->encode != NULL ? pair : NULL;
}

const ScyllaTypePair *
scylla_type_pair_cast(const cql_type *cql, Oid type)
{
	const ScyllaTypePair *pair =
		cql != NULL ? scylla_type_row(cql, type, SCYLLA_PAIR_OF_VALUE) : NULL;

	return pair != NULL && pair->encode != NULL ? pair : NULL;
}

/* ---- what IMPORT declares, and what users may ---- */

static const ScyllaTypePair *
first_row(const cql_type *cql)
{
	for (int i = 0; i < (int) lengthof(pairs); i++)
		if (pairs[i].cql == cql->id)
			return &pairs[i];
	return NULL;
}

/* The first possible one of the table's types. */
static Oid
choose_type(const cql_type *cql, ScyllaFindComposite find, void *argument)
{
	const ScyllaTypePair *row = first_row(cql);
	Oid type = InvalidOid;

	if (cql->id == CQL_TYPE_UDT && find != NULL)
		type = find(cql, argument);
	else if (row->type == ANYARRAYOID && scylla_array_takes(cql->elements[0]))
		type = get_array_type(choose_type(cql->elements[0], find, argument));
	if (OidIsValid(type))
		return type;
	return scylla_type_is_structured(cql) ? JSONBOID : row->type;
}

char *
scylla_type_declaration(const cql_type *cql, ScyllaFindComposite find, void *argument)
{
	Oid type = choose_type(cql, find, argument);
	bool has_digits = type == TIMESTAMPTZOID || type == TIMESTAMPTZARRAYOID;

	return format_type_with_typemod(type, has_digits ? TIMESTAMP_DIGITS : -1);
}

const char *
scylla_type_default(const cql_type *cql)
{
	return scylla_type_declaration(cql, NULL, NULL);
}

/* "street text, zip integer" */
static char *
describe_fields(const cql_type *cql)
{
	StringInfoData text;

	initStringInfo(&text);
	for (uint32 i = 0; i < cql->element_count; i++)
	{
		appendStringInfoString(&text, i > 0 ? ", " : "");
		if (cql->id == CQL_TYPE_UDT)
			appendStringInfo(&text, "%s ", quote_identifier(cql->field_names[i]));
		appendStringInfoString(&text, scylla_type_default(cql->elements[i]));
	}
	return text.data;
}

/* Appends the choices that a row stands for. */
static void
append_choices(StringInfo text, const ScyllaTypePair *row, const cql_type *cql)
{
	const char *separator = text->len > 0 ? ", " : "";

	switch (row->type)
	{
		case ANYENUMOID:
			appendStringInfo(text, "%san enum", separator);
			break;
		case ANYARRAYOID:
			if (scylla_array_takes(cql->elements[0]))
				appendStringInfo(text, "%sarray of one of (%s)", separator,
								 scylla_type_choices(cql->elements[0]));
			break;
		case RECORDARRAYOID:
			appendStringInfo(text, "%sarray of a composite type of two fields (%s)", separator,
							 describe_fields(cql));
			break;
		case RECORDOID:
			if (cql->element_count > 0)
				appendStringInfo(text, "%scomposite type of the fields (%s)", separator,
								 describe_fields(cql));
			else
				appendStringInfo(text, "%scomposite type of its fields", separator);
			break;
		case ANYNONARRAYOID:
			if (scylla_extension_type_choice(cql) != NULL)
				appendStringInfo(text, "%s%s", separator, scylla_extension_type_choice(cql));
			break;
		default:
			appendStringInfo(text, "%s%s", separator, format_type_be(row->type));
	}
}

char *
scylla_type_choices(const cql_type *cql)
{
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 0; i < (int) lengthof(pairs); i++)
		if (pairs[i].cql == cql->id && pairs[i].decode != NULL)
			append_choices(&text, &pairs[i], cql);
	return text.data;
}

bool
scylla_type_has_one_form(const cql_type *cql)
{
	switch (cql->id)
	{
		case CQL_TYPE_CUSTOM:
		case CQL_TYPE_DECIMAL:
		case CQL_TYPE_DOUBLE:
		case CQL_TYPE_FLOAT:
			return false;
		default:
			return cql->id < CQL_TYPE_LIST;
	}
}
