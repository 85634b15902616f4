/*
 * Reads a remote table's indexes and views, and judges which of them a statement may go by.
 * Private to catalog/.
 */
#ifndef SCYLLA_REMOTE_PATH_H
#define SCYLLA_REMOTE_PATH_H

#include "catalog/schema.h"

typedef struct ScyllaPathQueries ScyllaPathQueries;

/* Ask for them, in CurrentMemoryContext. Does not wait. */
extern ScyllaPathQueries *scylla_remote_paths_start(ScyllaSession *session, const char *keyspace,
													const char *table);

/*
 * Wait for the answers and fill in the table's indexes and views, in CurrentMemoryContext; also
 * what there is to say of a table that is a view itself.
 */
extern void scylla_remote_paths_read(ScyllaPathQueries *queries, ScyllaRemoteTable *table);

/* Whether a view is the store of one of the indexes (char *): ScyllaDB names it after the index. */
extern bool scylla_is_index_view(const char *view, const List *indexes);

#endif /* SCYLLA_REMOTE_PATH_H */
