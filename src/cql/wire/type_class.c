/*
 * Names of Cassandra's marshal classes, read into type trees. Servers send them for what [option]
 * has no code for: vectors, on v4 duration, and everything that a server was taught by a plugin.
 *
 * The grammar is that of Cassandra's TypeParser. Nothing here fails but for memory: what is not
 * understood, in whole, becomes a CUSTOM node that carries the text.
 */
#include <string.h>

#include "cql/wire/type.h"

typedef struct class_parser
{
	const char *pos;
	const char *end;
	cql_type_arena *arena;
} class_parser;

typedef struct scalar_class
{
	const char *name;
	cql_type_id id;
} scalar_class;

static const scalar_class scalar_classes[] = {
	{"AsciiType", CQL_TYPE_ASCII},
	{"BooleanType", CQL_TYPE_BOOLEAN},
	{"BytesType", CQL_TYPE_BLOB},
	{"ByteType", CQL_TYPE_TINYINT},
	{"CounterColumnType", CQL_TYPE_COUNTER},
	{"DateType", CQL_TYPE_TIMESTAMP}, /* the older name; CQL's date is SimpleDateType */
	{"DecimalType", CQL_TYPE_DECIMAL},
	{"DoubleType", CQL_TYPE_DOUBLE},
	{"DurationType", CQL_TYPE_DURATION},
	{"FloatType", CQL_TYPE_FLOAT},
	{"InetAddressType", CQL_TYPE_INET},
	{"Int32Type", CQL_TYPE_INT},
	{"IntegerType", CQL_TYPE_VARINT},
	{"LongType", CQL_TYPE_BIGINT},
	{"ShortType", CQL_TYPE_SMALLINT},
	{"SimpleDateType", CQL_TYPE_DATE},
	{"TimestampType", CQL_TYPE_TIMESTAMP},
	{"TimeType", CQL_TYPE_TIME},
	{"TimeUUIDType", CQL_TYPE_TIMEUUID},
	{"UTF8Type", CQL_TYPE_TEXT},
	{"UUIDType", CQL_TYPE_UUID},
};

/* NULL: not understood, or no memory; the arena knows which. */
static const cql_type *parse_class(class_parser *parser, int depth, bool is_frozen);

static bool
is_view_of(cql_view view, const char *text)
{
	return view.len == strlen(text) && memcmp(view.data, text, view.len) == 0;
}

static void
skip_blanks(class_parser *parser)
{
	while (parser->pos < parser->end && (*parser->pos == ' ' || *parser->pos == '\t'))
		parser->pos++;
}

static bool
accept(class_parser *parser, char wanted)
{
	skip_blanks(parser);
	if (parser->pos == parser->end || *parser->pos != wanted)
		return false;
	parser->pos++;
	return true;
}

/* A run of characters up to one of the grammar's own. */
static cql_view
take_word(class_parser *parser)
{
	const char *start;

	skip_blanks(parser);
	start = parser->pos;
	while (parser->pos < parser->end && memchr("(),: \t", *parser->pos, 6) == NULL)
		parser->pos++;
	return (cql_view) {.data = start, .len = (size_t) (parser->pos - start)};
}

/* How many parameters stand from here to the parenthesis that closes them. */
static uint32_t
count_parameters(const class_parser *parser)
{
	uint32_t count = 1;
	int level = 0;

	for (const char *p = parser->pos; p < parser->end && level >= 0; p++)
	{
		if (*p == '(')
			level++;
		else if (*p == ')')
			level--;
		else if (*p == ',' && level == 0)
			count++;
	}
	return count;
}

static const cql_type *
make_custom(cql_type_arena *arena, cql_view text)
{
	cql_type *type = cql_type_new(arena, CQL_TYPE_CUSTOM, 0);

	if (type == NULL)
		return NULL;
	type->name = cql_type_arena_copy(arena, text);
	return type->name != NULL ? type : NULL;
}

/* A class that we do not know, with its parameters, whatever they are. */
static const cql_type *
parse_unknown(class_parser *parser, cql_view name)
{
	int level = 0;

	if (accept(parser, '('))
	{
		for (level = 1; parser->pos < parser->end && level > 0; parser->pos++)
			level += *parser->pos == '(' ? 1 : *parser->pos == ')' ? -1 : 0;
		name.len = (size_t) (parser->pos - name.data);
	}
	return level == 0 ? make_custom(parser->arena, name) : NULL;
}

static const cql_type *
parse_elements(class_parser *parser, cql_type *type, int depth)
{
	if (type == NULL)
		return NULL;
	for (uint32_t i = 0; i < type->element_count; i++)
	{
		const cql_type *element;

		if (i > 0 && !accept(parser, ','))
			return NULL;
		element = parse_class(parser, depth + 1, false);
		if (element == NULL)
			return NULL;
		cql_type_set_element(type, i, element);
	}
	return type;
}

static const cql_type *
parse_vector(class_parser *parser, int depth)
{
	cql_type *type = cql_type_new(parser->arena, CQL_TYPE_VECTOR, 1);

	if (parse_elements(parser, type, depth) == NULL || !accept(parser, ','))
		return NULL;
	return cql_type_set_dimension(type, take_word(parser)) ? type : NULL;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Names of user types and their fields are written as the hexadecimal of their bytes. */
static const char *
parse_hex_name(class_parser *parser)
{
	cql_view hex = take_word(parser);
	char *name;

	if (hex.len % 2 != 0)
		return NULL;
	name = cql_type_arena_take(parser->arena, hex.len / 2 + 1);
	for (size_t i = 0; name != NULL && i < hex.len; i += 2)
	{
		int high = hex_digit(hex.data[i]);
		int low = hex_digit(hex.data[i + 1]);

		if (high < 0 || low < 0)
			return NULL;
		name[i / 2] = (char) (high * 16 + low);
	}
	return name;
}

/* UserType(keyspace,name,field:type,...) */
static const cql_type *
parse_udt(class_parser *parser, int depth)
{
	uint32_t count = count_parameters(parser);
	cql_type *type = count < 2 ? NULL : cql_type_new_udt(parser->arena, count - 2);

	if (type == NULL)
		return NULL;
	type->keyspace = cql_type_arena_copy(parser->arena, take_word(parser));
	if (type->keyspace == NULL || !accept(parser, ','))
		return NULL;
	type->name = parse_hex_name(parser);
	if (type->name == NULL)
		return NULL;
	for (uint32_t i = 0; i < type->element_count; i++)
	{
		const char *field = accept(parser, ',') ? parse_hex_name(parser) : NULL;
		const cql_type *element = NULL;

		if (field != NULL && accept(parser, ':'))
			element = parse_class(parser, depth + 1, false);
		if (element == NULL)
			return NULL;
		cql_type_set_field_name(type, i, field);
		cql_type_set_element(type, i, element);
	}
	return type;
}

/* The parameters of a class that has some; its name and the opening parenthesis are read. */
static const cql_type *
parse_parameters(class_parser *parser, cql_view name, int depth, bool is_frozen)
{
	const cql_type *type = NULL;

	/* Wrappers are no nodes, yet count: a chain of them recurses too. */
	if (is_view_of(name, "FrozenType"))
		type = parse_class(parser, depth + 1, true);
	else if (is_view_of(name, "ReversedType"))
		type = parse_class(parser, depth + 1, is_frozen);
	else if (is_view_of(name, "ListType"))
		type = parse_elements(parser, cql_type_new(parser->arena, CQL_TYPE_LIST, 1), depth);
	else if (is_view_of(name, "SetType"))
		type = parse_elements(parser, cql_type_new(parser->arena, CQL_TYPE_SET, 1), depth);
	else if (is_view_of(name, "MapType"))
		type = parse_elements(parser, cql_type_new(parser->arena, CQL_TYPE_MAP, 2), depth);
	else if (is_view_of(name, "TupleType"))
		type = parse_elements(
			parser, cql_type_new(parser->arena, CQL_TYPE_TUPLE, count_parameters(parser)), depth);
	else if (is_view_of(name, "VectorType"))
		type = parse_vector(parser, depth);
	else if (is_view_of(name, "UserType"))
		type = parse_udt(parser, depth);
	if (type == NULL || !accept(parser, ')'))
		return NULL;
	/* A node with elements is ours, fresh from the arena; scalars are shared and never frozen. */
	if (is_frozen && type->element_count != 0)
		((cql_type *) type)->is_frozen = true;
	return type;
}

static bool
is_parametric(cql_view name)
{
	static const char *const classes[] = {"FrozenType", "ReversedType", "ListType",   "SetType",
										  "MapType",    "TupleType",    "VectorType", "UserType"};

	for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
		if (is_view_of(name, classes[i]))
			return true;
	return false;
}

static const cql_type *
parse_class(class_parser *parser, int depth, bool is_frozen)
{
	const size_t package_len = strlen(CQL_MARSHAL_PACKAGE);
	cql_view word = take_word(parser);
	cql_view name = word;

	if (word.len == 0 || depth > CQL_TYPE_MAX_DEPTH)
		return NULL;
	if (name.len > package_len && memcmp(name.data, CQL_MARSHAL_PACKAGE, package_len) == 0)
	{
		name.data += package_len;
		name.len -= package_len;
	}
	if (is_parametric(name))
		return accept(parser, '(') ? parse_parameters(parser, name, depth, is_frozen) : NULL;
	for (size_t i = 0; i < sizeof scalar_classes / sizeof scalar_classes[0]; i++)
		if (is_view_of(name, scalar_classes[i].name))
			return cql_type_scalar(scalar_classes[i].id);
	return parse_unknown(parser, word);
}

const cql_type *
cql_type_read_class(cql_type_arena *arena, cql_view text, int depth)
{
	class_parser parser = {.pos = text.data, .end = text.data + text.len, .arena = arena};
	const cql_type *type = parse_class(&parser, depth, false);

	if (cql_type_arena_is_exhausted(arena))
		return NULL;
	skip_blanks(&parser);
	return type != NULL && parser.pos == parser.end ? type : make_custom(arena, text);
}
