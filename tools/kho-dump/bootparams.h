/* Offsets in struct boot_params (Linux asm/bootparam.h, Documentation/arch/x86/zero-page.rst). */
#ifndef KHO_DUMP_BOOTPARAMS_H
#define KHO_DUMP_BOOTPARAMS_H

#define BOOT_PARAMS_BYTES	4096
#define BP_ACPI_RSDP_ADDR	0x070	/* u64 */
#define BP_EXT_RAMDISK_IMAGE	0x0c0	/* u32, high 32 bits, as the one behind it */
#define BP_EXT_RAMDISK_SIZE	0x0c4
#define BP_EXT_CMD_LINE_PTR	0x0c8	/* u32, high 32 bits */
#define BP_EFI_INFO		0x1c0	/* eight u32 */
#define BP_E820_ENTRIES		0x1e8	/* u8 */
#define BP_VERSION		0x206	/* u16, of the boot protocol */
#define BP_TYPE_OF_LOADER	0x210	/* u8 */
#define BP_LOADFLAGS		0x211	/* u8 */
#define BP_RAMDISK_IMAGE	0x218	/* u32 */
#define BP_RAMDISK_SIZE		0x21c	/* u32 */
#define BP_CMD_LINE_PTR		0x228	/* u32 */
#define BP_SETUP_DATA		0x250	/* u64 */
#define BP_E820_TABLE		0x2d0
#define BP_E820_MAX		128

#define E820_ENTRY_BYTES	20	/* u64 addr, u64 size, u32 type */
#define   E820_RAM		1
#define SETUP_E820_EXT		1	/* setup_data: further entries */

#endif
