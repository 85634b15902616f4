/*
 * Views of what this backend's sessions know and did (nodes, shards, statements), and of what all
 * backends write.
 *
 * They look at what is open and never open anything themselves.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_authid.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "bridge/progress.h"
#include "bridge/session.h"
#include "compat.h"
#include "mb/pg_wchar.h"

#define MAX_COLUMNS 13

extern PGDLLEXPORT Datum scylla_nodes(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum scylla_shards(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum scylla_statements(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum scylla_write_progress(PG_FUNCTION_ARGS);

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

/* From the cluster, so it is UTF-8; NULL is null. */
static void
add_text(Row *row, const char *text)
{
	if (text == NULL)
		add_null(row);
	else
		add_value(row, CStringGetTextDatum(pg_any_to_server(text, strlen(text), PG_UTF8)));
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

/* The index-th row of a view; false behind the last. */
typedef bool (*RowMaker)(uint64 index, Row *row);

/* Each call gives the next row: there are few, and nothing waits meanwhile. */
static Datum
give_row(FunctionCallInfo fcinfo, RowMaker make)
{
	FuncCallContext *call;
	Row row = {0};

	if (SRF_IS_FIRSTCALL())
	{
		MemoryContext caller;

		call = SRF_FIRSTCALL_INIT();
		caller = MemoryContextSwitchTo(call->multi_call_memory_ctx);
		if (get_call_result_type(fcinfo, NULL, &call->tuple_desc) != TYPEFUNC_COMPOSITE)
			elog(ERROR, "a view's function must return a row type");
		call->tuple_desc = BlessTupleDesc(call->tuple_desc);
		MemoryContextSwitchTo(caller);
	}
	call = SRF_PERCALL_SETUP();
	if (!make(call->call_cntr, &row))
		SRF_RETURN_DONE(call);
	Assert(row.count == call->tuple_desc->natts);
	SRF_RETURN_NEXT(call,
					HeapTupleGetDatum(heap_form_tuple(call->tuple_desc, row.values, row.nulls)));
}

static bool
make_node(uint64 index, Row *row)
{
	ScyllaSession *session;
	cql_shard_info node;

	for (int i = 0; (session = scylla_session_at(i)) != NULL; i++)
		for (int j = 0; cql_session_node(session->cql, j, &node); j++)
		{
			if (index-- > 0)
				continue;
			add_text(row, session->server_name);
			add_text(row, node.node);
			add_uuid(row, node.host_id);
			add_text(row, node.dc);
			add_text(row, node.rack);
			add_text(row, node.release);
			add_text(row, node.state);
			if (node.shard_count > 0)
				add_value(row, Int32GetDatum(node.shard_count));
			else
				add_null(row);
			if (node.load >= 0)
				add_value(row, Float8GetDatum(node.load));
			else
				add_null(row);
			add_value(row, Int32GetDatum(node.connections));
			add_value(row, Int32GetDatum((int32) node.in_flight));
			add_number(row, node.requests);
			add_number(row, node.errors);
			return true;
		}
	return false;
}

static bool
make_shard(uint64 index, Row *row)
{
	ScyllaSession *session;
	cql_shard_info shard;

	for (int i = 0; (session = scylla_session_at(i)) != NULL; i++)
		for (int j = 0; cql_session_shard(session->cql, j, &shard); j++)
		{
			if (index-- > 0)
				continue;
			add_text(row, session->server_name);
			add_text(row, shard.node);
			if (shard.shard >= 0)
				add_value(row, Int32GetDatum(shard.shard));
			else
				add_null(row);
			add_value(row, Int32GetDatum(shard.connections));
			add_value(row, Int32GetDatum((int32) shard.in_flight));
			add_number(row, shard.requests);
			add_number(row, shard.errors);
			add_milliseconds(row, shard.p50_us);
			add_milliseconds(row, shard.p99_us);
			add_milliseconds(row, shard.max_us);
			return true;
		}
	return false;
}

static bool
make_statement(uint64 index, Row *row)
{
	ScyllaSession *session;
	const cql_statement *statement;
	cql_statement_counters counters;

	for (int i = 0; (session = scylla_session_at(i)) != NULL; i++)
		for (int j = 0; (statement = cql_session_statement(session->cql, j, &counters)) != NULL;
			 j++)
		{
			if (index-- > 0)
				continue;
			add_text(row, session->server_name);
			add_text(row, cql_statement_text(statement));
			add_number(row, counters.calls);
			add_number(row, counters.rows);
			add_number(row, counters.bytes);
			add_number(row, counters.retries);
			return true;
		}
	return false;
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

static bool
make_progress(uint64 index, Row *row)
{
	ScyllaProgress progress;

	for (int at = 0; scylla_progress_next(&at, &progress);)
	{
		if (!may_see(&progress) || index-- > 0)
			continue;
		add_value(row, Int32GetDatum(progress.pid));
		add_value(row, ObjectIdGetDatum(progress.relid));
		add_value(row, TimestampTzGetDatum(progress.start));
		add_number(row, progress.sent);
		add_number(row, progress.acknowledged);
		add_number(row, progress.failed);
		add_number(row, progress.bytes);
		return true;
	}
	return false;
}

Datum
scylla_nodes(PG_FUNCTION_ARGS)
{
	return give_row(fcinfo, make_node);
}

Datum
scylla_shards(PG_FUNCTION_ARGS)
{
	return give_row(fcinfo, make_shard);
}

Datum
scylla_statements(PG_FUNCTION_ARGS)
{
	return give_row(fcinfo, make_statement);
}

Datum
scylla_write_progress(PG_FUNCTION_ARGS)
{
	return give_row(fcinfo, make_progress);
}
