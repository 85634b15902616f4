/*
 * Compressed bodies: what a real server sent, every truncation of it and every size forged; and
 * requests, which are to come back the same.
 */
#include "golden.h"

#include "cql/mem.h"
#include "cql/wire/compress.h"
#include "cql/wire/frame.h"

static cql_unpack_fault
unpack_copy(const uint8_t *packed, size_t len, uint8_t **body, uint32_t *body_len)
{
	uint8_t *copy = exact_copy(packed, len);
	cql_unpack_fault fault = cql_unpack(copy, len, body, body_len);

	free(copy);
	return fault;
}

/* That these bytes become no body. */
static void
assert_malformed(const uint8_t *packed, size_t len)
{
	uint8_t *body = (uint8_t *) "";
	uint32_t body_len = 1;

	assert_int_equal(unpack_copy(packed, len, &body, &body_len), CQL_UNPACK_MALFORMED);
	assert_null(body);
	assert_int_equal(body_len, 0);
}

static void
recorded_bodies_are_unpacked_or_refused(void **state)
{
	int count = 0;

	(void) state;
	for (size_t i = 0; i < golden_count; i++)
	{
		const golden *frame = &golden_frames[i];
		char *fact = find_fact(frame, "unpacked", 0);
		uint8_t *packed = frame->frame + CQL_FRAME_HEADER_LEN;
		size_t len = frame->len - CQL_FRAME_HEADER_LEN;
		uint8_t *body;
		uint32_t body_len;

		if (fact == NULL)
			continue;
		count++;
		assert_int_equal(unpack_copy(packed, len, &body, &body_len), CQL_UNPACK_OK);
		assert_int_equal(body_len, strtoul(fact, NULL, 10));
		cql_release(body);
		for (size_t cut = 0; cut < len; cut++)
			if (cut != CQL_PACKED_HEAD_LEN || body_len > 0)
				assert_malformed(packed, cut);
		/* one more and one less than there is, and what no frame may hold */
		for (int wrong = 0; wrong < 5; wrong++)
		{
			const uint32_t sizes[] = {body_len + 1, body_len - 1, 0x7FFFFFFF, 0x80000000,
									  0xFFFFFFFF};
			uint8_t *forged = exact_copy(packed, len);

			cql_put_u32(forged, sizes[wrong]);
			assert_malformed(forged, len);
			free(forged);
		}
		free(fact);
	}
	assert_true(count >= 5);
}

static void
empty_body_is_legal(void **state)
{
	static const uint8_t packed[] = {0, 0, 0, 0, 0};
	static const uint8_t more[] = {0, 0, 0, 0, 0, 0};
	static const uint8_t literal[] = {0, 0, 0, 0, 0x10};
	uint8_t *body;
	uint32_t body_len;

	(void) state;
	for (size_t len = 4; len <= 5; len++)
	{
		assert_int_equal(unpack_copy(packed, len, &body, &body_len), CQL_UNPACK_OK);
		assert_null(body);
		assert_int_equal(body_len, 0);
	}
	assert_malformed(more, sizeof more);
	assert_malformed(literal, sizeof literal);
}

static size_t most_allocated;

static void *
watching_alloc(size_t size)
{
	if (size > most_allocated)
		most_allocated = size;
	return malloc(size);
}

/* A few bytes that announce the largest body allocate what they could become at most. */
static void
announced_size_allocates_no_more_than_the_bytes_can_make(void **state)
{
	static const cql_mem watching = {watching_alloc, realloc, free};
	uint8_t packed[20] = {0x10, 0, 0, 0};

	(void) state;
	cql_mem_set(&watching);
	most_allocated = 0;
	assert_malformed(packed, sizeof packed);
	assert_int_equal(most_allocated, 0);
	cql_put_u32(packed, 16 * 255);
	assert_malformed(packed, sizeof packed);
	assert_int_equal(most_allocated, 16 * 255);
	cql_mem_set(NULL);
}

static void
requests_are_packed_where_it_pays(void **state)
{
	uint8_t frame[9 + 5000] = {4, 2, 0, 7, CQL_OPCODE_QUERY};
	uint32_t seed = 1;
	size_t packed_len;
	uint8_t *packed;
	uint8_t *body;
	uint32_t body_len;

	(void) state;
	for (size_t i = 9; i < sizeof frame; i++)
		frame[i] = (uint8_t) ("SELECT "[i % 7]);
	cql_put_u32(frame + 5, 100);
	assert_null(cql_pack_frame(frame, 9 + 100, &packed_len));

	cql_put_u32(frame + 5, 5000);
	packed = cql_pack_frame(frame, sizeof frame, &packed_len);
	assert_non_null(packed);
	assert_true(packed_len < 200);
	assert_memory_equal(packed, "\4\3\0\7\7", 5);
	assert_int_equal(cql_get_u32(packed + 5), packed_len - 9);
	assert_int_equal(unpack_copy(packed + 9, packed_len - 9, &body, &body_len), CQL_UNPACK_OK);
	assert_int_equal(body_len, 5000);
	assert_memory_equal(body, frame + 9, 5000);
	cql_release(body);
	cql_release(packed);

	/* noise does not shrink */
	for (size_t i = 9; i < sizeof frame; i++)
		frame[i] = (uint8_t) ((seed = seed * 1103515245 + 12345) >> 16);
	assert_null(cql_pack_frame(frame, sizeof frame, &packed_len));
}

static bool
pack_and_unpack(void *argument)
{
	uint8_t frame[9 + 1000] = {4, 0, 0, 0, CQL_OPCODE_QUERY};
	cql_unpack_fault fault = CQL_UNPACK_NO_MEMORY;
	size_t packed_len;
	uint8_t *packed = cql_pack_frame(frame, sizeof frame, &packed_len);
	uint8_t *body;
	uint32_t body_len;

	(void) argument;
	if (packed == NULL)
		return false;
	fault = cql_unpack(packed + 9, packed_len - 9, &body, &body_len);
	cql_release(packed);
	if (fault == CQL_UNPACK_OK)
		cql_release(body);
	else
		assert_int_equal(fault, CQL_UNPACK_NO_MEMORY);
	return fault == CQL_UNPACK_OK;
}

static void
each_failing_allocation_is_noticed(void **state)
{
	(void) state;
	fail_each_allocation(pack_and_unpack, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recorded_bodies_are_unpacked_or_refused),
		cmocka_unit_test(empty_body_is_legal),
		cmocka_unit_test(announced_size_allocates_no_more_than_the_bytes_can_make),
		cmocka_unit_test(requests_are_packed_where_it_pays),
		cmocka_unit_test(each_failing_allocation_is_noticed),
	};

	return cmocka_run_group_tests_name("compress", tests, load_golden_frames, free_golden_frames);
}
