/* Makes the seeds of the fuzz targets: the golden handoff, the captured Linux handoff, the golden
 * IOMMU records, and what our own writers make.  Run from the top of the tree:
 *
 *	seeds FOLDER		one folder per target below it
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "kernel/handover/bootparams.h"
#include "kernel/handover/node.h"
#include "kernel/handover/records.h"
#include "kernel/stream/control.h"
#include "kho/iommu_records.h"
#include "kho/memblock.h"
#include "kho/memfd.h"
#include "kho/metadata.h"
#include "kho/radix.h"
#include "kho/setup_data.h"
#include "vtd/context.h"
#include "vtd/pagetable.h"
#include "vtd/pasid.h"
#include "tests/fixtures/kho_golden.h"
#include "tests/fixtures/segments.h"

/* Rows of the tables made from expected.json; the seeds need only what says where things are. */
struct expected_node { paddr_t pa; unsigned level; };
struct expected_region { const char *name; paddr_t start; uint64_t size; };
struct expected_session { const char *name; size_t nr_files; };
struct expected_memfd { paddr_t pa; uint64_t pos, size; uint32_t seals; size_t first, nr; };
struct expected_folio { uint64_t pfn; uint32_t flags; uint64_t index; uint32_t order; };
#pragma clang diagnostic ignored "-Wunused-const-variable"
#include "tests/fixtures/linux-7.3-kho/tables.h"

struct expected_unit {
	paddr_t pa;
	uint64_t ref_count, flags, token, type, register_base, root_table, context_tables[8];
};
struct expected_domain {
	paddr_t pa;
	uint64_t ref_count, flags, top_table, top_level, vasz, sign_extend, restored_domain;
};
struct expected_device {
	paddr_t pa;
	uint64_t ref_count, flags, devid, pci_domain, owner_token, attachment_id;
	size_t domain, unit;
	uint64_t ats_enabled, ats_supported, restored, pasid_table, max_pasid;
};
#include "tests/fixtures/iommu-records/tables.h"

/* As sparse.h reads it. */
struct sparse_run {
	uint32_t pfn;
	uint16_t off, len;
};

static const char *folder;
static FILE *out;

/* ---- writing ------------------------------------------------------------------------------ */

static void seed_begin(const char *target, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", folder, target);
	mkdir(path, 0777);
	snprintf(path, sizeof(path), "%s/%s/%s", folder, target, name);
	out = fopen(path, "wb");
	assert_non_null(out);
}

static void put(const void *p, size_t len)
{
	assert_int_equal(fwrite(p, 1, len, out), len);
}

static void put_u8(uint8_t v)
{
	put(&v, sizeof(v));
}

static void put_u64(uint64_t v)
{
	put(&v, sizeof(v));
}

static void seed_end(void)
{
	fclose(out);
}

/* The bytes of a page that are not zero, as runs, which small gaps do not end. */
static void put_page_as(paddr_t from, paddr_t to)
{
	const uint8_t *p = mem_ptr(from);

	for (unsigned i = 0; i < PAGE_SIZE; i++) {
		unsigned end = i, zeros = 0;

		if (!p[i])
			continue;
		for (unsigned k = i; k < PAGE_SIZE && zeros < 16; k++) {
			zeros = p[k] ? 0 : zeros + 1;
			if (p[k])
				end = k + 1;
		}
		end = (unsigned)MIN(ALIGN_UP(end, 8), PAGE_SIZE);	/* whole words are mutated better */
		put(&(struct sparse_run){ (uint32_t)(to / PAGE_SIZE), (uint16_t)i,
					  (uint16_t)(end - i) }, sizeof(struct sparse_run));
		put(p + i, end - i);
		i = end;
	}
}

static void put_page(paddr_t pa)
{
	put_page_as(ALIGN_DOWN(pa, PAGE_SIZE), ALIGN_DOWN(pa, PAGE_SIZE));
}

static void put_pages(paddr_t pa, paddr_t end)
{
	for (; pa < end; pa += PAGE_SIZE)
		put_page(pa);
}

/* ---- the golden handoff ------------------------------------------------------------------- */

static void golden(void)
{
	golden_lay();
	seed_begin("tree", "golden");
	put(golden_root_fdt, sizeof(golden_root_fdt));
	seed_end();
	seed_begin("handoff", "golden");
	put(mem_ptr(GOLDEN_SETUP_NODE + sizeof(struct kho_setup_header)), sizeof(struct kho_data));
	put_pages(GOLDEN_ARRAY, GOLDEN_END);
	seed_end();
	seed_begin("foreign", "golden");
	put(mem_ptr(GOLDEN_SETUP_NODE + sizeof(struct kho_setup_header)), sizeof(struct kho_data));
	put_pages(GOLDEN_ARRAY, GOLDEN_END);
	seed_end();
	seed_begin("luo", "golden");
	put_u64(GOLDEN_LUO);
	put_pages(GOLDEN_LUO, GOLDEN_END);
	seed_end();
}

/* ---- the captured Linux handoff ----------------------------------------------------------- */

static bool any_ram(void *ctx, paddr_t pa, uint64_t len)
{
	(void)ctx;
	return pa + len <= ARENA_BYTES;
}

static struct kho_limits wide_limits(void)
{
	static struct kho_extent extents[4096];
	static struct kho_range ranges[4096];
	static paddr_t nodes[256];

	return (struct kho_limits){
		.ram = { .is_ram = any_ram }, .extents = extents, .ranges = ranges,
		.max_extents = ARRAY_SIZE(extents), .nodes = nodes, .max_nodes = ARRAY_SIZE(nodes),
	};
}

static bool is_folio(paddr_t pa)
{
	for (size_t i = 0; i < ARRAY_SIZE(linux_folios); i++) {
		const struct expected_folio *f = &linux_folios[i];

		if (pa / PAGE_SIZE >= f->pfn && pa / PAGE_SIZE - f->pfn < BIT64(f->order))
			return true;
	}
	return false;
}

static bool is_node(const struct kho_map *m, paddr_t pa)
{
	return kho_map_overlaps_node(m, pa, PAGE_SIZE);
}

/* What LUO leads to, without the contents of files. */
static void put_luo_pages(const struct kho_handoff *h)
{
	for (size_t i = 0; i < ARRAY_SIZE(linux_segments); i++) {
		const struct fixture_segment *s = &linux_segments[i];

		if (s->len == PAGE_SIZE && !is_folio(s->pa) && !is_node(&h->map, s->pa) &&
		    s->pa != h->data.fdt_pa && kho_map_covers(&h->map, s->pa, s->len))
			put_page(s->pa);
	}
}

static void linux_luo(const struct kho_handoff *h)
{
	const struct kho_subnode *luo = kho_tree_find(&h->tree, KHO_NODE_LUO);

	assert_non_null(luo);
	seed_begin("luo", "linux");
	put_u64(luo->pa);
	put_luo_pages(h);
	seed_end();
}

static void put_root_pages(const struct kho_handoff *h)
{
	put(&linux_data, sizeof(linux_data));
	put_page(h->data.fdt_pa);
	put_page(h->data.scratch_pa);
	for (size_t i = 0; i < h->map.nr_nodes; i++)
		put_page(h->map.nodes[i]);
}

static void linux_foreign(const struct kho_handoff *h)
{
	static const struct kho_luo_ser empty = { .compatible = KHO_LUO_COMPATIBLE };

	seed_begin("foreign", "linux");
	put_root_pages(h);
	put_luo_pages(h);
	seed_end();
	seed_begin("foreign", "no-files");
	put_root_pages(h);
	for (size_t i = 0; i < h->tree.nr; i++) {
		const struct kho_subnode *n = &h->tree.node[i];
		const struct sparse_run blob = { (uint32_t)(n->pa / PAGE_SIZE), 0, sizeof(empty) };

		if (strcmp(n->name, KHO_NODE_LUO)) {
			put_page(n->pa);
			continue;
		}
		put(&blob, sizeof(blob));
		put(&empty, sizeof(empty));
	}
	seed_end();
}

/* The FDT of its regions, which later seeds have elsewhere. */
static uint8_t regions_fdt[PAGE_SIZE];
static size_t regions_bytes;

static void move_region(paddr_t from, paddr_t to)
{
	for (size_t k = 0; k + sizeof(to) <= regions_bytes; k++)
		if (!memcmp(&regions_fdt[k], &from, sizeof(from)))
			memcpy(&regions_fdt[k], &to, sizeof(to));
}

/* Its regions where the target has preserved memory. */
static void linux_memblock(const struct kho_handoff *h)
{
	const struct kho_subnode *n = kho_tree_find(&h->tree, KHO_NODE_MEMBLOCK);

	assert_non_null(n);
	assert_true(n->size <= sizeof(regions_fdt));
	regions_bytes = n->size;
	memcpy(regions_fdt, mem_ptr(n->pa), regions_bytes);
	for (size_t i = 0; i < ARRAY_SIZE(linux_reserve_mem); i++)
		move_region(linux_reserve_mem[i].start, GIB(1) + i * MIB(1));
	seed_begin("memblock", "linux");
	put(regions_fdt, regions_bytes);
	seed_end();
}

static void linux_handoff(void)
{
	static struct kho_handoff h;
	const struct kho_limits lim = wide_limits();
	struct kho_refusal why;

	arena_reset(0, 0);
	load_segments("tests/fixtures/linux-7.3-kho/mem.bin", linux_segments,
		      ARRAY_SIZE(linux_segments));
	assert_int_equal(kho_read(&linux_data, &lim, &h, &why), 0);
	seed_begin("tree", "linux");
	put(mem_ptr(h.data.fdt_pa), h.tree.fdt_bytes);
	seed_end();
	seed_begin("handoff", "linux");
	put_root_pages(&h);
	for (size_t i = 0; i < h.tree.nr; i++)
		put_page(h.tree.node[i].pa);
	seed_end();
	linux_luo(&h);
	linux_foreign(&h);
	linux_memblock(&h);
	seed_begin("bootparams", "linux");
	put(mem_ptr(LINUX_BOOT_PARAMS), BOOTPARAMS_SIZE);
	put_page(LINUX_SETUP_DATA);
	seed_end();
}

/* ---- the golden IOMMU records, moved to where the targets have memory --------------------- */

#define MOVED		MIB(512)
#define MOVED_BYTES	MIB(256)
#define LOAD		GIB(1)

static paddr_t moved(paddr_t pa)
{
	return MOVED + ALIGN_DOWN(pa, PAGE_SIZE) % MOVED_BYTES + pa % PAGE_SIZE;
}

static bool in_image(const struct fixture_segment *s, size_t n, uint64_t v)
{
	for (size_t i = 0; i < n; i++)
		if (ALIGN_DOWN(v, PAGE_SIZE) == s[i].pa)
			return true;
	return false;
}

/* Pointers into the image, and what looks like the address of a table. */
static void move_word(const struct fixture_segment *s, size_t n, uint64_t *v)
{
	const bool table = IS_ALIGNED(*v, PAGE_SIZE) && *v >= MIB(16) && *v < BIT64(40) &&
			   *v >> 16 != 0xfed9;

	if (table || in_image(s, n, *v))
		*v = moved(*v);
}

static void golden_records(const char *name, const char *path, const struct fixture_segment *s,
			   size_t n, enum kho_iommu_family family, paddr_t top)
{
	struct fixture_segment here[16];

	arena_reset(0, 0);
	assert_true(n <= ARRAY_SIZE(here));
	for (size_t i = 0; i < n; i++)
		here[i] = (struct fixture_segment){ LOAD + i * PAGE_SIZE, s[i].len, s[i].offset };
	load_segments(path, here, n);
	seed_begin("iommu_records", name);
	put_u64(family);
	put_u64(moved(top));
	for (size_t i = 0; i < n; i++) {
		uint64_t *word = mem_ptr(here[i].pa);

		for (size_t k = 0; k < s[i].len / sizeof(*word); k++)
			move_word(s, n, &word[k]);
		put_page_as(here[i].pa, moved(s[i].pa));
	}
	seed_end();
}

/* ---- our own writers ---------------------------------------------------------------------- */

static paddr_t list[256];
static struct kho_pages pages = { .pa = list, .max = ARRAY_SIZE(list) };
static struct kho_radix radix;
static struct kho_refusal why_not;

static void fresh(void)
{
	static const struct kho_scratch none;

	arena_reset(MIB(16), MIB(32));
	pages.nr = 0;
	assert_int_equal(kho_radix_init(&radix, &none), 0);
}

static void own_luo(void)
{
	struct kho_folios folios[] = {
		{ .pa = MIB(64), .len = 8 * PAGE_SIZE, .flags = 3 },
		{ .pa = MIB(65), .len = PAGE_SIZE, .index = 9, .flags = 1 },
	};
	const struct kho_memfd m = { .size = 10 * PAGE_SIZE - 5, .seals = 6, .folios = folios,
				     .nr_folios = ARRAY_SIZE(folios) };
	struct kho_file files[] = { { KHO_MEMFD_COMPATIBLE, 0, 0x101 }, { "vfio-pci-v2", 1, 0x102 } };
	struct kho_session sessions[] = { { "baton", 0, 2 }, { "empty", 2, 0 } };
	struct kho_flb flbs[] = { { KHO_IOMMU_FLB, MIB(70), 1 } };
	struct kho_key keys[8];
	const struct kho_luo l = {
		.liveupdate_num = 3, .sessions = sessions, .nr_sessions = ARRAY_SIZE(sessions),
		.files = files, .nr_files = ARRAY_SIZE(files), .flbs = flbs,
		.nr_flbs = ARRAY_SIZE(flbs), .keys = keys, .max_keys = ARRAY_SIZE(keys),
	};
	size_t blob;

	fresh();
	assert_int_equal(kho_memfd_write(&m, &radix, &pages, &why_not), 0);
	files[0].data = list[0];
	blob = pages.nr;
	assert_int_equal(kho_luo_write(&l, NULL, &radix, &pages, &why_not), 0);
	seed_begin("luo", "baton");
	put_u64(list[blob]);
	for (size_t i = 0; i < pages.nr; i++)
		put_page(list[i]);
	seed_end();
}

/* Ours first and alone in its block, a foreign session behind it, and the list of foreign memory. */
static void own_carry(void)
{
	struct kho_file file = { "other-v1", MIB(64), 0x101 };
	struct kho_session theirs[] = { { "theirs", 0, 1 }, { "empty", 1, 0 } };
	struct kho_session ours = { RECORDS_SESSION, 0, 0 };
	struct kho_flb flbs[] = { { KHO_IOMMU_FLB, MIB(70), 1 }, { "test-flb", 1, 1 } };
	struct kho_key keys[8];
	struct kho_luo behind = {
		.sessions = theirs, .nr_sessions = 2, .files = &file, .nr_files = 1, .keys = keys,
		.max_keys = ARRAY_SIZE(keys),
	};
	const struct kho_luo l = {
		.liveupdate_num = 3, .sessions = &ours, .nr_sessions = 1, .flbs = flbs, .nr_flbs = 2,
		.keys = keys, .max_keys = ARRAY_SIZE(keys),
	};
	const struct kho_extent extents[] = { { MIB(64), 16, 0 }, { GIB(1) + MIB(4), 2, 9 } };
	struct node_foreign_ser s = { .liveupdate_num = 1, .nr_extents = ARRAY_SIZE(extents), .kexec_count = 1 };
	size_t blob;

	fresh();
	assert_int_equal(kho_luo_write(&behind, NULL, &radix, &pages, &why_not), 0);
	behind.sessions_pa = ((const struct kho_luo_ser *)mem_ptr(list[0]))->sessions_pa;
	behind.nr_session_blocks = 1;
	blob = pages.nr;
	assert_int_equal(kho_luo_write(&l, &behind, &radix, &pages, &why_not), 0);
	s.extents_pa = mem_alloc_pages(0);
	memcpy(mem_ptr(s.extents_pa), extents, sizeof(extents));
	seed_begin("carry", "baton");
	put_u8(1);
	put_u64(list[blob]);
	put(&s, sizeof(s));
	for (size_t i = 0; i < pages.nr; i++)
		put_page(list[i]);
	put_page(s.extents_pa);
	seed_end();
}

#define PACKED_ORDER	2
enum { PACKED_FDT, PACKED_MEMBLOCK, PACKED_LUO, PACKED_METADATA };

/* The blobs into one chunk; a region follows @luo's page of FLBs, the last that was taken. */
static void pack(paddr_t chunk, paddr_t luo, struct kho_subnode nodes[3])
{
	const struct kho_metadata m = { .previous_release = "7.3", .kexec_count = 1 };
	const paddr_t beta = mem_alloc_pages(0);

	for (size_t i = 1; i < linux_reserve_mem[1].size / PAGE_SIZE; i++)
		assert_int_equal(mem_alloc_pages(0), beta + i * PAGE_SIZE);
	move_region(GIB(1) + MIB(1), beta);
	assert_int_equal(kho_preserve_range(&radix, beta, linux_reserve_mem[1].size), 0);
	assert_int_equal(kho_preserve_range(&radix, GIB(1), linux_reserve_mem[0].size), 0);
	assert_int_equal(kho_preserve(&radix, chunk, PACKED_ORDER), 0);
	nodes[0] = (struct kho_subnode){ KHO_NODE_LUO, chunk + PACKED_LUO * PAGE_SIZE,
					 sizeof(struct kho_luo_ser) };
	nodes[1] = (struct kho_subnode){ KHO_NODE_METADATA, chunk + PACKED_METADATA * PAGE_SIZE,
					 KHO_METADATA_BYTES };
	nodes[2] = (struct kho_subnode){ KHO_NODE_MEMBLOCK, chunk + PACKED_MEMBLOCK * PAGE_SIZE, regions_bytes };
	memcpy(mem_ptr(nodes[0].pa), mem_ptr(luo), nodes[0].size);
	assert_int_equal(kho_metadata_write(&m, mem_ptr(nodes[1].pa)), 0);
	memcpy(mem_ptr(nodes[2].pa), regions_fdt, regions_bytes);
}

/* A handoff in which what is written anew cannot be let go: it shares a chunk with what is carried on. */
static void packed_foreign(void)
{
	struct kho_flb flb = { "test-flb", 1, 1 };
	struct kho_session session = { "empty", 0, 0 };
	struct kho_key keys[8];
	const struct kho_luo l = {
		.liveupdate_num = 3, .sessions = &session, .nr_sessions = 1, .flbs = &flb, .nr_flbs = 1,
		.keys = keys, .max_keys = ARRAY_SIZE(keys),
	};
	const struct kho_scratch_entry area = { GIB(1) + MIB(64), MIB(64) };
	struct kho_subnode nodes[3];
	struct kho_data data = { .fdt_size = PAGE_SIZE, .scratch_size = sizeof(area) };
	size_t used;

	fresh();
	data.fdt_pa = mem_alloc_pages(PACKED_ORDER);
	data.scratch_pa = mem_alloc_pages(0);
	memcpy(mem_ptr(data.scratch_pa), &area, sizeof(area));
	assert_int_equal(kho_preserve(&radix, MIB(64), 0), 0);	/* with its radix nodes, before LUO's pages */
	assert_int_equal(kho_luo_write(&l, NULL, &radix, &pages, &why_not), 0);
	pack(data.fdt_pa, list[0], nodes);
	assert_int_equal(kho_tree_write(mem_ptr(data.fdt_pa), PAGE_SIZE, radix.root, nodes, ARRAY_SIZE(nodes),
					&used), 0);
	seed_begin("foreign", "packed");
	put(&data, sizeof(data));
	put_pages(MIB(16), MIB(16) + 64 * PAGE_SIZE);
	seed_end();
}

static void own_records(void)
{
	struct kho_iommu_unit units[] = {
		{ .register_base = 0xfed90000, .root_table = MIB(40), .context_tables = { 1 } },
		{ .register_base = 0xfed91000, .root_table = MIB(41), .context_tables = { 2 } },
	};
	struct kho_iommu_domain domains[] = {
		{ .top_table = MIB(42), .top_level = 2, .vasz = 39 },
		{ .top_table = MIB(43), .top_level = 3, .vasz = 48 },
	};
	struct kho_iommu_device devices[] = {
		{ .devid = 0x18, .did = 2, .owner_token = 1, .domain = 0, .unit = 0 },
		{ .devid = 0x19, .did = 2, .owner_token = 2, .domain = 0, .unit = 0 },
		{ .devid = 0x80, .did = 3, .owner_token = 3, .domain = 1, .unit = 1 },
	};
	struct kho_key keys[16];
	const struct kho_iommu io = {
		.unit = units, .nr_units = ARRAY_SIZE(units), .domain = domains,
		.nr_domains = ARRAY_SIZE(domains), .device = devices,
		.nr_devices = ARRAY_SIZE(devices), .keys = keys, .max_keys = ARRAY_SIZE(keys),
	};
	struct kho_iommu_placed at;

	fresh();
	if (kho_iommu_records_write(&io, &radix, &pages, &at, &why_not)) {
		fprintf(stderr, "seeds: records: %s %s (%llx)\n", why_not.what, why_not.fault,
			(unsigned long long)why_not.value);
		exit(1);
	}
	seed_begin("iommu_records", "baton");
	put_u64(KHO_IOMMU_L4_L5);
	put_u64(list[at.top]);
	for (size_t i = 0; i < pages.nr; i++)
		put_page(list[i]);
	seed_end();
}

static void own_node(void)
{
	static uint64_t buf[NODE_BYTES / 8];
	static struct node n = {
		.generation = 2, .tsc_khz = 2400000, .image_bytes = 200000, .results_pa = MIB(40),
		.next_domain_id = 3, .nr_units = 1, .nr_domains = 2, .nr_devices = 2, .nr_ports = 1,
		.nr_digests = 2,
		.unit = { { .regs_pa = 0xfed90000, .rtaddr = MIB(41) } },
		.domain = { { .id = 1, .top_pa = MIB(42) }, { .id = 2, .top_pa = MIB(43), .is_rmrr = 1 } },
		.device = { { .rid = 0x18, .vendor = 0x8086, .device = 0x10d3 }, { .rid = 0xa0 } },
		.port = { { .control_pa = MIB(44), .config = { .rid = 0x18 } } },
		.digest = { { .pa = MIB(41), .kind = NODE_DIGEST_TABLE },
			    { .pa = MIB(45), .kind = NODE_DIGEST_METADATA } },
	};
	size_t used;

	assert_int_equal(node_write(&n, buf, &used), 0);
	seed_begin("node", "baton");
	put_u8(1);
	put(buf, used);
	seed_end();
	n.nr_ports = n.nr_devices = n.nr_digests = 0;
	assert_int_equal(node_write(&n, buf, &used), 0);
	seed_begin("node", "few");
	put_u8(1);
	put(buf, used);
	seed_end();
}

static void own_control(void)
{
	const struct stream_ring_ser ring = {
		.ring_iova = GIB(4), .ring_pa = MIB(40), .buffers_iova = GIB(5), .buffers_pa = MIB(41),
		.entries = 4096, .count = 4096, .format = STREAM_DESC_LEGACY, .stride = 2048,
		.buffer_size = 1536, .guard_size = 512, .next_index = 7, .tail = 6,
	};
	struct stream_control_ser c = {
		.magic = STREAM_CONTROL_MAGIC, .version = STREAM_CONTROL_VERSION, .size = sizeof(c),
		.rid = 0x18, .stream = 1, .nic_family = STREAM_NIC_E1000E, .bar_pa = 0x81000000,
		.bar_size = 0x20000, .rx = ring, .tx = ring, .rdh = 7, .next_sequence = 100,
	};

	c.account = (struct stream_account_ser){ .next = 100, .good = 100, .window = UINT64_MAX };
	seed_begin("control", "baton");
	put(&c, sizeof(c));
	seed_end();
}

/* ---- boot_params and setup header --------------------------------------------------------- */

static uint8_t image[12 * 1024];

static void put_at(void *p, size_t off, unsigned size, uint64_t v)
{
	memcpy((uint8_t *)p + off, &v, size);
}

/* Linux Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header". */
static void make_image(void)
{
	put_at(image, 0x1f1, 1, 7);
	put_at(image, 0x1fe, 2, 0xaa55);
	put_at(image, 0x200, 2, 0x6aeb);
	memcpy(image + 0x202, "HdrS", 4);
	put_at(image, 0x206, 2, 0x20f);
	put_at(image, 0x211, 1, 1);
	put_at(image, 0x22c, 4, 0x7fffffff);
	put_at(image, 0x230, 4, MIB(2));
	put_at(image, 0x234, 1, 1);
	put_at(image, 0x236, 2, 0x23);
	put_at(image, 0x238, 4, 2047);
	put_at(image, 0x258, 8, MIB(16));
	put_at(image, 0x260, 4, MIB(1));
}

/* The same with an initrd, and with EFI information whose addresses are virtual. */
static void relayed_bootparams(struct bootparams_in *in)
{
	static const struct kho_setup_header efi = { .type = BOOTPARAMS_SETUP_EFI, .len = 96 };
	uint8_t setup[96];

	memset(setup, 0x55, sizeof(setup));
	in->initrd = MIB(48);
	in->initrd_size = MIB(2) - 5;
	in->setup_data = MIB(37);
	memcpy(mem_ptr(in->setup_data), &efi, sizeof(efi));
	memcpy(mem_ptr(in->setup_data + sizeof(efi)), setup, sizeof(setup));
	assert_int_equal(bootparams_build(mem_ptr(MIB(36)), span_of(image, sizeof(image)), in), 0);
	seed_begin("bootparams", "relayed");
	put(mem_ptr(MIB(36)), BOOTPARAMS_SIZE);
	put_page(in->cmdline);
	put_page(in->setup_data);
	put_page(in->efi_memmap);
	seed_end();
}

static void own_bootparams(void)
{
	static const struct mem_range map[] = {
		{ 0, 0x9f000, MEM_CONVENTIONAL }, { MIB(1), GIB(1) - MIB(2), MEM_CONVENTIONAL },
		{ GIB(1) - MIB(1), MIB(1), MEM_ACPI_RECLAIM }, { GIB(1), MIB(1), MEM_RUNTIME_DATA },
	};
	const struct kho_data kho = { MIB(40), 4096, MIB(41), 16 };
	const struct kho_setup_node node = kho_setup_node(0, &kho);
	const uint64_t descriptor[5] = { 6, GIB(1), GIB(1), 256, BIT64(63) | 8 };
	struct bootparams_in in = {
		.map = map, .nr_map = ARRAY_SIZE(map), .cmdline = MIB(33), .rsdp = 0x7fe014,
		.setup_data = MIB(34), .efi_systab = GIB(1) + 24, .efi_memmap = MIB(35),
		.efi_memmap_size = sizeof(descriptor), .efi_memdesc_size = sizeof(descriptor),
		.fb = { .base = 0x80000000, .size = 1280 * 800 * 4, .width = 1280, .height = 800,
			.stride = 5120, .red_shift = 16, .green_shift = 8 },
	};

	make_image();
	arena_reset(MIB(16), MIB(32));
	strcpy(mem_ptr(in.cmdline), "plan=handover generation=1");
	memcpy(mem_ptr(in.setup_data), &node, sizeof(node));
	memcpy(mem_ptr(in.efi_memmap), descriptor, sizeof(descriptor));
	assert_int_equal(bootparams_build(mem_ptr(MIB(36)), span_of(image, sizeof(image)), &in), 0);
	seed_begin("bootparams", "baton");
	put(mem_ptr(MIB(36)), BOOTPARAMS_SIZE);
	put_page(in.cmdline);
	put_page(in.setup_data);
	put_page(in.efi_memmap);
	seed_end();
	relayed_bootparams(&in);
	seed_begin("bzimage", "small");
	put(image, sizeof(image));
	seed_end();
}

/* ---- scratch ------------------------------------------------------------------------------- */

/* As fuzz_window.c reads it. */
struct window_head {
	uint64_t image, image_size, initrd, initrd_size, array, array_size;
};

static void window(const char *name, const struct window_head *head, const struct kho_scratch_entry *e)
{
	seed_begin("window", name);
	put(head, sizeof(*head));
	put(e, head->array_size);
	seed_end();
}

static void windows(void)
{
	const struct kho_scratch_entry one[] = { { MIB(64), MIB(64) } };
	const struct window_head alone = { MIB(96), MIB(2), 0, 0, MIB(8), sizeof(one) };
	const struct window_head full = { MIB(64) + PAGE_SIZE, MIB(63), 0, 0, MIB(8), sizeof(one) };
	const struct window_head loaded = { LINUX_BOOT_PARAMS - MIB(16), MIB(2), LINUX_BOOT_PARAMS - MIB(8) + 1,
					    MIB(2), linux_data.scratch_pa, sizeof(linux_scratch) };

	window("one", &alone, one);
	window("nearly-full", &full, one);
	window("linux", &loaded, linux_scratch);
}

/* ---- cpio ---------------------------------------------------------------------------------- */

static void cpio_entry(const char *name, unsigned mode, const char *data)
{
	static const uint8_t zero[4];
	char header[111];
	const size_t name_len = strlen(name) + 1, len = strlen(data);

	snprintf(header, sizeof(header), "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", 1u,
		 mode, 0u, 0u, 1u, 0u, (unsigned)len, 0u, 0u, 0u, 0u, (unsigned)name_len, 0u);
	put(header, 110);
	put(name, name_len);
	put(zero, ALIGN_UP(110 + name_len, 4) - 110 - name_len);
	put(data, len);
	put(zero, ALIGN_UP(len, 4) - len);
}

static void cpio(void)
{
	seed_begin("cpio", "three");
	cpio_entry("baton", 040755, "");
	cpio_entry("baton/bzImage", 0100644, "a kernel");
	cpio_entry("./baton/initrd", 0100644, "an initrd");
	cpio_entry("/baton/cmdline", 0100644, "quiet");
	cpio_entry("TRAILER!!!", 0, "");
	seed_end();
}

/* ---- frames ------------------------------------------------------------------------------- */

static void frames(void)
{
	static const uint64_t sequence[] = { 0, 1, 3, 2, 2, 70, 5 };
	uint8_t buf[FRAME_MAX];

	seed_begin("frames", "raw");
	for (size_t i = 0; i < 3; i++) {
		const struct frame_info f = { .stream = 1, .sequence = sequence[i], .sent_ns = i };
		const uint16_t len = (uint16_t)frame_build(buf, &f);

		put_u8(0x80);
		put(&len, sizeof(len));
		put(buf, len);
	}
	seed_end();
	seed_begin("frames", "built");
	for (size_t i = 0; i < ARRAY_SIZE(sequence); i++) {
		put_u8(0x41);
		put_u8((uint8_t)sequence[i]);
	}
	seed_end();
}

/* ---- tables ------------------------------------------------------------------------------- */

/* As fuzz_tables.c reads it. */
struct tables_head {
	uint64_t rtaddr, top[2], tables, dir[3];
	uint16_t rid[3], did[3];
	uint8_t domain[3], levels[2], nr_devices;
};

/* Two devices, one with pages of two sizes. */
static void tables(const char *name, uint8_t ttm)
{
	const struct vtd_ss_format format = {
		.levels = 3, .page_sizes = VTD_PG_4K | VTD_PG_2M, .addr_bits = 39, .haw = 47,
		.coherent = true,
	};
	struct tables_head head = {
		.rid = { 0x18, 0x180 }, .did = { 2, 3 }, .domain = { 0, 1 }, .levels = { 3, 3 },
		.nr_devices = 2,
	};
	struct vtd_tables t = { .ttm = ttm, .coherent = true };
	uint64_t present[VTD_CONTEXT_TABLE_WORDS];

	arena_reset(MIB(16), MIB(32));
	t.root = vtd_root_alloc(true);
	for (unsigned i = 0; i < 2; i++) {
		struct vtd_context_entry e;
		struct vtd_ss ss;

		assert_int_equal(vtd_ss_init(&ss, &format), 0);
		assert_int_equal(vtd_ss_map(&ss, GIB(4), MIB(64), i ? PAGE_SIZE : MIB(2) + PAGE_SIZE,
					    VTD_SS_RW), 0);
		head.top[i] = ss.top;
		e = vtd_context_entry(ss.top, head.did[i], VTD_AW_39BIT);
		if (ttm == VTD_TTM_SCALABLE) {
			head.dir[i] = vtd_pasid_alloc(
				vtd_pasid_entry(ss.top, head.did[i], VTD_AW_39BIT, false), true);
			e = vtd_scalable_context_entry(head.dir[i]);
		}
		assert_int_equal(vtd_context_set(&t, head.rid[i], e), 0);
	}
	vtd_context_tables(&t, present);
	head.tables = present[0];
	head.rtaddr = t.root | FIELD_PREP(VTD_RTADDR_TTM, ttm);
	seed_begin("tables", name);
	put(&head, sizeof(head));
	put_pages(MIB(16), MIB(16) + 24 * PAGE_SIZE);
	seed_end();
}

/* ---- ACPI --------------------------------------------------------------------------------- */

#define ACPI_BASE	0x7e000000ULL
#define TABLE(i)	(0x400 + (i) * 0x400)

static void acpi_table_at(uint8_t *m, unsigned i, const char *signature, uint32_t len)
{
	uint8_t *p = m + TABLE(i);

	memcpy(p, signature, 4);
	put_at(p, 4, 4, len);
	put_at(p, 8, 1, 3);
	put_at(m, 0x200 + 36 + 8 * i, 8, ACPI_BASE + TABLE(i));
}

/* A table list as a server has it: RSDP, XSDT, and one of each table that is decoded. */
static void acpi(void)
{
	static uint8_t m[0x2000];
	uint8_t *p;
	FILE *f = fopen("tests/fixtures/dmar/dell-poweredge-r630-1f4d2de5.dmar", "rb");
	size_t dmar;

	assert_non_null(f);
	dmar = fread(m + TABLE(0), 1, 0x400, f);
	fclose(f);
	acpi_table_at(m, 0, "DMAR", (uint32_t)dmar);
	acpi_table_at(m, 1, "MCFG", 60);
	p = m + TABLE(1);
	put_at(p, 44, 8, 0xe0000000);
	put_at(p, 55, 1, 255);
	acpi_table_at(m, 2, "FACP", 276);
	p = m + TABLE(2);
	put_at(p, 112, 4, BIT32(10));
	put_at(p, 116, 2, 0x0801);
	put_at(p, 120, 8, 0xcf9);
	put_at(p, 128, 1, 6);
	acpi_table_at(m, 3, "SPCR", 80);
	p = m + TABLE(3);
	put_at(p, 40, 2, 0x0801);
	put_at(p, 44, 8, 0x3f8);
	put_at(p, 58, 1, 7);
	acpi_table_at(m, 4, "APIC", 64);
	p = m + TABLE(4);
	put_at(p, 36, 4, 0xfee00000);
	put_at(p, 44, 4, 0x00000800);	/* local APIC, 8 bytes */
	put_at(p, 48, 4, 1);
	put_at(p, 52, 4, 0x00020c01);	/* I/O APIC, 12 bytes */
	memcpy(m + 0x200, "XSDT", 4);
	put_at(m, 0x204, 4, 36 + 5 * 8);
	memcpy(m, "RSD PTR ", 8);
	put_at(m, 15, 1, 2);
	put_at(m, 20, 4, 36);
	put_at(m, 24, 8, ACPI_BASE + 0x200);
	seed_begin("acpi", "server");
	put_u8(0x80);
	put_u8(0);
	put(m, sizeof(m));
	seed_end();
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: seeds FOLDER\n");
		return 2;
	}
	folder = argv[1];
	golden();
	linux_handoff();
#define RECORDS(file, name, family, top) \
	golden_records(file, "tests/fixtures/iommu-records/" file "/mem.bin", name##_segments, \
		       ARRAY_SIZE(name##_segments), family, top)
	RECORDS("l5-small", l5_small, KHO_IOMMU_L4_L5, L5_SMALL_TOP);
	RECORDS("l5-chained", l5_chained, KHO_IOMMU_L4_L5, L5_CHAINED_TOP);
	RECORDS("l3-small", l3_small, KHO_IOMMU_L2_L3, L3_SMALL_TOP);
	own_luo();
	own_carry();
	packed_foreign();
	own_records();
	own_node();
	own_control();
	own_bootparams();
	windows();
	cpio();
	frames();
	tables("two", VTD_TTM_LEGACY);
	tables("scalable", VTD_TTM_SCALABLE);
	acpi();
	return 0;
}
