/* Claiming memory: from here pages outside scratch may be taken. */
#ifndef BATON_CLAIM_H
#define BATON_CLAIM_H

#include "kernel/run.h"
#include "kho/read.h"

/* Open the allocator for all RAM that is not part of a handoff, of scratch or of this kernel, that no RMRR
 * names, and in generation 0 that no remapping unit still points at.  Ends the run where scratch is
 * too small (15h), or a unit has its queue in what is handed over (17h). */
void handover_claim(const struct run *r, const struct kho_handoff *h);

#endif
