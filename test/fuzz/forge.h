/*
 * Bytes that a server might send, and bytes that none would: values of a type, and damage done to
 * them. All that happens follows from the seed.
 */
#ifndef FUZZ_FORGE_H
#define FUZZ_FORGE_H

#include "cql/cql_value.h"

typedef struct Forge
{
	uint64_t seed;
	uint8_t *bytes; /* what was forged last; malloc'ed */
	size_t len;
	size_t size;
} Forge;

extern void forge_init(Forge *forge, uint64_t seed);
extern void forge_cleanup(Forge *forge);

/* At least 0, less than limit. */
extern uint32_t forge_below(Forge *forge, uint32_t limit);
/* True once in so many times. */
extern bool forge_is_one_in(Forge *forge, uint32_t times);

/* Begin anew with these bytes; append. */
extern void forge_set(Forge *forge, const void *bytes, size_t len);
extern void forge_append(Forge *forge, const void *bytes, size_t len);

/* Begin anew with a cell of that type, as the protocol has it. */
extern void forge_cell(Forge *forge, const cql_type *type);

/* Change a few bits, bytes, counts or the end; not always. */
extern void forge_spoil(Forge *forge);

#endif /* FUZZ_FORGE_H */
