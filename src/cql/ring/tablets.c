/*
 * Tablets as parallel arrays, so that a search touches the ends alone. All tablets of a table
 * have room for as many replicas as the one with most.
 */
#include "cql/ring/tablets.h"

#include <string.h>

#include "cql/mem.h"

#define FIRST_CAPACITY 16
#define MAX_CAPACITY ((size_t) 1 << 20)

void
cql_tablets_init(cql_tablets *tablets)
{
	memset(tablets, 0, sizeof *tablets);
}

void
cql_tablets_cleanup(cql_tablets *tablets)
{
	cql_release(tablets->firsts);
	cql_release(tablets->lasts);
	cql_release(tablets->replicas);
	cql_tablets_init(tablets);
}

size_t
cql_tablets_byte_count(const cql_tablets *tablets)
{
	return sizeof *tablets +
		   tablets->capacity * (sizeof *tablets->firsts + sizeof *tablets->lasts +
								(size_t) tablets->width * sizeof *tablets->replicas);
}

/* Where a token's tablet is if all are known and of one width, as ScyllaDB makes them. */
static size_t
guess_place(const cql_tablets *tablets, int64_t token)
{
	uint64_t behind_first = (uint64_t) token - (uint64_t) INT64_MIN - 1;

	return (size_t) (((unsigned __int128) behind_first * tablets->count) >> 64);
}

/* Index of the first tablet whose last token is not below a token; count if there is none. */
static size_t
find_place(const cql_tablets *tablets, int64_t token)
{
	size_t low = 0;
	size_t high = tablets->count;
	size_t guess = guess_place(tablets, token);

	if (guess < high && tablets->firsts[guess] < token && token <= tablets->lasts[guess])
		return guess;

	while (low < high)
	{
		size_t middle = low + (high - low) / 2;

		if (tablets->lasts[middle] < token)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static cql_tablet_replica *
replicas_at(const cql_tablets *tablets, size_t at)
{
	return tablets->replicas + at * (size_t) tablets->width;
}

/* A block as large as needed is made first, and what was there moves in; nothing is half done. */
static bool
widen(cql_tablets *tablets, int width)
{
	cql_tablet_replica *wider = cql_alloc(tablets->capacity * (size_t) width * sizeof *wider);

	if (wider == NULL)
		return false;
	for (size_t i = 0; i < tablets->count; i++)
	{
		cql_tablet_replica *row = wider + i * (size_t) width;

		for (int j = 0; j < width; j++)
			row[j] = j < tablets->width ? replicas_at(tablets, i)[j]
										: (cql_tablet_replica) {.node = CQL_NO_ID};
	}
	cql_release(tablets->replicas);
	tablets->replicas = wider;
	tablets->width = width;
	return true;
}

static bool
grow(cql_tablets *tablets)
{
	size_t capacity = tablets->capacity == 0 ? FIRST_CAPACITY : tablets->capacity * 2;
	int64_t *firsts;
	int64_t *lasts;
	cql_tablet_replica *replicas;

	if (capacity > MAX_CAPACITY)
		return false;
	/* One that grew before another failed is merely larger than told. */
	firsts = cql_resize(tablets->firsts, capacity * sizeof *firsts);
	if (firsts == NULL)
		return false;
	tablets->firsts = firsts;
	lasts = cql_resize(tablets->lasts, capacity * sizeof *lasts);
	if (lasts == NULL)
		return false;
	tablets->lasts = lasts;
	replicas = cql_resize(tablets->replicas, capacity * (size_t) tablets->width * sizeof *replicas);
	if (replicas == NULL)
		return false;
	tablets->replicas = replicas;
	tablets->capacity = capacity;
	return true;
}

/* Move the tablets from `from` on to `to` on. */
static void
shift(cql_tablets *tablets, size_t from, size_t to)
{
	size_t moved = tablets->count - from;

	if (moved > 0 && from != to)
	{
		memmove(tablets->firsts + to, tablets->firsts + from, moved * sizeof *tablets->firsts);
		memmove(tablets->lasts + to, tablets->lasts + from, moved * sizeof *tablets->lasts);
		memmove(replicas_at(tablets, to), replicas_at(tablets, from),
				moved * (size_t) tablets->width * sizeof *tablets->replicas);
	}
	tablets->count = to + moved;
}

bool
cql_tablets_put(cql_tablets *tablets, cql_token_range range, const cql_tablet_replica *replicas,
				int count)
{
	size_t begin;
	size_t end;

	if (range.start >= range.end)
		return false;
	if (count > CQL_MAX_REPLICAS)
		count = CQL_MAX_REPLICAS;
	if (count > tablets->width && !widen(tablets, count))
		return false;
	/* Those that end behind its start and begin before its end overlap it. */
	begin = find_place(tablets, range.start);
	if (begin < tablets->count && tablets->lasts[begin] == range.start)
		begin++;
	end = begin;
	while (end < tablets->count && tablets->firsts[end] < range.end)
		end++;
	if (begin == end && tablets->count == tablets->capacity && !grow(tablets))
		return false;
	shift(tablets, end, begin + 1);
	tablets->firsts[begin] = range.start;
	tablets->lasts[begin] = range.end;
	for (int i = 0; i < tablets->width; i++)
		replicas_at(tablets, begin)[i] =
			i < count ? replicas[i] : (cql_tablet_replica) {.node = CQL_NO_ID};
	return true;
}

int
cql_tablets_find(const cql_tablets *tablets, int64_t token, const cql_tablet_replica **replicas)
{
	size_t at = find_place(tablets, token);
	int count = 0;

	if (at == tablets->count || tablets->firsts[at] >= token)
		return 0;
	*replicas = replicas_at(tablets, at);
	while (count < tablets->width && (*replicas)[count].node != CQL_NO_ID)
		count++;
	return count;
}

static bool
has_node(const cql_tablets *tablets, size_t at, uint16_t node)
{
	for (int i = 0; i < tablets->width; i++)
		if (replicas_at(tablets, at)[i].node == node)
			return true;
	return false;
}

void
cql_tablets_drop_node(cql_tablets *tablets, uint16_t node)
{
	size_t kept = 0;

	for (size_t at = 0; at < tablets->count; at++)
	{
		if (has_node(tablets, at, node))
			continue;
		tablets->firsts[kept] = tablets->firsts[at];
		tablets->lasts[kept] = tablets->lasts[at];
		memmove(replicas_at(tablets, kept), replicas_at(tablets, at),
				(size_t) tablets->width * sizeof *tablets->replicas);
		kept++;
	}
	tablets->count = kept;
}
