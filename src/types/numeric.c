/*
 * varint and decimal, from and to numeric, at every size that numeric can hold.
 *
 * Numbers go between base 2^32 (CQL: two's complement) and base 10000 (numeric) by arithmetic.
 * numeric's insides are reached by its binary format: digits of base 10000, the weight of the
 * first one, sign, and the number of decimals shown.
 */
#include "postgres.h"

#include "common/int.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

#include "compat.h"
#include "types/convert.h"

#define DIGIT_BASE 10000
#define DIGIT_WIDTH 4
/* What numeric holds: digits before and after the decimal point (PostgreSQL manual, 8.1.2). */
#define MAX_WHOLE_DIGITS 131072
#define MAX_SCALE 16383
#define MAX_WEIGHT (MAX_WHOLE_DIGITS / DIGIT_WIDTH - 1)
/* No number of more bytes has so few digits: a byte is more than 2.4 of them. */
#define MAX_BYTES ((MAX_WHOLE_DIGITS + MAX_SCALE) * 5 / 12 + 1)

/* The signs of the binary format. */
#define WIRE_NEGATIVE 0x4000
#define WIRE_NAN 0xC000
#define WIRE_INFINITY 0xD000
#define WIRE_MINUS_INFINITY 0xF000

static const ScyllaFault fault_digits = {ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE, "number out of range",
										 "It has more digits than numeric can hold.", NULL};
static const ScyllaFault fault_special = {ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE, "number out of range",
										  "CQL has no NaN and no infinity of that type.", NULL};
static const ScyllaFault fault_fraction = {ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
										   "number with a fraction",
										   "CQL's varint holds whole numbers.", "Round it first."};

/* A magnitude: base 2^32, least part first, no zero at the top (so zero has no part at all). */
typedef struct Magnitude
{
	uint32 *parts;
	int count;
} Magnitude;

static const uint32 powers_of_ten[] = {1,      10,      100,      1000,      10000,
									   100000, 1000000, 10000000, 100000000, 1000000000};

/* Room for the product is the caller's to provide. */
static void
multiply_add(Magnitude *number, uint32 factor, uint32 carry)
{
	for (int i = 0; i < number->count; i++)
	{
		uint64 product = (uint64) number->parts[i] * factor + carry;

		number->parts[i] = (uint32) product;
		carry = (uint32) (product >> 32);
	}
	if (carry != 0)
		number->parts[number->count++] = carry;
}

/* Divide in place; the remainder is returned. */
static uint32
divide(Magnitude *number, uint32 divisor)
{
	uint64 rest = 0;

	for (int i = number->count - 1; i >= 0; i--)
	{
		rest = (rest << 32) | number->parts[i];
		number->parts[i] = (uint32) (rest / divisor);
		rest %= divisor;
	}
	while (number->count > 0 && number->parts[number->count - 1] == 0)
		number->count--;
	return (uint32) rest;
}

static void
multiply_power_of_ten(Magnitude *number, int exponent)
{
	for (; exponent > 9; exponent -= 9)
	{
		CHECK_FOR_INTERRUPTS();
		multiply_add(number, powers_of_ten[9], 0);
	}
	multiply_add(number, powers_of_ten[exponent], 0);
}

/* ---- reading ---- */

/* The magnitude of a varint of at most MAX_BYTES, with room for one part more. */
static Magnitude
read_magnitude(cql_cell cell, bool is_negative)
{
	Magnitude number;
	uint32 carry = is_negative ? 1 : 0;
	uint8 flip = is_negative ? 0xFF : 0;
	int limit = cell.len / 4 + 2;

	number.parts = palloc0(limit * sizeof(uint32));
	for (int i = 0; i < cell.len; i++)
	{
		uint32 byte = (uint32) (cell.data[cell.len - 1 - i] ^ flip) + carry;

		number.parts[i / 4] |= (byte & 0xFF) << (8 * (i % 4));
		carry = byte >> 8;
	}
	number.count = limit;
	while (number.count > 0 && number.parts[number.count - 1] == 0)
		number.count--;
	return number;
}

/* Digits of base 10000, least first, without zeros at the top; the number is used up. */
static int
split_digits(Magnitude *number, uint16 *digits)
{
	int count = 0;

	while (number->count > 0)
	{
		uint32 rest;

		CHECK_FOR_INTERRUPTS();
		rest = divide(number, DIGIT_BASE * DIGIT_BASE);
		digits[count++] = rest % DIGIT_BASE;
		digits[count++] = rest / DIGIT_BASE;
	}
	while (count > 0 && digits[count - 1] == 0)
		count--;
	return count;
}

/* Hand digits (least first) to numeric, in its binary format. */
static Datum
make_numeric(const uint16 *digits, int count, int weight, int sign, int scale)
{
	StringInfoData wire;
	uint8 *next;

	wire.maxlen = wire.len = 2 * (4 + count);
	wire.data = palloc(wire.maxlen);
	wire.cursor = 0;
	next = (uint8 *) wire.data;
	cql_put_u16(next, (uint16) count);
	cql_put_u16(next + 2, (uint16) weight);
	cql_put_u16(next + 4, (uint16) sign);
	cql_put_u16(next + 6, (uint16) scale);
	for (int i = count - 1; i >= 0; i--)
		cql_put_u16(next + 2 * (4 + count - 1 - i), digits[i]);
	return DirectFunctionCall3(numeric_recv, PointerGetDatum(&wire), ObjectIdGetDatum(InvalidOid),
							   Int32GetDatum(-1));
}

/* unscaled * 10^-scale */
static Datum
read_number(ScyllaConverter *converter, cql_cell unscaled, int32 scale)
{
	bool is_negative = (unscaled.data[0] & 0x80) != 0;
	uint8 sign = is_negative ? 0xFF : 0;
	Magnitude number;
	uint16 *digits;
	int pad;
	int count;
	int weight;

	/* Encodings need not be minimal. */
	while (unscaled.len > 1 && unscaled.data[0] == sign && !((unscaled.data[1] ^ sign) & 0x80))
	{
		unscaled.data++;
		unscaled.len--;
	}
	if (unscaled.len > MAX_BYTES || scale > MAX_SCALE)
		scylla_convert_raise(converter, &fault_digits);
	number = read_magnitude(unscaled, is_negative);
	if (number.count == 0)
		return make_numeric(NULL, 0, 0, 0, Max(scale, 0));
	if (scale < -MAX_WHOLE_DIGITS)
		scylla_convert_raise(converter, &fault_digits);

	/* Zeros at the end, so that the decimal point falls between two digits of base 10000. */
	pad = (DIGIT_WIDTH - (scale + 2 * MAX_WHOLE_DIGITS) % DIGIT_WIDTH) % DIGIT_WIDTH;
	multiply_add(&number, powers_of_ten[pad], 0);
	/* A part of 32 bits is less than 2.41 digits. */
	digits = palloc((number.count * 5 / 2 + 4) * sizeof(uint16));
	count = split_digits(&number, digits);
	weight = count - 1 - (scale + pad) / DIGIT_WIDTH;
	if (weight > MAX_WEIGHT)
		scylla_convert_raise(converter, &fault_digits);
	return make_numeric(digits, count, weight, is_negative ? WIRE_NEGATIVE : 0, Max(scale, 0));
}

Datum
scylla_decode_varint(ScyllaConverter *converter, cql_cell cell)
{
	int64 value;

	if (scylla_varint_to_int64(cell, &value))
		return NumericGetDatum(int64_to_numeric(value));
	return read_number(converter, cell, 0);
}

Datum
scylla_decode_decimal(ScyllaConverter *converter, cql_cell cell)
{
	cql_cell unscaled;
	int32 scale;

	if (!cql_read_decimal(cell, &scale, &unscaled) || unscaled.len == 0)
		scylla_convert_raise(converter, &scylla_fault_malformed);
	return read_number(converter, unscaled, scale);
}

/* ---- encoding ---- */

/* A numeric, taken apart; digits are big-endian, most significant first. */
typedef struct NumericParts
{
	int count;
	int weight;
	int sign;
	int scale;
	const uint8 *digits;
} NumericParts;

static NumericParts
take_apart(Datum value)
{
	bytea *wire = DatumGetByteaPP(DirectFunctionCall1(numeric_send, value));
	const uint8 *bytes = (const uint8 *) VARDATA_ANY(wire);
	NumericParts parts;

	parts.count = cql_get_u16(bytes);
	parts.weight = (int16) cql_get_u16(bytes + 2);
	parts.sign = cql_get_u16(bytes + 4);
	parts.scale = cql_get_u16(bytes + 6);
	parts.digits = bytes + 8;
	return parts;
}

static uint32
digit_at(const NumericParts *parts, int i)
{
	return cql_get_u16(parts->digits + 2 * i);
}

static bool
has_fraction(const NumericParts *parts)
{
	for (int i = Max(parts->weight + 1, 0); i < parts->count; i++)
	{
		if (digit_at(parts, i) != 0)
			return true;
	}
	return false;
}

/* EXACT for a finite number; PostgreSQL sorts NaN above all others. */
static ScyllaFit
judge_special(const NumericParts *parts)
{
	switch (parts->sign)
	{
		case WIRE_NAN:
		case WIRE_INFINITY:
			return SCYLLA_FIT_ABOVE;
		case WIRE_MINUS_INFINITY:
			return SCYLLA_FIT_BELOW;
		default:
			return SCYLLA_FIT_EXACT;
	}
}

/* Up where that is asked for; else down, which "nearest" may be as well: it is not equal. */
static Datum
round_to_whole(Datum value, ScyllaRound round)
{
	return DirectFunctionCall1(round == SCYLLA_ROUND_UP ? numeric_ceil : numeric_floor, value);
}

ScyllaFit
scylla_numeric_to_int64(Datum value, ScyllaRound round, int64 *out)
{
	NumericParts parts = take_apart(value);
	ScyllaFit fit = judge_special(&parts);
	bool is_negative = parts.sign == WIRE_NEGATIVE;
	int64 sum = 0;

	if (fit != SCYLLA_FIT_EXACT)
		return fit;
	if (has_fraction(&parts))
	{
		fit = SCYLLA_FIT_ROUNDED;
		parts = take_apart(round_to_whole(value, round));
		is_negative = parts.sign == WIRE_NEGATIVE;
	}
	/* Downwards, since that side of int64 is longer by one. */
	for (int i = 0; parts.count > 0 && i <= parts.weight; i++)
	{
		int64 digit = i < parts.count ? digit_at(&parts, i) : 0;

		if (pg_mul_s64_overflow(sum, DIGIT_BASE, &sum) || pg_sub_s64_overflow(sum, digit, &sum))
			return is_negative ? SCYLLA_FIT_BELOW : SCYLLA_FIT_ABOVE;
	}
	if (!is_negative && sum == PG_INT64_MIN)
		return SCYLLA_FIT_ABOVE;
	*out = is_negative ? sum : -sum;
	return fit;
}

/* The magnitude of the digits as one whole number, times 10^exponent (-3 at the least). */
static Magnitude
join_digits(const NumericParts *parts, int exponent)
{
	Magnitude number = {NULL, 0};
	int digits = parts->count * DIGIT_WIDTH + Max(exponent, 0);
	int i = 0;

	/* Nine decimal digits take less than 32 bits. */
	number.parts = palloc((digits / 9 + 2) * sizeof(uint32));
	if (parts->count % 2 == 1)
		multiply_add(&number, 1, digit_at(parts, i++));
	for (; i < parts->count; i += 2)
	{
		CHECK_FOR_INTERRUPTS();
		multiply_add(&number, DIGIT_BASE * DIGIT_BASE,
					 digit_at(parts, i) * DIGIT_BASE + digit_at(parts, i + 1));
	}
	if (number.count == 0)
		return number;
	if (exponent >= 0)
		multiply_power_of_ten(&number, exponent);
	else if (divide(&number, powers_of_ten[-exponent]) != 0)
		elog(ERROR, "numeric has digits beyond its scale");
	return number;
}

static int
count_bits(const Magnitude *number)
{
	uint32 top = number->parts[number->count - 1];
	int bits = 32 * (number->count - 1);

	for (; top != 0; top >>= 1)
		bits++;
	return bits;
}

static bool
is_power_of_two(const Magnitude *number)
{
	uint32 top = number->parts[number->count - 1];

	for (int i = 0; i < number->count - 1; i++)
	{
		if (number->parts[i] != 0)
			return false;
	}
	return (top & (top - 1)) == 0;
}

/* Bytes of the shortest two's complement. */
static int
varint_len(const Magnitude *number, bool is_negative)
{
	int bits;

	if (number->count == 0)
		return 1;
	bits = count_bits(number);
	/* -128 fits one byte, 128 does not. */
	if (is_negative && is_power_of_two(number))
		bits--;
	return bits / 8 + 1;
}

static void
write_varint(const Magnitude *number, bool is_negative, uint8 *out, int len)
{
	uint32 carry = is_negative ? 1 : 0;
	uint8 flip = is_negative ? 0xFF : 0;

	for (int i = 0; i < len; i++)
	{
		uint32 part = i / 4 < number->count ? number->parts[i / 4] : 0;
		uint32 byte = (uint32) ((uint8) (part >> (8 * (i % 4))) ^ flip) + carry;

		out[len - 1 - i] = (uint8) byte;
		carry = byte >> 8;
	}
}

ScyllaFit
scylla_encode_varint(ScyllaConverter *converter, Datum value, ScyllaRound round, StringInfo out)
{
	NumericParts parts = take_apart(value);
	ScyllaFit fit = judge_special(&parts);
	Magnitude number;
	bool is_negative;
	int len;

	if (fit != SCYLLA_FIT_EXACT)
		return scylla_convert_misfit(converter, round, fit, &fault_special);
	if (has_fraction(&parts))
	{
		fit = scylla_convert_misfit(converter, round, SCYLLA_FIT_ROUNDED, &fault_fraction);
		parts = take_apart(round_to_whole(value, round));
	}
	/* Without a fraction, whatever stands behind the point is zeros. */
	parts.count = Min(parts.count, Max(parts.weight + 1, 0));
	number = join_digits(&parts, (parts.weight + 1 - parts.count) * DIGIT_WIDTH);
	is_negative = parts.sign == WIRE_NEGATIVE;
	len = varint_len(&number, is_negative);
	write_varint(&number, is_negative, scylla_cell_append(out, len), len);
	return fit;
}

ScyllaFit
scylla_encode_decimal(ScyllaConverter *converter, Datum value, ScyllaRound round, StringInfo out)
{
	NumericParts parts = take_apart(value);
	ScyllaFit fit = judge_special(&parts);
	bool is_negative = parts.sign == WIRE_NEGATIVE;
	Magnitude number;
	uint8 *bytes;
	int len;

	if (fit != SCYLLA_FIT_EXACT)
		return scylla_convert_misfit(converter, round, fit, &fault_special);
	number = join_digits(&parts, (parts.weight + 1 - parts.count) * DIGIT_WIDTH + parts.scale);
	len = varint_len(&number, is_negative);
	bytes = scylla_cell_append(out, 4 + len);
	cql_put_u32(bytes, (uint32) parts.scale);
	write_varint(&number, is_negative, bytes + 4, len);
	return SCYLLA_FIT_EXACT;
}
