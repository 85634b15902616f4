/*
 * Addresses as text. By libuv rather than the C library, whose functions bring its resolver into
 * memory.
 */
#ifndef CQL_NET_ADDRESS_H
#define CQL_NET_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* The address that is written as a number, IPv6 perhaps with a scope; false: it is none. */
extern bool cql_net_read_address(const char *text, uint16_t port, struct sockaddr_storage *address,
								 socklen_t *address_len);
/* As it would be read, without scope and port; "?" if there is no room for it. */
extern void cql_net_print_address(const struct sockaddr_storage *address, char *buf, size_t size);

#endif /* CQL_NET_ADDRESS_H */
