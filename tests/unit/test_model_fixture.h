/* Units of the strict model with the driver on top: bring-up in the order the kernel uses, a
 * domain with one buffer, and the kinds of unit every scenario runs on. */
#ifndef BATON_TEST_MODEL_FIXTURE_H
#define BATON_TEST_MODEL_FIXTURE_H

#include <string.h>

#include "errno.h"
#include "platform/mem.h"
#include "platform/mmio.h"
#include "tests/model/model.h"
#include "tests/model/spec.h"
#include "tests/unit/tables.h"
#include "vtd/fault.h"
#include "vtd/inval.h"
#include "vtd/pagetable.h"
#include "vtd/source.h"
#include "vtd/unit.h"

#define REGS		UINT64_C(0xfed90000)
#define RID		0x0018
#define IOVA		UINT64_C(0x40000000)

static const struct {
	const char *name;
	struct model_traits t;
} kinds[] = {
	{ "coherent",           { .coherent = true } },
	{ "not_coherent",       { .coherent = false } },
	{ "caching_mode",       { .cm = true } },
	{ "registers_only",     { .no_qi = true, .coherent = true } },
	{ "write_buffer",       { .no_qi = true, .coherent = true, .rwbf = true } },
	{ "write_buffer_no_c",  { .rwbf = true } },
	{ "esrtps",             { .esrtps = true, .sslps = 3, .mamv = 9 } },
	{ "queue_only",         { .major = 6, .coherent = true, .mgaw = 57, .mamv = 45, .sslps = 3 } },
	{ "no_psi",             { .no_psi = true, .sagaw = 2, .mgaw = 39, .nd = 2 } },
	{ "scalable",           { .smts = true, .coherent = true, .smpwcs = true } },
	{ "scalable_no_c",      { .smts = true } },
	{ "scalable_no_snoop",  { .smts = true, .coherent = true, .rps = true } },
	{ "scalable_cm",        { .smts = true, .cm = true, .smpwcs = true } },
	{ "scalable_v6",        { .major = 6, .smts = true, .coherent = true, .smpwcs = true, .rps = true,
				  .esrtps = true, .mgaw = 57, .mamv = 45, .sslps = 3 } },
	{ "protected",          { .major = 4, .pmr = true, .coherent = true, .nfr = 8, .ir = true } },
};

/* One unit as the kernel holds it, in scalable mode if it has that. */
struct bench {
	struct vtd_unit u;
	unsigned model;
};

static inline bool is_scalable(const struct bench *b)
{
	return b->u.ttm == VTD_TTM_SCALABLE;
}

/* The two modes have names of their own for the same mishap. */
static inline int no_context(const struct bench *b)
{
	return is_scalable(b) ? SPEC_FAULT_S_CONTEXT_P : SPEC_FAULT_CONTEXT_P;
}

static inline int not_mapped(const struct bench *b, int legacy)
{
	return is_scalable(b) ? SPEC_FAULT_S_SS_P : legacy;
}

static inline int no_root(const struct bench *b)
{
	return is_scalable(b) ? SPEC_FAULT_S_ROOT_P : SPEC_FAULT_ROOT_P;
}

static inline void bench_add(struct bench *b, const struct model_traits *t)
{
	static unsigned next;

	b->model = model_add_unit(REGS + 0x1000 * (next % MODEL_MAX_UNITS), t);
	next++;
	memset(&b->u, 0, sizeof(b->u));
	b->u.index = b->model;
	assert_int_equal(vtd_unit_probe(&b->u, model_unit(b->model)->regs), 0);
	b->u.ttm = t->smts ? VTD_TTM_SCALABLE : VTD_TTM_LEGACY;
}

/* As iommu_bring_up() does it. */
static inline void bench_start(struct bench *b, bool old_ring_ok)
{
	struct vtd_unit *u = &b->u;

	vtd_unit_mask_events(u);
	if (u->caps.qi)
		assert_int_equal(vtd_qi_take_over(u, old_ring_ok, mem_alloc_pages(0), mem_alloc_pages(0)), 0);
	assert_int_equal(vtd_fault_clear(u), 0);
	u->root = vtd_root_alloc(u->caps.coherent);
	assert_true(u->root);
	assert_int_equal(vtd_unit_set_root(u, u->root), 0);
	assert_int_equal(vtd_unit_enable_translation(u), 0);
	assert_int_equal(vtd_unit_disable_protected_memory(u), 0);
}

static inline void bench_init(struct bench *b, const struct model_traits *t)
{
	model_reset();
	bench_add(b, t);
	bench_start(b, false);
}

static inline void new_table(const struct bench *b, struct vtd_ss *ss)
{
	struct vtd_ss_format fmt = {
		.page_sizes = b->u.caps.page_sizes, .haw = 39, .coherent = vtd_unit_snoops_ss(&b->u),
	};

	assert_int_equal(vtd_caps_pick_levels(&b->u.caps, 39, &fmt.levels), 0);
	fmt.addr_bits = vtd_caps_usable_bits(&b->u.caps, fmt.levels);
	assert_int_equal(vtd_ss_init(ss, &fmt), 0);
}

static inline struct vtd_context_entry entry_of(const struct vtd_ss *ss, uint16_t did)
{
	return vtd_context_entry(ss->top, did, vtd_aw_of_levels(ss->levels));
}

static inline struct vtd_source source_of(const struct vtd_ss *ss, uint16_t did)
{
	return (struct vtd_source){ .top = ss->top, .levels = ss->levels, .did = did };
}

static inline void attach(struct bench *b, uint16_t rid, const struct vtd_ss *ss, uint16_t did)
{
	struct vtd_source s = source_of(ss, did);

	assert_int_equal(vtd_source_set(&b->u, rid, &s), 0);
	assert_int_equal(vtd_inval_context_added(&b->u, rid, did), 0);
}

static inline int detach(struct bench *b, uint16_t rid, uint16_t did)
{
	const struct vtd_tables t = vtd_unit_tables(&b->u);
	struct vtd_source s = { .did = did };
	struct vtd_context_entry e;
	int rc;

	assert_int_equal(vtd_context_get(&t, rid, &e), 0);
	s.pasid_dir = is_scalable(b) ? e.lo & VTD_SCE_PASIDDIRPTR : 0;
	rc = vtd_source_clear(&b->u, rid, did);
	if (!rc)
		vtd_source_free_tables(&s);
	return rc;
}

static inline void map(struct bench *b, struct vtd_ss *ss, uint16_t did, iova_t iova, paddr_t pa, uint64_t len)
{
	assert_int_equal(vtd_ss_map(ss, iova, pa, len, VTD_SS_RW), 0);
	assert_int_equal(vtd_inval_pages_added(&b->u, did, iova, len), 0);
}

static inline void unmap(struct bench *b, struct vtd_ss *ss, uint16_t did, iova_t iova, uint64_t len)
{
	bool tables;

	assert_int_equal(vtd_ss_unmap(ss, iova, len), 0);
	tables = vtd_ss_unlink_tables(ss, iova, len);
	assert_int_equal(vtd_inval_pages(&b->u, did, iova, len, !tables), 0);
	vtd_ss_free_tables(ss);
}

static inline int dma(const struct bench *b, uint16_t rid, iova_t iova, uint64_t v)
{
	return model_dma_write(b->model, rid, iova, &v, sizeof(v));
}

static inline uint64_t at(paddr_t pa)
{
	return mem_read64(mem_ptr(pa));
}

/* A device with one mapped page. */
struct mapped {
	struct vtd_ss ss;
	paddr_t page;
};

static inline void mapped_init(struct bench *b, struct mapped *m, uint16_t rid, uint16_t did)
{
	new_table(b, &m->ss);
	m->page = mem_alloc_pages(0);
	assert_true(m->page);
	attach(b, rid, &m->ss, did);
	map(b, &m->ss, did, IOVA, m->page, PAGE_SIZE);
}

/* For each kind of unit: a fresh one, brought up. */
static inline void on_every_kind(void (*run)(struct bench *b))
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		static struct bench b;

		print_message("# %s\n", kinds[i].name);
		bench_init(&b, &kinds[i].t);
		run(&b);
		assert_int_equal(model_violations(), 0);
	}
}

#endif
