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

/* The scanned table's entry, also where the node gives aggregates of its rows. */
static inline RangeTblEntry *
scylla_scanned_entry(const ForeignScan *fsplan, EState *estate)
{
	int index = (int) fsplan->scan.scanrelid;

	if (index == 0)
		index = bms_next_member(fsplan->fs_relids, -1);
	return exec_rt_fetch((Index) index, estate);
}

#if PG_VERSION_NUM < 160000
#define scylla_scan_user(fsplan, estate) (scylla_scanned_entry(fsplan, estate)->checkAsUser)
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

#if PG_VERSION_NUM < 170000
#define scylla_foreign_upper_path(root, rel, target, rows, startup, total) \
	create_foreign_upper_path(root, rel, target, rows, startup, total, NIL, NULL, NIL)
#elif PG_VERSION_NUM < 180000
#define scylla_foreign_upper_path(root, rel, target, rows, startup, total) \
	create_foreign_upper_path(root, rel, target, rows, startup, total, NIL, NULL, NIL, NIL)
#else
#define scylla_foreign_upper_path(root, rel, target, rows, startup, total) \
	create_foreign_upper_path(root, rel, target, rows, 0, startup, total, NIL, NULL, NIL, NIL)
#endif

/* ---- custom paths: whether one projects is told by a flag since 15; paths count the disabled nodes
 * below them since 18 ---- */
#include "nodes/extensible.h"

#if PG_VERSION_NUM < 150000
#define CUSTOMPATH_SUPPORT_PROJECTION 0
#endif

#if PG_VERSION_NUM < 180000
#define scylla_path_inherit_disabled(path, child) ((void) 0)
#else
#define scylla_path_inherit_disabled(path, child) ((path)->disabled_nodes = (child)->disabled_nodes)
#endif

/* ---- equivalence classes: children have lists of their own since 18, when a pathkey's direction
 * got a type with the same numbers as the btree strategies ---- */
#include "optimizer/paths.h"

#if PG_VERSION_NUM < 180000
#define scylla_canonical_pathkey(root, ec, family, strategy, is_nulls_first) \
	make_canonical_pathkey(root, ec, family, strategy, is_nulls_first)
#else
#define scylla_canonical_pathkey(root, ec, family, strategy, is_nulls_first) \
	make_canonical_pathkey(root, ec, family, (CompareType) (strategy), is_nulls_first)
#endif

#if PG_VERSION_NUM < 180000
#define scylla_is_pathkey_strategy(pathkey, strategy) ((pathkey)->pk_strategy == (strategy))
#else
#define scylla_is_pathkey_strategy(pathkey, strategy) \
	((int) (pathkey)->pk_cmptype == (int) (strategy))
#endif

/* The members of a class that are made of exactly these relations, children too. */
static inline List *
scylla_members_of(EquivalenceClass *ec, Relids relids)
{
	List *members = NIL;
	EquivalenceMember *member;
#if PG_VERSION_NUM < 180000
	ListCell *cell;

	foreach (cell, ec->ec_members)
	{
		member = lfirst(cell);
#else
	EquivalenceMemberIterator iterator;

	setup_eclass_member_iterator(&iterator, ec, relids);
	while ((member = eclass_member_iterator_next(&iterator)) != NULL)
	{
#endif
		if (bms_equal(member->em_relids, relids))
			members = lappend(members, member);
	}
	return members;
}

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

/* ---- sampling: the state of its random numbers is an array before 15 ---- */
#include "utils/sampling.h"

#if PG_VERSION_NUM < 150000
#define scylla_random_fraction(reservoir) sampler_random_fract((reservoir)->randstate)
#else
#define scylla_random_fraction(reservoir) sampler_random_fract(&(reservoir)->randstate)
#endif

/* ---- intervals: there is an infinite one since 17 ---- */
#include "utils/timestamp.h"

#if PG_VERSION_NUM < 170000
#define scylla_interval_is_infinite(interval) ((void) (interval), false)
#else
#define scylla_interval_is_infinite(interval) INTERVAL_NOT_FINITE(interval)
#endif

/* ---- writes: whose rights they have and which columns they name stand with the permissions since
 * 16; 18 knows generated columns that are not stored ---- */
#include "access/tupdesc.h"
#include "catalog/pg_attribute.h"
#include "nodes/execnodes.h"
#include "optimizer/inherit.h"
#if PG_VERSION_NUM >= 160000
#include "parser/parse_relation.h"
#endif

static inline Oid
scylla_target_userid(PlannerInfo *root, Index rtindex)
{
	RangeTblEntry *rte = planner_rt_fetch(rtindex, root);
#if PG_VERSION_NUM < 160000
	Oid userid = rte->checkAsUser;
#else
	Oid userid = InvalidOid;

	/* Only tables that the query names have permissions of their own; their children don't. */
	if (rte->perminfoindex != 0)
		userid = getRTEPermissionInfo(root->parse->rteperminfos, rte)->checkAsUser;
	else if (root->simple_rel_array != NULL && root->simple_rel_array[rtindex] != NULL)
		userid = root->simple_rel_array[rtindex]->userid;
#endif
	return OidIsValid(userid) ? userid : GetUserId();
}

static inline const Bitmapset *
scylla_inserted_columns(PlannerInfo *root, RangeTblEntry *rte)
{
#if PG_VERSION_NUM < 160000
	(void) root;
	return rte->insertedCols;
#else
	return getRTEPermissionInfo(root->parse->rteperminfos, rte)->insertedCols;
#endif
}

static inline const Bitmapset *
scylla_updated_columns(PlannerInfo *root, Index rtindex)
{
#if PG_VERSION_NUM < 150000
	RangeTblEntry *rte = planner_rt_fetch(rtindex, root);

	return bms_union(rte->updatedCols, rte->extraUpdatedCols);
#else
	return get_rel_all_updated_cols(root, find_base_rel(root, (int) rtindex));
#endif
}

/* Whose rights a write has; a routed one has those of the table that the statement names. */
static inline Oid
scylla_result_userid(ResultRelInfo *info, EState *estate)
{
#if PG_VERSION_NUM < 160000
	ResultRelInfo *named = info->ri_RangeTableIndex == 0 ? info->ri_RootResultRelInfo : info;
	Oid userid = named != NULL && named->ri_RangeTableIndex != 0
					 ? exec_rt_fetch(named->ri_RangeTableIndex, estate)->checkAsUser
					 : InvalidOid;
#else
	Oid userid = ExecGetResultRelCheckAsUser(info, estate);
#endif
	return OidIsValid(userid) ? userid : GetUserId();
}

static inline bool
scylla_is_virtual(Form_pg_attribute attribute)
{
#if PG_VERSION_NUM < 180000
	(void) attribute;
	return false;
#else
	return attribute->attgenerated == ATTRIBUTE_GENERATED_VIRTUAL;
#endif
}

#endif /* SCYLLA_COMPAT_H */
