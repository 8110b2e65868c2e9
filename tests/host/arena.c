/* Fake physical memory for host tests: one sparse mapping, a bump allocator with free lists,
 * and a clock that advances when it is read. */
#include "arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "platform/mem.h"
#include "platform/mmio.h"

#define MAX_ORDER	18
#define MAX_FREE	65536

uint8_t *host_arena;
uint64_t arena_flushed_bytes;
uint64_t arena_pages_in_use;

static paddr_t next_page, end_page;
static struct { paddr_t pa[MAX_FREE]; size_t n; } free_list[MAX_ORDER + 1];

void arena_reset(paddr_t base, paddr_t end)
{
	if (host_arena)
		munmap(host_arena, ARENA_BYTES);
	host_arena = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (host_arena == MAP_FAILED) {
		perror("mmap of the test arena");
		exit(99);
	}
	next_page = base;
	end_page = end;
	arena_flushed_bytes = 0;
	arena_pages_in_use = 0;
	for (unsigned i = 0; i <= MAX_ORDER; i++)
		free_list[i].n = 0;
}

paddr_t mem_alloc_pages(unsigned order)
{
	const uint64_t len = PAGE_SIZE << order;
	paddr_t pa;

	if (order > MAX_ORDER)
		return 0;
	if (free_list[order].n) {
		pa = free_list[order].pa[--free_list[order].n];
		memset(mem_ptr(pa), 0, len);
	} else {
		pa = ALIGN_UP(next_page, len);
		if (pa + len > end_page)
			return 0;
		next_page = pa + len;
	}
	arena_pages_in_use += 1ULL << order;
	return pa;
}

void mem_free_pages(paddr_t pa, unsigned order)
{
	if (free_list[order].n == MAX_FREE)
		abort();
	free_list[order].pa[free_list[order].n++] = pa;
	arena_pages_in_use -= 1ULL << order;
}

void mem_flush(const void *p, size_t len)
{
	(void)p;
	arena_flushed_bytes += len;
}

uint64_t platform_us(void)
{
	static uint64_t now;

	return ++now;
}

void platform_log(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("# ", stdout);
	vprintf(fmt, ap);
	putchar('\n');
	va_end(ap);
}
