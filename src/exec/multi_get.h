/*
 * Several lookups of one partition in a single request, which costs a server little more than one
 * of them: the last clustering column, in which they differ, is asked for by IN. Its cells tell
 * whose the rows are that come.
 */
#ifndef SCYLLA_MULTI_GET_H
#define SCYLLA_MULTI_GET_H

#include "postgres.h"

#include "exec/setup.h"

typedef struct ScyllaMultiGet ScyllaMultiGet;

/* The arm that asks for several values of its last condition at once; in CurrentMemoryContext. */
extern const ScyllaScanArm *scylla_multi_get_arm(const ScyllaScanArm *arm);

/* In CurrentMemoryContext, for a set-up that is connected; NULL: the plan's lookups don't share
 * requests. */
extern ScyllaMultiGet *scylla_multi_get_new(ScyllaScanSetup *setup);

/* Whether the probe can ever go with others; and whether with those that were added since the last
 * take(). */
extern bool scylla_multi_get_is_for(const ScyllaMultiGet *multi, const ScyllaProbe *probe);
extern bool scylla_multi_get_has_room(const ScyllaMultiGet *multi, const ScyllaProbe *probe);

/* Add a probe that there is room for; it is copied. */
extern void scylla_multi_get_add(ScyllaMultiGet *multi, const ScyllaProbe *probe);

/* One probe for all that were added, and begin anew. Valid until the next add(). */
extern ScyllaProbe scylla_multi_get_take(ScyllaMultiGet *multi);

/* The cell by which a probe's rows are told, in the plan's shared_column. It lies within the input's
 * values. */
extern cql_cell scylla_multi_get_cell(const ScyllaCursorInput *input);

#endif /* SCYLLA_MULTI_GET_H */
