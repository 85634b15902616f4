/*
 * The driver's allocator: one table of functions for the process, malloc's own unless a test
 * has put in another. Sizes of zero still give a block, so that NULL only ever means failure.
 */
#include "cql/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const cql_mem libc_mem = {.alloc = malloc, .resize = realloc, .release = free};
static cql_mem current_mem = {.alloc = malloc, .resize = realloc, .release = free};

void
cql_mem_set(const cql_mem *mem)
{
	current_mem = mem != NULL ? *mem : libc_mem;
}

void *
cql_alloc(size_t size)
{
	return current_mem.alloc(size != 0 ? size : 1);
}

void *
cql_alloc_zero(size_t size)
{
	void *block = cql_alloc(size);

	if (block != NULL)
		memset(block, 0, size);
	return block;
}

void *
cql_resize(void *block, size_t size)
{
	return current_mem.resize(block, size != 0 ? size : 1);
}

void
cql_release(void *block)
{
	if (block != NULL)
		current_mem.release(block);
}

char *
cql_copy_text(const char *text, size_t len)
{
	char *copy;

	if (len == SIZE_MAX)
		return NULL;
	copy = cql_alloc(len + 1);
	if (copy == NULL)
		return NULL;
	if (len != 0)
		memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}
