/*
 * A row in the file is a fixed head and three strings of bytes: values, routing key, key.
 */
#include "postgres.h"

#include "exec/spool.h"

#include "lib/stringinfo.h"
#include "storage/buffile.h"

typedef struct SpoolHead
{
	ScyllaModifyTarget target;
	ScyllaWrite write; /* its pointers mean nothing in the file */
} SpoolHead;

struct ScyllaSpool
{
	MemoryContext context;
	BufFile *file; /* NULL: empty */
	bool is_read;  /* rewound, and being taken out */
	StringInfoData bytes;
};

ScyllaSpool *
scylla_spool_new(void)
{
	ScyllaSpool *spool = palloc0(sizeof(ScyllaSpool));

	spool->context = CurrentMemoryContext;
	initStringInfo(&spool->bytes);
	return spool;
}

/* It lives longer than the row at hand. */
static void
open_file(ScyllaSpool *spool)
{
	MemoryContext caller = MemoryContextSwitchTo(spool->context);

	spool->file = BufFileCreateTemp(false);
	MemoryContextSwitchTo(caller);
}

void
scylla_spool_put(ScyllaSpool *spool, const ScyllaWrite *write, ScyllaModifyTarget target)
{
	SpoolHead head;

	memset(&head, 0, sizeof(head));
	head.target = target;
	head.write = *write;
	if (spool->file == NULL)
		open_file(spool);
	BufFileWrite(spool->file, &head, sizeof(head));
	BufFileWrite(spool->file, (void *) write->values, write->values_len);
	BufFileWrite(spool->file, (void *) write->routing_key, write->routing_key_len);
	BufFileWrite(spool->file, (void *) write->key, write->key_len);
}

static void
close_file(ScyllaSpool *spool)
{
	BufFileClose(spool->file);
	spool->file = NULL;
	spool->is_read = false;
}

static void
read_exactly(ScyllaSpool *spool, void *out, size_t len)
{
	if (BufFileRead(spool->file, out, len) != len)
		elog(ERROR, "temporary file of rows to be written ends too early");
}

bool
scylla_spool_take(ScyllaSpool *spool, ScyllaWrite *write, ScyllaModifyTarget *target)
{
	SpoolHead head;
	size_t len;

	if (spool->file == NULL)
		return false;
	if (!spool->is_read && BufFileSeek(spool->file, 0, 0, SEEK_SET) != 0)
		elog(ERROR, "could not rewind the temporary file of rows to be written");
	spool->is_read = true;
	if (BufFileRead(spool->file, &head, sizeof(head)) != sizeof(head))
	{
		close_file(spool);
		return false;
	}
	*write = head.write;
	*target = head.target;
	len = write->values_len + write->routing_key_len + write->key_len;
	resetStringInfo(&spool->bytes);
	enlargeStringInfo(&spool->bytes, (int) len);
	read_exactly(spool, spool->bytes.data, len);
	write->values = spool->bytes.data;
	write->routing_key = write->values + write->values_len;
	write->key = write->routing_key + write->routing_key_len;
	return true;
}
