/*
 * What a session knows of its cluster: nodes, data centers, racks, the ring, keyspaces, tablets.
 *
 * Read from the system tables over whatever link there is, once work is sustained, and again by
 * age, after events and when something did not fit. What was read is used until it is read anew.
 */
#ifndef CQL_TOPOLOGY_H
#define CQL_TOPOLOGY_H

#include "cql/conn/conn.h"
#include "cql/node.h"
#include "cql/ring/tablets.h"

typedef struct cql_keyspace
{
	char *name;
	cql_replication replication;
} cql_keyspace;

/* A table whose tablets were learnt. Its address is stable until the topology says it is gone. */
typedef struct cql_table cql_table;
struct cql_table
{
	cql_table *next;
	char *keyspace;
	char *name;
	cql_tablets tablets;
};

typedef struct cql_rack
{
	uint16_t dc;
	char *name;
} cql_rack;

/* The queries of one reading, all under way at once. */
typedef enum cql_topology_query
{
	CQL_QUERY_LOCAL,
	CQL_QUERY_PEERS,
	CQL_QUERY_KEYSPACES,
	CQL_QUERY_COUNT
} cql_topology_query;

typedef struct cql_topology
{
	cql_node **nodes; /* by id; never NULL */
	int node_count;
	int node_capacity;
	char *dcs[CQL_MAX_DCS]; /* names, by id */
	int dc_count;
	cql_rack *racks; /* by id */
	int rack_count;
	int rack_capacity;
	uint16_t local_dc; /* CQL_NO_ID: not known yet */
	uint16_t local_rack;

	cql_ring ring;
	cql_keyspace *keyspaces;
	int keyspace_count;
	cql_table *tables;
	/* rises when keyspaces, tables or the ring are others; 0: nothing was read yet */
	uint64_t generation;
	int member_count;

	/* reading */
	cql_request *queries[CQL_QUERY_COUNT];
	bool is_reading;
	cql_node *control;    /* whom it asks */
	bool has_no_peers_v2; /* Cassandra 3, ScyllaDB */
	uint64_t read_at_ms;  /* when the next reading is due */
	uint64_t content;     /* hash of what the last one brought */
	uint64_t readings;
	cql_link *listener; /* the link whose events come; the pool clears it */
} cql_topology;

extern bool cql_topology_init(cql_topology *topology, const cql_contact *contacts, int count);
extern void cql_topology_cleanup(cql_topology *topology);

/* After a turn: begin to read it if that is due, take what was read. */
extern void cql_topology_process(cql_session *session, uint64_t now_ms);
/* Take note: what is known may be old. */
extern void cql_topology_doubt(cql_session *session, uint64_t now_ms);

/* An event of the listener, whose body is freed. */
extern void cql_topology_take_event(cql_session *session, cql_conn_event *event, uint64_t now_ms);

/* Of a keyspace and table; NULL: not known. */
extern const cql_keyspace *cql_topology_keyspace(const cql_topology *topology, const char *name);
extern cql_table *cql_topology_table(const cql_topology *topology, const char *keyspace,
									 const char *name);

/* A tablet, from the payload of an answer; wrong bytes are passed over. */
extern void cql_topology_learn(cql_session *session, const cql_column *column, cql_cell payload);

#endif /* CQL_TOPOLOGY_H */
