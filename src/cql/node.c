/*
 * Nodes: their addresses, their shards, and how long to leave them alone after failures.
 */
#include "cql/node.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "cql/mem.h"
#include "cql/net/address.h"

#define FIRST_BACK_OFF_MS 50
#define LAST_BACK_OFF_MS 10000

static void
use_address(cql_node *node, const cql_contact *address)
{
	node->address = *address;
	if (node->address.host[0] == '\0')
		cql_net_print_address(&address->address, node->address.host, sizeof node->address.host);
	cql_contact_print(address, node->name, sizeof node->name);
}

cql_node *
cql_node_new(uint16_t id, const cql_contact *address)
{
	cql_node *node = cql_alloc_zero(sizeof *node);

	if (node == NULL)
		return NULL;
	node->id = id;
	node->place = (cql_place) {CQL_NO_ID, CQL_NO_ID};
	node->given_address = *address;
	use_address(node, address);
	return node;
}

static void
free_shards(cql_node *node)
{
	for (uint32_t i = 0; node->shards != NULL && (i == 0 || i < node->shard_count); i++)
		cql_release(node->shards[i].latency);
	cql_release(node->shards);
	node->shards = NULL;
}

void
cql_node_free(cql_node *node)
{
	free_shards(node);
	cql_release(node);
}

static bool
is_at_given_address(const cql_node *node)
{
	return node->is_contact && cql_contact_equal(&node->address, &node->given_address);
}

void
cql_node_tell_address(cql_node *node, const cql_contact *told)
{
	node->told_address = *told;
	if (!is_at_given_address(node) && !cql_contact_equal(&node->address, told))
		use_address(node, told);
}

void
cql_node_turn_address(cql_node *node)
{
	if (node->told_address.address_len == 0)
		return;
	if (is_at_given_address(node))
	{
		/* What the certificate names goes with the address. */
		if (!cql_contact_equal(&node->given_address, &node->told_address))
			use_address(node, &node->told_address);
	}
	else if (node->is_contact)
		use_address(node, &node->given_address);
}

/* ---- addresses ---- */

bool
cql_contact_from_number(const char *host, uint16_t port, cql_contact *contact)
{
	memset(contact, 0, sizeof *contact);
	return cql_net_read_address(host, port, &contact->address, &contact->address_len);
}

void
cql_contact_print(const cql_contact *contact, char *buf, size_t size)
{
	bool is_v6 = contact->address.ss_family == AF_INET6;
	char host[INET6_ADDRSTRLEN];

	cql_net_print_address(&contact->address, host, sizeof host);
	snprintf(buf, size, is_v6 ? "[%s]:%u" : "%s:%u", host, cql_contact_port(contact));
}

bool
cql_contact_equal(const cql_contact *a, const cql_contact *b)
{
	if (a->address.ss_family != b->address.ss_family || cql_contact_port(a) != cql_contact_port(b))
		return false;
	if (a->address.ss_family == AF_INET6)
		return memcmp(&((const struct sockaddr_in6 *) &a->address)->sin6_addr,
					  &((const struct sockaddr_in6 *) &b->address)->sin6_addr,
					  sizeof(struct in6_addr)) == 0;
	return ((const struct sockaddr_in *) &a->address)->sin_addr.s_addr ==
		   ((const struct sockaddr_in *) &b->address)->sin_addr.s_addr;
}

uint16_t
cql_contact_port(const cql_contact *contact)
{
	/* Both families have it at the same place. */
	return ntohs(((const struct sockaddr_in *) &contact->address)->sin_port);
}

void
cql_contact_set_port(cql_contact *contact, uint16_t port)
{
	((struct sockaddr_in *) &contact->address)->sin_port = htons(port);
}

bool
cql_contact_from_cell(cql_cell cell, uint16_t port, cql_contact *out)
{
	static const uint8_t any[16] = {0};

	if ((cell.len != 4 && cell.len != 16) || memcmp(cell.data, any, (size_t) cell.len) == 0)
		return false;
	memset(out, 0, sizeof *out);
	if (cell.len == 4)
	{
		struct sockaddr_in *in = (struct sockaddr_in *) &out->address;

		in->sin_family = AF_INET;
		memcpy(&in->sin_addr, cell.data, 4);
		out->address_len = sizeof *in;
	}
	else
	{
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *) &out->address;

		in6->sin6_family = AF_INET6;
		memcpy(&in6->sin6_addr, cell.data, 16);
		out->address_len = sizeof *in6;
	}
	cql_contact_set_port(out, port);
	return true;
}

/* ---- shards, failures ---- */

bool
cql_node_set_shards(cql_node *node, uint32_t shard_count, uint32_t ignore_msb)
{
	cql_shard *shards;

	node->ignore_msb = ignore_msb;
	if (node->shards != NULL && node->shard_count == shard_count)
		return true;
	shards = cql_alloc_zero((shard_count > 0 ? shard_count : 1) * sizeof *shards);
	if (shards == NULL)
		return false;
	free_shards(node);
	node->shards = shards;
	node->shard_count = shard_count;
	return true;
}

void
cql_node_fail(cql_node *node, uint64_t now_ms, uint32_t random)
{
	uint64_t wait_ms = FIRST_BACK_OFF_MS;

	for (uint32_t i = 0; i < node->failures && wait_ms < LAST_BACK_OFF_MS; i++)
		wait_ms *= 2;
	if (wait_ms > LAST_BACK_OFF_MS)
		wait_ms = LAST_BACK_OFF_MS;
	node->failures++;
	/* 0.85 to 1.15 of it */
	node->retry_at_ms = now_ms + wait_ms * (850 + random % 301) / 1000;
}

void
cql_node_succeed(cql_node *node)
{
	node->failures = 0;
	node->retry_at_ms = 0;
}
