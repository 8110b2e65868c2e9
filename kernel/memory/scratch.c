/* Transient memory: a bump allocator, since everything in it dies at once. */
#include "scratch.h"

#include <string.h>

#include "platform/mem.h"

static paddr_t first, next, limit;

void scratch_init(paddr_t base, uint64_t len)
{
	first = next = base;
	limit = base + len;
}

paddr_t scratch_alloc(uint64_t len, uint64_t align)
{
	const paddr_t pa = ALIGN_UP(next, align);

	if (pa < next || pa > limit || len > limit - pa)
		return 0;
	next = pa + len;
	memset(mem_ptr(pa), 0, len);
	return pa;
}

void *scratch_new(uint64_t len)
{
	const paddr_t pa = scratch_alloc(len, 16);

	return pa ? mem_ptr(pa) : NULL;
}

uint64_t scratch_used(void)
{
	return next - first;
}
