/*
 * Tables whose rows are placed by tablets. Which tablets a table has is read from system.tablets when
 * it is first scanned or routed, one table at a time, and put right by what answers tell of requests
 * that came to the wrong replica.
 *
 * Who may not read that table, and an older server that has none, learns tablets from answers alone.
 */
#include <string.h>

#include "cql/mem.h"
#include "cql/session.h"

#define READING_TIMEOUT_MS 10000
/* A scan has older tablets read anew, for the next one. */
#define MAX_AGE_MS 60000

static const char *const id_queries[CQL_TABLE_QUERY_COUNT] = {
	"SELECT id FROM system_schema.tables WHERE keyspace_name = ? AND table_name = ?",
	"SELECT id FROM system_schema.views WHERE keyspace_name = ? AND view_name = ?"};
/* Not all versions have the same columns. */
static const char *const tablet_query = "SELECT * FROM system.tablets WHERE table_id = ?";

/* ---- the list ---- */

static cql_table *
find_table(const cql_topology *topology, const char *keyspace, const char *name)
{
	cql_table *table = topology->tables;

	while (table != NULL &&
		   (strcmp(table->name, name) != 0 || strcmp(table->keyspace, keyspace) != 0))
		table = table->next;
	return table;
}

static void
free_table(cql_table *table)
{
	cql_tablets_cleanup(&table->tablets);
	cql_release(table->keyspace);
	cql_release(table->name);
	cql_release(table);
}

static cql_table *
find_or_add_table(cql_topology *topology, const char *keyspace, const char *name)
{
	cql_table *table = find_table(topology, keyspace, name);

	if (table != NULL)
		return table;
	table = cql_alloc_zero(sizeof *table);
	if (table == NULL)
		return NULL;
	table->keyspace = cql_copy_text(keyspace, strlen(keyspace));
	table->name = cql_copy_text(name, strlen(name));
	if (table->keyspace == NULL || table->name == NULL)
	{
		free_table(table);
		return NULL;
	}
	cql_tablets_init(&table->tablets);
	table->is_wanted = true;
	table->next = topology->tables;
	topology->tables = table;
	return table;
}

static void
stop_reading(cql_topology *topology)
{
	cql_table_reading *reading = &topology->table_reading;

	for (int i = 0; i < CQL_TABLE_QUERY_COUNT; i++)
	{
		cql_request_free(reading->queries[i]);
		reading->queries[i] = NULL;
	}
	reading->table = NULL;
}

void
cql_tables_forget(cql_topology *topology, bool (*is_kept)(const cql_topology *, const cql_table *))
{
	cql_table **place = &topology->tables;

	while (*place != NULL)
	{
		cql_table *table = *place;

		if (is_kept != NULL && is_kept(topology, table))
		{
			place = &table->next;
			continue;
		}
		if (topology->table_reading.table == table)
			stop_reading(topology);
		*place = table->next;
		free_table(table);
	}
}

const cql_table *
cql_table_known(const cql_topology *topology, const char *keyspace, const char *name)
{
	const cql_table *table = find_table(topology, keyspace, name);

	return table != NULL && table->has_tablets ? table : NULL;
}

const cql_table *
cql_table_find(cql_session *session, const cql_keyspace *keyspace, const char *name)
{
	cql_table *table = NULL;

	/* Tablets are made by this strategy alone. */
	if (session->has_tablets && keyspace->replication->strategy == CQL_STRATEGY_NETWORK)
		table = find_or_add_table(&session->topology, keyspace->name, name);
	return table != NULL && table->has_tablets ? table : NULL;
}

/* ---- tablets ---- */

/* list<tuple<uuid, int>>: nodes by their host ids, and shards. Returns how many are known, -1:
 * malformed. */
static int
read_replicas(cql_session *session, cql_cell list, cql_tablet_replica *replicas)
{
	cql_reader reader = cql_reader_over(list.data, list.len > 0 ? (size_t) list.len : 0);
	int32_t listed = cql_read_int(&reader);
	int count = 0;

	for (int32_t i = 0; i < listed && i < CQL_MAX_REPLICAS && !reader.failed; i++)
	{
		cql_cell pair = cql_read_bytes(&reader);
		cql_reader fields = cql_reader_over(pair.data, pair.len > 0 ? (size_t) pair.len : 0);
		cql_cell host_id = cql_read_bytes(&fields);
		cql_cell shard_cell = cql_read_bytes(&fields);
		const cql_node *node = NULL;
		int32_t shard;

		if (fields.failed || !cql_read_i32(shard_cell, &shard) || shard < 0 || shard > INT16_MAX)
			return -1;
		if (host_id.len == CQL_HOST_ID_LEN)
			node = cql_topology_host(&session->topology, host_id.data);
		if (node != NULL)
			replicas[count++] = (cql_tablet_replica) {node->id, (uint16_t) shard};
		else
			cql_topology_doubt(session, cql_net_now_ms());
	}
	return reader.failed ? -1 : count;
}

static void
set_has_tablets(cql_topology *topology, cql_table *table)
{
	if (table->has_tablets)
		return;
	table->has_tablets = true;
	cql_topology_renew(topology);
}

/* tuple<bigint, bigint, list<...>>: behind the first token, up to the last, replicas */
void
cql_table_learn(cql_session *session, const cql_column *column, cql_cell payload)
{
	cql_topology *topology = &session->topology;
	cql_reader reader = cql_reader_over(payload.data, (size_t) payload.len);
	cql_tablet_replica replicas[CQL_MAX_REPLICAS];
	cql_token_range range;
	cql_cell first = cql_read_bytes(&reader);
	cql_cell last = cql_read_bytes(&reader);
	cql_cell list = cql_read_bytes(&reader);
	cql_table *table;
	int count;

	if (reader.failed || !cql_read_i64(first, &range.start) || !cql_read_i64(last, &range.end) ||
		topology->generation == 0)
		return;
	count = read_replicas(session, list, replicas);
	table = count > 0 ? find_or_add_table(topology, column->keyspace, column->table) : NULL;
	if (table != NULL && cql_tablets_put(&table->tablets, range, replicas, count))
		set_has_tablets(topology, table);
}

/* ---- reading them ---- */

/* False: it could not be asked. */
static bool
ask(cql_session *session, const char *cql, cql_writer *values, int value_count,
	cql_request **request)
{
	cql_link *link = cql_topology_pick_link(session);
	cql_request_spec spec = {.cql = cql,
							 .values = values->data,
							 .values_len = values->len,
							 .value_count = value_count,
							 .consistency = CQL_CONSISTENCY_ONE,
							 .is_idempotent = true,
							 .timeout_ms = READING_TIMEOUT_MS};
	cql_error error;
	bool is_asked = link != NULL && !values->failed &&
					cql_request_submit_on(session, &spec, link, request, &error) == CQL_OK;

	cql_writer_cleanup(values);
	return is_asked;
}

static void
begin_reading(cql_session *session, cql_table *table, uint64_t now_ms)
{
	cql_table_reading *reading = &session->topology.table_reading;

	table->is_wanted = false;
	table->read_at_ms = now_ms + MAX_AGE_MS;
	reading->table = table;
	reading->step = CQL_TABLE_IDS;
	for (int i = 0; i < CQL_TABLE_QUERY_COUNT; i++)
	{
		cql_writer values;

		cql_writer_init(&values);
		cql_write_long_string(&values, table->keyspace);
		cql_write_long_string(&values, table->name);
		if (!ask(session, id_queries[i], &values, 2, &reading->queries[i]))
		{
			stop_reading(&session->topology);
			return;
		}
	}
}

static bool
ask_tablets(cql_session *session, cql_cell table_id)
{
	cql_table_reading *reading = &session->topology.table_reading;
	cql_writer values;

	cql_writer_init(&values);
	cql_write_bytes(&values, table_id.data, table_id.len);
	return table_id.len > 0 && ask(session, tablet_query, &values, 1, &reading->queries[0]);
}

/* NULL: refused, or no rows at all. */
static cql_result *
take_rows(cql_request **query)
{
	cql_result *result = NULL;
	cql_error error;

	if (*query != NULL && cql_request_take_result(*query, &result, &error) == CQL_OK &&
		cql_result_row_count(result) == 0)
	{
		cql_result_free(result);
		result = NULL;
	}
	cql_request_free(*query);
	*query = NULL;
	return result;
}

/* The id of the table, or the view: then its tablets are asked for. */
static bool
take_ids(cql_session *session)
{
	cql_table_reading *reading = &session->topology.table_reading;
	bool is_asked = false;

	reading->step = CQL_TABLE_TABLETS;
	/* What is asked next takes the place of the first query, which has been taken then. */
	for (int i = 0; i < CQL_TABLE_QUERY_COUNT; i++)
	{
		cql_result *result = take_rows(&reading->queries[i]);
		cql_cell id;

		if (result != NULL && !is_asked && cql_result_column_count(result) == 1 &&
			cql_result_next_row(result, &id))
			is_asked = ask_tablets(session, id);
		cql_result_free(result);
	}
	return is_asked;
}

static int
find_column(const cql_result *result, const char *name)
{
	for (int i = 0; i < cql_result_column_count(result); i++)
		if (strcmp(cql_result_column(result, i)->name, name) == 0)
			return i;
	return -1;
}

/* Rows of system.tablets in the order of their last tokens. False: not all could be read. */
static bool
read_tablets(cql_session *session, cql_result *result, cql_cell *cells, cql_tablets *tablets)
{
	int last_at = find_column(result, "last_token");
	int replicas_at = find_column(result, "replicas");
	cql_token_range range = {.end = INT64_MIN};

	if (last_at < 0 || replicas_at < 0)
		return false;
	while (cql_result_next_row(result, cells))
	{
		cql_tablet_replica replicas[CQL_MAX_REPLICAS];
		int count;

		range.start = range.end;
		if (!cql_read_i64(cells[last_at], &range.end))
			return false;
		count = read_replicas(session, cells[replicas_at], replicas);
		if (count < 0 || (count > 0 && !cql_tablets_put(tablets, range, replicas, count)))
			return false;
	}
	return true;
}

/* Tables that are placed together have the tablets of one of them. */
static bool
ask_base_table(cql_session *session, cql_result *result, cql_cell *cells)
{
	int at = find_column(result, "base_table");
	bool is_asked = at >= 0 && cql_result_next_row(result, cells) &&
					cells[at].len == CQL_HOST_ID_LEN && ask_tablets(session, cells[at]);

	cql_result_rewind(result);
	return is_asked;
}

static void
take_tablets(cql_session *session, cql_result *result)
{
	cql_topology *topology = &session->topology;
	cql_table_reading *reading = &topology->table_reading;
	cql_table *table = reading->table;
	cql_cell *cells = cql_alloc((size_t) cql_result_column_count(result) * sizeof *cells);
	cql_tablets tablets;

	if (cells == NULL)
		return;
	cql_tablets_init(&tablets);
	if (reading->step == CQL_TABLE_TABLETS && ask_base_table(session, result, cells))
		reading->step = CQL_TABLE_BASE_TABLETS;
	else if (read_tablets(session, result, cells, &tablets))
	{
		cql_tablets_cleanup(&table->tablets);
		table->tablets = tablets;
		set_has_tablets(topology, table);
	}
	else
		cql_tablets_cleanup(&tablets);
	cql_release(cells);
}

static void
take_answers(cql_session *session)
{
	cql_table_reading *reading = &session->topology.table_reading;
	cql_result *result;

	for (int i = 0; i < CQL_TABLE_QUERY_COUNT; i++)
		if (reading->queries[i] != NULL && !cql_request_is_done(reading->queries[i]))
			return;
	if (reading->step == CQL_TABLE_IDS)
	{
		if (!take_ids(session))
			stop_reading(&session->topology);
		return;
	}
	result = take_rows(&reading->queries[0]);
	if (result != NULL)
		take_tablets(session, result);
	cql_result_free(result);
	if (reading->queries[0] == NULL)
		stop_reading(&session->topology);
}

void
cql_tables_process(cql_session *session, uint64_t now_ms)
{
	cql_topology *topology = &session->topology;

	if (topology->table_reading.table != NULL)
		take_answers(session);
	for (cql_table *table = topology->tables;
		 table != NULL && topology->table_reading.table == NULL; table = table->next)
		if (table->is_wanted)
			begin_reading(session, table, now_ms);
}

bool
cql_session_learn_ring(cql_session *session, const char *keyspace, const char *name)
{
	cql_topology *topology = &session->topology;
	uint64_t now_ms = cql_net_now_ms();
	const cql_keyspace *known;
	cql_table *table;

	if (topology->generation == 0 && !cql_topology_read(session, now_ms))
		return true;
	if (topology->is_reading)
		return false;
	known = cql_topology_keyspace(topology, keyspace);
	if (known == NULL || !session->has_tablets ||
		known->replication->strategy != CQL_STRATEGY_NETWORK)
		return true;
	table = find_or_add_table(topology, keyspace, name);
	if (table == NULL)
		return true;
	table->is_wanted |= table->read_at_ms <= now_ms;
	cql_tables_process(session, now_ms);
	return table->has_tablets || (topology->table_reading.table != table && !table->is_wanted);
}
