/*
 * Packs the contract of writes into a list of nodes, which PostgreSQL can copy and cache, and
 * unpacks it; makes its CQL texts. Nobody else knows the layout:
 *
 *   ((keyspace table kind number ...) (column ...))
 *
 * Every value is a bind variable and every option that changes the text is part of the plan, so a
 * plan has two texts at most and each is prepared once.
 */
#include "postgres.h"

#include "nodes/value.h"
#include "plan/deparse.h"
#include "plan/modify_plan.h"

/* ---- packing ---- */

/* The numbers of a plan, in the order in which they are packed. */
static int **
list_numbers(ScyllaModifyPlan *plan, int *count)
{
	int *numbers[] = {
		&plan->partition_count,   &plan->clustering_count,
		&plan->write_consistency, &plan->serial_consistency,
		&plan->max_in_flight,     &plan->batch_size,
		&plan->write_rate,        &plan->ttl_s,
	};
	int **list = palloc(sizeof(numbers));

	memcpy(list, numbers, sizeof(numbers));
	*count = lengthof(numbers);
	return list;
}

static List *
encode_column(const ScyllaModifyColumn *column)
{
	List *packed = list_make5(makeInteger(column->attnum), makeString(column->name),
							  makeString(column->type_text), makeInteger(column->role),
							  makeInteger(column->assign));

	packed = lappend(packed, makeInteger(column->is_named));
	packed = lappend(packed, makeInteger((int) column->value_type));
	packed = lappend(packed, makeInteger(column->value_typmod));
	return lappend(packed, makeInteger(column->is_list));
}

static void
decode_column(List *packed, ScyllaModifyColumn *column)
{
	column->attnum = (AttrNumber) intVal(linitial(packed));
	column->name = strVal(lsecond(packed));
	column->type_text = strVal(lthird(packed));
	column->role = (ScyllaKeyRole) intVal(lfourth(packed));
	column->assign = (ScyllaAssign) intVal(list_nth(packed, 4));
	column->is_named = intVal(list_nth(packed, 5)) != 0;
	column->value_type = (Oid) intVal(list_nth(packed, 6));
	column->value_typmod = intVal(list_nth(packed, 7));
	column->is_list = intVal(list_nth(packed, 8)) != 0;
}

List *
scylla_modify_plan_encode(const ScyllaModifyPlan *plan)
{
	ScyllaModifyPlan copy = *plan;
	List *facts = list_make5(makeString(plan->keyspace), makeString(plan->table),
							 makeInteger((int) plan->serverid), makeInteger(plan->kind),
							 makeInteger(plan->is_null_unset));
	List *flags = list_make5(makeInteger(plan->is_static_only), makeInteger(plan->is_conditional),
							 makeInteger(plan->is_counter), makeInteger(plan->is_excess_truncated),
							 makeInteger(plan->has_server_timeout));
	List *numbers = NIL;
	List *columns = NIL;
	int number_count;
	int **list = list_numbers(&copy, &number_count);

	for (int i = 0; i < number_count; i++)
		numbers = lappend(numbers, makeInteger(*list[i]));
	for (int i = 0; i < plan->column_count; i++)
		columns = lappend(columns, encode_column(&plan->columns[i]));
	return list_make4(facts, flags, numbers, columns);
}

ScyllaModifyPlan *
scylla_modify_plan_decode(List *packed)
{
	ScyllaModifyPlan *plan = palloc0(sizeof(ScyllaModifyPlan));
	List *facts = linitial(packed);
	List *flags = lsecond(packed);
	List *numbers = lthird(packed);
	List *columns = lfourth(packed);
	int number_count;
	int **list = list_numbers(plan, &number_count);
	ListCell *cell;

	plan->keyspace = strVal(linitial(facts));
	plan->table = strVal(lsecond(facts));
	plan->serverid = (Oid) intVal(lthird(facts));
	plan->kind = (ScyllaModifyKind) intVal(lfourth(facts));
	plan->is_null_unset = intVal(list_nth(facts, 4)) != 0;
	plan->is_static_only = intVal(linitial(flags)) != 0;
	plan->is_conditional = intVal(lsecond(flags)) != 0;
	plan->is_counter = intVal(lthird(flags)) != 0;
	plan->is_excess_truncated = intVal(lfourth(flags)) != 0;
	plan->has_server_timeout = intVal(list_nth(flags, 4)) != 0;
	for (int i = 0; i < number_count; i++)
		*list[i] = intVal(list_nth(numbers, i));
	plan->columns = palloc0(list_length(columns) * sizeof(ScyllaModifyColumn));
	foreach (cell, columns)
		decode_column(lfirst(cell), &plan->columns[plan->column_count++]);
	return plan;
}

List *
scylla_direct_plan_encode(const ScyllaDirectPlan *plan)
{
	return list_make3(scylla_scan_plan_encode(plan->where), scylla_modify_plan_encode(plan->write),
					  makeInteger(plan->is_counted));
}

ScyllaDirectPlan *
scylla_direct_plan_decode(List *packed)
{
	ScyllaDirectPlan *plan = palloc0(sizeof(ScyllaDirectPlan));

	plan->where = scylla_scan_plan_decode(linitial(packed));
	plan->write = scylla_modify_plan_decode(lsecond(packed));
	plan->is_counted = intVal(lthird(packed)) != 0;
	return plan;
}

/* ---- CQL ---- */

bool
scylla_modify_plan_binds(const ScyllaModifyPlan *plan, const ScyllaModifyColumn *column,
						 ScyllaModifyTarget target)
{
	if (column->assign == SCYLLA_ASSIGN_DELETE || column->assign == SCYLLA_ASSIGN_TIMESTAMP)
		return false;
	if (column->assign == SCYLLA_ASSIGN_TTL)
		return true;
	return target == SCYLLA_TARGET_ROW || column->role == SCYLLA_KEY_PARTITION ||
		   column->role == SCYLLA_KEY_STATIC;
}

/* A text that is being made. */
typedef struct ModifyText
{
	StringInfoData cql;
	const ScyllaModifyPlan *plan;
	ScyllaModifyTarget target;
	ScyllaModifyWords words;
	int *order;
	int bind_count;
} ModifyText;

static void
note_bind(ModifyText *text, int index)
{
	if (text->order != NULL)
		text->order[text->bind_count] = index;
	text->bind_count++;
}

static bool
is_bound(const ModifyText *text, int index)
{
	return scylla_modify_plan_binds(text->plan, &text->plan->columns[index], text->target);
}

/* Whether a bound column is among those that the statement names. */
static bool
is_value(const ModifyText *text, int index)
{
	return is_bound(text, index) && text->plan->columns[index].assign != SCYLLA_ASSIGN_TTL;
}

static bool
is_bound_key(const ModifyText *text, int index)
{
	return is_bound(text, index) && text->plan->columns[index].assign == SCYLLA_ASSIGN_KEY;
}

static void
append_table(ModifyText *text)
{
	scylla_deparse_table(&text->cql, text->plan->keyspace, text->plan->table);
}

/* TTL ?, TTL n, or nothing; the glue behind which the next would stand. */
static const char *
append_ttl(ModifyText *text, const char *glue)
{
	for (int i = 0; i < text->plan->column_count; i++)
	{
		if (text->plan->columns[i].assign != SCYLLA_ASSIGN_TTL)
			continue;
		appendStringInfo(&text->cql, "%sTTL ?", glue);
		note_bind(text, i);
		return " AND ";
	}
	if (text->plan->ttl_s < 0)
		return glue;
	appendStringInfo(&text->cql, "%sTTL %d", glue, text->plan->ttl_s);
	return " AND ";
}

static const char *
append_timeout(ModifyText *text, const char *glue)
{
	if (text->words == SCYLLA_WORDS_PLAIN)
		return glue;
	appendStringInfo(&text->cql, "%sTIMEOUT ?", glue);
	return " AND ";
}

static void
append_insert(ModifyText *text)
{
	const char *glue = " (";

	appendStringInfoString(&text->cql, "INSERT INTO ");
	append_table(text);
	for (int i = 0; i < text->plan->column_count; i++)
	{
		if (!is_value(text, i))
			continue;
		appendStringInfoString(&text->cql, glue);
		scylla_deparse_name(&text->cql, text->plan->columns[i].name);
		note_bind(text, i);
		glue = ", ";
	}
	appendStringInfoString(&text->cql, ") VALUES (");
	for (int i = 0; i < text->bind_count; i++)
		appendStringInfoString(&text->cql, i == 0 ? "?" : ", ?");
	appendStringInfoChar(&text->cql, ')');
	if (text->plan->is_conditional)
		appendStringInfoString(&text->cql, " IF NOT EXISTS");
	append_timeout(text, append_ttl(text, " USING "));
}

static void
append_assignment(ModifyText *text, const ScyllaModifyColumn *column)
{
	StringInfo out = &text->cql;

	scylla_deparse_name(out, column->name);
	appendStringInfoString(out, " = ");
	switch (column->assign)
	{
		case SCYLLA_ASSIGN_ADD:
		case SCYLLA_ASSIGN_SUBTRACT:
			scylla_deparse_name(out, column->name);
			appendStringInfoString(out, column->assign == SCYLLA_ASSIGN_ADD ? " + ?" : " - ?");
			break;
		case SCYLLA_ASSIGN_PREPEND:
			appendStringInfoString(out, "? + ");
			scylla_deparse_name(out, column->name);
			break;
		case SCYLLA_ASSIGN_VALUE:
		case SCYLLA_ASSIGN_KEY:
		case SCYLLA_ASSIGN_DELETE:
		case SCYLLA_ASSIGN_TTL:
		case SCYLLA_ASSIGN_TIMESTAMP:
			appendStringInfoChar(out, '?');
			break;
	}
}

static void
append_where(ModifyText *text)
{
	const char *glue = " WHERE ";

	for (int i = 0; i < text->plan->column_count; i++)
	{
		if (!is_bound_key(text, i))
			continue;
		appendStringInfoString(&text->cql, glue);
		scylla_deparse_name(&text->cql, text->plan->columns[i].name);
		appendStringInfoString(&text->cql, " = ?");
		note_bind(text, i);
		glue = " AND ";
	}
	if (text->plan->is_conditional)
		appendStringInfoString(&text->cql, " IF EXISTS");
}

static void
append_update(ModifyText *text)
{
	const char *glue = " SET ";

	appendStringInfoString(&text->cql, "UPDATE ");
	append_table(text);
	append_ttl(text, append_timeout(text, " USING "));
	for (int i = 0; i < text->plan->column_count; i++)
	{
		if (!is_value(text, i) || is_bound_key(text, i))
			continue;
		appendStringInfoString(&text->cql, glue);
		append_assignment(text, &text->plan->columns[i]);
		note_bind(text, i);
		glue = ", ";
	}
	append_where(text);
}

static void
append_delete(ModifyText *text)
{
	const char *glue = " ";

	appendStringInfoString(&text->cql, "DELETE");
	for (int i = 0; i < text->plan->column_count && text->target == SCYLLA_TARGET_STATIC; i++)
	{
		if (text->plan->columns[i].assign != SCYLLA_ASSIGN_DELETE)
			continue;
		appendStringInfoString(&text->cql, glue);
		scylla_deparse_name(&text->cql, text->plan->columns[i].name);
		glue = ", ";
	}
	appendStringInfoString(&text->cql, " FROM ");
	append_table(text);
	append_timeout(text, " USING ");
	append_where(text);
}

int
scylla_modify_plan_key_count(const ScyllaModifyPlan *plan)
{
	return plan->partition_count + plan->clustering_count;
}

bool
scylla_modify_plan_inserts(const ScyllaModifyPlan *plan)
{
	return plan->kind == SCYLLA_MODIFY_INSERT && !plan->is_counter;
}

char *
scylla_modify_plan_cql(const ScyllaModifyPlan *plan, ScyllaModifyTarget target,
					   ScyllaModifyWords words, int *order)
{
	ModifyText text = {.plan = plan, .target = target, .words = words, .order = order};

	initStringInfo(&text.cql);
	if (plan->kind == SCYLLA_MODIFY_DELETE)
		append_delete(&text);
	else if (scylla_modify_plan_inserts(plan))
		append_insert(&text);
	else
		append_update(&text);
	return text.cql.data;
}

char *
scylla_modify_truncate_cql(const char *keyspace, const char *table)
{
	StringInfoData cql;

	initStringInfo(&cql);
	appendStringInfoString(&cql, "TRUNCATE ");
	scylla_deparse_table(&cql, keyspace, table);
	return cql.data;
}

/* Tables of one inheritance tree share a junk column of one name, so the name tells all of the
 * Var that it stands for. */
char *
scylla_modify_key_name(AttrNumber attnum, Oid type, int32 typmod, Oid collation)
{
	return psprintf("scylla_key_%d_%u_%d_%u", attnum, type, typmod, collation);
}

char *
scylla_modify_delta_name(AttrNumber attnum)
{
	return psprintf("scylla_delta_%d", attnum);
}
