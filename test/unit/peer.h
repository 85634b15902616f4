/*
 * The other end of a connection, for unit tests: takes what is to be sent, feeds answers in pieces.
 * Its frames are written by hand, never by the driver's own encoder.
 */
#ifndef TEST_PEER_H
#define TEST_PEER_H

#include "support.h"

#include "cql/conn/conn.h"
#include "cql/mem.h"
#include "cql/wire/request.h"

/* SUPPORTED of a server that offers nothing. */
extern const uint8_t supported_body[24];

/* Take everything that the connection wants to send, as the peer would see it. */
extern size_t drain(cql_conn *conn, uint8_t *out, size_t size);
/* Feed bytes in pieces of at most `piece`. */
extern void feed_in_pieces(cql_conn *conn, const void *bytes, size_t len, size_t piece);
/* A response's frame into out; its length. */
extern size_t put_frame(uint8_t *out, int stream, uint8_t opcode, const void *body, size_t len);
extern void answer(cql_conn *conn, int stream, uint8_t opcode, const void *body, size_t len,
				   size_t piece);
extern int stream_of(const uint8_t *frame);

#endif /* TEST_PEER_H */
