/*
 * plan/access.c as a table of shapes: one line of conditions, and the access, what becomes of each
 * condition and the reasons of those left out. Links access.c alone.
 *
 * A shape is written as words: p0= is the first partition key column by =, p0in the same by IN,
 * c1>= a range on the second clustering column, r2> a row of the first two clustering columns, t<=
 * the token, v0= a column outside the key. Behind it may stand f (a fallback for a row), i3 (the
 * fourth index answers it), k (CONTAINS) or e (an entry of a map), of which several go together.
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
	const char *uses; /* for each condition: + bound, i index, f filter, - not sent */
} Shape;

#define FULL SCYLLA_ACCESS_FULL_SCAN
#define PART SCYLLA_ACCESS_PARTITION
#define SLICE SCYLLA_ACCESS_PARTITION_SLICE
#define MANY SCYLLA_ACCESS_PARTITIONS
#define RING SCYLLA_ACCESS_TOKEN_RANGE
#define INDEX SCYLLA_ACCESS_INDEX

static const Shape shapes[] = {
	/* nothing to go by */
	{1, 0, "", FULL, false, 0, false, ""},
	{1, 2, "", FULL, false, 0, false, ""},
	{0, 0, "p0= c0=", FULL, false, 0, false, "--"},
	{1, 1, "v0= v0< v0>=", FULL, false, 0, false, "---"},

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
	{1, 0, "p0= v0=", PART, true, 0, false, "+-"},

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

	/* IN: as =, but = is better */
	{1, 0, "p0in", MANY, true, 0, false, "+"},
	{1, 1, "p0in", MANY, false, 0, false, "+"},
	{1, 1, "p0in c0=", MANY, true, 1, false, "++"},
	{1, 1, "p0in c0>", MANY, false, 0, true, "++"},
	{1, 1, "p0= c0in", SLICE, true, 1, false, "++"},
	{1, 2, "p0= c0in c1in", SLICE, true, 2, false, "+++"},
	{1, 2, "p0= c0in c1<", SLICE, false, 1, true, "+++"},
	{2, 1, "p0in p1in c0in", MANY, true, 1, false, "+++"},
	{2, 0, "p0in", FULL, false, 0, false, "-"},
	{1, 0, "p0in p0=", PART, true, 0, false, "-+"},
	{1, 0, "p0in p0in", MANY, true, 0, false, "+-"},
	{1, 1, "p0= c0in c0=", SLICE, true, 1, false, "+-+"},
	{1, 1, "p0= c0> c0in", SLICE, true, 1, false, "+-+"},

	/* rows of clustering columns: not mixed with single ones, which are better by = */
	{1, 2, "p0= r2>", SLICE, false, 0, true, "++"},
	{1, 2, "p0= r2> r2<=", SLICE, false, 0, true, "+++"},
	{1, 3, "p0= r2> r3<=", SLICE, false, 0, true, "++-"},
	{1, 2, "p0= r2> r2>", SLICE, false, 0, true, "++-"},
	{1, 2, "p0= r2> c0>=f", SLICE, false, 0, true, "++-"},
	{1, 2, "p0= r2> c0>=f c0<", SLICE, false, 0, true, "+-++"},
	{1, 2, "p0= c0= r2> c0>=f", SLICE, false, 1, false, "++--"},
	{1, 2, "p0= c0>=f", SLICE, false, 0, true, "++"},
	{1, 2, "p0in r2>", MANY, false, 0, true, "++"},
	{1, 2, "r2>", FULL, false, 0, false, "-"},

	/* the token, where the partition is not known */
	{1, 0, "t>", RING, false, 0, true, "+"},
	{1, 0, "t> t<=", RING, false, 0, true, "++"},
	{1, 0, "t= t>", RING, false, 0, true, "+-"},
	{1, 0, "t> t>=", RING, false, 0, true, "+-"},
	{1, 0, "t> p0=", PART, true, 0, false, "-+"},
	{2, 1, "t> p0= c0=", RING, false, 0, true, "+--"},
	{1, 0, "t> v0=i0", RING, false, 0, true, "+-"},

	/* an index, where nothing better is */
	{1, 0, "v0= v1=i1", INDEX, false, 0, false, "-i"},
	{1, 0, "v0ini0", FULL, false, 0, false, "-"},
	{1, 0, "v0=i0 v1=i1", INDEX, false, 0, false, "i-"},
	{1, 0, "v0=i0 p0=", PART, true, 0, false, "-+"},
	{2, 0, "p0=i0", INDEX, false, 0, false, "i"},
	{1, 1, "c0=i0", INDEX, false, 0, false, "i"},
};

/* The same where rows that are read anyway may be filtered. */
static const Shape filters[] = {
	{1, 0, "v0=", FULL, false, 0, false, "f"},
	{1, 0, "v0> v0<", FULL, false, 0, false, "ff"},
	{1, 0, "v0> v0>=", FULL, false, 0, false, "f-"},
	{1, 0, "v0= v0<", FULL, false, 0, false, "f-"},
	{1, 0, "v0> v0= v1=", FULL, false, 0, false, "f-f"},
	{1, 0, "v0in", FULL, false, 0, false, "-"},
	{1, 0, "v0=k v0=k", FULL, false, 0, false, "ff"},
	{1, 0, "v0=e v0=e v0=k", FULL, false, 0, false, "fff"},
	{1, 0, "v0=e v0=", FULL, false, 0, false, "ff"},
	{1, 0, "p0= v0=e", PART, true, 0, false, "+-"},
	{1, 0, "p0>", FULL, false, 0, false, "f"},
	{2, 2, "p0= c1=", FULL, false, 0, false, "ff"},
	{1, 2, "p0= c1= v0<", PART, false, 0, false, "+ff"},
	{1, 2, "p0= c0> c1=", SLICE, false, 0, true, "++f"},
	{1, 2, "p0= c0> c0>= c0=", SLICE, false, 1, false, "+--+"},
	{1, 0, "p0= v0=", PART, true, 0, false, "+-"},
	{1, 1, "p0in v0=", MANY, false, 0, false, "+f"},
	{1, 3, "p0= r2> c2=", SLICE, false, 0, true, "++-"},
	{1, 3, "p0= r2> v0=", SLICE, false, 0, true, "++f"},
	{2, 1, "t> p0= c0= v0=", RING, false, 0, true, "+-ff"},
	{1, 2, "r2> c0>=f", FULL, false, 0, false, "-f"},
	{1, 0, "v0=i0 v1=i1 v2<", INDEX, false, 0, false, "iff"},
	{2, 0, "p0= v0=i0", INDEX, false, 0, false, "fi"},
};

typedef struct OperatorWord
{
	const char *text;
	ScyllaOperator op;
} OperatorWord;

static const OperatorWord operators[] = {
	{"in", SCYLLA_OP_IN},  {"<=", SCYLLA_OP_LESS_EQUAL}, {">=", SCYLLA_OP_GREATER_EQUAL},
	{"<", SCYLLA_OP_LESS}, {">", SCYLLA_OP_GREATER},     {"=", SCYLLA_OP_EQUAL},
};

/* Returns what follows. */
static const char *
parse_operator(const char *text, ScyllaOperator *op)
{
	for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++)
		if (strncmp(operators[i].text, text, strlen(operators[i].text)) == 0)
		{
			*op = operators[i].op;
			return text + strlen(operators[i].text);
		}
	fail_msg("no operator %s", text);
	return NULL;
}

/* p0 c1 v0 are columns, r2 is a row, t the token. Returns what follows. */
static const char *
parse_place(const char *word, ScyllaAccessCondition *condition)
{
	int number = word[0] == 't' ? 0 : word[1] - '0';

	*condition = (ScyllaAccessCondition) {.column_count = 1, .index = SCYLLA_NO_INDEX};
	condition->column = word[0] * 16 + number;
	if (word[0] == 'p' || word[0] == 'c')
		condition->position = number;
	if (word[0] == 'p')
		condition->part = SCYLLA_PART_PARTITION;
	if (word[0] == 'c' || word[0] == 'r')
		condition->part = SCYLLA_PART_CLUSTERING;
	if (word[0] == 'r')
	{
		condition->form = SCYLLA_FORM_ROW;
		condition->column_count = number;
	}
	if (word[0] == 't')
		condition->form = SCYLLA_FORM_TOKEN;
	return word + (word[0] == 't' ? 1 : 2);
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
		const char *rest;

		assert_true(count <= MAX_CONDITIONS);
		rest = parse_operator(parse_place(word, condition), &condition->op);
		if (rest[0] == 'k')
			condition->form = SCYLLA_FORM_CONTAINS;
		if (rest[0] == 'e')
			condition->form = SCYLLA_FORM_ENTRY;
		condition->is_fallback = rest[0] == 'f';
		if (rest[0] == 'i')
			condition->index = rest[1] - '0';
	}
	return count;
}

static bool
has_use(const char *uses, char use)
{
	return strchr(uses, use) != NULL;
}

static void
check_shape(const Shape *shape, bool can_filter)
{
	static const char marks[] = {[SCYLLA_USE_NONE] = '-',
								 [SCYLLA_USE_BOUND] = '+',
								 [SCYLLA_USE_INDEX] = 'i',
								 [SCYLLA_USE_FILTER] = 'f'};
	ScyllaAccessKey key = {shape->partition_count, shape->clustering_count, can_filter};
	ScyllaAccessCondition conditions[MAX_CONDITIONS];
	ScyllaAccessChoice choice;
	ScyllaAccessUse uses[MAX_CONDITIONS];
	char got[MAX_CONDITIONS + 1] = "";
	int count = parse_conditions(shape->conditions, conditions);

	memset(uses, 0x5a, sizeof uses);
	choice = scylla_access_choose(&key, conditions, count, uses);
	for (int i = 0; i < count; i++)
		got[i] = marks[uses[i]];

	if (choice.access != shape->access || choice.is_unique != shape->is_unique ||
		choice.clustering_equals != shape->clustering_equals ||
		choice.has_range != shape->has_range || strcmp(got, shape->uses) != 0)
		fail_msg("(%d, %d) \"%s\": %s, unique %d, prefix %d, range %d, uses %s",
				 shape->partition_count, shape->clustering_count, shape->conditions,
				 scylla_access_name(choice.access), choice.is_unique, choice.clustering_equals,
				 choice.has_range, got);
	assert_int_equal(choice.is_filtered, has_use(got, 'f'));
	if (has_use(got, 'i'))
		assert_int_equal(choice.index, conditions[strcspn(got, "i")].index);
}

static void
test_shapes(void **state)
{
	(void) state;
	for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
		check_shape(&shapes[i], false);
}

static void
test_filters(void **state)
{
	(void) state;
	for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++)
		check_shape(&filters[i], true);
}

/* Each shape leaves out more of the table than the one before, or as much. */
static void
test_ranks(void **state)
{
	static const char *const words[] = {
		"v0=",     "t>",      "v0=i0",    "p0=",         "p0in",       "p0= c0<",
		"p0= r2>", "p0= c0=", "p0in c0=", "p0= c0= c1>", "p0= c0= c1="};
	ScyllaAccessKey key = {1, 2, true};
	int last = 0;

	(void) state;
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
	{
		ScyllaAccessCondition conditions[MAX_CONDITIONS];
		ScyllaAccessUse uses[MAX_CONDITIONS];
		int count = parse_conditions(words[i], conditions);
		ScyllaAccessChoice choice = scylla_access_choose(&key, conditions, count, uses);
		int rank = scylla_access_rank(&choice);

		assert_true(rank >= last);
		assert_int_equal(rank > last,
						 i == 1 || i == 2 || i == 3 || i == 5 || i == 7 || i == 9 || i == 10);
		last = rank;
	}
}

typedef struct Refusal
{
	int partition_count;
	int clustering_count;
	const char *conditions; /* the last one is refused */
	const char *reason;
} Refusal;

static const Refusal refusals[] = {
	{1, 1, "p0= v0=", "not on the key"},
	{1, 1, "p0= c1=", "not on the key"},
	{1, 1, "p1=", "not on the key"},
	{1, 1, "p0>", "a partition key column takes only = and IN"},
	{1, 1, "p0= p0<", "a partition key column takes only = and IN"},
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
	{1, 1, "p0= p0in", "another condition on the column is sent"},
	{1, 2, "p0= c0= r2>", "another condition on the column is sent"},
	{1, 1, "p0= t>", "the partition key is bound"},
	{1, 1, "t> t>=", "another condition on the token is sent"},
	{1, 1, "t> c0=", "needs the whole partition key"},
	{1, 1, "v0in", "not on the key"},
};

static void
test_refusals(void **state)
{
	(void) state;
	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
	{
		const Refusal *refusal = &refusals[i];
		ScyllaAccessKey key = {refusal->partition_count, refusal->clustering_count, false};
		ScyllaAccessCondition conditions[MAX_CONDITIONS];
		ScyllaAccessChoice choice;
		ScyllaAccessUse uses[MAX_CONDITIONS];
		int count = parse_conditions(refusal->conditions, conditions);

		choice = scylla_access_choose(&key, conditions, count, uses);
		assert_int_equal(uses[count - 1], SCYLLA_USE_NONE);
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
										"c0<=", "c1=", "c1>=", "c1<", "v0="};
	const int word_count = sizeof words / sizeof words[0];
	ScyllaAccessKey key = {2, 2, false};

	(void) state;
	for (unsigned set = 0; set < 1u << word_count; set++)
	{
		ScyllaAccessCondition conditions[MAX_CONDITIONS];
		ScyllaAccessChoice choice;
		ScyllaAccessUse uses[MAX_CONDITIONS];
		int sides[3][2] = {{0}}; /* sent: =, lower, upper by clustering position */
		int partition_equals = 0;
		int used_count = 0;
		int count = 0;

		for (int i = 0; i < word_count; i++)
			if (set & 1u << i)
				count += parse_conditions(words[i], &conditions[count]);
		choice = scylla_access_choose(&key, conditions, count, uses);

		for (int i = 0; i < count; i++)
		{
			const ScyllaAccessCondition *condition = &conditions[i];

			if (uses[i] == SCYLLA_USE_NONE)
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
		cmocka_unit_test(test_shapes), cmocka_unit_test(test_filters),
		cmocka_unit_test(test_ranks),  cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_names),  cmocka_unit_test(test_every_subset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
