/*
 * The only waiter: turns the driver's loop until something is done, lets the backend be
 * cancelled at any time, and never raises below a frame of libuv.
 */
#ifndef SCYLLA_WAIT_H
#define SCYLLA_WAIT_H

#include "postgres.h"

#include "cql/cql.h"

/* This backend's loop, made at first use, with its descriptors accounted for. */
extern cql_loop *scylla_loop_get(void);

/* Return once the request, maybe one of many, is done. Cancel, timeout and termination leave by ereport. */
extern void scylla_wait_request(cql_request *request);

/* Return once the session takes another request. */
extern void scylla_wait_room(cql_session *session);

/*
 * Whose answers a wait is for: of many that are owed, a share is taken at a time (see
 * cql_loop_gather()), so that each wake is worth its system calls and the server still has most of
 * its work before it. The share is of the shortest answers that there are, as those of writes; rows
 * are several times as long.
 */
typedef enum ScyllaGather
{
	SCYLLA_GATHER_NONE = 0,
	SCYLLA_GATHER_ROWS = 2,
	SCYLLA_GATHER_WRITES = 8
} ScyllaGather;

/* Return once a test holds. It is made between turns of the loop, and may take what has ended. */
typedef bool (*ScyllaWaitTest)(void *argument);
extern void scylla_wait_until(ScyllaWaitTest is_reached, void *argument, ScyllaGather gather);

/* The same, or once so many milliseconds are over. */
extern void scylla_wait_at_most(ScyllaWaitTest is_reached, void *argument, int limit_ms);

/* So many milliseconds, in which the loop turns. */
extern void scylla_wait_ms(int ms);

/* One turn of the loop without waiting: what was submitted leaves. */
extern void scylla_wait_nothing(void);

/* The descriptor that is readable when a turn would do something, for who waits elsewhere. Turns the
 * loop first, as long as something is due at once. */
extern int scylla_wait_fd(void);

/* Somebody waited for it ever since: a turn of the loop that counts that time for deadlines. */
extern void scylla_wait_fd_over(void);

/* Microseconds from some moment on, whatever the wall clock is set to: for ages and ends of waits. */
extern uint64 scylla_monotonic_us(void);

/* Microseconds that this backend has waited so far: callers take differences. */
extern uint64 scylla_wait_total_us(void);

#endif /* SCYLLA_WAIT_H */
