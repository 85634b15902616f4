/*
 * Chooses the ways into the table: asks plan/access.c about the conditions of the quals, and, where
 * one of them is an OR, about each of its arms together with the other quals.
 */
#include "postgres.h"

#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "plan/choose.h"
#include "plan/view.h"
#include "utils/array.h"

/* What is said of a clause that is sent, but not trusted: servers have filtered wrongly, and an
 * index or view may lag behind its table. */
#define RECHECKED_FILTER "filtered remotely, checked again"
#define RECHECKED_INDEX "an index can lag behind, checked again"

/* What plan/access.c is asked: every condition, those of exact quals first. */
typedef struct Question
{
	const ScyllaTable *table;
	ScyllaAccessKey key;
	int count;
	ScyllaAccessCondition *conditions;
	ScyllaSent *sents; /* parallel: where each comes from, and what becomes of it */
	ScyllaAccessUse *uses;
	ScyllaAccessChoice choice;
} Question;

/* ---- asking ---- */

/* As the table has it whose key the way goes by. */
static const ScyllaColumn *
first_column(const ScyllaTable *table, const ScyllaCondition *condition)
{
	return &table->columns[((const ScyllaColumn *) linitial(condition->columns))->attnum - 1];
}

/* Local columns that show one remote column are one: the first of them. */
static AttrNumber
column_number(const ScyllaTable *table, const ScyllaColumn *column)
{
	const ScyllaColumn *first = table->columns;

	while (first->attnum == 0 || first->function != column->function ||
		   strcmp(first->name, column->name) != 0)
		first++;
	return first->attnum;
}

static void
describe_column(const ScyllaTable *table, const ScyllaColumn *column, ScyllaAccessCondition *out)
{
	out->column = column_number(table, column);
	out->position = column->position - 1;
	if (column->role == SCYLLA_KEY_PARTITION)
		out->part = SCYLLA_PART_PARTITION;
	else if (column->role == SCYLLA_KEY_CLUSTERING)
		out->part = SCYLLA_PART_CLUSTERING;
	else
		out->position = 0;
}

/* Texts, uuids and booleans have no order in SAI. */
static bool
has_index_ranges(const ScyllaTableIndex *index)
{
	if (index->kind != SCYLLA_INDEX_SAI)
		return false;
	switch (index->column->cql_type->id)
	{
		case CQL_TYPE_ASCII:
		case CQL_TYPE_TEXT:
		case CQL_TYPE_UUID:
		case CQL_TYPE_BOOLEAN:
			return false;
		default:
			return true;
	}
}

static bool
is_index_of(const ScyllaTableIndex *index, const ScyllaCondition *condition)
{
	if (index->kind == SCYLLA_INDEX_LOCAL)
		return false;
	switch (condition->form)
	{
		case SCYLLA_FORM_COLUMN:
			return index->target == SCYLLA_TARGET_VALUE &&
				   (condition->op == SCYLLA_OP_EQUAL || has_index_ranges(index));
		case SCYLLA_FORM_CONTAINS:
			return index->target == SCYLLA_TARGET_VALUES;
		case SCYLLA_FORM_CONTAINS_KEY:
			return index->target == SCYLLA_TARGET_KEYS;
		case SCYLLA_FORM_ENTRY:
			return index->target == SCYLLA_TARGET_ENTRIES;
		default:
			return false;
	}
}

/* The place of the first index that finds rows by the condition. */
static int
find_index(const ScyllaTable *table, const ScyllaCondition *condition)
{
	AttrNumber column = column_number(table, first_column(table, condition));
	ListCell *cell;

	foreach (cell, table->indexes)
	{
		const ScyllaTableIndex *index = lfirst(cell);

		if (index->column->attnum == column && is_index_of(index, condition))
			return foreach_current_index(cell);
	}
	return SCYLLA_NO_INDEX;
}

/* A row of values is of clustering columns from the first on, in one direction. A view may have them
 * in another order than its table. */
static bool
is_clustering_prefix(const ScyllaTable *table, const ScyllaCondition *condition)
{
	bool is_descending = first_column(table, condition)->is_descending;
	ListCell *cell;

	foreach (cell, condition->columns)
	{
		AttrNumber attnum = ((const ScyllaColumn *) lfirst(cell))->attnum;
		const ScyllaColumn *column = &table->columns[attnum - 1];

		if (column->role != SCYLLA_KEY_CLUSTERING ||
			column->position != foreach_current_index(cell) + 1 ||
			column->is_descending != is_descending)
			return false;
	}
	return true;
}

static void
describe_condition(const ScyllaTable *table, const ScyllaCondition *condition,
				   ScyllaAccessCondition *out)
{
	memset(out, 0, sizeof(*out));
	out->form = condition->form;
	out->op = condition->op;
	out->part = SCYLLA_PART_NONE;
	out->column_count = list_length(condition->columns);
	out->is_fallback = condition->is_fallback;
	out->index = SCYLLA_NO_INDEX;
	if (condition->columns == NIL ||
		(condition->form == SCYLLA_FORM_ROW && !is_clustering_prefix(table, condition)))
		return;
	describe_column(table, first_column(table, condition), out);
	out->index = find_index(table, condition);
}

/* The key in its order, the token with it, then the rest. */
static int
place_of(const ScyllaTable *table, const ScyllaCondition *condition)
{
	const ScyllaColumn *column;

	if (condition->columns == NIL)
		return 0;
	column = first_column(table, condition);
	if (column->role == SCYLLA_KEY_PARTITION)
		return column->position;
	if (column->role == SCYLLA_KEY_CLUSTERING)
		return PG_INT16_MAX + column->position;
	return 2 * PG_INT16_MAX + column->attnum;
}

static void
add_conditions(Question *question, const ScyllaQual *qual)
{
	ListCell *cell;

	foreach (cell, qual->conditions)
	{
		ScyllaSent *sent = &question->sents[question->count];

		*sent = (ScyllaSent) {.condition = lfirst(cell), .qual = qual};
		sent->place = place_of(question->table, sent->condition);
		describe_condition(question->table, sent->condition,
						   &question->conditions[question->count++]);
	}
}

static int
count_conditions(List *quals)
{
	int count = 0;
	ListCell *cell;

	foreach (cell, quals)
		count += list_length(((ScyllaQual *) lfirst(cell))->conditions);
	return count;
}

static void
ask(const ScyllaTable *table, List *quals, Question *question)
{
	int count = Max(count_conditions(quals), 1);
	ListCell *cell;

	memset(question, 0, sizeof(*question));
	question->table = table;
	question->key = (ScyllaAccessKey) {table->partition_count, table->clustering_count,
									   table->options->can_filter};
	question->conditions = palloc(count * sizeof(ScyllaAccessCondition));
	question->sents = palloc(count * sizeof(ScyllaSent));
	question->uses = palloc(count * sizeof(ScyllaAccessUse));
	foreach (cell, quals)
		if (!((ScyllaQual *) lfirst(cell))->is_superset)
			add_conditions(question, lfirst(cell));
	foreach (cell, quals)
		if (((ScyllaQual *) lfirst(cell))->is_superset)
			add_conditions(question, lfirst(cell));
	question->choice =
		scylla_access_choose(&question->key, question->conditions, question->count, question->uses);
	for (int i = 0; i < question->count; i++)
		question->sents[i].use = question->uses[i];
}

/* ---- what of a qual is sent ---- */

static bool
is_enforced(const ScyllaQual *qual, int bound_count, bool is_whole_bound)
{
	return is_whole_bound ||
		   (!qual->is_superset && bound_count > 0 && bound_count == list_length(qual->conditions));
}

/* Why a qual is checked locally; NULL: the server enforces all of it. */
static const char *
find_reason(const Question *question, const ScyllaQual *qual)
{
	const char *refusal = NULL;
	bool is_whole_bound = false;
	int bound_count = 0;

	for (int i = 0; i < question->count; i++)
	{
		if (question->sents[i].qual != qual)
			continue;
		switch (question->uses[i])
		{
			case SCYLLA_USE_BOUND:
				bound_count++;
				is_whole_bound = is_whole_bound || question->sents[i].condition->is_whole;
				break;
			case SCYLLA_USE_INDEX:
				return RECHECKED_INDEX;
			case SCYLLA_USE_FILTER:
				return RECHECKED_FILTER;
			case SCYLLA_USE_NONE:
				if (refusal == NULL)
					refusal = scylla_access_refusal(&question->key, &question->choice,
													&question->conditions[i]);
		}
	}
	if (is_enforced(qual, bound_count, is_whole_bound))
		return NULL;
	if (bound_count == 0 && refusal != NULL)
		return refusal;
	return qual->reason != NULL ? qual->reason : refusal;
}

/* = before >, > before <. */
static int
side_of(ScyllaOperator op)
{
	static const int sides[] = {
		[SCYLLA_OP_EQUAL] = 0,      [SCYLLA_OP_IN] = 0,      [SCYLLA_OP_LESS] = 2,
		[SCYLLA_OP_LESS_EQUAL] = 2, [SCYLLA_OP_GREATER] = 1, [SCYLLA_OP_GREATER_EQUAL] = 1,
	};

	return sides[op];
}

/* What bounds before what filters, then by the key: one text for one shape. */
static int
compare_sent(const ListCell *a, const ListCell *b)
{
	const ScyllaSent *left = lfirst(a);
	const ScyllaSent *right = lfirst(b);

	if (left->use != right->use)
		return (int) left->use - (int) right->use;
	if (left->place != right->place)
		return left->place - right->place;
	return side_of(left->condition->op) - side_of(right->condition->op);
}

/* Elements of an array that is not known before it is run. */
#define DEFAULT_ELEMENTS 10

static double
count_elements(const Node *array)
{
	if (IsA(array, Const) && ((const Const *) array)->constisnull)
		return 0;
	if (IsA(array, Const))
	{
		ArrayType *value = DatumGetArrayTypeP(((const Const *) array)->constvalue);

		return ArrayGetNItems(ARR_NDIM(value), ARR_DIMS(value));
	}
	if (IsA(array, ArrayExpr))
		return list_length(((const ArrayExpr *) array)->elements);
	return DEFAULT_ELEMENTS;
}

static double
count_keys(List *sent)
{
	double keys = 1;
	ListCell *cell;

	foreach (cell, sent)
	{
		const ScyllaCondition *condition = ((ScyllaSent *) lfirst(cell))->condition;

		if (condition->op == SCYLLA_OP_IN)
			keys *= Max(count_elements(linitial(condition->values)), 1);
	}
	return keys;
}

static ScyllaWay *
make_way(const Question *question, Expr *clause)
{
	ScyllaWay *way = palloc0(sizeof(ScyllaWay));

	way->access = question->choice;
	way->table = question->table;
	if (way->access.index != SCYLLA_NO_INDEX)
		way->path_name =
			((ScyllaTableIndex *) list_nth(way->table->indexes, way->access.index))->name;
	way->clause = clause;
	for (int i = 0; i < question->count; i++)
	{
		ScyllaSent *sent = &question->sents[i];

		if (sent->use == SCYLLA_USE_NONE)
			continue;
		sent->is_rechecked = sent->qual->rinfo == NULL || find_reason(question, sent->qual) != NULL;
		way->sent = lappend(way->sent, sent);
	}
	list_sort(way->sent, compare_sent);
	way->keys = count_keys(way->sent);
	return way;
}

/* ---- OR ---- */

static bool
has_never(List *quals)
{
	ListCell *cell;

	foreach (cell, quals)
		if (((ScyllaQual *) lfirst(cell))->is_never)
			return true;
	return false;
}

static Expr *
clause_of_arm(List *arm)
{
	List *clauses = NIL;
	ListCell *cell;

	foreach (cell, arm)
		clauses = lappend(clauses, ((ScyllaQual *) lfirst(cell))->clause);
	return make_ands_explicit(clauses);
}

/* The arms of an OR that rows can match, each asked about with the other quals. */
typedef struct OrChoice
{
	const ScyllaQual *or_qual;
	List *questions; /* of Question */
	List *clauses;   /* of Expr, parallel */
	int rank;        /* of the worst arm */
} OrChoice;

static void
ask_arms(const ScyllaTable *table, List *quals, const ScyllaQual *or_qual, OrChoice *out)
{
	List *others = list_delete_ptr(list_copy(quals), (void *) or_qual);
	ListCell *cell;

	*out = (OrChoice) {.or_qual = or_qual, .rank = PG_INT32_MAX};
	foreach (cell, or_qual->arms)
	{
		Question *question;

		if (has_never(lfirst(cell)))
			continue;
		question = palloc(sizeof(Question));
		ask(table, list_concat_copy(others, lfirst(cell)), question);
		out->questions = lappend(out->questions, question);
		out->clauses = lappend(out->clauses, clause_of_arm(lfirst(cell)));
		out->rank = Min(out->rank, scylla_access_rank(&question->choice));
	}
}

/* The OR whose worst arm is best. Of arms that are none at all the rank is best, too. */
static void
choose_or(const ScyllaTable *table, List *quals, OrChoice *best)
{
	ListCell *cell;

	*best = (OrChoice) {0};
	foreach (cell, quals)
	{
		OrChoice choice;

		if (((ScyllaQual *) lfirst(cell))->arms == NIL)
			continue;
		ask_arms(table, quals, lfirst(cell), &choice);
		if (choice.rank > best->rank)
			*best = choice;
	}
}

/* A qual beside the OR is enforced only if each arm enforces it; the executor checks the OR. */
static void
use_or(List *quals, const OrChoice *best, ScyllaQualChoice *choice)
{
	ListCell *cell;
	ListCell *clause;

	foreach (cell, quals)
	{
		const ScyllaQual *qual = lfirst(cell);
		const char **reason = &choice->reasons[foreach_current_index(cell)];
		ListCell *question;

		foreach (question, best->questions)
			if (*reason == NULL && qual != best->or_qual)
				*reason = find_reason(lfirst(question), qual);
	}
	forboth (cell, best->questions, clause, best->clauses)
		choice->ways = lappend(choice->ways, make_way(lfirst(cell), lfirst(clause)));
}

/* ---- views ---- */

/* The view whose key serves best, if it is better than the question's choice; else false. */
static bool
ask_views(const ScyllaTable *table, List *quals, Question *best)
{
	bool is_found = false;
	ListCell *cell;

	foreach (cell, table->views)
	{
		const ScyllaTableView *view = lfirst(cell);
		Question question;

		ask(scylla_view_table(table, view), quals, &question);
		if (scylla_access_binds_key(&question.choice) &&
			scylla_access_rank(&question.choice) > scylla_access_rank(&best->choice) &&
			scylla_view_has_rows(table, view, quals))
		{
			*best = question;
			is_found = true;
		}
	}
	return is_found;
}

static ScyllaWay *
make_view_way(const Question *question)
{
	ScyllaWay *way = make_way(question, NULL);

	way->access.access = SCYLLA_ACCESS_VIEW;
	way->path_name = way->table->options->table;
	return way;
}

/* ---- all together ---- */

void
scylla_choose(const ScyllaTable *table, List *quals, ScyllaQualChoice *choice)
{
	OrChoice best;
	Question question;
	ListCell *cell;

	choice->ways = NIL;
	choice->reasons = palloc0(Max(list_length(quals), 1) * sizeof(char *));
	ask(table, quals, &question);
	choose_or(table, quals, &best);
	if (best.or_qual != NULL && best.rank > scylla_access_rank(&question.choice))
		use_or(quals, &best, choice);
	else
	{
		bool is_view =
			!scylla_access_binds_key(&question.choice) && ask_views(table, quals, &question);

		foreach (cell, quals)
			choice->reasons[foreach_current_index(cell)] = find_reason(&question, lfirst(cell));
		choice->ways = list_make1(is_view ? make_view_way(&question) : make_way(&question, NULL));
	}
	if (has_never(quals))
		choice->ways = NIL;
}

int
scylla_choose_bounds(const ScyllaQualChoice *choice)
{
	int bounds = PG_INT32_MAX;
	ListCell *way;
	ListCell *cell;

	foreach (way, choice->ways)
	{
		int count = 0;

		foreach (cell, ((ScyllaWay *) lfirst(way))->sent)
			count += ((ScyllaSent *) lfirst(cell))->use != SCYLLA_USE_FILTER;
		bounds = Min(bounds, count);
	}
	return bounds;
}
