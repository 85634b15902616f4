/*
 * An index that doesn't exist: the way in which PostgreSQL's estimates learn that a column is
 * unique. It is for estimates only. As a deferred constraint's it proves nothing, so that a key
 * which somebody declared wrongly cannot make a join skip rows; and it can't be scanned, since
 * only plain tables get index paths.
 */
#include "postgres.h"

#include "plan/unique_key.h"

static const ScyllaColumn *
single_key_column(const ScyllaTable *table)
{
	return table->partition_count == 1 && table->clustering_count == 0 ? table->partition_key[0]
																	   : NULL;
}

void
scylla_unique_key_declare(RelOptInfo *rel, const ScyllaTable *table)
{
	const ScyllaColumn *column = single_key_column(table);
	IndexOptInfo *index;

	if (column == NULL)
		return;
	index = makeNode(IndexOptInfo);
	index->rel = rel;
	index->hypothetical = true;
	index->unique = true;
	index->immediate = false;
	index->ncolumns = 1;
	index->nkeycolumns = 1;
	index->indexkeys = palloc(sizeof(int));
	index->indexkeys[0] = column->attnum;
	index->indexcollations = palloc(sizeof(Oid));
	index->indexcollations[0] = column->collation;
	index->opfamily = palloc0(sizeof(Oid));
	index->opcintype = palloc(sizeof(Oid));
	index->opcintype[0] = column->type;
	rel->indexlist = lappend(rel->indexlist, index);
}
