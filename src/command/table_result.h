/*
 * The result of an SQL function that gives all of its rows at once.
 */
#ifndef SCYLLA_TABLE_RESULT_H
#define SCYLLA_TABLE_RESULT_H

#include "postgres.h"

#include "fmgr.h"
#include "utils/tuplestore.h"

typedef struct ScyllaTableResult
{
	Tuplestorestate *store;
	TupleDesc descriptor;
} ScyllaTableResult;

/* For a function whose result is a row type of its own declaration. */
extern void scylla_table_result_begin(ScyllaTableResult *result, FunctionCallInfo fcinfo);

extern void scylla_table_result_put(const ScyllaTableResult *result, const Datum *values,
									const bool *nulls);

#endif /* SCYLLA_TABLE_RESULT_H */
