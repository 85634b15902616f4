/*
 * Constants that no row can have: then nothing need be asked.
 */
#ifndef SCYLLA_IMPOSSIBLE_H
#define SCYLLA_IMPOSSIBLE_H

#include "postgres.h"

#include "catalog/table.h"
#include "nodes/pg_list.h"

/* Whether no row fulfils all of the conditions (ScyllaCondition): a value is a constant that is
 * NULL, outside the column's type, or no key. Says false where it would take long to tell. */
extern bool scylla_is_impossible(const ScyllaTable *table, List *conditions);

#endif /* SCYLLA_IMPOSSIBLE_H */
