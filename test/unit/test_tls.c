/*
 * TLS on a connection, against a server of OpenSSL's own in the same memory: handshakes and records
 * cut anywhere, every verdict on certificates, resumption, and memory that is missing.
 */
#include "peer.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

/* ---- certificates ---- */

typedef struct Identity
{
	EVP_PKEY *key;
	X509 *certificate;
	char *pem;
	char *key_pem;
} Identity;

static Identity authority, stranger, server_identity, expired, client_identity;

static char *
take_text(BIO *bio)
{
	char *data;
	long len = BIO_get_mem_data(bio, &data);
	char *text = strndup(data, (size_t) len);

	BIO_free(bio);
	return text;
}

static void
add_extension(X509 *certificate, int name, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, name, value);

	assert_non_null(extension);
	X509_add_ext(certificate, extension, -1);
	X509_EXTENSION_free(extension);
}

/* For a host, signed by the issuer or (NULL) by itself; valid from now - 1 day for some days. */
static Identity
make_identity(const char *name, const char *host, const Identity *issuer, int days)
{
	Identity made = {.key = EVP_EC_gen("P-256"), .certificate = X509_new()};
	X509_NAME *subject = X509_get_subject_name(made.certificate);
	BIO *pem = BIO_new(BIO_s_mem());
	BIO *key_pem = BIO_new(BIO_s_mem());

	X509_set_version(made.certificate, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(made.certificate), 1);
	X509_gmtime_adj(X509_getm_notBefore(made.certificate), -86400);
	X509_time_adj_ex(X509_getm_notAfter(made.certificate), days, -3600, NULL);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const uint8_t *) name, -1, -1, 0);
	X509_set_issuer_name(made.certificate,
						 issuer != NULL ? X509_get_subject_name(issuer->certificate) : subject);
	X509_set_pubkey(made.certificate, made.key);
	if (host != NULL)
		add_extension(made.certificate, NID_subject_alt_name, host);
	if (issuer == NULL)
		add_extension(made.certificate, NID_basic_constraints, "critical,CA:TRUE");
	assert_true(X509_sign(made.certificate, issuer != NULL ? issuer->key : made.key, EVP_sha256()) >
				0);
	PEM_write_bio_X509(pem, made.certificate);
	PEM_write_bio_PrivateKey(key_pem, made.key, NULL, NULL, 0, NULL, NULL);
	made.pem = take_text(pem);
	made.key_pem = take_text(key_pem);
	return made;
}

static void
free_identity(Identity *identity)
{
	EVP_PKEY_free(identity->key);
	X509_free(identity->certificate);
	free(identity->pem);
	free(identity->key_pem);
}

static int
make_identities(void **state)
{
	(void) state;
	authority = make_identity("authority", NULL, NULL, 10);
	stranger = make_identity("stranger", NULL, NULL, 10);
	server_identity = make_identity("server", "DNS:db.example,IP:127.0.0.1", &authority, 10);
	expired = make_identity("old", "DNS:db.example", &authority, 0);
	client_identity = make_identity("client", NULL, &authority, 10);
	return 0;
}

static int
free_identities(void **state)
{
	(void) state;
	free_identity(&authority);
	free_identity(&stranger);
	free_identity(&server_identity);
	free_identity(&expired);
	free_identity(&client_identity);
	return 0;
}

/* ---- the server ---- */

typedef struct Server
{
	SSL_CTX *context;
	SSL *ssl;
	BIO *in;  /* from the connection */
	BIO *out; /* to it */
} Server;

static void
accept_one(Server *server)
{
	SSL_free(server->ssl);
	server->ssl = SSL_new(server->context);
	server->in = BIO_new(BIO_s_mem());
	server->out = BIO_new(BIO_s_mem());
	SSL_set_bio(server->ssl, server->in, server->out);
	SSL_set_accept_state(server->ssl);
}

static Server
start_server(const Identity *identity, int version)
{
	Server server = {.context = SSL_CTX_new(TLS_server_method())};

	SSL_CTX_use_certificate(server.context, identity->certificate);
	SSL_CTX_use_PrivateKey(server.context, identity->key);
	SSL_CTX_set_session_id_context(server.context, (const uint8_t *) "t", 1);
	SSL_CTX_set_min_proto_version(server.context, version);
	SSL_CTX_set_max_proto_version(server.context, version);
	accept_one(&server);
	return server;
}

static void
stop_server(Server *server)
{
	SSL_free(server->ssl);
	SSL_CTX_free(server->context);
}

/* What the connection wants to send goes to the server. */
static void
send_up(cql_conn *conn, Server *server)
{
	struct iovec part;

	while (cql_conn_output(conn, &part, 1) > 0)
	{
		/* Never more than is asked for at once, and a record's own size. */
		assert_true(part.iov_len <= (size_t) 64 * 1024 + CQL_TLS_RECORD_LEN + 256);
		assert_int_equal(BIO_write(server->in, part.iov_base, (int) part.iov_len), part.iov_len);
		cql_conn_sent(conn, part.iov_len);
	}
}

/* What the server has written goes to the connection, in pieces. */
static void
send_down(cql_conn *conn, Server *server, size_t piece)
{
	char *data;
	long len = BIO_get_mem_data(server->out, &data);

	feed_in_pieces(conn, data, (size_t) len, piece);
	(void) BIO_reset(server->out);
}

/* Up to len plain bytes that the server has; how many. */
static size_t
read_plain(Server *server, uint8_t *out, size_t size)
{
	size_t total = 0;
	size_t got;

	while (total < size && SSL_read_ex(server->ssl, out + total, size - total, &got) == 1)
		total += got;
	ERR_clear_error();
	return total;
}

static void
answer_over_tls(cql_conn *conn, Server *server, int stream, uint8_t opcode, const void *body,
				size_t len, size_t piece)
{
	uint8_t *frame = malloc(9 + len);
	size_t frame_len = put_frame(frame, stream, opcode, body, len);
	size_t written;

	assert_int_equal(SSL_write_ex(server->ssl, frame, frame_len, &written), 1);
	free(frame);
	send_down(conn, server, piece);
}

static void
shake_hands(cql_conn *conn, Server *server, size_t piece)
{
	cql_conn_start(conn);
	for (int turn = 0; turn < 10 && conn->state == CQL_CONN_TLS; turn++)
	{
		send_up(conn, server);
		(void) SSL_do_handshake(server->ssl);
		ERR_clear_error();
		send_down(conn, server, piece);
	}
}

/* All the way to READY; false when it does not come to that. */
static bool
make_ready(cql_conn *conn, Server *server, size_t piece)
{
	uint8_t sent[512];

	shake_hands(conn, server, piece);
	if (conn->state != CQL_CONN_OPTIONS)
		return false;
	send_up(conn, server);
	assert_int_equal(read_plain(server, sent, sizeof sent), 9);
	answer_over_tls(conn, server, stream_of(sent), CQL_OPCODE_SUPPORTED, supported_body,
					sizeof supported_body, piece);
	send_up(conn, server);
	if (read_plain(server, sent, sizeof sent) == 0)
		return false;
	assert_int_equal(sent[4], CQL_OPCODE_STARTUP);
	answer_over_tls(conn, server, stream_of(sent), CQL_OPCODE_READY, NULL, 0, piece);
	return conn->state == CQL_CONN_READY;
}

static void
finish(cql_conn *conn)
{
	cql_conn_close(conn, CQL_ERROR_LOST, "over");
	while (cql_conn_take_done(conn) != NULL)
		continue;
	cql_conn_cleanup(conn);
	/* PostgreSQL's own TLS looks into the same queue. */
	assert_int_equal(ERR_peek_error(), 0);
}

static cql_tls_options full = {.mode = CQL_TLS_VERIFY_FULL};

static cql_tls_context *
new_context(const cql_tls_options *options)
{
	cql_tls_options used = *options;
	cql_error error;
	cql_tls_context *context;

	if (used.mode >= CQL_TLS_VERIFY_CA && used.roots == NULL)
		used.roots = authority.pem;
	context = cql_tls_context_new(&used, &error);
	assert_non_null(context);
	return context;
}

static bool
open_conn(cql_conn *conn, cql_tls_context *context, const char *host)
{
	const cql_conn_options options = {.tls = context, .host = host, .handshake_deadline_ms = 5000};

	return cql_conn_init(conn, "n", &options);
}

/* ---- tests ---- */

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static void
handshake_in_pieces(void **state)
{
	(void) state;
	for (size_t v = 0; v < LENGTH_OF(versions); v++)
	{
		for (size_t piece = 1; piece < 3000; piece = piece * 3 + 1)
		{
			Server server = start_server(&server_identity, versions[v]);
			cql_tls_context *context = new_context(&full);
			cql_conn conn;

			assert_true(open_conn(&conn, context, piece % 2 == 0 ? "db.example" : "127.0.0.1"));
			assert_true(make_ready(&conn, &server, piece));
			assert_int_equal(SSL_version(server.ssl), versions[v]);
			finish(&conn);
			cql_tls_context_free(context);
			stop_server(&server);
		}
	}
}

/* Three megabytes out and in: many records, each byte as it was. */
static void
large_frames_pass_in_both_directions(void **state)
{
	enum
	{
		LEN = 3 * 1024 * 1024
	};
	Server server = start_server(&server_identity, TLS1_3_VERSION);
	cql_tls_context *context = new_context(&full);
	cql_exchange exchange = {.frame = cql_alloc_zero(LEN), .frame_len = LEN};
	uint8_t *got = malloc(LEN);
	cql_conn conn;

	(void) state;
	assert_true(open_conn(&conn, context, "db.example"));
	assert_true(make_ready(&conn, &server, 1000));
	for (size_t i = 0; i < LEN; i++)
		exchange.frame[i] = (uint8_t) (i * 31 >> 3);
	exchange.frame[0] = 4;
	exchange.frame[4] = CQL_OPCODE_QUERY;
	assert_true(cql_conn_submit(&conn, &exchange, 1000));
	send_up(&conn, &server);
	assert_int_equal(exchange.state, CQL_EXCHANGE_SENT);
	assert_int_equal(read_plain(&server, got, LEN), LEN);
	assert_memory_equal(got, exchange.frame, LEN);
	answer_over_tls(&conn, &server, exchange.stream, CQL_OPCODE_RESULT, got, LEN, 10007);
	assert_ptr_equal(cql_conn_take_done(&conn), &exchange);
	assert_int_equal(exchange.header.body_len, LEN);
	assert_memory_equal(exchange.body, got, LEN);
	cql_exchange_cleanup(&exchange);
	finish(&conn);
	free(got);
	cql_tls_context_free(context);
	stop_server(&server);
}

/* Many small frames leave in few records. */
static void
small_frames_share_a_record(void **state)
{
	Server server = start_server(&server_identity, TLS1_3_VERSION);
	cql_tls_context *context = new_context(&full);
	cql_exchange exchanges[100] = {0};
	uint8_t got[100 * 50];
	uint64_t before;
	cql_conn conn;

	(void) state;
	assert_true(open_conn(&conn, context, "db.example"));
	assert_true(make_ready(&conn, &server, 1000));
	before = conn.bytes_sent;
	for (size_t i = 0; i < LENGTH_OF(exchanges); i++)
	{
		exchanges[i].frame = cql_alloc_zero(50);
		exchanges[i].frame_len = 50;
		exchanges[i].frame[4] = CQL_OPCODE_QUERY;
		assert_true(cql_conn_submit(&conn, &exchanges[i], 1000));
	}
	send_up(&conn, &server);
	assert_int_equal(read_plain(&server, got, sizeof got), sizeof got);
	/* a record adds 22 bytes in this version; each frame in one of its own would add 2,200 */
	assert_true(conn.bytes_sent - before < sizeof got + 300);
	for (size_t i = 0; i < LENGTH_OF(exchanges); i++)
		assert_int_equal(stream_of(got + i * 50), exchanges[i].stream);
	finish(&conn);
	for (size_t i = 0; i < LENGTH_OF(exchanges); i++)
		cql_exchange_cleanup(&exchanges[i]);
	cql_tls_context_free(context);
	stop_server(&server);
}

static void
verdicts_are_told_in_words(void **state)
{
	const struct
	{
		const Identity *server;
		cql_tls_mode mode;
		const char *host;
		cql_tls_fault fault;
		const char *words;
	} cases[] = {
		{&server_identity, CQL_TLS_VERIFY_FULL, "other.example", CQL_TLS_WRONG_HOST,
		 "the server's certificate (/CN=server) is for db.example, 127.0.0.1, not for "
		 "other.example"},
		{&server_identity, CQL_TLS_VERIFY_FULL, "127.0.0.2", CQL_TLS_WRONG_HOST,
		 "not for 127.0.0.2"},
		{&expired, CQL_TLS_VERIFY_CA, "db.example", CQL_TLS_EXPIRED, "(/CN=old) expired at 20"},
		{&stranger, CQL_TLS_VERIFY_CA, "db.example", CQL_TLS_UNKNOWN_AUTHORITY, "signed by itself"},
		{&server_identity, CQL_TLS_VERIFY_CA, "other.example", CQL_TLS_OTHER, NULL},
		{&stranger, CQL_TLS_ENCRYPT, "other.example", CQL_TLS_OTHER, NULL},
	};

	(void) state;
	for (size_t v = 0; v < LENGTH_OF(versions); v++)
	{
		for (size_t i = 0; i < LENGTH_OF(cases); i++)
		{
			Server server = start_server(cases[i].server, versions[v]);
			cql_tls_options options = {.mode = cases[i].mode};
			cql_tls_context *context = new_context(&options);
			cql_conn conn;

			assert_true(open_conn(&conn, context, cases[i].host));
			shake_hands(&conn, &server, 100);
			if (cases[i].words == NULL)
				assert_int_equal(conn.state, CQL_CONN_OPTIONS);
			else
			{
				assert_int_equal(conn.state, CQL_CONN_CLOSED);
				assert_int_equal(conn.error.kind, CQL_ERROR_TLS);
				assert_int_equal(conn.error.server_code, cases[i].fault);
				assert_non_null(strstr(conn.error.message, cases[i].words));
				assert_string_equal(conn.error.node, "n");
			}
			finish(&conn);
			cql_tls_context_free(context);
			stop_server(&server);
		}
	}
}

/* The server looks at the client's certificate after the client is done with TLS 1.3's handshake. */
static void
client_certificate_that_is_missing(void **state)
{
	(void) state;
	for (size_t v = 0; v < LENGTH_OF(versions); v++)
	{
		for (int has_certificate = 0; has_certificate < 2; has_certificate++)
		{
			Server server = start_server(&server_identity, versions[v]);
			cql_tls_options options = full;
			cql_tls_context *context;
			cql_conn conn;

			X509_STORE_add_cert(SSL_CTX_get_cert_store(server.context), authority.certificate);
			SSL_CTX_set_verify(server.context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
							   NULL);
			accept_one(&server);
			if (has_certificate)
			{
				options.certificate = client_identity.pem;
				options.key = client_identity.key_pem;
			}
			context = new_context(&options);
			assert_true(open_conn(&conn, context, "db.example"));
			shake_hands(&conn, &server, 100);
			if (has_certificate)
				assert_true(conn.state == CQL_CONN_OPTIONS);
			else
			{
				send_up(&conn, &server);
				(void) SSL_do_handshake(server.ssl);
				ERR_clear_error();
				send_down(&conn, &server, 100);
				assert_int_equal(conn.error.kind, CQL_ERROR_TLS);
				assert_int_equal(conn.error.server_code, CQL_TLS_CLIENT_CERTIFICATE);
				assert_non_null(strstr(conn.error.message, "certificate"));
			}
			finish(&conn);
			cql_tls_context_free(context);
			stop_server(&server);
		}
	}
}

static void
plain_text_and_noise_are_no_tls(void **state)
{
	static const char *const answers[] = {"\x84\0\0\0\0\0\0\0\0", "HTTP/1.1 400 Bad Request\r\n",
										  "\x15\3\1\0\2\2\x46"};
	static const size_t lens[] = {9, 26, 7};
	static const cql_tls_fault faults[] = {CQL_TLS_NOT_SPOKEN, CQL_TLS_NOT_SPOKEN, CQL_TLS_VERSION};

	(void) state;
	for (size_t i = 0; i < LENGTH_OF(answers); i++)
	{
		cql_tls_context *context = new_context(&full);
		cql_conn conn;

		assert_true(open_conn(&conn, context, "db.example"));
		cql_conn_start(&conn);
		feed_in_pieces(&conn, answers[i], lens[i], 3);
		assert_int_equal(conn.state, CQL_CONN_CLOSED);
		assert_int_equal(conn.error.kind, CQL_ERROR_TLS);
		assert_int_equal(conn.error.server_code, faults[i]);
		finish(&conn);
		cql_tls_context_free(context);
	}
}

static void
record_that_was_tampered_with_ends_the_connection(void **state)
{
	Server server = start_server(&server_identity, TLS1_3_VERSION);
	cql_tls_context *context = new_context(&full);
	uint8_t frame[100] = {0x84};
	size_t written;
	char *data;
	cql_conn conn;

	(void) state;
	assert_true(open_conn(&conn, context, "db.example"));
	assert_true(make_ready(&conn, &server, 1000));
	SSL_write_ex(server.ssl, frame, sizeof frame, &written);
	BIO_get_mem_data(server.out, &data);
	data[50] ^= 1;
	send_down(&conn, &server, 1000);
	assert_int_equal(conn.state, CQL_CONN_CLOSED);
	assert_int_equal(conn.error.kind, CQL_ERROR_LOST);
	assert_non_null(strstr(conn.error.message, "TLS failed"));
	finish(&conn);
	cql_tls_context_free(context);
	stop_server(&server);
}

/* Later connections shake hands in short; another host name does not, nor another context. */
static void
sessions_are_resumed(void **state)
{
	static const char *const hosts[] = {"db.example", "db.example", "db.example", "127.0.0.1"};
	static const bool is_reused[] = {false, true, true, false};

	(void) state;
	for (size_t v = 0; v < LENGTH_OF(versions); v++)
	{
		Server server = start_server(&server_identity, versions[v]);
		cql_tls_context *context = new_context(&full);

		for (size_t i = 0; i < LENGTH_OF(hosts); i++)
		{
			cql_conn conn;

			accept_one(&server);
			assert_true(open_conn(&conn, context, hosts[i]));
			assert_true(make_ready(&conn, &server, 1000));
			assert_int_equal(SSL_session_reused(server.ssl), is_reused[i]);
			finish(&conn);
		}
		cql_tls_context_free(context);
		stop_server(&server);
	}
}

/* What was encrypted but never taken counts as sent in part: waiting for its answer is in vain. */
static void
peer_that_takes_no_ciphertext_ends_the_connection(void **state)
{
	Server server = start_server(&server_identity, TLS1_3_VERSION);
	cql_tls_context *context = new_context(&full);
	cql_exchange exchange = {.frame = cql_alloc_zero(100), .frame_len = 100};
	struct iovec part;
	cql_conn conn;

	(void) state;
	exchange.frame[4] = CQL_OPCODE_QUERY;
	assert_true(open_conn(&conn, context, "db.example"));
	assert_true(make_ready(&conn, &server, 1000));
	assert_true(cql_conn_submit(&conn, &exchange, 1000));
	assert_int_equal(cql_conn_output(&conn, &part, 1), 1);
	cql_conn_sent(&conn, 10);
	assert_true(cql_conn_has_output(&conn));
	cql_conn_expire(&conn, 1000);
	assert_int_equal(conn.state, CQL_CONN_CLOSED);
	assert_ptr_equal(cql_conn_take_done(&conn), &exchange);
	assert_int_equal(exchange.state, CQL_EXCHANGE_TIMED_OUT);
	assert_true(exchange.is_begun);
	cql_exchange_cleanup(&exchange);
	finish(&conn);
	cql_tls_context_free(context);
	stop_server(&server);
}

/* ---- a slow peer ---- */

static size_t largest_block;

static void *
note_resize(void *block, size_t size)
{
	largest_block = size > largest_block ? size : largest_block;
	return realloc(block, size);
}

/* A peer that never takes all that is there costs a bounded buffer, however much passes. */
static void
slow_peer_costs_no_more_memory(void **state)
{
	enum
	{
		LEN = 8 * 1024 * 1024
	};
	static const cql_mem noting_mem = {malloc, note_resize, free};
	Server server = start_server(&server_identity, TLS1_3_VERSION);
	cql_tls_context *context = new_context(&full);
	cql_exchange exchange = {.frame = cql_alloc_zero(LEN), .frame_len = LEN};
	uint8_t *got = malloc(LEN);
	struct iovec part;
	cql_conn conn;

	(void) state;
	exchange.frame[4] = CQL_OPCODE_QUERY;
	for (size_t i = 9; i < LEN; i++)
		exchange.frame[i] = (uint8_t) (i * 31 >> 3);
	assert_true(open_conn(&conn, context, "db.example"));
	assert_true(make_ready(&conn, &server, 1000));
	assert_true(cql_conn_submit(&conn, &exchange, 1000));
	largest_block = 0;
	cql_mem_set(&noting_mem);
	while (cql_conn_output(&conn, &part, 1) > 0)
	{
		size_t taken = (part.iov_len + 1) / 2;

		assert_int_equal(BIO_write(server.in, part.iov_base, (int) taken), taken);
		cql_conn_sent(&conn, taken);
	}
	cql_mem_set(NULL);
	assert_in_range(largest_block, 1, 256 * 1024);
	assert_int_equal(read_plain(&server, got, LEN), LEN);
	assert_memory_equal(got, exchange.frame, LEN);
	finish(&conn);
	cql_exchange_cleanup(&exchange);
	free(got);
	cql_tls_context_free(context);
	stop_server(&server);
}

/* A server may want other keys at any time, and have ours changed too. */
static void
keys_are_changed_under_way(void **state)
{
	Server server = start_server(&server_identity, TLS1_3_VERSION);
	cql_tls_context *context = new_context(&full);
	cql_exchange exchange = {.frame = cql_alloc_zero(100), .frame_len = 100};
	uint8_t got[100];
	cql_conn conn;

	(void) state;
	exchange.frame[4] = CQL_OPCODE_QUERY;
	assert_true(open_conn(&conn, context, "db.example"));
	assert_true(make_ready(&conn, &server, 1000));
	for (int turn = 0; turn < 3; turn++)
	{
		assert_int_equal(SSL_key_update(server.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
		assert_int_equal(SSL_do_handshake(server.ssl), 1);
		send_down(&conn, &server, 7);
		assert_true(cql_conn_submit(&conn, &exchange, 1000));
		send_up(&conn, &server);
		assert_int_equal(read_plain(&server, got, sizeof got), sizeof got);
		assert_memory_equal(got, exchange.frame, sizeof got);
		answer_over_tls(&conn, &server, exchange.stream, CQL_OPCODE_RESULT, got, sizeof got, 7);
		assert_ptr_equal(cql_conn_take_done(&conn), &exchange);
		assert_int_equal(exchange.state, CQL_EXCHANGE_ANSWERED);
		cql_release(exchange.body);
		exchange.body = NULL;
	}
	finish(&conn);
	cql_exchange_cleanup(&exchange);
	cql_tls_context_free(context);
	stop_server(&server);
}

static void
options_that_cannot_be_used(void **state)
{
	const cql_tls_options cases[] = {
		{.mode = CQL_TLS_VERIFY_CA, .roots = "nothing"},
		{.mode = CQL_TLS_VERIFY_CA, .roots = client_identity.key_pem},
		{.mode = CQL_TLS_ENCRYPT, .certificate = client_identity.pem},
		{.mode = CQL_TLS_ENCRYPT, .key = client_identity.key_pem},
		{.mode = CQL_TLS_ENCRYPT, .certificate = "x", .key = client_identity.key_pem},
		{.mode = CQL_TLS_ENCRYPT, .certificate = client_identity.pem, .key = "x"},
		{.mode = CQL_TLS_ENCRYPT, .certificate = client_identity.pem, .key = authority.key_pem},
	};

	(void) state;
	for (size_t i = 0; i < LENGTH_OF(cases); i++)
	{
		cql_error error;

		assert_null(cql_tls_context_new(&cases[i], &error));
		assert_int_equal(error.kind, CQL_ERROR_TLS);
		assert_int_equal(error.server_code, CQL_TLS_BAD_OPTION);
		assert_non_null(strstr(error.message, "option ssl"));
		assert_int_equal(ERR_peek_error(), 0);
	}
}

/* One certificate behind another that is cut off: what it was to be trusted for, or to prove, would
 * be missed only at some handshake. */
static void
damaged_certificate_is_told(void **state)
{
	char *text = malloc(2 * strlen(authority.pem) + 1);
	const cql_tls_options cases[] = {
		{.mode = CQL_TLS_VERIFY_CA, .roots = text},
		{.mode = CQL_TLS_ENCRYPT, .certificate = text, .key = authority.key_pem},
	};
	const size_t damages[] = {40, strlen(authority.pem) - 30};

	(void) state;
	for (size_t i = 0; i < LENGTH_OF(cases); i++)
	{
		cql_error error;
		cql_tls_context *context;

		for (size_t j = 0; j < LENGTH_OF(damages); j++)
		{
			sprintf(text, "%s%.*s", authority.pem, (int) damages[j], authority.pem);
			assert_null(cql_tls_context_new(&cases[i], &error));
			assert_int_equal(error.server_code, CQL_TLS_BAD_OPTION);
			assert_non_null(strstr(error.message, "a certificate that cannot be read"));
			assert_int_equal(ERR_peek_error(), 0);
		}
		/* words behind the last one are no damage */
		sprintf(text, "%s\nthat was all\n", authority.pem);
		context = cql_tls_context_new(&cases[i], &error);
		assert_non_null(context);
		cql_tls_context_free(context);
	}
	free(text);
}

static bool
exchange_something(void *argument)
{
	cql_tls_options options = full;
	cql_error error;
	cql_tls_context *context;
	cql_conn conn = {.state = CQL_CONN_CLOSED};
	Server server = start_server(&server_identity, TLS1_3_VERSION);
	bool is_ready = false;

	(void) argument;
	options.roots = authority.pem;
	context = cql_tls_context_new(&options, &error);
	if (context == NULL)
		assert_int_equal(error.kind, CQL_ERROR_NO_MEMORY);
	else if (open_conn(&conn, context, "db.example"))
		is_ready = make_ready(&conn, &server, 1000);
	finish(&conn);
	cql_tls_context_free(context);
	stop_server(&server);
	return is_ready;
}

static void
each_failing_allocation_is_noticed(void **state)
{
	(void) state;
	fail_each_allocation(exchange_something, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handshake_in_pieces),
		cmocka_unit_test(large_frames_pass_in_both_directions),
		cmocka_unit_test(small_frames_share_a_record),
		cmocka_unit_test(verdicts_are_told_in_words),
		cmocka_unit_test(client_certificate_that_is_missing),
		cmocka_unit_test(plain_text_and_noise_are_no_tls),
		cmocka_unit_test(record_that_was_tampered_with_ends_the_connection),
		cmocka_unit_test(sessions_are_resumed),
		cmocka_unit_test(peer_that_takes_no_ciphertext_ends_the_connection),
		cmocka_unit_test(slow_peer_costs_no_more_memory),
		cmocka_unit_test(keys_are_changed_under_way),
		cmocka_unit_test(options_that_cannot_be_used),
		cmocka_unit_test(damaged_certificate_is_told),
		cmocka_unit_test(each_failing_allocation_is_noticed),
	};

	return cmocka_run_group_tests_name("tls", tests, make_identities, free_identities);
}
