/*
 * stub RECORDING PAGES [NODES SHARDS]: a node that replays recorded answers, as fast as the socket
 * takes them, to find a client's own limit; or so many nodes of so many shards, from 127.0.0.1 on.
 * One thread, one epoll. Prints the port that it listens on and serves until its standard input
 * ends.
 *
 * A recording (made by test/bench/record) is requests and answers in turn, each a whole frame. A
 * request gets the answer that was recorded for the same bytes; an EXECUTE that was not recorded
 * one of those to its statement, in turn; a STARTUP whatever one got. A paged result goes on for
 * PAGES pages, whatever its length was in truth.
 *
 * Nothing here is the driver's: this codec is its own, of the protocol's text (v4, sections 2-4).
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stub_cluster.h"

#define HEADER_LEN 9
#define OPCODE_STARTUP 0x01
#define OPCODE_RESULT 0x08
#define OPCODE_EXECUTE 0x0A
#define RESULT_ROWS 2
#define ROWS_HAS_MORE_PAGES 0x02
#define QUERY_PAGING_STATE 0x08

#define INPUT_LEN ((size_t) 256 * 1024)
/* No further request is looked at while this much waits for the socket. */
#define OUTPUT_LEN ((size_t) 1024 * 1024)
/* A longer answer is sent from where it stands in the recording, as no copy of it should be paid for. */
#define COPIED_LEN ((size_t) 4096)
#define BUCKETS 65536

typedef struct Frame
{
	const uint8_t *bytes;
	size_t len; /* with the header */
} Frame;

/* What was recorded: a request with its answer. */
typedef struct Entry
{
	Frame request;
	Frame answer;
	Frame last; /* the answer as the last page; NULL bytes if it is none of several */
	struct Entry *next_in_bucket;
	struct Entry *next_of_statement; /* a ring of those with the same statement id */
} Entry;

typedef struct Client
{
	int fd;
	bool is_listener;
	bool is_shard_aware;
	StubPlace place;
	uint8_t *input;
	size_t input_len;
	uint8_t *output;
	size_t output_size;
	size_t output_begin;
	size_t output_end;
	Frame rest;    /* of a long answer, behind the output */
	long pages;    /* of the result that is being read */
	Entry *latest; /* of the statement last guessed */
} Client;

static Entry *buckets[BUCKETS];
static Entry *startup;
static long page_limit;
static StubCluster cluster;

static void
die(const char *what)
{
	fprintf(stderr, "stub: %s\n", what);
	exit(1);
}

static void *
allocate(size_t len)
{
	void *block = calloc(1, len);

	if (block == NULL)
		die("out of memory");
	return block;
}

static uint32_t
get_int(const uint8_t *p)
{
	return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16 | (uint32_t) p[2] << 8 | p[3];
}

static size_t
get_short(const uint8_t *p)
{
	return (size_t) p[0] << 8 | p[1];
}

/* ---- what was recorded ---- */

static Entry **
find_bucket(Frame request)
{
	uint64_t hash = request.bytes[4];
	size_t at = HEADER_LEN;
	uint64_t word = 0;

	for (; at + 8 <= request.len; at += 8)
	{
		memcpy(&word, request.bytes + at, 8);
		hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
		hash ^= hash >> 32;
	}
	word = 0;
	memcpy(&word, request.bytes + at, request.len - at);
	hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
	return &buckets[(hash >> 40) % BUCKETS];
}

static bool
is_same(Frame a, Frame b)
{
	return a.len == b.len && a.bytes[4] == b.bytes[4] &&
		   memcmp(a.bytes + HEADER_LEN, b.bytes + HEADER_LEN, a.len - HEADER_LEN) == 0;
}

static bool
is_same_statement(Frame a, Frame b)
{
	size_t len = 2 + get_short(a.bytes + HEADER_LEN);

	return a.len >= HEADER_LEN + len && b.len >= HEADER_LEN + len &&
		   memcmp(a.bytes + HEADER_LEN, b.bytes + HEADER_LEN, len) == 0;
}

static bool
is_execute(Frame request)
{
	return request.bytes[4] == OPCODE_EXECUTE && request.len >= HEADER_LEN + 2;
}

/* A page with more behind it, made the last: the flag and the paging state are taken out. */
static Frame
make_last(Frame answer)
{
	const uint8_t *body = answer.bytes + HEADER_LEN;
	size_t head_len = 12, state_len;
	uint8_t *copy;

	/* Warnings or a tracing id in front would shift everything; benchmarks ask for none. */
	if (answer.bytes[4] != OPCODE_RESULT || answer.bytes[1] != 0 ||
		answer.len < HEADER_LEN + head_len + 4 || get_int(body) != RESULT_ROWS ||
		(get_int(body + 4) & ROWS_HAS_MORE_PAGES) == 0)
		return (Frame) {NULL, 0};
	state_len = 4 + get_int(body + head_len);
	copy = allocate(answer.len - state_len);
	memcpy(copy, answer.bytes, HEADER_LEN + head_len);
	memcpy(copy + HEADER_LEN + head_len, body + head_len + state_len,
		   answer.len - HEADER_LEN - head_len - state_len);
	copy[HEADER_LEN + 7] &= (uint8_t) ~ROWS_HAS_MORE_PAGES;
	answer.len -= state_len;
	for (int i = 0; i < 4; i++)
		copy[5 + i] = (uint8_t) ((answer.len - HEADER_LEN) >> (24 - 8 * i));
	return (Frame) {copy, answer.len};
}

/* The recording's next frame; none is left: NULL bytes. */
static Frame
take_frame(Frame *recording)
{
	Frame taken = {NULL, 0};

	if (recording->len == 0)
		return taken;
	if (recording->len >= HEADER_LEN)
		taken.len = HEADER_LEN + get_int(recording->bytes + 5);
	if (taken.len == 0 || taken.len > recording->len)
		die("the recording is cut short");
	taken.bytes = recording->bytes;
	recording->bytes += taken.len;
	recording->len -= taken.len;
	return taken;
}

static void
add_entry(Frame request, Frame answer)
{
	Entry *added = allocate(sizeof *added);
	Entry **bucket = find_bucket(request);

	added->request = request;
	added->answer = answer;
	added->last = make_last(answer);
	added->next_in_bucket = *bucket;
	added->next_of_statement = added;
	if (request.bytes[4] == OPCODE_STARTUP)
		startup = added;
	for (int i = 0; is_execute(request) && i < BUCKETS; i++)
	{
		for (Entry *other = buckets[i]; other != NULL; other = other->next_in_bucket)
		{
			if (!is_execute(other->request) || !is_same_statement(other->request, request))
				continue;
			added->next_of_statement = other->next_of_statement;
			other->next_of_statement = added;
			i = BUCKETS;
			break;
		}
	}
	*bucket = added;
}

static void
load(const char *path)
{
	FILE *file = fopen(path, "rb");
	Frame recording, request;
	uint8_t *bytes;
	long len = -1;

	if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (len = ftell(file)) < 0)
		die("cannot read the recording");
	rewind(file);
	bytes = allocate((size_t) len + 1);
	if (fread(bytes, 1, (size_t) len, file) != (size_t) len)
		die("cannot read the recording");
	fclose(file);
	recording = (Frame) {bytes, (size_t) len};
	while ((request = take_frame(&recording)).bytes != NULL)
	{
		Frame answer = take_frame(&recording);

		if (answer.bytes == NULL)
			die("the recording's last request has no answer");
		add_entry(request, answer);
	}
}

static Entry *
find_same(Frame request)
{
	for (Entry *at = *find_bucket(request); at != NULL; at = at->next_in_bucket)
	{
		if (is_same(at->request, request))
			return at;
	}
	return NULL;
}

/* An EXECUTE that was not recorded: the next answer of its statement. */
static Entry *
find_statement(Client *client, Frame request)
{
	Entry *at = client->latest;

	for (int i = 0; i < BUCKETS && (at == NULL || !is_same_statement(at->request, request)); i++)
	{
		at = buckets[i];
		while (at != NULL && !(is_execute(at->request) && is_same_statement(at->request, request)))
			at = at->next_in_bucket;
	}
	if (at == NULL || !is_same_statement(at->request, request))
		return NULL;
	client->latest = at->next_of_statement;
	return client->latest;
}

/* Does an EXECUTE carry a paging state? */
static bool
has_paging_state(Frame request)
{
	size_t flags = HEADER_LEN + 2 + get_short(request.bytes + HEADER_LEN) + 2;

	return request.len > flags && (request.bytes[flags] & QUERY_PAGING_STATE) != 0;
}

/* ---- clients ---- */

static void
put_output(Client *client, Frame answer, const uint8_t *request)
{
	size_t copied = answer.len > COPIED_LEN ? HEADER_LEN : answer.len;
	uint8_t *to;

	if (client->output_size - client->output_end < copied)
	{
		client->output_size = client->output_end + copied + OUTPUT_LEN;
		client->output = realloc(client->output, client->output_size);
		if (client->output == NULL)
			die("out of memory");
	}
	to = client->output + client->output_end;
	memcpy(to, answer.bytes, copied);
	to[2] = request[2];
	to[3] = request[3];
	client->output_end += copied;
	client->rest = (Frame) {answer.bytes + copied, answer.len - copied};
}

static void
refuse(Client *client, Frame request)
{
	/* ERROR 0x2200, invalid */
	static const uint8_t refusal[] = "\x84\x00\x00\x00\x00\x00\x00\x00\x1f\x00\x00\x22\x00\x00\x19"
									 "no answer to it was taken";

	fprintf(stderr, "stub: a request of opcode 0x%02x was not recorded: %.*s\n", request.bytes[4],
			(int) (request.len - HEADER_LEN < 200 ? request.len - HEADER_LEN : 200),
			request.bytes + HEADER_LEN);
	put_output(client, (Frame) {refusal, sizeof refusal - 1}, request.bytes);
}

static void
answer_request(Client *client, Frame request)
{
	uint8_t own[STUB_CLUSTER_ANSWER_LEN];
	size_t own_len = is_execute(request) ? 0
										 : stub_cluster_answer(&cluster, client->place,
															   request.bytes, request.len, own);
	Entry *found;

	if (own_len > 0)
	{
		put_output(client, (Frame) {own, own_len}, request.bytes);
		return;
	}
	found = find_same(request);
	if (found == NULL && is_execute(request))
		found = find_statement(client, request);
	if (found == NULL && request.bytes[4] == OPCODE_STARTUP)
		found = startup;
	if (found == NULL)
	{
		refuse(client, request);
		return;
	}
	if (found->last.bytes == NULL)
	{
		put_output(client, found->answer, request.bytes);
		return;
	}
	client->pages = has_paging_state(request) ? client->pages + 1 : 1;
	put_output(client, client->pages < page_limit ? found->answer : found->last, request.bytes);
}

static void
answer_all(Client *client)
{
	size_t at = 0;

	while (client->input_len - at >= HEADER_LEN && client->rest.len == 0 &&
		   client->output_end - client->output_begin < OUTPUT_LEN)
	{
		Frame request = {client->input + at, HEADER_LEN + get_int(client->input + at + 5)};

		if (request.len > INPUT_LEN)
			die("a request is larger than the stub takes");
		if (client->input_len - at < request.len)
			break;
		answer_request(client, request);
		at += request.len;
	}
	client->input_len -= at;
	memmove(client->input, client->input + at, client->input_len);
}

static bool
has_output(const Client *client)
{
	return client->output_end + client->rest.len > 0;
}

/* False: the client is gone. */
static bool
write_output(Client *client)
{
	while (has_output(client))
	{
		size_t copied = client->output_end - client->output_begin;
		struct iovec parts[] = {{client->output + client->output_begin, copied},
								{(uint8_t *) client->rest.bytes, client->rest.len}};
		struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
		ssize_t sent = sendmsg(client->fd, &message, MSG_NOSIGNAL);

		if (sent < 0)
			return errno == EAGAIN;
		copied = (size_t) sent < copied ? (size_t) sent : copied;
		client->output_begin += copied;
		client->rest.bytes += (size_t) sent - copied;
		client->rest.len -= (size_t) sent - copied;
		if (client->output_begin == client->output_end)
			client->output_begin = client->output_end = 0;
	}
	return true;
}

static bool
serve(Client *client, uint32_t events)
{
	if ((events & EPOLLIN) != 0 && client->input_len < INPUT_LEN)
	{
		ssize_t got =
			recv(client->fd, client->input + client->input_len, INPUT_LEN - client->input_len, 0);

		if (got == 0 || (got < 0 && errno != EAGAIN))
			return false;
		client->input_len += got > 0 ? (size_t) got : 0;
	}
	/* Requests that were left for lack of room are looked at once there is some again. */
	do
	{
		answer_all(client);
		if (!write_output(client))
			return false;
	} while (!has_output(client) && client->input_len >= HEADER_LEN &&
			 client->input_len >= HEADER_LEN + get_int(client->input + 5));
	return true;
}

static void
watch(int epoll, int operation, Client *client)
{
	struct epoll_event event = {.data.ptr = client};

	event.events = has_output(client) ? EPOLLOUT : EPOLLIN;
	if (epoll_ctl(epoll, operation, client->fd, &event) != 0)
		die("epoll_ctl failed");
}

static void
accept_client(int epoll, const Client *listener)
{
	static int accepted = 0;
	Client *client = allocate(sizeof *client);
	struct sockaddr_in peer = {0};
	socklen_t len = sizeof peer;
	int one = 1;

	client->fd = accept4(listener->fd, (struct sockaddr *) &peer, &len, SOCK_NONBLOCK);
	if (client->fd < 0)
	{
		free(client);
		return;
	}
	(void) setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	client->place = listener->place;
	if (cluster.shards > 0)
		client->place.shard =
			(listener->is_shard_aware ? ntohs(peer.sin_port) : accepted++) % cluster.shards;
	client->input = allocate(INPUT_LEN);
	watch(epoll, EPOLL_CTL_ADD, client);
}

/* Port 0: any. Returns the port. */
static int
add_listener(int epoll, int node, int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t) port)};
	socklen_t len = sizeof address;
	Client *listener = allocate(sizeof *listener);
	int one = 1;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t) node);
	listener->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (listener->fd < 0 ||
		setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
		bind(listener->fd, (struct sockaddr *) &address, len) != 0 ||
		listen(listener->fd, 16) != 0 ||
		getsockname(listener->fd, (struct sockaddr *) &address, &len) != 0)
		die("cannot listen");
	listener->is_listener = true;
	listener->place.node = node;
	listener->is_shard_aware = cluster.shard_port != 0 && port == cluster.shard_port;
	watch(epoll, EPOLL_CTL_ADD, listener);
	return ntohs(address.sin_port);
}

/* All nodes have the same two ports. */
static void
listen_anywhere(int epoll)
{
	int port = add_listener(epoll, 0, 0);

	if (cluster.nodes > 0)
		cluster.shard_port = port + 1;
	for (int node = 0; node < cluster.nodes; node++)
	{
		if (node > 0)
			(void) add_listener(epoll, node, port);
		(void) add_listener(epoll, node, cluster.shard_port);
	}
	printf("%d\n", port);
	fflush(stdout);
}

/* Registered like a client, for its descriptor alone, as listeners are. */
static Client input_end = {.fd = STDIN_FILENO};

static void
serve_event(int epoll, const struct epoll_event *event)
{
	Client *client = event->data.ptr;
	bool was_writing;
	char byte;

	if (client->is_listener)
		accept_client(epoll, client);
	else if (client == &input_end)
	{
		if (read(STDIN_FILENO, &byte, 1) <= 0)
			exit(0);
	}
	else
	{
		was_writing = has_output(client);
		if (!serve(client, event->events))
		{
			close(client->fd);
			free(client->input);
			free(client->output);
			free(client);
		}
		else if (was_writing != has_output(client))
			watch(epoll, EPOLL_CTL_MOD, client);
	}
}

int
main(int argc, char **argv)
{
	struct epoll_event events[16];
	int epoll = epoll_create1(0);

	if ((argc != 3 && argc != 5) || (page_limit = atol(argv[2])) < 1)
		die("usage: stub RECORDING PAGES [NODES SHARDS]");
	if (argc == 5)
		cluster = (StubCluster) {.nodes = atoi(argv[3]), .shards = atoi(argv[4])};
	load(argv[1]);
	listen_anywhere(epoll);
	watch(epoll, EPOLL_CTL_ADD, &input_end);
	for (;;)
	{
		int count = epoll_wait(epoll, events, 16, -1);

		for (int i = 0; i < count; i++)
			serve_event(epoll, &events[i]);
	}
}
