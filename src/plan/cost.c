/*
 * The cost model; cost.h tells it in words.
 */
#include "postgres.h"

#include <math.h>

#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/plancat.h"
#include "option.h"
#include "plan/cost.h"
#include "utils/selfuncs.h"

/*
 * Of a table about which nothing is known. Guessed large on purpose: to take a small table for a
 * large one costs some lookups instead of a short scan; the other way round costs a scan of the
 * ring instead of some lookups.
 */
#define DEFAULT_TABLE_ROWS 1000000.0
#define DEFAULT_PARTITION_ROWS 100.0

/* Bytes that each cell takes on disk beside its value, roughly. */
#define CELL_OVERHEAD 8

/* Fraction of the rows that a range leaves: of one bound as PostgreSQL guesses it; of two, more
 * than its 0.005, since a slice of a partition is the usual way to read one. */
#define ONE_BOUND_FRACTION (1.0 / 3.0)
#define TWO_BOUNDS_FRACTION 0.1

/* Round trips that a scan of the whole ring takes at least. */
#define RING_ROUND_TRIPS 10.0

/* Part of a round trip that is waited for when the next page was asked for ahead. */
#define PAGE_WAIT 0.1

/* Part of a round trip that a request costs both sides while others are in flight. */
#define REQUEST_WORK 0.01

/* The server's work on a row, in parts of fdw_tuple_cost: one after the other, and one by one. */
#define ROW_WORK 0.1
#define INDEX_ROW_WORK 2.0

/* Part of what it costs to fetch a row that it costs to have it read by the server alone; and part
 * of a round trip that one piece of the ring takes among many. */
#define ANSWER_ROW_FRACTION 0.1
#define ANSWER_PIECE_FRACTION 0.02

/* Bytes that cost as much again as the row that they are of. */
#define TUPLE_COST_BYTES 400.0

static double
at_least_one(double number)
{
	return number >= 1.0 ? number : 1.0;
}

/* ---- statistics ---- */

/* How many values a column has by its statistics; 0: it has none. */
static double
distinct_values(PlannerInfo *root, RelOptInfo *rel, const ScyllaColumn *column)
{
	VariableStatData variable;
	bool is_default = true;
	double count = 0;

	if (column == NULL)
		return 0;
	examine_variable(root,
					 (Node *) makeVar(rel->relid, column->attnum, column->type, column->typmod,
									  column->collation, 0),
					 (int) rel->relid, &variable);
	if (HeapTupleIsValid(variable.statsTuple))
		count = get_variable_numdistinct(&variable, &is_default);
	ReleaseVariableStats(variable);
	return is_default ? 0 : count;
}

double
scylla_cost_range(PlannerInfo *root, RelOptInfo *rel, const ScyllaColumn *column, List *conditions)
{
	if (conditions == NIL)
		return 1.0;
	if (column != NULL && distinct_values(root, rel, column) > 0)
		return clauselist_selectivity(root, conditions, (int) rel->relid, JOIN_INNER, NULL);
	return list_length(conditions) > 1 ? TWO_BOUNDS_FRACTION : ONE_BOUND_FRACTION;
}

/* ---- sizes ---- */

/* Size estimates know flushed data only: none at all says nothing. */
static bool
is_partition_count_known(const ScyllaTable *table)
{
	return table->partitions > 0;
}

static double
estimate_partition_rows(const ScyllaTable *table, int row_width)
{
	if (table->clustering_count == 0)
		return 1.0;
	if (table->partition_bytes > 0)
		return at_least_one(table->partition_bytes /
							(row_width + CELL_OVERHEAD * table->column_count));
	return DEFAULT_PARTITION_ROWS;
}

/*
 * Partitions of a table that was analyzed; 0: unknown. Columns of the key are taken to be
 * independent, unless somebody made statistics about them together.
 */
static double
count_partitions(PlannerInfo *root, RelOptInfo *rel, const ScyllaTable *table)
{
	List *key = NIL;
	double count = 1.0;

	for (int i = 0; i < table->partition_count; i++)
	{
		const ScyllaColumn *column = table->partition_key[i];
		double values = distinct_values(root, rel, column);

		if (values <= 0)
			return 0;
		count *= values;
		key = lappend(key, makeVar(rel->relid, column->attnum, column->type, column->typmod,
								   column->collation, 0));
	}
	if (rel->statlist != NIL && table->partition_count > 1)
		count = Min(count, estimate_num_groups(root, key, rel->tuples, NULL, NULL));
	return Min(count, rel->tuples);
}

static void
size_by_statistics(PlannerInfo *root, RelOptInfo *rel, const ScyllaTable *table, ScyllaSizes *sizes)
{
	double partitions = count_partitions(root, rel, table);

	sizes->rows = at_least_one(rel->tuples);
	if (table->clustering_count == 0)
		sizes->partition_rows = 1.0;
	else if (partitions > 0)
		sizes->partition_rows = at_least_one(sizes->rows / partitions);
	else if (is_partition_count_known(table))
		sizes->partition_rows = at_least_one(sizes->rows / table->partitions);
	sizes->partition_rows = Min(sizes->partition_rows, sizes->rows);
}

static void
size_by_cluster(const ScyllaTable *table, ScyllaSizes *sizes)
{
	sizes->is_guess = !is_partition_count_known(table);
	sizes->rows = sizes->is_guess ? DEFAULT_TABLE_ROWS : table->partitions * sizes->partition_rows;
	sizes->rows = at_least_one(rint(sizes->rows));
}

/*
 * Rows of one value of a clustering column among those where the columns before it are bound.
 *
 * A column with few values (a kind, a day) has about all of them in each partition, which divide
 * it. Of one with more values than a partition has rows (a time, an id) nobody knows whether each
 * partition has values of its own, so that as many rows as in the whole table share one, or just
 * some of all, so that one is met once: the truth is taken to lie in the middle.
 */
static double
divide_slice(double slice_rows, double values, double table_rows)
{
	if (values <= slice_rows)
		return slice_rows / values;
	return sqrt(at_least_one(Min(slice_rows, table_rows / values)));
}

static void
size_slices(PlannerInfo *root, RelOptInfo *rel, const ScyllaTable *table, ScyllaSizes *sizes)
{
	int count = table->clustering_count;

	sizes->slice_rows = palloc((count + 1) * sizeof(double));
	sizes->slice_rows[0] = sizes->partition_rows;
	for (int i = 1; i < count; i++)
	{
		double values = distinct_values(root, rel, table->clustering_key[i - 1]);
		/* without statistics each column is taken to divide a partition alike */
		double rows = pow(sizes->partition_rows, 1.0 - (double) i / count);

		if (rel->tuples > 0 && values > 0)
			rows = divide_slice(sizes->slice_rows[i - 1], values, sizes->rows);
		sizes->slice_rows[i] = at_least_one(Min(rows, sizes->slice_rows[i - 1]));
	}
	if (count > 0)
		sizes->slice_rows[count] = 1.0; /* the whole primary key */
}

void
scylla_cost_sizes(PlannerInfo *root, RelOptInfo *rel, const ScyllaTable *table, ScyllaSizes *sizes)
{
	sizes->partition_rows =
		estimate_partition_rows(table, get_relation_data_width(table->relid, NULL));
	/* analyzed when it was empty: what the cluster says is newer */
	if (rel->tuples < 0 || (rel->tuples == 0 && is_partition_count_known(table)))
		size_by_cluster(table, sizes);
	else
		size_by_statistics(root, rel, table, sizes);
	size_slices(root, rel, table, sizes);
}

double
scylla_cost_read(const ScyllaSizes *sizes, const ScyllaAccessChoice *access, double range)
{
	if (access->is_unique)
		return 1.0;
	if (access->access == SCYLLA_ACCESS_FULL_SCAN)
		return sizes->rows;
	if (access->access == SCYLLA_ACCESS_TOKEN_RANGE)
		return at_least_one(rint(sizes->rows * range));
	return at_least_one(rint(sizes->slice_rows[access->clustering_equals] * range));
}

static bool
asks_all_nodes(ScyllaAccess access)
{
	return access == SCYLLA_ACCESS_FULL_SCAN || access == SCYLLA_ACCESS_INDEX;
}

/* What the server does for each row that it looks at. */
static Cost
cost_reading(const ScyllaScanLoad *load)
{
	return load->read_rows * load->options->tuple_cost *
		   (load->access == SCYLLA_ACCESS_INDEX ? INDEX_ROW_WORK : ROW_WORK);
}

static Cost
cost_row(const ScyllaScanLoad *load, double requests)
{
	Cost cost = load->options->tuple_cost * (1.0 + load->width / TUPLE_COST_BYTES);

	if (load->is_merged && requests > 1)
		cost += 2.0 * cpu_operator_cost * log2(requests);
	return cost + cpu_tuple_cost + load->filter.per_tuple;
}

void
scylla_cost_scan(const ScyllaScanLoad *load, Cost *startup, Cost *total)
{
	double round_trip = load->options->startup_cost;
	double requests = at_least_one(load->requests);
	double windows = ceil(requests / Max(load->options->max_in_flight, 1));
	double pages = ceil(load->fetched_rows / Max(load->options->fetch_size, 1));
	Cost run;

	*startup = round_trip + load->filter.startup + load->target.startup;
	if (asks_all_nodes(load->access))
		*startup += (RING_ROUND_TRIPS - 1.0) * round_trip;
	if (load->is_merged)
		*startup += (windows - 1.0) * round_trip; /* each has to tell its first row */

	run = load->is_merged ? 0 : (windows - 1.0) * round_trip;
	run += (requests - 1.0) * REQUEST_WORK * round_trip;
	run += Max(pages - requests, 0.0) * PAGE_WAIT * round_trip;
	run += cost_reading(load);
	run += load->fetched_rows * cost_row(load, requests);
	run += load->returned_rows * load->target.per_tuple;
	*total = *startup + run;
}

Cost
scylla_cost_part(Cost startup, Cost total, double part)
{
	return startup + (total - startup) * part;
}

void
scylla_cost_answer(const ScyllaAnswerLoad *load, Cost *startup, Cost *total)
{
	const ScyllaOptions *options = load->options;

	*startup = load->scan->startup_cost;
	*total = scylla_cost_part(*startup, load->scan->total_cost, ANSWER_ROW_FRACTION);
	*total += load->pieces * ANSWER_PIECE_FRACTION * options->startup_cost;
	*total += load->rows * (options->tuple_cost + cpu_tuple_cost);
	if (load->is_total)
		*startup = *total;
}

void
scylla_cost_lookup(const ScyllaOptions *options, double lookups, Cost *startup, Cost *total)
{
	double window = Min(scylla_lookup_join_window, Max(options->max_in_flight, 1));
	Cost share =
		*startup / Min(at_least_one(lookups), window) + REQUEST_WORK * options->startup_cost;

	*total += share - *startup;
	*startup = share;
}
