/*
 * Cells of structured types, taken apart. Expected bytes are derived from the protocol's text (v4,
 * section 6) and, for vectors, from what Cassandra 5 writes. Every cell is a block of exactly its
 * length, so that AddressSanitizer sees a byte too much.
 */
#include "support.h"

#include "cql/cql_value.h"

static const cql_type int_type = {.id = CQL_TYPE_INT};
static const cql_type text_type = {.id = CQL_TYPE_TEXT};
static const cql_type tinyint_type = {.id = CQL_TYPE_TINYINT};
static const cql_type *const ints[] = {&int_type, &int_type, &int_type};
static const cql_type *const texts[] = {&text_type, &int_type};
static const cql_type *const tinyints[] = {&tinyint_type};
static const cql_type list = {.id = CQL_TYPE_LIST, .element_count = 1, .elements = ints};
static const cql_type map = {.id = CQL_TYPE_MAP, .element_count = 2, .elements = texts};
static const cql_type tuple = {.id = CQL_TYPE_TUPLE, .element_count = 3, .elements = ints};
static const cql_type fixed_vector = {
	.id = CQL_TYPE_VECTOR, .element_count = 1, .dimension = 2, .elements = ints};
static const cql_type variable_vector = {
	.id = CQL_TYPE_VECTOR, .element_count = 1, .dimension = 2, .elements = texts};
static const cql_type *const all_types[] = {&list, &map, &tuple, &fixed_vector, &variable_vector};

/*
 * Walk a cell of these bytes: the lengths of its elements, ended by -9, or just -9 if it is
 * malformed. Touches each byte of each element.
 */
static void
walk(const cql_type *type, const void *bytes, size_t len, int32_t *lengths, size_t limit)
{
	uint8_t *copy = exact_copy(bytes, len);
	cql_cell cell = {.data = copy, .len = (int32_t) len};
	cql_elements elements;
	size_t count = 0;
	volatile uint32_t sum = 0;
	bool is_good = cql_elements_begin(type, cell, &elements);

	while (is_good && elements.left != 0)
	{
		cql_cell element;

		is_good = cql_elements_next(&elements, &element);
		for (int32_t i = 0; is_good && i < element.len; i++)
			sum += element.data[i];
		if (is_good && count < limit - 1)
			lengths[count++] = element.len;
	}
	(void) sum;
	lengths[is_good ? count : 0] = -9;
	free(copy);
}

#define BYTES(text) text, sizeof text - 1
#define CHECK_WALK(type, bytes, ...)                               \
	do                                                             \
	{                                                              \
		const int32_t expected_[] = {__VA_ARGS__};                 \
		int32_t actual_[16];                                       \
		walk(type, bytes, actual_, 16);                            \
		assert_memory_equal(actual_, expected_, sizeof expected_); \
	} while (0)

static void
elements_of_collections(void **state)
{
	(void) state;
	CHECK_WALK(&list, BYTES("\0\0\0\0"), -9);
	CHECK_WALK(&list, BYTES("\0\0\0\2\0\0\0\1a\0\0\0\0"), 1, 0, -9);
	CHECK_WALK(&list, BYTES("\0\0\0\1\xff\xff\xff\xff"), -1, -9);
	CHECK_WALK(&map, BYTES("\0\0\0\1\0\0\0\1k\0\0\0\2vv"), 1, 2, -9);
}

static void
malformed_collections(void **state)
{
	(void) state;
	CHECK_WALK(&list, BYTES(""), -9);
	CHECK_WALK(&list, BYTES("\0\0\0"), -9);
	CHECK_WALK(&list, BYTES("\0\0\0\1"), -9);
	CHECK_WALK(&list, BYTES("\xff\xff\xff\xff\0\0\0\0"), -9);
	CHECK_WALK(&list, BYTES("\x7f\xff\xff\xff\0\0\0\0"), -9);
	/* bytes behind the last element, and an unset one */
	CHECK_WALK(&list, BYTES("\0\0\0\0x"), -9);
	CHECK_WALK(&list, BYTES("\0\0\0\1\0\0\0\1ab"), -9);
	CHECK_WALK(&list, BYTES("\0\0\0\1\xff\xff\xff\xfe"), -9);
	CHECK_WALK(&list, BYTES("\0\0\0\1\0\0\0\2a"), -9);
	CHECK_WALK(&map, BYTES("\0\0\0\1\0\0\0\1k"), -9);
}

static void
fields_that_are_left_out_are_null_and_newer_ones_passed_over(void **state)
{
	(void) state;
	CHECK_WALK(&tuple, BYTES("\0\0\0\1a"), 1, -1, -1, -9);
	CHECK_WALK(&tuple, BYTES("\0\0\0\1a\xff\xff\xff\xff\0\0\0\0"), 1, -1, 0, -9);
	CHECK_WALK(&tuple, BYTES("\0\0\0\1a\0\0\0\1b\0\0\0\1c\0\0\0\1d"), 1, 1, 1, -9);
	CHECK_WALK(&tuple, BYTES("\0\0\0\1a\0\0"), -9);
	CHECK_WALK(&tuple, BYTES("\0\0\0\5a"), -9);
}

static void
vectors_have_lengths_only_where_they_vary(void **state)
{
	const cql_type *const nested[] = {&fixed_vector};
	cql_type of_vectors = {
		.id = CQL_TYPE_VECTOR, .element_count = 1, .dimension = 2, .elements = nested};
	cql_type of_tinyints = {
		.id = CQL_TYPE_VECTOR, .element_count = 1, .dimension = 2, .elements = tinyints};
	cql_type huge = {
		.id = CQL_TYPE_VECTOR, .element_count = 1, .dimension = UINT32_MAX, .elements = nested};

	(void) state;
	CHECK_WALK(&fixed_vector, BYTES("\0\0\0\1\0\0\0\2"), 4, 4, -9);
	CHECK_WALK(&fixed_vector, BYTES("\0\0\0\1\0\0\0"), -9);
	CHECK_WALK(&fixed_vector, BYTES("\0\0\0\1\0\0\0\2x"), -9);
	CHECK_WALK(&variable_vector, BYTES("\1a\2bb"), 1, 2, -9);
	CHECK_WALK(&variable_vector, BYTES("\0\0"), 0, 0, -9);
	CHECK_WALK(&variable_vector, BYTES("\1a\2b"), -9);
	CHECK_WALK(&variable_vector, BYTES("\1a\1bx"), -9);
	CHECK_WALK(&variable_vector, BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff\0"), -9);
	CHECK_WALK(&of_tinyints, BYTES("\1\1\1\2"), 1, 1, -9);
	CHECK_WALK(&of_vectors, BYTES("\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4"), 8, 8, -9);
	CHECK_WALK(&huge, BYTES("\0\0\0\0\0\0\0\0"), -9);
	assert_int_equal(cql_type_fixed_len(&huge), UINT32_MAX);
	assert_int_equal(cql_type_fixed_len(&of_tinyints), 0);
}

/* Whatever the bytes are, nothing is read beyond them, and the walk ends. */
static void
forged_cells_are_survived(void **state)
{
	uint32_t random = 12345;
	int32_t lengths[64];

	(void) state;
	for (int round = 0; round < 200000; round++)
	{
		uint8_t bytes[40];
		size_t len;

		for (size_t i = 0; i < sizeof bytes; i++)
		{
			random = random * 1664525 + 1013904223;
			bytes[i] = (uint8_t) (random >> 24);
			/* mostly small numbers, so that lengths often fit */
			if (random >> 8 & 3)
				bytes[i] &= i % 4 == 3 ? 7 : 0;
		}
		len = (random >> 16) % (sizeof bytes + 1);
		for (size_t i = 0; i < LENGTH_OF(all_types); i++)
			walk(all_types[i], bytes, len, lengths, LENGTH_OF(lengths));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(elements_of_collections),
		cmocka_unit_test(malformed_collections),
		cmocka_unit_test(fields_that_are_left_out_are_null_and_newer_ones_passed_over),
		cmocka_unit_test(vectors_have_lengths_only_where_they_vary),
		cmocka_unit_test(forged_cells_are_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
