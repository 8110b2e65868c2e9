/* The seam in front of the strict model, half one: registers are the model's, time is what its
 * register reads and clock reads make of it.  Same contract as kernel/seam/platform/mmio.h. */
#ifndef BATON_PLATFORM_MMIO_H
#define BATON_PLATFORM_MMIO_H

#include "base.h"

uint32_t mmio_read32(paddr_t addr);
uint64_t mmio_read64(paddr_t addr);
void mmio_write32(paddr_t addr, uint32_t v);
void mmio_write64(paddr_t addr, uint64_t v);

uint64_t platform_us(void);
static inline void platform_relax(void) { }
void platform_log(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
