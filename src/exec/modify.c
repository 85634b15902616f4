/*
 * Running writes. A row is handed to the writer and the executor goes on at once, whatever it does
 * with the row (RETURNING, triggers): nothing of that needs the server's answer. Only a conditional
 * write does, since it may not have been applied. What is in flight is waited for at the end.
 */
#include "postgres.h"

#include "exec/modify.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "bridge/dialect.h"
#include "catalog/table.h"
#include "compat.h"
#include "exec/self_read.h"
#include "executor/executor.h"
#include "foreign/foreign.h"
#include "optimizer/optimizer.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

/* ---- beginning and end ---- */

static ScyllaModifyState *
new_state(EState *estate, ResultRelInfo *result, ScyllaModifyPlan *plan)
{
	ScyllaModifyState *modify = palloc0(sizeof(ScyllaModifyState));

	modify->plan = plan;
	modify->estate = estate;
	modify->result = result;
	modify->context = CurrentMemoryContext;
	modify->userid = scylla_result_userid(result, estate);
	return modify;
}

static AttrNumber
find_junk_column(const ScyllaModifyState *modify, const ScyllaModifyColumn *column, List *targets)
{
	Form_pg_attribute attribute =
		TupleDescAttr(RelationGetDescr(modify->result->ri_RelationDesc), column->attnum - 1);
	char *name = column->assign == SCYLLA_ASSIGN_KEY
					 ? scylla_modify_key_name(attribute->attnum, attribute->atttypid,
											  attribute->atttypmod, attribute->attcollation)
					 : scylla_modify_delta_name(attribute->attnum);
	AttrNumber found = ExecFindJunkAttributeInTlist(targets, name);

	if (found == InvalidAttrNumber)
		elog(ERROR, "could not find junk column \"%s\"", name);
	return found;
}

static void
find_junk(ScyllaModifyState *modify, List *targets)
{
	const ScyllaModifyPlan *plan = modify->plan;

	modify->junk = palloc0(Max(plan->column_count, 1) * sizeof(AttrNumber));
	for (int i = 0; i < plan->column_count; i++)
		if (plan->columns[i].assign == SCYLLA_ASSIGN_KEY ||
			scylla_modify_is_delta(plan->columns[i].assign))
			modify->junk[i] = find_junk_column(modify, &plan->columns[i], targets);
	if (plan->kind == SCYLLA_MODIFY_DELETE)
		modify->whole_row = ExecFindJunkAttributeInTlist(targets, "wholerow");
}

void
scyllaBeginForeignModify(ModifyTableState *mtstate, ResultRelInfo *result, List *fdw_private,
						 int subplan_index, int eflags)
{
	ScyllaModifyState *modify =
		new_state(mtstate->ps.state, result, scylla_modify_plan_decode(fdw_private));

	result->ri_FdwState = modify;
	modify->is_deferred =
		!modify->plan->is_conditional && scylla_self_read_find(&mtstate->ps, modify->plan);
	if (modify->plan->kind != SCYLLA_MODIFY_INSERT && !(eflags & EXEC_FLAG_EXPLAIN_ONLY))
		find_junk(modify, outerPlanState(mtstate)->plan->targetlist);
}

/* Rows that an UPDATE moves here would be read and updated once more when it comes to this table. */
static void
refuse_move(const ModifyTableState *mtstate, const ResultRelInfo *result)
{
	if (result->ri_FdwState != NULL &&
		result > mtstate->resultRelInfo + mtstate->mt_lastResultIndex)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot move rows into foreign table \"%s\", which the same UPDATE changes",
						RelationGetRelationName(result->ri_RelationDesc)),
				 errhint("Name the partition to be updated in the UPDATE.")));
}

/* As the planner does for tables that it sees; the list has the Vars of the first result relation. */
static void
check_returning(const ModifyTableState *mtstate, const ResultRelInfo *result)
{
	Bitmapset *attributes = NULL;

	pull_varattnos((Node *) result->ri_returningList, mtstate->resultRelInfo->ri_RangeTableIndex,
				   &attributes);
	scylla_refuse_system_columns(RelationGetRelationName(result->ri_RelationDesc), attributes);
}

/* COPY, and rows that are routed here because this is a partition. */
void
scyllaBeginForeignInsert(ModifyTableState *mtstate, ResultRelInfo *result)
{
	ModifyTable *statement = castNode(ModifyTable, mtstate->ps.plan);
	EState *estate = mtstate->ps.state;
	ScyllaModifyState *updated = result->ri_FdwState;
	bool is_conditional = statement != NULL && statement->onConflictAction == ONCONFLICT_NOTHING;
	ScyllaModifyState *modify;

	refuse_move(mtstate, result);
	check_returning(mtstate, result);
	modify =
		new_state(estate, result,
				  scylla_modify_plan_insert(RelationGetRelid(result->ri_RelationDesc),
											scylla_result_userid(result, estate),
											ExecGetInsertedCols(result, estate), is_conditional));
	if (updated != NULL)
		updated->routed = modify;
	else
		result->ri_FdwState = modify;
}

/* What needs the server, once: at the first row. */
static ScyllaRowWriter *
get_rows(ScyllaModifyState *modify)
{
	if (modify->rows == NULL)
	{
		MemoryContext caller = MemoryContextSwitchTo(modify->context);
		ScyllaSession *session = scylla_session_get(modify->plan->serverid, modify->userid);

		/* It reads what others write. */
		if (modify->plan->is_conditional)
			scylla_writers_settle(modify->estate);
		modify->rows = scylla_row_writer_new(modify->plan, modify->result->ri_RelationDesc, session,
											 modify->estate);
		if (modify->is_deferred)
			scylla_row_writer_defer(modify->rows);
		MemoryContextSwitchTo(caller);
	}
	return modify->rows;
}

static void
end_modify(ScyllaModifyState *modify)
{
	if (modify != NULL && modify->rows != NULL)
		scylla_row_writer_finish(modify->rows);
}

void
scyllaEndForeignModify(EState *estate, ResultRelInfo *result)
{
	end_modify(result->ri_FdwState);
}

void
scyllaEndForeignInsert(EState *estate, ResultRelInfo *result)
{
	ScyllaModifyState *modify = result->ri_FdwState;

	end_modify(modify->routed != NULL ? modify->routed : modify);
}

/* ---- rows ---- */

/*
 * Before the row leaves, for it could not be called back. Core never checks row security policies of
 * what goes to a foreign partition; a statement has those of its own command alone.
 */
static void
check_options(ScyllaModifyState *modify, TupleTableSlot *slot)
{
	static const WCOKind kinds[] = {WCO_RLS_INSERT_CHECK, WCO_RLS_UPDATE_CHECK, WCO_VIEW_CHECK};

	if (modify->result->ri_WithCheckOptions == NIL)
		return;
	for (int i = 0; i < (int) lengthof(kinds); i++)
		ExecWithCheckOptions(kinds[i], modify->result, slot, modify->estate);
}

/* A conditional write is waited for; whether the row counts. */
static bool
send_row(ScyllaModifyState *modify)
{
	ScyllaRowWriter *rows = get_rows(modify);
	bool is_applied = true;

	scylla_row_writer_send(rows, modify->plan->is_conditional ? &is_applied : NULL);
	if (modify->plan->is_conditional)
		scylla_writer_drain(scylla_row_writer_writer(rows));
	return is_applied;
}

static void
take_slot(ScyllaModifyState *modify, TupleTableSlot *slot)
{
	ScyllaRowValue *values = scylla_row_writer_values(get_rows(modify));

	slot_getallattrs(slot);
	for (int i = 0; i < modify->plan->column_count; i++)
	{
		int index = modify->plan->columns[i].attnum - 1;

		values[i] =
			(ScyllaRowValue) {.value = slot->tts_values[index], .is_null = slot->tts_isnull[index]};
	}
}

static ScyllaModifyState *
inserting(const ResultRelInfo *result)
{
	ScyllaModifyState *modify = result->ri_FdwState;

	return modify->routed != NULL ? modify->routed : modify;
}

TupleTableSlot *
scyllaExecForeignInsert(EState *estate, ResultRelInfo *result, TupleTableSlot *slot,
						TupleTableSlot *plan_slot)
{
	ScyllaModifyState *modify = inserting(result);

	check_options(modify, slot);
	take_slot(modify, slot);
	return send_row(modify) ? slot : NULL;
}

/*
 * Rows that PostgreSQL hands over at once gain nothing, being in flight together anyhow, unless they
 * are conditional: then their answers are waited for together.
 */
int
scyllaGetForeignModifyBatchSize(ResultRelInfo *result)
{
	const ScyllaModifyPlan *plan = inserting(result)->plan;
	const TriggerDesc *triggers = result->ri_TrigDesc;

	if (!plan->is_conditional || result->ri_projectReturning != NULL ||
		result->ri_WithCheckOptions != NIL)
		return 1;
	if (triggers != NULL && (triggers->trig_insert_before_row || triggers->trig_insert_after_row))
		return 1;
	return plan->batch_size;
}

static void
make_batch(ScyllaModifyState *modify)
{
	int size = modify->plan->batch_size;

	if (modify->is_applied != NULL)
		return;
	modify->is_applied = MemoryContextAlloc(modify->context, size * sizeof(bool));
	modify->applied = MemoryContextAlloc(modify->context, size * sizeof(TupleTableSlot *));
}

TupleTableSlot **
scyllaExecForeignBatchInsert(EState *estate, ResultRelInfo *result, TupleTableSlot **slots,
							 TupleTableSlot **plan_slots, int *slot_count)
{
	ScyllaModifyState *modify = inserting(result);
	int applied_count = 0;

	make_batch(modify);
	for (int i = 0; i < *slot_count; i++)
	{
		take_slot(modify, slots[i]);
		scylla_row_writer_send(modify->rows, &modify->is_applied[i]);
	}
	scylla_writer_drain(scylla_row_writer_writer(modify->rows));
	for (int i = 0; i < *slot_count; i++)
		if (modify->is_applied[i])
			modify->applied[applied_count++] = slots[i];
	*slot_count = applied_count;
	return modify->applied;
}

static void
refuse_null_delta(const ScyllaModifyState *modify, const ScyllaModifyColumn *column)
{
	Relation relation = modify->result->ri_RelationDesc;
	Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(relation), column->attnum - 1);

	ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					errmsg("NULL would make all of column \"%s\" of foreign table \"%s\" NULL",
						   NameStr(attribute->attname), RelationGetRelationName(relation)),
					errhint("Assign NULL itself where that is meant."),
					errtablecol(relation, column->attnum)));
}

/*
 * What is added to a column or taken from it. Where PostgreSQL's own result is NULL, as it is for a
 * map that reads as NULL, so it stays: nothing is said about the column. (A counter that reads as
 * NULL is 0 to CQL, and is added to.)
 */
static void
take_delta(ScyllaModifyState *modify, int index, ScyllaRowValue *value, TupleTableSlot *plan_slot)
{
	const ScyllaModifyColumn *column = &modify->plan->columns[index];
	bool is_result_null = value->is_null;

	value->value = ExecGetJunkAttribute(plan_slot, modify->junk[index], &value->is_null);
	if (modify->plan->is_counter || !is_result_null)
		return;
	value->is_left_out = true;
	if (!slot_attisnull(modify->result->ri_oldTupleSlot, column->attnum))
		refuse_null_delta(modify, column);
}

/* What the plan below gives besides the row: the key as it was read, and deltas. */
static void
take_junk(ScyllaModifyState *modify, TupleTableSlot *plan_slot)
{
	ScyllaRowValue *values = scylla_row_writer_values(get_rows(modify));
	const ScyllaModifyPlan *plan = modify->plan;

	for (int i = 0; i < plan->column_count; i++)
	{
		if (plan->columns[i].assign == SCYLLA_ASSIGN_KEY)
			values[i].value = ExecGetJunkAttribute(plan_slot, modify->junk[i], &values[i].is_null);
		else if (scylla_modify_is_delta(plan->columns[i].assign))
			take_delta(modify, i, &values[i], plan_slot);
	}
}

static bool
is_same(Form_pg_attribute attribute, const ScyllaRowValue *old, const ScyllaRowValue *new)
{
	if (old->is_null || new->is_null)
		return old->is_null == new->is_null;
	return datum_image_eq(old->value, new->value, attribute->attbyval, attribute->attlen);
}

static void
refuse_key_change(const ScyllaModifyState *modify, Form_pg_attribute attribute)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("a trigger has changed primary key column \"%s\" of foreign table \"%s\"",
					NameStr(attribute->attname),
					RelationGetRelationName(modify->result->ri_RelationDesc)),
			 errdetail("CQL has no way to move a row."),
			 errhint("Insert the row with its new key, then delete the old one.")));
}

/* Columns that only a trigger can have changed are left out where it has not. */
static void
compare_with_old(ScyllaModifyState *modify, TupleTableSlot *old_slot)
{
	TupleDesc descriptor = RelationGetDescr(modify->result->ri_RelationDesc);
	ScyllaRowValue *values = scylla_row_writer_values(modify->rows);

	slot_getallattrs(old_slot);
	for (int i = 0; i < modify->plan->column_count; i++)
	{
		const ScyllaModifyColumn *column = &modify->plan->columns[i];
		int index = column->attnum - 1;
		Form_pg_attribute attribute = TupleDescAttr(descriptor, index);
		ScyllaRowValue old = {.value = old_slot->tts_values[index],
							  .is_null = old_slot->tts_isnull[index]};
		bool is_unchanged = is_same(attribute, &old, &values[i]);

		if (column->assign == SCYLLA_ASSIGN_KEY && !is_unchanged)
			refuse_key_change(modify, attribute);
		values[i].is_left_out = !column->is_named && is_unchanged;
	}
}

static bool
has_update_trigger(const ResultRelInfo *result)
{
	return result->ri_TrigDesc != NULL && result->ri_TrigDesc->trig_update_before_row;
}

TupleTableSlot *
scyllaExecForeignUpdate(EState *estate, ResultRelInfo *result, TupleTableSlot *slot,
						TupleTableSlot *plan_slot)
{
	ScyllaModifyState *modify = result->ri_FdwState;

	check_options(modify, slot);
	/* Core moves no row out of a foreign partition, and would leave it where nobody finds it. */
	if (result->ri_RelationDesc->rd_rel->relispartition)
		ExecPartitionCheck(result, slot, estate, true);
	take_slot(modify, slot);
	if (has_update_trigger(result))
		compare_with_old(modify, result->ri_oldTupleSlot);
	take_junk(modify, plan_slot);
	return send_row(modify) ? slot : NULL;
}

/* The row as it was read, for RETURNING: CQL does not give it back. */
static void
store_old_row(ScyllaModifyState *modify, TupleTableSlot *slot, TupleTableSlot *plan_slot)
{
	bool is_null;
	Datum row;

	if (modify->whole_row == InvalidAttrNumber)
		return;
	row = ExecGetJunkAttribute(plan_slot, modify->whole_row, &is_null);
	if (is_null)
		elog(ERROR, "whole-row column is NULL");
	modify->old_tuple.t_data = DatumGetHeapTupleHeader(row);
	modify->old_tuple.t_len = HeapTupleHeaderGetDatumLength(modify->old_tuple.t_data);
	ItemPointerSetInvalid(&modify->old_tuple.t_self);
	modify->old_tuple.t_tableOid = RelationGetRelid(modify->result->ri_RelationDesc);
	ExecForceStoreHeapTuple(&modify->old_tuple, slot, false);
}

TupleTableSlot *
scyllaExecForeignDelete(EState *estate, ResultRelInfo *result, TupleTableSlot *slot,
						TupleTableSlot *plan_slot)
{
	ScyllaModifyState *modify = result->ri_FdwState;
	ScyllaRowValue *values = scylla_row_writer_values(get_rows(modify));

	/* Static columns are named, not bound: they stand for a row without clustering columns. */
	for (int i = 0; i < modify->plan->column_count; i++)
		values[i].is_null = true;
	take_junk(modify, plan_slot);
	store_old_row(modify, slot, plan_slot);
	return send_row(modify) ? slot : NULL;
}

/* ---- TRUNCATE ---- */

static void
refuse_truncate(Relation relation)
{
	ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					errmsg("foreign table \"%s\" does not allow truncates",
						   RelationGetRelationName(relation)),
					errhint("Its option \"truncatable\", or its server's, is false.")));
}

static void
truncate_table(Relation relation)
{
	ScyllaOptions *options = scylla_options_of_table(RelationGetRelid(relation), GetUserId());
	ScyllaSession *session = scylla_session_get(options->serverid, GetUserId());
	ScyllaCursorSpec spec = {
		.session = session,
		.cql = scylla_modify_truncate_cql(options->keyspace, options->table),
		.consistency = scylla_write_consistency(options->write_consistency),
		.about = {.relation = psprintf("%s.%s", options->keyspace, options->table),
				  .is_write = true},
	};
	ScyllaCursor *cursor;

	scylla_session_pin(session, CurrentMemoryContext);
	if (scylla_is_timed(options->has_server_timeout) &&
		scylla_has_dialect(session, spec.cql, &spec.about))
		spec.cql = scylla_add_timeout(session, spec.cql);
	cursor = scylla_cursor_new(&spec);
	scylla_cursor_start(cursor, &(ScyllaCursorInput) {0});
	(void) scylla_cursor_next_page(cursor);
}

void
scyllaExecForeignTruncate(List *relations, DropBehavior behavior, bool restart_seqs)
{
	ListCell *cell;

	foreach (cell, relations)
	{
		Relation relation = lfirst(cell);

		if (!scylla_options_of_table(RelationGetRelid(relation), InvalidOid)->is_truncatable)
			refuse_truncate(relation);
	}
	foreach (cell, relations)
		truncate_table(lfirst(cell));
}
