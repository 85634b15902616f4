/*
 * THE table of options: everything that a user can say in an OPTIONS clause is a row here.
 *
 * One parser a row serves both sides: the validator runs it into a scratch struct at DDL time,
 * the readers run it into the struct that they return. Nothing here asks the cluster, and no
 * message repeats the value of a secret option.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/reloptions.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_foreign_table.h"
#include "catalog/pg_user_mapping.h"
#include "commands/defrem.h"
#include "fmgr.h"
#include "foreign/foreign.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

#include "compat.h"
#include "cql/cql.h"
#include "option.h"
#include "option_parse.h"
#include "setting.h"

#define DEFAULT_HOST "localhost"
#define DEFAULT_PORT 9042
#define MAX_TIMEOUT_MS (60 * 60 * 1000)
#define MAX_AGE_MS (7 * 24 * 60 * 60 * 1000)
#define MAX_CONNECTIONS 1000
#define MAX_RETRIES 100
#define MAX_FETCH_SIZE 1000000
#define MAX_IN_FLIGHT 32768 /* stream ids of a connection */
#define MAX_BATCH_SIZE 100000
#define MAX_TTL_S (20 * 365 * 24 * 60 * 60) /* CQL's own limit */
#define MAX_KEY_POSITION 1600               /* columns that a foreign table can have */
/* A round trip over a network and the decoding of a row, in the planner's units. */
#define DEFAULT_STARTUP_COST 100.0
#define DEFAULT_TUPLE_COST 0.02

/* ---- the table ---- */

enum
{
	PLACE_SERVER = 1 << 0,
	PLACE_TABLE = 1 << 1,
	PLACE_COLUMN = 1 << 2,
	PLACE_MAPPING = 1 << 3,
	PLACE_IMPORT = 1 << 4
};

static const struct
{
	int place;
	Oid catalog;
	const char *name;
} places[] = {
	{PLACE_SERVER, ForeignServerRelationId, "a server"},
	{PLACE_TABLE, ForeignTableRelationId, "a foreign table"},
	{PLACE_COLUMN, AttributeRelationId, "a column"},
	{PLACE_MAPPING, UserMappingRelationId, "a user mapping"},
	{PLACE_IMPORT, InvalidOid, "IMPORT FOREIGN SCHEMA"},
};

#define FIELD(member) offsetof(ScyllaOptions, member)
#define COLUMN_FIELD(member) offsetof(ScyllaColumnOptions, member)
#define IMPORT_FIELD(member) offsetof(ScyllaImportOptions, member)
/* A field of int gets the place of its word, in the order of the enum that option.h names. */
#define WORDS(...)                 \
	.words = (const char *const[]) \
	{                              \
		__VA_ARGS__, NULL          \
	}
#define WORD(...) .parse = scylla_parse_word, WORDS(__VA_ARGS__)
#define EITHER(...) .parse = scylla_parse_either, WORDS(__VA_ARGS__)
#define TIMEOUT                      \
	.min = 1, .max = MAX_TIMEOUT_MS, \
	.allowed = "a duration from 1ms to 1h, as 500ms or 5s; a bare number is milliseconds"
#define AGE                      \
	.min = 0, .max = MAX_AGE_MS, \
	.allowed = "0 (never) or a duration up to 7d, as 30s or 5min; a bare number is milliseconds"
#define NAME .parse = scylla_parse_name, .allowed = "a name of at least one character"
#define PEM(what) .parse = scylla_parse_pem, .guard = scylla_guard_pem, .pem = (what)
#define BOOLEAN .parse = scylla_parse_boolean, .allowed = "true or false"
#define COST .parse = scylla_parse_cost, .allowed = "a number from 0 to 1e10"
#define LEVEL(use) .parse = scylla_parse_consistency, .level_use = (use)

static const ScyllaOptionRow rows[] = {
	{"host", PLACE_SERVER, FIELD(hosts), scylla_parse_hosts,
	 .allowed = "a list of names or addresses with commas between them, each with :port or "
				"without; an IPv6 address stands in brackets"},
	{"port", PLACE_SERVER, FIELD(port), scylla_parse_integer, .min = 1, .max = 65535},
	{"connect_timeout", PLACE_SERVER, FIELD(connect_timeout_ms), scylla_parse_duration, TIMEOUT},
	{"request_timeout", PLACE_SERVER, FIELD(request_timeout_ms), scylla_parse_duration, TIMEOUT},
	{"max_connections", PLACE_SERVER, FIELD(max_connections), scylla_parse_integer, .min = 1,
	 .max = MAX_CONNECTIONS},
	{"shard_aware", PLACE_SERVER, FIELD(is_shard_aware), BOOLEAN},
	{"local_dc", PLACE_SERVER, FIELD(local_dc), NAME},
	{"local_rack", PLACE_SERVER, FIELD(local_rack), NAME},
	{"idle_timeout", PLACE_SERVER, FIELD(idle_timeout_ms), scylla_parse_duration, AGE},
	{"max_lifetime", PLACE_SERVER, FIELD(max_lifetime_ms), scylla_parse_duration, AGE},
	{"retries", PLACE_SERVER, FIELD(max_retries), scylla_parse_integer, .min = 0,
	 .max = MAX_RETRIES},

	/* libpq's other words may fall back to plain text, and are none. */
	{"sslmode", PLACE_SERVER, FIELD(tls.mode),
	 WORD("disable", "require", "verify-ca", "verify-full")},
	{"sslrootcert", PLACE_SERVER | PLACE_MAPPING, FIELD(tls.roots), PEM(CQL_PEM_ROOTS),
	 .allowed = "PEM text, the absolute path of a file with it, or system"},
	{"sslcert", PLACE_SERVER | PLACE_MAPPING, FIELD(tls.certificate), PEM(CQL_PEM_CERTIFICATE),
	 .allowed = "PEM text, or the absolute path of a file with it"},
	{"sslkey", PLACE_SERVER | PLACE_MAPPING, FIELD(tls.key), PEM(CQL_PEM_KEY), .is_secret = true,
	 .allowed = "PEM text, or the absolute path of a file with it"},
	{"ssl_min_protocol_version", PLACE_SERVER, FIELD(tls.min_version), WORD("TLSv1.2", "TLSv1.3")},
	{"compression", PLACE_SERVER, FIELD(compression), WORD("none", "lz4")},

	{"keyspace", PLACE_SERVER | PLACE_TABLE, FIELD(keyspace), NAME},
	{"table", PLACE_TABLE, FIELD(table), NAME},
	{"read_consistency", PLACE_SERVER | PLACE_TABLE, FIELD(read_consistency),
	 LEVEL(SCYLLA_LEVEL_READ)},
	{"write_consistency", PLACE_SERVER | PLACE_TABLE, FIELD(write_consistency),
	 LEVEL(SCYLLA_LEVEL_WRITE)},
	{"serial_consistency", PLACE_SERVER | PLACE_TABLE, FIELD(serial_consistency),
	 LEVEL(SCYLLA_LEVEL_SERIAL)},
	{"fetch_size", PLACE_SERVER | PLACE_TABLE, FIELD(fetch_size), scylla_parse_integer, .min = 1,
	 .max = MAX_FETCH_SIZE},
	{"excess_precision", PLACE_SERVER | PLACE_TABLE, FIELD(is_excess_truncated),
	 EITHER("error", "truncate")},
	{"full_scan", PLACE_SERVER | PLACE_TABLE, FIELD(full_scan), WORD("allow", "warn", "deny")},
	{"bypass_cache", PLACE_SERVER | PLACE_TABLE, FIELD(bypass_cache),
	 WORD("auto", "true", "false")},
	{"server_timeout", PLACE_SERVER | PLACE_TABLE, FIELD(has_server_timeout), BOOLEAN},
	{"indexes", PLACE_TABLE, FIELD(indexes), scylla_parse_indexes,
	 .allowed =
		 "a list as IMPORT FOREIGN SCHEMA writes it, as by_age (age), by_tag (values(tags))"},
	{"views", PLACE_TABLE, FIELD(views), scylla_parse_views,
	 .allowed = "a list as IMPORT FOREIGN SCHEMA writes it, as by_name ((name), id desc) (age)"},
	{"use_views", PLACE_SERVER | PLACE_TABLE, FIELD(is_view_used), BOOLEAN},
	{"max_in_flight", PLACE_SERVER | PLACE_TABLE, FIELD(max_in_flight), scylla_parse_integer,
	 .min = 1, .max = MAX_IN_FLIGHT},
	{"batch_size", PLACE_SERVER | PLACE_TABLE, FIELD(batch_size), scylla_parse_integer, .min = 1,
	 .max = MAX_BATCH_SIZE},
	{"parallel", PLACE_SERVER | PLACE_TABLE, FIELD(is_parallel), BOOLEAN},
	{"async_capable", PLACE_SERVER | PLACE_TABLE, FIELD(is_async), BOOLEAN},
	{"updatable", PLACE_SERVER | PLACE_TABLE, FIELD(is_updatable), BOOLEAN},
	{"truncatable", PLACE_SERVER | PLACE_TABLE, FIELD(is_truncatable), BOOLEAN},
	{"insert_nulls", PLACE_SERVER | PLACE_TABLE, FIELD(is_null_unset), EITHER("null", "unset")},
	{"ttl", PLACE_TABLE, FIELD(ttl_s), scylla_parse_integer, .min = 0, .max = MAX_TTL_S},
	{"if_exists", PLACE_TABLE, FIELD(is_conditional), BOOLEAN},
	{"direct_delete", PLACE_SERVER | PLACE_TABLE, FIELD(is_delete_direct), BOOLEAN},
	{"read_rate", PLACE_SERVER | PLACE_TABLE, FIELD(read_rate), scylla_parse_integer, .min = 0,
	 .max = INT_MAX},
	{"write_rate", PLACE_SERVER | PLACE_TABLE, FIELD(write_rate), scylla_parse_integer, .min = 0,
	 .max = INT_MAX},
	{"allow_filtering", PLACE_SERVER | PLACE_TABLE, FIELD(can_filter), EITHER("off", "auto")},
	{"fdw_startup_cost", PLACE_SERVER, FIELD(startup_cost), COST},
	{"fdw_tuple_cost", PLACE_SERVER, FIELD(tuple_cost), COST},

	{"user", PLACE_MAPPING, FIELD(login.user), NAME},
	{"password", PLACE_MAPPING, FIELD(login.password), scylla_parse_any_text, .is_secret = true},
	{"password_required", PLACE_MAPPING, FIELD(login.is_password_required), BOOLEAN,
	 .guard = scylla_guard_password_required},

	{"column", PLACE_COLUMN, COLUMN_FIELD(column), NAME},
	{"key", PLACE_COLUMN, 0, scylla_parse_key, .min = 0, .max = MAX_KEY_POSITION,
	 .allowed = "partition N, clustering N asc, clustering N desc, static or regular, with N "
				"counted from 1"},
	{"type", PLACE_COLUMN, COLUMN_FIELD(type), scylla_parse_type,
	 .allowed = "a type as CQL spells it, as frozen<map<text, int>>"},
	{"function", PLACE_COLUMN, 0, scylla_parse_function,
	 .allowed = "ttl(column), writetime(column) or token, with the remote column's exact name"},
	{"using", PLACE_COLUMN, 0, scylla_parse_using, .allowed = "ttl or timestamp"},

	{"import_views", PLACE_IMPORT, IMPORT_FIELD(has_views), BOOLEAN},
	{"import_cdc", PLACE_IMPORT, IMPORT_FIELD(has_cdc), BOOLEAN},
	{"import_collate", PLACE_IMPORT, IMPORT_FIELD(has_collate), BOOLEAN},
	{"case", PLACE_IMPORT, IMPORT_FIELD(is_lowered), EITHER("keep", "lower")},
};

/* ---- errors ---- */

const char *
scylla_closest_name(const char *name, const List *candidates)
{
	const int max_length = 255;
	int name_length = strlen(name);
	int closest_distance = Min(4, name_length / 2);
	const char *closest = NULL;
	ListCell *cell;

	foreach (cell, candidates)
	{
		const char *candidate = lfirst(cell);
		int length = strlen(candidate);
		int distance;

		if (pg_strcasecmp(name, candidate) == 0)
			return candidate;
		if (name_length > max_length || length > max_length)
			continue;
		distance = varstr_levenshtein_less_equal(name, name_length, candidate, length, 1, 1, 1,
												 closest_distance, true);
		if (distance <= closest_distance)
		{
			closest = candidate;
			closest_distance = distance - 1;
		}
	}
	return closest;
}

static const char *
place_name(int place)
{
	for (size_t i = 0; i < lengthof(places); i++)
		if (places[i].place == place)
			return places[i].name;
	return "a foreign-data wrapper";
}

static void
raise_wrong_place(const ScyllaOptionRow *row, int place)
{
	StringInfoData owners;

	initStringInfo(&owners);
	for (size_t i = 0; i < lengthof(places); i++)
		if ((row->places & places[i].place) != 0)
			appendStringInfo(&owners, "%s%s", owners.len > 0 ? " or " : "", places[i].name);
	ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
					errmsg("option \"%s\" cannot be set for %s", row->name, place_name(place)),
					errhint("It belongs to %s.", owners.data)));
}

static void
raise_unknown(const char *name, int place)
{
	List *names = NIL;
	StringInfoData list;
	const char *closest;

	initStringInfo(&list);
	for (size_t i = 0; i < lengthof(rows); i++)
	{
		if (strcmp(rows[i].name, name) == 0)
			raise_wrong_place(&rows[i], place);
		if ((rows[i].places & place) == 0)
			continue;
		names = lappend(names, unconstify(char *, rows[i].name));
		appendStringInfo(&list, "%s%s", list.len > 0 ? ", " : "", rows[i].name);
	}
	closest = scylla_closest_name(name, names);
	ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
					errmsg("unknown option \"%s\" for %s", name, place_name(place)),
					closest != NULL ? errhint("Perhaps you meant the option \"%s\".", closest)
					: names != NIL  ? errhint("The options are: %s.", list.data)
									: errhint("It has no options.")));
}

/* "a, b or c" */
static char *
list_words(const char *const *words)
{
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; words[i] != NULL; i++)
		appendStringInfo(&list, "%s%s",
						 i == 0                 ? ""
						 : words[i + 1] == NULL ? " or "
												: ", ",
						 words[i]);
	return list.data;
}

static void
raise_bad_value(const ScyllaOptionRow *row, const char *value)
{
	const char *allowed = row->allowed;

	if (row->words != NULL)
		allowed = list_words(row->words);
	else if (allowed == NULL && row->level_use != 0)
		allowed = scylla_consistency_list(row->level_use);
	else if (allowed == NULL)
		allowed = psprintf("an integer from %d to %d", row->min, row->max);
	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
			 row->is_secret ? errmsg("invalid value for option \"%s\"", row->name)
							: errmsg("invalid value for option \"%s\": \"%s\"", row->name, value),
			 errhint("Allowed: %s.", allowed)));
}

/* ---- validator and readers ---- */

/* Puts definitions into the struct that belongs to their place. */
static void
read_options(List *definitions, int place, bool is_ddl, void *values)
{
	ListCell *cell;

	foreach (cell, definitions)
	{
		DefElem *definition = lfirst_node(DefElem, cell);
		const ScyllaOptionRow *row = NULL;
		const char *text;
		void *field;

		for (size_t i = 0; i < lengthof(rows) && row == NULL; i++)
			if ((rows[i].places & place) != 0 && strcmp(rows[i].name, definition->defname) == 0)
				row = &rows[i];
		if (row == NULL)
			raise_unknown(definition->defname, place);
		text = defGetString(definition);
		field = (char *) values + row->offset;
		if (!row->parse(row, text, field))
			raise_bad_value(row, text);
		if (is_ddl && row->guard != NULL)
			row->guard(row, field);
	}
}

/* A computed column stands for no remote column, and CQL knows the type of what it shows. */
static void
check_computed(const List *definitions)
{
	const char *other = NULL;
	const char *computed = NULL;
	ListCell *cell;

	foreach (cell, definitions)
	{
		const char *name = lfirst_node(DefElem, cell)->defname;

		if (computed == NULL && (strcmp(name, "function") == 0 || strcmp(name, "using") == 0))
			computed = name;
		else if (other == NULL)
			other = name;
	}
	if (computed != NULL && other != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
				 errmsg("option \"%s\" cannot be set together with option \"%s\"", other, computed),
				 errhint("Such a column has the option \"%s\" alone.", computed)));
}

extern PGDLLEXPORT Datum scylla_fdw_validator(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(scylla_fdw_validator);

Datum
scylla_fdw_validator(PG_FUNCTION_ARGS)
{
	List *definitions = untransformRelOptions(PG_GETARG_DATUM(0));
	Oid catalog = PG_GETARG_OID(1);
	int place = 0;
	union
	{
		ScyllaOptions options;
		ScyllaColumnOptions column;
	} scratch;

	for (size_t i = 0; i < lengthof(places); i++)
		if (OidIsValid(catalog) && places[i].catalog == catalog)
			place = places[i].place;
	read_options(definitions, place, true, &scratch);
	if (place == PLACE_COLUMN)
		check_computed(definitions);
	PG_RETURN_VOID();
}

/* Options of the user's mapping, else of PUBLIC's, else none: core's own function would raise. */
static List *
find_mapping(Oid serverid, Oid userid, Oid *umid)
{
	List *definitions = NIL;
	HeapTuple tuple;
	Datum options;
	bool is_null;

	tuple = SearchSysCache2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(userid),
							ObjectIdGetDatum(serverid));
	if (!HeapTupleIsValid(tuple))
		tuple = SearchSysCache2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(InvalidOid),
								ObjectIdGetDatum(serverid));
	if (!HeapTupleIsValid(tuple))
		return NIL;
	*umid = ((Form_pg_user_mapping) GETSTRUCT(tuple))->oid;
	options =
		SysCacheGetAttr(USERMAPPINGUSERSERVER, tuple, Anum_pg_user_mapping_umoptions, &is_null);
	if (!is_null)
		definitions = untransformRelOptions(options);
	ReleaseSysCache(tuple);
	return definitions;
}

/* Server's, then the mapping's, then the table's; defaults and settings around them. */
static ScyllaOptions *
collect_options(Oid serverid, Oid userid, List *table_definitions)
{
	ScyllaOptions *options = palloc0(sizeof(ScyllaOptions));
	ForeignServer *server = GetForeignServer(serverid);
	ListCell *cell;

	options->serverid = serverid;
	options->server_name = server->servername;
	options->port = DEFAULT_PORT;
	options->connect_timeout_ms = 5000;
	options->request_timeout_ms = 10000;
	options->max_connections = 32;
	options->is_shard_aware = true;
	options->idle_timeout_ms = 5 * 60 * 1000;
	options->max_retries = 2;
	options->login.is_password_required = true;
	options->read_consistency = CQL_CONSISTENCY_LOCAL_QUORUM;
	options->write_consistency = CQL_CONSISTENCY_LOCAL_QUORUM;
	options->serial_consistency = CQL_CONSISTENCY_LOCAL_SERIAL;
	options->fetch_size = 5000;
	options->is_view_used = true;
	options->max_in_flight = 1024;
	options->batch_size = 1000;
	options->is_parallel = true;
	options->is_async = true;
	options->is_updatable = true;
	options->is_truncatable = true;
	options->ttl_s = -1;
	options->can_filter = true;
	options->has_server_timeout = true;
	options->startup_cost = DEFAULT_STARTUP_COST;
	options->tuple_cost = DEFAULT_TUPLE_COST;
	scylla_parse_hosts(NULL, DEFAULT_HOST, &options->hosts);

	read_options(server->options, PLACE_SERVER, false, options);
	if (OidIsValid(userid))
		read_options(find_mapping(serverid, userid, &options->login.umid), PLACE_MAPPING, false,
					 options);
	read_options(table_definitions, PLACE_TABLE, false, options);

	foreach (cell, options->hosts)
	{
		ScyllaHost *host = lfirst(cell);

		if (host->port == 0)
			host->port = options->port;
	}
	return options;
}

ScyllaOptions *
scylla_options_of_server(Oid serverid, Oid userid)
{
	return collect_options(serverid, userid, NIL);
}

ScyllaOptions *
scylla_options_of_table(Oid relid, Oid userid)
{
	ForeignTable *table = GetForeignTable(relid);
	ScyllaOptions *options = collect_options(table->serverid, userid, table->options);

	if (options->keyspace == NULL)
		options->keyspace = get_namespace_name(get_rel_namespace(relid));
	if (options->table == NULL)
		options->table = get_rel_name(relid);
	return options;
}

ScyllaColumnOptions *
scylla_options_of_column(Oid relid, AttrNumber attnum)
{
	ScyllaColumnOptions *options = palloc0(sizeof(ScyllaColumnOptions));

	read_options(GetForeignColumnOptions(relid, attnum), PLACE_COLUMN, false, options);
	if (options->column == NULL)
		options->column = get_attname(relid, attnum, false);
	return options;
}

ScyllaImportOptions *
scylla_options_of_import(List *definitions)
{
	ScyllaImportOptions *options = palloc0(sizeof(ScyllaImportOptions));

	options->has_views = true;
	options->has_collate = true;
	read_options(definitions, PLACE_IMPORT, true, options);
	return options;
}
