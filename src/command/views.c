/*
 * Views of what this backend's sessions know and did (connections, nodes, shards, statements), and
 * of what all backends write.
 *
 * They look at what is open and never open anything themselves.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_user_mapping.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "bridge/progress.h"
#include "bridge/session.h"
#include "command/table_result.h"
#include "compat.h"
#include "mb/pg_wchar.h"

#define MAX_COLUMNS 13

extern PGDLLEXPORT Datum scylla_connections(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum scylla_nodes(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum scylla_shards(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum scylla_statements(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum scylla_write_progress(PG_FUNCTION_ARGS);

PG_FUNCTION_INFO_V1(scylla_connections);
PG_FUNCTION_INFO_V1(scylla_nodes);
PG_FUNCTION_INFO_V1(scylla_shards);
PG_FUNCTION_INFO_V1(scylla_statements);
PG_FUNCTION_INFO_V1(scylla_write_progress);

/* A row while it is made. */
typedef struct Row
{
	Datum values[MAX_COLUMNS];
	bool nulls[MAX_COLUMNS];
	int count;
} Row;

static void
add_value(Row *row, Datum value)
{
	row->values[row->count++] = value;
}

static void
add_null(Row *row)
{
	row->nulls[row->count++] = true;
}

/* Negative: none, or unknown. */
static void
add_shard(Row *row, int shard)
{
	if (shard >= 0)
		add_value(row, Int32GetDatum(shard));
	else
		add_null(row);
}

/* NULL is null. */
static void
add_text(Row *row, const char *text)
{
	if (text == NULL)
		add_null(row);
	else
		add_value(row, CStringGetTextDatum(text));
}

/* From the cluster, so it is UTF-8. */
static void
add_remote_text(Row *row, const char *text)
{
	add_text(row, text != NULL ? pg_any_to_server(text, strlen(text), PG_UTF8) : NULL);
}

static void
add_number(Row *row, uint64 number)
{
	add_value(row, Int64GetDatum((int64) number));
}

static void
add_uuid(Row *row, const uint8_t *bytes)
{
	pg_uuid_t *uuid;

	if (bytes == NULL)
	{
		add_null(row);
		return;
	}
	uuid = palloc(sizeof(pg_uuid_t));
	memcpy(uuid->data, bytes, UUID_LEN);
	add_value(row, UUIDPGetDatum(uuid));
}

static void
add_milliseconds(Row *row, uint64 us)
{
	if (us == 0)
		add_null(row);
	else
		add_value(row, Float8GetDatum((double) us / 1000));
}

static void
put_row(const ScyllaTableResult *result, const Row *row)
{
	Assert(row->count == result->descriptor->natts);
	scylla_table_result_put(result, row->values, row->nulls);
}

/* Whose mapping a session has: a role, "public", or NULL if the mapping is gone by now. */
static const char *
user_of_session(const ScyllaSession *session)
{
	HeapTuple tuple;
	Oid userid;

	if (!OidIsValid(session->umid))
		return GetUserNameFromId(session->userid, true);
	tuple = SearchSysCache1(USERMAPPINGOID, ObjectIdGetDatum(session->umid));
	if (!HeapTupleIsValid(tuple))
		return NULL;
	userid = ((Form_pg_user_mapping) GETSTRUCT(tuple))->umuser;
	ReleaseSysCache(tuple);
	return OidIsValid(userid) ? GetUserNameFromId(userid, true) : "public";
}

static void
put_connection(const ScyllaTableResult *result, const ScyllaSession *session,
			   const cql_connection_info *connection)
{
	Row row = {0};
	Interval *age = palloc0(sizeof(Interval));

	age->time = (TimeOffset) connection->age_ms * 1000;
	add_text(&row, session->server_name);
	add_text(&row, user_of_session(session));
	add_text(&row, connection->node);
	add_shard(&row, connection->shard);
	add_value(&row, BoolGetDatum(connection->has_tls));
	add_value(&row, BoolGetDatum(connection->has_compression));
	add_value(&row, Int32GetDatum((int32) connection->in_flight));
	add_value(&row, Int32GetDatum((int32) connection->orphans));
	add_number(&row, connection->requests);
	add_number(&row, connection->bytes_sent);
	add_number(&row, connection->bytes_received);
	add_value(&row, IntervalPGetDatum(age));
	put_row(result, &row);
}

static void
put_node(const ScyllaTableResult *result, const ScyllaSession *session, const cql_shard_info *node)
{
	Row row = {0};

	add_text(&row, session->server_name);
	add_remote_text(&row, node->node);
	add_uuid(&row, node->host_id);
	add_remote_text(&row, node->dc);
	add_remote_text(&row, node->rack);
	add_remote_text(&row, node->release);
	add_remote_text(&row, node->state);
	if (node->shard_count > 0)
		add_value(&row, Int32GetDatum(node->shard_count));
	else
		add_null(&row);
	if (node->load >= 0)
		add_value(&row, Float8GetDatum(node->load));
	else
		add_null(&row);
	add_value(&row, Int32GetDatum(node->connections));
	add_value(&row, Int32GetDatum((int32) node->in_flight));
	add_number(&row, node->requests);
	add_number(&row, node->errors);
	put_row(result, &row);
}

static void
put_shard(const ScyllaTableResult *result, const ScyllaSession *session,
		  const cql_shard_info *shard)
{
	Row row = {0};

	add_text(&row, session->server_name);
	add_remote_text(&row, shard->node);
	add_shard(&row, shard->shard);
	add_value(&row, Int32GetDatum(shard->connections));
	add_value(&row, Int32GetDatum((int32) shard->in_flight));
	add_number(&row, shard->requests);
	add_number(&row, shard->errors);
	add_milliseconds(&row, shard->p50_us);
	add_milliseconds(&row, shard->p99_us);
	add_milliseconds(&row, shard->max_us);
	put_row(result, &row);
}

static void
put_statement(const ScyllaTableResult *result, const ScyllaSession *session,
			  const cql_statement *statement, const cql_statement_counters *counters)
{
	Row row = {0};

	add_text(&row, session->server_name);
	add_remote_text(&row, cql_statement_text(statement));
	add_number(&row, counters->calls);
	add_number(&row, counters->rows);
	add_number(&row, counters->bytes);
	add_number(&row, counters->retries);
	put_row(result, &row);
}

static void
put_progress(const ScyllaTableResult *result, const ScyllaProgress *progress)
{
	Row row = {0};

	add_value(&row, Int32GetDatum(progress->pid));
	add_value(&row, ObjectIdGetDatum(progress->relid));
	add_value(&row, TimestampTzGetDatum(progress->start));
	add_number(&row, progress->sent);
	add_number(&row, progress->acknowledged);
	add_number(&row, progress->failed);
	add_number(&row, progress->bytes);
	put_row(result, &row);
}

/* As in PostgreSQL's own views of progress, what others do shows only to who may read all
 * statistics. */
static bool
may_see(const ScyllaProgress *progress)
{
	return progress->databaseid == MyDatabaseId &&
		   (has_privs_of_role(GetUserId(), progress->userid) ||
			has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS));
}

Datum
scylla_connections(PG_FUNCTION_ARGS)
{
	ScyllaTableResult result;
	ScyllaSession *session;
	cql_connection_info connection;

	scylla_table_result_begin(&result, fcinfo);
	for (int i = 0; (session = scylla_session_at(i)) != NULL; i++)
		for (int j = 0; cql_session_connection(session->cql, j, &connection); j++)
			put_connection(&result, session, &connection);
	return (Datum) 0;
}

Datum
scylla_nodes(PG_FUNCTION_ARGS)
{
	ScyllaTableResult result;
	ScyllaSession *session;
	cql_shard_info node;

	scylla_table_result_begin(&result, fcinfo);
	for (int i = 0; (session = scylla_session_at(i)) != NULL; i++)
		for (int j = 0; cql_session_node(session->cql, j, &node); j++)
			put_node(&result, session, &node);
	return (Datum) 0;
}

Datum
scylla_shards(PG_FUNCTION_ARGS)
{
	ScyllaTableResult result;
	ScyllaSession *session;
	cql_shard_info shard;

	scylla_table_result_begin(&result, fcinfo);
	for (int i = 0; (session = scylla_session_at(i)) != NULL; i++)
		for (int j = 0; cql_session_shard(session->cql, j, &shard); j++)
			put_shard(&result, session, &shard);
	return (Datum) 0;
}

Datum
scylla_statements(PG_FUNCTION_ARGS)
{
	ScyllaTableResult result;
	ScyllaSession *session;
	const cql_statement *statement;
	cql_statement_counters counters;

	scylla_table_result_begin(&result, fcinfo);
	for (int i = 0; (session = scylla_session_at(i)) != NULL; i++)
		for (int j = 0; (statement = cql_session_statement(session->cql, j, &counters)) != NULL;
			 j++)
			put_statement(&result, session, statement, &counters);
	return (Datum) 0;
}

Datum
scylla_write_progress(PG_FUNCTION_ARGS)
{
	ScyllaTableResult result;
	ScyllaProgress progress;

	scylla_table_result_begin(&result, fcinfo);
	for (int at = 0; scylla_progress_next(&at, &progress);)
		if (may_see(&progress))
			put_progress(&result, &progress);
	return (Datum) 0;
}
