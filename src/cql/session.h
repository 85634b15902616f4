/*
 * The driver's insides, for the files of this folder alone.
 *
 * Who owns what: a loop links its sessions; a session owns its nodes, its links to them and the
 * cache of its statements, and links its requests, which belong to the user. A request whose
 * session is gone has session NULL and is done.
 */
#ifndef CQL_SESSION_H
#define CQL_SESSION_H

#include "cql/link.h"
#include "cql/topology.h"

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
	bool has_stream_key; /* its partition key is the id of a CDC log's stream */
	/* where its rows are, as far as the topology of that generation knew */
	uint64_t generation;
	const cql_keyspace *keyspace;
	const cql_table *table;
	cql_statement_counters counters;
	bool is_doubted; /* the next prepare of its text asks the server */
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
/* In the place of one of the same text, whose counters it goes on with. */
extern void cql_cache_replace(cql_statement_cache *cache, cql_statement *old,
							  cql_statement *statement);
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
	int32_t shard;
	int retry_count;
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

/* ---- requests ---- */

typedef enum cql_request_step
{
	CQL_STEP_RUN,      /* QUERY or EXECUTE is to be answered */
	CQL_STEP_PREPARE,  /* the user's PREPARE is */
	CQL_STEP_REPREPARE /* a PREPARE after UNPREPARED is; then the kept frame runs again */
} cql_request_step;

/* Nodes that a request remembers to have failed it. */
#define CQL_MAX_TRIED 8

struct cql_request
{
	cql_exchange exchange; /* first: the connection gives back pointers to it */
	cql_session *session;
	cql_request *prev; /* among the session's requests */
	cql_request *next;
	cql_request *prev_waiting; /* while is_waiting */
	cql_request *next_waiting;
	bool is_waiting; /* for a connection, or for a stream id on it, or for its time */
	bool is_done;
	cql_link *link; /* while on one */
	cql_link *pin;  /* the only one that it should go to, while it stands */
	cql_request_step step;
	int reprepare_count;

	/* where it goes */
	bool has_token;
	bool is_range; /* a scan's: worth a connection of its own */
	bool is_local; /* its consistency is about the local data center */
	int64_t token;
	uint32_t replica; /* of a range: the one that should be asked first */

	/* when, and how often */
	uint32_t timeout_ms;
	/* in attended time: of all its tries; before the first, of its wait for a connection */
	uint64_t deadline_ms;
	uint64_t not_before_ms;
	uint64_t sent_us;
	bool is_idempotent;
	bool may_be_conditional; /* a serial consistency was given */
	bool was_sent;
	bool was_repeated_once; /* a try that is allowed once was made */
	bool may_return;        /* to a node that was tried */
	int retry_count;
	int tried_count;
	uint16_t tried[CQL_MAX_TRIED];

	char *text;               /* PREPARE's */
	cql_statement *statement; /* EXECUTE's, or what PREPARE brought */
	int written_rows;         /* of a statement without result columns */
	uint8_t *kept_frame;      /* EXECUTE's, while REPREPARE is under way */
	size_t kept_frame_len;
	cql_result *result;
	cql_error error; /* of the last try; kind NONE: there was none, or success */
};

/* As cql_request_submit(), on that link if it stands (NULL: any). */
extern CQL_MUST_CHECK cql_status cql_request_submit_on(cql_session *session,
													   const cql_request_spec *spec, cql_link *link,
													   cql_request **request, cql_error *error);
/* Give it the frame that prepares a text; false: out of memory. */
extern bool cql_request_set_prepare(cql_request *request, const char *text);
/* The request's exchange is done, in whatever way: take the next step or finish. */
extern void cql_request_advance(cql_request *request);
/* Finish it with an error that was copied from somewhere. */
extern void cql_request_fail(cql_request *request, const cql_error *error);
extern void cql_request_succeed(cql_request *request);
/* Put it on a link; false when that takes no more now. */
extern bool cql_request_send(cql_request *request, cql_link *link);
/* Its time is over before it was on a link (again). */
extern void cql_request_expire(cql_request *request);
extern bool cql_request_has_tried(const cql_request *request, const cql_node *node);

/* ---- what to do about a failed try (retry.c) ---- */

typedef enum cql_retry
{
	CQL_RETRY_NOT,
	CQL_RETRY_SAME, /* on the same node */
	CQL_RETRY_NEXT  /* on another one */
} cql_retry;

typedef struct cql_retry_verdict
{
	cql_retry retry;
	bool is_once;   /* and then never again */
	bool is_paused; /* after a pause: the node has too much to do */
} cql_retry_verdict;

/* By the error alone, and whether the request may be run twice. */
extern cql_retry_verdict cql_retry_judge(const cql_error *error, bool is_idempotent);
/* How long to pause before the n-th retry. random is any number. */
extern uint32_t cql_retry_pause_ms(int retry_count, uint32_t random);

/* ---- links of a session (pool.c) ---- */

/* Links that a session opens at once. */
#define CQL_POOL_MAX_CONNECTING 4

typedef struct cql_pool
{
	cql_link *first; /* by age */
	int count;
	int connecting; /* of them, not ready yet */
	int wanted;     /* nodes that is_wanted */
	uint64_t tidy_at_ms;
	/* attempts that requests wait for: each node is tried once in a round */
	uint64_t round;
	uint64_t last_attempt_ms; /* attended time */
	int attempts;
	cql_error failure; /* of those of this round, their messages joined */
	int losses;        /* links that were ready and broke since the last answer */
} cql_pool;

/* After a turn: what came in and what is due on the links; open those that are wanted. */
extern void cql_pool_process(cql_session *session, uint64_t now_ms);
/* Whoever asks for it counts it against what the session may have. NULL: out of memory. */
extern cql_link *cql_pool_open(cql_session *session, cql_node *node, int32_t shard);
/* As a weight: worth a link of its own, if one may be opened. */
#define CQL_WEIGHT_AT_ONCE 1000
/* So many requests would rather have gone to this node, and shard (-1: any). */
extern void cql_pool_want(cql_session *session, cql_node *node, int32_t shard, uint32_t weight);
/* A link that is retired gets another request, since none else takes it: that is to change, or work
 * that goes on and on would keep it for ever. */
extern void cql_pool_replace(cql_session *session, const cql_link *link);
/* Nothing is on the link: look whether it still stands. False: it was dropped. */
extern bool cql_pool_check(cql_session *session, cql_link *link, uint64_t now_ms);
extern uint64_t cql_pool_next_deadline(const cql_session *session);
extern void cql_pool_close(cql_session *session);
/* Links beyond the first that the session has, and those that it would open next. */
extern int cql_pool_extra_count(const cql_session *session);
extern int cql_pool_wanted_count(const cql_session *session);

/* ---- links that requests wait for (round.c) ---- */

extern void cql_round_begin(cql_session *session);
/* Requests wait and no link takes them: try the next node, or fail those for which all were tried. */
extern void cql_round_advance(cql_session *session, uint64_t now_ms);
/* When another node may be tried beside those that are, in attended time. */
extern uint64_t cql_round_next_ms(const cql_session *session);
/* A link that requests waited for ended before it was ready. */
extern void cql_round_take_failure(cql_session *session, const cql_error *error);

/* ---- where rows are (locate.c) ---- */

/* How the rows of a table are spread. */
typedef struct cql_placement
{
	const cql_keyspace *keyspace; /* NULL: not known */
	const cql_table *table;       /* NULL: not by tablets */
	uint16_t dc;                  /* only replicas there; CQL_NO_ID: all */
} cql_placement;

/* The replicas of a token in their order; returns how many (at most CQL_MAX_REPLICAS), 0: not
 * known. Shards are NO_ID where they follow from the token. */
extern int cql_locate(const cql_topology *topology, const cql_placement *placement, int64_t token,
					  cql_tablet_replica *replicas);
/* The shard of a replica, which is on that node; -1: the node has none. */
extern int32_t cql_shard_at(const cql_node *node, const cql_tablet_replica *replica, int64_t token);

/* Smaller is nearer. */
typedef enum cql_rank
{
	CQL_IN_RACK,
	CQL_IN_DC,
	CQL_ELSEWHERE,
	CQL_RANK_COUNT
} cql_rank;

extern cql_rank cql_rank_of(const cql_topology *topology, const cql_node *node);

/* ---- the choice of a link (route.c) ---- */

/* NULL: none takes it now. Notes where a link would have been better. */
extern cql_link *cql_route_pick(cql_session *session, cql_request *request);
/* Whether there is more than one place that a request may go to. */
extern bool cql_route_needs_tokens(const cql_session *session);
/* Whether the request may run on the node at all. */
extern bool cql_route_allows(const cql_session *session, const cql_request *request,
							 const cql_node *node);

/* ---- sessions ---- */

struct cql_session
{
	cql_loop *loop;
	cql_session *next_in_loop;
	/* options, copied */
	cql_link_options link_options;
	cql_link_limits link_limits;
	char *user;
	char *password;
	char *application_name;
	cql_tls_context *tls; /* NULL: plain text */
	char *local_dc;       /* NULL: the first contact point's */
	char *local_rack;
	uint32_t request_timeout_ms;
	int contact_count;
	int max_connections;
	int max_retries;

	cql_topology topology;
	cql_pool pool;

	cql_request *requests; /* all that are the user's and know this session */
	cql_request *waiting_first;
	cql_request *waiting_last;
	size_t waiting_bytes;
	uint64_t waiting_due_ms; /* the earliest attended time that matters to one of those that wait */
	uint32_t open_count;     /* requests that are not done */
	uint64_t request_count;  /* all so far */
	uint32_t turn;           /* spreads requests over nodes that are as good */

	cql_statement_cache cache;
	bool is_scylla;
	bool has_tablets;
	uint64_t random_state;
};

/* Send a request, or line it up for the next link that takes it. */
extern void cql_session_start(cql_session *session, cql_request *request);
extern void cql_session_enqueue(cql_session *session, cql_request *request);
extern void cql_session_dequeue(cql_session *session, cql_request *request);
/* Fail all that wait. */
extern void cql_session_fail_waiting(cql_session *session, const cql_error *error);
/* After a turn: everything that came in or is due. */
extern void cql_session_process(cql_session *session, uint64_t now_ms);
/* Earliest time by the clock at which it has to be processed again; UINT64_MAX for none. */
extern uint64_t cql_session_next_deadline(const cql_session *session);
extern uint32_t cql_session_random(cql_session *session);
/* Whether requests of a consistency stay in the local data center. */
extern bool cql_consistency_is_local(cql_consistency consistency);

struct cql_loop
{
	cql_net *net;
	cql_session *sessions;
	cql_clock clock;
	int extra_granted; /* links beyond the first of each session that may stand */
	uint32_t share;    /* see cql_loop_gather() */
};

/* An error with our own text. */
extern void cql_error_set(cql_error *error, cql_error_kind kind, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* More of an error's text, as far as there is room. */
extern void cql_error_append(cql_error *error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif /* CQL_SESSION_H */
