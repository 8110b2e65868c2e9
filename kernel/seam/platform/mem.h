/* The seam, half two: pages, addresses, ordered stores and cache flushes.  Firmware version;
 * host builds find tests/host/platform/mem.h, where physical memory is an arena. */
#ifndef BATON_PLATFORM_MEM_H
#define BATON_PLATFORM_MEM_H

#include "base.h"

/* Physical memory is identity-mapped, so the conversion is a cast; it is done here only. */
static inline void *mem_ptr(paddr_t pa)
{
	return (void *)(uintptr_t)pa;
}

static inline paddr_t mem_pa(const void *p)
{
	return (uintptr_t)p;
}

/* 2^order zeroed pages, naturally aligned, that may be preserved; 0 when there are none. */
paddr_t mem_alloc_pages(unsigned order);
void mem_free_pages(paddr_t pa, unsigned order);

/* Single aligned stores that hardware may observe at any time. */
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

/* One 16-byte store; @p is 16-byte aligned.  CMPXCHG16B is the only one the architecture
 * promises to be atomic on every processor that has VT-d. */
static inline void mem_write128(uint64_t p[2], uint64_t lo, uint64_t hi)
{
	uint64_t was_lo = mem_read64(&p[0]), was_hi = mem_read64(&p[1]);
	bool done;

	do
		__asm__ volatile("lock cmpxchg16b %1"
				 : "=@ccz"(done), "+m"(*(uint64_t (*)[2])p),
				   "+a"(was_lo), "+d"(was_hi)
				 : "b"(lo), "c"(hi)
				 : "memory");
	while (!done);
}

/* Compiler and store barrier. */
static inline void mem_barrier(void)
{
	__asm__ volatile("sfence" ::: "memory");
}

/* Write the cache lines of [p, p + len) back to memory and drop them; ends with a fence. */
static inline void mem_flush(const void *p, size_t len)
{
	const uintptr_t end = (uintptr_t)p + len;

	for (uintptr_t line = (uintptr_t)p & ~(uintptr_t)63; line < end; line += 64)
		__asm__ volatile("clflush (%0)" :: "r"(line) : "memory");
	__asm__ volatile("mfence" ::: "memory");
}

#endif
