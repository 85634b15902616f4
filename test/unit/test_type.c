/*
 * Type trees from the wire's two spellings, [option] and marshal classes, and the arena that holds
 * them. CQL's own spelling, and comparing, are in test_type_text.c.
 */
#include "support.h"

#include "cql/mem.h"
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

/* ---- [option] ---- */

/* Read the type from exactly these bytes; NULL if it fails or leaves some over. */
static const cql_type *
read_option(const void *bytes, size_t len)
{
	uint8_t *copy = exact_copy(bytes, len);
	cql_reader reader = cql_reader_over(copy, len);
	const cql_type *type = cql_type_read(&reader, arena);

	assert_int_equal(type == NULL, reader.failed);
	if (cql_reader_left(&reader) != 0)
		type = NULL;
	free(copy);
	return type;
}

#define READ_OPTION(bytes) read_option(bytes, sizeof bytes - 1)

static void
every_code_is_known_or_refused(void **state)
{
	static const char *const names[0x16] = {
		NULL,    "ascii", "bigint", "blob",      "boolean", "counter",  "decimal", "double",
		"float", "int",   NULL,     "timestamp", "uuid",    "text",     "varint",  "timeuuid",
		"inet",  "date",  "time",   "smallint",  "tinyint", "duration",
	};

	(void) state;
	for (uint32_t code = 1; code <= 0xFFFF; code++)
	{
		const uint8_t bytes[] = {(uint8_t) (code >> 8), (uint8_t) code};
		const cql_type *type = read_option(bytes, sizeof bytes);

		if (code < LENGTH_OF(names) && names[code] != NULL)
		{
			assert_int_equal(type->id, code);
			assert_string_equal(cql_type_id_name(type->id), names[code]);
			assert_ptr_equal(type, cql_type_scalar(code));
			assert_prints(type, true, names[code]);
		}
		else
			assert_null(type);
	}
	assert_null(cql_type_id_name(CQL_TYPE_CUSTOM));
	assert_null(cql_type_id_name(CQL_TYPE_LIST));
	assert_null(cql_type_id_name(CQL_TYPE_VECTOR));
	assert_null(cql_type_scalar(CQL_TYPE_UDT));
}

#define UDT_OPTION "\0\x30\0\2ks\0\7Address\0\2\0\6street\0\x0d\0\1n\0\x20\0\x09"

static void
collections_tuples_and_udts_are_read(void **state)
{
	const cql_type *type;

	(void) state;
	assert_prints(READ_OPTION("\0\x20\0\x09"), true, "list<int>");
	assert_prints(READ_OPTION("\0\x22\0\x0d"), true, "set<text>");
	assert_prints(READ_OPTION("\0\x21\0\x0d\0\x20\0\2"), true, "map<text, list<bigint>>");
	assert_prints(READ_OPTION("\0\x31\0\3\0\1\0\2\0\3"), true, "tuple<ascii, bigint, blob>");
	assert_prints(READ_OPTION("\0\x31\0\0"), true, "tuple<>");

	type = READ_OPTION(UDT_OPTION);
	assert_prints(type, true, "\"Address\"");
	assert_string_equal(type->keyspace, "ks");
	assert_string_equal(type->name, "Address");
	assert_int_equal(type->element_count, 2);
	assert_string_equal(type->field_names[0], "street");
	assert_string_equal(type->field_names[1], "n");
	assert_prints(type->elements[0], true, "text");
	assert_prints(type->elements[1], true, "list<int>");
}

static void
truncated_options_are_refused(void **state)
{
	static const char option[] = "\0\x21" UDT_OPTION "\0\x31\0\2\0\1\0\0\0\x0e"
								 "DynamicType(x)";
	const size_t len = sizeof option - 1;

	(void) state;
	assert_prints(read_option(option, len), true,
				  "map<\"Address\", tuple<ascii, 'DynamicType(x)'>>");
	for (size_t i = 0; i < len; i++)
		assert_null(read_option(option, i));
}

static void
forged_counts_are_refused(void **state)
{
	(void) state;
	assert_null(READ_OPTION("\0\x31\xff\xff\0\1\0\2"));
	assert_null(READ_OPTION("\0\x30\0\0\0\0\xff\xff\0\1x\0\1"));
	assert_null(READ_OPTION("\0\x30\xff\xff\0\0\0\0"));
	assert_null(READ_OPTION("\0\0\xff\xff"));
	assert_false(cql_type_arena_is_exhausted(arena));
}

/* Lists of lists: depth nodes in all. */
static const cql_type *
read_nested_option(int depth)
{
	uint8_t bytes[2 * (CQL_TYPE_MAX_DEPTH + 2)];

	for (int i = 0; i < depth; i++)
		cql_put_u16(bytes + 2 * i, i < depth - 1 ? CQL_TYPE_LIST : CQL_TYPE_INT);
	return read_option(bytes, 2 * (size_t) depth);
}

static void
deep_options_are_refused(void **state)
{
	uint8_t *bytes = calloc(100000, 2);

	(void) state;
	assert_non_null(read_nested_option(CQL_TYPE_MAX_DEPTH));
	assert_null(read_nested_option(CQL_TYPE_MAX_DEPTH + 1));
	for (int i = 0; i < 100000; i++)
		cql_put_u16(bytes + 2 * i, CQL_TYPE_SET);
	assert_null(read_option(bytes, 200000));
	free(bytes);
}

/* ---- marshal classes ---- */

static const cql_type *
read_class_at(const char *text, int depth)
{
	uint8_t *copy = exact_copy(text, strlen(text));
	const cql_type *type = cql_type_read_class(
		arena, (cql_view) {.data = (const char *) copy, .len = strlen(text)}, depth);

	free(copy);
	return type;
}

static const cql_type *
read_class(const char *text)
{
	return read_class_at(text, 1);
}

static void
scalar_classes_are_scalars(void **state)
{
	static const char *const classes[][2] = {
		{"AsciiType", "ascii"},
		{"LongType", "bigint"},
		{"BytesType", "blob"},
		{"BooleanType", "boolean"},
		{"CounterColumnType", "counter"},
		{"DecimalType", "decimal"},
		{"DoubleType", "double"},
		{"FloatType", "float"},
		{"Int32Type", "int"},
		{"TimestampType", "timestamp"},
		{"DateType", "timestamp"},
		{"UUIDType", "uuid"},
		{"UTF8Type", "text"},
		{"IntegerType", "varint"},
		{"TimeUUIDType", "timeuuid"},
		{"InetAddressType", "inet"},
		{"SimpleDateType", "date"},
		{"TimeType", "time"},
		{"ShortType", "smallint"},
		{"ByteType", "tinyint"},
		{"DurationType", "duration"},
	};

	(void) state;
	for (size_t i = 0; i < LENGTH_OF(classes); i++)
	{
		char full_name[128];

		snprintf(full_name, sizeof full_name, MARSHAL "%s", classes[i][0]);
		assert_prints(read_class(classes[i][0]), true, classes[i][1]);
		assert_prints(read_class(full_name), true, classes[i][1]);
	}
}

static void
classes_with_parameters_are_trees(void **state)
{
	const cql_type *type = read_class(MARSHAL "VectorType(" MARSHAL "FloatType , 3)");

	(void) state;
	assert_int_equal(type->id, CQL_TYPE_VECTOR);
	assert_int_equal(type->dimension, 3);
	assert_int_equal(type->element_count, 1);
	assert_prints(type, true, "vector<float, 3>");
	assert_prints(read_class("VectorType(VectorType(UTF8Type,2), 2147483647)"), true,
				  "vector<vector<text, 2>, 2147483647>");
	assert_prints(read_class(" ListType ( Int32Type ) "), true, "list<int>");
	assert_prints(read_class("ReversedType(" MARSHAL "TimestampType)"), true, "timestamp");
	assert_prints(read_class("FrozenType(MapType(UTF8Type,FrozenType(SetType(LongType))))"), true,
				  "frozen<map<text, frozen<set<bigint>>>>");
	assert_prints(read_class("FrozenType(ReversedType(TupleType(Int32Type,BytesType)))"), true,
				  "frozen<tuple<int, blob>>");

	type = read_class("FrozenType(UserType(ks,61646472,73747265_6574:UTF8Type))");
	assert_int_equal(type->id, CQL_TYPE_CUSTOM);
	type = read_class("UserType(ks,4A6464,737472:UTF8Type,6e:ListType(Int32Type))");
	assert_int_equal(type->id, CQL_TYPE_UDT);
	assert_string_equal(type->keyspace, "ks");
	assert_string_equal(type->name, "Jdd");
	assert_int_equal(type->element_count, 2);
	assert_string_equal(type->field_names[0], "str");
	assert_string_equal(type->field_names[1], "n");
	assert_prints(type->elements[1], false, "list<int>");
	assert_int_equal(read_class("UserType(ks,416464)")->element_count, 0);
}

/* Whatever the text is, there is a type: the text itself. */
static void
what_is_not_understood_is_custom(void **state)
{
	static const char *const texts[] = {
		"",
		"com.example.Strange",
		"com.example.Strange(a,(b),c=>d)",
		MARSHAL "EmptyType",
		MARSHAL "LexicalUUIDType",
		MARSHAL "CompositeType(" MARSHAL "UTF8Type," MARSHAL "Int32Type)",
		"VectorType",
		"VectorType(",
		"VectorType()",
		"VectorType(FloatType)",
		"VectorType(FloatType,)",
		"VectorType(FloatType,0)",
		"VectorType(FloatType,-3)",
		"VectorType(FloatType,3x)",
		"VectorType(FloatType,2147483648)",
		"VectorType(FloatType,99999999999999999999999)",
		"VectorType(FloatType,3",
		"VectorType(FloatType,3))",
		"ListType(Int32Type,Int32Type)",
		"MapType(Int32Type)",
		"TupleType(Int32Type,)",
		"FrozenType()",
		"Int32Type(3)",
		"Int32Type Int32Type",
		"UserType(ks)",
		"UserType(ks,6)",
		"UserType(ks,zz)",
		"UserType(ks,61,62)",
		"UserType(ks,61,62:)",
		"UserType(ks,61,62:Int32Type,)",
		"com.example.Open((a)",
		"(((((((((((((",
		"))",
	};

	(void) state;
	for (size_t i = 0; i < LENGTH_OF(texts); i++)
	{
		const cql_type *type = read_class(texts[i]);

		assert_non_null(type);
		assert_int_equal(type->id, CQL_TYPE_CUSTOM);
		assert_string_equal(type->name, texts[i]);
	}
	assert_prints(read_class("ListType(com.example.Strange(a,b) )"), true,
				  "list<'com.example.Strange(a,b)'>");
	assert_prints(read_class("VectorType(a.B , 2)"), true, "vector<'a.B', 2>");
}

static void
deep_classes_are_custom(void **state)
{
	static const char *const wrappers[] = {"ListType(", "FrozenType(", "TupleType("};

	(void) state;
	for (size_t i = 0; i < LENGTH_OF(wrappers); i++)
	{
		char *text = nest_text(wrappers[i], "Int32Type", ")", CQL_TYPE_MAX_DEPTH);

		assert_int_not_equal(read_class(text)->id, CQL_TYPE_CUSTOM);
		/* one level further down in a tree of [option]s, it is one too deep */
		assert_int_equal(read_class_at(text, 2)->id, CQL_TYPE_CUSTOM);
		free(text);
		text = nest_text(wrappers[i], "Int32Type", ")", 100000);
		assert_int_equal(read_class(text)->id, CQL_TYPE_CUSTOM);
		free(text);
	}
}

/* ---- the arena ---- */

static void
arena_gives_aligned_zeroed_memory(void **state)
{
	static const size_t sizes[] = {1, 7, 100, 1024, 3, 100000, 0, 65536, 5};

	(void) state;
	for (size_t i = 0; i < LENGTH_OF(sizes); i++)
	{
		uint8_t *block = cql_type_arena_take(arena, sizes[i]);

		assert_int_equal((uintptr_t) block % _Alignof(max_align_t), 0);
		for (size_t j = 0; j < sizes[i]; j++)
			assert_int_equal(block[j], 0);
		memset(block, 0xFF, sizes[i]);
		assert_string_equal(cql_type_arena_copy(arena, (cql_view) {.data = "abc", .len = 2}), "ab");
	}
	assert_null(cql_type_arena_take(arena, SIZE_MAX));
	assert_true(cql_type_arena_is_exhausted(arena));
}

/* A type of each spelling, in so much memory that the arena must grow. */
static bool
make_types(void *argument)
{
	cql_type_arena *own = cql_type_arena_new();
	bool succeeded = own != NULL;

	(void) argument;
	for (int i = 0; i < 20 && succeeded; i++)
	{
		cql_reader reader = cql_reader_over("\0\x21" UDT_OPTION "\0\x31\0\1\0\1",
											sizeof("\0\x21" UDT_OPTION "\0\x31\0\1\0\1") - 1);

		succeeded =
			cql_type_parse(own, "map<a, frozen<tuple<int, vector<float, 3>, 'a.B', k.u>>>") &&
			cql_type_read(&reader, own);
		succeeded = succeeded && !cql_type_arena_is_exhausted(own);
	}
	cql_type_arena_free(own);
	return succeeded;
}

static void
each_failing_allocation_is_noticed(void **state)
{
	(void) state;
	fail_each_allocation(make_types, NULL);
	cql_type_arena_free(NULL);
}

#define type_test(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		type_test(every_code_is_known_or_refused),
		type_test(collections_tuples_and_udts_are_read),
		type_test(truncated_options_are_refused),
		type_test(forged_counts_are_refused),
		type_test(deep_options_are_refused),
		type_test(scalar_classes_are_scalars),
		type_test(classes_with_parameters_are_trees),
		type_test(what_is_not_understood_is_custom),
		type_test(deep_classes_are_custom),
		type_test(arena_gives_aligned_zeroed_memory),
		type_test(each_failing_allocation_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
