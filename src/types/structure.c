/*
 * The trees of converters for structured types, and what their encoders and decoders share. Knows
 * neither PostgreSQL's arrays nor JSON.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"

#include "types/structure.h"

static const ScyllaFault fault_null_element = {ERRCODE_NULL_VALUE_NOT_ALLOWED, "NULL", NULL, NULL};

/* ---- making ---- */

ScyllaConverter *
scylla_converter_child(ScyllaConverter *parent, const cql_type *cql, Oid type, int32 typmod)
{
	ScyllaConverterSpec spec = {.cql = cql,
								.type = type,
								.typmod = typmod,
								.table = parent->table,
								.column = parent->column,
								.is_excess_truncated = parent->is_excess_truncated};
	MemoryContext old = MemoryContextSwitchTo(parent->context);
	ScyllaConverter *child = scylla_converter_new(&spec);

	child->parent = parent;
	MemoryContextSwitchTo(old);
	return child;
}

const char *
scylla_field_name(const char *name)
{
	return pg_any_to_server(name, (int) strlen(name), PG_UTF8);
}

static void
name_fields(const cql_type *udt, ScyllaStructure *structure)
{
	structure->field_names = palloc(Max(udt->element_count, 1) * sizeof(char *));
	for (uint32 i = 0; i < udt->element_count; i++)
		structure->field_names[i] = scylla_field_name(udt->field_names[i]);
}

/* Structured children are jsonb themselves, scalars have a form of their own in it. */
static void
build_json(ScyllaConverter *converter)
{
	const cql_type *cql = converter->cql;

	for (uint32 i = 0; i < cql->element_count; i++)
	{
		const cql_type *element = cql->elements[i];
		const ScyllaJsonForm *form =
			scylla_type_is_structured(element) ? NULL : scylla_json_form(element->id);
		ScyllaConverter *child =
			scylla_converter_child(converter, element, form != NULL ? form->carrier : JSONBOID, -1);

		child->json = form;
		converter->structure->children[i] = child;
	}
}

void
scylla_structure_build(ScyllaConverter *converter)
{
	const cql_type *cql = converter->cql;
	ScyllaStructure *structure = palloc0(sizeof(*structure));

	check_stack_depth();
	structure->child_count = (int) cql->element_count;
	structure->children = palloc0(Max(cql->element_count, 1) * sizeof(ScyllaConverter *));
	structure->has_nulls = cql->id == CQL_TYPE_TUPLE || cql->id == CQL_TYPE_UDT;
	converter->structure = structure;
	if (cql->id == CQL_TYPE_UDT)
		name_fields(cql, structure);
	switch (converter->pair->type)
	{
		case ANYARRAYOID:
		case RECORDARRAYOID:
			scylla_array_build(converter);
			break;
		case RECORDOID:
			scylla_composite_build(converter);
			break;
		case ANYNONARRAYOID:
			scylla_extension_type_build(converter);
			break;
		default:
			build_json(converter);
	}
}

/* ---- decoding ---- */

cql_elements
scylla_elements_begin(ScyllaConverter *converter, cql_cell cell)
{
	cql_elements elements;

	check_stack_depth();
	if (!cql_elements_begin(converter->cql, cell, &elements))
		scylla_convert_raise(converter, &scylla_fault_malformed);
	return elements;
}

cql_cell
scylla_elements_next(ScyllaConverter *converter, cql_elements *elements)
{
	cql_cell element;

	if (!cql_elements_next(elements, &element))
		scylla_convert_raise(converter, &scylla_fault_malformed);
	return element;
}

/* ---- encoding ---- */

static const char *
explain_no_null(cql_type_id id)
{
	switch (id)
	{
		case CQL_TYPE_MAP:
			return "A map holds no null, neither as key nor as value.";
		case CQL_TYPE_SET:
			return "A set holds no null.";
		case CQL_TYPE_VECTOR:
			return "A vector holds no null.";
		default:
			return "A list holds no null.";
	}
}

void
scylla_element_append_null(const ScyllaConverter *converter, StringInfo out)
{
	const ScyllaConverter *parent = converter->parent;
	const ScyllaStructure *structure = parent->structure;
	ScyllaFault fault = fault_null_element;

	if (structure->has_nulls)
	{
		enlargeStringInfo(out, 4);
		cql_put_u32((uint8 *) out->data + out->len, (uint32) CQL_CELL_NULL);
		out->len += 4;
		return;
	}
	/* An entry of a map as an array is a tuple without nulls. */
	fault.detail =
		explain_no_null(parent->cql->id == CQL_TYPE_TUPLE ? CQL_TYPE_MAP : parent->cql->id);
	scylla_convert_raise(converter, &fault);
}

void
scylla_element_trim(const ScyllaConverter *converter, int start, StringInfo out)
{
	char *value = out->data + start;
	int len = out->len - start - 4;
	uint8 prefix[CQL_VINT_MAX_LEN];
	int prefix_len = 0;

	if (converter->cql->id != CQL_TYPE_VECTOR)
		return;
	if (cql_type_fixed_len(converter->cql->elements[0]) == 0)
		prefix_len = (int) cql_write_unsigned_vint((uint32) len, prefix);
	/* Below 2^28 bytes, and more are never sent, the prefix is no longer than the length. */
	memmove(value + prefix_len, value + 4, len);
	memcpy(value, prefix, prefix_len);
	out->len = start + prefix_len + len;
}

ScyllaFit
scylla_structure_misfit(int start, StringInfo out)
{
	out->len = start;
	return SCYLLA_FIT_NONE;
}

bool
scylla_element_is_done(ScyllaFit fit, ScyllaRound round)
{
	return fit == SCYLLA_FIT_EXACT || (fit == SCYLLA_FIT_ROUNDED && round == SCYLLA_ROUND_STORE);
}
