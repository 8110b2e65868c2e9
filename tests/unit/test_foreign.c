/* The handoff of a real Linux as generation 0 reads, reports and hands it on, and the bytes that it is
 * refused for.  What is neither in the capture, preserved nor our own heap cannot be touched. */
#define _GNU_SOURCE		/* memmem */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "errno.h"
#include "kernel/console/console.h"
#include "kernel/handover/carry.h"
#include "kernel/handover/records.h"
#include "kernel/memory/scratch.h"
#include "kho/crc32c.h"
#include "kho/iommu_abi.h"
#include "kho/metadata.h"
#include "kho/memfd.h"
#include "kho/write.h"
#include "tests/fixtures/segments.h"

struct expected_node { paddr_t pa; unsigned level; };
struct expected_region { const char *name; paddr_t start; uint64_t size; };
struct expected_session { const char *name; size_t nr_files; };
struct expected_memfd { paddr_t pa; uint64_t pos, size; uint32_t seals; size_t first, nr; };
struct expected_folio { uint64_t pfn; uint32_t flags; uint64_t index; uint32_t order; };

#include "tests/fixtures/linux-7.3-kho/tables.h"

#define HEAP		UINT64_C(0x62000000)	/* in the last scratch area */
#define HEAP_BYTES	MIB(24)
#define IMAGE		(HEAP + MIB(32))
#define KEEP		UINT64_C(0x10000000)	/* plain RAM that nothing is in */
#define KEEP_END	(KEEP + MIB(256))
#define LUO_PA		(linux_subnodes[1].pa)
#define METADATA_PA	(linux_subnodes[2].pa)
#define MEMBLOCK_PA	(linux_subnodes[0].pa)

typedef unsigned long long ull;

static struct boot_info bi;
static struct kho_handoff h;
static struct foreign f;
static struct kho_refusal why;
static char said[65536];

void kprintf(const char *fmt, ...)
{
	const size_t at = strlen(said);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(&said[at], sizeof(said) - at, fmt, ap);
	va_end(ap);
}

/* ---- the machine that Linux left ------------------------------------------------------------- */

static void allow(paddr_t pa, uint64_t len)
{
	assert_int_equal(mprotect(mem_ptr(pa), ALIGN_UP(len, PAGE_SIZE), PROT_READ | PROT_WRITE), 0);
}

static void lock_rest(void)
{
	assert_int_equal(mprotect(mem_ptr(0), ARENA_BYTES, PROT_NONE), 0);
	for (size_t i = 0; i < ARRAY_SIZE(linux_segments); i++)
		allow(linux_segments[i].pa, linux_segments[i].len);
	for (size_t i = 0; i < ARRAY_SIZE(linux_extents); i++)
		allow(linux_extents[i].pa, kho_extent_len(&linux_extents[i]));
	allow(HEAP, HEAP_BYTES);
	allow(KEEP, KEEP_END - KEEP);
}

static int setup(void **state)
{
	(void)state;
	arena_reset(KEEP, KEEP_END);
	load_segments("tests/fixtures/linux-7.3-kho/mem.bin", linux_segments, ARRAY_SIZE(linux_segments));
	lock_rest();
	scratch_init(HEAP, HEAP_BYTES);
	memset(&bi, 0, sizeof(bi));
	for (size_t i = 0; i < ARRAY_SIZE(linux_ram); i++)
		bi.map[bi.nr_map++] = (struct mem_range){ linux_ram[i].base, linux_ram[i].len,
							  MEM_CONVENTIONAL };
	bi.image = IMAGE;
	bi.image_size = MIB(1);
	bi.kho_fdt = linux_data.fdt_pa;
	bi.kho_fdt_size = linux_data.fdt_size;
	bi.kho_scratch = linux_data.scratch_pa;
	bi.kho_scratch_size = linux_data.scratch_size;
	said[0] = 0;
	return 0;
}

static int read_it(void)
{
	why = (struct kho_refusal){ .what = "", .fault = "" };
	return foreign_read(&bi, &h, &f, &why);
}

static void accept(void)
{
	if (read_it())
		fail_msg("%s %s at %llx (%llx)", why.what, why.fault, (ull)why.at, (ull)why.value);
}

/* ---- the report ------------------------------------------------------------------------------ */

__attribute__((format(printf, 1, 2)))
static void expect_line(const char *fmt, ...)
{
	char line[512] = "# foreign: ";
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(&line[strlen(line)], sizeof(line) - strlen(line) - 2, fmt, ap);
	va_end(ap);
	strcat(line, "\n");
	if (!strstr(said, line))
		fail_msg("not said: %s", line);
}

static size_t lines(void)
{
	size_t n = 0;

	for (const char *p = said; *p; p++)
		n += *p == '\n';
	return n;
}

/* The seeds of workload.txt, file by file; 0: a hole, or empty. */
static const uint64_t seeds[] = { 0xa001, 0xa002, 0, 0xb001, 0, 0xb002 };

static uint32_t content_crc32c(uint64_t seed, uint64_t size)
{
	uint32_t crc = 0;

	for (uint64_t at = 0; at < size; at++) {
		const uint8_t byte = seed ? (seed + at / 8) * 0x9e3779b97f4a7c15 >> at % 8 * 8 : 0;

		crc = kho_crc32c(crc, &byte, 1);
	}
	return crc;
}

static void expect_files(void)
{
	size_t file = 0;

	for (size_t i = 0; i < ARRAY_SIZE(linux_sessions); i++) {
		char name[64];

		strcpy(name, linux_sessions[i].name);
		for (char *p = name; *p; p++)
			*p = *p == ' ' ? '?' : *p;
		expect_line("session name=%s files=%zu", name, linux_sessions[i].nr_files);
		for (size_t k = 0; k < linux_sessions[i].nr_files; k++, file++) {
			const struct expected_memfd *m = &linux_memfds[file];
			uint64_t pages = 0;

			for (size_t j = m->first; j < m->first + m->nr; j++)
				pages += BIT64(linux_folios[j].order);
			expect_line("file session=%s token=0x%llx handler=memfd-v2 size=%llu pages=%llu pos=%llu seals=0x%x crc32c=%08x",
				    name, (ull)linux_files[file].token, (ull)m->size, (ull)pages,
				    (ull)m->pos, m->seals, content_crc32c(seeds[file], m->size));
		}
	}
}

/* foreign.report: every node, session, file, FLB, region, area and extent, nothing twice */
static void test_report(void **state)
{
	size_t orders = 0;

	(void)state;
	accept();
	for (size_t i = 0; i < ARRAY_SIZE(linux_subnodes); i++)
		expect_line("node name=%s at=0x%llx size=%llu", linux_subnodes[i].name,
			    (ull)linux_subnodes[i].pa, (ull)linux_subnodes[i].size);
	for (size_t i = 0; i < ARRAY_SIZE(linux_scratch); i++)
		expect_line("scratch at=0x%llx size=%llu", (ull)linux_scratch[i].addr,
			    (ull)linux_scratch[i].size);
	for (unsigned order = 0; order <= KHO_MAX_ORDER; order++) {
		uint64_t chunks = 0;

		for (size_t i = 0; i < ARRAY_SIZE(linux_extents); i++)
			chunks += linux_extents[i].order == order ? linux_extents[i].count : 0;
		if (!chunks)
			continue;
		expect_line("preserved order=%u chunks=%llu", order, (ull)chunks);
		orders++;
	}
	for (size_t i = 0; i < ARRAY_SIZE(linux_extents); i++)
		expect_line("extent at=0x%llx chunks=%llu order=%llu", (ull)linux_extents[i].pa,
			    (ull)linux_extents[i].count, (ull)linux_extents[i].order);
	expect_line("extents=%zu shown=%zu pages=%llu", ARRAY_SIZE(linux_extents),
		    ARRAY_SIZE(linux_extents), LINUX_PRESERVED_BYTES / PAGE_SIZE);
	expect_files();
	for (size_t i = 0; i < ARRAY_SIZE(linux_flbs); i++)
		expect_line("flb name=%s data=0x%llx count=%llu", linux_flbs[i].name,
			    (ull)linux_flbs[i].data, (ull)linux_flbs[i].count);
	for (size_t i = 0; i < ARRAY_SIZE(linux_reserve_mem); i++)
		expect_line("reserve_mem name=%s at=0x%llx size=%llu crc32c=%08x", linux_reserve_mem[i].name,
			    (ull)linux_reserve_mem[i].start, (ull)linux_reserve_mem[i].size,
			    kho_crc32c(0, mem_ptr(linux_reserve_mem[i].start), linux_reserve_mem[i].size));
	expect_line("release=" LINUX_RELEASE " kexec_count=%u liveupdate_num=%u", (unsigned)LINUX_KEXEC_COUNT,
		    (unsigned)LINUX_LIVEUPDATE_NUM);
	assert_int_equal(lines(), ARRAY_SIZE(linux_subnodes) + ARRAY_SIZE(linux_scratch) + orders +
			 ARRAY_SIZE(linux_extents) + 1 + ARRAY_SIZE(linux_sessions) + ARRAY_SIZE(linux_files) +
			 ARRAY_SIZE(linux_flbs) + ARRAY_SIZE(linux_reserve_mem) + 1);
}

static struct kho_folio_ser *folios(void);

/* foreign.digest_of_holes: in the middle and at the end, as zeros */
static void test_holes(void **state)
{
	const uint64_t size = linux_memfds[0].size;
	uint32_t crc = 0;

	(void)state;
	folios()[3].head = folios()[4].head = folios()[15].head = 0;
	for (uint64_t at = 0; at < size; at++) {
		const uint64_t page = at / PAGE_SIZE;
		const bool hole = page == 3 || page == 4 || page == 15;
		const uint8_t byte = hole ? 0 : (0xa001 + at / 8) * 0x9e3779b97f4a7c15 >> at % 8 * 8;

		crc = kho_crc32c(crc, &byte, 1);
	}
	accept();
	expect_line("file session=alpha-vm token=0x1 handler=memfd-v2 size=%llu pages=13 pos=0 seals=0x0 crc32c=%08x",
		    (ull)size, crc);
}

/* ---- what it is refused for -------------------------------------------------------------------- */

static void put(paddr_t pa, const void *p, size_t len)
{
	memcpy(mem_ptr(pa), p, len);
}

/* Of some bytes in a page the first place. */
static paddr_t find(paddr_t page, const char *bytes, size_t len)
{
	const void *p = memmem(mem_ptr(page), PAGE_SIZE, bytes, len);

	assert_non_null(p);
	return mem_pa(p);
}

static struct kho_luo_ser *luo(void) { return mem_ptr(LUO_PA); }
static struct kho_block_ser *session_block(void) { return mem_ptr(luo()->sessions_pa); }
static struct kho_session_ser *session(void) { return (struct kho_session_ser *)(session_block() + 1); }
static struct kho_flbs_ser *flb_page(void) { return mem_ptr(luo()->flbs_pa); }
static struct kho_flb_ser *flb(void) { return (struct kho_flb_ser *)(flb_page() + 1); }
static struct kho_file_ser *file(void) { return mem_ptr(session()->files_pa + sizeof(struct kho_block_ser)); }

static struct kho_folio_ser *folios(void)
{
	const struct kho_memfd_ser *m = mem_ptr(file()->data);
	const struct kho_vmalloc_chunk_ser *c = mem_ptr(m->folios.first_pa);

	return mem_ptr(c->piece_pa[0]);
}

static void root_compatible(void) { put(find(linux_data.fdt_pa, "kho-v4", 6), "kho-v3", 6); }
static void root_magic(void) { put(linux_data.fdt_pa, "\xd0\x0d\xfe\xee", 4); }

static void no_map(void)
{
	const uint64_t root = LINUX_RADIX_ROOT;

	put(find(linux_data.fdt_pa, (const char *)&root, 8), "\0\0\0\0\0\0\0", 8);
}

static void luo_compatible(void) { strcpy(luo()->compatible, "luo-v4"); }
static void luo_short(void) { session_block()->count = 52; }
static void luo_elsewhere(void) { luo()->sessions_pa = KEEP; }
static void luo_in_a_hole(void) { luo()->sessions_pa = GIB(3); }
static void luo_in_scratch(void) { luo()->sessions_pa = HEAP + MIB(40); }
static void session_chain_circle(void) { session_block()->next_pa = luo()->sessions_pa; }
static void session_ours(void) { strcpy(session()->name, "baton"); }
static void session_files(void) { session()->count++; }
static void metadata_version(void) { put(METADATA_PA, "\2", 1); }
static void memblock_version(void) { put(find(MEMBLOCK_PA, "memblock-v1", 11), "memblock-v2", 11); }
static void memblock_magic(void) { put(MEMBLOCK_PA, "\xd0\x0d\xfe\xee", 4); }
static void region_without_size(void) { put(find(MEMBLOCK_PA, "size", 5), "sise", 5); }
static void no_luo(void) { put(find(linux_data.fdt_pa, "LUO", 4), "OUL", 4); }
static void no_memblock(void) { put(find(linux_data.fdt_pa, "memblock", 9), "blockmem", 9); }
static void region_version(void) { put(find(MEMBLOCK_PA, "reserve-mem-v1", 14), "reserve-mem-v2", 14); }

static void region_elsewhere(void)
{
	const uint64_t at = linux_reserve_mem[1].start, to = KEEP;

	put(find(MEMBLOCK_PA, (const char *)&at, 8), &to, 8);
}

/* Regions whose memory is something else as well, or outlives what it is part of. */
static void move_region(paddr_t to, uint64_t size)
{
	put(find(MEMBLOCK_PA, (const char *)&linux_reserve_mem[1].start, 8), &to, 8);
	put(find(MEMBLOCK_PA, (const char *)&linux_reserve_mem[1].size, 8), &size, 8);
}

static void region_in_region(void) { move_region(linux_reserve_mem[0].start + 64, 64); }
static void region_in_root_fdt(void) { move_region(linux_data.fdt_pa + PAGE_SIZE - 64, 64); }
static void region_in_luo(void) { move_region(LUO_PA, 32); }
static void region_in_flb_page(void) { move_region(luo()->flbs_pa, PAGE_SIZE); }
static void region_in_file(void) { move_region(linux_folios[0].pfn << PAGE_SHIFT, PAGE_SIZE); }
static void region_beside_region(void) { move_region(linux_reserve_mem[1].start + 64, 64); }
static void folio_not_preserved(void) { folios()[3].head = FIELD_PREP(KHO_FOLIO_PFN, KEEP >> PAGE_SHIFT); }
static void folio_twice(void) { folios()[3].head = folios()[2].head; }
static void folio_is_a_block(void) { folios()[3].head = FIELD_PREP(KHO_FOLIO_PFN, luo()->flbs_pa >> PAGE_SHIFT); }
static void flb_pages(void) { flb_page()->pgcnt = 2; }
static void flb_unused(void) { flb()[1].count = 0; }
static void flb_iommu(void) { strcpy(flb()[1].name, "iommu-liveupdate"); }
static void flb_old_iommu(void) { strcpy(flb()[1].name, "iommu-v1"); }
static void flb_full(void)
{
	for (flb_page()->count = 0; flb_page()->count < KHO_MAX_FLBS; flb_page()->count++) {
		struct kho_flb_ser *e = &flb()[flb_page()->count];

		*e = (struct kho_flb_ser){ .count = 1 };
		snprintf(e->name, sizeof(e->name), "flb-%u", (unsigned)flb_page()->count);
	}
}

static void file_of_a_device(void) { strcpy(file()[1].compatible, "vfio-pci-v2"); }
static void file_of_a_domain(void) { strcpy(file()[1].compatible, "iommufd-v1"); }
static void flb_data(void) { flb()[1].data++; }
static void unknown_handler(void) { strcpy(file()[1].compatible, "other-v1"); file()[1].data = GIB(3); }
static void exact_size(void) { bi.kho_fdt_size = LINUX_FDT_BYTES; }
static void no_metadata(void) { put(find(linux_data.fdt_pa, "kexec-metadata", 14), "kexec-nnnnnnnn", 14); }
static void nothing(void) { }

static const struct {
	const char *name;
	void (*change)(void);
	const char *what, *fault;	/* NULL: accepted */
} bad[] = {
	{ "foreign.as_it_is", nothing, NULL, NULL },
	{ "foreign.root_compatible", root_compatible, "root FDT", "is not compatible with kho-v4" },
	{ "foreign.root_magic", root_magic, "root FDT", "has no FDT magic" },
	{ "foreign.no_map", no_map, "root FDT", "has no preserved-memory-map of 8 bytes, not zero" },
	{ "foreign.luo_v4", luo_compatible, "LUO blob", "is not compatible with luo-v5" },
	{ "foreign.block_count_52", luo_short, "session block", "claims more entries than fit" },
	{ "foreign.metadata_v2", metadata_version, "kexec-metadata", "has an unknown version" },
	{ "foreign.memblock_v2", memblock_version, "memblock", "is not compatible with memblock-v1" },
	{ "foreign.folio_not_preserved", folio_not_preserved, "folio", "does not begin a preserved chunk" },
	{ "foreign.fdt_size_is_totalsize", exact_size, NULL, NULL },
	{ "foreign.flb_data_is_its_owners", flb_data, NULL, NULL },
	{ "foreign.no_metadata", no_metadata, NULL, NULL },
	{ "foreign.unknown_handler", unknown_handler, NULL, NULL },
	{ "foreign.region_v2", region_version, "reserve_mem region", "is not compatible with reserve-mem-v1" },
	{ "foreign.memblock_magic", memblock_magic, "memblock", "has no FDT magic" },
	{ "foreign.region_without_size", region_without_size, "reserve_mem region",
	  "has no start or size of 8 bytes" },
	{ "foreign.no_luo", no_luo, NULL, NULL },
	{ "foreign.no_memblock", no_memblock, NULL, NULL },
	{ "foreign.region_not_preserved", region_elsewhere, "reserve_mem region", "is not preserved" },
	{ "foreign.region_in_another", region_in_region, "reserve_mem region", "is named twice" },
	{ "foreign.region_in_the_root_fdt", region_in_root_fdt, "reserve_mem region", "is named twice" },
	{ "foreign.region_in_the_luo_blob", region_in_luo, "reserve_mem region", "is named twice" },
	{ "foreign.region_in_the_flb_page", region_in_flb_page, "reserve_mem region", "is named twice" },
	{ "foreign.region_in_a_file", region_in_file, "reserve_mem region", "is named twice" },
	{ "foreign.region_of_part_of_a_page", region_beside_region, NULL, NULL },
	{ "foreign.sessions_not_preserved", luo_elsewhere, "session block", "does not begin a preserved chunk" },
	{ "foreign.sessions_are_no_ram", luo_in_a_hole, "session block", "is not RAM" },
	{ "foreign.sessions_in_scratch", luo_in_scratch, "session block", "lies in scratch" },
	{ "foreign.sessions_in_a_circle", session_chain_circle, "session block", "is named twice" },
	{ "foreign.file_count", session_files, "session", "has not the number of files it states" },
	{ "foreign.folio_twice", folio_twice, "folio", "is named twice" },
	{ "foreign.folio_is_the_flb_page", folio_is_a_block, "folio", "is named twice" },
	{ "foreign.session_named_as_ours", session_ours, "session", "has the name of ours: baton" },
	{ "foreign.flb_of_two_pages", flb_pages, "FLB page", "is not one page" },
	{ "foreign.flb_of_nobody", flb_unused, "FLB", "has no file that depends on it" },
	{ "foreign.no_room_for_our_flb", flb_full, "FLB page", "has no room for ours" },
	{ "foreign.file_of_a_device", file_of_a_device, "file of vfio or iommufd",
	  "keeps another kernel's devices running: not implemented" },
	{ "foreign.file_of_a_domain", file_of_a_domain, "file of vfio or iommufd",
	  "keeps another kernel's devices running: not implemented" },
	{ "foreign.flb_iommu", flb_iommu, "FLB of IOMMU records",
	  "keeps another kernel's devices running: not implemented" },
	{ "foreign.flb_iommu_as_it_was", flb_old_iommu, "FLB of IOMMU records",
	  "keeps another kernel's devices running: not implemented" },
};

static void test_bad(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		print_message("# %s\n", bad[i].name);
		setup(state);
		bad[i].change();
		if (!bad[i].fault) {
			accept();
			continue;
		}
		assert_true(read_it() < 0);
		if (strcmp(why.fault, bad[i].fault))
			fail_msg("%s %s", why.what, why.fault);
		assert_string_equal(why.what, bad[i].what);
	}
}

/* foreign.names_are_words: no name can end a line, or write one of ours */
static void test_names(void **state)
{
	(void)state;
	strcpy(session()->name, "x\nVERDICT: PASS\x1b[2J\xff");
	unknown_handler();
	strcpy(file()[1].compatible, "a b\r");
	accept();
	expect_line("session name=x?VERDICT:?PASS?[2J? files=3");
	expect_line("file session=x?VERDICT:?PASS?[2J? token=0x2 handler=a?b? data=0xc0000000 unread");
	for (const char *p = said; *p; p++)
		assert_true(*p == '\n' || (*p >= ' ' && *p < 0x7f));
}

/* foreign.scratch_too_small, at the first and at the last thing that is taken from it */
static void test_too_small(void **state)
{
	uint64_t used;

	(void)state;
	accept();
	used = scratch_used();
	scratch_init(HEAP, used);
	accept();
	for (unsigned i = 0; i < 2; i++) {
		scratch_init(HEAP, i ? used - 1 : PAGE_SIZE);
		assert_int_equal(read_it(), -ENOMEM);
		assert_string_equal(why.fault, "is too small to read the handoff");
	}
}

/* Another handoff in the place of Linux's: every other page of so many, and these sub-nodes. */
static void lay_own(size_t scattered, const struct kho_subnode *nodes, size_t n)
{
	const paddr_t fdt = mem_alloc_pages(0);
	static struct kho_scratch scratch;
	struct kho_radix radix;
	size_t used;

	scratch.nr = ARRAY_SIZE(linux_scratch);
	memcpy(scratch.entry, linux_scratch, sizeof(linux_scratch));
	assert_int_equal(kho_radix_init(&radix, &scratch), 0);
	assert_int_equal(kho_preserve(&radix, fdt, 0), 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(kho_preserve_range(&radix, nodes[i].pa,
						    ALIGN_UP(nodes[i].size, PAGE_SIZE)), 0);
	for (size_t i = 0; i < scattered; i++)
		assert_int_equal(kho_preserve(&radix, KEEP_END - 2 * (i + 1) * PAGE_SIZE, 0), 0);
	assert_int_equal(kho_tree_write(mem_ptr(fdt), PAGE_SIZE, radix.root, nodes, n, &used), 0);
	bi.kho_fdt = fdt;
}

/* foreign.stray_baton_node: what is ours is not taken for another's */
static void test_stray_node(void **state)
{
	const struct kho_subnode node = { .name = NODE_NAME, .pa = mem_alloc_pages(0), .size = 8 };

	(void)state;
	lay_own(0, &node, 1);
	assert_int_equal(read_it(), -EBADMSG);
	assert_string_equal(why.what, "baton node");
}

/* foreign.no_room: what could not be handed on is refused at once, and not after the stream */
static void test_no_room(void **state)
{
	struct kho_subnode node[KHO_MAX_SUBNODES];

	for (size_t i = 0; i < ARRAY_SIZE(node); i++) {
		node[i] = (struct kho_subnode){ .pa = KEEP + MIB(8) + i * MIB(2), .size = 8 };
		snprintf(node[i].name, sizeof(node[i].name), "other-%zu", i);
	}
	lay_own(0, node, KHO_MAX_SUBNODES - 3);
	accept();
	setup(state);
	lay_own(0, node, KHO_MAX_SUBNODES - 2);
	assert_int_equal(read_it(), -ENOSPC);
	assert_string_equal(why.fault, "has no room for our sub-nodes");
	setup(state);
	node[0].size = MIB(1) - 8;
	lay_own(0, node, 2);
	accept();
	setup(state);
	node[0].size++;
	lay_own(0, node, 2);
	assert_int_equal(read_it(), -ENOSPC);
	assert_string_equal(why.fault, "have more than 1 MiB of data to be handed on");
	h.map.nr_nodes = PROVE_MAX_NODES - 512;
	assert_int_equal(carry_take(&h, NULL, 0, &f, &why), -ENOSPC);
	assert_string_equal(why.fault, "have more than 1 MiB of data to be handed on");
	h.map.nr_nodes++;
	assert_int_equal(carry_take(&h, NULL, 0, &f, &why), -ENOSPC);
	assert_string_equal(why.fault, "is in more pieces than can be handed on");
	setup(state);
	lay_own(30720, NULL, 0);
	accept();
	setup(state);
	lay_own(30721, NULL, 0);
	assert_int_equal(read_it(), -ENOSPC);
	assert_string_equal(why.fault, "is in more pieces than can be handed on");
}

/* foreign.nothing_but_memory: without sessions and release, and with more pieces than are listed */
static void test_scattered(void **state)
{
	(void)state;
	lay_own(1100, NULL, 0);
	accept();
	expect_line("preserved order=0 chunks=1101");
	expect_line("extents=1101 shown=1024 pages=1101");
	expect_line("release=unknown kexec_count=0 liveupdate_num=0");
	assert_int_equal(lines(), ARRAY_SIZE(linux_scratch) + 1 + 1024 + 1 + 1);
	assert_int_equal(f.nr_extents, 1100);		/* all but the root FDT */
	assert_int_equal(f.nr_nodes, 0);
	assert_int_equal(f.luo.nr_sessions, 0);
}

/* ---- handed on ----------------------------------------------------------------------------------- */

/* A generation's own part, as small as it can be. */
struct written {
	struct kho_radix radix;
	struct node n;
	struct kho_data data;
	paddr_t page[16];
	struct kho_pages pages;
};

static void write_luo(const struct foreign *from, struct written *w, unsigned generation)
{
	struct kho_session s = { .name = RECORDS_SESSION };
	struct kho_flb flbs[KHO_MAX_FLBS];
	static struct kho_key keys[64];
	struct kho_luo l = {
		.liveupdate_num = from->liveupdate_num + generation + 1, .sessions = &s, .nr_sessions = 1,
		.flbs = flbs, .nr_flbs = 1 + from->luo.nr_flbs, .keys = keys, .max_keys = ARRAY_SIZE(keys),
	};

	flbs[0] = (struct kho_flb){ .name = KHO_IOMMU_FLB, .count = 1 };
	memcpy(&flbs[1], from->luo.flbs, from->luo.nr_flbs * sizeof(flbs[0]));
	assert_int_equal(kho_luo_write(&l, &from->luo, &w->radix, &w->pages, &why), 0);
}

static void write_on(const struct foreign *from, struct written *w, unsigned generation)
{
	const paddr_t list = mem_alloc_pages(carry_list_order(from)), metadata = mem_alloc_pages(0);
	struct kho_metadata m = { .previous_release = "baton", .kexec_count = from->kexec_count + generation + 1 };
	struct kho_subnode nodes[KHO_MAX_SUBNODES];
	struct kho_plan plan = { .radix = &w->radix, .scratch = &h.scratch, .scratch_pa = mem_alloc_pages(0),
				 .fdt_pa = mem_alloc_pages(0), .nodes = nodes,
				 .nr_nodes = from->nr_nodes + 2, .nr_carried = from->nr_nodes };

	memset(w, 0, sizeof(*w));
	w->n.generation = generation;
	w->pages = (struct kho_pages){ .pa = w->page, .max = ARRAY_SIZE(w->page) };
	assert_int_equal(kho_radix_init(&w->radix, &h.scratch), 0);
	assert_int_equal(carry_write(from, list, &w->radix, &w->n), 0);
	write_luo(from, w, generation);
	assert_int_equal(kho_metadata_write(&m, mem_ptr(metadata)), 0);
	memcpy(nodes, from->node, from->nr_nodes * sizeof(nodes[0]));
	nodes[from->nr_nodes] = (struct kho_subnode){ .name = KHO_NODE_METADATA, .pa = metadata,
						      .size = KHO_METADATA_BYTES };
	nodes[from->nr_nodes + 1] = (struct kho_subnode){ .name = KHO_NODE_LUO, .pa = w->page[0],
							  .size = sizeof(struct kho_luo_ser) };
	assert_int_equal(kho_write(&plan, &w->data), 0);
}

static struct kho_handoff again;

static void read_luo_of(const struct written *w, struct kho_reader *r, struct kho_luo *l)
{
	static struct kho_limits lim;
	static struct kho_range claims[1024];

	assert_true(prove_limits(&lim, &bi));
	if (kho_read(&w->data, &lim, &again, &why))
		fail_msg("%s %s at %llx", why.what, why.fault, (ull)why.at);
	assert_int_equal(kho_reader_init(r, &again, &lim, claims, ARRAY_SIZE(claims), &why), 0);
	assert_true(foreign_arrays(l, 64, 64));
	assert_int_equal(kho_luo_read(r, kho_subnode_blob(kho_tree_find(&again.tree, KHO_NODE_LUO)), l, &why), 0);
}

static void check_sessions(const struct kho_luo *l)
{
	assert_int_equal(l->nr_sessions, 1 + ARRAY_SIZE(linux_sessions));
	assert_string_equal(l->sessions[0].name, "baton");
	for (size_t i = 0; i < ARRAY_SIZE(linux_sessions); i++)
		assert_string_equal(l->sessions[1 + i].name, linux_sessions[i].name);
	assert_int_equal(l->nr_files, ARRAY_SIZE(linux_files));
	assert_memory_equal(l->files, linux_files, sizeof(linux_files));
	assert_int_equal(l->nr_flbs, 1 + ARRAY_SIZE(linux_flbs));
	assert_memory_equal(&l->flbs[1], linux_flbs, sizeof(linux_flbs));
}

/* Every chunk that Linux preserved, but for what a kernel writes anew. */
static void check_preserved(void)
{
	const paddr_t gone[] = { linux_data.fdt_pa, LUO_PA, METADATA_PA, luo()->flbs_pa };
	unsigned order;

	for (size_t i = 0; i < ARRAY_SIZE(linux_extents); i++)
		for (uint64_t k = 0; k < linux_extents[i].count; k++) {
			const paddr_t pa = linux_extents[i].pa + (k << (PAGE_SHIFT + linux_extents[i].order));
			bool replaced = false;

			for (size_t g = 0; g < ARRAY_SIZE(gone); g++)
				replaced |= pa == gone[g];
			assert_int_equal(kho_map_chunk(&again.map, pa, &order), !replaced);
			if (!replaced)
				assert_int_equal(order, linux_extents[i].order);
		}
}

/* foreign.handed_on over generations: sessions, files, FLBs and nodes as they were, counts one more each
 * time, no page more */
static void test_handed_on(void **state)
{
	static struct written w;
	struct foreign from, found;
	struct kho_reader r;
	struct kho_luo l;
	struct kho_metadata m;
	uint64_t pages = 0, preserved = 0;
	static struct kho_folios folio[64];

	(void)state;
	accept();
	from = f;
	for (unsigned generation = 0; generation < 4; generation++) {
		const uint64_t before = arena_pages_in_use;

		scratch_init(HEAP + MIB(16), MIB(8));	/* what was read first stays */
		write_on(&from, &w, generation);
		read_luo_of(&w, &r, &l);
		assert_int_equal(l.liveupdate_num, LINUX_LIVEUPDATE_NUM + generation + 1);
		check_sessions(&l);
		check_preserved();
		for (size_t i = 0; i < l.nr_files; i++) {
			struct kho_memfd mem = { .folios = folio, .max_folios = ARRAY_SIZE(folio) };

			assert_int_equal(kho_memfd_read(&r, l.files[i].data, &mem, &why), 0);
			assert_int_equal(mem.size, linux_memfds[i].size);
		}
		assert_int_equal(kho_metadata_read(kho_subnode_blob(kho_tree_find(&again.tree, KHO_NODE_METADATA)),
						   &m, &why), 0);
		assert_int_equal(m.kexec_count, LINUX_KEXEC_COUNT + generation + 1);
		assert_string_equal(again.tree.node[again.tree.nr - 1].name, "memblock");
		assert_int_equal(again.tree.node[again.tree.nr - 1].pa, MEMBLOCK_PA);
		assert_memory_equal(&again.scratch, &h.scratch, sizeof(h.scratch));
		assert_int_equal(carry_read(&again, &w.n, &l, &found, &why), 0);
		assert_true(carry_same(&found, &f));
		if (generation) {
			assert_int_equal(arena_pages_in_use - before, pages);
			assert_int_equal(again.map.pages, preserved);
		}
		pages = arena_pages_in_use - before;
		preserved = again.map.pages;
		from = found;	/* its arrays are to be overwritten */
		from.luo.flbs = f.luo.flbs;
		from.luo.sessions = f.luo.sessions;
	}
}

/* ---- what is wrong with what we carry -------------------------------------------------------------- */

static struct written ours;
static struct kho_luo ours_luo;

static struct kho_extent *listed(void) { return mem_ptr(ours.n.foreign.extents_pa); }

static void seal(void)
{
	ours.n.foreign.extents_crc32c = kho_crc32c(0, listed(), ours.n.foreign.nr_extents * sizeof(*listed()));
}

static void list_changed(void) { listed()[3].count++; }
static void list_order(void) { listed()[3].order = 1; seal(); }
static void list_huge_order(void) { listed()[3].order = 77; seal(); }
static void list_longer(void) { listed()[3].count++; seal(); }
static void list_endless(void) { listed()[3].count = UINT64_MAX; seal(); }
static void list_empty(void) { listed()[3].count = 0; seal(); }
static void list_elsewhere(void) { listed()[0].pa = MIB(1); seal(); }
static void list_behind_all(void) { listed()[ours.n.foreign.nr_extents - 1].pa = BIT64(51); seal(); }
static void list_inside(void) { listed()[0].pa += 8; seal(); }
static void list_unsorted(void) { listed()[4] = listed()[3]; seal(); }
static void list_too_long(void) { ours.n.foreign.nr_extents = 40000; }
static void list_not_preserved(void) { ours.n.foreign.extents_pa = KEEP_END - PAGE_SIZE; }
static void list_unaligned(void) { ours.n.foreign.extents_pa += 24; }
static void list_without_end(void) { ours.n.foreign.extents_pa = -PAGE_SIZE; }
static void block_changed(void) { session()->name[0]++; }
static void file_block_changed(void) { file()->token++; }
static void session_not_first(void) { strcpy(ours_luo.sessions[0].name, "alpha"); }
static void no_session(void) { ours_luo.nr_sessions = 0; }
static void flb_not_first(void) { strcpy(ours_luo.flbs[0].name, "other"); }
static void session_not_alone(void) { ((struct kho_block_ser *)mem_ptr(ours_luo.sessions_pa))->count = 2; }

static const struct {
	const char *name;
	void (*change)(void);
	const char *fault;	/* NULL: accepted */
} carried[] = {
	{ "carry.as_it_is", nothing, NULL },
	{ "carry.list_changed", list_changed, "changed since it was written" },
	{ "carry.another_order", list_order, "is not preserved as it was" },
	{ "carry.impossible_order", list_huge_order, "is not preserved as it was" },
	{ "carry.longer_than_preserved", list_longer, "is not preserved as it was" },
	{ "carry.endless", list_endless, "is not preserved as it was" },
	{ "carry.empty_extent", list_empty, "is not preserved as it was" },
	{ "carry.below_all", list_elsewhere, "is not preserved as it was" },
	{ "carry.behind_all", list_behind_all, "is not preserved as it was" },
	{ "carry.inside_a_chunk", list_inside, "is not preserved as it was" },
	{ "carry.twice", list_unsorted, "is not preserved as it was" },
	{ "carry.too_long", list_too_long, "is too long or not preserved" },
	{ "carry.list_not_preserved", list_not_preserved, "is too long or not preserved" },
	{ "carry.list_unaligned", list_unaligned, "is too long or not preserved" },
	{ "carry.list_wraps", list_without_end, "is too long or not preserved" },
	{ "carry.session_changed", block_changed, "changed since it was handed over" },
	{ "carry.file_changed", file_block_changed, "changed since it was handed over" },
	{ "carry.other_session_first", session_not_first, "does not come first" },
	{ "carry.no_session", no_session, "does not come first" },
	{ "carry.session_not_alone", session_not_alone, "does not come first" },
	{ "carry.other_flb_first", flb_not_first, "does not come first" },
};

static void test_carried(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(carried); i++) {
		struct foreign found;
		struct kho_reader r;
		int err;

		print_message("# %s\n", carried[i].name);
		setup(state);
		accept();
		scratch_init(HEAP + MIB(16), MIB(8));
		write_on(&f, &ours, 0);
		read_luo_of(&ours, &r, &ours_luo);
		carried[i].change();
		err = carry_read(&again, &ours.n, &ours_luo, &found, &why);
		assert_int_equal(err, carried[i].fault ? -EBADMSG : 0);
		if (err)
			assert_string_equal(why.fault, carried[i].fault);
	}
}

/* carry.list_order: pages that the list takes */
static void test_list_order(void **state)
{
	static const struct { size_t nr; unsigned order; } lists[] = {
		{ 0, 0 }, { 1, 0 }, { 170, 0 }, { 171, 1 }, { 341, 1 }, { 342, 2 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		assert_int_equal(carry_list_order(&(struct foreign){ .nr_extents = lists[i].nr }), lists[i].order);
}

/* carry.same: each part counts */
static void test_same(void **state)
{
	static struct kho_extent extents[64];
	static struct kho_flb flbs[8];
	struct foreign other;

	(void)state;
	accept();
	memcpy(extents, f.extent, f.nr_extents * sizeof(extents[0]));
	memcpy(flbs, f.luo.flbs, f.luo.nr_flbs * sizeof(flbs[0]));
	for (unsigned k = 0; k < 8; k++) {
		other = f;
		other.extent = extents;
		other.luo.flbs = flbs;
		switch (k) {
		case 1: other.nr_nodes--; break;
		case 2: other.nr_extents--; break;
		case 3: other.luo.nr_flbs--; break;
		case 4: other.luo.sessions_pa += PAGE_SIZE; break;
		case 5: other.node[0].pa++; break;
		case 6: extents[5].count++; break;
		case 7: extents[5].count--; flbs[1].data++; break;
		}
		assert_int_equal(carry_same(&f, &other), k == 0);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_report, setup),
		cmocka_unit_test_setup(test_holes, setup),
		cmocka_unit_test_setup(test_bad, setup),
		cmocka_unit_test_setup(test_names, setup),
		cmocka_unit_test_setup(test_too_small, setup),
		cmocka_unit_test_setup(test_stray_node, setup),
		cmocka_unit_test_setup(test_no_room, setup),
		cmocka_unit_test_setup(test_scattered, setup),
		cmocka_unit_test_setup(test_handed_on, setup),
		cmocka_unit_test_setup(test_carried, setup),
		cmocka_unit_test(test_list_order),
		cmocka_unit_test_setup(test_same, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
