/*
 * Private to src/types: what the converters share, and the list of them.
 *
 * A decoder gets a cell that is not null and, where the type has no empty value, not empty; an
 * encoder gets a Datum that is not NULL. An error is raised by scylla_convert_raise, or by a
 * function of PostgreSQL inside scylla_convert_enter and _leave, so that each names its column.
 * No message holds a value: it would reach the log.
 */
#ifndef SCYLLA_CONVERT_H
#define SCYLLA_CONVERT_H

#include "types/typemap.h"

/* What can be wrong with a value, in words that stand before "in column …". */
typedef struct ScyllaFault
{
	int sqlstate;
	const char *what;
	const char *detail; /* or NULL */
	const char *hint;   /* or NULL */
} ScyllaFault;

extern const ScyllaFault scylla_fault_malformed; /* the cell is no value of its CQL type */
extern const ScyllaFault scylla_fault_number_range;

typedef enum ScyllaPairUse
{
	SCYLLA_PAIR_OF_COLUMN,
	SCYLLA_PAIR_OF_VALUE /* rows that only bind count too */
} ScyllaPairUse;

/* The row for a pair, domains looked through; NULL: none. */
extern const ScyllaTypePair *scylla_type_row(const cql_type *cql, Oid type, ScyllaPairUse use);

/* The row for writetime() as timestamptz, which no other bigint goes with. */
extern const ScyllaTypePair scylla_write_time_pair;

extern void scylla_convert_raise(const ScyllaConverter *converter, const ScyllaFault *fault)
	__attribute__((noreturn));

/* The value can't be encoded: raise the fault if it is to be stored, else tell the fit. */
extern ScyllaFit scylla_convert_misfit(const ScyllaConverter *converter, ScyllaRound round,
									   ScyllaFit fit, const ScyllaFault *fault);

/* Between the two, errors of PostgreSQL's own functions get the column as context. */
extern void scylla_convert_enter(ErrorContextCallback *callback, ScyllaConverter *converter);
extern void scylla_convert_leave(const ErrorContextCallback *callback);

static inline bool
scylla_type_is_structured(const cql_type *cql)
{
	switch (cql->id)
	{
		case CQL_TYPE_LIST:
		case CQL_TYPE_SET:
		case CQL_TYPE_MAP:
		case CQL_TYPE_VECTOR:
		case CQL_TYPE_TUPLE:
		case CQL_TYPE_UDT:
			return true;
		default:
			return false;
	}
}

/* Begin a [value] of that length and return where its bytes go. */
static inline uint8 *
scylla_cell_append(StringInfo out, int32 len)
{
	uint8 *start;

	enlargeStringInfo(out, len + 4);
	start = (uint8 *) out->data + out->len;
	cql_put_u32(start, (uint32) len);
	out->len += len + 4;
	return start + 4;
}

/* Begin a [value] whose length is not known yet: bytes are appended, then _close tells it. */
static inline int
scylla_cell_open(StringInfo out)
{
	int start = out->len;

	enlargeStringInfo(out, 4);
	out->len += 4;
	return start;
}

static inline void
scylla_cell_close(StringInfo out, int start)
{
	cql_put_u32((uint8 *) out->data + start, (uint32) (out->len - start - 4));
}

/* The CQL text of a text Datum: UTF-8, verified, not ended by NUL; may point into the Datum. */
typedef struct ScyllaText
{
	const char *data;
	int len;
} ScyllaText;

/* False: the text of an SQL_ASCII database is not UTF-8. */
extern bool scylla_text_to_utf8(ScyllaConverter *converter, Datum value, ScyllaText *out);

/* The integer of a varint that fits 64 bits; false: it does not. */
extern bool scylla_varint_to_int64(cql_cell cell, int64 *out);
/* An integer numeric as 64 bits; NaN is above. Only EXACT and ROUNDED set *out. */
extern ScyllaFit scylla_numeric_to_int64(Datum value, ScyllaRound round, int64 *out);
/* "2y3mo4d5h6m7s8ms9us10ns", and back from it or from ISO 8601; false and a fault if it is not. */
#define SCYLLA_DURATION_TEXT_SIZE 128
extern int scylla_duration_print(const cql_duration *duration, char *out);
extern bool scylla_duration_parse(ScyllaText text, cql_duration *out, const ScyllaFault **fault);

/* The cell in the database's encoding, checked; may point into the cell. */
extern ScyllaText scylla_text_from_cell(ScyllaConverter *converter, cql_cell cell);

/* text.c */
extern Datum scylla_decode_text(ScyllaConverter *converter, cql_cell cell);
extern Datum scylla_decode_json(ScyllaConverter *converter, cql_cell cell);
extern Datum scylla_decode_jsonb(ScyllaConverter *converter, cql_cell cell);
extern Datum scylla_decode_xml(ScyllaConverter *converter, cql_cell cell);
extern Datum scylla_decode_enum(ScyllaConverter *converter, cql_cell cell);
extern ScyllaFit scylla_encode_enum(ScyllaConverter *converter, Datum value, ScyllaRound round,
									StringInfo out);
extern ScyllaFit scylla_encode_text(ScyllaConverter *converter, Datum value, ScyllaRound round,
									StringInfo out);
extern ScyllaFit scylla_encode_ascii(ScyllaConverter *converter, Datum value, ScyllaRound round,
									 StringInfo out);
extern ScyllaFit scylla_encode_jsonb(ScyllaConverter *converter, Datum value, ScyllaRound round,
									 StringInfo out);

/* integer.c: from each CQL integer to each PostgreSQL type as wide or wider, and to numeric. */
extern Datum scylla_decode_tinyint_int2(ScyllaConverter *converter, cql_cell cell);
extern Datum scylla_decode_tinyint_int4(ScyllaConverter *converter, cql_cell cell);
extern Datum scylla_decode_tinyint_int8(ScyllaConverter *converter, cql_cell cell);
extern Datum scylla_decode_tinyint_numeric(ScyllaConverter *converter, cql_cell cell);
extern Datum scylla_decode_smallint_int2(ScyllaConverter *converter, cql_cell cell);
extern Datum scylla_decode_smallint_int4(ScyllaConverter *converter, cql_cell cell);
extern Datum scylla_decode_smallint_int8(ScyllaConverter *converter, cql_cell cell);
extern Datum scylla_decode_smallint_numeric(ScyllaConverter *converter, cql_cell cell);
extern Datum scylla_decode_int_int4(ScyllaConverter *converter, cql_cell cell);
extern Datum scylla_decode_int_int8(ScyllaConverter *converter, cql_cell cell);
extern Datum scylla_decode_int_numeric(ScyllaConverter *converter, cql_cell cell);
extern Datum scylla_decode_bigint_int8(ScyllaConverter *converter, cql_cell cell);
extern Datum scylla_decode_bigint_numeric(ScyllaConverter *converter, cql_cell cell);
extern Datum scylla_decode_varint_int2(ScyllaConverter *converter, cql_cell cell);
extern Datum scylla_decode_varint_int4(ScyllaConverter *converter, cql_cell cell);
extern Datum scylla_decode_varint_int8(ScyllaConverter *converter, cql_cell cell);
/* From each PostgreSQL type to whichever CQL integer the converter is for. */
extern ScyllaFit scylla_encode_int2(ScyllaConverter *converter, Datum value, ScyllaRound round,
									StringInfo out);
extern ScyllaFit scylla_encode_int4(ScyllaConverter *converter, Datum value, ScyllaRound round,
									StringInfo out);
extern ScyllaFit scylla_encode_int8(ScyllaConverter *converter, Datum value, ScyllaRound round,
									StringInfo out);
extern ScyllaFit scylla_encode_numeric(ScyllaConverter *converter, Datum value, ScyllaRound round,
									   StringInfo out);
/* For comparisons only. */
extern ScyllaFit scylla_encode_whole_float4(ScyllaConverter *converter, Datum value,
											ScyllaRound round, StringInfo out);
extern ScyllaFit scylla_encode_whole_float8(ScyllaConverter *converter, Datum value,
											ScyllaRound round, StringInfo out);

/* numeric.c */
extern Datum scylla_decode_varint(ScyllaConverter *converter, cql_cell cell);
extern Datum scylla_decode_decimal(ScyllaConverter *converter, cql_cell cell);
extern ScyllaFit scylla_encode_varint(ScyllaConverter *converter, Datum value, ScyllaRound round,
									  StringInfo out);
extern ScyllaFit scylla_encode_decimal(ScyllaConverter *converter, Datum value, ScyllaRound round,
									   StringInfo out);

/* float.c */
extern Datum scylla_decode_float_float4(ScyllaConverter *converter, cql_cell cell);
extern Datum scylla_decode_float_float8(ScyllaConverter *converter, cql_cell cell);
extern Datum scylla_decode_double(ScyllaConverter *converter, cql_cell cell);
extern ScyllaFit scylla_encode_float_float4(ScyllaConverter *converter, Datum value,
											ScyllaRound round, StringInfo out);
extern ScyllaFit scylla_encode_float_float8(ScyllaConverter *converter, Datum value,
											ScyllaRound round, StringInfo out);
extern ScyllaFit scylla_encode_double_float4(ScyllaConverter *converter, Datum value,
											 ScyllaRound round, StringInfo out);
extern ScyllaFit scylla_encode_double_float8(ScyllaConverter *converter, Datum value,
											 ScyllaRound round, StringInfo out);

/* time.c: timestamp and timestamptz are the same number, so they share. */
extern Datum scylla_decode_timestamp(ScyllaConverter *converter, cql_cell cell);
extern Datum scylla_decode_write_time(ScyllaConverter *converter, cql_cell cell);
extern Datum scylla_decode_date(ScyllaConverter *converter, cql_cell cell);
extern Datum scylla_decode_time(ScyllaConverter *converter, cql_cell cell);
extern Datum scylla_decode_duration(ScyllaConverter *converter, cql_cell cell);
extern Datum scylla_decode_duration_text(ScyllaConverter *converter, cql_cell cell);
extern ScyllaFit scylla_encode_timestamp(ScyllaConverter *converter, Datum value, ScyllaRound round,
										 StringInfo out);
extern ScyllaFit scylla_encode_date(ScyllaConverter *converter, Datum value, ScyllaRound round,
									StringInfo out);
extern ScyllaFit scylla_encode_time(ScyllaConverter *converter, Datum value, ScyllaRound round,
									StringInfo out);
extern ScyllaFit scylla_encode_duration(ScyllaConverter *converter, Datum value, ScyllaRound round,
										StringInfo out);
extern ScyllaFit scylla_encode_duration_text(ScyllaConverter *converter, Datum value,
											 ScyllaRound round, StringInfo out);

/* other.c */
extern Datum scylla_decode_boolean(ScyllaConverter *converter, cql_cell cell);
extern Datum scylla_decode_blob(ScyllaConverter *converter, cql_cell cell);
extern Datum scylla_decode_uuid(ScyllaConverter *converter, cql_cell cell);
extern Datum scylla_decode_inet(ScyllaConverter *converter, cql_cell cell);
extern ScyllaFit scylla_encode_boolean(ScyllaConverter *converter, Datum value, ScyllaRound round,
									   StringInfo out);
extern ScyllaFit scylla_encode_blob(ScyllaConverter *converter, Datum value, ScyllaRound round,
									StringInfo out);
extern ScyllaFit scylla_encode_uuid(ScyllaConverter *converter, Datum value, ScyllaRound round,
									StringInfo out);
extern ScyllaFit scylla_encode_timeuuid_time(ScyllaConverter *converter, Datum value,
											 ScyllaRound round, StringInfo out);
extern ScyllaFit scylla_encode_inet(ScyllaConverter *converter, Datum value, ScyllaRound round,
									StringInfo out);

#endif /* SCYLLA_CONVERT_H */
