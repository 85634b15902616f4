/*
 * The cost model; cost.h tells it in words. Reads no statistics itself.
 */
#include "postgres.h"

#include <math.h>

#include "optimizer/optimizer.h"
#include "plan/cost.h"

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

static double
at_least_one(double number)
{
	return number >= 1.0 ? number : 1.0;
}

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

void
scylla_cost_sizes(const ScyllaTable *table, double tuples, int row_width, ScyllaSizes *sizes)
{
	sizes->partition_rows = estimate_partition_rows(table, row_width);
	if (tuples < 0)
	{
		sizes->rows = is_partition_count_known(table) ? table->partitions * sizes->partition_rows
													  : DEFAULT_TABLE_ROWS;
		sizes->rows = at_least_one(rint(sizes->rows));
		return;
	}

	sizes->rows = at_least_one(tuples);
	if (is_partition_count_known(table) && table->clustering_count > 0)
		sizes->partition_rows = at_least_one(sizes->rows / table->partitions);
	sizes->partition_rows = Min(sizes->partition_rows, sizes->rows);
}

double
scylla_cost_fetched(const ScyllaSizes *sizes, const ScyllaTable *table,
					const ScyllaAccessChoice *access, int range_sides)
{
	double rows;

	if (access->is_unique)
		return 1.0;
	if (access->access == SCYLLA_ACCESS_FULL_SCAN)
		return sizes->rows;

	/* Each clustering column is taken to divide a partition alike: the whole key leaves one row. */
	rows = pow(sizes->partition_rows,
			   1.0 - (double) access->clustering_equals / Max(table->clustering_count, 1));
	if (access->has_range)
		rows *= range_sides > 1 ? TWO_BOUNDS_FRACTION : ONE_BOUND_FRACTION;
	return at_least_one(rint(rows));
}

void
scylla_cost_scan(const ScyllaScanLoad *load, Cost *startup, Cost *total)
{
	double round_trip = load->options->startup_cost;
	double pages = ceil(load->fetched_rows / Max(load->options->fetch_size, 1));
	Cost run;

	*startup = round_trip + load->filter.startup + load->target.startup;
	if (load->access == SCYLLA_ACCESS_FULL_SCAN)
		*startup += (RING_ROUND_TRIPS - 1.0) * round_trip;

	run =
		load->fetched_rows * (load->options->tuple_cost + cpu_tuple_cost + load->filter.per_tuple);
	run += Max(pages - 1.0, 0.0) * PAGE_WAIT * round_trip;
	run += load->returned_rows * load->target.per_tuple;
	*total = *startup + run;
}
