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
	SCYLLA_FORM_ENTRY,        /* c[?] = ? */
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

#define SCYLLA_NO_INDEX (-1)

/* One condition that CQL can carry: column operator value. */
typedef struct ScyllaAccessCondition
{
	ScyllaConditionForm form;
	ScyllaOperator op;
	ScyllaKeyPart part; /* of a row: of its first column, which is the first clustering column */
	int position;       /* in its key, from 0 */
	int column;         /* tells columns apart, those outside the key too */
	int column_count;   /* of a row; conditions of different counts are not sent together */
	bool is_fallback;   /* follows from a row comparison, which is better where it can be sent */
	int index;          /* number of an index that answers it, or SCYLLA_NO_INDEX */
} ScyllaAccessCondition;

/* The shape of the remote key, and whether rows that are read anyway may be filtered remotely. */
typedef struct ScyllaAccessKey
{
	int partition_count;
	int clustering_count;
	bool can_filter;
} ScyllaAccessKey;

/* What becomes of a condition. */
typedef enum ScyllaAccessUse
{
	SCYLLA_USE_NONE,  /* it is not sent */
	SCYLLA_USE_BOUND, /* it bounds what is read */
	SCYLLA_USE_INDEX, /* an index finds the rows by it */
	SCYLLA_USE_FILTER /* ALLOW FILTERING: it thins out what is sent back */
} ScyllaAccessUse;

typedef struct ScyllaAccessChoice
{
	ScyllaAccess access;
	bool is_unique; /* the whole primary key is bound: at most one row for each of its values */
	int clustering_equals; /* length of the clustering prefix bound by = or IN */
	bool has_range;        /* a range follows that prefix, or cuts the ring */
	bool is_filtered;      /* ALLOW FILTERING has to be said */
	int index;             /* of SCYLLA_ACCESS_INDEX */
} ScyllaAccessChoice;

/*
 * Choose among count conditions; uses[i] tells what becomes of each. Of several conditions on one
 * column and side only the first is sent (CQL takes one), = rather than IN; the rest stay local.
 */
extern ScyllaAccessChoice scylla_access_choose(const ScyllaAccessKey *key,
											   const ScyllaAccessCondition *conditions, int count,
											   ScyllaAccessUse *uses);

/* How much of the table the access leaves out: more is better. */
extern int scylla_access_rank(const ScyllaAccessChoice *choice);

/* Whether the whole partition key is bound, by = or IN. */
extern bool scylla_access_binds_key(const ScyllaAccessChoice *choice);

/* Why a condition that the choice left out stays local, in words for EXPLAIN. */
extern const char *scylla_access_refusal(const ScyllaAccessKey *key,
										 const ScyllaAccessChoice *choice,
										 const ScyllaAccessCondition *condition);

extern const char *scylla_access_name(ScyllaAccess access); /* as EXPLAIN shows it */
extern const char *scylla_operator_text(ScyllaOperator op);
extern bool scylla_operator_is_range(ScyllaOperator op);

#endif /* SCYLLA_ACCESS_H */
