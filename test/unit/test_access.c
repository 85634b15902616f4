/*
 * plan/access.c as a table of shapes: one line of conditions, and the access, the conditions that
 * it sends and the reasons of the others. Links access.c alone.
 *
 * A shape is written as words: p0= is the first partition key column by =, c1>= a range on the
 * second clustering column, r= a condition on a column outside the key.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "plan/access.h"

#define MAX_CONDITIONS 16

typedef struct Shape
{
	int partition_count;
	int clustering_count;
	const char *conditions;
	ScyllaAccess access;
	bool is_unique;
	int clustering_equals;
	bool has_range;
	const char *used; /* one of + (sent) or - for each condition */
} Shape;

#define FULL SCYLLA_ACCESS_FULL_SCAN
#define PART SCYLLA_ACCESS_PARTITION
#define SLICE SCYLLA_ACCESS_PARTITION_SLICE

static const Shape shapes[] = {
	/* nothing to go by */
	{1, 0, "", FULL, false, 0, false, ""},
	{1, 2, "", FULL, false, 0, false, ""},
	{0, 0, "p0= c0=", FULL, false, 0, false, "--"},
	{1, 1, "r= r< r>=", FULL, false, 0, false, "---"},

	/* the partition key: whole and by =, or not at all */
	{1, 0, "p0=", PART, true, 0, false, "+"},
	{1, 1, "p0=", PART, false, 0, false, "+"},
	{2, 0, "p0=", FULL, false, 0, false, "-"},
	{2, 0, "p1=", FULL, false, 0, false, "-"},
	{2, 0, "p1= p0=", PART, true, 0, false, "++"},
	{2, 1, "p1= p0=", PART, false, 0, false, "++"},
	{3, 0, "p0= p1= p2=", PART, true, 0, false, "+++"},
	{3, 0, "p0= p2=", FULL, false, 0, false, "--"},
	{2, 1, "p0= p1< c0=", FULL, false, 0, false, "---"},
	{1, 0, "p0<", FULL, false, 0, false, "-"},
	{1, 0, "p0>= p0<=", FULL, false, 0, false, "--"},
	{1, 0, "p0= p0<", PART, true, 0, false, "+-"},
	{1, 0, "p0< p0=", PART, true, 0, false, "-+"},
	{1, 0, "p0= p0=", PART, true, 0, false, "+-"},
	{1, 0, "p0= r=", PART, true, 0, false, "+-"},

	/* clustering columns without the partition */
	{1, 1, "c0=", FULL, false, 0, false, "-"},
	{2, 2, "p0= c0= c1=", FULL, false, 0, false, "---"},

	/* a prefix by = */
	{1, 1, "p0= c0=", SLICE, true, 1, false, "++"},
	{1, 2, "p0= c0=", SLICE, false, 1, false, "++"},
	{1, 2, "p0= c0= c1=", SLICE, true, 2, false, "+++"},
	{1, 2, "c1= c0= p0=", SLICE, true, 2, false, "+++"},
	{1, 2, "p0= c1=", PART, false, 0, false, "+-"},
	{1, 3, "p0= c0= c2=", SLICE, false, 1, false, "++-"},
	{1, 3, "p0= c1= c2=", PART, false, 0, false, "+--"},
	{1, 1, "p0= c0= c0=", SLICE, true, 1, false, "++-"},

	/* one range behind it */
	{1, 1, "p0= c0<", SLICE, false, 0, true, "++"},
	{1, 1, "p0= c0<=", SLICE, false, 0, true, "++"},
	{1, 1, "p0= c0>", SLICE, false, 0, true, "++"},
	{1, 1, "p0= c0>=", SLICE, false, 0, true, "++"},
	{1, 1, "p0= c0> c0<=", SLICE, false, 0, true, "+++"},
	{1, 1, "c0<= p0= c0>", SLICE, false, 0, true, "+++"},
	{1, 2, "p0= c0= c1> c1<", SLICE, false, 1, true, "++++"},
	{1, 2, "p0= c0> c1=", SLICE, false, 0, true, "++-"},
	{1, 2, "p0= c0> c1<", SLICE, false, 0, true, "++-"},
	{1, 2, "p0= c1> c1<", PART, false, 0, false, "+--"},
	{1, 3, "p0= c0= c2> c1=", SLICE, false, 2, true, "++++"},
	{1, 3, "p0= c0= c2>", SLICE, false, 1, false, "++-"},

	/* several on one side: the first; = wins over a range */
	{1, 1, "p0= c0> c0>=", SLICE, false, 0, true, "++-"},
	{1, 1, "p0= c0>= c0>", SLICE, false, 0, true, "++-"},
	{1, 1, "p0= c0< c0> c0<= c0>=", SLICE, false, 0, true, "+++--"},
	{1, 1, "p0= c0> c0=", SLICE, true, 1, false, "+-+"},
	{1, 2, "p0= c0> c0= c1<", SLICE, false, 1, true, "+-++"},

	/* positions that the key doesn't have */
	{1, 1, "p0= c1= c5<", PART, false, 0, false, "+--"},
	{1, 0, "p0= c0= c0>", PART, true, 0, false, "+--"},
	{1, 1, "p0= p1=", PART, false, 0, false, "+-"},
};

static ScyllaOperator
parse_operator(const char *text)
{
	static const ScyllaOperator all[] = {SCYLLA_OP_EQUAL, SCYLLA_OP_LESS, SCYLLA_OP_LESS_EQUAL,
										 SCYLLA_OP_GREATER, SCYLLA_OP_GREATER_EQUAL};

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		if (strcmp(scylla_operator_text(all[i]), text) == 0)
			return all[i];
	fail_msg("no operator %s", text);
	return SCYLLA_OP_EQUAL;
}

static int
parse_conditions(const char *text, ScyllaAccessCondition *conditions)
{
	char copy[128];
	int count = 0;

	assert_true(strlen(text) < sizeof copy);
	strcpy(copy, text);
	for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " "))
	{
		ScyllaAccessCondition *condition = &conditions[count++];

		assert_true(count <= MAX_CONDITIONS);
		condition->part = word[0] == 'p'   ? SCYLLA_PART_PARTITION
						  : word[0] == 'c' ? SCYLLA_PART_CLUSTERING
										   : SCYLLA_PART_NONE;
		condition->position = word[0] == 'r' ? 0 : word[1] - '0';
		condition->op = parse_operator(word + (word[0] == 'r' ? 1 : 2));
	}
	return count;
}

static void
check_shape(const Shape *shape)
{
	ScyllaAccessKey key = {shape->partition_count, shape->clustering_count};
	ScyllaAccessCondition conditions[MAX_CONDITIONS];
	ScyllaAccessChoice choice;
	bool used[MAX_CONDITIONS];
	char got[MAX_CONDITIONS + 1] = "";
	int count = parse_conditions(shape->conditions, conditions);

	memset(used, 0x5a, sizeof used);
	choice = scylla_access_choose(&key, conditions, count, used);
	for (int i = 0; i < count; i++)
		got[i] = used[i] ? '+' : '-';

	if (choice.access != shape->access || choice.is_unique != shape->is_unique ||
		choice.clustering_equals != shape->clustering_equals ||
		choice.has_range != shape->has_range || strcmp(got, shape->used) != 0)
		fail_msg("(%d, %d) \"%s\": %s, unique %d, prefix %d, range %d, used %s",
				 shape->partition_count, shape->clustering_count, shape->conditions,
				 scylla_access_name(choice.access), choice.is_unique, choice.clustering_equals,
				 choice.has_range, got);
}

static void
test_shapes(void **state)
{
	(void) state;
	for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
		check_shape(&shapes[i]);
}

typedef struct Refusal
{
	int partition_count;
	int clustering_count;
	const char *conditions; /* the last one is refused */
	const char *reason;
} Refusal;

static const Refusal refusals[] = {
	{1, 1, "p0= r=", "not on the key"},
	{1, 1, "p0= c1=", "not on the key"},
	{1, 1, "p1=", "not on the key"},
	{1, 1, "p0>", "a partition key column takes only ="},
	{1, 1, "p0= p0<", "a partition key column takes only ="},
	{2, 1, "p0=", "needs the whole partition key"},
	{2, 1, "p0= c0=", "needs the whole partition key"},
	{1, 1, "c0<", "needs the whole partition key"},
	{1, 2, "p0= c1=", "clustering prefix is not bound"},
	{1, 2, "p0= c0< c1=", "clustering prefix is not bound"},
	{1, 3, "p0= c0= c2>", "clustering prefix is not bound"},
	{1, 1, "p0= p0=", "another condition on the column is sent"},
	{1, 1, "p0= c0= c0=", "another condition on the column is sent"},
	{1, 1, "p0= c0= c0<", "another condition on the column is sent"},
	{1, 1, "p0= c0< c0<=", "another condition on the column is sent"},
};

static void
test_refusals(void **state)
{
	(void) state;
	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
	{
		const Refusal *refusal = &refusals[i];
		ScyllaAccessKey key = {refusal->partition_count, refusal->clustering_count};
		ScyllaAccessCondition conditions[MAX_CONDITIONS];
		ScyllaAccessChoice choice;
		bool used[MAX_CONDITIONS];
		int count = parse_conditions(refusal->conditions, conditions);

		choice = scylla_access_choose(&key, conditions, count, used);
		assert_false(used[count - 1]);
		assert_string_equal(scylla_access_refusal(&key, &choice, &conditions[count - 1]),
							refusal->reason);
	}
}

static void
test_names(void **state)
{
	(void) state;
	assert_string_equal(scylla_access_name(SCYLLA_ACCESS_FULL_SCAN), "full scan");
	assert_string_equal(scylla_access_name(SCYLLA_ACCESS_PARTITION), "partition");
	assert_string_equal(scylla_access_name(SCYLLA_ACCESS_PARTITION_SLICE), "partition slice");
	assert_string_equal(scylla_access_name(SCYLLA_ACCESS_PARTITIONS), "partitions (IN)");
}

/*
 * Every set of conditions on a key of (2, 2) columns: what is sent is always something that CQL
 * takes, whatever the order of the conditions.
 */
static void
test_every_subset(void **state)
{
	static const char *const words[] = {"p0=",  "p1=", "p0<",  "c0=", "c0>",
										"c0<=", "c1=", "c1>=", "c1<", "r="};
	const int word_count = sizeof words / sizeof words[0];
	ScyllaAccessKey key = {2, 2};

	(void) state;
	for (unsigned set = 0; set < 1u << word_count; set++)
	{
		ScyllaAccessCondition conditions[MAX_CONDITIONS];
		ScyllaAccessChoice choice;
		bool used[MAX_CONDITIONS];
		int sides[3][2] = {{0}}; /* sent: =, lower, upper by clustering position */
		int partition_equals = 0;
		int used_count = 0;
		int count = 0;

		for (int i = 0; i < word_count; i++)
			if (set & 1u << i)
				count += parse_conditions(words[i], &conditions[count]);
		choice = scylla_access_choose(&key, conditions, count, used);

		for (int i = 0; i < count; i++)
		{
			const ScyllaAccessCondition *condition = &conditions[i];

			if (!used[i])
				continue;
			used_count++;
			assert_int_not_equal(condition->part, SCYLLA_PART_NONE);
			if (condition->part == SCYLLA_PART_PARTITION)
			{
				assert_int_equal(condition->op, SCYLLA_OP_EQUAL);
				partition_equals++;
			}
			else
				sides[condition->op == SCYLLA_OP_EQUAL     ? 0
					  : condition->op >= SCYLLA_OP_GREATER ? 1
														   : 2][condition->position]++;
		}
		if (choice.access == SCYLLA_ACCESS_FULL_SCAN)
		{
			assert_int_equal(used_count, 0);
			assert_false((set & 3u) == 3u);
			continue;
		}
		assert_int_equal(partition_equals, 2);
		for (int side = 0; side < 3; side++)
			for (int position = 0; position < 2; position++)
				assert_true(sides[side][position] <= 1);
		assert_true(sides[0][0] || !(sides[0][1] || sides[1][1] || sides[2][1]));
		assert_false(sides[0][0] && (sides[1][0] || sides[2][0]));
		assert_false(sides[0][1] && (sides[1][1] || sides[2][1]));
		assert_int_equal(choice.is_unique, sides[0][0] && sides[0][1]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shapes),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_every_subset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
