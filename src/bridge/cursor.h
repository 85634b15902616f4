/*
 * Statements and their rows, tied to memory contexts: what everybody above uses to talk to the
 * driver. Whatever stands here is released when the memory context that it was made in is reset,
 * by an error as well (law 5).
 */
#ifndef SCYLLA_CURSOR_H
#define SCYLLA_CURSOR_H

#include "bridge/report.h"
#include "bridge/session.h"
#include "lib/stringinfo.h"
#include "nodes/bitmapset.h"

/*
 * Prepare a text (from the session's cache, or by one round trip); in CurrentMemoryContext.
 * Errors are reported about `about`, whose strings must live until then only. As of cursors: the
 * session must be pinned while the call runs, or stay pinned if the statement is to be forgotten.
 */
typedef struct ScyllaStatement ScyllaStatement;
extern ScyllaStatement *scylla_prepare(ScyllaSession *session, const char *cql,
									   const ScyllaReportContext *about);
extern cql_statement *scylla_statement_get(const ScyllaStatement *statement); /* borrowed */
/* Let go of it before its context is reset. */
extern void scylla_statement_release(ScyllaStatement *statement);
/* Have the next prepare of its text ask the server, since what it tells of columns is not true. */
extern void scylla_statement_forget(ScyllaSession *session, const ScyllaStatement *statement);

/* A node that has answered. */
typedef struct ScyllaCountedNode
{
	char *name;
	Bitmapset *shards; /* of it; empty where it has none */
} ScyllaCountedNode;

/* What reading has cost, of one cursor or of all that share it; for EXPLAIN ANALYZE. */
typedef struct ScyllaCounters
{
	uint64 requests;
	uint64 retries; /* of them, those that repeat one whose answer did not come */
	uint64 pages;
	uint64 rows;
	uint64 bytes;
	uint64
		tombstone_pages; /* of which the server warns, or that have no rows but are not the last */
	uint64 wait_us;      /* time in which the backend had nothing to do but wait */
	MemoryContext context; /* of what follows */
	List *nodes;           /* of ScyllaCountedNode */
	char *tracing_id;      /* of the first page that has one, as text; NULL: none */
} ScyllaCounters;

/* Add what another reading has cost, but for its nodes; and a node of it (shard -1: of none). */
extern void scylla_counters_add(ScyllaCounters *counters, const ScyllaCounters *more);
extern void scylla_counters_note(ScyllaCounters *counters, const char *node, int shard);

/*
 * Reads a statement's pages; asks for the next page while this one is read. Made in
 * CurrentMemoryContext, reusable: start() begins anew with other values. From start() to end() its
 * session must be pinned.
 */
typedef struct ScyllaCursor ScyllaCursor;

typedef struct ScyllaCursorSpec
{
	ScyllaSession *session;
	cql_statement *statement; /* borrowed; or NULL and */
	const char *cql;          /* unprepared text (system tables, DDL) */
	int consistency;
	int serial_consistency; /* 0: none */
	int page_rows;
	bool is_idempotent;
	bool is_traced;
	bool is_prefetching; /* ask for the next page ahead */
	bool is_timed;       /* the last bind variable is ScyllaDB's timeout (dialect.h) */
	/* Session and cql may be left out. A write counts as one of the transaction, unless it is refused. */
	ScyllaReportContext about;
	ScyllaCounters *counters; /* borrowed; NULL: nobody counts */
} ScyllaCursorSpec;

/* Strings of the spec are copied, the statement is shared. */
extern ScyllaCursor *scylla_cursor_new(const ScyllaCursorSpec *spec);

/* What a cursor asks with. */
typedef struct ScyllaCursorInput
{
	const char *values; /* value_count encoded [value]s */
	size_t values_len;
	int value_count;
	const char *routing_key; /* serialized partition key; NULL: the request has none */
	size_t routing_key_len;
	bool has_token_range; /* the rows are of this range */
	cql_token_range token_range;
	uint32_t replica; /* of the range: as cql_ring_piece tells it */
	int page_rows;    /* 0: as the cursor's spec says */
	int first_rows;   /* of the first page, which is thought to do: none is asked for ahead behind
					 * it; 0: as of any page */
} ScyllaCursorInput;

/* Send the request; the input is copied. Does not wait. */
extern void scylla_cursor_start(ScyllaCursor *cursor, const ScyllaCursorInput *input);

/* Ask once more for what was asked for last. */
extern void scylla_cursor_restart(ScyllaCursor *cursor);

/* What was given to start(). */
extern const ScyllaCursorInput *scylla_cursor_input(const ScyllaCursor *cursor);

/*
 * The next page, waited for; NULL behind the last. Empty pages with more behind them are skipped.
 * The cursor's until the next call, poll, start, or end. The first call tells the result's columns
 * even when there is no row, by scylla_cursor_result().
 */
extern cql_result *scylla_cursor_next_page(ScyllaCursor *cursor);

/* Whether next_page() has something to give without waiting. Takes what has come, and sends what
 * could not be sent, so the page at hand is no more the caller's. */
extern bool scylla_cursor_poll(ScyllaCursor *cursor);

/* What a cursor that polls false is waiting for: its request, or (NULL) room in the session. */
extern const cql_request *scylla_cursor_request(const ScyllaCursor *cursor);
/* Wait for that. */
extern void scylla_cursor_wait(ScyllaCursor *cursor);

/* How many pages of this result have come. */
extern int scylla_cursor_page_count(const ScyllaCursor *cursor);

/* Whether all pages were given out. */
extern bool scylla_cursor_is_at_end(const ScyllaCursor *cursor);

/* The page at hand (also an empty last one); NULL before the first. */
extern cql_result *scylla_cursor_result(const ScyllaCursor *cursor);

/* Begin the same result again, without asking the server: only if the page at hand is all of it,
 * else false and nothing is changed. The page is next_page()'s to give out again. */
extern bool scylla_cursor_rewind(ScyllaCursor *cursor);

/* Abandon what is in flight and free the page; start() may follow. */
extern void scylla_cursor_end(ScyllaCursor *cursor);

#endif /* SCYLLA_CURSOR_H */
