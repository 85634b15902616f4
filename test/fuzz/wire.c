/*
 * wire SEED COUNT FRAME...: the driver's side of the wire over spoiled frames.
 *
 * Frames that a real server sent are damaged and handed to a connection in pieces, during the
 * handshake as well as behind it; what comes out of it is read to the last cell, by its type.
 * Every block has exactly the size of its bytes, for AddressSanitizer to see one too many.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cql/mem.h"
#include "cql/session.h"
#include "cql/wire/request.h"
#include "forge.h"

#define MAX_FRAMES 128

typedef struct Frame
{
	uint8_t *bytes;
	size_t len;
} Frame;

typedef struct Fuzz
{
	Forge forge;
	Frame frames[MAX_FRAMES];
	uint32_t frame_count;
	const Frame *supported;
	const Frame *ready;
	cql_metadata *known; /* of the last statement that was prepared */
	cql_conn conn;
	bool is_open;
	/* what became of the frames */
	long answered;
	long closed;
	long rows;
	long cells;
	long malformed;
} Fuzz;

static void
die(const char *what)
{
	fprintf(stderr, "wire: %s\n", what);
	exit(1);
}

static void
load_frame(Fuzz *fuzz, const char *path)
{
	FILE *file = fopen(path, "rb");
	Frame *frame = &fuzz->frames[fuzz->frame_count++];

	if (fuzz->frame_count > MAX_FRAMES || file == NULL)
		die(path);
	fseek(file, 0, SEEK_END);
	frame->len = (size_t) ftell(file);
	rewind(file);
	frame->bytes = malloc(frame->len);
	if (frame->bytes == NULL || fread(frame->bytes, 1, frame->len, file) != frame->len)
		die(path);
	fclose(file);
	if (strstr(path, "/supported.bin") != NULL)
		fuzz->supported = frame;
	if (strstr(path, "/ready.bin") != NULL)
		fuzz->ready = frame;
}

/* ---- what is made of an answer ---- */

static void
read_scalar(Fuzz *fuzz, const cql_type *type, cql_cell cell)
{
	bool flag;
	int8_t i8;
	int16_t i16;
	int32_t i32;
	int64_t i64;
	float real;
	double number;
	cql_duration duration;
	cql_cell unscaled;
	bool is_value = true;

	switch (type->id)
	{
		case CQL_TYPE_BOOLEAN:
			is_value = cql_read_bool(cell, &flag);
			break;
		case CQL_TYPE_TINYINT:
			is_value = cql_read_i8(cell, &i8);
			break;
		case CQL_TYPE_SMALLINT:
			is_value = cql_read_i16(cell, &i16);
			break;
		case CQL_TYPE_INT:
			is_value = cql_read_i32(cell, &i32);
			break;
		case CQL_TYPE_BIGINT:
		case CQL_TYPE_COUNTER:
		case CQL_TYPE_TIMESTAMP:
			is_value = cql_read_i64(cell, &i64);
			break;
		case CQL_TYPE_FLOAT:
			is_value = cql_read_float(cell, &real);
			break;
		case CQL_TYPE_DOUBLE:
			is_value = cql_read_double(cell, &number);
			break;
		case CQL_TYPE_DATE:
			is_value = cql_read_date(cell, &i32);
			break;
		case CQL_TYPE_TIME:
			is_value = cql_read_time(cell, &i64);
			break;
		case CQL_TYPE_DURATION:
			is_value = cql_read_duration(cell, &duration);
			break;
		case CQL_TYPE_DECIMAL:
			is_value = cql_read_decimal(cell, &i32, &unscaled);
			break;
		default:
			/* All of its bytes are its value. */
			for (int32_t i = 0; i < cell.len; i++)
				is_value ^= cell.data[i] == 0;
			is_value = true;
	}
	fuzz->malformed += !is_value;
}

static void
read_cell(Fuzz *fuzz, const cql_type *type, cql_cell cell)
{
	cql_elements elements;

	fuzz->cells++;
	if (cell.len < 0)
		return;
	if (type->element_count == 0)
	{
		read_scalar(fuzz, type, cell);
		return;
	}
	if (!cql_elements_begin(type, cell, &elements))
	{
		fuzz->malformed++;
		return;
	}
	for (uint32_t i = 0; elements.left > 0; i++)
	{
		cql_cell element;

		if (!cql_elements_next(&elements, &element))
		{
			fuzz->malformed++;
			return;
		}
		read_cell(fuzz, type->elements[i % type->element_count], element);
	}
}

static void
read_result(Fuzz *fuzz, cql_exchange *exchange)
{
	cql_result *result;
	cql_result_fault fault =
		cql_result_new(exchange->body, &exchange->header, fuzz->known, &result);
	cql_cell *cells;
	char text[64];

	exchange->body = NULL;
	fuzz->malformed += fault != CQL_RESULT_OK;
	if (fault != CQL_RESULT_OK)
		return;
	for (int i = 0; i < cql_result_warning_count(result); i++)
		cql_result_warning(result, i, text, sizeof text);
	cells = malloc((size_t) cql_result_column_count(result) * sizeof *cells);
	while (cql_result_next_row(result, cells))
	{
		fuzz->rows++;
		for (int i = 0; i < cql_result_column_count(result); i++)
			read_cell(fuzz, cql_result_column(result, i)->type, cells[i]);
	}
	free(cells);
	cql_result_free(result);
}

static void
read_statement(Fuzz *fuzz, cql_reader *body)
{
	cql_prepared prepared = {0};
	bool is_out_of_memory;

	(void) cql_read_int(body);
	cql_read_prepared(body, forge_is_one_in(&fuzz->forge, 4), 1, &prepared, &is_out_of_memory);
	fuzz->malformed += body->failed;
	if (body->failed)
		return;
	cql_metadata_release(prepared.bind);
	if (fuzz->known != NULL)
		cql_metadata_release(fuzz->known);
	fuzz->known = prepared.result;
}

static void
read_answer(Fuzz *fuzz, cql_exchange *exchange)
{
	cql_reader body = cql_reader_over(exchange->body, exchange->header.body_len);
	cql_frame_prefix prefix;
	cql_error error;
	cql_view statement_id;

	cql_frame_read_prefix(&body, exchange->header.flags, &prefix);
	if (exchange->header.opcode == CQL_OPCODE_ERROR)
	{
		cql_read_error(&body, 0, &error, &statement_id);
		fuzz->malformed += body.failed;
	}
	else if (exchange->header.opcode == CQL_OPCODE_RESULT && cql_reader_left(&body) >= 4 &&
			 cql_get_u32(body.pos) == CQL_RESULT_PREPARED)
		read_statement(fuzz, &body);
	else if (exchange->header.opcode == CQL_OPCODE_RESULT)
		read_result(fuzz, exchange);
}

static void
read_event(Fuzz *fuzz, cql_conn_event *event)
{
	cql_reader body = cql_reader_over(event->body, event->body_len);
	cql_frame_prefix prefix;
	cql_event meaning;

	cql_frame_read_prefix(&body, event->flags, &prefix);
	cql_read_event(&body, &meaning);
	fuzz->malformed += body.failed;
	cql_release(event->body);
}

/* ---- the connection ---- */

static void
drop_output(cql_conn *conn)
{
	struct iovec parts[4];
	int count;

	while ((count = cql_conn_output(conn, parts, 4)) > 0)
		for (int i = 0; i < count; i++)
			cql_conn_sent(conn, parts[i].iov_len);
}

/* In pieces, as a socket may give it. */
static void
feed(Fuzz *fuzz, const uint8_t *bytes, size_t len)
{
	uint32_t piece = forge_is_one_in(&fuzz->forge, 4) ? 3 : 100000;

	while (len > 0 && fuzz->conn.state != CQL_CONN_CLOSED)
	{
		size_t room;
		uint8_t *into = cql_conn_input(&fuzz->conn, &room);
		size_t part = 1 + forge_below(&fuzz->forge, piece);

		part = part < len ? part : len;
		part = part < room ? part : room;
		memcpy(into, bytes, part);
		cql_conn_received(&fuzz->conn, part);
		bytes += part;
		len -= part;
	}
}

/* The frame, damaged; mostly such that it still ends where its header says, and goes to whom it is for. */
static void
feed_spoiled(Fuzz *fuzz, const Frame *frame, int stream)
{
	Forge *forge = &fuzz->forge;

	forge_set(forge, frame->bytes, frame->len);
	if (forge_is_one_in(forge, 100))
		forge_append(forge, fuzz->frames[0].bytes, fuzz->frames[0].len);
	forge_spoil(forge);
	if (forge->len >= CQL_FRAME_HEADER_LEN && !forge_is_one_in(forge, 20))
	{
		cql_frame_set_stream(forge->bytes, (int16_t) stream);
		cql_put_u32(forge->bytes + 5, (uint32_t) forge->len - CQL_FRAME_HEADER_LEN);
	}
	feed(fuzz, forge->bytes, forge->len);
}

static void
open_connection(Fuzz *fuzz)
{
	cql_conn_options options = {.handshake_deadline_ms = UINT64_MAX, .user = "a", .password = "b"};
	const Frame *answers[] = {fuzz->supported, fuzz->ready};

	options.compression =
		forge_is_one_in(&fuzz->forge, 2) ? CQL_COMPRESSION_LZ4 : CQL_COMPRESSION_NONE;
	if (!cql_conn_init(&fuzz->conn, "forged", &options))
		die("out of memory");
	fuzz->is_open = true;
	cql_conn_start(&fuzz->conn);
	fuzz->conn.takes_events = true;
	for (int i = 0; i < 2 && fuzz->conn.state != CQL_CONN_CLOSED; i++)
	{
		drop_output(&fuzz->conn);
		if (forge_is_one_in(&fuzz->forge, 10))
			feed_spoiled(fuzz, answers[i], fuzz->conn.handshake.stream);
		else
		{
			forge_set(&fuzz->forge, answers[i]->bytes, answers[i]->len);
			cql_frame_set_stream(fuzz->forge.bytes, (int16_t) fuzz->conn.handshake.stream);
			feed(fuzz, fuzz->forge.bytes, fuzz->forge.len);
		}
	}
}

static void
close_connection(Fuzz *fuzz)
{
	fuzz->closed += fuzz->conn.state == CQL_CONN_CLOSED;
	cql_conn_cleanup(&fuzz->conn);
	fuzz->is_open = false;
}

static void
submit(cql_exchange *exchange, cql_conn *conn)
{
	cql_query_parameters parameters = {.page_rows = 100};
	cql_writer writer;

	cql_writer_init(&writer);
	cql_write_execute(&writer, (cql_view) {"id", 2}, (cql_view) {"", 0}, &parameters, 0);
	exchange->frame = cql_writer_take(&writer, &exchange->frame_len);
	if (exchange->frame == NULL || !cql_conn_submit(conn, exchange, UINT64_MAX))
		die("out of memory");
	drop_output(conn);
}

/* One request and an answer that may be anything. */
static void
run_round(Fuzz *fuzz)
{
	cql_exchange exchange = {0};
	cql_exchange *done;
	cql_conn_event event;

	if (!fuzz->is_open)
		open_connection(fuzz);
	if (fuzz->conn.state == CQL_CONN_READY)
	{
		submit(&exchange, &fuzz->conn);
		feed_spoiled(fuzz, &fuzz->frames[forge_below(&fuzz->forge, fuzz->frame_count)],
					 forge_is_one_in(&fuzz->forge, 10) ? -1 : exchange.stream);
	}
	while (cql_conn_take_event(&fuzz->conn, &event))
		read_event(fuzz, &event);
	while ((done = cql_conn_take_done(&fuzz->conn)) != NULL)
	{
		if (done != &exchange || done->state != CQL_EXCHANGE_ANSWERED)
			continue;
		fuzz->answered++;
		read_answer(fuzz, done);
	}
	/* Without an answer the next bytes belong to a frame that has not ended. */
	if (exchange.state != CQL_EXCHANGE_ANSWERED || fuzz->conn.state != CQL_CONN_READY)
	{
		if (exchange.state == CQL_EXCHANGE_QUEUED || exchange.state == CQL_EXCHANGE_SENT)
			cql_conn_abandon(&fuzz->conn, &exchange);
		close_connection(fuzz);
	}
	cql_exchange_cleanup(&exchange);
}

int
main(int argc, char **argv)
{
	Fuzz fuzz = {0};

	if (argc < 4)
		die("usage: wire SEED COUNT FRAME...");
	forge_init(&fuzz.forge, strtoull(argv[1], NULL, 10));
	for (int i = 3; i < argc; i++)
		load_frame(&fuzz, argv[i]);
	if (fuzz.supported == NULL || fuzz.ready == NULL)
		die("frames supported and ready are needed");
	for (long left = strtol(argv[2], NULL, 10); left > 0; left--)
		run_round(&fuzz);
	if (fuzz.is_open)
		close_connection(&fuzz);
	if (fuzz.known != NULL)
		cql_metadata_release(fuzz.known);
	forge_cleanup(&fuzz.forge);
	for (uint32_t i = 0; i < fuzz.frame_count; i++)
		free(fuzz.frames[i].bytes);
	printf("%ld answers, %ld of them or of their cells malformed, %ld connections closed, %ld "
		   "rows, %ld cells\n",
		   fuzz.answered, fuzz.malformed, fuzz.closed, fuzz.rows, fuzz.cells);
	return 0;
}
