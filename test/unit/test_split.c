/*
 * The ring in pieces: nothing is lost, no piece crosses from some replicas to others, each goes to a
 * near replica, and all of those have as much to do.
 */
#include "cluster.h"

#define MAX_PIECES 4096

static cql_session session;
static cql_ring_piece pieces[MAX_PIECES];

static int
split(cql_consistency consistency, int wanted, int max)
{
	cql_split about = {"ks", "t", consistency, wanted};
	int count = cql_session_split_ring(&session, &about, pieces, max);

	assert_in_range(count, 1, max);
	for (int i = 0; i < count; i++)
	{
		assert_true(pieces[i].range.start < pieces[i].range.end);
		assert_true(pieces[i].range.start == (i > 0 ? pieces[i - 1].range.end : INT64_MIN));
	}
	assert_true(pieces[count - 1].range.end == INT64_MAX);
	return count;
}

static int
locate(int64_t token, uint16_t dc, cql_tablet_replica *targets)
{
	const cql_topology *topology = &session.topology;
	cql_placement placement = {&topology->keyspaces[0], cql_table_known(topology, "ks", "t"), dc};

	return cql_locate(topology, &placement, token, targets);
}

static bool
has_node(const cql_tablet_replica *targets, int count, uint16_t node)
{
	for (int i = 0; i < count; i++)
		if (targets[i].node == node)
			return true;
	return false;
}

/* All tokens of a piece are on the same nodes, one of which owns it. */
static void
check_pieces(int count, uint16_t dc)
{
	uint64_t seed = 3;

	for (int i = 0; i < count; i++)
	{
		const cql_token_range *range = &pieces[i].range;
		cql_tablet_replica targets[CQL_MAX_REPLICAS];
		cql_tablet_replica others[CQL_MAX_REPLICAS];
		int replicas = locate(range->end, dc, targets);

		assert_in_range(pieces[i].replica, 0, replicas - 1);
		assert_int_equal(pieces[i].owner >> 16, targets[pieces[i].replica].node);
		for (int j = 0; j < 20; j++)
		{
			uint64_t width = (uint64_t) range->end - (uint64_t) range->start;
			uint64_t step = j == 0 ? 1 : 1 + next_number(&seed) % width;

			assert_int_equal(locate((int64_t) ((uint64_t) range->start + step), dc, others),
							 replicas);
			for (int k = 0; k < replicas; k++)
				assert_true(has_node(targets, replicas, others[k].node));
		}
	}
}

/* Tokens of the least and of the most loaded node among those that have any, as a quotient. */
static double
balance(int count)
{
	double loads[UINT8_MAX] = {0};
	double least = 0x1p64;
	double most = 0;

	for (int i = 0; i < count; i++)
		loads[pieces[i].owner >> 16] +=
			(double) ((uint64_t) pieces[i].range.end - (uint64_t) pieces[i].range.start);
	for (int i = 0; i < UINT8_MAX; i++)
	{
		least = loads[i] > 0 && loads[i] < least ? loads[i] : least;
		most = loads[i] > most ? loads[i] : most;
	}
	return least / most;
}

static void
test_replicas_everywhere(void **state)
{
	static const cluster_node nodes[] = {{0, 0, 0}, {0, 1, 0}, {0, 2, 0}};
	int owned[3] = {0};

	(void) state;
	cluster_init(&session, nodes, 3, 256);
	cluster_replicate(&session, 3, 0);
	/* All vnodes have the same replicas: as many pieces as are wanted, dealt out in turn. */
	assert_int_equal(split(CQL_CONSISTENCY_LOCAL_QUORUM, 12, MAX_PIECES), 12);
	check_pieces(12, 0);
	for (int i = 0; i < 12; i++)
		owned[pieces[i].owner >> 16]++;
	for (int i = 0; i < 3; i++)
		assert_int_equal(owned[i], 4);
	assert_int_equal(split(CQL_CONSISTENCY_LOCAL_QUORUM, 1, 1), 1);
	cluster_cleanup(&session);
}

static void
test_vnodes(void **state)
{
	static const cluster_node nodes[] = {{0, 0, 2}, {0, 1, 2}, {0, 2, 2}, {0, 0, 2},
										 {0, 1, 2}, {0, 2, 2}, {1, 3, 2}, {1, 4, 2}};
	int narrow;
	int wide;

	(void) state;
	cluster_init(&session, nodes, 8, 16);
	cluster_replicate(&session, 2, 1);
	wide = split(CQL_CONSISTENCY_LOCAL_ONE, 1, MAX_PIECES);
	assert_in_range(wide, 2, 8 * 16 + 1);
	check_pieces(wide, 0);
	for (int i = 0; i < wide; i++)
		assert_int_equal(session.topology.nodes[pieces[i].owner >> 16]->place.dc, 0);
	assert_true(balance(wide) > 0.5);
	narrow = split(CQL_CONSISTENCY_LOCAL_ONE, 1000, MAX_PIECES);
	assert_in_range(narrow, 900, 1100);
	check_pieces(narrow, 0);
	assert_true(balance(narrow) > 0.6);
	/* A consistency that is not local counts replicas elsewhere, yet asks near ones. */
	wide = split(CQL_CONSISTENCY_QUORUM, 1, MAX_PIECES);
	check_pieces(wide, CQL_NO_ID);
	for (int i = 0; i < wide; i++)
		assert_int_equal(session.topology.nodes[pieces[i].owner >> 16]->place.dc, 0);
	cluster_cleanup(&session);
}

static void
test_rack(void **state)
{
	static const cluster_node nodes[] = {{0, 0, 0}, {0, 1, 0}};
	int count;

	(void) state;
	cluster_init(&session, nodes, 2, 16);
	cluster_replicate(&session, 2, 0);
	session.topology.local_rack = 1;
	count = split(CQL_CONSISTENCY_LOCAL_ONE, 7, MAX_PIECES);
	for (int i = 0; i < count; i++)
		assert_int_equal(pieces[i].owner >> 16, 1);
	cluster_cleanup(&session);
}

static void
test_tablets(void **state)
{
	static const cluster_node nodes[] = {{0, 0, 2}, {0, 0, 2}, {0, 0, 2}};
	const int64_t width = INT64_C(1) << 60;
	cql_table *table;
	int count;

	(void) state;
	cluster_init(&session, nodes, 3, 16);
	cluster_replicate(&session, 2, 0);
	table = cluster_add_tablets(&session);
	for (int i = 0; i < 16; i++)
	{
		cql_tablet_replica replicas[2] = {{(uint16_t) (i % 3), (uint16_t) (i % 2)},
										  {(uint16_t) ((i + 1) % 3), (uint16_t) (i % 2)}};
		int64_t start = INT64_MIN + i * width;

		assert_true(cql_tablets_put(&table->tablets,
									(cql_token_range) {start, i < 15 ? start + width : INT64_MAX},
									replicas, 2));
	}
	count = split(CQL_CONSISTENCY_LOCAL_ONE, 4, MAX_PIECES);
	assert_int_equal(count, 16);
	check_pieces(count, 0);
	for (int i = 0; i < count; i++)
		assert_int_equal(pieces[i].owner & 0xffff, i % 2);
	assert_int_equal(split(CQL_CONSISTENCY_LOCAL_ONE, 48, MAX_PIECES), 48);
	check_pieces(48, 0);
	assert_true(balance(48) > 0.85);
	/* What is not known of has no owner; the rest keeps its own. */
	cql_tablets_drop_node(&table->tablets, 2);
	count = split(CQL_CONSISTENCY_LOCAL_ONE, 16, MAX_PIECES);
	assert_int_equal(count, 16);
	for (int i = 0; i < count; i++)
		assert_int_equal(pieces[i].owner != CQL_NO_OWNER, i % 3 == 0);
	cluster_cleanup(&session);
}

/* Even pieces, where the boundaries would make too many of them, or nothing is known. */
static void
test_even_pieces(void **state)
{
	static const cluster_node nodes[] = {{0, 0, 0}, {0, 1, 0}, {0, 2, 0}};
	cql_split unknown = {"other", "t", CQL_CONSISTENCY_LOCAL_ONE, 5};

	(void) state;
	cluster_init(&session, nodes, 3, 256);
	assert_int_equal(split(CQL_CONSISTENCY_LOCAL_ONE, 10, 20), 10);
	for (int i = 0; i < 10; i++)
	{
		assert_int_equal(pieces[i].owner, CQL_NO_OWNER);
		assert_int_equal(pieces[i].range.end, cql_ring_part((uint32_t) i, 10).end);
	}
	assert_int_equal(cql_session_split_ring(&session, &unknown, pieces, 5), 5);
	cluster_cleanup(&session);
	cluster_init(&session, nodes, 3, 256);
	session.topology.keyspaces[0].own.strategy = CQL_STRATEGY_LOCAL;
	assert_int_equal(split(CQL_CONSISTENCY_LOCAL_ONE, 10, MAX_PIECES), 10);
	assert_int_equal(pieces[9].owner, CQL_NO_OWNER);
	cluster_cleanup(&session);
}

/* A token may be the least number there is; a node may have all of them. */
static void
test_edges(void **state)
{
	static const cluster_node nodes[] = {{0, 0, 0}, {0, 0, 0}};
	cql_ring_token tokens[] = {{INT64_MIN, 0}, {INT64_MAX, 1}};
	cql_place places[] = {{0, 0}, {0, 0}};
	cql_ring *ring = &session.topology.ring;

	(void) state;
	cluster_init(&session, nodes, 2, 1);
	cql_ring_cleanup(ring);
	assert_true(cql_ring_init(ring, tokens, 2, places, 2));
	assert_int_equal(split(CQL_CONSISTENCY_LOCAL_ONE, 1, MAX_PIECES), 1);
	assert_int_equal(pieces[0].owner >> 16, 1);
	cluster_cleanup(&session);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replicas_everywhere),
		cmocka_unit_test(test_vnodes),
		cmocka_unit_test(test_rack),
		cmocka_unit_test(test_tablets),
		cmocka_unit_test(test_even_pieces),
		cmocka_unit_test(test_edges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
