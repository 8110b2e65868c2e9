/* Physical memory made from an input: runs of bytes, each with its address.  What is not RAM faults;
 * RAM is poisoned for AddressSanitizer until a reader has asked about it. */
#ifndef BATON_FUZZ_SPARSE_H
#define BATON_FUZZ_SPARSE_H

#include <sanitizer/asan_interface.h>

#include "arena.h"
#include "fuzz.h"
#include "kho/read.h"
#include "platform/mem.h"

/* RAM of the machine; the readers are told of no other.  It spans what the captured Linux handoff
 * and the golden one name. */
#define SPARSE_RAM		MIB(1)
#define SPARSE_RAM_END		GIB(2)
#define SPARSE_SCRATCH		(GIB(1) + MIB(64))	/* of worlds that come with a map */
#define SPARSE_SCRATCH_BYTES	MIB(64)
#define SPARSE_USED		(GIB(1) + MIB(512))	/* of the incoming kernel */
#define SPARSE_USED_BYTES	MIB(16)
/* Where pages for writing things again come from; RAM for reading those alone. */
#define SPARSE_OWN		GIB(4)
#define SPARSE_OWN_BYTES	MIB(64)

#define SPARSE_RUNS		2048

/* One run: header, then @len bytes. */
struct sparse_run {
	uint32_t pfn;
	uint16_t off, len;
};

/* @own: pages written here count as RAM. */
static inline bool sparse_within(bool own, paddr_t pa, uint64_t len)
{
	const bool here = own && pa >= SPARSE_OWN && pa - SPARSE_OWN < SPARSE_OWN_BYTES;
	const paddr_t base = here ? SPARSE_OWN : SPARSE_RAM;
	const paddr_t end = here ? SPARSE_OWN + SPARSE_OWN_BYTES : SPARSE_RAM_END;

	return pa >= base && pa <= end && len <= end - pa;
}

/* Ranges that are larger than anything that is read: scratch areas, what is preserved in bulk. */
#define SPARSE_READ_MAX		MIB(1)

static struct { const void *p; size_t len; } sparse_opened[131072];
static size_t sparse_nr_opened;

static inline void sparse_let_read(paddr_t pa, uint64_t len)
{
	if (!len || len > SPARSE_READ_MAX)
		return;
	REQUIRE(sparse_nr_opened < ARRAY_SIZE(sparse_opened));
	sparse_opened[sparse_nr_opened].p = mem_ptr(pa);
	sparse_opened[sparse_nr_opened++].len = len;
	__asan_unpoison_memory_region(mem_ptr(pa), len);
}

/* For struct kho_ram_view: who was told that it is RAM may read it. */
static inline bool sparse_is_ram(void *ctx, paddr_t pa, uint64_t len)
{
	if (!sparse_within(ctx, pa, len))
		return false;
	if (pa < SPARSE_RAM_END)
		sparse_let_read(pa, len);
	return true;
}

static inline void sparse_close(paddr_t pa, uint64_t len)
{
	REQUIRE(!mprotect(mem_ptr(pa), len, PROT_NONE));
}

/* @with_map: the world brings a map of its own, so that its scratch is known. */
static inline void sparse_open(bool with_map)
{
	if (host_arena)
		return;
	arena_reset(SPARSE_OWN, SPARSE_OWN + SPARSE_OWN_BYTES);
	sparse_close(0, SPARSE_RAM);
	sparse_close(SPARSE_USED, SPARSE_USED_BYTES);
	sparse_close(SPARSE_RAM_END, SPARSE_OWN - SPARSE_RAM_END);
	sparse_close(SPARSE_OWN + SPARSE_OWN_BYTES, ARENA_BYTES - SPARSE_OWN - SPARSE_OWN_BYTES);
	if (with_map)
		sparse_close(SPARSE_SCRATCH, SPARSE_SCRATCH_BYTES);
	__asan_poison_memory_region(mem_ptr(SPARSE_RAM), SPARSE_RAM_END - SPARSE_RAM);
}

/* Poisoned or not. */
__attribute__((no_sanitize("address")))
static inline void sparse_copy(volatile uint8_t *to, const uint8_t *from, size_t len)
{
	for (size_t i = 0; i < len; i++)
		to[i] = from ? from[i] : 0;
}

static struct { void *p; size_t len; } sparse_laid[SPARSE_RUNS];
static size_t sparse_nr_laid;

/* Lay what is left of the input; what it names where nothing can be laid is passed over. */
static inline void sparse_lay(struct span in, bool with_map)
{
	while (in.len > sizeof(struct sparse_run) && sparse_nr_laid < SPARSE_RUNS) {
		struct sparse_run run;
		paddr_t pa;
		size_t len;

		fuzz_take(&in, &run, sizeof(run));
		pa = (uint64_t)run.pfn * PAGE_SIZE + run.off % PAGE_SIZE;
		len = MIN(MIN(run.len, in.len), PAGE_SIZE - run.off % PAGE_SIZE);
		if (len && sparse_within(false, pa, len) &&
		    !ranges_overlap(pa, len, SPARSE_USED, SPARSE_USED_BYTES) &&
		    !(with_map && ranges_overlap(pa, len, SPARSE_SCRATCH, SPARSE_SCRATCH_BYTES))) {
			sparse_copy(mem_ptr(pa), in.p, len);
			sparse_laid[sparse_nr_laid].p = mem_ptr(pa);
			sparse_laid[sparse_nr_laid++].len = len;
		}
		in.p += len;
		in.len -= len;
	}
}

static inline void sparse_wipe(void)
{
	while (sparse_nr_laid) {
		sparse_nr_laid--;
		sparse_copy(sparse_laid[sparse_nr_laid].p, NULL, sparse_laid[sparse_nr_laid].len);
	}
	while (sparse_nr_opened) {
		sparse_nr_opened--;
		__asan_poison_memory_region(sparse_opened[sparse_nr_opened].p,
					    sparse_opened[sparse_nr_opened].len);
	}
}

#define SPARSE_EXTENTS	4096
#define SPARSE_NODES	1024

/* @own: pages written here count as RAM. */
static inline struct kho_limits sparse_limits(bool own)
{
	static const struct kho_range used = { SPARSE_USED, SPARSE_USED_BYTES };
	static struct kho_extent extents[2][SPARSE_EXTENTS];
	static struct kho_range ranges[2][SPARSE_EXTENTS];
	static paddr_t nodes[2][SPARSE_NODES];

	return (struct kho_limits){
		.ram = { .is_ram = sparse_is_ram, .ctx = own ? extents : NULL },
		.exclude = &used, .nr_exclude = 1,
		.extents = extents[own], .ranges = ranges[own], .max_extents = SPARSE_EXTENTS,
		.nodes = nodes[own], .max_nodes = SPARSE_NODES,
	};
}

/* A handoff whose map is given: nearly all RAM, in pages, some of it in chunks of 2 MiB.  The last
 * extent holds pages written here. */
static inline void sparse_handoff(struct kho_handoff *h, paddr_t blob, uint64_t size, bool own)
{
	static const struct kho_extent extents[] = {
		{ MIB(1), (GIB(1) - MIB(1)) / PAGE_SIZE, 0 },
		{ GIB(1), 32, 9 },
		{ GIB(1) + MIB(128), (MIB(512) - MIB(128)) / PAGE_SIZE, 0 },
		{ SPARSE_USED + SPARSE_USED_BYTES,
		  (SPARSE_RAM_END - SPARSE_USED - SPARSE_USED_BYTES) / PAGE_SIZE, 0 },
		{ SPARSE_OWN, SPARSE_OWN_BYTES / PAGE_SIZE, 0 },
	};
	static struct kho_range ranges[2][ARRAY_SIZE(extents)];
	const size_t n = ARRAY_SIZE(extents) - !own;

	*h = (struct kho_handoff){
		.data = { .fdt_pa = MIB(1), .fdt_size = PAGE_SIZE },
		.scratch = { .entry = { { SPARSE_SCRATCH, SPARSE_SCRATCH_BYTES } }, .nr = 1 },
		.tree = { .fdt_bytes = PAGE_SIZE, .nr = 1, .node = { { .pa = blob, .size = size } } },
		.map = { .extents = extents, .nr_extents = n, .ranges = ranges[own] },
	};
	h->map.nr_ranges = kho_map_merge(extents, n, ranges[own]);
}

#endif
