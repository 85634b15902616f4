/*
 * Parsers and guards of option values: what the rows of option.c's table point to. Private to
 * option.c and option_parse.c.
 */
#ifndef SCYLLA_OPTION_PARSE_H
#define SCYLLA_OPTION_PARSE_H

#include "option.h"

typedef struct ScyllaOptionRow ScyllaOptionRow;

struct ScyllaOptionRow
{
	const char *name;
	int places;    /* where it may be set */
	size_t offset; /* of its field, in the struct of those places */
	/* Puts a text's value into the field; false: it is no value of this option. */
	bool (*parse)(const ScyllaOptionRow *row, const char *text, void *field);
	const char *allowed;      /* what is, after "Allowed: "; NULL: words, range or level_use tell */
	const char *const *words; /* that it may be; the last is NULL */
	int min;
	int max;
	int level_use;
	/* Raises if the user who runs the DDL may not give the option this value; NULL: all may. */
	void (*guard)(const ScyllaOptionRow *row, const void *field);
	bool is_secret; /* its value is never shown */
	int pem;        /* cql_pem, of PEM texts */
};

/* Each puts a value into the field that the row is about; see ScyllaOptionRow.parse. */
extern bool scylla_parse_any_text(const ScyllaOptionRow *row, const char *text, void *field);
extern bool scylla_parse_name(const ScyllaOptionRow *row, const char *text, void *field);
extern bool scylla_parse_boolean(const ScyllaOptionRow *row, const char *text, void *field);
extern bool scylla_parse_integer(const ScyllaOptionRow *row, const char *text, void *field);
extern bool scylla_parse_duration(const ScyllaOptionRow *row, const char *text, void *field);
extern bool scylla_parse_cost(const ScyllaOptionRow *row, const char *text, void *field);
extern bool scylla_parse_consistency(const ScyllaOptionRow *row, const char *text, void *field);
/* One of the row's words: its place among them, or, of two words, whether it is the second. */
extern bool scylla_parse_word(const ScyllaOptionRow *row, const char *text, void *field);
extern bool scylla_parse_either(const ScyllaOptionRow *row, const char *text, void *field);
extern bool scylla_parse_pem(const ScyllaOptionRow *row, const char *text, void *field);
extern bool scylla_parse_hosts(const ScyllaOptionRow *row, const char *text, void *field);
extern bool scylla_parse_key(const ScyllaOptionRow *row, const char *text, void *field);
extern bool scylla_parse_type(const ScyllaOptionRow *row, const char *text, void *field);
extern bool scylla_parse_indexes(const ScyllaOptionRow *row, const char *text, void *field);
extern bool scylla_parse_views(const ScyllaOptionRow *row, const char *text, void *field);
extern bool scylla_parse_function(const ScyllaOptionRow *row, const char *text, void *field);
extern bool scylla_parse_using(const ScyllaOptionRow *row, const char *text, void *field);

/* See ScyllaOptionRow.guard. */
extern void scylla_guard_password_required(const ScyllaOptionRow *row, const void *field);
extern void scylla_guard_pem(const ScyllaOptionRow *row, const void *field);

#endif /* SCYLLA_OPTION_PARSE_H */
