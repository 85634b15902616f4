/*
 * tinyint, smallint, int, bigint, counter, and varint where it is declared as an integer.
 *
 * Reading: one function per pair, since a pair is known when the converter is made. Encoding: one
 * function per PostgreSQL type; a number that the CQL type cannot hold is told, never cut.
 */
#include "postgres.h"

#include <math.h>

#include "utils/numeric.h"

#include "types/convert.h"

/* ---- reading ---- */

/* Define the decoder from a CQL integer of C type ctype, read by reader, to a PostgreSQL type. */
#define DEFINE_DECODE(name, ctype, reader, to_datum)                      \
	Datum scylla_decode_##name(ScyllaConverter *converter, cql_cell cell) \
	{                                                                     \
		ctype value;                                                      \
                                                                          \
		if (!reader(cell, &value))                                        \
			scylla_convert_raise(converter, &scylla_fault_malformed);     \
		return to_datum(value);                                           \
	}

#define NUMERIC_DATUM(value) NumericGetDatum(int64_to_numeric(value))

DEFINE_DECODE(tinyint_int2, int8_t, cql_read_i8, Int16GetDatum)
DEFINE_DECODE(tinyint_int4, int8_t, cql_read_i8, Int32GetDatum)
DEFINE_DECODE(tinyint_int8, int8_t, cql_read_i8, Int64GetDatum)
DEFINE_DECODE(tinyint_numeric, int8_t, cql_read_i8, NUMERIC_DATUM)
DEFINE_DECODE(smallint_int2, int16_t, cql_read_i16, Int16GetDatum)
DEFINE_DECODE(smallint_int4, int16_t, cql_read_i16, Int32GetDatum)
DEFINE_DECODE(smallint_int8, int16_t, cql_read_i16, Int64GetDatum)
DEFINE_DECODE(smallint_numeric, int16_t, cql_read_i16, NUMERIC_DATUM)
DEFINE_DECODE(int_int4, int32_t, cql_read_i32, Int32GetDatum)
DEFINE_DECODE(int_int8, int32_t, cql_read_i32, Int64GetDatum)
DEFINE_DECODE(int_numeric, int32_t, cql_read_i32, NUMERIC_DATUM)
DEFINE_DECODE(bigint_int8, int64_t, cql_read_i64, Int64GetDatum)
DEFINE_DECODE(bigint_numeric, int64_t, cql_read_i64, NUMERIC_DATUM)

bool
scylla_varint_to_int64(cql_cell cell, int64 *out)
{
	uint64 value = (cell.data[0] & 0x80) != 0 ? ~UINT64CONST(0) : 0;
	uint8 sign = (uint8) value;
	int i = 0;

	/* Encodings need not be minimal. */
	while (cell.len - i > (int) sizeof(int64) && cell.data[i] == sign)
		i++;
	if (cell.len - i > (int) sizeof(int64) || ((cell.data[i] ^ sign) & 0x80 && i > 0))
		return false;
	for (; i < cell.len; i++)
		value = (value << 8) | cell.data[i];
	*out = (int64) value;
	return true;
}

static int64
read_varint(ScyllaConverter *converter, cql_cell cell, int64 min, int64 max)
{
	int64 value;

	if (!scylla_varint_to_int64(cell, &value) || value < min || value > max)
		scylla_convert_raise(converter, &scylla_fault_number_range);
	return value;
}

Datum
scylla_decode_varint_int2(ScyllaConverter *converter, cql_cell cell)
{
	return Int16GetDatum((int16) read_varint(converter, cell, PG_INT16_MIN, PG_INT16_MAX));
}

Datum
scylla_decode_varint_int4(ScyllaConverter *converter, cql_cell cell)
{
	return Int32GetDatum((int32) read_varint(converter, cell, PG_INT32_MIN, PG_INT32_MAX));
}

Datum
scylla_decode_varint_int8(ScyllaConverter *converter, cql_cell cell)
{
	return Int64GetDatum(read_varint(converter, cell, PG_INT64_MIN, PG_INT64_MAX));
}

/* ---- encoding ---- */

/* Bytes of a CQL integer; 0: as many as the value takes. */
static int
integer_width(cql_type_id cql)
{
	switch (cql)
	{
		case CQL_TYPE_TINYINT:
			return 1;
		case CQL_TYPE_SMALLINT:
			return 2;
		case CQL_TYPE_INT:
			return 4;
		case CQL_TYPE_BIGINT:
		case CQL_TYPE_COUNTER:
			return 8;
		default:
			return 0;
	}
}

/* The fewest bytes that keep the value and its sign. */
static int
minimal_width(int64 value)
{
	uint64 magnitude = (uint64) (value < 0 ? ~value : value);
	int width = 1;

	while (width < (int) sizeof(int64) && (magnitude >> (8 * width - 1)) != 0)
		width++;
	return width;
}

static ScyllaFit
append_integer(ScyllaConverter *converter, int64 value, ScyllaRound round, StringInfo out)
{
	int width = integer_width(converter->pair->cql);
	int64 max;
	uint8 *bytes;

	if (width == 0)
		width = minimal_width(value);
	max = PG_INT64_MAX >> (64 - 8 * width);
	if (value > max || value < -max - 1)
		return scylla_convert_misfit(converter, round,
									 value > max ? SCYLLA_FIT_ABOVE : SCYLLA_FIT_BELOW,
									 &scylla_fault_number_range);
	bytes = scylla_cell_append(out, width);
	for (int i = width - 1; i >= 0; i--)
	{
		bytes[i] = (uint8) value;
		value >>= 8;
	}
	return SCYLLA_FIT_EXACT;
}

ScyllaFit
scylla_encode_int2(ScyllaConverter *converter, Datum value, ScyllaRound round, StringInfo out)
{
	return append_integer(converter, DatumGetInt16(value), round, out);
}

ScyllaFit
scylla_encode_int4(ScyllaConverter *converter, Datum value, ScyllaRound round, StringInfo out)
{
	return append_integer(converter, DatumGetInt32(value), round, out);
}

ScyllaFit
scylla_encode_int8(ScyllaConverter *converter, Datum value, ScyllaRound round, StringInfo out)
{
	return append_integer(converter, DatumGetInt64(value), round, out);
}

ScyllaFit
scylla_encode_numeric(ScyllaConverter *converter, Datum value, ScyllaRound round, StringInfo out)
{
	int64 integer;
	ScyllaFit fit = scylla_numeric_to_int64(value, round, &integer);
	ScyllaFit range;

	if (fit != SCYLLA_FIT_EXACT && (fit != SCYLLA_FIT_ROUNDED || round == SCYLLA_ROUND_STORE))
		return scylla_convert_misfit(converter, round, fit, &scylla_fault_number_range);
	range = append_integer(converter, integer, round, out);
	return range == SCYLLA_FIT_EXACT ? fit : range;
}

/* 2^63: the first double beyond int64. */
#define INT64_END 9223372036854775808.0

static ScyllaFit
append_whole(ScyllaConverter *converter, double value, ScyllaRound round, StringInfo out)
{
	double whole = round == SCYLLA_ROUND_UP ? ceil(value) : floor(value);
	ScyllaFit range;

	/* PostgreSQL's NaN is above all numbers. */
	if (isnan(value) || whole >= INT64_END)
		return scylla_convert_misfit(converter, round, SCYLLA_FIT_ABOVE,
									 &scylla_fault_number_range);
	if (whole < -INT64_END)
		return scylla_convert_misfit(converter, round, SCYLLA_FIT_BELOW,
									 &scylla_fault_number_range);
	range = append_integer(converter, (int64) whole, round, out);
	return range == SCYLLA_FIT_EXACT && whole != value ? SCYLLA_FIT_ROUNDED : range;
}

ScyllaFit
scylla_encode_whole_float4(ScyllaConverter *converter, Datum value, ScyllaRound round,
						   StringInfo out)
{
	return append_whole(converter, DatumGetFloat4(value), round, out);
}

ScyllaFit
scylla_encode_whole_float8(ScyllaConverter *converter, Datum value, ScyllaRound round,
						   StringInfo out)
{
	return append_whole(converter, DatumGetFloat8(value), round, out);
}
