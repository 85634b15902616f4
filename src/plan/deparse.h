/*
 * Pieces of CQL text.
 */
#ifndef SCYLLA_DEPARSE_H
#define SCYLLA_DEPARSE_H

#include "postgres.h"

#include "catalog/table.h"
#include "lib/stringinfo.h"

/* Append a name so that CQL reads it with exact case: quoted wherever it has to be. */
extern void scylla_deparse_name(StringInfo out, const char *name);

/* Append keyspace.table. */
extern void scylla_deparse_table(StringInfo out, const char *keyspace, const char *table);

/* token("K", l), of the whole partition key. */
extern char *scylla_deparse_token(const ScyllaTable *table);

/* What CQL selects for a computed column, as ttl("V"); another column's name, unquoted. */
extern char *scylla_deparse_function(const ScyllaTable *table, const ScyllaColumn *column);

#endif /* SCYLLA_DEPARSE_H */
