/*
 * The remote schema: what system_schema tells of a table, kept for a minute.
 *
 * An entry of the cache is a memory context with one table in it, good while its session's
 * schema_generation stands; an entry that is replaced lives on until the transaction ends, since
 * its callers may still read it. Virtual keyspaces of Cassandra are told by tables of their own.
 */
#include "postgres.h"

#include <math.h>

#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "bridge/wait.h"
#include "catalog/remote_column.h"
#include "catalog/remote_path.h"
#include "catalog/schema.h"
#include "catalog/system_query.h"

#define CACHE_AGE_US (UINT64CONST(60) * 1000 * 1000)
/* Sizes are not worth that a plan waits long for them. */
#define SIZES_TIMEOUT_MS 100

/* ---- reading ---- */

#define TABLE_CQL(schema) \
	"SELECT comment FROM " schema ".tables WHERE keyspace_name = ? AND table_name = ?"
#define TABLES_CQL(schema) "SELECT table_name FROM " schema ".tables WHERE keyspace_name = ?"
#define KEYSPACES_CQL(schema) "SELECT keyspace_name FROM " schema ".keyspaces"

#define VIEWS_CQL "SELECT view_name FROM system_schema.views WHERE keyspace_name = ?"
#define INDEXES_CQL "SELECT index_name FROM system_schema.indexes WHERE keyspace_name = ?"
#define SIZES_CQL                                                           \
	"SELECT range_start, range_end, partitions_count, mean_partition_size " \
	"FROM system.size_estimates WHERE keyspace_name = ? AND table_name = ?"

/*
 * A node tells of the token ranges that are its own, so what they hold is scaled up by the part
 * of the ring that they cover. Nothing counted means that nobody knows: data that is not flushed
 * yet is not counted either.
 */
static ScyllaTableSizes
read_sizes(ScyllaSystemQuery *query)
{
	ScyllaTableSizes sizes = {-1, -1};
	double partitions = 0;
	double bytes = 0;
	double covered = 0;

	while (scylla_system_query_next(query))
	{
		char *start = scylla_system_query_text(query, 0);
		char *end = scylla_system_query_text(query, 1);
		double count = (double) scylla_system_query_integer(query, 2);
		uint64 width;

		if (start == NULL || end == NULL || count < 0)
			continue;
		width = (uint64) strtoll(end, NULL, 10) - (uint64) strtoll(start, NULL, 10);
		covered += width == 0 ? 1.0 : ldexp((double) width, -64);
		partitions += count;
		bytes += count * (double) scylla_system_query_integer(query, 3);
	}
	if (partitions > 0 && covered > 0)
	{
		sizes.partitions = partitions / Min(covered, 1.0);
		sizes.partition_bytes = bytes / partitions;
	}
	return sizes;
}

/*
 * One table as system_schema has it, all questions asked at once (of its views' columns there is a
 * second round); NULL: it has none of that name. The answers are read in the context `answers`,
 * the table is made in the current one.
 */
static ScyllaRemoteTable *
load_table(ScyllaSession *session, const char *keyspace, const char *name, MemoryContext answers)
{
	MemoryContext context = MemoryContextSwitchTo(answers);
	ScyllaSystemQuery *columns =
		scylla_remote_columns_start(session, "system_schema", keyspace, name);
	ScyllaSystemQuery *description =
		scylla_system_query_start(session, TABLE_CQL("system_schema"), keyspace, name);
	ScyllaPathQueries *paths = scylla_remote_paths_start(session, keyspace, name);
	ScyllaRemoteTable *table;

	(void) scylla_system_query_wait(description, 1, SCYLLA_MUST_ANSWER);

	MemoryContextSwitchTo(context);
	table = palloc0(sizeof(ScyllaRemoteTable));
	scylla_remote_columns_read(columns, SCYLLA_MUST_ANSWER, table);
	if (scylla_system_query_next(description))
		table->comment = scylla_system_query_text(description, 0);
	scylla_remote_paths_read(paths, table);
	return table->column_count > 0 ? table : NULL;
}

/* Likewise a table of a virtual keyspace, which Cassandra describes elsewhere. */
static ScyllaRemoteTable *
load_virtual_table(ScyllaSession *session, const char *keyspace, const char *name,
				   MemoryContext answers)
{
	MemoryContext context = MemoryContextSwitchTo(answers);
	ScyllaSystemQuery *columns =
		scylla_remote_columns_start(session, "system_virtual_schema", keyspace, name);
	ScyllaSystemQuery *description =
		scylla_system_query_start(session, TABLE_CQL("system_virtual_schema"), keyspace, name);
	ScyllaRemoteTable *table;

	(void) scylla_system_query_wait(description, 1, SCYLLA_MAY_REFUSE);

	MemoryContextSwitchTo(context);
	table = palloc0(sizeof(ScyllaRemoteTable));
	scylla_remote_columns_read(columns, SCYLLA_MAY_REFUSE, table);
	if (scylla_system_query_next(description))
		table->comment = scylla_system_query_text(description, 0);
	return table->column_count > 0 ? table : NULL;
}

/* Appends the first column of a query's rows. */
static List *
append_names(List *names, ScyllaSystemQuery *query, ScyllaTolerance tolerance)
{
	if (!scylla_system_query_wait(query, 1, tolerance))
		return names;
	while (scylla_system_query_next(query))
	{
		char *name = scylla_system_query_text(query, 0);

		if (name != NULL)
			names = lappend(names, name);
	}
	return names;
}

void
scylla_schema_check_keyspace(ScyllaSession *session, const char *keyspace)
{
	ScyllaSystemQuery *real =
		scylla_system_query_start(session, KEYSPACES_CQL("system_schema"), NULL, NULL);
	ScyllaSystemQuery *virtual = scylla_system_query_start(
		session, KEYSPACES_CQL("system_virtual_schema"), NULL, NULL);
	List *names =
		append_names(append_names(NIL, real, SCYLLA_MUST_ANSWER), virtual, SCYLLA_MAY_REFUSE);
	const char *closest;
	ListCell *cell;

	foreach (cell, names)
		if (strcmp(lfirst(cell), keyspace) == 0)
			return;
	closest = scylla_closest_name(keyspace, names);
	ereport(
		ERROR,
		(errcode(ERRCODE_FDW_SCHEMA_NOT_FOUND),
		 errmsg("keyspace \"%s\" does not exist on server \"%s\"", keyspace, session->server_name),
		 closest != NULL
			 ? errhint("Perhaps you meant the keyspace \"%s\"; case matters.", closest)
			 : errhint("Name it with the option \"keyspace\" of the foreign table or server, "
					   "exactly as the cluster spells it.")));
}

static int
compare_names(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}

List *
scylla_schema_tables(ScyllaSession *session, const char *keyspace)
{
	ScyllaSystemQuery *tables =
		scylla_system_query_start(session, TABLES_CQL("system_schema"), keyspace, NULL);
	ScyllaSystemQuery *views = scylla_system_query_start(session, VIEWS_CQL, keyspace, NULL);
	ScyllaSystemQuery *indexes = scylla_system_query_start(session, INDEXES_CQL, keyspace, NULL);
	List *names = append_names(NIL, tables, SCYLLA_MUST_ANSWER);
	List *view_names = append_names(NIL, views, SCYLLA_MUST_ANSWER);
	List *index_names = append_names(NIL, indexes, SCYLLA_MUST_ANSWER);
	ListCell *cell;

	foreach (cell, view_names)
		if (!scylla_is_index_view(lfirst(cell), index_names))
			names = lappend(names, lfirst(cell));
	if (names == NIL)
	{
		ScyllaSystemQuery *virtual = scylla_system_query_start(
			session, TABLES_CQL("system_virtual_schema"), keyspace, NULL);

		names = append_names(NIL, virtual, SCYLLA_MAY_REFUSE);
	}
	if (names == NIL)
		scylla_schema_check_keyspace(session, keyspace);
	list_sort(names, compare_names);
	return names;
}

static void
free_arena(void *argument)
{
	cql_type_arena **arena = argument;

	if (*arena != NULL)
		cql_type_arena_free(*arena);
}

cql_type_arena *
scylla_type_arena_new(void)
{
	/* One block holds the callback and what it frees. */
	struct
	{
		MemoryContextCallback callback;
		cql_type_arena *arena;
	} *owner = palloc0(sizeof(*owner));

	owner->callback.func = free_arena;
	owner->callback.arg = &owner->arena;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &owner->callback);
	owner->arena = cql_type_arena_new();
	if (owner->arena == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	return owner->arena;
}

/* ---- the cache ---- */

#define MAX_NAME_LEN 256

typedef struct CacheKey
{
	Oid serverid;
	Oid umid;
	Oid userid;
	char keyspace[MAX_NAME_LEN];
	char table[MAX_NAME_LEN];
} CacheKey;

/* What is known of a table; its two halves are asked and age apart. */
typedef struct CacheEntry
{
	CacheKey key;             /* first, for dynahash */
	MemoryContext context;    /* NULL: not loaded */
	ScyllaRemoteTable *table; /* in context */
	uint64 generation;
	uint64 loaded_us;
	ScyllaTableSizes sizes;
	uint64 sizes_generation; /* 0: never asked */
	uint64 sized_us;
} CacheEntry;

static HTAB *cache = NULL;

static CacheEntry *
find_entry(const ScyllaSession *session, const char *keyspace, const char *table)
{
	CacheEntry *entry;
	CacheKey key;
	bool is_found;

	if (cache == NULL)
	{
		HASHCTL control = {.keysize = sizeof(CacheKey), .entrysize = sizeof(CacheEntry)};

		cache = hash_create("scylla_fdw schema", 64, &control, HASH_ELEM | HASH_BLOBS);
	}
	memset(&key, 0, sizeof key);
	key.serverid = session->serverid;
	key.umid = session->umid;
	key.userid = session->userid;
	strlcpy(key.keyspace, keyspace, MAX_NAME_LEN);
	strlcpy(key.table, table, MAX_NAME_LEN);
	entry = hash_search(cache, &key, HASH_ENTER, &is_found);
	if (!is_found)
		memset((char *) entry + sizeof key, 0, sizeof *entry - sizeof key);
	return entry;
}

static bool
is_old(uint64 since_us)
{
	return scylla_monotonic_us() - since_us >= CACHE_AGE_US;
}

/* Keeps a table's context for the next questions; what was there lives on for its readers. */
static void
keep_table(ScyllaSession *session, ScyllaRemoteTable *table, MemoryContext context)
{
	CacheEntry *entry = find_entry(session, table->keyspace, table->name);

	if (entry->context != NULL)
		MemoryContextSetParent(entry->context, TopTransactionContext);
	entry->context = context;
	entry->table = table;
	entry->generation = session->schema_generation;
	entry->loaded_us = scylla_monotonic_us();
	MemoryContextSetParent(context, CacheMemoryContext);
}

static ScyllaRemoteTable *
load_and_keep_table(ScyllaSession *session, const char *keyspace, const char *name)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext answers =
		AllocSetContextCreate(caller, "scylla_fdw schema answers", ALLOCSET_DEFAULT_SIZES);
	MemoryContext context =
		AllocSetContextCreate(caller, "scylla_fdw remote table", ALLOCSET_SMALL_SIZES);
	ScyllaRemoteTable *table;

	MemoryContextSwitchTo(context);
	table = load_table(session, keyspace, name, answers);
	if (table == NULL && !cql_session_is_scylla(session->cql))
		table = load_virtual_table(session, keyspace, name, answers);
	if (table != NULL)
	{
		table->keyspace = pstrdup(keyspace);
		table->name = pstrdup(name);
		keep_table(session, table, context);
	}
	else
		MemoryContextDelete(context);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(answers);
	return table;
}

/* No server has longer names than the cache's keys. */
static bool
is_possible_name(const char *name)
{
	return strlen(name) < MAX_NAME_LEN;
}

const ScyllaRemoteTable *
scylla_schema_find_table(ScyllaSession *session, const char *keyspace, const char *name)
{
	CacheEntry *entry;

	if (!is_possible_name(keyspace) || !is_possible_name(name))
		return NULL;
	entry = find_entry(session, keyspace, name);
	if (entry->table != NULL && entry->generation == session->schema_generation &&
		!is_old(entry->loaded_us))
		return entry->table;
	return load_and_keep_table(session, keyspace, name);
}

const ScyllaRemoteTable *
scylla_schema_table(ScyllaSession *session, const char *keyspace, const char *name)
{
	const ScyllaRemoteTable *table = scylla_schema_find_table(session, keyspace, name);

	if (table == NULL && is_possible_name(keyspace) && is_possible_name(name))
		scylla_schema_check_keyspace(session, keyspace);
	return table;
}

ScyllaTableSizes
scylla_schema_sizes(ScyllaSession *session, const char *keyspace, const char *name)
{
	ScyllaTableSizes sizes = {-1, -1};
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext answers;
	ScyllaSystemQuery *query;
	CacheEntry *entry;

	if (!is_possible_name(keyspace) || !is_possible_name(name))
		return sizes;
	entry = find_entry(session, keyspace, name);
	if (entry->sizes_generation == session->schema_generation && !is_old(entry->sized_us))
		return entry->sizes;

	answers = AllocSetContextCreate(caller, "scylla_fdw sizes", ALLOCSET_SMALL_SIZES);
	MemoryContextSwitchTo(answers);
	query = scylla_system_query_start(session, SIZES_CQL, keyspace, name);
	if (scylla_system_query_wait_briefly(query, SIZES_TIMEOUT_MS) &&
		scylla_system_query_wait(query, 4, SCYLLA_MAY_FAIL))
		sizes = read_sizes(query);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(answers);

	entry->sizes = sizes;
	entry->sizes_generation = session->schema_generation;
	entry->sized_us = scylla_monotonic_us();
	return sizes;
}
