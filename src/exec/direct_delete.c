/*
 * Deletes partitions and ranges of their rows: evaluates and binds the conditions as a scan does,
 * and hands each combination of their values to a writer, so that many are in flight.
 */
#include "postgres.h"

#include "exec/direct_delete.h"

#include "bridge/dialect.h"
#include "bridge/transaction.h"
#include "compat.h"
#include "exec/row_key.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

/* ---- beginning ---- */

static const ScyllaScanArm *
get_arm(const ScyllaDirectState *direct)
{
	return &direct->plan->where->arms[0];
}

void
scyllaBeginDirectModify(ForeignScanState *node, int eflags)
{
	ForeignScan *fsplan = castNode(ForeignScan, node->ss.ps.plan);
	Relation relation = node->resultRelInfo->ri_RelationDesc;
	ScyllaDirectState *direct = palloc0(sizeof(ScyllaDirectState));

	node->fdw_state = direct;
	direct->plan = scylla_direct_plan_decode(fsplan->fdw_private);
	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
		return;
	direct->userid = scylla_result_userid(node->resultRelInfo, node->ss.ps.state);
	direct->remote.plan = direct->plan->where;
	direct->remote.relid = RelationGetRelid(relation);
	direct->remote.local_table = RelationGetRelationName(relation);
	direct->remote.remote_table =
		psprintf("%s.%s", direct->plan->where->keyspace, direct->plan->where->table);
	direct->params =
		scylla_params_new(get_arm(direct), fsplan->fdw_exprs, direct->remote.local_table);
	scylla_params_init(direct->params, fsplan->fdw_exprs, &node->ss.ps);
	direct->probes = scylla_probes_new(get_arm(direct));
	direct->probes->is_complete = true;
}

/* A partition's key as text, from the values of the conditions that bind it (ScyllaDescribeKey). */
static char *
describe_key(const void *argument, const char *key, size_t key_len)
{
	const ScyllaDirectState *direct = argument;
	const char *end = key + key_len;
	StringInfoData out;

	initStringInfo(&out);
	for (int i = 0; key < end; i++)
	{
		cql_cell cell = {(const uint8 *) key + CQL_VALUE_HEADER_BYTES,
						 (int32) cql_get_u32((const uint8 *) key)};

		scylla_row_key_append(&out, get_arm(direct)->conditions[i].markers[0].name,
							  cql_statement_bind(direct->statement, i)->type, cell);
		key += CQL_VALUE_HEADER_BYTES + Max(cell.len, 0);
	}
	return out.data;
}

static void
make_writer(ScyllaDirectState *direct, const EState *owner)
{
	const ScyllaModifyPlan *write = direct->plan->write;
	ScyllaWriterSpec spec = {
		.session = direct->remote.session,
		.owner = owner,
		.consistency = scylla_write_consistency(write->write_consistency),
		.max_in_flight = write->max_in_flight,
		.rate = write->write_rate,
		.relid = direct->remote.relid,
		.relation = direct->remote.remote_table,
		.describe_key = describe_key,
		.describe_argument = direct,
	};

	direct->writer = scylla_writer_new(&spec);
}

/* ---- sending ---- */

/* What the conditions would take along that is no match cannot be kept out here. */
static void
check_exact(const ScyllaDirectState *direct)
{
	if (!direct->probes->needs_recheck && !scylla_probes_may_read_null(direct->probes))
		return;
	ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					errmsg("a value that foreign table \"%s\" is compared with cannot be sent with "
						   "a DELETE",
						   direct->remote.local_table),
					errdetail("It lies beyond all values of its CQL type."),
					errhint("Leave the condition out, or set option direct_delete to false.")));
}

/* The length of the values that make the partition key, which stand first. */
static size_t
measure_key(const ScyllaDirectState *direct, const char *values)
{
	const char *at = values;

	for (int i = 0; i < get_arm(direct)->partition_conditions; i++)
		at += CQL_VALUE_HEADER_BYTES + cql_get_u32((const uint8 *) at);
	return (size_t) (at - values);
}

/* The variant's statement is what its conditions were judged by; ScyllaDB gets one that has the
 * timeout, too. */
static ScyllaStatement *
choose_statement(const ScyllaDirectState *direct, const ScyllaVariant *variant,
				 ScyllaTimeoutPlace *timeout)
{
	ScyllaReportContext about = scylla_remote_report(&direct->remote);
	ScyllaSession *session = direct->remote.session;

	*timeout = SCYLLA_TIMEOUT_NONE;
	if (!scylla_is_timed(direct->plan->write->has_server_timeout) ||
		!cql_session_is_scylla(session->cql))
		return variant->statement;
	*timeout = SCYLLA_TIMEOUT_FIRST;
	return scylla_prepare(
		session, scylla_direct_plan_cql(direct->plan, variant->skipped, SCYLLA_WORDS_TIMED),
		&about);
}

static void
send_probes(ScyllaDirectState *direct, const ScyllaVariant *variant)
{
	ScyllaCursorInput input;
	ScyllaTimeoutPlace timeout;
	ScyllaStatement *statement = choose_statement(direct, variant, &timeout);

	while (scylla_probes_next(direct->probes, &input))
	{
		ScyllaWrite write = {
			.statement = scylla_statement_get(statement),
			.timeout = timeout,
			.values = input.values,
			.values_len = input.values_len,
			.value_count = input.value_count,
			.routing_key = input.routing_key,
			.routing_key_len = input.routing_key_len,
			.is_idempotent = !direct->plan->write->is_counter,
			.has_timestamp = !direct->plan->write->is_counter,
			.key = input.values,
			.key_len = measure_key(direct, input.values),
		};

		if (write.has_timestamp)
			write.timestamp_us = scylla_write_timestamp_us();
		scylla_writer_submit(direct->writer, &write);
	}
	scylla_writer_drain(direct->writer);
}

static void
delete_all(ScyllaDirectState *direct, EState *estate)
{
	List *variants = NIL;
	const ScyllaVariant *variant;

	direct->remote.session = scylla_session_get(direct->plan->where->serverid, direct->userid);
	scylla_session_pin(direct->remote.session, estate->es_query_cxt);
	scylla_writers_settle(estate);
	variant = scylla_variant_get(&direct->remote, get_arm(direct), 0, &variants);
	direct->statement = scylla_statement_get(variant->statement);
	scylla_params_resolve(direct->params, direct->statement,
						  direct->plan->where->is_excess_truncated);
	scylla_probes_open(direct->probes, scylla_params_encode(direct->params));
	if (direct->probes->count == 0)
		return;
	check_exact(direct);
	if (direct->probes->skipped != 0)
		variant = scylla_variant_get(&direct->remote, get_arm(direct), direct->probes->skipped,
									 &variants);
	make_writer(direct, estate);
	send_probes(direct, variant);
}

TupleTableSlot *
scyllaIterateDirectModify(ForeignScanState *node)
{
	ScyllaDirectState *direct = node->fdw_state;
	EState *estate = node->ss.ps.state;
	MemoryContext caller;

	if (direct->is_done)
		return ExecClearTuple(node->ss.ss_ScanTupleSlot);
	direct->is_done = true;
	if (scylla_params_evaluate(direct->params, node->ss.ps.ps_ExprContext))
	{
		caller = MemoryContextSwitchTo(estate->es_query_cxt);
		delete_all(direct, estate);
		MemoryContextSwitchTo(caller);
	}
	if (direct->plan->is_counted && direct->writer != NULL)
		estate->es_processed += scylla_writer_counters(direct->writer)->written;
	return ExecClearTuple(node->ss.ss_ScanTupleSlot);
}

/* Nothing is left in flight; memory goes with the query's. */
void
scyllaEndDirectModify(ForeignScanState *node)
{
}
