/*
 * scylla_check(): what is not well with foreign tables and their clusters, and what to do about it.
 *
 * A finding comes from the cluster's own tables, or from what this backend has seen: its statements,
 * the nodes and shards that answered them, its scans. What cannot be read makes no finding.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_foreign_table.h"
#include "fmgr.h"
#include "foreign/fdwapi.h"
#include "foreign/foreign.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "bridge/usage.h"
#include "catalog/schema.h"
#include "catalog/system_query.h"
#include "command/describe.h"
#include "command/table_result.h"
#include "exec/scan.h"

#define CHECK_COLUMNS 5

/* ScyllaDB's own measure of a large partition is ten times as much, unless configured. */
#define LARGE_PARTITION_BYTES INT64CONST(100000000)
/* Requests below which a distribution tells nothing, and rows of which a strategy is judged. */
#define MIN_REQUESTS 1000
#define MIN_WRITES 1000
/* One among equals that has more than so many times the mean of the others is out of balance. */
#define IMBALANCE 2.0
/* A table is mostly written where it has so many writes for a read. */
#define WRITES_PER_READ 4

extern PGDLLEXPORT Datum scylla_check(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(scylla_check);

typedef struct Checking
{
	ScyllaTableResult result;
	Oid relid; /* InvalidOid: a finding is about the server */
	ScyllaOptions *options;
	ScyllaSession *session;
} Checking;

static void
put_finding(const Checking *checking, const char *finding, const char *detail, const char *remedy)
{
	Datum values[CHECK_COLUMNS] = {CStringGetTextDatum(checking->options->server_name),
								   ObjectIdGetDatum(checking->relid), CStringGetTextDatum(finding),
								   CStringGetTextDatum(detail), CStringGetTextDatum(remedy)};
	bool nulls[CHECK_COLUMNS] = {false, !OidIsValid(checking->relid)};

	scylla_table_result_put(&checking->result, values, nulls);
}

/* ---- large partitions ---- */

/* ScyllaDB's own table; of the node that answers. */
#define LARGE_CQL                                                                                \
	"SELECT partition_size, partition_key FROM system.large_partitions WHERE keyspace_name = ? " \
	"AND "                                                                                       \
	"table_name = ?"

static void
check_large_partitions(const Checking *checking)
{
	ScyllaSystemQuery *query = scylla_system_query_start(
		checking->session, LARGE_CQL, checking->options->keyspace, checking->options->table);
	int64 largest = 0;
	char *largest_key = NULL;
	List *keys = NIL;

	if (!scylla_system_query_wait(query, 2, SCYLLA_MAY_REFUSE))
		return;
	/* A partition has a row for each file that it is large in. */
	while (scylla_system_query_next(query))
	{
		int64 bytes = scylla_system_query_integer(query, 0);
		char *key = scylla_system_query_text(query, 1);

		if (bytes < LARGE_PARTITION_BYTES || key == NULL)
			continue;
		keys = list_append_unique(keys, makeString(key));
		if (bytes > largest)
			largest_key = key;
		largest = Max(largest, bytes);
	}
	if (keys != NIL)
		put_finding(checking, "large partitions",
					psprintf("%d of more than 100 MB; the largest, %s, has " INT64_FORMAT " MB",
							 list_length(keys), largest_key, largest / 1000000),
					"Divide them by a further partition key column, as a day or a bucket.");
}

/* ---- compaction ---- */

#define COMPACTION_CQL                                                                           \
	"SELECT compaction, default_time_to_live FROM system_schema.tables WHERE keyspace_name = ? " \
	"AND "                                                                                       \
	"table_name = ?"

/* Statements of this backend on a table. */
typedef struct TableUse
{
	uint64 reads;
	uint64 writes;          /* rows, by INSERT and UPDATE */
	uint64 writes_for_ever; /* of them, without a TTL of their own */
	uint64 deletes;
} TableUse;

static bool
is_on_table(const Checking *checking, const cql_statement *statement)
{
	const cql_column *column = NULL;

	if (cql_statement_bind_count(statement) > 0)
		column = cql_statement_bind(statement, 0);
	else if (cql_statement_column_count(statement) > 0)
		column = cql_statement_column(statement, 0);
	return column != NULL && strcmp(column->keyspace, checking->options->keyspace) == 0 &&
		   strcmp(column->table, checking->options->table) == 0;
}

static void
add_statement(TableUse *use, const char *cql, const cql_statement_counters *counters)
{
	if (pg_strncasecmp(cql, "select", 6) == 0)
		use->reads += counters->calls;
	else if (pg_strncasecmp(cql, "delete", 6) == 0)
		use->deletes += counters->rows;
	else
	{
		use->writes += counters->rows;
		if (strstr(cql, "TTL ") == NULL)
			use->writes_for_ever += counters->rows;
	}
}

static TableUse
get_use(const Checking *checking)
{
	TableUse use = {0};
	cql_statement_counters counters;
	const cql_statement *statement;

	for (int i = 0;
		 (statement = cql_session_statement(checking->session->cql, i, &counters)) != NULL; i++)
		if (is_on_table(checking, statement))
			add_statement(&use, cql_statement_text(statement), &counters);
	return use;
}

/* Whether rows lie in the order of time: that of the first clustering column. */
static bool
is_ordered_by_time(const Checking *checking)
{
	const ScyllaRemoteTable *remote = scylla_schema_find_table(
		checking->session, checking->options->keyspace, checking->options->table);

	for (int i = 0; remote != NULL && i < remote->column_count; i++)
	{
		const ScyllaRemoteColumn *column = &remote->columns[i];

		if (column->role == SCYLLA_KEY_CLUSTERING && column->position == 1)
			return strcmp(column->type_text, "timestamp") == 0 ||
				   strcmp(column->type_text, "timeuuid") == 0 ||
				   strcmp(column->type_text, "date") == 0;
	}
	return false;
}

static void
check_time_window(const Checking *checking, const TableUse *use, int64 ttl_s)
{
	if (use->deletes > 0)
		put_finding(
			checking, "compaction",
			psprintf("time windows are compacted apart, but this backend has deleted rows "
					 "(" UINT64_FORMAT " statements)",
					 use->deletes),
			"Let rows end by their TTL: a tombstone keeps whole windows from being dropped. "
			"Or choose IncrementalCompactionStrategy.");
	if (ttl_s == 0 && use->writes_for_ever > 0)
		put_finding(checking, "compaction",
					psprintf("time windows are compacted apart, but this backend has written rows "
							 "without a TTL (" UINT64_FORMAT ")",
							 use->writes_for_ever),
					"Set the remote table's default_time_to_live, or option ttl of the foreign "
					"table: windows of rows that never end are never dropped.");
}

static void
check_compaction(const Checking *checking)
{
	ScyllaSystemQuery *query = scylla_system_query_start(
		checking->session, COMPACTION_CQL, checking->options->keyspace, checking->options->table);
	TableUse use = get_use(checking);
	char *strategy;
	int64 ttl_s;

	if (!scylla_system_query_wait(query, 2, SCYLLA_MAY_REFUSE) || !scylla_system_query_next(query))
		return;
	strategy = scylla_system_query_map_text(query, 0, "class");
	ttl_s = scylla_system_query_integer(query, 1);
	if (strategy == NULL)
		return;
	if (strstr(strategy, "TimeWindow") != NULL)
		check_time_window(checking, &use, ttl_s);
	else if (ttl_s > 0 && is_ordered_by_time(checking))
		put_finding(checking, "compaction",
					psprintf("rows end by their TTL and lie in the order of time, but %s mixes old "
							 "and new ones",
							 strategy),
					"Choose TimeWindowCompactionStrategy, which drops whole files of ended rows.");
	if (strstr(strategy, "Leveled") != NULL && use.writes >= MIN_WRITES &&
		use.writes > WRITES_PER_READ * use.reads)
		put_finding(checking, "compaction",
					psprintf("%s writes every row many times, and this backend has mostly written "
							 "(" UINT64_FORMAT " writes, " UINT64_FORMAT " reads)",
							 strategy, use.writes, use.reads),
					"Choose IncrementalCompactionStrategy (ScyllaDB) or "
					"SizeTieredCompactionStrategy, unless others mostly read.");
}

/* ---- what scans have met ---- */

static const ScyllaUsage *
usage_of(const Checking *checking)
{
	return scylla_usage_of(
		checking->options->serverid,
		psprintf("%s.%s", checking->options->keyspace, checking->options->table));
}

static void
check_tombstones(const Checking *checking)
{
	uint64 pages = usage_of(checking)->tombstone_pages;

	if (pages > 0)
		put_finding(checking, "tombstones",
					psprintf("this backend has read " UINT64_FORMAT
							 " pages in which the server met many deleted rows",
							 pages),
					"Read with a bound on the clustering key that passes them by; delete whole "
					"partitions or ranges rather than rows; repair often, and lower "
					"gc_grace_seconds where that is allowed.");
}

static void
check_full_scans(const Checking *checking)
{
	uint64 scans = usage_of(checking)->full_scans;

	if (scans > 0)
		put_finding(checking, "full scans",
					psprintf("this backend has read the whole ring " UINT64_FORMAT " times", scans),
					"Give the whole partition key a condition, make an index or a view, or keep a "
					"copy in PostgreSQL; option full_scan guards against such scans.");
}

/* ---- balance ---- */

/* A node or shard, and what is to be even among its like. */
typedef struct Share
{
	const char *group; /* who is alike: shards of a node, nodes of a DC */
	char *name;
	double amount;
} Share;

static bool
is_like(const Share *share, const Share *other)
{
	return strcmp(share->group, other->group) == 0;
}

/* Whether the share is out of balance with the others of its group. */
static bool
is_outlier(const List *shares, const Share *share, double min_total)
{
	double others = 0;
	int count = 0;
	ListCell *cell;

	foreach (cell, shares)
	{
		const Share *other = lfirst(cell);

		if (other == share || !is_like(share, other))
			continue;
		others += other->amount;
		count++;
	}
	return count > 0 && others + share->amount >= min_total &&
		   share->amount > IMBALANCE * others / count;
}

static List *
append_share(List *shares, const char *group, char *name, double amount)
{
	Share *share = palloc(sizeof(Share));

	*share = (Share) {group, name, amount};
	return lappend(shares, share);
}

/* Shards of one node that this backend is connected to. */
static void
check_shards(const Checking *checking)
{
	List *shares = NIL;
	cql_shard_info info;
	ListCell *cell;

	for (int i = 0; cql_session_shard(checking->session->cql, i, &info); i++)
		if (info.shard >= 0 && info.connections > 0)
			shares =
				append_share(shares, pstrdup(info.node),
							 psprintf("shard %d of node %s", info.shard, info.node), info.requests);
	foreach (cell, shares)
	{
		const Share *share = lfirst(cell);

		if (is_outlier(shares, share, MIN_REQUESTS))
			put_finding(checking, "balance",
						psprintf("%s has got %.0f requests of this backend, more than twice as "
								 "many as the node's others",
								 share->name, share->amount),
						"Few partitions take most of the requests: divide them, or ask for them "
						"less often.");
	}
}

/* Nodes of one data center: what they hold, and what those that are connected are asked. */
static void
check_nodes(const Checking *checking)
{
	List *loads = NIL;
	List *requests = NIL;
	cql_shard_info info;
	ListCell *cell;

	for (int i = 0; cql_session_node(checking->session->cql, i, &info); i++)
	{
		char *dc = pstrdup(info.dc != NULL ? info.dc : "");
		char *name = psprintf("node %s", info.node);

		if (info.load >= 0)
			loads = append_share(loads, dc, name, info.load);
		if (info.connections > 0)
			requests = append_share(requests, dc, name, info.requests);
	}
	foreach (cell, loads)
	{
		const Share *share = lfirst(cell);

		if (is_outlier(loads, share, 0))
			put_finding(checking, "balance",
						psprintf("%s holds %.1f %% of the ring, more than twice as much as others "
								 "of its data center",
								 share->name, share->amount),
						"Give the nodes equal numbers of tokens, or use tablets.");
	}
	foreach (cell, requests)
	{
		const Share *share = lfirst(cell);

		if (is_outlier(requests, share, MIN_REQUESTS))
			put_finding(
				checking, "balance",
				psprintf("%s has got %.0f requests of this backend, more than twice as many "
						 "as others of its data center",
						 share->name, share->amount),
				"Few partitions take most of the requests, or have few replicas: divide "
				"them, or replicate them more often.");
	}
}

/* ---- service level ---- */

/* CQL's literal for a text. */
static char *
quote_text(const char *text)
{
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfoChar(&out, '\'');
	for (const char *p = text; *p != '\0'; p++)
	{
		if (*p == '\'')
			appendStringInfoChar(&out, '\'');
		appendStringInfoChar(&out, *p);
	}
	appendStringInfoChar(&out, '\'');
	return pg_server_to_any(out.data, out.len, PG_UTF8);
}

/* False: the role has none, or just the default one. Who cannot tell says nothing. */
static bool
may_have_service_level(const Checking *checking, const char *role)
{
	ScyllaSystemQuery *query = scylla_system_query_start(
		checking->session, psprintf("LIST EFFECTIVE SERVICE LEVEL OF %s", quote_text(role)), NULL,
		NULL);

	if (!scylla_system_query_wait(query, 3, SCYLLA_MAY_FAIL))
		return scylla_system_query_code(query) != CQL_SERVER_INVALID;
	while (scylla_system_query_next(query))
	{
		const char *level = scylla_system_query_text(query, 1);

		if (level != NULL && strcmp(level, "default") != 0)
			return true;
	}
	return false;
}

static void
check_service_level(const Checking *checking)
{
	const char *role = checking->options->login.user;

	if (role != NULL && cql_session_is_scylla(checking->session->cql) &&
		!may_have_service_level(checking, role))
		put_finding(
			checking, "service level",
			psprintf("role %s has none, so that its requests compete with all others", role),
			"Let an administrator say CREATE SERVICE LEVEL … WITH shares = …, and ATTACH it "
			"to the role; user mappings for analytics and for the rest can have roles of "
			"their own.");
}

/* ---- all of them ---- */

typedef void (*Check)(const Checking *checking);

static const Check table_checks[] = {check_large_partitions, check_compaction, check_tombstones,
									 check_full_scans};
static const Check server_checks[] = {check_shards, check_nodes, check_service_level};

/* A table, and its server if it is not among those that were checked. */
static void
check_table(Checking *checking, Oid relid, List **servers)
{
	checking->relid = relid;
	checking->options = scylla_options_of_table(relid, GetUserId());
	checking->session = scylla_session_get(checking->options->serverid, GetUserId());
	scylla_session_pin(checking->session, CurrentMemoryContext);
	for (size_t i = 0; i < lengthof(table_checks); i++)
		table_checks[i](checking);
	if (list_member_oid(*servers, checking->options->serverid))
		return;
	*servers = lappend_oid(*servers, checking->options->serverid);
	checking->relid = InvalidOid;
	for (size_t i = 0; i < lengthof(server_checks); i++)
		server_checks[i](checking);
}

static bool
is_ours(Oid serverid)
{
	Oid handler = GetForeignDataWrapper(GetForeignServer(serverid)->fdwid)->fdwhandler;

	return OidIsValid(handler) &&
		   GetFdwRoutine(handler)->IterateForeignScan == scyllaIterateForeignScan;
}

/* Whether the user has credentials there, or needs none. */
static bool
has_mapping(Oid serverid)
{
	return superuser() ||
		   SearchSysCacheExists2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(GetUserId()),
								 ObjectIdGetDatum(serverid)) ||
		   SearchSysCacheExists2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(InvalidOid),
								 ObjectIdGetDatum(serverid));
}

/* Foreign tables of this extension that the user may and can read. */
static List *
list_tables(void)
{
	Relation catalog = table_open(ForeignTableRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(catalog, InvalidOid, false, NULL, 0, NULL);
	List *tables = NIL;
	HeapTuple tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_foreign_table table = (Form_pg_foreign_table) GETSTRUCT(tuple);

		if (is_ours(table->ftserver) && has_mapping(table->ftserver) &&
			scylla_may_read(table->ftrelid))
			tables = lappend_oid(tables, table->ftrelid);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return tables;
}

Datum
scylla_check(PG_FUNCTION_ARGS)
{
	Checking checking = {0};
	List *tables;
	List *servers = NIL;
	ListCell *cell;

	if (!PG_ARGISNULL(0))
		scylla_check_readable_table(PG_GETARG_OID(0));
	tables = PG_ARGISNULL(0) ? list_tables() : list_make1_oid(PG_GETARG_OID(0));
	scylla_table_result_begin(&checking.result, fcinfo);
	foreach (cell, tables)
	{
		CHECK_FOR_INTERRUPTS();
		check_table(&checking, lfirst_oid(cell), &servers);
	}
	return (Datum) 0;
}
