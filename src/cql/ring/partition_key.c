/*
 * Partition keys as they are hashed: a single column's bytes as they are, several columns in the
 * form of Cassandra's CompositeType, each as [short] length, bytes and a zero byte.
 */
#include <string.h>

#include "cql/cql_value.h"
#include "cql/ring/murmur3.h"

/* Of a component, and of the whole: both are written down as a [short]. */
#define MAX_LEN UINT16_MAX
#define COMPONENT_OVERHEAD 3

bool
cql_key_measure(const cql_cell *components, int count, size_t *len)
{
	size_t sum = 0;

	for (int i = 0; i < count; i++)
	{
		if (components[i].len < 0 || components[i].len > MAX_LEN)
			return false;
		sum += (size_t) components[i].len + (count > 1 ? COMPONENT_OVERHEAD : 0);
	}
	if (sum > MAX_LEN)
		return false;
	*len = sum;
	return true;
}

static uint8_t *
append(uint8_t *out, const void *bytes, size_t len)
{
	if (len > 0)
		memcpy(out, bytes, len);
	return out + len;
}

void
cql_key_write(const cql_cell *components, int count, uint8_t *out)
{
	for (int i = 0; i < count; i++)
	{
		size_t len = (size_t) components[i].len;

		if (count == 1)
		{
			append(out, components[i].data, len);
			return;
		}
		cql_put_u16(out, (uint16_t) len);
		out = append(out + 2, components[i].data, len);
		*out++ = 0;
	}
}

int64_t
cql_key_token(const uint8_t *key, size_t len)
{
	int64_t hash;

	/* Both servers give the empty key the ring's first place, which no other key has. */
	if (len == 0)
		return INT64_MIN;
	hash = cql_murmur3(key, len);
	return hash == INT64_MIN ? INT64_MAX : hash;
}

int64_t
cql_stream_token(const uint8_t *id, size_t len)
{
	return len < sizeof(int64_t) ? INT64_MIN : (int64_t) cql_get_u64(id);
}
