/* What the files of this room share: the firmware's services, as UEFI spells them. */
#ifndef BATON_EFI_H
#define BATON_EFI_H

#include <efi.h>

#include "boot_info.h"
#include "kernel/config.h"

struct efi_env {
	EFI_HANDLE Image;
	EFI_SYSTEM_TABLE *SystemTable;
	EFI_BOOT_SERVICES *BootServices;
	EFI_LOADED_IMAGE *LoadedImage;
};

/* Text on the firmware's console; @fmt as in kernel/console/printf.h. */
void efi_printf(const struct efi_env *env, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Defaults, then \baton\baton.cfg, then the load options.  Return: false if anything in them
 * is not allowed; @err then says what.  @cfg is filled as far as it could be read. */
bool efi_config_collect(const struct efi_env *env, struct baton_config *cfg,
			struct config_error *err);

/* The files of a Linux target into bi->file.  Return: false, with a sentence in @why, if one is missing
 * or cannot be read, or the kernel is none that can be started. */
bool efi_linux_files(const struct efi_env *env, struct boot_info *bi, char *why, size_t size);

/* Give their memory back, when firmware is not left after all. */
void efi_drop_linux_files(const struct efi_env *env, struct boot_info *bi);

/* The PCI function that holds the volume or network we were booted from. */
void efi_boot_device(const struct efi_env *env, struct boot_info *bi);

/* Stop the firmware's drivers on every function that could become the test NIC. */
void efi_disconnect_nics(const struct efi_env *env, const struct baton_config *cfg,
			 const struct boot_info *bi);

/* Address of the ACPI 2.0 RSDP and the graphics output, if there are any. */
void efi_tables(const struct efi_env *env, struct boot_info *bi);

#endif
