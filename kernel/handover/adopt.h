/* The incoming side: docs/design.md, order of adopting. */
#ifndef BATON_ADOPT_H
#define BATON_ADOPT_H

#include "kernel/run.h"

/**
 * handover_adopt() - validate, claim, adopt, verify, report
 *
 * Before it: own tables live, units found and read, nothing cleared.  A handoff that is broken
 * as a whole ends the run (17h), every bus master off.  A device whose records or tables are
 * broken is fenced and its port is not taken; the rest goes on.  The checks of phase ADOPT
 * are observed and printed.
 */
void handover_adopt(struct run *r);

#endif
