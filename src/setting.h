/*
 * What option.c needs of setting.c: which consistency levels a use allows. Everybody else includes option.h alone.
 */
#ifndef SCYLLA_SETTING_H
#define SCYLLA_SETTING_H

#include "option.h"

/* What a consistency level may be asked for; bits. */
enum
{
	SCYLLA_LEVEL_READ = 1 << 0,
	SCYLLA_LEVEL_WRITE = 1 << 1,
	SCYLLA_LEVEL_SERIAL = 1 << 2
};

extern bool scylla_consistency_is_for(const char *name, int use);
/* "one, two, ...": the levels of a use, palloc'ed. */
extern char *scylla_consistency_list(int use);

#endif /* SCYLLA_SETTING_H */
