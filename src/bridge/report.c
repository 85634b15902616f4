/*
 * The only raiser of the driver's errors: THE table from cql_error to SQLSTATE, message and hint,
 * and the words around it.
 *
 * The server's text is made valid in the database's encoding and stands in the detail; the
 * remote statement stands in the context. Bind values and passwords are never seen here.
 */
#include "postgres.h"

#include "bridge/report.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/formatting.h"

#define ANY_CODE (-1)

/* Whether a row is for reads, for writes that may stand now, or for both. */
typedef enum ReportSide
{
	SIDE_ANY,
	SIDE_READ, /* also a write that was surely not applied */
	SIDE_WRITE
} ReportSide;

typedef struct ReportRow
{
	cql_error_kind kind;
	int32 server_code;
	ReportSide side;
	int sqlstate;
	const char *message; /* %s: the foreign server's name */
	const char *hint;    /* NULL: none */
} ReportRow;

#define HINT_APPLIED "Find out what became of it before repeating it; CQL has no rollback."
#define HINT_REPLICAS                                                                             \
	"Bring the missing nodes back, or lower the consistency level (options read_consistency and " \
	"write_consistency)."
#define HINT_SLOW                                                                            \
	"Read or write less at once, raise option request_timeout, or look for overload in the " \
	"cluster."
#define HINT_IMPORT \
	"Run IMPORT FOREIGN SCHEMA again, or correct the table's options and call scylla_refresh()."

#define TLS(fault, hint)                                                                     \
	{                                                                                        \
		CQL_ERROR_TLS, fault, SIDE_ANY, ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION, \
			"could not make a TLS connection to server \"%s\"", hint                         \
	}

/* The first row that fits is taken. */
static const ReportRow report_rows[] = {
	{CQL_ERROR_NO_MEMORY, ANY_CODE, SIDE_ANY, ERRCODE_OUT_OF_MEMORY,
	 "out of memory in a request to server \"%s\"", NULL},
	{CQL_ERROR_ARGUMENT, ANY_CODE, SIDE_ANY, ERRCODE_PROGRAM_LIMIT_EXCEEDED,
	 "request to server \"%s\" does not fit into the CQL protocol", NULL},
	{CQL_ERROR_UNREACHABLE, ANY_CODE, SIDE_ANY, ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION,
	 "could not connect to any contact point of server \"%s\"",
	 "Check options host and port of the server, and that a CQL server listens there."},
	TLS(CQL_TLS_BAD_OPTION,
		"Correct options sslrootcert, sslcert and sslkey of the server and the user mapping."),
	TLS(CQL_TLS_NOT_SPOKEN,
		"Check option port of the server; or turn on TLS in the CQL server, or set "
		"option sslmode to disable."),
	TLS(CQL_TLS_VERSION,
		"Lower option ssl_min_protocol_version of the server, or let the CQL server "
		"speak a later version of TLS."),
	TLS(CQL_TLS_UNKNOWN_AUTHORITY,
		"Set option sslrootcert of the server to the authority that signed the certificate."),
	TLS(CQL_TLS_EXPIRED,
		"Renew the certificate of the CQL server, and check the clocks of both machines."),
	TLS(CQL_TLS_WRONG_HOST,
		"Name in option host what the certificate names, or have it made for this "
		"host; sslmode verify-ca does not look at names."),
	TLS(CQL_TLS_CLIENT_CERTIFICATE, "Set options sslcert and sslkey to a certificate that the CQL "
									"server trusts."),
	TLS(ANY_CODE, "The log of the CQL server may tell more."),
	{CQL_ERROR_CREDENTIALS, ANY_CODE, SIDE_ANY, ERRCODE_INVALID_PASSWORD,
	 "server \"%s\" asks for credentials that the user mapping does not give",
	 "Set options user and password of the user mapping."},
	{CQL_ERROR_NOT_ASKED, ANY_CODE, SIDE_ANY, ERRCODE_S_R_E_PROHIBITED_SQL_STATEMENT_ATTEMPTED,
	 "a password is required for server \"%s\"",
	 "Turn on authentication in the server, or let a superuser set option password_required of the "
	 "user mapping to false."},
	{CQL_ERROR_LOST, ANY_CODE, SIDE_WRITE, ERRCODE_TRANSACTION_RESOLUTION_UNKNOWN,
	 "connection to server \"%s\" was lost while writing", HINT_APPLIED},
	{CQL_ERROR_LOST, ANY_CODE, SIDE_READ, ERRCODE_CONNECTION_FAILURE,
	 "connection to server \"%s\" was lost", "Repeat the statement: it connects anew."},
	{CQL_ERROR_TIMEOUT, ANY_CODE, SIDE_WRITE, ERRCODE_TRANSACTION_RESOLUTION_UNKNOWN,
	 "server \"%s\" did not answer a write in time", HINT_APPLIED},
	{CQL_ERROR_TIMEOUT, ANY_CODE, SIDE_READ, ERRCODE_IO_ERROR,
	 "server \"%s\" did not answer in time", HINT_SLOW},
	{CQL_ERROR_PROTOCOL, ANY_CODE, SIDE_ANY, ERRCODE_PROTOCOL_VIOLATION,
	 "server \"%s\" broke the CQL protocol",
	 "Check that options host and port of the server name a CQL server."},
	{CQL_ERROR_CHANGED, ANY_CODE, SIDE_ANY, ERRCODE_FDW_INCONSISTENT_DESCRIPTOR_INFORMATION,
	 "remote table of server \"%s\" was changed while a statement was in use",
	 "Repeat the statement; if that does not help, run IMPORT FOREIGN SCHEMA again."},
	{CQL_ERROR_RATE_LIMIT, ANY_CODE, SIDE_ANY, ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
	 "server \"%s\" refused a request over its rate limit",
	 "Send fewer requests for one partition, or raise the table's per-partition rate limit."},

	{CQL_ERROR_SERVER, CQL_SERVER_ERROR, SIDE_ANY, ERRCODE_SYSTEM_ERROR,
	 "server \"%s\" had an internal error", "The node's log tells more."},
	{CQL_ERROR_SERVER, CQL_SERVER_PROTOCOL, SIDE_ANY, ERRCODE_PROTOCOL_VIOLATION,
	 "server \"%s\" found a violation of the CQL protocol", NULL},
	{CQL_ERROR_SERVER, CQL_SERVER_BAD_CREDENTIALS, SIDE_ANY, ERRCODE_INVALID_PASSWORD,
	 "server \"%s\" rejected the credentials of the user mapping",
	 "Correct options user and password of the user mapping."},
	{CQL_ERROR_SERVER, CQL_SERVER_UNAVAILABLE, SIDE_ANY, ERRCODE_CANNOT_CONNECT_NOW,
	 "too few replicas are available in server \"%s\"", HINT_REPLICAS},
	{CQL_ERROR_SERVER, CQL_SERVER_OVERLOADED, SIDE_ANY, ERRCODE_INSUFFICIENT_RESOURCES,
	 "server \"%s\" is overloaded", "Send less at once, or repeat the statement later."},
	{CQL_ERROR_SERVER, CQL_SERVER_BOOTSTRAPPING, SIDE_ANY, ERRCODE_INSUFFICIENT_RESOURCES,
	 "a node of server \"%s\" is still starting", "Repeat the statement later."},
	{CQL_ERROR_SERVER, CQL_SERVER_TRUNCATE, SIDE_ANY, ERRCODE_IO_ERROR,
	 "server \"%s\" failed to truncate a table", "All nodes must be up for TRUNCATE."},
	{CQL_ERROR_SERVER, CQL_SERVER_WRITE_TIMEOUT, SIDE_ANY, ERRCODE_TRANSACTION_RESOLUTION_UNKNOWN,
	 "a write timed out in server \"%s\"", HINT_APPLIED},
	{CQL_ERROR_SERVER, CQL_SERVER_READ_TIMEOUT, SIDE_ANY, ERRCODE_IO_ERROR,
	 "a read timed out in server \"%s\"", HINT_SLOW},
	{CQL_ERROR_SERVER, CQL_SERVER_READ_FAILURE, SIDE_ANY, ERRCODE_IO_ERROR,
	 "a read failed on replicas of server \"%s\"", "The logs of the replicas tell more."},
	{CQL_ERROR_SERVER, CQL_SERVER_FUNCTION_FAILURE, SIDE_ANY, ERRCODE_EXTERNAL_ROUTINE_EXCEPTION,
	 "a function failed in server \"%s\"", NULL},
	{CQL_ERROR_SERVER, CQL_SERVER_WRITE_FAILURE, SIDE_ANY, ERRCODE_IO_ERROR,
	 "a write failed on replicas of server \"%s\"", "The logs of the replicas tell more."},
	{CQL_ERROR_SERVER, CQL_SERVER_CDC_WRITE_FAILURE, SIDE_ANY, ERRCODE_IO_ERROR,
	 "server \"%s\" could not write its CDC log", "Have the CDC log consumed, or give it space."},
	{CQL_ERROR_SERVER, CQL_SERVER_CAS_WRITE_UNKNOWN, SIDE_ANY,
	 ERRCODE_TRANSACTION_RESOLUTION_UNKNOWN,
	 "outcome of a conditional write in server \"%s\" is unknown", HINT_APPLIED},
	{CQL_ERROR_SERVER, CQL_SERVER_SYNTAX, SIDE_ANY, ERRCODE_SYNTAX_ERROR,
	 "server \"%s\" found a syntax error in a CQL statement", NULL},
	{CQL_ERROR_SERVER, CQL_SERVER_UNAUTHORIZED, SIDE_ANY, ERRCODE_INSUFFICIENT_PRIVILEGE,
	 "server \"%s\" denied permission",
	 "Have the role of the user mapping granted the permission."},
	{CQL_ERROR_SERVER, CQL_SERVER_INVALID, SIDE_ANY, ERRCODE_INVALID_PARAMETER_VALUE,
	 "server \"%s\" rejected a CQL statement as invalid", NULL},
	{CQL_ERROR_SERVER, CQL_SERVER_CONFIG, SIDE_ANY, ERRCODE_INVALID_PARAMETER_VALUE,
	 "server \"%s\" rejected a CQL statement because of its configuration", NULL},
	{CQL_ERROR_SERVER, CQL_SERVER_ALREADY_EXISTS, SIDE_ANY, ERRCODE_DUPLICATE_OBJECT,
	 "object already exists in server \"%s\"", NULL},
	{CQL_ERROR_SERVER, CQL_SERVER_UNPREPARED, SIDE_ANY, ERRCODE_SYSTEM_ERROR,
	 "server \"%s\" keeps forgetting a prepared statement", "Repeat the statement later."},
	{CQL_ERROR_SERVER, ANY_CODE, SIDE_ANY, ERRCODE_SYSTEM_ERROR,
	 "server \"%s\" answered with an unknown error", NULL},
};

/* Anything else would be a kind that this table does not know. */
static const ReportRow report_row_unknown = {
	CQL_ERROR_NONE,
	ANY_CODE,
	SIDE_ANY,
	ERRCODE_INTERNAL_ERROR,
	"request to server \"%s\" failed for an unknown reason",
	NULL};

/*
 * What a text of INVALID (0x2200) says is missing. The protocol has no codes for these; the
 * texts are those of Cassandra 3 to 5 and ScyllaDB, and one that is not known stays 22023.
 */
typedef struct MissingText
{
	const char *first;
	const char *then; /* behind it; NULL: anything */
	ReportRow row;
} MissingText;

#define MISSING(sqlstate, what)                                                     \
	{                                                                               \
		CQL_ERROR_SERVER, CQL_SERVER_INVALID, SIDE_ANY, sqlstate, what, HINT_IMPORT \
	}
#define MISSING_KEYSPACE \
	MISSING(ERRCODE_FDW_SCHEMA_NOT_FOUND, "keyspace does not exist in server \"%s\"")
#define MISSING_TABLE \
	MISSING(ERRCODE_FDW_TABLE_NOT_FOUND, "remote table does not exist in server \"%s\"")
#define MISSING_COLUMN \
	MISSING(ERRCODE_FDW_COLUMN_NAME_NOT_FOUND, "remote column does not exist in server \"%s\"")

static const MissingText missing_texts[] = {
	{"undefined column name", NULL, MISSING_COLUMN},
	{"unrecognized name", NULL, MISSING_COLUMN},
	{"undefined name", NULL, MISSING_COLUMN},
	{"unknown identifier", NULL, MISSING_COLUMN},
	{"unconfigured table", NULL, MISSING_TABLE},
	{"unconfigured columnfamily", NULL, MISSING_TABLE},
	{"table", "does not exist", MISSING_TABLE},
	{"table", "doesn't exist", MISSING_TABLE},
	{"keyspace", "does not exist", MISSING_KEYSPACE},
	{"keyspace", "doesn't exist", MISSING_KEYSPACE},
};

static const ReportRow *
find_missing(const char *message)
{
	char *text = asc_tolower(message, strlen(message));

	for (size_t i = 0; i < lengthof(missing_texts); i++)
	{
		const MissingText *missing = &missing_texts[i];
		const char *first = strstr(text, missing->first);

		if (first != NULL && (missing->then == NULL || strstr(first, missing->then) != NULL))
			return &missing->row;
	}
	return NULL;
}

static const ReportRow *
find_row(const cql_error *error, bool is_write)
{
	ReportSide side = is_write && error->may_be_applied ? SIDE_WRITE : SIDE_READ;

	if (error->kind == CQL_ERROR_SERVER && error->server_code == CQL_SERVER_INVALID)
	{
		const ReportRow *missing = find_missing(error->message);

		if (missing != NULL)
			return missing;
	}
	for (size_t i = 0; i < lengthof(report_rows); i++)
	{
		const ReportRow *row = &report_rows[i];

		if (row->kind == error->kind &&
			(row->server_code == ANY_CODE || row->server_code == error->server_code) &&
			(row->side == SIDE_ANY || row->side == side))
			return row;
	}
	return &report_row_unknown;
}

/*
 * Append remote text: UTF-8 that may be cut, forged, or unknown to the database's encoding.
 * What does not fit becomes '?', without conversion functions, which could raise errors.
 */
static void
append_remote_text(StringInfo out, const char *text)
{
	bool is_utf8 = GetDatabaseEncoding() == PG_UTF8;
	const unsigned char *next = (const unsigned char *) text;
	const unsigned char *end = next + strlen(text);

	while (next < end)
	{
		int len = pg_utf_mblen(next);

		if (len > 1 && (len > end - next || !pg_utf8_islegal(next, len)))
			len = 1;
		if (len > 1 && is_utf8)
			appendBinaryStringInfo(out, (const char *) next, len);
		else if (len == 1 && *next < 0x7F && (*next >= 0x20 || *next == '\n' || *next == '\t'))
			appendStringInfoChar(out, (char) *next);
		else
			appendStringInfoChar(out, '?');
		next += len;
	}
}

static void
append_node(StringInfo out, const cql_error *error)
{
	/* What the driver itself says may begin with the node, or be about several. */
	if (error->node[0] == '\0' || strncmp(error->message, error->node, strlen(error->node)) == 0)
		return;
	appendStringInfo(out, "Node %s", error->node);
	if (error->shard >= 0)
		appendStringInfo(out, ", shard %d", error->shard);
	/* Our own words about a node have no "says". */
	appendStringInfoString(
		out,
		error->kind == CQL_ERROR_SERVER || error->kind == CQL_ERROR_RATE_LIMIT ? " says: " : ": ");
}

static void
append_replicas(StringInfo out, const cql_error *error)
{
	if (error->consistency < 0)
		return;
	appendStringInfo(out, "\nConsistency %s: ", scylla_consistency_name(error->consistency));
	if (error->server_code == CQL_SERVER_UNAVAILABLE)
		appendStringInfo(out, "%d of %d required replicas are alive", error->received,
						 error->required);
	else
		appendStringInfo(out, "%d of %d required replicas answered", error->received,
						 error->required);
	if (error->failure_count > 0)
		appendStringInfo(out, ", %d failed", error->failure_count);
	if (error->write_type[0] != '\0')
		appendStringInfo(out, ", write type %s", error->write_type);
	appendStringInfoChar(out, '.');
}

static void
append_subject(StringInfo out, const ScyllaReportContext *about)
{
	if (about->relation == NULL)
		return;
	appendStringInfo(out, "\nRemote table: %s", about->relation);
	if (about->key != NULL)
		appendStringInfo(out, ", key %s", about->key);
	appendStringInfoChar(out, '.');
}

static char *
make_detail(const cql_error *error, const ScyllaReportContext *about)
{
	StringInfoData out;
	const char *unresolved = NULL;

	initStringInfo(&out);
	append_node(&out, error);
	append_remote_text(&out, error->message[0] != '\0' ? error->message : "no text was given");
	append_replicas(&out, error);
	append_subject(&out, about);
	if (about->is_write && error->kind != CQL_ERROR_NONE)
		appendStringInfoString(&out, error->may_be_applied ? "\nThe write may have been applied."
														   : "\nThe write was not applied.");
	if (about->others != NULL)
		appendStringInfo(&out, "\n%s", about->others);
	if ((error->kind == CQL_ERROR_UNREACHABLE || error->kind == CQL_ERROR_TLS) &&
		about->session != NULL)
		unresolved = scylla_session_unresolved(about->session);
	if (unresolved != NULL)
		appendStringInfo(&out, "\nNames that could not be resolved: %s.", unresolved);
	return out.data;
}

/* What the error tells about what this backend believes. */
static void
learn(const ReportRow *row, const ScyllaReportContext *about)
{
	if (about->session == NULL)
		return;
	/* Names, and the files that certificates stand in, are read anew. */
	if (row->kind == CQL_ERROR_UNREACHABLE || row->kind == CQL_ERROR_TLS)
		scylla_session_expire(about->session);
	else if (row->sqlstate == ERRCODE_FDW_SCHEMA_NOT_FOUND ||
			 row->sqlstate == ERRCODE_FDW_TABLE_NOT_FOUND ||
			 row->sqlstate == ERRCODE_FDW_COLUMN_NAME_NOT_FOUND ||
			 row->sqlstate == ERRCODE_FDW_INCONSISTENT_DESCRIPTOR_INFORMATION)
		scylla_session_forget_schema(about->session->serverid);
}

/* Whether the statement may be at odds with the remote schema. */
static bool
is_explained(const cql_error *error, const ReportRow *row)
{
	return error->kind == CQL_ERROR_SERVER && error->server_code == CQL_SERVER_INVALID &&
		   (row->sqlstate == ERRCODE_INVALID_PARAMETER_VALUE ||
			row->sqlstate == ERRCODE_FDW_TABLE_NOT_FOUND);
}

void
scylla_report(const cql_error *error, const ScyllaReportContext *about)
{
	const ReportRow *row = find_row(error, about->is_write);
	const char *server = about->session != NULL ? about->session->server_name : "?";

	if (about->explain != NULL && is_explained(error, row))
		about->explain(about->argument);
	learn(row, about);
	ereport(ERROR, (errcode(row->sqlstate), errmsg(row->message, server),
					errdetail_internal("%s", make_detail(error, about)),
					row->hint != NULL ? errhint("%s", row->hint) : 0,
					about->cql != NULL ? errcontext("remote CQL: %s", about->cql) : 0));
	pg_unreachable();
}

void
scylla_report_warnings(const cql_result *result)
{
	int count = cql_result_warning_count(result);

	for (int i = 0; i < count; i++)
	{
		char warning[CQL_ERROR_MESSAGE_LEN];
		StringInfoData text;

		cql_result_warning(result, i, warning, sizeof(warning));
		initStringInfo(&text);
		append_remote_text(&text, warning);
		ereport(WARNING, (errcode(ERRCODE_WARNING),
						  errmsg("node %s warns: %s", cql_result_node(result), text.data)));
		pfree(text.data);
	}
}
