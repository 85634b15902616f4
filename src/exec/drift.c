/*
 * Drift between a plan and the server: telling types apart, and the one error for it.
 */
#include "postgres.h"

#include "exec/drift.h"

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

void
scylla_drift_raise(ScyllaSession *session, const ScyllaStatement *statement,
				   const char *local_table, const char *remote_table, const ScyllaDrift *drift)
{
	char actual[256];

	scylla_statement_forget(session, statement);
	scylla_session_forget_schema(session->serverid);
	if (drift->column != NULL)
		cql_type_print(drift->actual, false, actual, sizeof(actual));
	ereport(
		ERROR,
		(errcode(ERRCODE_FDW_INCONSISTENT_DESCRIPTOR_INFORMATION),
		 drift->column != NULL
			 ? errmsg("column \"%s\" of remote table %s has type %s, not %s", drift->column,
					  remote_table, actual, drift->expected)
			 : errmsg("remote table %s has other columns than expected", remote_table),
		 errdetail("The remote table is not what foreign table \"%s\" was made for.", local_table),
		 errhint("Run IMPORT FOREIGN SCHEMA again, or, where the foreign table was written by "
				 "hand, correct it or repeat the statement.")));
}
