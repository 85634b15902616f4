/*
 * A module for a test server: the type converters of src/types over forged cells.
 *
 * A cell stands in a block of exactly its size, so that AddressSanitizer sees a read beyond it.
 * Whatever it holds, decoding gives a value or an error of class 22 (or a domain's, or a limit
 * that is reached); a value that goes back into a cell must come out of that as the same value.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "parser/parse_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "forge.h"
#include "types/typemap.h"

PG_MODULE_MAGIC;
PG_FUNCTION_INFO_V1(fuzz_cells);
extern PGDLLEXPORT Datum fuzz_cells(PG_FUNCTION_ARGS);

typedef struct Trial
{
	ScyllaConverter *converter;
	FmgrInfo output;
	MemoryContext context; /* of one cell */
	Forge forge;
	/* where an error would come from */
	enum
	{
		READING,
		WRITING,
		READING_AGAIN
	} stage;
	int64 value_count;
	int64 error_count;
} Trial;

/* A copy of exactly its size; never NULL. */
static cql_cell
copy_cell(const void *bytes, size_t len)
{
	uint8_t *copy = malloc(len);

	if (copy == NULL && len > 0)
		elog(ERROR, "out of memory");
	if (len > 0)
		memcpy(copy, bytes, len);
	return (cql_cell) {copy, (int32_t) len};
}

/* The value's text, or NULL. */
static char *
read_cell(Trial *trial, cql_cell cell)
{
	bool is_null;
	Datum value = scylla_decode(trial->converter, cell, &is_null);

	return is_null ? NULL : OutputFunctionCall(&trial->output, value);
}

/* The cell that the value makes, to be freed; null where the pair is read only. */
static cql_cell
write_cell(Trial *trial, cql_cell cell)
{
	StringInfoData out;
	bool is_null;
	Datum value = scylla_decode(trial->converter, cell, &is_null);

	if (trial->converter->pair->encode == NULL || is_null)
		return (cql_cell) {NULL, CQL_CELL_NULL};
	initStringInfo(&out);
	if (scylla_encode(trial->converter, value, SCYLLA_ROUND_STORE, &out) != SCYLLA_FIT_EXACT)
		elog(ERROR, "a value was stored, but not exactly");
	if (out.len < 4 || cql_get_u32((uint8 *) out.data) != (uint32) out.len - 4)
		elog(ERROR, "the length of what was encoded is wrong");
	return copy_cell(out.data + 4, (size_t) out.len - 4);
}

static void
try_cell(Trial *trial, cql_cell cell)
{
	cql_cell written;
	char *text;
	char *again;

	trial->stage = READING;
	text = read_cell(trial, cell);
	trial->stage = WRITING;
	written = write_cell(trial, cell);
	if (cql_cell_is_null(written))
		return;
	trial->stage = READING_AGAIN;
	again = read_cell(trial, written);
	free((void *) written.data);
	if ((text == NULL) != (again == NULL) || (text != NULL && strcmp(text, again) != 0))
		elog(ERROR, "the value %s became %s", text, again);
}

/* What a user might do about it: data that does not fit, a constraint, a limit. */
static bool
is_fair(const Trial *trial, int sqlstate)
{
	int class = ERRCODE_TO_CATEGORY(sqlstate);

	return trial->stage != READING_AGAIN &&
		   (class == ERRCODE_DATA_EXCEPTION || class == ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION ||
			class == ERRCODE_PROGRAM_LIMIT_EXCEEDED);
}

/* An error that is none of those is raised again, with the cell. */
static void
run_trial(Trial *trial)
{
	cql_cell cell = copy_cell(trial->forge.bytes, trial->forge.len);
	ResourceOwner owner = CurrentResourceOwner;
	MemoryContext caller = CurrentMemoryContext;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(trial->context);
	PG_TRY();
	{
		try_cell(trial, cell);
		ReleaseCurrentSubTransaction();
		trial->value_count++;
	}
	PG_CATCH();
	{
		ErrorData *error;

		MemoryContextSwitchTo(trial->context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		if (!is_fair(trial, error->sqlerrcode))
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR),
					 errmsg("%s: %s", unpack_sql_state(error->sqlerrcode), error->message),
					 errdetail("The cell is 0x%s.", TextDatumGetCString(DirectFunctionCall2(
														binary_encode,
														PointerGetDatum(cstring_to_text_with_len(
															(char *) cell.data, cell.len)),
														CStringGetTextDatum("hex"))))));
		trial->error_count++;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	MemoryContextReset(trial->context);
	CurrentResourceOwner = owner;
	free((void *) cell.data);
}

static void
open_trial(Trial *trial, const cql_type *cql, const char *type)
{
	ScyllaConverterSpec spec = {.cql = cql, .table = "forged", .column = "cell"};
	Oid output;
	bool is_variable;

	parseTypeString(type, &spec.type, &spec.typmod, false);
	spec.is_write_time = cql->id == CQL_TYPE_BIGINT && spec.type == TIMESTAMPTZOID;
	trial->converter = scylla_converter_new(&spec);
	getTypeOutputInfo(spec.type, &output, &is_variable);
	fmgr_info(output, &trial->output);
	trial->context =
		AllocSetContextCreate(CurrentMemoryContext, "forged cell", ALLOCSET_DEFAULT_SIZES);
}

/* fuzz_cells(cql text, type text, seed bigint, count int) returns bigint[]: values, errors */
Datum
fuzz_cells(PG_FUNCTION_ARGS)
{
	const char *spelling = text_to_cstring(PG_GETARG_TEXT_PP(0));
	cql_type_arena *arena = cql_type_arena_new();
	const cql_type *cql = cql_type_parse(arena, spelling);
	Trial *trial = palloc0(sizeof(Trial));
	Datum counts[2];

	if (cql == NULL)
		elog(ERROR, "no CQL type: %s", spelling);
	open_trial(trial, cql, text_to_cstring(PG_GETARG_TEXT_PP(1)));
	forge_init(&trial->forge, (uint64) PG_GETARG_INT64(2));
	for (int32 i = PG_GETARG_INT32(3); i > 0; i--)
	{
		CHECK_FOR_INTERRUPTS();
		forge_cell(&trial->forge, cql);
		forge_spoil(&trial->forge);
		run_trial(trial);
	}
	forge_cleanup(&trial->forge);
	cql_type_arena_free(arena);
	counts[0] = Int64GetDatum(trial->value_count);
	counts[1] = Int64GetDatum(trial->error_count);
	PG_RETURN_ARRAYTYPE_P(construct_array(counts, 2, INT8OID, 8, true, TYPALIGN_DOUBLE));
}
