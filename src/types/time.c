/*
 * timestamp, date, time and duration.
 *
 * CQL counts milliseconds and days from 1970 and nanoseconds in a day, PostgreSQL microseconds
 * and days from 2000. What one side cannot hold is an error, or is truncated where the option
 * excess_precision says so: times downward, durations toward zero, as date_trunc does.
 */
#include "postgres.h"

#include "common/int.h"
#include "datatype/timestamp.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "types/convert.h"

#define EPOCH_DAYS (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE)
#define EPOCH_MS (EPOCH_DAYS * INT64CONST(86400000))
#define US_PER_MS 1000
#define NS_PER_MICROSECOND 1000

#define TRUNCATE_HINT "The option excess_precision can be set to truncate."

static const ScyllaFault fault_timestamp = {ERRCODE_DATETIME_VALUE_OUT_OF_RANGE,
											"timestamp out of range", NULL, NULL};
static const ScyllaFault fault_date = {ERRCODE_DATETIME_VALUE_OUT_OF_RANGE, "date out of range",
									   NULL, NULL};
static const ScyllaFault fault_infinite = {ERRCODE_DATETIME_VALUE_OUT_OF_RANGE,
										   "infinite date or time", "CQL has no infinity.", NULL};
static const ScyllaFault fault_midnight = {ERRCODE_DATETIME_VALUE_OUT_OF_RANGE, "time out of range",
										   "CQL's day ends before 24:00.", NULL};
static const ScyllaFault fault_timestamp_excess = {
	ERRCODE_DATETIME_VALUE_OUT_OF_RANGE, "timestamp with fractions of a millisecond",
	"CQL's timestamp holds milliseconds.", "Round it, as timestamp(3) does. " TRUNCATE_HINT};
static const ScyllaFault fault_time_excess = {
	ERRCODE_DATETIME_VALUE_OUT_OF_RANGE, "time with fractions of a microsecond",
	"PostgreSQL's time and interval hold microseconds.", TRUNCATE_HINT};
static const ScyllaFault fault_duration_excess = {
	ERRCODE_DATETIME_VALUE_OUT_OF_RANGE, "duration with fractions of a microsecond",
	"PostgreSQL's time and interval hold microseconds.",
	TRUNCATE_HINT " A column declared as text shows all digits."};
static const ScyllaFault fault_interval = {ERRCODE_DATETIME_VALUE_OUT_OF_RANGE,
										   "interval out of range",
										   "CQL's duration counts nanoseconds in 64 bits.", NULL};
static const ScyllaFault fault_signs = {
	ERRCODE_DATETIME_VALUE_OUT_OF_RANGE, "interval of mixed signs",
	"The months, days and time of a CQL duration are all of one sign.", NULL};
static const ScyllaFault fault_duration_utf8 = {ERRCODE_CHARACTER_NOT_IN_REPERTOIRE,
												"invalid UTF-8", NULL, NULL};

/* Remainder that is never negative, so that the quotient goes down. */
static int64
floor_divide(int64 value, int64 divisor, int64 *rest)
{
	int64 quotient = value / divisor;

	*rest = value % divisor;
	if (*rest < 0)
	{
		*rest += divisor;
		quotient--;
	}
	return quotient;
}

/* ---- timestamp ---- */

Datum
scylla_decode_timestamp(ScyllaConverter *converter, cql_cell cell)
{
	int64_t ms;
	int64 timestamp;

	if (!cql_read_i64(cell, &ms))
		scylla_convert_raise(converter, &scylla_fault_malformed);
	if (pg_sub_s64_overflow(ms, EPOCH_MS, &timestamp) ||
		pg_mul_s64_overflow(timestamp, US_PER_MS, &timestamp) || !IS_VALID_TIMESTAMP(timestamp))
		scylla_convert_raise(converter, &fault_timestamp);
	return TimestampGetDatum(timestamp);
}

Datum
scylla_decode_write_time(ScyllaConverter *converter, cql_cell cell)
{
	int64_t us;
	int64 timestamp;

	if (!cql_read_i64(cell, &us))
		scylla_convert_raise(converter, &scylla_fault_malformed);
	if (pg_sub_s64_overflow(us, EPOCH_MS * US_PER_MS, &timestamp) || !IS_VALID_TIMESTAMP(timestamp))
		scylla_convert_raise(converter, &fault_timestamp);
	return TimestampTzGetDatum(timestamp);
}

ScyllaFit
scylla_encode_timestamp(ScyllaConverter *converter, Datum value, ScyllaRound round, StringInfo out)
{
	Timestamp timestamp = DatumGetTimestamp(value);
	ScyllaFit fit = SCYLLA_FIT_EXACT;
	int64 rest;
	int64 ms;

	if (TIMESTAMP_NOT_FINITE(timestamp))
		return scylla_convert_misfit(
			converter, round, TIMESTAMP_IS_NOBEGIN(timestamp) ? SCYLLA_FIT_BELOW : SCYLLA_FIT_ABOVE,
			&fault_infinite);
	ms = floor_divide(timestamp, US_PER_MS, &rest) + EPOCH_MS;
	if (rest != 0)
	{
		if (round == SCYLLA_ROUND_STORE && !converter->is_excess_truncated)
			scylla_convert_raise(converter, &fault_timestamp_excess);
		if (round == SCYLLA_ROUND_UP)
			ms++;
		fit = SCYLLA_FIT_ROUNDED;
	}
	cql_put_u64(scylla_cell_append(out, sizeof(ms)), (uint64) ms);
	return fit;
}

/* ---- date ---- */

Datum
scylla_decode_date(ScyllaConverter *converter, cql_cell cell)
{
	int32_t days;
	int32 date;

	if (!cql_read_date(cell, &days))
		scylla_convert_raise(converter, &scylla_fault_malformed);
	if (pg_sub_s32_overflow(days, EPOCH_DAYS, &date) || !IS_VALID_DATE(date))
		scylla_convert_raise(converter, &fault_date);
	return DateADTGetDatum(date);
}

ScyllaFit
scylla_encode_date(ScyllaConverter *converter, Datum value, ScyllaRound round, StringInfo out)
{
	DateADT date = DatumGetDateADT(value);

	if (DATE_NOT_FINITE(date))
		return scylla_convert_misfit(converter, round,
									 DATE_IS_NOBEGIN(date) ? SCYLLA_FIT_BELOW : SCYLLA_FIT_ABOVE,
									 &fault_infinite);
	/* 1970-01-01 is 2^31 on the wire. */
	cql_put_u32(scylla_cell_append(out, sizeof(uint32)),
				(uint32) (date + EPOCH_DAYS) + ((uint32) 1 << 31));
	return SCYLLA_FIT_EXACT;
}

/* ---- time ---- */

Datum
scylla_decode_time(ScyllaConverter *converter, cql_cell cell)
{
	int64_t ns;

	if (!cql_read_time(cell, &ns))
		scylla_convert_raise(converter, &scylla_fault_malformed);
	if (ns % NS_PER_MICROSECOND != 0 && !converter->is_excess_truncated)
		scylla_convert_raise(converter, &fault_time_excess);
	return TimeADTGetDatum(ns / NS_PER_MICROSECOND);
}

ScyllaFit
scylla_encode_time(ScyllaConverter *converter, Datum value, ScyllaRound round, StringInfo out)
{
	TimeADT time = DatumGetTimeADT(value);
	int64 ns;

	if (time >= USECS_PER_DAY)
		return scylla_convert_misfit(converter, round, SCYLLA_FIT_ABOVE, &fault_midnight);
	ns = time * NS_PER_MICROSECOND;
	/* A column read with truncation has up to 999 ns more than it shows. */
	if (round == SCYLLA_ROUND_DOWN && converter->is_excess_truncated)
		ns += NS_PER_MICROSECOND - 1;
	cql_put_u64(scylla_cell_append(out, sizeof(ns)), (uint64) ns);
	return SCYLLA_FIT_EXACT;
}

/* ---- duration ---- */

static void
read_duration(const ScyllaConverter *converter, cql_cell cell, cql_duration *out)
{
	if (!cql_read_duration(cell, out))
		scylla_convert_raise(converter, &scylla_fault_malformed);
}

static void
append_duration(const cql_duration *duration, StringInfo out)
{
	uint8 bytes[CQL_DURATION_MAX_LEN];
	size_t len = cql_write_duration(duration, bytes);

	memcpy(scylla_cell_append(out, (int32) len), bytes, len);
}

Datum
scylla_decode_duration(ScyllaConverter *converter, cql_cell cell)
{
	Interval *interval = palloc(sizeof(*interval));
	cql_duration duration;

	read_duration(converter, cell, &duration);
	if (duration.nanoseconds % NS_PER_MICROSECOND != 0 && !converter->is_excess_truncated)
		scylla_convert_raise(converter, &fault_duration_excess);
	interval->month = duration.months;
	interval->day = duration.days;
	interval->time = duration.nanoseconds / NS_PER_MICROSECOND;
	return IntervalPGetDatum(interval);
}

ScyllaFit
scylla_encode_duration(ScyllaConverter *converter, Datum value, ScyllaRound round, StringInfo out)
{
	const Interval *interval = DatumGetIntervalP(value);
	cql_duration duration = {interval->month, interval->day, 0};
	int64 ns;

	if (scylla_interval_is_infinite(interval))
		return scylla_convert_misfit(converter, round, SCYLLA_FIT_NONE, &fault_infinite);
	if ((interval->month > 0 || interval->day > 0 || interval->time > 0) &&
		(interval->month < 0 || interval->day < 0 || interval->time < 0))
		return scylla_convert_misfit(converter, round, SCYLLA_FIT_NONE, &fault_signs);
	if (pg_mul_s64_overflow(interval->time, NS_PER_MICROSECOND, &ns))
		return scylla_convert_misfit(converter, round, SCYLLA_FIT_NONE, &fault_interval);
	duration.nanoseconds = ns;
	append_duration(&duration, out);
	return SCYLLA_FIT_EXACT;
}

Datum
scylla_decode_duration_text(ScyllaConverter *converter, cql_cell cell)
{
	char text[SCYLLA_DURATION_TEXT_SIZE];
	cql_duration duration;
	int len;

	read_duration(converter, cell, &duration);
	len = scylla_duration_print(&duration, text);
	return PointerGetDatum(cstring_to_text_with_len(text, len));
}

ScyllaFit
scylla_encode_duration_text(ScyllaConverter *converter, Datum value, ScyllaRound round,
							StringInfo out)
{
	const ScyllaFault *fault = &fault_duration_utf8;
	cql_duration duration;
	ScyllaText text;

	if (!scylla_text_to_utf8(converter, value, &text) ||
		!scylla_duration_parse(text, &duration, &fault))
		return scylla_convert_misfit(converter, round, SCYLLA_FIT_NONE, fault);
	append_duration(&duration, out);
	return SCYLLA_FIT_EXACT;
}
