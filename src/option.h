/*
 * THE table of options: name, where it is valid, parser, default, who may set it.
 *
 * The validator, the readers below and the hint for an unknown name all come from that one
 * table (option.c). An option is a row there only once something obeys it.
 */
#ifndef SCYLLA_OPTION_H
#define SCYLLA_OPTION_H

#include "postgres.h"

#include "access/attnum.h"
#include "nodes/pg_list.h"

/* A contact point as typed. */
typedef struct ScyllaHost
{
	char *name;
	int port;
} ScyllaHost;

/* What a plan that reads the whole ring does when it runs. */
typedef enum ScyllaFullScan
{
	SCYLLA_FULL_SCAN_ALLOW,
	SCYLLA_FULL_SCAN_WARN,
	SCYLLA_FULL_SCAN_DENY
} ScyllaFullScan;

/* Which reads pass ScyllaDB's row cache by. */
typedef enum ScyllaBypassCache
{
	SCYLLA_BYPASS_AUTO, /* those of the whole ring */
	SCYLLA_BYPASS_ALL,
	SCYLLA_BYPASS_NONE
} ScyllaBypassCache;

/* Texts are PEM or a file's path, and as typed; NULL: not set. */
typedef struct ScyllaTlsOptions
{
	int mode;        /* cql_tls_mode */
	int min_version; /* cql_tls_version */
	char *roots;     /* may be "system" */
	char *certificate;
	char *key;
} ScyllaTlsOptions;

/* Who the cluster is told that asks: from the user mapping. */
typedef struct ScyllaLogin
{
	Oid umid; /* InvalidOid: the user has none */
	char *user;
	char *password;
	bool is_password_required;
} ScyllaLogin;

/*
 * Options of a server, with the mapping of a user and with a table where one is given (a table's
 * own option overrides its server's). Palloc'ed in the caller's context; read it, don't keep it.
 */
typedef struct ScyllaOptions
{
	Oid serverid;
	char *server_name;

	/* connection */
	List *hosts; /* of ScyllaHost */
	int port;    /* of those that were typed without one */
	int connect_timeout_ms;
	int request_timeout_ms;
	int compression; /* cql_compression */
	int max_connections;
	bool is_shard_aware;
	char *local_dc; /* NULL: the first contact point's */
	char *local_rack;
	int idle_timeout_ms; /* 0: never */
	int max_lifetime_ms; /* likewise */
	int max_retries;

	ScyllaTlsOptions tls;
	ScyllaLogin login;

	/* remote table; NULL without a table (keyspace may be the server's) */
	char *keyspace;
	char *table;

	/* reading and writing */
	int read_consistency;     /* cql_consistency; to be asked through scylla_read_consistency() */
	int write_consistency;    /* likewise */
	int serial_consistency;   /* of conditional writes */
	int fetch_size;           /* rows of a page */
	bool is_excess_truncated; /* digits that the other side's type cannot hold; else an error */
	int bypass_cache;         /* ScyllaBypassCache */
	bool has_server_timeout;  /* ScyllaDB is told what is left of statement_timeout */
	int max_in_flight;        /* requests of one statement */
	bool is_parallel;         /* workers may read it */
	bool is_async;            /* Append may read others meanwhile: option async_capable */
	int batch_size;           /* rows that PostgreSQL hands over at once where that helps */
	bool is_updatable;
	bool is_truncatable;
	bool is_null_unset;    /* a NULL that INSERT or COPY gives is left out, no tombstone */
	int ttl_s;             /* of every write; negative: the remote table's own */
	bool is_conditional;   /* UPDATE and DELETE only what exists: option if_exists */
	bool is_delete_direct; /* DELETE of partitions and ranges without reading their rows */
	int read_rate;         /* rows per second; 0: no limit */
	int write_rate;        /* likewise */
	bool can_filter;       /* option allow_filtering: auto */
	int full_scan;         /* ScyllaFullScan */

	/* planner */
	List *indexes;     /* of ScyllaIndex: what IMPORT found */
	List *views;       /* of ScyllaView, likewise */
	bool is_view_used; /* a view may be read in the table's place */
	double startup_cost;
	double tuple_cost;
} ScyllaOptions;

/* userid InvalidOid: leave the mapping out. */
extern ScyllaOptions *scylla_options_of_server(Oid serverid, Oid userid);
extern ScyllaOptions *scylla_options_of_table(Oid relid, Oid userid);

/* Role of a column in the remote table's primary key. */
typedef enum ScyllaKeyRole
{
	SCYLLA_KEY_UNKNOWN, /* the option is not set */
	SCYLLA_KEY_PARTITION,
	SCYLLA_KEY_CLUSTERING,
	SCYLLA_KEY_STATIC,
	SCYLLA_KEY_REGULAR
} ScyllaKeyRole;

/* What a column shows, or is for, that stands for no remote column's value. */
typedef enum ScyllaFunction
{
	SCYLLA_FUNCTION_NONE,
	SCYLLA_FUNCTION_TTL,       /* seconds that the value of a column still has */
	SCYLLA_FUNCTION_WRITETIME, /* microseconds since 1970 of a column's last write */
	SCYLLA_FUNCTION_TOKEN,     /* the partition's place on the ring */
	/* What a write-only column is for, by option using: it reads as NULL. */
	SCYLLA_FUNCTION_USING_TTL,      /* seconds, of the row being written */
	SCYLLA_FUNCTION_USING_TIMESTAMP /* its writetime */
} ScyllaFunction;

typedef struct ScyllaColumnOptions
{
	char *column; /* remote name; the local column's where the option is not set */
	ScyllaKeyRole role;
	int position;       /* in the partition or clustering key, from 1; else 0 */
	bool is_descending; /* clustering order */
	char *type;         /* CQL type text, or NULL */
	ScyllaFunction function;
	char *function_text; /* the option as typed; NULL where it is not set */
	char *argument;      /* remote column that the function is of; NULL for token */
} ScyllaColumnOptions;

extern ScyllaColumnOptions *scylla_options_of_column(Oid relid, AttrNumber attnum);

/* Options of IMPORT FOREIGN SCHEMA. */
typedef struct ScyllaImportOptions
{
	bool has_views;
	bool has_cdc;     /* ScyllaDB's CDC log tables too */
	bool has_collate; /* text key columns get COLLATE "C" */
	bool is_lowered;  /* case 'lower' */
} ScyllaImportOptions;

/* From the statement's list of DefElem, which core leaves unchecked. */
extern ScyllaImportOptions *scylla_options_of_import(List *definitions);

/* Text of the `key` option, as the validator accepts it ("partition 1", "clustering 2 desc"). */
extern char *scylla_key_option_text(ScyllaKeyRole role, int position, bool is_descending);

/* Whether an option of TLS holds PEM text, and not a path; and whether a role may name paths. */
extern bool scylla_is_pem(const char *text);
extern bool scylla_may_read_files(Oid roleid);

/* The candidate (of char *) that was most likely meant by a name, for a hint; NULL: none is near. */
extern const char *scylla_closest_name(const char *name, const List *candidates);

/* Settings (GUCs); defined by scylla_options_define_settings() from _PG_init. */
extern bool scylla_enable_pushdown;
extern bool scylla_enable_parallel_scan;
extern bool scylla_enable_lookup_join;
extern int scylla_lookup_join_window;
extern bool scylla_trace;
extern void scylla_options_define_settings(void);
/* The consistency level that holds at this moment: the setting's, or else that of the option. */
extern int scylla_read_consistency(int option);
extern int scylla_write_consistency(int option);

/* A consistency level's number by its name (any case); -1: none of that name. */
extern int scylla_consistency_parse(const char *name);
extern const char *scylla_consistency_name(int consistency);

#endif /* SCYLLA_OPTION_H */
