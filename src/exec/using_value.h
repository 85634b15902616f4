/*
 * Values of columns of option using: the TTL and the timestamp of a row being written.
 */
#ifndef SCYLLA_USING_VALUE_H
#define SCYLLA_USING_VALUE_H

#include "postgres.h"

/* Seconds, of a value of an integer type or interval. Raises 22003 or 22008 for what is no TTL of
 * CQL's, HV004 for another type. */
extern int32 scylla_using_ttl_s(Datum value, Oid type);

/* Microseconds since 1970, of a value of bigint or timestamptz; raises likewise. */
extern int64 scylla_using_timestamp_us(Datum value, Oid type);

#endif /* SCYLLA_USING_VALUE_H */
