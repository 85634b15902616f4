/*
 * What to do about a failed try: by its error, whether the request may run twice, and nothing
 * else. How often, and whether there is time and a node left for it, is the request's affair.
 */
#include <string.h>

#include "cql/session.h"

#define FIRST_PAUSE_MS 20
#define LAST_PAUSE_MS 500

typedef enum retry_condition
{
	ALWAYS, /* the server ran nothing of it */
	IF_IDEMPOTENT
} retry_condition;

/* Errors that are not listed would be the same again. Replicas may be missed at the second partition
 * of a batch, at the commit of a conditional write, or where a counter was added to already. */
static const struct
{
	int32_t server_code;
	retry_condition condition;
	cql_retry_verdict verdict;
} rows[] = {
	{CQL_SERVER_UNAVAILABLE, IF_IDEMPOTENT, {.retry = CQL_RETRY_NEXT, .is_once = true}},
	{CQL_SERVER_BOOTSTRAPPING, ALWAYS, {.retry = CQL_RETRY_NEXT}},
	{CQL_SERVER_OVERLOADED, IF_IDEMPOTENT, {.retry = CQL_RETRY_NEXT, .is_paused = true}},
	{CQL_SERVER_ERROR, IF_IDEMPOTENT, {.retry = CQL_RETRY_NEXT}},
	{CQL_SERVER_READ_TIMEOUT, IF_IDEMPOTENT, {.retry = CQL_RETRY_NEXT, .is_once = true}},
	{CQL_SERVER_WRITE_TIMEOUT, IF_IDEMPOTENT, {.retry = CQL_RETRY_NEXT, .is_once = true}},
};

static cql_retry_verdict
judge_server_error(const cql_error *error, bool is_idempotent)
{
	cql_retry_verdict same = {.retry = CQL_RETRY_SAME, .is_once = true};

	/* Enough replicas answered, only not the one asked for the data: next time it may. */
	if (error->server_code == CQL_SERVER_READ_TIMEOUT && !error->is_data_present &&
		error->received >= error->required && is_idempotent)
		return same;
	/* The batch log was not written, so nothing of the batch was. */
	if (error->server_code == CQL_SERVER_WRITE_TIMEOUT && is_idempotent &&
		strcmp(error->write_type, "BATCH_LOG") == 0)
		return same;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (rows[i].server_code == error->server_code &&
			(rows[i].condition == ALWAYS || is_idempotent))
			return rows[i].verdict;
	return (cql_retry_verdict) {.retry = CQL_RETRY_NOT};
}

cql_retry_verdict
cql_retry_judge(const cql_error *error, bool is_idempotent)
{
	switch (error->kind)
	{
		case CQL_ERROR_SERVER:
			return judge_server_error(error, is_idempotent);
		case CQL_ERROR_LOST:
			if (is_idempotent)
				return (cql_retry_verdict) {.retry = CQL_RETRY_NEXT};
			break;
		default:
			break;
	}
	return (cql_retry_verdict) {.retry = CQL_RETRY_NOT};
}

uint32_t
cql_retry_pause_ms(int retry_count, uint32_t random)
{
	uint32_t pause_ms = FIRST_PAUSE_MS;

	for (int i = 0; i < retry_count && pause_ms < LAST_PAUSE_MS; i++)
		pause_ms *= 2;
	return pause_ms / 2 + random % pause_ms;
}
