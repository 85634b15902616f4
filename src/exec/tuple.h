/*
 * Rows of pages into slots, by converters that are resolved once.
 */
#ifndef SCYLLA_TUPLE_H
#define SCYLLA_TUPLE_H

#include "postgres.h"

#include "executor/tuptable.h"

#include "bridge/session.h"
#include "plan/scan_plan.h"

typedef struct ScyllaTupleReader ScyllaTupleReader;

/* In CurrentMemoryContext, for slots of that descriptor. Columns of the statement are those of the
 * plan, in their order; both must outlive the reader. Raises HV004 for a pair of types that do not
 * convert. */
extern ScyllaTupleReader *scylla_tuple_reader_new(TupleDesc descriptor, const ScyllaScanPlan *plan,
												  const cql_statement *statement,
												  const char *local_table);

/*
 * Store a row in an empty slot as a virtual tuple. Values are made in CurrentMemoryContext or
 * point into the cells, so the row's page must live until the slot is cleared; columns that were
 * not fetched are NULL. An error names the row's key as far as it is known.
 */
extern void scylla_tuple_store(ScyllaTupleReader *reader, const cql_cell *cells,
							   TupleTableSlot *slot);

/*
 * Whether the row can be written by the key that it was read with: each value is of the bytes that it
 * was read from. It is not where a type of PostgreSQL's holds several of CQL's values as one (1E3 and
 * 1000), for then another row would be written.
 */
extern bool scylla_tuple_is_writable(ScyllaTupleReader *reader, const cql_cell *cells,
									 const TupleTableSlot *slot);

/* Raise 0A000 of a row that is not. */
extern void scylla_tuple_refuse_write(ScyllaTupleReader *reader, const cql_cell *cells)
	__attribute__((noreturn));

#endif /* SCYLLA_TUPLE_H */
