/*
 * Sessions of this backend: a short list in TopMemoryContext, one for each user mapping in use.
 *
 * A session is never changed: ALTER or DROP of its server or mapping makes it stale, the next
 * scylla_session_get() makes another, and the stale one is freed once nobody can hold it. What
 * the syscache callbacks do is to set that flag and nothing else, since they come at any time.
 */
#include "bridge/session.h"

#include <netdb.h>

#include "bridge/report.h"
#include "bridge/tls.h"
#include "bridge/wait.h"
#include "bridge/write_batch.h"
#include "catalog/pg_user_mapping.h"
#include "common/ip.h"
#include "foreign/foreign.h"
#include "lib/ilist.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/syscache.h"

/* A session as the cache keeps it; owned by the cache, freed by free_session() alone. */
typedef struct SessionEntry
{
	ScyllaSession session; /* first: a ScyllaSession points here */
	dlist_node node;
	MemoryContext context; /* holds this struct and its strings */
	/* Superusers and others do not share a session of a public mapping: what the one may do
	 * without a password the other may not. */
	bool is_superuser;
	bool has_descriptor; /* accounted with AcquireExternalFD(), for the first connection */
	bool is_whole;       /* false: its making failed */
	uint32 server_hash;
	uint32 mapping_hash;
	char *unresolved;
} SessionEntry;

static dlist_head sessions = DLIST_STATIC_INIT(sessions);
static uint64 last_generation = 0;

static SessionEntry *
entry_of(const ScyllaSession *session)
{
	return (SessionEntry *) unconstify(ScyllaSession *, session);
}

static void
free_session(SessionEntry *entry)
{
	dlist_delete(&entry->node);
	if (entry->session.cql != NULL)
		cql_session_free(entry->session.cql);
	if (entry->has_descriptor)
		ReleaseExternalFD();
	MemoryContextDelete(entry->context);
}

static void
close_sessions(int code, Datum arg)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify (iter, &sessions)
	{
		SessionEntry *entry = dlist_container(SessionEntry, node, iter.cur);

		if (entry->session.cql != NULL)
			cql_session_free(entry->session.cql);
		entry->session.cql = NULL;
		dlist_delete(&entry->node);
	}
}

static void
invalidate(Datum arg, int cache_id, uint32 hash_value)
{
	dlist_iter iter;

	dlist_foreach (iter, &sessions)
	{
		SessionEntry *entry = dlist_container(SessionEntry, node, iter.cur);

		if (hash_value == 0 || (cache_id == FOREIGNSERVEROID && entry->server_hash == hash_value) ||
			/* A mapping may be made for a user who had none. */
			(cache_id == USERMAPPINGOID &&
			 (!OidIsValid(entry->session.umid) || entry->mapping_hash == hash_value)))
			entry->session.is_stale = true;
	}
}

static void
register_callbacks(void)
{
	static bool is_registered = false;

	if (is_registered)
		return;
	/* After the loop's own exit callback was registered, so that it runs before that. */
	(void) scylla_loop_get();
	CacheRegisterSyscacheCallback(FOREIGNSERVEROID, invalidate, (Datum) 0);
	CacheRegisterSyscacheCallback(USERMAPPINGOID, invalidate, (Datum) 0);
	on_proc_exit(close_sessions, (Datum) 0);
	is_registered = true;
}

/* Sessions that are stale or were never whole, if nobody has pinned them. A statement that
 * catches errors in a loop may leave one behind in every turn, so this must not wait for its end. */
static void
free_stale_sessions(void)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify (iter, &sessions)
	{
		SessionEntry *entry = dlist_container(SessionEntry, node, iter.cur);

		if ((entry->session.is_stale || !entry->is_whole) && entry->session.pin_count == 0)
			free_session(entry);
	}
}

/* ---- making a session ---- */

typedef struct ContactList
{
	cql_contact *contacts;
	int count;
	int capacity;
	StringInfoData unresolved; /* "name (why), name (why)" */
} ContactList;

static void
append_contact(ContactList *list, const cql_contact *contact)
{
	if (list->count == list->capacity)
	{
		list->capacity *= 2;
		list->contacts = repalloc(list->contacts, list->capacity * sizeof(cql_contact));
	}
	list->contacts[list->count++] = *contact;
}

/*
 * All addresses of a host that has a name. Blocks in the resolver, where no interrupt is seen: the
 * driver must not resolve names, since that would take a thread.
 */
static void
resolve_name(ContactList *list, const ScyllaHost *host)
{
	struct addrinfo hints = {
		.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	struct addrinfo *addresses = NULL;
	char port[NI_MAXSERV];
	int status;

	CHECK_FOR_INTERRUPTS();
	snprintf(port, sizeof(port), "%d", host->port);
	status = pg_getaddrinfo_all(host->name, port, &hints, &addresses);
	if (status != 0)
	{
		appendStringInfo(&list->unresolved, "%s\"%s\" (%s)", list->unresolved.len > 0 ? ", " : "",
						 host->name, gai_strerror(status));
		return;
	}
	for (struct addrinfo *address = addresses; address != NULL; address = address->ai_next)
	{
		cql_contact contact = {.address_len = address->ai_addrlen};

		if (address->ai_addrlen > sizeof(contact.address))
			continue;
		memcpy(&contact.address, address->ai_addr, address->ai_addrlen);
		strlcpy(contact.host, host->name, sizeof(contact.host));
		append_contact(list, &contact);
	}
	pg_freeaddrinfo_all(hints.ai_family, addresses);
}

/* Most hosts are numbers, and those need no resolver. */
static void
resolve_host(ContactList *list, const ScyllaHost *host)
{
	cql_contact contact;

	if (cql_contact_from_number(host->name, (uint16_t) host->port, &contact))
		append_contact(list, &contact);
	else
		resolve_name(list, host);
}

static void
resolve_contacts(ContactList *list, const ScyllaOptions *options)
{
	ListCell *cell;

	list->count = 0;
	list->capacity = 8;
	list->contacts = palloc(list->capacity * sizeof(cql_contact));
	initStringInfo(&list->unresolved);
	foreach (cell, options->hosts)
		resolve_host(list, lfirst(cell));

	if (list->count == 0)
		ereport(ERROR, (errcode(ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION),
						errmsg("could not resolve any contact point of server \"%s\"",
							   options->server_name),
						errdetail("Not resolved: %s.", list->unresolved.data),
						errhint("Correct option \"host\" of the server.")));
}

/* Everything that the mapping alone tells; whether the server asks for it shows later. */
static void
check_mapping(const ScyllaOptions *options, Oid userid)
{
	if (superuser_arg(userid))
		return;
	if (!OidIsValid(options->login.umid))
		ereport(ERROR, (errcode(ERRCODE_S_R_E_PROHIBITED_SQL_STATEMENT_ATTEMPTED),
						errmsg("user \"%s\" has no user mapping for server \"%s\"",
							   GetUserNameFromId(userid, false), options->server_name),
						errdetail("Only superusers may connect without credentials."),
						errhint("Use CREATE USER MAPPING with options user and password.")));
	if (options->login.is_password_required &&
		(options->login.user == NULL || options->login.password == NULL))
		ereport(ERROR,
				(errcode(ERRCODE_S_R_E_PROHIBITED_SQL_STATEMENT_ATTEMPTED),
				 errmsg("a password is required for server \"%s\"", options->server_name),
				 errdetail("The user mapping of a user who is no superuser must give user and "
						   "password."),
				 errhint("Set both in the user mapping, or let a superuser set its option "
						 "password_required to false.")));
}

/*
 * What the cluster compares with texts of its own, which are UTF-8. Those of an SQL_ASCII database are
 * left as they are, for they may be anything, and an error would show bytes of a password.
 */
static const char *
to_utf8(const char *text)
{
	if (text == NULL || GetDatabaseEncoding() == PG_SQL_ASCII)
		return text;
	return pg_server_to_any(text, (int) strlen(text), PG_UTF8);
}

static void
open_cql_session(SessionEntry *entry, const ScyllaOptions *options, const ContactList *contacts)
{
	cql_error error;
	cql_session_options cql_options = {
		.contacts = contacts->contacts,
		.contact_count = contacts->count,
		.user = to_utf8(options->login.user),
		.password = to_utf8(options->login.password),
		/* Else who is no superuser would use an access that is not its own. */
		.must_ask_password = !entry->is_superuser && options->login.is_password_required,
		.application_name =
			application_name != NULL && application_name[0] != '\0' ? application_name : NULL,
		.compression = options->compression,
		.tls = scylla_tls_options(options, entry->session.userid),
		.connect_timeout_ms = options->connect_timeout_ms,
		.request_timeout_ms = options->request_timeout_ms,
		.max_connections = options->max_connections,
		.is_shard_aware = options->is_shard_aware,
		.local_dc = to_utf8(options->local_dc),
		.local_rack = to_utf8(options->local_rack),
		.idle_timeout_ms = options->idle_timeout_ms,
		.max_lifetime_ms = options->max_lifetime_ms,
		.max_retries = options->max_retries,
	};

	entry->session.cql = cql_session_new(scylla_loop_get(), &cql_options, &error);
	if (entry->session.cql == NULL)
		scylla_report(&error, &(ScyllaReportContext) {.session = &entry->session});
}

/* The mapping that a user has on a server, its own or the public one; InvalidOid: none. */
static Oid
find_mapping(Oid serverid, Oid userid)
{
	Oid umid = GetSysCacheOid2(USERMAPPINGUSERSERVER, Anum_pg_user_mapping_oid,
							   ObjectIdGetDatum(userid), ObjectIdGetDatum(serverid));

	if (!OidIsValid(umid))
		umid = GetSysCacheOid2(USERMAPPINGUSERSERVER, Anum_pg_user_mapping_oid,
							   ObjectIdGetDatum(InvalidOid), ObjectIdGetDatum(serverid));
	return umid;
}

/*
 * In the list before its options are read, so that an invalidation that comes meanwhile finds
 * it, and so that it is freed if what follows fails.
 */
static SessionEntry *
new_entry(Oid serverid, Oid userid)
{
	MemoryContext context =
		AllocSetContextCreate(TopMemoryContext, "scylla_fdw session", ALLOCSET_SMALL_SIZES);
	SessionEntry *entry = MemoryContextAllocZero(context, sizeof(SessionEntry));

	entry->context = context;
	dlist_push_tail(&sessions, &entry->node);
	entry->session.serverid = serverid;
	entry->session.userid = userid;
	entry->session.umid = find_mapping(serverid, userid);
	entry->is_superuser = superuser_arg(userid);
	entry->server_hash = GetSysCacheHashValue1(FOREIGNSERVEROID, ObjectIdGetDatum(serverid));
	entry->mapping_hash =
		GetSysCacheHashValue1(USERMAPPINGOID, ObjectIdGetDatum(entry->session.umid));
	return entry;
}

static void
take_descriptor(SessionEntry *entry)
{
	/* For the connection that the session opens at its first request; wait.c accounts the others. */
	entry->has_descriptor = AcquireExternalFD();
	if (!entry->has_descriptor)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("too few file descriptors are left for a connection to server \"%s\"",
						entry->session.server_name),
				 errhint("Raise max_files_per_process, or close sessions with "
						 "scylla_disconnect().")));
}

static SessionEntry *
make_session(Oid serverid, Oid userid)
{
	SessionEntry *entry = new_entry(serverid, userid);
	ScyllaOptions *options = scylla_options_of_server(serverid, userid);
	ContactList contacts;

	check_mapping(options, userid);
	resolve_contacts(&contacts, options);

	entry->session.server_name = MemoryContextStrdup(entry->context, options->server_name);
	if (contacts.unresolved.len > 0)
		entry->unresolved = MemoryContextStrdup(entry->context, contacts.unresolved.data);
	entry->session.request_timeout_ms = options->request_timeout_ms;
	entry->session.max_retries = options->max_retries;
	entry->session.batch_bytes = SCYLLA_BATCH_MAX_BYTES;
	take_descriptor(entry);
	open_cql_session(entry, options, &contacts);
	entry->session.schema_generation = ++last_generation;
	entry->is_whole = true;
	return entry;
}

/* ---- the cache ---- */

static SessionEntry *
find_session(Oid serverid, Oid userid)
{
	Oid umid = find_mapping(serverid, userid);
	bool is_superuser = superuser_arg(userid);
	dlist_iter iter;

	dlist_foreach (iter, &sessions)
	{
		SessionEntry *entry = dlist_container(SessionEntry, node, iter.cur);

		if (entry->is_whole && !entry->session.is_stale && entry->session.serverid == serverid &&
			entry->session.umid == umid && entry->is_superuser == is_superuser &&
			(OidIsValid(umid) || entry->session.userid == userid))
			return entry;
	}
	return NULL;
}

ScyllaSession *
scylla_session_get(Oid serverid, Oid userid)
{
	SessionEntry *entry;

	register_callbacks();
	free_stale_sessions();
	entry = find_session(serverid, userid);
	if (entry == NULL)
		entry = make_session(serverid, userid);
	return &entry->session;
}

ScyllaSession *
scylla_session_find(Oid serverid, Oid userid)
{
	SessionEntry *entry = find_session(serverid, userid);

	return entry != NULL ? &entry->session : NULL;
}

static void
unpin(void *session)
{
	((ScyllaSession *) session)->pin_count--;
}

void
scylla_session_pin(ScyllaSession *session, MemoryContext context)
{
	MemoryContextCallback *callback = MemoryContextAlloc(context, sizeof(*callback));

	callback->func = unpin;
	callback->arg = session;
	MemoryContextRegisterResetCallback(context, callback);
	session->pin_count++;
}

const char *
scylla_session_unresolved(const ScyllaSession *session)
{
	return entry_of(session)->unresolved;
}

void
scylla_session_expire(const ScyllaSession *session)
{
	entry_of(session)->session.is_stale = true;
}

bool
scylla_session_disconnect(Oid serverid)
{
	bool has_closed = false;
	dlist_mutable_iter iter;

	dlist_foreach_modify (iter, &sessions)
	{
		SessionEntry *entry = dlist_container(SessionEntry, node, iter.cur);

		if (OidIsValid(serverid) && entry->session.serverid != serverid)
			continue;
		has_closed |= entry->is_whole && !entry->session.is_stale;
		entry->session.is_stale = true;
		if (entry->session.pin_count == 0)
			free_session(entry);
	}
	return has_closed;
}

void
scylla_session_forget_schema(Oid serverid)
{
	dlist_iter iter;

	dlist_foreach (iter, &sessions)
	{
		SessionEntry *entry = dlist_container(SessionEntry, node, iter.cur);

		if (OidIsValid(serverid) && entry->session.serverid != serverid)
			continue;
		entry->session.schema_generation = ++last_generation;
		if (entry->session.cql != NULL)
			cql_session_doubt_statements(entry->session.cql);
	}
	/* A cached plan of a table whose keys and types came from the cluster holds the old ones. */
	ResetPlanCache();
}

ScyllaSession *
scylla_session_at(int index)
{
	dlist_iter iter;

	dlist_foreach (iter, &sessions)
	{
		SessionEntry *entry = dlist_container(SessionEntry, node, iter.cur);

		if (entry->is_whole && index-- == 0)
			return &entry->session;
	}
	return NULL;
}
