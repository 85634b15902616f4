/*
 * The values of a shared request are those of its probes, which are the same but for the last, and
 * a list of the last ones, whose elements are encoded as values are.
 */
#include "postgres.h"

#include "exec/multi_get.h"

/* Before a value, an element of a list, and the elements: how long, and of a list how many. */
#define LENGTH_BYTES 4

struct ScyllaMultiGet
{
	const ScyllaVariant *single; /* the text of one probe alone */
	ScyllaVariant *shared;
	int max_probes;
	StringInfoData values; /* of the request that was made last */
};

const ScyllaScanArm *
scylla_multi_get_arm(const ScyllaScanArm *arm)
{
	ScyllaScanArm *shared = palloc(sizeof(ScyllaScanArm));
	size_t size = arm->condition_count * sizeof(ScyllaScanCondition);

	*shared = *arm;
	shared->conditions = palloc(size);
	memcpy(shared->conditions, arm->conditions, size);
	shared->conditions[arm->condition_count - 1].op = SCYLLA_OP_IN;
	shared->conditions[arm->condition_count - 1].is_list = true;
	return shared;
}

ScyllaMultiGet *
scylla_multi_get_new(ScyllaScanSetup *setup)
{
	ScyllaMultiGet *multi;

	if (setup->plan->shared_column < 0)
		return NULL;
	multi = palloc0(sizeof(ScyllaMultiGet));
	multi->single = scylla_setup_variant(setup, setup->arms[0].arm, 0);
	multi->shared = scylla_setup_variant(setup, setup->arms[0].shared, 0);
	/* All rows on one page: only that can be read again and again. */
	multi->max_probes = Min(SCYLLA_MULTI_GET_MAX, setup->plan->fetch_size);
	initStringInfo(&multi->values);
	return multi;
}

cql_cell
scylla_multi_get_cell(const ScyllaCursorInput *input)
{
	const uint8_t *at = (const uint8_t *) input->values;

	/* No value of a key is NULL, so that all have bytes. */
	for (int i = 1; i < input->value_count; i++)
		at += LENGTH_BYTES + cql_get_u32(at);
	return (cql_cell) {.data = at + LENGTH_BYTES, .len = (int32) cql_get_u32(at)};
}

/* How long the values are that stand before that cell. */
static int
measure_same(const ScyllaCursorInput *input)
{
	cql_cell cell = scylla_multi_get_cell(input);

	return (int) ((const char *) cell.data - input->values) - LENGTH_BYTES;
}

bool
scylla_multi_get_is_for(const ScyllaMultiGet *multi, const ScyllaProbe *probe)
{
	return probe->variant == multi->single && probe->input.routing_key != NULL;
}

bool
scylla_multi_get_can_join(const ScyllaMultiGet *multi, const ScyllaProbe *probe,
						  const ScyllaProbe *first, int count)
{
	int same_len = measure_same(&first->input);

	return count < multi->max_probes && measure_same(&probe->input) == same_len &&
		   memcmp(first->input.values, probe->input.values, same_len) == 0;
}

ScyllaProbe
scylla_multi_get_join(ScyllaMultiGet *multi, const ScyllaProbe *const *probes, int count)
{
	ScyllaProbe joined = {.variant = multi->shared, .input = probes[0]->input};
	int same_len = measure_same(&joined.input);
	uint8_t header[2 * LENGTH_BYTES] = {0};

	resetStringInfo(&multi->values);
	appendBinaryStringInfo(&multi->values, joined.input.values, same_len);
	appendBinaryStringInfo(&multi->values, (const char *) header, sizeof(header));
	for (int i = 0; i < count; i++)
		appendBinaryStringInfo(&multi->values, probes[i]->input.values + same_len,
							   (int) probes[i]->input.values_len - same_len);
	cql_put_u32(header, (uint32) (multi->values.len - same_len - LENGTH_BYTES));
	cql_put_u32(header + LENGTH_BYTES, (uint32) count);
	memcpy(multi->values.data + same_len, header, sizeof(header));
	joined.input.values = multi->values.data;
	joined.input.values_len = (size_t) multi->values.len;
	return joined;
}
