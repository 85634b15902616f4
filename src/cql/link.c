/*
 * Links: opening them to the right port from the right source port, and judging whether they
 * live.
 */
#include "cql/link.h"

#include <errno.h>
#include <string.h>

#include "cql/mem.h"
#include "cql/wire/request.h"

/* ScyllaDB takes the shard from the source port: its drivers pick from the ephemeral range. */
#define FIRST_SOURCE_PORT 49152
#define LAST_SOURCE_PORT 65535
/* After so long a silence a connection may be dead though nobody said so (firewalls forget). */
#define LONG_SILENCE_MS 30000
/* Answers that nobody waits for, above which a connection is not worth keeping; they hold stream
 * ids, and memory of the server. */
#define MAX_ORPHANS 1024
/* A header, and what kind of RESULT it is. */
#define SHORTEST_ANSWER_LEN (CQL_FRAME_HEADER_LEN + 4)

/* ---- opening ---- */

/* Source ports that belong to a shard, from a random one on, so that backends do not all try the
 * same. */
static cql_source_ports
list_source_ports(uint32_t shard_count, uint32_t shard, uint32_t random)
{
	uint32_t first = (FIRST_SOURCE_PORT + shard_count - 1) / shard_count * shard_count + shard;
	uint32_t slots = first <= LAST_SOURCE_PORT ? (LAST_SOURCE_PORT - first) / shard_count + 1 : 1;

	return (cql_source_ports) {
		.first = (uint16_t) first,
		.last = LAST_SOURCE_PORT,
		.start = (uint16_t) (first + random % slots * shard_count),
		.step = (uint16_t) shard_count,
	};
}

static uint16_t
shard_port_of(const cql_node *node, const cql_link_options *options)
{
	return options->tls != NULL ? node->shard_port_tls : node->shard_port;
}

static void
open_socket(cql_link *link, const cql_link_options *options, uint32_t random)
{
	cql_contact address = link->node->address;
	cql_source_ports ports;

	if (link->is_on_shard_port)
	{
		ports = list_source_ports(link->node->shard_count, (uint32_t) link->wanted_shard, random);
		cql_contact_set_port(&address, shard_port_of(link->node, options));
	}
	link->socket =
		cql_socket_open(options->net, (const struct sockaddr *) &address.address,
						address.address_len, link->is_on_shard_port ? &ports : NULL, &link->conn);
	/* Refused at once: the coming turn finds the connection closed. */
	if (link->socket == NULL)
		cql_net_wake_at(options->net, link->opened_ms);
}

cql_link *
cql_link_open(cql_node *node, int32_t wanted_shard, const cql_link_options *options,
			  uint32_t random)
{
	uint64_t now_ms = cql_clock_ms(options->clock);
	cql_conn_options conn_options = {
		.user = options->user,
		.password = options->password,
		.must_ask_password = options->must_ask_password,
		.application_name = options->application_name,
		.compression = options->compression,
		.tls = options->tls,
		.host = node->address.host,
		.handshake_deadline_ms = cql_attended_ms(options->clock) + options->connect_timeout_ms,
	};
	cql_link *link = cql_alloc_zero(sizeof *link);

	if (link == NULL || !cql_conn_init(&link->conn, node->name, &conn_options))
	{
		cql_release(link);
		return NULL;
	}
	link->node = node;
	link->wanted_shard = wanted_shard;
	link->opened_ms = link->used_ms = now_ms;
	link->is_on_shard_port = options->is_shard_aware && wanted_shard >= 0 &&
							 (uint32_t) wanted_shard < node->shard_count &&
							 shard_port_of(node, options) != 0 &&
							 now_ms >= node->no_shard_port_until_ms;
	open_socket(link, options, random);
	node->link_count++;
	node->is_connecting = true;
	return link;
}

void
cql_link_free(cql_link *link)
{
	if (!link->is_ready)
		link->node->is_connecting = false;
	link->node->link_count--;
	if (link->socket != NULL)
		cql_socket_close(link->socket);
	cql_exchange_cleanup(&link->heartbeat);
	cql_exchange_cleanup(&link->listening);
	cql_conn_cleanup(&link->conn);
	cql_release(link);
}

/* ---- judging ---- */

/* But for those that are the link's own. */
uint32_t
cql_link_in_flight(const cql_link *link)
{
	uint32_t own =
		(link->heartbeat.state != CQL_EXCHANGE_IDLE) + (link->listening.state != CQL_EXCHANGE_IDLE);
	uint32_t in_flight = cql_streams_in_flight(&link->conn.streams);

	return in_flight > own ? in_flight - own : 0;
}

cql_link_fitness
cql_link_judge(const cql_link *link)
{
	const cql_streams *streams = &link->conn.streams;

	if (!link->is_ready || link->conn.state != CQL_CONN_READY ||
		streams->orphan_count > MAX_ORPHANS ||
		cql_streams_in_flight(streams) + streams->orphan_count >= CQL_STREAMS_MAX)
		return CQL_LINK_UNFIT;
	if (link->is_retired || link->heartbeat.state != CQL_EXCHANGE_IDLE)
		return CQL_LINK_POOR;
	return CQL_LINK_FIT;
}

void
cql_link_check_idle(cql_link *link, const cql_link_limits *limits, uint64_t now_ms)
{
	if (cql_link_in_flight(link) > 0)
		return;
	link->is_retired |=
		(limits->idle_timeout_ms != 0 && now_ms - link->used_ms >= limits->idle_timeout_ms) ||
		(limits->max_lifetime_ms != 0 && now_ms - link->opened_ms >= limits->max_lifetime_ms);
	if (link->is_retired)
	{
		cql_conn_close(&link->conn, CQL_ERROR_LOST, "the connection was not needed any more");
		return;
	}
	/* Nobody read while the session was idle: a server that went away shows only now. */
	cql_socket_probe(link->socket);
}

/* A request of the link's own. Without memory for it there is none this time. */
static void
send_own(cql_link *link, cql_exchange *exchange, cql_writer *writer, uint64_t deadline_ms)
{
	cql_exchange_cleanup(exchange);
	exchange->frame = cql_writer_take(writer, &exchange->frame_len);
	if (exchange->frame != NULL && cql_conn_submit(&link->conn, exchange, deadline_ms))
		cql_socket_flush_later(link->socket);
}

static void
send_heartbeat(cql_link *link, const cql_link_options *options)
{
	cql_writer writer;

	if (link->heartbeat.state != CQL_EXCHANGE_IDLE || link->conn.state != CQL_CONN_READY)
		return;
	cql_writer_init(&writer);
	cql_write_options(&writer);
	send_own(link, &link->heartbeat, &writer,
			 cql_attended_ms(options->clock) + options->heartbeat_timeout_ms);
}

void
cql_link_listen(cql_link *link, const cql_link_options *options)
{
	static const char *const kinds[] = {"TOPOLOGY_CHANGE", "STATUS_CHANGE", "SCHEMA_CHANGE"};
	cql_writer writer;

	if (link->conn.takes_events || link->conn.state != CQL_CONN_READY)
		return;
	link->conn.takes_events = true;
	cql_writer_init(&writer);
	cql_write_register(&writer, kinds, 3);
	send_own(link, &link->listening, &writer,
			 cql_attended_ms(options->clock) + options->connect_timeout_ms);
}

void
cql_link_touch(cql_link *link, const cql_link_options *options)
{
	uint64_t now_ms = cql_clock_ms(options->clock);
	bool is_first = cql_link_in_flight(link) == 1;
	bool was_silent = now_ms - link->used_ms >= LONG_SILENCE_MS;

	link->used_ms = now_ms;
	if (!is_first)
		return;
	link->silent_ms = cql_attended_ms(options->clock);
	if (was_silent)
		send_heartbeat(link, options);
}

void
cql_link_gather(cql_link *link, uint32_t share)
{
	uint32_t answers = share != 0 ? cql_link_in_flight(link) / share : 0;

	if (link->socket != NULL)
		cql_socket_gather(link->socket, answers > 1 ? answers * SHORTEST_ANSWER_LEN : 1);
}

void
cql_link_watch(cql_link *link, const cql_link_options *options)
{
	uint64_t now_ms = cql_attended_ms(options->clock);

	/* What has come is taken before anything is called late: not every turn reads. */
	if (link->is_ready && link->conn.state == CQL_CONN_READY &&
		cql_conn_next_deadline(&link->conn) <= now_ms)
		cql_socket_probe(link->socket);
	cql_conn_expire(&link->conn, now_ms);
	link->is_retired |= link->conn.streams.orphan_count > MAX_ORPHANS;
	if (link->conn.bytes_received != link->heard_bytes)
	{
		link->heard_bytes = link->conn.bytes_received;
		link->silent_ms = now_ms;
	}
	else if (link->is_ready && now_ms - link->silent_ms >= options->heartbeat_timeout_ms &&
			 cql_link_in_flight(link) > 0)
		send_heartbeat(link, options);
}

uint64_t
cql_link_next_deadline(const cql_link *link, const cql_link_options *options)
{
	uint64_t deadline_ms = cql_conn_next_deadline(&link->conn);
	uint64_t heartbeat_ms = link->silent_ms + options->heartbeat_timeout_ms;

	if (link->is_ready && link->heartbeat.state == CQL_EXCHANGE_IDLE &&
		cql_link_in_flight(link) > 0 && heartbeat_ms < deadline_ms)
		return heartbeat_ms;
	return deadline_ms;
}
