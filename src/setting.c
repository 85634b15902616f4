/*
 * The settings (GUCs) and the names of consistency levels.
 *
 * A setting wins over the options of servers and tables: scylla_read_consistency() and its twin
 * are the one place where that happens.
 */
#include "postgres.h"

#include "lib/stringinfo.h"

#include "compat.h"
#include "cql/cql.h"
#include "option.h"
#include "setting.h"

bool scylla_enable_pushdown = true;
bool scylla_enable_parallel_scan = true;
bool scylla_enable_lookup_join = true;
int scylla_lookup_join_window = 256;
bool scylla_trace = false;
static char *read_consistency_setting = NULL;
static char *write_consistency_setting = NULL;

static const struct
{
	const char *name;
	cql_consistency level;
	int uses;
} levels[] = {
	{"any", CQL_CONSISTENCY_ANY, SCYLLA_LEVEL_WRITE},
	{"one", CQL_CONSISTENCY_ONE, SCYLLA_LEVEL_READ | SCYLLA_LEVEL_WRITE},
	{"two", CQL_CONSISTENCY_TWO, SCYLLA_LEVEL_READ | SCYLLA_LEVEL_WRITE},
	{"three", CQL_CONSISTENCY_THREE, SCYLLA_LEVEL_READ | SCYLLA_LEVEL_WRITE},
	{"quorum", CQL_CONSISTENCY_QUORUM, SCYLLA_LEVEL_READ | SCYLLA_LEVEL_WRITE},
	{"all", CQL_CONSISTENCY_ALL, SCYLLA_LEVEL_READ | SCYLLA_LEVEL_WRITE},
	{"local_quorum", CQL_CONSISTENCY_LOCAL_QUORUM, SCYLLA_LEVEL_READ | SCYLLA_LEVEL_WRITE},
	{"each_quorum", CQL_CONSISTENCY_EACH_QUORUM, SCYLLA_LEVEL_READ | SCYLLA_LEVEL_WRITE},
	{"serial", CQL_CONSISTENCY_SERIAL, SCYLLA_LEVEL_READ | SCYLLA_LEVEL_SERIAL},
	{"local_serial", CQL_CONSISTENCY_LOCAL_SERIAL, SCYLLA_LEVEL_READ | SCYLLA_LEVEL_SERIAL},
	{"local_one", CQL_CONSISTENCY_LOCAL_ONE, SCYLLA_LEVEL_READ | SCYLLA_LEVEL_WRITE},
};

int
scylla_consistency_parse(const char *name)
{
	for (size_t i = 0; i < lengthof(levels); i++)
		if (pg_strcasecmp(name, levels[i].name) == 0)
			return levels[i].level;
	return -1;
}

const char *
scylla_consistency_name(int consistency)
{
	for (size_t i = 0; i < lengthof(levels); i++)
		if ((int) levels[i].level == consistency)
			return levels[i].name;
	return "unknown";
}

bool
scylla_consistency_is_for(const char *name, int use)
{
	for (size_t i = 0; i < lengthof(levels); i++)
		if ((levels[i].uses & use) != 0 && pg_strcasecmp(name, levels[i].name) == 0)
			return true;
	return false;
}

char *
scylla_consistency_list(int use)
{
	StringInfoData text;

	initStringInfo(&text);
	for (size_t i = 0; i < lengthof(levels); i++)
		if ((levels[i].uses & use) != 0)
			appendStringInfo(&text, "%s%s", text.len > 0 ? ", " : "", levels[i].name);
	return text.data;
}

static bool
check_level_setting(char **value, int use)
{
	if ((*value)[0] == '\0' || scylla_consistency_is_for(*value, use))
		return true;
	GUC_check_errdetail("Allowed: an empty string (as the options say), %s.",
						scylla_consistency_list(use));
	return false;
}

static bool
check_read_consistency(char **value, void **extra, GucSource source)
{
	return check_level_setting(value, SCYLLA_LEVEL_READ);
}

static bool
check_write_consistency(char **value, void **extra, GucSource source)
{
	return check_level_setting(value, SCYLLA_LEVEL_WRITE);
}

static int
pick_consistency(const char *setting, int option)
{
	return setting != NULL && setting[0] != '\0' ? scylla_consistency_parse(setting) : option;
}

int
scylla_read_consistency(int option)
{
	return pick_consistency(read_consistency_setting, option);
}

int
scylla_write_consistency(int option)
{
	return pick_consistency(write_consistency_setting, option);
}

void
scylla_options_define_settings(void)
{
	DefineCustomBoolVariable("scylla_fdw.enable_pushdown",
							 "Lets conditions be sent to the cluster.",
							 "When off, whole tables are read and every condition is local.",
							 &scylla_enable_pushdown, true, PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("scylla_fdw.enable_parallel_scan",
							 "Lets parallel workers share scans of large foreign tables.", NULL,
							 &scylla_enable_parallel_scan, true, PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("scylla_fdw.enable_lookup_join",
							 "Lets joins ask for several outer rows at once.",
							 "When off, a nested loop asks for one outer row after the other.",
							 &scylla_enable_lookup_join, true, PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable(
		"scylla_fdw.lookup_join_window", "Lookups that a join keeps in flight at most.",
		"The option max_in_flight of the foreign table bounds them, too.",
		&scylla_lookup_join_window, 256, 1, 65536, PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable(
		"scylla_fdw.read_consistency", "Consistency level of reads, whatever the options say.",
		"When empty, the options of table and server hold.", &read_consistency_setting, "",
		PGC_USERSET, 0, check_read_consistency, NULL, NULL);
	DefineCustomStringVariable(
		"scylla_fdw.write_consistency", "Consistency level of writes, whatever the options say.",
		"When empty, the options of table and server hold.", &write_consistency_setting, "",
		PGC_USERSET, 0, check_write_consistency, NULL, NULL);
	DefineCustomBoolVariable("scylla_fdw.trace", "Asks the cluster to trace requests.",
							 "EXPLAIN ANALYZE shows the tracing id.", &scylla_trace, false,
							 PGC_USERSET, 0, NULL, NULL, NULL);
	MarkGUCPrefixReserved("scylla_fdw");
}
