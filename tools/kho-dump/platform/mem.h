/* The seam of kho-dump, half two: physical memory is an image in files, sparse and only read.  Same
 * contract as kernel/seam/platform/mem.h, as far as readers need it. */
#ifndef BATON_PLATFORM_MEM_H
#define BATON_PLATFORM_MEM_H

#include "base.h"

/* The page that holds @pa, at @pa.  One that is not in the image reads as zeros and is noted, see
 * image_missing(): so a reader needs no way back from here. */
void *mem_ptr(paddr_t pa);
paddr_t mem_pa(const void *p);

/* Nothing is written into an image. */
static inline paddr_t mem_alloc_pages(unsigned order)
{
	(void)order;
	return 0;
}

static inline void mem_free_pages(paddr_t pa, unsigned order)
{
	(void)pa;
	(void)order;
}

#endif
