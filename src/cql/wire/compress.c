/*
 * lz4 in both directions. No state is kept between frames.
 */
#include "cql/wire/compress.h"

#include <lz4.h>
#include <string.h>

#include "cql/mem.h"
#include "cql/wire/frame.h"

/* Below this the bytes saved are fewer than a packet's own; measured, a point read's request is
 * made larger rather than smaller. */
#define MIN_BODY_LEN 512
/* No lz4 block makes more of a byte of it. */
#define MAX_RATIO 255

/* Nothing at all, or the block of nothing: a token without literals. */
static bool
is_empty_block(const uint8_t *block, size_t len)
{
	return len == 0 || (len == 1 && block[0] == 0);
}

cql_unpack_fault
cql_unpack(const uint8_t *packed, size_t packed_len, uint8_t **body, uint32_t *body_len)
{
	const uint8_t *block = packed + CQL_PACKED_HEAD_LEN;
	size_t block_len;
	uint32_t len;

	*body = NULL;
	*body_len = 0;
	if (packed_len < CQL_PACKED_HEAD_LEN)
		return CQL_UNPACK_MALFORMED;
	block_len = packed_len - CQL_PACKED_HEAD_LEN;
	len = cql_get_u32(packed);
	if (len == 0)
		return is_empty_block(block, block_len) ? CQL_UNPACK_OK : CQL_UNPACK_MALFORMED;
	if (len > CQL_FRAME_MAX_BODY_LEN || len > block_len * MAX_RATIO)
		return CQL_UNPACK_MALFORMED;
	*body = cql_alloc(len);
	if (*body == NULL)
		return CQL_UNPACK_NO_MEMORY;
	if (LZ4_decompress_safe((const char *) block, (char *) *body, (int) block_len, (int) len) !=
		(int) len)
	{
		cql_release(*body);
		*body = NULL;
		return CQL_UNPACK_MALFORMED;
	}
	*body_len = len;
	return CQL_UNPACK_OK;
}

uint8_t *
cql_pack_frame(const uint8_t *frame, size_t len, size_t *packed_len)
{
	const size_t head_len = CQL_FRAME_HEADER_LEN + CQL_PACKED_HEAD_LEN;
	size_t body_len = len - CQL_FRAME_HEADER_LEN;
	uint8_t *packed;
	int block_len;

	if (body_len < MIN_BODY_LEN || body_len > LZ4_MAX_INPUT_SIZE)
		return NULL;
	packed = cql_alloc(len);
	if (packed == NULL)
		return NULL;
	/* No room for more than the body has: what does not shrink is not worth the other side's work. */
	block_len =
		LZ4_compress_default((const char *) frame + CQL_FRAME_HEADER_LEN,
							 (char *) packed + head_len, (int) body_len, (int) (len - head_len));
	if (block_len <= 0)
	{
		cql_release(packed);
		return NULL;
	}
	memcpy(packed, frame, CQL_FRAME_HEADER_LEN);
	packed[1] |= CQL_FLAG_COMPRESSED;
	cql_put_u32(packed + 5, (uint32_t) (CQL_PACKED_HEAD_LEN + block_len));
	cql_put_u32(packed + CQL_FRAME_HEADER_LEN, (uint32_t) body_len);
	*packed_len = head_len + (size_t) block_len;
	return packed;
}
