/*
 * A session that knows a cluster, for unit tests of what it makes of that: nodes in their places, a
 * ring, a keyspace "ks" with a table "t", and links that are ready as if there were sockets.
 */
#ifndef TEST_CLUSTER_H
#define TEST_CLUSTER_H

#include "support.h"

#include "cql/session.h"

typedef struct cluster_node
{
	uint16_t dc;
	uint16_t rack; /* an id of its own in every data center */
	uint32_t shards;
} cluster_node;

/* Addresses of nodes: 127.0.0.1 and what follows. */
#define CLUSTER_MAX_NODES 96
extern void cluster_make_contacts(cql_contact *contacts, int count);

/* With so many random tokens for each node; data center 0 is the local one. */
extern void cluster_init(cql_session *session, const cluster_node *nodes, int count,
						 int tokens_of_node);
extern void cluster_cleanup(cql_session *session);
/* The same for a session whose contact points are the nodes, as if it had read its topology. */
extern void cluster_learn(cql_session *session, const cluster_node *nodes, int tokens_of_node);

/* One that has learned of as many nodes of one data center (at most three), each in a rack of its own,
 * which are its contact points. */
extern cql_session *cluster_open(cql_loop *loop, int node_count,
								 const cql_session_options *options);

/* By the key of ks.t; what a session notes in it is that session's. */
extern cql_statement cluster_statement;
/* A request that has to be taken. */
extern cql_request *cluster_submit(cql_session *session, const cql_request_spec *spec);

/* Factors of data centers 0 and 1. */
extern void cluster_replicate(cql_session *session, uint16_t factor, uint16_t other_factor);
/* The table has tablets, none of which is known yet. */
extern cql_table *cluster_add_tablets(cql_session *session);

/* splitmix64: numbers that are the same in every run */
extern uint64_t next_number(uint64_t *state);

#endif /* TEST_CLUSTER_H */
