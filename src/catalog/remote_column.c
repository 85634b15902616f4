/*
 * Columns of remote tables and views, as system_schema and its virtual twin have them.
 */
#include "postgres.h"

#include "catalog/remote_column.h"

static ScyllaKeyRole
role_of_kind(const char *kind)
{
	if (kind != NULL && strcmp(kind, "partition_key") == 0)
		return SCYLLA_KEY_PARTITION;
	if (kind != NULL && strcmp(kind, "clustering") == 0)
		return SCYLLA_KEY_CLUSTERING;
	if (kind != NULL && strcmp(kind, "static") == 0)
		return SCYLLA_KEY_STATIC;
	return SCYLLA_KEY_REGULAR;
}

static int
rank_role(ScyllaKeyRole role)
{
	return role == SCYLLA_KEY_PARTITION ? 0 : role == SCYLLA_KEY_CLUSTERING ? 1 : 2;
}

static int
compare_columns(const void *a, const void *b)
{
	const ScyllaRemoteColumn *left = a;
	const ScyllaRemoteColumn *right = b;

	if (rank_role(left->role) != rank_role(right->role))
		return rank_role(left->role) - rank_role(right->role);
	if (left->position != right->position)
		return left->position - right->position;
	return strcmp(left->name, right->name);
}

ScyllaSystemQuery *
scylla_remote_columns_start(ScyllaSession *session, const char *schema, const char *keyspace,
							const char *table)
{
	const char *cql = psprintf("SELECT column_name, clustering_order, kind, position, type "
							   "FROM %s.columns WHERE keyspace_name = ? AND table_name = ?",
							   schema);

	return scylla_system_query_start(session, cql, keyspace, table);
}

void
scylla_remote_columns_read(ScyllaSystemQuery *query, ScyllaTolerance tolerance,
						   ScyllaRemoteTable *table)
{
	int capacity = 16;

	(void) scylla_system_query_wait(query, 5, tolerance);
	table->columns = palloc(capacity * sizeof(ScyllaRemoteColumn));
	while (scylla_system_query_next(query))
	{
		ScyllaRemoteColumn *column;
		char *order;

		if (table->column_count == capacity)
		{
			capacity *= 2;
			table->columns = repalloc(table->columns, capacity * sizeof(ScyllaRemoteColumn));
		}
		column = &table->columns[table->column_count];
		column->name = scylla_system_query_text(query, 0);
		order = scylla_system_query_text(query, 1);
		column->role = role_of_kind(scylla_system_query_text(query, 2));
		column->position = 0;
		if (rank_role(column->role) < 2)
			column->position = (int) scylla_system_query_integer(query, 3) + 1;
		column->is_descending = column->role == SCYLLA_KEY_CLUSTERING && order != NULL &&
								pg_strcasecmp(order, "desc") == 0;
		column->type_text = scylla_system_query_text(query, 4);
		if (column->type_text == NULL)
			column->type_text = "unknown";
		/* Tables from Cassandra's old days can have a nameless column that CQL cannot name. */
		if (column->name != NULL && column->name[0] != '\0')
			table->column_count++;
	}
	qsort(table->columns, table->column_count, sizeof(ScyllaRemoteColumn), compare_columns);
}
