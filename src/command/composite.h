/*
 * Composite types that stand for UDTs: the type of the UDT's name in a schema, if it goes with the
 * UDT. Nothing else marks it, so that a type made by hand does as well.
 */
#ifndef SCYLLA_COMPOSITE_H
#define SCYLLA_COMPOSITE_H

#include "cql/cql_value.h"

typedef enum ScyllaCompositeFit
{
	SCYLLA_COMPOSITE_NONE, /* there is no type of that name */
	SCYLLA_COMPOSITE_FITS,
	SCYLLA_COMPOSITE_OTHER /* it is no composite type of these fields, but a table's row, say */
} ScyllaCompositeFit;

/* udt has all its fields. Sets *type if there is one of its name. */
extern ScyllaCompositeFit scylla_composite_find(const cql_type *udt, Oid schema, Oid *type);

#endif /* SCYLLA_COMPOSITE_H */
