/*
 * What the files of this folder share of a connection's insides: the lists that an exchange stands
 * in, the two ends of the stream of frames (input.c, output.c), and the handshake.
 */
#ifndef CQL_CONN_EXCHANGE_H
#define CQL_CONN_EXCHANGE_H

#include "cql/conn/conn.h"

/* ---- lists (exchange.c) ---- */

extern void cql_exchange_unlink(cql_exchange_list *list, cql_exchange *exchange);
extern void cql_conn_append_queue(cql_conn *conn, cql_exchange *exchange);
extern void cql_conn_append_done(cql_conn *conn, cql_exchange *exchange, cql_exchange_state state);
extern void cql_conn_insert_deadline(cql_conn *conn, cql_exchange *exchange);
extern void cql_conn_unlink_deadline(cql_conn *conn, cql_exchange *exchange);

/* ---- the frames (input.c, output.c), as cql_conn_input() and its kin below any TLS ---- */

extern uint8_t *cql_plain_input(cql_conn *conn, size_t *len);
extern void cql_plain_received(cql_conn *conn, size_t len);
extern int cql_plain_output(cql_conn *conn, struct iovec *parts, int max);
extern void cql_plain_sent(cql_conn *conn, size_t len);
extern bool cql_plain_has_output(const cql_conn *conn);

/* ---- output.c ---- */

/*
 * Take an exchange off the connection before its answer came. Its stream id is free again only
 * if the peer cannot have seen the request. May close the connection for want of memory.
 */
extern void cql_conn_detach(cql_conn *conn, cql_exchange *exchange);
/* Its answer came: no more of it is to be sent by it. May close the connection likewise. */
extern void cql_conn_stop_sending(cql_conn *conn, cql_exchange *exchange);
/* It is on no connection any more. */
extern void cql_exchange_leave(cql_exchange *exchange);

/* ---- handshake.c ---- */

/* Queue the first request; take an answer to one. */
extern void cql_handshake_start(cql_conn *conn);
extern void cql_handshake_answer(cql_conn *conn);
extern void cql_handshake_cleanup(cql_conn *conn);

#endif /* CQL_CONN_EXCHANGE_H */
