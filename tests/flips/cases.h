/* Damage that digests do not see, because they were made right again. */
#ifndef BATON_FLIPS_CASES_H
#define BATON_FLIPS_CASES_H

#include <stdbool.h>

struct cases_result {
	unsigned run, failed;
};

extern bool cases_verbose;	/* one line for each; else for those that fail */

/* Run all; the handoff is as before afterwards. */
void cases_run(struct cases_result *out);

/* The one that is running, or NULL. */
const char *cases_running(void);

#endif
