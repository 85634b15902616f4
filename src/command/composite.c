/*
 * scylla_create_types: composite types for a keyspace's UDTs, and how they are found again.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "foreign/foreign.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "parser/scansup.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "catalog/udt.h"
#include "command/composite.h"
#include "compat.h"
#include "types/typemap.h"

/* PostgreSQL cuts longer names. */
static char *
local_name_of(const cql_type *udt)
{
	char *name = pstrdup(udt->name);

	truncate_identifier(name, (int) strlen(name), false);
	return name;
}

/* A type of its own, rather than that of a table's rows. */
static bool
is_composite(Oid type)
{
	Oid relation = get_typ_typrelid(type);

	return OidIsValid(relation) && get_rel_relkind(relation) == RELKIND_COMPOSITE_TYPE;
}

ScyllaCompositeFit
scylla_composite_find(const cql_type *udt, Oid schema, Oid *type)
{
	*type = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum(local_name_of(udt)),
							ObjectIdGetDatum(schema));
	if (!OidIsValid(*type))
		return SCYLLA_COMPOSITE_NONE;
	return is_composite(*type) && scylla_type_pair_find(udt, *type) != NULL
			   ? SCYLLA_COMPOSITE_FITS
			   : SCYLLA_COMPOSITE_OTHER;
}

/* Types that are needed were made before, or were there and fit. */
static Oid
find_made(const cql_type *udt, void *argument)
{
	Oid type;

	return scylla_composite_find(udt, *(Oid *) argument, &type) == SCYLLA_COMPOSITE_FITS
			   ? type
			   : InvalidOid;
}

/* "(street text, zip integer)" */
static char *
describe_attributes(const cql_type *udt, Oid schema)
{
	StringInfoData text;

	initStringInfo(&text);
	for (uint32 i = 0; i < udt->element_count; i++)
	{
		const char *field = udt->field_names[i];
		char *name = pstrdup(pg_any_to_server(field, (int) strlen(field), PG_UTF8));

		truncate_identifier(name, (int) strlen(name), false);
		appendStringInfo(&text, "%s%s %s", i > 0 ? ", " : "(", quote_identifier(name),
						 scylla_type_declaration(udt->elements[i], find_made, &schema));
	}
	appendStringInfoChar(&text, ')');
	return text.data;
}

static void raise_other_type(const cql_type *udt, Oid schema, Oid type) __attribute__((noreturn));

static void
raise_other_type(const cql_type *udt, Oid schema, Oid type)
{
	ereport(ERROR,
			(errcode(ERRCODE_DUPLICATE_OBJECT),
			 errmsg("type %s does not go with the user-defined type \"%s\"", format_type_be(type),
					udt->name),
			 errdetail("The user-defined type would be %s.", describe_attributes(udt, schema)),
			 errhint("Alter or drop it, or make the types in another schema.")));
}

/* Whether there was none yet. */
static bool
create_type(const cql_type *udt, Oid schema)
{
	StringInfoData command;
	Oid type;

	switch (scylla_composite_find(udt, schema, &type))
	{
		case SCYLLA_COMPOSITE_FITS:
			return false;
		case SCYLLA_COMPOSITE_OTHER:
			raise_other_type(udt, schema, type);
		case SCYLLA_COMPOSITE_NONE:
			break;
	}
	initStringInfo(&command);
	appendStringInfo(&command, "CREATE TYPE %s AS %s",
					 quote_qualified_identifier(get_namespace_name(schema), local_name_of(udt)),
					 describe_attributes(udt, schema));
	if (SPI_execute(command.data, false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "could not run \"%s\"", command.data);
	return true;
}

extern PGDLLEXPORT Datum scylla_create_types(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(scylla_create_types);

Datum
scylla_create_types(PG_FUNCTION_ARGS)
{
	char *server_name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char *keyspace = text_to_cstring(PG_GETARG_TEXT_PP(1));
	ForeignServer *server = GetForeignServerByName(server_name, false);
	Oid schema = get_namespace_oid(text_to_cstring(PG_GETARG_TEXT_PP(2)), false);
	AclResult access = scylla_server_aclcheck(server->serverid, GetUserId(), ACL_USAGE);
	List *udts;
	ListCell *cell;
	int32 count = 0;

	if (access != ACLCHECK_OK)
		aclcheck_error(access, OBJECT_FOREIGN_SERVER, server->servername);
	udts = scylla_udts_load(scylla_session_get(server->serverid, GetUserId()), keyspace);
	SPI_connect();
	foreach (cell, udts)
		count += create_type(lfirst(cell), schema) ? 1 : 0;
	SPI_finish();
	PG_RETURN_INT32(count);
}
