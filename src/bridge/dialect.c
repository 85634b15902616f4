/*
 * Texts for ScyllaDB, and the time that its servers are given. A server that knows when nobody waits
 * any more gives up by itself, and its work is not in the way of others'.
 */
#include "postgres.h"

#include "bridge/dialect.h"

#include "utils/timeout.h"
#include "utils/timestamp.h"

#define NS_PER_MILLISECOND INT64CONST(1000000)

bool
scylla_has_dialect(ScyllaSession *session, const char *cql, const ScyllaReportContext *about)
{
	if (!cql_session_is_scylla(session->cql))
		scylla_statement_release(scylla_prepare(session, cql, about));
	return cql_session_is_scylla(session->cql);
}

ScyllaStatement *
scylla_prepare_read(ScyllaSession *session, const char *cql, ScyllaReadWords *words,
					const ScyllaReportContext *about)
{
	if ((words->is_bypassing || words->is_timed) && !scylla_has_dialect(session, cql, about))
		*words = (ScyllaReadWords) {0};
	return scylla_prepare(session,
						  psprintf("%s%s%s", cql, words->is_bypassing ? " BYPASS CACHE" : "",
								   words->is_timed ? " USING TIMEOUT ?" : ""),
						  about);
}

bool
scylla_is_timed(bool has_server_timeout)
{
	return has_server_timeout && get_timeout_active(STATEMENT_TIMEOUT);
}

/* A time that is up is about to be noticed here, and ScyllaDB takes 0 for one, too. */
static int64
get_left_ms(const ScyllaSession *session)
{
	int64 left_ms = session->request_timeout_ms;

	if (get_timeout_active(STATEMENT_TIMEOUT))
		left_ms =
			Min(left_ms, TimestampDifferenceMilliseconds(
							 GetCurrentTimestamp(), get_timeout_finish_time(STATEMENT_TIMEOUT)));
	return Max(left_ms, 1);
}

bool
scylla_is_time_short(const ScyllaSession *session)
{
	return get_left_ms(session) < session->request_timeout_ms;
}

const char *
scylla_add_timeout(const ScyllaSession *session, const char *cql)
{
	return psprintf("%s USING TIMEOUT " INT64_FORMAT "ms", cql, get_left_ms(session));
}

size_t
scylla_write_timeout(const ScyllaSession *session, char *out)
{
	cql_duration duration = {.nanoseconds = get_left_ms(session) * NS_PER_MILLISECOND};
	size_t len;

	len = cql_write_duration(&duration, (uint8_t *) out + 4);
	cql_put_u32((uint8_t *) out, (uint32) len);
	return 4 + len;
}
