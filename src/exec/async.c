/*
 * Asynchronous scans. A scan that would have to wait gives nothing and says so (is_pending), and the
 * Append asks it again when there is news.
 *
 * All scans of a backend share one loop, whose descriptor tells of news for any of them until the
 * loop is turned. So one event in the Append's wait set stands for all, and this is the invariant:
 * it is added only while no scan has news, and nobody turns the loop between that and the wait.
 */
#include "postgres.h"

#include "exec/async.h"

#include "bridge/wait.h"
#include "compat.h"
#include "exec/scan.h"
#include "executor/execAsync.h"
#include "executor/instrument.h"

static ScyllaScanState *
scan_of(const AsyncRequest *areq)
{
	return castNode(ForeignScanState, areq->requestee)->fdw_state;
}

/* The next row, or none now, or none any more. */
static void
produce(AsyncRequest *areq)
{
	ScyllaScanState *scan = scan_of(areq);
	TupleTableSlot *slot;

	scan->is_waited_for = false;
	scan->is_async = true;
	slot = areq->requestee->ExecProcNodeReal(areq->requestee);
	scan->is_async = false;
	if (TupIsNull(slot) && scan->is_pending)
		ExecAsyncRequestPending(areq);
	else
		ExecAsyncRequestDone(areq, slot);
}

void
scyllaForeignAsyncRequest(AsyncRequest *areq)
{
	produce(areq);
}

void
scyllaForeignAsyncNotify(AsyncRequest *areq)
{
	scylla_wait_fd_over();
	produce(areq);
}

/* As ExecAsyncNotify() does, without an event. */
static void
produce_unasked(AsyncRequest *areq)
{
	areq->callback_pending = false;
	produce(areq);
	ExecAsyncResponse(areq);
	if (areq->requestee->instrument != NULL)
		InstrUpdateTupleCount(areq->requestee->instrument, TupIsNull(areq->result) ? 0.0 : 1.0);
}

static bool
has_news(const AsyncRequest *areq)
{
	return scylla_fanout_has_news(scan_of(areq)->setup->fanout);
}

static bool
is_ours(const AsyncRequest *areq)
{
	return IsA(areq->requestee, ForeignScanState) &&
		   ((ForeignScanState *) areq->requestee)->fdwroutine->ForeignAsyncRequest ==
			   scyllaForeignAsyncRequest;
}

/* Whether the Append need not wait, or has our event already. It asks its scans one after the other
 * by their indexes, so only those before this one have said in this round whether they added it. */
static bool
is_event_needed(const AppendState *append, const AsyncRequest *areq)
{
	int i = -1;

	if (append->as_nasyncresults > 0 || !bms_is_empty(append->as_needrequest))
		return false;
	while ((i = bms_next_member(append->as_asyncplans, i)) >= 0)
	{
		const AsyncRequest *other = append->as_asyncrequests[i];

		if (other->callback_pending && is_ours(other) &&
			(has_news(other) || (i < areq->request_index && scan_of(other)->has_event)))
			return false;
	}
	return true;
}

/* Whether the Append does nothing but wait until our event comes: no others can give it rows. */
static bool
waits_for_us_alone(const AppendState *append)
{
	int i = -1;

	while ((i = bms_next_member(append->as_asyncplans, i)) >= 0)
		if (!is_ours(append->as_asyncrequests[i]))
			return false;
	return append->as_syncdone;
}

void
scyllaForeignAsyncConfigureWait(AsyncRequest *areq)
{
	AppendState *append = castNode(AppendState, areq->requestor);
	ScyllaScanState *scan = scan_of(areq);
	int fd;

	/* The wait was ended by the latch, for nothing. */
	if (scan->is_waited_for)
		scylla_wait_fd_over();
	fd = scylla_wait_fd();
	scan->has_event = scan->is_waited_for = false;
	if (has_news(areq))
	{
		produce_unasked(areq);
		fd = scylla_wait_fd();
	}
	if (!areq->callback_pending)
		return;
	scan->has_event = is_event_needed(append, areq);
	scan->is_waited_for = scan->has_event && waits_for_us_alone(append);
	if (scan->has_event)
		AddWaitEventToSet(append->as_eventset, WL_SOCKET_READABLE, fd, NULL, areq);
}
