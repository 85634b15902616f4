/*
 * Bind values of a scan: evaluates the plan's expressions and encodes them for the conditions
 * that the remote statement carries.
 */
#ifndef SCYLLA_PARAMS_H
#define SCYLLA_PARAMS_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "nodes/execnodes.h"

#include "bridge/session.h"
#include "plan/scan_plan.h"

typedef struct ScyllaParams ScyllaParams;

/* In CurrentMemoryContext. exprs are the ForeignScan's fdw_exprs; local_table is for errors. */
extern ScyllaParams *scylla_params_new(PlanState *node, const ScyllaScanArm *arm, List *exprs,
									   const char *local_table);

/*
 * Evaluate all expressions; the values live as long as the ExprContext's per-tuple memory. False:
 * one is NULL, so no row can match.
 */
extern bool scylla_params_evaluate(ScyllaParams *params, ExprContext *context);

/* Resolve the converters by the statement of the whole plan (no condition skipped), which must
 * outlive the params; once, before the first encode. */
extern void scylla_params_resolve(ScyllaParams *params, const cql_statement *statement,
								  bool is_excess_truncated);

typedef struct ScyllaEncodedParams
{
	StringInfoData values; /* [value]s in the order of the CQL text */
	int value_count;
	uint64 skipped; /* conditions that every value fulfils: not in values, for the CQL text */
} ScyllaEncodedParams;

/* Encode what was evaluated. False: no value of a column's type can match, so no row can. The
 * answer is the params' own, valid until the next call. */
extern bool scylla_params_encode(ScyllaParams *params, const ScyllaEncodedParams **encoded);

#endif /* SCYLLA_PARAMS_H */
