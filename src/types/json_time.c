/*
 * CQL's texts of timestamps, dates and times, over the whole range of CQL's numbers: years of the
 * proleptic Gregorian calendar, year 0 before year 1, a sign where they have not four digits.
 */
#include "postgres.h"

#include "common/int.h"

#include "types/structure.h"

#define MS_PER_DAY INT64CONST(86400000)
/* Years of 400 are all alike: 146097 days. */
#define DAYS_PER_ERA 146097
/* From 0000-03-01 to 1970-01-01; years begin in March here, so that a leap day ends one. */
#define EPOCH_DAYS 719468
/* No timestamp has a year beyond it. */
#define MAX_YEAR 400000000

typedef struct CivilDate
{
	int64 year;
	int month;
	int day;
} CivilDate;

/* Quotient downwards, so that the rest is never negative. */
static int64
floor_divide(int64 value, int64 divisor)
{
	int64 quotient = value / divisor;

	return quotient - (value % divisor < 0 ? 1 : 0);
}

/* ---- calendar ---- */

static CivilDate
date_of_days(int64 days)
{
	int64 era = floor_divide(days + EPOCH_DAYS, DAYS_PER_ERA);
	int day_of_era = (int) (days + EPOCH_DAYS - era * DAYS_PER_ERA);
	int year = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int day = day_of_era - (365 * year + year / 4 - year / 100);
	int month = (5 * day + 2) / 153;
	CivilDate date;

	date.day = day - (153 * month + 2) / 5 + 1;
	date.month = month < 10 ? month + 3 : month - 9;
	date.year = era * 400 + year + (date.month <= 2 ? 1 : 0);
	return date;
}

static int64
days_of_date(CivilDate date)
{
	int64 year = date.month <= 2 ? date.year - 1 : date.year;
	int64 era = floor_divide(year, 400);
	int year_of_era = (int) (year - era * 400);
	int month = date.month > 2 ? date.month - 3 : date.month + 9;
	int day = (153 * month + 2) / 5 + date.day - 1;

	return era * DAYS_PER_ERA + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day -
		   EPOCH_DAYS;
}

/* ---- printing ---- */

static int
print_date(int64 days, char *out)
{
	CivilDate date = date_of_days(days);
	const char *sign = date.year < 0 ? "-" : date.year > 9999 ? "+" : "";

	return sprintf(out, "%s%04lld-%02d-%02d", sign,
				   (long long) (date.year < 0 ? -date.year : date.year), date.month, date.day);
}

int
scylla_json_print_timestamp(int64 ms, char *out)
{
	int64 days = floor_divide(ms, MS_PER_DAY);
	int rest = (int) (ms - days * MS_PER_DAY);
	int len = print_date(days, out);

	return len + sprintf(out + len, " %02d:%02d:%02d.%03dZ", rest / 3600000, rest / 60000 % 60,
						 rest / 1000 % 60, rest % 1000);
}

int
scylla_json_print_date(int32 days, char *out)
{
	return print_date(days, out);
}

int
scylla_json_print_time(int64 ns, char *out)
{
	int seconds = (int) (ns / 1000000000);

	return sprintf(out, "%02d:%02d:%02d.%09d", seconds / 3600, seconds / 60 % 60, seconds % 60,
				   (int) (ns % 1000000000));
}

/* ---- parsing ---- */

typedef struct TimeParser
{
	const char *next;
	const char *end;
} TimeParser;

static bool
take_char(TimeParser *parser, char c)
{
	if (parser->next == parser->end || *parser->next != c)
		return false;
	parser->next++;
	return true;
}

/* From min to max digits. */
static bool
take_number(TimeParser *parser, int min, int max, int64 *out)
{
	int count = 0;

	*out = 0;
	while (count < max && parser->next < parser->end && *parser->next >= '0' &&
		   *parser->next <= '9')
	{
		*out = *out * 10 + (*parser->next++ - '0');
		count++;
	}
	return count >= min;
}

static bool
take_two(TimeParser *parser, int limit, int64 *out)
{
	return take_number(parser, 2, 2, out) && *out < limit;
}

static bool
take_date(TimeParser *parser, int64 *days)
{
	bool is_negative = take_char(parser, '-');
	bool is_signed = is_negative || take_char(parser, '+');
	CivilDate date;
	CivilDate real;
	int64 month;
	int64 day;

	if (!take_number(parser, 4, is_signed ? 9 : 4, &date.year) || date.year > MAX_YEAR ||
		!take_char(parser, '-') || !take_two(parser, 13, &month) || !take_char(parser, '-') ||
		!take_two(parser, 32, &day) || month == 0 || day == 0)
		return false;
	date.year = is_negative ? -date.year : date.year;
	date.month = (int) month;
	date.day = (int) day;
	*days = days_of_date(date);
	/* 31 February is another day. */
	real = date_of_days(*days);
	return real.month == date.month;
}

/* Digits behind the point, of which those beyond width are cut: then they are excess. */
static bool
take_fraction(TimeParser *parser, int width, int64 *out, bool *is_excess)
{
	int64 digit;

	*out = 0;
	*is_excess = false;
	if (!take_char(parser, '.'))
		return true;
	for (int i = 0; i < width; i++)
	{
		if (!take_number(parser, 1, 1, &digit))
		{
			if (i == 0)
				return false;
			digit = 0;
		}
		*out = *out * 10 + digit;
	}
	while (take_number(parser, 1, 1, &digit))
		*is_excess |= digit != 0;
	return true;
}

/* "hh:mm[:ss[.fff]]" in units of 10^-width seconds. */
static bool
take_time(TimeParser *parser, int width, int64 *out, bool *is_excess)
{
	int64 hours;
	int64 minutes;
	int64 seconds = 0;
	int64 fraction = 0;
	int64 unit = 1;

	for (int i = 0; i < width; i++)
		unit *= 10;
	*is_excess = false;
	if (!take_two(parser, 24, &hours) || !take_char(parser, ':') || !take_two(parser, 60, &minutes))
		return false;
	if (take_char(parser, ':') &&
		(!take_two(parser, 60, &seconds) || !take_fraction(parser, width, &fraction, is_excess)))
		return false;
	*out = ((hours * 60 + minutes) * 60 + seconds) * unit + fraction;
	return true;
}

/* "Z", "+hh:mm", "+hhmm", "+hh", or nothing, which is UTC too; in ms. */
static bool
take_zone(TimeParser *parser, int64 *offset)
{
	bool is_west = false;
	int64 hours;
	int64 minutes = 0;

	*offset = 0;
	if (parser->next == parser->end || take_char(parser, 'Z'))
		return true;
	if (!take_char(parser, '+'))
	{
		is_west = true;
		if (!take_char(parser, '-'))
			return false;
	}
	if (!take_two(parser, 24, &hours))
		return false;
	if ((take_char(parser, ':') || parser->next < parser->end) && !take_two(parser, 60, &minutes))
		return false;
	*offset = (hours * 60 + minutes) * (is_west ? -60000 : 60000);
	return true;
}

ScyllaTimeParse
scylla_json_parse_timestamp(ScyllaText text, int64 *ms)
{
	TimeParser parser = {text.data, text.data + text.len};
	int64 days;
	int64 time = 0;
	int64 offset = 0;
	bool is_excess = false;

	if (!take_date(&parser, &days))
		return SCYLLA_TIME_MALFORMED;
	if (parser.next < parser.end &&
		((!take_char(&parser, ' ') && !take_char(&parser, 'T')) ||
		 !take_time(&parser, 3, &time, &is_excess) || !take_zone(&parser, &offset)))
		return SCYLLA_TIME_MALFORMED;
	if (parser.next != parser.end)
		return SCYLLA_TIME_MALFORMED;
	/* The least timestamp is within a day whose beginning is none. */
	if (days < 0)
	{
		days++;
		time -= MS_PER_DAY;
	}
	if (pg_mul_s64_overflow(days, MS_PER_DAY, ms) || pg_add_s64_overflow(*ms, time - offset, ms))
		return SCYLLA_TIME_RANGE;
	return is_excess ? SCYLLA_TIME_EXCESS : SCYLLA_TIME_OK;
}

ScyllaTimeParse
scylla_json_parse_date(ScyllaText text, int32 *days)
{
	TimeParser parser = {text.data, text.data + text.len};
	int64 day;

	if (!take_date(&parser, &day) || parser.next != parser.end)
		return SCYLLA_TIME_MALFORMED;
	if (day < PG_INT32_MIN || day > PG_INT32_MAX)
		return SCYLLA_TIME_RANGE;
	*days = (int32) day;
	return SCYLLA_TIME_OK;
}

ScyllaTimeParse
scylla_json_parse_time(ScyllaText text, int64 *ns)
{
	TimeParser parser = {text.data, text.data + text.len};
	bool is_excess;

	if (!take_time(&parser, 9, ns, &is_excess) || parser.next != parser.end)
		return SCYLLA_TIME_MALFORMED;
	return is_excess ? SCYLLA_TIME_EXCESS : SCYLLA_TIME_OK;
}
