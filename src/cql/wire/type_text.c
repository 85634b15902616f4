/*
 * CQL's spelling of types, as in system_schema: parsing it and printing it. What is printed is
 * parsed back to an equal type; names that would not come back as themselves are quoted.
 */
#include <string.h>

#include "cql/wire/type.h"

#define EMPTY_CLASS CQL_MARSHAL_PACKAGE "EmptyType"

/* Words that stand for a type of their own in the grammar, besides the scalars. */
static const char *const type_words[] = {"frozen", "list",   "set",   "map",
										 "tuple",  "vector", "empty", "varchar"};

/* ---- parsing ---- */

typedef struct text_parser
{
	const char *pos; /* the text ends in NUL, which no token contains */
	cql_type_arena *arena;
} text_parser;

/* NULL: malformed, too deep, or no memory. */
static const cql_type *parse_type(text_parser *parser, int depth, bool is_frozen);

static void
skip_blanks(text_parser *parser)
{
	while (*parser->pos == ' ' || *parser->pos == '\t' || *parser->pos == '\r' ||
		   *parser->pos == '\n')
		parser->pos++;
}

/* What a name may consist of that stands without quotes. */
static bool
is_small(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

static bool
accept(text_parser *parser, char wanted)
{
	skip_blanks(parser);
	if (*parser->pos != wanted)
		return false;
	parser->pos++;
	return true;
}

static cql_view
take_word(text_parser *parser)
{
	cql_view word = {.len = 0};

	skip_blanks(parser);
	word.data = parser->pos;
	while (is_small(*parser->pos) || (*parser->pos >= 'A' && *parser->pos <= 'Z'))
		parser->pos++;
	word.len = (size_t) (parser->pos - word.data);
	return word;
}

/* What stands between quotes, which are doubled where they belong to it; the first is read. */
static char *
take_quoted(text_parser *parser, char quote)
{
	cql_view raw = {.data = parser->pos};
	char *text;
	char *out;

	for (;; raw.len++)
	{
		if (raw.data[raw.len] == '\0')
			return NULL;
		if (raw.data[raw.len] == quote && raw.data[++raw.len] != quote)
			break;
	}
	raw.len--; /* the closing quote */
	parser->pos = raw.data + raw.len + 1;
	text = out = cql_type_arena_copy(parser->arena, raw);
	for (size_t i = 0; text != NULL && i < raw.len; i++)
	{
		*out++ = raw.data[i];
		if (raw.data[i] == quote)
			i++;
	}
	if (text != NULL)
		*out = '\0';
	return text;
}

/* An identifier: quoted as it stands, unquoted in lower case. */
static const char *
take_identifier(text_parser *parser)
{
	char *name;

	if (accept(parser, '"'))
		name = take_quoted(parser, '"');
	else
	{
		cql_view word = take_word(parser);

		name = word.len != 0 ? cql_type_arena_copy(parser->arena, word) : NULL;
		for (char *p = name; p != NULL && *p != '\0'; p++)
			if (*p >= 'A' && *p <= 'Z')
				*p = (char) (*p - 'A' + 'a');
	}
	return name != NULL && name[0] != '\0' ? name : NULL;
}

static const cql_type *
parse_udt(text_parser *parser, bool is_frozen)
{
	cql_type *type = cql_type_new_udt(parser->arena, 0);

	if (type == NULL)
		return NULL;
	type->is_frozen = is_frozen;
	type->name = take_identifier(parser);
	if (type->name != NULL && accept(parser, '.'))
	{
		type->keyspace = type->name;
		type->name = take_identifier(parser);
	}
	return type->name != NULL ? type : NULL;
}

static uint32_t
count_elements(const text_parser *parser)
{
	uint32_t count = 1;
	int level = 0;

	for (const char *p = parser->pos; *p != '\0' && level >= 0; p++)
	{
		if (*p == '<')
			level++;
		else if (*p == '>')
			level--;
		else if (*p == ',' && level == 0)
			count++;
	}
	return count;
}

static cql_type *
parse_elements(text_parser *parser, cql_type_id id, uint32_t count, int depth)
{
	cql_type *type = cql_type_new(parser->arena, id, count);

	if (type == NULL)
		return NULL;
	for (uint32_t i = 0; i < count; i++)
	{
		const cql_type *element;

		if (i > 0 && !accept(parser, ','))
			return NULL;
		element = parse_type(parser, depth + 1, false);
		if (element == NULL)
			return NULL;
		cql_type_set_element(type, i, element);
	}
	return type;
}

static cql_type *
parse_vector(text_parser *parser, int depth)
{
	cql_type *type = parse_elements(parser, CQL_TYPE_VECTOR, 1, depth);

	if (type == NULL || !accept(parser, ','))
		return NULL;
	return cql_type_set_dimension(type, take_word(parser)) ? type : NULL;
}

/* What stands between < and >, which are read by the caller. */
static const cql_type *
parse_parameters(text_parser *parser, cql_view word, int depth, bool is_frozen)
{
	cql_type *type = NULL;

	/* frozen is no node, yet counts: a chain of them recurses too. */
	if (cql_view_is_word(word, "frozen"))
		return parse_type(parser, depth + 1, true);
	if (cql_view_is_word(word, "list"))
		type = parse_elements(parser, CQL_TYPE_LIST, 1, depth);
	else if (cql_view_is_word(word, "set"))
		type = parse_elements(parser, CQL_TYPE_SET, 1, depth);
	else if (cql_view_is_word(word, "map"))
		type = parse_elements(parser, CQL_TYPE_MAP, 2, depth);
	else if (cql_view_is_word(word, "tuple"))
		type = parse_elements(parser, CQL_TYPE_TUPLE, count_elements(parser), depth);
	else if (cql_view_is_word(word, "vector"))
		type = parse_vector(parser, depth);
	if (type != NULL)
		type->is_frozen = is_frozen;
	return type;
}

static const cql_type *
parse_type(text_parser *parser, int depth, bool is_frozen)
{
	const char *start;
	const cql_type *type;
	cql_view word;

	if (depth > CQL_TYPE_MAX_DEPTH)
		return NULL;
	if (accept(parser, '\''))
	{
		const char *class_name = take_quoted(parser, '\'');

		return class_name == NULL || class_name[0] == '\0'
				   ? NULL
				   : cql_type_read_class(parser->arena,
										 (cql_view) {.data = class_name, .len = strlen(class_name)},
										 depth);
	}
	skip_blanks(parser);
	start = parser->pos;
	word = take_word(parser);
	if (word.len != 0 && accept(parser, '<'))
	{
		type = parse_parameters(parser, word, depth, is_frozen);
		return type != NULL && accept(parser, '>') ? type : NULL;
	}
	type = cql_type_scalar_named(word);
	if (type != NULL)
		return type;
	if (cql_view_is_word(word, "empty"))
		return cql_type_read_class(
			parser->arena, (cql_view) {.data = EMPTY_CLASS, .len = strlen(EMPTY_CLASS)}, depth);
	parser->pos = start;
	return parse_udt(parser, is_frozen);
}

const cql_type *
cql_type_parse(cql_type_arena *arena, const char *text)
{
	text_parser parser = {.pos = text, .arena = arena};
	const cql_type *type = parse_type(&parser, 1, false);

	skip_blanks(&parser);
	if (type == NULL || *parser.pos != '\0' || cql_type_arena_is_exhausted(arena))
		return NULL;
	return type;
}

/* ---- printing ---- */

/* Counts on after the buffer is full, like snprintf. */
typedef struct text_printer
{
	char *buf;
	size_t size;
	size_t len;
	bool with_frozen;
} text_printer;

static void
put_char(text_printer *printer, char c)
{
	if (printer->size != 0 && printer->len < printer->size - 1)
		printer->buf[printer->len] = c;
	printer->len++;
}

static void
put_text(text_printer *printer, const char *text)
{
	while (*text != '\0')
		put_char(printer, *text++);
}

static void
put_quoted(text_printer *printer, const char *text, char quote)
{
	put_char(printer, quote);
	for (; *text != '\0'; text++)
	{
		if (*text == quote)
			put_char(printer, quote);
		put_char(printer, *text);
	}
	put_char(printer, quote);
}

static void
put_number(text_printer *printer, uint32_t number)
{
	char digits[11];
	char *p = digits + sizeof digits - 1;

	*p = '\0';
	do
		*--p = (char) ('0' + number % 10);
	while ((number /= 10) != 0);
	put_text(printer, p);
}

/* Would the name come back as something else if it stood without quotes? */
static bool
needs_quotes(const char *name)
{
	cql_view view = {.data = name, .len = strlen(name)};

	if (name[0] < 'a' || name[0] > 'z')
		return true;
	for (size_t i = 1; i < view.len; i++)
		if (!is_small(name[i]))
			return true;
	for (size_t i = 0; i < sizeof type_words / sizeof type_words[0]; i++)
		if (cql_view_is_word(view, type_words[i]))
			return true;
	return cql_type_scalar_named(view) != NULL;
}

static void put_type(text_printer *printer, const cql_type *type);

static void
put_elements(text_printer *printer, const char *word, const cql_type *type)
{
	put_text(printer, word);
	put_char(printer, '<');
	for (uint32_t i = 0; i < type->element_count; i++)
	{
		if (i > 0)
			put_text(printer, ", ");
		put_type(printer, type->elements[i]);
	}
	if (type->id == CQL_TYPE_VECTOR)
	{
		put_text(printer, ", ");
		put_number(printer, type->dimension);
	}
	put_char(printer, '>');
}

static void
put_bare_type(text_printer *printer, const cql_type *type)
{
	switch (type->id)
	{
		case CQL_TYPE_LIST:
			put_elements(printer, "list", type);
			break;
		case CQL_TYPE_SET:
			put_elements(printer, "set", type);
			break;
		case CQL_TYPE_MAP:
			put_elements(printer, "map", type);
			break;
		case CQL_TYPE_TUPLE:
			put_elements(printer, "tuple", type);
			break;
		case CQL_TYPE_VECTOR:
			put_elements(printer, "vector", type);
			break;
		case CQL_TYPE_UDT:
			if (needs_quotes(type->name))
				put_quoted(printer, type->name, '"');
			else
				put_text(printer, type->name);
			break;
		case CQL_TYPE_CUSTOM:
			put_quoted(printer, type->name, '\'');
			break;
		default:
			put_text(printer, cql_type_id_name(type->id));
			break;
	}
}

static void
put_type(text_printer *printer, const cql_type *type)
{
	const bool is_wrapped = printer->with_frozen && type->is_frozen;

	if (is_wrapped)
		put_text(printer, "frozen<");
	put_bare_type(printer, type);
	if (is_wrapped)
		put_char(printer, '>');
}

size_t
cql_type_print(const cql_type *type, bool with_frozen, char *buf, size_t size)
{
	text_printer printer = {.buf = buf, .size = size, .with_frozen = with_frozen};

	put_type(&printer, type);
	if (size != 0)
		buf[printer.len < size ? printer.len : size - 1] = '\0';
	return printer.len;
}
