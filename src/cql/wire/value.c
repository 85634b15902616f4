/*
 * Codecs of scalar cells. A cell's length is tested before its bytes are touched, and nothing is
 * written to *out unless the whole cell is a value.
 */
#include <string.h>

#include "cql/wire/bytes.h"

#define NANOSECONDS_PER_DAY INT64_C(86400000000000)

bool
cql_read_bool(cql_cell cell, bool *out)
{
	if (cell.len != 1)
		return false;
	*out = cell.data[0] != 0;
	return true;
}

bool
cql_read_i8(cql_cell cell, int8_t *out)
{
	if (cell.len != 1)
		return false;
	*out = (int8_t) cell.data[0];
	return true;
}

bool
cql_read_i16(cql_cell cell, int16_t *out)
{
	if (cell.len != 2)
		return false;
	*out = (int16_t) cql_get_u16(cell.data);
	return true;
}

/* Copied as bits: an assignment of float may quieten a signalling NaN. */
bool
cql_read_float(cql_cell cell, float *out)
{
	uint32_t bits;

	if (cell.len != 4)
		return false;
	bits = cql_get_u32(cell.data);
	memcpy(out, &bits, sizeof bits);
	return true;
}

bool
cql_read_double(cql_cell cell, double *out)
{
	uint64_t bits;

	if (cell.len != 8)
		return false;
	bits = cql_get_u64(cell.data);
	memcpy(out, &bits, sizeof bits);
	return true;
}

bool
cql_read_date(cql_cell cell, int32_t *days)
{
	if (cell.len != 4)
		return false;
	/* Taking 2^31 off an unsigned number is flipping its top bit. */
	*days = (int32_t) (cql_get_u32(cell.data) ^ UINT32_C(0x80000000));
	return true;
}

bool
cql_read_time(cql_cell cell, int64_t *nanoseconds)
{
	int64_t time;

	if (!cql_read_i64(cell, &time) || time < 0 || time >= NANOSECONDS_PER_DAY)
		return false;
	*nanoseconds = time;
	return true;
}

/* ---- duration ---- */

/* [vint] (v5, section 3) is an [unsigned vint] with its sign folded into the lowest bit. */
static int64_t
read_vint(cql_reader *reader)
{
	uint64_t folded = cql_read_unsigned_vint(reader);

	return (int64_t) (folded >> 1 ^ (~(folded & 1) + 1));
}

static size_t
write_vint(int64_t value, uint8_t *out)
{
	return cql_write_unsigned_vint((uint64_t) value << 1 ^ (uint64_t) (value >> 63), out);
}

bool
cql_read_duration(cql_cell cell, cql_duration *out)
{
	cql_reader reader = cql_reader_over(cell.data, cell.len > 0 ? (size_t) cell.len : 0);
	int64_t months = read_vint(&reader);
	int64_t days = read_vint(&reader);
	int64_t nanoseconds = read_vint(&reader);
	bool has_negative = months < 0 || days < 0 || nanoseconds < 0;
	bool has_positive = months > 0 || days > 0 || nanoseconds > 0;

	if (reader.failed || cql_reader_left(&reader) != 0)
		return false;
	if (months != (int32_t) months || days != (int32_t) days || (has_negative && has_positive))
		return false;
	out->months = (int32_t) months;
	out->days = (int32_t) days;
	out->nanoseconds = nanoseconds;
	return true;
}

size_t
cql_write_duration(const cql_duration *duration, uint8_t *out)
{
	size_t len = write_vint(duration->months, out);

	len += write_vint(duration->days, out + len);
	return len + write_vint(duration->nanoseconds, out + len);
}

/* ---- decimal ---- */

bool
cql_read_decimal(cql_cell cell, int32_t *scale, cql_cell *unscaled)
{
	/* A scale without a number behind it is refused by the servers too. */
	if (cell.len < 5)
		return false;
	*scale = (int32_t) cql_get_u32(cell.data);
	*unscaled = (cql_cell) {.data = cell.data + 4, .len = cell.len - 4};
	return true;
}
