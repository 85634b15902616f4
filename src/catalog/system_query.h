/*
 * Small queries on the cluster's system tables: text in, rows of plain cells out.
 *
 * Sent unprepared with bound names, one round trip each, so that several can be on their way at
 * once; and some may be refused without that being an error. Whatever a query holds is released
 * with the memory context that it was made in.
 */
#ifndef SCYLLA_SYSTEM_QUERY_H
#define SCYLLA_SYSTEM_QUERY_H

#include "nodes/pg_list.h"

#include "bridge/session.h"

typedef struct ScyllaSystemQuery ScyllaSystemQuery;

/*
 * Send a query whose ? stand for the names (at most two, NULL: fewer), in CurrentMemoryContext.
 * Does not wait. session must stay valid until the query's end.
 */
extern ScyllaSystemQuery *scylla_system_query_start(ScyllaSession *session, const char *cql,
													const char *first, const char *second);

/* What a query may come to without an error. */
typedef enum ScyllaTolerance
{
	SCYLLA_MUST_ANSWER,
	SCYLLA_MAY_REFUSE, /* the server has no such table, or the role may not read it */
	SCYLLA_MAY_FAIL    /* whatever happens, the answer is only a hint */
} ScyllaTolerance;

/* The server's code, after a wait that was false; CQL_SERVER_ERROR where it gave none. */
extern cql_server_code scylla_system_query_code(const ScyllaSystemQuery *query);

/* Wait for its rows, which must have column_count columns. False: what is tolerated happened. */
extern bool scylla_system_query_wait(ScyllaSystemQuery *query, int column_count,
									 ScyllaTolerance tolerance);

/* Whether the answer has come, or comes within so many milliseconds. */
extern bool scylla_system_query_wait_briefly(ScyllaSystemQuery *query, int timeout_ms);

/* The next row, or false. */
extern bool scylla_system_query_next(ScyllaSystemQuery *query);

/* Cells of the row at hand; text is palloc'ed, checked, and in the database's encoding. */
extern char *scylla_system_query_text(ScyllaSystemQuery *query, int column);    /* NULL: null */
extern int64 scylla_system_query_integer(ScyllaSystemQuery *query, int column); /* null: 0 */
extern bool scylla_system_query_boolean(ScyllaSystemQuery *query, int column);  /* null: false */
extern cql_cell scylla_system_query_cell(ScyllaSystemQuery *query, int column); /* as it came */
/* The value of a key in a map<text, text>, NULL if it has none. */
extern char *scylla_system_query_map_text(ScyllaSystemQuery *query, int column, const char *key);

/* The texts (char *) of a list<text>; null and empty: NIL. */
extern List *scylla_system_query_list(ScyllaSystemQuery *query, int column);

#endif /* SCYLLA_SYSTEM_QUERY_H */
