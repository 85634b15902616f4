/*
 * Statements and pages, tied to memory contexts. A wrapper is palloc'ed and its reset callback
 * registered before anything is acquired; what is acquired goes straight into the wrapper, with
 * no throwing call in between. So whoever leaves by an error leaves nothing behind: a request in
 * flight is abandoned, its late answer thrown away by the driver.
 */
#include "postgres.h"

#include "bridge/cursor.h"

#include "bridge/wait.h"
#include "mb/pg_wchar.h"
#include "utils/memutils.h"
#include "utils/uuid.h"

struct ScyllaStatement
{
	MemoryContextCallback callback;
	cql_statement *handle;
	cql_request *request; /* while it is prepared */
};

/* ---- statements ---- */

/* CQL is UTF-8 whatever the database's encoding is. */
static const char *
to_utf8(const char *cql)
{
	return pg_server_to_any(cql, strlen(cql), PG_UTF8);
}

void
scylla_statement_release(ScyllaStatement *statement)
{
	if (statement->request != NULL)
		cql_request_free(statement->request);
	statement->request = NULL;
	if (statement->handle != NULL)
		cql_statement_release(statement->handle);
	statement->handle = NULL;
}

static void
reset_statement(void *statement)
{
	scylla_statement_release(statement);
}

cql_statement *
scylla_statement_get(const ScyllaStatement *statement)
{
	return statement->handle;
}

void
scylla_statement_forget(ScyllaSession *session, const ScyllaStatement *statement)
{
	cql_session_forget_statement(session->cql, statement->handle);
}

static void
submit_prepare(ScyllaStatement *statement, const char *cql, const ScyllaReportContext *about)
{
	cql_session *session = about->session->cql;
	cql_error error;

	for (;;)
	{
		switch (cql_prepare_submit(session, cql, &statement->request, &error))
		{
			case CQL_OK:
				return;
			case CQL_BUSY:
				scylla_wait_room(session);
				break;
			default:
				scylla_report(&error, about);
		}
	}
}

ScyllaStatement *
scylla_prepare(ScyllaSession *session, const char *cql, const ScyllaReportContext *about)
{
	const char *text = to_utf8(cql);
	ScyllaStatement *statement = palloc0(sizeof(ScyllaStatement));
	ScyllaReportContext context = *about;
	cql_status status;
	cql_error error;

	context.session = session;
	context.cql = cql;
	statement->callback.func = reset_statement;
	statement->callback.arg = statement;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &statement->callback);
	scylla_session_pin(session, CurrentMemoryContext);

	submit_prepare(statement, text, &context);
	scylla_wait_request(statement->request);
	status = cql_request_take_statement(statement->request, &statement->handle, &error);
	cql_request_free(statement->request);
	statement->request = NULL;

	if (status != CQL_OK)
		scylla_report(&error, &context);
	return statement;
}

/* ---- cursors ---- */

struct ScyllaCursor
{
	MemoryContextCallback callback;
	MemoryContext context;
	ScyllaCursorSpec spec;
	cql_statement *statement; /* our reference */
	cql_request *request;     /* the page that was asked for */
	cql_result *page;         /* the page at hand */
	bool is_started;          /* start() was called, and nothing has failed since */
	bool is_ahead;            /* request was sent before anyone wanted its page */
	bool is_rewound;          /* the page at hand is to be given out again */
	char *values;
	size_t values_len;
	size_t values_size;
	int value_count;
	uint64 start_pages; /* counters.pages when the result at hand began */
	ScyllaCounters counters;
	List *nodes; /* names (char *) of those that answered */
	char *node;  /* the last of them */
	char *tracing_id;
};

static void
reset_cursor(void *arg)
{
	ScyllaCursor *cursor = arg;

	scylla_cursor_end(cursor);
	if (cursor->statement != NULL)
		cql_statement_release(cursor->statement);
	cursor->statement = NULL;
}

static char *
copy_string(const char *text)
{
	return text != NULL ? pstrdup(text) : NULL;
}

static void
copy_spec(ScyllaCursor *cursor, const ScyllaCursorSpec *spec)
{
	bool is_prepared = spec->statement != NULL;
	const char *cql = is_prepared ? cql_statement_text(spec->statement) : spec->cql;

	cursor->spec = *spec;
	cursor->spec.statement = NULL;
	cursor->spec.cql = is_prepared ? NULL : pstrdup(to_utf8(cql));
	cursor->spec.about.session = spec->session;
	/* A prepared text was ours before it became UTF-8, so this conversion cannot fail. */
	cursor->spec.about.cql =
		pstrdup(is_prepared ? pg_any_to_server(cql, strlen(cql), PG_UTF8) : cql);
	cursor->spec.about.relation = copy_string(spec->about.relation);
	cursor->spec.about.key = copy_string(spec->about.key);
}

ScyllaCursor *
scylla_cursor_new(const ScyllaCursorSpec *spec)
{
	ScyllaCursor *cursor = palloc0(sizeof(ScyllaCursor));

	cursor->context = CurrentMemoryContext;
	cursor->node = "";
	copy_spec(cursor, spec);
	cursor->callback.func = reset_cursor;
	cursor->callback.arg = cursor;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &cursor->callback);
	scylla_session_pin(spec->session, CurrentMemoryContext);
	if (spec->statement != NULL)
		cursor->statement = cql_statement_share(spec->statement);
	return cursor;
}

void
scylla_cursor_end(ScyllaCursor *cursor)
{
	if (cursor->request != NULL)
		cql_request_free(cursor->request);
	cursor->request = NULL;
	if (cursor->page != NULL)
		cql_result_free(cursor->page);
	cursor->page = NULL;
	cursor->is_started = false;
	cursor->is_ahead = false;
	cursor->is_rewound = false;
}

static void
copy_values(ScyllaCursor *cursor, const char *values, size_t values_len, int value_count)
{
	if (values_len > cursor->values_size)
	{
		if (cursor->values != NULL)
			pfree(cursor->values);
		cursor->values = NULL;
		cursor->values_size = 0;
		cursor->values = MemoryContextAlloc(cursor->context, values_len);
		cursor->values_size = values_len;
	}
	if (values_len > 0)
		memcpy(cursor->values, values, values_len);
	cursor->values_len = values_len;
	cursor->value_count = value_count;
}

/* Ask for the page behind the one at hand, or for the first. BUSY: nothing was sent. */
static cql_status
submit_page(ScyllaCursor *cursor)
{
	const ScyllaCursorSpec *spec = &cursor->spec;
	cql_request_spec request = {
		.statement = cursor->statement,
		.cql = spec->cql,
		.values = cursor->values,
		.values_len = cursor->values_len,
		.value_count = cursor->value_count,
		.consistency = (cql_consistency) spec->consistency,
		.serial_consistency = (cql_consistency) spec->serial_consistency,
		.page_rows = spec->page_rows,
		.is_traced = spec->is_traced && cursor->page == NULL,
		.is_idempotent = spec->is_idempotent,
	};
	cql_status status;
	cql_error error;

	if (cursor->page != NULL)
	{
		cql_cell state = cql_result_paging_state(cursor->page);

		request.paging_state = state.data;
		request.paging_state_len = state.len > 0 ? (size_t) state.len : 0;
	}
	status = cql_request_submit(spec->session->cql, &request, &cursor->request, &error);
	if (status == CQL_OK)
		cursor->counters.requests++;
	else if (status != CQL_BUSY)
	{
		cursor->is_started = false;
		scylla_report(&error, &spec->about);
	}
	return status;
}

void
scylla_cursor_start(ScyllaCursor *cursor, const char *values, size_t values_len, int value_count)
{
	scylla_cursor_end(cursor);
	copy_values(cursor, values, values_len, value_count);
	cursor->start_pages = cursor->counters.pages;
	cursor->is_started = true;
	/* If the session is BUSY, next_page() sends it. */
	(void) submit_page(cursor);
}

static void
submit_page_waiting(ScyllaCursor *cursor)
{
	while (submit_page(cursor) == CQL_BUSY)
		scylla_wait_room(cursor->spec.session->cql);
}

/* In the cursor's context: the list lives as long as the cursor. */
static void
note_node(ScyllaCursor *cursor, const char *node)
{
	MemoryContext old;
	ListCell *cell;

	if (strcmp(cursor->node, node) == 0)
		return;
	foreach (cell, cursor->nodes)
	{
		if (strcmp(lfirst(cell), node) == 0)
		{
			cursor->node = lfirst(cell);
			return;
		}
	}
	old = MemoryContextSwitchTo(cursor->context);
	cursor->node = pstrdup(node);
	cursor->nodes = lappend(cursor->nodes, cursor->node);
	MemoryContextSwitchTo(old);
}

static void
note_tracing_id(ScyllaCursor *cursor, const uint8_t *id)
{
	StringInfoData text;
	MemoryContext old;

	if (id == NULL || cursor->tracing_id != NULL)
		return;
	old = MemoryContextSwitchTo(cursor->context);
	initStringInfo(&text);
	for (int i = 0; i < UUID_LEN; i++)
		appendStringInfo(&text, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", id[i]);
	cursor->tracing_id = text.data;
	MemoryContextSwitchTo(old);
}

static void
note_page(ScyllaCursor *cursor)
{
	const cql_result *page = cursor->page;

	cursor->counters.pages++;
	cursor->counters.rows += cql_result_row_count(page);
	cursor->counters.bytes += cql_result_byte_count(page);
	note_node(cursor, cql_result_node(page));
	note_tracing_id(cursor, cql_result_tracing_id(page));
	if (cql_result_is_schema_change(page))
		scylla_session_forget_schema(cursor->spec.session->serverid);
	scylla_report_warnings(page);
}

/*
 * Wait for the request and make its result the page at hand. False: a page that was asked for
 * ahead did not come, perhaps just because its time ran out while nobody turned the loop; the
 * page at hand still tells where to go on.
 */
static bool
take_page(ScyllaCursor *cursor)
{
	uint64 waited_us = scylla_wait_total_us();
	cql_result *result = NULL;
	cql_status status;
	cql_error error;

	scylla_wait_request(cursor->request);
	cursor->counters.wait_us += scylla_wait_total_us() - waited_us;
	status = cql_request_take_result(cursor->request, &result, &error);
	cql_request_free(cursor->request);
	cursor->request = NULL;
	if (status != CQL_OK)
	{
		bool can_repeat = cursor->is_ahead && cursor->spec.is_idempotent &&
						  (error.kind == CQL_ERROR_TIMEOUT || error.kind == CQL_ERROR_LOST);

		cursor->is_ahead = false;
		if (can_repeat)
		{
			cursor->counters.retries++;
			return false;
		}
		cursor->is_started = false;
		scylla_report(&error, &cursor->spec.about);
	}
	cursor->is_ahead = false;
	if (cursor->page != NULL)
		cql_result_free(cursor->page);
	cursor->page = result;
	return true;
}

static void
ask_ahead(ScyllaCursor *cursor)
{
	if (!cursor->spec.is_prefetching || !cql_result_has_more_pages(cursor->page))
		return;
	cursor->is_ahead = submit_page(cursor) == CQL_OK;
	/* A request leaves at a turn of the loop, and the next may come only after this page. */
	scylla_wait_nothing();
}

/* The next page of whatever size becomes the page at hand; false behind the last. */
static bool
advance(ScyllaCursor *cursor)
{
	if (!cursor->is_started)
		elog(ERROR, "cursor of scylla_fdw is read before it was started");
	do
	{
		if (cursor->request == NULL)
		{
			if (cursor->page != NULL && !cql_result_has_more_pages(cursor->page))
				return false;
			submit_page_waiting(cursor);
		}
	} while (!take_page(cursor));
	note_page(cursor);
	ask_ahead(cursor);
	return true;
}

cql_result *
scylla_cursor_next_page(ScyllaCursor *cursor)
{
	bool has_page = cursor->is_rewound || advance(cursor);

	cursor->is_rewound = false;
	while (has_page && cql_result_row_count(cursor->page) == 0)
		has_page = advance(cursor);
	return has_page ? cursor->page : NULL;
}

cql_result *
scylla_cursor_result(const ScyllaCursor *cursor)
{
	return cursor->page;
}

bool
scylla_cursor_rewind(ScyllaCursor *cursor)
{
	if (!cursor->is_started || cursor->page == NULL ||
		cursor->counters.pages != cursor->start_pages + 1 ||
		cql_result_has_more_pages(cursor->page))
		return false;
	cql_result_rewind(cursor->page);
	cursor->is_rewound = true;
	return true;
}

const ScyllaCounters *
scylla_cursor_counters(const ScyllaCursor *cursor)
{
	return &cursor->counters;
}

const char *
scylla_cursor_tracing_id(const ScyllaCursor *cursor)
{
	return cursor->tracing_id;
}

int
scylla_cursor_node_count(const ScyllaCursor *cursor)
{
	return list_length(cursor->nodes);
}
