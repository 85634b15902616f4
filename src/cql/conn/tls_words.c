/*
 * Why TLS failed, in words: of the peer's certificate while OpenSSL judges it, of everything else
 * by OpenSSL's reason.
 */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "cql/conn/tls_context.h"

/* ---- the peer's certificate ---- */

/* Bytes of a certificate come from anywhere: only what can be printed is. */
static void
append(char *text, size_t size, const char *bytes, size_t len)
{
	size_t at = strlen(text);

	for (size_t i = 0; i < len && at + 1 < size; i++)
		text[at++] = bytes[i] >= 0x20 && bytes[i] < 0x7F ? bytes[i] : '?';
	text[at] = '\0';
}

static void
append_text(char *text, size_t size, const char *more)
{
	append(text, size, more, strlen(more));
}

static void
append_time(char *text, size_t size, const ASN1_TIME *time)
{
	char moment[80] = "an unknown time";
	struct tm tm;

	if (ASN1_TIME_to_tm(time, &tm) == 1)
		snprintf(moment, sizeof moment, "%04d-%02d-%02d %02d:%02d:%02d UTC", tm.tm_year + 1900,
				 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
	append_text(text, size, moment);
}

static void
append_address(char *text, size_t size, const ASN1_OCTET_STRING *address)
{
	const uint8_t *bytes = ASN1_STRING_get0_data(address);
	int len = ASN1_STRING_length(address);
	char part[8];

	for (int i = 0; len == 4 && i < 4; i++)
	{
		snprintf(part, sizeof part, "%s%d", i > 0 ? "." : "", bytes[i]);
		append_text(text, size, part);
	}
	for (int i = 0; len == 16 && i < 16; i += 2)
	{
		snprintf(part, sizeof part, "%s%x", i > 0 ? ":" : "", bytes[i] << 8 | bytes[i + 1]);
		append_text(text, size, part);
	}
}

/* "a, b and c" would need to look ahead; "a, b, c" does. */
static void
append_names(char *text, size_t size, const X509 *certificate)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	const char *comma = "";

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++)
	{
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type != GEN_DNS && name->type != GEN_IPADD)
			continue;
		append_text(text, size, comma);
		comma = ", ";
		if (name->type == GEN_DNS)
			append(text, size, (const char *) ASN1_STRING_get0_data(name->d.dNSName),
				   (size_t) ASN1_STRING_length(name->d.dNSName));
		else
			append_address(text, size, name->d.iPAddress);
	}
	if (comma[0] == '\0')
		append_text(text, size, "no host");
	GENERAL_NAMES_free(names);
}

static void
describe(cql_tls_verdict *verdict, int reason, X509 *certificate)
{
	char *words = verdict->words;
	size_t size = sizeof verdict->words;
	char subject[128] = "unknown";

	X509_NAME_oneline(X509_get_subject_name(certificate), subject, sizeof subject);
	append_text(words, size, "the server's certificate (");
	append_text(words, size, subject);
	append_text(words, size, ") ");
	switch (reason)
	{
		case X509_V_ERR_CERT_HAS_EXPIRED:
			verdict->fault = CQL_TLS_EXPIRED;
			append_text(words, size, "expired at ");
			append_time(words, size, X509_get0_notAfter(certificate));
			break;
		case X509_V_ERR_CERT_NOT_YET_VALID:
			verdict->fault = CQL_TLS_EXPIRED;
			append_text(words, size, "is not valid before ");
			append_time(words, size, X509_get0_notBefore(certificate));
			break;
		case X509_V_ERR_HOSTNAME_MISMATCH:
		case X509_V_ERR_IP_ADDRESS_MISMATCH:
			verdict->fault = CQL_TLS_WRONG_HOST;
			append_text(words, size, "is for ");
			append_names(words, size, certificate);
			append_text(words, size, ", not for ");
			append_text(words, size, verdict->host);
			break;
		case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
			verdict->fault = CQL_TLS_UNKNOWN_AUTHORITY;
			append_text(words, size, "is signed by itself and is not trusted");
			break;
		case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
		case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
		case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
		case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
			verdict->fault = CQL_TLS_UNKNOWN_AUTHORITY;
			append_text(words, size, "is not signed by an authority that is trusted");
			break;
		default:
			verdict->fault = CQL_TLS_OTHER;
			append_text(words, size, "is not accepted: ");
			append_text(words, size, X509_verify_cert_error_string(reason));
	}
}

int
cql_tls_note_verdict(int is_fine, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	cql_tls_verdict *verdict = SSL_get_app_data(ssl);
	X509 *certificate = X509_STORE_CTX_get_current_cert(store);

	if (!is_fine && certificate != NULL && verdict->words[0] == '\0')
		describe(verdict, X509_STORE_CTX_get_error(store), certificate);
	return is_fine;
}

/* ---- everything else ---- */

typedef struct Reason
{
	int reason;
	cql_tls_fault fault;
	const char *words;
} Reason;

#define REFUSED "the server refuses our certificate"

static const Reason reasons[] = {
	{SSL_R_WRONG_VERSION_NUMBER, CQL_TLS_NOT_SPOKEN, "the server does not answer in TLS"},
	{SSL_R_HTTP_REQUEST, CQL_TLS_NOT_SPOKEN, "the server does not answer in TLS"},
	{SSL_R_UNSUPPORTED_PROTOCOL, CQL_TLS_VERSION, "the server's version of TLS is too old"},
	{SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, CQL_TLS_VERSION,
	 "the server has no version of TLS in common with us"},
	{SSL_R_NO_PROTOCOLS_AVAILABLE, CQL_TLS_VERSION, "this OpenSSL may use no version of TLS"},
	{SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, CQL_TLS_CLIENT_CERTIFICATE,
	 "the server wants a certificate from us"},
	{SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, CQL_TLS_CLIENT_CERTIFICATE, REFUSED},
	{SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE, CQL_TLS_CLIENT_CERTIFICATE, REFUSED},
	{SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED, CQL_TLS_CLIENT_CERTIFICATE, REFUSED ": it is revoked"},
	{SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, CQL_TLS_CLIENT_CERTIFICATE, REFUSED ": it has expired"},
	{SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, CQL_TLS_CLIENT_CERTIFICATE, REFUSED},
	{SSL_R_TLSV1_ALERT_UNKNOWN_CA, CQL_TLS_CLIENT_CERTIFICATE,
	 REFUSED ": it does not know its authority"},
	{SSL_R_TLSV1_ALERT_ACCESS_DENIED, CQL_TLS_CLIENT_CERTIFICATE, REFUSED},
};

int
cql_tls_note_asked(SSL *ssl, void *context)
{
	cql_tls_verdict *verdict = SSL_get_app_data(ssl);

	(void) context;
	verdict->is_asked = true;
	verdict->has_certificate = SSL_get_certificate(ssl) != NULL;
	return 1;
}

static const Reason *
find_reason(unsigned long code)
{
	for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
		if (ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == reasons[i].reason)
			return &reasons[i];
	return NULL;
}

/* Servers differ much in the alert that they send when it is our certificate that they miss or
 * dislike; but they all have asked for it before. */
static void
explain_reason(const cql_tls_verdict *verdict, unsigned long code, cql_error *error)
{
	const Reason *reason = find_reason(code);
	const char *words = reason != NULL ? reason->words : ERR_reason_error_string(code);
	bool is_alert =
		ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) >= SSL_AD_REASON_OFFSET;
	bool is_of_ours = reason == NULL && is_alert && verdict->is_asked;

	if (words == NULL)
		words = "TLS failed without a reason";
	error->server_code = reason != NULL ? (int32_t) reason->fault : CQL_TLS_OTHER;
	if (is_of_ours)
		error->server_code = CQL_TLS_CLIENT_CERTIFICATE;
	snprintf(error->message, sizeof error->message, "%s%s", words,
			 !is_of_ours                ? ""
			 : verdict->has_certificate ? "; the server may not accept our certificate"
										: "; the server wants a certificate from us");
}

void
cql_tls_explain(const cql_tls_verdict *verdict, cql_error *error)
{
	/* The first in the queue is the cause, later ones are its consequences. */
	unsigned long code = ERR_peek_error();

	memset(error, 0, sizeof *error);
	error->kind = CQL_ERROR_TLS;
	error->shard = -1;
	error->consistency = -1;
	if (verdict->words[0] == '\0')
	{
		explain_reason(verdict, code, error);
		return;
	}
	error->server_code = (int32_t) verdict->fault;
	snprintf(error->message, sizeof error->message, "%s", verdict->words);
}
