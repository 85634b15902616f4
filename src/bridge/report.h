/*
 * The only raiser of the driver's errors: one table from cql_error to SQLSTATE, message, detail
 * and hint. The remote statement goes into the error's context; bind values go nowhere.
 */
#ifndef SCYLLA_REPORT_H
#define SCYLLA_REPORT_H

#include "bridge/session.h"

/* What the failed request was about; every field may be NULL. */
typedef struct ScyllaReportContext
{
	const ScyllaSession *session;
	const char *relation; /* keyspace.table */
	const char *key;      /* of the row at fault */
	const char *cql;
	const char *others; /* a sentence about what became of the statement's other rows */
	bool is_write;      /* picks 08007 where a write may have been applied */
	/* Called before it is reported that the server finds a statement invalid, or its table
	 * missing: to raise what tells more. NULL: nobody knows more. */
	void (*explain)(const void *argument);
	const void *argument;
} ScyllaReportContext;

extern void scylla_report(const cql_error *error, const ScyllaReportContext *about)
	__attribute__((noreturn));

/* A result's server warnings, as WARNINGs. */
extern void scylla_report_warnings(const cql_result *result);

#endif /* SCYLLA_REPORT_H */
