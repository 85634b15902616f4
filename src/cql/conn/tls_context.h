/*
 * What conn/tls.c shares with conn/tls_context.c: settings of a session's TLS, the sessions that
 * can be resumed, and the words for what fails.
 */
#ifndef CQL_CONN_TLS_CONTEXT_H
#define CQL_CONN_TLS_CONTEXT_H

#include <openssl/ssl.h>

#include "cql/conn/tls.h"

/* A host's name, a slash, a node's. */
#define CQL_TLS_KEY_LEN (CQL_HOST_NAME_LEN + CQL_NODE_NAME_LEN + 1)

/* What is found about the peer's certificate while the handshake runs. */
typedef struct cql_tls_verdict
{
	cql_tls_context *context;
	const char *host;
	const char *key;
	bool is_asked;        /* the peer wants a certificate from us */
	bool has_certificate; /* of ours, to give it */
	cql_tls_fault fault;
	char words[512]; /* empty: nothing is wrong with it */
} cql_tls_verdict;

/* An SSL object that expects this host and reports to the verdict, which stays in place with it;
 * NULL when out of memory. */
extern SSL *cql_tls_context_make(cql_tls_context *context, const char *host,
								 cql_tls_verdict *verdict);

extern void cql_tls_key_set(char *key, const char *host, const char *node);
/* Offer what this key's last connection was given; throw it away. */
extern void cql_tls_context_resume(cql_tls_context *context, SSL *ssl, const char *key);
extern void cql_tls_context_forget(cql_tls_context *context, const char *key);

/* OpenSSL's callback for each certificate of the peer's chain. */
extern int cql_tls_note_verdict(int is_fine, X509_STORE_CTX *store);
/* OpenSSL's callback when the peer wants a certificate from us. */
extern int cql_tls_note_asked(SSL *ssl, void *context);
/* Fill an error from the verdict, or else from OpenSSL's queue. */
extern void cql_tls_explain(const cql_tls_verdict *verdict, cql_error *error);

#endif /* CQL_CONN_TLS_CONTEXT_H */
