/*
 * Pieces of the ring. A piece is a part of the tokens, all of one length: a partitioner spreads
 * keys evenly, so that they hold about as many rows.
 */
#include "postgres.h"

#include <math.h>

#include "plan/deparse.h"
#include "plan/order.h"
#include "plan/ring.h"

/* So many rows a coordinator goes through for one answer: far from any timeout, and enough pieces
 * of a large table to keep all nodes at work. */
#define ROWS_OF_PIECE 20000.0
#define MAX_PIECES 4096

/* The part of a page that a piece fills on average, so that most are one page. */
#define PAGE_FILL 0.9

/* A table of so many pages is not worth more than one request at a time. */
#define WHOLE_PAGES 2.0

/* Bytes after which ScyllaDB ends a page, however few rows it has. */
#define MAX_PAGE_BYTES (1024.0 * 1024.0)

int
scylla_ring_scan_pieces(const ScyllaSizes *sizes, const ScyllaScanLoad *load)
{
	double pages = Max(load->fetched_rows / load->options->fetch_size,
					   load->fetched_rows * load->width / MAX_PAGE_BYTES);
	double pieces = Max(pages / PAGE_FILL, load->read_rows / ROWS_OF_PIECE);

	if (sizes->is_guess || (pages <= WHOLE_PAGES && pieces <= WHOLE_PAGES))
		return 0;
	return (int) Min(ceil(pieces), MAX_PIECES);
}

int
scylla_ring_aggregate_pieces(const ScyllaSizes *sizes)
{
	return (int) Min(ceil(sizes->rows / ROWS_OF_PIECE), MAX_PIECES);
}

void
scylla_ring_divide(const ScyllaTable *table, ScyllaScanArm *arm, int pieces)
{
	ScyllaScanCondition *condition = scylla_order_add_condition(arm);

	condition->form = SCYLLA_FORM_RING_PIECE;
	condition->op = SCYLLA_OP_EQUAL;
	condition->marker_count = 2;
	condition->markers = palloc0(2 * sizeof(ScyllaScanMarker));
	for (int i = 0; i < 2; i++)
	{
		condition->markers[i].name = scylla_deparse_token(table);
		condition->markers[i].type_text = pstrdup("bigint");
		condition->markers[i].bind = -1;
	}
	arm->ring_pieces = pieces;
}
