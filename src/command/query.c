/*
 * scylla_query and scylla_execute: CQL that the user wrote, passed through with bind values.
 *
 * Values are typed by what the server says of the prepared statement, and pass through the same
 * converters as columns of foreign tables do. A statement that reads is never run by
 * scylla_execute, nor one that writes by scylla_query: they differ in consistency and in retries.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "foreign/foreign.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "bridge/cursor.h"
#include "bridge/transaction.h"
#include "bridge/writer.h"
#include "catalog/agreement.h"
#include "command/bind_value.h"
#include "compat.h"
#include "tcop/utility.h"
#include "types/typemap.h"

/* A call of either function; lives in the memory context of the call. */
typedef struct PassThrough
{
	ScyllaOptions *options;
	ScyllaSession *session;
	char *cql;
	int argument_count;
	Datum *arguments;
	Oid *argument_types;
	bool *argument_nulls;
	ScyllaStatement *statement; /* NULL: not prepared */
	StringInfoData values;
} PassThrough;

/* ---- arguments ---- */

static char *
get_text_argument(FunctionCallInfo fcinfo, int index, const char *name)
{
	if (PG_ARGISNULL(index))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("argument \"%s\" must not be null", name)));
	return text_to_cstring(PG_GETARG_TEXT_PP(index));
}

static void
open_pass_through(PassThrough *call, FunctionCallInfo fcinfo)
{
	char *server_name = get_text_argument(fcinfo, 0, "server");
	ForeignServer *server = GetForeignServerByName(server_name, false);
	AclResult access = scylla_server_aclcheck(server->serverid, GetUserId(), ACL_USAGE);

	if (access != ACLCHECK_OK)
		aclcheck_error(access, OBJECT_FOREIGN_SERVER, server->servername);
	memset(call, 0, sizeof *call);
	call->cql = get_text_argument(fcinfo, 1, "cql");
	if (PG_NARGS() > 2)
	{
		call->argument_count = extract_variadic_args(fcinfo, 2, false, &call->arguments,
													 &call->argument_types, &call->argument_nulls);
		if (call->argument_count < 0)
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
							errmsg("the array of bind values must not be null")));
	}
	call->options = scylla_options_of_server(server->serverid, GetUserId());
	call->session = scylla_session_get(server->serverid, GetUserId());
	scylla_session_pin(call->session, CurrentMemoryContext);
}

/* Whether a word is the statement's first, whatever comments stand before it. */
static bool
begins_with(const char *cql, const char *word)
{
	const size_t length = strlen(word);

	for (;;)
	{
		cql += strspn(cql, " \t\r\n\f\v");
		if (strncmp(cql, "--", 2) == 0 || strncmp(cql, "//", 2) == 0)
			cql += strcspn(cql, "\n");
		else if (strncmp(cql, "/*", 2) == 0)
		{
			const char *end = strstr(cql + 2, "*/");

			if (end == NULL)
				return false;
			cql = end + 2;
		}
		else
			break;
	}
	return pg_strncasecmp(cql, word, length) == 0 && !isalnum((unsigned char) cql[length]) &&
		   cql[length] != '_';
}

/* A name from the server in the database's encoding. */
static const char *
local_text(const char *text)
{
	return pg_any_to_server(text, strlen(text), PG_UTF8);
}

/* ---- bind values ---- */

static void
append_value(PassThrough *call, int index, const cql_column *bind)
{
	ScyllaConverterSpec spec = {.cql = bind->type,
								.type = call->argument_types[index],
								.typmod = -1,
								.column = local_text(bind->name),
								.is_excess_truncated = call->options->is_excess_truncated};
	uint8_t length[4];
	Datum value;

	if (call->argument_nulls[index])
	{
		cql_put_u32(length, (uint32_t) CQL_CELL_NULL);
		appendBinaryStringInfo(&call->values, (const char *) length, sizeof length);
		return;
	}
	value = scylla_bind_coerce(bind->type, call->arguments[index], &spec.type);
	(void) scylla_encode(scylla_converter_new(&spec), value, SCYLLA_ROUND_STORE, &call->values);
}

static void
prepare(PassThrough *call, bool is_write)
{
	ScyllaReportContext about = {.session = call->session, .is_write = is_write};
	cql_statement *statement;

	call->statement = scylla_prepare(call->session, call->cql, &about);
	statement = scylla_statement_get(call->statement);
	if (cql_statement_bind_count(statement) != call->argument_count)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the number of values (%d) is not that of the statement's bind "
							   "variables (%d)",
							   call->argument_count, cql_statement_bind_count(statement))));
	initStringInfo(&call->values);
	for (int i = 0; i < call->argument_count; i++)
		append_value(call, i, cql_statement_bind(statement, i));
}

/* ---- rows ---- */

/* "id uuid, name text": a column definition list that fits the statement. */
static char *
describe_columns(const cql_statement *statement)
{
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 0; i < cql_statement_column_count(statement); i++)
	{
		const cql_column *column = cql_statement_column(statement, i);
		const char *type = scylla_type_default(column->type);

		appendStringInfo(&text, "%s%s %s", i > 0 ? ", " : "",
						 quote_identifier(local_text(column->name)),
						 type != NULL ? type : "(not supported)");
	}
	return text.data;
}

static void
check_columns(const cql_statement *statement, TupleDesc descriptor)
{
	int count = cql_statement_column_count(statement);

	if (count != descriptor->natts)
		ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
						errmsg("the number of columns in the definition list (%d) is not that of "
							   "the statement's result (%d)",
							   descriptor->natts, count),
						errhint("Write it as (%s).", describe_columns(statement))));
}

static ScyllaConverter **
make_converters(const PassThrough *call, TupleDesc descriptor)
{
	const cql_statement *statement = scylla_statement_get(call->statement);
	ScyllaConverter **converters = palloc(descriptor->natts * sizeof(ScyllaConverter *));

	for (int i = 0; i < descriptor->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(descriptor, i);
		ScyllaConverterSpec spec = {.cql = cql_statement_column(statement, i)->type,
									.type = attribute->atttypid,
									.typmod = attribute->atttypmod,
									.column = NameStr(attribute->attname),
									.is_excess_truncated = call->options->is_excess_truncated};

		converters[i] = scylla_converter_new(&spec);
	}
	return converters;
}

/* Decodes a page into the tuplestore; what a row needs goes into row_context. */
static void
store_page(cql_result *page, ScyllaConverter **converters, TupleDesc descriptor,
		   Tuplestorestate *store, MemoryContext row_context)
{
	cql_cell *cells = palloc(descriptor->natts * sizeof(cql_cell));
	Datum *values = palloc(descriptor->natts * sizeof(Datum));
	bool *nulls = palloc(descriptor->natts * sizeof(bool));
	MemoryContext caller = MemoryContextSwitchTo(row_context);

	while (cql_result_next_row(page, cells))
	{
		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < descriptor->natts; i++)
			values[i] = scylla_decode(converters[i], cells[i], &nulls[i]);
		tuplestore_putvalues(store, descriptor, values, nulls);
		MemoryContextReset(row_context);
	}
	MemoryContextSwitchTo(caller);
	pfree(cells);
	pfree(values);
	pfree(nulls);
}

static ScyllaCursorInput
input_of(const PassThrough *call)
{
	return (ScyllaCursorInput) {.values = call->values.data,
								.values_len = (size_t) call->values.len,
								.value_count = call->argument_count};
}

static void
read_rows(const PassThrough *call, TupleDesc descriptor, Tuplestorestate *store)
{
	cql_statement *statement = scylla_statement_get(call->statement);
	ScyllaCursorInput input = input_of(call);
	ScyllaCursorSpec spec = {.session = call->session,
							 .statement = statement,
							 .consistency =
								 scylla_read_consistency(call->options->read_consistency),
							 .page_rows = call->options->fetch_size,
							 .is_idempotent = true,
							 .is_traced = scylla_trace,
							 .is_prefetching = true};
	ScyllaConverter **converters = make_converters(call, descriptor);
	ScyllaCursor *cursor = scylla_cursor_new(&spec);
	MemoryContext row_context =
		AllocSetContextCreate(CurrentMemoryContext, "scylla_query row", ALLOCSET_SMALL_SIZES);
	cql_result *page;

	scylla_writers_settle(NULL);
	scylla_cursor_start(cursor, &input);
	do
	{
		page = scylla_cursor_next_page(cursor);
		/* Behind the last row too: what has no rows may be no answer to a SELECT at all. */
		if (!cql_result_has_columns_of(scylla_cursor_result(cursor), statement))
		{
			scylla_statement_forget(call->session, call->statement);
			ereport(ERROR, (errcode(ERRCODE_FDW_INCONSISTENT_DESCRIPTOR_INFORMATION),
							errmsg("the columns of the statement changed while it was run"),
							errhint("Run it again.")));
		}
		if (page != NULL)
			store_page(page, converters, descriptor, store, row_context);
	} while (page != NULL);
}

/* Makes the function's result a tuplestore, in the memory of the caller's query. */
static Tuplestorestate *
begin_result(FunctionCallInfo fcinfo, TupleDesc *descriptor)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext caller;

	if (result == NULL || !IsA(result, ReturnSetInfo) ||
		(result->allowedModes & SFRM_Materialize) == 0)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("scylla_query is called where no set of rows can be taken"),
						errhint("Call it in FROM.")));
	if (get_call_result_type(fcinfo, NULL, descriptor) != TYPEFUNC_COMPOSITE)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("scylla_query needs a column definition list"),
				 errhint("Call it as SELECT * FROM scylla_query(...) AS t (name type, ...).")));

	caller = MemoryContextSwitchTo(result->econtext->ecxt_per_query_memory);
	*descriptor = CreateTupleDescCopy(*descriptor);
	result->returnMode = SFRM_Materialize;
	result->setDesc = *descriptor;
	result->setResult = tuplestore_begin_heap((result->allowedModes & SFRM_Materialize_Random) != 0,
											  false, work_mem);
	MemoryContextSwitchTo(caller);
	return result->setResult;
}

extern PGDLLEXPORT Datum scylla_query(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(scylla_query);

Datum
scylla_query(PG_FUNCTION_ARGS)
{
	TupleDesc descriptor;
	Tuplestorestate *store = begin_result(fcinfo, &descriptor);
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext context = AllocSetContextCreate(caller, "scylla_query", ALLOCSET_DEFAULT_SIZES);
	PassThrough call;

	MemoryContextSwitchTo(context);
	open_pass_through(&call, fcinfo);
	if (!begins_with(call.cql, "select"))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("scylla_query runs SELECT only"),
				 errhint("Use scylla_execute for statements that return no rows.")));
	prepare(&call, false);
	check_columns(scylla_statement_get(call.statement), descriptor);
	read_rows(&call, descriptor, store);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	return (Datum) 0;
}

/* ---- statements without rows ---- */

/* What a conditional statement says of itself in its first column; other statements are applied. */
static bool
is_applied(cql_result *page)
{
	cql_cell *cells;
	bool applied;

	if (page == NULL || cql_result_column_count(page) == 0 ||
		strcmp(cql_result_column(page, 0)->name, "[applied]") != 0)
		return true;
	cells = palloc(cql_result_column_count(page) * sizeof(cql_cell));
	if (!cql_result_next_row(page, cells) || !cql_read_bool(cells[0], &applied))
		ereport(ERROR, (errcode(ERRCODE_PROTOCOL_VIOLATION),
						errmsg("the server did not tell whether the statement was applied")));
	return applied;
}

extern PGDLLEXPORT Datum scylla_execute(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(scylla_execute);

Datum
scylla_execute(PG_FUNCTION_ARGS)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext context = AllocSetContextCreate(caller, "scylla_execute", ALLOCSET_DEFAULT_SIZES);
	ScyllaCursorSpec spec = {.about.is_write = true};
	ScyllaCursorInput input;
	ScyllaCursor *cursor;
	PassThrough call;
	bool applied;

	PreventCommandIfReadOnly("scylla_execute");
	MemoryContextSwitchTo(context);
	open_pass_through(&call, fcinfo);
	if (begins_with(call.cql, "select"))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("scylla_execute does not run SELECT"),
						errhint("Use scylla_query for statements that return rows.")));
	/* It would change what unqualified names mean on one connection, but not in what is prepared. */
	if (begins_with(call.cql, "use"))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("scylla_execute does not run USE"),
				 errhint("Write the keyspace before the name, as in keyspace.table.")));
	if (call.argument_count > 0)
		prepare(&call, true);
	spec.session = call.session;
	spec.statement = call.statement != NULL ? scylla_statement_get(call.statement) : NULL;
	spec.cql = call.cql;
	spec.consistency = scylla_write_consistency(call.options->write_consistency);
	spec.serial_consistency = call.options->serial_consistency;
	spec.page_rows = call.options->fetch_size;
	cursor = scylla_cursor_new(&spec);
	/* So that it changes what a running statement has written, not what that has still to write. */
	scylla_writers_settle(NULL);
	input = input_of(&call);
	scylla_cursor_start(cursor, &input);
	applied = is_applied(scylla_cursor_next_page(cursor));
	if (cql_result_is_schema_change(scylla_cursor_result(cursor)))
		scylla_schema_await_agreement(call.session);
	if (!applied)
		scylla_transaction_count(scylla_transaction_level(), -1);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	PG_RETURN_BOOL(applied);
}
