/* UEFI runtime services, in physical mode, after the verdict only. */
#ifndef BATON_RUNTIME_H
#define BATON_RUNTIME_H

#include "base.h"

/* ResetSystem(EfiResetCold); returns if the table is not one or the call comes back. */
void runtime_reset(paddr_t efi_systab);

#endif
