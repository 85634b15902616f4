/*
 * float and double, to the last bit.
 *
 * PostgreSQL holds 0 and -0 equal, CQL sorts -0 first; so a bound that is a zero becomes the zero
 * that has both on the side asked for. NaN sorts last, and all NaNs as one, on both sides.
 */
#include "postgres.h"

#include <math.h>

#include "types/convert.h"

static const ScyllaFault fault_inexact = {ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
										  "number that float cannot hold exactly", NULL,
										  "Cast it to real, which rounds it."};

Datum
scylla_decode_float_float4(ScyllaConverter *converter, cql_cell cell)
{
	float value;

	if (!cql_read_float(cell, &value))
		scylla_convert_raise(converter, &scylla_fault_malformed);
	return Float4GetDatum(value);
}

Datum
scylla_decode_float_float8(ScyllaConverter *converter, cql_cell cell)
{
	float value;

	if (!cql_read_float(cell, &value))
		scylla_convert_raise(converter, &scylla_fault_malformed);
	return Float8GetDatum((double) value);
}

Datum
scylla_decode_double(ScyllaConverter *converter, cql_cell cell)
{
	double value;

	if (!cql_read_double(cell, &value))
		scylla_convert_raise(converter, &scylla_fault_malformed);
	return Float8GetDatum(value);
}

/* The zero that a bound needs: "not above" has both below it, "not below" both above. */
static double
bound_zero(double value, ScyllaRound round)
{
	if (value == 0 && round == SCYLLA_ROUND_DOWN)
		return 0.0;
	if (value == 0 && round == SCYLLA_ROUND_UP)
		return -0.0;
	return value;
}

static void
append_float(float value, StringInfo out)
{
	uint32 bits;

	memcpy(&bits, &value, sizeof(bits));
	cql_put_u32(scylla_cell_append(out, sizeof(bits)), bits);
}

static void
append_double(double value, StringInfo out)
{
	uint64 bits;

	memcpy(&bits, &value, sizeof(bits));
	cql_put_u64(scylla_cell_append(out, sizeof(bits)), bits);
}

ScyllaFit
scylla_encode_float_float4(ScyllaConverter *converter, Datum value, ScyllaRound round,
						   StringInfo out)
{
	float number = DatumGetFloat4(value);

	/* No cast to double and back for others: it would set the quiet bit of a NaN. */
	if (number == 0)
		number = (float) bound_zero(number, round);
	append_float(number, out);
	return SCYLLA_FIT_EXACT;
}

ScyllaFit
scylla_encode_float_float8(ScyllaConverter *converter, Datum value, ScyllaRound round,
						   StringInfo out)
{
	double number = bound_zero(DatumGetFloat8(value), round);
	float nearest = (float) number;
	ScyllaFit fit = SCYLLA_FIT_EXACT;

	if (!isnan(number) && (double) nearest != number)
	{
		fit = scylla_convert_misfit(converter, round, SCYLLA_FIT_ROUNDED, &fault_inexact);
		if (round == SCYLLA_ROUND_DOWN && nearest > number)
			nearest = nextafterf(nearest, -INFINITY);
		else if (round == SCYLLA_ROUND_UP && nearest < number)
			nearest = nextafterf(nearest, INFINITY);
		/* A tiny bound may have come down to a zero, of which the right one counts again. */
		nearest = nearest == 0 ? (float) bound_zero(nearest, round) : nearest;
	}
	append_float(nearest, out);
	return fit;
}

ScyllaFit
scylla_encode_double_float4(ScyllaConverter *converter, Datum value, ScyllaRound round,
							StringInfo out)
{
	append_double(bound_zero((double) DatumGetFloat4(value), round), out);
	return SCYLLA_FIT_EXACT;
}

ScyllaFit
scylla_encode_double_float8(ScyllaConverter *converter, Datum value, ScyllaRound round,
							StringInfo out)
{
	append_double(bound_zero(DatumGetFloat8(value), round), out);
	return SCYLLA_FIT_EXACT;
}
