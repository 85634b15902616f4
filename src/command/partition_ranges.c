/*
 * scylla_partition_ranges(): a table in pieces of the ring, for jobs that read it piece by piece.
 *
 * The pieces are even: a partitioner spreads keys evenly, so that pieces of as many tokens have as
 * many partitions. What they hold follows from the cluster's estimates of the whole.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "optimizer/plancat.h"
#include "utils/syscache.h"

#include "catalog/table.h"
#include "command/describe.h"
#include "command/table_result.h"

#define RANGE_COLUMNS 4
#define MAX_RANGES 1000000

/* Of each piece; negative: unknown. */
typedef struct PieceEstimate
{
	double rows;
	double bytes;
} PieceEstimate;

/* As ANALYZE counted them, else by their width; without clustering columns a partition is a row. */
static double
estimate_rows(const ScyllaTable *table)
{
	HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(table->relid));
	double rows = -1;

	if (HeapTupleIsValid(tuple))
	{
		rows = ((Form_pg_class) GETSTRUCT(tuple))->reltuples;
		ReleaseSysCache(tuple);
	}
	if (rows >= 0 || table->partitions < 0 || table->clustering_count == 0)
		return rows >= 0 ? rows : table->partitions;
	return table->partitions *
		   Max(1, table->partition_bytes / Max(1, get_relation_data_width(table->relid, NULL)));
}

static PieceEstimate
estimate_piece(Oid relid, int count)
{
	PieceEstimate piece;
	ScyllaTable *table;
	double rows;

	scylla_check_readable_table(relid);
	table = scylla_table_open(relid, GetUserId());
	rows = estimate_rows(table);
	piece.rows = rows >= 0 ? rint(rows / count) : -1;
	piece.bytes =
		table->partitions >= 0 ? rint(table->partitions * table->partition_bytes / count) : -1;
	return piece;
}

static int
get_count(FunctionCallInfo fcinfo)
{
	int count = PG_GETARG_INT32(1);

	if (count < 1 || count > MAX_RANGES)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("number of ranges out of range: %d", count),
						errhint("Ask for 1 to %d.", MAX_RANGES)));
	return count;
}

extern PGDLLEXPORT Datum scylla_partition_ranges(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(scylla_partition_ranges);

Datum
scylla_partition_ranges(PG_FUNCTION_ARGS)
{
	int count = get_count(fcinfo);
	PieceEstimate piece = estimate_piece(PG_GETARG_OID(0), count);
	ScyllaTableResult result;

	scylla_table_result_begin(&result, fcinfo);
	for (int i = 0; i < count; i++)
	{
		cql_token_range range = cql_ring_part((uint32_t) i, (uint32_t) count);
		Datum values[RANGE_COLUMNS] = {Int64GetDatum(range.start), Int64GetDatum(range.end),
									   Int64GetDatum((int64) piece.rows),
									   Int64GetDatum((int64) piece.bytes)};
		bool nulls[RANGE_COLUMNS] = {false, false, piece.rows < 0, piece.bytes < 0};

		scylla_table_result_put(&result, values, nulls);
	}
	return (Datum) 0;
}
