/*
 * The window of a lookup join (plan/lookup_plan.h), as PostgreSQL's executor runs it.
 */
#ifndef SCYLLA_EXEC_LOOKUP_JOIN_H
#define SCYLLA_EXEC_LOOKUP_JOIN_H

/* Make it known by its name, also to parallel workers; once, from _PG_init. */
extern void scylla_lookup_window_register(void);

#endif /* SCYLLA_EXEC_LOOKUP_JOIN_H */
