/*
 * How each scalar stands in JSON: numbers exact, NaN and the infinities as strings, texts as they
 * are, all else as strings in CQL's notation. What CQL reads from JSON is taken in: strings of
 * numbers and booleans (as keys of maps are), and a timestamp's milliseconds.
 */
#include "postgres.h"

#include <errno.h>
#include <sys/socket.h>

#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/inet.h"
#include "utils/numeric.h"
#include "utils/uuid.h"

#include "compat.h"
#include "types/structure.h"

static const ScyllaFault fault_read_only = {ERRCODE_FEATURE_NOT_SUPPORTED, "read-only value", NULL,
											NULL};
static const ScyllaFault fault_timestamp_range = {
	ERRCODE_DATETIME_VALUE_OUT_OF_RANGE, "timestamp out of range",
	"CQL counts milliseconds since 1970 in 64 bits.", NULL};
static const ScyllaFault fault_date_range = {ERRCODE_DATETIME_VALUE_OUT_OF_RANGE,
											 "date out of range",
											 "CQL counts days since 1970 in 32 bits.", NULL};
static const ScyllaFault fault_time_range = {ERRCODE_DATETIME_VALUE_OUT_OF_RANGE,
											 "time out of range", NULL, NULL};
static const ScyllaFault fault_timestamp_excess = {
	ERRCODE_DATETIME_VALUE_OUT_OF_RANGE, "timestamp with fractions of a millisecond",
	"CQL's timestamp holds milliseconds.",
	"The option excess_precision 'truncate' cuts such values off."};
static const ScyllaFault fault_time_excess = {
	ERRCODE_DATETIME_VALUE_OUT_OF_RANGE, "time with fractions of a nanosecond",
	"CQL's time holds nanoseconds.",
	"The option excess_precision 'truncate' cuts such values off."};

/* ---- what they share ---- */

static void
set_string(JsonbValue *out, const char *text, int len)
{
	out->type = jbvString;
	out->val.string.val = (char *) text;
	out->val.string.len = len;
}

static void raise_malformed(const ScyllaConverter *converter, const char *expected)
	__attribute__((noreturn));

static void
raise_malformed(const ScyllaConverter *converter, const char *expected)
{
	ScyllaFault fault = {ERRCODE_INVALID_TEXT_REPRESENTATION, "malformed value", NULL, NULL};

	fault.detail = psprintf("The string is not %s.", expected);
	scylla_convert_raise(converter, &fault);
}

static ScyllaText
get_string(const ScyllaConverter *converter, const JsonbValue *value, const char *expected)
{
	if (value->type != jbvString)
		scylla_json_raise_kind(converter, value, expected);
	return (ScyllaText) {value->val.string.val, value->val.string.len};
}

static char *
copy_string(ScyllaText text)
{
	return pnstrdup(text.data, text.len);
}

/* Hands a value of the carrier type to the pair's own encoder. */
static void
encode_carrier(ScyllaConverter *converter, Datum value, StringInfo out)
{
	(void) scylla_encode(converter, value, SCYLLA_ROUND_STORE, out);
}

/* ---- texts and durations ---- */

static void
decode_text(ScyllaConverter *converter, cql_cell cell, JsonbValue *out)
{
	ScyllaText string = scylla_text_from_cell(converter, cell);

	set_string(out, string.data, string.len);
}

static void
decode_duration(ScyllaConverter *converter, cql_cell cell, JsonbValue *out)
{
	struct varlena *notation = DatumGetTextPP(converter->decode(converter, cell));

	set_string(out, VARDATA_ANY(notation), (int) VARSIZE_ANY_EXHDR(notation));
}

static void
encode_text(ScyllaConverter *converter, const JsonbValue *value, StringInfo out)
{
	ScyllaText text = get_string(converter, value, "a string");

	encode_carrier(converter, PointerGetDatum(cstring_to_text_with_len(text.data, text.len)), out);
}

/* ---- exact numbers ---- */

static void
decode_number(ScyllaConverter *converter, cql_cell cell, JsonbValue *out)
{
	out->type = jbvNumeric;
	out->val.numeric = DatumGetNumeric(converter->decode(converter, cell));
}

static bool
skip_digits(const char **next)
{
	const char *start = *next;

	while (**next >= '0' && **next <= '9')
		(*next)++;
	return *next > start;
}

/* Whether a text is a decimal number, so that reading it cannot fail but for its range. */
static bool
is_number(const char *text)
{
	bool has_digits;

	text += *text == '-' || *text == '+';
	has_digits = skip_digits(&text);
	if (*text == '.')
	{
		text++;
		has_digits = skip_digits(&text) || has_digits;
	}
	if (has_digits && (*text == 'e' || *text == 'E'))
	{
		text++;
		text += *text == '-' || *text == '+';
		has_digits = skip_digits(&text);
	}
	return has_digits && *text == '\0';
}

/* A number's text, or a string's. */
static char *
get_number_text(const ScyllaConverter *converter, const JsonbValue *value)
{
	if (value->type == jbvNumeric)
		return DatumGetCString(
			DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));
	return copy_string(get_string(converter, value, "a number"));
}

static void
encode_number(ScyllaConverter *converter, const JsonbValue *value, StringInfo out)
{
	ErrorContextCallback callback;
	char *text;
	Datum number;

	if (value->type == jbvNumeric)
	{
		encode_carrier(converter, NumericGetDatum(value->val.numeric), out);
		return;
	}
	text = get_number_text(converter, value);
	if (!is_number(text))
		raise_malformed(converter, "a number");
	scylla_convert_enter(&callback, converter);
	number = DirectFunctionCall3(numeric_in, CStringGetDatum(text), ObjectIdGetDatum(InvalidOid),
								 Int32GetDatum(-1));
	scylla_convert_leave(&callback);
	encode_carrier(converter, number, out);
}

/* ---- float and double ---- */

/* Not by the types' output functions, which obey extra_float_digits. */
int
scylla_json_print_float(ScyllaConverter *converter, cql_cell cell, char *out)
{
	Datum value = converter->decode(converter, cell);

	if (converter->cql->id == CQL_TYPE_FLOAT)
		return float_to_shortest_decimal_buf(DatumGetFloat4(value), out);
	return double_to_shortest_decimal_buf(DatumGetFloat8(value), out);
}

static void
decode_float(ScyllaConverter *converter, cql_cell cell, JsonbValue *out)
{
	char *text = palloc(SCYLLA_FLOAT_TEXT_SIZE);
	int len = scylla_json_print_float(converter, cell, text);

	/* NaN and the infinities */
	if (text[len - 1] < '0' || text[len - 1] > '9')
	{
		set_string(out, text, len);
		return;
	}
	out->type = jbvNumeric;
	out->val.numeric = DatumGetNumeric(DirectFunctionCall3(
		numeric_in, CStringGetDatum(text), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

static bool
read_special(const char *text, double *out)
{
	if (strcmp(text, "NaN") == 0)
		*out = get_float8_nan();
	else if (strcmp(text, "Infinity") == 0)
		*out = get_float8_infinity();
	else if (strcmp(text, "-Infinity") == 0)
		*out = -get_float8_infinity();
	else
		return false;
	return true;
}

/* To the nearest, as CQL reads decimal digits; what becomes infinite or zero is out of range. */
static void
encode_float(ScyllaConverter *converter, const JsonbValue *value, StringInfo out)
{
	bool is_single = converter->cql->id == CQL_TYPE_FLOAT;
	char *text = get_number_text(converter, value);
	double number = 0;

	if (is_number(text))
	{
		errno = 0;
		number = is_single ? (double) strtof(text, NULL) : strtod(text, NULL);
		if (errno == ERANGE && (number == 0 || isinf(number)))
			scylla_convert_raise(converter, &scylla_fault_number_range);
	}
	else if (!read_special(text, &number))
		raise_malformed(converter, "a number, NaN, Infinity or -Infinity");
	encode_carrier(converter, is_single ? Float4GetDatum((float) number) : Float8GetDatum(number),
				   out);
}

/* ---- boolean ---- */

static void
decode_boolean(ScyllaConverter *converter, cql_cell cell, JsonbValue *out)
{
	out->type = jbvBool;
	out->val.boolean = DatumGetBool(converter->decode(converter, cell));
}

static void
encode_boolean(ScyllaConverter *converter, const JsonbValue *value, StringInfo out)
{
	bool boolean = value->type == jbvBool && value->val.boolean;

	if (value->type != jbvBool)
	{
		char *text = copy_string(get_string(converter, value, "a boolean"));

		boolean = strcmp(text, "true") == 0;
		if (!boolean && strcmp(text, "false") != 0)
			raise_malformed(converter, "true or false");
	}
	encode_carrier(converter, BoolGetDatum(boolean), out);
}

/* ---- blob ---- */

static const char blob_notation[] = "a blob: 0x and hexadecimal digits in pairs";

static void
decode_blob(ScyllaConverter *converter, cql_cell cell, JsonbValue *out)
{
	static const char digits[] = "0123456789abcdef";
	char *text = palloc(2 + 2 * (Size) cell.len);

	text[0] = '0';
	text[1] = 'x';
	for (int32 i = 0; i < cell.len; i++)
	{
		text[2 + 2 * (Size) i] = digits[cell.data[i] >> 4];
		text[3 + 2 * (Size) i] = digits[cell.data[i] & 0xF];
	}
	set_string(out, text, 2 + 2 * cell.len);
}

/* -1: no hexadecimal digit. */
static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* len pairs of digits; false: they are none. */
static bool
read_hex(const char *text, int len, uint8 *out)
{
	int bad = 0;

	for (int i = 0; i < len; i++)
	{
		int high = hex_digit(text[2 * i]);
		int low = hex_digit(text[2 * i + 1]);

		bad |= high | low;
		out[i] = (uint8) ((high & 0xF) << 4 | (low & 0xF));
	}
	return bad >= 0;
}

static void
encode_blob(ScyllaConverter *converter, const JsonbValue *value, StringInfo out)
{
	ScyllaText text = get_string(converter, value, "a string");
	int len = text.len / 2 - 1;

	if (converter->cql->id == CQL_TYPE_CUSTOM)
		scylla_convert_raise(converter, &fault_read_only);
	if (text.len < 2 || text.len % 2 != 0 || text.data[0] != '0' ||
		(text.data[1] != 'x' && text.data[1] != 'X') ||
		!read_hex(text.data + 2, len, scylla_cell_append(out, len)))
		raise_malformed(converter, blob_notation);
}

/* ---- uuid, inet ---- */

static void
decode_uuid(ScyllaConverter *converter, cql_cell cell, JsonbValue *out)
{
	char *text = DatumGetCString(DirectFunctionCall1(uuid_out, converter->decode(converter, cell)));

	set_string(out, text, (int) strlen(text));
}

static void
encode_uuid(ScyllaConverter *converter, const JsonbValue *value, StringInfo out)
{
	static const int group_ends[] = {8, 13, 18, 23};
	ScyllaText text = get_string(converter, value, "a string");
	char digits[2 * UUID_LEN];
	pg_uuid_t uuid;
	int group = 0;
	int count = 0;

	for (int i = 0; i < text.len && text.len == 36; i++)
	{
		if (group < (int) lengthof(group_ends) && i == group_ends[group] && text.data[i] == '-')
			group++;
		else if (count < (int) sizeof(digits))
			digits[count++] = text.data[i];
	}
	if (group != lengthof(group_ends) || count != sizeof(digits) ||
		!read_hex(digits, UUID_LEN, uuid.data))
		raise_malformed(converter, "a uuid");
	encode_carrier(converter, UUIDPGetDatum(&uuid), out);
}

static void
decode_inet(ScyllaConverter *converter, cql_cell cell, JsonbValue *out)
{
	Datum address = converter->decode(converter, cell);
	char *host = TextDatumGetCString(DirectFunctionCall1(network_host, address));

	set_string(out, host, (int) strlen(host));
}

static void
encode_inet(ScyllaConverter *converter, const JsonbValue *value, StringInfo out)
{
	char *text = copy_string(get_string(converter, value, "a string"));
	bool is_v6 = strchr(text, ':') != NULL;
	uint8 bytes[16];
	int bits = pg_inet_net_pton(is_v6 ? PGSQL_AF_INET6 : PGSQL_AF_INET, text, bytes, -1);
	int len = is_v6 ? 16 : 4;

	/* It takes addresses with a mask, and short ones such as 10.1, which are networks. */
	if (bits != 8 * len || strchr(text, '/') != NULL)
		raise_malformed(converter, "an address");
	memcpy(scylla_cell_append(out, len), bytes, len);
}

/* ---- timestamp, date, time ---- */

static void
decode_timestamp(ScyllaConverter *converter, cql_cell cell, JsonbValue *out)
{
	char *text = palloc(SCYLLA_TIME_TEXT_SIZE);
	int64_t ms;

	if (!cql_read_i64(cell, &ms))
		scylla_convert_raise(converter, &scylla_fault_malformed);
	set_string(out, text, scylla_json_print_timestamp(ms, text));
}

static void
decode_date(ScyllaConverter *converter, cql_cell cell, JsonbValue *out)
{
	char *text = palloc(SCYLLA_TIME_TEXT_SIZE);
	int32_t days;

	if (!cql_read_date(cell, &days))
		scylla_convert_raise(converter, &scylla_fault_malformed);
	set_string(out, text, scylla_json_print_date(days, text));
}

static void
decode_time(ScyllaConverter *converter, cql_cell cell, JsonbValue *out)
{
	char *text = palloc(SCYLLA_TIME_TEXT_SIZE);
	int64_t ns;

	if (!cql_read_time(cell, &ns))
		scylla_convert_raise(converter, &scylla_fault_malformed);
	set_string(out, text, scylla_json_print_time(ns, text));
}

/* Raises what a parser found wrong. */
static void
check_parse(const ScyllaConverter *converter, ScyllaTimeParse parse, const char *expected,
			const ScyllaFault *range, const ScyllaFault *excess)
{
	switch (parse)
	{
		case SCYLLA_TIME_OK:
			return;
		case SCYLLA_TIME_MALFORMED:
			raise_malformed(converter, expected);
		case SCYLLA_TIME_RANGE:
			scylla_convert_raise(converter, range);
		case SCYLLA_TIME_EXCESS:
			if (!converter->is_excess_truncated)
				scylla_convert_raise(converter, excess);
	}
}

static void
encode_timestamp(ScyllaConverter *converter, const JsonbValue *value, StringInfo out)
{
	ScyllaTimeParse parse;
	int64 ms;

	if (value->type == jbvNumeric)
	{
		Datum number = NumericGetDatum(value->val.numeric);
		ScyllaFit fit = scylla_numeric_to_int64(number, SCYLLA_ROUND_DOWN, &ms);

		parse = fit == SCYLLA_FIT_EXACT     ? SCYLLA_TIME_OK
				: fit == SCYLLA_FIT_ROUNDED ? SCYLLA_TIME_EXCESS
											: SCYLLA_TIME_RANGE;
	}
	else
		parse = scylla_json_parse_timestamp(
			get_string(converter, value, "a string, or a number of milliseconds,"), &ms);
	check_parse(converter, parse, "a timestamp such as 2025-01-31 23:59:59.999Z",
				&fault_timestamp_range, &fault_timestamp_excess);
	cql_put_u64(scylla_cell_append(out, sizeof(ms)), (uint64) ms);
}

static void
encode_date(ScyllaConverter *converter, const JsonbValue *value, StringInfo out)
{
	int32 days;
	ScyllaTimeParse parse = scylla_json_parse_date(get_string(converter, value, "a string"), &days);

	check_parse(converter, parse, "a date such as 2025-01-31", &fault_date_range, NULL);
	/* 1970-01-01 is 2^31 on the wire. */
	cql_put_u32(scylla_cell_append(out, sizeof(days)), (uint32) days ^ ((uint32) 1 << 31));
}

static void
encode_time(ScyllaConverter *converter, const JsonbValue *value, StringInfo out)
{
	int64 ns;
	ScyllaTimeParse parse = scylla_json_parse_time(get_string(converter, value, "a string"), &ns);

	check_parse(converter, parse, "a time such as 23:59:59.999999999", &fault_time_range,
				&fault_time_excess);
	cql_put_u64(scylla_cell_append(out, sizeof(ns)), (uint64) ns);
}

/* ---- the table ---- */

static const ScyllaJsonForm forms[] = {
	{CQL_TYPE_ASCII, TEXTOID, decode_text, encode_text},
	{CQL_TYPE_TEXT, TEXTOID, decode_text, encode_text},
	{CQL_TYPE_DURATION, TEXTOID, decode_duration, encode_text},
	{CQL_TYPE_TINYINT, NUMERICOID, decode_number, encode_number},
	{CQL_TYPE_SMALLINT, NUMERICOID, decode_number, encode_number},
	{CQL_TYPE_INT, NUMERICOID, decode_number, encode_number},
	{CQL_TYPE_BIGINT, NUMERICOID, decode_number, encode_number},
	{CQL_TYPE_COUNTER, NUMERICOID, decode_number, encode_number},
	{CQL_TYPE_VARINT, NUMERICOID, decode_number, encode_number},
	{CQL_TYPE_DECIMAL, NUMERICOID, decode_number, encode_number},
	{CQL_TYPE_FLOAT, FLOAT4OID, decode_float, encode_float},
	{CQL_TYPE_DOUBLE, FLOAT8OID, decode_float, encode_float},
	{CQL_TYPE_BOOLEAN, BOOLOID, decode_boolean, encode_boolean},
	{CQL_TYPE_BLOB, BYTEAOID, decode_blob, encode_blob},
	{CQL_TYPE_CUSTOM, BYTEAOID, decode_blob, encode_blob},
	{CQL_TYPE_UUID, UUIDOID, decode_uuid, encode_uuid},
	{CQL_TYPE_TIMEUUID, UUIDOID, decode_uuid, encode_uuid},
	{CQL_TYPE_INET, INETOID, decode_inet, encode_inet},
	{CQL_TYPE_TIMESTAMP, TIMESTAMPTZOID, decode_timestamp, encode_timestamp},
	{CQL_TYPE_DATE, DATEOID, decode_date, encode_date},
	{CQL_TYPE_TIME, TIMEOID, decode_time, encode_time},
};

const ScyllaJsonForm *
scylla_json_form(cql_type_id cql)
{
	for (int i = 0; i < (int) lengthof(forms); i++)
		if (forms[i].cql == cql)
			return &forms[i];
	elog(ERROR, "CQL type %d has no form in JSON", (int) cql);
}
