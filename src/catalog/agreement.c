/*
 * Agreement on the schema: a node tells its own version, and those that it has heard of its peers.
 */
#include "postgres.h"

#include "catalog/agreement.h"

#include "bridge/wait.h"
#include "catalog/system_query.h"
#include "utils/memutils.h"
#include "utils/uuid.h"

#define MAX_WAIT_MS 10000
#define PAUSE_MS 100
/* A node that still has another version then may be down: its last one is never forgotten. */
#define POLLS_TO_DOUBT 3

static const char *const version_cql[] = {
	"SELECT schema_version, host_id FROM system.local",
	"SELECT schema_version, host_id FROM system.peers",
};

typedef struct Agreement
{
	ScyllaSession *session;
	int polls; /* before this one */
	bool has_version;
	pg_uuid_t version; /* that all are to have: the first one's */
} Agreement;

/* A node has another version. Who is down learns of it before anybody is served there again. */
static bool
may_differ(const Agreement *agreement, cql_cell host_id)
{
	if (host_id.len != UUID_LEN)
		return false;
	if (cql_session_is_down(agreement->session->cql, host_id.data))
		return true;
	if (agreement->polls >= POLLS_TO_DOUBT)
		cql_session_try_node(agreement->session->cql, host_id.data);
	return false;
}

/* Whether all nodes of which a query tells have the version. */
static bool
has_one_version(Agreement *agreement, ScyllaSystemQuery *query)
{
	bool is_one = true;

	/* Who may not know cannot wait for it. */
	if (!scylla_system_query_wait(query, 2, SCYLLA_MAY_FAIL))
		return true;
	while (scylla_system_query_next(query))
	{
		cql_cell version = scylla_system_query_cell(query, 0);

		/* null: of a peer that was never heard of since */
		if (version.len != UUID_LEN)
			continue;
		if (!agreement->has_version)
		{
			memcpy(agreement->version.data, version.data, UUID_LEN);
			agreement->has_version = true;
		}
		else if (memcmp(agreement->version.data, version.data, UUID_LEN) != 0)
			is_one &= may_differ(agreement, scylla_system_query_cell(query, 1));
	}
	return is_one;
}

static bool
is_agreed(ScyllaSession *session, int polls)
{
	ScyllaSystemQuery *queries[lengthof(version_cql)];
	Agreement agreement = {.session = session, .polls = polls};
	bool is_one = true;

	for (size_t i = 0; i < lengthof(version_cql); i++)
		queries[i] = scylla_system_query_start(session, version_cql[i], NULL, NULL);
	for (size_t i = 0; i < lengthof(version_cql); i++)
		is_one &= has_one_version(&agreement, queries[i]);
	return is_one;
}

void
scylla_schema_await_agreement(ScyllaSession *session)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "scylla_fdw agreement", ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	uint64 end_us =
		scylla_monotonic_us() + (uint64) Min(MAX_WAIT_MS, session->request_timeout_ms) * 1000;
	bool is_reached;
	int polls = 0;

	while (!(is_reached = is_agreed(session, polls++)) && scylla_monotonic_us() < end_us)
	{
		scylla_wait_ms(PAUSE_MS);
		MemoryContextReset(context);
	}
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	if (!is_reached)
		ereport(
			WARNING,
			(errmsg("nodes of server \"%s\" do not agree on the schema yet", session->server_name),
			 errdetail("The statement was applied, but a node may not know of it."),
			 errhint("Find out which node is behind, or wait before using what has changed.")));
}
