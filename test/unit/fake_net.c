/*
 * The peers of fake_net.h: they act at each turn, in the order in which their sockets were opened.
 */
#include "fake_net.h"

#include <arpa/inet.h>
#include <netinet/in.h>

struct cql_net
{
	int unused;
};

fake_world fake;

void
fake_reset(void)
{
	assert_null(fake.sockets);
	memset(&fake, 0, sizeof fake);
	fake.now_us = UINT64_C(1000000000);
	fake.wake_at_ms = UINT64_MAX;
}

int
fake_open_count(int node)
{
	int count = 0;

	for (const cql_socket *socket = fake.sockets; socket != NULL; socket = socket->next)
		count += node < 0 || socket->node == node;
	return count;
}

/* ---- what the peers say ---- */

static void
put_pair(cql_writer *writer, const char *key, unsigned value)
{
	char text[16];

	snprintf(text, sizeof text, "%u", value);
	cql_write_string(writer, key);
	cql_write_short(writer, 1);
	cql_write_string(writer, text);
}

static void
answer_options(cql_socket *socket, int stream)
{
	cql_writer writer;

	cql_writer_init(&writer);
	cql_write_short(&writer, fake.shards > 0 ? 6 : 0);
	if (fake.shards > 0)
	{
		put_pair(&writer, "SCYLLA_SHARD", socket->shard);
		put_pair(&writer, "SCYLLA_NR_SHARDS", fake.shards);
		put_pair(&writer, "SCYLLA_SHARDING_IGNORE_MSB", 12);
		put_pair(&writer, "SCYLLA_SHARD_AWARE_PORT", FAKE_SHARD_PORT);
		cql_write_string(&writer, "SCYLLA_SHARDING_ALGORITHM");
		cql_write_short(&writer, 1);
		cql_write_string(&writer, "biased-token-round-robin");
		cql_write_string(&writer, "SCYLLA_PARTITIONER");
		cql_write_short(&writer, 1);
		cql_write_string(&writer, "org.apache.cassandra.dht.Murmur3Partitioner");
	}
	assert_false(writer.failed);
	answer(socket->conn, stream, CQL_OPCODE_SUPPORTED, writer.data, writer.len, 4096);
	cql_writer_cleanup(&writer);
}

static void
answer_request(cql_socket *socket, int stream)
{
	static const uint8_t is_done[] = {0, 0, 0, CQL_RESULT_VOID};

	fake.answered[socket->node]++;
	answer(socket->conn, stream, CQL_OPCODE_RESULT, is_done, sizeof is_done, 4096);
}

static void
take_frame(cql_socket *socket, const uint8_t *frame)
{
	switch (frame[4])
	{
		case CQL_OPCODE_OPTIONS:
			answer_options(socket, stream_of(frame));
			break;
		case CQL_OPCODE_STARTUP:
		case CQL_OPCODE_REGISTER:
			answer(socket->conn, stream_of(frame), CQL_OPCODE_READY, NULL, 0, 4096);
			break;
		default:
			assert_in_range(socket->held_count, 0, LENGTH_OF(socket->held) - 1);
			socket->held[socket->held_count++] = (uint32_t) stream_of(frame);
	}
}

static void
answer_held(cql_socket *socket)
{
	for (int i = 0; i < socket->held_count; i++)
		answer_request(socket, (int) socket->held[i]);
	socket->held_count = 0;
}

void
fake_answer(void)
{
	for (cql_socket *socket = fake.sockets; socket != NULL; socket = socket->next)
		answer_held(socket);
}

void
fake_cut(int node)
{
	for (cql_socket *socket = fake.sockets; socket != NULL; socket = socket->next)
		if (socket->node == node)
			cql_conn_close(socket->conn, CQL_ERROR_LOST, "connection reset");
}

static void
act(cql_socket *socket)
{
	uint8_t out[1 << 14];
	size_t len;

	if (socket->conn->state == CQL_CONN_CLOSED || fake.is_mute[socket->node])
		return;
	if (!socket->is_connected)
	{
		if (fake.is_down[socket->node] ||
			(fake.is_shard_port_closed && socket->port == FAKE_SHARD_PORT))
		{
			cql_conn_close(socket->conn, CQL_ERROR_UNREACHABLE, "connection refused");
			return;
		}
		socket->is_connected = true;
		cql_conn_start(socket->conn);
	}
	while ((len = drain(socket->conn, out, sizeof out)) > 0)
		for (size_t at = 0; at < len; at += 9 + cql_get_u32(out + at + 5))
			take_frame(socket, out + at);
	if (!fake.is_holding)
		answer_held(socket);
}

/* ---- cql/net ---- */

cql_net *
cql_net_new(int *os_error)
{
	*os_error = 0;
	return cql_alloc_zero(sizeof(cql_net));
}

void
cql_net_free(cql_net *net)
{
	cql_release(net);
}

int
cql_net_fd(const cql_net *net)
{
	(void) net;
	return -1;
}

int
cql_net_timeout_ms(const cql_net *net)
{
	(void) net;
	return 0;
}

void
cql_net_turn(cql_net *net)
{
	(void) net;
	for (cql_socket *socket = fake.sockets; socket != NULL; socket = socket->next)
		act(socket);
}

void
cql_net_wait(cql_net *net)
{
	cql_net_turn(net);
}

uint64_t
cql_net_now_us(void)
{
	return fake.now_us;
}

uint64_t
cql_net_now_ms(void)
{
	return fake.now_us / 1000;
}

void
cql_net_wake_at(cql_net *net, uint64_t deadline_ms)
{
	(void) net;
	fake.wake_at_ms = deadline_ms;
}

cql_socket *
cql_socket_open(cql_net *net, const struct sockaddr *address, socklen_t address_len,
				const cql_source_ports *ports, cql_conn *conn)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *) address;
	cql_socket *socket = calloc(1, sizeof *socket);

	(void) net;
	assert_int_equal(address_len, sizeof *in);
	assert_in_range(fake.opened, 0, FAKE_MAX_OPENED - 1);
	socket->conn = conn;
	socket->node = (int) (ntohl(in->sin_addr.s_addr) & 0xff) - 1;
	socket->port = ntohs(in->sin_port);
	socket->has_source_ports = ports != NULL;
	if (ports != NULL)
		socket->source_ports = *ports;
	socket->opened_ms = cql_net_now_ms();
	if (fake.shards > 0)
		socket->shard = ports != NULL && !fake.is_nat ? ports->start % fake.shards
													  : fake.next_shard++ % fake.shards;
	socket->next = fake.sockets;
	fake.sockets = socket;
	fake.opened_ms[fake.opened++] = socket->opened_ms;
	fake.opened_at_node[socket->node]++;
	return socket;
}

void
cql_socket_close(cql_socket *socket)
{
	cql_socket **place = &fake.sockets;

	while (*place != socket)
		place = &(*place)->next;
	*place = socket->next;
	free(socket);
}

void
cql_socket_probe(cql_socket *socket)
{
	(void) socket;
}

void
cql_socket_gather(cql_socket *socket, size_t len)
{
	socket->low_water = len;
}

void
cql_socket_flush_later(cql_socket *socket)
{
	(void) socket;
}
