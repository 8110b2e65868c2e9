/* The seam on the host, half two: physical memory is an arena (tests/host/arena.h), so that
 * tests place pages at the addresses a golden example names.  Same contract as
 * kernel/seam/platform/mem.h. */
#ifndef BATON_PLATFORM_MEM_H
#define BATON_PLATFORM_MEM_H

#include "base.h"

extern uint8_t *host_arena;	/* physical address 0 */

static inline void *mem_ptr(paddr_t pa)
{
	return host_arena + pa;
}

static inline paddr_t mem_pa(const void *p)
{
	return (paddr_t)((const uint8_t *)p - host_arena);
}

paddr_t mem_alloc_pages(unsigned order);
void mem_free_pages(paddr_t pa, unsigned order);

static inline void mem_write64(uint64_t *p, uint64_t v)
{
	*(volatile uint64_t *)p = v;
}

static inline uint64_t mem_read64(const uint64_t *p)
{
	return *(const volatile uint64_t *)p;
}

static inline uint32_t mem_read32(const uint32_t *p)
{
	return *(const volatile uint32_t *)p;
}

static inline void mem_write128(uint64_t p[2], uint64_t lo, uint64_t hi)
{
	mem_write64(&p[1], hi);
	mem_write64(&p[0], lo);
}

static inline void mem_barrier(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* Counted, so that a test can say that a non-coherent path flushed. */
void mem_flush(const void *p, size_t len);

#endif
