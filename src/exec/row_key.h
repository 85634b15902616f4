/*
 * A row's key in words, for errors: made of cells, without output functions, which could raise an
 * error inside of an error.
 */
#ifndef SCYLLA_ROW_KEY_H
#define SCYLLA_ROW_KEY_H

#include "postgres.h"

#include "lib/stringinfo.h"

#include "cql/cql_value.h"

/* What of a cell's bytes a key shows at most; of longer cells no more need be there. */
#define SCYLLA_KEY_SHOWN_BYTES 44

/* Append "name = value", with a comma before it where something stands already. */
extern void scylla_row_key_append(StringInfo out, const char *name, const cql_type *type,
								  cql_cell cell);

#endif /* SCYLLA_ROW_KEY_H */
