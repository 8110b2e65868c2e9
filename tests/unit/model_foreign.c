/* What another kernel leaves: see model_foreign.h. */
#include "tests/unit/model_foreign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <libfdt.h>

#include "kho/luo.h"
#include "kho/memblock.h"
#include "kho/memfd.h"
#include "kho/metadata.h"
#include "kho/write.h"
#include "platform/mem.h"
#include "tests/model/model.h"
#include "tests/model/spec.h"
#include "tests/unit/model_kernel.h"

#define FIRST		MIB(1)		/* where keep pages would come from first */
#define AREA		MIB(16)
#define AREA_BYTES	MIB(16)
#define OTHER_AREA	MIB(44)
#define IMAGE		(AREA + MIB(14))
#define ARRAY		(AREA + AREA_BYTES - PAGE_SIZE)
#define DATA_ORDER	2
#define DATA_PAGES	(1 << DATA_ORDER)
#define REGION_ORDER	2
#define LIVEUPDATE_NUM	7
#define KEXEC_COUNT	41
#define IRT_ORDER	4

static struct foreign_left left[2];
static struct kho_scratch scratch;
static struct kho_radix radix;
static struct kho_pages pages;
static paddr_t page[64], next, data_pa, region_pa, other_pa;

static paddr_t take(unsigned order)
{
	const paddr_t pa = ALIGN_UP(next, PAGE_SIZE << order);

	next = pa + (PAGE_SIZE << order);
	return pa;
}

static void give(paddr_t pa, unsigned order)
{
	(void)pa;
	(void)order;
}

static uint8_t byte_at(paddr_t pa)
{
	return (uint8_t)(pa * 31 + (pa >> 12));
}

static void fill(paddr_t pa, uint64_t len)
{
	for (uint64_t i = 0; i < len; i++)
		*(uint8_t *)mem_ptr(pa + i) = byte_at(pa + i);
	model_publish(pa, len);
}

static void untouched(paddr_t pa, uint64_t len)
{
	for (uint64_t i = 0; i < len; i++)
		if (*(const uint8_t *)mem_ptr(pa + i) != byte_at(pa + i))
			fail_msg("byte %llx changed", (unsigned long long)(pa + i));
}

/* ---- units ------------------------------------------------------------------------------------ */

#define RING_AT		0x40		/* head and tail */

static void leave_unit(unsigned i, bool scalable, enum foreign_ring ring)
{
	struct model_unit *u = model_unit(i);

	if (u->t.no_qi)
		return;
	left[i] = (struct foreign_left){ .ring = mem_alloc_pages(0), .root = mem_alloc_pages(0) };
	fill(left[i].ring, PAGE_SIZE);
	fill(left[i].root, PAGE_SIZE);
	u->gsts |= SPEC_GSTS_QIES | SPEC_GSTS_RTPS;
	if (ring)
		left[i].ring = ring == FOREIGN_RING_PRESERVED ? data_pa + PAGE_SIZE : OTHER_AREA;
	u->iqa = left[i].ring | (scalable ? SPEC_IQA_DW : 0);
	u->iqh = u->iqt = RING_AT;
	u->last_was_wait = false;
	u->rtaddr = u->root = left[i].root | (scalable ? UINT64_C(1) << 10 : 0);
	u->need_srtp = true;
	if (!u->t.ir)
		return;
	left[i].irt = mem_alloc_pages(IRT_ORDER);
	fill(left[i].irt, PAGE_SIZE << IRT_ORDER);
	u->gsts |= SPEC_GSTS_IRES | SPEC_GCMD_SIRTP;
	u->irta = left[i].irt | (PAGE_SHIFT + IRT_ORDER - 4 - 1);
}

void foreign_left_untouched(const struct board *b)
{
	for (unsigned i = 0; i < b->nr_units; i++) {
		if (!left[i].ring)
			continue;
		untouched(left[i].ring, RING_AT);
		untouched(left[i].ring + RING_AT + 32, PAGE_SIZE - RING_AT - 32);
		untouched(left[i].irt, left[i].irt ? PAGE_SIZE << IRT_ORDER : 0);
		untouched(left[i].root, PAGE_SIZE);
	}
}

/* ---- the handoff -------------------------------------------------------------------------------- */

static paddr_t write_memblock(size_t *used)
{
	const paddr_t blob = mem_alloc_pages(0);
	const uint64_t size = PAGE_SIZE << REGION_ORDER;
	void *fdt = mem_ptr(blob);
	int node;

	region_pa = mem_alloc_pages(REGION_ORDER);
	fill(region_pa, size);
	assert_int_equal(kho_preserve(&radix, region_pa, REGION_ORDER), 0);
	assert_int_equal(fdt_create_empty_tree(fdt, PAGE_SIZE), 0);
	assert_int_equal(fdt_setprop_string(fdt, 0, "compatible", "memblock-v1"), 0);
	node = fdt_add_subnode(fdt, 0, "kept");
	assert_int_equal(fdt_setprop_string(fdt, node, "compatible", "reserve-mem-v1"), 0);
	assert_int_equal(fdt_setprop(fdt, node, "start", &region_pa, 8), 0);
	assert_int_equal(fdt_setprop(fdt, node, "size", &size, 8), 0);
	assert_int_equal(fdt_pack(fdt), 0);
	*used = fdt_totalsize(fdt);
	return blob;
}

static void write_luo(void)
{
	struct kho_folios folios = { .pa = data_pa, .len = DATA_PAGES * PAGE_SIZE,
					   .flags = KHO_FOLIO_DIRTY | KHO_FOLIO_UPTODATE };
	const struct kho_memfd memfd = { .size = folios.len - 1, .folios = &folios, .nr_folios = 1 };
	struct kho_session sessions[2] = { { .name = "alpha", .nr_files = 2 }, { .name = "beta" } };
	struct kho_file files[2] = {
		{ .compatible = KHO_MEMFD_COMPATIBLE, .token = 1 },
		{ .compatible = "other-v1", .data = UINT64_C(0x123456789), .token = 2 },
	};
	struct kho_flb flb = { .name = "other-flb", .data = 3, .count = 1 };
	struct kho_key keys[8];
	const struct kho_luo l = {
		.liveupdate_num = LIVEUPDATE_NUM, .sessions = sessions, .nr_sessions = 2, .files = files,
		.nr_files = 2, .flbs = &flb, .nr_flbs = 1, .keys = keys, .max_keys = ARRAY_SIZE(keys),
	};
	struct kho_refusal why;

	fill(data_pa, folios.len);
	if (kho_memfd_write(&memfd, &radix, &pages, &why))
		fail_msg("%s %s %llx", why.what, why.fault, (unsigned long long)why.at);
	files[0].data = page[0];
	if (kho_luo_write(&l, NULL, &radix, &pages, &why))
		fail_msg("%s %s", why.what, why.fault);
}

static void write_handoff(struct boot_info *bi)
{
	const struct kho_metadata m = { .previous_release = "7.3.0", .kexec_count = KEXEC_COUNT };
	struct kho_subnode nodes[] = {
		{ .name = KHO_NODE_METADATA, .pa = mem_alloc_pages(0), .size = KHO_METADATA_BYTES },
		{ .name = KHO_NODE_LUO, .size = sizeof(struct kho_luo_ser) },
		{ .name = KHO_NODE_MEMBLOCK },
		{ .name = "other", .pa = mem_alloc_pages(0), .size = 100 },
	};
	struct kho_plan plan = { .radix = &radix, .scratch = &scratch, .scratch_pa = ARRAY,
				 .nodes = nodes, .nr_nodes = ARRAY_SIZE(nodes) };
	struct kho_data data;
	size_t luo;

	pages = (struct kho_pages){ .pa = page, .max = ARRAY_SIZE(page) };
	assert_int_equal(kho_radix_init(&radix, &scratch), 0);
	plan.fdt_pa = mem_alloc_pages(0);
	data_pa = mem_alloc_pages(DATA_ORDER);
	write_luo();
	for (luo = 0; strcmp(mem_ptr(page[luo]), KHO_LUO_COMPATIBLE); luo++)
		;
	nodes[1].pa = page[luo];
	nodes[2].pa = write_memblock(&nodes[2].size);
	other_pa = nodes[3].pa;
	fill(other_pa, PAGE_SIZE);
	assert_int_equal(kho_metadata_write(&m, mem_ptr(nodes[0].pa)), 0);
	assert_int_equal(kho_write(&plan, &data), 0);
	bi->has_kho = true;
	bi->kho_fdt = data.fdt_pa;
	bi->kho_fdt_size = data.fdt_size;
	bi->kho_scratch = data.scratch_pa;
	bi->kho_scratch_size = data.scratch_size;
}

void foreign_leave(struct boot_info *bi, const struct board *b, bool scalable, enum foreign_ring ring)
{
	next = FIRST;
	memset(left, 0, sizeof(left));
	model_use_allocator(take, give);
	scratch = (struct kho_scratch){ .nr = FOREIGN_SCRATCH, .entry = {
		{ AREA, AREA_BYTES }, { OTHER_AREA, 0 }, { OTHER_AREA, AREA_BYTES } } };
	bi->from_uefi = false;
	bi->image = IMAGE;
	bi->image_size = KERNEL_IMAGE_WINDOW;
	write_handoff(bi);
	for (unsigned i = 0; i < b->nr_units; i++)
		leave_unit(i, scalable, ring);
}

void foreign_check(const struct foreign *f)
{
	assert_int_equal(f->liveupdate_num, LIVEUPDATE_NUM);
	assert_int_equal(f->kexec_count, KEXEC_COUNT);
	assert_int_equal(f->nr_nodes, 2);
	assert_string_equal(f->node[0].name, KHO_NODE_MEMBLOCK);
	assert_string_equal(f->node[1].name, "other");
	assert_int_equal(f->node[1].pa, other_pa);
	assert_int_equal(f->luo.nr_sessions, 2);
	assert_string_equal(f->luo.sessions[0].name, "alpha");
	assert_string_equal(f->luo.sessions[1].name, "beta");
	assert_int_equal(f->luo.nr_flbs, 1);
	assert_string_equal(f->luo.flbs[0].name, "other-flb");
	untouched(data_pa, DATA_PAGES * PAGE_SIZE);
	untouched(region_pa, PAGE_SIZE << REGION_ORDER);
	untouched(other_pa, PAGE_SIZE);
}
