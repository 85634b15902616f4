/*
 * TTLs and timestamps out of SQL values. Domains are looked through.
 */
#include "postgres.h"

#include "exec/using_value.h"

#include "catalog/pg_type.h"
#include "compat.h"
#include "datatype/timestamp.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

/* CQL's own limit: twenty years. */
#define MAX_TTL_S (20 * 365 * 24 * 60 * 60)

static void refuse_type(Oid type, const char *option, const char *choices)
	__attribute__((noreturn));

static void
refuse_type(Oid type, const char *option, const char *choices)
{
	ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_DATA_TYPE),
					errmsg("a column of option using '%s' cannot be of type %s", option,
						   format_type_be(type)),
					errhint("Types that it goes with: %s.", choices)));
}

/* Months have no length of their own; fractions of a second are dropped. */
static int64
interval_s(const Interval *interval)
{
	if (scylla_interval_is_infinite(interval) || interval->month != 0)
		ereport(ERROR, (errcode(ERRCODE_DATETIME_FIELD_OVERFLOW),
						errmsg("a TTL cannot be an interval of months or years"),
						errhint("Tell it in days or shorter units.")));
	return (int64) interval->day * SECS_PER_DAY + interval->time / USECS_PER_SEC;
}

int32
scylla_using_ttl_s(Datum value, Oid type)
{
	int64 ttl_s;

	switch (getBaseType(type))
	{
		case INT2OID:
			ttl_s = DatumGetInt16(value);
			break;
		case INT4OID:
			ttl_s = DatumGetInt32(value);
			break;
		case INT8OID:
			ttl_s = DatumGetInt64(value);
			break;
		case INTERVALOID:
			ttl_s = interval_s(DatumGetIntervalP(value));
			break;
		default:
			refuse_type(type, "ttl", "integer, smallint, bigint, interval");
	}
	if (ttl_s < 0 || ttl_s > MAX_TTL_S)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("TTL out of range: " INT64_FORMAT " s", ttl_s),
				 errdetail("CQL takes 0 (for ever) to %d seconds, twenty years.", MAX_TTL_S)));
	return (int32) ttl_s;
}

int64
scylla_using_timestamp_us(Datum value, Oid type)
{
	TimestampTz time;

	switch (getBaseType(type))
	{
		case INT8OID:
			return DatumGetInt64(value);
		case TIMESTAMPTZOID:
			time = DatumGetTimestampTz(value);
			if (TIMESTAMP_NOT_FINITE(time))
				ereport(ERROR, (errcode(ERRCODE_DATETIME_FIELD_OVERFLOW),
								errmsg("an infinite time cannot be the timestamp of a write")));
			return time + (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * INT64CONST(86400000000);
		default:
			refuse_type(type, "timestamp", "bigint, timestamp with time zone");
	}
}
