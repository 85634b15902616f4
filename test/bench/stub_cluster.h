/*
 * What the stub says of itself where it plays a ScyllaDB cluster: shards in SUPPORTED, nodes and tokens in
 * system.local and system.peers. Nothing here is the driver's.
 */
#ifndef STUB_CLUSTER_H
#define STUB_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct StubCluster
{
	int nodes;  /* 127.0.0.1 and what follows; 0: no cluster is played */
	int shards; /* of each node */
	int shard_port; /* gives the shard that the client's port names; the other port gives each in turn */
} StubCluster;

/* Where a client has come to. */
typedef struct StubPlace
{
	int node; /* from 0 on */
	int shard;
} StubPlace;

/*
 * Write the answer to a request, a whole frame but for the stream id, if it is one about the cluster;
 * returns its length, else 0. out has room for STUB_CLUSTER_ANSWER_LEN bytes.
 */
#define STUB_CLUSTER_ANSWER_LEN 16384
extern size_t stub_cluster_answer(const StubCluster *cluster, StubPlace place,
								  const uint8_t *request, size_t request_len, uint8_t *out);

#endif /* STUB_CLUSTER_H */
