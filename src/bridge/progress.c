/*
 * Slots of shared memory. One is its backend's from the exchange of its pid on; others only read
 * it. The memory is taken from what PostgreSQL has left over, since an extension that is not
 * preloaded cannot ask for its own: where nothing is left, nothing is shown.
 */
#include "postgres.h"

#include "bridge/progress.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/lwlock.h"
#include "storage/procarray.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#define SLOTS 64

struct ScyllaProgressSlot
{
	pg_atomic_uint32 pid; /* 0: free */
	Oid databaseid;
	Oid userid;
	Oid relid;
	TimestampTz start;
	pg_atomic_uint64 sent;
	pg_atomic_uint64 acknowledged;
	pg_atomic_uint64 failed;
	pg_atomic_uint64 bytes;
};

static ScyllaProgressSlot *slots = NULL;
static bool is_unavailable = false;

static void
init_slots(void)
{
	for (int i = 0; i < SLOTS; i++)
	{
		pg_atomic_init_u32(&slots[i].pid, 0);
		pg_atomic_init_u64(&slots[i].sent, 0);
		pg_atomic_init_u64(&slots[i].acknowledged, 0);
		pg_atomic_init_u64(&slots[i].failed, 0);
		pg_atomic_init_u64(&slots[i].bytes, 0);
	}
}

static void
attach_slots(void)
{
	bool is_found;

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	slots = ShmemInitStruct("scylla_fdw progress", SLOTS * sizeof(ScyllaProgressSlot), &is_found);
	if (!is_found)
		init_slots();
	LWLockRelease(AddinShmemInitLock);
}

/* No statement fails for want of memory to be watched in. */
static bool
has_slots(void)
{
	MemoryContext caller = CurrentMemoryContext;

	if (slots != NULL || is_unavailable)
		return slots != NULL;
	PG_TRY();
	{
		attach_slots();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(caller);
		FlushErrorState();
		/* The error has lifted what the release of the lock lifts once more. */
		HOLD_INTERRUPTS();
		LWLockRelease(AddinShmemInitLock);
		is_unavailable = true;
	}
	PG_END_TRY();
	return slots != NULL;
}

/* Free, or left by a backend that is gone. */
static bool
take_slot(ScyllaProgressSlot *slot)
{
	uint32 pid = pg_atomic_read_u32(&slot->pid);

	if (pid != 0 && BackendPidGetProc((int) pid) != NULL)
		return false;
	return pg_atomic_compare_exchange_u32(&slot->pid, &pid, (uint32) MyProcPid);
}

ScyllaProgressSlot *
scylla_progress_begin(Oid relid)
{
	static const ScyllaProgress nothing = {0};

	if (!has_slots())
		return NULL;
	for (int i = 0; i < SLOTS; i++)
		if (take_slot(&slots[i]))
		{
			slots[i].databaseid = MyDatabaseId;
			slots[i].userid = GetUserId();
			slots[i].relid = relid;
			slots[i].start = GetCurrentStatementStartTimestamp();
			scylla_progress_update(&slots[i], &nothing);
			return &slots[i];
		}
	return NULL;
}

void
scylla_progress_update(ScyllaProgressSlot *slot, const ScyllaProgress *progress)
{
	pg_atomic_write_u64(&slot->sent, progress->sent);
	pg_atomic_write_u64(&slot->acknowledged, progress->acknowledged);
	pg_atomic_write_u64(&slot->failed, progress->failed);
	pg_atomic_write_u64(&slot->bytes, progress->bytes);
}

void
scylla_progress_end(ScyllaProgressSlot *slot)
{
	pg_atomic_write_u32(&slot->pid, 0);
}

bool
scylla_progress_next(int *index, ScyllaProgress *progress)
{
	while (has_slots() && *index < SLOTS)
	{
		ScyllaProgressSlot *slot = &slots[(*index)++];

		progress->pid = (int) pg_atomic_read_u32(&slot->pid);
		if (progress->pid == 0 || BackendPidGetProc(progress->pid) == NULL)
			continue;
		progress->databaseid = slot->databaseid;
		progress->userid = slot->userid;
		progress->relid = slot->relid;
		progress->start = slot->start;
		progress->sent = pg_atomic_read_u64(&slot->sent);
		progress->acknowledged = pg_atomic_read_u64(&slot->acknowledged);
		progress->failed = pg_atomic_read_u64(&slot->failed);
		progress->bytes = pg_atomic_read_u64(&slot->bytes);
		return true;
	}
	return false;
}
