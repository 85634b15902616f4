/*
 * Every PG_VERSION_NUM test of the project: PostgreSQL 14 to 18 seen through one set of names,
 * those of the newest version where that is possible. One short section a subject.
 */
#ifndef SCYLLA_COMPAT_H
#define SCYLLA_COMPAT_H

#include "postgres.h"

/* ---- settings: reserving a prefix has its own function since 15 ---- */
#include "utils/guc.h"

#if PG_VERSION_NUM < 150000
#define MarkGUCPrefixReserved(prefix) EmitWarningsOnPlaceholders(prefix)
#endif

/* ---- privileges: one function for all kinds of objects since 16 ---- */
#include "catalog/pg_foreign_server.h"
#include "utils/acl.h"

#if PG_VERSION_NUM < 160000
#define scylla_server_aclcheck(serverid, userid, mode) \
	pg_foreign_server_aclcheck(serverid, userid, mode)
#else
#define scylla_server_aclcheck(serverid, userid, mode) \
	object_aclcheck(ForeignServerRelationId, serverid, userid, mode)
#endif

/* ---- type names: the last argument is an error context, not a flag, since 16 ---- */
#include "parser/parse_type.h"

#if PG_VERSION_NUM < 160000
#define scylla_type_name_parse(text, type, typmod) parseTypeString(text, type, typmod, false)
#else
#define scylla_type_name_parse(text, type, typmod) parseTypeString(text, type, typmod, NULL)
#endif

/* ---- waiting: wait event sets have a header of their own since 18, belong to a resource owner
 * (NULL: to nobody) rather than a context since 17, when wait events got names, too ---- */
#include "storage/latch.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

#if PG_VERSION_NUM >= 180000
#include "storage/waiteventset.h"
#endif
#if PG_VERSION_NUM < 170000
#define SCYLLA_WAIT_SET_OWNER TopMemoryContext
#define SCYLLA_WAIT_EVENT_NEW(name) PG_WAIT_EXTENSION
#else
#define SCYLLA_WAIT_SET_OWNER NULL
#define SCYLLA_WAIT_EVENT_NEW(name) WaitEventExtensionNew(name)
#endif

/* ---- the user to check as stands in the plan node since 16, before in the range table ---- */
#include "executor/executor.h"

#if PG_VERSION_NUM < 160000
#define scylla_scan_user(fsplan, estate) \
	(exec_rt_fetch((fsplan)->scan.scanrelid, (estate))->checkAsUser)
#else
#define scylla_scan_user(fsplan, estate) ((void) (estate), (fsplan)->checkAsUser)
#endif

/* ---- EXPLAIN's output has headers of its own since 18 ---- */
#include "commands/explain.h"

#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#include "commands/explain_state.h"
#endif

/* ---- planner: whose rights a relation is read with; the foreign path's newer arguments ---- */
#include "miscadmin.h"
#include "nodes/pathnodes.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "parser/parsetree.h"

static inline Oid
scylla_rel_userid(PlannerInfo *root, RelOptInfo *rel)
{
#if PG_VERSION_NUM < 160000
	Oid userid = planner_rt_fetch(rel->relid, root)->checkAsUser;
#else
	Oid userid = rel->userid;

	(void) root;
#endif
	return OidIsValid(userid) ? userid : GetUserId();
}

#if PG_VERSION_NUM < 170000
#define scylla_foreignscan_path(root, rel, rows, startup, total, pathkeys, outer) \
	create_foreignscan_path(root, rel, NULL, rows, startup, total, pathkeys, outer, NULL, NIL)
#elif PG_VERSION_NUM < 180000
#define scylla_foreignscan_path(root, rel, rows, startup, total, pathkeys, outer) \
	create_foreignscan_path(root, rel, NULL, rows, startup, total, pathkeys, outer, NULL, NIL, NIL)
#else
#define scylla_foreignscan_path(root, rel, rows, startup, total, pathkeys, outer)                 \
	create_foreignscan_path(root, rel, NULL, rows, 0, startup, total, pathkeys, outer, NULL, NIL, \
							NIL)
#endif

/* ---- collations: whether one orders text by its bytes ---- */
#include "utils/pg_locale.h"

#if PG_VERSION_NUM < 180000
#define scylla_collation_is_c(collation) lc_collate_is_c(collation)
#else
#define scylla_collation_is_c(collation) (pg_newlocale_from_collation(collation)->collate_is_c)
#endif

/* ---- variable-length values: their macros moved to a header of their own in 16 ---- */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* ---- intervals: there is an infinite one since 17 ---- */
#include "utils/timestamp.h"

#if PG_VERSION_NUM < 170000
#define scylla_interval_is_infinite(interval) ((void) (interval), false)
#else
#define scylla_interval_is_infinite(interval) INTERVAL_NOT_FINITE(interval)
#endif

#endif /* SCYLLA_COMPAT_H */
