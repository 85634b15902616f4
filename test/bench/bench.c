/*
 * The benchmark programs' common part: see bench.h.
 */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "cql/conn/conn.h"
#include "cql/mem.h"

static long allocation_count = 0;

void
bench_die(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(1);
}

void
bench_die_of(const char *what, const cql_error *error)
{
	bench_die("%s: %s (code 0x%04x) %s", what, error->message, (unsigned) error->server_code,
			  error->node);
}

/* ---- sessions ---- */

void
bench_open(Bench *bench, const char *host, const char *port, int connections)
{
	cql_contact contact = {.address_len = sizeof(struct sockaddr_in)};
	struct sockaddr_in *address = (struct sockaddr_in *) &contact.address;
	cql_session_options options = {
		.contacts = &contact,
		.contact_count = 1,
		.application_name = "scylla_fdw bench",
		.connect_timeout_ms = 10000,
		.request_timeout_ms = 60000,
		.max_connections = connections,
		.is_shard_aware = connections != 1,
	};
	cql_error error;

	address->sin_family = AF_INET;
	address->sin_port = htons((uint16_t) bench_number(port));
	if (inet_pton(AF_INET, host, &address->sin_addr) != 1)
		bench_die("\"%s\" is no numeric address", host);
	bench->loop = cql_loop_new(&error);
	if (bench->loop == NULL)
		bench_die_of("loop", &error);
	bench->session = cql_session_new(bench->loop, &options, &error);
	if (bench->session == NULL)
		bench_die_of("session", &error);
}

void
bench_close(Bench *bench)
{
	cql_session_free(bench->session);
	cql_loop_free(bench->loop);
}

static void
wait_for(Bench *bench, const cql_request *request)
{
	while (!cql_request_is_done(request))
		cql_loop_wait(bench->loop);
}

cql_statement *
bench_prepare(Bench *bench, const char *cql)
{
	cql_statement *statement;
	cql_request *request;
	cql_error error;

	if (cql_prepare_submit(bench->session, cql, &request, &error) != CQL_OK)
		bench_die_of(cql, &error);
	wait_for(bench, request);
	if (cql_request_take_statement(request, &statement, &error) != CQL_OK)
		bench_die_of(cql, &error);
	cql_request_free(request);
	return statement;
}

cql_request *
bench_submit(Bench *bench, const cql_request_spec *spec)
{
	cql_request *request;
	cql_status status;
	cql_error error;

	while ((status = cql_request_submit(bench->session, spec, &request, &error)) == CQL_BUSY)
		cql_loop_wait(bench->loop);
	if (status != CQL_OK)
		bench_die_of("submit", &error);
	return request;
}

cql_result *
bench_take(Bench *bench, cql_request *request)
{
	cql_result *result;
	cql_error error;

	wait_for(bench, request);
	if (cql_request_take_result(request, &result, &error) != CQL_OK)
		bench_die_of("request", &error);
	cql_request_free(request);
	return result;
}

void
bench_execute(Bench *bench, const char *cql)
{
	cql_request_spec spec = {.cql = cql, .consistency = CQL_CONSISTENCY_LOCAL_QUORUM};

	cql_result_free(bench_take(bench, bench_submit(bench, &spec)));
}

/* ---- figures ---- */

long
bench_number(const char *text)
{
	char *end;
	long number;

	errno = 0;
	number = strtol(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || number < 0)
		bench_die("\"%s\" is no number to use here", text);
	return number;
}

double
bench_wall_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

double
bench_cpu_s(void)
{
	struct timespec used;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return (double) used.tv_sec + (double) used.tv_nsec / 1e9;
}

void
bench_print(const char *name, double value)
{
	printf("%s %.9g\n", name, value);
}

/* ---- rows ---- */

static int64_t
read_row(const cql_cell *cells)
{
	int64_t id, t, m = 0;
	int32_t n;

	if (!cql_read_i64(cells[0], &id) || !cql_read_i32(cells[1], &n) ||
		!cql_read_i64(cells[2], &t) || cells[3].len != 40 ||
		(!cql_cell_is_null(cells[4]) && !cql_read_i64(cells[4], &m)))
		bench_die("a row is not what was written");
	return id ^ n ^ t ^ cells[3].data[39] ^ m;
}

long
bench_walk(cql_result *page, int64_t *sum)
{
	cql_cell cells[BENCH_COLUMN_COUNT];
	long rows = 0;

	if (cql_result_column_count(page) != BENCH_COLUMN_COUNT)
		bench_die("a page has %d columns", cql_result_column_count(page));
	while (cql_result_next_row(page, cells))
	{
		*sum += read_row(cells);
		rows++;
	}
	return rows;
}

/* ---- allocations ---- */

static void *
count_alloc(size_t size)
{
	allocation_count++;
	return malloc(size);
}

static void *
count_resize(void *block, size_t size)
{
	allocation_count++;
	return realloc(block, size);
}

void
bench_count_allocations(void)
{
	cql_mem_set(&(cql_mem) {.alloc = count_alloc, .resize = count_resize, .release = free});
}

long
bench_allocation_count(void)
{
	return allocation_count;
}

void
bench_drop_output(cql_conn *conn)
{
	struct iovec parts[4];
	int count;

	while ((count = cql_conn_output(conn, parts, 4)) > 0)
		for (int i = 0; i < count; i++)
			cql_conn_sent(conn, parts[i].iov_len);
}

void
bench_feed(cql_conn *conn, const uint8_t *bytes, size_t len)
{
	while (len > 0)
	{
		size_t room;
		uint8_t *into = cql_conn_input(conn, &room);
		size_t part = len < room ? len : room;

		memcpy(into, bytes, part);
		cql_conn_received(conn, part);
		bytes += part;
		len -= part;
	}
}
