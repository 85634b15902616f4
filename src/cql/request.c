/*
 * The life of a request: made and started by submit, sent on a link, advanced by what comes back
 * (an answer, UNPREPARED and its recovery, an error that another node may not give, a deadline,
 * the connection's end), done. Only finish() makes it done.
 */
#include <stdio.h>
#include <string.h>

#include "cql/mem.h"
#include "cql/session.h"
#include "cql/wire/request.h"

/* A server whose cache evicts in a circle may ask again; more often than this it is no accident. */
#define MAX_REPREPARES 2
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

static void
succeed(cql_request *request)
{
	request->error.kind = CQL_ERROR_NONE; /* that of an earlier try */
	finish(request);
}

/* Where it happened. */
static void
sign_error(const cql_request *request, cql_error *error)
{
	const cql_link *link = request->link;

	if (link == NULL)
		return;
	snprintf(error->node, sizeof error->node, "%s", link->conn.node);
	if (link->is_ready && link->node->shard_count > 0)
		error->shard = (int32_t) link->shard;
}

static void
fail(cql_request *request, cql_error_kind kind, bool may_be_applied, const char *text)
{
	cql_error error;

	cql_error_set(&error, kind, "%s", text);
	error.may_be_applied = may_be_applied;
	sign_error(request, &error);
	cql_request_fail(request, &error);
}

/* The peer sent bytes that mean nothing: no more is to be trusted on that connection. */
static void
fail_malformed(cql_request *request, const char *text)
{
	cql_link *link = request->link;

	fail(request, CQL_ERROR_PROTOCOL, true, text);
	if (link != NULL)
		cql_conn_close(&link->conn, CQL_ERROR_PROTOCOL, "%s", text);
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

static bool
set_prepare_frame(cql_request *request, const char *text)
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
	if (statement != NULL)
	{
		request->statement = cql_statement_share(statement);
		succeed(request);
	}
	else
	{
		request->timeout_ms = session->request_timeout_ms;
		request->text = cql_copy_text(cql, strlen(cql));
		if (request->text == NULL || !set_prepare_frame(request, cql))
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

/* The token of the partition that the bound values name; false if they name none. */
static bool
find_token(const cql_request_spec *spec, int64_t *token)
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
	*token = cql_key_token(key, len);
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
		request->token = cql_key_token(spec->routing_key, spec->routing_key_len);
	}
	else if (spec->statement != NULL)
		request->has_token = find_token(spec, &request->token);
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
	uint64_t now_us = request->session->loop->now_us;

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

/* ---- trying again ---- */

bool
cql_request_has_tried(const cql_request *request, const cql_node *node)
{
	for (int i = 0; i < request->tried_count; i++)
		if (request->tried[i] == node->id)
			return true;
	return false;
}

/* Send another frame for the same request, where the last one went if that is still there. */
static void
run_again(cql_request *request, cql_request_step step)
{
	request->step = step;
	request->pin = request->link;
	request->link = NULL;
	cql_session_enqueue(request->session, request);
}

/* Is there a node that it may still go to? */
static bool
has_other_node(const cql_request *request)
{
	const cql_session *session = request->session;

	for (int i = 0; i < session->topology.node_count; i++)
	{
		const cql_node *node = session->topology.nodes[i];

		if ((node->is_member || node->is_contact) && !cql_request_has_tried(request, node) &&
			cql_route_allows(session, request, node))
			return true;
	}
	return false;
}

/* EXECUTE's frame again, where PREPARE's was; what of it was answered is let go. */
static void
restore_frame(cql_request *request)
{
	uint8_t *frame = request->exchange.frame;
	size_t frame_len = request->exchange.frame_len;

	if (request->step == CQL_STEP_REPREPARE)
	{
		frame = request->kept_frame;
		frame_len = request->kept_frame_len;
		request->kept_frame = NULL;
		request->step = CQL_STEP_RUN;
	}
	else
		request->exchange.frame = NULL;
	cql_exchange_cleanup(&request->exchange);
	request->exchange.frame = frame;
	request->exchange.frame_len = frame_len;
}

/* A try failed: make another one, or false. */
static bool
try_again(cql_request *request, const cql_error *error)
{
	cql_session *session = request->session;
	cql_retry_verdict verdict = cql_retry_judge(error, request->is_idempotent);
	cql_node *node = request->link->node;

	if (verdict.retry == CQL_RETRY_NOT || request->retry_count >= session->max_retries ||
		(verdict.is_once && request->was_repeated_once))
		return false;
	if (verdict.retry == CQL_RETRY_NEXT && request->tried_count < CQL_MAX_TRIED &&
		!cql_request_has_tried(request, node))
		request->tried[request->tried_count++] = node->id;
	/* A broken connection says little of its node: it may be asked again. */
	request->may_return = error->kind == CQL_ERROR_LOST && !has_other_node(request);
	if (verdict.retry == CQL_RETRY_NEXT && !request->may_return && !has_other_node(request))
		return false;
	request->was_repeated_once |= verdict.is_once;
	if (verdict.is_paused)
		request->not_before_ms = cql_net_now_ms() + cql_retry_pause_ms(request->retry_count,
																	   cql_session_random(session));
	request->retry_count++;
	request->error = *error;
	request->error.may_be_applied &= request->step == CQL_STEP_RUN;
	restore_frame(request);
	if (verdict.retry == CQL_RETRY_NEXT)
		request->link = NULL;
	run_again(request, request->step);
	return true;
}

void
cql_request_expire(cql_request *request)
{
	const cql_pool *pool = &request->session->pool;
	char text[96];

	if (request->error.kind != CQL_ERROR_NONE)
		cql_request_fail(request, &request->error);
	else if (pool->attempts > 0)
		cql_request_fail(request, &pool->failure);
	else
	{
		snprintf(text, sizeof text, "no connection took it within %u ms", request->timeout_ms);
		fail(request, CQL_ERROR_UNREACHABLE, false, text);
	}
}

/* ---- answers ---- */

/* For the views: a try on this shard ended, */
static void
count_try(const cql_request *request)
{
	const cql_link *link = request->link;
	cql_shard *shard = &link->node->shards[link->shard];

	shard->requests++;
	if (request->exchange.state == CQL_EXCHANGE_ANSWERED && shard->latency != NULL)
		cql_latency_add(shard->latency, request->session->loop->now_us - request->sent_us);
}

/* and not as it should. */
static void
count_error(const cql_request *request)
{
	request->link->node->shards[request->link->shard].errors++;
}

/* The server has forgotten the statement: teach it again, then run the kept frame. */
static void
reprepare(cql_request *request)
{
	request->kept_frame = request->exchange.frame;
	request->kept_frame_len = request->exchange.frame_len;
	request->exchange.frame = NULL;
	cql_exchange_cleanup(&request->exchange);
	request->reprepare_count++;
	if (set_prepare_frame(request, request->statement->text))
		run_again(request, CQL_STEP_REPREPARE);
	else
		fail(request, CQL_ERROR_NO_MEMORY, false, "out of memory");
}

static void
take_error(cql_request *request, cql_reader *body)
{
	cql_view statement_id;
	cql_error error;

	cql_error_set(&error, CQL_ERROR_NONE, "%s", "");
	cql_read_error(body, request->link->conn.supported.rate_limit_code, &error, &statement_id);
	if (body->failed)
	{
		fail_malformed(request, "a malformed ERROR message");
		return;
	}
	if (error.kind == CQL_ERROR_SERVER && error.server_code == CQL_SERVER_UNPREPARED &&
		request->step == CQL_STEP_RUN && request->statement != NULL &&
		request->reprepare_count < MAX_REPREPARES)
	{
		reprepare(request);
		return;
	}
	count_error(request);
	sign_error(request, &error);
	if (!try_again(request, &error))
		cql_request_fail(request, &error);
}

static bool
has_same_columns(const cql_metadata *a, const cql_metadata *b)
{
	if (a->column_count != b->column_count)
		return false;
	for (int32_t i = 0; i < a->column_count; i++)
	{
		if (strcmp(a->columns[i].name, b->columns[i].name) != 0 ||
			!cql_type_equal(a->columns[i].type, b->columns[i].type))
			return false;
	}
	return true;
}

/* PREPARED after UNPREPARED: the bound values stand if they still mean the same. */
static void
resume(cql_request *request, const cql_prepared *prepared)
{
	const cql_statement *statement = request->statement;

	if (prepared->id.len != statement->id_len ||
		memcmp(prepared->id.data, statement->id, statement->id_len) != 0 ||
		!has_same_columns(prepared->bind, statement->bind))
	{
		cql_cache_remove(&request->session->cache, request->statement);
		fail(request, CQL_ERROR_CHANGED, false, "the statement has changed since it was prepared");
		return;
	}
	/* This answer will tell its own columns; who prepares the text from now on gets the new ones. */
	if (!has_same_columns(prepared->result, statement->result))
		cql_cache_remove(&request->session->cache, request->statement);
	restore_frame(request);
	run_again(request, CQL_STEP_RUN);
}

/* PREPARED for the user: a new statement, unless somebody else's same PREPARE came first. */
static void
take_statement(cql_request *request, const cql_prepared *prepared)
{
	cql_statement_cache *cache = &request->session->cache;
	cql_statement *statement = cql_cache_find(cache, request->text);

	if (statement != NULL)
		request->statement = cql_statement_share(statement);
	else
	{
		request->statement = cql_statement_new(request->text, prepared);
		if (request->statement == NULL)
		{
			fail(request, CQL_ERROR_NO_MEMORY, false, "out of memory");
			return;
		}
		cql_cache_add(cache, request->statement);
	}
	succeed(request);
}

static void
take_prepared(cql_request *request, cql_reader *body)
{
	const cql_supported *supported = &request->link->conn.supported;
	cql_prepared prepared = {0};
	bool is_out_of_memory = false;

	if (cql_read_int(body) == CQL_RESULT_PREPARED)
		cql_read_prepared(body, supported->has_metadata_id, supported->lwt_mask, &prepared,
						  &is_out_of_memory);
	if (is_out_of_memory)
		fail(request, CQL_ERROR_NO_MEMORY, false, "out of memory");
	else if (body->failed || prepared.bind == NULL || prepared.result == NULL)
		fail_malformed(request, "a malformed answer to PREPARE");
	else if (request->step == CQL_STEP_REPREPARE)
		resume(request, &prepared);
	else
		take_statement(request, &prepared);
	if (prepared.bind != NULL)
		cql_metadata_release(prepared.bind);
	if (prepared.result != NULL)
		cql_metadata_release(prepared.result);
}

/* What the answer tells beside the rows. */
static void
take_remarks(cql_request *request)
{
	cql_result *result = request->result;
	cql_statement *statement = request->statement;
	cql_cell tablet;

	memcpy(result->node, request->link->conn.node, CQL_NODE_NAME_LEN);
	result->shard = request->link->node->shard_count > 0 ? (int32_t) request->link->shard : -1;
	result->retry_count = request->retry_count;
	if (statement == NULL)
		return;
	statement->counters.calls++;
	statement->counters.retries += (uint64_t) request->retry_count;
	statement->counters.rows += (uint64_t) result->row_count;
	statement->counters.bytes += result->block_len;
	/* This answer tells its own columns; who prepares the text from now on gets the new ones. */
	if (result->head.new_metadata_id.len > 0)
		cql_cache_remove(&request->session->cache, statement);
	if (statement->bind->column_count > 0 &&
		cql_frame_find_payload(&result->prefix, "tablets-routing-v1", &tablet))
		cql_table_learn(request->session, &statement->bind->columns[0], tablet);
}

static void
take_rows(cql_request *request)
{
	cql_metadata *known = request->statement != NULL ? request->statement->result : NULL;
	uint8_t *block = request->exchange.body;

	request->exchange.body = NULL;
	switch (cql_result_new(block, &request->exchange.header, known, &request->result))
	{
		case CQL_RESULT_OK:
			take_remarks(request);
			succeed(request);
			break;
		case CQL_RESULT_NO_MEMORY:
			fail(request, CQL_ERROR_NO_MEMORY, true, "out of memory");
			break;
		case CQL_RESULT_MALFORMED:
			fail_malformed(request, "a malformed RESULT message");
			break;
	}
}

static void
take_answer(cql_request *request)
{
	const cql_frame_header *header = &request->exchange.header;
	cql_reader body = cql_reader_over(request->exchange.body, header->body_len);
	cql_frame_prefix prefix;

	if (header->opcode == CQL_OPCODE_RESULT && request->step == CQL_STEP_RUN)
	{
		take_rows(request);
		return;
	}
	cql_frame_read_prefix(&body, header->flags, &prefix);
	if (header->opcode == CQL_OPCODE_ERROR)
		take_error(request, &body);
	else if (header->opcode == CQL_OPCODE_RESULT)
		take_prepared(request, &body);
	else
		fail_malformed(request, "an answer of a kind that answers no request");
}

/* The connection broke: what it never sent goes to the next one, the rest fails. */
static void
take_loss(cql_request *request)
{
	cql_error error = request->link->conn.error;

	if (!request->exchange.is_begun)
	{
		request->exchange.state = CQL_EXCHANGE_IDLE;
		run_again(request, request->step);
		return;
	}
	count_error(request);
	error.may_be_applied = true;
	sign_error(request, &error);
	if (!try_again(request, &error))
		cql_request_fail(request, &error);
}

void
cql_request_advance(cql_request *request)
{
	char text[96];

	count_try(request);
	switch (request->exchange.state)
	{
		case CQL_EXCHANGE_ANSWERED:
			take_answer(request);
			break;
		case CQL_EXCHANGE_LOST:
			take_loss(request);
			break;
		case CQL_EXCHANGE_TIMED_OUT:
			count_error(request);
			snprintf(text, sizeof text, "no answer within %u ms", request->timeout_ms);
			fail(request, CQL_ERROR_TIMEOUT, request->exchange.is_begun, text);
			break;
		case CQL_EXCHANGE_NO_MEMORY:
			fail(request, CQL_ERROR_NO_MEMORY, true, "out of memory for the answer");
			break;
		case CQL_EXCHANGE_IDLE:
		case CQL_EXCHANGE_QUEUED:
		case CQL_EXCHANGE_SENT:
			break; /* not done: never handed to us */
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
