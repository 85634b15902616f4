/*
 * Running a scan: the executor's callbacks, and the state that EXPLAIN reads.
 */
#ifndef SCYLLA_EXEC_SCAN_H
#define SCYLLA_EXEC_SCAN_H

#include "postgres.h"

#include "foreign/fdwapi.h"

#include "exec/lookahead.h"
#include "exec/merge.h"
#include "exec/setup.h"

typedef enum ScyllaScanPhase
{
	SCYLLA_SCAN_NEW,     /* values are to be evaluated and sent */
	SCYLLA_SCAN_RUNNING, /* rows are read */
	SCYLLA_SCAN_DONE,    /* no more rows, or none at all */
	SCYLLA_SCAN_ENDED    /* of aggregates: the last result was given */
} ScyllaScanPhase;

typedef struct ScyllaSharedScan ScyllaSharedScan;

/* Owned by the executor's query context; lives until the end of the query. */
typedef struct ScyllaScanState
{
	ScyllaScanPlan *plan;
	ScyllaScanSetup *setup; /* NULL: the plan is explained, not run */
	Oid userid;
	ExprState **clauses; /* of each arm; where there is one arm NULL */
	ExprState *limit;    /* NULL: all rows are wanted */
	int empty_column;    /* whose empty values come by an arm of their own; -1: none */
	bool is_target;      /* the rows are to be updated or deleted */
	bool is_connected;
	bool is_judged;             /* by option full_scan */
	ScyllaSharedScan *shared;   /* among workers (parallel.c); NULL: nobody helps */
	bool is_async;              /* rather give nothing than wait (async.c) */
	bool has_event;             /* it put its event into the Append's wait set, in this round */
	bool is_waited_for;         /* and the Append does nothing but wait for it */
	ScyllaLookahead *lookahead; /* of a lookup join, once anything was asked ahead; else NULL */
	/* this run */
	ScyllaScanPhase phase;
	double probe_count;       /* at most; 0: nothing was asked */
	bool needs_recheck;       /* a condition was not sent though not every row fulfils it */
	bool is_every_row_wanted; /* of those that the server gives */
	ScyllaStream *stream;     /* whose page is read; NULL: the next one is to be had */
	bool is_pending;          /* nothing was given, since it has yet to come */
	ScyllaMerge *merge;       /* where rows are to come in order; else NULL */
	bool is_looked_up;        /* its probes are the lookahead's, not the fan-out's */
	uint64 removed_rows;      /* of all runs: received, and not part of the result */
} ScyllaScanState;

extern void scyllaBeginForeignScan(ForeignScanState *node, int eflags);
extern TupleTableSlot *scyllaIterateForeignScan(ForeignScanState *node);
extern void scyllaReScanForeignScan(ForeignScanState *node);
extern void scyllaShutdownForeignScan(ForeignScanState *node);
extern void scyllaEndForeignScan(ForeignScanState *node);

/* Take a session, if the scan has none yet; no statement is prepared. */
extern void scylla_scan_connect(ForeignScanState *node);

/*
 * Ask for what the scan will ask for when it is run with the parameters' present values; not while
 * it gives rows. What is asked, to be held until that run is over (ScyllaAsked, in
 * CurrentMemoryContext); NIL: nothing, as no row can match or it is too much to ask ahead.
 */
extern List *scylla_scan_ask_ahead(ForeignScanState *node);

#endif /* SCYLLA_EXEC_SCAN_H */
