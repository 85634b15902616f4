/*
 * Whether CQL compares as PostgreSQL does: a comparison's operator, types and collation, judged by
 * the table of type pairs (types/typemap.c).
 */
#ifndef SCYLLA_COMPARE_H
#define SCYLLA_COMPARE_H

#include "postgres.h"

#include "plan/operand.h"
#include "plan/qual.h"

/* A clause taken apart: operand operator value. */
typedef struct ScyllaComparison
{
	ScyllaOperand operand;
	Oid opno; /* with the operand on its left */
	Oid collation;
	Node *value;
	Oid value_type; /* of an array: of its elements */
	bool is_array;  /* = any element */
} ScyllaComparison;

/* Each returns why not, or NULL. */

/* Whether CQL restricts the operand at all. */
extern const char *scylla_compare_operand(const ScyllaOperand *operand);

/* Which comparison the operator is, by its place in the type's btree family. */
extern const char *scylla_compare_operator(const ScyllaComparison *comparison, ScyllaOperator *op);

/* Whether types and collation mean the same on both sides; if it is a superset, the qual says so. */
extern const char *scylla_compare_judge(const ScyllaComparison *comparison, ScyllaOperator op,
										ScyllaQual *qual);

/* Whether two values that are equal under the collation, if there is one, are the same bytes. */
extern bool scylla_compare_is_deterministic(Oid collation);

/* Whether CQL tells values apart just as PostgreSQL does under the collation. NULL: it has no such pair. */
extern bool scylla_compare_is_same_equality(const ScyllaTypePair *pair, Oid collation);

/* Whether equality is told by the order alone, for equal values can be different keys. */
extern bool scylla_compare_is_by_order(const ScyllaComparison *comparison);

#endif /* SCYLLA_COMPARE_H */
