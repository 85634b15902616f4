/*
 * Looks at clauses as they are written rather than as they were judged: the advice is to the one
 * who wrote them.
 */
#include "postgres.h"

#include "nodes/nodeFuncs.h"
#include "plan/full_scan.h"
#include "plan/qual.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

static bool
is_equality(Oid operator)
{
	return get_oprrest(operator) == F_EQSEL;
}

/* A column's Var without casts, or NULL. */
static const Var *
strip_to_var(Node *node)
{
	while (node != NULL && IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	return node != NULL && IsA(node, Var) ? (const Var *) node : NULL;
}

static bool
compares_column(Node *clause, AttrNumber attnum)
{
	List *args = NIL;
	ListCell *cell;

	if (IsA(clause, OpExpr) && is_equality(((OpExpr *) clause)->opno))
		args = ((OpExpr *) clause)->args;
	else if (IsA(clause, ScalarArrayOpExpr) && ((ScalarArrayOpExpr *) clause)->useOr &&
			 is_equality(((ScalarArrayOpExpr *) clause)->opno))
		args = ((ScalarArrayOpExpr *) clause)->args;
	foreach (cell, args)
	{
		const Var *var = strip_to_var(lfirst(cell));

		if (var != NULL && var->varattno == attnum)
			return true;
	}
	return false;
}

static bool
is_compared(const ScyllaColumn *column, List *quals)
{
	ListCell *cell;

	if (column == NULL)
		return false;
	foreach (cell, quals)
	{
		const ScyllaQual *qual = lfirst(cell);

		if (qual->rinfo != NULL && compares_column((Node *) qual->rinfo->clause, column->attnum))
			return true;
	}
	return false;
}

char *
scylla_full_scan_unbound(const ScyllaTable *table, List *quals)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < table->partition_count; i++)
		if (!is_compared(table->partition_key[i], quals))
			appendStringInfo(&names, "%s\"%s\"", names.len > 0 ? ", " : "",
							 table->partition_key[i] != NULL ? table->partition_key[i]->local_name
															 : table->partition_names[i]);
	return names.len > 0 ? names.data : NULL;
}
