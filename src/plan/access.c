/*
 * Chooses the access for a set of conditions by CQL's rules for WHERE: the whole partition key
 * by =, then a prefix of the clustering key by =, then one range on the column after it.
 *
 * Pure: knows neither PostgreSQL nor the cluster, so that the unit test is a table of shapes.
 */
#include "plan/access.h"

typedef enum Side
{
	SIDE_EQUAL,
	SIDE_LOWER,
	SIDE_UPPER
} Side;

static Side
side_of(ScyllaOperator op)
{
	switch (op)
	{
		case SCYLLA_OP_LESS:
		case SCYLLA_OP_LESS_EQUAL:
			return SIDE_UPPER;
		case SCYLLA_OP_GREATER:
		case SCYLLA_OP_GREATER_EQUAL:
			return SIDE_LOWER;
		case SCYLLA_OP_EQUAL:
		case SCYLLA_OP_IN:
			break;
	}
	return SIDE_EQUAL;
}

/* The conditions and which of them are taken so far. */
typedef struct Choosing
{
	const ScyllaAccessCondition *conditions;
	int count;
	bool *used;
} Choosing;

static void
use_none(Choosing *choosing)
{
	for (int i = 0; i < choosing->count; i++)
		choosing->used[i] = false;
}

/* Take the first condition on that column and side; false if there is none. */
static bool
use_first(Choosing *choosing, ScyllaKeyPart part, int position, Side side)
{
	for (int i = 0; i < choosing->count; i++)
	{
		const ScyllaAccessCondition *condition = &choosing->conditions[i];

		if (condition->part == part && condition->position == position &&
			side_of(condition->op) == side)
		{
			choosing->used[i] = true;
			return true;
		}
	}
	return false;
}

static bool
use_partition_key(Choosing *choosing, int partition_count)
{
	for (int i = 0; i < partition_count; i++)
		if (!use_first(choosing, SCYLLA_PART_PARTITION, i, SIDE_EQUAL))
			return false;
	return partition_count > 0;
}

ScyllaAccessChoice
scylla_access_choose(const ScyllaAccessKey *key, const ScyllaAccessCondition *conditions, int count,
					 bool *used)
{
	ScyllaAccessChoice choice = {.access = SCYLLA_ACCESS_FULL_SCAN};
	Choosing choosing = {.conditions = conditions, .count = count, .used = used};
	int next = 0;

	use_none(&choosing);

	/* Without its whole key a partition has no token: CQL would have to filter everything. */
	if (!use_partition_key(&choosing, key->partition_count))
	{
		use_none(&choosing);
		return choice;
	}

	while (next < key->clustering_count &&
		   use_first(&choosing, SCYLLA_PART_CLUSTERING, next, SIDE_EQUAL))
		next++;

	/* Rows of a partition are stored in clustering order, so only the column right behind the
	 * bound prefix cuts a contiguous slice. */
	if (next < key->clustering_count)
	{
		bool has_lower = use_first(&choosing, SCYLLA_PART_CLUSTERING, next, SIDE_LOWER);
		bool has_upper = use_first(&choosing, SCYLLA_PART_CLUSTERING, next, SIDE_UPPER);

		choice.has_range = has_lower || has_upper;
	}

	choice.clustering_equals = next;
	choice.is_unique = next == key->clustering_count;
	choice.access =
		next > 0 || choice.has_range ? SCYLLA_ACCESS_PARTITION_SLICE : SCYLLA_ACCESS_PARTITION;
	return choice;
}

const char *
scylla_access_refusal(const ScyllaAccessKey *key, const ScyllaAccessChoice *choice,
					  const ScyllaAccessCondition *condition)
{
	int count =
		condition->part == SCYLLA_PART_PARTITION ? key->partition_count : key->clustering_count;

	if (condition->part == SCYLLA_PART_NONE || condition->position >= count)
		return "not on the key";
	if (condition->part == SCYLLA_PART_PARTITION && condition->op != SCYLLA_OP_EQUAL)
		return SCYLLA_REFUSED_PARTITION_RANGE;
	if (choice->access == SCYLLA_ACCESS_FULL_SCAN)
		return "needs the whole partition key";
	if (condition->part == SCYLLA_PART_CLUSTERING &&
		condition->position > choice->clustering_equals)
		return "clustering prefix is not bound";
	return "another condition on the column is sent";
}

const char *
scylla_access_name(ScyllaAccess access)
{
	switch (access)
	{
		case SCYLLA_ACCESS_FULL_SCAN:
			return "full scan";
		case SCYLLA_ACCESS_PARTITION:
			return "partition";
		case SCYLLA_ACCESS_PARTITION_SLICE:
			return "partition slice";
		case SCYLLA_ACCESS_PARTITIONS:
			return "partitions (IN)";
		case SCYLLA_ACCESS_TOKEN_RANGE:
			return "token range";
		case SCYLLA_ACCESS_INDEX:
			return "index";
		case SCYLLA_ACCESS_VIEW:
			return "view";
	}
	return "unknown";
}

const char *
scylla_operator_text(ScyllaOperator op)
{
	switch (op)
	{
		case SCYLLA_OP_EQUAL:
		case SCYLLA_OP_IN:
			return "=";
		case SCYLLA_OP_LESS:
			return "<";
		case SCYLLA_OP_LESS_EQUAL:
			return "<=";
		case SCYLLA_OP_GREATER:
			return ">";
		case SCYLLA_OP_GREATER_EQUAL:
			return ">=";
	}
	return "?";
}

bool
scylla_operator_is_range(ScyllaOperator op)
{
	return side_of(op) != SIDE_EQUAL;
}
