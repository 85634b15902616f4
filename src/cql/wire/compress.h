/*
 * Compressed bodies (protocol v4, section 5): [int] length of the body, then one lz4 block.
 */
#ifndef CQL_WIRE_COMPRESS_H
#define CQL_WIRE_COMPRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What stands before the block. */
#define CQL_PACKED_HEAD_LEN 4

typedef enum cql_unpack_fault
{
	CQL_UNPACK_OK,
	CQL_UNPACK_MALFORMED,
	CQL_UNPACK_NO_MEMORY
} cql_unpack_fault;

/*
 * The body in a block of exactly its size, which the caller frees; NULL when it is empty. The size
 * that is announced allocates nothing that the packed bytes could not make.
 */
extern cql_unpack_fault cql_unpack(const uint8_t *packed, size_t packed_len, uint8_t **body,
								   uint32_t *body_len);

/* A request's frame with its body compressed, which the caller frees; NULL where that does not pay
 * (or memory is out: plain is as good). */
extern uint8_t *cql_pack_frame(const uint8_t *frame, size_t len, size_t *packed_len);

#endif /* CQL_WIRE_COMPRESS_H */
