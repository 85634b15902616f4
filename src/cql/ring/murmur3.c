/*
 * MurmurHash3_x64_128 (Austin Appleby's, public domain) as Cassandra computes it. Its blocks are
 * little-endian on every machine.
 */
#include <endian.h>
#include <string.h>

#include "cql/ring/murmur3.h"

#define BLOCK_LEN 16
#define C1 UINT64_C(0x87c37b91114253d5)
#define C2 UINT64_C(0x4cf5ad432745937f)

static inline uint64_t
rotate(uint64_t value, int bits)
{
	return (value << bits) | (value >> (64 - bits));
}

static inline uint64_t
read_word(const uint8_t *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof word);
	return le64toh(word);
}

static inline uint64_t
finish(uint64_t value)
{
	value ^= value >> 33;
	value *= UINT64_C(0xff51afd7ed558ccd);
	value ^= value >> 33;
	value *= UINT64_C(0xc4ceb9fe1a85ec53);
	value ^= value >> 33;
	return value;
}

static inline uint64_t
mix_first(uint64_t word)
{
	return rotate(word * C1, 31) * C2;
}

static inline uint64_t
mix_second(uint64_t word)
{
	return rotate(word * C2, 33) * C1;
}

/* At most eight bytes, each as a signed number: a negative one flips all bits above its place. */
static uint64_t
read_signed(const uint8_t *p, size_t len)
{
	uint64_t word = 0;

	for (size_t i = 0; i < len; i++)
		word ^= (uint64_t) (int64_t) (int8_t) p[i] << (8 * i);
	return word;
}

int64_t
cql_murmur3(const uint8_t *key, size_t len)
{
	size_t blocks = len / BLOCK_LEN;
	size_t rest = len % BLOCK_LEN;
	uint64_t h1 = 0;
	uint64_t h2 = 0;

	for (size_t i = 0; i < blocks; i++, key += BLOCK_LEN)
	{
		h1 ^= mix_first(read_word(key));
		h1 = (rotate(h1, 27) + h2) * 5 + UINT64_C(0x52dce729);
		h2 ^= mix_second(read_word(key + 8));
		h2 = (rotate(h2, 31) + h1) * 5 + UINT64_C(0x38495ab5);
	}
	if (rest > 8)
		h2 ^= mix_second(read_signed(key + 8, rest - 8));
	if (rest > 0)
		h1 ^= mix_first(read_signed(key, rest < 8 ? rest : 8));

	h1 ^= len;
	h2 ^= len;
	h1 += h2;
	h2 += h1;
	return (int64_t) (finish(h1) + finish(h2));
}
