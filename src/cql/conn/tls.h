/*
 * TLS over memory: ciphertext in, ciphertext out. OpenSSL knows no socket here, and its error
 * queue, which it shares with the process, is empty before and after each of these calls.
 */
#ifndef CQL_CONN_TLS_H
#define CQL_CONN_TLS_H

#include <sys/uio.h>

#include "cql/cql.h"

/* What a session's connections share: settings, certificates, and what nodes gave for a shorter
 * handshake next time. Outlives its connections. */
typedef struct cql_tls_context cql_tls_context;

/* NULL: error tells which of the options cannot be used. */
extern cql_tls_context *cql_tls_context_new(const cql_tls_options *options, cql_error *error);
extern void cql_tls_context_free(cql_tls_context *context);

/* One connection's TLS. */
typedef struct cql_tls cql_tls;

/* Plaintext of one record; cql_tls_write() takes no more at once. */
#define CQL_TLS_RECORD_LEN ((size_t) 16 * 1024)

typedef enum cql_tls_status
{
	CQL_TLS_DONE,
	CQL_TLS_MORE,  /* when more ciphertext has come */
	CQL_TLS_ENDED, /* the peer said that it sends no more */
	CQL_TLS_FAILED /* the error is filled, of kind TLS; its node is not */
} cql_tls_status;

/* host is what the certificate must name where names are checked, node what a resumption is kept
 * by. NULL when out of memory. */
extern cql_tls *cql_tls_new(cql_tls_context *context, const char *host, const char *node);
extern void cql_tls_free(cql_tls *tls);

/* Where ciphertext shall go; then tell how much came. Room is there once cql_tls_read(), or the
 * handshake, has said MORE. */
extern uint8_t *cql_tls_input(cql_tls *tls, size_t *len);
extern void cql_tls_received(cql_tls *tls, size_t len);

extern cql_tls_status cql_tls_shake_hands(cql_tls *tls, cql_error *error);
/* DONE: *len bytes, of at most room, are there. */
extern cql_tls_status cql_tls_read(cql_tls *tls, uint8_t *into, size_t room, size_t *len,
								   cql_error *error);
/* All of it becomes ciphertext: DONE or FAILED. */
extern cql_tls_status cql_tls_write(cql_tls *tls, const uint8_t *plain, size_t len,
									cql_error *error);

/* Ciphertext to be sent (len 0: none), which stays in place until cql_tls_sent(). */
extern struct iovec cql_tls_output(const cql_tls *tls);
extern void cql_tls_sent(cql_tls *tls, size_t len);
/* Bytes of ciphertext that were ever made. */
extern uint64_t cql_tls_made(const cql_tls *tls);

#endif /* CQL_CONN_TLS_H */
