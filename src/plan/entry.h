/*
 * Clauses that compare what a map has under a key: m -> 'k' = v and its like, m @> '{"k": v}'.
 */
#ifndef SCYLLA_ENTRY_H
#define SCYLLA_ENTRY_H

#include "plan/contains.h"

/*
 * Into *out, which is all zero. False: the clause asks nothing of the kind, or not of values that
 * CQL compares alike.
 */
extern bool scylla_entry_match(RelOptInfo *rel, const ScyllaTable *table, Node *clause,
							   ScyllaContains *out);

#endif /* SCYLLA_ENTRY_H */
