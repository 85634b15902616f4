/*
 * Private to src/types: collections, tuples, UDTs and vectors.
 *
 * A converter of such a type has a child for each element type of the CQL type, so that a tree of
 * converters stands beside the tree of types, no deeper than CQL_TYPE_MAX_DEPTH. A map as an array
 * has one child, of a tuple of key and value: that is what its entries are on the wire.
 */
#ifndef SCYLLA_STRUCTURE_H
#define SCYLLA_STRUCTURE_H

#include "access/tupdesc.h"
#include "types/convert.h"
#include "utils/jsonb.h"

struct ScyllaStructure
{
	int child_count;
	ScyllaConverter **children; /* by element of the CQL type */
	const char **field_names;   /* of a UDT, in the database's encoding */
	bool has_nulls;             /* a tuple's or UDT's fields may be null, other elements not */
	/* arrays */
	Oid element_type;
	int16 element_len;
	bool is_element_by_value;
	char element_align;
	bool is_float_vector; /* of floats as real: whole vectors are turned round at once */
	/* composite types; NULL: record, the value tells */
	TupleDesc descriptor;
	int *attributes; /* index of each child's */
	Datum *values;   /* room for a row */
	bool *nulls;
	/* types of extensions */
	FmgrInfo make;
	FmgrInfo take_apart;
	Oid type_parameter;
};

/* How a scalar stands in JSON. The converter is one between the CQL type and the carrier. */
struct ScyllaJsonForm
{
	cql_type_id cql;
	Oid carrier;
	/* The value; strings may point into the cell. */
	void (*decode)(ScyllaConverter *converter, cql_cell cell, JsonbValue *out);
	/* A scalar other than null, appended as a [value]; raises what does not fit. */
	void (*encode)(ScyllaConverter *converter, const JsonbValue *value, StringInfo out);
};

/* ---- structure.c ---- */

/* Gives a new converter of a structured type its children. */
extern void scylla_structure_build(ScyllaConverter *converter);
/* A converter for an element of the parent's type. In the parent's memory context. */
extern ScyllaConverter *scylla_converter_child(ScyllaConverter *parent, const cql_type *cql,
											   Oid type, int32 typmod);

/* A field's name in the database's encoding; may be the same string. */
extern const char *scylla_field_name(const char *name);

/* Raise malformed. */
extern cql_elements scylla_elements_begin(ScyllaConverter *converter, cql_cell cell);
extern cql_cell scylla_elements_next(ScyllaConverter *converter, cql_elements *elements);

/* Null for an element at the converter's place: raises 22004 where there can be none. */
extern void scylla_element_append_null(const ScyllaConverter *converter, StringInfo out);
/* A value that was appended for an element of a vector: as its cell has it, so without length or
 * with a shorter one. start is where it begins. Nothing for other types. */
extern void scylla_element_trim(const ScyllaConverter *converter, int start, StringInfo out);
/* What an element that does not fit makes of the whole: its beginning is taken back. */
extern ScyllaFit scylla_structure_misfit(int start, StringInfo out);
/* Whether the element was appended, and so the whole can go on. */
extern bool scylla_element_is_done(ScyllaFit fit, ScyllaRound round);

/* ---- which types fit ---- */

extern bool scylla_array_takes(const cql_type *element);
extern bool scylla_array_fits(const cql_type *cql, Oid type, ScyllaPairUse use);
extern bool scylla_entries_fit(const cql_type *map, Oid type, ScyllaPairUse use);
extern bool scylla_composite_fits(const cql_type *cql, Oid type, ScyllaPairUse use);
extern bool scylla_extension_type_fits(const cql_type *cql, Oid type);
/* "hstore", or NULL: no extension that is installed has a type for it. */
extern const char *scylla_extension_type_choice(const cql_type *cql);

/* ---- what structure.c builds with ---- */

extern void scylla_array_build(ScyllaConverter *converter);
extern void scylla_composite_build(ScyllaConverter *converter);
extern void scylla_extension_type_build(ScyllaConverter *converter);

/* ---- array.c, composite.c, extension_type.c ---- */

extern Datum scylla_decode_array(ScyllaConverter *converter, cql_cell cell);
extern Datum scylla_decode_composite(ScyllaConverter *converter, cql_cell cell);
extern Datum scylla_decode_hstore(ScyllaConverter *converter, cql_cell cell);
extern Datum scylla_decode_pgvector(ScyllaConverter *converter, cql_cell cell);
extern ScyllaFit scylla_encode_array(ScyllaConverter *converter, Datum value, ScyllaRound round,
									 StringInfo out);
extern ScyllaFit scylla_encode_composite(ScyllaConverter *converter, Datum value, ScyllaRound round,
										 StringInfo out);
extern ScyllaFit scylla_encode_hstore(ScyllaConverter *converter, Datum value, ScyllaRound round,
									  StringInfo out);
extern ScyllaFit scylla_encode_pgvector(ScyllaConverter *converter, Datum value, ScyllaRound round,
										StringInfo out);

/* ---- json_out.c, json_in.c, json_scalar.c, json_time.c ---- */

extern Datum scylla_decode_structure_jsonb(ScyllaConverter *converter, cql_cell cell);
extern ScyllaFit scylla_encode_structure_jsonb(ScyllaConverter *converter, Datum value,
											   ScyllaRound round, StringInfo out);

extern const ScyllaJsonForm *scylla_json_form(cql_type_id cql);
/* "a number" and the like was expected, the value is another kind of JSON. */
extern void scylla_json_raise_kind(const ScyllaConverter *converter, const JsonbValue *value,
								   const char *expected) __attribute__((noreturn));

/* The shortest text that only this number of a float or double has, or NaN or ±Infinity. */
#define SCYLLA_FLOAT_TEXT_SIZE 32
extern int scylla_json_print_float(ScyllaConverter *converter, cql_cell cell, char *out);

/* CQL's texts of times, beyond what PostgreSQL's types hold. Parsers: false if it is none. */
#define SCYLLA_TIME_TEXT_SIZE 64
extern int scylla_json_print_timestamp(int64 ms, char *out);
extern int scylla_json_print_date(int32 days, char *out);
extern int scylla_json_print_time(int64 ns, char *out);

typedef enum ScyllaTimeParse
{
	SCYLLA_TIME_OK,
	SCYLLA_TIME_MALFORMED,
	SCYLLA_TIME_RANGE,
	SCYLLA_TIME_EXCESS /* digits beyond CQL's were left out */
} ScyllaTimeParse;

extern ScyllaTimeParse scylla_json_parse_timestamp(ScyllaText text, int64 *ms);
extern ScyllaTimeParse scylla_json_parse_date(ScyllaText text, int32 *days);
extern ScyllaTimeParse scylla_json_parse_time(ScyllaText text, int64 *ns);

#endif /* SCYLLA_STRUCTURE_H */
