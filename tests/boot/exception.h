/* Test builds only: exceptions in chosen phases of the next kernel. */
#ifndef BATON_TESTS_BOOT_EXCEPTION_H
#define BATON_TESTS_BOOT_EXCEPTION_H

#include "kernel/handover/kexec.h"

/**
 * exception_in_next() - let the next kernel run into an invalid instruction
 * @name: exception_PHASE, a value of corrupt=
 * @t:    the next image as loaded; NULL: only look @name up
 *
 * Return: whether there is such a phase.
 */
bool exception_in_next(const char *name, const struct kexec_target *t);

#endif
