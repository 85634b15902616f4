/*
 * Which access a set of conditions allows: a pure function over plain arrays, without nodes or
 * catalogs, so that every rule of CQL's WHERE can be tested as a table.
 */
#ifndef SCYLLA_ACCESS_H
#define SCYLLA_ACCESS_H

#include <stdbool.h>

#include "types/operator.h"

typedef enum ScyllaAccess
{
	SCYLLA_ACCESS_FULL_SCAN,
	SCYLLA_ACCESS_PARTITION,       /* the whole partition key is bound */
	SCYLLA_ACCESS_PARTITION_SLICE, /* clustering columns too */
	SCYLLA_ACCESS_PARTITIONS,      /* as one of those two, for several keys (IN) */
	SCYLLA_ACCESS_TOKEN_RANGE,     /* a part of the ring */
	SCYLLA_ACCESS_INDEX,
	SCYLLA_ACCESS_VIEW
} ScyllaAccess;

/* What a condition has on its left side, and so how CQL writes it. */
typedef enum ScyllaConditionForm
{
	SCYLLA_FORM_COLUMN,       /* c = ? */
	SCYLLA_FORM_ROW,          /* (c1, c2) > (?, ?): clustering columns from the first on */
	SCYLLA_FORM_TOKEN,        /* token(k1, k2) > ? */
	SCYLLA_FORM_CONTAINS,     /* c CONTAINS ? */
	SCYLLA_FORM_CONTAINS_KEY, /* c CONTAINS KEY ? */
	SCYLLA_FORM_EMPTY, /* c = ? or c > ?, bound to CQL's empty value; c >= ?, to the least other one */
	SCYLLA_FORM_RING_PIECE /* token(k1, k2) > ? AND token(k1, k2) <= ? */
} ScyllaConditionForm;

/* Where a condition's column stands in the key. */
typedef enum ScyllaKeyPart
{
	SCYLLA_PART_NONE, /* static or regular */
	SCYLLA_PART_PARTITION,
	SCYLLA_PART_CLUSTERING
} ScyllaKeyPart;

/* One pushable condition: column operator value. */
typedef struct ScyllaAccessCondition
{
	ScyllaKeyPart part;
	int position; /* in its key, from 0 */
	ScyllaOperator op;
} ScyllaAccessCondition;

/* The shape of the remote key. */
typedef struct ScyllaAccessKey
{
	int partition_count;
	int clustering_count;
} ScyllaAccessKey;

typedef struct ScyllaAccessChoice
{
	ScyllaAccess access;
	bool is_unique;        /* the whole primary key is bound by =: at most one row */
	int clustering_equals; /* length of the clustering prefix bound by = */
	bool has_range;        /* a range follows that prefix */
} ScyllaAccessChoice;

/*
 * Choose among count conditions; used[i] tells which ones the access sends. Of several
 * conditions on one column and side only the first is used (CQL takes one); the rest stay local.
 */
extern ScyllaAccessChoice scylla_access_choose(const ScyllaAccessKey *key,
											   const ScyllaAccessCondition *conditions, int count,
											   bool *used);

#define SCYLLA_REFUSED_PARTITION_RANGE "a partition key column takes only ="

/* Why a condition that the choice left out stays local, in words for EXPLAIN. */
extern const char *scylla_access_refusal(const ScyllaAccessKey *key,
										 const ScyllaAccessChoice *choice,
										 const ScyllaAccessCondition *condition);

extern const char *scylla_access_name(ScyllaAccess access); /* as EXPLAIN shows it */
extern const char *scylla_operator_text(ScyllaOperator op);
extern bool scylla_operator_is_range(ScyllaOperator op);

#endif /* SCYLLA_ACCESS_H */
