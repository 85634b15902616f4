/*
 * Running a scan: the executor's callbacks, and the state that EXPLAIN reads.
 */
#ifndef SCYLLA_EXEC_SCAN_H
#define SCYLLA_EXEC_SCAN_H

#include "postgres.h"

#include "foreign/fdwapi.h"

#include "bridge/cursor.h"
#include "exec/params.h"
#include "exec/tuple.h"
#include "plan/scan_plan.h"

typedef enum ScyllaScanPhase
{
	SCYLLA_SCAN_NEW,     /* values are to be evaluated and sent */
	SCYLLA_SCAN_RUNNING, /* the variant's cursor is read */
	SCYLLA_SCAN_DONE     /* no more rows, or none at all */
} ScyllaScanPhase;

/*
 * One CQL text of the plan: nearly always there is only that with all conditions. Another one is
 * made when a bound lies beyond the column's values.
 */
typedef struct ScyllaScanVariant
{
	uint64 skipped;
	ScyllaStatement *statement;
	ScyllaCursor *cursor;
} ScyllaScanVariant;

/* Owned by the executor's query context; lives until the end of the query. */
typedef struct ScyllaScanState
{
	ScyllaScanPlan *plan;
	ScyllaScanArm *arm;
	MemoryContext context;
	Relation relation;
	Oid userid;
	char *remote_table;     /* keyspace.table, for errors */
	Bitmapset *bind_params; /* parameters that the bind values depend on */
	bool is_traced;

	/* from the first row asked for */
	ScyllaSession *session; /* pinned */
	ScyllaParams *params;
	ScyllaTupleReader *reader;
	List *variants;             /* of ScyllaScanVariant; the first skips nothing */
	ScyllaScanVariant *variant; /* the one that runs */
	cql_cell *cells;            /* of the row being read, by the plan's columns */
	cql_result *page;           /* its cursor's, NULL: the next one is to be fetched */
	ScyllaScanPhase phase;
} ScyllaScanState;

extern void scyllaBeginForeignScan(ForeignScanState *node, int eflags);
extern TupleTableSlot *scyllaIterateForeignScan(ForeignScanState *node);
extern void scyllaReScanForeignScan(ForeignScanState *node);
extern void scyllaEndForeignScan(ForeignScanState *node);

#endif /* SCYLLA_EXEC_SCAN_H */
