/*
 * What ScyllaDB's CQL says that Cassandra's cannot: BYPASS CACHE, and USING TIMEOUT with the time
 * that is left to the statement as a bind variable.
 */
#ifndef SCYLLA_DIALECT_H
#define SCYLLA_DIALECT_H

#include "bridge/cursor.h"
#include "cql/cql_value.h"

/* Words of a read. */
typedef struct ScyllaReadWords
{
	bool is_bypassing;
	bool is_timed; /* the last bind variable is the timeout: a cursor's spec says so, too */
} ScyllaReadWords;

/* Whether the server reads them. A session that is not connected yet is so once a text was prepared,
 * one that both servers read: this one. As scylla_prepare(). */
extern bool scylla_has_dialect(ScyllaSession *session, const char *cql,
							   const ScyllaReportContext *about);

/*
 * Prepare a SELECT with those words where ScyllaDB reads it, and without them where Cassandra does:
 * *words then has none. As scylla_prepare().
 */
extern ScyllaStatement *scylla_prepare_read(ScyllaSession *session, const char *cql,
											ScyllaReadWords *words,
											const ScyllaReportContext *about);

/* A text that takes the timeout as a literal at its end only, as TRUNCATE does: the time is that of a
 * request that leaves now. */
extern const char *scylla_add_timeout(const ScyllaSession *session, const char *cql);

/* Whether there is a time to tell, with option server_timeout: under statement_timeout. */
extern bool scylla_is_timed(bool has_server_timeout);

/* Whether less is left than a request has by itself, so that the server had better know. */
extern bool scylla_is_time_short(const ScyllaSession *session);

/*
 * Write the timeout of a request that leaves now as a [value]: what is left of statement_timeout,
 * and no more than request_timeout, in whole milliseconds. Returns its length.
 */
#define SCYLLA_TIMEOUT_MAX_LEN (4 + CQL_DURATION_MAX_LEN)
extern size_t scylla_write_timeout(const ScyllaSession *session, char *out);

#endif /* SCYLLA_DIALECT_H */
