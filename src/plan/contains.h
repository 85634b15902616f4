/*
 * Clauses that ask whether a collection contains something: x = ANY (column), column @> array,
 * column ? text of jsonb and hstore, and what plan/entry.h recognises.
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
	ScyllaConditionForm form; /* SCYLLA_FORM_CONTAINS, SCYLLA_FORM_CONTAINS_KEY or
							   * SCYLLA_FORM_ENTRY */
	const cql_type *cql;      /* of an element or key; NULL: keys and values of a map */
	List *keys;               /* Node, parallel to values, of SCYLLA_FORM_ENTRY */
	List *values;             /* Node: the collection contains all of them */
	Oid collation;
} ScyllaContains;

/* The elements of an array (Node), as far as it is known when planned; those of a constant without
 * NULLs. NIL: it has none, or is not known. */
extern List *scylla_list_elements(Node *array);

/* Into *out, which is all zero. False: the clause asks nothing of the kind, or not of something that
 * CQL can compare alike. */
extern bool scylla_contains_match(RelOptInfo *rel, const ScyllaTable *table, Node *clause,
								  ScyllaContains *out);

#endif /* SCYLLA_CONTAINS_H */
