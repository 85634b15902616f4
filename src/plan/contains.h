/*
 * Clauses that ask whether a collection contains something: x = ANY (column), column @> array, and
 * jsonb's column ? text.
 */
#ifndef SCYLLA_CONTAINS_H
#define SCYLLA_CONTAINS_H

#include "postgres.h"

#include "catalog/table.h"
#include "nodes/pathnodes.h"
#include "plan/access.h"

typedef struct ScyllaContains
{
	const ScyllaColumn *column;
	ScyllaConditionForm form; /* SCYLLA_FORM_CONTAINS or SCYLLA_FORM_CONTAINS_KEY */
	const cql_type *cql;      /* of an element or key */
	List *values;             /* Node: the collection contains all of them */
	Oid collation;
} ScyllaContains;

/* False: the clause asks nothing of the kind, or not of something that CQL can compare alike. */
extern bool scylla_contains_match(RelOptInfo *rel, const ScyllaTable *table, Node *clause,
								  ScyllaContains *out);

#endif /* SCYLLA_CONTAINS_H */
