/*
 * Materialized views as ways into their table: a view is its table with another key.
 */
#ifndef SCYLLA_PLAN_VIEW_H
#define SCYLLA_PLAN_VIEW_H

#include "postgres.h"

#include "catalog/table.h"
#include "nodes/bitmapset.h"
#include "nodes/pg_list.h"

/* The table as a view has it: same columns, the view's name and key. */
extern ScyllaTable *scylla_view_table(const ScyllaTable *table, const ScyllaTableView *view);

/* Forget the views that do not have all of the attributes (as pull_varattnos makes them) that the
 * scan returns and filters by. */
extern void scylla_views_keep(ScyllaTable *table, const Bitmapset *attributes);

/* Whether no row that the quals (ScyllaQual) let through is missing in the view. */
extern bool scylla_view_has_rows(const ScyllaTable *table, const ScyllaTableView *view,
								 List *quals);

#endif /* SCYLLA_PLAN_VIEW_H */
