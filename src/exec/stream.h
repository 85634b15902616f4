/*
 * The rows of a probe, page by page, and what an error of it tells. Which of them are asked when,
 * and whose page is read, is its owner's to decide.
 */
#ifndef SCYLLA_STREAM_H
#define SCYLLA_STREAM_H

#include "postgres.h"

#include "lib/ilist.h"

#include "bridge/cursor.h"
#include "exec/variant.h"

/* One run of a statement. */
typedef struct ScyllaProbe
{
	ScyllaVariant *variant;
	ScyllaCursorInput input;
} ScyllaProbe;

typedef enum ScyllaStreamState
{
	SCYLLA_STREAM_IDLE,    /* among the variant's, to be used again */
	SCYLLA_STREAM_FLYING,  /* its next page is asked for */
	SCYLLA_STREAM_READY,   /* it has a page that is not handed out yet */
	SCYLLA_STREAM_OUT,     /* the caller's */
	SCYLLA_STREAM_FINISHED /* all of it was handed out; its page may be wanted again */
} ScyllaStreamState;

typedef struct ScyllaStream
{
	dlist_node node; /* among those of its state; OUT and FINISHED ones are in no list */
	ScyllaStreamState state;
	ScyllaVariant *variant;
	ScyllaCursor *cursor;
	cql_result *page; /* while OUT */
	const cql_cell
		*owner;       /* of a page that lookups share: only rows with these bytes in that column */
	int owner_column; /* are the reader's; NULL: all are */
} ScyllaStream;

/* What all streams of a scan have in common. */
typedef struct ScyllaStreamSpec
{
	ScyllaRemote *remote;
	int consistency;
	bool is_traced;
	ScyllaCounters *counters;
} ScyllaStreamSpec;

/* In CurrentMemoryContext; nothing is asked yet. */
extern ScyllaStream *scylla_stream_new(const ScyllaStreamSpec *spec, ScyllaVariant *variant);

/* Take what has come, or ask for what is due. True: it has a page, or its end. An error names the
 * probe's key. */
extern bool scylla_stream_poll(ScyllaStream *stream, ScyllaRemote *remote);

#endif /* SCYLLA_STREAM_H */
