/*
 * IMPORT FOREIGN SCHEMA.
 */
#ifndef SCYLLA_IMPORT_H
#define SCYLLA_IMPORT_H

#include "postgres.h"

#include "foreign/fdwapi.h"

/* FDW callback: the CREATE FOREIGN TABLE commands of a keyspace's tables and views. What cannot be
 * declared is left out with a WARNING. */
extern List *scyllaImportForeignSchema(ImportForeignSchemaStmt *stmt, Oid serverOid);

#endif /* SCYLLA_IMPORT_H */
