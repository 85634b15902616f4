/*
 * Stream ids of one connection: which are free, which exchange waits on which, and which are
 * orphans: their exchange was given up, but the id stays taken until its answer comes, since the
 * answer would else be taken for somebody else's.
 */
#ifndef CQL_CONN_STREAMS_H
#define CQL_CONN_STREAMS_H

#include <stdbool.h>
#include <stdint.h>

/* Ids are a signed short and the negative ones are the server's (v4, section 2.3). */
#define CQL_STREAMS_MAX 32768

typedef struct cql_exchange cql_exchange;

typedef enum cql_stream_state
{
	CQL_STREAM_FREE,
	CQL_STREAM_TAKEN,
	CQL_STREAM_ORPHAN
} cql_stream_state;

typedef struct cql_streams
{
	cql_exchange **exchanges; /* by id; NULL: free or orphan */
	uint8_t *states;          /* by id: cql_stream_state */
	int16_t *free_ids;        /* a stack */
	uint32_t free_count;
	uint32_t capacity; /* grows to CQL_STREAMS_MAX; 0 before the first use */
	uint32_t orphan_count;
} cql_streams;

extern void cql_streams_init(cql_streams *streams);
extern void cql_streams_cleanup(cql_streams *streams);

/* Take an id for an exchange; -1 when all are taken or memory is out. */
extern int cql_streams_take(cql_streams *streams, cql_exchange *exchange);
/* What is known of an id, however wrong: FREE for ids never used. */
extern cql_stream_state cql_streams_state(const cql_streams *streams, int id);
extern cql_exchange *cql_streams_exchange(const cql_streams *streams, int id);
/* Give up the exchange but keep the id. */
extern void cql_streams_orphan(cql_streams *streams, int id);
/* The answer has come, or the request never left: the id is free. */
extern void cql_streams_release(cql_streams *streams, int id);
/* Ids that wait for an answer that somebody wants. */
extern uint32_t cql_streams_in_flight(const cql_streams *streams);

#endif /* CQL_CONN_STREAMS_H */
