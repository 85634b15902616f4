/*
 * See stub_cluster.h; the protocol's text is v4, sections 3 and 4.2.5, and ScyllaDB's own for SUPPORTED.
 */
#include "stub_cluster.h"

#include <stdio.h>
#include <string.h>

#define HEADER_LEN 9
#define OPCODE_OPTIONS 0x05
#define OPCODE_SUPPORTED 0x06
#define OPCODE_QUERY 0x07
#define OPCODE_RESULT 0x08
#define RESULT_ROWS 2
#define GLOBAL_TABLES_SPEC 1
#define INET 0x10
#define SET 0x22
#define UUID 0x0C
#define VARCHAR 0x0D
#define TOKENS_OF_NODE 8
#define MEMBER_COLUMNS 5
#define PEER_COLUMNS 7

/* ---- writing: the largest answer fits by far ---- */

static uint8_t *
put_short(uint8_t *to, size_t value)
{
	to[0] = (uint8_t) (value >> 8);
	to[1] = (uint8_t) value;
	return to + 2;
}

static uint8_t *
put_int(uint8_t *to, size_t value)
{
	return put_short(put_short(to, value >> 16), value & 0xffff);
}

static uint8_t *
put_bytes(uint8_t *to, const void *bytes, size_t len)
{
	to = put_int(to, len);
	memcpy(to, bytes, len);
	return to + len;
}

static uint8_t *
put_string(uint8_t *to, const char *text)
{
	to = put_short(to, strlen(text));
	memcpy(to, text, strlen(text));
	return to + strlen(text);
}

static uint8_t *
put_pair(uint8_t *to, const char *key, const char *value)
{
	to = put_short(put_string(to, key), 1);
	return put_string(to, value);
}

static uint8_t *
put_number(uint8_t *to, const char *key, int value)
{
	char text[16];

	snprintf(text, sizeof text, "%d", value);
	return put_pair(to, key, text);
}

/* ---- answers ---- */

static uint8_t *
put_supported(const StubCluster *cluster, StubPlace place, uint8_t *to)
{
	to = put_short(to, 7);
	to = put_pair(to, "CQL_VERSION", "3.4.7");
	to = put_number(to, "SCYLLA_SHARD", place.shard);
	to = put_number(to, "SCYLLA_NR_SHARDS", cluster->shards);
	to = put_number(to, "SCYLLA_SHARDING_IGNORE_MSB", 12);
	to = put_number(to, "SCYLLA_SHARD_AWARE_PORT", cluster->shard_port);
	to = put_pair(to, "SCYLLA_SHARDING_ALGORITHM", "biased-token-round-robin");
	return put_pair(to, "SCYLLA_PARTITIONER", "org.apache.cassandra.dht.Murmur3Partitioner");
}

static uint8_t *
put_columns(uint8_t *to, int count)
{
	static const struct
	{
		const char *name;
		uint16_t type;
	} columns[PEER_COLUMNS] = {{"host_id", UUID},    {"data_center", VARCHAR},
							   {"rack", VARCHAR},    {"release_version", VARCHAR},
							   {"tokens", SET},      {"peer", INET},
							   {"rpc_address", INET}};

	to = put_int(put_int(put_int(to, RESULT_ROWS), GLOBAL_TABLES_SPEC), (size_t) count);
	to = put_string(put_string(to, "system"), count == MEMBER_COLUMNS ? "local" : "peers");
	for (int i = 0; i < count; i++)
	{
		to = put_short(put_string(to, columns[i].name), columns[i].type);
		if (columns[i].type == SET)
			to = put_short(to, VARCHAR);
	}
	return to;
}

/* Every node owns every so manyeth of evenly spread tokens. */
static uint8_t *
put_tokens(const StubCluster *cluster, int node, uint8_t *to)
{
	uint64_t step = UINT64_MAX / (uint64_t) (cluster->nodes * TOKENS_OF_NODE);
	uint8_t *begin = to;

	to = put_int(to + 4, TOKENS_OF_NODE);
	for (int i = 0; i < TOKENS_OF_NODE; i++)
	{
		char text[32];
		uint64_t number = (uint64_t) (i * cluster->nodes + node) + 1;

		snprintf(text, sizeof text, "%lld", (long long) (step * number - (UINT64_C(1) << 63)));
		to = put_bytes(to, text, strlen(text));
	}
	put_int(begin, (size_t) (to - begin) - 4);
	return to;
}

static uint8_t *
put_member(const StubCluster *cluster, int node, int columns, uint8_t *to)
{
	const uint8_t address[4] = {127, 0, 0, (uint8_t) (node + 1)};
	uint8_t host_id[16];

	memset(host_id, node + 1, sizeof host_id);
	to = put_bytes(to, host_id, sizeof host_id);
	to = put_bytes(to, "datacenter1", 11);
	to = put_bytes(to, "rack1", 5);
	to = put_bytes(to, "3.0.8", 5);
	to = put_tokens(cluster, node, to);
	for (int i = MEMBER_COLUMNS; i < columns; i++)
		to = put_bytes(to, address, sizeof address);
	return to;
}

static uint8_t *
put_peers(const StubCluster *cluster, int own, uint8_t *to)
{
	to = put_int(put_columns(to, PEER_COLUMNS), (size_t) cluster->nodes - 1);
	for (int node = 0; node < cluster->nodes; node++)
		if (node != own)
			to = put_member(cluster, node, PEER_COLUMNS, to);
	return to;
}

static bool
asks_for(const uint8_t *request, size_t len, const char *table)
{
	return request[4] == OPCODE_QUERY && memmem(request, len, table, strlen(table)) != NULL;
}

size_t
stub_cluster_answer(const StubCluster *cluster, StubPlace place, const uint8_t *request,
					size_t request_len, uint8_t *out)
{
	uint8_t *body = out + HEADER_LEN;
	uint8_t *end = body;

	if (cluster->nodes == 0)
		return 0;
	if (request[4] == OPCODE_OPTIONS)
		end = put_supported(cluster, place, body);
	else if (asks_for(request, request_len, "FROM system.local"))
		end = put_member(cluster, place.node, MEMBER_COLUMNS,
						 put_int(put_columns(body, MEMBER_COLUMNS), 1));
	else if (asks_for(request, request_len, "FROM system.peers"))
		end = put_peers(cluster, place.node, body);
	if (end == body)
		return 0;
	memset(out, 0, HEADER_LEN);
	out[0] = 0x84;
	out[4] = request[4] == OPCODE_OPTIONS ? OPCODE_SUPPORTED : OPCODE_RESULT;
	put_int(out + 5, (size_t) (end - body));
	return (size_t) (end - out);
}
