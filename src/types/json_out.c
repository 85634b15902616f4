/*
 * jsonb from cells of structured types, by CQL's JSON rules: lists, sets, vectors and tuples are
 * arrays; UDTs are objects, with the names of fields as they stand; maps are objects whose keys
 * are strings: texts as they are, other keys as the text of their JSON.
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "compat.h"
#include "types/structure.h"

static const ScyllaFault fault_same_key = {
	ERRCODE_DUPLICATE_JSON_OBJECT_KEY_VALUE, "map with two keys of the same text",
	"jsonb would hold only one of them.", "Declare the column as an array of a composite type."};

static JsonbValue *push_structure(ScyllaConverter *converter, cql_cell cell,
								  JsonbParseState **state);

/* A null, also in place of an empty value that PostgreSQL has not. */
static bool
is_null(ScyllaConverter *converter, cql_cell cell)
{
	if (cell.len == 0 && !converter->is_empty_value)
		scylla_converter_warn_empty(converter);
	return cell.len < 0 || (cell.len == 0 && !converter->is_empty_value);
}

/* As an element of the array, or value in the object, that is being pushed. */
static void
push_cell(ScyllaConverter *converter, cql_cell cell, JsonbParseState **state,
		  JsonbIteratorToken token)
{
	JsonbValue value = {.type = jbvNull};

	if (is_null(converter, cell))
		pushJsonbValue(state, token, &value);
	else if (converter->json == NULL)
		push_structure(converter, cell, state);
	else
	{
		converter->json->decode(converter, cell, &value);
		pushJsonbValue(state, token, &value);
	}
}

/* ---- keys of maps ---- */

static void
set_string(JsonbValue *out, const char *text)
{
	out->type = jbvString;
	out->val.string.val = (char *) text;
	out->val.string.len = strlen(text);
}

/* The text of a scalar's JSON, without a string's quotes. */
static void
make_scalar_key(ScyllaConverter *converter, cql_cell cell, JsonbValue *out)
{
	JsonbValue value;

	/* As a JSON number, -0 would be 0. */
	if (converter->cql->id == CQL_TYPE_FLOAT || converter->cql->id == CQL_TYPE_DOUBLE)
	{
		char *text = palloc(SCYLLA_FLOAT_TEXT_SIZE);

		(void) scylla_json_print_float(converter, cell, text);
		set_string(out, text);
	}
	else
	{
		converter->json->decode(converter, cell, &value);
		if (value.type == jbvNumeric)
			set_string(out, DatumGetCString(DirectFunctionCall1(
								numeric_out, NumericGetDatum(value.val.numeric))));
		else if (value.type == jbvBool)
			set_string(out, value.val.boolean ? "true" : "false");
		else
			*out = value;
	}
}

static void
make_key(ScyllaConverter *converter, cql_cell cell, JsonbValue *out)
{
	JsonbParseState *state = NULL;
	Jsonb *json;

	if (is_null(converter, cell))
		set_string(out, "");
	else if (converter->json != NULL)
		make_scalar_key(converter, cell, out);
	else
	{
		json = JsonbValueToJsonb(push_structure(converter, cell, &state));
		set_string(out, JsonbToCString(NULL, &json->root, VARSIZE(json)));
	}
}

static JsonbValue *
push_map(ScyllaConverter *converter, cql_elements elements, JsonbParseState **state)
{
	ScyllaConverter *const *children = converter->structure->children;
	uint32 count = elements.left / 2;
	JsonbValue *result;

	pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	for (uint32 i = 0; i < count; i++)
	{
		cql_cell cell = scylla_elements_next(converter, &elements);
		JsonbValue key;

		converter->place = (ScyllaPlace) {.index = i};
		make_key(children[0], cell, &key);
		pushJsonbValue(state, WJB_KEY, &key);
		converter->place.key = key.val.string.val;
		converter->place.key_len = key.val.string.len;
		cell = scylla_elements_next(converter, &elements);
		push_cell(children[1], cell, state, WJB_VALUE);
	}
	result = pushJsonbValue(state, WJB_END_OBJECT, NULL);
	if ((uint32) result->val.object.nPairs != count)
		scylla_convert_raise(converter, &fault_same_key);
	return result;
}

/* ---- the others ---- */

static JsonbValue *
push_udt(ScyllaConverter *converter, cql_elements elements, JsonbParseState **state)
{
	pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < converter->structure->child_count; i++)
	{
		cql_cell cell = scylla_elements_next(converter, &elements);
		JsonbValue key;

		converter->place.index = (uint32) i;
		set_string(&key, converter->structure->field_names[i]);
		pushJsonbValue(state, WJB_KEY, &key);
		push_cell(converter->structure->children[i], cell, state, WJB_VALUE);
	}
	return pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

static JsonbValue *
push_array(ScyllaConverter *converter, cql_elements elements, JsonbParseState **state)
{
	bool is_tuple = converter->cql->id == CQL_TYPE_TUPLE;
	uint32 count = elements.left;

	pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	for (uint32 i = 0; i < count; i++)
	{
		cql_cell cell = scylla_elements_next(converter, &elements);

		converter->place.index = i;
		push_cell(converter->structure->children[is_tuple ? i : 0], cell, state, WJB_ELEM);
	}
	return pushJsonbValue(state, WJB_END_ARRAY, NULL);
}

static JsonbValue *
push_structure(ScyllaConverter *converter, cql_cell cell, JsonbParseState **state)
{
	cql_elements elements = scylla_elements_begin(converter, cell);

	switch (converter->cql->id)
	{
		case CQL_TYPE_MAP:
			return push_map(converter, elements, state);
		case CQL_TYPE_UDT:
			return push_udt(converter, elements, state);
		default:
			return push_array(converter, elements, state);
	}
}

Datum
scylla_decode_structure_jsonb(ScyllaConverter *converter, cql_cell cell)
{
	JsonbParseState *state = NULL;
	ErrorContextCallback callback;
	Jsonb *result;
	JsonbValue *value = push_structure(converter, cell, &state);

	scylla_convert_enter(&callback, converter);
	result = JsonbValueToJsonb(value);
	scylla_convert_leave(&callback);
	return JsonbPGetDatum(result);
}
