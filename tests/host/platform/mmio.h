/* The seam on the host, half one: register accesses are calls, so that a test or the strict
 * model stands behind them.  Same contract as kernel/seam/platform/mmio.h. */
#ifndef BATON_PLATFORM_MMIO_H
#define BATON_PLATFORM_MMIO_H

#include "base.h"

uint32_t mmio_read32(paddr_t addr);
uint64_t mmio_read64(paddr_t addr);
void mmio_write32(paddr_t addr, uint32_t v);
void mmio_write64(paddr_t addr, uint64_t v);

/* Host time advances by one microsecond per call: time-outs are reached without waiting. */
uint64_t platform_us(void);
static inline void platform_relax(void) { }
void platform_log(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
