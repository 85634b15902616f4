/*
 * The type tree: its arena, its scalars, reading it from [option], comparing and printing it.
 * Only what is refused here for its depth keeps every later walk over a tree from going too deep.
 */
#include "cql/wire/type.h"

#include <stdalign.h>
#include <string.h>

#include "cql/mem.h"

#define FIRST_CHUNK_LEN 1024
#define MAX_CHUNK_LEN (64 * 1024)

/* [option] codes and CQL names; the index is the code. */
static const cql_type scalars[] = {
#define SCALAR(code) [code] = {.id = code}
	SCALAR(CQL_TYPE_ASCII),     SCALAR(CQL_TYPE_BIGINT),   SCALAR(CQL_TYPE_BLOB),
	SCALAR(CQL_TYPE_BOOLEAN),   SCALAR(CQL_TYPE_COUNTER),  SCALAR(CQL_TYPE_DECIMAL),
	SCALAR(CQL_TYPE_DOUBLE),    SCALAR(CQL_TYPE_FLOAT),    SCALAR(CQL_TYPE_INT),
	SCALAR(CQL_TYPE_TIMESTAMP), SCALAR(CQL_TYPE_UUID),     SCALAR(CQL_TYPE_TEXT),
	SCALAR(CQL_TYPE_VARINT),    SCALAR(CQL_TYPE_TIMEUUID), SCALAR(CQL_TYPE_INET),
	SCALAR(CQL_TYPE_DATE),      SCALAR(CQL_TYPE_TIME),     SCALAR(CQL_TYPE_SMALLINT),
	SCALAR(CQL_TYPE_TINYINT),   SCALAR(CQL_TYPE_DURATION),
#undef SCALAR
};

static const char *const scalar_names[] = {
	[CQL_TYPE_ASCII] = "ascii",     [CQL_TYPE_BIGINT] = "bigint",
	[CQL_TYPE_BLOB] = "blob",       [CQL_TYPE_BOOLEAN] = "boolean",
	[CQL_TYPE_COUNTER] = "counter", [CQL_TYPE_DECIMAL] = "decimal",
	[CQL_TYPE_DOUBLE] = "double",   [CQL_TYPE_FLOAT] = "float",
	[CQL_TYPE_INT] = "int",         [CQL_TYPE_TIMESTAMP] = "timestamp",
	[CQL_TYPE_UUID] = "uuid",       [CQL_TYPE_TEXT] = "text",
	[CQL_TYPE_VARINT] = "varint",   [CQL_TYPE_TIMEUUID] = "timeuuid",
	[CQL_TYPE_INET] = "inet",       [CQL_TYPE_DATE] = "date",
	[CQL_TYPE_TIME] = "time",       [CQL_TYPE_SMALLINT] = "smallint",
	[CQL_TYPE_TINYINT] = "tinyint", [CQL_TYPE_DURATION] = "duration",
};

#define SCALAR_COUNT (sizeof scalars / sizeof scalars[0])

/* ---- the arena ---- */

typedef struct arena_chunk
{
	struct arena_chunk *next;
	alignas(max_align_t) uint8_t bytes[];
} arena_chunk;

/* Owned by whoever made it; lives until cql_type_arena_free(). */
struct cql_type_arena
{
	arena_chunk *chunks; /* the newest, from which is taken, first */
	size_t used;         /* of the newest */
	size_t capacity;
	bool is_exhausted;
};

cql_type_arena *
cql_type_arena_new(void)
{
	return cql_alloc_zero(sizeof(cql_type_arena));
}

void
cql_type_arena_free(cql_type_arena *arena)
{
	arena_chunk *chunk;

	if (arena == NULL)
		return;
	while ((chunk = arena->chunks) != NULL)
	{
		arena->chunks = chunk->next;
		cql_release(chunk);
	}
	cql_release(arena);
}

static bool
add_chunk(cql_type_arena *arena, size_t size)
{
	size_t capacity = arena->capacity == 0 ? FIRST_CHUNK_LEN : arena->capacity * 2;
	arena_chunk *chunk;

	if (capacity > MAX_CHUNK_LEN)
		capacity = MAX_CHUNK_LEN;
	if (capacity < size)
		capacity = size;
	chunk = cql_alloc(sizeof(arena_chunk) + capacity);
	if (chunk == NULL)
		return false;
	chunk->next = arena->chunks;
	arena->chunks = chunk;
	arena->capacity = capacity;
	arena->used = 0;
	return true;
}

static void *
take_aligned(cql_type_arena *arena, size_t size, size_t alignment)
{
	size_t start = (arena->used + alignment - 1) & ~(alignment - 1);

	if (size > SIZE_MAX / 2)
	{
		arena->is_exhausted = true;
		return NULL;
	}
	if (start > arena->capacity || size > arena->capacity - start)
	{
		if (!add_chunk(arena, size))
		{
			arena->is_exhausted = true;
			return NULL;
		}
		start = 0;
	}
	arena->used = start + size;
	return arena->chunks->bytes + start;
}

void *
cql_type_arena_take(cql_type_arena *arena, size_t size)
{
	void *block = take_aligned(arena, size != 0 ? size : 1, alignof(max_align_t));

	if (block != NULL)
		memset(block, 0, size);
	return block;
}

char *
cql_type_arena_copy(cql_type_arena *arena, cql_view text)
{
	char *copy = take_aligned(arena, text.len + 1, 1);

	if (copy != NULL)
	{
		memcpy(copy, text.data, text.len);
		copy[text.len] = '\0';
	}
	return copy;
}

bool
cql_type_arena_is_exhausted(const cql_type_arena *arena)
{
	return arena->is_exhausted;
}

/* ---- nodes ---- */

const cql_type *
cql_type_scalar(cql_type_id id)
{
	return cql_type_id_name(id) != NULL ? &scalars[id] : NULL;
}

const char *
cql_type_id_name(cql_type_id id)
{
	return (size_t) id < SCALAR_COUNT ? scalar_names[id] : NULL;
}

const cql_type *
cql_type_scalar_named(cql_view name)
{
	if (cql_view_is_word(name, "varchar"))
		return &scalars[CQL_TYPE_TEXT];
	for (size_t i = 0; i < SCALAR_COUNT; i++)
		if (scalar_names[i] != NULL && cql_view_is_word(name, scalar_names[i]))
			return &scalars[i];
	return NULL;
}

cql_type *
cql_type_new(cql_type_arena *arena, cql_type_id id, uint32_t count)
{
	cql_type *type = cql_type_arena_take(arena, sizeof(cql_type));

	if (type == NULL)
		return NULL;
	type->id = id;
	type->element_count = count;
	if (count != 0)
	{
		type->elements = cql_type_arena_take(arena, count * sizeof(cql_type *));
		if (type->elements == NULL)
			return NULL;
	}
	return type;
}

cql_type *
cql_type_new_udt(cql_type_arena *arena, uint32_t count)
{
	cql_type *type = cql_type_new(arena, CQL_TYPE_UDT, count);

	if (type != NULL && count != 0)
	{
		type->field_names = cql_type_arena_take(arena, count * sizeof(char *));
		if (type->field_names == NULL)
			return NULL;
	}
	return type;
}

void
cql_type_set_element(cql_type *type, uint32_t index, const cql_type *element)
{
	((const cql_type **) type->elements)[index] = element;
}

void
cql_type_set_field_name(cql_type *type, uint32_t index, const char *name)
{
	((const char **) type->field_names)[index] = name;
}

bool
cql_type_set_dimension(cql_type *type, cql_view digits)
{
	uint64_t dimension = 0;

	for (size_t i = 0; i < digits.len; i++)
	{
		if (digits.data[i] < '0' || digits.data[i] > '9' || dimension > INT32_MAX)
			return false;
		dimension = dimension * 10 + (uint64_t) (digits.data[i] - '0');
	}
	if (dimension == 0 || dimension > INT32_MAX)
		return false;
	type->dimension = (uint32_t) dimension;
	return true;
}

static bool
is_same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool
is_same_udt(const cql_type *a, const cql_type *b)
{
	if (!is_same_text(a->name, b->name))
		return false;
	if (a->keyspace != NULL && b->keyspace != NULL && strcmp(a->keyspace, b->keyspace) != 0)
		return false;
	if (a->element_count == 0 || b->element_count == 0)
		return true;
	if (a->element_count != b->element_count)
		return false;
	for (uint32_t i = 0; i < a->element_count; i++)
		if (!is_same_text(a->field_names[i], b->field_names[i]) ||
			!cql_type_equal(a->elements[i], b->elements[i]))
			return false;
	return true;
}

bool
cql_type_equal(const cql_type *a, const cql_type *b)
{
	if (a == b)
		return true;
	if (a->id != b->id)
		return false;
	if (a->id == CQL_TYPE_UDT)
		return is_same_udt(a, b);
	if (a->element_count != b->element_count || a->dimension != b->dimension ||
		!is_same_text(a->name, b->name))
		return false;
	for (uint32_t i = 0; i < a->element_count; i++)
		if (!cql_type_equal(a->elements[i], b->elements[i]))
			return false;
	return true;
}

/* ---- [option] ---- */

static const cql_type *read_option(cql_reader *reader, cql_type_arena *arena, int depth);

static const cql_type *
read_elements(cql_reader *reader, cql_type_arena *arena, cql_type_id id, uint32_t count, int depth)
{
	cql_type *type;

	if (!cql_reader_fits(reader, count, sizeof(uint16_t)))
		return NULL;
	type = cql_type_new(arena, id, count);
	if (type == NULL)
		return NULL;
	for (uint32_t i = 0; i < count; i++)
	{
		const cql_type *element = read_option(reader, arena, depth + 1);

		if (element == NULL)
			return NULL;
		cql_type_set_element(type, i, element);
	}
	return type;
}

static const cql_type *
read_udt(cql_reader *reader, cql_type_arena *arena, int depth)
{
	cql_view keyspace = cql_read_string(reader);
	cql_view name = cql_read_string(reader);
	uint32_t count = cql_read_short(reader);
	cql_type *type;

	if (!cql_reader_fits(reader, count, 2 * sizeof(uint16_t)))
		return NULL;
	type = cql_type_new_udt(arena, count);
	if (type == NULL)
		return NULL;
	type->keyspace = cql_type_arena_copy(arena, keyspace);
	type->name = cql_type_arena_copy(arena, name);
	for (uint32_t i = 0; i < count; i++)
	{
		const char *field = cql_type_arena_copy(arena, cql_read_string(reader));
		const cql_type *element = read_option(reader, arena, depth + 1);

		if (field == NULL || element == NULL)
			return NULL;
		cql_type_set_field_name(type, i, field);
		cql_type_set_element(type, i, element);
	}
	return type->keyspace != NULL && type->name != NULL ? type : NULL;
}

static const cql_type *
read_option(cql_reader *reader, cql_type_arena *arena, int depth)
{
	uint16_t code = cql_read_short(reader);

	if (reader->failed || depth > CQL_TYPE_MAX_DEPTH)
		return NULL;
	switch (code)
	{
		case CQL_TYPE_CUSTOM:
		{
			cql_view class_name = cql_read_string(reader);

			return reader->failed ? NULL : cql_type_read_class(arena, class_name, depth);
		}
		case CQL_TYPE_LIST:
		case CQL_TYPE_SET:
			return read_elements(reader, arena, code, 1, depth);
		case CQL_TYPE_MAP:
			return read_elements(reader, arena, code, 2, depth);
		case CQL_TYPE_TUPLE:
			return read_elements(reader, arena, code, cql_read_short(reader), depth);
		case CQL_TYPE_UDT:
			return read_udt(reader, arena, depth);
		default:
			return cql_type_scalar(code);
	}
}

const cql_type *
cql_type_read(cql_reader *reader, cql_type_arena *arena)
{
	const cql_type *type = read_option(reader, arena, 1);

	/* Inside, NULL alone says that something is wrong; outside, the reader must. */
	if (type == NULL || reader->failed)
	{
		cql_reader_fail(reader);
		return NULL;
	}
	return type;
}
