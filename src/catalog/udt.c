/*
 * User-defined types, put together from the texts of their fields' types, in which other UDTs
 * stand by name. What is shared between types is shared between their trees.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"

#include "catalog/schema.h"
#include "catalog/system_query.h"
#include "catalog/udt.h"

#define TYPES_CQL                                                          \
	"SELECT type_name, field_names, field_types FROM system_schema.types " \
	"WHERE keyspace_name = ?"

typedef enum UdtState
{
	UDT_UNKNOWN,
	UDT_BEING_MADE, /* to meet it again is a circle, which no server makes */
	UDT_MADE,
	UDT_UNSUPPORTED
} UdtState;

typedef struct Udt
{
	const char *name;
	List *field_names;
	List *field_types; /* as the cluster spells them */
	UdtState state;
	cql_type *type;
} Udt;

typedef struct UdtLoader
{
	cql_type_arena *arena;
	List *udts;
	List *made; /* their types, in the order in which they were made */
} UdtLoader;

static const cql_type *make_udt(UdtLoader *loader, Udt *udt);

static Udt *
find_udt(const UdtLoader *loader, const char *name)
{
	ListCell *cell;

	foreach (cell, loader->udts)
	{
		Udt *udt = lfirst(cell);

		if (strcmp(udt->name, name) == 0)
			return udt;
	}
	return NULL;
}

/* The type with UDTs' fields in it; NULL: one of them is not understood. */
static const cql_type *
resolve(UdtLoader *loader, const cql_type *type)
{
	const cql_type **elements;
	cql_type *result;

	check_stack_depth();
	if (type->id == CQL_TYPE_UDT)
	{
		Udt *udt = find_udt(loader, type->name);

		return udt != NULL ? make_udt(loader, udt) : NULL;
	}
	if (type->element_count == 0)
		return type;
	result = palloc(sizeof(cql_type));
	*result = *type;
	elements = palloc(type->element_count * sizeof(cql_type *));
	for (uint32 i = 0; i < type->element_count; i++)
	{
		elements[i] = resolve(loader, type->elements[i]);
		if (elements[i] == NULL)
			return NULL;
	}
	result->elements = elements;
	return result;
}

static bool
fill_udt(UdtLoader *loader, Udt *udt)
{
	int count = list_length(udt->field_types);
	const cql_type **elements = palloc(Max(count, 1) * sizeof(cql_type *));
	const char **names = palloc(Max(count, 1) * sizeof(char *));

	if (list_length(udt->field_names) != count)
		return false;
	for (int i = 0; i < count; i++)
	{
		const char *name = list_nth(udt->field_names, i);
		const cql_type *type = cql_type_parse(loader->arena, list_nth(udt->field_types, i));

		elements[i] = type != NULL ? resolve(loader, type) : NULL;
		if (elements[i] == NULL)
			return false;
		/* As the wire has names of fields. */
		names[i] = pg_server_to_any(name, (int) strlen(name), PG_UTF8);
	}
	udt->type->element_count = (uint32) count;
	udt->type->elements = elements;
	udt->type->field_names = names;
	return true;
}

static const cql_type *
make_udt(UdtLoader *loader, Udt *udt)
{
	if (udt->state != UDT_UNKNOWN)
		return udt->state == UDT_MADE ? udt->type : NULL;
	udt->state = UDT_BEING_MADE;
	udt->type = palloc0(sizeof(cql_type));
	udt->type->id = CQL_TYPE_UDT;
	udt->type->name = udt->name;
	if (!fill_udt(loader, udt))
	{
		udt->state = UDT_UNSUPPORTED;
		return NULL;
	}
	udt->state = UDT_MADE;
	loader->made = lappend(loader->made, udt->type);
	return udt->type;
}

List *
scylla_udts_load(ScyllaSession *session, const char *keyspace)
{
	ScyllaSystemQuery *query = scylla_system_query_start(session, TYPES_CQL, keyspace, NULL);
	UdtLoader loader = {.arena = scylla_type_arena_new()};
	ListCell *cell;

	(void) scylla_system_query_wait(query, 3, SCYLLA_MUST_ANSWER);
	while (scylla_system_query_next(query))
	{
		Udt *udt = palloc0(sizeof(Udt));

		udt->name = scylla_system_query_text(query, 0);
		udt->field_names = scylla_system_query_list(query, 1);
		udt->field_types = scylla_system_query_list(query, 2);
		if (udt->name != NULL)
			loader.udts = lappend(loader.udts, udt);
	}
	if (loader.udts == NIL)
		scylla_schema_check_keyspace(session, keyspace);
	foreach (cell, loader.udts)
		(void) make_udt(&loader, lfirst(cell));
	return loader.made;
}

const cql_type *
scylla_udts_find(const List *udts, const char *name)
{
	ListCell *cell;

	foreach (cell, udts)
	{
		const cql_type *udt = lfirst(cell);

		if (strcmp(udt->name, name) == 0)
			return udt;
	}
	return NULL;
}
