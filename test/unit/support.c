/*
 * The failing allocator and the test files; see support.h.
 */
#include "support.h"

#include "cql/mem.h"

/* Allocations so far, the one to fail (-1: none), and how many blocks are alive. */
static int allocation_count;
static int failing_index;
static int live_count;

static bool
is_failing(void)
{
	return allocation_count++ == failing_index;
}

static void *
test_alloc(size_t size)
{
	void *block = is_failing() ? NULL : malloc(size);

	live_count += block != NULL;
	return block;
}

static void *
test_resize(void *block, size_t size)
{
	void *resized = is_failing() ? NULL : realloc(block, size);

	live_count += block == NULL && resized != NULL;
	return resized;
}

static void
test_release(void *block)
{
	live_count--;
	free(block);
}

static bool
run_with_failure(scenario run, void *argument, int index)
{
	static const cql_mem test_mem = {test_alloc, test_resize, test_release};
	bool succeeded;

	allocation_count = 0;
	failing_index = index;
	live_count = 0;
	cql_mem_set(&test_mem);
	succeeded = run(argument);
	cql_mem_set(NULL);
	assert_int_equal(live_count, 0);
	return succeeded;
}

int
count_allocations(scenario run, void *argument)
{
	assert_true(run_with_failure(run, argument, -1));
	return allocation_count;
}

void
fail_each_allocation(scenario run, void *argument)
{
	int count = count_allocations(run, argument);

	for (int i = 0; i < count; i++)
		if (run_with_failure(run, argument, i))
			fail_msg("allocation %d of %d failed unnoticed", i + 1, count);
}

uint8_t *
exact_copy(const void *bytes, size_t len)
{
	uint8_t *copy = malloc(len);

	assert_true(copy != NULL || len == 0);
	if (len != 0)
		memcpy(copy, bytes, len);
	return copy;
}

bool
does_read_fail(body_reader read, const void *bytes, size_t len)
{
	uint8_t *copy = exact_copy(bytes, len);
	cql_reader body = cql_reader_over(copy, len);

	read(&body);
	free(copy);
	return body.failed;
}

void
check_whole_cut_and_forged(body_reader read, const void *bytes, size_t len)
{
	static const char *const forgeries[] = {"\xff\xff\xff\xff", "\x7f\xff\xff\xff", "\x80\0\0\0"};

	assert_false(does_read_fail(read, bytes, len));
	for (size_t cut = 0; cut < len; cut++)
		assert_true(does_read_fail(read, bytes, cut));
	for (size_t at = 0; at + 2 <= len; at++)
		for (size_t i = 0; i < 2 * LENGTH_OF(forgeries); i++)
		{
			const size_t width = i % 2 == 0 ? 2 : 4;
			uint8_t *forged = exact_copy(bytes, len);

			if (at + width <= len)
			{
				memcpy(forged + at, forgeries[i / 2], width);
				does_read_fail(read, forged, len);
			}
			free(forged);
		}
}

char *
load_file(const char *path, size_t *len)
{
	const char *folder = getenv("TEST_DATA");
	char full_path[4096];
	FILE *file;
	char *data;
	long size;

	snprintf(full_path, sizeof full_path, "%s/%s", folder != NULL ? folder : "test/data", path);
	file = fopen(full_path, "rb");
	if (file == NULL)
		fail_msg("cannot open %s", full_path);
	fseek(file, 0, SEEK_END);
	size = ftell(file);
	rewind(file);
	data = malloc((size_t) size + 1);
	assert_non_null(data);
	*len = fread(data, 1, (size_t) size, file);
	assert_int_equal(*len, size);
	data[*len] = '\0';
	fclose(file);
	return data;
}

size_t
parse_hex(const char *text, size_t text_len, uint8_t *out)
{
	for (size_t i = 0; i + 1 < text_len; i += 2)
	{
		unsigned byte;

		assert_int_equal(sscanf(text + i, "%2x", &byte), 1);
		out[i / 2] = (uint8_t) byte;
	}
	return text_len / 2;
}

char *
nest_text(const char *open, const char *inner, const char *close, int depth)
{
	char *text = calloc(1, (strlen(open) + strlen(close)) * (size_t) depth + strlen(inner) + 1);
	char *out = text;

	for (int i = 1; i < depth; i++)
		out = stpcpy(out, open);
	out = stpcpy(out, inner);
	for (int i = 1; i < depth; i++)
		out = stpcpy(out, close);
	return text;
}
