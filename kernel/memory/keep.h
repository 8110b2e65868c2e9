/* Keep pages: what a later kernel finds again (tables, rings, buffers, records).  They lie
 * above 1 MiB and outside scratch, in RAM that nothing preserved uses. */
#ifndef BATON_KEEP_H
#define BATON_KEEP_H

#include "base.h"
#include "boot_info.h"

struct keep_range {
	paddr_t base;
	uint64_t len;
};

/**
 * keep_init() - open the allocator
 * @map, @n:       memory map
 * @all_ram:       every RAM kind may be used; else MEM_CONVENTIONAL only (generation 0, where
 *                 boot-services memory must stay untouched by what is preserved)
 * @busy, @nr_busy: ranges never to be handed out: scratch areas, preserved memory, radix nodes
 *
 * Until it is called, mem_alloc_pages() fails and counts the attempt: nothing may be taken
 * before the preserved-memory map has been read (M4).
 * Return: 0; -ENOMEM when the list of free extents does not fit into scratch.
 */
int keep_init(const struct mem_range *map, size_t n, bool all_ram, const struct keep_range *busy,
	      size_t nr_busy);

/**
 * keep_alloc_guarded() - zeroed contiguous pages with a page in front and one behind
 * @len, @align: bytes, multiples of PAGE_SIZE; @align is a power of two
 *
 * The two guard pages are taken as well: [pa - PAGE_SIZE, pa + len + PAGE_SIZE) is the caller's.
 * Return: pa; 0 when there is no such place, or before keep_init().
 */
paddr_t keep_alloc_guarded(uint64_t len, uint64_t align);

uint64_t keep_pages_in_use(void);	/* handed out and not freed by this generation */
unsigned keep_early_attempts(void);	/* allocations asked for before keep_init() */

#endif
