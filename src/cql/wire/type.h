/*
 * Where type trees come from: the arena that holds them, and the two spellings that the wire
 * has for them, [option] (v4, section 4.2.5.2) and the names of Cassandra's marshal classes.
 * CQL's own spelling is parsed by cql_type_parse().
 *
 * Scalars are shared constants, so that two bytes on the wire never cost a node. A tree deeper
 * than CQL_TYPE_MAX_DEPTH is refused; depth counts from 1 at the root.
 */
#ifndef CQL_WIRE_TYPE_H
#define CQL_WIRE_TYPE_H

#include "cql/wire/bytes.h"

#define CQL_MARSHAL_PACKAGE "org.apache.cassandra.db.marshal."

/* Zeroed memory from the arena, aligned for any of our structs; NULL, and remembered, if none. */
extern void *cql_type_arena_take(cql_type_arena *arena, size_t size);
/* A copy with a NUL behind it. */
extern char *cql_type_arena_copy(cql_type_arena *arena, cql_view text);
/* Has any of the above ever failed? Tells a lack of memory from malformed input. */
extern bool cql_type_arena_is_exhausted(const cql_type_arena *arena);

/* The shared constant of a scalar type; NULL for an id that is not scalar. */
extern const cql_type *cql_type_scalar(cql_type_id id);
/* The scalar that CQL calls so (in any case; "varchar" is text); NULL if none. */
extern const cql_type *cql_type_scalar_named(cql_view name);

/* A node of the arena with room for count elements, which the caller fills; NULL: no memory. */
extern cql_type *cql_type_new(cql_type_arena *arena, cql_type_id id, uint32_t count);
/* The same for a UDT; also has room for field_names. */
extern cql_type *cql_type_new_udt(cql_type_arena *arena, uint32_t count);
/* Nodes are immutable only once they are built: these are for their builders. */
extern void cql_type_set_element(cql_type *type, uint32_t index, const cql_type *element);
extern void cql_type_set_field_name(cql_type *type, uint32_t index, const char *name);
/* A vector's, by its decimal digits. False: they are none, or no number from 1 to INT32_MAX. */
extern bool cql_type_set_dimension(cql_type *type, cql_view digits);

/* Read an [option]. NULL: the reader is failed (an unknown code cannot be stepped over). */
extern const cql_type *cql_type_read(cql_reader *reader, cql_type_arena *arena);

/*
 * The type that a marshal class stands for: VectorType(FloatType , 3), with or without package.
 * A class that is unknown or malformed is a CUSTOM node of that name. NULL: no memory.
 * depth is that of the node to be made.
 */
extern const cql_type *cql_type_read_class(cql_type_arena *arena, cql_view text, int depth);

#endif /* CQL_WIRE_TYPE_H */
