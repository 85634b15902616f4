/*
 * Rings and tablets of a large cluster: what they take, and that nothing is lost when memory is.
 * (That their answers are right shows test/py/test_ring.py, beside another driver's.)
 */
#include "support.h"

#include <time.h>

#include "cql/ring/ring.h"
#include "cql/ring/tablets.h"

#define NODES 500
#define TOKENS_OF_NODE 256
#define RACKS 3
#define TABLES 100
#define TABLETS_OF_TABLE 4096

static double
seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

/* splitmix64: tokens that are the same in every run */
static int64_t
next_token(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (int64_t) (z ^ (z >> 31));
}

static void
make_places(cql_place *places)
{
	for (int i = 0; i < NODES; i++)
		places[i] = (cql_place) {.dc = (uint16_t) (i % 2),
								 .rack = (uint16_t) (i % 2 * RACKS + i / 2 % RACKS)};
}

static void
test_ring_of_500_nodes(void **state)
{
	static cql_ring_token tokens[NODES * TOKENS_OF_NODE];
	static cql_place places[NODES];
	cql_replication replication = {.strategy = CQL_STRATEGY_NETWORK, .factors = {3, 3}};
	uint64_t seed = 1;
	const uint16_t *found;
	cql_ring ring;
	double began;

	(void) state;
	make_places(places);
	for (int i = 0; i < NODES * TOKENS_OF_NODE; i++)
		tokens[i] = (cql_ring_token) {next_token(&seed), (uint16_t) (i % NODES)};
	began = seconds();
	assert_true(cql_ring_init(&ring, tokens, NODES * TOKENS_OF_NODE, places, NODES));
	print_message("# a ring of %d tokens: %.1f ms, %zu KiB\n", NODES * TOKENS_OF_NODE,
				  (seconds() - began) * 1e3, cql_ring_byte_count(&ring) / 1024);
	assert_int_equal(ring.count, NODES * TOKENS_OF_NODE);
	/* tokens, owners, places; nothing for any keyspace before its replicas are looked up */
	assert_in_range(cql_ring_byte_count(&ring), 1, NODES * TOKENS_OF_NODE * 11 + NODES * 4 + 1024);
	for (int i = 0; i < 1000; i++)
	{
		uint16_t nodes[CQL_MAX_REPLICAS];

		int64_t token = next_token(&seed);

		assert_int_equal(cql_ring_replicas(&ring, &replication, token, 1, nodes), 3);
		assert_int_equal(places[nodes[0]].dc, 1);
		assert_int_equal(cql_ring_replicas(&ring, &replication, token, CQL_NO_ID, nodes), 6);
		for (int j = 0; j < 6; j++)
			for (int k = 0; k < j; k++)
			{
				assert_int_not_equal(nodes[j], nodes[k]);
				/* three of three racks in each data center */
				assert_int_not_equal(places[nodes[j]].rack, places[nodes[k]].rack);
			}
	}
	(void) cql_ring_recall(&ring, &replication, 0, 1, &found);
	print_message("# with three replicas of each token: %zu KiB\n",
				  cql_ring_byte_count(&ring) / 1024);
	assert_in_range(cql_ring_byte_count(&ring), 1, NODES * TOKENS_OF_NODE * 17 + NODES * 4 + 1024);
	cql_ring_cleanup(&ring);
}

/* What is remembered is what was found, whatever the order in which replications take turns. */
static void
test_recall(void **state)
{
	static cql_ring_token tokens[60 * TOKENS_OF_NODE];
	static cql_place places[60];
	cql_replication replications[2 * CQL_RING_MEMOS];
	uint64_t seed = 2;
	cql_ring ring;

	(void) state;
	for (size_t i = 0; i < LENGTH_OF(places); i++)
		places[i] = (cql_place) {(uint16_t) (i % 2), (uint16_t) (i % 2 * RACKS + i / 2 % RACKS)};
	for (size_t i = 0; i < LENGTH_OF(tokens); i++)
		tokens[i] = (cql_ring_token) {next_token(&seed), (uint16_t) (i % LENGTH_OF(places))};
	assert_true(
		cql_ring_init(&ring, tokens, LENGTH_OF(tokens), places, (uint16_t) LENGTH_OF(places)));
	for (size_t i = 0; i < LENGTH_OF(replications); i++)
		replications[i] = (cql_replication) {.strategy = (cql_strategy) (i % 3),
											 .factor = (uint16_t) (i + 1),
											 .factors = {(uint16_t) i, 40}};
	for (int i = 0; i < 20000; i++)
	{
		const cql_replication *replication =
			&replications[(uint64_t) next_token(&seed) % LENGTH_OF(replications)];
		uint16_t dc = i % 3 < 2 ? (uint16_t) (i % 3) : CQL_NO_ID;
		int64_t token = next_token(&seed);
		uint16_t expected[CQL_MAX_REPLICAS];
		const uint16_t *found;
		int count = cql_ring_replicas(&ring, replication, token, dc, expected);

		assert_int_equal(cql_ring_recall(&ring, replication, token, dc, &found), count);
		if (count > 0)
			assert_memory_equal(found, expected, (size_t) count * sizeof *expected);
	}
	cql_ring_cleanup(&ring);
}

static void
test_tablets_of_100_tables(void **state)
{
	static cql_tablets tables[TABLES];
	size_t bytes = 0;
	double began = seconds();
	const uint64_t width = UINT64_MAX / TABLETS_OF_TABLE;

	(void) state;
	for (int i = 0; i < TABLES; i++)
	{
		cql_tablets_init(&tables[i]);
		for (uint64_t j = 0; j < TABLETS_OF_TABLE; j++)
		{
			cql_tablet_replica replicas[3] = {{(uint16_t) (j % NODES), 0},
											  {(uint16_t) ((j + 1) % NODES), 1},
											  {(uint16_t) ((j + 2) % NODES), 2}};
			cql_token_range range = {(int64_t) ((uint64_t) INT64_MIN + j * width),
									 (int64_t) ((uint64_t) INT64_MIN + (j + 1) * width)};

			assert_true(cql_tablets_put(&tables[i], range, replicas, 3));
		}
		assert_int_equal(tables[i].count, TABLETS_OF_TABLE);
		bytes += cql_tablets_byte_count(&tables[i]);
	}
	print_message("# %d tables of %d tablets: %.1f ms, %zu KiB\n", TABLES, TABLETS_OF_TABLE,
				  (seconds() - began) * 1e3, bytes / 1024);
	assert_in_range(bytes, 1, (size_t) TABLES * TABLETS_OF_TABLE * (8 + 8 + 3 * 4) + TABLES * 256);
	for (int i = 0; i < TABLES; i++)
		cql_tablets_cleanup(&tables[i]);
}

static void
test_tablets_refuse_an_empty_range(void **state)
{
	cql_tablet_replica replica = {1, 0};
	cql_tablets tablets;

	(void) state;
	cql_tablets_init(&tablets);
	assert_false(cql_tablets_put(&tablets, (cql_token_range) {5, 5}, &replica, 1));
	assert_false(cql_tablets_put(&tablets, (cql_token_range) {5, 4}, &replica, 1));
	assert_int_equal(tablets.count, 0);
	cql_tablets_cleanup(&tablets);
}

/* Parts give every token to one range, whatever their number. */
static void
test_parts(void **state)
{
	(void) state;
	for (uint32_t count = 1; count <= 1000; count++)
		for (uint32_t i = 0; i < count; i++)
		{
			cql_token_range part = cql_ring_part(i, count);

			assert_true(part.start < part.end);
			assert_true(part.start == (i > 0 ? cql_ring_part(i - 1, count).end : INT64_MIN));
			assert_true((part.end == INT64_MAX) == (i + 1 == count));
		}
	assert_int_equal(cql_ring_part(1, 4).start, INT64_MIN / 2);
	assert_int_equal(cql_ring_part(1, 4).end, 0);
}

static bool
make_ring(void *argument)
{
	cql_ring_token tokens[4] = {{7, 0}, {-3, 1}, {7, 1}, {0, 2}};
	cql_place places[3] = {{0, 0}, {0, 1}, {1, 2}};
	cql_ring ring;

	(void) argument;
	if (!cql_ring_init(&ring, tokens, 4, places, 3))
		return false;
	assert_int_equal(ring.count, 3);
	cql_ring_cleanup(&ring);
	return true;
}

static bool
put_tablets(void *argument)
{
	cql_tablet_replica replicas[3] = {{1, 0}, {2, 0}, {3, 0}};
	const cql_tablet_replica *found = NULL;
	cql_tablets tablets;
	bool is_done = true;

	(void) argument;
	cql_tablets_init(&tablets);
	for (int i = 0; i < 40 && is_done; i++)
		is_done = cql_tablets_put(&tablets, (cql_token_range) {i * 10, i * 10 + 10}, replicas,
								  i < 20 ? 2 : 3);
	/* whether or not it failed: what was put first is still there */
	if (tablets.count > 0)
		assert_int_equal(cql_tablets_find(&tablets, 10, &found), 2);
	cql_tablets_cleanup(&tablets);
	return is_done;
}

static void
test_out_of_memory(void **state)
{
	(void) state;
	fail_each_allocation(make_ring, NULL);
	fail_each_allocation(put_tablets, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ring_of_500_nodes),
		cmocka_unit_test(test_recall),
		cmocka_unit_test(test_tablets_of_100_tables),
		cmocka_unit_test(test_tablets_refuse_an_empty_range),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_out_of_memory),
	};

	return cmocka_run_group_tests_name("tablets", tests, NULL, NULL);
}
