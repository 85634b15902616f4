/*
 * What the driver's unit tests share: an allocator that fails on demand and knows what leaks,
 * blocks of exactly the size of their bytes (so that AddressSanitizer sees one byte too much),
 * and the golden files of test/data. Includes what cmocka wants before it.
 */
#ifndef TEST_SUPPORT_H
#define TEST_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cql/wire/bytes.h"

#define LENGTH_OF(array) (sizeof(array) / sizeof(array)[0])

/* Does something with the driver and cleans up; false when it failed for want of memory. */
typedef bool (*scenario)(void *argument);

/* How many allocations a scenario makes; asserts that it succeeds and leaves none behind. */
extern int count_allocations(scenario run, void *argument);
/* Run it with its first, second, ... allocation failing: it must say so and leave nothing. */
extern void fail_each_allocation(scenario run, void *argument);

/* Reads something from a body; the views that come out of it die with the body. */
typedef void (*body_reader)(cql_reader *body);

/* Does it fail on exactly these bytes? */
extern bool does_read_fail(body_reader read, const void *bytes, size_t len);
/* It takes the whole, fails on every beginning of it, and survives every two and four bytes of it
 * being overwritten by what a forged count or length may be. */
extern void check_whole_cut_and_forged(body_reader read, const void *bytes, size_t len);

/* To be freed with free(). */
extern uint8_t *exact_copy(const void *bytes, size_t len);
/* A file below test/data (or below $TEST_DATA), with a NUL behind its len bytes; free() it. */
extern char *load_file(const char *path, size_t *len);
/* Bytes of "00ff..."; returns their number. */
extern size_t parse_hex(const char *text, size_t text_len, uint8_t *out);

/* "open" depth - 1 times, "inner", and as many times "close"; free() it. */
extern char *nest_text(const char *open, const char *inner, const char *close, int depth);

#endif /* TEST_SUPPORT_H */
