/*
 * Typing bind values that users give to SQL functions.
 */
#ifndef SCYLLA_BIND_VALUE_H
#define SCYLLA_BIND_VALUE_H

#include "postgres.h"

#include "cql/cql_value.h"

/*
 * Gives a value a type that goes with a CQL type: an untyped literal (of type unknown) is read as
 * what IMPORT would declare, other types go there by an implicit cast where there is one. What
 * still does not fit is left to the converter to refuse.
 */
extern Datum scylla_bind_coerce(const cql_type *cql, Datum value, Oid *type);

#endif /* SCYLLA_BIND_VALUE_H */
