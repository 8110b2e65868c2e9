/* The book of broken rules: one sentence each. */
#include "internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MAX_SENTENCES	64
#define SENTENCE_BYTES	200

static char sentence[MAX_SENTENCES][SENTENCE_BYTES];
static unsigned count;

void model_violate(const struct model_unit *u, const char *fmt, ...)
{
	char text[SENTENCE_BYTES];
	int n = u ? snprintf(text, sizeof(text), "vtd%u: ", u->index) : 0;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
	va_end(ap);
	/* The same sentence once: audits repeat themselves. */
	for (unsigned i = 0; i < count && i < MAX_SENTENCES; i++)
		if (!strcmp(sentence[i], text))
			return;
	if (count < MAX_SENTENCES)
		strcpy(sentence[count], text);
	count++;
	printf("# violation: %s\n", text);
}

unsigned model_violations(void)
{
	for (unsigned i = 0; i < MODEL_MAX_UNITS; i++)
		if (model_units[i].exists)
			model_audit(&model_units[i]);
	return count;
}

bool model_violated(const char *part)
{
	for (unsigned i = 0; i < count && i < MAX_SENTENCES; i++)
		if (strstr(sentence[i], part))
			return true;
	return false;
}

void model_forgive(void)
{
	count = 0;
}
