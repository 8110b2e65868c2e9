#include "cases.h"
void cases_run(struct cases_result *out) { *out = (struct cases_result){0,0}; }
