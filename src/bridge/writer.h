/*
 * A statement's writes: many in flight at once, each acknowledged before the statement ends. Rows that
 * go together in a batch that fails go again one by one, so that the error is about one of them.
 *
 * Made in CurrentMemoryContext, and given up by its reset: what is in flight then may or may not
 * be applied, and counts as written for the WARNING of an aborted transaction.
 */
#ifndef SCYLLA_WRITER_H
#define SCYLLA_WRITER_H

#include "bridge/report.h"
#include "bridge/session.h"

typedef struct ScyllaWriter ScyllaWriter;

/* A row's key as text, from the bytes that came with its write; for the error about it. */
typedef char *(*ScyllaDescribeKey)(const void *argument, const char *key, size_t key_len);

typedef struct ScyllaWriterSpec
{
	ScyllaSession *session;
	const void *owner; /* the statement that writes: see scylla_writers_settle() */
	int consistency;
	int serial_consistency; /* 0: none */
	int max_in_flight;      /* rows */
	int rate;               /* rows per second; 0: no limit */
	Oid relid;              /* foreign table */
	const char *relation;   /* keyspace.table; must live as long as the writer */
	ScyllaDescribeKey describe_key;
	const void *describe_argument;
} ScyllaWriterSpec;

/* Pins the session. */
extern ScyllaWriter *scylla_writer_new(const ScyllaWriterSpec *spec);

/* Where a statement's bind variable for ScyllaDB's timeout stands, beside the others. */
typedef enum ScyllaTimeoutPlace
{
	SCYLLA_TIMEOUT_NONE,
	SCYLLA_TIMEOUT_FIRST,
	SCYLLA_TIMEOUT_LAST
} ScyllaTimeoutPlace;

/* Nothing in it need outlive the call, but for the statement and is_applied. */
typedef struct ScyllaWrite
{
	cql_statement *statement;
	const char *values; /* value_count encoded [value]s */
	size_t values_len;
	int value_count;
	ScyllaTimeoutPlace timeout; /* its value comes to the others when the row is sent */
	const char *routing_key;    /* serialized partition key */
	size_t routing_key_len;
	bool has_timestamp; /* else it is the server's */
	bool is_time_given; /* by the row: no other one will do */
	int64 timestamp_us;
	uint64 turn; /* of the backend's timestamps: which one it got */
	bool is_idempotent;
	bool is_doubtful; /* goes again, and the first time it may have been applied */
	/* the same without a timeout, for a request that it shares with rows of other keys in its partition,
	 * and for which all have one timestamp; NULL: it goes alone */
	cql_statement *shared;
	const char *key; /* for describe_key */
	size_t key_len;
	bool *is_applied; /* of a conditional write: set once it is acknowledged; else NULL */
	int more_rows;    /* whose values follow: see cql_request_spec */
} ScyllaWrite;

/*
 * Send a row, perhaps only with the next ones; waits only while too much is in flight. Raises the
 * first error of an earlier row as soon as it is known, once the outcome of all that was sent is.
 */
extern void scylla_writer_submit(ScyllaWriter *writer, const ScyllaWrite *write);

/* Return when all rows are sent and acknowledged; raise the first error. */
extern void scylla_writer_drain(ScyllaWriter *writer);

typedef struct ScyllaWriterCounters
{
	uint64 sent; /* rows */
	uint64 written;
	uint64 unknown;   /* failed, but may be applied */
	uint64 refused;   /* surely not applied */
	uint64 unapplied; /* acknowledged, but their condition did not hold */
	uint64 bytes;     /* of their values */
	uint64 wait_us;
} ScyllaWriterCounters;

extern const ScyllaWriterCounters *scylla_writer_counters(const ScyllaWriter *writer);

/*
 * Have the writes of all other statements acknowledged, so that this one (its owner's pointer; NULL:
 * none) reads them: triggers and functions see the rows that their statement has written so far.
 * Errors are left to the statements that they belong to.
 */
extern void scylla_writers_settle(const void *owner);

#endif /* SCYLLA_WRITER_H */
