/*
 * The probes of an arm: a probe is one run of the arm's statement, with one combination of the
 * values that its conditions take. They are made one at a time, so nothing grows with their number.
 */
#ifndef SCYLLA_PROBE_H
#define SCYLLA_PROBE_H

#include "postgres.h"

#include "port/atomics.h"

#include "bridge/cursor.h"
#include "exec/params.h"
#include "plan/scan_plan.h"

/* So many combinations of clustering values are asked for in one partition; above that, IN of the
 * last columns is left to the recheck. */
#define SCYLLA_MAX_PROBES_OF_PARTITION 10000

/* The whole ring, every token once. */
typedef struct ScyllaRing
{
	const cql_ring_piece *pieces;
	int count;
} ScyllaRing;

typedef struct ScyllaProbes
{
	const ScyllaScanArm *arm;
	const ScyllaConditionValues *values;
	uint64 skipped;       /* for the CQL text: conditions that are not sent */
	bool needs_recheck;   /* some of those are not true of every row */
	bool is_without_view; /* the table is scanned, for the arm's view cannot have the rows */
	bool is_complete;     /* all conditions are sent, however many combinations that makes */
	double count;         /* so many probes there will be, at most */
	int32 limit;     /* bound as the statement's LIMIT; 0: it has none. To be set after open() */
	uint64 next;     /* number of the next combination */
	ScyllaRing ring; /* of an arm that asks for its pieces. To be set before open() */
	/* That number where others take some of them, too; or NULL. Likewise. */
	pg_atomic_uint64 *shared;
	int *at; /* which choice of each condition */
	StringInfoData bytes;
	StringInfoData key;
} ScyllaProbes;

/* In CurrentMemoryContext. */
extern ScyllaProbes *scylla_probes_new(const ScyllaScanArm *arm);

/* Begin with the arm's values, which are borrowed; NULL: no row can match. */
extern void scylla_probes_open(ScyllaProbes *probes, const ScyllaConditionValues *values);

/* The input of the next probe, valid until the next call; false: there are no more. Partition keys
 * that no partition can have are passed over. */
extern bool scylla_probes_next(ScyllaProbes *probes, ScyllaCursorInput *input);

/* Whether rows may come whose column of a range reads as NULL, so that they are none of the result. */
extern bool scylla_probes_may_read_null(const ScyllaProbes *probes);

static inline bool
scylla_condition_is_of_token(const ScyllaScanCondition *condition)
{
	return condition->form == SCYLLA_FORM_TOKEN || condition->form == SCYLLA_FORM_RING_PIECE;
}

#endif /* SCYLLA_PROBE_H */
