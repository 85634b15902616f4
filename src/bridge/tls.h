/*
 * Options of TLS become what the driver takes: PEM texts, read from files where they are paths.
 */
#ifndef SCYLLA_TLS_H
#define SCYLLA_TLS_H

#include "postgres.h"

#include "cql/cql.h"
#include "option.h"

/* For a session of that user. Texts are palloc'ed in the current context. */
extern cql_tls_options scylla_tls_options(const ScyllaOptions *options, Oid userid);

#endif /* SCYLLA_TLS_H */
