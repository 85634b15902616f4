/*
 * Statements and pages, tied to memory contexts. A wrapper is palloc'ed and its reset callback
 * registered before anything is acquired; what is acquired goes straight into the wrapper, with
 * no throwing call in between. So whoever leaves by an error leaves nothing behind: a request in
 * flight is abandoned, its late answer thrown away by the driver.
 */
#include "postgres.h"

#include "bridge/cursor.h"

#include "bridge/dialect.h"
#include "bridge/transaction.h"
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

typedef enum CursorState
{
	CURSOR_IDLE,    /* not started, ended, or left by an error */
	CURSOR_DUE,     /* the next page is to be asked for */
	CURSOR_ASKED,   /* it was asked for */
	CURSOR_HOLDING, /* the page at hand is next_page()'s to give out */
	CURSOR_END      /* all pages were given out */
} CursorState;

struct ScyllaCursor
{
	MemoryContextCallback callback;
	MemoryContext context;
	ScyllaCursorSpec spec;
	cql_statement *statement; /* our reference */
	CursorState state;
	cql_request *request; /* of the next page, while ASKED */
	cql_result *page;     /* the page at hand */
	int page_count;       /* of this result, so far */
	bool is_counted;      /* as a write of the transaction */
	ScyllaCursorInput input;
	char *buffer; /* the routing key, the values, and room for the timeout behind them */
	size_t buffer_size;
	ScyllaCounters own_counters;
};

void
scylla_cursor_end(ScyllaCursor *cursor)
{
	if (cursor->request != NULL)
		cql_request_free(cursor->request);
	cursor->request = NULL;
	if (cursor->page != NULL)
		cql_result_free(cursor->page);
	cursor->page = NULL;
	cursor->state = CURSOR_IDLE;
}

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
	cursor->spec = *spec;
	cursor->spec.statement = NULL;
	cursor->spec.cql = spec->statement == NULL ? pstrdup(to_utf8(spec->cql)) : NULL;
	cursor->spec.about.session = spec->session;
	cursor->spec.about.relation = copy_string(spec->about.relation);
	cursor->spec.about.key = copy_string(spec->about.key);
	if (spec->counters == NULL)
		cursor->spec.counters = &cursor->own_counters;
	cursor->own_counters.context = cursor->context;
}

ScyllaCursor *
scylla_cursor_new(const ScyllaCursorSpec *spec)
{
	ScyllaCursor *cursor = palloc0(sizeof(ScyllaCursor));

	cursor->context = CurrentMemoryContext;
	copy_spec(cursor, spec);
	cursor->callback.func = reset_cursor;
	cursor->callback.arg = cursor;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &cursor->callback);
	if (spec->statement != NULL)
		cursor->statement = cql_statement_share(spec->statement);
	return cursor;
}

static void
raise_error(ScyllaCursor *cursor, const cql_error *error)
{
	ScyllaReportContext about = cursor->spec.about;
	const char *cql =
		cursor->statement != NULL ? cql_statement_text(cursor->statement) : cursor->spec.cql;

	cursor->state = CURSOR_IDLE;
	if (cursor->is_counted && !error->may_be_applied)
		scylla_transaction_count(scylla_transaction_level(), -1);
	/* The text was ours before it became UTF-8, so this conversion cannot fail. */
	about.cql = pg_any_to_server(cql, strlen(cql), PG_UTF8);
	scylla_report(error, &about);
}

static void
reserve_buffer(ScyllaCursor *cursor, size_t size)
{
	if (size <= cursor->buffer_size)
		return;
	if (cursor->buffer != NULL)
		pfree(cursor->buffer);
	cursor->buffer = NULL;
	cursor->buffer_size = 0;
	cursor->buffer = MemoryContextAlloc(cursor->context, size);
	cursor->buffer_size = size;
}

static void
copy_input(ScyllaCursor *cursor, const ScyllaCursorInput *input)
{
	reserve_buffer(cursor, input->routing_key_len + input->values_len + SCYLLA_TIMEOUT_MAX_LEN);
	cursor->input = *input;
	if (input->routing_key_len > 0)
		memcpy(cursor->buffer, input->routing_key, input->routing_key_len);
	if (input->routing_key != NULL)
		cursor->input.routing_key = cursor->buffer;
	cursor->input.values = cursor->buffer + input->routing_key_len;
	if (input->values_len > 0)
		memcpy(cursor->buffer + input->routing_key_len, input->values, input->values_len);
}

static void
set_paging(const ScyllaCursor *cursor, cql_request_spec *request)
{
	cql_cell state;

	request->page_rows =
		cursor->input.page_rows > 0 ? cursor->input.page_rows : cursor->spec.page_rows;
	request->is_traced = cursor->spec.is_traced && cursor->page == NULL;
	if (cursor->page == NULL)
	{
		if (cursor->input.first_rows > 0)
			request->page_rows = Min(cursor->input.first_rows, request->page_rows);
		return;
	}
	state = cql_result_paging_state(cursor->page);
	request->paging_state = state.data;
	request->paging_state_len = state.len > 0 ? (size_t) state.len : 0;
}

/* Each page has less time than the one before. */
static void
add_timeout(ScyllaCursor *cursor, cql_request_spec *request)
{
	char *end = cursor->buffer + cursor->input.routing_key_len + cursor->input.values_len;

	request->values_len += scylla_write_timeout(cursor->spec.session, end);
	request->value_count++;
}

/* Once it is sent; whoever waits may be interrupted. */
static void
count_write(ScyllaCursor *cursor)
{
	if (!cursor->spec.about.is_write || cursor->is_counted)
		return;
	scylla_transaction_count(scylla_transaction_level(), 1);
	cursor->is_counted = true;
}

/* Ask for the page behind the one at hand, or for the first. Where the session is busy nothing is
 * sent, and the page is due. */
static void
submit_page(ScyllaCursor *cursor)
{
	const ScyllaCursorSpec *spec = &cursor->spec;
	cql_request_spec request = {
		.statement = cursor->statement,
		.cql = spec->cql,
		.values = cursor->input.values,
		.values_len = cursor->input.values_len,
		.value_count = cursor->input.value_count,
		.consistency = (cql_consistency) spec->consistency,
		.serial_consistency = (cql_consistency) spec->serial_consistency,
		.routing_key = cursor->input.routing_key,
		.routing_key_len = cursor->input.routing_key_len,
		.token_range = cursor->input.has_token_range ? &cursor->input.token_range : NULL,
		.replica = cursor->input.replica,
		.is_idempotent = spec->is_idempotent,
	};
	cql_error error;

	set_paging(cursor, &request);
	if (spec->is_timed)
		add_timeout(cursor, &request);
	switch (cql_request_submit(spec->session->cql, &request, &cursor->request, &error))
	{
		case CQL_OK:
			cursor->state = CURSOR_ASKED;
			spec->counters->requests++;
			count_write(cursor);
			break;
		case CQL_BUSY:
			cursor->state = CURSOR_DUE;
			break;
		case CQL_FAILED:
			raise_error(cursor, &error);
	}
}

static void
submit_first_page(ScyllaCursor *cursor)
{
	cursor->page_count = 0;
	cursor->is_counted = false;
	submit_page(cursor);
}

void
scylla_cursor_start(ScyllaCursor *cursor, const ScyllaCursorInput *input)
{
	scylla_cursor_end(cursor);
	copy_input(cursor, input);
	submit_first_page(cursor);
}

void
scylla_cursor_restart(ScyllaCursor *cursor)
{
	scylla_cursor_end(cursor);
	submit_first_page(cursor);
}

const ScyllaCursorInput *
scylla_cursor_input(const ScyllaCursor *cursor)
{
	return &cursor->input;
}

/* ---- pages ---- */

static ScyllaCountedNode *
count_node(ScyllaCounters *counters, const char *name)
{
	ScyllaCountedNode *node;
	ListCell *cell;

	foreach (cell, counters->nodes)
	{
		node = lfirst(cell);
		if (strcmp(node->name, name) == 0)
			return node;
	}
	node = palloc0(sizeof(ScyllaCountedNode));
	node->name = pstrdup(name);
	counters->nodes = lappend(counters->nodes, node);
	return node;
}

void
scylla_counters_note(ScyllaCounters *counters, const char *name, int shard)
{
	MemoryContext old = MemoryContextSwitchTo(counters->context);
	ScyllaCountedNode *node = count_node(counters, name);

	if (shard >= 0)
		node->shards = bms_add_member(node->shards, shard);
	MemoryContextSwitchTo(old);
}

void
scylla_counters_add(ScyllaCounters *counters, const ScyllaCounters *more)
{
	counters->requests += more->requests;
	counters->retries += more->retries;
	counters->pages += more->pages;
	counters->rows += more->rows;
	counters->bytes += more->bytes;
	counters->wait_us += more->wait_us;
}

static void
note_tracing_id(ScyllaCounters *counters, const uint8_t *id)
{
	StringInfoData text;
	MemoryContext old;

	if (id == NULL || counters->tracing_id != NULL)
		return;
	old = MemoryContextSwitchTo(counters->context);
	initStringInfo(&text);
	for (int i = 0; i < UUID_LEN; i++)
		appendStringInfo(&text, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", id[i]);
	counters->tracing_id = text.data;
	MemoryContextSwitchTo(old);
}

/* The server's words about deleted rows; or a page that is full of them, where ScyllaDB stopped. */
static bool
has_met_tombstones(const cql_result *page)
{
	char warning[CQL_ERROR_MESSAGE_LEN];

	for (int i = 0; i < cql_result_warning_count(page); i++)
	{
		cql_result_warning(page, i, warning, sizeof(warning));
		if (strstr(warning, "tombstone") != NULL)
			return true;
	}
	return cql_result_row_count(page) == 0 && cql_result_has_more_pages(page);
}

static void
note_page(ScyllaCursor *cursor)
{
	ScyllaCounters *counters = cursor->spec.counters;
	const cql_result *page = cursor->page;

	cursor->page_count++;
	counters->pages++;
	counters->retries += cql_result_retry_count(page);
	counters->rows += cql_result_row_count(page);
	counters->bytes += cql_result_byte_count(page);
	counters->tombstone_pages += has_met_tombstones(page);
	scylla_counters_note(counters, cql_result_node(page), cql_result_shard(page));
	note_tracing_id(counters, cql_result_tracing_id(page));
	if (cql_result_is_schema_change(page))
		scylla_session_forget_schema(cursor->spec.session->serverid);
	scylla_report_warnings(page);
}

/* The request is done: make its result the page at hand. */
static void
take_page(ScyllaCursor *cursor)
{
	cql_result *result = NULL;
	cql_error error;
	cql_status status = cql_request_take_result(cursor->request, &result, &error);

	cql_request_free(cursor->request);
	cursor->request = NULL;
	if (status != CQL_OK)
		raise_error(cursor, &error);
	if (cursor->page != NULL)
		cql_result_free(cursor->page);
	cursor->page = result;
	if (cql_result_row_count(result) > 0)
		cursor->state = CURSOR_HOLDING;
	else
		cursor->state = cql_result_has_more_pages(result) ? CURSOR_DUE : CURSOR_END;
	note_page(cursor);
}

bool
scylla_cursor_poll(ScyllaCursor *cursor)
{
	if (cursor->state == CURSOR_IDLE)
		elog(ERROR, "cursor of scylla_fdw is read before it was started");
	for (;;)
	{
		if (cursor->state == CURSOR_DUE)
			submit_page(cursor);
		if (cursor->state == CURSOR_DUE)
			return false;
		if (cursor->state == CURSOR_HOLDING || cursor->state == CURSOR_END)
			return true;
		if (!cql_request_is_done(cursor->request))
			return false;
		take_page(cursor);
	}
}

const cql_request *
scylla_cursor_request(const ScyllaCursor *cursor)
{
	return cursor->request;
}

void
scylla_cursor_wait(ScyllaCursor *cursor)
{
	uint64 waited_us = scylla_wait_total_us();

	if (cursor->request != NULL)
		scylla_wait_request(cursor->request);
	else
		scylla_wait_room(cursor->spec.session->cql);
	cursor->spec.counters->wait_us += scylla_wait_total_us() - waited_us;
}

static void
ask_ahead(ScyllaCursor *cursor)
{
	if (!cursor->spec.is_prefetching || (cursor->input.first_rows > 0 && cursor->page_count == 1))
		return;
	submit_page(cursor);
	/* A request leaves at a turn of the loop, and the next may come only after this page. */
	scylla_wait_nothing();
}

int
scylla_cursor_page_count(const ScyllaCursor *cursor)
{
	return cursor->page_count;
}

bool
scylla_cursor_is_at_end(const ScyllaCursor *cursor)
{
	return cursor->state == CURSOR_END;
}

cql_result *
scylla_cursor_next_page(ScyllaCursor *cursor)
{
	while (!scylla_cursor_poll(cursor))
		scylla_cursor_wait(cursor);
	if (cursor->state == CURSOR_END)
		return NULL;
	if (cql_result_has_more_pages(cursor->page))
	{
		cursor->state = CURSOR_DUE;
		ask_ahead(cursor);
	}
	else
		cursor->state = CURSOR_END;
	return cursor->page;
}

cql_result *
scylla_cursor_result(const ScyllaCursor *cursor)
{
	return cursor->page;
}

bool
scylla_cursor_rewind(ScyllaCursor *cursor)
{
	if (cursor->state == CURSOR_IDLE || cursor->page_count != 1 || cursor->page == NULL ||
		cql_result_has_more_pages(cursor->page))
		return false;
	cql_result_rewind(cursor->page);
	if (cql_result_row_count(cursor->page) > 0)
		cursor->state = CURSOR_HOLDING;
	return true;
}
