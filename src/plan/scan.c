/*
 * Makes the contract of a scan: which conditions the statement carries, in which order, and
 * which columns it returns.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "nodes/value.h"
#include "plan/choose.h"
#include "plan/deparse.h"
#include "plan/full_scan.h"
#include "plan/scan.h"
#include "utils/lsyscache.h"

/* ---- conditions ---- */

/* The CQL type of a value at a place of the condition. */
static char *
type_of_marker(const ScyllaCondition *condition, const ScyllaColumn *column, int i)
{
	const cql_type *cql =
		condition->form == SCYLLA_FORM_ENTRY ? column->cql_type->elements[i] : condition->cql;
	char text[1024];

	if (column == NULL)
		return pstrdup("bigint");
	if (cql == NULL)
		return pstrdup(column->cql_type_text);
	(void) cql_type_print(cql, true, text, sizeof(text));
	return pstrdup(text);
}

static void
make_marker(const ScyllaTable *table, const ScyllaCondition *condition, int i,
			ScyllaScanMarker *marker)
{
	const ScyllaColumn *column = NULL;

	if (condition->columns != NIL)
		column = condition->form == SCYLLA_FORM_ROW ? list_nth(condition->columns, i)
													: linitial(condition->columns);
	marker->attnum = column != NULL ? column->attnum : 0;
	marker->name = column != NULL ? pstrdup(column->name) : scylla_deparse_token(table);
	marker->type_text = type_of_marker(condition, column, i);
}

static void
send_condition(const ScyllaTable *table, const ScyllaSent *sent, ScyllaScanArm *arm,
			   ScyllaScanParts *parts)
{
	const ScyllaCondition *from = sent->condition;
	ScyllaScanCondition *condition = &arm->conditions[arm->condition_count++];

	condition->form = from->form;
	condition->op = from->op;
	condition->is_rechecked = sent->is_rechecked;
	condition->marker_count = list_length(from->values);
	condition->markers = palloc0(condition->marker_count * sizeof(ScyllaScanMarker));
	for (int i = 0; i < condition->marker_count; i++)
	{
		make_marker(table, from, i, &condition->markers[i]);
		condition->markers[i].bind = list_length(parts->binds);
		parts->binds = lappend(parts->binds, list_nth(from->values, i));
	}
}

static bool
binds_partition(const ScyllaTable *table, const ScyllaSent *sent)
{
	const ScyllaColumn *column;

	if (sent->use != SCYLLA_USE_BOUND || sent->condition->columns == NIL)
		return false;
	column = linitial(sent->condition->columns);
	return table->columns[column->attnum - 1].role == SCYLLA_KEY_PARTITION;
}

static void
make_arm(const ScyllaWay *way, ScyllaScanArm *arm, ScyllaScanParts *parts)
{
	const ScyllaTable *table = way->table;
	ListCell *cell;

	arm->access = way->access.access;
	if (way->path_name != NULL)
		arm->path_name = pstrdup(way->path_name);
	arm->is_unique = way->access.is_unique;
	arm->is_filtered = way->access.is_filtered;
	arm->conditions = palloc0(Max(list_length(way->sent), 1) * sizeof(ScyllaScanCondition));
	foreach (cell, way->sent)
	{
		if (binds_partition(table, lfirst(cell)))
			arm->partition_conditions++;
		send_condition(table, lfirst(cell), arm, parts);
	}
	arm->clause = -1;
	if (way->clause == NULL)
		return;
	arm->clause = list_length(parts->binds);
	parts->binds = lappend(parts->binds, way->clause);
}

static void
split_quals(List *quals, const ScyllaQualChoice *choice, ScyllaScanParts *parts)
{
	ListCell *cell;

	foreach (cell, quals)
	{
		ScyllaQual *qual = lfirst(cell);
		const char *reason = choice->reasons[foreach_current_index(cell)];

		if (reason == NULL)
		{
			parts->recheck = lappend(parts->recheck, qual->clause);
			continue;
		}
		parts->filter = lappend(parts->filter, qual->clause);
		parts->plan.local_reasons = lappend(parts->plan.local_reasons, makeString(pstrdup(reason)));
	}
}

void
scylla_scan_split(const ScyllaTable *table, List *quals, ScyllaScanParts *parts)
{
	ScyllaQualChoice choice;
	ListCell *cell;

	memset(parts, 0, sizeof(*parts));
	parts->plan.table = pstrdup(table->options->table);
	scylla_choose(table, quals, &choice);
	/* A view is never one of several ways. */
	parts->table =
		list_length(choice.ways) == 1 ? ((ScyllaWay *) linitial(choice.ways))->table : table;
	split_quals(quals, &choice, parts);
	parts->plan.arms = palloc0(Max(list_length(choice.ways), 1) * sizeof(ScyllaScanArm));
	foreach (cell, choice.ways)
		make_arm(lfirst(cell), &parts->plan.arms[parts->plan.arm_count++], parts);

	parts->plan.keyspace = pstrdup(table->options->keyspace);
	parts->plan.serverid = table->options->serverid;
	parts->plan.read_consistency = table->options->read_consistency;
	parts->plan.fetch_size = table->options->fetch_size;
	parts->plan.read_rate = table->options->read_rate;
	/* A page is no more than the rows of a second. */
	if (parts->plan.read_rate > 0)
		parts->plan.fetch_size = Min(parts->plan.fetch_size, parts->plan.read_rate);
	parts->plan.max_in_flight = table->options->max_in_flight;
	parts->plan.bypass_cache = table->options->bypass_cache;
	parts->plan.has_server_timeout = table->options->has_server_timeout;
	parts->plan.is_excess_truncated = table->options->is_excess_truncated;
	parts->plan.full_scan = table->options->full_scan;
	if (parts->plan.full_scan != SCYLLA_FULL_SCAN_ALLOW)
		parts->plan.unbound_key = scylla_full_scan_unbound(table, quals);
	parts->plan.limit_bind = -1;
	parts->plan.lookup_param = -1;
	parts->plan.shared_column = -1;
}

static bool
binds_range(const ScyllaScanCondition *condition, const ScyllaColumn *column)
{
	if (!scylla_operator_is_range(condition->op))
		return false;
	for (int i = 0; i < condition->marker_count; i++)
		if (condition->markers[i].attnum == column->attnum)
			return true;
	return false;
}

static bool
is_range_column(const ScyllaColumn *column, const ScyllaScanPlan *plan)
{
	for (int i = 0; i < plan->arm_count; i++)
		for (int j = 0; j < plan->arms[i].condition_count; j++)
			if (binds_range(&plan->arms[i].conditions[j], column))
				return true;
	return false;
}

static bool
may_be_left_out(const ScyllaScanArm *arm, int index)
{
	return arm->conditions[index].form == SCYLLA_FORM_ROW ||
		   (arm->conditions[index].op == SCYLLA_OP_IN && index >= arm->partition_conditions);
}

bool
scylla_scan_may_recheck(const ScyllaScanPlan *plan)
{
	for (int i = 0; i < plan->arm_count; i++)
	{
		/* The table is read instead where a view cannot have the rows. */
		if (plan->arms[i].access == SCYLLA_ACCESS_VIEW)
			return true;
		for (int j = 0; j < plan->arms[i].condition_count; j++)
			if (may_be_left_out(&plan->arms[i], j))
				return true;
	}
	return false;
}

static bool
is_needed(const ScyllaColumn *column, const Bitmapset *attributes, const ScyllaScanPlan *plan)
{
	if (scylla_column_is_write_only(column))
		return false;
	return is_range_column(column, plan) ||
		   bms_is_member(column->attnum - FirstLowInvalidHeapAttributeNumber, attributes) ||
		   bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, attributes);
}

/* A partition is found by its bytes. Among clustering columns numbers are found by what they are; and
 * the entries of a map are put in order by the server. */
static bool
is_found_by_bytes(const ScyllaColumn *column)
{
	switch (column->cql_type->id)
	{
		case CQL_TYPE_DECIMAL:
		case CQL_TYPE_VARINT:
			return column->role == SCYLLA_KEY_PARTITION;
		case CQL_TYPE_MAP:
			return false;
		default:
			return true;
	}
}

static void
fetch_column(const ScyllaTable *table, const ScyllaColumn *column, AttrNumber attnum,
			 ScyllaScanPlan *plan)
{
	ScyllaFetchColumn *fetch = &plan->columns[plan->column_count++];

	fetch->attnum = attnum;
	fetch->name = scylla_deparse_function(table, column);
	fetch->is_expression = column->function != SCYLLA_FUNCTION_NONE;
	fetch->function = column->function;
	fetch->type_text = pstrdup(column->cql_type_text);
	fetch->is_key = column->role == SCYLLA_KEY_PARTITION || column->role == SCYLLA_KEY_CLUSTERING;
	fetch->is_found_by_bytes = fetch->is_key && is_found_by_bytes(column);
}

/* Columns of variable length are taken for wider than any fixed one. */
static int
width_of(const ScyllaColumn *column)
{
	int16 len = get_typlen(getBaseType(column->type));

	return len > 0 ? len : 1000;
}

static const ScyllaColumn *
narrower(const ScyllaColumn *best, const ScyllaColumn *column)
{
	if (column == NULL || (best != NULL && width_of(best) <= width_of(column)))
		return best;
	return column;
}

/*
 * The cheapest column that stands for a row: of the key, or, where none is declared, any. All give
 * the same rows: a partition with static columns alone is one row whichever column is asked for
 * (ScyllaDB; seen with Cassandra 5.0, where NULL clustering columns come with it).
 */
static const ScyllaColumn *
narrowest_for_count(const ScyllaTable *table)
{
	const ScyllaColumn *best = NULL;

	for (int i = 0; i < table->partition_count; i++)
		best = narrower(best, table->partition_key[i]);
	for (int i = 0; i < table->clustering_count; i++)
		best = narrower(best, table->clustering_key[i]);
	for (int i = 0; i < table->column_count && best == NULL; i++)
		if (table->columns[i].attnum != 0 && !scylla_column_is_write_only(&table->columns[i]))
			best = &table->columns[i];
	if (best == NULL)
		ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_COLUMN_NUMBER),
						errmsg("foreign table \"%s\" has no columns", table->local_name),
						errhint("Declare at least a partition key column.")));
	return best;
}

static const ScyllaColumn *
narrower_clustering(const ScyllaColumn *best, const ScyllaTable *table,
					const ScyllaScanCondition *condition)
{
	for (int i = 0; i < condition->marker_count; i++)
	{
		AttrNumber attnum = condition->markers[i].attnum;

		if (attnum > 0 && table->columns[attnum - 1].role == SCYLLA_KEY_CLUSTERING)
			best = narrower(best, &table->columns[attnum - 1]);
	}
	return best;
}

const ScyllaColumn *
scylla_scan_restricted_clustering(const ScyllaTable *table, const ScyllaScanPlan *plan)
{
	const ScyllaColumn *best = NULL;

	for (int i = 0; i < plan->arm_count; i++)
		for (int j = 0; j < plan->arms[i].condition_count; j++)
			best = narrower_clustering(best, table, &plan->arms[i].conditions[j]);
	return best;
}

/* Cassandra refuses to restrict clustering columns where static ones alone are selected. */
static bool
fetches_static_alone(const ScyllaTable *table, const ScyllaScanPlan *plan)
{
	bool has_static = false;

	for (int i = 0; i < plan->column_count; i++)
	{
		const ScyllaColumn *column = &table->columns[plan->columns[i].attnum - 1];

		if (column->role == SCYLLA_KEY_STATIC)
			has_static = true;
		else if (column->role != SCYLLA_KEY_PARTITION && column->function != SCYLLA_FUNCTION_TOKEN)
			return false;
	}
	return has_static;
}

/* Neither server takes IN of a clustering column where one of many cells is selected. */
static bool
fetches_multi_cell(const ScyllaTable *table, const ScyllaScanPlan *plan)
{
	for (int i = 0; i < plan->column_count; i++)
	{
		AttrNumber attnum = plan->columns[i].attnum;
		const cql_type *cql = attnum > 0 ? table->columns[attnum - 1].cql_type : NULL;

		if (cql == NULL || cql->is_frozen)
			continue;
		if (cql->id == CQL_TYPE_LIST || cql->id == CQL_TYPE_SET || cql->id == CQL_TYPE_MAP ||
			cql->id == CQL_TYPE_UDT)
			return true;
	}
	return false;
}

static const ScyllaColumn *
column_of(const ScyllaTable *table, const ScyllaScanCondition *condition)
{
	return &table->columns[condition->markers[0].attnum - 1];
}

/* Cassandra decodes a list that is bound and encodes its values anew, which makes an IPv4 address of
 * one that is mapped to IPv6. */
static bool
keeps_bytes_in_list(const cql_type *cql)
{
	for (uint32_t i = 0; i < cql->element_count; i++)
		if (!keeps_bytes_in_list(cql->elements[i]))
			return false;
	return cql->id != CQL_TYPE_INET;
}

/* One request for many values of a clustering column is many times cheaper than as many requests. A
 * filter may make the server go by an index, beside which IN is refused. */
static void
choose_list(const ScyllaTable *table, ScyllaScanArm *arm)
{
	if (arm->is_filtered || arm->partition_conditions == 0)
		return;
	for (int i = arm->condition_count - 1; i >= arm->partition_conditions; i--)
		if (arm->conditions[i].op == SCYLLA_OP_IN)
		{
			arm->conditions[i].is_list =
				keeps_bytes_in_list(column_of(table, &arm->conditions[i])->cql_type);
			return;
		}
}

/* ---- lookups that share a request ---- */

/* Whether CQL's = of two values of the type means the same bytes, in a list as well. */
static bool
is_told_by_bytes(const cql_type *cql)
{
	switch (cql->id)
	{
		case CQL_TYPE_ASCII:
		case CQL_TYPE_BIGINT:
		case CQL_TYPE_BLOB:
		case CQL_TYPE_BOOLEAN:
		case CQL_TYPE_DATE:
		case CQL_TYPE_INT:
		case CQL_TYPE_SMALLINT:
		case CQL_TYPE_TEXT:
		case CQL_TYPE_TIMESTAMP:
		case CQL_TYPE_TIMEUUID:
		case CQL_TYPE_TINYINT:
		case CQL_TYPE_UUID:
			return true;
		default:
			return false;
	}
}

/* A row by its whole primary key, with nothing else to be said of it. */
static bool
is_plain_lookup(const ScyllaScanPlan *plan)
{
	const ScyllaScanArm *arm = &plan->arms[0];

	if (plan->lookup_param < 0 || plan->arm_count != 1 || !arm->is_unique || arm->is_filtered ||
		arm->path_name != NULL || arm->condition_count == arm->partition_conditions ||
		plan->order_count > 0 || plan->partition_limit > 0 || plan->limit_bind >= 0)
		return false;
	for (int i = 0; i < arm->condition_count; i++)
		if (arm->conditions[i].form != SCYLLA_FORM_COLUMN ||
			arm->conditions[i].op != SCYLLA_OP_EQUAL)
			return false;
	return true;
}

static int
find_fetched(const ScyllaScanPlan *plan, const char *name)
{
	for (int i = 0; i < plan->column_count; i++)
		if (!plan->columns[i].is_expression && strcmp(plan->columns[i].name, name) == 0)
			return i;
	return -1;
}

/* Lookups of one partition differ in the last clustering column, which tells their rows apart; unless
 * it is the same for all. */
static void
choose_shared_column(const ScyllaTable *table, ScyllaScanParts *parts)
{
	ScyllaScanPlan *plan = &parts->plan;
	const ScyllaScanArm *arm = &plan->arms[0];
	const ScyllaScanCondition *last;
	const ScyllaColumn *column;

	if (!is_plain_lookup(plan) || fetches_multi_cell(table, plan))
		return;
	last = &arm->conditions[arm->condition_count - 1];
	column = column_of(table, last);
	if (!is_told_by_bytes(column->cql_type) ||
		IsA(list_nth(parts->binds, last->markers[0].bind), Const))
		return;
	if (find_fetched(plan, column->name) < 0)
		fetch_column(table, column, 0, plan);
	plan->shared_column = find_fetched(plan, column->name);
}

void
scylla_scan_fetch(const ScyllaTable *table, const Bitmapset *attributes, ScyllaScanParts *parts)
{
	ScyllaScanPlan *plan = &parts->plan;
	const ScyllaColumn *clustering = scylla_scan_restricted_clustering(table, plan);

	scylla_refuse_system_columns(table->local_name, attributes);
	/* each column at most once, and one more to stand for the row */
	plan->columns = palloc0((table->column_count + 1) * sizeof(ScyllaFetchColumn));
	for (int i = 0; i < table->column_count; i++)
		if (table->columns[i].attnum != 0 && is_needed(&table->columns[i], attributes, plan))
			fetch_column(table, &table->columns[i], table->columns[i].attnum, plan);

	if (plan->column_count == 0)
		fetch_column(table, narrowest_for_count(table), 0, plan);
	else if (clustering != NULL && fetches_static_alone(table, plan))
		fetch_column(table, clustering, 0, plan);
	for (int i = 0; i < plan->arm_count && !fetches_multi_cell(table, plan); i++)
		choose_list(table, &plan->arms[i]);
	choose_shared_column(table, parts);
}
