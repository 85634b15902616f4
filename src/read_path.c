/*
 * The texts of indexes and views: read by hand, written from the same tables of words.
 *
 * A text is taken only if printing what was read gives it again, so that nobody has to ask which
 * spellings are equal. Knows neither the cluster nor the catalogs.
 */
#include "read_path.h"

/* Behind an index's target. */
static const char *const kind_words[] = {
	[SCYLLA_INDEX_GLOBAL] = "",
	[SCYLLA_INDEX_LOCAL] = " local",
	[SCYLLA_INDEX_SAI] = " sai",
};

/* Around the target's column. */
static const char *const target_words[] = {
	[SCYLLA_TARGET_VALUE] = "",        [SCYLLA_TARGET_KEYS] = "keys",
	[SCYLLA_TARGET_VALUES] = "values", [SCYLLA_TARGET_ENTRIES] = "entries",
	[SCYLLA_TARGET_FULL] = "full",
};

/* ---- reading ---- */

static bool
skip(const char **text, const char *token)
{
	size_t length = strlen(token);

	if (strncmp(*text, token, length) != 0)
		return false;
	*text += length;
	return true;
}

static bool
is_plain_start(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool
is_plain(char c)
{
	return is_plain_start(c) || (c >= '0' && c <= '9') || c == '_';
}

static char *
scan_quoted(const char **text)
{
	StringInfoData name;
	const char *p = *text + 1;

	initStringInfo(&name);
	for (; *p != '\0'; p++)
	{
		if (*p == '"' && *++p != '"')
		{
			*text = p;
			return name.len > 0 ? name.data : NULL;
		}
		appendStringInfoChar(&name, *p);
	}
	return NULL;
}

char *
scylla_name_scan(const char **text)
{
	const char *start = *text;

	if (*start == '"')
		return scan_quoted(text);
	if (!is_plain_start(*start))
		return NULL;
	while (is_plain(**text))
		(*text)++;
	return pnstrdup(start, *text - start);
}

bool
scylla_index_target_scan(const char **text, ScyllaIndex *index)
{
	index->target = SCYLLA_TARGET_VALUE;
	for (size_t i = SCYLLA_TARGET_KEYS; i < lengthof(target_words); i++)
	{
		const char *p = *text;

		if (!skip(&p, target_words[i]) || !skip(&p, "("))
			continue;
		index->target = (ScyllaIndexTarget) i;
		*text = p;
		break;
	}
	index->column = scylla_name_scan(text);
	return index->column != NULL && (index->target == SCYLLA_TARGET_VALUE || skip(text, ")"));
}

static bool
scan_index(const char **text, List **indexes)
{
	ScyllaIndex *index = palloc0(sizeof(ScyllaIndex));

	index->name = scylla_name_scan(text);
	if (index->name == NULL || !skip(text, " (") || !scylla_index_target_scan(text, index) ||
		!skip(text, ")"))
		return false;
	for (size_t i = SCYLLA_INDEX_LOCAL; i < lengthof(kind_words); i++)
		if (skip(text, kind_words[i]))
			index->kind = (ScyllaIndexKind) i;
	*indexes = lappend(*indexes, index);
	return true;
}

/* Names from behind a parenthesis to its end. */
static bool
scan_names(const char **text, List **names)
{
	do
	{
		char *name = scylla_name_scan(text);

		if (name == NULL)
			return false;
		*names = lappend(*names, name);
	} while (skip(text, ", "));
	return skip(text, ")");
}

static bool
scan_view(const char **text, List **views)
{
	ScyllaView *view = palloc0(sizeof(ScyllaView));

	view->name = scylla_name_scan(text);
	if (view->name == NULL || !skip(text, " ((") || !scan_names(text, &view->partition_key))
		return false;
	while (skip(text, ", "))
	{
		char *name = scylla_name_scan(text);

		if (name == NULL)
			return false;
		if (skip(text, " desc"))
			view->descending = bms_add_member(view->descending, list_length(view->clustering_key));
		view->clustering_key = lappend(view->clustering_key, name);
	}
	if (!skip(text, ")"))
		return false;
	view->has_all_columns = skip(text, " *");
	*views = lappend(*views, view);
	return view->has_all_columns || !skip(text, " (") || scan_names(text, &view->columns);
}

/* Items with commas between them. */
static bool
scan_list(const char *text, bool (*scan_item)(const char **text, List **items), List **items)
{
	*items = NIL;
	if (*text == '\0')
		return true;
	do
	{
		if (!scan_item(&text, items))
			return false;
	} while (skip(&text, ", "));
	return *text == '\0';
}

bool
scylla_indexes_parse(const char *text, List **indexes)
{
	return scan_list(text, scan_index, indexes) &&
		   strcmp(scylla_indexes_print(*indexes), text) == 0;
}

bool
scylla_views_parse(const char *text, List **views)
{
	return scan_list(text, scan_view, views) && strcmp(scylla_views_print(*views), text) == 0;
}

bool
scylla_has_name(const List *names, const char *name)
{
	ListCell *cell;

	foreach (cell, names)
		if (strcmp(lfirst(cell), name) == 0)
			return true;
	return false;
}

/* ---- writing ---- */

static void
print_name(StringInfo out, const char *name)
{
	const char *p = name;
	char *plain = scylla_name_scan(&p);

	if (plain != NULL && *p == '\0' && name[0] != '"')
	{
		appendStringInfoString(out, name);
		return;
	}
	appendStringInfoChar(out, '"');
	for (p = name; *p != '\0'; p++)
	{
		if (*p == '"')
			appendStringInfoChar(out, '"');
		appendStringInfoChar(out, *p);
	}
	appendStringInfoChar(out, '"');
}

static void
print_names(StringInfo out, const List *names)
{
	ListCell *cell;

	foreach (cell, names)
	{
		if (foreach_current_index(cell) > 0)
			appendStringInfoString(out, ", ");
		print_name(out, lfirst(cell));
	}
}

void
scylla_index_target_print(StringInfo out, const ScyllaIndex *index)
{
	if (index->target == SCYLLA_TARGET_VALUE)
	{
		print_name(out, index->column);
		return;
	}
	appendStringInfo(out, "%s(", target_words[index->target]);
	print_name(out, index->column);
	appendStringInfoChar(out, ')');
}

static void
print_index(StringInfo out, const ScyllaIndex *index)
{
	print_name(out, index->name);
	appendStringInfoString(out, " (");
	scylla_index_target_print(out, index);
	appendStringInfo(out, ")%s", kind_words[index->kind]);
}

static void
print_view(StringInfo out, const ScyllaView *view)
{
	ListCell *cell;

	print_name(out, view->name);
	appendStringInfoString(out, " ((");
	print_names(out, view->partition_key);
	appendStringInfoChar(out, ')');
	foreach (cell, view->clustering_key)
	{
		appendStringInfoString(out, ", ");
		print_name(out, lfirst(cell));
		if (bms_is_member(foreach_current_index(cell), view->descending))
			appendStringInfoString(out, " desc");
	}
	appendStringInfoChar(out, ')');
	if (view->has_all_columns)
		appendStringInfoString(out, " *");
	else if (view->columns != NIL)
	{
		appendStringInfoString(out, " (");
		print_names(out, view->columns);
		appendStringInfoChar(out, ')');
	}
}

char *
scylla_indexes_print(const List *indexes)
{
	StringInfoData out;
	ListCell *cell;

	initStringInfo(&out);
	foreach (cell, indexes)
	{
		if (foreach_current_index(cell) > 0)
			appendStringInfoString(&out, ", ");
		print_index(&out, lfirst(cell));
	}
	return out.data;
}

char *
scylla_views_print(const List *views)
{
	StringInfoData out;
	ListCell *cell;

	initStringInfo(&out);
	foreach (cell, views)
	{
		if (foreach_current_index(cell) > 0)
			appendStringInfoString(&out, ", ");
		print_view(&out, lfirst(cell));
	}
	return out.data;
}
