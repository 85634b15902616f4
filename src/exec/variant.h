/*
 * The CQL texts of a plan, each prepared once, and the proof that the server still means by them
 * what the plan believes.
 */
#ifndef SCYLLA_VARIANT_H
#define SCYLLA_VARIANT_H

#include "postgres.h"

#include "lib/ilist.h"
#include "nodes/pg_list.h"

#include "bridge/cursor.h"
#include "bridge/throttle.h"
#include "plan/scan_plan.h"

/* What all texts of a scan have in common; owned by the scan. */
typedef struct ScyllaRemote
{
	const ScyllaScanPlan *plan;
	ScyllaSession *session;
	Oid relid;                /* of the foreign table */
	const char *remote_table; /* keyspace.table, for errors */
	const char *local_table;
	ScyllaThrottle *throttle; /* of rows that are received; NULL: no limit */
	bool is_timed;            /* under statement_timeout: ScyllaDB is told what is left of it */
	bool is_outdated;         /* a page told of columns that differ in what the scan passes over */
} ScyllaRemote;

/*
 * A text of an arm. There is nearly always one alone, with all conditions; others are made when a
 * bound lies beyond the column's values. Made in CurrentMemoryContext.
 */
typedef struct ScyllaVariant
{
	const ScyllaScanArm *arm;
	uint64 skipped; /* as of scylla_scan_plan_cql() */
	ScyllaStatement *statement;
	bool is_timed;   /* its last bind variable is the timeout */
	dlist_head idle; /* streams that are not in use (fanout.c) */
} ScyllaVariant;

/* The arm's variant among *variants, or a new one, added there. Raises HV021 where the remote
 * table is not what the plan was made for. */
extern ScyllaVariant *scylla_variant_get(const ScyllaRemote *remote, const ScyllaScanArm *arm,
										 uint64 skipped, List **variants);

/* What a request of the scan is about. An error of the server's that comes of drift is HV021. */
extern ScyllaReportContext scylla_remote_report(const ScyllaRemote *remote);

/* Raise HV021 if a page has other columns than the statement announced. */
extern void scylla_variant_check_page(ScyllaRemote *remote, const ScyllaVariant *variant,
									  const cql_result *page);

#endif /* SCYLLA_VARIANT_H */
