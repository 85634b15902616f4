/*
 * ANALYZE of a foreign table.
 */
#ifndef SCYLLA_ANALYZE_H
#define SCYLLA_ANALYZE_H

#include "postgres.h"

#include "foreign/fdwapi.h"

extern bool scyllaAnalyzeForeignTable(Relation relation, AcquireSampleRowsFunc *acquire,
									  BlockNumber *total_pages);

#endif /* SCYLLA_ANALYZE_H */
