/*
 * Tells the planner that a one-column primary key has no duplicates, for its estimates.
 */
#ifndef SCYLLA_UNIQUE_KEY_H
#define SCYLLA_UNIQUE_KEY_H

#include "postgres.h"

#include "catalog/table.h"
#include "nodes/pathnodes.h"

/* Without statistics a join on the key would else be taken for one with 200 distinct values. */
extern void scylla_unique_key_declare(RelOptInfo *rel, const ScyllaTable *table);

#endif /* SCYLLA_UNIQUE_KEY_H */
