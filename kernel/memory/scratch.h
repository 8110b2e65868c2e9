/* Transient memory of this generation: it dies with it, and nothing preserved comes from it. */
#ifndef BATON_SCRATCH_H
#define BATON_SCRATCH_H

#include "base.h"

/* Hand out [base, base + len), bottom up.  The range is inside a KHO scratch area. */
void scratch_init(paddr_t base, uint64_t len);

/* @len zeroed bytes, aligned to @align (a power of two); 0 when there are none. */
paddr_t scratch_alloc(uint64_t len, uint64_t align);

/* The same, as a pointer, for host-independent structures. */
void *scratch_new(uint64_t len);

uint64_t scratch_used(void);

#endif
