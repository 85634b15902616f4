/*
 * Bodies of responses (protocol v4, section 4.2), read into structs that view the body.
 *
 * Every function takes a reader that stands behind the frame's prefix; a body that does not hold
 * what it announces leaves that reader failed. Trailing bytes are tolerated, as v4 demands.
 */
#ifndef CQL_WIRE_RESPONSE_H
#define CQL_WIRE_RESPONSE_H

#include "cql/cql.h"
#include "cql/wire/frame.h"

/*
 * ERROR (v4, section 9): sets every field of *error - kind, server_code, message, the extra
 * fields of the code; node is left empty and shard -1, for the caller to fill. An unknown code or
 * write type is no failure. rate_limit_code is the one the server announced, 0 for none.
 * statement_id receives the id of an UNPREPARED error (a view; empty otherwise).
 */
extern void cql_read_error(cql_reader *body, int32_t rate_limit_code, cql_error *error,
						   cql_view *statement_id);

/* SUPPORTED: the values that the driver acts on, from a [string multimap]. */
typedef struct cql_supported
{
	char cql_version[32];
	bool has_lz4;
	bool is_scylla; /* any SCYLLA_* key */
	bool has_host_id;
	uint8_t host_id[16]; /* SCYLLA_HOST_ID: what system.local would tell */
	/* Sharding, all zero unless the node told everything and in the way that we know. */
	uint32_t shard;
	uint32_t shard_count;
	uint32_t ignore_msb;
	uint16_t shard_aware_port;
	uint16_t shard_aware_port_tls;
	/* Extensions that STARTUP may ask for. */
	bool has_tablets_v1;
	bool has_metadata_id;
	uint32_t lwt_mask;       /* SCYLLA_LWT_ADD_METADATA_MARK, 0: not offered */
	int32_t rate_limit_code; /* SCYLLA_RATE_LIMIT_ERROR, 0: not offered */
} cql_supported;

extern void cql_read_supported(cql_reader *body, cql_supported *out);

/* RESULT's kinds: an [int] that the caller reads; what follows is read by the functions below. */
typedef enum cql_result_kind
{
	CQL_RESULT_VOID = 1,
	CQL_RESULT_ROWS = 2,
	CQL_RESULT_SET_KEYSPACE = 3,
	CQL_RESULT_PREPARED = 4,
	CQL_RESULT_SCHEMA_CHANGE = 5
} cql_result_kind;

/*
 * Columns of a result or bind variables of a statement. Owns its strings and types; counted,
 * since the pages of a statement share the one that PREPARE brought.
 */
typedef struct cql_metadata
{
	int references;
	int32_t column_count;
	cql_column *columns;
	int32_t key_count;     /* bind metadata: length of key_indexes */
	uint16_t *key_indexes; /* which bind variables make the partition key, in its order */
	bool is_lwt;           /* bind metadata: the server's LWT mark */
	/* The bytes that the columns were read from, to know them again without parsing. */
	uint8_t *spec;
	size_t spec_len;
	bool has_global_spec;
	cql_type_arena *arena;
} cql_metadata;

extern cql_metadata *cql_metadata_share(cql_metadata *metadata);
extern void cql_metadata_release(cql_metadata *metadata);

/* What stands before the columns in <metadata>. */
typedef struct cql_rows_head
{
	bool has_more_pages;
	cql_cell paging_state;
	cql_view new_metadata_id; /* empty unless the server says that the metadata changed */
	cql_metadata *metadata;   /* a reference for the caller; NULL if failed */
} cql_rows_head;

/*
 * <metadata> of a ROWS result; behind it stand [int] row count and the rows. known may be the
 * statement's metadata: it is shared again when the bytes are the same (nothing is allocated
 * then), and used when the server left the columns out. More pages without a paging state to ask
 * for them are malformed. Failure to allocate and malformed bytes both fail the reader;
 * *is_out_of_memory tells them apart.
 */
extern void cql_read_rows_head(cql_reader *body, cql_metadata *known, cql_rows_head *out,
							   bool *is_out_of_memory);

/* A PREPARED result. has_metadata_id: the extension was negotiated. lwt_mask as announced. */
typedef struct cql_prepared
{
	cql_view id;
	cql_view metadata_id;
	cql_metadata *bind;   /* references for the caller; NULL if failed */
	cql_metadata *result; /* column_count 0 when the server announces none */
} cql_prepared;

extern void cql_read_prepared(cql_reader *body, bool has_metadata_id, uint32_t lwt_mask,
							  cql_prepared *out, bool *is_out_of_memory);

/* SCHEMA_CHANGE, as a result or the rest of an event; views. */
typedef struct cql_schema_change
{
	cql_view change; /* CREATED, UPDATED, DROPPED */
	cql_view target; /* KEYSPACE, TABLE, TYPE, FUNCTION, AGGREGATE */
	cql_view keyspace;
	cql_view name;
} cql_schema_change;

extern void cql_read_schema_change(cql_reader *body, cql_schema_change *out);

typedef enum cql_event_kind
{
	CQL_EVENT_UNKNOWN, /* to be passed over */
	CQL_EVENT_TOPOLOGY,
	CQL_EVENT_STATUS,
	CQL_EVENT_SCHEMA
} cql_event_kind;

/* EVENT (v4, section 4.2.6); views. */
typedef struct cql_event
{
	cql_event_kind kind;
	cql_view change;        /* NEW_NODE, REMOVED_NODE, MOVED_NODE; UP, DOWN */
	const uint8_t *address; /* of the node, for clients: address_len (4 or 16) bytes */
	uint8_t address_len;    /* 0 in a change of the schema */
	uint16_t port;
	cql_schema_change schema; /* of a change of the schema */
} cql_event;

extern void cql_read_event(cql_reader *body, cql_event *out);

#endif /* CQL_WIRE_RESPONSE_H */
