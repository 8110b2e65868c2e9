/* The seam in front of the strict model, half two.  Same contract as kernel/seam/platform/mem.h,
 * but every store and flush is a call, so that the model sees it: it applies the rules for live
 * tables, keeps memory that only a flush reaches, and lets a test act between any two of them. */
#ifndef BATON_PLATFORM_MEM_H
#define BATON_PLATFORM_MEM_H

#include "base.h"

extern uint8_t *model_ram;	/* physical address 0, as the CPU sees it */

static inline void *mem_ptr(paddr_t pa)
{
	return model_ram + pa;
}

static inline paddr_t mem_pa(const void *p)
{
	return (paddr_t)((const uint8_t *)p - model_ram);
}

paddr_t mem_alloc_pages(unsigned order);
void mem_free_pages(paddr_t pa, unsigned order);

void mem_write64(uint64_t *p, uint64_t v);
void mem_write128(uint64_t p[2], uint64_t lo, uint64_t hi);
void mem_flush(const void *p, size_t len);

static inline uint64_t mem_read64(const uint64_t *p)
{
	return *(const volatile uint64_t *)p;
}

static inline uint32_t mem_read32(const uint32_t *p)
{
	return *(const volatile uint32_t *)p;
}

static inline void mem_barrier(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

#endif
