/*
 * Addresses as text, by libuv.
 */
#include "cql/net/address.h"

#include <stdio.h>
#include <string.h>
#include <uv.h>

bool
cql_net_read_address(const char *text, uint16_t port, struct sockaddr_storage *address,
					 socklen_t *address_len)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (uv_ip4_addr(text, port, &in) == 0)
	{
		*address_len = sizeof in;
		memcpy(address, &in, sizeof in);
		return true;
	}
	if (uv_ip6_addr(text, port, &in6) != 0)
		return false;
	*address_len = sizeof in6;
	memcpy(address, &in6, sizeof in6);
	return true;
}

void
cql_net_print_address(const struct sockaddr_storage *address, char *buf, size_t size)
{
	int failure = address->ss_family == AF_INET6
					  ? uv_ip6_name((const struct sockaddr_in6 *) address, buf, size)
					  : uv_ip4_name((const struct sockaddr_in *) address, buf, size);

	if (failure != 0)
		snprintf(buf, size, "?");
}
