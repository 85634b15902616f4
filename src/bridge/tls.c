/*
 * Files are read here and not in the driver, at each new session: so a certificate that was renewed
 * is found without ALTER by whoever connects next.
 *
 * Who may name a file was checked when the option was set, and is checked again, since roles lose
 * privileges and servers change owners.
 */
#include "bridge/tls.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "foreign/foreign.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "storage/fd.h"

/* Certificates of all authorities in the world take a quarter of it. */
#define MAX_FILE_LEN (1024 * 1024)

typedef struct Source
{
	const ScyllaOptions *options;
	Oid userid;
	const char *name; /* of the option */
	const char *text; /* its value */
} Source;

static void
check_privilege(const Source *source)
{
	Oid owner = GetForeignServer(source->options->serverid)->owner;

	if (scylla_may_read_files(owner) || scylla_may_read_files(source->userid))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied to read the file of option \"%s\"", source->name),
			 errdetail("Neither the owner of server \"%s\" nor the user is a superuser or has the "
					   "privileges of role pg_read_server_files.",
					   source->options->server_name),
			 errhint("Put the PEM text itself into the option.")));
}

static void
raise_unreadable(const Source *source, const char *why)
{
	ereport(
		ERROR,
		(errcode(ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION),
		 errmsg("could not make a TLS connection to server \"%s\"", source->options->server_name),
		 errdetail("File \"%s\" of option %s cannot be read: %s.", source->text, source->name, why),
		 errhint("Correct the option, or put the PEM text itself into it.")));
}

static char *
read_file(const Source *source)
{
	/* Nothing that a path may lead to, as a pipe, makes the backend wait. */
	int fd = OpenTransientFile(source->text, O_RDONLY | O_NONBLOCK | PG_BINARY);
	struct stat facts;
	StringInfoData content;
	ssize_t got;

	if (fd < 0)
		raise_unreadable(source, strerror(errno));
	if (fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode))
		raise_unreadable(source, "it is no regular file");
	if (facts.st_size > MAX_FILE_LEN)
		raise_unreadable(source, "it is larger than 1 MB");
	initStringInfo(&content);
	enlargeStringInfo(&content, MAX_FILE_LEN);
	while ((got = read(fd, content.data + content.len, (size_t) (MAX_FILE_LEN - content.len))) > 0)
		content.len += got;
	if (got < 0)
		raise_unreadable(source, strerror(errno));
	content.data[content.len] = '\0';
	CloseTransientFile(fd);
	return content.data;
}

static const char *
read_pem(const ScyllaOptions *options, Oid userid, const char *name, const char *text)
{
	Source source = {options, userid, name, text};

	if (text == NULL || scylla_is_pem(text))
		return text;
	check_privilege(&source);
	return read_file(&source);
}

/* The authorities' option is not needed by each mode, but what is given counts. */
static void
set_roots(const ScyllaOptions *options, Oid userid, cql_tls_options *tls)
{
	bool is_system = options->tls.roots != NULL && strcmp(options->tls.roots, "system") == 0;

	/* As in libpq: who names authorities wants them asked. */
	if (tls->mode == CQL_TLS_ENCRYPT && options->tls.roots != NULL)
		tls->mode = CQL_TLS_VERIFY_CA;
	/* Anybody can have a certificate from one of the system's authorities. */
	if (is_system)
		tls->mode = CQL_TLS_VERIFY_FULL;
	if (tls->mode < CQL_TLS_VERIFY_CA || is_system)
		return;
	if (options->tls.roots == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION),
				 errmsg("could not make a TLS connection to server \"%s\"", options->server_name),
				 errdetail("Option sslmode wants the server's certificate verified, but option "
						   "sslrootcert names no authority."),
				 errhint("Set option sslrootcert to the authority's certificate, or to system for "
						 "those of the operating system.")));
	tls->roots = read_pem(options, userid, "sslrootcert", options->tls.roots);
}

cql_tls_options
scylla_tls_options(const ScyllaOptions *options, Oid userid)
{
	cql_tls_options tls = {.mode = (cql_tls_mode) options->tls.mode,
						   .min_version = (cql_tls_version) options->tls.min_version};

	if (tls.mode == CQL_TLS_OFF)
		return tls;
	set_roots(options, userid, &tls);
	tls.certificate = read_pem(options, userid, "sslcert", options->tls.certificate);
	tls.key = read_pem(options, userid, "sslkey", options->tls.key);
	return tls;
}
