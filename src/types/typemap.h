/*
 * THE table of type pairs: which PostgreSQL types a CQL type may be declared as, and how values
 * pass between them without changing.
 *
 * IMPORT, the validator of declarations, decoding, encoding, what may be pushed down, and the
 * README's table all come from it. A converter is resolved once per column at executor start;
 * values then pass through two function pointers.
 */
#ifndef SCYLLA_TYPEMAP_H
#define SCYLLA_TYPEMAP_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "fmgr.h"
#include "lib/stringinfo.h"

#include "cql/cql_value.h"

typedef struct ScyllaConverter ScyllaConverter;
typedef struct ScyllaStructure ScyllaStructure;
typedef struct ScyllaJsonForm ScyllaJsonForm;

/*
 * What became of a value on its way into a cell, when it is a bound of a predicate (a value that
 * is to be stored raises an error instead of anything but EXACT).
 */
typedef enum ScyllaFit
{
	SCYLLA_FIT_EXACT,   /* the cell means the same */
	SCYLLA_FIT_ROUNDED, /* the cell is the nearest value in the direction asked for */
	SCYLLA_FIT_BELOW,   /* less than every value of the CQL type; nothing was written */
	SCYLLA_FIT_ABOVE,   /* greater than every value of the CQL type; nothing was written */
	/* No value of the CQL type equals it, and it has no place in their order (non-ASCII text for
	 * ascii, a masked inet); nothing was written. A range with it must be left out of the CQL;
	 * pairs that give NONE for a range are SUPERSET, so its recheck decides. */
	SCYLLA_FIT_NONE
} ScyllaFit;

/* What to do with a value that the CQL type cannot hold exactly. */
typedef enum ScyllaRound
{
	SCYLLA_ROUND_STORE,   /* as is_excess_truncated says, else raise the error of a write */
	SCYLLA_ROUND_NEAREST, /* never raise: tell the fit (for =) */
	SCYLLA_ROUND_DOWN,    /* never raise: greatest value not above (for <= and >) */
	SCYLLA_ROUND_UP       /* never raise: least value not below (for >= and <) */
} ScyllaRound;

/* Made in CurrentMemoryContext, or the cell itself where its bytes are the value's (a uuid). */
typedef Datum (*ScyllaDecode)(ScyllaConverter *converter, cql_cell cell);
/* Appends a [value], that is [int] length and bytes; nothing unless EXACT or ROUNDED. */
typedef ScyllaFit (*ScyllaEncode)(ScyllaConverter *converter, Datum value, ScyllaRound round,
								  StringInfo out);

/* Whether CQL's comparison is PostgreSQL's for a pair; plan/qual.c asks. */
typedef enum ScyllaPushable
{
	SCYLLA_PUSH_EXACT,    /* the same rows */
	SCYLLA_PUSH_SUPERSET, /* CQL may give more rows: recheck */
	SCYLLA_PUSH_NEVER     /* another meaning: stays local */
} ScyllaPushable;

/* One row of the table. */
typedef struct ScyllaTypePair
{
	cql_type_id cql;
	/* Base type: domains are looked through. A polymorphic type stands for all of its kind whose
	 * parts fit those of the CQL type, see typemap.c. */
	Oid type;
	ScyllaDecode decode; /* NULL: for bind values only, no column may be declared so */
	ScyllaEncode encode; /* NULL: read only */
	/*
	 * Predicates between a column of this pair and a value that scylla_type_pair_bind accepts.
	 * An empty cell (legal for most types, sorting before every value) reads as NULL, and the
	 * operators are strict: who sends a condition drops rows whose column then reads as NULL.
	 */
	ScyllaPushable equal;
	ScyllaPushable order;   /* <, <=, >, >=: the clustering order is PostgreSQL's order */
	const char *reason;     /* why one of them is not EXACT, in words for EXPLAIN; else NULL */
	bool needs_c_collation; /* order only under collation "C"; equality under deterministic ones */
} ScyllaTypePair;

/* Which element of a value is being converted: for errors. */
typedef struct ScyllaPlace
{
	uint32 index;
	const char *key; /* of a map, as JSON has it; NULL: not known */
	int key_len;
} ScyllaPlace;

/*
 * Converts between cells of one CQL type and Datums of one PostgreSQL type, for one column or
 * bind value, or for the elements of one. Owned by the memory context it was made in; lives until
 * the end of the scan.
 */
struct ScyllaConverter
{
	const ScyllaTypePair *pair;
	const cql_type *cql;
	ScyllaDecode decode;
	ScyllaEncode encode;
	Oid type; /* as declared: may be a domain */
	Oid base_type;
	int32 typmod;      /* of the base type */
	const char *table; /* local names, for errors; may be NULL */
	const char *column;
	bool is_excess_truncated; /* option excess_precision: truncate rather than error */
	TimestampTz warned_empty; /* the statement in which an empty value was warned of */
	bool is_empty_value;      /* the type has a value of length 0 (text, ascii, blob, custom) */
	bool is_checked; /* typmod or domain: every decoded value passes scylla_converter_check */
	FmgrInfo check_function; /* the type's length coercion; fn_oid 0: none is needed */
	void *check_extra;
	MemoryContext context;
	ScyllaConverter *parent;    /* NULL: for a column or bind value, not for elements of one */
	ScyllaStructure *structure; /* of a collection, tuple, UDT or vector, with its children */
	const ScyllaJsonForm *json; /* for a scalar inside of a jsonb value: in place of the pair */
	ScyllaPlace place;          /* at which of its children it is */
};

typedef struct ScyllaConverterSpec
{
	const cql_type *cql; /* lives as long as the converter */
	Oid type;
	int32 typmod;
	const char *table; /* may be NULL, and column too: a value that belongs to no column */
	const char *column;
	/* Option excess_precision: truncate rather than error. A bind value takes it from the table
	 * too: it tells how the column that it is compared with is read. */
	bool is_excess_truncated;
	/* The values are those of CQL's writetime(): a bigint of µs, which timestamptz holds too. */
	bool is_write_time;
} ScyllaConverterSpec;

/*
 * The row for a column declared so, domains looked through; NULL when it is not in the table. Any
 * composite type goes with a UDT whose fields are not known, as from schema text; the converter
 * looks again.
 */
extern const ScyllaTypePair *scylla_type_pair_find(const cql_type *cql, Oid type);

/*
 * The row that binds a value of the type where it is compared with a column of the pair (narrower
 * and wider integers for any integer column, for example); domains are looked through. NULL: it
 * can't be bound, or PostgreSQL compares the two in a way that CQL can't (a timestamp with a
 * timestamptz: by the session's time zone). What may be pushed is told by the column's own row.
 */
extern const ScyllaTypePair *scylla_type_pair_bind(const ScyllaTypePair *column, Oid type);

/*
 * The row by which a column is compared after a cast or function that keeps its order: an integer
 * as numeric, a timeuuid as its timestamptz. NULL: there is none.
 */
extern const ScyllaTypePair *scylla_type_pair_cast(const cql_type *cql, Oid type);

/* The composite type that stands for a UDT; InvalidOid: none, it becomes jsonb. */
typedef Oid (*ScyllaFindComposite)(const cql_type *udt, void *argument);

/* What IMPORT declares a column as ("timestamp(3) with time zone", "address[]"); find may be NULL. */
extern char *scylla_type_declaration(const cql_type *cql, ScyllaFindComposite find, void *argument);
/* The same without composite types. */
extern const char *scylla_type_default(const cql_type *cql);

/* "integer, bigint, numeric": what a column of that type may be declared as, for a hint. */
extern char *scylla_type_choices(const cql_type *cql);

/* Whether values that CQL's order calls equal are equal bytes: there is no 1.0 beside 1.00, nor 0 beside -0. */
extern bool scylla_type_has_one_form(const cql_type *cql);

/*
 * In CurrentMemoryContext; copies the names. Raises HV004, with the list of choices, if the pair
 * is not there. A row that is for bind values only gives a converter that encodes; decoding with
 * it raises HV004.
 */
extern ScyllaConverter *scylla_converter_new(const ScyllaConverterSpec *spec);

/* Whether a cell of length 0 is a value of the type, not NULL. */
extern bool scylla_type_has_empty_value(cql_type_id cql);
/* Whether columns of the type may have a cell of length 0 at all: a value, or NULL. Cassandra
 * refuses to compare with one where they may not. */
extern bool scylla_type_can_be_empty(cql_type_id cql);
/* The cell of the type's least value, an empty one apart: its length, 0 where there is none. */
#define SCYLLA_LEAST_SIZE 8
extern int scylla_type_least(cql_type_id cql, uint8 *out);
/* An empty cell of a type that has no empty value: NULL, with a WARNING once per converter. */
extern void scylla_converter_warn_empty(ScyllaConverter *converter);
/* Apply the length (varchar(n), timestamp(p)…) and the domain's constraints. A length that would
 * change the value (round it, cut it) is an error. */
extern Datum scylla_converter_check(ScyllaConverter *converter, Datum value);
/* The domain's constraints for NULL. */
extern void scylla_converter_check_null(ScyllaConverter *converter);

static inline Datum
scylla_decode(ScyllaConverter *converter, cql_cell cell, bool *is_null)
{
	Datum value;

	*is_null = cell.len < 0 || (cell.len == 0 && !converter->is_empty_value);
	if (*is_null)
	{
		if (unlikely(cell.len == 0))
			scylla_converter_warn_empty(converter);
		if (unlikely(converter->is_checked))
			scylla_converter_check_null(converter);
		return (Datum) 0;
	}
	value = converter->decode(converter, cell);
	return unlikely(converter->is_checked) ? scylla_converter_check(converter, value) : value;
}

static inline ScyllaFit
scylla_encode(ScyllaConverter *converter, Datum value, ScyllaRound round, StringInfo out)
{
	return converter->encode(converter, value, round, out);
}

#endif /* SCYLLA_TYPEMAP_H */
