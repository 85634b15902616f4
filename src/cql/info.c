/*
 * What a session tells of itself: its connections, its nodes, their shards, the ring. Nothing is asked of
 * the cluster for it.
 */
#include <stdio.h>
#include <string.h>

#include "cql/session.h"

bool
cql_session_connection(const cql_session *session, int index, cql_connection_info *out)
{
	const cql_link *link = session->pool.first;

	while (link != NULL && index-- > 0)
		link = link->next;
	if (link == NULL)
		return false;
	memset(out, 0, sizeof *out);
	snprintf(out->node, sizeof out->node, "%s", link->conn.node);
	out->shard = link->is_ready && link->node->shard_count > 0 ? (int32_t) link->shard : -1;
	out->is_ready = link->is_ready;
	out->has_tls = link->conn.tls != NULL;
	out->has_compression = link->conn.has_compression;
	out->in_flight = cql_link_in_flight(link);
	out->orphans = link->conn.streams.orphan_count;
	out->requests = link->conn.requests;
	out->bytes_sent = link->conn.bytes_sent;
	out->bytes_received = link->conn.bytes_received;
	out->age_ms = cql_net_now_ms() - link->opened_ms;
	return true;
}

static const char *
name_of_dc(const cql_topology *topology, const cql_node *node)
{
	return node->place.dc < topology->dc_count ? topology->dcs[node->place.dc] : NULL;
}

static const char *
name_of_rack(const cql_topology *topology, const cql_node *node)
{
	return node->place.rack < topology->rack_count ? topology->racks[node->place.rack].name : NULL;
}

static const char *
state_of(const cql_node *node)
{
	if (node->link_count > (node->is_connecting ? 1 : 0))
		return "connected";
	if (node->is_connecting)
		return "connecting";
	return node->failures > 0 ? "down" : "known";
}

static void
describe_node(const cql_session *session, const cql_node *node, cql_shard_info *out)
{
	memset(out, 0, sizeof *out);
	snprintf(out->node, sizeof out->node, "%s", node->name);
	out->dc = name_of_dc(&session->topology, node);
	out->rack = name_of_rack(&session->topology, node);
	out->release = node->release[0] != '\0' ? node->release : NULL;
	out->host_id = node->has_host_id ? node->host_id : NULL;
	out->state = state_of(node);
	out->shard_count = (int) node->shard_count;
	out->shard = -1;
	out->load = -1;
}

static uint32_t
count_shards(const cql_node *node)
{
	if (node->shards == NULL)
		return 0;
	return node->shard_count > 0 ? node->shard_count : 1;
}

/* What is under way on a node's links; shard -1: on all of them. */
static void
add_links(const cql_session *session, const cql_node *node, int shard, cql_shard_info *out)
{
	for (const cql_link *link = session->pool.first; link != NULL; link = link->next)
	{
		if (link->node != node || !link->is_ready ||
			(shard >= 0 && link->shard != (uint32_t) shard))
			continue;
		out->connections++;
		out->in_flight += cql_link_in_flight(link);
	}
}

bool
cql_session_node(const cql_session *session, int index, cql_shard_info *out)
{
	const cql_topology *topology = &session->topology;
	const cql_node *node = NULL;

	for (int i = 0; i < topology->node_count && node == NULL; i++)
	{
		/* Who was a member once, or was never reached, is nobody's business. */
		const cql_node *at = topology->nodes[i];

		if ((at->is_member || topology->member_count == 0 || at->link_count > 0) && index-- == 0)
			node = at;
	}
	if (node == NULL)
		return false;
	describe_node(session, node, out);
	add_links(session, node, -1, out);
	if (node->is_member)
		out->load = cql_ring_share(&topology->ring, node->id);
	for (uint32_t i = 0; i < count_shards(node); i++)
	{
		out->requests += node->shards[i].requests;
		out->errors += node->shards[i].errors;
	}
	return true;
}

bool
cql_session_shard(const cql_session *session, int index, cql_shard_info *out)
{
	const cql_topology *topology = &session->topology;

	for (int i = 0; i < topology->node_count; i++)
	{
		const cql_node *node = topology->nodes[i];

		for (uint32_t j = 0; j < count_shards(node); j++)
		{
			const cql_shard *shard = &node->shards[j];

			/* made with the first link to the shard */
			if (shard->latency == NULL || index-- > 0)
				continue;
			describe_node(session, node, out);
			out->shard = node->shard_count > 0 ? (int) j : -1;
			add_links(session, node, (int) j, out);
			out->requests = shard->requests;
			out->errors = shard->errors;
			out->p50_us = cql_latency_quantile(shard->latency, 0.5);
			out->p99_us = cql_latency_quantile(shard->latency, 0.99);
			out->max_us = cql_latency_quantile(shard->latency, 1);
			return true;
		}
	}
	return false;
}
