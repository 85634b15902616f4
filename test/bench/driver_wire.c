/*
 * driver_wire MEGABYTES: what compression and TLS cost on a connection, beside their bare libraries
 * on the same bytes: megabytes a second of CPU.
 *
 * Nothing is sent: pages of text that look like rows are compressed, or encrypted, beforehand. The
 * connection gets them as a read of the socket would hand them, one copy included, and hands a
 * page's block out; the bare library decompresses or decrypts into such a block. In the other
 * direction large requests are encrypted.
 */
#include <lz4.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "cql/conn/conn.h"
#include "cql/mem.h"
#include "cql/wire/request.h"

#define PAGE_LEN ((size_t) 1024 * 1024)
#define HEADER_LEN CQL_FRAME_HEADER_LEN
#define MB 1e6
#define MAX_PAGES 1000

static size_t total_len;

static void
require(bool holds, const char *what)
{
	if (!holds)
		bench_die("%s", what);
}

/* Ids, small numbers and words that come again: shrinks to about a third. */
static uint8_t *
make_page(void)
{
	static const char *const words[] = {"amber", "basalt", "cedar", "delta", "ember", "fjord"};
	uint8_t *page = malloc(PAGE_LEN + 64);
	uint32_t seed = 1;

	for (size_t at = 0; at < PAGE_LEN;)
	{
		seed = seed * 1103515245 + 12345;
		memcpy(page + at, "\0\0\0\x08\0\0\0\0", 8);
		memcpy(page + at + 8, &seed, sizeof seed);
		at += 12;
		at += (size_t) sprintf((char *) page + at, "%s %s", words[seed >> 8 & 3],
							   words[2 + (seed >> 16 & 3)]);
	}
	return page;
}

/* ---- a connection ---- */

static void
put_header(uint8_t *out, uint8_t flags, int stream, uint8_t opcode, size_t len)
{
	const uint8_t header[HEADER_LEN] = {0x84, flags, (uint8_t) (stream >> 8), (uint8_t) stream,
										opcode};

	memcpy(out, header, sizeof header);
	cql_put_u32(out + 5, (uint32_t) len);
}

static void
submit(cql_conn *conn, cql_exchange *exchange, size_t len)
{
	memset(exchange, 0, sizeof *exchange);
	exchange->frame = cql_alloc_zero(len);
	exchange->frame_len = len;
	exchange->frame[4] = CQL_OPCODE_QUERY;
	require(cql_conn_submit(conn, exchange, UINT64_MAX), "the connection takes no request");
}

static void
take(cql_conn *conn, cql_exchange *exchange)
{
	require(cql_conn_take_done(conn) == exchange && exchange->state == CQL_EXCHANGE_ANSWERED &&
				exchange->header.body_len == PAGE_LEN,
			"the page did not come");
	cql_exchange_cleanup(exchange);
}

/* ---- lz4 ---- */

static void
agree_on_lz4(cql_conn *conn)
{
	static const char supported[] = "\0\1\0\013COMPRESSION\0\1\0\3lz4";
	const cql_conn_options options = {.compression = CQL_COMPRESSION_LZ4,
									  .handshake_deadline_ms = UINT64_MAX};
	uint8_t frame[64];

	require(cql_conn_init(conn, "memory", &options), "out of memory");
	cql_conn_start(conn);
	bench_drop_output(conn);
	put_header(frame, 0, conn->handshake.stream, CQL_OPCODE_SUPPORTED, sizeof supported - 1);
	memcpy(frame + HEADER_LEN, supported, sizeof supported - 1);
	bench_feed(conn, frame, HEADER_LEN + sizeof supported - 1);
	bench_drop_output(conn);
	put_header(frame, 0, conn->handshake.stream, CQL_OPCODE_READY, 0);
	bench_feed(conn, frame, HEADER_LEN);
	require(conn->state == CQL_CONN_READY && conn->has_compression, "no lz4 was agreed upon");
}

static double
measure_lz4(const uint8_t *frame, size_t len)
{
	uint8_t *copy = malloc(len);
	cql_conn conn;
	double began;

	agree_on_lz4(&conn);
	memcpy(copy, frame, len);
	began = bench_cpu_s();
	for (size_t done = 0; done < total_len; done += PAGE_LEN)
	{
		cql_exchange exchange;

		submit(&conn, &exchange, 32);
		bench_drop_output(&conn);
		cql_frame_set_stream(copy, (int16_t) exchange.stream);
		bench_feed(&conn, copy, len);
		take(&conn, &exchange);
	}
	began = bench_cpu_s() - began;
	cql_conn_cleanup(&conn);
	free(copy);
	return (double) total_len / MB / began;
}

static double
measure_bare_lz4(const char *block, size_t len)
{
	double began = bench_cpu_s();

	for (size_t done = 0; done < total_len; done += PAGE_LEN)
	{
		char *packed = malloc(len);
		char *page = malloc(PAGE_LEN);

		memcpy(packed, block, len); /* what a read of the socket does */
		require(LZ4_decompress_safe(packed, page, (int) len, (int) PAGE_LEN) == (int) PAGE_LEN,
				"lz4 failed");
		/* Somebody reads a page; and no compiler leaves it out. */
		__asm__ volatile("" : : "r"(page) : "memory");
		free(page);
		free(packed);
	}
	return (double) total_len / MB / (bench_cpu_s() - began);
}

static void
bench_lz4(const uint8_t *page)
{
	const size_t head_len = HEADER_LEN + 4;
	uint8_t *frame = malloc(head_len + (size_t) LZ4_compressBound((int) PAGE_LEN));
	int len = LZ4_compress_default((const char *) page, (char *) frame + head_len, (int) PAGE_LEN,
								   LZ4_compressBound((int) PAGE_LEN));

	put_header(frame, CQL_FLAG_COMPRESSED, 0, CQL_OPCODE_RESULT, 4 + (size_t) len);
	cql_put_u32(frame + HEADER_LEN, (uint32_t) PAGE_LEN);
	bench_print("lz4_ratio", (double) PAGE_LEN / len);
	bench_print("bare_lz4", measure_bare_lz4((const char *) frame + head_len, (size_t) len));
	bench_print("lz4", measure_lz4(frame, head_len + (size_t) len));
	free(frame);
}

/* ---- TLS ---- */

static SSL_CTX *
make_server(void)
{
	SSL_CTX *server = SSL_CTX_new(TLS_server_method());
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();

	X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
	X509_set_pubkey(certificate, key);
	X509_sign(certificate, key, EVP_sha256());
	require(SSL_CTX_use_certificate(server, certificate) == 1 &&
				SSL_CTX_use_PrivateKey(server, key) == 1,
			"no certificate");
	SSL_CTX_set_num_tickets(server, 0);
	EVP_PKEY_free(key);
	X509_free(certificate);
	return server;
}

/* An end that reads and writes memory. */
static SSL *
make_end(SSL_CTX *context)
{
	SSL *end = SSL_new(context);

	SSL_set_bio(end, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	return end;
}

static size_t
written_of(SSL *end, uint8_t **data)
{
	return (size_t) BIO_get_mem_data(SSL_get_wbio(end), (char **) data);
}

/* Ciphertext of what the server sends: a page's frame for each exchange. */
static void
encrypt_pages(SSL *server, const uint8_t *page, const cql_exchange *exchanges)
{
	uint8_t header[HEADER_LEN];
	size_t written;

	for (size_t i = 0; i < total_len / PAGE_LEN; i++)
	{
		put_header(header, 0, exchanges[i].stream, CQL_OPCODE_RESULT, PAGE_LEN);
		require(SSL_write_ex(server, header, sizeof header, &written) == 1 &&
					SSL_write_ex(server, page, PAGE_LEN, &written) == 1,
				"the server does not write");
	}
}

static void
measure_bare_tls(SSL_CTX *context, const uint8_t *page)
{
	static const cql_exchange exchanges[MAX_PAGES];
	SSL_CTX *client_context = SSL_CTX_new(TLS_client_method());
	SSL *server = make_end(context);
	SSL *client = make_end(client_context);
	uint8_t *data;
	uint8_t *block = malloc(PAGE_LEN);
	size_t filled = 0;
	size_t len, got;
	double began;

	SSL_set_accept_state(server);
	SSL_set_connect_state(client);
	for (int turn = 0; turn < 4; turn++)
	{
		(void) SSL_do_handshake(client);
		len = written_of(client, &data);
		BIO_write(SSL_get_rbio(server), data, (int) len);
		(void) BIO_reset(SSL_get_wbio(client));
		(void) SSL_do_handshake(server);
		len = written_of(server, &data);
		BIO_write(SSL_get_rbio(client), data, (int) len);
		(void) BIO_reset(SSL_get_wbio(server));
	}
	require(SSL_is_init_finished(client) && SSL_is_init_finished(server), "no bare TLS");

	encrypt_pages(server, page, exchanges);
	len = written_of(server, &data);
	began = bench_cpu_s();
	/* A socket's read at a time, as a program would do it. */
	for (size_t at = 0; at < len;)
	{
		size_t part = len - at < 65536 ? len - at : 65536;

		BIO_write(SSL_get_rbio(client), data + at, (int) part);
		at += part;
		while (SSL_read_ex(client, block + filled, PAGE_LEN - filled, &got) == 1)
		{
			filled += got;
			if (filled < PAGE_LEN)
				continue;
			free(block);
			block = malloc(PAGE_LEN);
			filled = 0;
		}
	}
	free(block);
	bench_print("bare_tls_in", (double) total_len / MB / (bench_cpu_s() - began));

	began = bench_cpu_s();
	for (size_t done = 0; done < total_len; done += CQL_TLS_RECORD_LEN)
	{
		SSL_write_ex(client, page + done % PAGE_LEN, CQL_TLS_RECORD_LEN, &got);
		(void) BIO_reset(SSL_get_wbio(client));
	}
	bench_print("bare_tls_out", (double) total_len / MB / (bench_cpu_s() - began));
	SSL_free(client);
	SSL_free(server);
	SSL_CTX_free(client_context);
}

static void
send_up(cql_conn *conn, SSL *server)
{
	struct iovec part;

	while (cql_conn_output(conn, &part, 1) > 0)
	{
		BIO_write(SSL_get_rbio(server), part.iov_base, (int) part.iov_len);
		cql_conn_sent(conn, part.iov_len);
	}
}

static void
send_down(cql_conn *conn, SSL *server)
{
	uint8_t *data;
	size_t len = written_of(server, &data);

	bench_feed(conn, data, len);
	(void) BIO_reset(SSL_get_wbio(server));
}

static void
answer(cql_conn *conn, SSL *server, uint8_t opcode, const char *body, size_t len)
{
	uint8_t frame[64];
	size_t got;

	send_up(conn, server);
	while (SSL_read_ex(server, frame, sizeof frame, &got) == 1)
		continue;
	put_header(frame, 0, conn->handshake.stream, opcode, len);
	memcpy(frame + HEADER_LEN, body, len);
	SSL_write_ex(server, frame, HEADER_LEN + len, &got);
	send_down(conn, server);
}

static void
measure_tls(SSL_CTX *server_context, const uint8_t *page)
{
	const cql_tls_options tls_options = {.mode = CQL_TLS_ENCRYPT};
	cql_error error;
	cql_tls_context *context = cql_tls_context_new(&tls_options, &error);
	const cql_conn_options options = {
		.tls = context, .host = "memory", .handshake_deadline_ms = UINT64_MAX};
	SSL *server = make_end(server_context);
	static cql_exchange exchanges[MAX_PAGES];
	size_t pages = total_len / PAGE_LEN;
	size_t taken = 0;
	cql_exchange exchange;
	cql_conn conn;
	uint8_t *data, *copy;
	size_t len;
	double began;

	SSL_set_accept_state(server);
	require(context != NULL && cql_conn_init(&conn, "memory", &options), "out of memory");
	cql_conn_start(&conn);
	for (int turn = 0; turn < 4; turn++)
	{
		send_up(&conn, server);
		(void) SSL_do_handshake(server);
		send_down(&conn, server);
	}
	answer(&conn, server, CQL_OPCODE_SUPPORTED, "\0\0", 2);
	answer(&conn, server, CQL_OPCODE_READY, "", 0);
	require(conn.state == CQL_CONN_READY, "no TLS on the connection");

	for (size_t i = 0; i < pages; i++)
		submit(&conn, &exchanges[i], 32);
	encrypt_pages(server, page, exchanges);
	len = written_of(server, &data);
	copy = malloc(len);
	memcpy(copy, data, len);
	bench_drop_output(&conn);
	began = bench_cpu_s();
	for (size_t at = 0; at < len;)
	{
		size_t part = len - at < 65536 ? len - at : 65536;

		bench_feed(&conn, copy + at, part);
		at += part;
		while (taken < pages && exchanges[taken].state == CQL_EXCHANGE_ANSWERED)
			take(&conn, &exchanges[taken++]);
	}
	require(taken == pages, "not all pages came over TLS");
	bench_print("tls_in", (double) total_len / MB / (bench_cpu_s() - began));
	free(copy);

	began = bench_cpu_s();
	for (size_t done = 0; done < total_len; done += PAGE_LEN)
	{
		memset(&exchange, 0, sizeof exchange);
		exchange.frame = (uint8_t *) page;
		exchange.frame_len = PAGE_LEN;
		require(cql_conn_submit(&conn, &exchange, UINT64_MAX), "the connection takes no request");
		bench_drop_output(&conn);
		cql_conn_abandon(&conn, &exchange);
	}
	bench_print("tls_out", (double) total_len / MB / (bench_cpu_s() - began));
	cql_conn_cleanup(&conn);
	cql_tls_context_free(context);
	SSL_free(server);
}

int
main(int argc, char **argv)
{
	uint8_t *page;
	SSL_CTX *server;

	if (argc != 2)
		bench_die("usage: driver_wire MEGABYTES");
	require(bench_number(argv[1]) <= MAX_PAGES, "too many");
	total_len = (size_t) bench_number(argv[1]) * PAGE_LEN;
	page = make_page();
	server = make_server();
	/* once each before what counts: pages and caches */
	bench_lz4(page);
	measure_bare_tls(server, page);
	measure_tls(server, page);
	SSL_CTX_free(server);
	free(page);
	return 0;
}
