/*
 * CQL text. Every value is a bind marker, so the text of a plan never changes with its values
 * and is prepared once; names are the only thing that has to be quoted.
 */
#include "postgres.h"

#include "nodes/value.h"
#include "plan/deparse.h"
#include "plan/modify_plan.h"

/*
 * Words that are not read as a name everywhere in a SELECT: those that ScyllaDB (Cql.g) or any
 * Cassandra since 3.11 reserves, and those that start a construct of their own in a select list.
 * Sorted. A word too many costs two quotes, a word too few a syntax error.
 */
static const char *const reserved_words[] = {
	"add",
	"allow",
	"alter",
	"and",
	"ann",
	"apply",
	"asc",
	"authorize",
	"batch",
	"begin",
	"between",
	"by",
	"cast",
	"check",
	"columnfamily",
	"concurrency",
	"constraint",
	"count",
	"create",
	"default",
	"delete",
	"desc",
	"describe",
	"distinct",
	"drop",
	"entries",
	"execute",
	"false",
	"from",
	"full",
	"grant",
	"if",
	"in",
	"index",
	"infinity",
	"insert",
	"into",
	"is",
	"json",
	"keyspace",
	"length",
	"limit",
	"masked",
	"materialized",
	"maxwritetime",
	"mbean",
	"mbeans",
	"modify",
	"mutation_fragments",
	"nan",
	"norecursive",
	"not",
	"null",
	"of",
	"on",
	"or",
	"order",
	"primary",
	"rename",
	"replace",
	"revoke",
	"schema",
	"scylla_clustering_bound",
	"scylla_counter_shard_list",
	"scylla_timeuuid_list_index",
	"select",
	"set",
	"table",
	"text_search_indexing",
	"to",
	"token",
	"true",
	"truncate",
	"ttl",
	"unlogged",
	"unset",
	"update",
	"use",
	"using",
	"vector_search_indexing",
	"view",
	"where",
	"with",
	"writetime",
};

static int
compare_word(const void *key, const void *element)
{
	return strcmp(key, *(const char *const *) element);
}

/* Unquoted names fold to lower case, so only lower-case ones stand for themselves. */
static bool
is_plain_name(const char *name)
{
	if (name[0] < 'a' || name[0] > 'z')
		return false;
	for (const char *p = name; *p != '\0'; p++)
		if (!((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '_'))
			return false;
	return bsearch(name, reserved_words, lengthof(reserved_words), sizeof(reserved_words[0]),
				   compare_word) == NULL;
}

void
scylla_deparse_name(StringInfo out, const char *name)
{
	if (is_plain_name(name))
	{
		appendStringInfoString(out, name);
		return;
	}
	appendStringInfoChar(out, '"');
	for (const char *p = name; *p != '\0'; p++)
	{
		if (*p == '"')
			appendStringInfoChar(out, '"');
		appendStringInfoChar(out, *p);
	}
	appendStringInfoChar(out, '"');
}

void
scylla_deparse_table(StringInfo out, const char *keyspace, const char *table)
{
	scylla_deparse_name(out, keyspace);
	appendStringInfoChar(out, '.');
	scylla_deparse_name(out, table);
}

char *
scylla_deparse_token(const ScyllaTable *table)
{
	StringInfoData out;

	initStringInfo(&out);
	for (int i = 0; i < table->partition_count; i++)
	{
		appendStringInfoString(&out, i == 0 ? "token(" : ", ");
		scylla_deparse_name(&out, table->partition_names[i]);
	}
	appendStringInfoChar(&out, ')');
	return out.data;
}

char *
scylla_deparse_function(const ScyllaTable *table, const ScyllaColumn *column)
{
	StringInfoData out;

	initStringInfo(&out);
	switch (column->function)
	{
		case SCYLLA_FUNCTION_NONE:
		case SCYLLA_FUNCTION_USING_TTL:
		case SCYLLA_FUNCTION_USING_TIMESTAMP:
			return pstrdup(column->name);
		case SCYLLA_FUNCTION_TTL:
		case SCYLLA_FUNCTION_WRITETIME:
			appendStringInfoString(&out,
								   column->function == SCYLLA_FUNCTION_TTL ? "ttl(" : "writetime(");
			scylla_deparse_name(&out, column->argument);
			break;
		case SCYLLA_FUNCTION_TOKEN:
			return scylla_deparse_token(table);
	}
	appendStringInfoChar(&out, ')');
	return out.data;
}

static void
append_columns(StringInfo out, const ScyllaScanPlan *plan)
{
	for (int i = 0; i < plan->column_count; i++)
	{
		if (i > 0)
			appendStringInfoString(out, ", ");
		if (plan->columns[i].is_expression)
			appendStringInfoString(out, plan->columns[i].name);
		else
			scylla_deparse_name(out, plan->columns[i].name);
	}
}

static void
append_names(StringInfo out, const ScyllaScanCondition *condition)
{
	for (int i = 0; i < condition->marker_count; i++)
	{
		if (i > 0)
			appendStringInfoString(out, ", ");
		scylla_deparse_name(out, condition->markers[i].name);
	}
}

static void
append_condition(StringInfo out, const ScyllaScanCondition *condition)
{
	switch (condition->form)
	{
		case SCYLLA_FORM_COLUMN:
			append_names(out, condition);
			appendStringInfo(out, " %s ?",
							 condition->is_list ? "IN" : scylla_operator_text(condition->op));
			break;
		case SCYLLA_FORM_ROW:
			appendStringInfoChar(out, '(');
			append_names(out, condition);
			appendStringInfo(out, ") %s (?", scylla_operator_text(condition->op));
			for (int i = 1; i < condition->marker_count; i++)
				appendStringInfoString(out, ", ?");
			appendStringInfoChar(out, ')');
			break;
		case SCYLLA_FORM_TOKEN:
			appendStringInfo(out, "%s %s ?", condition->markers[0].name,
							 scylla_operator_text(condition->op));
			break;
		case SCYLLA_FORM_CONTAINS:
			append_names(out, condition);
			appendStringInfoString(out, " CONTAINS ?");
			break;
		case SCYLLA_FORM_CONTAINS_KEY:
			append_names(out, condition);
			appendStringInfoString(out, " CONTAINS KEY ?");
			break;
		case SCYLLA_FORM_ENTRY:
			scylla_deparse_name(out, condition->markers[0].name);
			appendStringInfoString(out, "[?] = ?");
			break;
		case SCYLLA_FORM_EMPTY:
			append_names(out, condition);
			appendStringInfo(out, " %s ?", scylla_operator_text(condition->op));
			break;
		case SCYLLA_FORM_RING_PIECE:
			appendStringInfo(out, "%1$s > ? AND %1$s <= ?", condition->markers[0].name);
			break;
	}
}

static void
append_conditions(StringInfo out, const ScyllaScanArm *arm, uint64 skipped)
{
	const char *glue = " WHERE ";

	for (int i = 0; i < arm->condition_count; i++)
	{
		if (scylla_is_skipped(skipped, i))
			continue;
		appendStringInfoString(out, glue);
		append_condition(out, &arm->conditions[i]);
		glue = " AND ";
	}
}

static void
append_groups(StringInfo out, const ScyllaScanPlan *plan)
{
	ListCell *cell;

	foreach (cell, plan->group_names)
	{
		appendStringInfoString(out, foreach_current_index(cell) == 0 ? " GROUP BY " : ", ");
		scylla_deparse_name(out, strVal(lfirst(cell)));
	}
}

/* Also the table's own, which may not be what the foreign table was made for any more. All columns
 * from the first on, for neither server lets every bound one be left out. */
static void
append_order(StringInfo out, const ScyllaScanPlan *plan)
{
	for (int i = 0; i < plan->order_count; i++)
	{
		appendStringInfoString(out, i == 0 ? " ORDER BY " : ", ");
		scylla_deparse_name(out, plan->orders[i].name);
		appendStringInfoString(out, plan->orders[i].is_descending ? " DESC" : " ASC");
	}
}

/* Whether the table is read in its view's place: of a view the first key column is always bound. */
static bool
is_without_view(const ScyllaScanArm *arm, uint64 skipped)
{
	return arm->access == SCYLLA_ACCESS_VIEW && scylla_is_skipped(skipped, 0);
}

static char *
make_delete(const ScyllaScanPlan *plan, uint64 skipped, ScyllaModifyWords words)
{
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfoString(&out, "DELETE FROM ");
	scylla_deparse_table(&out, plan->keyspace, plan->table);
	if (words == SCYLLA_WORDS_TIMED)
		appendStringInfoString(&out, " USING TIMEOUT ?");
	append_conditions(&out, &plan->arms[0], skipped);
	return out.data;
}

char *
scylla_direct_plan_cql(const ScyllaDirectPlan *plan, uint64 skipped, ScyllaModifyWords words)
{
	return make_delete(plan->where, skipped, words);
}

char *
scylla_scan_plan_cql(const ScyllaScanPlan *plan, const ScyllaScanArm *arm, uint64 skipped)
{
	bool has_key = !is_without_view(arm, skipped);
	StringInfoData out;

	if (plan->is_delete)
		return make_delete(plan, skipped, SCYLLA_WORDS_PLAIN);
	initStringInfo(&out);
	appendStringInfoString(&out, plan->is_distinct ? "SELECT DISTINCT " : "SELECT ");
	append_columns(&out, plan);
	appendStringInfoString(&out, " FROM ");
	scylla_deparse_table(&out, plan->keyspace,
						 arm->access == SCYLLA_ACCESS_VIEW && has_key ? arm->path_name
																	  : plan->table);
	append_conditions(&out, arm, skipped);
	append_groups(&out, plan);
	/* What a filter finds by an index neither server sorts, but it comes in the table's own order. */
	if (has_key && !arm->is_filtered)
		append_order(&out, plan);
	if (plan->partition_limit > 0)
		appendStringInfo(&out, " PER PARTITION LIMIT %d", plan->partition_limit);
	if (plan->is_limit_sent && (skipped & SCYLLA_SKIP_LIMIT) == 0)
		appendStringInfoString(&out, " LIMIT ?");
	if (arm->is_filtered)
		appendStringInfoString(&out, " ALLOW FILTERING");
	return out.data;
}

char *
scylla_scan_plan_access(const ScyllaScanArm *arm)
{
	if (arm == NULL)
		return pstrdup("none");
	if (arm->path_name != NULL)
		return psprintf("%s %s", scylla_access_name(arm->access), arm->path_name);
	return pstrdup(scylla_access_name(arm->access));
}
