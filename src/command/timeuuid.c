/*
 * SQL functions about timeuuids: uuids of version 1, which begin with a time.
 *
 * CQL takes every uuid of version 1 for a timeuuid, whatever its variant; those that minTimeuuid
 * and maxTimeuuid make have none of the standard's.
 */
#include "postgres.h"

#include "datatype/timestamp.h"
#include "fmgr.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "cql/cql_value.h"

/* A timeuuid counts 100 ns from 1582-10-15, PostgreSQL µs from 2000-01-01. */
#define TICKS_PER_US 10
#define US_PER_MS 1000
#define GREGORIAN_JDATE 2299161
#define EPOCH_US ((POSTGRES_EPOCH_JDATE - GREGORIAN_JDATE) * USECS_PER_DAY)
/* The end of the last whole millisecond. */
#define END_US ((INT64CONST(1) << 60) / TICKS_PER_US / US_PER_MS * US_PER_MS)

/* CQL compares the last eight bytes as signed ones, so these are the first and the last of all. */
#define FIRST_TAIL 0x80
#define LAST_TAIL 0x7f

extern PGDLLEXPORT Datum timeuuid_timestamp(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum min_timeuuid(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum max_timeuuid(PG_FUNCTION_ARGS);

PG_FUNCTION_INFO_V1(timeuuid_timestamp);
PG_FUNCTION_INFO_V1(min_timeuuid);
PG_FUNCTION_INFO_V1(max_timeuuid);

/* Tenths of a µs are dropped. */
Datum
timeuuid_timestamp(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *uuid = PG_GETARG_UUID_P(0);
	int64 ticks;

	if ((uuid->data[6] & 0xf0) != 0x10)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION), errmsg("uuid is no timeuuid"),
				 errdetail("Its version is %d; timeuuids are of version 1.", uuid->data[6] >> 4)));
	ticks = ((int64) (cql_get_u16(uuid->data + 6) & 0x0fff) << 48) |
			((int64) cql_get_u16(uuid->data + 4) << 32) | cql_get_u32(uuid->data);
	PG_RETURN_TIMESTAMPTZ(ticks / TICKS_PER_US - EPOCH_US);
}

/* µs since 1582 of the millisecond's beginning. */
static int64
find_millisecond(TimestampTz timestamp)
{
	/* Also keeps infinity and all that could overflow away. */
	if (timestamp < -EPOCH_US || timestamp >= END_US - EPOCH_US)
		ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
						errmsg("timestamp out of range for a timeuuid"),
						errdetail("A timeuuid counts 100 ns from 1582-10-15 to the year 5236.")));
	return (timestamp + EPOCH_US) / US_PER_MS * US_PER_MS;
}

static Datum
make_timeuuid(int64 ticks, int tail)
{
	pg_uuid_t *uuid = palloc(sizeof(pg_uuid_t));

	cql_put_u32(uuid->data, (uint32) ticks);
	cql_put_u16(uuid->data + 4, (uint16) (ticks >> 32));
	cql_put_u16(uuid->data + 6, (uint16) (0x1000 | (ticks >> 48)));
	memset(uuid->data + 8, tail, 8);
	return UUIDPGetDatum(uuid);
}

Datum
min_timeuuid(PG_FUNCTION_ARGS)
{
	int64 us = find_millisecond(PG_GETARG_TIMESTAMPTZ(0));

	return make_timeuuid(us * TICKS_PER_US, FIRST_TAIL);
}

Datum
max_timeuuid(PG_FUNCTION_ARGS)
{
	int64 us = find_millisecond(PG_GETARG_TIMESTAMPTZ(0));

	return make_timeuuid((us + US_PER_MS) * TICKS_PER_US - 1, LAST_TAIL);
}
