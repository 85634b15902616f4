/*
 * Cursors over bytes in the protocol's notation (v4, section 3).
 *
 * Both are sticky: the first failure empties a reader's window (later reads give zero, NULL or
 * empty) or stops a writer, and is asked for once at the end. One rule goes with that: a loop
 * over a count that came from the wire must test `failed` in each turn, or four forged bytes
 * cost a billion turns; and no allocation is sized by such a count before cql_reader_fits().
 */
#ifndef CQL_WIRE_BYTES_H
#define CQL_WIRE_BYTES_H

#include "cql/cql_value.h"

typedef struct cql_reader
{
	const uint8_t *pos;
	const uint8_t *end;
	bool failed;
} cql_reader;

/* A string of the wire: a view, without NUL at its end. */
typedef struct cql_view
{
	const char *data;
	size_t len;
} cql_view;

/* Is it that word of small ASCII letters, in any case? In every locale the same, other than
 * strncasecmp(). */
extern bool cql_view_is_word(cql_view view, const char *word);

/* data may be NULL when len is 0; the reader then stands on an empty block, never on NULL. */
static inline cql_reader
cql_reader_over(const void *data, size_t len)
{
	const uint8_t *start = data != NULL ? (const uint8_t *) data : (const uint8_t *) "";

	return (cql_reader) {.pos = start, .end = start + len};
}

static inline size_t
cql_reader_left(const cql_reader *reader)
{
	return (size_t) (reader->end - reader->pos);
}

extern void cql_reader_fail(cql_reader *reader);

/* Do count items of at least item_len (> 0) bytes fit into what is left? Fails it if not. */
extern bool cql_reader_fits(cql_reader *reader, int64_t count, size_t item_len);

extern uint8_t cql_read_byte(cql_reader *reader);
extern uint16_t cql_read_short(cql_reader *reader);
extern int32_t cql_read_int(cql_reader *reader);
extern int64_t cql_read_long(cql_reader *reader);
extern uint64_t cql_read_unsigned_vint(cql_reader *reader);         /* v5, section 3 */
extern const uint8_t *cql_read_raw(cql_reader *reader, size_t len); /* NULL once failed */
extern cql_view cql_read_string(cql_reader *reader);                /* [string] */
extern cql_view cql_read_long_string(cql_reader *reader);           /* [long string] */
extern cql_view cql_read_short_bytes(cql_reader *reader);           /* [short bytes] */
extern cql_cell cql_read_bytes(cql_reader *reader); /* [bytes]: any negative length is null */

/*
 * Growing writer over cql_mem. The block is the writer's until cql_writer_take() hands it over.
 * Lengths above what the notation can carry (a [string] of 64 KiB) fail it too.
 */
typedef struct cql_writer
{
	uint8_t *data;
	size_t len;
	size_t capacity;
	bool failed;
} cql_writer;

extern void cql_writer_init(cql_writer *writer);
extern void cql_writer_cleanup(cql_writer *writer);
extern uint8_t *cql_writer_take(cql_writer *writer, size_t *len); /* NULL if failed; caller frees */
extern void cql_writer_reserve(cql_writer *writer, size_t extra);

extern void cql_write_byte(cql_writer *writer, uint8_t value);
extern void cql_write_short(cql_writer *writer, uint16_t value);
extern void cql_write_int(cql_writer *writer, int32_t value);
extern void cql_write_long(cql_writer *writer, int64_t value);
extern void cql_write_raw(cql_writer *writer, const void *data, size_t len);
extern void cql_write_string(cql_writer *writer, const char *text);      /* [string] */
extern void cql_write_long_string(cql_writer *writer, const char *text); /* [long string] */
extern void cql_write_short_bytes(cql_writer *writer, const void *data, size_t len);
extern void cql_write_bytes(cql_writer *writer, const void *data, int32_t len); /* len -1: null */

#endif /* CQL_WIRE_BYTES_H */
