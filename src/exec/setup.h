/*
 * What a plan needs to run, whoever runs it: made at its execution's begin, completed at the first
 * row that somebody asks for, and kept for the next execution of the same cached plan (keep.c).
 */
#ifndef SCYLLA_SETUP_H
#define SCYLLA_SETUP_H

#include "postgres.h"

#include "nodes/execnodes.h"

#include "exec/aggregate.h"
#include "exec/fanout.h"
#include "exec/params.h"
#include "exec/probe.h"
#include "exec/tuple.h"
#include "exec/variant.h"
#include "plan/scan_plan.h"

/* An arm of the plan, and what this run asks by it. */
typedef struct ScyllaArmSetup
{
	const ScyllaScanArm *arm;
	const ScyllaScanArm *shared; /* for several lookups at once (multi_get.h); or NULL */
	ScyllaParams *params;
	ScyllaProbes *probes;
	bool is_resolved;       /* the params are, by a statement */
	cql_ring_piece *pieces; /* the last that were split; or NULL */
	bool is_possible;       /* this run: a row can match */
	ScyllaVariant *variant; /* this run: the text */
} ScyllaArmSetup;

typedef struct ScyllaKeepGuard ScyllaKeepGuard;

typedef struct ScyllaScanSetup
{
	MemoryContext context;  /* of this, and of all that it points to */
	ScyllaKeepGuard *guard; /* keep.c's, while it is taken; NULL: nobody keeps it */
	ScyllaScanPlan *plan;
	ScyllaArmSetup *arms;
	Bitmapset *bind_params;  /* parameters that the plan's expressions depend on */
	cql_cell *cells;         /* of a row, by the plan's columns */
	ScyllaCounters counters; /* of this execution */
	/* from the first row asked for; holds for one session and its schema, and these settings */
	MemoryContext connected;
	uint64 schema_generation;
	ScyllaStreamSpec streams;
	ScyllaRemote remote;
	List *variants;
	ScyllaTupleReader *reader;
	ScyllaCombiner *combiner; /* of a plan that is aggregated */
	ScyllaFanout *fanout;
	/* this run */
	int next_arm; /* whose probes are sent next */
	int first_rows;
} ScyllaScanSetup;

/* For a node's plan, in a context of its own below CurrentMemoryContext. */
extern ScyllaScanSetup *scylla_setup_new(ForeignScanState *node);

/* Take the session to ask, which must stay pinned while this is used. What was made for another
 * one, or is out of date, is thrown away. */
extern void scylla_setup_connect(ScyllaScanSetup *setup, ScyllaSession *session, bool is_traced);

/* Prepare an arm's text with all conditions, with LIMIT (skipped is 0) or without it
 * (SCYLLA_SKIP_LIMIT), and resolve the converters by it, once, for slots of the descriptor. */
extern void scylla_setup_resolve(ScyllaScanSetup *setup, ScyllaArmSetup *arm, uint64 skipped,
								 TupleDesc descriptor);

/* The next probe of the arms that are asked, one after the other (ScyllaNextProbe, of a setup). */
extern bool scylla_setup_next_probe(void *argument, ScyllaProbe *probe);

/* Have an arm that asks for pieces of the ring ask for as many as it wants, or some more, each of
 * which replicas hold as a whole. After resolve(). */
extern void scylla_setup_split_ring(ScyllaScanSetup *setup, ScyllaArmSetup *arm);

/* The arm's text with these conditions left out. */
extern ScyllaVariant *scylla_setup_variant(ScyllaScanSetup *setup, const ScyllaScanArm *arm,
										   uint64 skipped);

#endif /* SCYLLA_SETUP_H */
