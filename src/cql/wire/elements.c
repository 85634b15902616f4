/*
 * Cells of structured types, taken apart one element at a time (v4, section 6.10 ff.; vectors as
 * Cassandra 5 writes them). Neither counts nor lengths are trusted: an element never reaches
 * beyond the cell.
 */
#include "cql/wire/bytes.h"

uint32_t
cql_type_fixed_len(const cql_type *type)
{
	uint64_t len;

	switch (type->id)
	{
		case CQL_TYPE_BOOLEAN:
			return 1;
		case CQL_TYPE_INT:
		case CQL_TYPE_FLOAT:
			return 4;
		case CQL_TYPE_BIGINT:
		case CQL_TYPE_DOUBLE:
		case CQL_TYPE_TIMESTAMP:
			return 8;
		case CQL_TYPE_UUID:
		case CQL_TYPE_TIMEUUID:
			return 16;
		case CQL_TYPE_VECTOR:
			len = (uint64_t) cql_type_fixed_len(type->elements[0]) * type->dimension;
			/* No cell is so long, so that none will fit. */
			return len > UINT32_MAX ? UINT32_MAX : (uint32_t) len;
		default:
			return 0;
	}
}

static bool
begin_vector(const cql_type *type, cql_elements *out)
{
	size_t len = (size_t) (out->end - out->next);

	out->left = type->dimension;
	out->fixed_len = cql_type_fixed_len(type->elements[0]);
	if (out->fixed_len != 0)
		return (uint64_t) out->fixed_len * type->dimension == len;
	return type->dimension <= len;
}

/* [int] count, then [value]s of at least four bytes. */
static bool
begin_collection(uint32_t cells_per_item, cql_elements *out)
{
	size_t len = (size_t) (out->end - out->next);
	uint32_t count;

	if (len < sizeof count)
		return false;
	count = cql_get_u32(out->next);
	if (count > (len - sizeof count) / sizeof(int32_t) / cells_per_item)
		return false;
	out->next += sizeof count;
	out->left = count * cells_per_item;
	return count != 0 || out->next == out->end;
}

bool
cql_elements_begin(const cql_type *type, cql_cell cell, cql_elements *out)
{
	*out = (cql_elements) {.next = cell.data, .end = cell.data, .id = type->id};
	if (cell.len <= 0)
		return false;
	out->end = cell.data + cell.len;
	switch (type->id)
	{
		case CQL_TYPE_LIST:
		case CQL_TYPE_SET:
			return begin_collection(1, out);
		case CQL_TYPE_MAP:
			return begin_collection(2, out);
		case CQL_TYPE_VECTOR:
			return begin_vector(type, out);
		case CQL_TYPE_TUPLE:
		case CQL_TYPE_UDT:
			out->left = type->element_count;
			return true;
		default:
			return false;
	}
}

static bool
read_value(cql_reader *reader, cql_cell *element)
{
	int32_t len = cql_read_int(reader);

	*element = (cql_cell) {.data = NULL, .len = CQL_CELL_NULL};
	if (len >= 0)
		*element = (cql_cell) {.data = cql_read_raw(reader, (size_t) len), .len = len};
	return !reader->failed && len >= CQL_CELL_NULL;
}

static void
read_vector_element(cql_reader *reader, uint32_t fixed_len, cql_cell *element)
{
	uint64_t len = fixed_len != 0 ? fixed_len : cql_read_unsigned_vint(reader);

	*element = (cql_cell) {.data = cql_read_raw(reader, len), .len = (int32_t) len};
}

bool
cql_elements_next(cql_elements *elements, cql_cell *element)
{
	cql_reader reader = {.pos = elements->next, .end = elements->end};
	bool is_fields = elements->id == CQL_TYPE_TUPLE || elements->id == CQL_TYPE_UDT;

	elements->left--;
	if (is_fields && cql_reader_left(&reader) == 0)
	{
		*element = (cql_cell) {.data = NULL, .len = CQL_CELL_NULL};
		return true;
	}
	if (elements->id == CQL_TYPE_VECTOR)
		read_vector_element(&reader, elements->fixed_len, element);
	else if (!read_value(&reader, element))
		return false;
	elements->next = reader.pos;
	return !reader.failed && (elements->left != 0 || is_fields || reader.pos == reader.end);
}
