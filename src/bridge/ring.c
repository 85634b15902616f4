/*
 * The ring of a table in pieces: the driver's split, once it knows what it can know.
 */
#include "bridge/ring.h"

#include "bridge/wait.h"

typedef struct Lesson
{
	cql_session *session;
	const cql_split *split;
} Lesson;

static bool
is_learnt(void *argument)
{
	const Lesson *lesson = argument;

	return cql_session_learn_ring(lesson->session, lesson->split->keyspace, lesson->split->table);
}

cql_ring_piece *
scylla_split_ring(const ScyllaSession *session, const cql_split *split, int max, int *count)
{
	Lesson lesson = {session->cql, split};
	cql_ring_piece *pieces = palloc((Size) max * sizeof(cql_ring_piece));

	scylla_wait_until(is_learnt, &lesson, SCYLLA_GATHER_NONE);
	*count = cql_session_split_ring(session->cql, split, pieces, max);
	return pieces;
}
