/*
 * Probes: the cross product of the values that an arm's conditions take. Its combinations are
 * numbered like an odometer whose last wheel turns fastest, so that one partition's probes follow
 * each other.
 */
#include "postgres.h"

#include "exec/probe.h"

ScyllaProbes *
scylla_probes_new(const ScyllaScanArm *arm)
{
	ScyllaProbes *probes = palloc0(sizeof(ScyllaProbes));

	if (arm->condition_count > SCYLLA_MAX_CONDITIONS)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("more than %d conditions for one remote statement",
							   SCYLLA_MAX_CONDITIONS)));
	probes->arm = arm;
	probes->at = palloc0(Max(arm->condition_count, 1) * sizeof(int));
	initStringInfo(&probes->bytes);
	initStringInfo(&probes->key);
	return probes;
}

/*
 * The conditions behind the partition key's that are asked for. CQL takes a clustering column only
 * where all those before it are bound: so where one is left out, the rest is, too.
 */
static int
count_within_cap(const ScyllaProbes *probes, const ScyllaConditionValues *values)
{
	const ScyllaScanArm *arm = probes->arm;
	double product = 1;

	/* An index is asked by the condition on its column, wherever that stands. */
	if (arm->access == SCYLLA_ACCESS_INDEX || probes->is_complete)
		return arm->condition_count;
	for (int i = arm->partition_conditions; i < arm->condition_count; i++)
	{
		product *= Max(values[i].choice_count, 1);
		if (product > SCYLLA_MAX_PROBES_OF_PARTITION)
			return i;
	}
	return arm->condition_count;
}

/*
 * A view can have no partition of an empty key, or one too long, though the table has such values in
 * that column; and an equality with a value that CQL refuses is not sent.
 */
static bool
is_beyond_view(const ScyllaProbes *probes, const ScyllaConditionValues *values)
{
	const ScyllaScanArm *arm = probes->arm;
	int shortest = 0;
	int longest = 0;

	if (arm->access != SCYLLA_ACCESS_VIEW)
		return false;
	for (int i = 0; i < arm->condition_count; i++)
	{
		int least = INT_MAX;
		int greatest = 0;

		if (scylla_operator_is_range(arm->conditions[i].op))
			continue;
		if (values[i].verdict != SCYLLA_VERDICT_SEND)
			return true;
		if (i >= arm->partition_conditions)
			continue;
		for (int j = 0; j < values[i].choice_count; j++)
		{
			least = Min(least, values[i].choices[j].len);
			greatest = Max(greatest, values[i].choices[j].len);
		}
		shortest += least;
		longest += greatest;
	}
	return !scylla_bound_is_partition(shortest, arm->partition_conditions) ||
		   !scylla_bound_is_partition(longest, arm->partition_conditions);
}

static bool
is_ring_piece(const ScyllaProbes *probes, int condition)
{
	return probes->arm->conditions[condition].form == SCYLLA_FORM_RING_PIECE;
}

static int
count_choices(const ScyllaProbes *probes, int condition)
{
	return is_ring_piece(probes, condition) ? probes->ring.count
											: probes->values[condition].choice_count;
}

void
scylla_probes_open(ScyllaProbes *probes, const ScyllaConditionValues *values)
{
	const ScyllaScanArm *arm = probes->arm;
	int sent;

	probes->values = values;
	probes->skipped = 0;
	probes->needs_recheck = false;
	probes->limit = 0;
	probes->count = values != NULL ? 1 : 0;
	probes->next = 0;
	if (values == NULL)
		return;
	probes->is_without_view = is_beyond_view(probes, values);
	sent = probes->is_without_view ? 0 : count_within_cap(probes, values);
	probes->needs_recheck = sent < arm->condition_count;
	for (int i = 0; i < arm->condition_count; i++)
	{
		probes->at[i] = 0;
		probes->needs_recheck |= values[i].needs_recheck;
		if (i >= sent || values[i].verdict != SCYLLA_VERDICT_SEND)
			probes->skipped |= UINT64CONST(1) << i;
		else
			probes->count *= count_choices(probes, i);
	}
}

/* Turn to the next combination; false: that was the last. */
static bool
turn(ScyllaProbes *probes)
{
	uint64 number =
		probes->shared != NULL ? pg_atomic_fetch_add_u64(probes->shared, 1) : probes->next++;

	if ((double) number >= probes->count)
		return false;
	for (int i = probes->arm->condition_count - 1; i >= 0; i--)
	{
		uint64 choices;

		if (scylla_is_skipped(probes->skipped, i))
			continue;
		choices = (uint64) count_choices(probes, i);
		probes->at[i] = (int) (number % choices);
		number /= choices;
	}
	return true;
}

/* The routing key of the combination at hand; false: no partition can have it. */
static bool
make_key(ScyllaProbes *probes, ScyllaCursorInput *input)
{
	int count = probes->arm->partition_conditions;
	cql_cell parts[SCYLLA_MAX_CONDITIONS];
	size_t len;

	if (count == 0 || probes->is_without_view)
		return true;
	resetStringInfo(&probes->bytes);
	for (int i = 0; i < count; i++)
	{
		const ScyllaChoice *choice = &probes->values[i].choices[probes->at[i]];

		appendBinaryStringInfo(&probes->bytes, choice->data, choice->len);
		parts[i].data = (const uint8_t *) choice->data + CQL_VALUE_HEADER_BYTES;
		parts[i].len = choice->len - CQL_VALUE_HEADER_BYTES;
	}
	if (!scylla_bound_is_partition(probes->bytes.len, count))
		return false;
	if (!cql_key_measure(parts, count, &len))
		return true;
	resetStringInfo(&probes->key);
	enlargeStringInfo(&probes->key, (int) len);
	cql_key_write(parts, count, (uint8_t *) probes->key.data);
	input->routing_key = probes->key.data;
	input->routing_key_len = len;
	return true;
}

static void
append_limit(ScyllaProbes *probes, ScyllaCursorInput *input)
{
	uint8_t value[CQL_VALUE_HEADER_BYTES + sizeof(int32)];

	cql_put_u32(value, sizeof(int32));
	cql_put_u32(value + CQL_VALUE_HEADER_BYTES, (uint32) probes->limit);
	appendBinaryStringInfo(&probes->bytes, (const char *) value, sizeof(value));
	input->value_count++;
}

/* The bounds of a piece of the ring, and where it is. */
static void
append_piece(ScyllaProbes *probes, const cql_ring_piece *piece, ScyllaCursorInput *input)
{
	uint8_t values[2 * (CQL_VALUE_HEADER_BYTES + sizeof(int64))];
	uint8_t *end = values + CQL_VALUE_HEADER_BYTES + sizeof(int64);

	cql_put_u32(values, sizeof(int64));
	cql_put_u64(values + CQL_VALUE_HEADER_BYTES, (uint64) piece->range.start);
	cql_put_u32(end, sizeof(int64));
	cql_put_u64(end + CQL_VALUE_HEADER_BYTES, (uint64) piece->range.end);
	appendBinaryStringInfo(&probes->bytes, (const char *) values, sizeof(values));
	input->has_token_range = true;
	input->token_range = piece->range;
	input->replica = piece->replica;
}

static void
make_values(ScyllaProbes *probes, ScyllaCursorInput *input)
{
	resetStringInfo(&probes->bytes);
	for (int i = 0; i < probes->arm->condition_count; i++)
	{
		const ScyllaChoice *choice;

		if (scylla_is_skipped(probes->skipped, i))
			continue;
		input->value_count += probes->arm->conditions[i].marker_count;
		if (is_ring_piece(probes, i))
		{
			append_piece(probes, &probes->ring.pieces[probes->at[i]], input);
			continue;
		}
		choice = &probes->values[i].choices[probes->at[i]];
		appendBinaryStringInfo(&probes->bytes, choice->data, choice->len);
	}
	if (probes->limit > 0)
		append_limit(probes, input);
	input->values = probes->bytes.data;
	input->values_len = (size_t) probes->bytes.len;
}

bool
scylla_probes_next(ScyllaProbes *probes, ScyllaCursorInput *input)
{
	while (turn(probes))
	{
		memset(input, 0, sizeof(*input));
		if (!make_key(probes, input))
			continue;
		make_values(probes, input);
		return true;
	}
	return false;
}

/* ---- NULL in a range ---- */

/* Whether a condition that is sent keeps out what reads as NULL in the column. */
static bool
has_bound_above_empty(const ScyllaProbes *probes, const char *column)
{
	for (int i = 0; i < probes->arm->condition_count; i++)
		if (!scylla_is_skipped(probes->skipped, i) && probes->values[i].excludes_empty &&
			strcmp(probes->arm->conditions[i].markers[0].name, column) == 0)
			return true;
	return false;
}

bool
scylla_probes_may_read_null(const ScyllaProbes *probes)
{
	const ScyllaScanArm *arm = probes->arm;

	for (int i = 0; i < arm->condition_count; i++)
	{
		const ScyllaScanCondition *condition = &arm->conditions[i];

		if (scylla_operator_is_range(condition->op) && !scylla_condition_is_of_token(condition) &&
			!has_bound_above_empty(probes, condition->markers[0].name))
			return true;
	}
	return false;
}
