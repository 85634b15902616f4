/*
 * Whether the nodes of a cluster have the same schema.
 */
#ifndef SCYLLA_AGREEMENT_H
#define SCYLLA_AGREEMENT_H

#include "bridge/session.h"

/*
 * Wait after DDL until all nodes know of it, so that what comes next finds it wherever it is asked.
 * For ten seconds, or request_timeout if that is less: then a WARNING tells that they do not agree.
 * A node that is down is not waited for; where nothing is known of one that does not agree, a
 * connection to it is tried. Never an error of the cluster's.
 */
extern void scylla_schema_await_agreement(ScyllaSession *session);

#endif /* SCYLLA_AGREEMENT_H */
