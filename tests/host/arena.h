/* Fake physical memory for host tests. */
#ifndef BATON_HOST_ARENA_H
#define BATON_HOST_ARENA_H

#include "base.h"

#define ARENA_BYTES	GIB(8)		/* address space; pages appear when touched */

extern uint64_t arena_flushed_bytes;	/* what mem_flush() has seen since arena_reset() */
extern uint64_t arena_pages_in_use;	/* handed out by mem_alloc_pages() and not freed */

/* Forget all contents; mem_alloc_pages() then hands out [@base, @end), bottom up. */
void arena_reset(paddr_t base, paddr_t end);

#endif
