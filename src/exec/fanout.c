/*
 * Fan-out. A stream is in one state, and set_state() alone changes it; what is in flight is looked
 * through only when there is nothing to hand out, so reading costs the same however wide the
 * window is.
 */
#include "postgres.h"

#include "exec/fanout.h"

#include "bridge/wait.h"

struct ScyllaFanout
{
	ScyllaFanoutSpec spec;
	MemoryContext context;
	List *streams;       /* all that were ever made */
	ScyllaStream *first; /* of the first probe since start() */
	uint64 probe_count;  /* since start() */
	bool is_exhausted;   /* the source has no more probes */
	int window;
	int max_window;
	int page_rows;
	dlist_head flying;
	dlist_head ready;
	int flying_count;
	size_t ready_bytes;
};

ScyllaFanout *
scylla_fanout_new(const ScyllaFanoutSpec *spec)
{
	ScyllaFanout *fanout = palloc0(sizeof(ScyllaFanout));

	fanout->spec = *spec;
	fanout->context = CurrentMemoryContext;
	fanout->is_exhausted = true;
	dlist_init(&fanout->flying);
	dlist_init(&fanout->ready);
	return fanout;
}

/* ---- streams ---- */

static size_t
page_bytes(const ScyllaStream *stream)
{
	return cql_result_byte_count(scylla_cursor_result(stream->cursor));
}

static void
leave_state(ScyllaFanout *fanout, ScyllaStream *stream)
{
	switch (stream->state)
	{
		case SCYLLA_STREAM_FLYING:
			fanout->flying_count--;
			dlist_delete(&stream->node);
			break;
		case SCYLLA_STREAM_READY:
			fanout->ready_bytes -= page_bytes(stream);
			dlist_delete(&stream->node);
			break;
		case SCYLLA_STREAM_IDLE:
			dlist_delete(&stream->node);
			break;
		case SCYLLA_STREAM_OUT:
		case SCYLLA_STREAM_FINISHED:
			break;
	}
	stream->page = NULL;
}

static void
set_state(ScyllaFanout *fanout, ScyllaStream *stream, ScyllaStreamState state)
{
	leave_state(fanout, stream);
	stream->state = state;
	switch (state)
	{
		case SCYLLA_STREAM_FLYING:
			fanout->flying_count++;
			dlist_push_tail(&fanout->flying, &stream->node);
			break;
		case SCYLLA_STREAM_READY:
			fanout->ready_bytes += page_bytes(stream);
			dlist_push_tail(&fanout->ready, &stream->node);
			break;
		case SCYLLA_STREAM_IDLE:
			scylla_cursor_end(stream->cursor);
			dlist_push_head(&stream->variant->idle, &stream->node);
			break;
		case SCYLLA_STREAM_OUT:
		case SCYLLA_STREAM_FINISHED:
			break;
	}
}

static ScyllaStream *
make_stream(ScyllaFanout *fanout, ScyllaVariant *variant)
{
	MemoryContext old = MemoryContextSwitchTo(fanout->context);
	ScyllaStream *stream = scylla_stream_new(&fanout->spec.stream, variant);

	stream->state = SCYLLA_STREAM_FINISHED;
	fanout->streams = lappend(fanout->streams, stream);
	MemoryContextSwitchTo(old);
	return stream;
}

static ScyllaStream *
get_stream(ScyllaFanout *fanout, ScyllaVariant *variant)
{
	/* It was kept only in case that it stays the only one. */
	if (fanout->probe_count == 1 && fanout->first->state == SCYLLA_STREAM_FINISHED)
		set_state(fanout, fanout->first, SCYLLA_STREAM_IDLE);
	if (dlist_is_empty(&variant->idle))
		return make_stream(fanout, variant);
	return dlist_head_element(ScyllaStream, node, &variant->idle);
}

static void
finish_stream(ScyllaFanout *fanout, ScyllaStream *stream)
{
	set_state(fanout, stream,
			  fanout->probe_count == 1 ? SCYLLA_STREAM_FINISHED : SCYLLA_STREAM_IDLE);
	fanout->window = Min(fanout->window + 1, fanout->max_window);
}

/* ---- asking ---- */

static bool
start_probe(ScyllaFanout *fanout)
{
	ScyllaProbe probe;
	ScyllaStream *stream;

	fanout->is_exhausted = !fanout->spec.next_probe(fanout->spec.argument, &probe);
	if (fanout->is_exhausted)
		return false;
	stream = get_stream(fanout, probe.variant);
	probe.input.page_rows = fanout->page_rows;
	set_state(fanout, stream, SCYLLA_STREAM_FLYING);
	scylla_cursor_start(stream->cursor, &probe.input);
	if (fanout->probe_count++ == 0)
		fanout->first = stream;
	return true;
}

/* What is on its way is taken for as large as what has come so far. */
static bool
has_room(const ScyllaFanout *fanout)
{
	const ScyllaCounters *counters = fanout->spec.stream.counters;
	double expected_bytes =
		counters->pages > 0 ? (double) counters->bytes / counters->pages * fanout->flying_count : 0;

	return fanout->flying_count == 0 ||
		   (fanout->flying_count < fanout->window &&
			fanout->ready_bytes + expected_bytes < SCYLLA_MAX_UNREAD_BYTES &&
			cql_session_has_room(fanout->spec.stream.remote->session->cql));
}

/* By halves of the window, so that a turn of the loop sends many requests. */
static void
refill(ScyllaFanout *fanout)
{
	bool has_started = false;

	if (fanout->is_exhausted || fanout->flying_count > fanout->window / 2)
		return;
	while (has_room(fanout) && start_probe(fanout))
		has_started = true;
	/* They leave at a turn, and the next may come only after all that is ready was read. */
	if (has_started && !dlist_is_empty(&fanout->ready))
		scylla_wait_nothing();
}

void
scylla_fanout_start(ScyllaFanout *fanout, int first_window, int page_rows)
{
	scylla_fanout_end(fanout);
	fanout->is_exhausted = false;
	fanout->probe_count = 0;
	fanout->max_window = fanout->spec.stream.remote->plan->max_in_flight;
	fanout->window = Min(first_window, fanout->max_window);
	fanout->page_rows = page_rows;
}

void
scylla_fanout_limit(ScyllaFanout *fanout, int max_window)
{
	fanout->max_window = Min(max_window, fanout->max_window);
	fanout->window = Min(fanout->window, fanout->max_window);
}

/* ---- handing out ---- */

static bool
has_any_come(void *arg)
{
	ScyllaFanout *fanout = arg;
	dlist_iter iter;

	dlist_foreach (iter, &fanout->flying)
	{
		ScyllaStream *stream = dlist_container(ScyllaStream, node, iter.cur);
		const cql_request *request = scylla_cursor_request(stream->cursor);

		if (request != NULL ? cql_request_is_done(request)
							: cql_session_has_room(fanout->spec.stream.remote->session->cql))
			return true;
	}
	return false;
}

static void
take_what_came(ScyllaFanout *fanout)
{
	uint64 waited_us = scylla_wait_total_us();
	dlist_mutable_iter iter;

	scylla_wait_until(has_any_come, fanout, SCYLLA_GATHER_ROWS);
	fanout->spec.stream.counters->wait_us += scylla_wait_total_us() - waited_us;
	dlist_foreach_modify (iter, &fanout->flying)
	{
		ScyllaStream *stream = dlist_container(ScyllaStream, node, iter.cur);

		if (!scylla_stream_poll(stream, fanout->spec.stream.remote))
			continue;
		if (scylla_cursor_is_at_end(stream->cursor))
			finish_stream(fanout, stream);
		else
			set_state(fanout, stream, SCYLLA_STREAM_READY);
	}
}

bool
scylla_fanout_has_news(ScyllaFanout *fanout)
{
	return !dlist_is_empty(&fanout->ready) || fanout->flying_count == 0 || has_any_come(fanout);
}

bool
scylla_fanout_poll(ScyllaFanout *fanout)
{
	for (;;)
	{
		refill(fanout);
		if (!dlist_is_empty(&fanout->ready) || fanout->flying_count == 0)
			return true;
		/* What was asked for leaves, and what has come by now is seen. */
		if (!has_any_come(fanout))
			scylla_wait_nothing();
		if (!has_any_come(fanout))
			return false;
		take_what_came(fanout);
	}
}

static void
hand_out(ScyllaFanout *fanout, ScyllaStream *stream)
{
	set_state(fanout, stream, SCYLLA_STREAM_OUT);
	stream->page = scylla_cursor_next_page(stream->cursor);
}

ScyllaStream *
scylla_fanout_next(ScyllaFanout *fanout)
{
	for (;;)
	{
		refill(fanout);
		if (!dlist_is_empty(&fanout->ready))
		{
			ScyllaStream *stream = dlist_head_element(ScyllaStream, node, &fanout->ready);

			hand_out(fanout, stream);
			return stream;
		}
		if (fanout->flying_count == 0)
			return NULL;
		take_what_came(fanout);
	}
}

void
scylla_fanout_release(ScyllaFanout *fanout, ScyllaStream *stream)
{
	if (scylla_cursor_is_at_end(stream->cursor))
		finish_stream(fanout, stream);
	else
		set_state(fanout, stream, SCYLLA_STREAM_FLYING);
}

bool
scylla_fanout_advance(ScyllaFanout *fanout, ScyllaStream *stream)
{
	stream->page = NULL;
	while (!scylla_stream_poll(stream, fanout->spec.stream.remote))
		scylla_cursor_wait(stream->cursor);
	if (scylla_cursor_is_at_end(stream->cursor))
	{
		finish_stream(fanout, stream);
		return false;
	}
	stream->page = scylla_cursor_next_page(stream->cursor);
	return true;
}

bool
scylla_fanout_rewind(ScyllaFanout *fanout)
{
	if (fanout->probe_count != 1 || !fanout->is_exhausted ||
		!scylla_cursor_rewind(fanout->first->cursor))
		return false;
	set_state(fanout, fanout->first,
			  scylla_cursor_is_at_end(fanout->first->cursor) ? SCYLLA_STREAM_FINISHED
															 : SCYLLA_STREAM_READY);
	return true;
}

void
scylla_fanout_end(ScyllaFanout *fanout)
{
	ListCell *cell;

	foreach (cell, fanout->streams)
	{
		ScyllaStream *stream = lfirst(cell);

		if (stream->state != SCYLLA_STREAM_IDLE)
			set_state(fanout, stream, SCYLLA_STREAM_IDLE);
	}
	fanout->is_exhausted = true;
	fanout->probe_count = 0;
}
