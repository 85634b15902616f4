/*
 * Plans writes of single rows: which columns a statement binds, and what CQL cannot do, which is
 * refused here, before anything is sent, with the remedy.
 *
 * A row is told by its whole primary key, so that key has to be declared. Columns that an INSERT
 * does not name are left out, for a NULL that is written is a tombstone.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "compat.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/appendinfo.h"
#include "optimizer/inherit.h"
#include "optimizer/optimizer.h"
#include "plan/delta.h"
#include "plan/modify.h"
#include "plan/modify_plan.h"
#include "rewrite/rewriteHandler.h"
#include "utils/rel.h"

#include "catalog/table.h"

#define OFFSET FirstLowInvalidHeapAttributeNumber

/* A plan that is being made. */
typedef struct ModifyMaker
{
	const ScyllaTable *table;
	Relation relation;
	const Bitmapset *named; /* columns that get a value from the statement, with core's offset */
	bool has_unnamed; /* others may get one, too: from a trigger, or from a parent's default */
	ScyllaModifyPlan plan;
} ModifyMaker;

int
scyllaIsForeignRelUpdatable(Relation relation)
{
	ScyllaOptions *options = scylla_options_of_table(RelationGetRelid(relation), InvalidOid);

	return options->is_updatable ? (1 << CMD_INSERT) | (1 << CMD_UPDATE) | (1 << CMD_DELETE) : 0;
}

/* ---- refusals ---- */

static void
refuse_missing_key(const ScyllaTable *table, const char *what, int position)
{
	ereport(
		ERROR,
		(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
		 errmsg("cannot write foreign table \"%s\": it has no column for all of the primary key",
				table->local_name),
		 errdetail("Column %d of the remote %s key has no local column.", position, what),
		 errhint("Declare the whole primary key, or run IMPORT FOREIGN SCHEMA again.")));
}

static void
refuse_key_change(const ScyllaTable *table, const ScyllaColumn *column)
{
	ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					errmsg("cannot change primary key column \"%s\" of foreign table \"%s\"",
						   column->local_name, table->local_name),
					errdetail("CQL has no way to move a row."),
					errhint("Insert the row with its new key, then delete the old one.")));
}

static void
refuse_computed(const ScyllaTable *table, const ScyllaColumn *column)
{
	ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					errmsg("cannot write column \"%s\" of foreign table \"%s\"", column->local_name,
						   table->local_name),
					errdetail("It shows %s, which is read only.", column->name),
					errhint("Leave it out of the statement's list of columns.")));
}

static void
refuse_twice(const ScyllaTable *table, const ScyllaColumn *column)
{
	ereport(ERROR, (errcode(ERRCODE_DUPLICATE_COLUMN),
					errmsg("remote column \"%s\" would be written twice", column->name),
					errdetail("More than one column of foreign table \"%s\" stands for it.",
							  table->local_name),
					errhint("Write one of them.")));
}

static void
refuse_conditional_counter(const ScyllaTable *table, ScyllaModifyKind kind)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 kind == SCYLLA_MODIFY_INSERT
				 ? errmsg("ON CONFLICT is not supported on counter table \"%s\"", table->local_name)
				 : errmsg("option \"if_exists\" is not supported on counter table \"%s\"",
						  table->local_name),
			 errdetail("CQL has no conditional updates of counters."),
			 kind == SCYLLA_MODIFY_INSERT ? errhint("INSERT without it adds to the counter.")
										  : errhint("Take the option from the foreign table.")));
}

static void
refuse_no_counter(const ScyllaTable *table)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("cannot insert into counter table \"%s\" without a counter", table->local_name),
			 errdetail("In CQL a row of a counter table is made by adding to a counter."),
			 errhint("Give a counter column a value: it is added.")));
}

static void
refuse_counter_assignment(const ScyllaTable *table, const ScyllaColumn *column)
{
	ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					errmsg("cannot set counter column \"%s\" of foreign table \"%s\"",
						   column->local_name, table->local_name),
					errdetail("CQL can only add to a counter."),
					errhint("Add to it or take from it, as in SET %s = %s + 1.", column->local_name,
							column->local_name)));
}

/* CQL gives these writes no timestamp or TTL of the user's. */
static void
refuse_using(const ScyllaTable *table, const ScyllaColumn *column, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("cannot write column \"%s\" of foreign table \"%s\"", column->local_name,
					table->local_name),
			 errdetail("CQL takes no %s with %s.",
					   column->function == SCYLLA_FUNCTION_USING_TTL ? "TTL" : "timestamp", what),
			 errhint("Leave it out of the statement's list of columns.")));
}

static void
refuse_nothing_to_set(const ScyllaTable *table)
{
	ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					errmsg("an UPDATE of foreign table \"%s\" assigns no remote column",
						   table->local_name),
					errdetail("A TTL and a timestamp belong to values that are written."),
					errhint("Assign a column its own value to write it anew, as in SET v = v.")));
}

/* ---- columns ---- */

static bool
is_counter_table(const ScyllaTable *table)
{
	for (int i = 0; i < table->column_count; i++)
		if (table->columns[i].cql_type != NULL &&
			table->columns[i].function == SCYLLA_FUNCTION_NONE &&
			table->columns[i].cql_type->id == CQL_TYPE_COUNTER)
			return true;
	return false;
}

static bool
is_named(const ModifyMaker *maker, const ScyllaColumn *column)
{
	return bms_is_member(column->attnum - OFFSET, maker->named);
}

static bool
is_written(const ModifyMaker *maker, const ScyllaColumn *column)
{
	for (int i = 0; i < maker->plan.column_count; i++)
		if (strcmp(maker->plan.columns[i].name, column->name) == 0)
			return true;
	return false;
}

static void
add_column(ModifyMaker *maker, const ScyllaColumn *column, ScyllaAssign assign)
{
	ScyllaModifyColumn *out = &maker->plan.columns[maker->plan.column_count];

	if (is_written(maker, column))
		refuse_twice(maker->table, column);
	maker->plan.column_count++;
	out->attnum = column->attnum;
	out->name = pstrdup(column->name);
	out->type_text = pstrdup(column->cql_type_text);
	out->role = column->role;
	out->assign = assign;
	out->value_type = column->type;
	out->value_typmod = column->typmod;
	out->is_named = assign == SCYLLA_ASSIGN_KEY || is_named(maker, column);
	out->is_list = column->cql_type != NULL && column->cql_type->id == CQL_TYPE_LIST &&
				   !column->cql_type->is_frozen;
}

/* A column of option using, where the statement gives it a value or something else may. */
static void
add_using_column(ModifyMaker *maker, const ScyllaColumn *column)
{
	bool is_ttl = column->function == SCYLLA_FUNCTION_USING_TTL;

	if (maker->plan.is_counter && is_named(maker, column))
		refuse_using(maker->table, column, "a counter");
	if (maker->plan.is_conditional && !is_ttl && is_named(maker, column))
		refuse_using(maker->table, column, "a conditional write");
	if (!maker->plan.is_counter && (is_ttl || !maker->plan.is_conditional))
		add_column(maker, column, is_ttl ? SCYLLA_ASSIGN_TTL : SCYLLA_ASSIGN_TIMESTAMP);
}

static bool
is_key(const ScyllaColumn *column)
{
	return column->role == SCYLLA_KEY_PARTITION || column->role == SCYLLA_KEY_CLUSTERING;
}

/* Of several local columns for a key column, the one that the statement names. */
static const ScyllaColumn *
find_key_source(const ModifyMaker *maker, const ScyllaColumn *column)
{
	const ScyllaColumn *found = NULL;

	for (int i = 0; i < maker->table->column_count; i++)
	{
		const ScyllaColumn *other = &maker->table->columns[i];

		if (other->attnum == 0 || other->function != SCYLLA_FUNCTION_NONE ||
			strcmp(other->name, column->name) != 0 || !is_named(maker, other))
			continue;
		if (found != NULL)
			refuse_twice(maker->table, column);
		found = other;
	}
	return found != NULL ? found : column;
}

static void
add_key(ModifyMaker *maker, ScyllaColumn **key, int count, const char *what)
{
	for (int i = 0; i < count; i++)
	{
		if (key[i] == NULL)
			refuse_missing_key(maker->table, what, i + 1);
		add_column(maker, find_key_source(maker, key[i]), SCYLLA_ASSIGN_KEY);
	}
}

static void
begin_plan(ModifyMaker *maker, ScyllaModifyKind kind)
{
	const ScyllaTable *table = maker->table;
	const ScyllaOptions *options = table->options;
	ScyllaModifyPlan *plan = &maker->plan;

	plan->kind = kind;
	plan->keyspace = pstrdup(options->keyspace);
	plan->table = pstrdup(options->table);
	plan->is_counter = is_counter_table(table);
	plan->serverid = options->serverid;
	plan->write_consistency = options->write_consistency;
	plan->serial_consistency = options->serial_consistency;
	plan->max_in_flight = options->max_in_flight;
	plan->batch_size = options->batch_size;
	plan->write_rate = options->write_rate;
	plan->ttl_s = plan->is_counter || kind == SCYLLA_MODIFY_DELETE ? -1 : options->ttl_s;
	plan->is_null_unset = options->is_null_unset;
	plan->is_excess_truncated = options->is_excess_truncated;
	plan->has_server_timeout = options->has_server_timeout;
	plan->columns = palloc0(Max(table->column_count, 1) * sizeof(ScyllaModifyColumn));
	add_key(maker, table->partition_key, table->partition_count, "partition");
	plan->partition_count = plan->column_count;
	add_key(maker, table->clustering_key, table->clustering_count, "clustering");
	plan->clustering_count = plan->column_count - plan->partition_count;
}

/* ---- INSERT ---- */

/* The named columns, and those that get a value of their own: by a default, or generated. */
static Bitmapset *
add_defaulted(Relation relation, const Bitmapset *named)
{
	TupleDesc descriptor = RelationGetDescr(relation);
	Bitmapset *result = bms_copy(named);

	for (int i = 0; i < descriptor->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(descriptor, i);

		if (attribute->attisdropped || scylla_is_virtual(attribute))
			continue;
		if (attribute->attgenerated || build_column_default(relation, i + 1) != NULL)
			result = bms_add_member(result, attribute->attnum - OFFSET);
	}
	return result;
}

static void
add_insert_columns(ModifyMaker *maker)
{
	const ScyllaTable *table = maker->table;

	for (int i = 0; i < table->column_count; i++)
	{
		const ScyllaColumn *column = &table->columns[i];

		if (column->attnum == 0 || is_key(column))
			continue;
		if (!is_named(maker, column) && !maker->has_unnamed)
			continue;
		if (scylla_column_is_write_only(column))
			add_using_column(maker, column);
		else if (column->function != SCYLLA_FUNCTION_NONE)
		{
			if (is_named(maker, column))
				refuse_computed(table, column);
		}
		else
			add_column(maker, column,
					   maker->plan.is_counter ? SCYLLA_ASSIGN_ADD : SCYLLA_ASSIGN_VALUE);
	}
}

/* Values for static columns alone, and none for what would tell a row of the partition. */
static bool
is_static_insert(const ModifyMaker *maker)
{
	const ScyllaModifyPlan *plan = &maker->plan;
	int key_count = scylla_modify_plan_key_count(plan);
	bool has_static = false;

	if (plan->clustering_count == 0)
		return false;
	for (int i = plan->partition_count; i < plan->column_count; i++)
	{
		const ScyllaColumn *column = &maker->table->columns[plan->columns[i].attnum - 1];

		if (i < key_count)
		{
			if (is_named(maker, column))
				return false;
		}
		else if (column->role == SCYLLA_KEY_STATIC)
			has_static = true;
		else if (!scylla_modify_is_using(plan->columns[i].assign))
			return false;
	}
	return has_static;
}

static void
plan_insert(ModifyMaker *maker, bool is_conditional)
{
	maker->named = add_defaulted(maker->relation, maker->named);
	begin_plan(maker, SCYLLA_MODIFY_INSERT);
	maker->plan.is_conditional = is_conditional;
	if (is_conditional && maker->plan.is_counter)
		refuse_conditional_counter(maker->table, SCYLLA_MODIFY_INSERT);
	add_insert_columns(maker);
	maker->plan.is_static_only = is_static_insert(maker);
	if (maker->plan.is_counter &&
		maker->plan.column_count == scylla_modify_plan_key_count(&maker->plan))
		refuse_no_counter(maker->table);
}

ScyllaModifyPlan *
scylla_modify_plan_insert(Oid relid, Oid userid, const Bitmapset *named, bool is_conditional)
{
	ModifyMaker *maker = palloc0(sizeof(ModifyMaker));

	maker->table = scylla_table_open(relid, userid);
	maker->relation = table_open(relid, NoLock);
	maker->named = named;
	maker->has_unnamed = true;
	plan_insert(maker, is_conditional);
	table_close(maker->relation, NoLock);
	return &maker->plan;
}

/* ---- UPDATE and DELETE ---- */

static void
set_if_exists(ModifyMaker *maker)
{
	maker->plan.is_conditional = maker->table->options->is_conditional;
	if (maker->plan.is_conditional && maker->plan.is_counter)
		refuse_conditional_counter(maker->table, maker->plan.kind);
}

static void
add_update_column(ModifyMaker *maker, const ScyllaColumn *column, const List *deltas)
{
	ListCell *cell;

	foreach (cell, deltas)
	{
		const ScyllaDelta *delta = lfirst(cell);

		if (delta->attnum == column->attnum)
		{
			add_column(maker, column, delta->assign);
			maker->plan.columns[maker->plan.column_count - 1].value_type =
				exprType((Node *) delta->value);
			maker->plan.columns[maker->plan.column_count - 1].value_typmod = -1;
			return;
		}
	}
	if (maker->plan.is_counter)
		refuse_counter_assignment(maker->table, column);
	add_column(maker, column, SCYLLA_ASSIGN_VALUE);
}

static void
plan_update(ModifyMaker *maker, const List *deltas)
{
	const ScyllaTable *table = maker->table;
	ScyllaModifyPlan *plan = &maker->plan;
	bool has_value = false;

	begin_plan(maker, SCYLLA_MODIFY_UPDATE);
	set_if_exists(maker);
	plan->is_static_only = plan->clustering_count > 0;
	for (int i = 0; i < table->column_count; i++)
	{
		const ScyllaColumn *column = &table->columns[i];

		if (column->attnum == 0 || (!is_named(maker, column) && !maker->has_unnamed))
			continue;
		if (is_key(column) && is_named(maker, column))
			refuse_key_change(table, column);
		if (scylla_column_is_write_only(column))
			add_using_column(maker, column);
		else if (column->function != SCYLLA_FUNCTION_NONE && is_named(maker, column))
			refuse_computed(table, column);
		if (is_key(column) || column->function != SCYLLA_FUNCTION_NONE)
			continue;
		add_update_column(maker, column, deltas);
		has_value = true;
		plan->is_static_only &= column->role == SCYLLA_KEY_STATIC;
	}
	if (!has_value)
		refuse_nothing_to_set(table);
}

static void
plan_delete(ModifyMaker *maker)
{
	const ScyllaTable *table = maker->table;

	begin_plan(maker, SCYLLA_MODIFY_DELETE);
	set_if_exists(maker);
	for (int i = 0; i < table->column_count; i++)
	{
		const ScyllaColumn *column = &table->columns[i];

		if (column->attnum != 0 && column->role == SCYLLA_KEY_STATIC &&
			column->function == SCYLLA_FUNCTION_NONE && !is_written(maker, column))
			add_column(maker, column, SCYLLA_ASSIGN_DELETE);
	}
}

static void
add_key_target(PlannerInfo *root, Index rtindex, const ScyllaColumn *column)
{
	Var *var =
		makeVar((int) rtindex, column->attnum, column->type, column->typmod, column->collation, 0);

	add_row_identity_var(
		root, var, rtindex,
		scylla_modify_key_name(column->attnum, column->type, column->typmod, column->collation));
}

/* For UPDATE core asks for the whole row itself. */
static void
add_whole_row_target(PlannerInfo *root, Index rtindex)
{
	Var *var = makeVar((int) rtindex, InvalidAttrNumber, RECORDOID, -1, InvalidOid, 0);

	add_row_identity_var(root, var, rtindex, "wholerow");
}

/* No Var stands for it, so it goes where add_row_identity_var() would put one. */
static void
add_delta_target(PlannerInfo *root, const ScyllaDelta *delta)
{
	TargetEntry *entry = makeTargetEntry(delta->value, list_length(root->processed_tlist) + 1,
										 scylla_modify_delta_name(delta->attnum), true);

	root->processed_tlist = lappend(root->processed_tlist, entry);
}

void
scyllaAddForeignUpdateTargets(PlannerInfo *root, Index rtindex, RangeTblEntry *rte,
							  Relation relation)
{
	ScyllaTable *table =
		scylla_table_open(RelationGetRelid(relation), scylla_target_userid(root, rtindex));
	ListCell *cell;

	for (int i = 0; i < table->partition_count; i++)
	{
		if (table->partition_key[i] == NULL)
			refuse_missing_key(table, "partition", i + 1);
		add_key_target(root, rtindex, table->partition_key[i]);
	}
	for (int i = 0; i < table->clustering_count; i++)
	{
		if (table->clustering_key[i] == NULL)
			refuse_missing_key(table, "clustering", i + 1);
		add_key_target(root, rtindex, table->clustering_key[i]);
	}
	foreach (cell, scylla_deltas_of(root, rtindex, table, relation))
		add_delta_target(root, lfirst(cell));
	if (root->parse->commandType == CMD_DELETE && root->parse->returningList != NIL)
		add_whole_row_target(root, rtindex);
}

/* ---- the callback ---- */

static bool
has_trigger(Relation relation, CmdType operation)
{
	const TriggerDesc *triggers = relation->trigdesc;

	if (triggers == NULL)
		return false;
	return operation == CMD_INSERT ? triggers->trig_insert_before_row
								   : triggers->trig_update_before_row;
}

/* Rows that are written come from no heap: what PostgreSQL would show there is chance. */
static void
check_returning(const ScyllaTable *table, const ModifyTable *plan, Index rtindex, int index)
{
	Bitmapset *attributes = NULL;

	if (plan->returningLists != NIL)
		pull_varattnos(list_nth(plan->returningLists, index), rtindex, &attributes);
	scylla_refuse_system_columns(table->local_name, attributes);
}

List *
scyllaPlanForeignModify(PlannerInfo *root, ModifyTable *plan, Index result_relation,
						int subplan_index)
{
	RangeTblEntry *rte = planner_rt_fetch(result_relation, root);
	ModifyMaker maker = {0};

	maker.table = scylla_table_open(rte->relid, scylla_target_userid(root, result_relation));
	maker.relation = table_open(rte->relid, NoLock);
	maker.has_unnamed = has_trigger(maker.relation, plan->operation);
	check_returning(maker.table, plan, result_relation, subplan_index);
	switch (plan->operation)
	{
		case CMD_INSERT:
			maker.named = scylla_inserted_columns(root, rte);
			plan_insert(&maker, plan->onConflictAction == ONCONFLICT_NOTHING);
			break;
		case CMD_UPDATE:
			maker.named = scylla_updated_columns(root, result_relation);
			plan_update(&maker,
						scylla_deltas_of(root, result_relation, maker.table, maker.relation));
			break;
		case CMD_DELETE:
			plan_delete(&maker);
			break;
		default:
			elog(ERROR, "unexpected operation %d on a foreign table", (int) plan->operation);
	}
	table_close(maker.relation, NoLock);
	return scylla_modify_plan_encode(&maker.plan);
}
