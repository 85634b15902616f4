/*
 * boolean, blob and custom types, uuid and timeuuid, inet.
 */
#include "postgres.h"

#include <sys/socket.h>

#include "utils/builtins.h"
#include "utils/inet.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "compat.h"
#include "types/convert.h"

#define IPV4_LEN 4
#define IPV6_LEN 16

static const ScyllaFault fault_timeuuid = {ERRCODE_INVALID_TEXT_REPRESENTATION,
										   "uuid that is no timeuuid",
										   "A timeuuid is a uuid of version 1.", NULL};
static const ScyllaFault fault_time_for_timeuuid = {
	ERRCODE_INVALID_TEXT_REPRESENTATION, "timestamp that is no timeuuid",
	"Many timeuuids have one time.", "Use min_timeuuid() or max_timeuuid()."};
static const ScyllaFault fault_mask = {
	ERRCODE_INVALID_TEXT_REPRESENTATION, "network instead of an address",
	"CQL's inet is a single address, without a mask.", "Take the address with host(…)::inet."};

Datum
scylla_decode_boolean(ScyllaConverter *converter, cql_cell cell)
{
	bool value;

	if (!cql_read_bool(cell, &value))
		scylla_convert_raise(converter, &scylla_fault_malformed);
	return BoolGetDatum(value);
}

ScyllaFit
scylla_encode_boolean(ScyllaConverter *converter, Datum value, ScyllaRound round, StringInfo out)
{
	*scylla_cell_append(out, 1) = DatumGetBool(value) ? 1 : 0;
	return SCYLLA_FIT_EXACT;
}

Datum
scylla_decode_blob(ScyllaConverter *converter, cql_cell cell)
{
	bytea *result = palloc(VARHDRSZ + cell.len);

	SET_VARSIZE(result, VARHDRSZ + cell.len);
	if (cell.len > 0)
		memcpy(VARDATA(result), cell.data, cell.len);
	return PointerGetDatum(result);
}

ScyllaFit
scylla_encode_blob(ScyllaConverter *converter, Datum value, ScyllaRound round, StringInfo out)
{
	bytea *data = DatumGetByteaPP(value);
	int32 len = VARSIZE_ANY_EXHDR(data);

	memcpy(scylla_cell_append(out, len), VARDATA_ANY(data), len);
	return SCYLLA_FIT_EXACT;
}

/* The cell is a uuid as PostgreSQL has it, and a uuid needs no alignment. */
Datum
scylla_decode_uuid(ScyllaConverter *converter, cql_cell cell)
{
	if (cell.len != UUID_LEN)
		scylla_convert_raise(converter, &scylla_fault_malformed);
	return PointerGetDatum(cell.data);
}

ScyllaFit
scylla_encode_uuid(ScyllaConverter *converter, Datum value, ScyllaRound round, StringInfo out)
{
	const pg_uuid_t *uuid = DatumGetUUIDP(value);

	if (converter->pair->cql == CQL_TYPE_TIMEUUID && uuid->data[6] >> 4 != 1)
		return scylla_convert_misfit(converter, round, SCYLLA_FIT_NONE, &fault_timeuuid);
	memcpy(scylla_cell_append(out, UUID_LEN), uuid->data, UUID_LEN);
	return SCYLLA_FIT_EXACT;
}

/* Ticks of a timeuuid: 100 ns from 1582-10-15, in 60 bits. */
#define TICKS_PER_US 10
#define GREGORIAN_JDATE 2299161
#define GREGORIAN_US ((POSTGRES_EPOCH_JDATE - GREGORIAN_JDATE) * USECS_PER_DAY)
#define END_US ((INT64CONST(1) << 60) / TICKS_PER_US)

/* The first (round up) or last timeuuid of a microsecond, in CQL's order: that of the ticks, then
 * of the last eight bytes as signed ones. */
static void
append_timeuuid(int64 us, ScyllaRound round, StringInfo out)
{
	bool is_first = round == SCYLLA_ROUND_UP;
	uint64 ticks = (uint64) us * TICKS_PER_US + (is_first ? 0 : TICKS_PER_US - 1);
	uint8 *uuid = scylla_cell_append(out, UUID_LEN);

	cql_put_u32(uuid, (uint32) ticks);
	cql_put_u32(uuid + 4, (uint32) ((ticks >> 32 & 0xffff) << 16 | 0x1000 | ticks >> 48));
	memset(uuid + 8, is_first ? 0x80 : 0x7f, UUID_LEN - 8);
}

ScyllaFit
scylla_encode_timeuuid_time(ScyllaConverter *converter, Datum value, ScyllaRound round,
							StringInfo out)
{
	TimestampTz timestamp = DatumGetTimestampTz(value);

	if (round == SCYLLA_ROUND_STORE || round == SCYLLA_ROUND_NEAREST)
		return scylla_convert_misfit(converter, round, SCYLLA_FIT_NONE, &fault_time_for_timeuuid);
	if (timestamp < -GREGORIAN_US)
		return SCYLLA_FIT_BELOW;
	if (timestamp >= END_US - GREGORIAN_US)
		return SCYLLA_FIT_ABOVE;
	append_timeuuid(timestamp + GREGORIAN_US, round, out);
	return SCYLLA_FIT_EXACT;
}

Datum
scylla_decode_inet(ScyllaConverter *converter, cql_cell cell)
{
	inet *result;

	if (cell.len != IPV4_LEN && cell.len != IPV6_LEN)
		scylla_convert_raise(converter, &scylla_fault_malformed);
	result = palloc0(sizeof(*result));
	ip_family(result) = cell.len == IPV4_LEN ? PGSQL_AF_INET : PGSQL_AF_INET6;
	ip_bits(result) = ip_maxbits(result);
	memcpy(ip_addr(result), cell.data, cell.len);
	SET_INET_VARSIZE(result);
	return InetPGetDatum(result);
}

ScyllaFit
scylla_encode_inet(ScyllaConverter *converter, Datum value, ScyllaRound round, StringInfo out)
{
	inet *address = DatumGetInetPP(value);
	int32 len = ip_addrsize(address);

	if (ip_bits(address) != ip_maxbits(address))
		return scylla_convert_misfit(converter, round, SCYLLA_FIT_NONE, &fault_mask);
	memcpy(scylla_cell_append(out, len), ip_addr(address), len);
	return SCYLLA_FIT_EXACT;
}
