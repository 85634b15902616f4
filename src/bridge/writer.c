/*
 * A statement's writes: submit, hold back, take what has ended, drain.
 *
 * A wait may end in an error that the statement outlives, for it may be a function of its own that
 * waits: whatever is not sent yet stays where it waits until it is submitted.
 *
 * Whatever has ended is taken in any order, so that a slow node holds back its own rows only. The
 * first failure ends the statement; its error is raised when the outcome of every row that was sent
 * is known, since it tells how many were written.
 */
#include "postgres.h"

#include "bridge/writer.h"

#include "bridge/dialect.h"
#include "bridge/progress.h"
#include "bridge/throttle.h"
#include "bridge/transaction.h"
#include "bridge/wait.h"
#include "bridge/write_batch.h"
#include "bridge/write_window.h"
#include "common/hashfn.h"
#include "lib/ilist.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"

/* Rows after which what was submitted is sent and what has ended is taken. */
#define TURN_ROWS 32
#define TURN_BYTES (64 * 1024)

/* What one batch may have of the rows in flight, so that many partitions are at work. */
#define BATCH_SHARE 16

struct ScyllaWriter
{
	MemoryContextCallback callback;
	MemoryContext context;
	dlist_node node; /* of live_writers */
	ScyllaWriterSpec spec;
	ScyllaThrottle *throttle;     /* NULL: no limit */
	bool is_shown;                /* to other backends, if there was a slot */
	ScyllaProgressSlot *progress; /* or NULL */
	int level;                    /* of the transaction that the statement belongs to */
	ScyllaWriteWindow window;
	int unsent_rows; /* submitted since the loop last turned */
	size_t unsent_bytes;
	ScyllaWriteBatch *batch;  /* rows that are not sent yet */
	ScyllaBatchLimits limits; /* of a batch */
	List *withdrawn;          /* batches whose rows are to be sent again, one by one */
	int sent_again;           /* of the first of them */
	StringInfoData timed;     /* the values of a row with its timeout */
	cql_result *result;       /* while it is looked at */
	bool has_warned;
	bool has_failed;
	cql_error error;            /* the first */
	ScyllaWriteSlot error_slot; /* what it was about; the keys stay, nothing is sent any more */
	ScyllaWriterCounters counters;
};

static dlist_head live_writers = DLIST_STATIC_INIT(live_writers);

/* ---- making and unmaking ---- */

static void
free_result(ScyllaWriter *writer)
{
	if (writer->result != NULL)
		cql_result_free(writer->result);
	writer->result = NULL;
}

static void
reset_writer(void *argument)
{
	ScyllaWriter *writer = argument;

	scylla_write_window_abandon(&writer->window);
	free_result(writer);
	if (writer->progress != NULL)
		scylla_progress_end(writer->progress);
	dlist_delete(&writer->node);
}

ScyllaWriter *
scylla_writer_new(const ScyllaWriterSpec *spec)
{
	ScyllaWriter *writer = palloc0(sizeof(ScyllaWriter));

	writer->context = CurrentMemoryContext;
	writer->window =
		(ScyllaWriteWindow) {.context = CurrentMemoryContext, .max_rows = spec->max_in_flight};
	writer->spec = *spec;
	initStringInfo(&writer->timed);
	writer->throttle = scylla_throttle_get(spec->relid, SCYLLA_THROTTLE_WRITE, spec->rate);
	writer->batch = scylla_write_batch_new();
	/* Rows that are held back anyhow are not to wait for each other. */
	if (writer->throttle == NULL)
		writer->limits.rows = Min(spec->max_in_flight / BATCH_SHARE, SCYLLA_BATCH_MAX_ROWS);
	writer->limits.bytes = spec->session->batch_bytes;
	writer->level = scylla_transaction_level();
	dlist_push_tail(&live_writers, &writer->node);
	writer->callback.func = reset_writer;
	writer->callback.arg = writer;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &writer->callback);
	scylla_session_pin(spec->session, CurrentMemoryContext);
	return writer;
}

/* ---- what has ended ---- */

/* What a conditional statement says of itself in its first column. */
static bool
read_applied(cql_result *result)
{
	cql_cell *cells = palloc(Max(cql_result_column_count(result), 1) * sizeof(cql_cell));
	bool is_applied;

	if (!cql_result_next_row(result, cells) || !cql_read_bool(cells[0], &is_applied))
		ereport(ERROR, (errcode(ERRCODE_PROTOCOL_VIOLATION),
						errmsg("the server did not tell whether the write was applied")));
	pfree(cells);
	return is_applied;
}

static void
note_success(ScyllaWriter *writer, const ScyllaWriteSlot *slot)
{
	bool is_applied = slot->is_applied == NULL || read_applied(writer->result);

	if (is_applied)
		writer->counters.written += slot->rows;
	else
	{
		writer->counters.unapplied += slot->rows;
		scylla_transaction_count(writer->level, -slot->rows);
	}
	if (slot->is_applied != NULL)
		*slot->is_applied = is_applied;
	/* The same words for each of a million rows help nobody. */
	if (!writer->has_warned && cql_result_warning_count(writer->result) > 0)
	{
		writer->has_warned = true;
		scylla_report_warnings(writer->result);
	}
	free_result(writer);
}

static void
note_failure(ScyllaWriter *writer, const cql_error *error, const ScyllaWriteSlot *slot)
{
	bool is_unknown = error->may_be_applied || slot->is_doubtful;

	if (is_unknown)
		writer->counters.unknown += slot->rows;
	else
	{
		writer->counters.refused += slot->rows;
		scylla_transaction_count(writer->level, -slot->rows);
	}
	if (writer->has_failed)
		return;
	writer->has_failed = true;
	writer->error = *error;
	writer->error.may_be_applied = is_unknown;
	writer->error_slot = *slot;
}

/* Whether a batch is to go again row by row: it may be one row's fault, or only their number's. */
static bool
goes_again(const ScyllaWriter *writer, const ScyllaWriteSlot *slot, const cql_error *error)
{
	if (slot->rows == 1 || error->kind != CQL_ERROR_SERVER || writer->has_failed)
		return false;
	if (error->may_be_applied)
		return slot->is_idempotent && writer->spec.session->max_retries > 0;
	return error->server_code == CQL_SERVER_INVALID;
}

/* In the words of both, who have no code of its own for it. */
static bool
is_too_large(const cql_error *error)
{
	return strstr(error->message, "Batch too large") != NULL;
}

/* A refused one as if it had not been sent. If it had too many bytes, fewer may pass. */
static void
withdraw_batch(ScyllaWriter *writer, ScyllaWriteSlot *slot, const cql_error *error)
{
	MemoryContext caller = MemoryContextSwitchTo(writer->context);
	size_t fewer_bytes = Max(slot->values_len / 2, SCYLLA_BATCH_MIN_BYTES);

	if (error->may_be_applied)
		scylla_write_batch_doubt(slot->batch);
	else
	{
		writer->counters.sent -= slot->rows;
		scylla_transaction_count(writer->level, -slot->rows);
		if (is_too_large(error))
			writer->limits.bytes = Min(writer->limits.bytes, fewer_bytes);
	}
	writer->withdrawn = lappend(writer->withdrawn, slot->batch);
	slot->batch = NULL;
	MemoryContextSwitchTo(caller);
}

/* Take one that is done out of the window. */
static void
settle_slot(ScyllaWriter *writer, int index)
{
	ScyllaWriteSlot *slot = scylla_write_window_take(&writer->window, index);
	cql_status status;
	cql_error error;

	status = cql_request_take_result(slot->request, &writer->result, &error);
	cql_request_free(slot->request);
	slot->request = NULL;
	if (status == CQL_OK)
		note_success(writer, slot);
	else if (goes_again(writer, slot, &error))
		withdraw_batch(writer, slot, &error);
	else
		note_failure(writer, &error, slot);
}

static void
settle_done(ScyllaWriter *writer)
{
	for (int i = writer->window.in_flight - 1; i >= 0; i--)
		if (cql_request_is_done(writer->window.slots[i].request))
			settle_slot(writer, i);
}

/* ---- telling others ---- */

static void
show_progress(const ScyllaWriter *writer)
{
	const ScyllaWriterCounters *counters = &writer->counters;
	ScyllaProgress progress = {
		.sent = counters->sent,
		.acknowledged = counters->written + counters->unapplied,
		.failed = counters->unknown + counters->refused,
		.bytes = counters->bytes,
	};

	if (writer->progress != NULL)
		scylla_progress_update(writer->progress, &progress);
}

/* ---- waiting ---- */

static void
wait_until(ScyllaWriter *writer, ScyllaWaitTest is_reached)
{
	uint64 waited_us = scylla_wait_total_us();

	scylla_wait_until(is_reached, writer, SCYLLA_GATHER_WRITES);
	writer->counters.wait_us += scylla_wait_total_us() - waited_us;
	writer->unsent_rows = 0;
	writer->unsent_bytes = 0;
	show_progress(writer);
}

static bool
is_drained(void *argument)
{
	ScyllaWriter *writer = argument;

	settle_done(writer);
	return writer->window.in_flight == 0;
}

static bool
has_room(void *argument)
{
	ScyllaWriter *writer = argument;

	settle_done(writer);
	return scylla_write_window_has_room(&writer->window);
}

/* ---- failing ---- */

static char *
describe_others(const ScyllaWriterCounters *counters)
{
	if (counters->sent <= 1)
		return NULL;
	return psprintf("Of the " UINT64_FORMAT " rows that the statement has sent, " UINT64_FORMAT
					" were written, " UINT64_FORMAT " may have been, and " UINT64_FORMAT
					" were not.",
					counters->sent, counters->written, counters->unknown,
					counters->refused + counters->unapplied);
}

static char *
describe_rows(const ScyllaWriter *writer)
{
	const ScyllaWriterSpec *spec = &writer->spec;
	const ScyllaWriteSlot *slot = &writer->error_slot;
	ScyllaWrite first;
	ScyllaWrite last;

	if (slot->rows == 1)
		return spec->describe_key(spec->describe_argument, slot->key, slot->key_len);
	first = scylla_write_batch_row(slot->batch, 0);
	last = scylla_write_batch_row(slot->batch, slot->rows - 1);
	return psprintf("%s to %s (%d rows in a batch)",
					spec->describe_key(spec->describe_argument, first.key, first.key_len),
					spec->describe_key(spec->describe_argument, last.key, last.key_len),
					slot->rows);
}

static void fail(ScyllaWriter *writer) __attribute__((noreturn));

static void
fail(ScyllaWriter *writer)
{
	const ScyllaWriterSpec *spec = &writer->spec;
	const char *cql = cql_statement_text(writer->error_slot.statement);
	ScyllaReportContext about = {
		.session = spec->session, .relation = spec->relation, .is_write = true};

	wait_until(writer, is_drained);
	about.key = describe_rows(writer);
	about.others = describe_others(&writer->counters);
	about.cql = pg_any_to_server(cql, strlen(cql), PG_UTF8);
	scylla_report(&writer->error, &about);
}

/* ---- submitting ---- */

/* A batch that is in flight is kept as it is, and another one gathers what comes. */
static void
keep_batch(ScyllaWriter *writer, ScyllaWriteSlot *slot)
{
	ScyllaWriteBatch *spare = slot->batch;

	slot->batch = writer->batch;
	writer->batch = spare;
}

/*
 * Conditional writes of one partition compete with each other, and many of them at once make the
 * server give up: one after the other.
 */
static void
wait_for_partition(ScyllaWriter *writer, uint32 partition)
{
	if (scylla_write_window_has_partition(&writer->window, partition))
		wait_until(writer, is_drained);
}

static void
submit_slot(ScyllaWriter *writer, ScyllaWriteSlot *slot, const cql_request_spec *request)
{
	cql_error error;
	cql_status status;

	while ((status = cql_request_submit(writer->spec.session->cql, request, &slot->request,
										&error)) == CQL_BUSY)
		scylla_wait_room(writer->spec.session->cql);
	if (slot->rows > 1)
		keep_batch(writer, slot);
	if (!slot->is_doubtful)
	{
		writer->counters.sent += slot->rows;
		scylla_transaction_count(writer->level, slot->rows);
	}
	if (status != CQL_OK)
	{
		note_failure(writer, &error, slot);
		return;
	}
	scylla_write_window_add(&writer->window);
	writer->counters.bytes += slot->values_len;
}

/* What was submitted leaves at a turn of the loop, and the server is not to wait for the window. */
static void
turn_now_and_then(ScyllaWriter *writer)
{
	if (writer->unsent_rows < TURN_ROWS && writer->unsent_bytes < TURN_BYTES)
		return;
	CHECK_FOR_INTERRUPTS();
	scylla_wait_nothing();
	settle_done(writer);
	writer->unsent_rows = 0;
	writer->unsent_bytes = 0;
	/* Of a few rows nobody sees how far they are. */
	if (!writer->is_shown)
		writer->progress = scylla_progress_begin(writer->spec.relid);
	writer->is_shown = true;
	show_progress(writer);
}

/* As late as possible, for rows wait before they are sent. */
static void
add_timeout(ScyllaWriter *writer, ScyllaTimeoutPlace place, cql_request_spec *request)
{
	StringInfo timed = &writer->timed;
	char timeout[SCYLLA_TIMEOUT_MAX_LEN];
	int len;

	if (place == SCYLLA_TIMEOUT_NONE)
		return;
	len = (int) scylla_write_timeout(writer->spec.session, timeout);
	resetStringInfo(timed);
	if (place == SCYLLA_TIMEOUT_FIRST)
		appendBinaryStringInfo(timed, timeout, len);
	appendBinaryStringInfo(timed, request->values, (int) request->values_len);
	if (place == SCYLLA_TIMEOUT_LAST)
		appendBinaryStringInfo(timed, timeout, len);
	request->values = timed->data;
	request->values_len = timed->len;
	request->value_count++;
}

/* Not after a failure: what the statement has not sent then, it does not send any more. */
static void
send_write(ScyllaWriter *writer, const ScyllaWrite *write)
{
	cql_request_spec request = {
		.statement = write->statement,
		.values = write->values,
		.values_len = write->values_len,
		.value_count = write->value_count,
		.more_rows = write->more_rows,
		.consistency = (cql_consistency) writer->spec.consistency,
		.serial_consistency =
			(cql_consistency) (write->is_applied != NULL ? writer->spec.serial_consistency : 0),
		.has_timestamp = write->has_timestamp,
		.timestamp_us = write->timestamp_us,
		.routing_key = write->routing_key,
		.routing_key_len = write->routing_key_len,
		.is_idempotent = write->is_idempotent,
	};
	uint32 partition = 0;
	ScyllaWriteSlot *slot;

	if (scylla_write_window_is_full(&writer->window, write))
		wait_until(writer, has_room);
	if (write->is_applied != NULL)
	{
		partition =
			hash_bytes((const unsigned char *) write->routing_key, (int) write->routing_key_len);
		wait_for_partition(writer, partition);
	}
	if (writer->has_failed)
	{
		writer->counters.unknown += write->is_doubtful ? 1 : 0;
		return;
	}
	slot = scylla_write_window_reserve(&writer->window, write);
	slot->partition = partition;
	add_timeout(writer, write->timeout, &request);
	submit_slot(writer, slot, &request);
	writer->unsent_rows += 1 + write->more_rows;
	writer->unsent_bytes += write->values_len;
}

static void
send_batch(ScyllaWriter *writer)
{
	ScyllaWrite write;

	if (scylla_write_batch_count(writer->batch) == 0)
		return;
	write = scylla_write_batch_all(writer->batch);
	send_write(writer, &write);
	scylla_write_batch_clear(writer->batch);
	turn_now_and_then(writer);
}

static void
send_withdrawn(ScyllaWriter *writer)
{
	while (writer->withdrawn != NIL)
	{
		ScyllaWriteBatch *batch = linitial(writer->withdrawn);

		while (writer->sent_again < scylla_write_batch_count(batch))
		{
			ScyllaWrite write = scylla_write_batch_row(batch, writer->sent_again);

			send_write(writer, &write);
			writer->sent_again++;
			turn_now_and_then(writer);
		}
		writer->withdrawn = list_delete_first(writer->withdrawn);
		writer->sent_again = 0;
		scylla_write_batch_free(batch);
	}
}

void
scylla_writer_submit(ScyllaWriter *writer, const ScyllaWrite *write)
{
	scylla_throttle(writer->throttle, 1);
	if (!scylla_write_batch_takes(writer->batch, write, &writer->limits))
		send_batch(writer);
	if (scylla_write_batch_takes(writer->batch, write, &writer->limits))
		scylla_write_batch_add(writer->batch, write);
	else
	{
		send_write(writer, write);
		turn_now_and_then(writer);
	}
	send_withdrawn(writer);
	if (writer->has_failed)
		fail(writer);
}

/* ---- waiting for all ---- */

static void
settle_all(ScyllaWriter *writer)
{
	send_batch(writer);
	do
	{
		send_withdrawn(writer);
		wait_until(writer, is_drained);
	} while (writer->withdrawn != NIL);
}

void
scylla_writer_drain(ScyllaWriter *writer)
{
	ScyllaSession *session = writer->spec.session;

	settle_all(writer);
	if (writer->has_failed)
		fail(writer);
	/* What the servers do not take now they will not take later. */
	session->batch_bytes = Min(session->batch_bytes, writer->limits.bytes);
}

void
scylla_writers_settle(const void *owner)
{
	dlist_iter iter;

	dlist_foreach (iter, &live_writers)
	{
		ScyllaWriter *writer = dlist_container(ScyllaWriter, node, iter.cur);

		if (owner == NULL || writer->spec.owner != owner)
			settle_all(writer);
	}
}

const ScyllaWriterCounters *
scylla_writer_counters(const ScyllaWriter *writer)
{
	return &writer->counters;
}
