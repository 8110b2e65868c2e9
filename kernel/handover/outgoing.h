/* The outgoing checks: step (g) of saving (docs/design.md). */
#ifndef BATON_OUTGOING_H
#define BATON_OUTGOING_H

#include "kernel/handover/kexec.h"
#include "kernel/run.h"
#include "kho/read.h"

/**
 * outgoing_check() - observe and print the checks of phase SAVE; writes nothing
 * @data: where the handoff was written, as boot_params announces it
 * @t:    the next image
 *
 * Return: 0; -EIO one of them failed.
 */
int outgoing_check(const struct run *r, const struct kho_data *data, const struct kexec_target *t);

#endif
