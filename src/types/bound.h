/*
 * Bounds: values that a column is compared with. PostgreSQL compares with the value as it is, also
 * where the CQL type does not have it, so the nearest value that gives the same rows is encoded, or
 * the condition turns out to be fulfilled by every row, or by none.
 */
#ifndef SCYLLA_BOUND_H
#define SCYLLA_BOUND_H

#include "postgres.h"

#include "types/operator.h"
#include "types/typemap.h"

typedef enum ScyllaVerdict
{
	SCYLLA_VERDICT_SEND,   /* a [value] was appended */
	SCYLLA_VERDICT_ALWAYS, /* every row fulfils the condition: leave it out */
	SCYLLA_VERDICT_NEVER   /* no row does */
} ScyllaVerdict;

/* Who vouches for the rows. What is checked locally as well may be left out, if CQL refuses it. */
typedef enum ScyllaBoundTrust
{
	SCYLLA_BOUND_ENFORCED, /* the server alone */
	SCYLLA_BOUND_RECHECKED
} ScyllaBoundTrust;

/* Appends a [value] only if it is to be sent. Of SCYLLA_OP_IN the value is one element. */
extern ScyllaVerdict scylla_bound_encode(ScyllaConverter *converter, ScyllaOperator op,
										 ScyllaBoundTrust trust, Datum value, StringInfo out);

/* Whether a partition can have a key of count [value]s of that length: servers call an empty or too
 * long key an error, but to PostgreSQL it is one that isn't there. */
extern bool scylla_bound_is_partition(int len, int count);

#endif /* SCYLLA_BOUND_H */
