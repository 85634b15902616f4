/*
 * Texts of a plan. Drift is found in two places: in what PREPARE tells, before anything is asked,
 * and in the columns of every page.
 */
#include "postgres.h"

#include "exec/variant.h"

#include "bridge/dialect.h"
#include "exec/drift.h"

static bool
has_column_drift(const ScyllaRemote *remote, const ScyllaVariant *variant, const cql_result *page,
				 ScyllaDrift *drift)
{
	const cql_statement *statement = scylla_statement_get(variant->statement);
	int count =
		page != NULL ? cql_result_column_count(page) : cql_statement_column_count(statement);

	if (count != remote->plan->column_count)
		return true;
	for (int i = 0; i < remote->plan->column_count; i++)
	{
		const ScyllaFetchColumn *fetch = &remote->plan->columns[i];
		const cql_column *column =
			page != NULL ? cql_result_column(page, i) : cql_statement_column(statement, i);

		*drift = (ScyllaDrift) {fetch->name, column->type, fetch->type_text};
		if (!scylla_drift_is_type(column->type, fetch->type_text))
			return true;
	}
	return false;
}

static int
count_binds(const ScyllaScanPlan *plan, const ScyllaVariant *variant)
{
	int count = plan->is_limit_sent && (variant->skipped & SCYLLA_SKIP_LIMIT) == 0 ? 1 : 0;

	count += variant->is_timed;
	for (int i = 0; i < variant->arm->condition_count; i++)
		if (!scylla_is_skipped(variant->skipped, i))
			count += variant->arm->conditions[i].marker_count;
	return count;
}

static bool
is_bind_type(const ScyllaScanCondition *condition, const cql_type *type, const char *expected)
{
	if (!condition->is_list)
		return scylla_drift_is_type(type, expected);
	return type->id == CQL_TYPE_LIST && scylla_drift_is_type(type->elements[0], expected);
}

static bool
has_bind_drift(const ScyllaRemote *remote, const ScyllaVariant *variant, ScyllaDrift *drift)
{
	const cql_statement *statement = scylla_statement_get(variant->statement);
	int count = cql_statement_bind_count(statement);
	int bind = 0;

	for (int i = 0; i < variant->arm->condition_count; i++)
	{
		const ScyllaScanCondition *condition = &variant->arm->conditions[i];

		if (scylla_is_skipped(variant->skipped, i))
			continue;
		for (int j = 0; j < condition->marker_count && bind < count; j++)
		{
			const cql_type *type = cql_statement_bind(statement, bind++)->type;

			*drift =
				(ScyllaDrift) {condition->markers[j].name, type, condition->markers[j].type_text};
			if (!is_bind_type(condition, type, condition->markers[j].type_text))
				return true;
		}
	}
	*drift = (ScyllaDrift) {0};
	return count != count_binds(remote->plan, variant);
}

static void
raise_drift(const ScyllaRemote *remote, const ScyllaVariant *variant, const ScyllaDrift *drift)
{
	scylla_drift_raise(remote->session, variant->statement, remote->local_table,
					   remote->remote_table, drift);
}

static bool
has_drift(const ScyllaRemote *remote, const ScyllaVariant *variant, ScyllaDrift *drift)
{
	*drift = (ScyllaDrift) {0};
	return has_column_drift(remote, variant, NULL, drift) || has_bind_drift(remote, variant, drift);
}

void
scylla_variant_check_page(ScyllaRemote *remote, const ScyllaVariant *variant,
						  const cql_result *page)
{
	ScyllaDrift drift = {0};

	if (cql_result_has_columns_of(page, scylla_statement_get(variant->statement)))
		return;
	if (has_column_drift(remote, variant, page, &drift))
		raise_drift(remote, variant, &drift);
	/* A user-defined type got a field. This scan passes over it, the next one shall know it. */
	remote->is_outdated = true;
	scylla_statement_forget(remote->session, variant->statement);
}

static void
explain_refusal(const void *argument)
{
	const ScyllaRemote *remote = argument;

	scylla_drift_explain(remote->session, remote->relid, remote->plan);
}

ScyllaReportContext
scylla_remote_report(const ScyllaRemote *remote)
{
	return (ScyllaReportContext) {
		.relation = remote->remote_table, .explain = explain_refusal, .argument = remote};
}

static bool
bypasses_cache(const ScyllaRemote *remote, const ScyllaVariant *variant)
{
	ScyllaAccess access = variant->arm->access;

	switch ((ScyllaBypassCache) remote->plan->bypass_cache)
	{
		case SCYLLA_BYPASS_ALL:
			return true;
		case SCYLLA_BYPASS_NONE:
			return false;
		case SCYLLA_BYPASS_AUTO:
			break;
	}
	/* Rows that are read once would push out those that are read again. */
	return access == SCYLLA_ACCESS_FULL_SCAN || access == SCYLLA_ACCESS_TOKEN_RANGE;
}

/* In the dialect of whom the session is connected to. */
static void
prepare_once(const ScyllaRemote *remote, ScyllaVariant *variant, const char *cql)
{
	ScyllaReportContext about = scylla_remote_report(remote);
	ScyllaReadWords words = {
		.is_bypassing = bypasses_cache(remote, variant),
		.is_timed = remote->is_timed,
	};

	variant->statement = scylla_prepare_read(remote->session, cql, &words, &about);
	variant->is_timed = words.is_timed;
}

/* A statement that was prepared before the remote table changed is prepared again. */
static void
prepare(const ScyllaRemote *remote, ScyllaVariant *variant)
{
	ScyllaDrift drift;
	const char *cql = scylla_scan_plan_cql(remote->plan, variant->arm, variant->skipped);

	prepare_once(remote, variant, cql);
	if (!has_drift(remote, variant, &drift))
		return;
	scylla_statement_forget(remote->session, variant->statement);
	scylla_statement_release(variant->statement);
	prepare_once(remote, variant, cql);
	if (has_drift(remote, variant, &drift))
		raise_drift(remote, variant, &drift);
}

ScyllaVariant *
scylla_variant_get(const ScyllaRemote *remote, const ScyllaScanArm *arm, uint64 skipped,
				   List **variants)
{
	ScyllaVariant *variant;
	ListCell *cell;

	foreach (cell, *variants)
	{
		variant = lfirst(cell);
		if (variant->arm == arm && variant->skipped == skipped)
			return variant;
	}
	variant = palloc0(sizeof(ScyllaVariant));
	variant->arm = arm;
	variant->skipped = skipped;
	dlist_init(&variant->idle);
	prepare(remote, variant);
	*variants = lappend(*variants, variant);
	return variant;
}
