/*
 * Bodies of requests (protocol v4, section 4.1). Each function writes one whole frame into an
 * empty writer; the caller asks the writer for failure and takes the bytes.
 */
#ifndef CQL_WIRE_REQUEST_H
#define CQL_WIRE_REQUEST_H

#include "cql/wire/frame.h"

typedef struct cql_string_pair
{
	const char *key;
	const char *value;
} cql_string_pair;

/* <query_parameters> of QUERY and EXECUTE (v4, section 4.1.4). */
typedef struct cql_query_parameters
{
	uint16_t consistency;
	uint16_t serial_consistency; /* 0: none is sent */
	uint16_t value_count;
	const void *values; /* value_count [value]s, encoded */
	size_t values_len;
	int32_t page_rows; /* 0: the server does not page */
	const void *paging_state;
	size_t paging_state_len; /* 0: from the beginning */
	bool has_timestamp;
	int64_t timestamp_us;
} cql_query_parameters;

extern void cql_write_options(cql_writer *writer);
extern void cql_write_startup(cql_writer *writer, const cql_string_pair *options, int count);
/* SASL PLAIN token of PasswordAuthenticator: NUL user NUL password. */
extern void cql_write_auth_plain(cql_writer *writer, const char *user, const char *password);
extern void cql_write_prepare(cql_writer *writer, const char *cql);
extern void cql_write_query(cql_writer *writer, const char *cql,
							const cql_query_parameters *parameters, uint8_t flags);
/*
 * EXECUTE in the form of SCYLLA_USE_METADATA_ID: the result metadata's id stands behind the
 * statement's, and the server leaves the columns out as long as the id fits. An empty id asks for
 * the columns. Other nodes take the frame without the id:
 */
extern void cql_write_execute(cql_writer *writer, cql_view statement_id, cql_view metadata_id,
							  const cql_query_parameters *parameters, uint8_t flags);
/*
 * Turn such a frame, in place, into one for a node without the extension, which is asked for the
 * columns; it then begins at frame + the length returned. And turn it back.
 */
extern size_t cql_execute_hide_metadata_id(uint8_t *frame);
extern void cql_execute_show_metadata_id(uint8_t *frame, size_t hidden_len);
/*
 * BATCH, unlogged, of one statement for several rows (v4, section 4.1.7): the values are those of the
 * first row, of the second and so on, value_count each; other lengths fail the writer.
 */
extern void cql_write_batch(cql_writer *writer, cql_view statement_id, int row_count,
							const cql_query_parameters *parameters, uint8_t flags);
/* REGISTER for these kinds of events: TOPOLOGY_CHANGE, STATUS_CHANGE, SCHEMA_CHANGE. */
extern void cql_write_register(cql_writer *writer, const char *const *kinds, int count);

#endif /* CQL_WIRE_REQUEST_H */
