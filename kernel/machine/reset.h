/* The way out of a machine: FADT reset register, ResetSystem, CF9h, triple fault, in that
 * order (docs/design.md, how failures end). */
#ifndef BATON_RESET_H
#define BATON_RESET_H

#include "base.h"

/* From the FADT; without it that step is left out. */
void machine_set_reset_register(bool io, paddr_t address, uint8_t value);
void machine_set_runtime(paddr_t efi_systab);

_Noreturn void machine_reset(void);

#endif
