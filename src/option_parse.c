/*
 * Parsers of option values: text in, a field of an options struct out, in the caller's memory
 * context. They tell whether the text is a value of the option; the table's owner makes the error.
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "compat.h"
#include "cql/cql.h"
#include "option_parse.h"
#include "read_path.h"
#include "setting.h"

#define MAX_COST 1e10 /* more makes the sums of large joins infinite */

bool
scylla_parse_any_text(const ScyllaOptionRow *row, const char *text, void *field)
{
	*(char **) field = pstrdup(text);
	return true;
}

bool
scylla_parse_name(const ScyllaOptionRow *row, const char *text, void *field)
{
	return text[0] != '\0' && scylla_parse_any_text(row, text, field);
}

bool
scylla_parse_boolean(const ScyllaOptionRow *row, const char *text, void *field)
{
	return parse_bool(text, (bool *) field);
}

static bool
parse_integer_in_unit(const ScyllaOptionRow *row, const char *text, int unit, int *field)
{
	int value;

	if (!parse_int(text, &value, unit, NULL) || value < row->min || value > row->max)
		return false;
	*field = value;
	return true;
}

bool
scylla_parse_integer(const ScyllaOptionRow *row, const char *text, void *field)
{
	return parse_integer_in_unit(row, text, 0, field);
}

bool
scylla_parse_duration(const ScyllaOptionRow *row, const char *text, void *field)
{
	return parse_integer_in_unit(row, text, GUC_UNIT_MS, field);
}

bool
scylla_parse_cost(const ScyllaOptionRow *row, const char *text, void *field)
{
	double value;

	if (!parse_real(text, &value, 0, NULL) || !(value >= 0 && value <= MAX_COST))
		return false;
	*(double *) field = value;
	return true;
}

bool
scylla_parse_consistency(const ScyllaOptionRow *row, const char *text, void *field)
{
	if (!scylla_consistency_is_for(text, row->level_use))
		return false;
	*(int *) field = scylla_consistency_parse(text);
	return true;
}

/* The text's place among the row's words; negative: it is none of them. */
static int
find_word(const ScyllaOptionRow *row, const char *text)
{
	for (int i = 0; row->words[i] != NULL; i++)
		if (pg_strcasecmp(text, row->words[i]) == 0)
			return i;
	return -1;
}

bool
scylla_parse_word(const ScyllaOptionRow *row, const char *text, void *field)
{
	*(int *) field = find_word(row, text);
	return *(int *) field >= 0;
}

bool
scylla_parse_either(const ScyllaOptionRow *row, const char *text, void *field)
{
	int word = find_word(row, text);

	*(bool *) field = word == 1;
	return word >= 0;
}

bool
scylla_is_pem(const char *text)
{
	return strstr(text, "-----BEGIN ") != NULL;
}

/* sslrootcert, sslcert, sslkey */
bool
scylla_parse_pem(const ScyllaOptionRow *row, const char *text, void *field)
{
	bool is_word = row->pem == CQL_PEM_ROOTS && strcmp(text, "system") == 0;

	return (is_word || is_absolute_path(text) || scylla_is_pem(text)) &&
		   scylla_parse_any_text(row, text, field);
}

/* The first of those characters, or the end: strcspn(), which would be the one function of its part of
 * the C library that each backend brings into memory. */
static char *
find_any(char *text, const char *wanted)
{
	while (*text != '\0' && strchr(wanted, *text) == NULL)
		text++;
	return text;
}

/* One contact point, which may be changed in place; NULL if it is none. */
static ScyllaHost *
parse_host(char *text)
{
	ScyllaHost *host = palloc0(sizeof(ScyllaHost));
	char *behind_name;
	char *end;

	if (text[0] == '[')
	{
		text++;
		behind_name = text + strspn(text, "0123456789abcdefABCDEF:.");
		if (*behind_name == '%')
			behind_name = find_any(behind_name, "]");
		if (*behind_name != ']')
			return NULL;
		*behind_name++ = '\0';
	}
	else
		behind_name = find_any(text, ":/@[] \t\r\n");

	if (*behind_name == ':')
	{
		long port = strtol(behind_name + 1, &end, 10);

		if (!isdigit((unsigned char) behind_name[1]) || *end != '\0' || port < 1 || port > 65535)
			return NULL;
		host->port = (int) port;
	}
	else if (*behind_name != '\0')
		return NULL;
	*behind_name = '\0';
	host->name = text;
	return text[0] != '\0' ? host : NULL;
}

bool
scylla_parse_hosts(const ScyllaOptionRow *row, const char *text, void *field)
{
	List *hosts = NIL;
	char *rest = pstrdup(text);

	while (rest != NULL)
	{
		char *item = rest;
		char *comma = strchr(rest, ',');
		char *end = comma != NULL ? comma : rest + strlen(rest);
		ScyllaHost *host;

		rest = comma != NULL ? comma + 1 : NULL;
		while (item < end && isspace((unsigned char) *item))
			item++;
		while (item < end && isspace((unsigned char) end[-1]))
			end--;
		*end = '\0';
		host = parse_host(item);
		if (host == NULL)
			return false;
		hosts = lappend(hosts, host);
	}
	*(List **) field = hosts;
	return true;
}

char *
scylla_key_option_text(ScyllaKeyRole role, int position, bool is_descending)
{
	switch (role)
	{
		case SCYLLA_KEY_PARTITION:
			return psprintf("partition %d", position);
		case SCYLLA_KEY_CLUSTERING:
			return psprintf("clustering %d %s", position, is_descending ? "desc" : "asc");
		case SCYLLA_KEY_STATIC:
			return pstrdup("static");
		case SCYLLA_KEY_REGULAR:
		case SCYLLA_KEY_UNKNOWN:
			break;
	}
	return pstrdup("regular");
}

/* key: fills role, position and direction, so its field is the whole struct. */
bool
scylla_parse_key(const ScyllaOptionRow *row, const char *text, void *field)
{
	ScyllaColumnOptions *column = field;
	ScyllaKeyRole role = SCYLLA_KEY_REGULAR;
	int position = 0;
	int length = strlen(text);
	bool is_descending = length > 5 && strcmp(text + length - 5, " desc") == 0;

	if (sscanf(text, "partition %d", &position) == 1)
		role = SCYLLA_KEY_PARTITION;
	else if (sscanf(text, "clustering %d", &position) == 1)
		role = SCYLLA_KEY_CLUSTERING;
	else if (strcmp(text, "static") == 0)
		role = SCYLLA_KEY_STATIC;

	/* What would be written for it must be what was typed: one spelling only. */
	if (strcmp(scylla_key_option_text(role, position, is_descending), text) != 0)
		return false;
	if (position < row->min || position > row->max || (position == 0 && role < SCYLLA_KEY_STATIC))
		return false;
	column->role = role;
	column->position = position;
	column->is_descending = is_descending;
	return true;
}

bool
scylla_parse_type(const ScyllaOptionRow *row, const char *text, void *field)
{
	cql_type_arena *arena = cql_type_arena_new();
	bool is_type;

	if (arena == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	/* Nothing may raise while the arena, which is no palloc memory, is held. */
	is_type = cql_type_parse(arena, text) != NULL;
	cql_type_arena_free(arena);
	return is_type && scylla_parse_any_text(row, text, field);
}

bool
scylla_parse_indexes(const ScyllaOptionRow *row, const char *text, void *field)
{
	return scylla_indexes_parse(text, field);
}

bool
scylla_parse_views(const ScyllaOptionRow *row, const char *text, void *field)
{
	return scylla_views_parse(text, field);
}

/* function: ttl(column), writetime(column), token. The name in parentheses is exact and unquoted,
 * as in the option column. Fills several fields, so its field is the whole struct. */
bool
scylla_parse_function(const ScyllaOptionRow *row, const char *text, void *field)
{
	static const struct
	{
		const char *start;
		ScyllaFunction function;
	} functions[] = {{"ttl(", SCYLLA_FUNCTION_TTL}, {"writetime(", SCYLLA_FUNCTION_WRITETIME}};
	ScyllaColumnOptions *column = field;
	size_t length = strlen(text);

	column->function_text = pstrdup(text);
	if (strcmp(text, "token") == 0)
	{
		column->function = SCYLLA_FUNCTION_TOKEN;
		return true;
	}
	for (size_t i = 0; i < lengthof(functions); i++)
	{
		size_t start = strlen(functions[i].start);

		if (strncmp(text, functions[i].start, start) != 0 || length < start + 2 ||
			text[length - 1] != ')')
			continue;
		column->function = functions[i].function;
		column->argument = pnstrdup(text + start, length - start - 1);
		return true;
	}
	return false;
}

/* using: ttl, timestamp. A function as well, and so the whole struct. */
bool
scylla_parse_using(const ScyllaOptionRow *row, const char *text, void *field)
{
	ScyllaColumnOptions *column = field;

	column->function_text = psprintf("using %s", text);
	column->function =
		strcmp(text, "ttl") == 0 ? SCYLLA_FUNCTION_USING_TTL : SCYLLA_FUNCTION_USING_TIMESTAMP;
	return strcmp(text, "ttl") == 0 || strcmp(text, "timestamp") == 0;
}

void
scylla_guard_password_required(const ScyllaOptionRow *row, const void *field)
{
	bool is_required = *(const bool *) field;

	if (!is_required && !superuser())
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("only a superuser may set the option \"%s\" to false", row->name),
						errhint("A user mapping that has it may be changed by a superuser only.")));
}

bool
scylla_may_read_files(Oid roleid)
{
	return has_privs_of_role(roleid, ROLE_PG_READ_SERVER_FILES);
}

/* A file may be replaced at any time, but a text stays what it is. */
static void
check_pem(const ScyllaOptionRow *row, const char *text)
{
	cql_error error;

	if (cql_pem_check(text, (cql_pem) row->pem, &error))
		return;
	ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
					errmsg("invalid value for option \"%s\"", row->name),
					errdetail_internal("The %s.", error.message),
					errhint("Give the whole text, with its BEGIN and END lines and line breaks.")));
}

/* A path is read with the server's rights, and what is wrong with the file would be told. */
void
scylla_guard_pem(const ScyllaOptionRow *row, const void *field)
{
	const char *text = *(char *const *) field;

	if (scylla_is_pem(text))
		check_pem(row, text);
	if (!is_absolute_path(text) || scylla_may_read_files(GetUserId()))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied to set option \"%s\" to a file", row->name),
			 errdetail("Only superusers and roles with the privileges of pg_read_server_files may "
					   "do so, and may change what has it."),
			 errhint("Put the PEM text itself into the option.")));
}
