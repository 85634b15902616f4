/*
 * driver_rows HOST PORT PAGES: read that many pages of the table over a socket, the next one
 * asked for while one is read, as a scan does.
 *
 * driver_rows RECORDING SECONDS: the same without socket and server. Recorded pages are handed to
 * a connection as a read of the socket would hand them (so copied once, into the block that the
 * connection gives), become results, and are walked. Shows what the driver costs by itself.
 *
 * Both read every cell of every row, and print rate, CPU and allocations.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "cql/mem.h"
#include "cql/session.h"
#include "cql/wire/request.h"

#define SELECT "SELECT " BENCH_COLUMNS " FROM " BENCH_TABLE

/* What was measured. */
typedef struct Tally
{
	long rows;
	long pages;
	size_t bytes;
	int64_t sum;
	/* at the beginning */
	double wall_s;
	double cpu_s;
	long allocations;
} Tally;

static void
begin(Tally *tally)
{
	memset(tally, 0, sizeof *tally);
	tally->wall_s = bench_wall_s();
	tally->cpu_s = bench_cpu_s();
	tally->allocations = bench_allocation_count();
}

static void
add_page(Tally *tally, cql_result *page)
{
	tally->rows += bench_walk(page, &tally->sum);
	tally->pages++;
	tally->bytes += cql_result_byte_count(page);
	cql_result_free(page);
}

static void
print(const Tally *tally)
{
	double rows = (double) tally->rows;
	long allocations = bench_allocation_count() - tally->allocations;

	fprintf(stderr, "(sum %lld)\n", (long long) tally->sum);
	bench_print("rate", rows / (bench_wall_s() - tally->wall_s));
	bench_print("cpu_ns", (bench_cpu_s() - tally->cpu_s) * 1e9 / rows);
	bench_print("page_rows", rows / (double) tally->pages);
	bench_print("page_bytes", (double) tally->bytes / (double) tally->pages);
	bench_print("page_allocations", (double) allocations / (double) tally->pages);
}

/* ---- over a socket ---- */

static cql_request *
ask_page(Bench *bench, cql_statement *statement, const cql_result *before)
{
	cql_request_spec spec = {
		.statement = statement,
		.consistency = CQL_CONSISTENCY_LOCAL_ONE,
		.page_rows = BENCH_PAGE_ROWS,
		.is_idempotent = true,
	};

	if (before != NULL)
	{
		cql_cell state = cql_result_paging_state(before);

		spec.paging_state = state.data;
		spec.paging_state_len = (size_t) state.len;
	}
	return bench_submit(bench, &spec);
}

static void
read_socket(const char *host, const char *port, long pages)
{
	Bench bench;
	cql_statement *statement;
	cql_request *request;
	Tally tally;

	bench_open(&bench, host, port, 0);
	statement = bench_prepare(&bench, SELECT);
	begin(&tally);
	request = ask_page(&bench, statement, NULL);
	while (request != NULL)
	{
		cql_result *page = bench_take(&bench, request);

		request = NULL;
		if (cql_result_has_more_pages(page) && tally.pages + 1 < pages)
		{
			request = ask_page(&bench, statement, page);
			/* Off it goes, or the server would idle while this page is read. */
			cql_loop_turn(bench.loop);
		}
		add_page(&tally, page);
	}
	print(&tally);
	cql_statement_release(statement);
	bench_close(&bench);
}

/* ---- from memory ---- */

#define MAX_PAGES 16

typedef struct Recording
{
	uint8_t *bytes;
	size_t len;
	const uint8_t *supported; /* whole frames, each */
	const uint8_t *ready;
	const uint8_t *prepared;
	const uint8_t *pages[MAX_PAGES];
	int page_count;
} Recording;

static size_t
frame_len(const uint8_t *frame)
{
	return CQL_FRAME_HEADER_LEN + cql_get_u32(frame + 5);
}

static void
note_answer(Recording *recording, const uint8_t *request, const uint8_t *answer)
{
	static const char text[] = SELECT;

	switch (request[4])
	{
		case CQL_OPCODE_OPTIONS:
			recording->supported = answer;
			break;
		case CQL_OPCODE_STARTUP:
			recording->ready = answer;
			break;
		case CQL_OPCODE_PREPARE:
			if (frame_len(request) == CQL_FRAME_HEADER_LEN + 4 + sizeof text - 1 &&
				memcmp(request + CQL_FRAME_HEADER_LEN + 4, text, sizeof text - 1) == 0)
				recording->prepared = answer;
			break;
		default:
			/* Pages are by far the largest answers: a point read's has some hundred bytes. */
			if (request[4] == CQL_OPCODE_EXECUTE && frame_len(answer) > 10000 &&
				recording->page_count < MAX_PAGES)
				recording->pages[recording->page_count++] = answer;
	}
}

static void
load(Recording *recording, const char *path)
{
	FILE *file = fopen(path, "rb");
	const uint8_t *at, *end;

	memset(recording, 0, sizeof *recording);
	if (file == NULL || fseek(file, 0, SEEK_END) != 0)
		bench_die("cannot read %s", path);
	recording->len = (size_t) ftell(file);
	rewind(file);
	recording->bytes = malloc(recording->len);
	if (recording->bytes == NULL ||
		fread(recording->bytes, 1, recording->len, file) != recording->len)
		bench_die("cannot read %s", path);
	fclose(file);
	at = recording->bytes;
	end = at + recording->len;
	while (at < end)
	{
		const uint8_t *answer = at + frame_len(at);

		note_answer(recording, at, answer);
		at = answer + frame_len(answer);
	}
	if (recording->supported == NULL || recording->ready == NULL || recording->prepared == NULL ||
		recording->page_count == 0)
		bench_die("%s does not hold what is needed", path);
}

static void
feed_frame(cql_conn *conn, const uint8_t *frame, int stream)
{
	uint8_t header[CQL_FRAME_HEADER_LEN];

	memcpy(header, frame, sizeof header);
	cql_frame_set_stream(header, (int16_t) stream);
	bench_feed(conn, header, sizeof header);
	bench_feed(conn, frame + sizeof header, frame_len(frame) - sizeof header);
}

/* The request's bytes matter to nobody here, but making them is part of a page's cost. */
static void
set_request(cql_exchange *exchange)
{
	static const char id[16] = "0123456789abcde";
	cql_query_parameters parameters = {.page_rows = BENCH_PAGE_ROWS};
	cql_writer writer;

	memset(exchange, 0, sizeof *exchange);
	cql_writer_init(&writer);
	cql_write_execute(&writer, (cql_view) {id, sizeof id}, (cql_view) {"", 0}, &parameters, 0);
	exchange->frame = cql_writer_take(&writer, &exchange->frame_len);
	if (exchange->frame == NULL)
		bench_die("out of memory");
}

static cql_result *
receive_page(cql_conn *conn, const uint8_t *frame, cql_metadata *known)
{
	cql_exchange exchange;
	cql_result *page;

	set_request(&exchange);
	if (!cql_conn_submit(conn, &exchange, UINT64_MAX))
		bench_die("the connection takes no request");
	bench_drop_output(conn);
	feed_frame(conn, frame, exchange.stream);
	if (cql_conn_take_done(conn) != &exchange || exchange.state != CQL_EXCHANGE_ANSWERED)
		bench_die("the page did not come: %s", conn->error.message);
	if (cql_result_new(exchange.body, &exchange.header, known, &page) != CQL_RESULT_OK)
		bench_die("the page is malformed");
	exchange.body = NULL;
	cql_exchange_cleanup(&exchange);
	return page;
}

static cql_prepared
read_prepared(const uint8_t *frame)
{
	cql_reader body =
		cql_reader_over(frame + CQL_FRAME_HEADER_LEN, frame_len(frame) - CQL_FRAME_HEADER_LEN);
	cql_prepared prepared = {0};
	bool is_out_of_memory;

	if (cql_read_int(&body) != CQL_RESULT_PREPARED)
		bench_die("no statement was prepared");
	cql_read_prepared(&body, false, 0, &prepared, &is_out_of_memory);
	if (body.failed)
		bench_die("the prepared statement is malformed");
	return prepared;
}

static void
read_memory(const char *path, long seconds)
{
	cql_conn_options options = {.handshake_deadline_ms = UINT64_MAX};
	cql_prepared prepared;
	cql_conn conn;
	Recording recording;
	Tally tally;

	load(&recording, path);
	prepared = read_prepared(recording.prepared);
	if (!cql_conn_init(&conn, "memory", &options))
		bench_die("out of memory");
	cql_conn_start(&conn);
	bench_drop_output(&conn);
	feed_frame(&conn, recording.supported, conn.handshake.stream);
	bench_drop_output(&conn);
	feed_frame(&conn, recording.ready, conn.handshake.stream);
	if (conn.state != CQL_CONN_READY)
		bench_die("the handshake failed: %s", conn.error.message);

	begin(&tally);
	while (bench_wall_s() - tally.wall_s < (double) seconds)
	{
		for (int i = 0; i < recording.page_count; i++)
			add_page(&tally, receive_page(&conn, recording.pages[i], prepared.result));
	}
	print(&tally);
	cql_conn_cleanup(&conn);
	cql_metadata_release(prepared.bind);
	cql_metadata_release(prepared.result);
	free(recording.bytes);
}

int
main(int argc, char **argv)
{
	bench_count_allocations();
	if (argc == 4)
		read_socket(argv[1], argv[2], bench_number(argv[3]));
	else if (argc == 3)
		read_memory(argv[1], bench_number(argv[2]));
	else
		bench_die("usage: driver_rows HOST PORT PAGES | RECORDING SECONDS");
	return 0;
}
