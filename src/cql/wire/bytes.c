/*
 * Cursors over bytes. All bounds are tested in take() and cql_writer_reserve(), nowhere else;
 * pointers into a reader's window are never formed beyond its end.
 */
#include "cql/wire/bytes.h"

#include <string.h>

#include "cql/mem.h"

/* The first block of a writer: most requests fit into it. */
#define FIRST_CAPACITY 256

bool
cql_view_is_word(cql_view view, const char *word)
{
	for (size_t i = 0; i < view.len; i++)
	{
		char c = view.data[i];

		/* A word that ends here is shorter than the view, which may contain a NUL too. */
		if (word[i] == '\0' || (c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c) != word[i])
			return false;
	}
	return word[view.len] == '\0';
}

void
cql_reader_fail(cql_reader *reader)
{
	reader->pos = reader->end;
	reader->failed = true;
}

static const uint8_t *
take(cql_reader *reader, size_t len)
{
	const uint8_t *bytes = reader->pos;

	/* Once failed, even nothing cannot be read: len 0 would slip through the second test. */
	if (reader->failed || len > cql_reader_left(reader))
	{
		cql_reader_fail(reader);
		return NULL;
	}
	reader->pos += len;
	return bytes;
}

bool
cql_reader_fits(cql_reader *reader, int64_t count, size_t item_len)
{
	if (reader->failed || count < 0 || (uint64_t) count > cql_reader_left(reader) / item_len)
	{
		cql_reader_fail(reader);
		return false;
	}
	return true;
}

uint8_t
cql_read_byte(cql_reader *reader)
{
	const uint8_t *bytes = take(reader, 1);

	return bytes != NULL ? bytes[0] : 0;
}

uint16_t
cql_read_short(cql_reader *reader)
{
	const uint8_t *bytes = take(reader, 2);

	return bytes != NULL ? cql_get_u16(bytes) : 0;
}

int32_t
cql_read_int(cql_reader *reader)
{
	const uint8_t *bytes = take(reader, 4);

	return bytes != NULL ? (int32_t) cql_get_u32(bytes) : 0;
}

int64_t
cql_read_long(cql_reader *reader)
{
	const uint8_t *bytes = take(reader, 8);

	return bytes != NULL ? (int64_t) cql_get_u64(bytes) : 0;
}

/* As many bytes follow the first as it has leading ones; the bits behind them are the number. */
uint64_t
cql_read_unsigned_vint(cql_reader *reader)
{
	uint8_t first = cql_read_byte(reader);
	int extra = first == 0xFF ? 8 : __builtin_clz((uint32_t) (uint8_t) ~first) - 24;
	uint64_t value = extra == 8 ? 0 : first & (0xFFu >> extra);
	const uint8_t *bytes = take(reader, (size_t) extra);

	for (int i = 0; bytes != NULL && i < extra; i++)
		value = value << 8 | bytes[i];
	return bytes != NULL ? value : 0;
}

size_t
cql_write_unsigned_vint(uint64_t value, uint8_t *out)
{
	int extra = 0;

	while (extra < 8 && value >> (7 * (extra + 1)) != 0)
		extra++;
	for (int i = extra; i > 0; i--)
	{
		out[i] = (uint8_t) value;
		value >>= 8;
	}
	out[0] = (uint8_t) (value | (0xFF00u >> extra));
	return (size_t) extra + 1;
}

const uint8_t *
cql_read_raw(cql_reader *reader, size_t len)
{
	return take(reader, len);
}

/* The view's data is never NULL, so that an empty one may be handed to memcpy. */
static cql_view
take_view(cql_reader *reader, size_t len)
{
	const uint8_t *bytes = take(reader, len);

	if (bytes == NULL)
		return (cql_view) {.data = "", .len = 0};
	return (cql_view) {.data = (const char *) bytes, .len = len};
}

cql_view
cql_read_string(cql_reader *reader)
{
	return take_view(reader, cql_read_short(reader));
}

cql_view
cql_read_long_string(cql_reader *reader)
{
	int32_t len = cql_read_int(reader);

	if (len < 0)
		cql_reader_fail(reader);
	return take_view(reader, len < 0 ? 0 : (size_t) len);
}

cql_view
cql_read_short_bytes(cql_reader *reader)
{
	return take_view(reader, cql_read_short(reader));
}

cql_cell
cql_read_bytes(cql_reader *reader)
{
	int32_t len = cql_read_int(reader);
	const uint8_t *bytes = len < 0 ? NULL : take(reader, (size_t) len);

	if (bytes == NULL)
		return (cql_cell) {.data = NULL, .len = CQL_CELL_NULL};
	return (cql_cell) {.data = bytes, .len = len};
}

void
cql_writer_init(cql_writer *writer)
{
	*writer = (cql_writer) {0};
}

void
cql_writer_cleanup(cql_writer *writer)
{
	cql_release(writer->data);
	cql_writer_init(writer);
}

uint8_t *
cql_writer_take(cql_writer *writer, size_t *len)
{
	uint8_t *data;

	/* An empty writer has no block yet, but NULL would mean failure. */
	cql_writer_reserve(writer, 1);
	if (writer->failed)
	{
		*len = 0;
		return NULL;
	}
	data = writer->data;
	*len = writer->len;
	cql_writer_init(writer);
	return data;
}

void
cql_writer_reserve(cql_writer *writer, size_t extra)
{
	size_t wanted;
	size_t capacity;
	uint8_t *data;

	if (writer->failed || extra <= writer->capacity - writer->len)
		return;
	if (extra > SIZE_MAX / 2 - writer->len)
	{
		writer->failed = true;
		return;
	}
	wanted = writer->len + extra;
	capacity = writer->capacity != 0 ? writer->capacity * 2 : FIRST_CAPACITY;
	if (capacity < wanted)
		capacity = wanted;
	data = cql_resize(writer->data, capacity);
	if (data == NULL)
	{
		writer->failed = true;
		return;
	}
	writer->data = data;
	writer->capacity = capacity;
}

/* Room for len more bytes, or NULL. */
static uint8_t *
extend(cql_writer *writer, size_t len)
{
	uint8_t *room;

	cql_writer_reserve(writer, len);
	if (writer->failed)
		return NULL;
	room = writer->data + writer->len;
	writer->len += len;
	return room;
}

void
cql_write_byte(cql_writer *writer, uint8_t value)
{
	uint8_t *room = extend(writer, 1);

	if (room != NULL)
		room[0] = value;
}

void
cql_write_short(cql_writer *writer, uint16_t value)
{
	uint8_t *room = extend(writer, 2);

	if (room != NULL)
		cql_put_u16(room, value);
}

void
cql_write_int(cql_writer *writer, int32_t value)
{
	uint8_t *room = extend(writer, 4);

	if (room != NULL)
		cql_put_u32(room, (uint32_t) value);
}

void
cql_write_long(cql_writer *writer, int64_t value)
{
	uint8_t *room = extend(writer, 8);

	if (room != NULL)
		cql_put_u64(room, (uint64_t) value);
}

void
cql_write_raw(cql_writer *writer, const void *data, size_t len)
{
	uint8_t *room;

	if (len == 0)
		return;
	room = extend(writer, len);
	if (room != NULL)
		memcpy(room, data, len);
}

void
cql_write_string(cql_writer *writer, const char *text)
{
	cql_write_short_bytes(writer, text, strlen(text));
}

void
cql_write_long_string(cql_writer *writer, const char *text)
{
	size_t len = strlen(text);

	if (len > INT32_MAX)
		writer->failed = true;
	else
		cql_write_bytes(writer, text, (int32_t) len);
}

void
cql_write_short_bytes(cql_writer *writer, const void *data, size_t len)
{
	if (len > UINT16_MAX)
	{
		writer->failed = true;
		return;
	}
	cql_write_short(writer, (uint16_t) len);
	cql_write_raw(writer, data, len);
}

void
cql_write_bytes(cql_writer *writer, const void *data, int32_t len)
{
	cql_write_int(writer, len);
	if (len > 0)
		cql_write_raw(writer, data, (size_t) len);
}
