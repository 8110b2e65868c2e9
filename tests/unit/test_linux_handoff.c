/* The handoff of a real Linux 7.3, read in full and compared with what an independent walk and
 * the two kernels themselves said of it (tests/fixtures/linux-7.3-kho). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <libfdt.h>

#include "kho/fdt.h"
#include "kho/luo.h"
#include "kho/memfd.h"
#include "kho/metadata.h"
#include "kho/read.h"
#include "kho/setup_data.h"
#include "tests/fixtures/segments.h"

struct expected_node { paddr_t pa; unsigned level; };
struct expected_region { const char *name; paddr_t start; uint64_t size; };
struct expected_session { const char *name; size_t nr_files; };
struct expected_memfd { paddr_t pa; uint64_t pos, size; uint32_t seals; size_t first, nr; };
struct expected_folio { uint64_t pfn; uint32_t flags; uint64_t index; uint32_t order; };

#include "tests/fixtures/linux-7.3-kho/tables.h"

#define FILES		ARRAY_SIZE(linux_files)
#define SETUP_DATA	0x250		/* in boot_params */

static struct kho_handoff h;
static struct kho_refusal why;
static struct kho_range claims[256];

static bool is_ram(void *ctx, paddr_t pa, uint64_t len)
{
	(void)ctx;
	for (size_t i = 0; i < ARRAY_SIZE(linux_ram); i++)
		if (pa >= linux_ram[i].base && pa - linux_ram[i].base < linux_ram[i].len &&
		    len <= linux_ram[i].len - (pa - linux_ram[i].base))
			return true;
	return false;
}

static struct kho_limits limits(void)
{
	static struct kho_extent extents[256];
	static struct kho_range ranges[256];
	static paddr_t nodes[64];

	return (struct kho_limits){
		.ram = { .is_ram = is_ram },
		.extents = extents, .ranges = ranges, .max_extents = ARRAY_SIZE(extents),
		.nodes = nodes, .max_nodes = ARRAY_SIZE(nodes),
	};
}

static void load(void)
{
	arena_reset(0, 0);
	load_segments("tests/fixtures/linux-7.3-kho/mem.bin", linux_segments,
		      ARRAY_SIZE(linux_segments));
}

/* linux.announced_in_boot_params: the chain of setup_data has one node of KHO's type */
static void test_announced(void **state)
{
	uint64_t at = *(const uint64_t *)((uint8_t *)mem_ptr(LINUX_BOOT_PARAMS) + SETUP_DATA);
	unsigned found = 0;

	(void)state;
	assert_int_equal(at, LINUX_SETUP_DATA);
	for (const struct kho_setup_header *n; at; at = n->next) {
		struct kho_data d;

		n = mem_ptr(at);
		if (n->type != KHO_SETUP_KEXEC_KHO)
			continue;
		assert_int_equal(kho_setup_data_read(span_of(n + 1, n->len), &d, &why), 0);
		assert_memory_equal(&d, &linux_data, sizeof(d));
		found++;
	}
	assert_int_equal(found, 1);
}

/* linux.root: scratch array, every node of the root FDT */
static void test_root(void **state)
{
	(void)state;
	assert_int_equal(h.tree.fdt_bytes, LINUX_FDT_BYTES);
	assert_int_equal(h.tree.radix_root, LINUX_RADIX_ROOT);
	assert_int_equal(h.tree.nr, ARRAY_SIZE(linux_subnodes));
	for (size_t i = 0; i < h.tree.nr; i++) {
		assert_string_equal(h.tree.node[i].name, linux_subnodes[i].name);
		assert_int_equal(h.tree.node[i].pa, linux_subnodes[i].pa);
		assert_int_equal(h.tree.node[i].size, linux_subnodes[i].size);
	}
	assert_int_equal(h.scratch.nr, ARRAY_SIZE(linux_scratch));
	assert_memory_equal(h.scratch.entry, linux_scratch, sizeof(linux_scratch));
}

/* linux.radix: every node of the tree, every preserved range with its order */
static void test_radix(void **state)
{
	(void)state;
	assert_int_equal(h.map.nr_nodes, ARRAY_SIZE(linux_nodes));
	for (size_t i = 0; i < ARRAY_SIZE(linux_nodes); i++) {
		bool found = false;

		for (size_t j = 0; j < h.map.nr_nodes; j++)
			found |= h.map.nodes[j] == linux_nodes[i].pa;
		assert_true(found);
	}
	assert_int_equal(h.map.entries, LINUX_PRESERVED);
	assert_int_equal(h.map.pages * PAGE_SIZE, LINUX_PRESERVED_BYTES);
	assert_int_equal(h.map.nr_extents, ARRAY_SIZE(linux_extents));
	for (size_t i = 0; i < ARRAY_SIZE(linux_extents); i++) {
		assert_int_equal(h.map.extents[i].pa, linux_extents[i].pa);
		assert_int_equal(h.map.extents[i].count, linux_extents[i].count);
		assert_int_equal(h.map.extents[i].order, linux_extents[i].order);
	}
}

static struct span blob(const char *name)
{
	const struct kho_subnode *n = kho_tree_find(&h.tree, name);

	assert_non_null(n);
	return kho_subnode_blob(n);
}

/* linux.metadata */
static void test_metadata(void **state)
{
	struct kho_metadata m;

	(void)state;
	assert_int_equal(kho_metadata_read(blob(KHO_NODE_METADATA), &m, &why), 0);
	assert_string_equal(m.previous_release, LINUX_RELEASE);
	assert_int_equal(m.kexec_count, LINUX_KEXEC_COUNT);
}

/* --- Contents --- */

static uint64_t content_word(uint64_t seed, uint64_t k)
{
	return (seed + k) * 0x9e3779b97f4a7c15;
}

/* Byte @at of a `full` file. */
static uint8_t content_byte(uint64_t seed, uint64_t at)
{
	return content_word(seed, at / 8) >> at % 8 * 8;
}

static const struct { const char *name; uint64_t seed; } regions[] = {
	{ "alpha", 0x1111 }, { "beta", 0x2222 },
};

/* Of large regions only the first page was captured. */
static bool captured(paddr_t pa)
{
	for (size_t i = 0; i < ARRAY_SIZE(linux_segments); i++)
		if (pa >= linux_segments[i].pa && pa - linux_segments[i].pa < linux_segments[i].len)
			return true;
	return false;
}

/* linux.memblock: reserve_mem regions, preserved, and as they were filled */
static void test_memblock(void **state)
{
	struct span fdt;

	(void)state;
	assert_int_equal(kho_fdt_check(blob("memblock"), "memblock", &fdt, &why), 0);
	assert_true(kho_fdt_compatible(fdt, 0, "memblock-v1"));
	for (size_t i = 0; i < ARRAY_SIZE(linux_reserve_mem); i++) {
		const struct expected_region *e = &linux_reserve_mem[i];
		const int node = fdt_subnode_offset(fdt.p, 0, e->name);
		uint64_t start, size;

		assert_true(node >= 0);
		assert_true(kho_fdt_compatible(fdt, node, "reserve-mem-v1"));
		assert_int_equal(kho_fdt_u64(fdt, node, "start", &start), 0);
		assert_int_equal(kho_fdt_u64(fdt, node, "size", &size), 0);
		assert_int_equal(start, e->start);
		assert_int_equal(size, e->size);
		assert_true(kho_map_covers(&h.map, start, size));
		assert_string_equal(regions[i].name, e->name);
		assert_true(captured(start));
		for (uint64_t k = 0; k < size / 8 && captured(start + k * 8); k++)
			if (((const uint64_t *)mem_ptr(start))[k] != content_word(regions[i].seed, k))
				fail_msg("%s differs at word %llu", e->name, (unsigned long long)k);
	}
}

/* The seeds of workload.txt, file by file; 0: a hole, or empty. */
static const uint64_t seeds[FILES] = { 0xa001, 0xa002, 0, 0xb001, 0, 0xb002 };

static void check_contents(const struct kho_memfd *m, uint64_t seed)
{
	uint64_t covered = 0;

	for (size_t i = 0; i < m->nr_folios; i++) {
		const struct kho_folios *f = &m->folios[i];
		const uint8_t *p = mem_ptr(f->pa);
		const uint64_t from = f->index * PAGE_SIZE;

		for (uint64_t b = 0; b < f->len && from + b < m->size; b++, covered++)
			if (p[b] != (seed ? content_byte(seed, from + b) : 0))
				fail_msg("byte %llu differs", (unsigned long long)(from + b));
	}
	assert_int_equal(covered, m->size);
}

static void check_memfd(const struct kho_memfd *m, const struct expected_memfd *e)
{
	size_t at = e->first;

	assert_int_equal(m->pos, e->pos);
	assert_int_equal(m->size, e->size);
	assert_int_equal(m->seals, e->seals);
	for (size_t i = 0; i < m->nr_folios; i++) {
		const struct kho_folios *f = &m->folios[i];

		for (uint64_t p = 0; p < f->len / PAGE_SIZE; p += BIT64(f->order), at++) {
			assert_true(at < e->first + e->nr);
			assert_int_equal(f->pa / PAGE_SIZE + p, linux_folios[at].pfn);
			assert_int_equal(f->index + p, linux_folios[at].index);
			assert_int_equal(f->order, linux_folios[at].order);
			assert_int_equal(f->flags, linux_folios[at].flags);
		}
	}
	assert_int_equal(at, e->first + e->nr);
}

/* --- LUO --- */

static struct kho_session sessions[8];
static struct kho_file files[16];
static struct kho_flb flbs[KHO_MAX_FLBS];
static struct kho_key keys[16];

static struct kho_luo luo_arrays(void)
{
	return (struct kho_luo){
		.sessions = sessions, .max_sessions = ARRAY_SIZE(sessions),
		.files = files, .max_files = ARRAY_SIZE(files),
		.flbs = flbs, .max_flbs = ARRAY_SIZE(flbs),
		.keys = keys, .max_keys = ARRAY_SIZE(keys),
	};
}

static struct kho_reader reader(const struct kho_limits *lim)
{
	struct kho_reader r;

	assert_int_equal(kho_reader_init(&r, &h, lim, claims, ARRAY_SIZE(claims), &why), 0);
	return r;
}

static void check_sessions(const struct kho_luo *l)
{
	size_t file = 0;

	assert_int_equal(l->nr_sessions, ARRAY_SIZE(linux_sessions));
	for (size_t i = 0; i < l->nr_sessions; i++) {
		assert_string_equal(l->sessions[i].name, linux_sessions[i].name);
		assert_int_equal(l->sessions[i].nr_files, linux_sessions[i].nr_files);
		assert_int_equal(l->sessions[i].first_file, file);
		file += l->sessions[i].nr_files;
	}
	assert_int_equal(l->nr_files, FILES);
	assert_memory_equal(l->files, linux_files, sizeof(linux_files));
	assert_int_equal(l->nr_flbs, ARRAY_SIZE(linux_flbs));
	assert_memory_equal(l->flbs, linux_flbs, sizeof(linux_flbs));
}

static bool claimed(const struct kho_reader *r, paddr_t pa)
{
	for (size_t i = 0; i < r->claims.nr; i++)
		if (pa >= r->claims.range[i].base && pa - r->claims.range[i].base < r->claims.range[i].len)
			return true;
	return false;
}

/* linux.luo_and_memfds: sessions, files, FLBs; every folio with its order; every byte of every file */
static void test_luo(void **state)
{
	const struct kho_limits lim = limits();
	struct kho_reader r = reader(&lim);
	struct kho_luo l = luo_arrays();
	static struct kho_folios folios[64];
	uint64_t bytes = 0;

	(void)state;
	assert_int_equal(kho_luo_read(&r, blob(KHO_NODE_LUO), &l, &why), 0);
	assert_int_equal(l.liveupdate_num, LINUX_LIVEUPDATE_NUM);
	assert_int_equal(l.sessions_pa, LINUX_SESSIONS_PA);
	check_sessions(&l);
	for (size_t i = 0; i < ARRAY_SIZE(linux_blocks); i++)
		assert_true(claimed(&r, linux_blocks[i]));
	for (size_t i = 0; i < FILES; i++) {
		struct kho_memfd m = { .folios = folios, .max_folios = ARRAY_SIZE(folios) };

		assert_int_equal(linux_memfds[i].pa, l.files[i].data);
		assert_int_equal(kho_memfd_read(&r, l.files[i].data, &m, &why), 0);
		check_memfd(&m, &linux_memfds[i]);
		check_contents(&m, seeds[i]);
	}
	/* Everything preserved is a blob, a region, or has been claimed. */
	for (size_t i = 0; i < r.claims.nr; i++)
		bytes += r.claims.range[i].len;
	for (size_t i = 0; i < ARRAY_SIZE(linux_reserve_mem); i++)
		bytes += linux_reserve_mem[i].size;
	assert_int_equal(bytes, LINUX_PRESERVED_BYTES);
}

/* linux.files_are_read_once: a second reading finds every page claimed */
static void test_claimed_twice(void **state)
{
	const struct kho_limits lim = limits();
	struct kho_reader r = reader(&lim);
	struct kho_luo l = luo_arrays();

	(void)state;
	assert_int_equal(kho_luo_read(&r, blob(KHO_NODE_LUO), &l, &why), 0);
	assert_int_equal(kho_luo_read(&r, blob(KHO_NODE_LUO), &l, &why), -ELOOP);
	assert_string_equal(why.fault, "is named twice");
}

static int read_handoff(void **state)
{
	const struct kho_limits lim = limits();

	(void)state;
	load();
	if (kho_read(&linux_data, &lim, &h, &why)) {
		print_error("%s %s at %llx (%llx)\n", why.what, why.fault,
			    (unsigned long long)why.at, (unsigned long long)why.value);
		return -1;
	}
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_announced),
		cmocka_unit_test(test_root),
		cmocka_unit_test(test_radix),
		cmocka_unit_test(test_metadata),
		cmocka_unit_test(test_memblock),
		cmocka_unit_test(test_luo),
		cmocka_unit_test(test_claimed_twice),
	};

	return cmocka_run_group_tests(tests, read_handoff, NULL);
}
