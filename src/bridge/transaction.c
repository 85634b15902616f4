/*
 * Counts the writes of each nested transaction that is open. They stand in the cluster whatever
 * becomes of the transaction; this file only says so, once for each write.
 */
#include "postgres.h"

#include "bridge/transaction.h"

#include "access/xact.h"
#include "datatype/timestamp.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* By nesting level, from 1 on; writes that were sent and not surely refused. */
static int64 *level_writes = NULL;
static int level_count = 0;

static void
warn_of_writes(int64 writes, const char *what)
{
	if (writes > 0)
		ereport(WARNING,
				(errmsg("writes of the aborted %s through scylla_fdw are not undone", what),
				 errdetail_plural("%lld row was written or may have been.",
								  "%lld rows were written or may have been.",
								  (unsigned long) writes, (long long) writes)));
}

/* Before it warns, for a warning may not find the same writes again. */
static int64
take_writes(int level)
{
	int64 writes = level < level_count ? level_writes[level] : 0;

	if (level < level_count)
		level_writes[level] = 0;
	return writes;
}

static void
refuse_prepare(void)
{
	for (int level = 0; level < level_count; level++)
		if (level_writes[level] > 0)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("cannot PREPARE a transaction that has written through scylla_fdw"),
					 errdetail("What it wrote stands already."), errhint("Use COMMIT.")));
}

static void
end_transaction(XactEvent event, void *argument)
{
	switch (event)
	{
		case XACT_EVENT_PRE_PREPARE:
			refuse_prepare();
			break;
		case XACT_EVENT_ABORT:
			for (int level = 0; level < level_count; level++)
				warn_of_writes(take_writes(level), "transaction");
			break;
		case XACT_EVENT_COMMIT:
			for (int level = 0; level < level_count; level++)
				(void) take_writes(level);
			break;
		default:
			break;
	}
}

/* A sub-transaction that ends well hands its writes to the one around it. */
static void
end_subtransaction(SubXactEvent event, SubTransactionId id, SubTransactionId parent, void *argument)
{
	int level = scylla_transaction_level();

	if (event == SUBXACT_EVENT_COMMIT_SUB)
		scylla_transaction_count(level - 1, take_writes(level));
	else if (event == SUBXACT_EVENT_ABORT_SUB)
		warn_of_writes(take_writes(level), "sub-transaction");
}

int
scylla_transaction_level(void)
{
	return GetCurrentTransactionNestLevel();
}

static void
grow(int level)
{
	int count = Max(16, 2 * level);

	if (level_writes == NULL)
	{
		level_writes = MemoryContextAllocZero(TopMemoryContext, count * sizeof(int64));
		RegisterXactCallback(end_transaction, NULL);
		RegisterSubXactCallback(end_subtransaction, NULL);
	}
	else
	{
		level_writes = repalloc(level_writes, count * sizeof(int64));
		memset(level_writes + level_count, 0, (count - level_count) * sizeof(int64));
	}
	level_count = count;
}

void
scylla_transaction_count(int level, int64 writes)
{
	if (writes == 0)
		return;
	if (level >= level_count)
		grow(level);
	level_writes[level] += writes;
}

static uint64 timestamp_count = 0;

int64
scylla_write_timestamp_us(void)
{
	static int64 last_us = 0;
	int64 now_us =
		GetCurrentTimestamp() + (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * INT64CONST(86400000000);

	last_us = Max(now_us, last_us + 1);
	timestamp_count++;
	return last_us;
}

uint64
scylla_write_timestamp_count(void)
{
	return timestamp_count;
}
