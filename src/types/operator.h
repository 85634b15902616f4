/*
 * The comparisons that a condition of CQL can be. Plain C, for plan/access.c knows no PostgreSQL.
 */
#ifndef SCYLLA_OPERATOR_H
#define SCYLLA_OPERATOR_H

typedef enum ScyllaOperator
{
	SCYLLA_OP_EQUAL,
	SCYLLA_OP_IN, /* = any element of an array */
	SCYLLA_OP_LESS,
	SCYLLA_OP_LESS_EQUAL,
	SCYLLA_OP_GREATER,
	SCYLLA_OP_GREATER_EQUAL
} ScyllaOperator;

#endif /* SCYLLA_OPERATOR_H */
