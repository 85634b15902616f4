/*
 * Probes asked ahead, found again by their values. An answer is kept for as long as it is held, so
 * a page that several runs read is asked for once; of an answer of more pages only the first is
 * there ahead, and whoever reads it a second time asks again.
 */
#include "postgres.h"

#include "exec/lookahead.h"

#include "common/hashfn.h"
#include "utils/memutils.h"

/* A power of two; in wider windows chains get longer. */
#define BUCKET_COUNT 256

struct ScyllaAsked
{
	dlist_node node;   /* in its bucket; or among the idle, while nobody holds it */
	dlist_node flight; /* among those in flight, while is_in_flight */
	ScyllaStream *stream;
	uint32 hash;
	int holders;
	bool is_in_flight;
	bool is_read; /* a page was given out */
};

struct ScyllaLookahead
{
	ScyllaStreamSpec spec;
	MemoryContext context;
	dlist_head buckets[BUCKET_COUNT];
	dlist_head idle;
	dlist_head flying;
	int flying_count;
	int held_count;
	ScyllaLookaheadCounts counts;
	/* the run */
	List *run;
	int at;
	bool has_begun; /* the probe at hand is being read */
	bool has_waited;
};

ScyllaLookahead *
scylla_lookahead_new(MemoryContext parent, const ScyllaStreamSpec *spec)
{
	MemoryContext context =
		AllocSetContextCreate(parent, "scylla_fdw lookahead", ALLOCSET_DEFAULT_SIZES);
	ScyllaLookahead *ahead = MemoryContextAllocZero(context, sizeof(ScyllaLookahead));

	ahead->spec = *spec;
	ahead->context = context;
	for (int i = 0; i < BUCKET_COUNT; i++)
		dlist_init(&ahead->buckets[i]);
	dlist_init(&ahead->idle);
	dlist_init(&ahead->flying);
	return ahead;
}

/* The cursors abandon what is in flight. */
void
scylla_lookahead_free(ScyllaLookahead *ahead)
{
	MemoryContextDelete(ahead->context);
}

/* ---- in flight ---- */

static void
land(ScyllaLookahead *ahead, ScyllaAsked *asked)
{
	if (!asked->is_in_flight)
		return;
	asked->is_in_flight = false;
	dlist_delete(&asked->flight);
	ahead->flying_count--;
}

static void
take_off(ScyllaLookahead *ahead, ScyllaAsked *asked)
{
	asked->is_in_flight = true;
	dlist_push_tail(&ahead->flying, &asked->flight);
	ahead->flying_count++;
	ahead->counts.most_in_flight = Max(ahead->counts.most_in_flight, ahead->flying_count);
}

int
scylla_lookahead_in_flight(ScyllaLookahead *ahead)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify (iter, &ahead->flying)
	{
		ScyllaAsked *asked = dlist_container(ScyllaAsked, flight, iter.cur);
		const cql_request *request = scylla_cursor_request(asked->stream->cursor);

		if (request != NULL && cql_request_is_done(request))
			land(ahead, asked);
	}
	return ahead->flying_count;
}

bool
scylla_lookahead_has_room(const ScyllaLookahead *ahead)
{
	return cql_session_has_room(ahead->spec.remote->session->cql);
}

double
scylla_lookahead_bytes(const ScyllaLookahead *ahead)
{
	const ScyllaCounters *counters = ahead->spec.counters;

	return counters->pages > 0 ? (double) counters->bytes / counters->pages * ahead->held_count : 0;
}

/* ---- asking ---- */

static uint32
hash_probe(const ScyllaProbe *probe)
{
	return hash_bytes((const unsigned char *) probe->input.values, (int) probe->input.values_len);
}

static bool
is_of_probe(const ScyllaAsked *asked, const ScyllaProbe *probe, uint32 hash)
{
	const ScyllaCursorInput *input = scylla_cursor_input(asked->stream->cursor);

	return asked->hash == hash && asked->stream->variant == probe->variant &&
		   input->values_len == probe->input.values_len &&
		   (input->values_len == 0 ||
			memcmp(input->values, probe->input.values, input->values_len) == 0);
}

static dlist_head *
bucket_of(ScyllaLookahead *ahead, uint32 hash)
{
	return &ahead->buckets[hash % BUCKET_COUNT];
}

static ScyllaAsked *
find_asked(ScyllaLookahead *ahead, const ScyllaProbe *probe, uint32 hash)
{
	dlist_iter iter;

	dlist_foreach (iter, bucket_of(ahead, hash))
	{
		ScyllaAsked *asked = dlist_container(ScyllaAsked, node, iter.cur);

		if (is_of_probe(asked, probe, hash))
			return asked;
	}
	return NULL;
}

/* One of the variant that nobody holds; nearly all are of one variant. */
static ScyllaAsked *
take_idle(ScyllaLookahead *ahead, ScyllaVariant *variant)
{
	dlist_iter iter;
	ScyllaAsked *asked;
	MemoryContext old;

	dlist_foreach (iter, &ahead->idle)
	{
		asked = dlist_container(ScyllaAsked, node, iter.cur);
		if (asked->stream->variant != variant)
			continue;
		dlist_delete(&asked->node);
		return asked;
	}
	old = MemoryContextSwitchTo(ahead->context);
	asked = palloc0(sizeof(ScyllaAsked));
	asked->stream = scylla_stream_new(&ahead->spec, variant);
	MemoryContextSwitchTo(old);
	return asked;
}

static ScyllaAsked *
ask(ScyllaLookahead *ahead, const ScyllaProbe *probe, uint32 hash)
{
	ScyllaAsked *asked = take_idle(ahead, probe->variant);

	asked->hash = hash;
	asked->is_read = false;
	dlist_push_head(bucket_of(ahead, hash), &asked->node);
	ahead->held_count++;
	scylla_cursor_start_ahead(asked->stream->cursor, &probe->input);
	take_off(ahead, asked);
	ahead->counts.lookups++;
	return asked;
}

/* What was asked already is shared by all who hold it. */
static ScyllaAsked *
hold(ScyllaLookahead *ahead, const ScyllaProbe *probe)
{
	uint32 hash = hash_probe(probe);
	ScyllaAsked *asked = find_asked(ahead, probe, hash);

	if (asked == NULL)
		asked = ask(ahead, probe, hash);
	asked->holders++;
	return asked;
}

ScyllaAsked *
scylla_lookahead_ask(ScyllaLookahead *ahead, const ScyllaProbe *probe)
{
	ScyllaAsked *asked = hold(ahead, probe);

	ahead->counts.duplicates += asked->holders > 1;
	return asked;
}

void
scylla_lookahead_release(ScyllaLookahead *ahead, ScyllaAsked *asked)
{
	if (--asked->holders > 0)
		return;
	land(ahead, asked);
	scylla_cursor_end(asked->stream->cursor);
	asked->stream->page = NULL;
	ahead->held_count--;
	dlist_delete(&asked->node);
	dlist_push_head(&ahead->idle, &asked->node);
}

/* ---- a run ---- */

void
scylla_lookahead_begin(ScyllaLookahead *ahead, ScyllaNextProbe next_probe, void *argument)
{
	MemoryContext old = MemoryContextSwitchTo(ahead->context);
	ScyllaProbe probe;

	scylla_lookahead_end(ahead);
	while (next_probe(argument, &probe))
		ahead->run = lappend(ahead->run, hold(ahead, &probe));
	MemoryContextSwitchTo(old);
}

/* Have the probe's first page come first. */
static void
begin_reading(ScyllaAsked *asked)
{
	if (asked->is_read && !scylla_cursor_rewind(asked->stream->cursor))
		scylla_cursor_restart(asked->stream->cursor);
	asked->is_read = true;
}

static void
wait_for_page(ScyllaLookahead *ahead, ScyllaAsked *asked)
{
	while (!scylla_stream_poll(asked->stream, ahead->spec.remote))
	{
		ahead->counts.waits += ahead->has_waited ? 0 : 1;
		ahead->has_waited = true;
		scylla_cursor_wait(asked->stream->cursor);
	}
	land(ahead, asked);
}

ScyllaStream *
scylla_lookahead_next(ScyllaLookahead *ahead)
{
	for (; ahead->at < list_length(ahead->run); ahead->at++)
	{
		ScyllaAsked *asked = list_nth(ahead->run, ahead->at);

		if (!ahead->has_begun)
			begin_reading(asked);
		ahead->has_begun = true;
		wait_for_page(ahead, asked);
		if (!scylla_cursor_is_at_end(asked->stream->cursor))
		{
			asked->stream->page = scylla_cursor_next_page(asked->stream->cursor);
			return asked->stream;
		}
		ahead->has_begun = false;
	}
	return NULL;
}

void
scylla_lookahead_end(ScyllaLookahead *ahead)
{
	ListCell *cell;

	foreach (cell, ahead->run)
		scylla_lookahead_release(ahead, lfirst(cell));
	list_free(ahead->run);
	ahead->run = NIL;
	ahead->at = 0;
	ahead->has_begun = false;
	ahead->has_waited = false;
}

const ScyllaLookaheadCounts *
scylla_lookahead_counts(const ScyllaLookahead *ahead)
{
	return &ahead->counts;
}
