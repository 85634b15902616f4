/*
 * A keyspace's user-defined types, from system_schema.types. Asked for when IMPORT or
 * scylla_create_types need them; a scan has them whole from its statement's metadata.
 */
#ifndef SCYLLA_UDT_H
#define SCYLLA_UDT_H

#include "nodes/pg_list.h"

#include "bridge/session.h"
#include "cql/cql_value.h"

/*
 * Types (const cql_type *) with all fields, nested UDTs' included, in CurrentMemoryContext; each
 * comes after those that its fields are of. One with a field of a type that is not understood is
 * left out, and so are those that use it. Raises HV00Q.
 */
extern List *scylla_udts_load(ScyllaSession *session, const char *keyspace);

/* The one of that name, or NULL. */
extern const cql_type *scylla_udts_find(const List *udts, const char *name);

#endif /* SCYLLA_UDT_H */
