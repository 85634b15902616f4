/*
 * Settings of a session's TLS, read from PEM text, and the sessions that its nodes can resume.
 */
#include "cql/conn/tls_context.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "cql/mem.h"

/* Nodes that are remembered; a large cluster's others shake hands in full. */
#define MAX_RESUMABLE 64

typedef struct Resumable
{
	char key[CQL_TLS_KEY_LEN];
	SSL_SESSION *session;
} Resumable;

struct cql_tls_context
{
	SSL_CTX *ssl;
	cql_tls_mode mode;
	Resumable resumable[MAX_RESUMABLE];
	int resumable_count;
	int oldest;
};

/* ---- sessions to resume ---- */

void
cql_tls_key_set(char *key, const char *host, const char *node)
{
	snprintf(key, CQL_TLS_KEY_LEN, "%s/%s", host, node);
}

static Resumable *
find_resumable(cql_tls_context *context, const char *key)
{
	for (int i = 0; i < context->resumable_count; i++)
		if (strcmp(context->resumable[i].key, key) == 0)
			return &context->resumable[i];
	return NULL;
}

/* OpenSSL's callback: a session that may be resumed. 1: it is ours now. */
static int
keep_session(SSL *ssl, SSL_SESSION *session)
{
	const cql_tls_verdict *verdict = SSL_get_app_data(ssl);
	cql_tls_context *context = verdict->context;
	Resumable *place = find_resumable(context, verdict->key);

	if (place == NULL && context->resumable_count < MAX_RESUMABLE)
		place = &context->resumable[context->resumable_count++];
	else if (place == NULL)
	{
		place = &context->resumable[context->oldest];
		context->oldest = (context->oldest + 1) % MAX_RESUMABLE;
	}
	SSL_SESSION_free(place->session);
	snprintf(place->key, sizeof place->key, "%s", verdict->key);
	place->session = session;
	return 1;
}

void
cql_tls_context_resume(cql_tls_context *context, SSL *ssl, const char *key)
{
	Resumable *place = find_resumable(context, key);

	/* What cannot be offered is not resumed; that is no error. */
	if (place != NULL && place->session != NULL)
		(void) SSL_set_session(ssl, place->session);
}

void
cql_tls_context_forget(cql_tls_context *context, const char *key)
{
	Resumable *place = find_resumable(context, key);

	if (place == NULL)
		return;
	SSL_SESSION_free(place->session);
	place->session = NULL;
}

/* ---- settings ---- */

static bool
fail(cql_error *error, const char *text)
{
	memset(error, 0, sizeof *error);
	error->kind = CQL_ERROR_TLS;
	error->server_code = CQL_TLS_BAD_OPTION;
	error->shard = -1;
	error->consistency = -1;
	snprintf(error->message, sizeof error->message, "%s", text);
	ERR_clear_error();
	return false;
}

/* A key that is encrypted is not asked for its password: nobody would answer. */
static int
give_no_password(char *into, int room, int is_writing, void *data)
{
	(void) into;
	(void) room;
	(void) is_writing;
	(void) data;
	return -1;
}

/* The next certificate of a text; NULL: there is none, or (is_damaged) one that cannot be read. */
static X509 *
next_certificate(BIO *bio, bool *is_damaged)
{
	X509 *certificate;
	unsigned long code;

	ERR_clear_error();
	certificate = PEM_read_bio_X509(bio, NULL, give_no_password, NULL);
	code = ERR_peek_last_error();
	*is_damaged = certificate == NULL && !(ERR_GET_LIB(code) == ERR_LIB_PEM &&
										   ERR_GET_REASON(code) == PEM_R_NO_START_LINE);
	return certificate;
}

static bool
use_roots(SSL_CTX *ssl, const char *pem, cql_error *error)
{
	BIO *bio;
	X509 *certificate;
	bool is_damaged = true;
	int count = 0;

	if (pem == NULL)
		return SSL_CTX_set_default_verify_paths(ssl) == 1 ||
			   fail(error, "the system's certificate authorities cannot be read");
	bio = BIO_new_mem_buf(pem, -1);
	while (bio != NULL && (certificate = next_certificate(bio, &is_damaged)) != NULL)
	{
		count += X509_STORE_add_cert(SSL_CTX_get_cert_store(ssl), certificate) == 1;
		X509_free(certificate);
	}
	BIO_free(bio);
	return (count > 0 && !is_damaged) ||
		   fail(error, count > 0 ? "option sslrootcert holds a certificate that cannot be read"
								 : "option sslrootcert holds no certificate that can be read");
}

/* The first is ours, those behind it lead to the authority. */
static bool
use_chain(SSL_CTX *ssl, const char *pem, cql_error *error)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *certificate = NULL;
	bool is_damaged = true;
	bool is_used = false;

	if (bio != NULL)
		certificate = next_certificate(bio, &is_damaged);
	if (certificate != NULL)
		is_used = SSL_CTX_use_certificate(ssl, certificate) == 1;
	X509_free(certificate);
	while (is_used && (certificate = next_certificate(bio, &is_damaged)) != NULL)
	{
		/* the context's from here on */
		is_used = SSL_CTX_add0_chain_cert(ssl, certificate) == 1;
		if (!is_used)
			X509_free(certificate);
	}
	BIO_free(bio);
	return (is_used && !is_damaged) ||
		   fail(error, is_used ? "option sslcert holds a certificate that cannot be read"
							   : "option sslcert holds no certificate that can be read");
}

static bool
use_key(SSL_CTX *ssl, const char *pem, cql_error *error)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *key = NULL;
	bool is_used = false;

	if (bio != NULL)
		key = PEM_read_bio_PrivateKey(bio, NULL, give_no_password, NULL);
	BIO_free(bio);
	if (key == NULL)
		return fail(error,
					"option sslkey holds no private key that can be read without a password");
	is_used = SSL_CTX_use_PrivateKey(ssl, key) == 1;
	EVP_PKEY_free(key);
	return is_used || fail(error, "the private key of option sslkey is not that of the certificate "
								  "of option sslcert");
}

static bool
use_identity(SSL_CTX *ssl, const cql_tls_options *options, cql_error *error)
{
	if (options->certificate == NULL && options->key == NULL)
		return true;
	if (options->certificate == NULL)
		return fail(error, "option sslkey is set, but option sslcert is not");
	if (options->key == NULL)
		return fail(error, "option sslcert is set, but option sslkey is not");
	return use_chain(ssl, options->certificate, error) && use_key(ssl, options->key, error);
}

static bool
use_pem(SSL_CTX *ssl, const char *text, cql_pem pem, cql_error *error)
{
	switch (pem)
	{
		case CQL_PEM_ROOTS:
			return use_roots(ssl, text, error);
		case CQL_PEM_CERTIFICATE:
			return use_chain(ssl, text, error);
		case CQL_PEM_KEY:
			break;
	}
	return use_key(ssl, text, error);
}

static bool
fail_for_memory(cql_error *error)
{
	fail(error, "out of memory");
	error->kind = CQL_ERROR_NO_MEMORY;
	return false;
}

bool
cql_pem_check(const char *text, cql_pem pem, cql_error *error)
{
	SSL_CTX *ssl = SSL_CTX_new(TLS_client_method());
	bool can_be_used;

	if (ssl == NULL)
		return fail_for_memory(error);
	can_be_used = use_pem(ssl, text, pem, error);
	SSL_CTX_free(ssl);
	ERR_clear_error();
	return can_be_used;
}

static bool
configure(SSL_CTX *ssl, const cql_tls_options *options, cql_error *error)
{
	const int min_version = options->min_version == CQL_TLS_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;

	SSL_CTX_set_options(ssl, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ssl, keep_session);
	SSL_CTX_set_cert_cb(ssl, cql_tls_note_asked, NULL);
	if (SSL_CTX_set_min_proto_version(ssl, min_version) != 1)
		return fail(error, "this OpenSSL does not speak the TLS version of option "
						   "ssl_min_protocol_version");
	if (options->mode >= CQL_TLS_VERIFY_CA)
	{
		SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, cql_tls_note_verdict);
		if (!use_roots(ssl, options->roots, error))
			return false;
	}
	return use_identity(ssl, options, error);
}

cql_tls_context *
cql_tls_context_new(const cql_tls_options *options, cql_error *error)
{
	cql_tls_context *context = cql_alloc_zero(sizeof *context);

	ERR_clear_error();
	if (context != NULL)
		context->ssl = SSL_CTX_new(TLS_client_method());
	if (context == NULL || context->ssl == NULL)
	{
		cql_tls_context_free(context);
		fail_for_memory(error);
		return NULL;
	}
	context->mode = options->mode;
	if (!configure(context->ssl, options, error))
	{
		cql_tls_context_free(context);
		return NULL;
	}
	ERR_clear_error();
	return context;
}

void
cql_tls_context_free(cql_tls_context *context)
{
	if (context == NULL)
		return;
	for (int i = 0; i < context->resumable_count; i++)
		SSL_SESSION_free(context->resumable[i].session);
	SSL_CTX_free(context->ssl);
	cql_release(context);
}

/* ---- connections ---- */

/* An address is looked for among the certificate's addresses, a name among its names. */
static bool
expect_host(SSL *ssl, cql_tls_mode mode, const char *host)
{
	X509_VERIFY_PARAM *parameters = SSL_get0_param(ssl);
	ASN1_OCTET_STRING *address = a2i_IPADDRESS(host);
	bool is_address = address != NULL;

	ASN1_OCTET_STRING_free(address);
	if (!is_address && SSL_set_tlsext_host_name(ssl, host) != 1)
		return false;
	if (mode != CQL_TLS_VERIFY_FULL)
		return true;
	X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (is_address)
		return X509_VERIFY_PARAM_set1_ip_asc(parameters, host) == 1;
	return X509_VERIFY_PARAM_set1_host(parameters, host, 0) == 1;
}

SSL *
cql_tls_context_make(cql_tls_context *context, const char *host, cql_tls_verdict *verdict)
{
	SSL *ssl = SSL_new(context->ssl);

	if (ssl == NULL)
		return NULL;
	verdict->context = context;
	verdict->host = host;
	SSL_set_app_data(ssl, verdict);
	if (expect_host(ssl, context->mode, host))
		return ssl;
	SSL_free(ssl);
	return NULL;
}
