/*
 * Prepared statements and the cache that a session keeps of them: by text, the least recently
 * used pushed out. A statement's id is the same on every node, since texts name their keyspace
 * and USE is never sent; so one cache serves all connections.
 */
#include <string.h>

#include "cql/mem.h"
#include "cql/session.h"

/* ScyllaDB alone gives that name, and places the log's partitions by it. */
static bool
has_stream_key(const cql_metadata *bind)
{
	const cql_column *key = bind->key_count == 1 ? &bind->columns[bind->key_indexes[0]] : NULL;

	return key != NULL && key->type->id == CQL_TYPE_BLOB && strcmp(key->name, "cdc$stream_id") == 0;
}

cql_statement *
cql_statement_new(const char *text, const cql_prepared *prepared)
{
	cql_statement *statement = cql_alloc_zero(sizeof *statement);

	if (statement == NULL)
		return NULL;
	statement->references = 1;
	statement->text = cql_copy_text(text, strlen(text));
	statement->id = (uint8_t *) cql_copy_text(prepared->id.data, prepared->id.len);
	statement->id_len = prepared->id.len;
	/* Without announced columns every answer has to bring its own (LIST ROLES is such a one). */
	if (prepared->result->column_count > 0)
		statement->metadata_id_len = prepared->metadata_id.len;
	statement->metadata_id =
		(uint8_t *) cql_copy_text(prepared->metadata_id.data, statement->metadata_id_len);
	if (statement->text == NULL || statement->id == NULL || statement->metadata_id == NULL)
	{
		cql_statement_release(statement);
		return NULL;
	}
	statement->bind = cql_metadata_share(prepared->bind);
	statement->result = cql_metadata_share(prepared->result);
	statement->has_stream_key = has_stream_key(statement->bind);
	return statement;
}

cql_statement *
cql_statement_share(cql_statement *statement)
{
	statement->references++;
	return statement;
}

void
cql_statement_release(cql_statement *statement)
{
	if (statement == NULL || --statement->references > 0)
		return;
	cql_release(statement->text);
	cql_release(statement->id);
	cql_release(statement->metadata_id);
	if (statement->bind != NULL)
		cql_metadata_release(statement->bind);
	if (statement->result != NULL)
		cql_metadata_release(statement->result);
	cql_release(statement);
}

const char *
cql_statement_text(const cql_statement *statement)
{
	return statement->text;
}

int
cql_statement_bind_count(const cql_statement *statement)
{
	return statement->bind->column_count;
}

const cql_column *
cql_statement_bind(const cql_statement *statement, int index)
{
	return &statement->bind->columns[index];
}

int
cql_statement_key_count(const cql_statement *statement)
{
	return statement->bind->key_count;
}

int
cql_statement_key_bind(const cql_statement *statement, int index)
{
	return statement->bind->key_indexes[index];
}

int
cql_statement_column_count(const cql_statement *statement)
{
	return statement->result->column_count;
}

const cql_column *
cql_statement_column(const cql_statement *statement, int index)
{
	return &statement->result->columns[index];
}

const cql_statement *
cql_session_statement(const cql_session *session, int index, cql_statement_counters *counters)
{
	const cql_statement *statement = session->cache.newest;

	while (statement != NULL && index-- > 0)
		statement = statement->older;
	if (statement != NULL)
		*counters = statement->counters;
	return statement;
}

/* ---- the cache ---- */

/* FNV-1a, 64 bits. */
static uint64_t
hash_text(const char *text)
{
	uint64_t hash = UINT64_C(14695981039346656037);

	for (; *text != '\0'; text++)
		hash = (hash ^ (uint8_t) *text) * UINT64_C(1099511628211);
	return hash;
}

static void
unlink_age(cql_statement_cache *cache, cql_statement *statement)
{
	if (statement->newer != NULL)
		statement->newer->older = statement->older;
	else
		cache->newest = statement->older;
	if (statement->older != NULL)
		statement->older->newer = statement->newer;
	else
		cache->oldest = statement->newer;
}

static void
link_newest(cql_statement_cache *cache, cql_statement *statement)
{
	statement->newer = NULL;
	statement->older = cache->newest;
	if (cache->newest != NULL)
		cache->newest->newer = statement;
	else
		cache->oldest = statement;
	cache->newest = statement;
}

cql_statement *
cql_cache_find(cql_statement_cache *cache, const char *text)
{
	uint64_t hash = hash_text(text);
	cql_statement *statement = cache->buckets[hash % CQL_CACHE_BUCKETS];

	while (statement != NULL && (statement->hash != hash || strcmp(statement->text, text) != 0))
		statement = statement->next_in_bucket;
	if (statement != NULL && statement != cache->newest)
	{
		unlink_age(cache, statement);
		link_newest(cache, statement);
	}
	return statement;
}

void
cql_cache_add(cql_statement_cache *cache, cql_statement *statement)
{
	cql_statement **bucket;

	statement->hash = hash_text(statement->text);
	bucket = &cache->buckets[statement->hash % CQL_CACHE_BUCKETS];
	statement->next_in_bucket = *bucket;
	*bucket = cql_statement_share(statement);
	link_newest(cache, statement);
	cache->count++;
	if (cache->count > CQL_CACHE_MAX)
		cql_cache_remove(cache, cache->oldest);
}

void
cql_cache_remove(cql_statement_cache *cache, cql_statement *statement)
{
	cql_statement **place = &cache->buckets[statement->hash % CQL_CACHE_BUCKETS];

	while (*place != NULL && *place != statement)
		place = &(*place)->next_in_bucket;
	if (*place == NULL)
		return; /* pushed out before */
	*place = statement->next_in_bucket;
	unlink_age(cache, statement);
	cache->count--;
	cql_statement_release(statement);
}

void
cql_cache_clear(cql_statement_cache *cache)
{
	while (cache->oldest != NULL)
		cql_cache_remove(cache, cache->oldest);
}

void
cql_cache_replace(cql_statement_cache *cache, cql_statement *old, cql_statement *statement)
{
	statement->counters = old->counters;
	cql_cache_remove(cache, old);
	cql_cache_add(cache, statement);
}

void
cql_session_doubt_statements(cql_session *session)
{
	for (cql_statement *at = session->cache.newest; at != NULL; at = at->older)
		at->is_doubted = true;
}

void
cql_session_forget_statement(cql_session *session, cql_statement *statement)
{
	cql_cache_remove(&session->cache, statement);
}
