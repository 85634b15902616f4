/*
 * When a view can stand for its table: it has all columns in use, and all rows that can match. A
 * view leaves out rows that have NULL in its key, and partitions of static columns alone.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "plan/qual.h"
#include "plan/view.h"

/* A local column of the table's own as the copy has it. */
static ScyllaColumn *
find_copy(ScyllaTable *copy, const ScyllaColumn *column)
{
	return column != NULL ? &copy->columns[column->attnum - 1] : NULL;
}

static ScyllaColumn **
take_key(ScyllaTable *copy, const ScyllaColumn **key, int count, ScyllaKeyRole role)
{
	ScyllaColumn **result = palloc0(Max(count, 1) * sizeof(ScyllaColumn *));

	for (int i = 0; i < count; i++)
	{
		result[i] = find_copy(copy, key[i]);
		if (result[i] == NULL)
			continue;
		result[i]->role = role;
		result[i]->position = i + 1;
	}
	return result;
}

static void
take_keys(ScyllaTable *copy, const ScyllaTableView *view)
{
	for (int i = 0; i < copy->column_count; i++)
	{
		copy->columns[i].role = SCYLLA_KEY_REGULAR;
		copy->columns[i].position = 0;
	}
	copy->partition_count = view->partition_count;
	copy->partition_key =
		take_key(copy, view->partition_key, view->partition_count, SCYLLA_KEY_PARTITION);
	copy->clustering_count = view->clustering_count;
	copy->clustering_key =
		take_key(copy, view->clustering_key, view->clustering_count, SCYLLA_KEY_CLUSTERING);
	for (int i = 0; i < view->clustering_count; i++)
		if (copy->clustering_key[i] != NULL)
			copy->clustering_key[i]->is_descending = bms_is_member(i, view->descending);
}

ScyllaTable *
scylla_view_table(const ScyllaTable *table, const ScyllaTableView *view)
{
	ScyllaTable *copy = palloc(sizeof(ScyllaTable));

	*copy = *table;
	copy->options = palloc(sizeof(ScyllaOptions));
	*copy->options = *table->options;
	copy->options->table = pstrdup(view->name);
	copy->columns = palloc(table->column_count * sizeof(ScyllaColumn));
	memcpy(copy->columns, table->columns, table->column_count * sizeof(ScyllaColumn));
	copy->indexes = NIL;
	copy->views = NIL;
	take_keys(copy, view);
	return copy;
}

static bool
has_attributes(const ScyllaTable *table, const ScyllaTableView *view, const Bitmapset *attributes)
{
	bool is_whole_row = bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, attributes);

	for (int i = 0; i < table->column_count; i++)
	{
		AttrNumber attnum = table->columns[i].attnum;

		if (attnum != 0 && !bms_is_member(attnum, view->attnums) &&
			(is_whole_row ||
			 bms_is_member(attnum - FirstLowInvalidHeapAttributeNumber, attributes)))
			return false;
	}
	return true;
}

void
scylla_views_keep(ScyllaTable *table, const Bitmapset *attributes)
{
	List *kept = NIL;
	ListCell *cell;

	foreach (cell, table->views)
		if (has_attributes(table, lfirst(cell), attributes))
			kept = lappend(kept, lfirst(cell));
	table->views = kept;
}

/* Conditions are strict: whatever fulfils one has a value in its column. */
static bool
has_value(const ScyllaColumn *column, List *quals)
{
	ListCell *qual;
	ListCell *cell;

	foreach (qual, quals)
		foreach (cell, ((ScyllaQual *) lfirst(qual))->conditions)
			if (list_member_ptr(((ScyllaCondition *) lfirst(cell))->columns, column))
				return true;
	return false;
}

static bool
is_key(const ScyllaColumn *column)
{
	return column->role == SCYLLA_KEY_PARTITION || column->role == SCYLLA_KEY_CLUSTERING;
}

/* Rows in which one of the view's key columns is NULL are not in it. */
static bool
has_key_values(const ScyllaColumn **key, int count, List *quals)
{
	for (int i = 0; i < count; i++)
		if (key[i] == NULL || (!is_key(key[i]) && !has_value(key[i], quals)))
			return false;
	return true;
}

/* Partitions are told apart by the bytes of their key, rows of a view's partition by its order: of
 * those that are equal in it the view has only one. */
static bool
tells_partitions_apart(const ScyllaTableView *view)
{
	for (int i = 0; i < view->clustering_count; i++)
		if (view->clustering_key[i]->role == SCYLLA_KEY_PARTITION &&
			(view->clustering_key[i]->cql_type == NULL ||
			 !scylla_type_has_one_form(view->clustering_key[i]->cql_type)))
			return false;
	return true;
}

/* Whether the quals let no row through that stands for static columns alone. */
static bool
needs_rows(const ScyllaTable *table, List *quals)
{
	if (table->clustering_count == 0)
		return true;
	for (int i = 0; i < table->column_count; i++)
	{
		const ScyllaColumn *column = &table->columns[i];

		if (column->attnum != 0 &&
			(column->role == SCYLLA_KEY_CLUSTERING || column->role == SCYLLA_KEY_REGULAR) &&
			has_value(column, quals))
			return true;
	}
	return false;
}

bool
scylla_view_has_rows(const ScyllaTable *table, const ScyllaTableView *view, List *quals)
{
	return has_key_values(view->partition_key, view->partition_count, quals) &&
		   has_key_values(view->clustering_key, view->clustering_count, quals) &&
		   tells_partitions_apart(view) && needs_rows(table, quals);
}
