/*
 * Rows into a tuplestore of the calling query's.
 */
#include "postgres.h"

#include "command/table_result.h"

#include "funcapi.h"
#include "miscadmin.h"

void
scylla_table_result_begin(ScyllaTableResult *result, FunctionCallInfo fcinfo)
{
	ReturnSetInfo *info = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext caller = MemoryContextSwitchTo(info->econtext->ecxt_per_query_memory);

	if (get_call_result_type(fcinfo, NULL, &result->descriptor) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "the function must return a row type");
	result->store =
		tuplestore_begin_heap((info->allowedModes & SFRM_Materialize_Random) != 0, false, work_mem);
	info->returnMode = SFRM_Materialize;
	info->setResult = result->store;
	info->setDesc = result->descriptor;
	MemoryContextSwitchTo(caller);
}

void
scylla_table_result_put(const ScyllaTableResult *result, const Datum *values, const bool *nulls)
{
	tuplestore_putvalues(result->store, result->descriptor, unconstify(Datum *, values),
						 unconstify(bool *, nulls));
}
