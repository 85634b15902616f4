/*
 * IMPORT FOREIGN SCHEMA: from the remote schema to CREATE FOREIGN TABLE commands.
 *
 * A table or column that PostgreSQL cannot have (its type, its name) costs itself and a WARNING;
 * two that would get the same name are an error, since only the user can tell which is meant.
 */
#include "postgres.h"

#include "catalog/heap.h"
#include "catalog/namespace.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "parser/scansup.h"
#include "utils/builtins.h"

#include "catalog/schema.h"
#include "catalog/udt.h"
#include "command/composite.h"
#include "command/import.h"
#include "read_path.h"
#include "types/typemap.h"

/* ScyllaDB keeps the changes of table t in t_scylla_cdc_log. */
static const char cdc_suffix[] = "_scylla_cdc_log";

typedef struct Import
{
	ImportForeignSchemaStmt *stmt;
	ScyllaImportOptions *options;
	ScyllaSession *session;
	cql_type_arena *arena;
	Oid schema;
	bool has_udts; /* udts were asked for */
	List *udts;
	List *unfit_types;  /* char *, of composite types that were warned of */
	List *remote_names; /* of all tables and views, char * */
	List *local_names;  /* of those that were imported or left out with a WARNING */
	List *commands;
} Import;

/* The name that a remote one gets here: folded if asked for, never longer than PostgreSQL allows. */
static char *
local_name_of(const Import *import, const char *remote_name)
{
	int length = strlen(remote_name);
	char *name;

	if (import->options->is_lowered)
		name = downcase_identifier(remote_name, length, false, false);
	else
		name = pstrdup(remote_name);
	truncate_identifier(name, strlen(name), false);
	return name;
}

static void
warn_if_cut(const char *remote_name, const char *local_name)
{
	if (strlen(local_name) < strlen(remote_name))
		ereport(WARNING, (errcode(ERRCODE_NAME_TOO_LONG),
						  errmsg("remote name \"%s\" is cut to \"%s\"", remote_name, local_name)));
}

/* Names become equal by folding or by being cut. */
static const char *
advise_on_collision(const Import *import)
{
	return import->options->is_lowered ? "Import without the option case 'lower', or leave"
									   : "Leave";
}

/* ---- columns ---- */

/* Asked for at the first column that is of one. */
static const cql_type *
find_udt(Import *import, const char *name)
{
	if (!import->has_udts)
		import->udts = scylla_udts_load(import->session, import->stmt->remote_schema);
	import->has_udts = true;
	return scylla_udts_find(import->udts, name);
}

/* The composite type for a UDT, by its name in the schema that is imported into. */
static Oid
find_composite(const cql_type *type, void *argument)
{
	Import *import = argument;
	const cql_type *udt = find_udt(import, type->name);
	Oid composite;

	if (udt == NULL)
		return InvalidOid;
	switch (scylla_composite_find(udt, import->schema, &composite))
	{
		case SCYLLA_COMPOSITE_FITS:
			return composite;
		case SCYLLA_COMPOSITE_NONE:
			return InvalidOid;
		case SCYLLA_COMPOSITE_OTHER:
			break;
	}
	if (!scylla_has_name(import->unfit_types, udt->name))
		ereport(WARNING,
				(errmsg("type %s does not go with the user-defined type \"%s\"",
						format_type_be(composite), udt->name),
				 errdetail("Columns of the user-defined type become jsonb."),
				 errhint("Alter it so that it has the same fields, see scylla_create_types.")));
	import->unfit_types = lappend(import->unfit_types, pstrdup(udt->name));
	return InvalidOid;
}

/* Why a column cannot be declared; NULL: it can. */
static const char *
find_obstacle(const ScyllaRemoteColumn *column, const cql_type *type, const char *local_name)
{
	if (type == NULL)
		return psprintf("CQL type %s is not known.", column->type_text);
	if (SystemAttributeByName(local_name) != NULL)
		return psprintf("PostgreSQL has a system column of the name \"%s\".", local_name);
	return NULL;
}

static bool
is_key(const ScyllaRemoteColumn *column)
{
	return column->role == SCYLLA_KEY_PARTITION || column->role == SCYLLA_KEY_CLUSTERING;
}

static void
append_column(StringInfo command, Import *import, const ScyllaRemoteColumn *column,
			  const cql_type *type)
{
	char *local_name = local_name_of(import, column->name);
	bool is_text = type->id == CQL_TYPE_TEXT || type->id == CQL_TYPE_ASCII;

	appendStringInfo(command, "\n\t%s %s OPTIONS (", quote_identifier(local_name),
					 scylla_type_declaration(type, find_composite, import));
	if (strcmp(local_name, column->name) != 0)
		appendStringInfo(command, "column %s, ", quote_literal_cstr(column->name));
	appendStringInfo(command, "key %s, type %s)",
					 quote_literal_cstr(scylla_key_option_text(column->role, column->position,
															   column->is_descending)),
					 quote_literal_cstr(column->type_text));
	if (import->options->has_collate && is_key(column) && is_text)
		appendStringInfoString(command, " COLLATE pg_catalog.\"C\"");
}

/* Appends the columns that can be declared; false: one of the key cannot. */
static bool
append_columns(StringInfo command, Import *import, const ScyllaRemoteTable *table)
{
	List *names = NIL;

	for (int i = 0; i < table->column_count; i++)
	{
		const ScyllaRemoteColumn *column = &table->columns[i];
		const cql_type *type = cql_type_parse(import->arena, column->type_text);
		char *local_name = local_name_of(import, column->name);
		const char *obstacle = find_obstacle(column, type, local_name);

		if (obstacle != NULL)
		{
			ereport(WARNING, (errmsg("%s \"%s\" of %s.%s cannot be imported",
									 is_key(column) ? "key column" : "column", column->name,
									 table->keyspace, table->name),
							  errdetail("%s", obstacle)));
			if (is_key(column))
				return false;
			continue;
		}
		if (scylla_has_name(names, local_name))
			ereport(ERROR, (errcode(ERRCODE_DUPLICATE_COLUMN),
							errmsg("two columns of %s.%s would get the name \"%s\"",
								   table->keyspace, table->name, local_name),
							errhint("%s the table out with EXCEPT and declare it by hand.",
									advise_on_collision(import))));
		warn_if_cut(column->name, local_name);
		if (names != NIL)
			appendStringInfoChar(command, ',');
		names = lappend(names, local_name);
		append_column(command, import, column, type);
	}
	return true;
}

/* ---- tables ---- */

/* The indexes and views that plans can go by. */
static void
append_paths(StringInfo command, const ScyllaRemoteTable *table)
{
	List *indexes = NIL;
	List *views = NIL;
	ListCell *cell;

	foreach (cell, table->indexes)
	{
		const ScyllaRemoteIndex *index = lfirst(cell);

		if (index->path != NULL)
			indexes = lappend(indexes, index->path);
	}
	foreach (cell, table->views)
	{
		const ScyllaRemoteView *view = lfirst(cell);

		if (view->path != NULL)
			views = lappend(views, view->path);
	}
	if (indexes != NIL)
		appendStringInfo(command, ", indexes %s",
						 quote_literal_cstr(scylla_indexes_print(indexes)));
	if (views != NIL)
		appendStringInfo(command, ", views %s", quote_literal_cstr(scylla_views_print(views)));
}

static void
import_table(Import *import, const ScyllaRemoteTable *table, const char *local_name)
{
	StringInfoData command;

	initStringInfo(&command);
	appendStringInfo(&command, "CREATE FOREIGN TABLE %s (", quote_identifier(local_name));
	if (!append_columns(&command, import, table))
	{
		ereport(WARNING, (errmsg("%s.%s is left out of the import", table->keyspace, table->name)));
		return;
	}
	warn_if_cut(table->name, local_name);
	appendStringInfo(&command, "\n) SERVER %s OPTIONS (keyspace %s, \"table\" %s",
					 quote_identifier(import->stmt->server_name),
					 quote_literal_cstr(table->keyspace), quote_literal_cstr(table->name));
	append_paths(&command, table);
	appendStringInfoChar(&command, ')');
	import->commands = lappend(import->commands, command.data);
}

static bool
is_listed(const Import *import, const char *local_name)
{
	ListCell *cell;

	foreach (cell, import->stmt->table_list)
		if (strcmp(lfirst_node(RangeVar, cell)->relname, local_name) == 0)
			return true;
	return false;
}

static bool
is_wanted(const Import *import, const char *local_name)
{
	switch (import->stmt->list_type)
	{
		case FDW_IMPORT_SCHEMA_LIMIT_TO:
			return is_listed(import, local_name);
		case FDW_IMPORT_SCHEMA_EXCEPT:
			return !is_listed(import, local_name);
		case FDW_IMPORT_SCHEMA_ALL:
			break;
	}
	return true;
}

/* Whether it is the log of another table of the keyspace. */
static bool
is_cdc_log(const Import *import, const char *remote_name)
{
	int base_length = (int) strlen(remote_name) - (int) strlen(cdc_suffix);

	return base_length > 0 && strcmp(remote_name + base_length, cdc_suffix) == 0 &&
		   scylla_has_name(import->remote_names, pnstrdup(remote_name, base_length));
}

static void
consider_table(Import *import, const char *remote_name)
{
	char *local_name = local_name_of(import, remote_name);
	const ScyllaRemoteTable *table;

	if (!is_wanted(import, local_name))
		return;
	if (!import->options->has_cdc && is_cdc_log(import, remote_name))
		return;
	table = scylla_schema_table(import->session, import->stmt->remote_schema, remote_name);
	/* It was listed a moment ago: dropped since then. */
	if (table == NULL || (table->is_view && !import->options->has_views))
		return;
	if (scylla_has_name(import->local_names, local_name))
		ereport(ERROR, (errcode(ERRCODE_DUPLICATE_TABLE),
						errmsg("two tables of keyspace \"%s\" would get the name \"%s\"",
							   import->stmt->remote_schema, local_name),
						errhint("%s the name out with EXCEPT and declare the tables by hand.",
								advise_on_collision(import))));
	import->local_names = lappend(import->local_names, local_name);
	import_table(import, table, local_name);
}

/* LIMIT TO names what the user counts on, so what is not there is an error. */
static void
check_limit(const Import *import)
{
	List *local_names = NIL;
	ListCell *cell;

	if (import->stmt->list_type != FDW_IMPORT_SCHEMA_LIMIT_TO)
		return;
	foreach (cell, import->remote_names)
		local_names = lappend(local_names, local_name_of(import, lfirst(cell)));
	foreach (cell, import->stmt->table_list)
	{
		const char *name = lfirst_node(RangeVar, cell)->relname;
		const char *closest;

		if (scylla_has_name(import->local_names, name))
			continue;
		closest = scylla_closest_name(name, local_names);
		ereport(ERROR,
				(errcode(ERRCODE_FDW_TABLE_NOT_FOUND),
				 errmsg("keyspace \"%s\" has no table \"%s\" to import",
						import->stmt->remote_schema, name),
				 scylla_has_name(local_names, name)
					 ? errhint("It is there, but the options import_views and import_cdc tell to "
							   "leave it out.")
				 : closest != NULL
					 ? errhint("Perhaps you meant \"%s\": names are those that the import gives.",
							   closest)
					 : errhint("Names in LIMIT TO are those that the import gives.")));
	}
}

List *
scyllaImportForeignSchema(ImportForeignSchemaStmt *stmt, Oid serverOid)
{
	Import import = {.stmt = stmt, .options = scylla_options_of_import(stmt->options)};
	ListCell *cell;

	import.session = scylla_session_get(serverOid, GetUserId());
	import.arena = scylla_type_arena_new();
	import.schema = get_namespace_oid(stmt->local_schema, false);
	/* What is imported shall be true now, whatever was read a minute ago. */
	scylla_session_forget_schema(serverOid);
	import.remote_names = scylla_schema_tables(import.session, stmt->remote_schema);
	foreach (cell, import.remote_names)
		consider_table(&import, lfirst(cell));
	check_limit(&import);
	return import.commands;
}
