/*
 * Bind values of one arm of a scan: evaluates the plan's expressions and encodes them for the
 * conditions that the remote statement carries.
 */
#ifndef SCYLLA_PARAMS_H
#define SCYLLA_PARAMS_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "nodes/execnodes.h"

#include "bridge/session.h"
#include "plan/scan_plan.h"
#include "types/bound.h"

typedef struct ScyllaParams ScyllaParams;

/* In CurrentMemoryContext. exprs are the ForeignScan's fdw_exprs; local_table is for errors and
 * must outlive the params. */
extern ScyllaParams *scylla_params_new(const ScyllaScanArm *arm, List *exprs,
									   const char *local_table);

/* Make the expressions ready for this execution of the plan, in CurrentMemoryContext. */
extern void scylla_params_init(ScyllaParams *params, List *exprs, PlanState *node);

/*
 * Evaluate all expressions; the values live as long as the ExprContext's per-tuple memory. False:
 * no row can match, since one of them is NULL.
 */
extern bool scylla_params_evaluate(ScyllaParams *params, ExprContext *context);

/* Resolve the converters, in CurrentMemoryContext, by the statement of the whole arm (no condition
 * skipped), which must outlive the params; before the first encode. */
extern void scylla_params_resolve(ScyllaParams *params, const cql_statement *statement,
								  bool is_excess_truncated);

/* One of the values that a condition takes: [value]s for all of its markers. */
typedef struct ScyllaChoice
{
	const char *data;
	int len;
} ScyllaChoice;

typedef struct ScyllaConditionValues
{
	ScyllaVerdict verdict;
	bool needs_recheck;  /* it is not sent, but not because every row fulfils it */
	bool excludes_empty; /* what reads as NULL does not fulfil it in CQL either */
	int choice_count;    /* where it is sent: 1, or more of SCYLLA_OP_IN (its different elements);
						  * none of SCYLLA_FORM_RING_PIECE, whose values are the probes' own */
	ScyllaChoice *choices;
} ScyllaConditionValues;

/*
 * Encode what was evaluated: the values of each condition, in the arm's order, which are the
 * params' own and valid until the next call. NULL: no row can match, since no value of a column's
 * type can.
 */
extern const ScyllaConditionValues *scylla_params_encode(ScyllaParams *params);

#endif /* SCYLLA_PARAMS_H */
