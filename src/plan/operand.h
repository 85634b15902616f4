/*
 * What stands on the remote side of a comparison: a column, or something that CQL can restrict by
 * way of one.
 */
#ifndef SCYLLA_OPERAND_H
#define SCYLLA_OPERAND_H

#include "postgres.h"

#include "catalog/table.h"
#include "nodes/pathnodes.h"
#include "plan/access.h"

typedef struct ScyllaOperand
{
	ScyllaConditionForm form;   /* SCYLLA_FORM_COLUMN or SCYLLA_FORM_TOKEN */
	const ScyllaColumn *column; /* NULL: the token */
	const ScyllaTypePair *pair; /* by which it compares; NULL: it does not */
} ScyllaOperand;

/* A column of the table that a node stands for (binary-compatible casts looked through), or NULL. */
extern const ScyllaColumn *scylla_qual_column(RelOptInfo *rel, const ScyllaTable *table,
											  Node *node);

/* Whether a function is the extension's of that name. */
extern bool scylla_is_function_of(Oid function, const char *extension, const char *name);

/* False: the node is nothing that CQL could compare. */
extern bool scylla_operand_match(RelOptInfo *rel, const ScyllaTable *table, Node *node,
								 ScyllaOperand *operand);

#endif /* SCYLLA_OPERAND_H */
