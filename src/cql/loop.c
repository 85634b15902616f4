/*
 * The public loop: a turn of the sockets, then whatever the sessions have to do about it. No
 * frame of libuv is on the stack when sessions run.
 */
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cql/mem.h"
#include "cql/session.h"

/* libuv: epoll, its wake-up event, two signal pipes of two ends; our timerfd. An io_uring ring comes
 * on top from libuv 1.45 on, where the kernel allows it. */
#define LOOP_FD_COUNT 7

void
cql_error_set(cql_error *error, cql_error_kind kind, const char *format, ...)
{
	va_list arguments;

	memset(error, 0, sizeof *error);
	error->kind = kind;
	error->shard = -1;
	error->consistency = -1;
	va_start(arguments, format);
	vsnprintf(error->message, sizeof error->message, format, arguments);
	va_end(arguments);
}

void
cql_error_append(cql_error *error, const char *format, ...)
{
	size_t len = strlen(error->message);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error->message + len, sizeof error->message - len, format, arguments);
	va_end(arguments);
}

cql_loop *
cql_loop_new(cql_error *error)
{
	int os_error;
	cql_loop *loop = cql_alloc_zero(sizeof *loop);

	if (loop == NULL)
	{
		cql_error_set(error, CQL_ERROR_NO_MEMORY, "out of memory");
		return NULL;
	}
	loop->extra_granted = INT_MAX;
	loop->clock.now_us = cql_net_now_us();
	loop->net = cql_net_new(&os_error);
	if (loop->net == NULL)
	{
		cql_error_set(error, CQL_ERROR_NO_MEMORY, "could not make an event loop: %s",
					  strerror(os_error));
		cql_release(loop);
		return NULL;
	}
	return loop;
}

void
cql_loop_free(cql_loop *loop)
{
	if (loop == NULL)
		return;
	cql_net_free(loop->net);
	cql_release(loop);
}

int
cql_loop_fd(const cql_loop *loop)
{
	return cql_net_fd(loop->net);
}

int
cql_loop_fd_count(void)
{
	return LOOP_FD_COUNT;
}

int
cql_loop_timeout_ms(const cql_loop *loop)
{
	return cql_net_timeout_ms(loop->net);
}

int
cql_loop_extra_fds_wanted(const cql_loop *loop)
{
	int wanted = 0;

	if (loop->sessions != NULL)
		wanted = cql_pool_extra_count(loop->sessions);
	for (const cql_session *session = loop->sessions; session != NULL;
		 session = session->next_in_loop)
		wanted += cql_pool_wanted_count(session);
	return wanted;
}

void
cql_loop_grant_extra_fds(cql_loop *loop, int count)
{
	loop->extra_granted = count;
}

void
cql_loop_resume(cql_loop *loop)
{
	uint64_t now_us = cql_net_now_us();

	loop->clock.away_us += now_us - loop->clock.now_us;
	loop->clock.now_us = now_us;
}

/* After whatever changes how many answers are owed, lest more be waited for than will come. */
static void
gather_answers(const cql_loop *loop)
{
	for (const cql_session *session = loop->sessions; session != NULL;
		 session = session->next_in_loop)
		for (cql_link *link = session->pool.first; link != NULL; link = link->next)
			cql_link_gather(link, loop->share);
}

static void
process_sessions(cql_loop *loop)
{
	uint64_t deadline_ms = UINT64_MAX;

	loop->clock.now_us = cql_net_now_us();
	for (cql_session *session = loop->sessions; session != NULL; session = session->next_in_loop)
	{
		uint64_t next_ms;

		cql_session_process(session, cql_clock_ms(&loop->clock));
		next_ms = cql_session_next_deadline(session);
		if (next_ms < deadline_ms)
			deadline_ms = next_ms;
	}
	cql_net_wake_at(loop->net, deadline_ms);
	if (loop->share != 0)
		gather_answers(loop);
}

void
cql_loop_gather(cql_loop *loop, uint32_t share)
{
	if (share == 0 && loop->share == 0)
		return;
	loop->share = share;
	gather_answers(loop);
}

void
cql_loop_turn(cql_loop *loop)
{
	cql_net_turn(loop->net);
	process_sessions(loop);
}

void
cql_loop_wait(cql_loop *loop)
{
	cql_loop_resume(loop);
	cql_net_wait(loop->net);
	process_sessions(loop);
}
