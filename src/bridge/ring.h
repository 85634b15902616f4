/*
 * Where the rows of a table are, for who reads all of them.
 */
#ifndef SCYLLA_RING_H
#define SCYLLA_RING_H

#include "bridge/session.h"

/*
 * The ring of a table in pieces (cql_session_split_ring), in CurrentMemoryContext. What has to be
 * found out for it is waited for; so a statement should have been prepared before, or there is no
 * connection to ask by. The session must be pinned.
 */
extern cql_ring_piece *scylla_split_ring(const ScyllaSession *session, const cql_split *split,
										 int max, int *count);

#endif /* SCYLLA_RING_H */
