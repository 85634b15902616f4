/*
 * THE CONTRACT between planner and executor for scans. Made by plan/path.c, packed into a
 * ForeignScan's fdw_private by the one encode function, unpacked by the one decode function;
 * EXPLAIN prints the same struct that runs.
 */
#ifndef SCYLLA_SCAN_PLAN_H
#define SCYLLA_SCAN_PLAN_H

#include "postgres.h"

#include "access/attnum.h"
#include "nodes/pg_list.h"
#include "option.h"
#include "plan/access.h"

/* A column that the remote statement returns. */
typedef struct ScyllaFetchColumn
{
	AttrNumber attnum; /* where it goes; 0: fetched only so that the number of rows is right */
	char *name;        /* remote; of a computed column what CQL selects, as ttl("V") */
	ScyllaFunction function;
	char *type_text; /* CQL type that the plan believes in; drift is an error */
	bool is_key;     /* part of the primary key: errors tell rows apart by it */
} ScyllaFetchColumn;

/*
 * A condition that the remote statement carries; its value is the bind-th of fdw_exprs.
 *
 * The operators are strict: a row whose column reads as NULL is no match. A range lets such rows
 * in (an empty cell sorts before every value; where a bound lies beyond all values the range is
 * left out, and a partition with static columns alone is a row). So the column of a range is
 * always among the fetched ones, and the executor drops rows for which it reads as NULL.
 */
typedef struct ScyllaScanCondition
{
	AttrNumber attnum;
	char *name;
	char *type_text;
	ScyllaOperator op;
	int bind;
} ScyllaScanCondition;

typedef struct ScyllaScanPlan
{
	char *keyspace;
	char *table;
	/* options; a change of them invalidates the plan */
	Oid serverid;
	int read_consistency; /* unless the setting says otherwise when it runs */
	int fetch_size;
	bool is_excess_truncated;
	ScyllaAccess access;
	bool is_unique; /* at most one row */
	int column_count;
	ScyllaFetchColumn *columns;
	int condition_count;
	ScyllaScanCondition *conditions; /* in the order of the CQL text */
	int partition_conditions;        /* the first so many bind the partition key; 0: none do */
	List *local_reasons;             /* String nodes, one per clause of plan.qual */
} ScyllaScanPlan;

extern List *scylla_scan_plan_encode(const ScyllaScanPlan *plan);
extern ScyllaScanPlan *scylla_scan_plan_decode(List *packed);

/*
 * The CQL text of a plan; conditions whose bit in skipped (bit i: conditions[i]) is set are left
 * out, which the executor asks for when a bound lies beyond the column's values.
 */
extern char *scylla_scan_plan_cql(const ScyllaScanPlan *plan, uint64 skipped);

#endif /* SCYLLA_SCAN_PLAN_H */
