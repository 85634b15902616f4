/*
 * Sessions of this backend: one driver session per user mapping, made at first use, replaced
 * after ALTER or DROP of its server or mapping, closed at backend exit.
 */
#ifndef SCYLLA_SESSION_H
#define SCYLLA_SESSION_H

#include "option.h"

#include "cql/cql.h"

/*
 * Owned by the cache in session.c. A session that goes stale while somebody has it pinned lives
 * until the last pin is gone; new users get a new one.
 */
typedef struct ScyllaSession
{
	Oid serverid;
	Oid umid;
	Oid userid; /* key only where there is no mapping */
	char *server_name;
	cql_session *cql;
	int request_timeout_ms;
	int max_retries;
	size_t batch_bytes; /* that a batch of rows may have: less, where the servers take less */
	/* Rises whenever what is known of the remote schema may be old: refresh, drift, DDL. No two
	 * sessions of a backend ever have the same. */
	uint64 schema_generation;
	bool is_stale;
	int pin_count;
} ScyllaSession;

/*
 * The session for a user on a server; opens no connection yet. Raises 2F003 where
 * password_required is not met. Valid until the next call unless pinned.
 */
extern ScyllaSession *scylla_session_get(Oid serverid, Oid userid);

/* The same if there is one already; NULL: there is none. Makes nothing. */
extern ScyllaSession *scylla_session_find(Oid serverid, Oid userid);

/* Keep a session while a memory context lives (a scan's): unpinned by that context's reset. */
extern void scylla_session_pin(ScyllaSession *session, MemoryContext context);

/* Contact points of the session whose names could not be resolved, for a detail; NULL: none. */
extern const char *scylla_session_unresolved(const ScyllaSession *session);

/* Resolve the contact points anew, and take the options as they are then, at the next get. */
extern void scylla_session_expire(const ScyllaSession *session);

/* Close sessions: of a server, or all (InvalidOid). True if there was one. One that a running
 * scan has pinned is closed when that ends; nobody gets it any more. */
extern bool scylla_session_disconnect(Oid serverid);

/* Mark the remote schema as possibly old: of a server, or all (InvalidOid). Plans of this backend
 * that were made from it are made again. */
extern void scylla_session_forget_schema(Oid serverid);

/* The sessions that are open now; NULL behind the last. For views. */
extern ScyllaSession *scylla_session_at(int index);

#endif /* SCYLLA_SESSION_H */
