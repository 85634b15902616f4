/*
 * What a running scan gives: rows of pages, or aggregates that are made of them.
 */
#ifndef SCYLLA_SCAN_ROWS_H
#define SCYLLA_SCAN_ROWS_H

#include "postgres.h"

#include "exec/scan.h"

/* Whether all rows that the server gives belong to the result, as of a scan whose probes are ready. */
extern bool scylla_scan_wants_every_row(const ScyllaScanState *scan);

/* The next row of a page that belongs to the result (ScyllaReadRow; the argument is the node). */
extern bool scylla_scan_read_row(void *argument, ScyllaStream *stream, TupleTableSlot *slot,
								 MemoryContext context);

/* The stream whose page is read, waited for unless the scan is asynchronous; NULL: the last one
 * was read, or (is_pending) there is none yet. */
extern ScyllaStream *scylla_scan_stream(ScyllaScanState *scan);

/* Its page is read. */
extern void scylla_scan_release(ScyllaScanState *scan);

/* False: there are no more, or (is_pending) there is none yet. */
extern bool scylla_scan_next_row(ForeignScanState *node, TupleTableSlot *slot);

/* Begin with aggregates, of a plan that has some. */
extern void scylla_scan_begin_aggregates(ScyllaScanState *scan);

/* The slot with the next row of results; empty as above. */
extern TupleTableSlot *scylla_scan_next_aggregates(ForeignScanState *node);

#endif /* SCYLLA_SCAN_ROWS_H */
