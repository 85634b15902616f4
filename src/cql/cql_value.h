/*
 * CQL types and cells: the vocabulary that the driver shares with its users.
 *
 * A cell is the bytes of one column of one row as they came from the wire: a view, owned by
 * the result it was read from. A value is what those bytes mean. The codecs here turn one into
 * the other without allocating; they never read beyond the cell and never trust its length.
 *
 * Sources: CQL native protocol v4, section 6 (types); Cassandra's marshal classes for names.
 */
#ifndef CQL_VALUE_H
#define CQL_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Type codes of the protocol's [option] (v4, section 4.2.5.2); VECTOR and EMPTY are ours. */
typedef enum cql_type_id
{
	CQL_TYPE_CUSTOM = 0x0000,
	CQL_TYPE_ASCII = 0x0001,
	CQL_TYPE_BIGINT = 0x0002,
	CQL_TYPE_BLOB = 0x0003,
	CQL_TYPE_BOOLEAN = 0x0004,
	CQL_TYPE_COUNTER = 0x0005,
	CQL_TYPE_DECIMAL = 0x0006,
	CQL_TYPE_DOUBLE = 0x0007,
	CQL_TYPE_FLOAT = 0x0008,
	CQL_TYPE_INT = 0x0009,
	CQL_TYPE_TIMESTAMP = 0x000B,
	CQL_TYPE_UUID = 0x000C,
	CQL_TYPE_TEXT = 0x000D,
	CQL_TYPE_VARINT = 0x000E,
	CQL_TYPE_TIMEUUID = 0x000F,
	CQL_TYPE_INET = 0x0010,
	CQL_TYPE_DATE = 0x0011,
	CQL_TYPE_TIME = 0x0012,
	CQL_TYPE_SMALLINT = 0x0013,
	CQL_TYPE_TINYINT = 0x0014,
	CQL_TYPE_DURATION = 0x0015,
	CQL_TYPE_LIST = 0x0020,
	CQL_TYPE_MAP = 0x0021,
	CQL_TYPE_SET = 0x0022,
	CQL_TYPE_UDT = 0x0030,
	CQL_TYPE_TUPLE = 0x0031,
	CQL_TYPE_VECTOR = 0x10000
} cql_type_id;

/* Deeper nesting than this is refused when a type is parsed, so that no walk over a type tree
 * (or over a cell of that type) can exhaust the stack. Real schemas stay below ten. */
#define CQL_TYPE_MAX_DEPTH 64

/*
 * A type tree. Immutable. Owned by the result or statement whose metadata it belongs to, or by
 * the cql_type_arena that parsed it.
 */
typedef struct cql_type cql_type;
struct cql_type
{
	cql_type_id id;
	bool is_frozen;         /* known only from schema text; the wire does not tell */
	uint32_t element_count; /* list, set, vector 1; map 2; tuple, UDT: its fields; else 0 */
	uint32_t dimension;     /* vector: number of elements */
	const cql_type *const *elements;
	const char *const *field_names; /* UDT */
	const char *keyspace;           /* UDT, may be NULL when parsed from schema text */
	const char *name;               /* UDT's name; custom type's class; else NULL */
};

/* The CQL name of a scalar type ("bigint"), or NULL for ids that are not scalar. */
extern const char *cql_type_id_name(cql_type_id id);

/*
 * Write the type as CQL spells it ("frozen<map<text, int>>", "vector<float, 3>", a UDT by its
 * name, a custom type as 'class'); always ends in NUL, cut if it does not fit. with_frozen tells
 * whether frozen<> is written, since metadata from the wire does not know it.
 * Returns the length that the whole text has.
 */
extern size_t cql_type_print(const cql_type *type, bool with_frozen, char *buf, size_t size);

/*
 * Same type, apart from frozen (which the wire does not carry) and from what a UDT leaves open: a
 * keyspace that is NULL, fields of a node that has none (as from schema text).
 */
extern bool cql_type_equal(const cql_type *a, const cql_type *b);

/*
 * Parse CQL's spelling of a type, as in system_schema.columns.type: a UDT becomes a UDT node
 * without fields (its name only, keyspace NULL unless the text names it), 'a.java.Class' in
 * quotes the type that the class stands for, else a custom type. Memory comes from the arena.
 * NULL if the text is malformed or nested too deep, or out of memory.
 */
typedef struct cql_type_arena cql_type_arena;
extern cql_type_arena *cql_type_arena_new(void);
extern void cql_type_arena_free(cql_type_arena *arena);
extern const cql_type *cql_type_parse(cql_type_arena *arena, const char *text);

/* Bytes of one column. len -1 is CQL null; len 0 is an empty value, which is something else. */
typedef struct cql_cell
{
	const uint8_t *data;
	int32_t len;
} cql_cell;

#define CQL_CELL_NULL (-1)
/* In bind values only: leave the column as it is (v4, section 6.2). */
#define CQL_CELL_UNSET (-2)
/* The length that stands before the bytes of a [value]. */
#define CQL_VALUE_HEADER_BYTES 4

static inline bool
cql_cell_is_null(cql_cell cell)
{
	return cell.len < 0;
}

/* Big-endian primitives, for readers and writers of cells. */
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define CQL_WIRE_ORDER_32(v) (v)
#define CQL_WIRE_ORDER_64(v) (v)
#else
#define CQL_WIRE_ORDER_32(v) __builtin_bswap32(v)
#define CQL_WIRE_ORDER_64(v) __builtin_bswap64(v)
#endif

static inline uint16_t
cql_get_u16(const uint8_t *p)
{
	return (uint16_t) (((uint16_t) p[0] << 8) | p[1]);
}

static inline uint32_t
cql_get_u32(const uint8_t *p)
{
	uint32_t v;

	__builtin_memcpy(&v, p, sizeof v);
	return CQL_WIRE_ORDER_32(v);
}

static inline uint64_t
cql_get_u64(const uint8_t *p)
{
	uint64_t v;

	__builtin_memcpy(&v, p, sizeof v);
	return CQL_WIRE_ORDER_64(v);
}

static inline void
cql_put_u16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t) (v >> 8);
	p[1] = (uint8_t) v;
}

static inline void
cql_put_u32(uint8_t *p, uint32_t v)
{
	v = CQL_WIRE_ORDER_32(v);
	__builtin_memcpy(p, &v, sizeof v);
}

static inline void
cql_put_u64(uint8_t *p, uint64_t v)
{
	v = CQL_WIRE_ORDER_64(v);
	__builtin_memcpy(p, &v, sizeof v);
}

/*
 * Readers of scalar cells. Each is false, and leaves *out alone, when the cell's length or
 * content is not a value of that type. A null or empty cell is the caller's to tell apart first.
 */
extern bool cql_read_bool(cql_cell cell, bool *out);
extern bool cql_read_i8(cql_cell cell, int8_t *out);
extern bool cql_read_i16(cql_cell cell, int16_t *out);

/* Inline, as those of most cells. */
static inline bool
cql_read_i32(cql_cell cell, int32_t *out)
{
	if (cell.len != 4)
		return false;
	*out = (int32_t) cql_get_u32(cell.data);
	return true;
}

static inline bool
cql_read_i64(cql_cell cell, int64_t *out)
{
	if (cell.len != 8)
		return false;
	*out = (int64_t) cql_get_u64(cell.data);
	return true;
}

extern bool cql_read_float(cql_cell cell, float *out); /* every NaN payload is kept */
extern bool cql_read_double(cql_cell cell, double *out);
/* date: days since 1970-01-01, the protocol's bias of 2^31 taken off */
extern bool cql_read_date(cql_cell cell, int32_t *days);
/* time: nanoseconds since midnight, 0 .. 86399999999999 */
extern bool cql_read_time(cql_cell cell, int64_t *nanoseconds);

/* CQL's duration: three numbers that do not convert into each other; all of one sign. */
typedef struct cql_duration
{
	int32_t months;
	int32_t days;
	int64_t nanoseconds;
} cql_duration;

extern bool cql_read_duration(cql_cell cell, cql_duration *out);

/* Three vints of at most 5 + 5 + 9 bytes. Returns the length written. */
#define CQL_DURATION_MAX_LEN 19
extern size_t cql_write_duration(const cql_duration *duration, uint8_t *out);

/*
 * decimal: an unscaled varint (two's complement, big-endian, not always minimal) and a scale,
 * value = unscaled * 10^-scale. *unscaled views into the cell.
 */
extern bool cql_read_decimal(cql_cell cell, int32_t *scale, cql_cell *unscaled);

/* [unsigned vint] (v5, section 3), which tells the length of a vector's elements. Returns the
 * length written. */
#define CQL_VINT_MAX_LEN 9
extern size_t cql_write_unsigned_vint(uint64_t value, uint8_t *out);

/*
 * Length of each value of a type whose elements a vector stores without their lengths; 0: they
 * have lengths. Tells nothing about other uses of the type: Cassandra counts tinyint, smallint,
 * date and time among the latter.
 */
extern uint32_t cql_type_fixed_len(const cql_type *type);

/*
 * Walks a cell of a list, set or vector (its elements), of a map (key, value, key, value...), of a
 * tuple or UDT (its fields: those that the cell leaves out at its end are null, and bytes behind
 * the last known field are passed over, for they belong to newer fields).
 */
typedef struct cql_elements
{
	const uint8_t *next;
	const uint8_t *end;
	uint32_t left; /* elements still to come */
	cql_type_id id;
	uint32_t fixed_len; /* vector: of each element; 0: each tells its own */
} cql_elements;

/* False: malformed. left may then size an allocation: it is the type's own count of fields, or no
 * more than the cell has bytes. */
extern bool cql_elements_begin(const cql_type *type, cql_cell cell, cql_elements *out);
/* While left is not 0. False: malformed, also when bytes are left behind the last element. */
extern bool cql_elements_next(cql_elements *elements, cql_cell *element);

/*
 * Partition keys as the ring knows them: the cells of the partition key's columns, in its order,
 * become one string of bytes, and that a token. (Protocol v4 says nothing of it: Cassandra's
 * CompositeType and Murmur3Partitioner do, and ScyllaDB does the same.)
 */

/* The length of the serialized key; false: a component is null, or the key longer than 65535. */
extern bool cql_key_measure(const cql_cell *components, int count, size_t *len);

/* Write it, where it was measured before. */
extern void cql_key_write(const cql_cell *components, int count, uint8_t *out);

/* (start, end] on the ring, as in token(k) > start AND token(k) <= end. */
typedef struct cql_token_range
{
	int64_t start;
	int64_t end;
} cql_token_range;

/* The index-th of so many parts of the whole ring that have as many tokens. */
extern cql_token_range cql_ring_part(uint32_t index, uint32_t count);

/* The place of a serialized key on the ring, as CQL's token() tells it. */
extern int64_t cql_key_token(const uint8_t *key, size_t len);

/* Likewise of a stream in one of ScyllaDB's CDC logs: its id begins with the token. */
extern int64_t cql_stream_token(const uint8_t *id, size_t len);

#endif /* CQL_VALUE_H */
