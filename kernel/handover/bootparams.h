/* Linux boot_params ("zero page"), setup_data and the bzImage setup header: writer for the
 * kernel we start, reader for what started us.  Pure: bytes in, values out. */
#ifndef BATON_HANDOVER_BOOTPARAMS_H
#define BATON_HANDOVER_BOOTPARAMS_H

#include "base.h"
#include "boot_info.h"
#include "span.h"

#define BOOTPARAMS_SIZE		4096
#define BOOTPARAMS_MAX_E820	128	/* entries in the zero page itself */
/* Types of setup_data nodes (Linux asm/setup_data.h): one that is not looked into, EFI. */
#define BOOTPARAMS_SETUP_NONE	0
#define BOOTPARAMS_SETUP_EFI	4
#define BZIMAGE_ENTRY64		0x200	/* 64-bit entry, from the load address */

/* What a bzImage-like file says about itself (Linux Documentation/arch/x86/boot.rst). */
struct bzimage {
	uint64_t setup_bytes;		/* = offset of the protected-mode part in the file */
	uint64_t pm_offset, pm_len;	/* protected-mode part, what is loaded */
	uint64_t init_size;		/* bytes the kernel needs from its load address on */
	uint64_t align;			/* of the load address, at least a page */
	paddr_t pref;			/* lowest load address, at least 1 MiB */
	uint32_t cmdline_size;		/* longest command line without NUL */
	uint16_t xloadflags;
};
#define BZIMAGE_XLF_KERNEL_64	BIT32(0)
#define BZIMAGE_XLF_ABOVE_4G	BIT32(1)
#define BZIMAGE_XLF_5LEVEL	BIT32(5)	/* may be entered with LA57 on */

/* 0; -EBADMSG or -EOPNOTSUPP with *@why, one constant sentence without a full stop. */
int bzimage_check(struct span file, struct bzimage *out, const char **why);

struct bootparams_in {
	const struct mem_range *map;
	size_t nr_map;
	paddr_t cmdline;		/* NUL-terminated */
	paddr_t initrd;			/* page aligned */
	uint64_t initrd_size;		/* 0: none */
	paddr_t rsdp;
	struct boot_framebuffer fb;	/* base 0: none; left out if too large to be told */
	paddr_t setup_data;		/* head of the list, 0: empty */

	paddr_t efi_systab;		/* 0: efi_info stays zero */
	paddr_t efi_memmap;
	uint32_t efi_memmap_size, efi_memdesc_size;

	/* For E820 entries beyond BOOTPARAMS_MAX_E820; becomes the head of the list. */
	void *e820_ext;
	size_t e820_ext_size;
	paddr_t e820_ext_pa;
};

/**
 * bootparams_build() - write a zero page
 * @zero_page:  BOOTPARAMS_SIZE bytes
 * @setup_header_file: the file to be started, at least its setup header; bzimage_check() has
 *		accepted it
 *
 * Return: 0; -EBADMSG no setup header; -EINVAL something of @in cannot be expressed; -ENOSPC
 * the memory map needs a larger e820_ext.
 */
int bootparams_build(void *zero_page, struct span setup_header_file,
		     const struct bootparams_in *in);

/* Bytes at a physical address: @at returns NULL for what it cannot reach.  It is asked only
 * for RAM, by the E820 map that is being read. */
struct phys_reader {
	const void *(*at)(void *ctx, paddr_t pa, uint64_t len);
	void *ctx;
};

/**
 * bootparams_read() - understand the zero page we were entered with
 * @bi: memory map, command line, initrd, RSDP, framebuffer, EFI system table and KHO fields are
 *	filled; everything else is left alone
 *
 * Nothing in the zero page is trusted.  A framebuffer that cannot be one is left out; anything
 * else that is broken ends the reading with one sentence in @bi->error.
 * Return: 0; -EBADMSG with @bi->error.
 */
int bootparams_read(const void *zero_page, const struct phys_reader *rd, struct boot_info *bi);

#endif
