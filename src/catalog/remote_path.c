/*
 * Indexes and views of a remote table, from system_schema and from the server's notes of which of
 * them are built.
 *
 * A path that gives other rows than the table would is none: an index or view that is still being
 * built, a view whose WHERE leaves out more than NULLs of its key.
 */
#include "postgres.h"

#include "catalog/remote_column.h"
#include "catalog/remote_path.h"

#define INDEXES_CQL                                                \
	"SELECT index_name, kind, options FROM system_schema.indexes " \
	"WHERE keyspace_name = ? AND table_name = ?"
#define VIEWS_CQL                                                                    \
	"SELECT view_name, base_table_name, comment, where_clause, include_all_columns " \
	"FROM system_schema.views WHERE keyspace_name = ?"
/* The column table_name has keyspaces; ScyllaDB's table has those of its indexes likewise. */
#define BUILT_INDEXES_CQL "SELECT index_name FROM system.\"IndexInfo\" WHERE table_name = ?"
#define BUILT_VIEWS_CQL "SELECT view_name FROM system.built_views WHERE keyspace_name = ?"

struct ScyllaPathQueries
{
	MemoryContext context; /* of the queries */
	ScyllaSession *session;
	const char *keyspace;
	const char *table;
	ScyllaSystemQuery *indexes;
	ScyllaSystemQuery *views;
	ScyllaSystemQuery *built_indexes;
	ScyllaSystemQuery *built_views;
};

ScyllaPathQueries *
scylla_remote_paths_start(ScyllaSession *session, const char *keyspace, const char *table)
{
	ScyllaPathQueries *queries = palloc(sizeof(ScyllaPathQueries));

	queries->context = CurrentMemoryContext;
	queries->session = session;
	queries->keyspace = keyspace;
	queries->table = table;
	queries->indexes = scylla_system_query_start(session, INDEXES_CQL, keyspace, table);
	queries->views = scylla_system_query_start(session, VIEWS_CQL, keyspace, NULL);
	queries->built_indexes = scylla_system_query_start(session, BUILT_INDEXES_CQL, keyspace, NULL);
	queries->built_views = scylla_system_query_start(session, BUILT_VIEWS_CQL, keyspace, NULL);
	return queries;
}

/* What a server that does not tell has built. */
typedef struct BuiltPaths
{
	bool is_known;
	List *names;
} BuiltPaths;

static BuiltPaths
read_built(ScyllaSystemQuery *query)
{
	BuiltPaths built = {.is_known = scylla_system_query_wait(query, 1, SCYLLA_MAY_REFUSE)};

	while (scylla_system_query_next(query))
	{
		char *name = scylla_system_query_text(query, 0);

		if (name != NULL)
			built.names = lappend(built.names, name);
	}
	return built;
}

static bool
is_built(const BuiltPaths *built, const char *name)
{
	return !built->is_known || scylla_has_name(built->names, name);
}

/* ---- indexes ---- */

/* A local index's target is {"pk":["a","b"],"ck":["v"]}, and pk the table's partition key. */
static bool
scan_local_target(const char *target, ScyllaIndex *index)
{
	const char *column = strstr(target, "\"ck\":[");

	if (target[0] != '{' || column == NULL || strchr(target, '\\') != NULL)
		return false;
	column += strlen("\"ck\":[");
	index->column = scylla_name_scan(&column);
	index->target = SCYLLA_TARGET_VALUE;
	index->kind = SCYLLA_INDEX_LOCAL;
	return index->column != NULL && column[0] == ']' && strstr(target, "\"pk\":[") != NULL;
}

static bool
is_sai(const char *class_name)
{
	static const char suffix[] = "StorageAttachedIndex";
	size_t length = strlen(class_name);

	if (pg_strcasecmp(class_name, "sai") == 0)
		return true;
	return length >= strlen(suffix) &&
		   pg_strcasecmp(class_name + length - strlen(suffix), suffix) == 0;
}

/* NULL, or why the index is no path. */
static char *
judge_index(const ScyllaRemoteIndex *remote, const BuiltPaths *built, ScyllaIndex *index)
{
	const char *target = remote->target;
	bool is_custom = pg_strcasecmp(remote->kind, "CUSTOM") == 0;

	index->name = remote->name;
	if (target == NULL)
		return "has no target";
	if (is_custom && (remote->class_name == NULL || !is_sai(remote->class_name)))
		return "of a class that is not known";
	index->kind = is_custom ? SCYLLA_INDEX_SAI : SCYLLA_INDEX_GLOBAL;
	if (!scan_local_target(target, index) &&
		(!scylla_index_target_scan(&target, index) || *target != '\0'))
		return "its target is not understood";
	if (!is_built(built, remote->name))
		return "is not built yet";
	return NULL;
}

static void
read_index(ScyllaSystemQuery *query, const BuiltPaths *built, ScyllaRemoteTable *table)
{
	ScyllaRemoteIndex *index = palloc0(sizeof(ScyllaRemoteIndex));
	ScyllaIndex *path = palloc0(sizeof(ScyllaIndex));

	index->name = scylla_system_query_text(query, 0);
	index->kind = scylla_system_query_text(query, 1);
	index->target = scylla_system_query_map_text(query, 2, "target");
	index->class_name = scylla_system_query_map_text(query, 2, "class_name");
	if (index->name == NULL || index->kind == NULL)
		return;
	index->obstacle = judge_index(index, built, path);
	if (index->obstacle == NULL)
		index->path = path;
	table->indexes = lappend(table->indexes, index);
}

/* ---- views ---- */

bool
scylla_is_index_view(const char *view, const List *indexes)
{
	ListCell *cell;

	foreach (cell, indexes)
	{
		const char *index = lfirst(cell);
		size_t length = strlen(index);

		if (strncmp(view, index, length) == 0 && strcmp(view + length, "_index") == 0)
			return true;
	}
	return false;
}

static bool
skip_word(const char **text, const char *word)
{
	size_t length = strlen(word);

	*text += strspn(*text, " \t\r\n");
	if (pg_strncasecmp(*text, word, length) != 0)
		return false;
	*text += length;
	return true;
}

/* Whether a view's WHERE says nothing but that columns of its key ARE NOT NULL. */
static bool
is_key_not_null(const char *where, const ScyllaView *view)
{
	do
	{
		char *name;

		where += strspn(where, " \t\r\n");
		name = scylla_name_scan(&where);
		if (name == NULL || !(scylla_has_name(view->partition_key, name) ||
							  scylla_has_name(view->clustering_key, name)))
			return false;
		if (!skip_word(&where, "IS") || !skip_word(&where, "NOT") || !skip_word(&where, "NULL"))
			return false;
	} while (skip_word(&where, "AND"));
	return where[strspn(where, " \t\r\n")] == '\0';
}

/* The view's columns are those of a table. */
static void
describe_view(const ScyllaRemoteTable *table, ScyllaView *view)
{
	for (int i = 0; i < table->column_count; i++)
	{
		const ScyllaRemoteColumn *column = &table->columns[i];

		if (column->role == SCYLLA_KEY_PARTITION)
			view->partition_key = lappend(view->partition_key, column->name);
		else if (column->role == SCYLLA_KEY_CLUSTERING)
		{
			if (column->is_descending)
				view->descending =
					bms_add_member(view->descending, list_length(view->clustering_key));
			view->clustering_key = lappend(view->clustering_key, column->name);
		}
		else if (!view->has_all_columns)
			view->columns = lappend(view->columns, column->name);
	}
}

/* NULL, or why the view is no path. */
static char *
judge_view(const ScyllaRemoteView *remote, const BuiltPaths *built, const ScyllaView *view)
{
	if (view->partition_key == NIL)
		return "has no key";
	if (remote->where_clause == NULL || !is_key_not_null(remote->where_clause, view))
		return "its WHERE says more than that its key is not null";
	if (!is_built(built, remote->name))
		return "is not built yet";
	return NULL;
}

/* A view that is known by name so far, and the question about its columns. */
typedef struct PendingView
{
	ScyllaRemoteView *remote;
	ScyllaView *path;
	ScyllaSystemQuery *columns;
} PendingView;

static PendingView *
ask_view(const ScyllaPathQueries *queries, char *name)
{
	PendingView *pending = palloc(sizeof(PendingView));
	MemoryContext caller;

	pending->remote = palloc0(sizeof(ScyllaRemoteView));
	pending->remote->name = name;
	pending->remote->where_clause = scylla_system_query_text(queries->views, 3);
	pending->path = palloc0(sizeof(ScyllaView));
	pending->path->name = name;
	pending->path->has_all_columns = scylla_system_query_boolean(queries->views, 4);
	caller = MemoryContextSwitchTo(queries->context);
	pending->columns =
		scylla_remote_columns_start(queries->session, "system_schema", queries->keyspace, name);
	MemoryContextSwitchTo(caller);
	return pending;
}

static void
finish_view(PendingView *pending, const BuiltPaths *built, ScyllaRemoteTable *table)
{
	ScyllaRemoteTable columns = {0};

	scylla_remote_columns_read(pending->columns, SCYLLA_MUST_ANSWER, &columns);
	describe_view(&columns, pending->path);
	pending->remote->obstacle = judge_view(pending->remote, built, pending->path);
	if (pending->remote->obstacle == NULL)
		pending->remote->path = pending->path;
	table->views = lappend(table->views, pending->remote);
}

static List *
index_names(const ScyllaRemoteTable *table)
{
	List *names = NIL;
	ListCell *cell;

	foreach (cell, table->indexes)
		names = lappend(names, ((ScyllaRemoteIndex *) lfirst(cell))->name);
	return names;
}

/* The keyspace's views: those of this table, or the table itself. */
static void
read_views(const ScyllaPathQueries *queries, const BuiltPaths *built, ScyllaRemoteTable *table)
{
	List *indexes = index_names(table);
	List *pending = NIL;
	ListCell *cell;

	while (scylla_system_query_next(queries->views))
	{
		char *name = scylla_system_query_text(queries->views, 0);
		char *base = scylla_system_query_text(queries->views, 1);

		if (name == NULL || base == NULL)
			continue;
		if (strcmp(name, queries->table) == 0)
		{
			table->is_view = true;
			table->base_table = base;
			table->comment = scylla_system_query_text(queries->views, 2);
		}
		else if (strcmp(base, queries->table) == 0 && !scylla_is_index_view(name, indexes))
			pending = lappend(pending, ask_view(queries, name));
	}
	foreach (cell, pending)
		finish_view(lfirst(cell), built, table);
}

void
scylla_remote_paths_read(ScyllaPathQueries *queries, ScyllaRemoteTable *table)
{
	BuiltPaths built_indexes = read_built(queries->built_indexes);
	BuiltPaths built_views = read_built(queries->built_views);

	(void) scylla_system_query_wait(queries->indexes, 3, SCYLLA_MUST_ANSWER);
	while (scylla_system_query_next(queries->indexes))
		read_index(queries->indexes, &built_indexes, table);
	(void) scylla_system_query_wait(queries->views, 5, SCYLLA_MUST_ANSWER);
	read_views(queries, &built_views, table);
}
