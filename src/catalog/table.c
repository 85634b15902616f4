/*
 * Opens a foreign table: its columns with their remote names, key roles and type pairs.
 *
 * One of two sources describes the columns, never a mix: the column options where they are whole,
 * else the cluster. Strings are copied, since the schema's cache may let go of its own.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "catalog/heap.h"
#include "compat.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "catalog/schema.h"
#include "catalog/table.h"

static bool
is_computed(const ScyllaColumn *column)
{
	return column->function != SCYLLA_FUNCTION_NONE;
}

static void
read_local_columns(ScyllaTable *table)
{
	Relation relation = table_open(table->relid, NoLock);
	TupleDesc descriptor = RelationGetDescr(relation);

	table->local_name = pstrdup(RelationGetRelationName(relation));
	table->column_count = descriptor->natts;
	table->columns = palloc0(descriptor->natts * sizeof(ScyllaColumn));
	for (int i = 0; i < descriptor->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(descriptor, i);
		ScyllaColumn *column = &table->columns[i];
		ScyllaColumnOptions *options;

		if (attribute->attisdropped || scylla_is_virtual(attribute))
			continue;
		options = scylla_options_of_column(table->relid, attribute->attnum);
		column->attnum = attribute->attnum;
		column->local_name = pstrdup(NameStr(attribute->attname));
		column->name = options->column;
		column->role = options->role;
		column->position = options->position;
		column->is_descending = options->is_descending;
		column->cql_type_text = options->type;
		column->function = options->function;
		column->argument = options->argument;
		if (options->function != SCYLLA_FUNCTION_NONE)
			column->name = options->function_text;
		column->type = attribute->atttypid;
		column->typmod = attribute->atttypmod;
		column->collation = attribute->attcollation;
		column->is_not_null = attribute->attnotnull;
	}
	table_close(relation, NoLock);
}

static int
count_key(const ScyllaTable *table, ScyllaKeyRole role)
{
	int count = 0;

	for (int i = 0; i < table->column_count; i++)
		if (table->columns[i].attnum != 0 && table->columns[i].role == role)
			count = Max(count, table->columns[i].position);
	return count;
}

/* Columns of a key by position. Two local columns may show one remote column, no more than that. */
static ScyllaColumn **
collect_key(const ScyllaTable *table, ScyllaKeyRole role, int count)
{
	ScyllaColumn **key = palloc0(Max(count, 1) * sizeof(ScyllaColumn *));

	for (int i = 0; i < table->column_count; i++)
	{
		ScyllaColumn *column = &table->columns[i];
		ScyllaColumn **place;

		if (column->attnum == 0 || is_computed(column) || column->role != role)
			continue;
		place = &key[column->position - 1];
		if (*place != NULL && strcmp((*place)->name, column->name) != 0)
			ereport(
				ERROR,
				(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
				 errmsg("columns \"%s\" and \"%s\" of foreign table \"%s\" have the same place "
						"in the key",
						(*place)->local_name, column->local_name, table->local_name),
				 errdetail("Both have the option key '%s'.",
						   scylla_key_option_text(role, column->position, column->is_descending)),
				 errhint("Correct the options, or remove them: the cluster is asked then.")));
		if (*place == NULL)
			*place = column;
	}
	return key;
}

/* The remote key's own columns, which need not all be declared here: token() is of all of them. */
static void
name_partition_key(ScyllaTable *table)
{
	table->partition_names = palloc0(Max(table->partition_count, 1) * sizeof(char *));
	table->partition_types = palloc0(Max(table->partition_count, 1) * sizeof(char *));
	for (int i = 0; i < table->partition_count; i++)
	{
		if (table->partition_key[i] == NULL)
			continue;
		table->partition_names[i] = table->partition_key[i]->name;
		table->partition_types[i] = table->partition_key[i]->cql_type_text;
	}
}

/* ---- computed columns ---- */

/*
 * A computed column has its argument's role as far as CQL's rules about static columns go: that of
 * a static column is static.
 */
static void
describe_computed(ScyllaColumn *column, ScyllaKeyRole argument_role, const char *argument_type)
{
	column->role = argument_role;
	column->argument_type = argument_type;
	column->cql_type_text = column->function == SCYLLA_FUNCTION_TTL ? "int" : "bigint";
}

static void raise_no_function(const ScyllaTable *table, const ScyllaColumn *column,
							  const char *reason) __attribute__((noreturn));

static void
raise_no_function(const ScyllaTable *table, const ScyllaColumn *column, const char *reason)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("column \"%s\" of foreign table \"%s\" cannot show %s", column->local_name,
					table->local_name, column->name),
			 errdetail("%s", reason),
			 errhint("Name another column in the option \"function\", or drop the column.")));
}

/* What CQL has a TTL and a time of for each value: a cell of its own outside the key. */
static void
check_argument(const ScyllaTable *table, const ScyllaColumn *column, cql_type_arena *arena)
{
	const cql_type *type;

	if (column->argument == NULL)
		return;
	if (column->role == SCYLLA_KEY_PARTITION || column->role == SCYLLA_KEY_CLUSTERING)
		raise_no_function(table, column,
						  psprintf("\"%s\" is part of the primary key.", column->argument));
	type = cql_type_parse(arena, column->argument_type);
	if (type == NULL || type->is_frozen)
		return;
	if (type->id == CQL_TYPE_LIST || type->id == CQL_TYPE_SET || type->id == CQL_TYPE_MAP ||
		type->id == CQL_TYPE_UDT)
		raise_no_function(
			table, column,
			psprintf("\"%s\" is not frozen: each element has its own.", column->argument));
}

/* ---- described by options ---- */

static bool
has_gap(ScyllaColumn **key, int count)
{
	for (int i = 0; i < count; i++)
		if (key[i] == NULL)
			return true;
	return false;
}

/* The local column that shows a remote one, or NULL. */
static const ScyllaColumn *
find_local_column(const ScyllaTable *table, const char *name)
{
	for (int i = 0; i < table->column_count; i++)
	{
		const ScyllaColumn *column = &table->columns[i];

		if (column->attnum != 0 && !is_computed(column) && strcmp(column->name, name) == 0)
			return column;
	}
	return NULL;
}

static bool
has_description(const ScyllaTable *table, const ScyllaColumn *column)
{
	if (column->attnum != 0 && is_computed(column))
		return column->argument == NULL || find_local_column(table, column->argument) != NULL;
	return column->attnum != 0 && column->role != SCYLLA_KEY_UNKNOWN &&
		   column->cql_type_text != NULL;
}

static void
describe_computed_by_options(ScyllaTable *table)
{
	for (int i = 0; i < table->column_count; i++)
	{
		ScyllaColumn *column = &table->columns[i];
		const ScyllaColumn *argument;

		if (!is_computed(column))
			continue;
		argument = column->argument != NULL ? find_local_column(table, column->argument) : NULL;
		if (argument != NULL)
			describe_computed(column, argument->role, argument->cql_type_text);
		else
			describe_computed(column, SCYLLA_KEY_REGULAR, NULL);
	}
}

/*
 * Whether the column options describe the whole key and every column. Where a column was dropped,
 * or a place in the key is empty, nobody knows how long the remote key is.
 */
static bool
is_described_by_options(ScyllaTable *table)
{
	for (int i = 0; i < table->column_count; i++)
		if (!has_description(table, &table->columns[i]))
			return false;
	table->partition_count = count_key(table, SCYLLA_KEY_PARTITION);
	table->clustering_count = count_key(table, SCYLLA_KEY_CLUSTERING);
	table->partition_key = collect_key(table, SCYLLA_KEY_PARTITION, table->partition_count);
	table->clustering_key = collect_key(table, SCYLLA_KEY_CLUSTERING, table->clustering_count);
	if (table->partition_count == 0 || has_gap(table->partition_key, table->partition_count) ||
		has_gap(table->clustering_key, table->clustering_count))
		return false;
	name_partition_key(table);
	describe_computed_by_options(table);
	return true;
}

/* ---- indexes and views ---- */

static void
add_index(ScyllaTable *table, const ScyllaIndex *index)
{
	const ScyllaColumn *column = find_local_column(table, index->column);
	ScyllaTableIndex *result;

	if (column == NULL)
		return;
	result = palloc(sizeof(ScyllaTableIndex));
	result->name = pstrdup(index->name);
	result->column = column;
	result->target = index->target;
	result->kind = index->kind;
	table->indexes = lappend(table->indexes, result);
}

static const ScyllaColumn **
find_local_columns(const ScyllaTable *table, const List *names)
{
	const ScyllaColumn **columns = palloc(Max(list_length(names), 1) * sizeof(ScyllaColumn *));
	ListCell *cell;

	foreach (cell, names)
		columns[foreach_current_index(cell)] = find_local_column(table, lfirst(cell));
	return columns;
}

static bool
shows_column(const ScyllaView *view, const ScyllaColumn *column)
{
	if (column->attnum == 0 || is_computed(column))
		return false;
	return (view->has_all_columns && column->role != SCYLLA_KEY_STATIC) ||
		   scylla_has_name(view->columns, column->name) ||
		   scylla_has_name(view->partition_key, column->name) ||
		   scylla_has_name(view->clustering_key, column->name);
}

static void
add_view(ScyllaTable *table, const ScyllaView *view)
{
	ScyllaTableView *result = palloc0(sizeof(ScyllaTableView));

	result->name = pstrdup(view->name);
	result->partition_count = list_length(view->partition_key);
	result->partition_key = find_local_columns(table, view->partition_key);
	result->clustering_count = list_length(view->clustering_key);
	result->clustering_key = find_local_columns(table, view->clustering_key);
	result->descending = bms_copy(view->descending);
	for (int i = 0; i < result->partition_count; i++)
		if (result->partition_key[i] == NULL)
			return;
	for (int i = 0; i < table->column_count; i++)
		if (shows_column(view, &table->columns[i]))
			result->attnums = bms_add_member(result->attnums, table->columns[i].attnum);
	table->views = lappend(table->views, result);
}

static void
add_option_paths(ScyllaTable *table)
{
	ListCell *cell;

	foreach (cell, table->options->indexes)
		add_index(table, lfirst(cell));
	if (!table->options->is_view_used)
		return;
	foreach (cell, table->options->views)
		add_view(table, lfirst(cell));
}

static void
add_remote_paths(ScyllaTable *table, const ScyllaRemoteTable *remote)
{
	ListCell *cell;

	foreach (cell, remote->indexes)
	{
		const ScyllaRemoteIndex *index = lfirst(cell);

		if (index->path != NULL)
			add_index(table, index->path);
	}
	foreach (cell, remote->views)
	{
		const ScyllaRemoteView *view = lfirst(cell);

		if (view->path != NULL && table->options->is_view_used)
			add_view(table, view->path);
	}
}

/* ---- described by the cluster ---- */

static void raise_no_column(const ScyllaTable *table, const ScyllaColumn *column,
							const ScyllaRemoteTable *remote) __attribute__((noreturn));

static void
raise_no_column(const ScyllaTable *table, const ScyllaColumn *column,
				const ScyllaRemoteTable *remote)
{
	const char *name = is_computed(column) ? column->argument : column->name;
	const char *option = is_computed(column) ? "function" : "column";
	List *names = NIL;
	const char *closest;
	const char *hint;

	for (int i = 0; i < remote->column_count; i++)
		names = lappend(names, remote->columns[i].name);
	closest = scylla_closest_name(name, names);
	if (closest == NULL)
		hint =
			psprintf("Name the remote column with the column's option \"%s\", or drop it.", option);
	else if (pg_strcasecmp(closest, name) == 0)
		hint = psprintf("The remote column is named \"%s\", and case matters: set the column's "
						"option \"%s\".",
						closest, option);
	else
		hint =
			psprintf("Perhaps \"%s\" is meant: set the column's option \"%s\".", closest, option);
	ereport(ERROR,
			(errcode(ERRCODE_FDW_COLUMN_NAME_NOT_FOUND),
			 errmsg("column \"%s\" does not exist in remote table %s.%s", name, remote->keyspace,
					remote->name),
			 errdetail(is_computed(column) ? "Column \"%s\" of foreign table \"%s\" needs it."
										   : "Column \"%s\" of foreign table \"%s\" stands for it.",
					   column->local_name, table->local_name),
			 errhint("%s", hint)));
}

static void raise_no_table(const ScyllaTable *table, ScyllaSession *session)
	__attribute__((noreturn));

static void
raise_no_table(const ScyllaTable *table, ScyllaSession *session)
{
	const char *keyspace = table->options->keyspace;
	const char *name = table->options->table;
	const char *closest = scylla_closest_name(name, scylla_schema_tables(session, keyspace));

	ereport(ERROR,
			(errcode(ERRCODE_FDW_TABLE_NOT_FOUND),
			 errmsg("table %s.%s does not exist on server \"%s\"", keyspace, name,
					session->server_name),
			 errdetail("Foreign table \"%s\" stands for it.", table->local_name),
			 closest != NULL
				 ? errhint("Perhaps the table \"%s\" is meant: set the option \"table\"; case "
						   "matters.",
						   closest)
				 : errhint("Name it with the options \"keyspace\" and \"table\" of the foreign "
						   "table, exactly as the cluster spells them.")));
}

static const ScyllaRemoteColumn *
find_remote_column(const ScyllaRemoteTable *remote, const char *name)
{
	for (int i = 0; i < remote->column_count; i++)
		if (strcmp(remote->columns[i].name, name) == 0)
			return &remote->columns[i];
	return NULL;
}

static int
count_remote_key(const ScyllaRemoteTable *remote, ScyllaKeyRole role)
{
	int count = 0;

	for (int i = 0; i < remote->column_count; i++)
		count += remote->columns[i].role == role;
	return count;
}

static void
describe_column(const ScyllaTable *table, ScyllaColumn *column, const ScyllaRemoteTable *remote)
{
	const char *name = is_computed(column) ? column->argument : column->name;
	const ScyllaRemoteColumn *remote_column;

	if (is_computed(column) && column->argument == NULL)
	{
		describe_computed(column, SCYLLA_KEY_REGULAR, NULL);
		return;
	}
	remote_column = find_remote_column(remote, name);
	if (remote_column == NULL)
		raise_no_column(table, column, remote);
	if (is_computed(column))
	{
		describe_computed(column, remote_column->role, pstrdup(remote_column->type_text));
		return;
	}
	column->role = remote_column->role;
	column->position = remote_column->position;
	column->is_descending = remote_column->is_descending;
	column->cql_type_text = pstrdup(remote_column->type_text);
}

static void
name_remote_partition_key(ScyllaTable *table, const ScyllaRemoteTable *remote)
{
	name_partition_key(table);
	for (int i = 0; i < remote->column_count; i++)
	{
		const ScyllaRemoteColumn *column = &remote->columns[i];

		if (column->role != SCYLLA_KEY_PARTITION)
			continue;
		table->partition_names[column->position - 1] = pstrdup(column->name);
		table->partition_types[column->position - 1] = pstrdup(column->type_text);
	}
}

static void
describe_by_cluster(ScyllaTable *table, ScyllaSession *session)
{
	const ScyllaRemoteTable *remote =
		scylla_schema_table(session, table->options->keyspace, table->options->table);

	if (remote == NULL)
		raise_no_table(table, session);
	for (int i = 0; i < table->column_count; i++)
		if (table->columns[i].attnum != 0)
			describe_column(table, &table->columns[i], remote);
	table->partition_count = count_remote_key(remote, SCYLLA_KEY_PARTITION);
	table->clustering_count = count_remote_key(remote, SCYLLA_KEY_CLUSTERING);
	table->partition_key = collect_key(table, SCYLLA_KEY_PARTITION, table->partition_count);
	table->clustering_key = collect_key(table, SCYLLA_KEY_CLUSTERING, table->clustering_count);
	name_remote_partition_key(table, remote);
	add_remote_paths(table, remote);
}

/* The user's session if it has a connection; a size is not worth opening one. */
static ScyllaSession *
find_connected_session(const ScyllaTable *table)
{
	ScyllaSession *session = scylla_session_find(table->options->serverid, table->userid);
	cql_connection_info connection;

	if (session == NULL || !cql_session_connection(session->cql, 0, &connection) ||
		!connection.is_ready)
		return NULL;
	return session;
}

static void
resolve_types(ScyllaTable *table)
{
	cql_type_arena *arena = scylla_type_arena_new();

	for (int i = 0; i < table->column_count; i++)
	{
		ScyllaColumn *column = &table->columns[i];

		if (column->attnum == 0)
			continue;
		check_argument(table, column, arena);
		column->cql_type = cql_type_parse(arena, column->cql_type_text);
		if (column->cql_type != NULL && !is_computed(column))
			column->pair = scylla_type_pair_find(column->cql_type, column->type);
	}
}

ScyllaTable *
scylla_table_open(Oid relid, Oid userid)
{
	ScyllaTable *table = palloc0(sizeof(ScyllaTable));
	ScyllaTableSizes sizes = {-1, -1};
	ScyllaSession *session;

	table->relid = relid;
	table->userid = userid;
	table->options = scylla_options_of_table(relid, userid);
	read_local_columns(table);
	if (is_described_by_options(table))
	{
		add_option_paths(table);
		session = find_connected_session(table);
	}
	else
	{
		session = scylla_session_get(table->options->serverid, userid);
		describe_by_cluster(table, session);
	}
	if (session != NULL)
		sizes = scylla_schema_sizes(session, table->options->keyspace, table->options->table);
	table->partitions = sizes.partitions;
	table->partition_bytes = sizes.partition_bytes;
	resolve_types(table);
	return table;
}

void
scylla_refuse_system_columns(const char *local_name, const Bitmapset *attributes)
{
	for (int attnum = FirstLowInvalidHeapAttributeNumber + 1; attnum < 0; attnum++)
		if (attnum != TableOidAttributeNumber &&
			bms_is_member(attnum - FirstLowInvalidHeapAttributeNumber, attributes))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("foreign table \"%s\" has no system column %s", local_name,
							NameStr(SystemAttributeDefinition(attnum)->attname)),
					 errhint("Rows are told apart by the primary key; of the system columns only "
							 "tableoid exists.")));
}
