/*
 * Arrays: of a list's, set's or vector's elements, and of a map's entries as composites.
 *
 * One dimension, counted from 1. Elements of fixed size are decoded into their place in the array;
 * a vector of floats is turned round as a whole.
 */
#include "postgres.h"

#include "access/tupmacs.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "types/structure.h"

static const ScyllaFault fault_dimensions = {ERRCODE_ARRAY_SUBSCRIPT_ERROR,
											 "array of more than one dimension", NULL,
											 "Declare the column as jsonb to nest collections."};
static const ScyllaFault fault_bounds = {
	ERRCODE_ARRAY_SUBSCRIPT_ERROR, "array that does not count from 1",
	"CQL keeps no bounds, so that it would read back otherwise.",
	"Take it as (…)[:], which counts from 1."};
static const ScyllaFault fault_size = {ERRCODE_ARRAY_SUBSCRIPT_ERROR, "array of another size", NULL,
									   NULL};

/* ---- which types fit ---- */

/* Collections of collections are jsonb: arrays of arrays do not exist. */
bool
scylla_array_takes(const cql_type *element)
{
	return !scylla_type_is_structured(element) || element->id == CQL_TYPE_TUPLE ||
		   element->id == CQL_TYPE_UDT;
}

bool
scylla_array_fits(const cql_type *cql, Oid type, ScyllaPairUse use)
{
	Oid element = get_element_type(type);

	return OidIsValid(element) && scylla_array_takes(cql->elements[0]) &&
		   scylla_type_row(cql->elements[0], element, use) != NULL;
}

/* The type of a map's entries. */
static cql_type
entry_type(const cql_type *map)
{
	return (cql_type) {.id = CQL_TYPE_TUPLE, .element_count = 2, .elements = map->elements};
}

bool
scylla_entries_fit(const cql_type *map, Oid type, ScyllaPairUse use)
{
	cql_type entry = entry_type(map);
	Oid element = get_element_type(type);

	return OidIsValid(element) && scylla_composite_fits(&entry, getBaseType(element), use);
}

void
scylla_array_build(ScyllaConverter *converter)
{
	ScyllaStructure *structure = converter->structure;
	const cql_type *element = converter->cql->elements[0];
	Oid type = get_element_type(converter->base_type);

	if (converter->cql->id == CQL_TYPE_MAP)
	{
		cql_type *entry = palloc(sizeof(cql_type));

		*entry = entry_type(converter->cql);
		element = entry;
	}
	get_typlenbyvalalign(type, &structure->element_len, &structure->is_element_by_value,
						 &structure->element_align);
	structure->element_type = type;
	structure->child_count = 1;
	structure->children[0] = scylla_converter_child(converter, element, type, converter->typmod);
	structure->is_float_vector =
		converter->cql->id == CQL_TYPE_VECTOR && element->id == CQL_TYPE_FLOAT && type == FLOAT4OID;
	if (converter->cql->id == CQL_TYPE_MAP)
		structure->children[0]->structure->has_nulls = false;
}

/* ---- decoding ---- */

static ArrayType *
make_plain_array(const ScyllaStructure *structure, int count)
{
	Size size = ARR_OVERHEAD_NONULLS(1) + (Size) count * structure->element_len;
	ArrayType *array = palloc(size);

	memset(array, 0, ARR_OVERHEAD_NONULLS(1));
	SET_VARSIZE(array, size);
	array->ndim = 1;
	array->elemtype = structure->element_type;
	ARR_DIMS(array)[0] = count;
	ARR_LBOUND(array)[0] = 1;
	return array;
}

static Datum
decode_float_vector(const ScyllaStructure *structure, const cql_elements *elements)
{
	ArrayType *array = make_plain_array(structure, (int) elements->left);
	uint8 *to = (uint8 *) ARR_DATA_PTR(array);
	const uint8 *from = elements->next;

	for (uint32 i = 0; i < elements->left; i++)
	{
		uint32 bits = cql_get_u32(from + 4 * (size_t) i);

		memcpy(to + 4 * (size_t) i, &bits, sizeof(bits));
	}
	return PointerGetDatum(array);
}

/* Elements that pass by value, into their places. NULL: one is null, and has no place there. */
static ArrayType *
decode_plain(ScyllaConverter *converter, cql_elements elements)
{
	const ScyllaStructure *structure = converter->structure;
	ArrayType *array = make_plain_array(structure, (int) elements.left);
	char *to = ARR_DATA_PTR(array);

	for (converter->place.index = 0; elements.left > 0; converter->place.index++)
	{
		cql_cell element = scylla_elements_next(converter, &elements);
		bool is_null;
		Datum value = scylla_decode(structure->children[0], element, &is_null);

		if (is_null)
		{
			pfree(array);
			return NULL;
		}
		store_att_byval(to, value, structure->element_len);
		to += structure->element_len;
	}
	return array;
}

/* The cell of an element; a map's entry is the bytes of key and value, as of a tuple. */
static cql_cell
next_element(ScyllaConverter *converter, cql_elements *elements)
{
	const uint8 *start = elements->next;
	cql_cell element = scylla_elements_next(converter, elements);

	if (converter->cql->id == CQL_TYPE_MAP)
	{
		(void) scylla_elements_next(converter, elements);
		element = (cql_cell) {start, (int32) (elements->next - start)};
	}
	return element;
}

static Datum
decode_any(ScyllaConverter *converter, cql_elements elements)
{
	const ScyllaStructure *structure = converter->structure;
	int count = (int) (converter->cql->id == CQL_TYPE_MAP ? elements.left / 2 : elements.left);
	Datum *values = palloc(count * sizeof(Datum));
	bool *nulls = palloc(count * sizeof(bool));
	int lower_bound = 1;

	for (int i = 0; i < count; i++)
	{
		converter->place.index = (uint32) i;
		values[i] =
			scylla_decode(structure->children[0], next_element(converter, &elements), &nulls[i]);
	}
	return PointerGetDatum(construct_md_array(
		values, nulls, 1, &count, &lower_bound, structure->element_type, structure->element_len,
		structure->is_element_by_value, structure->element_align));
}

Datum
scylla_decode_array(ScyllaConverter *converter, cql_cell cell)
{
	const ScyllaStructure *structure = converter->structure;
	cql_elements elements = scylla_elements_begin(converter, cell);
	ArrayType *array;

	if (elements.left == 0)
		return PointerGetDatum(construct_empty_array(structure->element_type));
	if (structure->is_float_vector && !structure->children[0]->is_checked)
		return decode_float_vector(structure, &elements);
	if (structure->is_element_by_value)
	{
		array = decode_plain(converter, elements);
		if (array != NULL)
			return PointerGetDatum(array);
	}
	return decode_any(converter, elements);
}

/* ---- encoding ---- */

/* A vector's size is that of its type. */
static ScyllaFit
judge_size(const ScyllaConverter *converter, ScyllaRound round, int count)
{
	ScyllaFault fault = fault_size;

	if (converter->cql->id != CQL_TYPE_VECTOR || (uint32) count == converter->cql->dimension)
		return SCYLLA_FIT_EXACT;
	fault.detail = psprintf("It has %d elements, the vector %u.", count, converter->cql->dimension);
	return scylla_convert_misfit(converter, round, SCYLLA_FIT_NONE, &fault);
}

static ScyllaFit
judge_array(const ScyllaConverter *converter, ScyllaRound round, ArrayType *array)
{
	if (ARR_NDIM(array) > 1)
		return scylla_convert_misfit(converter, round, SCYLLA_FIT_NONE, &fault_dimensions);
	if (ARR_NDIM(array) == 1 && ARR_LBOUND(array)[0] != 1)
		return scylla_convert_misfit(converter, round, SCYLLA_FIT_NONE, &fault_bounds);
	return judge_size(converter, round, ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)));
}

static void
append_float_vector(ArrayType *array, uint32 count, StringInfo out)
{
	uint8 *to = scylla_cell_append(out, (int32) (4 * count));
	const uint8 *from = (const uint8 *) ARR_DATA_PTR(array);

	for (uint32 i = 0; i < count; i++)
	{
		uint32 bits;

		memcpy(&bits, from + 4 * (size_t) i, sizeof(bits));
		cql_put_u32(to + 4 * (size_t) i, bits);
	}
}

/* A map's entry goes without the length that a tuple has. */
static void
trim_entry(const ScyllaConverter *converter, int start, StringInfo out)
{
	if (converter->cql->id != CQL_TYPE_MAP)
		return;
	out->len -= 4;
	memmove(out->data + start, out->data + start + 4, out->len - start);
}

static ScyllaFit
append_element(ScyllaConverter *converter, Datum value, bool is_null, ScyllaRound round,
			   StringInfo out)
{
	ScyllaConverter *child = converter->structure->children[0];
	int start = out->len;
	ScyllaFit fit = SCYLLA_FIT_EXACT;

	if (is_null)
		scylla_element_append_null(child, out);
	else
		fit = scylla_encode(child, value, round, out);
	if (!scylla_element_is_done(fit, round))
		return fit;
	scylla_element_trim(converter, start, out);
	trim_entry(converter, start, out);
	return fit;
}

ScyllaFit
scylla_encode_array(ScyllaConverter *converter, Datum value, ScyllaRound round, StringInfo out)
{
	const ScyllaStructure *structure = converter->structure;
	ArrayType *array = DatumGetArrayTypeP(value);
	int start = out->len;
	Datum *values;
	bool *nulls;
	int count;

	check_stack_depth();
	if (judge_array(converter, round, array) != SCYLLA_FIT_EXACT)
		return SCYLLA_FIT_NONE;
	if (structure->is_float_vector && !ARR_HASNULL(array))
	{
		append_float_vector(array, converter->cql->dimension, out);
		return SCYLLA_FIT_EXACT;
	}
	deconstruct_array(array, structure->element_type, structure->element_len,
					  structure->is_element_by_value, structure->element_align, &values, &nulls,
					  &count);
	(void) scylla_cell_open(out);
	if (converter->cql->id != CQL_TYPE_VECTOR)
		appendStringInfoSpaces(out, sizeof(int32));
	for (int i = 0; i < count; i++)
	{
		converter->place.index = (uint32) i;
		if (!scylla_element_is_done(append_element(converter, values[i], nulls[i], round, out),
									round))
			return scylla_structure_misfit(start, out);
	}
	if (converter->cql->id != CQL_TYPE_VECTOR)
		cql_put_u32((uint8 *) out->data + start + 4, (uint32) count);
	scylla_cell_close(out, start);
	return SCYLLA_FIT_EXACT;
}
