/* Damage that digests do not see, because they were made right again. */
#ifndef BATON_FLIPS_CASES_H
#define BATON_FLIPS_CASES_H

struct cases_result {
	unsigned run, failed;
};

/* Run all; the handoff is as before afterwards. */
void cases_run(struct cases_result *out);

#endif
