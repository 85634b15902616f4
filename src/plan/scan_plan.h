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
	char *name;        /* remote; of an expression its CQL text, as ttl("V") or count(*) */
	bool is_expression;
	ScyllaFunction function;
	char *type_text;        /* CQL type that the plan believes in; drift is an error */
	bool is_key;            /* part of the primary key: errors tell rows apart by it */
	bool is_found_by_bytes; /* and a row is only found by the very bytes that it has */
} ScyllaFetchColumn;

/* A bind marker: what it is compared with, and which of fdw_exprs gives its value. */
typedef struct ScyllaScanMarker
{
	AttrNumber attnum; /* 0: the token */
	char *name;        /* remote column */
	char *type_text;
	int bind; /* -1: of SCYLLA_FORM_EMPTY and SCYLLA_FORM_RING_PIECE, which have no expression */
} ScyllaScanMarker;

/* ScyllaDB refuses more for clustering columns, unless configured otherwise. */
#define SCYLLA_LIST_ELEMENTS 100

/*
 * A condition that the remote statement carries.
 *
 * The operators are strict: a row whose column reads as NULL is no match. A range lets such rows
 * in (an empty cell sorts before every value; where a bound lies beyond all values the range is
 * left out, and a partition with static columns alone is a row). So the column of a range is
 * always among the fetched ones, and the executor drops rows for which it reads as NULL.
 *
 * Of SCYLLA_OP_IN the value is an array. The statement says = for it, and is asked once for each
 * different element; or, of the last clustering column that has one, IN for up to SCYLLA_LIST_ELEMENTS
 * of them (is_list); of a clustering column only where that are not too many. Such a condition,
 * and a row of values that the types cannot hold, is left to fdw_recheck_quals otherwise, whose
 * columns are among the fetched ones then.
 */
typedef struct ScyllaScanCondition
{
	ScyllaConditionForm form;
	ScyllaOperator op;
	bool is_rechecked; /* the local filter has it as well */
	bool is_list;      /* bound to lists of its values: c IN ? */
	int marker_count;  /* more than 1 only for SCYLLA_FORM_ROW, SCYLLA_FORM_ENTRY (key and value)
						* and SCYLLA_FORM_RING_PIECE */
	ScyllaScanMarker *markers;
} ScyllaScanCondition;

/*
 * One way into the table. A plan has several where a clause is an OR: the arm's clause is then
 * one of fdw_exprs, over the scanned row, and a row belongs to the first arm whose clause is true
 * of it, so that no row is given twice. An arm with a condition SCYLLA_FORM_EMPTY has no clause: it
 * brings the rows whose column is CQL's empty value, and the other arm's rows of that kind are
 * dropped.
 */
typedef struct ScyllaScanArm
{
	ScyllaAccess access;
	char *path_name; /* of the index or view that the access goes by; or NULL */
	bool is_unique;  /* at most one row for each combination of the values */
	int ring_pieces; /* asked for each of so many pieces of the ring, of which the arm's condition
					  * SCYLLA_FORM_RING_PIECE takes the bounds; 0: it has none */
	int condition_count;
	ScyllaScanCondition *conditions; /* in the order of the CQL text */
	int partition_conditions;        /* the first so many bind the partition key; 0: none do */
	bool is_filtered;                /* ALLOW FILTERING */
	int clause;                      /* -1 where there is one arm */
} ScyllaScanArm;

/* A clustering column by which the rows of each statement come sorted, and how those of several
 * statements are merged. */
typedef struct ScyllaScanOrder
{
	char *name;
	bool is_descending;
	AttrNumber attnum; /* fetched; 0: bound by =, so that it does not tell rows apart */
	Oid sort_operator; /* < or > of the column's type */
	Oid collation;
	bool is_nulls_first;
	bool may_displace; /* an empty value, which reads as NULL, may come out of this order */
} ScyllaScanOrder;

typedef enum ScyllaAggregateKind
{
	SCYLLA_AGGREGATE_COUNT,
	SCYLLA_AGGREGATE_MIN,
	SCYLLA_AGGREGATE_MAX,
	SCYLLA_AGGREGATE_SUM,
	SCYLLA_AGGREGATE_AVG
} ScyllaAggregateKind;

/*
 * An aggregate over all fetched rows, or over each group. Without groups every statement gives
 * one row of parts, which the executor combines to the only row of the result.
 */
typedef struct ScyllaScanAggregate
{
	AttrNumber attnum; /* of the result */
	ScyllaAggregateKind kind;
	Oid type;         /* of the result; of an average, of the sum */
	Oid collation;    /* by which min and max compare */
	int column;       /* which of the columns has the count, least or greatest value, or sum */
	char *type_text;  /* CQL type that the column is read as: of the same bytes as its own */
	int count_column; /* which has the number of values, for sum and avg; else -1 */
} ScyllaScanAggregate;

typedef struct ScyllaScanPlan
{
	char *keyspace;
	char *table; /* the foreign table's own, also where an arm goes by a view of it */
	/* options; a change of them invalidates the plan */
	Oid serverid;
	int read_consistency; /* unless the setting says otherwise when it runs */
	int fetch_size;
	int max_in_flight;
	int read_rate;
	bool is_excess_truncated;
	ScyllaFullScan full_scan;
	char *unbound_key; /* partition key columns that nothing compares, for its message; or NULL */
	int bypass_cache;  /* ScyllaBypassCache; its words are no part of the texts below */
	bool is_delete;    /* of the conditions' rows: nothing is asked for, and no order or limit */
	bool has_server_timeout;
	/* what is asked for */
	int column_count;
	ScyllaFetchColumn *columns;
	bool is_distinct; /* SELECT DISTINCT: partition key and static columns alone */
	bool is_aggregated;
	int aggregate_count;
	ScyllaScanAggregate *aggregates; /* their columns have attnum 0 */
	List *group_names; /* String nodes: columns of GROUP BY, a prefix of the primary key */
	int arm_count;
	ScyllaScanArm *arms; /* none: no row can match, and nothing is asked */
	/* how it comes */
	int order_count;         /* 0: in any order */
	ScyllaScanOrder *orders; /* from the first clustering column on */
	int partition_limit;     /* PER PARTITION LIMIT; 0: none */
	int limit_bind;          /* so many rows are wanted (bigint of fdw_exprs, NULL: all); -1: all */
	bool is_limit_sent;      /* to the server; else it only makes the first page small */
	int lookup_param;        /* of a lookup join (plan/lookup_plan.h); -1: no part of one */
	int shared_column;       /* several lookups may share a request (exec/multi_get.h): which of the
							  * columns tells whose a row is; -1: they may not */
	List *local_reasons;     /* String nodes, one per clause of plan.qual */
	List *result_reasons;    /* lists of two String nodes: what is computed here, and why */
} ScyllaScanPlan;

/* Tells what was packed from all else that backends of this server have packed: copies of it are
 * the same plan, for whoever keeps something about it. */
typedef struct ScyllaPlanId
{
	int pid;
	int number;
} ScyllaPlanId;

extern ScyllaPlanId scylla_scan_plan_id(List *packed);

extern List *scylla_scan_plan_encode(const ScyllaScanPlan *plan);
extern ScyllaScanPlan *scylla_scan_plan_decode(List *packed);

/*
 * The CQL text of an arm; conditions whose bit in skipped (bit i: conditions[i]) is set are left
 * out, which the executor asks for when a bound lies beyond the column's values; and so is LIMIT.
 * Without its conditions an arm that goes by a view is a scan of the table.
 */
#define SCYLLA_MAX_CONDITIONS 63
#define SCYLLA_SKIP_LIMIT (UINT64CONST(1) << SCYLLA_MAX_CONDITIONS)

static inline bool
scylla_is_skipped(uint64 skipped, int condition)
{
	return condition < SCYLLA_MAX_CONDITIONS && (skipped & (UINT64CONST(1) << condition)) != 0;
}

extern char *scylla_scan_plan_cql(const ScyllaScanPlan *plan, const ScyllaScanArm *arm,
								  uint64 skipped);

/* What EXPLAIN calls the way into the table: "partition slice", "index NAME"…; "none" without an
 * arm (NULL). */
extern char *scylla_scan_plan_access(const ScyllaScanArm *arm);

#endif /* SCYLLA_SCAN_PLAN_H */
