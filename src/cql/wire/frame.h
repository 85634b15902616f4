/*
 * The frame around every message (protocol v4, section 2): nine bytes of header, then a body
 * that may begin with a tracing id, warnings and a custom payload.
 *
 * Only version 4 is spoken: ScyllaDB knows 3 and 4, Cassandra accepts 4.
 */
#ifndef CQL_WIRE_FRAME_H
#define CQL_WIRE_FRAME_H

#include "cql/wire/bytes.h"

#define CQL_FRAME_HEADER_LEN 9
#define CQL_FRAME_REQUEST 0x04
#define CQL_FRAME_RESPONSE 0x84
/* The specification's own limit of a body (v4, section 2.5). */
#define CQL_FRAME_MAX_BODY_LEN (256u * 1024 * 1024)

typedef enum cql_opcode
{
	CQL_OPCODE_ERROR = 0x00,
	CQL_OPCODE_STARTUP = 0x01,
	CQL_OPCODE_READY = 0x02,
	CQL_OPCODE_AUTHENTICATE = 0x03,
	CQL_OPCODE_OPTIONS = 0x05,
	CQL_OPCODE_SUPPORTED = 0x06,
	CQL_OPCODE_QUERY = 0x07,
	CQL_OPCODE_RESULT = 0x08,
	CQL_OPCODE_PREPARE = 0x09,
	CQL_OPCODE_EXECUTE = 0x0A,
	CQL_OPCODE_REGISTER = 0x0B,
	CQL_OPCODE_EVENT = 0x0C,
	CQL_OPCODE_BATCH = 0x0D,
	CQL_OPCODE_AUTH_CHALLENGE = 0x0E,
	CQL_OPCODE_AUTH_RESPONSE = 0x0F,
	CQL_OPCODE_AUTH_SUCCESS = 0x10
} cql_opcode;

enum
{
	CQL_FLAG_COMPRESSED = 0x01,
	CQL_FLAG_TRACING = 0x02,
	CQL_FLAG_CUSTOM_PAYLOAD = 0x04,
	CQL_FLAG_WARNING = 0x08
};

typedef struct cql_frame_header
{
	uint8_t version; /* with the direction bit */
	uint8_t flags;
	int16_t stream; /* negative: an event */
	uint8_t opcode;
	uint32_t body_len;
} cql_frame_header;

typedef enum cql_frame_fault
{
	CQL_FRAME_OK,
	CQL_FRAME_NOT_CQL,     /* the first byte is no CQL response's */
	CQL_FRAME_TLS,         /* the peer answers in TLS */
	CQL_FRAME_BAD_VERSION, /* a response, of another protocol version */
	CQL_FRAME_BAD_OPCODE,  /* no response has this opcode */
	CQL_FRAME_TOO_LONG     /* body_len negative or above CQL_FRAME_MAX_BODY_LEN */
} cql_frame_fault;

/* Decode the nine bytes of a response's header. Every field of *out is set even on a fault. */
extern cql_frame_fault cql_frame_read_header(const uint8_t *bytes, cql_frame_header *out);
/* The fault that a first byte alone shows already (a peer that is no CQL server may send less
 * than nine bytes before it waits). */
extern cql_frame_fault cql_frame_judge_first_byte(uint8_t byte);

/*
 * Begin a request's frame in an empty writer: header with stream 0 and length 0, to be put right
 * by cql_frame_end() once the body is written, and by cql_frame_set_stream() when it is sent.
 */
extern void cql_frame_begin(cql_writer *writer, cql_opcode opcode, uint8_t flags);
extern void cql_frame_end(cql_writer *writer);
extern void cql_frame_set_stream(uint8_t *frame, int16_t stream);

/* What may stand before the message in a response's body; views into the body. */
typedef struct cql_frame_prefix
{
	const uint8_t *tracing_id; /* 16 bytes, or NULL */
	int warning_count;
	cql_reader warnings; /* warning_count [string]s */
	int payload_count;
	cql_reader payload; /* payload_count pairs of [string] and [bytes] */
} cql_frame_prefix;

/* Take the prefix off the body as the flags say: tracing id, warnings, payload, in this order. */
extern void cql_frame_read_prefix(cql_reader *body, uint8_t flags, cql_frame_prefix *out);

/* The payload's value of that key, a view; false if there is none, or null. */
extern bool cql_frame_find_payload(const cql_frame_prefix *prefix, const char *key,
								   cql_cell *value);

#endif /* CQL_WIRE_FRAME_H */
