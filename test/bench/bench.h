/*
 * What the benchmark's programs share: the table that they measure with, a session, clocks, and
 * figures as lines "name value" on standard output, which test/bench/run collects.
 *
 * Any failure ends the program with a message: a benchmark has nothing to recover.
 */
#ifndef BENCH_H
#define BENCH_H

#include "cql/cql.h"

#define BENCH_KEYSPACE "scylla_fdw_bench"
#define BENCH_TABLE BENCH_KEYSPACE ".item"
/* The columns as they are read and written everywhere: bigint, int, timestamp, text of 40 bytes,
 * and a bigint that is null in every tenth row. */
#define BENCH_COLUMNS "id, n, t, s, m"
#define BENCH_COLUMN_COUNT 5
#define BENCH_PAGE_ROWS 5000

/* Scatters 0, 1, 2 ... over all keys below key_count; SQL's loops use the same numbers. */
#define BENCH_KEY_STEP INT64_C(2654435761)

typedef struct Bench
{
	cql_loop *loop;
	cql_session *session;
} Bench;

extern void bench_die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
extern void bench_die_of(const char *what, const cql_error *error) __attribute__((noreturn));

/* host is a numeric address. connections: at most; 1: a plain one; 0: a pool's, to each shard. */
extern void bench_open(Bench *bench, const char *host, const char *port, int connections);
extern void bench_close(Bench *bench);
extern cql_statement *bench_prepare(Bench *bench, const char *cql);
/* Submit, turning the loop while the session has no room. */
extern cql_request *bench_submit(Bench *bench, const cql_request_spec *spec);
/* Wait for it, take its result, free it. */
extern cql_result *bench_take(Bench *bench, cql_request *request);
/* A text that brings no rows. */
extern void bench_execute(Bench *bench, const char *cql);

extern long bench_number(const char *text);
extern double bench_wall_s(void);
/* Of this process, user and system. */
extern double bench_cpu_s(void);
extern void bench_print(const char *name, double value);

/*
 * Read every cell of the rows of a page, each as what it is, and fail if one is not; *sum gets
 * something of all of them, so that no compiler leaves them out. Returns the number of rows.
 */
extern long bench_walk(cql_result *page, int64_t *sum);

/* A connection without a socket: what it would send is gone at once, and bytes come as reads of a
 * socket would bring them. */
struct cql_conn;
extern void bench_drop_output(struct cql_conn *conn);
extern void bench_feed(struct cql_conn *conn, const uint8_t *bytes, size_t len);

/* Count the driver's allocations; only before the first session. */
extern void bench_count_allocations(void);
extern long bench_allocation_count(void);

#endif /* BENCH_H */
