/*
 * The driver's insides, for session.c, request.c, statement.c, result.c and loop.c alone.
 *
 * Who owns what: a loop links its sessions; a session owns its connections and the cache of its
 * statements, and links its requests, which belong to the user. A request whose session is gone
 * has session NULL and is done.
 */
#ifndef CQL_SESSION_H
#define CQL_SESSION_H

#include "cql/conn/conn.h"
#include "cql/cql.h"
#include "cql/net/loop.h"

/* ---- statements ---- */

struct cql_statement
{
	int references;
	char *text;
	uint8_t *id;
	size_t id_len;
	/* what SCYLLA_USE_METADATA_ID knows its result's columns by; empty: always ask for them */
	uint8_t *metadata_id;
	size_t metadata_id_len;
	cql_metadata *bind;
	cql_metadata *result;
	/* while it is in a cache */
	uint64_t hash;
	cql_statement *next_in_bucket;
	cql_statement *newer;
	cql_statement *older;
};

#define CQL_CACHE_BUCKETS 256
/* Texts are few where they are generated; this bounds what a user's own texts can pile up. */
#define CQL_CACHE_MAX 512

typedef struct cql_statement_cache
{
	cql_statement *buckets[CQL_CACHE_BUCKETS];
	cql_statement *newest;
	cql_statement *oldest;
	int count;
} cql_statement_cache;

/* Borrowed, or NULL; a hit becomes the newest. */
extern cql_statement *cql_cache_find(cql_statement_cache *cache, const char *text);
/* Takes a reference of its own; pushes the oldest out above CQL_CACHE_MAX. */
extern void cql_cache_add(cql_statement_cache *cache, cql_statement *statement);
extern void cql_cache_remove(cql_statement_cache *cache, cql_statement *statement);
extern void cql_cache_clear(cql_statement_cache *cache);

/* With one reference; takes over the metadata. NULL when out of memory. */
extern cql_statement *cql_statement_new(const char *text, const cql_prepared *prepared);

/* ---- results ---- */

struct cql_result
{
	uint8_t *block; /* the frame's body; every view below points into it */
	size_t block_len;
	cql_frame_prefix prefix;
	cql_result_kind kind;
	cql_rows_head head;
	int32_t row_count;
	const uint8_t *rows; /* checked when the page came: walking them cannot leave the block */
	const uint8_t *pos;
	int32_t row; /* index of the next one */
	char node[CQL_NODE_NAME_LEN];
};

typedef enum cql_result_fault
{
	CQL_RESULT_OK,
	CQL_RESULT_MALFORMED,
	CQL_RESULT_NO_MEMORY
} cql_result_fault;

/* Takes over the block of a RESULT frame in every case. */
extern cql_result_fault cql_result_new(uint8_t *block, const cql_frame_header *header,
									   cql_metadata *known, cql_result **out);

/* ---- connections ---- */

/* A connection with its socket. Owned by the session; its address is stable. */
typedef struct cql_link
{
	cql_conn conn;
	cql_socket *socket;
	uint64_t opened_ms;
	bool is_ready;     /* the session took note of the handshake's end */
	bool is_abandoned; /* while it was not ready, nobody waited for it any more */
} cql_link;

/* ---- requests ---- */

typedef enum cql_request_step
{
	CQL_STEP_RUN,      /* QUERY or EXECUTE is to be answered */
	CQL_STEP_PREPARE,  /* the user's PREPARE is */
	CQL_STEP_REPREPARE /* a PREPARE after UNPREPARED is; then the kept frame runs again */
} cql_request_step;

struct cql_request
{
	cql_exchange exchange; /* first: the connection gives back pointers to it */
	cql_session *session;
	cql_request *prev; /* among the session's requests */
	cql_request *next;
	cql_request *next_waiting; /* while is_waiting */
	bool is_waiting;           /* for a connection, or for a stream id on it */
	bool is_done;
	cql_link *link; /* while on a connection */
	cql_request_step step;
	int reprepare_count;
	uint32_t timeout_ms;
	char *text;               /* PREPARE's */
	cql_statement *statement; /* EXECUTE's, or what PREPARE brought */
	uint8_t *kept_frame;      /* EXECUTE's, while REPREPARE is under way */
	size_t kept_frame_len;
	cql_result *result;
	cql_error error; /* kind NONE: success */
};

/* The request's exchange is done, in whatever way: take the next step or finish. */
extern void cql_request_advance(cql_request *request);
/* Finish it with an error that was copied from somewhere. */
extern void cql_request_fail(cql_request *request, const cql_error *error);
/* Put it on a connection; false when that takes no more now. */
extern bool cql_request_send(cql_request *request, cql_link *link, uint64_t now_ms);

/* ---- sessions ---- */

struct cql_session
{
	cql_loop *loop;
	cql_session *next_in_loop;
	/* options, copied */
	cql_contact *contacts;
	int contact_count;
	char *user;
	char *password;
	char *application_name;
	cql_compression compression;
	cql_tls_context *tls; /* NULL: plain text */
	uint32_t connect_timeout_ms;
	uint32_t request_timeout_ms;

	cql_link *link;    /* NULL: not connected */
	int contact;       /* the one that link is to, or was */
	int attempts;      /* contacts tried since the last success */
	cql_error failure; /* of those attempts, their messages joined */
	int losses;        /* connections that were ready and broke since the last answer */

	cql_request *requests; /* all that are the user's and know this session */
	cql_request *waiting_first;
	cql_request *waiting_last;
	size_t waiting_bytes;
	uint32_t open_count; /* requests that are not done */

	cql_statement_cache cache;
	bool is_scylla;
	bool must_ask_password;
};

/* Line a request up for the next connection that takes it. */
extern void cql_session_enqueue(cql_session *session, cql_request *request);
extern void cql_session_dequeue(cql_session *session, cql_request *request);
/* After a submit: send what waits, or begin to connect for it. */
extern void cql_session_pump(cql_session *session, uint64_t now_ms);
/* After a turn: everything that came in or is due, then pump. */
extern void cql_session_process(cql_session *session, uint64_t now_ms);
/* Earliest time at which it has to be processed again; UINT64_MAX for none. */
extern uint64_t cql_session_next_deadline(const cql_session *session);

struct cql_loop
{
	cql_net *net;
	cql_session *sessions;
};

/* An error with our own text. */
extern void cql_error_set(cql_error *error, cql_error_kind kind, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif /* CQL_SESSION_H */
