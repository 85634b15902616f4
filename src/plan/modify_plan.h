/*
 * THE CONTRACT between planner and executor for writes of single rows. Made by plan/modify.c,
 * packed into a ModifyTable's fdwPrivLists by the one encode function, unpacked by the one decode
 * function; EXPLAIN prints the same struct that runs.
 */
#ifndef SCYLLA_MODIFY_PLAN_H
#define SCYLLA_MODIFY_PLAN_H

#include "postgres.h"

#include "access/attnum.h"
#include "nodes/bitmapset.h"
#include "nodes/pg_list.h"
#include "option.h"
#include "plan/scan_plan.h"

typedef enum ScyllaModifyKind
{
	SCYLLA_MODIFY_INSERT,
	SCYLLA_MODIFY_UPDATE,
	SCYLLA_MODIFY_DELETE
} ScyllaModifyKind;

/* What the statement does with a bind variable's value. */
typedef enum ScyllaAssign
{
	SCYLLA_ASSIGN_KEY,      /* tells the row */
	SCYLLA_ASSIGN_VALUE,    /* column = ? */
	SCYLLA_ASSIGN_ADD,      /* column = column + ?: counters, elements behind the others */
	SCYLLA_ASSIGN_SUBTRACT, /* column = column - ? */
	SCYLLA_ASSIGN_PREPEND,  /* column = ? + column */
	SCYLLA_ASSIGN_DELETE,   /* no value: the column is named in a DELETE */
	SCYLLA_ASSIGN_TTL,      /* the row's, in seconds; of no remote column */
	SCYLLA_ASSIGN_TIMESTAMP /* the row's; goes with the request, not as a bind variable */
} ScyllaAssign;

typedef struct ScyllaModifyColumn
{
	AttrNumber attnum;
	char *name;      /* remote */
	char *type_text; /* CQL type that the plan believes in; drift is an error */
	ScyllaKeyRole role;
	ScyllaAssign assign;
	Oid value_type; /* of the value: the column's own, but where it is added or taken */
	int32 value_typmod;
	/*
	 * Whether the user's statement gives the column a value. Others are here since a trigger may
	 * change them, and are left out of a row where it has not.
	 */
	bool is_named;
	/* Not frozen: what is written twice with one timestamp has its elements twice. */
	bool is_list;
} ScyllaModifyColumn;

/* The two CQL texts that a plan can have. */
typedef enum ScyllaModifyTarget
{
	SCYLLA_TARGET_ROW,
	/* Static columns alone, of a partition: nothing is said about clustering and regular columns */
	SCYLLA_TARGET_STATIC
} ScyllaModifyTarget;

/* Whether a text has a bind variable for ScyllaDB's timeout: of CQL's INSERT the last one, else the
 * first. */
typedef enum ScyllaModifyWords
{
	SCYLLA_WORDS_PLAIN,
	SCYLLA_WORDS_TIMED
} ScyllaModifyWords;

typedef struct ScyllaModifyPlan
{
	ScyllaModifyKind kind;
	char *keyspace;
	char *table;
	int column_count;
	ScyllaModifyColumn *columns; /* partition key, clustering key, others */
	int partition_count;         /* the first so many columns */
	int clustering_count;        /* the next */
	bool is_static_only;         /* an UPDATE of static columns: the target is always STATIC */
	bool is_conditional;         /* IF NOT EXISTS, IF EXISTS: a lightweight transaction */
	bool is_counter;             /* an UPDATE in CQL, whatever it is in SQL; never repeated */
	/* options; a change of them invalidates the plan */
	Oid serverid;
	int write_consistency; /* unless the setting says otherwise when it runs */
	int serial_consistency;
	int max_in_flight;
	int batch_size;
	int write_rate;
	int ttl_s; /* negative: none is sent */
	bool is_null_unset;
	bool is_excess_truncated;
	bool has_server_timeout;
} ScyllaModifyPlan;

extern List *scylla_modify_plan_encode(const ScyllaModifyPlan *plan);
extern ScyllaModifyPlan *scylla_modify_plan_decode(List *packed);

/*
 * THE CONTRACT for a DELETE whose rows nobody reads: one statement for each partition, or range of
 * its rows, that the conditions tell. In the fdw_private of the ForeignScan that stands for it.
 */
typedef struct ScyllaDirectPlan
{
	ScyllaScanPlan *where;   /* one arm, which binds the partition key; is_delete */
	ScyllaModifyPlan *write; /* a DELETE; its columns do not matter */
	bool is_counted;         /* in the command tag: the statements, not the rows */
} ScyllaDirectPlan;

extern List *scylla_direct_plan_encode(const ScyllaDirectPlan *plan);
extern ScyllaDirectPlan *scylla_direct_plan_decode(List *packed);

/* The CQL text, with the conditions that are not skipped (as of scylla_scan_plan_cql()). */
extern char *scylla_direct_plan_cql(const ScyllaDirectPlan *plan, uint64 skipped,
									ScyllaModifyWords words);

/*
 * The plan of an INSERT that no planner saw: COPY, and rows that are routed into a partition.
 * named has the local columns that the statement names (pull_varattnos' offset). Raises what the
 * planner would.
 */
extern ScyllaModifyPlan *scylla_modify_plan_insert(Oid relid, Oid userid, const Bitmapset *named,
												   bool is_conditional);

/* Whether the text for that target has a bind variable for the column. */
extern bool scylla_modify_plan_binds(const ScyllaModifyPlan *plan, const ScyllaModifyColumn *column,
									 ScyllaModifyTarget target);

/* How many of the columns, the first ones, are the primary key. */
extern int scylla_modify_plan_key_count(const ScyllaModifyPlan *plan);

/* Whether the texts are CQL's INSERT. */
extern bool scylla_modify_plan_inserts(const ScyllaModifyPlan *plan);

/*
 * The CQL text for a target, and the columns in the order of its bind variables without the
 * timeout's (indexes into columns, *order as long as column_count; NULL: not wanted).
 */
extern char *scylla_modify_plan_cql(const ScyllaModifyPlan *plan, ScyllaModifyTarget target,
									ScyllaModifyWords words, int *order);

extern char *scylla_modify_truncate_cql(const char *keyspace, const char *table);

/* Names of the junk columns in which the plan below hands over what tells a row apart, and what is
 * added to a column or taken from it. */
extern char *scylla_modify_key_name(AttrNumber attnum, Oid type, int32 typmod, Oid collation);
extern char *scylla_modify_delta_name(AttrNumber attnum);

/* Whether a column is for how the row is written, and stands for no remote one. */
static inline bool
scylla_modify_is_using(ScyllaAssign assign)
{
	return assign == SCYLLA_ASSIGN_TTL || assign == SCYLLA_ASSIGN_TIMESTAMP;
}

/* Whether an assignment's value comes in such a junk column. */
static inline bool
scylla_modify_is_delta(ScyllaAssign assign)
{
	return assign == SCYLLA_ASSIGN_ADD || assign == SCYLLA_ASSIGN_SUBTRACT ||
		   assign == SCYLLA_ASSIGN_PREPEND;
}

#endif /* SCYLLA_MODIFY_PLAN_H */
