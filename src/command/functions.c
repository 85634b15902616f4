/*
 * SQL functions about this backend's sessions, and the extension's version.
 *
 * They look at what is open and never open anything themselves.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_user_mapping.h"
#include "fmgr.h"
#include "foreign/foreign.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "bridge/session.h"
#include "compat.h"

#define SCYLLA_FDW_VERSION "1.0"
#define CONNECTION_COLUMNS 12

extern PGDLLEXPORT Datum scylla_connections(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum scylla_disconnect(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum scylla_disconnect_all(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum scylla_refresh(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum scylla_fdw_version(PG_FUNCTION_ARGS);

PG_FUNCTION_INFO_V1(scylla_connections);
PG_FUNCTION_INFO_V1(scylla_disconnect);
PG_FUNCTION_INFO_V1(scylla_disconnect_all);
PG_FUNCTION_INFO_V1(scylla_refresh);
PG_FUNCTION_INFO_V1(scylla_fdw_version);

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
fill_connection(const ScyllaSession *session, const cql_connection_info *connection, Datum *values,
				bool *nulls)
{
	const char *user = user_of_session(session);
	Interval *age = palloc0(sizeof(Interval));
	int i = 0;

	age->time = (TimeOffset) connection->age_ms * 1000;
	memset(nulls, 0, CONNECTION_COLUMNS * sizeof(bool));
	values[i++] = CStringGetTextDatum(session->server_name);
	nulls[i] = user == NULL;
	values[i++] = user != NULL ? CStringGetTextDatum(user) : (Datum) 0;
	values[i++] = CStringGetTextDatum(connection->node);
	nulls[i] = connection->shard < 0;
	values[i++] = Int32GetDatum(connection->shard);
	values[i++] = BoolGetDatum(connection->has_tls);
	values[i++] = BoolGetDatum(connection->has_compression);
	values[i++] = Int32GetDatum((int32) connection->in_flight);
	values[i++] = Int32GetDatum((int32) connection->orphans);
	values[i++] = Int64GetDatum((int64) connection->requests);
	values[i++] = Int64GetDatum((int64) connection->bytes_sent);
	values[i++] = Int64GetDatum((int64) connection->bytes_received);
	values[i++] = IntervalPGetDatum(age);
	Assert(i == CONNECTION_COLUMNS);
}

/* Each call gives the next open connection: their number is small, and nothing waits meanwhile. */
static bool
find_connection(uint64 index, ScyllaSession **session, cql_connection_info *connection)
{
	for (int i = 0; (*session = scylla_session_at(i)) != NULL; i++)
		for (int j = 0; cql_session_connection((*session)->cql, j, connection); j++)
			if (index-- == 0)
				return true;
	return false;
}

Datum
scylla_connections(PG_FUNCTION_ARGS)
{
	FuncCallContext *call;
	ScyllaSession *session;
	cql_connection_info connection;
	Datum values[CONNECTION_COLUMNS];
	bool nulls[CONNECTION_COLUMNS];

	if (SRF_IS_FIRSTCALL())
	{
		MemoryContext caller;

		call = SRF_FIRSTCALL_INIT();
		caller = MemoryContextSwitchTo(call->multi_call_memory_ctx);
		if (get_call_result_type(fcinfo, NULL, &call->tuple_desc) != TYPEFUNC_COMPOSITE)
			elog(ERROR, "scylla_connections must return a row type");
		call->tuple_desc = BlessTupleDesc(call->tuple_desc);
		MemoryContextSwitchTo(caller);
	}
	call = SRF_PERCALL_SETUP();
	if (!find_connection(call->call_cntr, &session, &connection))
		SRF_RETURN_DONE(call);
	fill_connection(session, &connection, values, nulls);
	SRF_RETURN_NEXT(call, HeapTupleGetDatum(heap_form_tuple(call->tuple_desc, values, nulls)));
}

static Oid
get_server_argument(FunctionCallInfo fcinfo)
{
	return get_foreign_server_oid(text_to_cstring(PG_GETARG_TEXT_PP(0)), false);
}

Datum
scylla_disconnect(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(scylla_session_disconnect(get_server_argument(fcinfo)));
}

Datum
scylla_disconnect_all(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(scylla_session_disconnect(InvalidOid));
}

/* Of the server named, or of all. */
Datum
scylla_refresh(PG_FUNCTION_ARGS)
{
	scylla_session_forget_schema(PG_NARGS() > 0 ? get_server_argument(fcinfo) : InvalidOid);
	PG_RETURN_VOID();
}

Datum
scylla_fdw_version(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(SCYLLA_FDW_VERSION));
}
