/*
 * boolean, blob and custom types, uuid and timeuuid, inet.
 */
#include "postgres.h"

#include <sys/socket.h>

#include "utils/builtins.h"
#include "utils/inet.h"
#include "utils/uuid.h"

#include "compat.h"
#include "types/convert.h"

#define IPV4_LEN 4
#define IPV6_LEN 16

static const ScyllaFault fault_timeuuid = {ERRCODE_INVALID_TEXT_REPRESENTATION,
										   "uuid that is no timeuuid",
										   "A timeuuid is a uuid of version 1.", NULL};
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
