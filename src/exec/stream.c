/*
 * Streams. What the server answers is checked against the plan here, page by page.
 */
#include "postgres.h"

#include "exec/stream.h"

#include "exec/row_key.h"

ScyllaStream *
scylla_stream_new(const ScyllaStreamSpec *spec, ScyllaVariant *variant)
{
	const ScyllaRemote *remote = spec->remote;
	ScyllaStream *stream = palloc0(sizeof(ScyllaStream));
	ScyllaCursorSpec cursor = {
		.session = remote->session,
		.statement = scylla_statement_get(variant->statement),
		.consistency = spec->consistency,
		.page_rows = remote->plan->fetch_size,
		.is_idempotent = true,
		.is_traced = spec->is_traced,
		.is_prefetching = true,
		.is_timed = variant->is_timed,
		.about = scylla_remote_report(remote),
		.counters = spec->counters,
	};

	stream->variant = variant;
	stream->cursor = scylla_cursor_new(&cursor);
	return stream;
}

/* ---- errors tell which probe failed ---- */

static cql_cell
next_cell(const char **at)
{
	cql_cell cell = {.data = (const uint8_t *) *at + 4,
					 .len = (int32) cql_get_u32((const uint8_t *) *at)};

	*at += 4 + Max(cell.len, 0);
	return cell;
}

/* "k = 1, c = 5": of the key alone, since values of other columns must not reach a log. */
static void
append_key(StringInfo out, const ScyllaVariant *variant, const ScyllaCursorInput *input)
{
	const cql_statement *statement = scylla_statement_get(variant->statement);
	const ScyllaScanArm *arm = variant->arm;
	bool is_key = !arm->is_filtered && arm->access != SCYLLA_ACCESS_INDEX;
	int count = is_key ? arm->condition_count : arm->partition_conditions;
	const char *at = input->values;
	int bind = 0;

	for (int i = 0; i < count; i++)
	{
		const ScyllaScanCondition *condition = &arm->conditions[i];

		if (scylla_is_skipped(variant->skipped, i))
			continue;
		if (scylla_operator_is_range(condition->op) || condition->form != SCYLLA_FORM_COLUMN ||
			condition->is_list)
			break;
		scylla_row_key_append(out, condition->markers[0].name,
							  cql_statement_bind(statement, bind++)->type, next_cell(&at));
	}
}

static void
add_probe_context(void *arg)
{
	const ScyllaStream *stream = arg;
	StringInfoData text;

	initStringInfo(&text);
	append_key(&text, stream->variant, scylla_cursor_input(stream->cursor));
	if (text.len > 0)
		errcontext("rows with %s", text.data);
	pfree(text.data);
}

/* One that has just come; it may be read several times. */
static void
take_page(const ScyllaStream *stream, ScyllaRemote *remote)
{
	const cql_result *page = scylla_cursor_result(stream->cursor);

	/* At the end too: what has no rows may be no answer to a SELECT at all. */
	scylla_variant_check_page(remote, stream->variant, page);
	if (cql_result_row_count(page) > 0)
		scylla_throttle(remote->throttle, cql_result_row_count(page));
}

bool
scylla_stream_poll(ScyllaStream *stream, ScyllaRemote *remote)
{
	ErrorContextCallback context = {
		.previous = error_context_stack, .callback = add_probe_context, .arg = stream};
	int page_count = scylla_cursor_page_count(stream->cursor);
	bool has_come;

	error_context_stack = &context;
	has_come = scylla_cursor_poll(stream->cursor);
	if (has_come && scylla_cursor_page_count(stream->cursor) != page_count)
		take_page(stream, remote);
	error_context_stack = context.previous;
	return has_come;
}
