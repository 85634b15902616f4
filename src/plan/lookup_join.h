/*
 * Paths of lookup joins: a nested loop over a scan with parameters, with a window before it.
 */
#ifndef SCYLLA_LOOKUP_JOIN_H
#define SCYLLA_LOOKUP_JOIN_H

/* Have the planner offer them; once, from _PG_init. */
extern void scylla_lookup_join_install(void);

#endif /* SCYLLA_LOOKUP_JOIN_H */
