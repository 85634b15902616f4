/*
 * The nodes that a session knows: those that the user named, and those that the topology told.
 * A node keeps its id for the session's life, so that rings and tablets can name it by that.
 */
#ifndef CQL_NODE_H
#define CQL_NODE_H

#include "cql/cql.h"
#include "cql/latency.h"
#include "cql/ring/ring.h"

#define CQL_HOST_ID_LEN 16
#define CQL_PLACE_NAME_LEN 128

typedef struct cql_link cql_link;

/* A shard, as this session uses it. A node without shards counts as one. */
typedef struct cql_shard
{
	cql_link *link;  /* that goes there; NULL: none is ready */
	uint32_t demand; /* requests that wanted such a link, in this period */
	uint32_t demand_period;
	uint64_t requests;
	uint64_t errors;
	cql_latency *latency; /* of answers; made with the first link */
} cql_shard;

/* Owned by the session; its address is stable. */
typedef struct cql_node
{
	uint16_t id;
	bool is_contact; /* the user named its address */
	bool is_member;  /* the last topology had it */
	bool has_host_id;
	uint8_t host_id[CQL_HOST_ID_LEN];
	cql_contact address; /* that is used */
	/* Of a contact point: what the user gave, and what the topology tells (address_len 0: nothing).
	 * Which of them works depends on where one stands, and on whether the node has moved. */
	cql_contact given_address;
	cql_contact told_address;
	char name[CQL_NODE_NAME_LEN]; /* its address, printed */
	cql_place place;              /* ids of the topology's names; CQL_NO_ID: not known */
	char release[32];

	/* as its last handshake told; shard_count 0: it has none, or was never reached */
	uint32_t shard_count;
	uint32_t ignore_msb;
	uint16_t shard_port;
	uint16_t shard_port_tls;
	cql_shard *shards; /* max(shard_count, 1); NULL before the first handshake */

	int link_count;
	bool is_connecting; /* a link to it is not ready yet */

	/* a connection that work asks for, but no request waits for */
	bool is_wanted;
	int32_t wanted_shard; /* -1: any */
	uint64_t open_at_ms;
	uint32_t demand; /* while it has no link */
	uint32_t demand_period;

	/* failures in a row, and until when no connection is tried without need */
	uint32_t failures;
	uint64_t retry_at_ms;
	uint64_t tried_round; /* of attempts that requests wait for */
	/* the shard-aware port did not work, or did not give the right shard */
	uint64_t no_shard_port_until_ms;
	uint32_t shard_misses; /* connections that went to another shard than wanted */
} cql_node;

/* NULL: out of memory. */
extern cql_node *cql_node_new(uint16_t id, const cql_contact *address);
extern void cql_node_free(cql_node *node);
/* The topology says where it is. A contact point keeps the address that the user gave, */
extern void cql_node_tell_address(cql_node *node, const cql_contact *told);
/* until a connection to it fails: then the other one has its turn. */
extern void cql_node_turn_address(cql_node *node);

/* "127.0.0.1:9042", "[::1]:9042" */
extern void cql_contact_print(const cql_contact *contact, char *buf, size_t size);
extern bool cql_contact_equal(const cql_contact *a, const cql_contact *b);
extern uint16_t cql_contact_port(const cql_contact *contact);
extern void cql_contact_set_port(cql_contact *contact, uint16_t port);
/* From the bytes of an inet cell (4 or 16 of them); false: it is none, or no address of a node. */
extern bool cql_contact_from_cell(cql_cell cell, uint16_t port, cql_contact *out);

/* Shards as a handshake told them; those known before are kept if their number is the same.
 * False: out of memory. */
extern bool cql_node_set_shards(cql_node *node, uint32_t shard_count, uint32_t ignore_msb);

/* A connection failed, or one that was ready broke: wait longer each time, by chance a bit more or
 * less. random is any number. */
extern void cql_node_fail(cql_node *node, uint64_t now_ms, uint32_t random);
/* A connection to it is ready. */
extern void cql_node_succeed(cql_node *node);

#endif /* CQL_NODE_H */
