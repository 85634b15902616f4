/*
 * The life of a request: made and started by submit, sent on a link, advanced by what comes back
 * (answer.c), done. Only finish() makes it done.
 */
#include <string.h>

#include "cql/mem.h"
#include "cql/session.h"
#include "cql/wire/request.h"

/* [value] counts are a [short] (v4, section 4.1.4). */
#define MAX_VALUES 65535
/* Keys beyond these are not hashed, so their requests go to any node. */
#define MAX_KEY_LEN 1024
#define MAX_KEY_COMPONENTS 16

static void
finish(cql_request *request)
{
	request->is_done = true;
	request->link = NULL;
	if (request->session != NULL)
		request->session->open_count--;
}

void
cql_request_fail(cql_request *request, const cql_error *error)
{
	bool was_applied = request->error.kind != CQL_ERROR_NONE && request->error.may_be_applied;

	if (error != &request->error)
		request->error = *error;
	/* To prepare a statement is not to run it; and one that is prepared again was refused before. */
	if (request->step != CQL_STEP_RUN)
		request->error.may_be_applied = false;
	/* An earlier try may stand all the same. */
	request->error.may_be_applied |= was_applied;
	finish(request);
}

void
cql_request_succeed(cql_request *request)
{
	request->error.kind = CQL_ERROR_NONE; /* that of an earlier try */
	finish(request);
}

/* ---- making ---- */

static cql_request *
make_request(cql_session *session)
{
	cql_request *request = cql_alloc(sizeof *request);

	if (request == NULL)
		return NULL;
	/* The error's text need not be cleared, and is most of the struct. */
	memset(request, 0, offsetof(cql_request, error));
	request->error.kind = CQL_ERROR_NONE;
	request->session = session;
	request->next = session->requests;
	if (session->requests != NULL)
		session->requests->prev = request;
	session->requests = request;
	session->open_count++;
	return request;
}

static bool
set_frame(cql_request *request, cql_writer *writer)
{
	request->exchange.frame = cql_writer_take(writer, &request->exchange.frame_len);
	return request->exchange.frame != NULL;
}

bool
cql_request_set_prepare(cql_request *request, const char *text)
{
	cql_writer writer;

	cql_writer_init(&writer);
	cql_write_prepare(&writer, text);
	return set_frame(request, &writer);
}

cql_status
cql_prepare_submit(cql_session *session, const char *cql, cql_request **out, cql_error *error)
{
	cql_statement *statement = cql_cache_find(&session->cache, cql);
	cql_request *request = make_request(session);

	if (request == NULL)
	{
		cql_error_set(error, CQL_ERROR_NO_MEMORY, "out of memory");
		return CQL_FAILED;
	}
	request->step = CQL_STEP_PREPARE;
	/* To prepare twice is to prepare. */
	request->is_idempotent = true;
	if (statement != NULL && !statement->is_doubted)
	{
		request->statement = cql_statement_share(statement);
		cql_request_succeed(request);
	}
	else
	{
		request->timeout_ms = session->request_timeout_ms;
		request->text = cql_copy_text(cql, strlen(cql));
		if (request->text == NULL || !cql_request_set_prepare(request, cql))
		{
			cql_error_set(error, CQL_ERROR_NO_MEMORY, "out of memory");
			cql_request_free(request);
			return CQL_FAILED;
		}
		cql_session_start(session, request);
	}
	*out = request;
	return CQL_OK;
}

static bool
set_run_frame(cql_request *request, const cql_request_spec *spec)
{
	uint8_t flags = spec->is_traced ? CQL_FLAG_TRACING : 0;
	cql_query_parameters parameters = {
		.consistency = (uint16_t) spec->consistency,
		.serial_consistency = (uint16_t) spec->serial_consistency,
		.value_count = (uint16_t) spec->value_count,
		.values = spec->values,
		.values_len = spec->values_len,
		.page_rows = spec->page_rows,
		.paging_state = spec->paging_state,
		.paging_state_len = spec->paging_state_len,
		.has_timestamp = spec->has_timestamp,
		.timestamp_us = spec->timestamp_us,
	};
	cql_writer writer;

	cql_writer_init(&writer);
	if (spec->statement != NULL)
	{
		cql_view id = {(const char *) spec->statement->id, spec->statement->id_len};

		cql_view metadata_id = {(const char *) spec->statement->metadata_id,
								spec->statement->metadata_id_len};

		if (spec->statement->result->column_count == 0)
			request->written_rows = 1 + spec->more_rows;
		if (spec->more_rows > 0)
			cql_write_batch(&writer, id, 1 + spec->more_rows, &parameters, flags);
		else
			cql_write_execute(&writer, id, metadata_id, &parameters, flags);
	}
	else
		cql_write_query(&writer, spec->cql, &parameters, flags);
	return set_frame(request, &writer);
}

/* The i-th of the encoded values, none of which may be shorter than it says. */
static bool
find_value(const cql_request_spec *spec, int index, cql_cell *cell)
{
	cql_reader values = cql_reader_over(spec->values, spec->values_len);

	for (int i = 0; i <= index; i++)
		*cell = cql_read_bytes(&values);
	return !values.failed;
}

static int64_t
token_of(const cql_request *request, const void *key, size_t len)
{
	if (request->session->is_scylla && request->statement != NULL &&
		request->statement->has_stream_key)
		return cql_stream_token(key, len);
	return cql_key_token(key, len);
}

/* The token of the partition that the bound values name; false if they name none. */
static bool
find_token(const cql_request *request, const cql_request_spec *spec, int64_t *token)
{
	const cql_statement *statement = spec->statement;
	uint8_t key[MAX_KEY_LEN];
	cql_cell components[MAX_KEY_COMPONENTS];
	int count = statement->bind->key_count;
	size_t len;

	if (count == 0 || count > MAX_KEY_COMPONENTS)
		return false;
	for (int i = 0; i < count; i++)
		if (!find_value(spec, statement->bind->key_indexes[i], &components[i]))
			return false;
	if (!cql_key_measure(components, count, &len) || len > sizeof key)
		return false;
	cql_key_write(components, count, key);
	*token = token_of(request, key, len);
	return true;
}

/* Note where on the ring it goes, and whether it may leave the local data center. */
static void
aim(cql_request *request, const cql_request_spec *spec)
{
	request->is_local = cql_consistency_is_local(spec->consistency);
	if (!cql_route_needs_tokens(request->session))
		return;
	if (spec->token_range != NULL)
	{
		request->has_token = request->is_range = true;
		request->token = spec->token_range->end;
		request->replica = spec->replica;
	}
	else if (spec->routing_key != NULL)
	{
		request->has_token = true;
		request->token = token_of(request, spec->routing_key, spec->routing_key_len);
	}
	else if (spec->statement != NULL)
		request->has_token = find_token(request, spec, &request->token);
}

static cql_status
refuse_too_large(cql_error *error)
{
	cql_error_set(error, CQL_ERROR_ARGUMENT, "the request is larger than the protocol allows");
	return CQL_FAILED;
}

cql_status
cql_request_submit(cql_session *session, const cql_request_spec *spec, cql_request **out,
				   cql_error *error)
{
	return cql_request_submit_on(session, spec, NULL, out, error);
}

cql_status
cql_request_submit_on(cql_session *session, const cql_request_spec *spec, cql_link *link,
					  cql_request **out, cql_error *error)
{
	cql_request *request;

	if (!cql_session_has_room(session))
		return CQL_BUSY;
	if (spec->value_count < 0 || spec->value_count > MAX_VALUES)
	{
		cql_error_set(error, CQL_ERROR_ARGUMENT, "a request takes at most %d values, not %d",
					  MAX_VALUES, spec->value_count);
		return CQL_FAILED;
	}
	/* Looked at beforehand, since a frame that cannot be written is taken for want of memory. */
	if (spec->values_len > CQL_FRAME_MAX_BODY_LEN ||
		(spec->statement == NULL && strlen(spec->cql) > CQL_FRAME_MAX_BODY_LEN))
		return refuse_too_large(error);
	request = make_request(session);
	if (request == NULL || !set_run_frame(request, spec))
	{
		if (request != NULL)
			cql_request_free(request);
		cql_error_set(error, CQL_ERROR_NO_MEMORY, "out of memory");
		return CQL_FAILED;
	}
	if (request->exchange.frame_len - CQL_FRAME_HEADER_LEN > CQL_FRAME_MAX_BODY_LEN)
	{
		cql_request_free(request);
		return refuse_too_large(error);
	}
	request->step = CQL_STEP_RUN;
	request->timeout_ms = spec->timeout_ms != 0 ? spec->timeout_ms : session->request_timeout_ms;
	request->is_idempotent = spec->is_idempotent;
	request->may_be_conditional = spec->serial_consistency != 0;
	if (spec->statement != NULL)
		request->statement = cql_statement_share(spec->statement);
	request->pin = link;
	aim(request, spec);
	cql_session_start(session, request);
	*out = request;
	return CQL_OK;
}

bool
cql_request_send(cql_request *request, cql_link *link)
{
	uint64_t now_us = cql_attended_us(&request->session->loop->clock);

	/* The time of a request begins when it can first be sent, and serves all of its tries. */
	if (!request->was_sent)
		request->deadline_ms = now_us / 1000 + request->timeout_ms;
	if (!cql_conn_submit(&link->conn, &request->exchange, request->deadline_ms))
		return false;
	request->was_sent = true;
	request->sent_us = now_us;
	request->link = link;
	request->pin = NULL;
	return true;
}

bool
cql_request_has_tried(const cql_request *request, const cql_node *node)
{
	for (int i = 0; i < request->tried_count; i++)
		if (request->tried[i] == node->id)
			return true;
	return false;
}

void
cql_request_expire(cql_request *request)
{
	const cql_pool *pool = &request->session->pool;
	cql_error error;

	if (request->error.kind != CQL_ERROR_NONE)
		cql_request_fail(request, &request->error);
	else if (pool->attempts > 0)
		cql_request_fail(request, &pool->failure);
	else
	{
		cql_error_set(&error, CQL_ERROR_UNREACHABLE, "no connection took it within %u ms",
					  request->timeout_ms);
		cql_request_fail(request, &error);
	}
}

/* ---- what the user asks ---- */

bool
cql_request_is_done(const cql_request *request)
{
	return request->is_done;
}

static cql_status
take_failure(const cql_request *request, bool has_outcome, cql_error *error)
{
	if (request->is_done && request->error.kind != CQL_ERROR_NONE)
		*error = request->error;
	else if (!request->is_done)
		cql_error_set(error, CQL_ERROR_ARGUMENT, "the request is not done");
	else if (!has_outcome)
		cql_error_set(error, CQL_ERROR_ARGUMENT, "the request has no such outcome, or no more");
	else
		return CQL_OK;
	return CQL_FAILED;
}

cql_status
cql_request_take_statement(cql_request *request, cql_statement **statement, cql_error *error)
{
	bool has_outcome = request->step == CQL_STEP_PREPARE && request->statement != NULL;
	cql_status status = take_failure(request, has_outcome, error);

	if (status == CQL_OK)
	{
		*statement = request->statement;
		request->statement = NULL;
	}
	return status;
}

cql_status
cql_request_take_result(cql_request *request, cql_result **result, cql_error *error)
{
	cql_status status = take_failure(request, request->result != NULL, error);

	if (status == CQL_OK)
	{
		*result = request->result;
		request->result = NULL;
	}
	return status;
}

void
cql_request_free(cql_request *request)
{
	cql_session *session;

	if (request == NULL)
		return;
	session = request->session;
	if (session != NULL)
	{
		if (request->is_waiting)
			cql_session_dequeue(session, request);
		else if (!request->is_done && request->link != NULL)
			cql_conn_abandon(&request->link->conn, &request->exchange);
		if (!request->is_done)
			session->open_count--;
		if (request->prev != NULL)
			request->prev->next = request->next;
		else
			session->requests = request->next;
		if (request->next != NULL)
			request->next->prev = request->prev;
	}
	cql_exchange_cleanup(&request->exchange);
	cql_release(request->kept_frame);
	cql_release(request->text);
	cql_statement_release(request->statement);
	cql_result_free(request->result);
	cql_release(request);
}
