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
	/* that of the first keyspace which is replicated in the same way, perhaps itself */
	const cql_replication *replication;
	cql_replication own;
} cql_keyspace;

/* A table that may have tablets. Its address is stable until the topology says it is gone. */
typedef struct cql_table cql_table;
struct cql_table
{
	cql_table *next;
	char *keyspace;
	char *name;
	bool has_tablets;    /* else its rows are where the ring says */
	bool is_wanted;      /* its tablets are to be read */
	uint64_t read_at_ms; /* when that would be due again */
	cql_tablets tablets;
};

/* What is asked for a table: its id, as that of a table and of a view; then its tablets; then
 * those of the table that it is placed with. */
typedef enum cql_table_step
{
	CQL_TABLE_IDS,
	CQL_TABLE_TABLETS,
	CQL_TABLE_BASE_TABLETS
} cql_table_step;

#define CQL_TABLE_QUERY_COUNT 2

typedef struct cql_table_reading
{
	cql_table *table; /* NULL: none is read */
	cql_table_step step;
	cql_request *queries[CQL_TABLE_QUERY_COUNT];
} cql_table_reading;

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
	cql_table_reading table_reading;
	/* another one when keyspaces, tables or the ring are others; 0: nothing was read yet */
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

/* Begin to read it unless that was tried lately. False: it is not being read. */
extern bool cql_topology_read(cql_session *session, uint64_t now_ms);
/* That a reading goes by; NULL: there is none. */
extern cql_link *cql_topology_pick_link(const cql_session *session);

/* Take a generation that no session's topology had, for statements remember nothing else of whose
 * knowledge they go by. */
extern void cql_topology_renew(cql_topology *topology);

/* NULL: not known. */
extern const cql_keyspace *cql_topology_keyspace(const cql_topology *topology, const char *name);
extern cql_node *cql_topology_host(const cql_topology *topology, const uint8_t *host_id);

/* NULL: out of memory, or too many. */
extern cql_node *cql_topology_add_node(cql_topology *topology, const cql_contact *address);

/* ---- what a reading brought (topology_rows.c) ---- */

/* False: it cannot be taken over, and nothing but nodes may have changed. */
extern bool cql_topology_take(cql_session *session, cql_result *const *results);
extern void cql_keyspaces_free(cql_keyspace *keyspaces, int count);

/* ---- tables (table.c) ---- */

/* After a turn: read the tablets of those that are wanted. */
extern void cql_tables_process(cql_session *session, uint64_t now_ms);
/* Let go of those that are not kept; NULL: of all. */
extern void cql_tables_forget(cql_topology *topology,
							  bool (*is_kept)(const cql_topology *, const cql_table *));
/* A table that has tablets; NULL: it has none, or that is not known, */
extern const cql_table *cql_table_known(const cql_topology *topology, const char *keyspace,
										const char *name);
/* and then it is found out. */
extern const cql_table *cql_table_find(cql_session *session, const cql_keyspace *keyspace,
									   const char *name);
/* A tablet, from the payload of an answer; wrong bytes are passed over. */
extern void cql_table_learn(cql_session *session, const cql_column *column, cql_cell payload);

#endif /* CQL_TOPOLOGY_H */
