/*
 * Types that an extension brings, where it is installed: hstore for maps of texts, pgvector's
 * vector for vectors of floats. They are known by name and reached by their functions in SQL, so
 * that neither is needed to build.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "nodes/value.h"
#include "parser/parse_func.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "compat.h"
#include "types/structure.h"

static const ScyllaFault fault_vector_size = {ERRCODE_ARRAY_SUBSCRIPT_ERROR,
											  "vector of another size", NULL, NULL};

/* ---- which types fit ---- */

static bool
is_text(const cql_type *cql)
{
	return cql->id == CQL_TYPE_TEXT || cql->id == CQL_TYPE_ASCII;
}

/* Each of the types bears its extension's name. NULL: there is none. */
static const char *
name_of_type(const cql_type *cql)
{
	if (cql->id == CQL_TYPE_MAP && is_text(cql->elements[0]) && is_text(cql->elements[1]))
		return "hstore";
	if (cql->id == CQL_TYPE_VECTOR && cql->elements[0]->id == CQL_TYPE_FLOAT)
		return "vector";
	return NULL;
}

const char *
scylla_extension_type_choice(const cql_type *cql)
{
	const char *name = name_of_type(cql);

	return name != NULL && OidIsValid(get_extension_oid(name, true)) ? name : NULL;
}

bool
scylla_extension_type_fits(const cql_type *cql, Oid type)
{
	const char *name = name_of_type(cql);
	HeapTuple tuple = name != NULL ? SearchSysCache1(TYPEOID, ObjectIdGetDatum(type)) : NULL;
	bool is_named_so;
	Oid extension;

	if (!HeapTupleIsValid(tuple))
		return false;
	is_named_so = strcmp(NameStr(((Form_pg_type) GETSTRUCT(tuple))->typname), name) == 0;
	ReleaseSysCache(tuple);
	if (!is_named_so)
		return false;
	extension = get_extension_oid(name, true);
	return OidIsValid(extension) && getExtensionOfObject(TypeRelationId, type) == extension;
}

/* ---- making ---- */

/* A function of hstore's, which are all in the type's schema. */
static void
find_function(const ScyllaConverter *converter, const char *name, int argument_count,
			  const Oid *arguments, FmgrInfo *out)
{
	HeapTuple tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(converter->base_type));
	char *schema;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for type %u", converter->base_type);
	schema = get_namespace_name(((Form_pg_type) GETSTRUCT(tuple))->typnamespace);
	ReleaseSysCache(tuple);
	fmgr_info_cxt(LookupFuncName(list_make2(makeString(schema), makeString(pstrdup(name))),
								 argument_count, arguments, false),
				  out, converter->context);
}

static void
build_hstore(ScyllaConverter *converter)
{
	ScyllaStructure *structure = converter->structure;
	Oid of_arrays[] = {TEXTARRAYOID, TEXTARRAYOID};
	Oid of_hstore[] = {converter->base_type};

	for (int i = 0; i < 2; i++)
		structure->children[i] =
			scylla_converter_child(converter, converter->cql->elements[i], TEXTOID, -1);
	find_function(converter, "hstore", 2, of_arrays, &structure->make);
	find_function(converter, "hstore_to_array", 1, of_hstore, &structure->take_apart);
}

static void
build_pgvector(ScyllaConverter *converter)
{
	ScyllaStructure *structure = converter->structure;
	Oid receive;
	Oid send;
	bool is_variable;

	getTypeBinaryInputInfo(converter->base_type, &receive, &structure->type_parameter);
	getTypeBinaryOutputInfo(converter->base_type, &send, &is_variable);
	fmgr_info_cxt(receive, &structure->make, converter->context);
	fmgr_info_cxt(send, &structure->take_apart, converter->context);
}

void
scylla_extension_type_build(ScyllaConverter *converter)
{
	if (converter->cql->id == CQL_TYPE_MAP)
		build_hstore(converter);
	else
		build_pgvector(converter);
}

/* ---- hstore ---- */

/* By arrays of text: its binary format would pass through the client's encoding. */
Datum
scylla_decode_hstore(ScyllaConverter *converter, cql_cell cell)
{
	ScyllaStructure *structure = converter->structure;
	cql_elements elements = scylla_elements_begin(converter, cell);
	int count = (int) elements.left / 2;
	Datum *values[2];
	Datum arrays[2];
	ErrorContextCallback callback;
	Datum result;

	for (int side = 0; side < 2; side++)
		values[side] = palloc(Max(count, 1) * sizeof(Datum));
	for (int i = 0; i < 2 * count; i++)
	{
		cql_cell element = scylla_elements_next(converter, &elements);
		bool is_null;

		converter->place.index = (uint32) i / 2;
		values[i % 2][i / 2] = scylla_decode(structure->children[i % 2], element, &is_null);
		if (is_null)
			scylla_convert_raise(structure->children[i % 2], &scylla_fault_malformed);
	}
	for (int side = 0; side < 2; side++)
		arrays[side] =
			PointerGetDatum(construct_array(values[side], count, TEXTOID, -1, false, TYPALIGN_INT));
	scylla_convert_enter(&callback, converter);
	result = FunctionCall2(&structure->make, arrays[0], arrays[1]);
	scylla_convert_leave(&callback);
	return result;
}

ScyllaFit
scylla_encode_hstore(ScyllaConverter *converter, Datum value, ScyllaRound round, StringInfo out)
{
	ScyllaStructure *structure = converter->structure;
	Datum pairs = FunctionCall1(&structure->take_apart, value);
	int start = out->len;
	Datum *values;
	bool *nulls;
	int count;

	deconstruct_array(DatumGetArrayTypeP(pairs), TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls,
					  &count);
	(void) scylla_cell_open(out);
	appendStringInfoSpaces(out, sizeof(int32));
	cql_put_u32((uint8 *) out->data + start + 4, (uint32) count / 2);
	for (int i = 0; i < count; i++)
	{
		ScyllaConverter *child = structure->children[i % 2];
		ScyllaFit fit = SCYLLA_FIT_EXACT;

		converter->place.index = (uint32) i / 2;
		if (nulls[i])
			scylla_element_append_null(child, out);
		else
			fit = scylla_encode(child, values[i], round, out);
		if (!scylla_element_is_done(fit, round))
			return scylla_structure_misfit(start, out);
	}
	scylla_cell_close(out, start);
	return SCYLLA_FIT_EXACT;
}

/* ---- pgvector ---- */

/* The head of its binary format: [short] size, [short] zero; floats as CQL has them follow. */
#define PGVECTOR_HEAD_LEN 4

static void
check_size(const ScyllaConverter *converter, uint32 size)
{
	ScyllaFault fault = fault_vector_size;

	if (size == converter->cql->dimension)
		return;
	fault.detail =
		psprintf("It has %u elements, CQL's vector %u.", size, converter->cql->dimension);
	scylla_convert_raise(converter, &fault);
}

Datum
scylla_decode_pgvector(ScyllaConverter *converter, cql_cell cell)
{
	ScyllaStructure *structure = converter->structure;
	cql_elements elements = scylla_elements_begin(converter, cell);
	ErrorContextCallback callback;
	StringInfoData wire;
	Datum result;

	if (converter->typmod >= 0)
		check_size(converter, (uint32) converter->typmod);
	if (elements.left > PG_INT16_MAX)
		scylla_convert_raise(converter, &scylla_fault_number_range);
	wire.len = wire.maxlen = PGVECTOR_HEAD_LEN + cell.len;
	wire.data = palloc0(wire.maxlen + 1);
	wire.cursor = 0;
	cql_put_u16((uint8 *) wire.data, (uint16) elements.left);
	memcpy(wire.data + PGVECTOR_HEAD_LEN, cell.data, cell.len);
	scylla_convert_enter(&callback, converter);
	result = ReceiveFunctionCall(&structure->make, &wire, structure->type_parameter, -1);
	scylla_convert_leave(&callback);
	return result;
}

ScyllaFit
scylla_encode_pgvector(ScyllaConverter *converter, Datum value, ScyllaRound round, StringInfo out)
{
	bytea *wire = SendFunctionCall(&converter->structure->take_apart, value);
	const uint8 *bytes = (const uint8 *) VARDATA_ANY(wire);
	int32 len = (int32) VARSIZE_ANY_EXHDR(wire) - PGVECTOR_HEAD_LEN;

	if (len < 0 || cql_get_u16(bytes) != converter->cql->dimension)
	{
		if (round != SCYLLA_ROUND_STORE)
			return SCYLLA_FIT_NONE;
		check_size(converter, len < 0 ? 0 : cql_get_u16(bytes));
	}
	memcpy(scylla_cell_append(out, len), bytes + PGVECTOR_HEAD_LEN, len);
	return SCYLLA_FIT_EXACT;
}
