/*
 * Stream ids: three flat arrays that grow together and a stack of free ids, so that taking and
 * releasing one is a few instructions and the most recently used (warm) slot comes first.
 */
#include "cql/conn/streams.h"

#include <string.h>

#include "cql/mem.h"

#define FIRST_CAPACITY 128

void
cql_streams_init(cql_streams *streams)
{
	memset(streams, 0, sizeof *streams);
}

void
cql_streams_cleanup(cql_streams *streams)
{
	cql_release(streams->exchanges);
	cql_release(streams->states);
	cql_release(streams->free_ids);
	cql_streams_init(streams);
}

/* The arrays grow one by one: one that grew before another failed is merely larger than told. */
static bool
grow(cql_streams *streams)
{
	uint32_t capacity = streams->capacity == 0 ? FIRST_CAPACITY : streams->capacity * 2;
	cql_exchange **exchanges;
	uint8_t *states;
	int16_t *free_ids;

	if (streams->capacity >= CQL_STREAMS_MAX)
		return false;
	exchanges = cql_resize(streams->exchanges, capacity * sizeof *exchanges);
	if (exchanges == NULL)
		return false;
	streams->exchanges = exchanges;
	states = cql_resize(streams->states, capacity * sizeof *states);
	if (states == NULL)
		return false;
	streams->states = states;
	free_ids = cql_resize(streams->free_ids, capacity * sizeof *free_ids);
	if (free_ids == NULL)
		return false;
	streams->free_ids = free_ids;

	for (uint32_t id = capacity; id > streams->capacity; id--)
	{
		exchanges[id - 1] = NULL;
		states[id - 1] = CQL_STREAM_FREE;
		free_ids[streams->free_count++] = (int16_t) (id - 1);
	}
	streams->capacity = capacity;
	return true;
}

int
cql_streams_take(cql_streams *streams, cql_exchange *exchange)
{
	int id;

	if (streams->free_count == 0 && !grow(streams))
		return -1;
	id = streams->free_ids[--streams->free_count];
	streams->exchanges[id] = exchange;
	streams->states[id] = CQL_STREAM_TAKEN;
	return id;
}

cql_stream_state
cql_streams_state(const cql_streams *streams, int id)
{
	if (id < 0 || (uint32_t) id >= streams->capacity)
		return CQL_STREAM_FREE;
	return (cql_stream_state) streams->states[id];
}

cql_exchange *
cql_streams_exchange(const cql_streams *streams, int id)
{
	if (id < 0 || (uint32_t) id >= streams->capacity)
		return NULL;
	return streams->exchanges[id];
}

void
cql_streams_orphan(cql_streams *streams, int id)
{
	streams->exchanges[id] = NULL;
	streams->states[id] = CQL_STREAM_ORPHAN;
	streams->orphan_count++;
}

void
cql_streams_release(cql_streams *streams, int id)
{
	if (streams->states[id] == CQL_STREAM_ORPHAN)
		streams->orphan_count--;
	streams->exchanges[id] = NULL;
	streams->states[id] = CQL_STREAM_FREE;
	streams->free_ids[streams->free_count++] = (int16_t) id;
}

uint32_t
cql_streams_in_flight(const cql_streams *streams)
{
	return streams->capacity - streams->free_count - streams->orphan_count;
}
