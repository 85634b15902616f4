/*
 * SQL functions about this backend's sessions, and the extension's version.
 *
 * They look at what is open and never open anything themselves.
 */
#include "postgres.h"

#include "catalog/pg_foreign_server.h"
#include "fmgr.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "bridge/session.h"
#include "compat.h"

#define SCYLLA_FDW_VERSION "1.0"

extern PGDLLEXPORT Datum scylla_disconnect(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum scylla_disconnect_all(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum scylla_refresh(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum scylla_fdw_version(PG_FUNCTION_ARGS);

PG_FUNCTION_INFO_V1(scylla_disconnect);
PG_FUNCTION_INFO_V1(scylla_disconnect_all);
PG_FUNCTION_INFO_V1(scylla_refresh);
PG_FUNCTION_INFO_V1(scylla_fdw_version);

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
