/*
 * The driver: sessions, requests and results of a ScyllaDB or Cassandra cluster.
 *
 * Single-threaded and pull-only: users submit, turn the loop, and ask. Nothing here calls the
 * user back, jumps, starts a thread, resolves a name or blocks (but for cql_loop_wait()). Every
 * function that can fail returns a status and fills a cql_error, which never allocates.
 *
 * A user's wait looks like this, and its order matters (a turn between the test and the wait
 * loses the wake-up):
 *
 *     cql_loop_resume(loop);
 *     while (!cql_request_is_done(request))
 *     {
 *         timeout = cql_loop_timeout_ms(loop);
 *         if (timeout != 0)
 *             wait until cql_loop_fd(loop) is readable, at most timeout (-1: for ever);
 *         cql_loop_turn(loop);
 *     }
 */
#ifndef CQL_H
#define CQL_H

#include <sys/socket.h>

#include "cql/cql_value.h"

#define CQL_MUST_CHECK __attribute__((warn_unused_result))

typedef enum cql_status
{
	CQL_OK,
	CQL_BUSY,  /* too much is queued: turn the loop until cql_session_has_room() */
	CQL_FAILED /* the cql_error tells */
} cql_status;

/* Codes of the protocol (v4, section 9), as they stand in cql_error.server_code. */
typedef enum cql_server_code
{
	CQL_SERVER_ERROR = 0x0000,
	CQL_SERVER_PROTOCOL = 0x000A,
	CQL_SERVER_BAD_CREDENTIALS = 0x0100,
	CQL_SERVER_UNAVAILABLE = 0x1000,
	CQL_SERVER_OVERLOADED = 0x1001,
	CQL_SERVER_BOOTSTRAPPING = 0x1002,
	CQL_SERVER_TRUNCATE = 0x1003,
	CQL_SERVER_WRITE_TIMEOUT = 0x1100,
	CQL_SERVER_READ_TIMEOUT = 0x1200,
	CQL_SERVER_READ_FAILURE = 0x1300,
	CQL_SERVER_FUNCTION_FAILURE = 0x1400,
	CQL_SERVER_WRITE_FAILURE = 0x1500,
	CQL_SERVER_CDC_WRITE_FAILURE = 0x1600,
	CQL_SERVER_CAS_WRITE_UNKNOWN = 0x1700,
	CQL_SERVER_SYNTAX = 0x2000,
	CQL_SERVER_UNAUTHORIZED = 0x2100,
	CQL_SERVER_INVALID = 0x2200,
	CQL_SERVER_CONFIG = 0x2300,
	CQL_SERVER_ALREADY_EXISTS = 0x2400,
	CQL_SERVER_UNPREPARED = 0x2500
} cql_server_code;

typedef enum cql_error_kind
{
	CQL_ERROR_NONE,
	CQL_ERROR_NO_MEMORY,
	CQL_ERROR_ARGUMENT,    /* the caller's request cannot be said in the protocol */
	CQL_ERROR_UNREACHABLE, /* no contact point could be connected, or none would shake hands */
	CQL_ERROR_TLS,         /* no TLS connection could be made; server_code is a cql_tls_fault */
	CQL_ERROR_CREDENTIALS, /* the server wants a password and none was given, or another scheme */
	CQL_ERROR_NOT_ASKED,   /* the server did not want the password that it must ask for */
	CQL_ERROR_LOST,        /* the connection broke under the request */
	CQL_ERROR_TIMEOUT,     /* no answer before the request's deadline */
	CQL_ERROR_PROTOCOL,    /* the peer broke the protocol; the connection is closed */
	CQL_ERROR_RATE_LIMIT,  /* ScyllaDB's rate limit error */
	CQL_ERROR_CHANGED,     /* the statement's bind variables changed since it was prepared */
	CQL_ERROR_SERVER       /* an ERROR message: see server_code */
} cql_error_kind;

/* As they stand in cql_error.server_code when its kind is TLS. */
typedef enum cql_tls_fault
{
	CQL_TLS_OTHER,
	CQL_TLS_BAD_OPTION,        /* a PEM text that cannot be used */
	CQL_TLS_NOT_SPOKEN,        /* the server answers in something else */
	CQL_TLS_VERSION,           /* no version in common */
	CQL_TLS_UNKNOWN_AUTHORITY, /* of the server's certificate; itself, perhaps */
	CQL_TLS_EXPIRED,           /* the server's certificate, or it is not valid yet */
	CQL_TLS_WRONG_HOST,        /* the server's certificate is for others */
	CQL_TLS_CLIENT_CERTIFICATE /* the server wants one, or refuses ours */
} cql_tls_fault;

#define CQL_ERROR_MESSAGE_LEN 1024
#define CQL_NODE_NAME_LEN 64
#define CQL_HOST_NAME_LEN 256 /* of DNS, or an address */
#define CQL_IDENTIFIER_LEN 64

/* Plain data, filled in place; text is cut to fit and always ends in NUL. */
typedef struct cql_error
{
	cql_error_kind kind;
	int32_t server_code; /* when kind is SERVER or RATE_LIMIT; when it is TLS a cql_tls_fault */
	bool may_be_applied; /* the request reached the server and was not refused: a write may stand */
	int32_t shard;       /* -1: unknown */
	char node[CQL_NODE_NAME_LEN];        /* "127.0.0.1:9042", empty if none was involved */
	char message[CQL_ERROR_MESSAGE_LEN]; /* the server's text, or ours */
	/* Extra fields of the server's codes; consistency -1 where the code has none. */
	int32_t consistency;
	int32_t received;
	int32_t required;
	int32_t failure_count;
	bool is_data_present;
	char write_type[24];
	char keyspace[CQL_IDENTIFIER_LEN]; /* already exists, function failure */
	char name[CQL_IDENTIFIER_LEN];
} cql_error;

/* ---- the loop: one per process, shared by all sessions ---- */

typedef struct cql_loop cql_loop;

extern cql_loop *cql_loop_new(cql_error *error); /* NULL: error tells */
extern void cql_loop_free(cql_loop *loop);       /* after its sessions */

/* Readable when a turn would do something; stays the same descriptor for the loop's life. */
extern int cql_loop_fd(const cql_loop *loop);
/* How many descriptors the loop itself holds, for the host's accounting. */
extern int cql_loop_fd_count(void);
/* 0: turn at once; -1: nothing is due but the descriptor; else milliseconds. */
extern int cql_loop_timeout_ms(const cql_loop *loop);
/*
 * Descriptors of connections. Each session may open its first one; how many more all sessions have
 * and would like to have, the host asks before it waits, and grants what it can spare. Until it
 * grants for the first time there is no limit.
 */
extern int cql_loop_extra_fds_wanted(const cql_loop *loop);
extern void cql_loop_grant_extra_fds(cql_loop *loop, int count);
/*
 * For who waits for many answers and would rather take them together: the descriptor is readable
 * only once a connection has brought 1/share of the answers that it owes (0: at each). Deadlines and
 * a connection's end are not held back, and a turn takes whatever has come.
 */
extern void cql_loop_gather(cql_loop *loop, uint32_t share);
/* Send what is queued, or else read what has come; expire what is due. Does not block. */
extern void cql_loop_turn(cql_loop *loop);
/*
 * The host is back: what passed since the last turn counts for no deadline, and begins no silence,
 * for nobody attended. Whatever passes from here to the next turn does, unless it is called again.
 * A submit and cql_loop_wait() call it.
 */
extern void cql_loop_resume(cql_loop *loop);
/* Block until the descriptor is readable, then turn: for programs without a waiter of their own. */
extern void cql_loop_wait(cql_loop *loop);

/* ---- sessions: one cluster, one identity ---- */

/* Consistency levels (v4, section 3). */
typedef enum cql_consistency
{
	CQL_CONSISTENCY_ANY = 0,
	CQL_CONSISTENCY_ONE = 1,
	CQL_CONSISTENCY_TWO = 2,
	CQL_CONSISTENCY_THREE = 3,
	CQL_CONSISTENCY_QUORUM = 4,
	CQL_CONSISTENCY_ALL = 5,
	CQL_CONSISTENCY_LOCAL_QUORUM = 6,
	CQL_CONSISTENCY_EACH_QUORUM = 7,
	CQL_CONSISTENCY_SERIAL = 8,
	CQL_CONSISTENCY_LOCAL_SERIAL = 9,
	CQL_CONSISTENCY_LOCAL_ONE = 10
} cql_consistency;

/* A contact point, resolved: the driver looks no names up. */
typedef struct cql_contact
{
	struct sockaddr_storage address;
	socklen_t address_len;
	/* What its certificate must name; empty: the address itself. */
	char host[CQL_HOST_NAME_LEN];
} cql_contact;

/* The one whose host is written as a number; false: it is a name, which somebody has to resolve. */
extern bool cql_contact_from_number(const char *host, uint16_t port, cql_contact *contact);

typedef enum cql_tls_mode
{
	CQL_TLS_OFF,        /* plain text; no other mode ever falls back to it */
	CQL_TLS_ENCRYPT,    /* with whoever answers */
	CQL_TLS_VERIFY_CA,  /* an authority that is trusted has signed the certificate */
	CQL_TLS_VERIFY_FULL /* and it names the host */
} cql_tls_mode;

typedef enum cql_tls_version
{
	CQL_TLS_1_2,
	CQL_TLS_1_3
} cql_tls_version;

/* What a PEM text is for. */
typedef enum cql_pem
{
	CQL_PEM_ROOTS,
	CQL_PEM_CERTIFICATE,
	CQL_PEM_KEY
} cql_pem;

/* Texts are PEM. */
typedef struct cql_tls_options
{
	cql_tls_mode mode;
	cql_tls_version min_version;
	const char *roots;       /* authorities to trust; NULL: the system's */
	const char *certificate; /* ours, with what leads to its authority; NULL: none */
	const char *key;         /* of ours */
} cql_tls_options;

/* Whether a text can be used for that; false: error tells (TLS, BAD_OPTION). */
extern CQL_MUST_CHECK bool cql_pem_check(const char *text, cql_pem pem, cql_error *error);

/* Of bodies on the wire, where the node offers it too. */
typedef enum cql_compression
{
	CQL_COMPRESSION_NONE,
	CQL_COMPRESSION_LZ4
} cql_compression;

/* Copied by cql_session_new(). */
typedef struct cql_session_options
{
	const cql_contact *contacts; /* tried in this order */
	int contact_count;
	const char *user; /* NULL: none */
	const char *password;
	bool must_ask_password;       /* refuse a node that lets us in without it (NOT_ASKED) */
	const char *application_name; /* told to the server; NULL: none */
	cql_compression compression;
	cql_tls_options tls;
	uint32_t connect_timeout_ms; /* of one connection: TCP and handshake */
	uint32_t request_timeout_ms; /* of a request that names none; all its tries together */
	int max_connections;         /* 0: 32 */
	bool is_shard_aware;         /* connections to single shards, where work warrants them */
	const char *local_dc;        /* requests stay there; NULL: the first contact point's */
	const char *local_rack;      /* preferred in it; NULL: none */
	uint32_t idle_timeout_ms;    /* of a connection; 0: never. Applied when the session is used */
	uint32_t max_lifetime_ms;    /* likewise */
	int max_retries;             /* further tries of a request, where they may help */
} cql_session_options;

typedef struct cql_session cql_session;

/* Opens nothing: the first request connects. NULL: error tells. */
extern cql_session *cql_session_new(cql_loop *loop, const cql_session_options *options,
									cql_error *error);
/* Closes its connections; its requests, statements and results stay valid until freed (requests
 * fail). */
extern void cql_session_free(cql_session *session);

/* May another request be queued? Bounded by requests and bytes that wait to be written. */
extern bool cql_session_has_room(const cql_session *session);
/* A fact of the handshake; false before the first connection is ready. */
extern bool cql_session_is_scylla(const cql_session *session);

typedef struct cql_connection_info
{
	char node[CQL_NODE_NAME_LEN];
	int32_t shard; /* -1: the node has no shards, or did not tell */
	bool is_ready; /* handshake done */
	bool has_tls;
	bool has_compression;
	uint32_t in_flight; /* requests that wait for an answer */
	uint32_t orphans;   /* answers that nobody waits for any more */
	uint64_t requests;
	uint64_t bytes_sent;
	uint64_t bytes_received;
	uint64_t age_ms;
} cql_connection_info;

/* The index-th open connection; false when there are no more. */
extern bool cql_session_connection(const cql_session *session, int index, cql_connection_info *out);

/* A node that the session knows, or one of its shards. */
typedef struct cql_shard_info
{
	char node[CQL_NODE_NAME_LEN];
	const char *dc; /* NULL: not known; this and what follows lives until the loop turns */
	const char *rack;
	const char *release;
	const uint8_t *host_id; /* 16 bytes */
	const char *state;      /* "connected", "connecting", "down", "known" */
	int shard_count;        /* 0: none, or not known yet */
	int shard;              /* of cql_session_shard(); -1: the node has none */
	double load;            /* share of the ring, in percent; -1: not known */
	int connections;
	uint32_t in_flight;
	uint64_t requests;
	uint64_t errors;
	uint64_t p50_us; /* latencies of answers; 0: there were none */
	uint64_t p99_us;
	uint64_t max_us;
} cql_shard_info;

/* The index-th node; false when there are no more. */
extern bool cql_session_node(const cql_session *session, int index, cql_shard_info *out);
/* The index-th shard that this session has used, of all nodes. */
extern bool cql_session_shard(const cql_session *session, int index, cql_shard_info *out);

/* Whether a node is down, as far as is known: it was lost or told to be, and not reached since. */
extern bool cql_session_is_down(const cql_session *session, const uint8_t *host_id);
/* Find that out while the loop turns, of a node that there is no connection to. */
extern void cql_session_try_node(cql_session *session, const uint8_t *host_id);

/* ---- the ring ---- */

/* How a table's ring is to be split. */
typedef struct cql_split
{
	const char *keyspace;
	const char *table;
	cql_consistency consistency; /* of the requests that are to read the pieces */
	int wanted;                  /* about so many; at least 1 */
} cql_split;

#define CQL_NO_OWNER UINT32_MAX

typedef struct cql_ring_piece
{
	cql_token_range range;
	uint32_t replica; /* cql_request_spec.replica, for a request that reads it */
	uint32_t owner;   /* the same where the same node and shard are to be asked; NO_OWNER: any */
} cql_ring_piece;

/*
 * Find out where a table's rows are, which takes some queries the first time, over a connection that
 * the session has. False: turn the loop and call again. True: it is known, or cannot be known now.
 */
extern bool cql_session_learn_ring(cql_session *session, const char *keyspace, const char *table);

/*
 * The whole ring as pieces in its order, by what is known of it (learn_ring): by the table's tablets
 * or else by vnodes, each piece on the same replicas from end to end, the work spread over those of
 * them that are nearest. There are as many pieces as that takes, so more than are wanted where the
 * cluster is large. Where it would take more than max (at least `wanted`), or nothing is known, they
 * are `wanted` even ones without owner. Returns how many.
 */
extern int cql_session_split_ring(const cql_session *session, const cql_split *split,
								  cql_ring_piece *pieces, int max);

/* ---- statements ---- */

typedef struct cql_column
{
	const char *keyspace;
	const char *table;
	const char *name;
	const cql_type *type;
} cql_column;

/* A prepared statement. Counted: the session's cache holds one reference, users hold others. */
typedef struct cql_statement cql_statement;

/* What this session did with it. */
typedef struct cql_statement_counters
{
	uint64_t calls;
	uint64_t rows; /* received, or written */
	uint64_t bytes;
	uint64_t retries;
} cql_statement_counters;

/* The index-th of the session's cache, the last used first; NULL when there are no more. */
extern const cql_statement *cql_session_statement(const cql_session *session, int index,
												  cql_statement_counters *counters);

/* The next prepare of its text asks the server again; who holds the statement may go on. */
extern void cql_session_forget_statement(cql_session *session, cql_statement *statement);

/* The same of all statements, whose names and types may have changed. */
extern void cql_session_doubt_statements(cql_session *session);

extern cql_statement *cql_statement_share(cql_statement *statement);
extern void cql_statement_release(cql_statement *statement);
extern const char *cql_statement_text(const cql_statement *statement);
extern int cql_statement_bind_count(const cql_statement *statement);
extern const cql_column *cql_statement_bind(const cql_statement *statement, int index);
/* Bind variables that make the partition key, in the key's order; 0 if not all of it is bound. */
extern int cql_statement_key_count(const cql_statement *statement);
extern int cql_statement_key_bind(const cql_statement *statement, int index);
/* Columns of its result, as far as the server announces them at PREPARE. */
extern int cql_statement_column_count(const cql_statement *statement);
extern const cql_column *cql_statement_column(const cql_statement *statement, int index);

/* ---- requests ---- */

typedef struct cql_request cql_request;

/*
 * Prepare a text, or find it in the session's cache: then the request is done at once. Texts
 * name their keyspace (USE is never sent), so the text alone is the key of the cache.
 */
extern CQL_MUST_CHECK cql_status cql_prepare_submit(cql_session *session, const char *cql,
													cql_request **request, cql_error *error);
/* After a prepare request is done: a reference to the statement, or the error. */
extern CQL_MUST_CHECK cql_status cql_request_take_statement(cql_request *request,
															cql_statement **statement,
															cql_error *error);

/* Zero is a sensible default for every field but consistency. Nothing in it need outlive the
 * call. */
typedef struct cql_request_spec
{
	/* what */
	cql_statement *statement; /* EXECUTE; or NULL and */
	const char *cql;          /* QUERY */
	const void *values;       /* value_count [value]s: [int] length (-1 null, -2 unset), bytes */
	size_t values_len;
	int value_count;
	int more_rows; /* whose values follow, as many each: all of them go as one unlogged BATCH */
	cql_consistency consistency;
	cql_consistency serial_consistency; /* 0: the server's */
	int32_t page_rows;                  /* 0: unpaged */
	const void *paging_state;
	size_t paging_state_len;
	bool has_timestamp;
	int64_t timestamp_us;
	bool is_traced;
	/* where: hints for the choice of node and shard; never change the answer. Not needed where the
	 * statement's own values bind the partition key. */
	const void *routing_key; /* serialized partition key, as it is hashed */
	size_t routing_key_len;
	const cql_token_range *token_range; /* and */
	uint32_t replica;                   /* which of the range's replicas rather than others */
	/* how */
	bool is_idempotent;  /* may be sent again when nobody knows what became of it */
	uint32_t timeout_ms; /* 0: the session's request_timeout_ms */
} cql_request_spec;

/* BUSY: nothing was queued. The request is the caller's, to be freed. */
extern CQL_MUST_CHECK cql_status cql_request_submit(cql_session *session,
													const cql_request_spec *spec,
													cql_request **request, cql_error *error);
extern bool cql_request_is_done(const cql_request *request);

typedef struct cql_result cql_result;

/* Once done: the result becomes the caller's, or the error is filled. Once per request. */
extern CQL_MUST_CHECK cql_status cql_request_take_result(cql_request *request, cql_result **result,
														 cql_error *error);
/* Abandons it if it is not done: a late answer is thrown away, its stream id comes back then. */
extern void cql_request_free(cql_request *request);

/* ---- results: a page of rows, or the word that it is done ---- */

extern void cql_result_free(cql_result *result);
/* Bytes of the page's block, all that the result holds. */
extern size_t cql_result_byte_count(const cql_result *result);
extern const char *cql_result_node(const cql_result *result);
extern int32_t cql_result_shard(const cql_result *result); /* -1: the node has none */
/* Tries that failed before this answer. */
extern int cql_result_retry_count(const cql_result *result);
extern int cql_result_warning_count(const cql_result *result);
/* Copies the index-th warning of the server into buf, cut to fit. */
extern void cql_result_warning(const cql_result *result, int index, char *buf, size_t size);
/* 16 bytes when the request was traced, else NULL. */
extern const uint8_t *cql_result_tracing_id(const cql_result *result);
extern bool cql_result_is_schema_change(const cql_result *result);

extern int cql_result_column_count(const cql_result *result); /* 0: no rows kind */
extern const cql_column *cql_result_column(const cql_result *result, int index);
/* Whether its columns are those that the statement announced, the usual case. */
extern bool cql_result_has_columns_of(const cql_result *result, const cql_statement *statement);
extern int32_t cql_result_row_count(const cql_result *result);
extern bool cql_result_has_more_pages(const cql_result *result);
extern cql_cell cql_result_paging_state(const cql_result *result);

/*
 * The next row: column_count cells that view the page. False behind the last row. (A page whose
 * bytes are no rows never becomes a result: its request fails.)
 */
extern CQL_MUST_CHECK bool cql_result_next_row(cql_result *result, cql_cell *cells);
/* Back to the first row. */
extern void cql_result_rewind(cql_result *result);

#endif /* CQL_H */
