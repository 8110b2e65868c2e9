/* The outgoing side: docs/design.md, order of saving. */
#ifndef BATON_SAVE_H
#define BATON_SAVE_H

#include "kernel/handover/kexec.h"
#include "kernel/run.h"

/**
 * handover_save() - steps (a) to (g): load, freeze, fence, drain, settle, write, check
 * @t: ready for kexec_jump()
 *
 * The checks of phase SAVE are observed and printed.  After a failure the handoff is dropped and
 * the port's domain stays as it was.
 * Return: 0; a negative error, logged.
 */
int handover_save(struct run *r, struct kexec_target *t);

/* Step (h): last poll, hold, jump. */
_Noreturn void handover_jump(struct run *r, const struct kexec_target *t);

#endif
