/* Loading the next image by the 64-bit boot protocol and jumping to it.
 * Linux Documentation/arch/x86/boot.rst; arch/x86/kernel/kexec-bzimage64.c. */
#ifndef BATON_KEXEC_H
#define BATON_KEXEC_H

#include "base.h"
#include "boot_info.h"
#include "kernel/config.h"
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

/* What is to be started. */
struct kexec_image {
	struct span file;	/* bzImage-like */
	struct span initrd;	/* empty: none */
	const char *cmdline;
	bool is_linux;		/* else the next Baton, which is told all that this one knows of EFI */
	enum config_efi efi;	/* EFI information for a Linux */
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
 * kexec_check() - whether an image can be started from the other half of scratch
 * @why: what was refused, by name
 *
 * Reads only, and guesses what page tables will take.  Return: 0; -EBADMSG as bzimage_check();
 * -EOPNOTSUPP as well, or it cannot be entered with 5-level paging; -ENOMEM it does not fit; -ENOSPC its
 * command line is too long for it; -ENOENT there is no such EFI information.
 */
int kexec_check(const struct boot_info *bi, const struct window *w,
		const struct kexec_image *image, const char **why);

/* Where kexec_load() would put an image without an initrd.  Return: 0; as kexec_check(). */
int kexec_where(const struct window *w, struct span file, paddr_t *load, const char **why);

/**
 * kexec_load() - place an image into the other half of scratch
 * @kho: announced in setup_data
 * @why: what was refused, by name
 *
 * Kernel at the bottom of the half, all else at its top: initrd, boot_params, command line,
 * setup_data, page tables.  Return: as kexec_check().
 */
int kexec_load(const struct boot_info *bi, const struct window *w,
	       const struct kexec_image *image, const struct kho_data *kho, struct kexec_target *t,
	       const char **why);

/* The first part whose bytes are no longer those that were loaded, or NULL. */
const char *kexec_changed_part(const struct kexec_target *t);

_Noreturn void kexec_jump(const struct kexec_target *t);

#endif
