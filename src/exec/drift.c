/*
 * Drift between a plan and the server: telling types and keys apart, and the one error for it.
 */
#include "postgres.h"

#include "exec/drift.h"

#include "catalog/schema.h"
#include "catalog/table.h"

bool
scylla_drift_is_type(const cql_type *actual, const char *expected)
{
	const char *name = cql_type_id_name(actual->id);
	cql_type_arena *arena;
	const cql_type *type;
	bool is_equal;

	if (name != NULL && strcmp(name, expected) == 0)
		return true;
	arena = cql_type_arena_new();
	if (arena == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	type = cql_type_parse(arena, expected);
	is_equal = type != NULL && cql_type_equal(actual, type);
	cql_type_arena_free(arena);
	return is_equal;
}

/* What all errors of drift have in common; for ereport(). */
static int
describe_drift(const char *local_table)
{
	errcode(ERRCODE_FDW_INCONSISTENT_DESCRIPTOR_INFORMATION);
	errdetail("The remote table is not what foreign table \"%s\" was made for.", local_table);
	return errhint("Run IMPORT FOREIGN SCHEMA again, or, where the foreign table was written by "
				   "hand, correct it or repeat the statement.");
}

void
scylla_drift_raise(ScyllaSession *session, const ScyllaStatement *statement,
				   const char *local_table, const char *remote_table, const ScyllaDrift *drift)
{
	char actual[256];

	scylla_statement_forget(session, statement);
	scylla_session_forget_schema(session->serverid);
	if (drift->column != NULL)
		cql_type_print(drift->actual, false, actual, sizeof(actual));
	ereport(ERROR, (describe_drift(local_table),
					drift->column != NULL
						? errmsg("column \"%s\" of remote table %s has type %s, not %s",
								 drift->column, remote_table, actual, drift->expected)
						: errmsg("remote table %s has other columns than expected", remote_table)));
}

/* ---- why a statement is invalid ---- */

static bool
has_path(const ScyllaRemoteTable *remote, const char *name, bool is_view)
{
	ListCell *cell;

	foreach (cell, is_view ? remote->views : remote->indexes)
		if (strcmp(is_view ? ((ScyllaRemoteView *) lfirst(cell))->name
						   : ((ScyllaRemoteIndex *) lfirst(cell))->name,
				   name) == 0)
			return true;
	return false;
}

static void
check_path(const ScyllaTable *table, const ScyllaRemoteTable *remote, const ScyllaScanArm *arm)
{
	bool is_view = arm->access == SCYLLA_ACCESS_VIEW;

	if (arm->path_name == NULL || has_path(remote, arm->path_name, is_view))
		return;
	ereport(ERROR,
			(describe_drift(table->local_name),
			 errmsg("%s \"%s\" of remote table %s.%s does not exist", is_view ? "view" : "index",
					arm->path_name, remote->keyspace, remote->name)));
}

static const ScyllaColumn *
find_column(const ScyllaTable *table, const char *name)
{
	for (int i = 0; i < table->column_count; i++)
	{
		const ScyllaColumn *column = &table->columns[i];

		if (column->attnum != 0 && column->function == SCYLLA_FUNCTION_NONE &&
			strcmp(column->name, name) == 0)
			return column;
	}
	return NULL;
}

/* The remote column has not the place in the key that the table says; one that is not shown
 * matters where the key became longer by it. */
static bool
has_other_key(const ScyllaTable *table, const ScyllaColumn *column,
			  const ScyllaRemoteColumn *remote)
{
	if (column != NULL)
		return column->role != remote->role || column->position != remote->position ||
			   column->is_descending != remote->is_descending;
	return (remote->role == SCYLLA_KEY_PARTITION && remote->position > table->partition_count) ||
		   (remote->role == SCYLLA_KEY_CLUSTERING && remote->position > table->clustering_count);
}

static void
check_key(const ScyllaTable *table, const ScyllaRemoteTable *remote)
{
	for (int i = 0; i < remote->column_count; i++)
	{
		const ScyllaRemoteColumn *actual = &remote->columns[i];
		const ScyllaColumn *column = find_column(table, actual->name);

		if (!has_other_key(table, column, actual))
			continue;
		ereport(
			ERROR,
			(describe_drift(table->local_name),
			 errmsg("column \"%s\" of remote table %s.%s has key '%s', not '%s'", actual->name,
					remote->keyspace, remote->name,
					scylla_key_option_text(actual->role, actual->position, actual->is_descending),
					column == NULL ? scylla_key_option_text(SCYLLA_KEY_REGULAR, 0, false)
								   : scylla_key_option_text(column->role, column->position,
															column->is_descending))));
	}
}

void
scylla_drift_explain(ScyllaSession *session, Oid relid, const ScyllaScanPlan *plan)
{
	/* what its options say, or else what this backend knew of the cluster */
	const ScyllaTable *table = scylla_table_open(relid, session->userid);
	const ScyllaRemoteTable *remote;

	scylla_session_forget_schema(session->serverid);
	remote = scylla_schema_find_table(session, table->options->keyspace, table->options->table);
	if (remote == NULL)
		return;
	check_key(table, remote);
	for (int i = 0; plan != NULL && i < plan->arm_count; i++)
		check_path(table, remote, &plan->arms[i]);
}

void
scylla_drift_check_delete(ScyllaSession *session, Oid relid, int clustering_count)
{
	const ScyllaOptions *options = scylla_options_of_table(relid, session->userid);
	const ScyllaRemoteTable *remote =
		scylla_schema_find_table(session, options->keyspace, options->table);
	int count = 0;

	for (int i = 0; remote != NULL && i < remote->column_count; i++)
		count += remote->columns[i].role == SCYLLA_KEY_CLUSTERING;
	if (count > clustering_count)
		scylla_drift_explain(session, relid, NULL);
}
