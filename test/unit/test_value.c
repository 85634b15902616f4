/*
 * Codecs of scalar cells. Expected bytes are derived from the protocol's text (v5, section 3:
 * [vint]; v4, section 6: the types), not from the code.
 */
#include "support.h"

#include <math.h>

#include "cql/cql_value.h"

#define CELL(bytes) ((cql_cell) {.data = (const uint8_t *) bytes, .len = sizeof bytes - 1})

/* Run the statements with every wrong length of a cell, whose bytes end exactly there. */
#define EACH_WRONG_LENGTH(right_len, statements)                                                  \
	for (int32_t len_ = -2; len_ < 20; len_++)                                                    \
	{                                                                                             \
		uint8_t *bytes_ =                                                                         \
			exact_copy("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", len_ < 0 ? 0 : (size_t) len_); \
		const cql_cell cell = {.data = bytes_, .len = len_};                                      \
		if (len_ != (right_len))                                                                  \
			statements;                                                                           \
		free(bytes_);                                                                             \
	}

static void
wrong_lengths_are_refused_and_leave_out_alone(void **state)
{
	bool b = true;
	int8_t i8 = 77;
	int16_t i16 = 77;
	int32_t i32 = 77;
	int64_t i64 = 77;
	float f = 77;
	double d = 77;

	(void) state;
	EACH_WRONG_LENGTH(1, assert_false(cql_read_bool(cell, &b) || !b));
	EACH_WRONG_LENGTH(1, assert_false(cql_read_i8(cell, &i8) || i8 != 77));
	EACH_WRONG_LENGTH(2, assert_false(cql_read_i16(cell, &i16) || i16 != 77));
	EACH_WRONG_LENGTH(4, assert_false(cql_read_i32(cell, &i32) || i32 != 77));
	EACH_WRONG_LENGTH(8, assert_false(cql_read_i64(cell, &i64) || i64 != 77));
	EACH_WRONG_LENGTH(4, assert_false(cql_read_float(cell, &f) || f != 77));
	EACH_WRONG_LENGTH(8, assert_false(cql_read_double(cell, &d) || d != 77));
	EACH_WRONG_LENGTH(4, assert_false(cql_read_date(cell, &i32) || i32 != 77));
	EACH_WRONG_LENGTH(8, assert_false(cql_read_time(cell, &i64) || i64 != 77));
}

static void
integers_are_two_s_complement(void **state)
{
	bool b;
	int8_t i8;
	int16_t i16;
	int32_t i32;
	int64_t i64;

	(void) state;
	assert_true(cql_read_bool(CELL("\0"), &b) && !b);
	assert_true(cql_read_bool(CELL("\1"), &b) && b);
	assert_true(cql_read_bool(CELL("\x80"), &b) && b);
	assert_true(cql_read_i8(CELL("\x7f"), &i8) && i8 == INT8_MAX);
	assert_true(cql_read_i8(CELL("\x80"), &i8) && i8 == INT8_MIN);
	assert_true(cql_read_i16(CELL("\x7f\xff"), &i16) && i16 == INT16_MAX);
	assert_true(cql_read_i16(CELL("\x80\0"), &i16) && i16 == INT16_MIN);
	assert_true(cql_read_i32(CELL("\x01\x02\x03\x04"), &i32) && i32 == 0x01020304);
	assert_true(cql_read_i32(CELL("\x80\0\0\0"), &i32) && i32 == INT32_MIN);
	assert_true(cql_read_i64(CELL("\1\2\3\4\5\6\7\x08"), &i64) && i64 == 0x0102030405060708);
	assert_true(cql_read_i64(CELL("\x80\0\0\0\0\0\0\0"), &i64) && i64 == INT64_MIN);
	assert_true(cql_read_i64(CELL("\xff\xff\xff\xff\xff\xff\xff\xff"), &i64) && i64 == -1);
}

static void
floats_keep_their_bits(void **state)
{
	float f;
	double d;
	uint32_t f_bits;
	uint64_t d_bits;

	(void) state;
	assert_true(cql_read_float(CELL("\xbf\0\0\0"), &f) && f == -0.5f);
	assert_true(cql_read_float(CELL("\x80\0\0\0"), &f) && f == 0 && signbit(f));
	assert_true(cql_read_double(CELL("\x3f\xf8\0\0\0\0\0\0"), &d) && d == 1.5);
	assert_true(cql_read_double(CELL("\xff\xf0\0\0\0\0\0\0"), &d) && isinf(d) && d < 0);
	/* a signalling NaN with a payload */
	assert_true(cql_read_float(CELL("\x7f\x80\x12\x34"), &f));
	memcpy(&f_bits, &f, sizeof f_bits);
	assert_int_equal(f_bits, 0x7f801234);
	assert_true(cql_read_double(CELL("\x7f\xf0\0\0\0\x12\x34\x56"), &d));
	memcpy(&d_bits, &d, sizeof d_bits);
	assert_true(d_bits == 0x7ff0000000123456);
}

static void
date_has_its_zero_in_the_middle(void **state)
{
	int32_t days;

	(void) state;
	assert_true(cql_read_date(CELL("\x80\0\0\0"), &days) && days == 0);
	assert_true(cql_read_date(CELL("\x80\0\0\1"), &days) && days == 1);
	assert_true(cql_read_date(CELL("\x7f\xff\xff\xff"), &days) && days == -1);
	assert_true(cql_read_date(CELL("\0\0\0\0"), &days) && days == INT32_MIN);
	assert_true(cql_read_date(CELL("\xff\xff\xff\xff"), &days) && days == INT32_MAX);
}

static void
time_is_within_a_day(void **state)
{
	int64_t time = 5;

	(void) state;
	assert_true(cql_read_time(CELL("\0\0\0\0\0\0\0\0"), &time) && time == 0);
	assert_true(cql_read_time(CELL("\0\0\x4e\x94\x91\x4e\xff\xff"), &time));
	assert_true(time == 86399999999999);
	assert_false(cql_read_time(CELL("\0\0\x4e\x94\x91\x4f\0\0"), &time));
	assert_false(cql_read_time(CELL("\xff\xff\xff\xff\xff\xff\xff\xff"), &time));
	assert_false(cql_read_time(CELL("\x7f\xff\xff\xff\xff\xff\xff\xff"), &time));
	assert_true(time == 86399999999999);
}

/* ---- duration ---- */

typedef struct duration_case
{
	cql_duration duration;
	size_t len;
	const char *bytes;
} duration_case;

/*
 * Signs are folded as 0, -1, 1, -2, ...; n bytes carry 7n bits, the ninth 8. So the folded 127
 * is 7f, 128 is 80 80, 16383 is bf ff, 16384 is c0 40 00, and 256000 (the specification's own
 * example) is c3 e8 00.
 */
static const duration_case duration_cases[] = {
	{{0, 0, 0}, 3, "\0\0\0"},
	{{1, 2, 3}, 3, "\2\4\6"},
	{{-1, -2, -3}, 3, "\1\3\5"},
	{{63, 0, 0}, 3, "\x7e\0\0"},
	{{-64, 0, 0}, 3, "\x7f\0\0"},
	{{64, 0, 0}, 4, "\x80\x80\0\0"},
	{{-8192, 0, 0}, 4, "\xbf\xff\0\0"},
	{{8192, 0, 0}, 5, "\xc0\x40\0\0\0"},
	{{0, 128000, 0}, 5, "\0\xc3\xe8\0\0"},
	{{INT32_MAX, INT32_MAX, INT64_MAX},
	 19,
	 "\xf0\xff\xff\xff\xfe\xf0\xff\xff\xff\xfe\xff\xff\xff\xff\xff\xff\xff\xff\xfe"},
	{{INT32_MIN, INT32_MIN, INT64_MIN},
	 19,
	 "\xf0\xff\xff\xff\xff\xf0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"},
	/* one bit more than eight bytes carry: 2^55 folds to 2^56 */
	{{0, 0, INT64_C(1) << 55}, 11, "\0\0\xff\1\0\0\0\0\0\0\0"},
	{{0, 0, (INT64_C(1) << 55) - 1}, 10, "\0\0\xfe\xff\xff\xff\xff\xff\xff\xfe"},
};

static bool
is_same_duration(cql_duration a, cql_duration b)
{
	return a.months == b.months && a.days == b.days && a.nanoseconds == b.nanoseconds;
}

static void
durations_are_vints(void **state)
{
	(void) state;
	for (size_t i = 0; i < LENGTH_OF(duration_cases); i++)
	{
		const duration_case *c = &duration_cases[i];
		uint8_t *bytes = exact_copy(c->bytes, c->len);
		cql_cell cell = {.data = bytes, .len = (int32_t) c->len};
		uint8_t written[CQL_DURATION_MAX_LEN];
		cql_duration duration;

		assert_true(cql_read_duration(cell, &duration));
		assert_true(is_same_duration(duration, c->duration));
		assert_int_equal(cql_write_duration(&c->duration, written), c->len);
		assert_memory_equal(written, c->bytes, c->len);
		free(bytes);
	}
}

static void
every_power_of_two_comes_back(void **state)
{
	(void) state;
	for (int bit = 0; bit < 63; bit++)
		for (int off = -1; off <= 1; off++)
			for (int sign = -1; sign <= 1; sign += 2)
			{
				cql_duration in = {0, 0, sign * ((INT64_C(1) << bit) + off)};
				cql_duration out;
				uint8_t *bytes = malloc(CQL_DURATION_MAX_LEN);
				int32_t len = (int32_t) cql_write_duration(&in, bytes);

				assert_true(cql_read_duration((cql_cell) {.data = bytes, .len = len}, &out));
				assert_true(is_same_duration(in, out));
				free(bytes);
			}
}

static void
truncated_durations_are_refused(void **state)
{
	cql_duration duration = {7, 7, 7};

	(void) state;
	for (size_t i = 0; i < LENGTH_OF(duration_cases); i++)
		for (size_t len = 0; len < duration_cases[i].len; len++)
		{
			uint8_t *bytes = exact_copy(duration_cases[i].bytes, len);
			cql_cell cell = {.data = bytes, .len = (int32_t) len};

			assert_false(cql_read_duration(cell, &duration));
			free(bytes);
		}
	assert_false(cql_read_duration((cql_cell) {.data = NULL, .len = CQL_CELL_NULL}, &duration));
	assert_false(cql_read_duration((cql_cell) {.data = NULL, .len = CQL_CELL_UNSET}, &duration));
	assert_true(is_same_duration(duration, (cql_duration) {7, 7, 7}));
}

static void
bad_durations_are_refused(void **state)
{
	cql_duration duration;

	(void) state;
	/* a byte too many */
	assert_false(cql_read_duration(CELL("\0\0\0\0"), &duration));
	/* months, then days, beyond 32 bits: 2^31 and -2^31 - 1 */
	assert_false(cql_read_duration(CELL("\xf1\0\0\0\0\0\0"), &duration));
	assert_false(cql_read_duration(CELL("\xf1\0\0\0\1\0\0"), &duration));
	assert_false(cql_read_duration(CELL("\0\xf1\0\0\0\0\0"), &duration));
	/* signs that differ */
	assert_false(cql_read_duration(CELL("\2\1\0"), &duration));
	assert_false(cql_read_duration(CELL("\1\0\2"), &duration));
	assert_false(cql_read_duration(CELL("\0\1\2"), &duration));
	/* longer than it needs to be is no fault: 1 as the two bytes 80 02 */
	assert_true(cql_read_duration(CELL("\x80\2\0\0"), &duration));
	assert_true(is_same_duration(duration, (cql_duration) {1, 0, 0}));
}

/* ---- decimal ---- */

static void
decimal_is_a_scale_and_a_number(void **state)
{
	int32_t scale = 7;
	cql_cell unscaled;

	(void) state;
	assert_true(cql_read_decimal(CELL("\0\0\0\2\x83"), &scale, &unscaled));
	assert_int_equal(scale, 2);
	assert_int_equal(unscaled.len, 1);
	assert_int_equal(unscaled.data[0], 0x83);
	assert_true(cql_read_decimal(CELL("\x80\0\0\0\0\0\0\1"), &scale, &unscaled));
	assert_int_equal(scale, INT32_MIN);
	assert_int_equal(unscaled.len, 4);
	for (int32_t len = -2; len < 5; len++)
	{
		uint8_t *bytes = exact_copy("\0\0\0\0", len < 0 ? 0 : (size_t) len);

		assert_false(cql_read_decimal((cql_cell) {bytes, len}, &scale, &unscaled));
		assert_int_equal(scale, INT32_MIN);
		free(bytes);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_lengths_are_refused_and_leave_out_alone),
		cmocka_unit_test(integers_are_two_s_complement),
		cmocka_unit_test(floats_keep_their_bits),
		cmocka_unit_test(date_has_its_zero_in_the_middle),
		cmocka_unit_test(time_is_within_a_day),
		cmocka_unit_test(durations_are_vints),
		cmocka_unit_test(every_power_of_two_comes_back),
		cmocka_unit_test(truncated_durations_are_refused),
		cmocka_unit_test(bad_durations_are_refused),
		cmocka_unit_test(decimal_is_a_scale_and_a_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
