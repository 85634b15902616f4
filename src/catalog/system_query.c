/*
 * Queries on system tables: one request each, held by a memory context.
 *
 * The driver is used directly rather than through a cursor, since only here a server's refusal is
 * an answer; every other error goes through bridge/report.c.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"

#include "bridge/cursor.h"
#include "bridge/report.h"
#include "bridge/wait.h"
#include "catalog/system_query.h"

struct ScyllaSystemQuery
{
	ScyllaSession *session;
	const char *cql;
	cql_request *request;
	cql_result *result;
	cql_server_code code; /* of an answer that is an error's */
	int column_count;
	cql_cell *cells;
	MemoryContextCallback release;
};

static void
release_query(void *argument)
{
	ScyllaSystemQuery *query = argument;

	if (query->result != NULL)
		cql_result_free(query->result);
	if (query->request != NULL)
		cql_request_free(query->request);
}

static void
raise_error(const ScyllaSystemQuery *query, const cql_error *error)
{
	ScyllaReportContext about = {.session = query->session, .cql = query->cql};

	scylla_report(error, &about);
}

static void
raise_malformed(const ScyllaSystemQuery *query, const char *detail)
{
	ereport(ERROR, (errcode(ERRCODE_PROTOCOL_VIOLATION),
					errmsg("server \"%s\" gave a malformed answer about its schema",
						   query->session->server_name),
					errdetail_internal("%s", detail), errcontext("remote query: %s", query->cql)));
}

static void
append_name(StringInfo values, const char *name)
{
	const char *text = pg_server_to_any(name, strlen(name), PG_UTF8);
	uint8_t length[4];

	cql_put_u32(length, strlen(text));
	appendBinaryStringInfo(values, (const char *) length, sizeof length);
	appendBinaryStringInfo(values, text, strlen(text));
}

ScyllaSystemQuery *
scylla_system_query_start(ScyllaSession *session, const char *cql, const char *first,
						  const char *second)
{
	ScyllaSystemQuery *query = palloc0(sizeof(ScyllaSystemQuery));
	cql_request_spec spec = {
		.cql = cql, .consistency = CQL_CONSISTENCY_LOCAL_ONE, .is_idempotent = true};
	StringInfoData values;
	cql_error error;
	cql_status status;

	query->session = session;
	query->cql = pstrdup(cql);
	query->release.func = release_query;
	query->release.arg = query;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &query->release);

	initStringInfo(&values);
	if (first != NULL)
		append_name(&values, first);
	if (second != NULL)
		append_name(&values, second);
	spec.values = values.data;
	spec.values_len = values.len;
	spec.value_count = (first != NULL) + (second != NULL);

	while ((status = cql_request_submit(session->cql, &spec, &query->request, &error)) == CQL_BUSY)
		scylla_wait_room(session->cql);
	if (status != CQL_OK)
		raise_error(query, &error);
	return query;
}

/* The server's word that it has no such table or that the role may not read it. */
static bool
is_refusal(const cql_error *error)
{
	return error->kind == CQL_ERROR_SERVER && (error->server_code == CQL_SERVER_INVALID ||
											   error->server_code == CQL_SERVER_UNAUTHORIZED);
}

bool
scylla_system_query_wait(ScyllaSystemQuery *query, int column_count, ScyllaTolerance tolerance)
{
	cql_error error;

	scylla_wait_request(query->request);
	if (cql_request_take_result(query->request, &query->result, &error) != CQL_OK)
	{
		query->result = NULL;
		query->code =
			error.kind == CQL_ERROR_SERVER ? (cql_server_code) error.server_code : CQL_SERVER_ERROR;
		if (tolerance == SCYLLA_MAY_FAIL || (tolerance == SCYLLA_MAY_REFUSE && is_refusal(&error)))
			return false;
		raise_error(query, &error);
	}
	/* The names of columns are ours, but how many came is the server's word. */
	query->column_count = cql_result_column_count(query->result);
	if (query->column_count != column_count)
		raise_malformed(query, "Its number of columns is wrong.");
	query->cells = palloc(sizeof(cql_cell) * column_count);
	return true;
}

cql_server_code
scylla_system_query_code(const ScyllaSystemQuery *query)
{
	return query->code;
}

static bool
is_answered(void *argument)
{
	return cql_request_is_done(((ScyllaSystemQuery *) argument)->request);
}

bool
scylla_system_query_wait_briefly(ScyllaSystemQuery *query, int timeout_ms)
{
	scylla_wait_at_most(is_answered, query, timeout_ms);
	return is_answered(query);
}

bool
scylla_system_query_next(ScyllaSystemQuery *query)
{
	return query->result != NULL && cql_result_next_row(query->result, query->cells);
}

/* Remote text in the database's encoding; raises if it is not valid. */
static char *
convert_text(const uint8_t *data, int length)
{
	char *copy = pnstrdup((const char *) data, length);

	/* pnstrdup stops at a NUL byte, which the check must see: verify the cell itself. */
	if (memchr(data, '\0', length) != NULL)
		report_invalid_encoding(PG_UTF8, (const char *) data, length);
	return pg_any_to_server(copy, length, PG_UTF8);
}

char *
scylla_system_query_text(ScyllaSystemQuery *query, int column)
{
	cql_cell cell = query->cells[column];

	if (cql_cell_is_null(cell))
		return NULL;
	return convert_text(cell.data, cell.len);
}

int64
scylla_system_query_integer(ScyllaSystemQuery *query, int column)
{
	cql_cell cell = query->cells[column];
	int64_t wide;
	int32_t narrow;

	if (cell.len <= 0)
		return 0;
	if (cql_read_i64(cell, &wide))
		return wide;
	if (!cql_read_i32(cell, &narrow))
		raise_malformed(query, "A number is neither of 4 nor of 8 bytes.");
	return narrow;
}

bool
scylla_system_query_boolean(ScyllaSystemQuery *query, int column)
{
	bool value;

	return cql_read_bool(query->cells[column], &value) && value;
}

cql_cell
scylla_system_query_cell(ScyllaSystemQuery *query, int column)
{
	return query->cells[column];
}

static const cql_type text_type = {.id = CQL_TYPE_TEXT};
static const cql_type *const text_elements[] = {&text_type, &text_type};
static const cql_type list_type = {
	.id = CQL_TYPE_LIST, .element_count = 1, .elements = text_elements};
static const cql_type map_type = {
	.id = CQL_TYPE_MAP, .element_count = 2, .elements = text_elements};

/* Null and empty have no elements. */
static cql_elements
begin_elements(const ScyllaSystemQuery *query, const cql_type *type, int column)
{
	cql_cell cell = query->cells[column];
	cql_elements elements = {.left = 0};

	if (cell.len > 0 && !cql_elements_begin(type, cell, &elements))
		raise_malformed(query, "A collection is cut.");
	return elements;
}

static cql_cell
next_element(const ScyllaSystemQuery *query, cql_elements *elements)
{
	cql_cell element;

	if (!cql_elements_next(elements, &element))
		raise_malformed(query, "A collection is cut.");
	return element;
}

char *
scylla_system_query_map_text(ScyllaSystemQuery *query, int column, const char *key)
{
	cql_elements elements = begin_elements(query, &map_type, column);
	int32_t key_length = strlen(key);

	while (elements.left > 0)
	{
		cql_cell name = next_element(query, &elements);
		cql_cell value = next_element(query, &elements);

		if (name.len == key_length && memcmp(name.data, key, key_length) == 0 && value.len >= 0)
			return convert_text(value.data, value.len);
	}
	return NULL;
}

List *
scylla_system_query_list(ScyllaSystemQuery *query, int column)
{
	cql_elements elements = begin_elements(query, &list_type, column);
	List *texts = NIL;

	while (elements.left > 0)
	{
		cql_cell element = next_element(query, &elements);

		if (cql_cell_is_null(element))
			raise_malformed(query, "An element of a list is null.");
		texts = lappend(texts, convert_text(element.data, element.len));
	}
	return texts;
}
