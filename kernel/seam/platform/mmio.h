/* The seam, half one: device registers, time and log.  Firmware version; host builds find
 * tests/host/platform/mmio.h instead, where the addresses lead into a model. */
#ifndef BATON_PLATFORM_MMIO_H
#define BATON_PLATFORM_MMIO_H

#include "base.h"

static inline uint32_t mmio_read32(paddr_t addr)
{
	return *(const volatile uint32_t *)(uintptr_t)addr;
}

static inline uint64_t mmio_read64(paddr_t addr)
{
	return *(const volatile uint64_t *)(uintptr_t)addr;
}

/* The clobber keeps earlier stores to tables and rings in front of the register write that
 * makes a device look at them; UC writes are ordered after them by the CPU. */
static inline void mmio_write32(paddr_t addr, uint32_t v)
{
	__asm__ volatile("" ::: "memory");
	*(volatile uint32_t *)(uintptr_t)addr = v;
}

static inline void mmio_write64(paddr_t addr, uint64_t v)
{
	__asm__ volatile("" ::: "memory");
	*(volatile uint64_t *)(uintptr_t)addr = v;
}

/* Microseconds since an arbitrary start; monotonic, carried over a hand-over. */
uint64_t platform_us(void);

/* Pause inside a polling loop. */
static inline void platform_relax(void)
{
	__asm__ volatile("pause" ::: "memory");
}

/* One log line, without the leading "# " and without newline. */
void platform_log(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
