/*
 * The frames of test/data/frames, recorded from a real server by test/scripts/record_frames, and
 * what its index says of each: lines of text, the first "response ..." or "request ...".
 */
#ifndef TEST_GOLDEN_H
#define TEST_GOLDEN_H

#include "support.h"

typedef struct golden
{
	char name[64];
	char *facts;
	uint8_t *frame;
	size_t len;
} golden;

extern golden golden_frames[128];
extern size_t golden_count;

/* Setup and teardown of a group of tests that use them. */
extern int load_golden_frames(void **state);
extern int free_golden_frames(void **state);

extern const golden *find_golden_frame(const char *name);
/* The rest of the which-th line that begins with the word, to be freed; NULL if there is none. */
extern char *find_fact(const golden *frame, const char *word, int which);

#endif /* TEST_GOLDEN_H */
