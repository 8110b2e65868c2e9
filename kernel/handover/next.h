/* The kernel after this one: a fresh copy of this program, or in the end the Linux of the run. */
#ifndef BATON_NEXT_H
#define BATON_NEXT_H

#include "kernel/handover/kexec.h"
#include "kernel/run.h"

/**
 * next_load() - load it into its part of scratch
 * @kho: announced to it
 *
 * Return: 0; as kexec_load(), -EBADMSG a file for Linux is no longer what was read; all logged.
 */
int next_load(const struct run *r, const struct kho_data *kho, struct kexec_target *t);

/**
 * next_check_linux() - whether the last Baton of the run will be able to start its Linux
 *
 * That one lives elsewhere in scratch, and may have less of it to load into.  Logs what the Linux is.
 * Return: 0; as payload_cmdline() and kexec_check(), with @why.
 */
int next_check_linux(const struct run *r, const char **why);

#endif
