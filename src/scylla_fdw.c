/*
 * The module's door: its magic, its settings, and the table of callbacks. Nothing else.
 */
#include "postgres.h"

#include "fmgr.h"
#include "foreign/fdwapi.h"

#include "command/analyze.h"
#include "command/import.h"
#include "exec/async.h"
#include "exec/direct_delete.h"
#include "exec/explain.h"
#include "exec/lookup_join.h"
#include "exec/modify.h"
#include "exec/parallel.h"
#include "exec/scan.h"
#include "option.h"
#include "plan/lookup_join.h"
#include "plan/modify.h"
#include "plan/parallel.h"
#include "plan/path.h"
#include "plan/upper.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);
extern PGDLLEXPORT Datum scylla_fdw_handler(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(scylla_fdw_handler);

/* Opens nothing: it may run in the postmaster. */
void
_PG_init(void)
{
	scylla_options_define_settings();
	scylla_lookup_window_register();
	scylla_lookup_join_install();
}

Datum
scylla_fdw_handler(PG_FUNCTION_ARGS)
{
	FdwRoutine *routine = makeNode(FdwRoutine);

	routine->GetForeignRelSize = scyllaGetForeignRelSize;
	routine->GetForeignPaths = scyllaGetForeignPaths;
	routine->GetForeignUpperPaths = scyllaGetForeignUpperPaths;
	routine->GetForeignPlan = scyllaGetForeignPlan;

	routine->BeginForeignScan = scyllaBeginForeignScan;
	routine->IterateForeignScan = scyllaIterateForeignScan;
	routine->ReScanForeignScan = scyllaReScanForeignScan;
	routine->ShutdownForeignScan = scyllaShutdownForeignScan;
	routine->EndForeignScan = scyllaEndForeignScan;

	routine->IsForeignScanParallelSafe = scyllaIsForeignScanParallelSafe;
	routine->EstimateDSMForeignScan = scyllaEstimateDSMForeignScan;
	routine->InitializeDSMForeignScan = scyllaInitializeDSMForeignScan;
	routine->ReInitializeDSMForeignScan = scyllaReInitializeDSMForeignScan;
	routine->InitializeWorkerForeignScan = scyllaInitializeWorkerForeignScan;

	routine->IsForeignPathAsyncCapable = scyllaIsForeignPathAsyncCapable;
	routine->ForeignAsyncRequest = scyllaForeignAsyncRequest;
	routine->ForeignAsyncConfigureWait = scyllaForeignAsyncConfigureWait;
	routine->ForeignAsyncNotify = scyllaForeignAsyncNotify;

	routine->IsForeignRelUpdatable = scyllaIsForeignRelUpdatable;
	routine->AddForeignUpdateTargets = scyllaAddForeignUpdateTargets;
	routine->PlanForeignModify = scyllaPlanForeignModify;

	routine->PlanDirectModify = scyllaPlanDirectModify;

	routine->BeginForeignModify = scyllaBeginForeignModify;
	routine->ExecForeignInsert = scyllaExecForeignInsert;
	routine->ExecForeignBatchInsert = scyllaExecForeignBatchInsert;
	routine->GetForeignModifyBatchSize = scyllaGetForeignModifyBatchSize;
	routine->ExecForeignUpdate = scyllaExecForeignUpdate;
	routine->ExecForeignDelete = scyllaExecForeignDelete;
	routine->EndForeignModify = scyllaEndForeignModify;
	routine->BeginForeignInsert = scyllaBeginForeignInsert;
	routine->EndForeignInsert = scyllaEndForeignInsert;
	routine->ExecForeignTruncate = scyllaExecForeignTruncate;

	routine->BeginDirectModify = scyllaBeginDirectModify;
	routine->IterateDirectModify = scyllaIterateDirectModify;
	routine->EndDirectModify = scyllaEndDirectModify;

	routine->ExplainForeignScan = scyllaExplainForeignScan;
	routine->ExplainForeignModify = scyllaExplainForeignModify;
	routine->ExplainDirectModify = scyllaExplainDirectModify;

	routine->AnalyzeForeignTable = scyllaAnalyzeForeignTable;
	routine->ImportForeignSchema = scyllaImportForeignSchema;

	PG_RETURN_POINTER(routine);
}
