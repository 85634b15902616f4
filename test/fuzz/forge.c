/*
 * Forging bytes; see forge.h. Values are drawn from the corners of each type's range more often
 * than from its middle.
 */
#include "forge.h"

#include <stdlib.h>
#include <string.h>

#define MAX_ELEMENTS 5
/* Collections that begin behind this many bytes are empty, or deep types would have no end. */
#define LONG_CELL 4096

void
forge_init(Forge *forge, uint64_t seed)
{
	*forge = (Forge) {.seed = seed};
}

void
forge_cleanup(Forge *forge)
{
	free(forge->bytes);
}

/* SplitMix64. */
static uint64_t
draw(Forge *forge)
{
	uint64_t z = (forge->seed += UINT64_C(0x9E3779B97F4A7C15));

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

uint32_t
forge_below(Forge *forge, uint32_t limit)
{
	return (uint32_t) (draw(forge) % limit);
}

bool
forge_is_one_in(Forge *forge, uint32_t times)
{
	return forge_below(forge, times) == 0;
}

/* ---- the buffer ---- */

static uint8_t *
grow(Forge *forge, size_t len)
{
	uint8_t *end;

	if (forge->len + len > forge->size)
	{
		forge->size = 2 * (forge->len + len);
		forge->bytes = realloc(forge->bytes, forge->size);
		if (forge->bytes == NULL)
			abort();
	}
	end = forge->bytes + forge->len;
	forge->len += len;
	return end;
}

void
forge_append(Forge *forge, const void *bytes, size_t len)
{
	if (len > 0)
		memcpy(grow(forge, len), bytes, len);
}

void
forge_set(Forge *forge, const void *bytes, size_t len)
{
	forge->len = 0;
	forge_append(forge, bytes, len);
}

static void
append_u32(Forge *forge, uint32_t value)
{
	cql_put_u32(grow(forge, 4), value);
}

/* ---- values ---- */

/* Numbers from which things turn: small, around powers of two, any. */
static uint64_t
draw_number(Forge *forge)
{
	uint64_t number = draw(forge);

	switch (forge_below(forge, 4))
	{
		case 0:
			return number % 3 - 1;
		case 1:
			return (UINT64_C(1) << number % 64) - forge_below(forge, 2);
		case 2:
			return ~((UINT64_C(1) << number % 64) - forge_below(forge, 2));
		default:
			return number >> forge_below(forge, 64);
	}
}

static void
append_number(Forge *forge, size_t len)
{
	uint8_t bytes[8];

	cql_put_u64(bytes, draw_number(forge));
	forge_append(forge, bytes + sizeof bytes - len, len);
}

static void
append_bytes(Forge *forge, size_t len)
{
	uint8_t *bytes = grow(forge, len);

	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t) draw(forge);
}

/* Lengths around eight are those at which text is copied in another way. */
static void
append_text(Forge *forge)
{
	static const char *const texts[] = {"",
										"a",
										"ok",
										"{\"a\": [1, null]}",
										"[1e5, -0.0]",
										"<a>b</a>",
										"1",
										"\"x\"",
										"ä€😀",
										"eight by",
										"exactly sixteen!",
										"\xC3",
										"{\"a\": 1, \"a\": 2}"};
	const char *text = texts[forge_below(forge, sizeof texts / sizeof texts[0])];

	if (forge_is_one_in(forge, 100))
	{
		for (uint32_t depth = forge_below(forge, 20000); depth > 0; depth--)
			forge_append(forge, "[", 1);
		return;
	}
	for (uint32_t i = forge_is_one_in(forge, 4) ? forge_below(forge, 20) : 1; i > 0; i--)
		forge_append(forge, text, strlen(text));
}

static void
append_duration(Forge *forge)
{
	cql_duration duration = {(int32_t) draw_number(forge), (int32_t) draw_number(forge),
							 (int64_t) draw_number(forge)};
	uint8_t bytes[CQL_DURATION_MAX_LEN];

	forge_append(forge, bytes, cql_write_duration(&duration, bytes));
}

static void
append_scalar(Forge *forge, cql_type_id id)
{
	switch (id)
	{
		case CQL_TYPE_ASCII:
		case CQL_TYPE_TEXT:
			append_text(forge);
			break;
		case CQL_TYPE_BOOLEAN:
		case CQL_TYPE_TINYINT:
			append_number(forge, 1);
			break;
		case CQL_TYPE_SMALLINT:
			append_number(forge, 2);
			break;
		case CQL_TYPE_INT:
		case CQL_TYPE_FLOAT:
		case CQL_TYPE_DATE:
			append_number(forge, 4);
			break;
		case CQL_TYPE_BIGINT:
		case CQL_TYPE_COUNTER:
		case CQL_TYPE_DOUBLE:
		case CQL_TYPE_TIMESTAMP:
		case CQL_TYPE_TIME:
			append_number(forge, 8);
			break;
		case CQL_TYPE_UUID:
		case CQL_TYPE_TIMEUUID:
			append_bytes(forge, 16);
			break;
		case CQL_TYPE_INET:
			append_bytes(forge, forge_is_one_in(forge, 2) ? 4 : 16);
			break;
		case CQL_TYPE_DURATION:
			append_duration(forge);
			break;
		case CQL_TYPE_DECIMAL:
			append_u32(forge, (uint32_t) draw_number(forge));
			append_bytes(forge, 1 + forge_below(forge, 30));
			break;
		default: /* varint, blob, custom */
			append_bytes(forge, 1 + forge_below(forge, 30));
	}
}

static void append_cell(Forge *forge, const cql_type *type);

/* With its length before it; null now and then. */
static void
append_element(Forge *forge, const cql_type *type)
{
	size_t start = forge->len;

	append_u32(forge, (uint32_t) CQL_CELL_NULL);
	if (forge_is_one_in(forge, 10))
		return;
	append_cell(forge, type);
	cql_put_u32(forge->bytes + start, (uint32_t) (forge->len - start - 4));
}

/* A vector has elements of one length without it, others behind an unsigned vint. */
static void
append_vector(Forge *forge, const cql_type *type)
{
	for (uint32_t i = 0; i < type->dimension; i++)
	{
		size_t start = forge->len;
		uint8_t vint[CQL_VINT_MAX_LEN];
		size_t vint_len;

		append_cell(forge, type->elements[0]);
		if (cql_type_fixed_len(type->elements[0]) != 0)
			continue;
		vint_len = cql_write_unsigned_vint(forge->len - start, vint);
		grow(forge, vint_len);
		memmove(forge->bytes + start + vint_len, forge->bytes + start,
				forge->len - start - vint_len);
		memcpy(forge->bytes + start, vint, vint_len);
	}
}

static void
append_cell(Forge *forge, const cql_type *type)
{
	uint32_t count = type->element_count;

	if (count == 0)
	{
		append_scalar(forge, type->id);
		return;
	}
	if (type->id == CQL_TYPE_VECTOR)
	{
		append_vector(forge, type);
		return;
	}
	if (type->id != CQL_TYPE_TUPLE && type->id != CQL_TYPE_UDT)
	{
		uint32_t entries = forge->len < LONG_CELL ? forge_below(forge, MAX_ELEMENTS) : 0;

		append_u32(forge, entries);
		count *= entries;
	}
	for (uint32_t i = 0; i < count; i++)
		append_element(forge, type->elements[i % type->element_count]);
}

void
forge_cell(Forge *forge, const cql_type *type)
{
	forge->len = 0;
	append_cell(forge, type);
}

/* ---- damage ---- */

static void
spoil_once(Forge *forge)
{
	static const uint32_t counts[] = {
		0, 1, 2, 0x7F, 0x80, 0xFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF};
	size_t at = forge->len > 0 ? forge_below(forge, (uint32_t) forge->len) : 0;
	uint8_t bytes[4];

	switch (forge_below(forge, 6))
	{
		case 0: /* the end is cut off */
			forge->len = at;
			break;
		case 1: /* there is more */
			append_bytes(forge, 1 + forge_below(forge, 8));
			break;
		case 2:
			if (forge->len > 0)
				forge->bytes[at] ^= (uint8_t) (1 << forge_below(forge, 8));
			break;
		case 3:
			if (forge->len > 0)
				forge->bytes[at] = (uint8_t) draw(forge);
			break;
		case 4: /* something is left out */
			if (forge->len > 0)
				memmove(forge->bytes + at, forge->bytes + at + 1, --forge->len - at);
			break;
		default: /* another count or length */
			cql_put_u32(bytes, counts[forge_below(forge, sizeof counts / sizeof counts[0])]);
			if (forge->len >= at + 4)
				memcpy(forge->bytes + at, bytes, 4);
	}
}

void
forge_spoil(Forge *forge)
{
	for (uint32_t times = forge_below(forge, 4); times > 0; times--)
		spoil_once(forge);
}
