/*
 * One connection as a state machine: bytes in, bytes out. It knows neither socket nor clock:
 * whoever moves the bytes says when it is now, and deadlines are numbers on that clock.
 *
 * An exchange (one request and its answer) belongs to whoever submitted it; the connection only
 * links it, from cql_conn_submit() until it stands in the list of the done or is given up by
 * cql_conn_abandon(). Nothing here calls anybody back.
 */
#ifndef CQL_CONN_CONN_H
#define CQL_CONN_CONN_H

#include <sys/uio.h>

#include "cql/conn/streams.h"
#include "cql/conn/tls.h"
#include "cql/cql.h"
#include "cql/wire/frame.h"
#include "cql/wire/response.h"

/* What is true of an exchange, and what leaves the state. */
typedef enum cql_exchange_state
{
	CQL_EXCHANGE_IDLE,      /* not on any connection; cql_conn_submit() leaves */
	CQL_EXCHANGE_QUEUED,    /* has a stream id; not all of its bytes are sent */
	CQL_EXCHANGE_SENT,      /* the peer has the request; its answer, time or the end leaves */
	CQL_EXCHANGE_ANSWERED,  /* header and body hold the answer */
	CQL_EXCHANGE_TIMED_OUT, /* deadline passed; the stream id is an orphan */
	CQL_EXCHANGE_LOST,      /* the connection ended first; its error tells why */
	CQL_EXCHANGE_NO_MEMORY  /* the answer came and there was no room for it */
} cql_exchange_state;

typedef struct cql_exchange_link
{
	cql_exchange *prev;
	cql_exchange *next;
} cql_exchange_link;

typedef struct cql_exchange_list
{
	cql_exchange *first;
	cql_exchange *last;
} cql_exchange_list;

struct cql_exchange
{
	cql_exchange_state state;
	int stream;
	bool is_begun; /* some byte of it reached the socket: the peer may act on it */
	uint64_t deadline_ms;
	/* The request; owned by the exchange, freed by its owner. An EXECUTE is made with a metadata id,
	 * which stands before the rest while a connection without the extension is the last it was on.
	 * Whoever takes it out of the exchange calls cql_exchange_restore() first. */
	uint8_t *frame;
	size_t frame_len;
	/* while QUEUED or SENT: what the peer gets of it */
	uint8_t *wire;
	size_t wire_len;
	uint64_t tls_end;           /* once SENT over TLS: where it ends in the ciphertext ever made */
	uint8_t *packed;            /* the frame compressed, where that pays; wire is in it then */
	size_t hidden_len;          /* bytes of frame that the last peer did not get */
	cql_frame_header header;    /* the answer */
	uint8_t *body;              /* of header.body_len bytes; owned by the exchange */
	cql_exchange_link by_queue; /* write queue, later the list of the done */
	cql_exchange_link by_deadline; /* while QUEUED or SENT */
};

/* An EVENT, as it came: cql_frame_read_prefix(), then cql_read_event(). */
typedef struct cql_conn_event
{
	uint8_t flags;
	uint8_t *body; /* owned by whoever took it; cql_release() */
	uint32_t body_len;
} cql_conn_event;

typedef struct cql_event_node cql_event_node;
struct cql_event_node
{
	cql_event_node *next;
	cql_conn_event event;
};

typedef enum cql_conn_state
{
	CQL_CONN_NEW,     /* no TCP connection yet; cql_conn_start() leaves */
	CQL_CONN_TLS,     /* TLS shakes hands; its end leaves */
	CQL_CONN_OPTIONS, /* OPTIONS is out; SUPPORTED leaves */
	CQL_CONN_STARTUP, /* STARTUP is out; READY or AUTHENTICATE leaves */
	CQL_CONN_AUTH,    /* AUTH_RESPONSE is out; AUTH_SUCCESS leaves */
	CQL_CONN_READY,   /* takes exchanges */
	CQL_CONN_CLOSED   /* for ever; error tells why */
} cql_conn_state;

/* The side buffer takes headers and small answers; measured, a larger one leaves the L2 cache. */
#define CQL_SIDE_LEN ((size_t) 64 * 1024)

/* Borrowed strings; they outlive the connection. */
typedef struct cql_conn_options
{
	const char *user; /* NULL: none */
	const char *password;
	bool must_ask_password;
	const char *application_name; /* NULL: none */
	cql_compression compression;
	cql_tls_context *tls; /* NULL: plain text */
	const char *host;     /* with TLS: what the certificate is to name */
	uint64_t handshake_deadline_ms;
} cql_conn_options;

typedef struct cql_conn
{
	cql_conn_state state;
	cql_conn_options options;
	char node[CQL_NODE_NAME_LEN];
	cql_error error; /* once CLOSED */
	/* What the peer offers; every extension in it was asked for, and is in force once READY. */
	cql_supported supported;
	bool has_compression; /* agreed upon: either side may send compressed bodies */
	/* To be set by who sends REGISTER: events are kept for cql_conn_take_event(). */
	bool takes_events;
	bool has_password_been_asked;
	cql_tls *tls; /* NULL: plain text */
	cql_streams streams;
	cql_exchange handshake;

	/* write queue: exchanges in order, the first perhaps sent in part */
	cql_exchange_list queue;
	size_t head_sent;
	size_t queued_bytes;
	/* what is still to be sent, before the queue, of an exchange that left while it was being
	 * written; if it cannot be written by the exchange's deadline the connection ends */
	uint8_t *rest;
	size_t rest_len;
	uint64_t rest_deadline_ms;

	/* the frame that is being read */
	uint8_t *side; /* CQL_SIDE_LEN bytes, for headers and small frames */
	size_t side_begin;
	size_t side_end;
	bool has_header;
	cql_frame_header header;
	uint8_t *body; /* NULL with has_header: the body is skipped */
	size_t body_have;

	cql_exchange_list by_deadline; /* earliest first */
	cql_exchange_list done;
	cql_event_node *events_first;
	cql_event_node *events_last;

	uint64_t requests;
	uint64_t bytes_sent;
	uint64_t bytes_received;
} cql_conn;

/* False when out of memory. */
extern CQL_MUST_CHECK bool cql_conn_init(cql_conn *conn, const char *node,
										 const cql_conn_options *options);
/* Exchanges that are still linked end as LOST, and are to be taken from the list first. */
extern void cql_conn_cleanup(cql_conn *conn);

/* The frame of an exchange that is on no connection becomes what its owner made. */
extern void cql_exchange_restore(cql_exchange *exchange);

/* TCP is there: begin the handshake. */
extern void cql_conn_start(cql_conn *conn);
/* The transport failed, or the owner wants it to end: everything in flight is LOST. */
extern void cql_conn_close(cql_conn *conn, cql_error_kind kind, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* False: no stream id is free (or no memory for one); the exchange stays IDLE. Only when READY. */
extern CQL_MUST_CHECK bool cql_conn_submit(cql_conn *conn, cql_exchange *exchange,
										   uint64_t deadline_ms);
/* Unlink an exchange that is QUEUED or SENT; it becomes IDLE and the owner may free it. */
extern void cql_conn_abandon(cql_conn *conn, cql_exchange *exchange);
/* Unlink the next exchange that is done, in whatever way; NULL when there is none. */
extern cql_exchange *cql_conn_take_done(cql_conn *conn);

/* Unlink the oldest event; false when there is none. */
extern bool cql_conn_take_event(cql_conn *conn, cql_conn_event *event);

/* Bytes to send: fills at most max entries, returns how many; then tell how much was sent. */
extern int cql_conn_output(cql_conn *conn, struct iovec *parts, int max);
extern void cql_conn_sent(cql_conn *conn, size_t len);
extern bool cql_conn_has_output(const cql_conn *conn);

/* Where the next bytes shall go, straight into the page where one is being read; then tell how
 * many came. A violation closes the connection. */
extern uint8_t *cql_conn_input(cql_conn *conn, size_t *len);
extern void cql_conn_received(cql_conn *conn, size_t len);

/* Earliest deadline, UINT64_MAX for none; and end what is due. */
extern uint64_t cql_conn_next_deadline(const cql_conn *conn);
extern void cql_conn_expire(cql_conn *conn, uint64_t now_ms);

/* Free what an exchange owns and make it IDLE again. */
extern void cql_exchange_cleanup(cql_exchange *exchange);

#endif /* CQL_CONN_CONN_H */
