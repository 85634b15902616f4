/*
 * Which clauses CQL can say, and with which meaning.
 */
#ifndef SCYLLA_QUAL_H
#define SCYLLA_QUAL_H

#include "postgres.h"

#include "catalog/table.h"
#include "nodes/pathnodes.h"
#include "plan/access.h"
#include "plan/operand.h"

/* Something that CQL can say and that a clause implies. */
typedef struct ScyllaCondition
{
	ScyllaConditionForm form;
	ScyllaOperator op;
	List *columns;       /* of const ScyllaColumn: one, those of a row, or none for the token */
	List *values;        /* Expr for each of them, without a Var of the scanned relation; of
						  * SCYLLA_OP_IN an array; of SCYLLA_FORM_ENTRY key and value of its one */
	const cql_type *cql; /* what a value is bound as; NULL: as the column's type */
	bool is_whole;       /* the clause says no more than this condition */
	bool is_fallback;    /* implied by a row comparison, in case that cannot be sent */
} ScyllaCondition;

/*
 * A restriction or join clause, or a part of an OR, judged. Immutable; lives as long as its planner
 * context.
 */
typedef struct ScyllaQual
{
	Expr *clause;
	RestrictInfo *rinfo; /* NULL: part of an OR */
	List *conditions;    /* of ScyllaCondition: all together say what the clause says; NIL: it can
						  * only be checked locally */
	bool is_superset;    /* they say less than the clause: check locally as well */
	bool is_never;       /* no row can fulfil the clause */
	const char *reason;  /* why not pushable, or why a superset; NULL if it is exact */
	List *arms;          /* of an OR: for each of its arms the List of ScyllaQual that it ANDs */
} ScyllaQual;

extern ScyllaQual *scylla_qual_new(PlannerInfo *root, RelOptInfo *rel, const ScyllaTable *table,
								   RestrictInfo *rinfo);

#endif /* SCYLLA_QUAL_H */
