/*
 * The driver's allocator: a table of functions, malloc's own by default.
 *
 * Tests put in a table that fails at the n-th call. Every caller checks for NULL; out of memory
 * is a status, never an abort. Nothing here may be PostgreSQL's palloc, which jumps on failure.
 */
#ifndef CQL_MEM_H
#define CQL_MEM_H

#include <stddef.h>

typedef struct cql_mem
{
	void *(*alloc)(size_t size);
	void *(*resize)(void *block, size_t size);
	void (*release)(void *block);
} cql_mem;

/* Replace the table for the whole process; NULL restores malloc. Only while no session lives. */
extern void cql_mem_set(const cql_mem *mem);

extern void *cql_alloc(size_t size);
extern void *cql_alloc_zero(size_t size);
extern void *cql_resize(void *block, size_t size);
extern void cql_release(void *block);

/* A copy of len bytes with a NUL behind them; NULL when out of memory. */
extern char *cql_copy_text(const char *text, size_t len);

#endif /* CQL_MEM_H */
