/*
 * The remote schema, read from system_schema by small queries about just the tables in use and
 * kept per session; forgotten by age, scylla_refresh(), DDL of this backend and drift.
 *
 * An unknown or unsupported type costs its column, never the table.
 */
#ifndef SCYLLA_SCHEMA_H
#define SCYLLA_SCHEMA_H

#include "bridge/session.h"
#include "read_path.h"

typedef struct ScyllaRemoteColumn
{
	char *name;
	ScyllaKeyRole role;
	int position; /* from 1 in its key; else 0 */
	bool is_descending;
	char *type_text; /* as the cluster spells it */
} ScyllaRemoteColumn;

typedef struct ScyllaRemoteIndex
{
	char *name;
	char *kind;        /* COMPOSITES, CUSTOM… */
	char *target;      /* as the cluster spells it */
	char *class_name;  /* SAI etc., or NULL */
	ScyllaIndex *path; /* NULL: no statement can rely on it, */
	char *obstacle;    /* because of this */
} ScyllaRemoteIndex;

/* A materialized view of a table. */
typedef struct ScyllaRemoteView
{
	char *name;
	char *where_clause;
	ScyllaView *path; /* NULL: it cannot stand for the table, */
	char *obstacle;   /* because of this */
} ScyllaRemoteView;

/* Owned by the cache; valid until the end of the command. */
typedef struct ScyllaRemoteTable
{
	char *keyspace;
	char *name;
	bool is_view;
	char *base_table; /* of a view */
	char *comment;    /* NULL: none */
	int column_count;
	ScyllaRemoteColumn *columns; /* partition key, clustering key, then the rest by name */
	List *indexes;               /* of ScyllaRemoteIndex, by name */
	List *views; /* of ScyllaRemoteView, by name; those that store indexes are left out */
} ScyllaRemoteTable;

/* NULL: there is no such table, or no such keyspace. */
extern const ScyllaRemoteTable *scylla_schema_find_table(ScyllaSession *session,
														 const char *keyspace, const char *table);

/* NULL: there is no such table. Raises HV00Q if there is no such keyspace. */
extern const ScyllaRemoteTable *scylla_schema_table(ScyllaSession *session, const char *keyspace,
													const char *table);

/* Rough sizes of a table; negative: unknown. */
typedef struct ScyllaTableSizes
{
	double partitions;
	double partition_bytes; /* mean */
} ScyllaTableSizes;

/* From system.size_estimates, asked at most once a minute, and not waited for longer than a tenth of a
 * second. Never an error: a role that may not read them, say, plans without. */
extern ScyllaTableSizes scylla_schema_sizes(ScyllaSession *session, const char *keyspace,
											const char *table);

/* Names (char *) of the keyspace's tables and views, sorted; raises HV00Q. Views that are no more
 * than the store of ScyllaDB's secondary indexes are not among them. Never from the cache. */
extern List *scylla_schema_tables(ScyllaSession *session, const char *keyspace);

/* Raises HV00Q if the cluster has no such keyspace. */
extern void scylla_schema_check_keyspace(ScyllaSession *session, const char *keyspace);

/* Arena for cql_type_parse(), freed with CurrentMemoryContext. */
extern cql_type_arena *scylla_type_arena_new(void);

#endif /* SCYLLA_SCHEMA_H */
