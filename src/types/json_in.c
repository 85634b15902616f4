/*
 * Cells of structured types from jsonb. Every element is checked against its CQL type; what does
 * not fit is an error that names its path.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"

#include "compat.h"
#include "types/structure.h"

static const ScyllaFault fault_null = {ERRCODE_NULL_VALUE_NOT_ALLOWED, "JSON null",
									   "A column's value as a whole cannot be JSON's null.",
									   "Take SQL's NULL."};
static const ScyllaFault fault_tuple = {ERRCODE_INVALID_TEXT_REPRESENTATION,
										"array of another size", NULL, NULL};
static const ScyllaFault fault_vector = {ERRCODE_ARRAY_SUBSCRIPT_ERROR, "array of another size",
										 NULL, NULL};

static void encode_structure(ScyllaConverter *converter, const JsonbValue *value, StringInfo out);

static const char *
name_kind(const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvNull:
			return "null";
		case jbvString:
			return "a string";
		case jbvNumeric:
			return "a number";
		case jbvBool:
			return "a boolean";
		case jbvBinary:
			return JsonContainerIsArray(value->val.binary.data) ? "an array" : "an object";
		default:
			return "something else";
	}
}

void
scylla_json_raise_kind(const ScyllaConverter *converter, const JsonbValue *value,
					   const char *expected)
{
	ScyllaFault fault = {ERRCODE_INVALID_TEXT_REPRESENTATION, "wrong kind of JSON", NULL, NULL};

	fault.detail = psprintf("It is %s, where %s belongs.", name_kind(value), expected);
	scylla_convert_raise(converter, &fault);
}

/* Null is the caller's. */
static void
encode_value(ScyllaConverter *converter, const JsonbValue *value, StringInfo out)
{
	if (converter->json != NULL)
		converter->json->encode(converter, value, out);
	else
		encode_structure(converter, value, out);
}

/* An element of the parent's value. */
static void
encode_element(ScyllaConverter *parent, ScyllaConverter *converter, const JsonbValue *value,
			   StringInfo out)
{
	int start = out->len;

	if (value->type == jbvNull)
		scylla_element_append_null(converter, out);
	else
		encode_value(converter, value, out);
	scylla_element_trim(parent, start, out);
}

static JsonbContainer *
get_array(const ScyllaConverter *converter, const JsonbValue *value)
{
	if (value->type != jbvBinary || !JsonContainerIsArray(value->val.binary.data))
		scylla_json_raise_kind(converter, value, "an array");
	return value->val.binary.data;
}

static JsonbContainer *
get_object(const ScyllaConverter *converter, const JsonbValue *value)
{
	if (value->type != jbvBinary || !JsonContainerIsObject(value->val.binary.data))
		scylla_json_raise_kind(converter, value, "an object");
	return value->val.binary.data;
}

/* ---- arrays ---- */

/* The size must be that of a tuple or vector. */
static void
check_size(const ScyllaConverter *converter, uint32 size)
{
	bool is_vector = converter->cql->id == CQL_TYPE_VECTOR;
	uint32 wanted = is_vector ? converter->cql->dimension : converter->cql->element_count;
	ScyllaFault fault = is_vector ? fault_vector : fault_tuple;

	if (size == wanted)
		return;
	fault.detail =
		psprintf("It has %u elements, the %s %u.", size, is_vector ? "vector" : "tuple", wanted);
	scylla_convert_raise(converter, &fault);
}

static void
encode_array(ScyllaConverter *converter, const JsonbValue *value, StringInfo out)
{
	JsonbContainer *container = get_array(converter, value);
	cql_type_id id = converter->cql->id;
	JsonbIterator *iterator = JsonbIteratorInit(container);
	JsonbValue element;
	uint32 i = 0;

	if (id == CQL_TYPE_TUPLE || id == CQL_TYPE_VECTOR)
		check_size(converter, JsonContainerSize(container));
	else
	{
		appendStringInfoSpaces(out, sizeof(int32));
		cql_put_u32((uint8 *) out->data + out->len - 4, JsonContainerSize(container));
	}
	(void) JsonbIteratorNext(&iterator, &element, true);
	while (JsonbIteratorNext(&iterator, &element, true) == WJB_ELEM)
	{
		converter->place.index = i;
		encode_element(converter, converter->structure->children[id == CQL_TYPE_TUPLE ? i : 0],
					   &element, out);
		i++;
	}
}

/* ---- objects ---- */

/* A key that is no scalar is the text of its JSON. */
static void
encode_key(ScyllaConverter *converter, const JsonbValue *key, StringInfo out)
{
	ErrorContextCallback callback;
	char *text;
	Jsonb *json;
	JsonbValue value;

	if (converter->json != NULL)
	{
		converter->json->encode(converter, key, out);
		return;
	}
	text = pnstrdup(key->val.string.val, key->val.string.len);
	scylla_convert_enter(&callback, converter);
	json = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
	scylla_convert_leave(&callback);
	if (JB_ROOT_IS_SCALAR(json))
		scylla_json_raise_kind(converter, key, "the text of an array or object");
	value.type = jbvBinary;
	value.val.binary.data = &json->root;
	value.val.binary.len = VARSIZE(json) - VARHDRSZ;
	encode_structure(converter, &value, out);
}

static void
encode_map(ScyllaConverter *converter, const JsonbValue *value, StringInfo out)
{
	JsonbContainer *container = get_object(converter, value);
	JsonbIterator *iterator = JsonbIteratorInit(container);
	ScyllaConverter *const *children = converter->structure->children;
	JsonbValue item;

	appendStringInfoSpaces(out, sizeof(int32));
	cql_put_u32((uint8 *) out->data + out->len - 4, JsonContainerSize(container));
	(void) JsonbIteratorNext(&iterator, &item, true);
	while (JsonbIteratorNext(&iterator, &item, true) == WJB_KEY)
	{
		converter->place.key = item.val.string.val;
		converter->place.key_len = item.val.string.len;
		encode_key(children[0], &item, out);
		(void) JsonbIteratorNext(&iterator, &item, true);
		encode_element(converter, children[1], &item, out);
	}
}

static int
find_field(const ScyllaConverter *converter, const JsonbValue *key)
{
	const char **field_names = converter->structure->field_names;
	int count = converter->structure->child_count;
	ScyllaFault fault = {ERRCODE_INVALID_TEXT_REPRESENTATION, "unknown field", NULL, NULL};
	StringInfoData names;

	for (int i = 0; i < count; i++)
		if (strlen(field_names[i]) == (size_t) key->val.string.len &&
			memcmp(field_names[i], key->val.string.val, key->val.string.len) == 0)
			return i;
	initStringInfo(&names);
	for (int i = 0; i < count; i++)
		appendStringInfo(&names, "%s%s", i > 0 ? ", " : "", field_names[i]);
	fault.what = psprintf("unknown field \"%s\"",
						  pnstrdup(key->val.string.val, Min(key->val.string.len, NAMEDATALEN)));
	fault.hint = psprintf("Fields are: %s.", names.data);
	scylla_convert_raise(converter, &fault);
}

/* Fields that the object leaves out are null. */
static void
encode_udt(ScyllaConverter *converter, const JsonbValue *value, StringInfo out)
{
	JsonbIterator *iterator = JsonbIteratorInit(get_object(converter, value));
	const ScyllaStructure *structure = converter->structure;
	JsonbValue *fields = palloc(structure->child_count * sizeof(JsonbValue));
	JsonbValue key;

	for (int i = 0; i < structure->child_count; i++)
		fields[i].type = jbvNull;
	(void) JsonbIteratorNext(&iterator, &key, true);
	while (JsonbIteratorNext(&iterator, &key, true) == WJB_KEY)
		(void) JsonbIteratorNext(&iterator, &fields[find_field(converter, &key)], true);
	for (int i = 0; i < structure->child_count; i++)
	{
		converter->place.index = (uint32) i;
		encode_element(converter, structure->children[i], &fields[i], out);
	}
	pfree(fields);
}

static void
encode_structure(ScyllaConverter *converter, const JsonbValue *value, StringInfo out)
{
	int start = scylla_cell_open(out);

	check_stack_depth();
	switch (converter->cql->id)
	{
		case CQL_TYPE_MAP:
			encode_map(converter, value, out);
			break;
		case CQL_TYPE_UDT:
			encode_udt(converter, value, out);
			break;
		default:
			encode_array(converter, value, out);
	}
	scylla_cell_close(out, start);
}

/* Never bound for a predicate, so that whatever does not fit may raise its error. */
ScyllaFit
scylla_encode_structure_jsonb(ScyllaConverter *converter, Datum value, ScyllaRound round,
							  StringInfo out)
{
	Jsonb *json = DatumGetJsonbP(value);
	JsonbValue root;

	if (JB_ROOT_IS_SCALAR(json))
		(void) JsonbExtractScalar(&json->root, &root);
	else
	{
		root.type = jbvBinary;
		root.val.binary.data = &json->root;
		root.val.binary.len = VARSIZE(json) - VARHDRSZ;
	}
	if (root.type == jbvNull)
		scylla_convert_raise(converter, &fault_null);
	encode_structure(converter, &root, out);
	return SCYLLA_FIT_EXACT;
}
