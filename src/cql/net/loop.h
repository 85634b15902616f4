/*
 * Sockets and time for the driver: the only folder that knows libuv. It moves bytes between
 * sockets and connections (conn/), and makes deadlines wake whoever waits on the loop's
 * descriptor; it decides nothing.
 *
 * No function of libuv that uses its thread pool may be called here.
 */
#ifndef CQL_NET_LOOP_H
#define CQL_NET_LOOP_H

#include <sys/socket.h>

#include "cql/conn/conn.h"

typedef struct cql_net cql_net;
typedef struct cql_socket cql_socket;

/* NULL: *os_error is an errno. */
extern cql_net *cql_net_new(int *os_error);
/* Closes what is still open. */
extern void cql_net_free(cql_net *net);
extern int cql_net_fd(const cql_net *net);
/* 0: turn at once; -1: only the descriptor tells; else milliseconds. */
extern int cql_net_timeout_ms(const cql_net *net);
/* Send what is to be sent; else take in what has come. */
extern void cql_net_turn(cql_net *net);
/* Block until there is something to turn for. */
extern void cql_net_wait(cql_net *net);

/* Monotonic time, read anew. */
extern uint64_t cql_net_now_us(void);
extern uint64_t cql_net_now_ms(void);
/* Make the descriptor readable at that time (UINT64_MAX: never); may fire earlier, never later. */
extern void cql_net_wake_at(cql_net *net, uint64_t deadline_ms);

/* Ports to connect from: start, start + step, ... within [first, last], from the lower end on again
 * behind the upper one. A shard-aware port gives the shard that is source port mod shard count. */
typedef struct cql_source_ports
{
	uint16_t first;
	uint16_t last;
	uint16_t start;
	uint16_t step;
} cql_source_ports;

/*
 * Begin to connect; conn is started once TCP is there, and closed when it fails. The caller keeps
 * conn alive until cql_socket_close(). ports NULL: the system picks one. NULL: conn was closed
 * with the reason, which may be that some tries found no free port.
 */
extern cql_socket *cql_socket_open(cql_net *net, const struct sockaddr *address,
								   socklen_t address_len, const cql_source_ports *ports,
								   cql_conn *conn);
/* Closes the descriptor and lets go of conn. */
extern void cql_socket_close(cql_socket *socket);
/* Read what has come without a turn: shows a peer that went away in the meantime. */
extern void cql_socket_probe(cql_socket *socket);
/* From now on it is readable once so many bytes have come, or half as many, or it has ended. */
extern void cql_socket_gather(cql_socket *socket, size_t len);
/* conn has output: it is written at the next turn. */
extern void cql_socket_flush_later(cql_socket *socket);

#endif /* CQL_NET_LOOP_H */
