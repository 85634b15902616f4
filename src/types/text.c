/*
 * ascii and text, as text, varchar, json, jsonb, xml and enums.
 *
 * CQL's text is UTF-8 and may hold zero bytes; PostgreSQL's is valid in the database's encoding
 * and holds none. What does not go over unchanged is an error.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "compat.h"
#include "types/convert.h"

static const ScyllaFault fault_utf8 = {ERRCODE_CHARACTER_NOT_IN_REPERTOIRE, "invalid UTF-8",
									   "The server sent text that is not UTF-8.", NULL};
static const ScyllaFault fault_stored_utf8 = {ERRCODE_CHARACTER_NOT_IN_REPERTOIRE, "invalid UTF-8",
											  "CQL's text is UTF-8.", NULL};
static const ScyllaFault fault_zero = {ERRCODE_CHARACTER_NOT_IN_REPERTOIRE, "zero byte",
									   "PostgreSQL's text cannot hold it.", NULL};
static const ScyllaFault fault_ascii = {ERRCODE_CHARACTER_NOT_IN_REPERTOIRE,
										"character outside ASCII", NULL, NULL};

static bool
is_ascii(const char *data, int len)
{
	uint8 bits = 0;

	for (int i = 0; i < len; i++)
		bits |= (uint8) data[i];
	return (bits & 0x80) == 0;
}

#define HIGH_BITS UINT64CONST(0x8080808080808080)

/* Copy eight bytes; high bits are set in what it gives unless all are 0x01 … 0x7F. */
static inline uint64
copy_word(char *out, const char *data)
{
	uint64 word;

	memcpy(&word, data, sizeof(word));
	memcpy(out, &word, sizeof(word));
	/* 0x80 less such a byte has no high bit, 0x80 less zero has. */
	return word | (HIGH_BITS - word);
}

/*
 * Copy text and tell whether it is ASCII without a zero byte, as most is: in one pass, of words
 * whose last may overlap the one before.
 */
static inline bool
copy_plain(char *out, const char *data, int len)
{
	const int step = sizeof(uint64);
	uint64 bad = 0;

	if (len < step)
	{
		for (int i = 0; i < len; i++)
		{
			out[i] = data[i];
			bad |= (signed char) data[i] <= 0;
		}
		return bad == 0;
	}
	for (int at = 0; at < len - step; at += step)
		bad |= copy_word(out + at, data + at);
	return ((bad | copy_word(out + len - step, data + len - step)) & HIGH_BITS) == 0;
}

static void
verify_cell(const ScyllaConverter *converter, cql_cell cell)
{
	const char *data = (const char *) cell.data;
	int valid = pg_encoding_verifymbstr(PG_UTF8, data, cell.len);

	if (valid < cell.len)
		scylla_convert_raise(converter, data[valid] == '\0' ? &fault_zero : &fault_utf8);
	if (converter->pair->cql == CQL_TYPE_ASCII && !is_ascii(data, cell.len))
		scylla_convert_raise(converter, &fault_ascii);
}

ScyllaText
scylla_text_from_cell(ScyllaConverter *converter, cql_cell cell)
{
	ScyllaText result = {(const char *) cell.data, cell.len};
	ErrorContextCallback callback;

	verify_cell(converter, cell);
	if (GetDatabaseEncoding() == PG_UTF8 || cell.len == 0)
		return result;
	scylla_convert_enter(&callback, converter);
	result.data = pg_any_to_server(result.data, cell.len, PG_UTF8);
	scylla_convert_leave(&callback);
	if (result.data != (const char *) cell.data)
		result.len = strlen(result.data);
	return result;
}

/* Text that is not plain, of which a copy was made. */
static pg_noinline Datum
finish_text(ScyllaConverter *converter, cql_cell cell, text *copy)
{
	ScyllaText server = scylla_text_from_cell(converter, cell);

	if (server.data == (const char *) cell.data)
		return PointerGetDatum(copy);
	return PointerGetDatum(cstring_to_text_with_len(server.data, server.len));
}

Datum
scylla_decode_text(ScyllaConverter *converter, cql_cell cell)
{
	text *result = palloc(VARHDRSZ + cell.len);

	SET_VARSIZE(result, VARHDRSZ + cell.len);
	/* Every encoding of a database has plain ASCII as it is. */
	if (copy_plain(VARDATA(result), (const char *) cell.data, cell.len))
		return PointerGetDatum(result);
	return finish_text(converter, cell, result);
}

/* Through the input function of a type whose values are written as text. */
static Datum
decode_document(ScyllaConverter *converter, cql_cell cell, PGFunction input)
{
	ScyllaText server = scylla_text_from_cell(converter, cell);
	ErrorContextCallback callback;
	Datum result;

	scylla_convert_enter(&callback, converter);
	result = DirectFunctionCall1(input, CStringGetDatum(pnstrdup(server.data, server.len)));
	scylla_convert_leave(&callback);
	return result;
}

Datum
scylla_decode_json(ScyllaConverter *converter, cql_cell cell)
{
	return decode_document(converter, cell, json_in);
}

Datum
scylla_decode_jsonb(ScyllaConverter *converter, cql_cell cell)
{
	return decode_document(converter, cell, jsonb_in);
}

Datum
scylla_decode_xml(ScyllaConverter *converter, cql_cell cell)
{
	return decode_document(converter, cell, xml_in);
}

Datum
scylla_decode_enum(ScyllaConverter *converter, cql_cell cell)
{
	ScyllaText label = scylla_text_from_cell(converter, cell);
	ErrorContextCallback callback;
	Datum result;

	scylla_convert_enter(&callback, converter);
	result = DirectFunctionCall2(enum_in, CStringGetDatum(pnstrdup(label.data, label.len)),
								 ObjectIdGetDatum(converter->base_type));
	scylla_convert_leave(&callback);
	return result;
}

/* ---- encoding ---- */

static bool
server_to_utf8(ScyllaConverter *converter, ScyllaText *text)
{
	ErrorContextCallback callback;
	char *converted;

	if (GetDatabaseEncoding() == PG_UTF8 || text->len == 0)
		return true;
	/* No conversion, and nobody has checked the bytes. */
	if (GetDatabaseEncoding() == PG_SQL_ASCII)
		return pg_encoding_verifymbstr(PG_UTF8, text->data, text->len) == text->len;
	scylla_convert_enter(&callback, converter);
	converted = pg_server_to_any(text->data, text->len, PG_UTF8);
	scylla_convert_leave(&callback);
	if (converted != text->data)
		*text = (ScyllaText) {converted, strlen(converted)};
	return true;
}

bool
scylla_text_to_utf8(ScyllaConverter *converter, Datum value, ScyllaText *out)
{
	text *data = DatumGetTextPP(value);

	*out = (ScyllaText) {VARDATA_ANY(data), VARSIZE_ANY_EXHDR(data)};
	return server_to_utf8(converter, out);
}

static void
append_text(StringInfo out, ScyllaText text)
{
	memcpy(scylla_cell_append(out, text.len), text.data, text.len);
}

ScyllaFit
scylla_encode_text(ScyllaConverter *converter, Datum value, ScyllaRound round, StringInfo out)
{
	ScyllaText text;

	if (!scylla_text_to_utf8(converter, value, &text))
		return scylla_convert_misfit(converter, round, SCYLLA_FIT_NONE, &fault_stored_utf8);
	append_text(out, text);
	return SCYLLA_FIT_EXACT;
}

ScyllaFit
scylla_encode_ascii(ScyllaConverter *converter, Datum value, ScyllaRound round, StringInfo out)
{
	text *data = DatumGetTextPP(value);
	ScyllaText text = {VARDATA_ANY(data), VARSIZE_ANY_EXHDR(data)};

	if (!is_ascii(text.data, text.len))
		return scylla_convert_misfit(converter, round, SCYLLA_FIT_NONE, &fault_ascii);
	append_text(out, text);
	return SCYLLA_FIT_EXACT;
}

ScyllaFit
scylla_encode_jsonb(ScyllaConverter *converter, Datum value, ScyllaRound round, StringInfo out)
{
	Jsonb *json = DatumGetJsonbP(value);
	StringInfoData printed;
	ScyllaText text;

	initStringInfo(&printed);
	JsonbToCString(&printed, &json->root, VARSIZE(json));
	text = (ScyllaText) {printed.data, printed.len};
	if (!server_to_utf8(converter, &text))
		return scylla_convert_misfit(converter, round, SCYLLA_FIT_NONE, &fault_stored_utf8);
	if (converter->pair->cql == CQL_TYPE_ASCII && !is_ascii(text.data, text.len))
		return scylla_convert_misfit(converter, round, SCYLLA_FIT_NONE, &fault_ascii);
	append_text(out, text);
	return SCYLLA_FIT_EXACT;
}

ScyllaFit
scylla_encode_enum(ScyllaConverter *converter, Datum value, ScyllaRound round, StringInfo out)
{
	const char *label = DatumGetCString(DirectFunctionCall1(enum_out, value));
	Datum text = PointerGetDatum(cstring_to_text(label));

	if (converter->pair->cql == CQL_TYPE_ASCII)
		return scylla_encode_ascii(converter, text, round, out);
	return scylla_encode_text(converter, text, round, out);
}
