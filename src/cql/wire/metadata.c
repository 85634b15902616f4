/*
 * <metadata> of ROWS and PREPARED results (v4, section 4.2.5.2). Everything that it owns lies in
 * its arena; the bytes it was read from are kept, so that the next page's are only compared.
 */
#include <string.h>

#include "cql/mem.h"
#include "cql/wire/response.h"
#include "cql/wire/type.h"

enum
{
	META_GLOBAL_SPEC = 0x01,
	META_HAS_MORE_PAGES = 0x02,
	META_NO_METADATA = 0x04,
	META_CHANGED = 0x08 /* ScyllaDB's extension, as in v5 */
};

cql_metadata *
cql_metadata_share(cql_metadata *metadata)
{
	metadata->references++;
	return metadata;
}

void
cql_metadata_release(cql_metadata *metadata)
{
	if (metadata == NULL || --metadata->references > 0)
		return;
	cql_type_arena_free(metadata->arena);
	cql_release(metadata);
}

static cql_metadata *
new_metadata(void)
{
	cql_metadata *metadata = cql_alloc_zero(sizeof *metadata);

	if (metadata == NULL)
		return NULL;
	metadata->references = 1;
	metadata->arena = cql_type_arena_new();
	if (metadata->arena == NULL)
	{
		cql_release(metadata);
		return NULL;
	}
	return metadata;
}

/* The text of before when it is the same: the columns of a result mostly have one table. */
static const char *
copy_name(cql_type_arena *arena, cql_view name, const char *before)
{
	if (before != NULL && strlen(before) == name.len && memcmp(before, name.data, name.len) == 0)
		return before;
	return cql_type_arena_copy(arena, name);
}

/* Keyspaces and tables of all or of each column, names, types. False: failed or no memory. */
static bool
read_columns(cql_reader *body, cql_metadata *metadata)
{
	const size_t least_len = metadata->has_global_spec ? 4 : 8; /* all names empty */
	const char *keyspace = NULL;
	const char *table = NULL;

	if (metadata->has_global_spec)
	{
		keyspace = cql_type_arena_copy(metadata->arena, cql_read_string(body));
		table = cql_type_arena_copy(metadata->arena, cql_read_string(body));
	}
	if (!cql_reader_fits(body, metadata->column_count, least_len))
		return false;
	metadata->columns =
		cql_type_arena_take(metadata->arena, (size_t) metadata->column_count * sizeof(cql_column));
	for (int32_t i = 0; i < metadata->column_count; i++)
	{
		cql_column column = {.keyspace = keyspace, .table = table};

		if (!metadata->has_global_spec)
		{
			keyspace = copy_name(metadata->arena, cql_read_string(body), keyspace);
			table = copy_name(metadata->arena, cql_read_string(body), table);
			column.keyspace = keyspace;
			column.table = table;
		}
		column.name = cql_type_arena_copy(metadata->arena, cql_read_string(body));
		column.type = cql_type_read(body, metadata->arena);
		if (body->failed || cql_type_arena_is_exhausted(metadata->arena))
			return false;
		metadata->columns[i] = column;
	}
	return !body->failed && !cql_type_arena_is_exhausted(metadata->arena);
}

/* The columns and the bytes that they were read from. */
static bool
read_spec(cql_reader *body, cql_metadata *metadata)
{
	const uint8_t *start = body->pos;

	if (!read_columns(body, metadata))
		return false;
	metadata->spec_len = (size_t) (body->pos - start);
	metadata->spec = cql_type_arena_take(metadata->arena, metadata->spec_len);
	if (metadata->spec == NULL)
		return false;
	memcpy(metadata->spec, start, metadata->spec_len);
	return true;
}

/* Give up a metadata that was begun: out of memory, or its bytes are wrong. */
static cql_metadata *
give_up(cql_reader *body, cql_metadata *metadata, bool *is_out_of_memory)
{
	if (metadata == NULL || cql_type_arena_is_exhausted(metadata->arena))
		*is_out_of_memory = true;
	cql_metadata_release(metadata);
	cql_reader_fail(body);
	return NULL;
}

/* A result's columns as the flags announce them; none when the server left them out. */
static cql_metadata *
read_result_columns(cql_reader *body, int32_t flags, int32_t column_count, bool *is_out_of_memory)
{
	cql_metadata *metadata = new_metadata();

	if (metadata == NULL)
		return give_up(body, metadata, is_out_of_memory);
	if (flags & META_NO_METADATA)
		return metadata;
	metadata->column_count = column_count;
	metadata->has_global_spec = (flags & META_GLOBAL_SPEC) != 0;
	if (!read_spec(body, metadata))
		return give_up(body, metadata, is_out_of_memory);
	return metadata;
}

/* ---- ROWS ---- */

/* A column's specification ends where its own bytes say, so an equal beginning is all of it. */
static bool
is_spec_of(const cql_reader *body, int32_t flags, int32_t column_count, const cql_metadata *known)
{
	return known->column_count == column_count &&
		   known->has_global_spec == ((flags & META_GLOBAL_SPEC) != 0) &&
		   known->spec_len <= cql_reader_left(body) &&
		   (known->spec_len == 0 || memcmp(known->spec, body->pos, known->spec_len) == 0);
}

static void
read_paging_state(cql_reader *body, cql_rows_head *out)
{
	out->has_more_pages = true;
	out->paging_state = cql_read_bytes(body);
	/* Asking on with no state would begin anew, and never end. */
	if (out->paging_state.len <= 0)
		cql_reader_fail(body);
}

void
cql_read_rows_head(cql_reader *body, cql_metadata *known, cql_rows_head *out,
				   bool *is_out_of_memory)
{
	int32_t flags = cql_read_int(body);
	int32_t column_count = cql_read_int(body);

	*is_out_of_memory = false;
	*out = (cql_rows_head) {
		.paging_state = {.data = NULL, .len = CQL_CELL_NULL},
		.new_metadata_id = {.data = "", .len = 0},
	};
	if (flags & META_HAS_MORE_PAGES)
		read_paging_state(body, out);
	if ((flags & META_CHANGED) && !(flags & META_NO_METADATA))
		out->new_metadata_id = cql_read_short_bytes(body);
	if (body->failed || column_count < 0)
	{
		cql_reader_fail(body);
		return;
	}
	if (flags & META_NO_METADATA)
	{
		if (known != NULL && known->column_count == column_count)
			out->metadata = cql_metadata_share(known);
		else if (column_count == 0)
			out->metadata = read_result_columns(body, flags, 0, is_out_of_memory);
		else
			cql_reader_fail(body);
		return;
	}
	if (known != NULL && is_spec_of(body, flags, column_count, known))
	{
		cql_read_raw(body, known->spec_len);
		out->metadata = cql_metadata_share(known);
		return;
	}
	out->metadata = read_result_columns(body, flags, column_count, is_out_of_memory);
}

/* ---- PREPARED ---- */

/* Which bind variables make the partition key. An index beyond them would be read out of bounds
 * by whoever hashes the key. */
static bool
read_key_indexes(cql_reader *body, cql_metadata *metadata, int32_t key_count)
{
	if (!cql_reader_fits(body, key_count, sizeof(uint16_t)))
		return false;
	metadata->key_indexes =
		cql_type_arena_take(metadata->arena, (size_t) key_count * sizeof(uint16_t));
	if (metadata->key_indexes == NULL)
		return false;
	metadata->key_count = key_count;
	for (int32_t i = 0; i < key_count; i++)
	{
		metadata->key_indexes[i] = cql_read_short(body);
		if (metadata->key_indexes[i] >= metadata->column_count)
			return false;
	}
	return true;
}

static cql_metadata *
read_bind_metadata(cql_reader *body, uint32_t lwt_mask, bool *is_out_of_memory)
{
	int32_t flags = cql_read_int(body);
	int32_t column_count = cql_read_int(body);
	int32_t key_count = cql_read_int(body);
	cql_metadata *metadata;

	if (body->failed || column_count < 0)
	{
		cql_reader_fail(body);
		return NULL;
	}
	metadata = new_metadata();
	if (metadata == NULL)
		return give_up(body, metadata, is_out_of_memory);
	metadata->column_count = column_count;
	metadata->has_global_spec = (flags & META_GLOBAL_SPEC) != 0;
	metadata->is_lwt = ((uint32_t) flags & lwt_mask) != 0;
	if (!read_key_indexes(body, metadata, key_count) || !read_spec(body, metadata))
		return give_up(body, metadata, is_out_of_memory);
	return metadata;
}

void
cql_read_prepared(cql_reader *body, bool has_metadata_id, uint32_t lwt_mask, cql_prepared *out,
				  bool *is_out_of_memory)
{
	int32_t flags;
	int32_t column_count;

	*is_out_of_memory = false;
	*out = (cql_prepared) {.metadata_id = {.data = "", .len = 0}};
	out->id = cql_read_short_bytes(body);
	if (has_metadata_id)
		out->metadata_id = cql_read_short_bytes(body);
	out->bind = read_bind_metadata(body, lwt_mask, is_out_of_memory);
	flags = cql_read_int(body);
	column_count = cql_read_int(body);
	/* No pages belong to a statement, but nothing forbids the flag. */
	if (flags & META_HAS_MORE_PAGES)
		cql_read_bytes(body);
	if (column_count < 0)
		cql_reader_fail(body);
	if (!body->failed)
		out->result = read_result_columns(body, flags, column_count, is_out_of_memory);
	if (body->failed)
	{
		cql_metadata_release(out->bind);
		cql_metadata_release(out->result);
		out->bind = out->result = NULL;
	}
}
