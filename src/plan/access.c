/*
 * Chooses the access for a set of conditions by CQL's rules for WHERE: the whole partition key by
 * = or IN, then a prefix of the clustering key likewise, then one range on what follows; else a
 * range of tokens; else an index. What is left may filter.
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

/* The conditions, and what has become of them so far. */
typedef struct Choosing
{
	const ScyllaAccessKey *key;
	const ScyllaAccessCondition *conditions;
	int count;
	ScyllaAccessUse *uses;
	ScyllaAccessChoice choice;
} Choosing;

/* Which conditions one step is about. */
typedef struct Wanted
{
	ScyllaConditionForm form;
	ScyllaKeyPart part;
	int position;
} Wanted;

static void
use_none(Choosing *choosing)
{
	for (int i = 0; i < choosing->count; i++)
		choosing->uses[i] = SCYLLA_USE_NONE;
}

static bool
is_wanted(const ScyllaAccessCondition *condition, const Wanted *wanted)
{
	return condition->form == wanted->form && condition->part == wanted->part &&
		   condition->position == wanted->position;
}

/* The first one with that operator, or for which of a side; -1: there is none. */
static int
find_equal(const Choosing *choosing, const Wanted *wanted, ScyllaOperator op)
{
	for (int i = 0; i < choosing->count; i++)
		if (is_wanted(&choosing->conditions[i], wanted) && choosing->conditions[i].op == op)
			return i;
	return -1;
}

static int
find_range(const Choosing *choosing, const Wanted *wanted, Side side)
{
	for (int i = 0; i < choosing->count; i++)
		if (is_wanted(&choosing->conditions[i], wanted) &&
			side_of(choosing->conditions[i].op) == side)
			return i;
	return -1;
}

static bool
use(Choosing *choosing, int i)
{
	if (i >= 0)
		choosing->uses[i] = SCYLLA_USE_BOUND;
	return i >= 0;
}

static bool
use_equal(Choosing *choosing, const Wanted *wanted)
{
	int i = find_equal(choosing, wanted, SCYLLA_OP_EQUAL);

	if (i < 0)
		i = find_equal(choosing, wanted, SCYLLA_OP_IN);
	if (i >= 0 && choosing->conditions[i].op == SCYLLA_OP_IN &&
		wanted->part == SCYLLA_PART_PARTITION)
		choosing->choice.access = SCYLLA_ACCESS_PARTITIONS;
	return use(choosing, i);
}

static bool
use_range(Choosing *choosing, const Wanted *wanted)
{
	bool has_lower = use(choosing, find_range(choosing, wanted, SIDE_LOWER));
	bool has_upper = use(choosing, find_range(choosing, wanted, SIDE_UPPER));

	return has_lower || has_upper;
}

/* Without its whole key a partition has no token: CQL would have to filter everything. */
static bool
use_partition_key(Choosing *choosing)
{
	Wanted wanted = {SCYLLA_FORM_COLUMN, SCYLLA_PART_PARTITION, 0};

	choosing->choice.access = SCYLLA_ACCESS_PARTITION;
	for (; wanted.position < choosing->key->partition_count; wanted.position++)
		if (!use_equal(choosing, &wanted))
			break;
	if (wanted.position == choosing->key->partition_count && wanted.position > 0)
		return true;
	use_none(choosing);
	choosing->choice.access = SCYLLA_ACCESS_FULL_SCAN;
	return false;
}

/* CQL doesn't mix rows with single columns, and those say what follows from the rows as well. */
static bool
is_row_best(const Choosing *choosing)
{
	const Wanted rows = {SCYLLA_FORM_ROW, SCYLLA_PART_CLUSTERING, 0};
	const Wanted first = {SCYLLA_FORM_COLUMN, SCYLLA_PART_CLUSTERING, 0};
	bool has_row = false;

	for (int i = 0; i < choosing->count; i++)
	{
		const ScyllaAccessCondition *condition = &choosing->conditions[i];

		if (is_wanted(condition, &first) && !condition->is_fallback)
			return false;
		has_row = has_row || is_wanted(condition, &rows);
	}
	return has_row;
}

static void
use_rows(Choosing *choosing)
{
	const Wanted rows = {SCYLLA_FORM_ROW, SCYLLA_PART_CLUSTERING, 0};
	int lower = find_range(choosing, &rows, SIDE_LOWER);
	int upper = find_range(choosing, &rows, SIDE_UPPER);

	if (lower >= 0 && upper >= 0 &&
		choosing->conditions[lower].column_count != choosing->conditions[upper].column_count)
		upper = -1;
	(void) use(choosing, lower);
	(void) use(choosing, upper);
	choosing->choice.has_range = true;
}

/* Rows of a partition are stored in clustering order, so only the column right behind the bound
 * prefix cuts a contiguous slice. */
static void
use_clustering_key(Choosing *choosing)
{
	ScyllaAccessChoice *choice = &choosing->choice;
	Wanted wanted = {SCYLLA_FORM_COLUMN, SCYLLA_PART_CLUSTERING, 0};

	if (is_row_best(choosing))
		use_rows(choosing);
	else
	{
		while (wanted.position < choosing->key->clustering_count && use_equal(choosing, &wanted))
			wanted.position++;
		if (wanted.position < choosing->key->clustering_count)
			choice->has_range = use_range(choosing, &wanted);
	}
	choice->clustering_equals = wanted.position;
	choice->is_unique = wanted.position == choosing->key->clustering_count;
	if (choice->access == SCYLLA_ACCESS_PARTITION && (wanted.position > 0 || choice->has_range))
		choice->access = SCYLLA_ACCESS_PARTITION_SLICE;
}

static bool
use_token(Choosing *choosing)
{
	const Wanted wanted = {SCYLLA_FORM_TOKEN, SCYLLA_PART_NONE, 0};

	if (!use_equal(choosing, &wanted) && !use_range(choosing, &wanted))
		return false;
	choosing->choice.access = SCYLLA_ACCESS_TOKEN_RANGE;
	choosing->choice.has_range = true;
	return true;
}

static bool
use_index(Choosing *choosing)
{
	for (int i = 0; i < choosing->count; i++)
		if (choosing->conditions[i].index != SCYLLA_NO_INDEX &&
			choosing->conditions[i].op != SCYLLA_OP_IN)
		{
			choosing->uses[i] = SCYLLA_USE_INDEX;
			choosing->choice.access = SCYLLA_ACCESS_INDEX;
			choosing->choice.index = choosing->conditions[i].index;
			return true;
		}
	return false;
}

static bool
is_contains(const ScyllaAccessCondition *condition)
{
	return condition->form == SCYLLA_FORM_CONTAINS || condition->form == SCYLLA_FORM_CONTAINS_KEY ||
		   condition->form == SCYLLA_FORM_ENTRY;
}

/* Whether CQL refuses both in one statement: of a column it takes one =, or one bound a side. */
static bool
is_in_conflict(const ScyllaAccessCondition *a, const ScyllaAccessCondition *b)
{
	if (a->form == SCYLLA_FORM_TOKEN)
		return b->part == SCYLLA_PART_PARTITION;
	if (a->form == SCYLLA_FORM_ROW)
		return b->part == SCYLLA_PART_CLUSTERING;
	if (a->column != b->column || is_contains(a) || is_contains(b))
		return false;
	return side_of(a->op) == SIDE_EQUAL || side_of(b->op) == SIDE_EQUAL ||
		   side_of(a->op) == side_of(b->op);
}

/* Neither server filters by IN, Cassandra not by rows of columns. */
static bool
can_filter(const Choosing *choosing, const ScyllaAccessCondition *condition)
{
	if (condition->op == SCYLLA_OP_IN || condition->form == SCYLLA_FORM_ROW ||
		condition->form == SCYLLA_FORM_TOKEN)
		return false;
	for (int i = 0; i < choosing->count; i++)
		if (choosing->uses[i] != SCYLLA_USE_NONE &&
			is_in_conflict(&choosing->conditions[i], condition))
			return false;
	return true;
}

static void
use_filters(Choosing *choosing)
{
	if (!choosing->key->can_filter || choosing->choice.is_unique)
		return;
	for (int i = 0; i < choosing->count; i++)
		if (choosing->uses[i] == SCYLLA_USE_NONE && can_filter(choosing, &choosing->conditions[i]))
		{
			choosing->uses[i] = SCYLLA_USE_FILTER;
			choosing->choice.is_filtered = true;
		}
}

ScyllaAccessChoice
scylla_access_choose(const ScyllaAccessKey *key, const ScyllaAccessCondition *conditions, int count,
					 ScyllaAccessUse *uses)
{
	Choosing choosing = {.key = key, .conditions = conditions, .count = count, .uses = uses};

	choosing.choice.index = SCYLLA_NO_INDEX;
	use_none(&choosing);
	if (use_partition_key(&choosing))
		use_clustering_key(&choosing);
	else if (!use_token(&choosing))
		(void) use_index(&choosing);
	use_filters(&choosing);
	return choosing.choice;
}

#define RANK_PARTITION 3

int
scylla_access_rank(const ScyllaAccessChoice *choice)
{
	switch (choice->access)
	{
		case SCYLLA_ACCESS_FULL_SCAN:
			return 0;
		case SCYLLA_ACCESS_TOKEN_RANGE:
			return 1;
		case SCYLLA_ACCESS_INDEX:
			return 2;
		case SCYLLA_ACCESS_VIEW:
		case SCYLLA_ACCESS_PARTITION:
		case SCYLLA_ACCESS_PARTITION_SLICE:
		case SCYLLA_ACCESS_PARTITIONS:
			break;
	}
	return RANK_PARTITION + 2 * choice->clustering_equals + choice->has_range;
}

bool
scylla_access_binds_key(const ScyllaAccessChoice *choice)
{
	return scylla_access_rank(choice) >= RANK_PARTITION;
}

/* What lies in the way of a condition on the key. */
static const char *
refuse_key(const ScyllaAccessChoice *choice, const ScyllaAccessCondition *condition)
{
	if (condition->part == SCYLLA_PART_PARTITION && side_of(condition->op) != SIDE_EQUAL)
		return "a partition key column takes only = and IN";
	if (!scylla_access_binds_key(choice))
		return "needs the whole partition key";
	if (condition->part == SCYLLA_PART_CLUSTERING && condition->form == SCYLLA_FORM_COLUMN &&
		condition->position > choice->clustering_equals)
		return "clustering prefix is not bound";
	return "another condition on the column is sent";
}

const char *
scylla_access_refusal(const ScyllaAccessKey *key, const ScyllaAccessChoice *choice,
					  const ScyllaAccessCondition *condition)
{
	int count =
		condition->part == SCYLLA_PART_PARTITION ? key->partition_count : key->clustering_count;

	if (condition->form == SCYLLA_FORM_TOKEN)
		return scylla_access_binds_key(choice) ? "the partition key is bound"
											   : "another condition on the token is sent";
	if (condition->part != SCYLLA_PART_NONE && condition->position < count)
		return refuse_key(choice, condition);
	if (condition->op == SCYLLA_OP_IN && key->can_filter)
		return "CQL cannot filter by IN";
	return "not on the key";
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
