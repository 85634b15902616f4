/*
 * Several lookups of one partition in a single request, which costs a server little more than one
 * of them: the last clustering column, in which they differ, is asked for by IN. Its cells tell
 * whose the rows are that come.
 */
#ifndef SCYLLA_MULTI_GET_H
#define SCYLLA_MULTI_GET_H

#include "postgres.h"

#include "exec/setup.h"

/* As many probes as servers take even where their guardrails are narrow; and each reader looks
 * through all rows of the page. */
#define SCYLLA_MULTI_GET_MAX 25

typedef struct ScyllaMultiGet ScyllaMultiGet;

/* The arm that asks for several values of its last condition at once; in CurrentMemoryContext. */
extern const ScyllaScanArm *scylla_multi_get_arm(const ScyllaScanArm *arm);

/* In CurrentMemoryContext, for a set-up that is connected; NULL: the plan's lookups don't share
 * requests. */
extern ScyllaMultiGet *scylla_multi_get_new(ScyllaScanSetup *setup);

/* Whether the probe can ever go with others; and whether with so many that the first one leads. */
extern bool scylla_multi_get_is_for(const ScyllaMultiGet *multi, const ScyllaProbe *probe);
extern bool scylla_multi_get_can_join(const ScyllaMultiGet *multi, const ScyllaProbe *probe,
									  const ScyllaProbe *first, int count);

/* One probe for several that can join each other. Valid until the next join(), and as long as the
 * first of them. */
extern ScyllaProbe scylla_multi_get_join(ScyllaMultiGet *multi, const ScyllaProbe *const *probes,
										 int count);

/* The cell by which a probe's rows are told, in the plan's shared_column. It lies within the input's
 * values. */
extern cql_cell scylla_multi_get_cell(const ScyllaCursorInput *input);

#endif /* SCYLLA_MULTI_GET_H */
