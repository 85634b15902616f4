/*
 * What the driver says of keys, tokens, rings and tablets, for test_ring.py to compare with the
 * independent driver's answers: a command a line, an answer a line.
 *
 *     key HEX                     token of a serialized key
 *     shard TOKEN COUNT MSB       its shard
 *     place NODE DC RACK          (no answer) where a node stands
 *     token TOKEN NODE            (no answer) who owns a token
 *     ring                        number of tokens, of what was told since the last ring
 *     simple FACTOR               (no answer) replication from here on
 *     network FACTOR...           (no answer) likewise, a factor for each data center
 *     replicas TOKEN              nodes
 *     tablet FIRST LAST NODE...   (no answer)
 *     drop NODE                   (no answer) its tablets
 *     find TOKEN                  nodes of its tablet
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cql/ring/ring.h"
#include "cql/ring/shard.h"
#include "cql/ring/tablets.h"

#define MAX_NODES 1024
#define MAX_TOKENS (1 << 18)

static cql_place places[MAX_NODES];
static cql_ring_token tokens[MAX_TOKENS];
static size_t token_count;
static cql_ring ring;
static cql_replication replication;
static cql_tablets tablets;

static void
answer_key(const char *hex)
{
	uint8_t key[256];
	size_t len = strlen(hex) / 2;
	unsigned int byte;

	for (size_t i = 0; i < len && sscanf(hex + 2 * i, "%2x", &byte) == 1; i++)
		key[i] = (uint8_t) byte;
	printf("%" PRId64 "\n", cql_key_token(key, len));
}

static int64_t
next_number(void)
{
	const char *word = strtok(NULL, " \n");

	return word != NULL ? strtoll(word, NULL, 10) : -1;
}

static void
take_factors(void)
{
	int64_t factor;

	memset(&replication, 0, sizeof replication);
	replication.strategy = CQL_STRATEGY_NETWORK;
	for (int dc = 0; dc < CQL_MAX_DCS && (factor = next_number()) >= 0; dc++)
		replication.factors[dc] = (uint16_t) factor;
}

static void
answer_replicas(int64_t token)
{
	uint16_t nodes[CQL_MAX_REPLICAS];
	int count = cql_ring_replicas(&ring, &replication, token, CQL_NO_ID, nodes);

	for (int i = 0; i < count; i++)
		printf("%d ", nodes[i]);
	printf("\n");
}

static void
take_tablet(void)
{
	cql_tablet_replica replicas[CQL_MAX_REPLICAS] = {0};
	cql_token_range range = {.start = next_number()};
	int64_t node;
	int count = 0;

	range.end = next_number();
	while (count < CQL_MAX_REPLICAS && (node = next_number()) >= 0)
		replicas[count++].node = (uint16_t) node;
	if (!cql_tablets_put(&tablets, range, replicas, count))
		abort();
}

static void
answer_find(int64_t token)
{
	const cql_tablet_replica *replicas = NULL;
	int count = cql_tablets_find(&tablets, token, &replicas);

	for (int i = 0; i < count; i++)
		printf("%d ", replicas[i].node);
	printf("\n");
}

static void
take(const char *command)
{
	if (strcmp(command, "key") == 0)
	{
		const char *hex = strtok(NULL, " \n");

		answer_key(hex != NULL ? hex : "");
	}
	else if (strcmp(command, "shard") == 0)
	{
		int64_t token = next_number();
		uint32_t count = (uint32_t) next_number();

		printf("%u\n", cql_shard_of_token(token, count, (uint32_t) next_number()));
	}
	else if (strcmp(command, "place") == 0)
	{
		cql_place *place = &places[next_number() % MAX_NODES];

		place->dc = (uint16_t) next_number();
		place->rack = (uint16_t) next_number();
	}
	else if (strcmp(command, "token") == 0 && token_count < MAX_TOKENS)
	{
		tokens[token_count].token = next_number();
		tokens[token_count++].owner = (uint16_t) next_number();
	}
	else if (strcmp(command, "ring") == 0)
	{
		cql_ring_cleanup(&ring);
		if (!cql_ring_init(&ring, tokens, token_count, places, MAX_NODES))
			abort();
		printf("%zu\n", ring.count);
		token_count = 0;
	}
	else if (strcmp(command, "simple") == 0)
		replication =
			(cql_replication) {.strategy = CQL_STRATEGY_SIMPLE, .factor = (uint16_t) next_number()};
	else if (strcmp(command, "network") == 0)
		take_factors();
	else if (strcmp(command, "replicas") == 0)
		answer_replicas(next_number());
	else if (strcmp(command, "tablet") == 0)
		take_tablet();
	else if (strcmp(command, "drop") == 0)
		cql_tablets_drop_node(&tablets, (uint16_t) next_number());
	else if (strcmp(command, "find") == 0)
		answer_find(next_number());
}

int
main(void)
{
	char line[512];

	while (fgets(line, sizeof line, stdin) != NULL)
	{
		const char *command = strtok(line, " \n");

		if (command != NULL)
			take(command);
	}
	cql_ring_cleanup(&ring);
	cql_tablets_cleanup(&tablets);
	return 0;
}
