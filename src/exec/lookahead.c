/*
 * Probes asked ahead, found again by their values. An answer is kept for as long as one of its
 * probes is held, so a page that several runs read is asked for once; of an answer of more pages
 * only the first is there ahead, and whoever reads it a second time asks again.
 */
#include "postgres.h"

#include "exec/lookahead.h"

#include "common/hashfn.h"
#include "utils/memutils.h"

/* A power of two; in wider windows chains get longer. */
#define BUCKET_COUNT 256

/* A request, of one probe or of several. */
typedef struct Flight
{
	dlist_node node; /* among those in flight, while is_in_flight; or among the idle */
	ScyllaStream *stream;
	int probe_count; /* that are held; 0: it is idle */
	bool is_shared;
	bool is_in_flight;
	bool is_read; /* a page was given out */
} Flight;

struct ScyllaAsked
{
	dlist_node node; /* in its bucket; or among the idle, while nobody holds it */
	Flight *flight;  /* NULL: kept back */
	ScyllaProbe probe;
	StringInfoData values;
	StringInfoData key;
	cql_cell cell; /* by which its rows are told where it shares a request */
	uint32 hash;
	int holders;
};

struct ScyllaLookahead
{
	ScyllaStreamSpec spec;
	MemoryContext context;
	dlist_head buckets[BUCKET_COUNT];
	dlist_head idle;
	dlist_head flying;
	dlist_head idle_flights;
	int flying_count;
	int flight_count; /* that are not idle */
	ScyllaLookaheadCounts counts;
	/* probes that are kept back */
	ScyllaMultiGet *multi; /* NULL: none are */
	ScyllaAsked *kept_back[SCYLLA_MULTI_GET_MAX];
	int kept_back_count;
	int owner_column; /* of pages of several probes */
	/* the run */
	List *run;
	int at;
	bool has_begun; /* the probe at hand is being read */
	bool has_waited;
};

ScyllaLookahead *
scylla_lookahead_new(MemoryContext parent, ScyllaScanSetup *setup)
{
	MemoryContext context =
		AllocSetContextCreate(parent, "scylla_fdw lookahead", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	ScyllaLookahead *ahead = palloc0(sizeof(ScyllaLookahead));

	ahead->spec = setup->streams;
	ahead->context = context;
	for (int i = 0; i < BUCKET_COUNT; i++)
		dlist_init(&ahead->buckets[i]);
	dlist_init(&ahead->idle);
	dlist_init(&ahead->flying);
	dlist_init(&ahead->idle_flights);
	ahead->multi = scylla_multi_get_new(setup);
	ahead->owner_column = setup->plan->shared_column;
	MemoryContextSwitchTo(old);
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
land(ScyllaLookahead *ahead, Flight *flight)
{
	if (!flight->is_in_flight)
		return;
	flight->is_in_flight = false;
	dlist_delete(&flight->node);
	ahead->flying_count--;
}

/* One whose stream is of the variant; nearly all are of one. */
static Flight *
take_idle_flight(ScyllaLookahead *ahead, ScyllaVariant *variant)
{
	dlist_iter iter;
	Flight *flight;
	MemoryContext old;

	dlist_foreach (iter, &ahead->idle_flights)
	{
		flight = dlist_container(Flight, node, iter.cur);
		if (flight->stream->variant != variant)
			continue;
		dlist_delete(&flight->node);
		return flight;
	}
	old = MemoryContextSwitchTo(ahead->context);
	flight = palloc0(sizeof(Flight));
	flight->stream = scylla_stream_new(&ahead->spec, variant);
	MemoryContextSwitchTo(old);
	return flight;
}

static Flight *
take_off(ScyllaLookahead *ahead, const ScyllaProbe *probe, bool is_shared)
{
	Flight *flight = take_idle_flight(ahead, probe->variant);

	flight->is_shared = is_shared;
	flight->is_read = false;
	scylla_cursor_start(flight->stream->cursor, &probe->input);
	flight->is_in_flight = true;
	dlist_push_tail(&ahead->flying, &flight->node);
	ahead->flight_count++;
	ahead->flying_count++;
	ahead->counts.most_in_flight = Max(ahead->counts.most_in_flight, ahead->flying_count);
	return flight;
}

static void
board(ScyllaAsked *asked, Flight *flight)
{
	asked->flight = flight;
	flight->probe_count++;
}

static void
leave(ScyllaLookahead *ahead, ScyllaAsked *asked)
{
	Flight *flight = asked->flight;

	asked->flight = NULL;
	if (--flight->probe_count > 0)
		return;
	land(ahead, flight);
	scylla_cursor_end(flight->stream->cursor);
	flight->stream->page = NULL;
	ahead->flight_count--;
	dlist_push_head(&ahead->idle_flights, &flight->node);
}

int
scylla_lookahead_in_flight(ScyllaLookahead *ahead)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify (iter, &ahead->flying)
	{
		Flight *flight = dlist_container(Flight, node, iter.cur);
		const cql_request *request = scylla_cursor_request(flight->stream->cursor);

		if (request != NULL && cql_request_is_done(request))
			land(ahead, flight);
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

	return counters->pages > 0 ? (double) counters->bytes / counters->pages * ahead->flight_count
							   : 0;
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
	const ScyllaCursorInput *input = &asked->probe.input;

	return asked->hash == hash && asked->probe.variant == probe->variant &&
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

static ScyllaAsked *
take_idle(ScyllaLookahead *ahead)
{
	ScyllaAsked *asked;
	MemoryContext old;

	if (!dlist_is_empty(&ahead->idle))
		return dlist_container(ScyllaAsked, node, dlist_pop_head_node(&ahead->idle));
	old = MemoryContextSwitchTo(ahead->context);
	asked = palloc0(sizeof(ScyllaAsked));
	initStringInfo(&asked->values);
	initStringInfo(&asked->key);
	MemoryContextSwitchTo(old);
	return asked;
}

/* A copy of bytes that may be none; whether there are any is the copy's as well. */
static const char *
keep_bytes(StringInfo kept, const char *bytes, size_t len)
{
	resetStringInfo(kept);
	appendBinaryStringInfo(kept, bytes != NULL ? bytes : "", (int) len);
	return bytes != NULL ? kept->data : NULL;
}

static ScyllaAsked *
keep_probe(ScyllaLookahead *ahead, const ScyllaProbe *probe, uint32 hash)
{
	ScyllaAsked *asked = take_idle(ahead);
	ScyllaCursorInput *input = &asked->probe.input;

	asked->probe = *probe;
	input->values = keep_bytes(&asked->values, input->values, input->values_len);
	input->routing_key = keep_bytes(&asked->key, input->routing_key, input->routing_key_len);
	asked->hash = hash;
	dlist_push_head(bucket_of(ahead, hash), &asked->node);
	return asked;
}

static void
send_alone(ScyllaLookahead *ahead, ScyllaAsked *asked)
{
	board(asked, take_off(ahead, &asked->probe, false));
}

static void
send_together(ScyllaLookahead *ahead)
{
	const ScyllaProbe *probes[SCYLLA_MULTI_GET_MAX];
	ScyllaProbe joined;
	Flight *flight;

	for (int i = 0; i < ahead->kept_back_count; i++)
		probes[i] = &ahead->kept_back[i]->probe;
	joined = scylla_multi_get_join(ahead->multi, probes, ahead->kept_back_count);
	flight = take_off(ahead, &joined, true);
	for (int i = 0; i < ahead->kept_back_count; i++)
		board(ahead->kept_back[i], flight);
}

void
scylla_lookahead_send(ScyllaLookahead *ahead)
{
	if (ahead->kept_back_count == 1)
		send_alone(ahead, ahead->kept_back[0]);
	else if (ahead->kept_back_count > 1)
		send_together(ahead);
	ahead->kept_back_count = 0;
}

static void
keep_back(ScyllaLookahead *ahead, ScyllaAsked *asked)
{
	if (ahead->kept_back_count > 0 &&
		!scylla_multi_get_can_join(ahead->multi, &asked->probe, &ahead->kept_back[0]->probe,
								   ahead->kept_back_count))
		scylla_lookahead_send(ahead);
	asked->cell = scylla_multi_get_cell(&asked->probe.input);
	ahead->kept_back[ahead->kept_back_count++] = asked;
}

/* What was asked already is shared by all who hold it. */
static ScyllaAsked *
hold(ScyllaLookahead *ahead, const ScyllaProbe *probe)
{
	uint32 hash = hash_probe(probe);
	ScyllaAsked *asked = find_asked(ahead, probe, hash);

	if (asked == NULL)
	{
		asked = keep_probe(ahead, probe, hash);
		ahead->counts.lookups++;
		if (ahead->multi != NULL && scylla_multi_get_is_for(ahead->multi, probe))
			keep_back(ahead, asked);
		else
			send_alone(ahead, asked);
	}
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
	scylla_lookahead_send(ahead); /* it may be among those that are kept back */
	leave(ahead, asked);
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
	scylla_lookahead_send(ahead);
	MemoryContextSwitchTo(old);
}

/* Have the probe's first page come first. Rows too wide for a shared page are asked for singly. */
static void
begin_reading(ScyllaLookahead *ahead, ScyllaAsked *asked)
{
	ScyllaCursor *cursor = asked->flight->stream->cursor;

	if (!asked->flight->is_read || scylla_cursor_rewind(cursor))
		asked->flight->is_read = true;
	else if (asked->flight->is_shared)
	{
		leave(ahead, asked);
		send_alone(ahead, asked);
		asked->flight->is_read = true;
		ahead->multi = NULL;
	}
	else
		scylla_cursor_restart(cursor);
}

static void
wait_for_page(ScyllaLookahead *ahead, Flight *flight)
{
	while (!scylla_stream_poll(flight->stream, ahead->spec.remote))
	{
		ahead->counts.waits += ahead->has_waited ? 0 : 1;
		ahead->has_waited = true;
		scylla_cursor_wait(flight->stream->cursor);
	}
	land(ahead, flight);
}

ScyllaStream *
scylla_lookahead_next(ScyllaLookahead *ahead)
{
	for (; ahead->at < list_length(ahead->run); ahead->at++)
	{
		ScyllaAsked *asked = list_nth(ahead->run, ahead->at);
		ScyllaStream *stream;

		if (!ahead->has_begun)
			begin_reading(ahead, asked);
		ahead->has_begun = true;
		stream = asked->flight->stream;
		wait_for_page(ahead, asked->flight);
		if (!scylla_cursor_is_at_end(stream->cursor))
		{
			stream->page = scylla_cursor_next_page(stream->cursor);
			stream->owner = asked->flight->is_shared ? &asked->cell : NULL;
			stream->owner_column = ahead->owner_column;
			return stream;
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
