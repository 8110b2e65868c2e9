/* Loading the next image by the 64-bit boot protocol and jumping to it.
 * Linux Documentation/arch/x86/boot.rst; arch/x86/kernel/kexec-bzimage64.c. */
#ifndef BATON_KEXEC_H
#define BATON_KEXEC_H

#include "base.h"
#include "boot_info.h"
#include "kernel/memory/window.h"
#include "kho/abi.h"
#include "span.h"

#define KEXEC_MAX_PARTS	4

/* One loaded range and its digest. */
struct kexec_part {
	const char *name;
	paddr_t pa;
	uint64_t len;
	uint32_t crc32c;
};

struct kexec_target {
	paddr_t entry;		/* 64-bit entry point */
	paddr_t boot_params;
	paddr_t tables;		/* CR3 for the jump: all RAM, identity */
	struct kexec_part part[KEXEC_MAX_PARTS];
	unsigned nr_parts;
};

/* Our own file, header page and protected-mode part as they were before relocation, built in
 * scratch.  Return: false if scratch does not hold it. */
bool kexec_own_file(const struct boot_info *bi, struct span *file);

/**
 * kexec_load() - place an image into the other half of scratch
 * @file:    a bzImage-like file
 * @cmdline: for the next kernel
 * @kho:     announced in setup_data
 * @why:     what was refused, by name
 *
 * Image at the bottom of the half; boot_params, command line, setup_data, page tables at its top.
 * Return: 0; -EBADMSG, -EOPNOTSUPP as bzimage_check(); -ENOMEM it does not fit.
 */
int kexec_load(const struct boot_info *bi, const struct window *w, struct span file,
	       const char *cmdline, const struct kho_data *kho, struct kexec_target *t,
	       const char **why);

/* The first part whose bytes are no longer those that were loaded, or NULL. */
const char *kexec_changed_part(const struct kexec_target *t);

_Noreturn void kexec_jump(const struct kexec_target *t);

#endif
