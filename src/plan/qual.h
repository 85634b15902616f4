/*
 * Which clauses CQL can say with the same meaning, and which of those an access sends.
 */
#ifndef SCYLLA_QUAL_H
#define SCYLLA_QUAL_H

#include "postgres.h"

#include "catalog/table.h"
#include "nodes/pathnodes.h"
#include "plan/access.h"

/* One restriction or join clause, judged. Immutable; lives as long as its planner context. */
typedef struct ScyllaQual
{
	RestrictInfo *rinfo;
	const ScyllaColumn *column; /* NULL: it can only be checked locally, and nothing below is set */
	ScyllaOperator op;
	Expr *value;        /* without a Var of the scanned relation */
	bool is_superset;   /* CQL may give more rows: check locally as well */
	const char *reason; /* why not pushable, or why a superset; NULL if it is exact */
} ScyllaQual;

extern ScyllaQual *scylla_qual_new(PlannerInfo *root, RelOptInfo *rel, const ScyllaTable *table,
								   RestrictInfo *rinfo);

/* An access for a list of quals: what it is, and which of them it sends. */
typedef struct ScyllaQualChoice
{
	ScyllaAccessChoice access;
	bool *used;           /* parallel to the list */
	const char **reasons; /* parallel: why a qual stays in the local filter; NULL: it doesn't */
} ScyllaQualChoice;

/* Of several conditions on one column and side an exact one is sent if there is one. */
extern void scylla_qual_choose(const ScyllaTable *table, List *quals, ScyllaQualChoice *choice);

/* A column of the table that a node stands for (binary-compatible casts looked through), or NULL. */
extern const ScyllaColumn *scylla_qual_column(RelOptInfo *rel, const ScyllaTable *table,
											  Node *node);

#endif /* SCYLLA_QUAL_H */
