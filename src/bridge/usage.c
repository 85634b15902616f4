/*
 * A list of the tables about which something was noticed: few, and looked through once a scan.
 */
#include "postgres.h"

#include "bridge/usage.h"

#include "lib/ilist.h"
#include "utils/memutils.h"

typedef struct UsedTable
{
	slist_node node;
	Oid serverid;
	char *relation;
	ScyllaUsage usage;
} UsedTable;

static slist_head used_tables = SLIST_STATIC_INIT(used_tables);

ScyllaUsage *
scylla_usage_of(Oid serverid, const char *relation)
{
	UsedTable *table;
	slist_iter iter;

	slist_foreach (iter, &used_tables)
	{
		table = slist_container(UsedTable, node, iter.cur);
		if (table->serverid == serverid && strcmp(table->relation, relation) == 0)
			return &table->usage;
	}
	table = MemoryContextAllocZero(TopMemoryContext, sizeof(UsedTable));
	table->serverid = serverid;
	table->relation = MemoryContextStrdup(TopMemoryContext, relation);
	slist_push_head(&used_tables, &table->node);
	return &table->usage;
}
