/*
 * Ways into a table beside its key: secondary indexes and materialized views, and the text that
 * the table options `indexes` and `views` carry them in, so that plans need no connection.
 *
 * A list has one spelling, the one that the printers write:
 *   indexes  age_idx (age), tag_idx (values(tags)), "Near" (note) local, text_idx (note) sai
 *   views    by_name ((name), id desc) (age, email), by_day ((day, shop)) *
 * A name is quoted, as in CQL, unless it is of lower-case letters, digits and underscores. A view
 * shows its key and the columns named behind it; * are all but the static ones.
 */
#ifndef SCYLLA_READ_PATH_H
#define SCYLLA_READ_PATH_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "nodes/bitmapset.h"
#include "nodes/pg_list.h"

typedef enum ScyllaIndexKind
{
	SCYLLA_INDEX_GLOBAL, /* = alone finds rows of all partitions (Cassandra's 2i too) */
	SCYLLA_INDEX_LOCAL,  /* ScyllaDB's: only with the whole partition key bound */
	SCYLLA_INDEX_SAI     /* Cassandra's storage-attached: ranges too, several at once */
} ScyllaIndexKind;

typedef enum ScyllaIndexTarget
{
	SCYLLA_TARGET_VALUE,  /* of a column that is no collection that can be changed in part */
	SCYLLA_TARGET_KEYS,   /* of a map: CONTAINS KEY */
	SCYLLA_TARGET_VALUES, /* of a list, set or map: CONTAINS */
	SCYLLA_TARGET_ENTRIES,
	SCYLLA_TARGET_FULL /* a frozen collection as one value */
} ScyllaIndexTarget;

typedef struct ScyllaIndex
{
	char *name;
	char *column; /* remote */
	ScyllaIndexTarget target;
	ScyllaIndexKind kind;
} ScyllaIndex;

/* All names are remote ones (char *). */
typedef struct ScyllaView
{
	char *name;
	List *partition_key;
	List *clustering_key;
	Bitmapset *descending; /* places in clustering_key, from 0 */
	bool has_all_columns;
	List *columns; /* outside the key; NIL where it has all */
} ScyllaView;

/* Lists of ScyllaIndex and ScyllaView; false: the text is none. An empty text is an empty list. */
extern bool scylla_indexes_parse(const char *text, List **indexes);
extern bool scylla_views_parse(const char *text, List **views);

extern char *scylla_indexes_print(const List *indexes);
extern char *scylla_views_print(const List *views);

/* Read what CREATE INDEX is about, as column or keys(column); false: it is something else. */
extern bool scylla_index_target_scan(const char **text, ScyllaIndex *index);
extern void scylla_index_target_print(StringInfo out, const ScyllaIndex *index);

/* Read a name, quoted or not, and move behind it; NULL: there is none. */
extern char *scylla_name_scan(const char **text);

/* Whether a list of names (char *) has it. */
extern bool scylla_has_name(const List *names, const char *name);

#endif /* SCYLLA_READ_PATH_H */
