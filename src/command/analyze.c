/*
 * ANALYZE: a random sample of rows, and how many there are, from pieces of the ring.
 *
 * Tokens are hashes, so the partitions of any piece are a random choice of all partitions, and
 * what a piece holds tells of the whole in proportion. A table that is not much larger than the
 * sample is read whole. Of a larger one each piece gives whole partitions: a fair sample of
 * clustering and other columns, but one that has far fewer partition keys than as many rows
 * picked one by one would have, from which PostgreSQL would conclude that there are few. So
 * partition keys are sampled apart, and put in the place of the rows' own as often as picking rows
 * one by one would have met them. Statistics of single columns are right then; those that
 * CREATE STATISTICS makes of partition key columns and others together are not.
 *
 * The number of requests is bounded whatever the table holds: by PIECES and MAX_READ_FACTOR.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "commands/progress.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/backend_progress.h"
#include "utils/memutils.h"

#include "command/analyze.h"
#include "command/ring_reader.h"
#include "compat.h"

/* Pieces of the ring that are read, and those that are tried before, to find how large to make
 * them. */
#define PIECES 100
#define TRIAL_PIECES 8
#define TRIAL_PARTITIONS 4.0 /* that each of those is thought to have */

/* Partitions of a piece, where the whole ring is read. */
#define PIECE_PARTITIONS 100

/* Keys that are read to count the partitions, where the sample does not need more; and rows that
 * are read to measure them. */
#define MAX_COUNTED_KEYS 1000
#define MAX_MEASURED_ROWS 1000

/* Rows that are read at most, as a multiple of the sample. */
#define MAX_READ_FACTOR 10.0

/* Tables of less than so many samples are read whole. */
#define WHOLE_FACTOR 2.0

/* Fractions of the ring are summed up with rounding errors. */
#define WHOLE (1.0 - 1e-9)

static const cql_token_range whole_ring = {PG_INT64_MIN, PG_INT64_MAX};

/* What was counted, and on how much of the ring. */
typedef struct Count
{
	double rows;
	double partitions;
	double fraction;
} Count;

/* Rows picked so far: each of those seen with the same probability. */
typedef struct Sample
{
	HeapTuple *rows;
	int target;
	int count;
	double seen;
	double to_skip; /* negative: to be determined */
} Sample;

typedef struct Analysis
{
	Relation relation;
	ScyllaTable *table;
	ScyllaSession *session;
	TupleTableSlot *slot;
	MemoryContext caller;      /* what the sample is made in */
	MemoryContext context;     /* all else; current until the end */
	MemoryContext row_context; /* reset for each row */
	ReservoirStateData random;
	Sample *sample;   /* NULL: rows are only counted */
	double rows_left; /* of those that may be read */
} Analysis;

static void
begin_analysis(Analysis *analysis, Relation relation)
{
	Oid userid = relation->rd_rel->relowner;

	memset(analysis, 0, sizeof(*analysis));
	analysis->caller = CurrentMemoryContext;
	analysis->context =
		AllocSetContextCreate(CurrentMemoryContext, "scylla_fdw analyze", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(analysis->context);
	analysis->relation = relation;
	analysis->table = scylla_table_open(RelationGetRelid(relation), userid);
	analysis->session = scylla_session_get(analysis->table->options->serverid, userid);
	scylla_session_pin(analysis->session, CurrentMemoryContext);
	analysis->slot = MakeSingleTupleTableSlot(RelationGetDescr(relation), &TTSOpsVirtual);
	analysis->row_context =
		AllocSetContextCreate(CurrentMemoryContext, "scylla_fdw sampled row", ALLOCSET_SMALL_SIZES);
}

static void
end_analysis(Analysis *analysis)
{
	ExecDropSingleTupleTableSlot(analysis->slot);
	MemoryContextSwitchTo(analysis->caller);
	MemoryContextDelete(analysis->context);
}

static double
random_fraction(Analysis *analysis)
{
	return scylla_random_fraction(&analysis->random);
}

static ScyllaRingReader *
new_reader(const Analysis *analysis, ScyllaRingContent content)
{
	return scylla_ring_reader_new(analysis->session, analysis->relation, analysis->table, content);
}

/* ---- the sample ---- */

/* The place in the sample that the row at hand gets; -1: none. */
static int
pick_place(Analysis *analysis)
{
	Sample *sample = analysis->sample;

	sample->seen += 1;
	if (sample->count < sample->target)
		return sample->count++;
	if (sample->to_skip < 0)
		sample->to_skip = reservoir_get_next_S(&analysis->random, sample->seen - 1, sample->target);
	if (sample->to_skip-- > 0)
		return -1;
	return (int) (sample->target * random_fraction(analysis));
}

static void
sample_row(Analysis *analysis)
{
	Sample *sample = analysis->sample;
	int old_count = sample->count;
	int place = pick_place(analysis);
	MemoryContext old;

	if (place < 0)
		return;
	if (place < old_count)
		heap_freetuple(sample->rows[place]);
	old = MemoryContextSwitchTo(analysis->caller);
	sample->rows[place] = ExecCopySlotHeapTuple(analysis->slot);
	MemoryContextSwitchTo(old);
}

/* ---- pieces ---- */

/* Read the next row; a row's values are good until the next call. */
static bool
next_row(Analysis *analysis, ScyllaRingReader *reader)
{
	MemoryContext caller;
	bool has_row;

	CHECK_FOR_INTERRUPTS();
	MemoryContextReset(analysis->row_context);
	caller = MemoryContextSwitchTo(analysis->row_context);
	has_row = scylla_ring_reader_next(reader, analysis->slot);
	MemoryContextSwitchTo(caller);
	return has_row;
}

/*
 * Read a piece, sample its rows, and count what it holds. If there are too many rows, what lies before
 * the partition that was read last counts alone; if that is the first one, what was read of it.
 */
static void
read_piece(Analysis *analysis, ScyllaRingReader *reader, cql_token_range piece, double max_rows,
		   Count *count)
{
	cql_token_range known = {piece.start, piece.start}; /* up to the last partition */
	Count found = {0};
	double known_rows = 0;
	int64 last_token = 0;

	while (next_row(analysis, reader))
	{
		int64 token = scylla_ring_reader_token(reader);

		if (found.partitions == 0 || token != last_token)
		{
			known.end = found.partitions == 0 ? piece.start : last_token;
			known_rows = found.rows;
			found.partitions += 1;
			last_token = token;
		}
		found.rows += 1;
		if (analysis->sample != NULL)
			sample_row(analysis);
		if (found.rows < max_rows)
			continue;
		if (found.partitions > 1)
		{
			found.partitions -= 1;
			found.rows = known_rows;
			piece.end = known.end;
		}
		else
			piece.end = token;
		break;
	}
	count->rows += found.rows;
	count->partitions += found.partitions;
	count->fraction += scylla_ring_fraction(piece);
}

/* A piece of that part of the ring at a random place in one of so many equal strata of it. */
static cql_token_range
place_piece(Analysis *analysis, int stratum, int stratum_count, double fraction)
{
	double ring = 18446744073709551616.0;
	double width = ring / stratum_count;
	double start = stratum * width;
	double piece_width = Min(fraction * ring, width);
	cql_token_range piece;

	if (piece_width >= width)
	{
		/* the strata join without gaps: their bounds are computed in one way */
		uint64 step = PG_UINT64_MAX / stratum_count;

		piece.start = (int64) ((uint64) PG_INT64_MIN + step * stratum);
		piece.end = stratum == stratum_count - 1 ? PG_INT64_MAX : piece.start + (int64) step;
		return piece;
	}
	start += random_fraction(analysis) * (width - piece_width);
	piece.start = (int64) ((uint64) PG_INT64_MIN + (uint64) start);
	piece.end = (int64) ((uint64) piece.start + (uint64) Max(piece_width, 1.0));
	return piece;
}

/* Read so many pieces, each of that part of the ring and of so many rows at most. */
static Count
read_pieces(Analysis *analysis, ScyllaRingReader *reader, int piece_count, double fraction,
			double max_rows)
{
	cql_token_range *pieces = palloc(piece_count * sizeof(cql_token_range));
	Count count = {0};

	pgstat_progress_update_param(PROGRESS_ANALYZE_BLOCKS_TOTAL, piece_count);
	for (int i = 0; i < piece_count; i++)
		pieces[i] = place_piece(analysis, i, piece_count, fraction);
	scylla_ring_reader_start(reader, pieces, piece_count);
	for (int i = 0; analysis->rows_left >= 1 && scylla_ring_reader_next_piece(reader); i++)
	{
		double rows = count.rows;

		read_piece(analysis, reader, pieces[i], Min(max_rows, analysis->rows_left), &count);
		analysis->rows_left -= count.rows - rows;
		pgstat_progress_update_param(PROGRESS_ANALYZE_BLOCKS_DONE, i + 1);
	}
	scylla_ring_reader_end(reader);
	return count;
}

/* ---- partition keys ---- */

typedef struct Keys
{
	HeapTuple *tuples; /* that have the partition key alone */
	int count;
	double partitions; /* of the whole table */
} Keys;

/* The first so many keys of the ring; as good as any others. */
static Keys
read_keys(Analysis *analysis, int max_count)
{
	ScyllaRingReader *reader = new_reader(analysis, SCYLLA_RING_KEYS);
	Keys keys = {.tuples = palloc(max_count * sizeof(HeapTuple))};
	cql_token_range piece = whole_ring;

	scylla_ring_reader_start(reader, &whole_ring, 1);
	(void) scylla_ring_reader_next_piece(reader);
	while (keys.count < max_count && next_row(analysis, reader))
	{
		keys.tuples[keys.count++] = ExecCopySlotHeapTuple(analysis->slot);
		if (keys.count == max_count)
			piece.end = scylla_ring_reader_token(reader);
	}
	scylla_ring_reader_end(reader);
	keys.partitions = keys.count / Max(scylla_ring_fraction(piece), 1e-18);
	return keys;
}

/* A row with the partition key of another one. */
static HeapTuple
replace_key(const Analysis *analysis, HeapTuple row, HeapTuple key)
{
	MemoryContext old = MemoryContextSwitchTo(analysis->caller);
	const ScyllaTable *table = analysis->table;
	TupleDesc descriptor = RelationGetDescr(analysis->relation);
	Datum *values = palloc(descriptor->natts * sizeof(Datum));
	bool *nulls = palloc(descriptor->natts * sizeof(bool));
	bool *is_replaced = palloc0(descriptor->natts * sizeof(bool));
	HeapTuple result;

	for (int i = 0; i < table->partition_count; i++)
		if (table->partition_key[i] != NULL)
			is_replaced[table->partition_key[i]->attnum - 1] = true;
	heap_deform_tuple(key, descriptor, values, nulls);
	result = heap_modify_tuple(row, descriptor, values, nulls, is_replaced);
	pfree(values);
	pfree(nulls);
	pfree(is_replaced);
	heap_freetuple(row);
	MemoryContextSwitchTo(old);
	return result;
}

/*
 * Give the sampled rows partition keys as rows picked one by one out of equally large partitions
 * would have: the next row meets a partition that was met before as often as there are such.
 */
static void
spread_keys(Analysis *analysis, const Keys *keys)
{
	Sample *sample = analysis->sample;
	int used = 0;

	for (int i = 0; i < sample->count && keys->count > 0; i++)
	{
		double fraction = random_fraction(analysis);
		bool is_new = used < keys->count && fraction * keys->partitions >= used;
		int key = is_new ? used++ : (int) (used * random_fraction(analysis));

		sample->rows[i] = replace_key(analysis, sample->rows[i], keys->tuples[key]);
	}
}

/* ---- the callbacks ---- */

/* What part of the ring has as many rows as the sample shall have; 1: it is read whole. */
static double
choose_fraction(Analysis *analysis, ScyllaRingReader *reader, const Keys *keys, int target)
{
	Count count;
	double rows;

	if (keys->partitions <= TRIAL_PIECES)
		return 1.0;
	count = read_pieces(analysis, reader, TRIAL_PIECES, TRIAL_PARTITIONS / keys->partitions,
						(double) target / TRIAL_PIECES);
	rows = count.rows / count.fraction;
	return rows <= WHOLE_FACTOR * target ? 1.0 : target / rows;
}

/* Rows of the whole table: partitions are counted better than a sample of rows could tell. */
static double
estimate_rows(const Keys *keys, const Count *count)
{
	if (count->fraction >= WHOLE || count->partitions == 0)
		return count->rows;
	return rint(keys->partitions * count->rows / count->partitions);
}

/* Fill the sample, and tell how many rows the table has. */
static Count
read_sample(Analysis *analysis, Sample *sample, double *total_rows)
{
	bool has_clustering = analysis->table->clustering_count > 0;
	Keys keys = read_keys(analysis, has_clustering ? sample->target : MAX_COUNTED_KEYS);
	ScyllaRingReader *reader = new_reader(analysis, SCYLLA_RING_ROWS);
	double fraction = choose_fraction(analysis, reader, &keys, sample->target);
	Count count;

	analysis->rows_left = MAX_READ_FACTOR * sample->target;
	analysis->sample = sample;
	if (fraction < 1.0)
		count = read_pieces(analysis, reader, PIECES, fraction / PIECES, sample->target);
	else
		count = read_pieces(analysis, reader, Min(PIECES, 1 + keys.count / PIECE_PARTITIONS), 1.0,
							analysis->rows_left);
	if (has_clustering && count.fraction < WHOLE)
		spread_keys(analysis, &keys);
	*total_rows = estimate_rows(&keys, &count);
	return count;
}

static int
acquire_sample(Relation relation, int level, HeapTuple *rows, int target, double *total_rows,
			   double *total_dead_rows)
{
	Sample sample = {.rows = rows, .target = target, .to_skip = -1};
	Analysis analysis;
	Count count;

	begin_analysis(&analysis, relation);
	reservoir_init_selection_state(&analysis.random, target);
	analysis.rows_left = target;
	count = read_sample(&analysis, &sample, total_rows);
	end_analysis(&analysis);

	*total_dead_rows = 0;
	ereport(level, (errmsg("\"%s\": read %.0f rows of %.0f partitions, %.1f%% of the ring; %d rows "
						   "in sample, %.0f estimated total rows",
						   RelationGetRelationName(relation), count.rows, count.partitions,
						   100 * count.fraction, sample.count, *total_rows)));
	return sample.count;
}

/* Bytes of the whole table as a result has them, in blocks: from its first rows. */
static BlockNumber
measure_pages(Relation relation)
{
	Analysis analysis;
	ScyllaRingReader *reader;
	Count count = {0};
	double bytes;

	begin_analysis(&analysis, relation);
	reader = new_reader(&analysis, SCYLLA_RING_ROWS);
	scylla_ring_reader_start(reader, &whole_ring, 1);
	(void) scylla_ring_reader_next_piece(reader);
	read_piece(&analysis, reader, whole_ring, MAX_MEASURED_ROWS, &count);
	bytes = scylla_ring_reader_row_bytes(reader) * count.rows / count.fraction;
	end_analysis(&analysis);
	return (BlockNumber) Min(ceil(bytes / BLCKSZ), (double) MaxBlockNumber);
}

bool
scyllaAnalyzeForeignTable(Relation relation, AcquireSampleRowsFunc *acquire,
						  BlockNumber *total_pages)
{
	*acquire = acquire_sample;
	*total_pages = measure_pages(relation);
	return true;
}
