/*
 * One libuv loop, the sockets on it, and a timerfd for deadlines (libuv's own timers do not make
 * the loop's descriptor readable, and whoever waits has only that).
 *
 * Writing is batched by nature: what was submitted since the last turn leaves in one writev per
 * socket at the beginning of the next.
 */
#include "cql/net/loop.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "cql/mem.h"

/* As many frames as one writev takes; Linux allows 1024, and 64 already make it cheap. */
#define MAX_PARTS 64
/* Reads of one socket per turn, so that a fast peer does not starve the others. */
#define MAX_READS 16
/* Of ports to connect from: more busy ones in a row, and the caller better does without. */
#define MAX_PORT_TRIES 32

struct cql_net
{
	uv_loop_t loop;
	uv_poll_t timer_poll;
	int timer_fd;
	uint64_t wake_at_ms;     /* what the timerfd is set to; UINT64_MAX: not set */
	cql_socket *flush_first; /* sockets that have output, by next_flush */
};

struct cql_socket
{
	uv_poll_t poll;
	cql_net *net;
	cql_conn *conn; /* NULL once it was let go */
	int fd;
	int events;    /* what is polled for */
	int low_water; /* bytes that make it readable */
	bool is_connected;
	bool is_flushing; /* in the list of sockets that have output */
	cql_socket *next_flush;
};

uint64_t
cql_net_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / 1000;
}

uint64_t
cql_net_now_ms(void)
{
	return cql_net_now_us() / 1000;
}

static void
on_timer(uv_poll_t *handle, int status, int events)
{
	cql_net *net = handle->data;
	uint64_t expirations;

	(void) status;
	(void) events;
	if (read(net->timer_fd, &expirations, sizeof expirations) > 0)
		net->wake_at_ms = UINT64_MAX;
}

cql_net *
cql_net_new(int *os_error)
{
	cql_net *net = cql_alloc_zero(sizeof *net);
	int status;

	*os_error = ENOMEM;
	if (net == NULL)
		return NULL;
	net->wake_at_ms = UINT64_MAX;
	net->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (net->timer_fd < 0)
	{
		*os_error = errno;
		cql_release(net);
		return NULL;
	}
	status = uv_loop_init(&net->loop);
	if (status != 0)
	{
		*os_error = -status;
		close(net->timer_fd);
		cql_release(net);
		return NULL;
	}
	status = uv_poll_init(&net->loop, &net->timer_poll, net->timer_fd);
	if (status == 0)
	{
		net->timer_poll.data = net;
		status = uv_poll_start(&net->timer_poll, UV_READABLE, on_timer);
	}
	if (status != 0)
	{
		*os_error = -status;
		cql_net_free(net);
		return NULL;
	}
	return net;
}

static void
free_socket(uv_handle_t *handle)
{
	cql_release(handle->data);
}

/* The descriptor is closed at once (libuv has forgotten it when uv_close returns); only the
 * handle's memory has to wait for the next turn. */
static void
close_socket(cql_socket *socket)
{
	uv_close((uv_handle_t *) &socket->poll, free_socket);
	close(socket->fd);
}

static void
close_handle(uv_handle_t *handle, void *net)
{
	cql_net *owner = net;

	if (uv_is_closing(handle))
		return;
	if (handle == (uv_handle_t *) &owner->timer_poll)
		uv_close(handle, NULL);
	else
		close_socket(handle->data);
}

void
cql_net_free(cql_net *net)
{
	if (net == NULL)
		return;
	uv_walk(&net->loop, close_handle, net);
	uv_run(&net->loop, UV_RUN_DEFAULT);
	(void) uv_loop_close(&net->loop);
	close(net->timer_fd);
	cql_release(net);
}

int
cql_net_fd(const cql_net *net)
{
	return uv_backend_fd(&net->loop);
}

int
cql_net_timeout_ms(const cql_net *net)
{
	return net->flush_first != NULL ? 0 : uv_backend_timeout(&net->loop);
}

void
cql_net_wake_at(cql_net *net, uint64_t deadline_ms)
{
	struct itimerspec when = {0};

	/* Set already for then or earlier: let it fire, the caller looks what is due. */
	if (deadline_ms >= net->wake_at_ms)
		return;
	when.it_value.tv_sec = (time_t) (deadline_ms / 1000);
	when.it_value.tv_nsec = (long) (deadline_ms % 1000) * 1000000;
	if (deadline_ms == 0)
		when.it_value.tv_nsec = 1; /* zero would disarm it */
	if (timerfd_settime(net->timer_fd, TFD_TIMER_ABSTIME, &when, NULL) == 0)
		net->wake_at_ms = deadline_ms;
}

/* ---- sockets ---- */

static void on_ready(uv_poll_t *handle, int status, int events);

static void
poll_for(cql_socket *socket, int events)
{
	if (socket->events == events || uv_is_closing((uv_handle_t *) &socket->poll))
		return;
	if (uv_poll_start(&socket->poll, events, on_ready) == 0)
		socket->events = events;
	else
		cql_conn_close(socket->conn, CQL_ERROR_LOST, "could not poll the socket");
}

static void
write_out(cql_socket *socket)
{
	struct iovec parts[MAX_PARTS];
	struct msghdr message = {.msg_iov = parts};

	while (cql_conn_has_output(socket->conn))
	{
		ssize_t sent;

		message.msg_iovlen = (size_t) cql_conn_output(socket->conn, parts, MAX_PARTS);
		sent = sendmsg(socket->fd, &message, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (sent < 0)
		{
			cql_conn_close(socket->conn, CQL_ERROR_LOST, "could not send: %s", strerror(errno));
			return;
		}
		cql_conn_sent(socket->conn, (size_t) sent);
	}
	poll_for(socket, cql_conn_has_output(socket->conn) ? UV_READABLE | UV_WRITABLE : UV_READABLE);
}

static void
read_in(cql_socket *socket)
{
	for (int reads = 0; reads < MAX_READS && socket->conn->state != CQL_CONN_CLOSED; reads++)
	{
		size_t room;
		uint8_t *into = cql_conn_input(socket->conn, &room);
		ssize_t got = recv(socket->fd, into, room, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (got < 0)
		{
			cql_conn_close(socket->conn, CQL_ERROR_LOST, "could not receive: %s", strerror(errno));
			return;
		}
		if (got == 0)
		{
			cql_conn_close(socket->conn, CQL_ERROR_LOST, "the server closed the connection");
			return;
		}
		cql_conn_received(socket->conn, (size_t) got);
		/* Less than there was room for: the kernel has no more, save the call that tells so. */
		if ((size_t) got < room)
			return;
	}
}

static void
finish_connect(cql_socket *socket)
{
	int failure = 0;
	socklen_t len = sizeof failure;

	if (getsockopt(socket->fd, SOL_SOCKET, SO_ERROR, &failure, &len) != 0)
		failure = errno;
	if (failure != 0)
	{
		cql_conn_close(socket->conn, CQL_ERROR_UNREACHABLE, "%s", strerror(failure));
		return;
	}
	socket->is_connected = true;
	cql_conn_start(socket->conn);
	write_out(socket);
}

static void
on_ready(uv_poll_t *handle, int status, int events)
{
	cql_socket *socket = handle->data;

	if (socket->conn == NULL || socket->conn->state == CQL_CONN_CLOSED)
	{
		/* Nobody reads any more; its owner closes it after this turn. */
		uv_poll_stop(handle);
		socket->events = 0;
		return;
	}
	/* At an error of the socket libuv stops polling; the error shows once all that came before it
	 * is read, which may take another turn. */
	if (status < 0)
		socket->events = 0;
	if (!socket->is_connected)
	{
		finish_connect(socket);
		return;
	}
	if (status < 0 || (events & UV_READABLE))
		read_in(socket);
	if (status < 0 || (events & UV_WRITABLE) || cql_conn_has_output(socket->conn))
		write_out(socket);
}

static int
make_socket(int family)
{
	int one = 1;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd >= 0)
	{
		/* Without it small requests wait 40 ms for a delayed acknowledgement. */
		(void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		(void) setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
	}
	return fd;
}

/* Bind to a port of our own side. It may serve connections to other nodes at the same time. */
static bool
bind_port(int fd, int family, uint16_t port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	int one = 1;

	(void) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (family == AF_INET6)
		return bind(fd, (struct sockaddr *) &in6, sizeof in6) == 0;
	return bind(fd, (struct sockaddr *) &in, sizeof in) == 0;
}

/* The descriptor of a socket that connects, from that port unless it is 0; -1: errno tells. */
static int
connect_from(const struct sockaddr *address, socklen_t address_len, uint16_t port)
{
	int fd = make_socket(address->sa_family);
	int failure;

	if (fd < 0)
		return -1;
	if ((port == 0 || bind_port(fd, address->sa_family, port)) &&
		(connect(fd, address, address_len) == 0 || errno == EINPROGRESS))
		return fd;
	failure = errno;
	close(fd);
	errno = failure;
	return -1;
}

static int
connect_from_some(const struct sockaddr *address, socklen_t address_len,
				  const cql_source_ports *ports)
{
	int port = ports->start;

	for (int tries = 0; tries < MAX_PORT_TRIES; tries++)
	{
		int fd = connect_from(address, address_len, (uint16_t) port);

		/* A port that is taken shows at bind, or when the pair of addresses is known. */
		if (fd >= 0 || (errno != EADDRINUSE && errno != EADDRNOTAVAIL && errno != EACCES))
			return fd;
		port += ports->step;
		if (port > ports->last)
			port = ports->first + (port - ports->first) % ports->step;
	}
	return -1;
}

cql_socket *
cql_socket_open(cql_net *net, const struct sockaddr *address, socklen_t address_len,
				const cql_source_ports *ports, cql_conn *conn)
{
	cql_socket *socket = cql_alloc_zero(sizeof *socket);
	int failure = 0;

	if (socket == NULL)
	{
		cql_conn_close(conn, CQL_ERROR_NO_MEMORY, "out of memory");
		return NULL;
	}
	socket->net = net;
	socket->conn = conn;
	socket->low_water = 1;
	socket->fd = ports != NULL ? connect_from_some(address, address_len, ports)
							   : connect_from(address, address_len, 0);
	if (socket->fd < 0)
		failure = errno;
	else
		failure = -uv_poll_init_socket(&net->loop, &socket->poll, socket->fd);
	if (failure != 0)
	{
		cql_conn_close(conn, CQL_ERROR_UNREACHABLE, "%s", strerror(failure));
		if (socket->fd >= 0)
			close(socket->fd);
		cql_release(socket);
		return NULL;
	}
	socket->poll.data = socket;
	poll_for(socket, UV_WRITABLE);
	return socket;
}

void
cql_socket_close(cql_socket *socket)
{
	cql_socket **link = &socket->net->flush_first;

	while (*link != NULL && *link != socket)
		link = &(*link)->next_flush;
	if (*link != NULL)
		*link = socket->next_flush;
	socket->conn = NULL;
	close_socket(socket);
}

void
cql_socket_probe(cql_socket *socket)
{
	read_in(socket);
}

/* The kernel is told only of what makes a difference. */
void
cql_socket_gather(cql_socket *socket, size_t len)
{
	int low_water = (int) len;

	if (low_water >= socket->low_water && low_water / 2 <= socket->low_water)
		return;
	if (setsockopt(socket->fd, SOL_SOCKET, SO_RCVLOWAT, &low_water, sizeof low_water) == 0)
		socket->low_water = low_water;
}

void
cql_socket_flush_later(cql_socket *socket)
{
	if (socket->is_flushing)
		return;
	socket->is_flushing = true;
	socket->next_flush = socket->net->flush_first;
	socket->net->flush_first = socket;
}

/* Answers to what was just sent are not there yet, so a turn that sends does not look for them. */
void
cql_net_turn(cql_net *net)
{
	if (net->flush_first == NULL)
		(void) uv_run(&net->loop, UV_RUN_NOWAIT);
	while (net->flush_first != NULL)
	{
		cql_socket *socket = net->flush_first;

		net->flush_first = socket->next_flush;
		socket->is_flushing = false;
		if (socket->is_connected && socket->conn->state != CQL_CONN_CLOSED)
			write_out(socket);
	}
}

void
cql_net_wait(cql_net *net)
{
	if (net->flush_first != NULL)
		cql_net_turn(net);
	else
		(void) uv_run(&net->loop, UV_RUN_ONCE);
}
