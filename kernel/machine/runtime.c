/* UEFI runtime services. */
#include <efi.h>

#include "runtime.h"

#include "paging.h"
#include "platform/mem.h"

void runtime_reset(paddr_t efi_systab)
{
	const EFI_SYSTEM_TABLE *st = mem_ptr(efi_systab);

	if (!paging_is_readable(efi_systab, sizeof(*st)) ||
	    st->Hdr.Signature != EFI_SYSTEM_TABLE_SIGNATURE ||
	    !paging_is_readable((uintptr_t)st->RuntimeServices, sizeof(*st->RuntimeServices)) ||
	    paging_map_runtime_executable())
		return;
	st->RuntimeServices->ResetSystem(EfiResetCold, EFI_SUCCESS, 0, NULL);
}
