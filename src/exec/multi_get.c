/*
 * The values of a shared request are those of its probes, which are the same but for the last, and
 * a list of the last ones, whose elements are encoded as values are.
 */
#include "postgres.h"

#include "exec/multi_get.h"

/* As many as servers take even where their guardrails are narrow; and each reader looks
 * through all rows of the page. */
#define MAX_PROBES 25
/* Before a value, an element of a list, and the elements: how long, and of a list how many. */
#define LENGTH_BYTES 4

struct ScyllaMultiGet
{
	const ScyllaVariant *single; /* the text of one probe alone */
	ScyllaVariant *shared;
	int max_probes;
	/* what was added */
	int count;
	StringInfoData same; /* all values but the last */
	StringInfoData key;
	StringInfoData elements;
	/* what was taken */
	StringInfoData values;
	int value_count;
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
	multi->max_probes = Min(MAX_PROBES, setup->plan->fetch_size);
	initStringInfo(&multi->same);
	initStringInfo(&multi->key);
	initStringInfo(&multi->elements);
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
scylla_multi_get_has_room(const ScyllaMultiGet *multi, const ScyllaProbe *probe)
{
	int same_len = measure_same(&probe->input);

	return multi->count == 0 || (multi->count < multi->max_probes && multi->same.len == same_len &&
								 memcmp(multi->same.data, probe->input.values, same_len) == 0);
}

static void
copy_first(ScyllaMultiGet *multi, const ScyllaCursorInput *input)
{
	resetStringInfo(&multi->same);
	appendBinaryStringInfo(&multi->same, input->values, measure_same(input));
	resetStringInfo(&multi->key);
	appendBinaryStringInfo(&multi->key, input->routing_key, (int) input->routing_key_len);
	resetStringInfo(&multi->elements);
	multi->value_count = input->value_count;
}

void
scylla_multi_get_add(ScyllaMultiGet *multi, const ScyllaProbe *probe)
{
	const ScyllaCursorInput *input = &probe->input;
	int same_len = measure_same(input);

	if (multi->count == 0)
		copy_first(multi, input);
	appendBinaryStringInfo(&multi->elements, input->values + same_len,
						   (int) input->values_len - same_len);
	multi->count++;
}

ScyllaProbe
scylla_multi_get_take(ScyllaMultiGet *multi)
{
	ScyllaProbe probe = {.variant = multi->shared};
	uint8_t header[2 * LENGTH_BYTES];

	cql_put_u32(header, (uint32) multi->elements.len + LENGTH_BYTES);
	cql_put_u32(header + LENGTH_BYTES, (uint32) multi->count);
	resetStringInfo(&multi->values);
	appendBinaryStringInfo(&multi->values, multi->same.data, multi->same.len);
	appendBinaryStringInfo(&multi->values, (const char *) header, sizeof(header));
	appendBinaryStringInfo(&multi->values, multi->elements.data, multi->elements.len);
	probe.input.values = multi->values.data;
	probe.input.values_len = (size_t) multi->values.len;
	probe.input.value_count = multi->value_count;
	probe.input.routing_key = multi->key.data;
	probe.input.routing_key_len = (size_t) multi->key.len;
	multi->count = 0;
	return probe;
}
