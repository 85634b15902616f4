/*
 * CQL's spelling of types, parsed and printed; comparing types, which are written in it.
 */
#include "support.h"

#include "cql/wire/type.h"

#define MARSHAL "org.apache.cassandra.db.marshal."

static cql_type_arena *arena;

static int
begin(void **state)
{
	(void) state;
	arena = cql_type_arena_new();
	return arena == NULL;
}

static int
end(void **state)
{
	(void) state;
	cql_type_arena_free(arena);
	return 0;
}

static void
assert_prints(const cql_type *type, bool with_frozen, const char *wanted)
{
	char text[512];
	size_t len;

	assert_non_null(type);
	len = cql_type_print(type, with_frozen, text, sizeof text);
	assert_string_equal(text, wanted);
	assert_int_equal(len, strlen(wanted));
}

static const cql_type *
parse(const char *text)
{
	uint8_t *copy = exact_copy(text, strlen(text) + 1);
	const cql_type *type = cql_type_parse(arena, (const char *) copy);

	free(copy);
	return type;
}

static void
text_is_printed_as_it_was_parsed(void **state)
{
	static const char *const texts[] = {
		"ascii",
		"bigint",
		"blob",
		"boolean",
		"counter",
		"date",
		"decimal",
		"double",
		"duration",
		"float",
		"inet",
		"int",
		"smallint",
		"text",
		"time",
		"timestamp",
		"timeuuid",
		"tinyint",
		"uuid",
		"varint",
		"list<int>",
		"set<text>",
		"map<text, int>",
		"frozen<map<text, frozen<list<int>>>>",
		"frozen<tuple<int, text, uuid>>",
		"vector<float, 3>",
		"vector<vector<text, 1>, 2147483647>",
		"address",
		"frozen<address>",
		"list<frozen<address>>",
		"\"Address\"",
		"\"with \"\"quotes\"\" < and , >\"",
		"\"int\"",
		"\"frozen\"",
		"\"1st\"",
		"_1x",
		"'com.example.Strange(a,b)'",
		"list<'it''s.Strange'>",
		"'" MARSHAL "CompositeType(" MARSHAL "UTF8Type)'",
	};

	(void) state;
	for (size_t i = 0; i < LENGTH_OF(texts); i++)
	{
		if (strcmp(texts[i], "_1x") == 0)
			assert_prints(parse(texts[i]), true, "\"_1x\"");
		else
			assert_prints(parse(texts[i]), true, texts[i]);
	}
}

static void
text_is_parsed_as_cql_is(void **state)
{
	const cql_type *type;

	(void) state;
	assert_prints(parse("VARCHAR"), true, "text");
	assert_prints(parse(" Map < Text ,\tLIST<INT>\n> "), true, "map<text, list<int>>");
	assert_prints(parse("frozen<int>"), true, "int");
	assert_prints(parse("frozen<frozen<list<int>>>"), true, "frozen<list<int>>");
	assert_prints(parse("frozen<list<int>>"), false, "list<int>");
	assert_prints(parse("Address"), true, "address");
	assert_prints(parse("empty"), true, "'" MARSHAL "EmptyType'");
	assert_prints(parse("'" MARSHAL "DurationType'"), true, "duration");
	assert_prints(parse("'" MARSHAL "VectorType(" MARSHAL "FloatType, 3)'"), true,
				  "vector<float, 3>");

	type = parse("frozen<my_type>");
	assert_int_equal(type->id, CQL_TYPE_UDT);
	assert_true(type->is_frozen);
	assert_string_equal(type->name, "my_type");
	assert_null(type->keyspace);
	assert_int_equal(type->element_count, 0);
	type = parse("\"Ks\".My_Type");
	assert_string_equal(type->keyspace, "Ks");
	assert_string_equal(type->name, "my_type");
}

static void
malformed_text_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		" ",
		"<",
		">",
		",",
		"list<",
		"list<int",
		"list<>",
		"list<int,int>",
		"map<int>",
		"map<int,int,int>",
		"list<int>>",
		"int int",
		"int>",
		"tuple<>",
		"tuple<int,>",
		"frozen<>",
		"frozen<int,int>",
		"vector<float>",
		"vector<float,>",
		"vector<float, 0>",
		"vector<float, -1>",
		"vector<float, 2147483648>",
		"vector<float, 99999999999999999999>",
		"vector<float, x>",
		"vector<3, float>",
		"unknown<int>",
		"int<int>",
		"\"open",
		"\"\"",
		"'open",
		"''",
		"'a''",
		"ks.",
		".name",
		"ks..name",
		"a-b",
		"list<int> x",
		"\"a\"\"",
	};

	(void) state;
	for (size_t i = 0; i < LENGTH_OF(texts); i++)
		if (parse(texts[i]) != NULL)
			fail_msg("parsed: %s", texts[i]);
	assert_false(cql_type_arena_is_exhausted(arena));
}

/* Cut anywhere, a text is refused, or (m, ma, map) a name; it is never read beyond. */
static void
truncated_text_is_not_read_beyond(void **state)
{
	static const char text[] = "map<\"Q\"\"q\", frozen<tuple<int, vector<float, 3>, 'a''b', k.u>>>";

	(void) state;
	assert_non_null(parse(text));
	for (size_t len = 0; len < sizeof text - 1; len++)
	{
		char cut[sizeof text];

		memcpy(cut, text, len);
		cut[len] = '\0';
		assert_true(parse(cut) == NULL || len <= strlen("map"));
	}
}

static void
deep_text_is_refused(void **state)
{
	static const char *const wrappers[] = {"list<", "frozen<", "tuple<"};

	(void) state;
	for (size_t i = 0; i < LENGTH_OF(wrappers); i++)
	{
		char *text = nest_text(wrappers[i], "int", ">", CQL_TYPE_MAX_DEPTH);

		assert_non_null(parse(text));
		free(text);
		text = nest_text(wrappers[i], "int", ">", CQL_TYPE_MAX_DEPTH + 1);
		assert_null(parse(text));
		free(text);
		text = nest_text(wrappers[i], "int", ">", 100000);
		assert_null(parse(text));
		free(text);
	}
}

static void
print_cuts_to_the_buffer(void **state)
{
	const cql_type *type = parse("map<text, int>");
	const size_t len = strlen("map<text, int>");

	(void) state;
	for (size_t size = 0; size <= len + 2; size++)
	{
		char *buf = malloc(size);

		assert_int_equal(cql_type_print(type, true, buf, size), len);
		if (size > 0)
		{
			size_t wanted = size - 1 < len ? size - 1 : len;

			assert_int_equal(strlen(buf), wanted);
			assert_memory_equal(buf, "map<text, int>", wanted);
		}
		free(buf);
	}
}

/* ---- comparing ---- */

static void
types_are_compared(void **state)
{
	static const struct
	{
		const char *a;
		const char *b;
		bool is_equal;
	} pairs[] = {
		{"int", "int", true},
		{"int", "bigint", false},
		{"text", "varchar", true},
		{"list<int>", "frozen<list<int>>", true},
		{"list<int>", "set<int>", false},
		{"list<int>", "list<text>", false},
		{"map<int, text>", "map<int, text>", true},
		{"map<int, text>", "map<text, int>", false},
		{"tuple<int>", "tuple<int, int>", false},
		{"vector<float, 3>", "vector<float, 3>", true},
		{"vector<float, 3>", "vector<float, 4>", false},
		{"vector<float, 3>", "vector<double, 3>", false},
		{"a", "a", true},
		{"a", "b", false},
		{"k.a", "a", true},
		{"k.a", "l.a", false},
		{"'x'", "'x'", true},
		{"'x'", "'y'", false},
		{"'x'", "x", false},
		{"'UserType(k,61,62:Int32Type)'", "a", true},
		{"'UserType(k,61,62:Int32Type)'", "l.a", false},
		{"'UserType(k,61,62:Int32Type)'", "'UserType(k,61,62:Int32Type)'", true},
		{"'UserType(k,61,62:Int32Type)'", "'UserType(k,61,62:LongType)'", false},
		{"'UserType(k,61,62:Int32Type)'", "'UserType(k,61,63:Int32Type)'", false},
		{"'UserType(k,61,62:Int32Type)'", "'UserType(k,61,62:Int32Type,63:Int32Type)'", false},
	};

	(void) state;
	for (size_t i = 0; i < LENGTH_OF(pairs); i++)
	{
		const cql_type *a = parse(pairs[i].a);
		const cql_type *b = parse(pairs[i].b);

		assert_int_equal(cql_type_equal(a, b), pairs[i].is_equal);
		assert_int_equal(cql_type_equal(b, a), pairs[i].is_equal);
	}
}

#define type_test(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		type_test(text_is_printed_as_it_was_parsed),
		type_test(text_is_parsed_as_cql_is),
		type_test(malformed_text_is_refused),
		type_test(truncated_text_is_not_read_beyond),
		type_test(deep_text_is_refused),
		type_test(print_cuts_to_the_buffer),
		type_test(types_are_compared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
