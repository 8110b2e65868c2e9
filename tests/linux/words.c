/* The words of the kernel's command line. */
#include "agent.h"

#include <stdlib.h>
#include <string.h>

static char line[4096];
static char *words[256];
static unsigned nr_words;

bool words_read(void)
{
	const long len = file_read("/proc/cmdline", line, sizeof(line) - 1);

	if (!demand(len > 0, "/proc/cmdline cannot be read"))
		return false;
	line[len] = 0;
	for (char *w = strtok(line, " \n"); w && nr_words < ARRAY_SIZE(words); w = strtok(NULL, " \n"))
		words[nr_words++] = w;
	return true;
}

const char *word_nth(const char *key, unsigned n)
{
	const size_t len = strlen(key);

	for (unsigned i = 0; i < nr_words; i++)
		if (!strncmp(words[i], key, len) && words[i][len] == '=' && !n--)
			return words[i] + len + 1;
	return NULL;
}

const char *word(const char *key)
{
	const char *value = NULL, *next;

	for (unsigned n = 0; (next = word_nth(key, n)); n++)
		value = next;
	return value;
}

bool word_is(const char *key, const char *value)
{
	const char *is = word(key);

	return is && !strcmp(is, value);
}

uint64_t word_number(const char *key, uint64_t otherwise)
{
	const char *value = word(key);

	return value ? strtoull(value, NULL, 0) : otherwise;
}
