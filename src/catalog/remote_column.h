/*
 * Reads the columns of a remote table or view. Private to catalog/.
 */
#ifndef SCYLLA_REMOTE_COLUMN_H
#define SCYLLA_REMOTE_COLUMN_H

#include "catalog/schema.h"
#include "catalog/system_query.h"

/* Ask for them; schema is system_schema or system_virtual_schema. Does not wait. */
extern ScyllaSystemQuery *scylla_remote_columns_start(ScyllaSession *session, const char *schema,
													  const char *keyspace, const char *table);

/* Wait for the answer and fill the table's columns, in CurrentMemoryContext: none if it is not
 * there, or if the server refuses and that is tolerated. */
extern void scylla_remote_columns_read(ScyllaSystemQuery *query, ScyllaTolerance tolerance,
									   ScyllaRemoteTable *table);

#endif /* SCYLLA_REMOTE_COLUMN_H */
