/*
 * The only waiter: the one loop of this backend and the one WaitEventSet that it waits with.
 *
 * The order of scylla_wait_until() is law: wait first, turn second, test again. Nothing may turn the
 * loop between the test and the wait, or the wake-up is lost. Raises only outside the loop.
 *
 * Whoever begins to turn the loop tells it so (cql_loop_resume()), for a backend is away from it for
 * as long as its client, or its own work, likes.
 */
#include "bridge/wait.h"

#include "compat.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "storage/fd.h"
#include "storage/ipc.h"

/* This process's loop; what a forked child inherits is its parent's and is left alone. */
static cql_loop *backend_loop = NULL;
static WaitEventSet *backend_wait_set = NULL;
static int backend_pid = 0;
static uint64 backend_wait_us = 0;
/* Descriptors that are accounted for connections beyond the first of each session. */
static int backend_extra_fds = 0;

/* A latch, the postmaster's death, the loop's descriptor. */
#define WAIT_EVENT_COUNT 3

#define NO_END UINT64_MAX

static void
close_loop(int code, Datum arg)
{
	if (backend_loop == NULL || backend_pid != MyProcPid)
		return;
	cql_loop_free(backend_loop);
	backend_loop = NULL;
}

static void
release_descriptors(int count)
{
	for (int i = 0; i < count; i++)
		ReleaseExternalFD();
}

static void
acquire_descriptors(int count)
{
	for (int i = 0; i < count; i++)
	{
		if (AcquireExternalFD())
			continue;
		release_descriptors(i);
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("too few file descriptors are left for a connection to ScyllaDB"),
				 errhint("Raise max_files_per_process, or the open file limit of the operating "
						 "system.")));
	}
}

static WaitEventSet *
make_wait_set(cql_loop *loop)
{
	WaitEventSet *set = CreateWaitEventSet(SCYLLA_WAIT_SET_OWNER, WAIT_EVENT_COUNT);

	AddWaitEventToSet(set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	/* A single-user backend has no postmaster to watch. */
	if (IsUnderPostmaster)
		AddWaitEventToSet(set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	AddWaitEventToSet(set, WL_SOCKET_READABLE, cql_loop_fd(loop), NULL, NULL);
	return set;
}

static void
make_loop(void)
{
	cql_error error;

	acquire_descriptors(cql_loop_fd_count());
	backend_loop = cql_loop_new(&error);
	if (backend_loop == NULL)
	{
		release_descriptors(cql_loop_fd_count());
		ereport(ERROR, (errcode(ERRCODE_SYSTEM_ERROR),
						errmsg("could not start the event loop of scylla_fdw"),
						errdetail_internal("%s", error.message)));
	}
	backend_pid = MyProcPid;
	backend_wait_set = NULL;
	backend_wait_us = 0;
	backend_extra_fds = 0;
	cql_loop_grant_extra_fds(backend_loop, 0);
	on_proc_exit(close_loop, (Datum) 0);
}

cql_loop *
scylla_loop_get(void)
{
	/* Sockets of a loop that the postmaster owned would be shared by all of its children. */
	if (IsPostmasterEnvironment && !IsUnderPostmaster)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("scylla_fdw cannot be used in the postmaster")));

	if (backend_loop == NULL || backend_pid != MyProcPid)
		make_loop();
	/* Apart from the loop's making, so that a failure here is made good at the next call. */
	if (backend_wait_set == NULL)
		backend_wait_set = make_wait_set(backend_loop);
	return backend_loop;
}

/* Take or give back descriptors as the sessions would have them. Who gets none does without. */
static void
settle_descriptors(cql_loop *loop)
{
	int wanted = cql_loop_extra_fds_wanted(loop);

	if (wanted == backend_extra_fds)
		return;
	while (backend_extra_fds < wanted && AcquireExternalFD())
		backend_extra_fds++;
	while (backend_extra_fds > wanted)
	{
		ReleaseExternalFD();
		backend_extra_fds--;
	}
	cql_loop_grant_extra_fds(loop, backend_extra_fds);
}

uint64
scylla_monotonic_us(void)
{
	instr_time now;

	INSTR_TIME_SET_CURRENT(now);
	return INSTR_TIME_GET_MICROSEC(now);
}

static void
wait_for_event(int timeout_ms)
{
	static uint32 wait_event = 0;
	uint64 start_us = scylla_monotonic_us();
	WaitEvent event;

	if (wait_event == 0)
		wait_event = SCYLLA_WAIT_EVENT_NEW("ScyllaWaitAnswer");

	(void) WaitEventSetWait(backend_wait_set, timeout_ms, &event, 1, wait_event);
	backend_wait_us += scylla_monotonic_us() - start_us;

	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

/* The wait that is left until a time (NO_END: there is none), no longer than the loop's own. */
static int
cut_timeout(int timeout_ms, uint64 end_us)
{
	uint64 now_us;
	int left_ms;

	if (end_us == NO_END)
		return timeout_ms;
	now_us = scylla_monotonic_us();
	left_ms = end_us > now_us ? (int) ((end_us - now_us + 999) / 1000) : 0;
	return timeout_ms >= 0 && timeout_ms < left_ms ? timeout_ms : left_ms;
}

static void
wait_until(ScyllaWaitTest is_reached, void *argument, int limit_ms, ScyllaGather gather)
{
	cql_loop *loop = scylla_loop_get();
	uint64 end_us = limit_ms >= 0 ? scylla_monotonic_us() + (uint64) limit_ms * 1000 : NO_END;

	/* At the beginning, for the last wait may have ended in an error. */
	cql_loop_gather(loop, gather);
	/* Here too, since a loop that is never idle would never come to wait. */
	CHECK_FOR_INTERRUPTS();
	cql_loop_resume(loop);
	while (!is_reached(argument) && (end_us == NO_END || scylla_monotonic_us() < end_us))
	{
		int timeout_ms;

		settle_descriptors(loop);
		timeout_ms = cql_loop_timeout_ms(loop);
		if (timeout_ms != 0)
			wait_for_event(cut_timeout(timeout_ms, end_us));
		else
			CHECK_FOR_INTERRUPTS();
		cql_loop_turn(loop);
	}
}

void
scylla_wait_until(ScyllaWaitTest is_reached, void *argument, ScyllaGather gather)
{
	wait_until(is_reached, argument, -1, gather);
}

void
scylla_wait_at_most(ScyllaWaitTest is_reached, void *argument, int limit_ms)
{
	wait_until(is_reached, argument, limit_ms, SCYLLA_GATHER_NONE);
}

static bool
is_never(void *argument)
{
	return false;
}

void
scylla_wait_ms(int ms)
{
	scylla_wait_at_most(is_never, NULL, ms);
}

static bool
is_done(void *request)
{
	return cql_request_is_done(request);
}

void
scylla_wait_request(cql_request *request)
{
	scylla_wait_until(is_done, request, SCYLLA_GATHER_ROWS);
}

static bool
has_room(void *session)
{
	return cql_session_has_room(session);
}

void
scylla_wait_room(cql_session *session)
{
	scylla_wait_until(has_room, session, SCYLLA_GATHER_ROWS);
}

/* No wake-up is lost by this turn: whoever waits next tests before it waits. */
void
scylla_wait_nothing(void)
{
	cql_loop *loop = scylla_loop_get();

	cql_loop_resume(loop);
	cql_loop_turn(loop);
}

int
scylla_wait_fd(void)
{
	cql_loop *loop = scylla_loop_get();

	settle_descriptors(loop);
	cql_loop_gather(loop, SCYLLA_GATHER_NONE);
	cql_loop_resume(loop);
	while (cql_loop_timeout_ms(loop) == 0)
	{
		CHECK_FOR_INTERRUPTS();
		cql_loop_turn(loop);
	}
	return cql_loop_fd(loop);
}

void
scylla_wait_fd_over(void)
{
	cql_loop_turn(scylla_loop_get());
}

uint64
scylla_wait_total_us(void)
{
	return backend_wait_us;
}
