/*
 * driver_points HOST PORT KEYS IN_FLIGHT SECONDS [CONNECTIONS]: prepared point reads by the driver alone, with
 * that many in flight, of keys below KEYS (0 SECONDS: each key once). Every answer is read and
 * compared with the key that was asked for. Prints rate, CPU and allocations per request.
 */
#include <stdlib.h>

#include "bench.h"

#define SELECT "SELECT " BENCH_COLUMNS " FROM " BENCH_TABLE " WHERE id = ?"

typedef struct Slot
{
	cql_request *request;
	int64_t key;
} Slot;

static void
ask(Bench *bench, cql_statement *statement, Slot *slot, int64_t key)
{
	uint8_t value[12];
	cql_request_spec spec = {
		.statement = statement,
		.values = value,
		.values_len = sizeof value,
		.value_count = 1,
		.consistency = CQL_CONSISTENCY_LOCAL_ONE,
		.is_idempotent = true,
	};

	cql_put_u32(value, 8);
	cql_put_u64(value + 4, (uint64_t) key);
	slot->key = key;
	slot->request = bench_submit(bench, &spec);
}

static void
check(Bench *bench, Slot *slot)
{
	cql_result *page = bench_take(bench, slot->request);
	cql_cell cells[BENCH_COLUMN_COUNT];
	int64_t id;

	if (cql_result_column_count(page) != BENCH_COLUMN_COUNT || !cql_result_next_row(page, cells) ||
		!cql_read_i64(cells[0], &id) || id != slot->key)
		bench_die("key %lld got another answer", (long long) slot->key);
	cql_result_free(page);
	slot->request = NULL;
}

/*
 * A ring of slots: the one that asked longest ago is waited for and asks again, so everything
 * that one turn of the loop brings is used before the next. Returns the number of requests.
 */
static long
read_points(Bench *bench, cql_statement *statement, long keys, long in_flight, long seconds)
{
	double end_s = bench_wall_s() + (double) seconds;
	Slot *slots = calloc((size_t) in_flight, sizeof *slots);
	long asked = 0;

	if (slots == NULL)
		bench_die("out of memory");
	for (;;)
	{
		Slot *slot = &slots[asked % in_flight];

		if (slot->request != NULL)
			check(bench, slot);
		if (seconds == 0 ? asked >= keys : asked % 64 == 0 && bench_wall_s() >= end_s)
			break;
		ask(bench, statement, slot, asked++ * BENCH_KEY_STEP % keys);
	}
	for (long i = 0; i < in_flight; i++)
	{
		if (slots[i].request != NULL)
			check(bench, &slots[i]);
	}
	free(slots);
	return asked;
}

int
main(int argc, char **argv)
{
	Bench bench;
	cql_statement *statement;
	long keys, in_flight, seconds, answered, allocations;
	double wall, cpu;

	if (argc < 6 || argc > 7)
		bench_die("usage: driver_points HOST PORT KEYS IN_FLIGHT SECONDS [CONNECTIONS]");
	keys = bench_number(argv[3]);
	in_flight = bench_number(argv[4]);
	seconds = bench_number(argv[5]);
	bench_count_allocations();
	bench_open(&bench, argv[1], argv[2], argc > 6 ? (int) bench_number(argv[6]) : 0);
	statement = bench_prepare(&bench, SELECT);

	wall = bench_wall_s();
	cpu = bench_cpu_s();
	allocations = bench_allocation_count();
	answered = read_points(&bench, statement, keys, in_flight, seconds);
	wall = bench_wall_s() - wall;
	bench_print("requests", (double) answered);
	bench_print("rate", (double) answered / wall);
	bench_print("cpu_us", (bench_cpu_s() - cpu) * 1e6 / (double) answered);
	bench_print("allocations",
				(double) (bench_allocation_count() - allocations) / (double) answered);
	cql_statement_release(statement);
	bench_close(&bench);
	return 0;
}
