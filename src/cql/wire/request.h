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
	bool is_metadata_skipped;
} cql_query_parameters;

extern void cql_write_options(cql_writer *writer);
extern void cql_write_startup(cql_writer *writer, const cql_string_pair *options, int count);
/* SASL PLAIN token of PasswordAuthenticator: NUL user NUL password. */
extern void cql_write_auth_plain(cql_writer *writer, const char *user, const char *password);
extern void cql_write_prepare(cql_writer *writer, const char *cql);
extern void cql_write_query(cql_writer *writer, const char *cql,
							const cql_query_parameters *parameters, uint8_t flags);
/* metadata_id is empty unless the server offered the extension (SCYLLA_USE_METADATA_ID). */
extern void cql_write_execute(cql_writer *writer, cql_view statement_id, cql_view metadata_id,
							  const cql_query_parameters *parameters, uint8_t flags);

#endif /* CQL_WIRE_REQUEST_H */
