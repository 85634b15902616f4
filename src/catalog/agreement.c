/*
 * Agreement on the schema: a node tells its own version, and those that it has heard of its peers.
 */
#include "postgres.h"

#include "catalog/agreement.h"

#include "bridge/wait.h"
#include "catalog/system_query.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#define MAX_WAIT_MS 10000
#define PAUSE_MS 100

static const char *const version_cql[] = {
	"SELECT schema_version FROM system.local",
	"SELECT schema_version FROM system.peers",
};

/* Whether the versions that a query brings are all this one, which the first one sets. */
static bool
has_one_version(ScyllaSystemQuery *query, pg_uuid_t *version, bool *is_set)
{
	/* Who may not know cannot wait for it. */
	if (!scylla_system_query_wait(query, 1, SCYLLA_MAY_FAIL))
		return true;
	while (scylla_system_query_next(query))
	{
		cql_cell cell = scylla_system_query_cell(query, 0);

		/* null: of a peer that was never heard of since */
		if (cell.len != UUID_LEN)
			continue;
		if (*is_set && memcmp(version->data, cell.data, UUID_LEN) != 0)
			return false;
		memcpy(version->data, cell.data, UUID_LEN);
		*is_set = true;
	}
	return true;
}

static bool
is_agreed(ScyllaSession *session)
{
	ScyllaSystemQuery *queries[lengthof(version_cql)];
	pg_uuid_t version;
	bool is_set = false;
	bool is_one = true;

	for (size_t i = 0; i < lengthof(version_cql); i++)
		queries[i] = scylla_system_query_start(session, version_cql[i], NULL, NULL);
	for (size_t i = 0; i < lengthof(version_cql); i++)
		is_one &= has_one_version(queries[i], &version, &is_set);
	return is_one;
}

static bool
never(void *argument)
{
	return false;
}

void
scylla_schema_await_agreement(ScyllaSession *session)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "scylla_fdw agreement", ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	TimestampTz end = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
												  Min(MAX_WAIT_MS, session->request_timeout_ms));
	bool is_reached;

	while (!(is_reached = is_agreed(session)) && GetCurrentTimestamp() < end)
	{
		scylla_wait_until(never, NULL, PAUSE_MS);
		MemoryContextReset(context);
	}
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	if (!is_reached)
		ereport(
			WARNING,
			(errmsg("nodes of server \"%s\" do not agree on the schema yet", session->server_name),
			 errdetail("The statement was applied, but a node may not know of it."),
			 errhint("Find out whether a node is down, or wait before using what has changed.")));
}
