/*
 * CQL's notation of durations: "1y2mo3d4h5m6s7ms8us9ns", and what CQL takes besides: weeks, a
 * minus before the whole, any case, µs, and ISO 8601's three forms (P1Y2M3DT4H5M6S, P3W,
 * P0001-02-03T04:05:06). Source: CQL's definition of the duration literal.
 */
#include "postgres.h"

#include "common/int.h"

#include "types/convert.h"

typedef enum DurationField
{
	FIELD_MONTHS,
	FIELD_DAYS,
	FIELD_NANOSECONDS,
	FIELD_COUNT
} DurationField;

typedef struct DurationUnit
{
	const char *name; /* lower case */
	DurationField field;
	uint64 factor;
} DurationUnit;

/* Largest first: CQL wants that order, each unit at most once. */
static const DurationUnit units[] = {
	{"y", FIELD_MONTHS, 12},
	{"mo", FIELD_MONTHS, 1},
	{"w", FIELD_DAYS, 7},
	{"d", FIELD_DAYS, 1},
	{"h", FIELD_NANOSECONDS, UINT64CONST(3600000000000)},
	{"m", FIELD_NANOSECONDS, UINT64CONST(60000000000)},
	{"s", FIELD_NANOSECONDS, UINT64CONST(1000000000)},
	{"ms", FIELD_NANOSECONDS, UINT64CONST(1000000)},
	{"us", FIELD_NANOSECONDS, UINT64CONST(1000)},
	{"ns", FIELD_NANOSECONDS, UINT64CONST(1)},
};

static const ScyllaFault fault_syntax = {
	ERRCODE_INVALID_TEXT_REPRESENTATION, "malformed duration", NULL,
	"Durations are written as 1y2mo3w4d5h6m7s8ms9us10ns (largest unit first), or as ISO 8601."};
static const ScyllaFault fault_range = {
	ERRCODE_DATETIME_VALUE_OUT_OF_RANGE, "duration out of range",
	"CQL counts months and days in 32 bits, nanoseconds in 64.", NULL};

/* ---- printing ---- */

static uint64
magnitude(int64 value)
{
	return value < 0 ? -(uint64) value : (uint64) value;
}

int
scylla_duration_print(const cql_duration *duration, char *out)
{
	uint64 rest[FIELD_COUNT] = {magnitude(duration->months), magnitude(duration->days),
								magnitude(duration->nanoseconds)};
	char *next = out;

	if (duration->months < 0 || duration->days < 0 || duration->nanoseconds < 0)
		*next++ = '-';
	for (int i = 0; i < (int) lengthof(units); i++)
	{
		uint64 *left = &rest[units[i].field];

		/* CQL reads weeks, but writes days. */
		if (*left < units[i].factor || units[i].name[0] == 'w')
			continue;
		next += sprintf(next, UINT64_FORMAT "%s", *left / units[i].factor, units[i].name);
		*left %= units[i].factor;
	}
	/* CQL prints nothing at all, which it does not read back. */
	if (next == out)
		next += sprintf(next, "0ns");
	return next - out;
}

/* ---- parsing ---- */

typedef struct DurationParser
{
	const char *next;
	const char *end;
	uint64 sums[FIELD_COUNT];
	const ScyllaFault *fault; /* NULL: none so far */
} DurationParser;

static bool
fail(DurationParser *parser, const ScyllaFault *fault)
{
	parser->fault = fault;
	return false;
}

static bool
take_char(DurationParser *parser, char c)
{
	if (parser->next == parser->end || *parser->next != c)
		return false;
	parser->next++;
	return true;
}

/* width 0: as many digits as there are. */
static bool
take_number(DurationParser *parser, int width, uint64 *out)
{
	const char *start = parser->next;
	uint64 number = 0;

	while (parser->next < parser->end && *parser->next >= '0' && *parser->next <= '9' &&
		   (width == 0 || parser->next - start < width))
	{
		if (pg_mul_u64_overflow(number, 10, &number) ||
			pg_add_u64_overflow(number, *parser->next - '0', &number))
			return fail(parser, &fault_range);
		parser->next++;
	}
	if (parser->next == start || (width != 0 && parser->next - start != width))
		return fail(parser, &fault_syntax);
	*out = number;
	return true;
}

static bool
add_units(DurationParser *parser, int unit, uint64 number)
{
	uint64 *sum = &parser->sums[units[unit].field];

	if (pg_mul_u64_overflow(number, units[unit].factor, &number) ||
		pg_add_u64_overflow(*sum, number, sum))
		return fail(parser, &fault_range);
	return true;
}

/* -1: none of that name. */
static int
find_unit(const char *name)
{
	for (int i = 0; i < (int) lengthof(units); i++)
	{
		if (strcmp(units[i].name, name) == 0)
			return i;
	}
	return -1;
}

/* The unit that the text goes on with, the longest of them; -1: none. */
static int
take_unit(DurationParser *parser)
{
	static const char micro_sign[] = "\302\265";
	int left = parser->end - parser->next;

	if (left >= 3 && memcmp(parser->next, micro_sign, 2) == 0 &&
		pg_tolower((unsigned char) parser->next[2]) == 's')
	{
		parser->next += 3;
		return find_unit("us");
	}
	for (int len = Min(left, 2); len > 0; len--)
	{
		char name[3] = "";
		int unit;

		for (int i = 0; i < len; i++)
			name[i] = pg_tolower((unsigned char) parser->next[i]);
		unit = find_unit(name);
		if (unit >= 0)
		{
			parser->next += len;
			return unit;
		}
	}
	return -1;
}

static bool
parse_standard(DurationParser *parser)
{
	int last = -1;

	do
	{
		uint64 number;
		int unit;

		if (!take_number(parser, 0, &number))
			return false;
		unit = take_unit(parser);
		if (unit <= last)
			return fail(parser, &fault_syntax);
		if (!add_units(parser, unit, number))
			return false;
		last = unit;
	} while (parser->next < parser->end);
	return true;
}

/* After "P": numbers with designators, in order; 'T' begins the time. */
static bool
parse_iso(DurationParser *parser)
{
	static const char designators[] = "YMWDHMS";
	static const char *const names[] = {"y", "mo", "w", "d", "h", "m", "s"};
	const int date_count = 4;
	int limit = date_count;
	int next = 0;

	while (parser->next < parser->end)
	{
		uint64 number;

		if (limit == date_count && take_char(parser, 'T'))
		{
			next = date_count;
			limit = lengthof(names);
		}
		if (!take_number(parser, 0, &number))
			return false;
		while (next < limit && !take_char(parser, designators[next]))
			next++;
		if (next == limit)
			return fail(parser, &fault_syntax);
		if (!add_units(parser, find_unit(names[next]), number))
			return false;
		next++;
	}
	return true;
}

/* After "P": YYYY-MM-DDThh:mm:ss */
static bool
parse_iso_alternative(DurationParser *parser)
{
	static const struct
	{
		int width;
		char after;
		const char *unit;
	} parts[] = {{4, '-', "y"}, {2, '-', "mo"}, {2, 'T', "d"},
				 {2, ':', "h"}, {2, ':', "m"},  {2, '\0', "s"}};

	for (int p = 0; p < (int) lengthof(parts); p++)
	{
		uint64 number;

		if (!take_number(parser, parts[p].width, &number))
			return false;
		if (parts[p].after != '\0' && !take_char(parser, parts[p].after))
			return fail(parser, &fault_syntax);
		if (!add_units(parser, find_unit(parts[p].unit), number))
			return false;
	}
	return parser->next == parser->end || fail(parser, &fault_syntax);
}

static bool
parse_any(DurationParser *parser)
{
	if (!take_char(parser, 'P'))
		return parse_standard(parser);
	if (parser->next == parser->end)
		return fail(parser, &fault_syntax);
	if (memchr(parser->next, '-', parser->end - parser->next) != NULL)
		return parse_iso_alternative(parser);
	return parse_iso(parser);
}

/* A sum as a signed number; the negative side is longer by one. */
static bool
apply_sign(uint64 sum, bool is_negative, int64 max, int64 *out)
{
	if (sum > (uint64) max + (is_negative ? 1 : 0))
		return false;
	*out = is_negative ? (int64) -sum : (int64) sum;
	return true;
}

bool
scylla_duration_parse(ScyllaText text, cql_duration *out, const ScyllaFault **fault)
{
	DurationParser parser = {.next = text.data, .end = text.data + text.len};
	bool is_negative = take_char(&parser, '-');
	int64 months;
	int64 days;
	int64 nanoseconds;

	if (!parse_any(&parser))
	{
		*fault = parser.fault;
		return false;
	}
	if (!apply_sign(parser.sums[FIELD_MONTHS], is_negative, PG_INT32_MAX, &months) ||
		!apply_sign(parser.sums[FIELD_DAYS], is_negative, PG_INT32_MAX, &days) ||
		!apply_sign(parser.sums[FIELD_NANOSECONDS], is_negative, PG_INT64_MAX, &nanoseconds))
	{
		*fault = &fault_range;
		return false;
	}
	*out = (cql_duration) {(int32) months, (int32) days, nanoseconds};
	return true;
}
