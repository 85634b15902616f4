/*
 * What becomes of a request when its exchange is done: an answer, UNPREPARED and its recovery, an
 * error that another node may not give, a deadline, the connection's end.
 */
#include <stdio.h>
#include <string.h>

#include "cql/session.h"

/* A server whose cache evicts in a circle may ask again; more often than this it is no accident. */
#define MAX_REPREPARES 2

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

/* ---- trying again ---- */

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
	uint8_t *frame;
	size_t frame_len = request->exchange.frame_len;

	cql_exchange_restore(&request->exchange);
	frame = request->exchange.frame;
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
	bool may_be_applied = (error->may_be_applied && request->step == CQL_STEP_RUN) ||
						  (request->error.kind != CQL_ERROR_NONE && request->error.may_be_applied);

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
		request->not_before_ms =
			cql_attended_ms(&session->loop->clock) +
			cql_retry_pause_ms(request->retry_count, cql_session_random(session));
	request->retry_count++;
	request->error = *error;
	/* An earlier try may stand all the same. */
	request->error.may_be_applied = may_be_applied;
	restore_frame(request);
	if (verdict.retry == CQL_RETRY_NEXT)
	{
		request->link = NULL;
		request->reprepare_count = 0;
	}
	run_again(request, request->step);
	return true;
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
		cql_latency_add(shard->latency,
						cql_attended_us(&request->session->loop->clock) - request->sent_us);
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
	cql_exchange_restore(&request->exchange);
	request->kept_frame = request->exchange.frame;
	request->kept_frame_len = request->exchange.frame_len;
	request->exchange.frame = NULL;
	cql_exchange_cleanup(&request->exchange);
	request->reprepare_count++;
	if (cql_request_set_prepare(request, request->statement->text))
		run_again(request, CQL_STEP_REPREPARE);
	else
		fail(request, CQL_ERROR_NO_MEMORY, false, "out of memory");
}

/*
 * A conditional write whose proposal was accepted is applied sooner or later, and its commit may then
 * be refused in the words of a write that never began. Only the proposal is of a serial consistency.
 */
static bool
is_refused_commit(const cql_request *request, const cql_error *error)
{
	return request->may_be_conditional && error->kind == CQL_ERROR_SERVER &&
		   (error->server_code == CQL_SERVER_OVERLOADED ||
			(error->server_code == CQL_SERVER_UNAVAILABLE &&
			 error->consistency != CQL_CONSISTENCY_SERIAL &&
			 error->consistency != CQL_CONSISTENCY_LOCAL_SERIAL));
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
	error.may_be_applied |= is_refused_commit(request, &error);
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

	if (statement != NULL && !statement->is_doubted)
		request->statement = cql_statement_share(statement);
	else
	{
		request->statement = cql_statement_new(request->text, prepared);
		if (request->statement == NULL)
		{
			fail(request, CQL_ERROR_NO_MEMORY, false, "out of memory");
			return;
		}
		if (statement != NULL)
			cql_cache_replace(cache, statement, request->statement);
		else
			cql_cache_add(cache, request->statement);
	}
	cql_request_succeed(request);
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
	statement->counters.rows += (uint64_t) (result->row_count + request->written_rows);
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
			cql_request_succeed(request);
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
