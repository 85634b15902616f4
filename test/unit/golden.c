/*
 * Loading the golden frames; see golden.h.
 */
#include "golden.h"

golden golden_frames[128];
size_t golden_count;

/* Entries of the index are apart by an empty line and begin with "frame NAME". */
int
load_golden_frames(void **state)
{
	size_t len;
	char *index = load_file("frames/frames.txt", &len);
	char *entry = index;

	(void) state;
	while (entry != NULL && *entry != '\0')
	{
		golden *frame = &golden_frames[golden_count++];
		char *next = strstr(entry, "\n\n");
		char path[128];

		assert_true(golden_count < LENGTH_OF(golden_frames));
		if (next != NULL)
			*++next = '\0';
		assert_int_equal(sscanf(entry, "frame %63s", frame->name), 1);
		frame->facts = strdup(strchr(entry, '\n') + 1);
		snprintf(path, sizeof path, "frames/%s.bin", frame->name);
		frame->frame = (uint8_t *) load_file(path, &frame->len);
		assert_true(frame->len >= 9);
		entry = next != NULL ? next + 1 : NULL;
	}
	free(index);
	return 0;
}

int
free_golden_frames(void **state)
{
	(void) state;
	while (golden_count > 0)
	{
		golden_count--;
		free(golden_frames[golden_count].facts);
		free(golden_frames[golden_count].frame);
	}
	return 0;
}

const golden *
find_golden_frame(const char *name)
{
	for (size_t i = 0; i < golden_count; i++)
		if (strcmp(golden_frames[i].name, name) == 0)
			return &golden_frames[i];
	fail_msg("no frame %s", name);
	return NULL;
}

char *
find_fact(const golden *frame, const char *word, int which)
{
	const size_t word_len = strlen(word);

	for (const char *line = frame->facts; line != NULL && *line != '\0';)
	{
		if (strncmp(line, word, word_len) == 0 && line[word_len] == ' ' && which-- == 0)
			return strndup(line + word_len + 1, strcspn(line + word_len + 1, "\n"));
		line = strchr(line, '\n');
		line += line != NULL;
	}
	return NULL;
}
