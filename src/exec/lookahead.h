/*
 * Probes that are asked before the run that reads them: each different one once, for all who hold
 * it. A run (scylla_lookahead_begin to _end) reads its probes' pages in order, whether they were
 * asked ahead or not; so it is true whatever was asked ahead, and only slower where that was wrong.
 */
#ifndef SCYLLA_LOOKAHEAD_H
#define SCYLLA_LOOKAHEAD_H

#include "postgres.h"

#include "exec/fanout.h"
#include "exec/multi_get.h"

typedef struct ScyllaLookahead ScyllaLookahead;

/* A probe that is asked; lives as long as somebody holds it. */
typedef struct ScyllaAsked ScyllaAsked;

typedef struct ScyllaLookaheadCounts
{
	uint64 lookups;     /* probes that were asked */
	uint64 duplicates;  /* that were asked already when they were wanted again */
	uint64 waits;       /* runs that had to wait for an answer */
	int most_in_flight; /* requests at once, as far as anybody looked */
} ScyllaLookaheadCounts;

/* In a context of its own below the parent, as is all that it asks, by a set-up that is connected and
 * must outlive it. */
extern ScyllaLookahead *scylla_lookahead_new(MemoryContext parent, ScyllaScanSetup *setup);
extern void scylla_lookahead_free(ScyllaLookahead *ahead);

/* Ask the probe unless it is asked already; held once more, until release(). Does not wait. It may be
 * kept back for others of its partition to go with it, until send(). */
extern ScyllaAsked *scylla_lookahead_ask(ScyllaLookahead *ahead, const ScyllaProbe *probe);
extern void scylla_lookahead_send(ScyllaLookahead *ahead);
extern void scylla_lookahead_release(ScyllaLookahead *ahead, ScyllaAsked *asked);

/* How many requests are on their way. Looks at each that was when this was called last. */
extern int scylla_lookahead_in_flight(ScyllaLookahead *ahead);

/* Whether another one would leave at once. */
extern bool scylla_lookahead_has_room(const ScyllaLookahead *ahead);

/* Bytes of pages that are here or on their way, about. */
extern double scylla_lookahead_bytes(const ScyllaLookahead *ahead);

/* Begin a run with all probes of the source; the one before it is over. */
extern void scylla_lookahead_begin(ScyllaLookahead *ahead, ScyllaNextProbe next_probe,
								   void *argument);

/* The run's next stream with a page of at least one row, waited for; NULL: there is none. The page
 * before it is read. */
extern ScyllaStream *scylla_lookahead_next(ScyllaLookahead *ahead);

/* The run is over, wherever it stood. */
extern void scylla_lookahead_end(ScyllaLookahead *ahead);

extern const ScyllaLookaheadCounts *scylla_lookahead_counts(const ScyllaLookahead *ahead);

#endif /* SCYLLA_LOOKAHEAD_H */
