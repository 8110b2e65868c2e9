/* Cost of mapping: 1 GiB with 4 KiB pages into an empty 4-level table.
 *
 *   clang -std=gnu11 -O2 -iquote include -iquote tests/host -iquote . \
 *         tests/bench/map_bench.c vtd/pagetable.c -o map_bench
 *   valgrind --tool=callgrind --toggle-collect=map_run ./map_bench
 *
 * Budgets (design.md 8): 10 instructions and 8.05 table bytes per page.  Zeroing a new table
 * counts, word by word: the profiler counts REP STOSB, which a C library may use, by the byte. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/mem.h"
#include "vtd/pagetable.h"

#define POOL_PAGES	1024
#define RANGE_BYTES	GIB(1)
#define TARGET		GIB(5)		/* never touched: only its address is written */

uint8_t *host_arena;
static paddr_t next_page = PAGE_SIZE;	/* 0 means: none left */

paddr_t mem_alloc_pages(unsigned order)
{
	const paddr_t pa = next_page;

	if (order != 0 || pa == POOL_PAGES * PAGE_SIZE)
		return 0;
	next_page += PAGE_SIZE;
	for (uint64_t *word = mem_ptr(pa), *end = word + PAGE_SIZE / 8; word != end; word++)
		mem_write64(word, 0);
	return pa;
}

void mem_free_pages(paddr_t pa, unsigned order)
{
	(void)pa;
	(void)order;
}

void mem_flush(const void *p, size_t len)
{
	(void)p;
	(void)len;
}

int map_run(struct vtd_ss *ss);

/* What the profiler's switch names: everything inside is counted, nothing else. */
__attribute__((noinline)) int map_run(struct vtd_ss *ss)
{
	return vtd_ss_map(ss, GIB(1), TARGET, RANGE_BYTES, VTD_SS_RW);
}

int main(void)
{
	const struct vtd_ss_format fmt = {
		.levels = 4, .page_sizes = VTD_PG_4K, .addr_bits = 48, .haw = 46, .coherent = true,
	};
	const uint64_t pages = RANGE_BYTES / PAGE_SIZE;
	struct vtd_ss ss;
	paddr_t pa;
	uint64_t perm, size;

	host_arena = aligned_alloc(PAGE_SIZE, POOL_PAGES * PAGE_SIZE);
	if (!host_arena)
		return 1;
	memset(host_arena, 0xa5, POOL_PAGES * PAGE_SIZE);
	if (vtd_ss_init(&ss, &fmt) || map_run(&ss))
		return 1;
	if (vtd_ss_lookup(&ss, GIB(2) - PAGE_SIZE, &pa, &perm, &size) || size != PAGE_SIZE ||
	    pa != TARGET + RANGE_BYTES - PAGE_SIZE)
		return 1;
	printf("pages %llu\ntable_pages %llu\ntable_bytes_per_page %.3f\n", (unsigned long long)pages,
	       (unsigned long long)ss.table_pages, (double)(ss.table_pages * PAGE_SIZE) / (double)pages);
	return 0;
}
