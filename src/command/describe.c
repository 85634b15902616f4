/*
 * scylla_describe(): a foreign table's remote side, item by item, and where the local definition
 * does not fit it any more.
 *
 * What stands here is asked of the cluster now, and of the catalogs as they are: no cache is
 * trusted, since the question is mostly whether one is right.
 */
#include "postgres.h"

#include "access/relation.h"
#include "compat.h"
#include "fmgr.h"
#include "foreign/fdwapi.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "catalog/schema.h"
#include "catalog/system_query.h"
#include "command/describe.h"
#include "command/table_result.h"
#include "exec/scan.h"
#include "types/typemap.h"

#define DESCRIBE_COLUMNS 6

extern PGDLLEXPORT Datum scylla_describe(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(scylla_describe);

void
scylla_check_foreign_table(Oid relid)
{
	char *name;

	LockRelationOid(relid, AccessShareLock);
	name = get_rel_name(relid);
	if (name == NULL)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
						errmsg("relation with OID %u does not exist", relid)));
	if (get_rel_relkind(relid) != RELKIND_FOREIGN_TABLE ||
		GetFdwRoutineByRelId(relid)->IterateForeignScan != scyllaIterateForeignScan)
		ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
						errmsg("\"%s\" is not a foreign table of scylla_fdw", name)));
}

bool
scylla_may_read(Oid relid)
{
	return pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK ||
		   pg_attribute_aclcheck_all(relid, GetUserId(), ACL_SELECT, ACLMASK_ANY) == ACLCHECK_OK;
}

void
scylla_check_readable_table(Oid relid)
{
	scylla_check_foreign_table(relid);
	if (!scylla_may_read(relid))
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_FOREIGN_TABLE, get_rel_name(relid));
}

/* A row of the result; NULL stands for NULL. */
typedef struct DescribedItem
{
	const char *kind;
	const char *name;
	const char *cql_type;
	const char *key;
	const char *detail;
	const char *mismatch;
} DescribedItem;

typedef struct Describing
{
	Relation relation;
	ScyllaOptions *options;
	ScyllaSession *session;
	const ScyllaRemoteTable *remote; /* NULL: there is none */
	cql_type_arena *arena;
	ScyllaTableResult result;
} Describing;

static void
put_item(const Describing *describing, const DescribedItem *item)
{
	const char *texts[DESCRIBE_COLUMNS] = {item->kind, item->name,   item->cql_type,
										   item->key,  item->detail, item->mismatch};
	Datum values[DESCRIBE_COLUMNS] = {0};
	bool nulls[DESCRIBE_COLUMNS];

	for (int i = 0; i < DESCRIBE_COLUMNS; i++)
	{
		nulls[i] = texts[i] == NULL || texts[i][0] == '\0';
		if (!nulls[i])
			values[i] = CStringGetTextDatum(texts[i]);
	}
	scylla_table_result_put(&describing->result, values, nulls);
}

/* ---- the table ---- */

#define COMPACTION_CQL \
	"SELECT compaction FROM system_schema.tables WHERE keyspace_name = ? AND table_name = ?"
/* ScyllaDB's own tables, which Cassandra has not. */
#define TABLETS_CQL \
	"SELECT initial_tablets FROM system_schema.scylla_keyspaces WHERE keyspace_name = ?"
#define CDC_CQL \
	"SELECT cdc FROM system_schema.scylla_tables WHERE keyspace_name = ? AND table_name = ?"

static void
append_detail(StringInfo detail, const char *name, const char *value)
{
	if (value != NULL && value[0] != '\0')
		appendStringInfo(detail, "%s%s: %s", detail->len > 0 ? "; " : "", name, value);
}

static char *
detail_of_table(const Describing *describing)
{
	const ScyllaRemoteTable *remote = describing->remote;
	ScyllaSystemQuery *compaction = scylla_system_query_start(describing->session, COMPACTION_CQL,
															  remote->keyspace, remote->name);
	ScyllaSystemQuery *tablets =
		scylla_system_query_start(describing->session, TABLETS_CQL, remote->keyspace, NULL);
	ScyllaSystemQuery *cdc =
		scylla_system_query_start(describing->session, CDC_CQL, remote->keyspace, remote->name);
	bool has_tablets;
	StringInfoData detail;

	initStringInfo(&detail);
	append_detail(&detail, "view of", remote->base_table);
	has_tablets = scylla_system_query_wait(tablets, 1, SCYLLA_MAY_REFUSE) &&
				  scylla_system_query_next(tablets) && scylla_system_query_integer(tablets, 0) > 0;
	append_detail(&detail, "replicated by", has_tablets ? "tablets" : "vnodes");
	if (scylla_system_query_wait(compaction, 1, SCYLLA_MAY_REFUSE) &&
		scylla_system_query_next(compaction))
		append_detail(&detail, "compaction", scylla_system_query_map_text(compaction, 0, "class"));
	if (scylla_system_query_wait(cdc, 1, SCYLLA_MAY_REFUSE) && scylla_system_query_next(cdc))
		append_detail(&detail, "cdc", scylla_system_query_map_text(cdc, 0, "enabled"));
	append_detail(&detail, "comment", remote->comment);
	return detail.data;
}

static void
put_table(const Describing *describing)
{
	const ScyllaOptions *options = describing->options;
	const ScyllaRemoteTable *remote = describing->remote;
	DescribedItem item = {.kind = remote != NULL && remote->is_view ? "view" : "table",
						  .name = psprintf("%s.%s", options->keyspace, options->table)};

	if (remote == NULL)
		item.mismatch = "the cluster has no such table";
	else
		item.detail = detail_of_table(describing);
	put_item(describing, &item);
}

/* ---- columns ---- */

/* Why a local column does not fit the remote one; NULL: it fits. */
static char *
compare_column(const Describing *describing, const ScyllaRemoteColumn *remote,
			   Form_pg_attribute attribute, const ScyllaColumnOptions *local)
{
	const cql_type *type = cql_type_parse(describing->arena, remote->type_text);
	const char *key = scylla_key_option_text(remote->role, remote->position, remote->is_descending);
	const char *declared =
		scylla_key_option_text(local->role, local->position, local->is_descending);

	if (local->type != NULL && strcmp(local->type, remote->type_text) != 0)
		return psprintf("option type is %s", local->type);
	if (local->role != SCYLLA_KEY_UNKNOWN && strcmp(key, declared) != 0)
		return psprintf("option key is %s", declared);
	if (type == NULL)
		return "the CQL type is not known";
	if (scylla_type_pair_find(type, attribute->atttypid) == NULL)
		return psprintf("type %s does not go with it",
						format_type_with_typemod(attribute->atttypid, attribute->atttypmod));
	return NULL;
}

/* The first local column that shows the remote one, or NULL. */
static Form_pg_attribute
find_attribute(const Describing *describing, const char *name, ScyllaColumnOptions **options)
{
	TupleDesc descriptor = RelationGetDescr(describing->relation);

	for (int i = 0; i < descriptor->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(descriptor, i);

		if (attribute->attisdropped || scylla_is_virtual(attribute))
			continue;
		*options =
			scylla_options_of_column(RelationGetRelid(describing->relation), attribute->attnum);
		if ((*options)->function == SCYLLA_FUNCTION_NONE && strcmp((*options)->column, name) == 0)
			return attribute;
	}
	return NULL;
}

static void
put_remote_columns(const Describing *describing)
{
	for (int i = 0; i < describing->remote->column_count; i++)
	{
		const ScyllaRemoteColumn *remote = &describing->remote->columns[i];
		ScyllaColumnOptions *options;
		Form_pg_attribute attribute = find_attribute(describing, remote->name, &options);
		DescribedItem item = {
			.kind = "column", .name = remote->name, .cql_type = remote->type_text};

		item.key = scylla_key_option_text(remote->role, remote->position, remote->is_descending);
		item.mismatch = attribute == NULL ? "no column of the foreign table shows it"
										  : compare_column(describing, remote, attribute, options);
		put_item(describing, &item);
	}
}

static bool
has_remote_column(const ScyllaRemoteTable *remote, const char *name)
{
	for (int i = 0; i < remote->column_count; i++)
		if (strcmp(remote->columns[i].name, name) == 0)
			return true;
	return false;
}

/* Local columns that stand for nothing. */
static void
put_orphans(const Describing *describing)
{
	TupleDesc descriptor = RelationGetDescr(describing->relation);

	for (int i = 0; i < descriptor->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(descriptor, i);
		ScyllaColumnOptions *options;
		DescribedItem item = {.kind = "column", .mismatch = "the remote table has no such column"};

		if (attribute->attisdropped || scylla_is_virtual(attribute))
			continue;
		options =
			scylla_options_of_column(RelationGetRelid(describing->relation), attribute->attnum);
		item.name = options->function == SCYLLA_FUNCTION_NONE ? options->column : options->argument;
		if (item.name != NULL && !has_remote_column(describing->remote, item.name))
			put_item(describing, &item);
	}
}

/* ---- indexes and views ---- */

static void
put_indexes(const Describing *describing)
{
	ListCell *cell;

	foreach (cell, describing->remote->indexes)
	{
		const ScyllaRemoteIndex *index = lfirst(cell);
		DescribedItem item = {.kind = "index", .name = index->name, .mismatch = index->obstacle};

		item.detail =
			psprintf("%s on %s", index->class_name != NULL ? index->class_name : index->kind,
					 index->target != NULL ? index->target : "?");
		put_item(describing, &item);
	}
}

static void
put_views(const Describing *describing)
{
	ListCell *cell;

	foreach (cell, describing->remote->views)
	{
		const ScyllaRemoteView *view = lfirst(cell);
		DescribedItem item = {.kind = "view", .name = view->name, .mismatch = view->obstacle};

		item.detail =
			view->path != NULL ? scylla_views_print(list_make1(view->path)) : view->where_clause;
		put_item(describing, &item);
	}
}

Datum
scylla_describe(PG_FUNCTION_ARGS)
{
	Oid relid = PG_GETARG_OID(0);
	Describing describing = {0};

	scylla_check_readable_table(relid);
	scylla_table_result_begin(&describing.result, fcinfo);
	describing.relation = relation_open(relid, AccessShareLock);
	describing.options = scylla_options_of_table(relid, GetUserId());
	describing.arena = scylla_type_arena_new();
	scylla_session_forget_schema(describing.options->serverid);
	describing.session = scylla_session_get(describing.options->serverid, GetUserId());
	describing.remote = scylla_schema_table(describing.session, describing.options->keyspace,
											describing.options->table);
	put_table(&describing);
	if (describing.remote != NULL)
	{
		put_remote_columns(&describing);
		put_orphans(&describing);
		put_indexes(&describing);
		put_views(&describing);
	}
	relation_close(describing.relation, AccessShareLock);
	return (Datum) 0;
}
