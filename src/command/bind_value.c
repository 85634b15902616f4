/*
 * Typing bind values that users give to SQL functions.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "parser/parse_coerce.h"
#include "utils/lsyscache.h"

#include "command/bind_value.h"
#include "compat.h"
#include "types/typemap.h"

/* The PostgreSQL type that IMPORT would declare for a CQL type; InvalidOid: not supported. */
static Oid
default_type(const cql_type *cql, int32 *typmod)
{
	const char *declaration = scylla_type_default(cql);
	Oid type = InvalidOid;

	*typmod = -1;
	if (declaration != NULL)
		scylla_type_name_parse(declaration, &type, typmod);
	return type;
}

/* Whether values of the type have a converter of their own for the CQL type. */
static bool
is_convertible(const cql_type *cql, Oid type, Oid target)
{
	const ScyllaTypePair *pair = scylla_type_pair_find(cql, target);

	return scylla_type_pair_find(cql, type) != NULL ||
		   (pair != NULL && scylla_type_pair_bind(pair, type) != NULL);
}

Datum
scylla_bind_coerce(const cql_type *cql, Datum value, Oid *type)
{
	int32 typmod;
	Oid target = default_type(cql, &typmod);
	Oid function = InvalidOid;

	if (*type == UNKNOWNOID)
	{
		Oid input;
		Oid parameter;

		*type = OidIsValid(target) ? target : TEXTOID;
		getTypeInputInfo(*type, &input, &parameter);
		return OidInputFunctionCall(input, DatumGetCString(value), parameter, typmod);
	}
	if (!OidIsValid(target) || is_convertible(cql, *type, target))
		return value;
	switch (find_coercion_pathway(target, getBaseType(*type), COERCION_IMPLICIT, &function))
	{
		case COERCION_PATH_FUNC:
			*type = target;
			return OidFunctionCall3(function, value, Int32GetDatum(-1), BoolGetDatum(false));
		case COERCION_PATH_RELABELTYPE:
			*type = target;
			return value;
		default:
			return value;
	}
}
