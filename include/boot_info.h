/* What both entries, UEFI and 64-bit boot protocol, reduce their world to.  Nothing behind
 * run() knows how the machine was started. */
#ifndef BATON_BOOT_INFO_H
#define BATON_BOOT_INFO_H

#include "base.h"

/* Classes of the memory map.  The first four are RAM for every later kernel. */
enum mem_kind {
	MEM_CONVENTIONAL,	/* free RAM, loader data */
	MEM_LOADER,		/* RAM that holds this image or what it was started with */
	MEM_BOOT_SERVICES,	/* RAM once firmware was left; transient use only in generation 0 */
	MEM_RAM_KINDS,		/* --- kinds below here are not usable RAM --- */
	MEM_ACPI_RECLAIM,
	MEM_ACPI_NVS,
	MEM_RUNTIME_CODE,
	MEM_RUNTIME_DATA,
	MEM_RESERVED,
	MEM_UNUSABLE,
	MEM_PERSISTENT,
	MEM_MMIO,
};

struct mem_range {
	paddr_t base;
	uint64_t len;		/* bytes */
	enum mem_kind kind;
};

#define BOOT_MAX_RANGES		512
#define BOOT_CMDLINE_MAX	2048	/* bytes, with the NUL */

struct boot_framebuffer {
	paddr_t base;		/* 0: none */
	uint64_t size;		/* bytes */
	uint32_t width, height;	/* pixels */
	uint32_t stride;	/* bytes per line */
	uint8_t red_shift, green_shift, blue_shift;
};

/* What is handed to a Linux target, whole files in pages of their own (MEM_LOADER). */
enum { BOOT_FILE_KERNEL, BOOT_FILE_INITRD, BOOT_FILE_CMDLINE, BOOT_FILES };
struct boot_file {
	paddr_t pa;		/* page aligned; 0: there is none */
	uint64_t len;		/* bytes */
};

/* EFI information that an earlier Linux has made its own by SetVirtualAddressMap(): for another
 * Linux to read, not for us (efi=relay). */
#define BOOT_EFI_SETUP_MAX	128	/* bytes; Linux 7.3 has 96 */
#define BOOT_EFI_MAP_MAX	KIB(8)
struct boot_efi_relay {
	paddr_t systab;		/* 0: there is none */
	bool too_large;		/* there was some, which is not kept */
	uint32_t desc_size;
	uint32_t map_len, setup_len;	/* bytes */
	uint8_t map[BOOT_EFI_MAP_MAX];
	uint8_t setup[BOOT_EFI_SETUP_MAX];	/* payload of SETUP_EFI */
};

struct boot_info {
	bool from_uefi;			/* else: 64-bit boot protocol (kexec) */
	uint64_t entry_tsc;		/* at the first instruction that could read it */
	uint64_t firmware_exit_tsc;	/* ExitBootServices returned; 0 if not from_uefi */

	struct mem_range map[BOOT_MAX_RANGES];	/* sorted, no overlaps */
	size_t nr_map;

	paddr_t rsdp;			/* 0: none found */
	paddr_t efi_systab;		/* 0: no runtime services */
	char cmdline[BOOT_CMDLINE_MAX];	/* key=value words, see kernel/config.h */
	struct boot_framebuffer fb;

	/* KHO setup_data payload (Linux asm/setup_data.h, struct kho_data). */
	bool has_kho;
	paddr_t kho_fdt, kho_scratch;
	uint64_t kho_fdt_size, kho_scratch_size;

	/* What was loaded beside the kernel, in RAM. */
	paddr_t initrd;
	uint64_t initrd_size;			/* bytes; 0: none */

	/* Our image in memory, and its protected-mode part as it was before relocation. */
	paddr_t image;
	uint64_t image_size;		/* bytes in memory, .bss and stack included */
	const void *pristine;
	uint64_t pristine_size;		/* bytes */

	struct boot_file file[BOOT_FILES];

	/* Firmware's own memory map, for efi=first; in generation 0 after UEFI only. */
	struct boot_file efi_map;
	uint32_t efi_map_desc_size;
	struct boot_efi_relay efi_relay;

	/* PCI function we were booted from, so that it is never taken by default. */
	bool has_boot_device;
	uint16_t boot_segment, boot_rid;

	/* Why the world could not be understood; empty when all is well. */
	char error[160];
};

/* From UEFI, once firmware was left. */
_Noreturn void kernel_main(const struct boot_info *bi);

#endif
