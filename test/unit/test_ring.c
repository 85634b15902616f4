/*
 * Tokens of partition keys. The numbers were asked of Cassandra 5.0's token(); the Python driver's
 * murmur3 gives the same ones.
 */
#include "support.h"

#include "cql/cql_value.h"

typedef struct reference
{
	size_t len;
	int64_t token;
} reference;

/* Of the key whose i-th byte is 120 + 11 * len + 37 * i: both signs behind the last block. */
static const reference references[] = {
	{1, INT64_C(-6707619576439263014)},  {2, INT64_C(7887169991758764006)},
	{3, INT64_C(-1790399041162414773)},  {4, INT64_C(5380263331445814884)},
	{5, INT64_C(3061476223183237188)},   {6, INT64_C(5864088107656085609)},
	{7, INT64_C(763459724420333003)},    {8, INT64_C(-3559947019690691702)},
	{9, INT64_C(-8719240036667045366)},  {10, INT64_C(8187912899146123869)},
	{11, INT64_C(-3502775805061740351)}, {12, INT64_C(-2272937449321105148)},
	{13, INT64_C(-7280342506304272295)}, {14, INT64_C(1683353623317234692)},
	{15, INT64_C(6493842899129085660)},  {16, INT64_C(4572150259436940711)},
	{17, INT64_C(3535793135667736132)},  {18, INT64_C(-3486856110794080459)},
	{19, INT64_C(-5362788302767042168)}, {20, INT64_C(-4280244865564211564)},
	{21, INT64_C(9208830766479806593)},  {22, INT64_C(-2194589098607726033)},
	{23, INT64_C(-4351186781448066960)}, {24, INT64_C(5149486275091474363)},
	{25, INT64_C(7219349448376881667)},  {26, INT64_C(8380884136102208897)},
	{27, INT64_C(-387460983671546195)},  {28, INT64_C(8690541540820787101)},
	{29, INT64_C(-6717799396691261396)}, {30, INT64_C(4258414247265298701)},
	{31, INT64_C(-3872964304107356207)}, {32, INT64_C(-695816153607437246)},
	{33, INT64_C(-7660670849704244005)}, {63, INT64_C(-7425780951325503322)},
	{64, INT64_C(8079697663359023930)},  {65, INT64_C(-6982612786909779599)},
	{255, INT64_C(6266081149655071521)}, {1000, INT64_C(-244420140524486521)},

};

static int64_t
token_of_pattern(size_t len)
{
	uint8_t *key = malloc(len);
	int64_t token;

	for (size_t i = 0; i < len; i++)
		key[i] = (uint8_t) (120 + 11 * len + 37 * i);
	token = cql_key_token(key, len);
	free(key);
	return token;
}

static int64_t
token_of_hex(const char *hex)
{
	uint8_t key[64];

	return cql_key_token(key, parse_hex(hex, strlen(hex), key));
}

static void
tokens_of_every_length_are_the_server_s(void **state)
{
	(void) state;
	for (size_t i = 0; i < LENGTH_OF(references); i++)
		assert_int_equal(token_of_pattern(references[i].len), references[i].token);
	assert_int_equal(token_of_hex("ffffffffffffffffffffffffffffff"), INT64_C(-2195530867418009455));
	assert_int_equal(token_of_hex("61"), INT64_C(-8839064797231613815));
}

/* Keys made by running the hash backwards. */
static void
the_least_hash_becomes_the_greatest_token(void **state)
{
	(void) state;
	assert_int_equal(token_of_hex("cfb8187ec6a46538c7ab7e8fc46d6a26"), INT64_MAX);
	assert_int_equal(token_of_hex("0407747c8ae70b7f542c82e6fda37a5a"), INT64_MAX);
	assert_int_equal(token_of_hex("57f329b34bf36bdba3293398cc759b76"), 0);
	assert_int_equal(cql_key_token(NULL, 0), INT64_MIN);
}

/* Ids that ScyllaDB's documentation shows. */
static void
streams_of_a_cdc_log_bring_their_token(void **state)
{
	static const uint8_t id[] = {0x36, 0x5f, 0xd1, 0xa9, 0xae, 0x34, 0x37, 0x39,
								 0x54, 0x52, 0x9a, 0xc8, 0x16, 0x9d, 0xfb, 0x93};
	static const uint8_t negative[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0};

	(void) state;
	assert_int_equal(cql_stream_token(id, sizeof id), INT64_C(0x365fd1a9ae343739));
	assert_int_equal(cql_stream_token(negative, sizeof negative), -2);
	assert_int_equal(cql_stream_token(id, 7), INT64_MIN);
}

static int64_t
token_of_cells(const cql_cell *cells, int count)
{
	size_t len;
	uint8_t *key;
	int64_t token;

	assert_true(cql_key_measure(cells, count, &len));
	key = malloc(len);
	cql_key_write(cells, count, key);
	token = cql_key_token(key, len);
	free(key);
	return token;
}

#define CELL(bytes) ((cql_cell) {.data = (const uint8_t *) bytes, .len = sizeof bytes - 1})

/* PRIMARY KEY ((int, text, uuid)) */
static void
composite_keys_have_the_server_s_tokens(void **state)
{
	const cql_cell uuid = CELL("\x12\x34\x56\x78\x9a\xbc\x4d\xef\x81\x23\x45\x67\x89\xab\xcd\xef");
	const cql_cell with_empty[] = {CELL("\0\0\0\1"), CELL(""), uuid};
	const cql_cell full[] = {CELL("\xff\xff\xff\xff"), CELL("h\xc3\xa4llo"), uuid};

	(void) state;
	assert_int_equal(token_of_cells(with_empty, 3), INT64_C(5074686039400438187));
	assert_int_equal(token_of_cells(full, 3), INT64_C(-2383264696702757710));
}

static void
a_single_column_is_hashed_as_it_is(void **state)
{
	const cql_cell hello = CELL("hello");

	(void) state;
	assert_int_equal(token_of_cells(&hello, 1), INT64_C(-3758069500696749310));
}

static void
keys_that_cannot_be_are_refused(void **state)
{
	uint8_t *bytes = calloc(1, UINT16_MAX);
	cql_cell cells[2] = {{bytes, UINT16_MAX}, {bytes, 1}};
	size_t len = 77;

	(void) state;
	assert_true(cql_key_measure(cells, 1, &len) && len == UINT16_MAX);
	assert_false(cql_key_measure(cells, 2, &len));
	cells[0].len = UINT16_MAX - 7;
	assert_true(cql_key_measure(cells, 2, &len) && len == UINT16_MAX);
	cells[0].len = UINT16_MAX + 1;
	assert_false(cql_key_measure(cells, 1, &len));
	cells[0].len = CQL_CELL_NULL;
	assert_false(cql_key_measure(cells, 1, &len));
	cells[0].len = CQL_CELL_UNSET;
	assert_false(cql_key_measure(cells, 2, &len));
	assert_true(len == UINT16_MAX);
	free(bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tokens_of_every_length_are_the_server_s),
		cmocka_unit_test(the_least_hash_becomes_the_greatest_token),
		cmocka_unit_test(streams_of_a_cdc_log_bring_their_token),
		cmocka_unit_test(composite_keys_have_the_server_s_tokens),
		cmocka_unit_test(a_single_column_is_hashed_as_it_is),
		cmocka_unit_test(keys_that_cannot_be_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
