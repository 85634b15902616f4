/*
 * Pieces of the ring by one prepared statement and a few cursors, used in turn: the cursor of a
 * piece is read while those of the next pieces are in flight.
 */
#include "postgres.h"

#include "access/table.h"
#include "port/pg_bswap.h"

#include "bridge/dialect.h"
#include "command/ring_reader.h"
#include "exec/tuple.h"
#include "plan/deparse.h"
#include "plan/scan_plan.h"

#define PIECES_IN_FLIGHT 8

/* More would be read in vain where a piece turns out to be larger than thought. */
#define MAX_PAGE_ROWS 1000

struct ScyllaRingReader
{
	ScyllaScanPlan plan;
	const cql_statement *statement;
	ScyllaTupleReader *tuples;
	cql_cell *cells;
	ScyllaCounters counters;
	ScyllaCursor *cursors[PIECES_IN_FLIGHT]; /* of piece i: i modulo their number */
	const cql_token_range *pieces;
	int count;
	int current; /* -1: before the first */
	int started; /* pieces that were asked for */
	cql_result *page;
};

double
scylla_ring_fraction(cql_token_range piece)
{
	return ((double) piece.end - (double) piece.start) / 18446744073709551616.0;
}

/* ---- the statement ---- */

static void
add_column(ScyllaRingReader *reader, const char *name, const char *type_text)
{
	ScyllaFetchColumn *fetch = &reader->plan.columns[reader->plan.column_count++];

	fetch->name = pstrdup(name);
	fetch->type_text = pstrdup(type_text);
}

static void
add_local_column(ScyllaRingReader *reader, const ScyllaTable *table, const ScyllaColumn *column)
{
	ScyllaFetchColumn *fetch = &reader->plan.columns[reader->plan.column_count];

	add_column(reader, scylla_deparse_function(table, column), column->cql_type_text);
	fetch->attnum = column->attnum;
	fetch->function = column->function;
	fetch->is_expression = column->function != SCYLLA_FUNCTION_NONE;
	fetch->is_key = column->role == SCYLLA_KEY_PARTITION || column->role == SCYLLA_KEY_CLUSTERING;
}

static void
add_columns(ScyllaRingReader *reader, const ScyllaTable *table, ScyllaRingContent content)
{
	static const ScyllaColumn token = {.function = SCYLLA_FUNCTION_TOKEN,
									   .cql_type_text = "bigint"};
	int capacity = table->column_count + table->partition_count + 1;

	reader->plan.columns = palloc0(capacity * sizeof(ScyllaFetchColumn));
	for (int i = 0; i < table->column_count && content == SCYLLA_RING_ROWS; i++)
		if (table->columns[i].attnum != 0)
			add_local_column(reader, table, &table->columns[i]);
	for (int i = 0; i < table->partition_count && content == SCYLLA_RING_KEYS; i++)
		if (table->partition_key[i] != NULL)
			add_local_column(reader, table, table->partition_key[i]);
		else
			add_column(reader, table->partition_names[i], table->partition_types[i]);
	add_local_column(reader, table, &token); /* the last one */
}

static void
add_piece_condition(ScyllaRingReader *reader)
{
	ScyllaScanArm *arm = palloc0(sizeof(ScyllaScanArm));
	ScyllaScanCondition *condition = palloc0(sizeof(ScyllaScanCondition));

	condition->form = SCYLLA_FORM_RING_PIECE;
	condition->marker_count = 1;
	condition->markers = palloc0(sizeof(ScyllaScanMarker));
	condition->markers[0].name = reader->plan.columns[reader->plan.column_count - 1].name;
	arm->access = SCYLLA_ACCESS_TOKEN_RANGE;
	arm->condition_count = 1;
	arm->conditions = condition;
	reader->plan.arm_count = 1;
	reader->plan.arms = arm;
}

ScyllaRingReader *
scylla_ring_reader_new(ScyllaSession *session, Relation relation, const ScyllaTable *table,
					   ScyllaRingContent content)
{
	ScyllaRingReader *reader = palloc0(sizeof(ScyllaRingReader));
	const ScyllaOptions *options = table->options;
	ScyllaCursorSpec spec = {.session = session, .is_idempotent = true};
	ScyllaReadWords words = {
		.is_bypassing = options->bypass_cache != SCYLLA_BYPASS_NONE,
		.is_timed = scylla_is_timed(options->has_server_timeout),
	};
	ScyllaStatement *statement;

	reader->plan.keyspace = options->keyspace;
	reader->plan.table = options->table;
	reader->plan.is_excess_truncated = options->is_excess_truncated;
	reader->plan.is_distinct = content == SCYLLA_RING_KEYS;
	reader->plan.limit_bind = -1;
	add_columns(reader, table, content);
	add_piece_condition(reader);

	spec.about.relation = psprintf("%s.%s", options->keyspace, options->table);
	spec.consistency = scylla_read_consistency(options->read_consistency);
	reader->counters.context = CurrentMemoryContext;
	spec.counters = &reader->counters;
	spec.page_rows = Min(options->fetch_size, MAX_PAGE_ROWS);
	statement = scylla_prepare_read(
		session, scylla_scan_plan_cql(&reader->plan, reader->plan.arms, 0), &words, &spec.about);
	spec.is_timed = words.is_timed;
	spec.statement = scylla_statement_get(statement);
	reader->statement = spec.statement;
	reader->tuples = scylla_tuple_reader_new(RelationGetDescr(relation), &reader->plan,
											 spec.statement, RelationGetRelationName(relation));
	reader->cells = palloc0(reader->plan.column_count * sizeof(cql_cell));
	for (int i = 0; i < PIECES_IN_FLIGHT; i++)
		reader->cursors[i] = scylla_cursor_new(&spec);
	return reader;
}

/* ---- reading ---- */

static void
ask_ahead(ScyllaRingReader *reader)
{
	for (; reader->started < Min(reader->current + PIECES_IN_FLIGHT, reader->count);
		 reader->started++)
	{
		const cql_token_range *piece = &reader->pieces[reader->started];
		struct
		{
			uint32 start_len;
			uint8 start[8];
			uint32 end_len;
			uint8 end[8];
		} values;
		uint64 start = pg_hton64((uint64) piece->start);
		uint64 end = pg_hton64((uint64) piece->end);
		ScyllaCursorInput input = {.values = (const char *) &values,
								   .values_len = sizeof(values),
								   .value_count = 2,
								   .has_token_range = true,
								   .token_range = *piece};

		StaticAssertStmt(sizeof(values) == 24, "no gaps between encoded values");
		values.start_len = values.end_len = pg_hton32(8);
		memcpy(values.start, &start, sizeof(start));
		memcpy(values.end, &end, sizeof(end));
		scylla_cursor_start(reader->cursors[reader->started % PIECES_IN_FLIGHT], &input);
	}
}

void
scylla_ring_reader_start(ScyllaRingReader *reader, const cql_token_range *pieces, int count)
{
	scylla_ring_reader_end(reader);
	reader->pieces = pieces;
	reader->count = count;
	reader->current = -1;
	reader->started = 0;
}

bool
scylla_ring_reader_next_piece(ScyllaRingReader *reader)
{
	if (reader->current >= 0)
		scylla_cursor_end(reader->cursors[reader->current % PIECES_IN_FLIGHT]);
	reader->page = NULL;
	reader->current++;
	ask_ahead(reader);
	return reader->current < reader->count;
}

static void
check_page(const ScyllaRingReader *reader)
{
	if (cql_result_has_columns_of(reader->page, reader->statement))
		return;
	ereport(ERROR, (errcode(ERRCODE_FDW_INCONSISTENT_DESCRIPTOR_INFORMATION),
					errmsg("remote table %s.%s was changed meanwhile", reader->plan.keyspace,
						   reader->plan.table),
					errhint("Repeat the statement.")));
}

bool
scylla_ring_reader_next(ScyllaRingReader *reader, TupleTableSlot *slot)
{
	ScyllaCursor *cursor = reader->cursors[reader->current % PIECES_IN_FLIGHT];

	ExecClearTuple(slot);
	while (reader->page == NULL || !cql_result_next_row(reader->page, reader->cells))
	{
		reader->page = scylla_cursor_next_page(cursor);
		if (reader->page == NULL)
			return false;
		check_page(reader);
	}
	scylla_tuple_store(reader->tuples, reader->cells, slot);
	return true;
}

int64
scylla_ring_reader_token(const ScyllaRingReader *reader)
{
	int64_t token;

	if (!cql_read_i64(reader->cells[reader->plan.column_count - 1], &token))
		ereport(ERROR, (errcode(ERRCODE_PROTOCOL_VIOLATION),
						errmsg("a token of %s.%s is malformed", reader->plan.keyspace,
							   reader->plan.table)));
	return token;
}

double
scylla_ring_reader_row_bytes(const ScyllaRingReader *reader)
{
	const ScyllaCounters *counters = &reader->counters;

	return counters->rows > 0 ? (double) counters->bytes / (double) counters->rows : 0;
}

void
scylla_ring_reader_end(ScyllaRingReader *reader)
{
	for (int i = 0; i < PIECES_IN_FLIGHT; i++)
		scylla_cursor_end(reader->cursors[i]);
	reader->page = NULL;
}
