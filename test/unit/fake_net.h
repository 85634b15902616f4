/*
 * Sockets and a clock that a test rules, in the place of cql/net: time stands until the test moves it,
 * and every node is played by a peer that shakes hands and answers, or does not, as the test says.
 */
#ifndef TEST_FAKE_NET_H
#define TEST_FAKE_NET_H

#include "peer.h"

#include "cql/net/loop.h"

#define FAKE_PORT 9042
#define FAKE_SHARD_PORT 19042
#define FAKE_NODES 8
#define FAKE_MAX_OPENED 8192

struct cql_socket
{
	cql_conn *conn;
	int node; /* 127.0.0.(node + 1) */
	uint16_t port;
	bool has_source_ports;
	cql_source_ports source_ports;
	uint32_t shard;
	bool is_connected;
	uint64_t opened_ms;
	uint32_t held[64]; /* streams of requests that are not answered yet */
	int held_count;
	size_t low_water; /* as cql_socket_gather() set it last */
	cql_socket *next;
};

/* What a test sets; fake_reset() clears it. */
typedef struct fake_world
{
	uint64_t now_us;
	uint32_t shards; /* of every node; 0: none */
	bool is_shard_port_closed;
	bool is_nat;              /* source ports arrive changed: the shard is any */
	bool is_down[FAKE_NODES]; /* refuses connections */
	bool is_mute[FAKE_NODES]; /* takes everything and says nothing */
	bool is_holding;          /* requests wait for fake_answer() */

	/* what has happened */
	cql_socket *sockets; /* that are open, the newest first */
	int opened;          /* all that ever were, and of each */
	int opened_at_node[FAKE_NODES];
	uint64_t opened_ms[FAKE_MAX_OPENED];
	int answered[FAKE_NODES];
	uint32_t next_shard; /* that a plain port gives */
	uint64_t wake_at_ms;
} fake_world;

extern fake_world fake;

/* At some time that is not 0. */
extern void fake_reset(void);
extern int fake_open_count(int node); /* -1: of all */
/* Answer what is held. */
extern void fake_answer(void);
/* The node's sockets are reset. */
extern void fake_cut(int node);

#endif /* TEST_FAKE_NET_H */
