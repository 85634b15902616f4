/*
 * Composite types: of a UDT, with attributes of its fields' names in any order; of a tuple (a
 * map's entry is one), with as many attributes in its order. A record is taken by order, too, and
 * tells its attributes only with the value.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "compat.h"
#include "types/structure.h"

/* ---- which types fit ---- */

/* Whether an attribute has the name of a field: PostgreSQL cuts names that are too long for it. */
static bool
is_name_of(const char *field, const char *attribute)
{
	const char *name = scylla_field_name(field);
	int len = (int) strlen(name);

	if (len >= NAMEDATALEN)
		len = pg_mbcliplen(name, len, NAMEDATALEN - 1);
	return strlen(attribute) == (size_t) len && memcmp(name, attribute, len) == 0;
}

/* The attribute that stands for a field, or -1. */
static int
find_attribute(const cql_type *cql, uint32 field, TupleDesc descriptor)
{
	uint32 position = 0;

	for (int i = 0; i < descriptor->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(descriptor, i);

		if (attribute->attisdropped)
			continue;
		if (cql->id == CQL_TYPE_UDT && descriptor->tdtypeid != RECORDOID
				? is_name_of(cql->field_names[field], NameStr(attribute->attname))
				: position == field)
			return i;
		position++;
	}
	return -1;
}

static uint32
count_attributes(TupleDesc descriptor)
{
	uint32 count = 0;

	for (int i = 0; i < descriptor->natts; i++)
		count += TupleDescAttr(descriptor, i)->attisdropped ? 0 : 1;
	return count;
}

static bool
does_descriptor_fit(const cql_type *cql, TupleDesc descriptor, ScyllaPairUse use)
{
	if (count_attributes(descriptor) != cql->element_count)
		return false;
	for (uint32 i = 0; i < cql->element_count; i++)
	{
		int attribute = find_attribute(cql, i, descriptor);

		if (attribute < 0 ||
			scylla_type_row(cql->elements[i], TupleDescAttr(descriptor, attribute)->atttypid,
							use) == NULL)
			return false;
	}
	return true;
}

bool
scylla_composite_fits(const cql_type *cql, Oid type, ScyllaPairUse use)
{
	TupleDesc descriptor;
	bool result;

	check_stack_depth();
	if (type == RECORDOID)
		return use == SCYLLA_PAIR_OF_VALUE;
	if (get_typtype(type) != TYPTYPE_COMPOSITE)
		return false;
	if (cql->id == CQL_TYPE_UDT && cql->element_count == 0)
		return true;
	descriptor = lookup_rowtype_tupdesc(type, -1);
	result = does_descriptor_fit(cql, descriptor, use);
	ReleaseTupleDesc(descriptor);
	return result;
}

/* ---- making ---- */

/* Keeps the descriptor, which is a copy. */
static void
build_children(ScyllaConverter *converter, TupleDesc descriptor)
{
	ScyllaStructure *structure = converter->structure;

	structure->attributes = palloc(structure->child_count * sizeof(int));
	structure->values = palloc(descriptor->natts * sizeof(Datum));
	structure->nulls = palloc(descriptor->natts * sizeof(bool));
	for (int i = 0; i < structure->child_count; i++)
	{
		int index = find_attribute(converter->cql, (uint32) i, descriptor);
		Form_pg_attribute attribute = TupleDescAttr(descriptor, index);

		structure->attributes[i] = index;
		structure->children[i] = scylla_converter_child(converter, converter->cql->elements[i],
														attribute->atttypid, attribute->atttypmod);
	}
	structure->descriptor = descriptor;
}

void
scylla_composite_build(ScyllaConverter *converter)
{
	if (converter->base_type != RECORDOID)
		build_children(converter, lookup_rowtype_tupdesc_copy(converter->base_type, -1));
}

/* "(integer, unknown)" */
static char *
describe_attributes(TupleDesc descriptor)
{
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 0; i < descriptor->natts; i++)
		appendStringInfo(&text, "%s%s", i > 0 ? ", " : "(",
						 format_type_be(TupleDescAttr(descriptor, i)->atttypid));
	appendStringInfoChar(&text, ')');
	return text.data;
}

/* A record's attributes; those of the next one may be others. */
static void
adopt_record(ScyllaConverter *converter, HeapTupleHeader header)
{
	const ScyllaStructure *structure = converter->structure;
	TupleDesc descriptor = structure->descriptor;
	Oid type = HeapTupleHeaderGetTypeId(header);
	int32 typmod = HeapTupleHeaderGetTypMod(header);
	MemoryContext old;
	ScyllaFault fault = {ERRCODE_DATATYPE_MISMATCH, "row of other fields", NULL, NULL};

	if (descriptor != NULL && descriptor->tdtypeid == type && descriptor->tdtypmod == typmod)
		return;
	old = MemoryContextSwitchTo(converter->context);
	descriptor = lookup_rowtype_tupdesc_copy(type, typmod);
	if (!does_descriptor_fit(converter->cql, descriptor, SCYLLA_PAIR_OF_VALUE))
	{
		fault.detail = psprintf("Its fields are of types %s.", describe_attributes(descriptor));
		fault.hint = psprintf("Cast them, or the row. Types that it goes with: %s.",
							  scylla_type_choices(converter->cql));
		scylla_convert_raise(converter, &fault);
	}
	build_children(converter, descriptor);
	MemoryContextSwitchTo(old);
}

/* ---- decoding ---- */

Datum
scylla_decode_composite(ScyllaConverter *converter, cql_cell cell)
{
	const ScyllaStructure *structure = converter->structure;
	cql_elements elements = scylla_elements_begin(converter, cell);

	memset(structure->nulls, true, structure->descriptor->natts * sizeof(bool));
	for (int i = 0; i < structure->child_count; i++)
	{
		int attribute = structure->attributes[i];
		cql_cell element = scylla_elements_next(converter, &elements);

		converter->place.index = (uint32) i;
		structure->values[attribute] =
			scylla_decode(structure->children[i], element, &structure->nulls[attribute]);
	}
	return HeapTupleGetDatum(
		heap_form_tuple(structure->descriptor, structure->values, structure->nulls));
}

/* ---- encoding ---- */

ScyllaFit
scylla_encode_composite(ScyllaConverter *converter, Datum value, ScyllaRound round, StringInfo out)
{
	const ScyllaStructure *structure = converter->structure;
	HeapTupleHeader header = DatumGetHeapTupleHeader(value);
	HeapTupleData tuple = {.t_len = HeapTupleHeaderGetDatumLength(header), .t_data = header};
	int start = scylla_cell_open(out);

	check_stack_depth();
	if (converter->base_type == RECORDOID)
		adopt_record(converter, header);
	heap_deform_tuple(&tuple, structure->descriptor, structure->values, structure->nulls);
	for (int i = 0; i < structure->child_count; i++)
	{
		int attribute = structure->attributes[i];
		ScyllaFit fit = SCYLLA_FIT_EXACT;

		converter->place.index = (uint32) i;
		if (structure->nulls[attribute])
			scylla_element_append_null(structure->children[i], out);
		else
			fit = scylla_encode(structure->children[i], structure->values[attribute], round, out);
		if (!scylla_element_is_done(fit, round))
			return scylla_structure_misfit(start, out);
	}
	scylla_cell_close(out, start);
	return SCYLLA_FIT_EXACT;
}
