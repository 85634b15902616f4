/*
 * Scans below an Append that reads others while one of them waits.
 */
#ifndef SCYLLA_EXEC_ASYNC_H
#define SCYLLA_EXEC_ASYNC_H

#include "postgres.h"

#include "foreign/fdwapi.h"

extern void scyllaForeignAsyncRequest(AsyncRequest *areq);
extern void scyllaForeignAsyncConfigureWait(AsyncRequest *areq);
extern void scyllaForeignAsyncNotify(AsyncRequest *areq);

#endif /* SCYLLA_EXEC_ASYNC_H */
