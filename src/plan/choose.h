/*
 * From judged clauses to what is asked: the ways into the table, what each of them sends, and why
 * a clause is checked locally.
 */
#ifndef SCYLLA_CHOOSE_H
#define SCYLLA_CHOOSE_H

#include "postgres.h"

#include "catalog/table.h"
#include "nodes/pg_list.h"
#include "plan/access.h"
#include "plan/qual.h"

/* A condition that a way into the table sends. */
typedef struct ScyllaSent
{
	const ScyllaCondition *condition;
	const ScyllaQual *qual; /* that it follows from */
	ScyllaAccessUse use;
	bool is_rechecked; /* the local filter checks the qual as well */
	int place;         /* in the CQL text, among those of one use */
} ScyllaSent;

/* A way into the table. There are several where an OR binds partitions in each of its arms. */
typedef struct ScyllaWay
{
	ScyllaAccessChoice access;
	const ScyllaTable *table; /* whose key it goes by; of a view, the table as the view has it */
	const char *path_name;    /* of the index or view; or NULL */
	List *sent;               /* of ScyllaSent, in the order of the CQL text */
	Expr *clause;             /* the arm of the OR; NULL: there is no OR */
	double keys;              /* combinations of values that IN gives, estimated */
} ScyllaWay;

typedef struct ScyllaQualChoice
{
	List *ways;           /* of ScyllaWay; NIL: no row can match */
	const char **reasons; /* parallel to the quals: why one stays in the local filter, or NULL */
} ScyllaQualChoice;

/* quals are ANDed. Of several conditions on one column and side an exact one is sent if there is
 * one. */
extern void scylla_choose(const ScyllaTable *table, List *quals, ScyllaQualChoice *choice);

/* How many of the quals bound what is read: more are worth a path with parameters. */
extern int scylla_choose_bounds(const ScyllaQualChoice *choice);

#endif /* SCYLLA_CHOOSE_H */
