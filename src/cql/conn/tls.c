/*
 * One connection's TLS: an SSL object between two buffers. What it reads and writes goes through a
 * BIO of our own, so that ciphertext is copied once and memory that is missing is an error.
 */
#include "cql/conn/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>

#include "cql/conn/tls_context.h"
#include "cql/mem.h"

/* Some records, so that a fast peer costs few reads of the socket. */
#define INPUT_LEN ((size_t) 64 * 1024)

struct cql_tls
{
	SSL *ssl;
	cql_tls_context *context;
	cql_tls_verdict verdict;
	char key[CQL_TLS_KEY_LEN];
	uint8_t *in; /* INPUT_LEN bytes */
	size_t in_begin;
	size_t in_end;
	uint8_t *out;
	size_t out_begin;
	size_t out_end;
	size_t out_capacity;
	uint64_t made;
};

/* ---- the BIO ---- */

static int
bio_read(BIO *bio, char *into, int room)
{
	cql_tls *tls = BIO_get_data(bio);
	size_t len = tls->in_end - tls->in_begin;

	BIO_clear_retry_flags(bio);
	if (len == 0)
	{
		BIO_set_retry_read(bio);
		return -1;
	}
	if (len > (size_t) room)
		len = (size_t) room;
	memcpy(into, tls->in + tls->in_begin, len);
	tls->in_begin += len;
	return (int) len;
}

/* What was sent makes room first: a peer that is slower than we are may never have taken all. */
static bool
make_room(cql_tls *tls, size_t len)
{
	size_t capacity = tls->out_capacity > 0 ? tls->out_capacity : 4096;
	uint8_t *out;

	if (tls->out_begin > 0 && len > tls->out_capacity - tls->out_end)
	{
		memmove(tls->out, tls->out + tls->out_begin, tls->out_end - tls->out_begin);
		tls->out_end -= tls->out_begin;
		tls->out_begin = 0;
	}
	while (capacity < tls->out_end + len)
		capacity *= 2;
	if (capacity == tls->out_capacity)
		return true;
	out = cql_resize(tls->out, capacity);
	if (out == NULL)
		return false;
	tls->out = out;
	tls->out_capacity = capacity;
	return true;
}

static int
bio_write(BIO *bio, const char *bytes, int len)
{
	cql_tls *tls = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	if (!make_room(tls, (size_t) len))
		return -1;
	memcpy(tls->out + tls->out_end, bytes, (size_t) len);
	tls->out_end += (size_t) len;
	tls->made += (uint64_t) len;
	return len;
}

static long
bio_control(BIO *bio, int command, long number, void *pointer)
{
	(void) bio;
	(void) number;
	(void) pointer;
	return command == BIO_CTRL_FLUSH; /* and nothing else */
}

/* Made once in a process: types of BIOs are few and cannot be given back. */
static BIO_METHOD *
bio_method(void)
{
	static BIO_METHOD *method = NULL;

	if (method == NULL)
		method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "scylla_fdw");
	if (method != NULL)
	{
		BIO_meth_set_read(method, bio_read);
		BIO_meth_set_write(method, bio_write);
		BIO_meth_set_ctrl(method, bio_control);
	}
	return method;
}

/* ---- making ---- */

cql_tls *
cql_tls_new(cql_tls_context *context, const char *host, const char *node)
{
	cql_tls *tls = cql_alloc_zero(sizeof *tls);
	BIO *bio;

	if (tls == NULL)
		return NULL;
	ERR_clear_error();
	tls->context = context;
	tls->in = cql_alloc(INPUT_LEN);
	tls->ssl = cql_tls_context_make(context, host, &tls->verdict);
	bio = bio_method() != NULL ? BIO_new(bio_method()) : NULL;
	if (tls->in == NULL || tls->ssl == NULL || bio == NULL)
	{
		BIO_free(bio);
		cql_tls_free(tls);
		ERR_clear_error();
		return NULL;
	}
	BIO_set_data(bio, tls);
	BIO_set_init(bio, 1);
	SSL_set_bio(tls->ssl, bio, bio);
	cql_tls_key_set(tls->key, host, node);
	tls->verdict.key = tls->key;
	cql_tls_context_resume(context, tls->ssl, tls->key);
	ERR_clear_error();
	return tls;
}

void
cql_tls_free(cql_tls *tls)
{
	if (tls == NULL)
		return;
	if (tls->ssl != NULL)
	{
		/* As if we had said goodbye, or OpenSSL forbids to resume. */
		SSL_set_shutdown(tls->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
		SSL_free(tls->ssl);
	}
	cql_release(tls->in);
	cql_release(tls->out);
	cql_release(tls);
}

/* ---- bytes ---- */

uint8_t *
cql_tls_input(cql_tls *tls, size_t *len)
{
	/* What is left is less than a record, for all else was read. */
	memmove(tls->in, tls->in + tls->in_begin, tls->in_end - tls->in_begin);
	tls->in_end -= tls->in_begin;
	tls->in_begin = 0;
	*len = INPUT_LEN - tls->in_end;
	return tls->in + tls->in_end;
}

void
cql_tls_received(cql_tls *tls, size_t len)
{
	tls->in_end += len;
}

struct iovec
cql_tls_output(const cql_tls *tls)
{
	return (struct iovec) {.iov_base = tls->out + tls->out_begin,
						   .iov_len = tls->out_end - tls->out_begin};
}

void
cql_tls_sent(cql_tls *tls, size_t len)
{
	tls->out_begin += len;
}

uint64_t
cql_tls_made(const cql_tls *tls)
{
	return tls->made;
}

/* ---- steps ---- */

/* What a call of OpenSSL that returned no success means. */
static cql_tls_status
judge(cql_tls *tls, int returned, cql_error *error)
{
	cql_tls_status status;

	switch (SSL_get_error(tls->ssl, returned))
	{
		case SSL_ERROR_WANT_READ:
		case SSL_ERROR_WANT_WRITE: /* never: writing needs no more than memory */
			status = CQL_TLS_MORE;
			break;
		case SSL_ERROR_ZERO_RETURN:
			status = CQL_TLS_ENDED;
			break;
		default:
			cql_tls_context_forget(tls->context, tls->key);
			cql_tls_explain(&tls->verdict, error);
			status = CQL_TLS_FAILED;
	}
	ERR_clear_error();
	return status;
}

cql_tls_status
cql_tls_shake_hands(cql_tls *tls, cql_error *error)
{
	int returned;

	ERR_clear_error();
	returned = SSL_connect(tls->ssl);
	return returned == 1 ? CQL_TLS_DONE : judge(tls, returned, error);
}

cql_tls_status
cql_tls_read(cql_tls *tls, uint8_t *into, size_t room, size_t *len, cql_error *error)
{
	int returned;

	ERR_clear_error();
	returned = SSL_read_ex(tls->ssl, into, room, len);
	return returned == 1 ? CQL_TLS_DONE : judge(tls, returned, error);
}

cql_tls_status
cql_tls_write(cql_tls *tls, const uint8_t *plain, size_t len, cql_error *error)
{
	size_t written;
	int returned;

	ERR_clear_error();
	returned = SSL_write_ex(tls->ssl, plain, len, &written);
	if (returned == 1 && written == len)
		return CQL_TLS_DONE;
	(void) judge(tls, returned, error);
	/* Whatever it wants: half a record cannot be taken back. */
	if (error->kind == CQL_ERROR_NONE)
		cql_tls_explain(&tls->verdict, error);
	return CQL_TLS_FAILED;
}
