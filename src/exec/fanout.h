/*
 * Many probes in flight at once: streams of pages, which are handed out as they come, whichever
 * probe was asked first. How many are in flight is bounded by a window, which grows with what is
 * read, and by the bytes of pages that nobody has read yet.
 */
#ifndef SCYLLA_FANOUT_H
#define SCYLLA_FANOUT_H

#include "postgres.h"

#include "exec/stream.h"

/* In flight at first: enough to hide some round trips, few enough to be wasted by LIMIT 1. */
#define SCYLLA_FIRST_WINDOW 16
#define SCYLLA_FIRST_PIECES 8 /* of the ring */

/* Pages without a reader; what comes in answer to requests that were sent is foreseen. */
#define SCYLLA_MAX_UNREAD_BYTES (16 * 1024 * 1024)

/* The next probe to send; false: there are no more. */
typedef bool (*ScyllaNextProbe)(void *argument, ScyllaProbe *probe);

typedef struct ScyllaFanout ScyllaFanout;

typedef struct ScyllaFanoutSpec
{
	ScyllaStreamSpec stream; /* its session is pinned while the fan-out runs */
	ScyllaNextProbe next_probe;
	void *argument;
} ScyllaFanoutSpec;

/* In CurrentMemoryContext, as are the streams; what the spec points to must outlive it. */
extern ScyllaFanout *scylla_fanout_new(const ScyllaFanoutSpec *spec);

/* Begin to take probes: so many in flight at first; pages of so many rows (0: of fetch_size). */
extern void scylla_fanout_start(ScyllaFanout *fanout, int first_window, int page_rows);

/* After start(): never more than so many in flight. */
extern void scylla_fanout_limit(ScyllaFanout *fanout, int max_window);

/* Whether next() has something to give without waiting. Sends what is due, and takes what came. */
extern bool scylla_fanout_poll(ScyllaFanout *fanout);

/* Whether poll() would find something, of what has come already. */
extern bool scylla_fanout_has_news(ScyllaFanout *fanout);

/* A stream with a page of at least one row, waited for; NULL: all were handed out. It is the
 * caller's until it calls advance() or release(). */
extern ScyllaStream *scylla_fanout_next(ScyllaFanout *fanout);

/* The stream's page is read: next() hands out its next one when that comes. */
extern void scylla_fanout_release(ScyllaFanout *fanout, ScyllaStream *stream);

/* The stream's page is read: wait for its next one. False: it has none, and the stream is gone. */
extern bool scylla_fanout_advance(ScyllaFanout *fanout, ScyllaStream *stream);

/* Begin again with what the server answered, which is only possible where that was one page of
 * one probe, handed out to the caller before: then true. */
extern bool scylla_fanout_rewind(ScyllaFanout *fanout);

/* Abandon what is in flight and free all pages; start() may follow. */
extern void scylla_fanout_end(ScyllaFanout *fanout);

#endif /* SCYLLA_FANOUT_H */
