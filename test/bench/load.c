/*
 * load HOST PORT ROWS IN_FLIGHT: make the benchmark's keyspace and table anew and fill them,
 * through the driver, with that many inserts in flight. Prints its rate and its CPU per row.
 * With 0 rows, only drop what an earlier run made.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

#define INSERT "INSERT INTO " BENCH_TABLE " (" BENCH_COLUMNS ") VALUES (?, ?, ?, ?, ?)"

/* Five [value]s: lengths of four bytes, and 8 + 4 + 8 + 40 + 8 bytes. */
#define VALUES_MAX_LEN 88

static uint8_t *
put_value(uint8_t *to, const void *bytes, uint32_t len)
{
	cql_put_u32(to, len);
	memcpy(to + 4, bytes, len);
	return to + 4 + len;
}

static uint8_t *
put_long(uint8_t *to, uint64_t value)
{
	uint8_t bytes[8];

	cql_put_u64(bytes, value);
	return put_value(to, bytes, sizeof bytes);
}

/* The row of an id: its cells look random and are not. */
static size_t
make_values(long id, uint8_t *out)
{
	uint64_t mixed = (uint64_t) id * UINT64_C(0x9E3779B97F4A7C15);
	uint8_t *at = put_long(out, (uint64_t) id);
	uint8_t n[4];
	char text[41];

	cql_put_u32(n, (uint32_t) (mixed >> 40));
	at = put_value(at, n, sizeof n);
	at = put_long(at, UINT64_C(1600000000123) + (uint64_t) id * 1000);
	snprintf(text, sizeof text, "%016llx%016llx%08lx", (unsigned long long) mixed,
			 (unsigned long long) ~mixed, (unsigned long) id & 0xFFFFFFFF);
	at = put_value(at, text, 40);
	if (id % 10 != 0)
		return (size_t) (put_long(at, mixed >> 8) - out);
	cql_put_u32(at, (uint32_t) CQL_CELL_NULL);
	return (size_t) (at + 4 - out);
}

/* Whether the rows' schema version is the one of those before; *seen is 16 bytes, the first's. */
static bool
has_version(Bench *bench, const char *cql, uint8_t *seen, bool *is_first)
{
	cql_request_spec spec = {.cql = cql, .consistency = CQL_CONSISTENCY_LOCAL_ONE};
	cql_result *result = bench_take(bench, bench_submit(bench, &spec));
	bool is_same = true;
	cql_cell cell;

	while (cql_result_next_row(result, &cell))
	{
		if (cell.len != 16)
			bench_die("a schema version is no uuid");
		if (*is_first)
			memcpy(seen, cell.data, 16);
		*is_first = false;
		is_same = is_same && memcmp(seen, cell.data, 16) == 0;
	}
	cql_result_free(result);
	return is_same;
}

/* Nodes that have not heard of a table refuse its rows. */
static void
await_agreement(Bench *bench)
{
	uint8_t seen[16];
	bool is_first;

	do
	{
		usleep(100000);
		is_first = true;
	} while (!has_version(bench, "SELECT schema_version FROM system.local", seen, &is_first) ||
			 !has_version(bench, "SELECT schema_version FROM system.peers", seen, &is_first));
}

static void
make_table(Bench *bench)
{
	bench_execute(bench, "CREATE KEYSPACE " BENCH_KEYSPACE " WITH replication = "
						 "{'class': 'NetworkTopologyStrategy', 'replication_factor': 1}");
	bench_execute(bench, "CREATE TABLE " BENCH_TABLE
						 " (id bigint PRIMARY KEY, n int, t timestamp, s text, m bigint)");
	await_agreement(bench);
}

/* A window: each slot waits for its own answer before it is used again. */
static void
insert_rows(Bench *bench, cql_statement *statement, long rows, long in_flight)
{
	cql_request **slots = calloc((size_t) in_flight, sizeof *slots);
	uint8_t values[VALUES_MAX_LEN];

	if (slots == NULL)
		bench_die("out of memory");
	for (long id = 0; id < rows + in_flight; id++)
	{
		cql_request **slot = &slots[id % in_flight];
		cql_request_spec spec = {
			.statement = statement,
			.values = values,
			.value_count = BENCH_COLUMN_COUNT,
			.consistency = CQL_CONSISTENCY_LOCAL_QUORUM,
			.is_idempotent = true,
		};

		if (*slot != NULL)
			cql_result_free(bench_take(bench, *slot));
		*slot = NULL;
		if (id >= rows)
			continue;
		spec.values_len = make_values(id, values);
		*slot = bench_submit(bench, &spec);
	}
	free(slots);
}

int
main(int argc, char **argv)
{
	Bench bench;
	cql_statement *statement;
	double wall, cpu;
	long rows;

	if (argc != 5)
		bench_die("usage: load HOST PORT ROWS IN_FLIGHT");
	rows = bench_number(argv[3]);
	bench_open(&bench, argv[1], argv[2], 0);
	bench_execute(&bench, "DROP KEYSPACE IF EXISTS " BENCH_KEYSPACE);
	if (rows == 0)
		return 0;
	make_table(&bench);
	statement = bench_prepare(&bench, INSERT);
	wall = bench_wall_s();
	cpu = bench_cpu_s();
	insert_rows(&bench, statement, rows, bench_number(argv[4]));
	bench_print("rate", (double) rows / (bench_wall_s() - wall));
	bench_print("cpu_us", (bench_cpu_s() - cpu) * 1e6 / (double) rows);
	cql_statement_release(statement);
	bench_close(&bench);
	return 0;
}
