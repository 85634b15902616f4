/*
 * A link: a connection with its socket, to a node and perhaps to one of its shards. It lives from
 * opening, over ready, to closed; the pool owns it and drops it then.
 *
 * What tells a silent peer from a dead one is a heartbeat: OPTIONS, which every server answers at
 * once, sent when requests are on the link and nothing has come for a while.
 */
#ifndef CQL_LINK_H
#define CQL_LINK_H

#include "cql/clock.h"
#include "cql/conn/conn.h"
#include "cql/net/loop.h"
#include "cql/node.h"

typedef struct cql_link
{
	cql_conn conn;
	cql_socket *socket; /* NULL: it was refused at once, and conn is closed */
	cql_node *node;
	cql_link *next; /* of the session's, the oldest first */
	uint32_t shard; /* index into the node's shards, once is_ready */
	int32_t wanted_shard;
	uint64_t opened_ms;
	uint64_t used_ms; /* when the last request was put on it */
	/* the attended time since which nothing has come, though something was waited for; judged by
	 * bytes_received */
	uint64_t silent_ms;
	uint64_t heard_bytes;
	cql_exchange heartbeat; /* state IDLE: none is out */
	cql_exchange listening; /* REGISTER, likewise */
	bool is_on_shard_port;
	bool is_ready;     /* the pool took note of the handshake's end */
	bool is_needed;    /* requests waited for it when it was opened */
	bool is_abandoned; /* while it was not ready, nobody waited for it any more */
	bool is_retired;   /* takes no requests if another does; closed when nothing is on it */
} cql_link;

/* What the links of a session have in common; borrowed strings outlive them. */
typedef struct cql_link_options
{
	cql_net *net;
	const cql_clock *clock;
	const char *user;
	const char *password;
	const char *application_name;
	bool must_ask_password;
	bool is_shard_aware;
	cql_compression compression;
	cql_tls_context *tls; /* NULL: plain text */
	uint32_t connect_timeout_ms;
	uint32_t heartbeat_timeout_ms; /* silence until a heartbeat, and that until the end */
} cql_link_options;

/*
 * Begin to connect: to the shard-aware port where a shard (not -1) is wanted and the node has the
 * port. random picks the first source port tried. NULL: out of memory.
 */
extern cql_link *cql_link_open(cql_node *node, int32_t wanted_shard,
							   const cql_link_options *options, uint32_t random);
/* After its exchanges were taken. */
extern void cql_link_free(cql_link *link);

/* How well a request is off on it: not at all, only if there is no other, well. */
typedef enum cql_link_fitness
{
	CQL_LINK_UNFIT,
	CQL_LINK_POOR,
	CQL_LINK_FIT
} cql_link_fitness;

extern cql_link_fitness cql_link_judge(const cql_link *link);
extern uint32_t cql_link_in_flight(const cql_link *link);

/* Have events come on it from now on. */
extern void cql_link_listen(cql_link *link, const cql_link_options *options);

/* How long links may stand. 0: for ever. */
typedef struct cql_link_limits
{
	uint32_t idle_timeout_ms;
	uint32_t max_lifetime_ms;
} cql_link_limits;

/*
 * Before a request is put on it while nothing else is: close it if it has been idle or alive for
 * too long, or if the peer went away meanwhile.
 */
extern void cql_link_check_idle(cql_link *link, const cql_link_limits *limits, uint64_t now_ms);
/* A request was put on it. */
extern void cql_link_touch(cql_link *link, const cql_link_options *options);
/* Have its socket wake who waits only once 1/share of the answers that it owes came (0: at each). */
extern void cql_link_gather(cql_link *link, uint32_t share);
/* After a turn: end what is due, ask whether the peer lives if it is silent. */
extern void cql_link_watch(cql_link *link, const cql_link_options *options);
/* In attended time. */
extern uint64_t cql_link_next_deadline(const cql_link *link, const cql_link_options *options);

#endif /* CQL_LINK_H */
