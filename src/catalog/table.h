/*
 * ScyllaTable: a foreign table with what is known of its remote side, for planning.
 *
 * Where every column carries the `key` and `type` options (IMPORT writes them) the cluster is not
 * needed: only if a session has a connection already is it asked for the table's sizes. Else the
 * remote schema is read, and those options do not count.
 */
#ifndef SCYLLA_TABLE_H
#define SCYLLA_TABLE_H

#include "access/attnum.h"
#include "option.h"
#include "read_path.h"
#include "types/typemap.h"

typedef struct ScyllaColumn
{
	AttrNumber attnum; /* 0: dropped, or virtual and nothing remote; all else is unset then */
	const char *local_name;
	const char *name;          /* remote, exact case, unquoted; of a computed column its option */
	ScyllaFunction function;   /* see scylla_column_is_write_only() */
	const char *argument;      /* remote column that the function is of, or NULL */
	const char *argument_type; /* its CQL type */
	ScyllaKeyRole role;        /* of a computed column never part of the key */
	int position;
	bool is_descending;
	const char *cql_type_text;
	const cql_type *cql_type;   /* NULL: its text is not understood */
	const ScyllaTypePair *pair; /* NULL: declared as a type that does not go with it; whoever
								 * makes the column's converter gets the error HV004. NULL too for
								 * a computed column, which nothing is compared with remotely */
	Oid type;
	int32 typmod;
	Oid collation;
	bool is_not_null; /* declared so: a promise of the user's, as for any foreign table */
} ScyllaColumn;

/* A secondary index that a statement can go by. */
typedef struct ScyllaTableIndex
{
	const char *name;
	const ScyllaColumn *column; /* never NULL */
	ScyllaIndexTarget target;
	ScyllaIndexKind kind;
} ScyllaTableIndex;

/*
 * A materialized view that can be read in the table's place: it has all rows of the table in which
 * no column of its key is NULL. (The row that stands for a partition of static columns alone is
 * not among them.) Its partition key is whole; where no local column shows a clustering column,
 * that is NULL.
 */
typedef struct ScyllaTableView
{
	const char *name;
	int partition_count;
	const ScyllaColumn **partition_key;
	int clustering_count;
	const ScyllaColumn **clustering_key;
	Bitmapset *descending; /* places in clustering_key, from 0 */
	Bitmapset *attnums;    /* of the local columns that it can give; computed ones never */
} ScyllaTableView;

/* A column for how a row is written (option using). CQL has nothing to read there: it is NULL. */
static inline bool
scylla_column_is_write_only(const ScyllaColumn *column)
{
	return column->function == SCYLLA_FUNCTION_USING_TTL ||
		   column->function == SCYLLA_FUNCTION_USING_TIMESTAMP;
}

/* In the caller's memory context. */
typedef struct ScyllaTable
{
	Oid relid;
	Oid userid;
	const char *local_name;
	ScyllaOptions *options; /* keyspace and table in it are never NULL */
	int column_count;       /* of the local relation, dropped ones included */
	ScyllaColumn *columns;  /* by attnum - 1 */
	int partition_count;
	ScyllaColumn **partition_key; /* by position; NULL where no local column stands for it */
	const char **partition_names; /* by position: remote names */
	const char **partition_types; /* by position: CQL types */
	int clustering_count;
	ScyllaColumn **clustering_key; /* likewise */
	List *indexes;                 /* of ScyllaTableIndex, on columns that are shown */
	List *views;                   /* of ScyllaTableView; NIL where the option use_views is off */
	/* Rough sizes; negative: unknown. */
	double partitions;
	double partition_bytes;
} ScyllaTable;

/* The caller holds a lock on the relation. Raises the errors of interface.md for a missing keyspace
 * (HV00Q), table (HV00R) or column (HV005); a column of an unfit type costs itself only. */
extern ScyllaTable *scylla_table_open(Oid relid, Oid userid);

/* Raise 0A000 for a system column other than tableoid; attributes is as pull_varattnos makes it. */
extern void scylla_refuse_system_columns(const char *local_name, const Bitmapset *attributes);

#endif /* SCYLLA_TABLE_H */
