/* The driver on the strict model: bring-up from any state, map and unmap, detach, live replace
 * with DMA at every step, take-over and adoption, and what must be seen to go wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "test_model_fixture.h"
#include "tests/unit/tables.h"

#define DID	5

/* ---- bring-up ------------------------------------------------------------------------------- */

static void denies(struct bench *b)
{
	struct vtd_fault f;
	uint32_t fsts;
	size_t n;

	assert_int_equal(dma(b, RID, IOVA, 1), no_root(b));
	assert_int_equal(vtd_fault_read_all(&b->u, &f, 1, &n, &fsts), 0);
	assert_int_equal(n, 1);
	assert_int_equal(f.rid, RID);
	assert_int_equal(f.reason, no_root(b));
	assert_int_equal(f.addr, IOVA);
	assert_false(f.is_read);
	assert_int_equal(vtd_fault_clear(&b->u), 0);
}

static void test_bring_up_denies(void **state)
{
	(void)state;
	on_every_kind(denies);
}

/* What a predecessor may have left: its own root table with one device, caches full of it. */
#define OLD_ROOT	MIB(8)
#define OLD_CONTEXT	(MIB(8) + 0x1000)
#define OLD_TABLES	(MIB(8) + 0x2000)	/* three levels */
#define OLD_TARGET	(MIB(8) + 0x8000)
#define OLD_RING	(MIB(8) + 0x10000)
#define OLD_STATUS	(MIB(8) + 0x11000)

static void put64(paddr_t pa, uint64_t v)
{
	memcpy(mem_ptr(pa), &v, sizeof(v));
	model_publish(ALIGN_DOWN(pa, PAGE_SIZE), PAGE_SIZE);
}

static void leave_tables(void)
{
	put64(OLD_ROOT, OLD_CONTEXT | 1);
	put64(OLD_CONTEXT + RID * 16, OLD_TABLES | 1);
	put64(OLD_CONTEXT + RID * 16 + 8, 7 << 8 | 1);
	put64(OLD_TABLES + 8 * (IOVA >> 30), (OLD_TABLES + 0x1000) | 3);
	put64(OLD_TABLES + 0x1000, (OLD_TABLES + 0x2000) | 3);
	put64(OLD_TABLES + 0x2000, OLD_TARGET | 3);
}

enum left { NOTHING = 0, TRANSLATING = 1, QUEUE = 2, NO_WAIT_LAST = 4, FAULTS = 8, UNMASKED = 16,
	    STALE_TAIL = 32, PROTECTED = 64 };

static void leave_faults(struct model_unit *m)
{
	for (unsigned i = 0; i < m->t.nfr; i++)
		m->frcd[i][1] = SPEC_FR_HI_F | (i + 0x100);
	m->fsts = SPEC_FSTS_PPF | SPEC_FSTS_PFO | SPEC_FSTS_ITE | SPEC_FSTS_ICE;
	m->fe[0] = SPEC_EVENT_IM | SPEC_EVENT_IP;
}

static void leave(struct model_unit *m, unsigned left)
{
	leave_tables();
	m->need_srtp = true;
	m->rtaddr = m->root = OLD_ROOT;
	if (left & TRANSLATING) {
		m->gsts |= SPEC_GSTS_TES | SPEC_GSTS_RTPS;
		m->need_srtp = false;
		m->flush_cc = m->flush_iotlb = true;
		assert_int_equal(model_dma_write(m->index, RID, IOVA, "old", 4), 0);
	}
	if (left & (QUEUE | STALE_TAIL)) {
		m->iqa = OLD_RING;
		m->iqt = m->iqh = 0x50;
	}
	if (left & QUEUE) {
		m->gsts |= SPEC_GSTS_QIES;
		m->last_was_wait = !(left & NO_WAIT_LAST);
	} else {
		m->iqh = 0;
	}
	if (left & FAULTS)
		leave_faults(m);
	if (left & UNMASKED)
		m->fe[0] = m->ie[0] = 0x00000123;	/* reserved bits that must be kept */
	if (left & PROTECTED) {
		m->pmen = SPEC_PMEN_EPM | SPEC_PMEN_PRS;
		m->plm[0] = MIB(64);
		m->plm[1] = (uint32_t)MIB(512);
	}
}

static const struct {
	const char *name;
	unsigned left;
	bool old_ring_ok;
	struct model_traits t;
} states[] = {
	{ "nothing",                NOTHING, false, { 0 } },
	{ "translating",            TRANSLATING, false, { .coherent = true } },
	{ "translating_no_c",       TRANSLATING, false, { 0 } },
	{ "translating_cm",         TRANSLATING, false, { .cm = true } },
	{ "translating_registers",  TRANSLATING, false, { .no_qi = true } },
	{ "queue_on",               QUEUE, false, { 0 } },
	{ "queue_without_wait",     QUEUE | NO_WAIT_LAST, true, { .coherent = true } },
	{ "queue_and_translating",  QUEUE | TRANSLATING, false, { .esrtps = true } },
	{ "stale_tail",             STALE_TAIL, false, { .coherent = true } },
	{ "stale_faults",           FAULTS, false, { .nfr = 8 } },
	{ "stale_faults_and_queue", FAULTS | QUEUE, false, { .coherent = true } },
	{ "events_unmasked",        UNMASKED | TRANSLATING, false, { 0 } },
	{ "protected",              PROTECTED, false, { .pmr = true, .major = 4 } },
	{ "everything",             TRANSLATING | QUEUE | FAULTS | PROTECTED, false,
	  { .pmr = true, .nfr = 4, .major = 6, .coherent = true } },
};

/* A stray write before, during and after: blocked or into the predecessor's page, never elsewhere. */
static void stray(void *ctx)
{
	struct bench *b = ctx;

	model_dma_write(b->model, RID, IOVA, "stray", 6);
}

static void test_bring_up_from_unknown_state(void **state)
{
	static struct bench b;
	struct mapped m;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		print_message("# bring_up.%s\n", states[i].name);
		model_reset();
		bench_add(&b, &states[i].t);
		leave(model_unit(b.model), states[i].left);
		model_unit(b.model)->te_must_stay = states[i].left & TRANSLATING;
		if (states[i].left & TRANSLATING)
			model_inject(MODEL_EVERY_STEP, stray, &b);
		bench_start(&b, states[i].old_ring_ok);
		model_inject(0, NULL, NULL);

		/* Nothing of the predecessor is remembered. */
		assert_int_not_equal(dma(&b, RID, IOVA, 0x5555), 0);
		assert_int_equal(vtd_fault_clear(&b.u), 0);
		mapped_init(&b, &m, RID, DID);
		assert_int_equal(dma(&b, RID, IOVA, 0x6666), 0);
		assert_int_equal(at(m.page), 0x6666);
		assert_int_not_equal(at(OLD_TARGET), 0x6666);
		assert_int_equal(model_unit(b.model)->events, 0);
		assert_int_equal(model_violations(), 0);
	}
}

/* A queue that did not end with a wait cannot be stopped unless one may be appended. */
static void test_take_over_needs_the_old_ring(void **state)
{
	static struct bench b;

	(void)state;
	model_reset();
	bench_add(&b, &(struct model_traits){ .coherent = true });
	leave(model_unit(b.model), QUEUE | NO_WAIT_LAST);
	assert_int_equal(vtd_qi_take_over(&b.u, false, mem_alloc_pages(0), mem_alloc_pages(0)), -ETIMEDOUT);
	assert_true(model_violated("did not end with a wait"));
}

/* ---- map, unmap, detach --------------------------------------------------------------------- */

static void map_and_unmap(struct bench *b)
{
	struct mapped m;
	const uint64_t used = model_pages_in_use();

	mapped_init(b, &m, RID, DID);
	assert_int_equal(dma(b, RID, IOVA + 8, 0x1111), 0);
	assert_int_equal(at(m.page + 8), 0x1111);
	assert_int_equal(dma(b, RID, IOVA + PAGE_SIZE, 1), not_mapped(b, SPEC_FAULT_WRITE));
	/* It was asked for when absent; with caching mode that is remembered. */
	map(b, &m.ss, DID, IOVA + PAGE_SIZE, m.page, PAGE_SIZE);
	assert_int_equal(dma(b, RID, IOVA + PAGE_SIZE, 0x2222), 0);
	assert_int_equal(at(m.page), 0x2222);
	model_prefetch(b->model);

	unmap(b, &m.ss, DID, IOVA, PAGE_SIZE);
	assert_int_equal(dma(b, RID, IOVA, 1), not_mapped(b, SPEC_FAULT_WRITE));
	assert_int_equal(dma(b, RID, IOVA + PAGE_SIZE, 0x3333), 0);
	unmap(b, &m.ss, DID, IOVA + PAGE_SIZE, PAGE_SIZE);
	assert_int_equal(at(m.page), 0x3333);
	assert_int_equal(detach(b, RID, DID), 0);
	vtd_ss_free(&m.ss);
	mem_free_pages(m.page, 0);
	assert_int_equal(dma(b, RID, IOVA, 1), no_context(b));
	/* What is left of it is the bus's context table. */
	assert_int_equal(model_pages_in_use(), used + 1);
}

static void test_map_and_unmap(void **state)
{
	(void)state;
	on_every_kind(map_and_unmap);
}

/* Large pages and unaligned ranges: every page of the range stops working. */
static void map_large(struct bench *b)
{
	const uint64_t len = MIB(4) + 0x3000;
	const paddr_t pa = MIB(16) + 0x1000;
	const iova_t iova = IOVA + MIB(2) - 0x1000 * 2;
	struct vtd_ss ss;

	new_table(b, &ss);
	attach(b, RID, &ss, DID);
	map(b, &ss, DID, iova, pa, len);
	map(b, &ss, DID, GIB(4), MIB(32), MIB(4));	/* 2 MiB leaves where there are such */
	model_prefetch(b->model);
	for (uint64_t off = 0; off < len; off += PAGE_SIZE)
		assert_int_equal(dma(b, RID, iova + off, off), 0);
	assert_int_equal(at(pa + len - PAGE_SIZE), len - PAGE_SIZE);
	unmap(b, &ss, DID, iova, len);
	unmap(b, &ss, DID, GIB(4), MIB(4));
	for (uint64_t off = 0; off < len; off += PAGE_SIZE)
		assert_int_equal(dma(b, RID, iova + off, 1), not_mapped(b, SPEC_FAULT_WRITE));
	assert_int_equal(dma(b, RID, GIB(4) + MIB(3), 1), not_mapped(b, SPEC_FAULT_WRITE));
	assert_int_equal(detach(b, RID, DID), 0);
	vtd_ss_free(&ss);
}

static void test_large_ranges(void **state)
{
	(void)state;
	on_every_kind(map_large);
}

struct arrival {
	struct bench *b;
	iova_t iova;
	int expected, unexpected;	/* the last other reason than "not mapped" */
};

static void too_early_or_not(void *ctx)
{
	struct arrival *a = ctx;
	const int rc = dma(a->b, RID, a->iova, 0xea);

	if (rc && rc != not_mapped(a->b, SPEC_FAULT_WRITE))
		a->unexpected = rc;
	a->expected++;
}

/* A request to what is just being mapped meets "not mapped" or the new page, never a table that
 * is linked before it is filled and written back. */
static void map_under_dma(struct bench *b)
{
	struct arrival a = { .b = b, .iova = IOVA + GIB(3) };
	struct mapped m;

	mapped_init(b, &m, RID, DID);
	for (unsigned i = 0; i < 3; i++, a.iova += i * MIB(2) + PAGE_SIZE) {
		model_inject(MODEL_EVERY_STEP, too_early_or_not, &a);
		map(b, &m.ss, DID, a.iova, m.page, PAGE_SIZE);
		model_inject(0, NULL, NULL);
		assert_int_equal(a.unexpected, 0);
		assert_int_equal(dma(b, RID, a.iova, 0xeb), 0);
		assert_int_equal(at(m.page), 0xeb);
	}
	assert_true(a.expected > 3);
}

static void map_under_dma_written_back_early(struct bench *b)
{
	model_write_back(MODEL_AT_STORE);
	map_under_dma(b);
}

static void test_map_under_dma(void **state)
{
	(void)state;
	on_every_kind(map_under_dma);
	on_every_kind(map_under_dma_written_back_early);
}

static void write_at_any_step(void *ctx)
{
	dma(ctx, RID, IOVA, 0xd0d0);
}

/* A device that goes on writing while its pages are taken away: no freed page is reached. */
static void unmap_under_dma(struct bench *b)
{
	struct mapped m;

	mapped_init(b, &m, RID, DID);
	model_inject(MODEL_EVERY_STEP, write_at_any_step, b);
	unmap(b, &m.ss, DID, IOVA, PAGE_SIZE);
	mem_free_pages(m.page, 0);
	assert_int_equal(detach(b, RID, DID), 0);
	vtd_ss_free(&m.ss);
	assert_true(model_steps() > 2);
	model_inject(0, NULL, NULL);
}

static void test_unmap_under_dma(void **state)
{
	(void)state;
	on_every_kind(unmap_under_dma);
}

/* A write that was translated before the unmap has landed when the invalidation completes. */
static void drains(struct bench *b)
{
	struct mapped m;

	mapped_init(b, &m, RID, DID);
	assert_int_equal(model_dma_post(b->model, RID, IOVA, "in flight", 10), 0);
	assert_string_equal(mem_ptr(m.page), "");
	unmap(b, &m.ss, DID, IOVA, PAGE_SIZE);
	assert_string_equal(mem_ptr(m.page), "in flight");
	mem_free_pages(m.page, 0);
	model_dma_land();
}

static void test_invalidation_drains(void **state)
{
	(void)state;
	on_every_kind(drains);
}

/* ---- live replace --------------------------------------------------------------------------- */

struct race {
	struct bench *b;
	paddr_t old_page, new_page;
	unsigned old, new_, bad;
	uint64_t n;
};

/* Lands in the old or in the new page, whole, and is never refused. */
static void racing_write(void *ctx)
{
	struct race *r = ctx;
	const uint64_t v = ++r->n;

	if (dma(r->b, RID, IOVA, v))
		r->bad++;
	else if (at(r->old_page) == v)
		r->old++;
	else if (at(r->new_page) == v)
		r->new_++;
	else
		r->bad++;
}

static void replace(struct bench *b, const struct vtd_ss *to, uint16_t old_did, uint16_t new_did)
{
	const struct vtd_tables t = vtd_unit_tables(&b->u);
	struct vtd_context_entry e;
	struct vtd_source s = { .did = old_did };
	const struct vtd_source now = source_of(to, new_did);

	assert_int_equal(vtd_context_get(&t, RID, &e), 0);
	s.pasid_dir = is_scalable(b) ? e.lo & VTD_SCE_PASIDDIRPTR : 0;
	assert_int_equal(vtd_source_replace(&b->u, RID, &s, &now), 0);
	assert_int_equal(s.did, new_did);
}

enum { WARM = 1, EARLY = 2, WAYS = 4 };	/* caches full before; lines written back at once */

static long replace_with_dma_at(struct bench *b, long step, unsigned way)
{
	struct race r = { .b = b };
	struct mapped m;
	struct vtd_ss to;
	long steps;

	model_write_back(way & EARLY ? MODEL_AT_STORE : MODEL_AT_FLUSH);
	mapped_init(b, &m, RID, DID);
	new_table(b, &to);
	r.old_page = m.page;
	r.new_page = mem_alloc_pages(0);
	map(b, &to, DID + 1, IOVA, r.new_page, PAGE_SIZE);
	if (way & WARM)
		model_prefetch(b->model);
	model_inject(step, racing_write, &r);
	replace(b, &to, DID, DID + 1);
	steps = model_steps();
	model_inject(0, NULL, NULL);
	assert_int_equal(r.bad, 0);
	assert_true(step > steps || r.old + r.new_ > 0);

	/* From here on only the new one. */
	r.old = r.new_ = 0;
	racing_write(&r);
	assert_int_equal(r.new_, 1);
	vtd_ss_free(&m.ss);
	mem_free_pages(m.page, 0);
	assert_int_equal(model_violations(), 0);
	return steps;
}

static void test_replace_with_dma_at_every_step(void **state)
{
	static struct bench b;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		for (unsigned way = 0; way < WAYS; way++) {
			long steps = 1;

			for (long k = 1; k <= steps; k++) {
				bench_init(&b, &kinds[i].t);
				steps = replace_with_dma_at(&b, k, way);
			}
			bench_init(&b, &kinds[i].t);
			replace_with_dma_at(&b, MODEL_EVERY_STEP, way);
			print_message("# replace.%s.%s%s: %ld steps\n", kinds[i].name,
				      way & WARM ? "warm" : "cold", way & EARLY ? ".early" : "", steps);
			assert_true(steps > 5);
		}
	}
}

/* Two 8-byte stores instead of one of 16: at some step the device meets a torn entry. */
static void test_torn_replace_is_seen(void **state)
{
	static struct bench b;
	struct mapped m;
	struct vtd_ss to;
	struct vtd_context_entry *slot;

	(void)state;
	bench_init(&b, &(struct model_traits){ .coherent = true });
	mapped_init(&b, &m, RID, DID);
	new_table(&b, &to);
	slot = (struct vtd_context_entry *)mem_ptr(at(b.u.root) & SPEC_RE_CTP) + RID;
	mem_write64(&slot->lo, entry_of(&to, DID + 1).lo);
	assert_true(model_violated("changed while present, by an 8-byte store"));
	mem_write64(&slot->hi, entry_of(&to, DID + 1).hi);
}

/* ---- handing over --------------------------------------------------------------------------- */

/* The outgoing kernel masks, drains, jumps; the incoming one has nothing but the registers. */
static void hand_over(struct bench *b)
{
	static struct bench next;
	struct vtd_unit_state found;
	struct model_unit *mu = model_unit(b->model);
	struct vtd_ss_format fmt;
	struct mapped m;
	struct vtd_ss ss;
	struct race r;

	mapped_init(b, &m, RID, DID);
	model_prefetch(b->model);
	mu->te_must_stay = mu->root_must_stay = true;
	r = (struct race){ .b = b, .old_page = m.page, .new_page = m.page };
	model_inject(MODEL_EVERY_STEP, racing_write, &r);

	vtd_unit_mask_events(&b->u);
	assert_true(!b->u.caps.qi || mu->last_was_wait);
	assert_int_equal(mu->iqh, mu->iqt);

	next = (struct bench){ .model = b->model, .u = { .index = b->u.index } };
	assert_int_equal(vtd_unit_probe(&next.u, mu->regs), 0);
	vtd_unit_mask_events(&next.u);
	vtd_unit_read_state(&next.u, &found);
	assert_int_equal(found.rtaddr, b->u.root | (uint64_t)b->u.ttm << 10);
	assert_true(found.gsts & SPEC_GSTS_TES);
	next.u.root = ALIGN_DOWN(found.rtaddr, PAGE_SIZE);
	next.u.ttm = b->u.ttm;
	assert_int_equal(vtd_dids_reserve(&next.u.dids, DID), 0);
	if (next.u.caps.qi) {
		assert_int_equal(vtd_qi_take_over(&next.u, true, mem_alloc_pages(0), mem_alloc_pages(0)), 0);
		assert_true(next.u.qi.takeover.wait_appended);
		assert_false(next.u.qi.takeover.gsts_before_iqa & SPEC_GSTS_QIES);
	}
	fmt = (struct vtd_ss_format){ .levels = m.ss.levels, .page_sizes = m.ss.page_sizes,
				      .addr_bits = m.ss.addr_bits, .haw = 39, .coherent = m.ss.coherent };
	assert_int_equal(vtd_ss_adopt(&ss, &fmt, m.ss.top, m.ss.table_pages), 0);
	model_inject(0, NULL, NULL);
	assert_int_equal(r.bad, 0);
	assert_true(r.old > 5);
	assert_int_equal(mu->te_drops, 0);
	assert_int_equal(next.u.gcmd_te_drops, 0);
	assert_int_equal(mu->fsts, 0);

	/* Adopted: what it maps and unmaps works, and the domain can be taken down. */
	map(&next, &ss, DID, IOVA + MIB(4), m.page, PAGE_SIZE);
	assert_int_equal(dma(&next, RID, IOVA + MIB(4), 0x7777), 0);
	unmap(&next, &ss, DID, IOVA, PAGE_SIZE);
	assert_int_equal(dma(&next, RID, IOVA, 1), not_mapped(&next, SPEC_FAULT_WRITE));
	assert_int_equal(detach(&next, RID, DID), 0);
	vtd_ss_free(&ss);
}

static void test_hand_over(void **state)
{
	(void)state;
	on_every_kind(hand_over);
}

/* The kernel's own end: everything off, in order. */
static void shut_down(struct bench *b)
{
	struct mapped m;

	mapped_init(b, &m, RID, DID);
	assert_int_equal(vtd_unit_disable_translation(&b->u), 0);
	if (b->u.qi.on)
		assert_int_equal(vtd_qi_stop(&b->u), 0);
	assert_int_equal(model_unit(b->model)->gsts & (SPEC_GSTS_TES | SPEC_GSTS_QIES), 0);
	/* And up again: SRTP and the flush are needed anew, and some interface to do it with. */
	if (b->u.caps.ver_major >= SPEC_VER_MAJOR_QI_ONLY || is_scalable(b)) {
		assert_int_equal(vtd_unit_set_root(&b->u, b->u.root), -EOPNOTSUPP);
		return;
	}
	assert_int_equal(vtd_unit_set_root(&b->u, b->u.root), 0);
	assert_int_equal(vtd_unit_enable_translation(&b->u), 0);
	assert_int_equal(dma(b, RID, IOVA, 0x99), 0);
	assert_int_equal(at(m.page), 0x99);
}

static void test_shut_down(void **state)
{
	(void)state;
	on_every_kind(shut_down);
}

/* ---- several units, many devices ------------------------------------------------------------ */

/* The same DID on two units means two domains, and one flush does not serve both. */
static void test_two_units_with_equal_dids(void **state)
{
	static struct bench a, b;
	struct mapped ma, mb;

	(void)state;
	bench_init(&a, &(struct model_traits){ 0 });
	bench_add(&b, &(struct model_traits){ .coherent = true });
	bench_start(&b, false);
	mapped_init(&a, &ma, RID, DID);
	mapped_init(&b, &mb, RID, DID);
	assert_int_equal(dma(&a, RID, IOVA, 0xa), 0);
	assert_int_equal(dma(&b, RID, IOVA, 0xb), 0);
	assert_int_equal(at(ma.page), 0xa);
	assert_int_equal(at(mb.page), 0xb);
	unmap(&a, &ma.ss, DID, IOVA, PAGE_SIZE);
	assert_int_equal(dma(&a, RID, IOVA, 1), SPEC_FAULT_WRITE);
	assert_int_equal(dma(&b, RID, IOVA, 0xbb), 0);
	assert_int_equal(at(mb.page), 0xbb);
	assert_int_equal(model_violations(), 0);
}

/* One table under both units: the second one has to be told as well. */
static void test_table_shared_by_two_units(void **state)
{
	static struct bench a, b;
	struct mapped m;

	(void)state;
	bench_init(&a, &(struct model_traits){ .coherent = true });
	bench_add(&b, &(struct model_traits){ .coherent = true });
	bench_start(&b, false);
	mapped_init(&a, &m, RID, DID);
	attach(&b, RID + 8, &m.ss, DID + 1);
	assert_int_equal(dma(&a, RID, IOVA, 1), 0);
	assert_int_equal(dma(&b, RID + 8, IOVA, 2), 0);
	assert_int_equal(vtd_ss_unmap(&m.ss, IOVA, PAGE_SIZE), 0);
	assert_int_equal(vtd_inval_pages(&a.u, DID, IOVA, PAGE_SIZE, true), 0);
	assert_int_equal(dma(&a, RID, IOVA, 1), SPEC_FAULT_WRITE);
	assert_int_equal(dma(&b, RID + 8, IOVA, 3), 0);		/* not told yet */
	assert_int_equal(vtd_inval_pages(&b.u, DID + 1, IOVA, PAGE_SIZE, true), 0);
	assert_int_equal(dma(&b, RID + 8, IOVA, 3), SPEC_FAULT_WRITE);
	assert_int_equal(model_violations(), 0);
}

#define MANY	140

static void test_many_devices(void **state)
{
	static struct mapped m[MANY];
	static struct bench b;
	uint16_t did[MANY];

	(void)state;
	bench_init(&b, &(struct model_traits){ 0 });
	for (unsigned i = 0; i < MANY; i++) {
		const uint16_t rid = VTD_RID(i / 40, i % 32, i / 32 % 8);

		assert_int_equal(vtd_dids_alloc(&b.u.dids, &did[i]), 0);
		mapped_init(&b, &m[i], rid, did[i]);
	}
	model_prefetch(b.model);
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(dma(&b, VTD_RID(i / 40, i % 32, i / 32 % 8), IOVA, 0x1000 + i), 0);
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(at(m[i].page), 0x1000 + i);
	/* Every third goes and comes back with the id it had. */
	for (unsigned i = 0; i < MANY; i += 3) {
		const uint16_t rid = VTD_RID(i / 40, i % 32, i / 32 % 8);

		assert_int_equal(detach(&b, rid, did[i]), 0);
		vtd_ss_free(&m[i].ss);
		mem_free_pages(m[i].page, 0);
		mapped_init(&b, &m[i], rid, did[i]);
	}
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(dma(&b, VTD_RID(i / 40, i % 32, i / 32 % 8), IOVA, 0x2000 + i), 0);
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(at(m[i].page), 0x2000 + i);
	assert_int_equal(model_violations(), 0);
}

/* ---- what must be seen to go wrong ---------------------------------------------------------- */

static struct bench bad;
static struct mapped bad_a;

static void bad_init(const struct model_traits *t)
{
	bench_init(&bad, t);
	mapped_init(&bad, &bad_a, RID, DID);
	assert_int_equal(dma(&bad, RID, IOVA, 1), 0);
}

static void unmap_without_invalidation(void)
{
	assert_int_equal(vtd_ss_unmap(&bad_a.ss, IOVA, PAGE_SIZE), 0);
	assert_int_equal(dma(&bad, RID, IOVA, 0x57a1e), 0);	/* the stale translation */
	assert_int_equal(at(bad_a.page), 0x57a1e);
}

static void wrong_did(void)
{
	assert_int_equal(vtd_ss_unmap(&bad_a.ss, IOVA, PAGE_SIZE), 0);
	assert_int_equal(vtd_inval_pages(&bad.u, DID + 1, IOVA, PAGE_SIZE, false), 0);
	assert_int_equal(dma(&bad, RID, IOVA, 1), 0);
}

static void wrong_page(void)
{
	assert_int_equal(vtd_ss_unmap(&bad_a.ss, IOVA, PAGE_SIZE), 0);
	assert_int_equal(vtd_inval_pages(&bad.u, DID, IOVA + PAGE_SIZE, PAGE_SIZE, false), 0);
	assert_int_equal(dma(&bad, RID, IOVA, 1), 0);
}

/* IH=1 keeps pointers to tables: the freed one is walked again. */
static void leaf_only_after_unlinking(void)
{
	assert_int_equal(vtd_ss_unmap(&bad_a.ss, IOVA, PAGE_SIZE), 0);
	assert_true(vtd_ss_unlink_tables(&bad_a.ss, IOVA, PAGE_SIZE) > 0);
	assert_int_equal(vtd_inval_pages(&bad.u, DID, IOVA, PAGE_SIZE, true), 0);
	vtd_ss_free_tables(&bad_a.ss);
}

static void leaf_only_table_kept(void)
{
	assert_int_equal(vtd_ss_unmap(&bad_a.ss, IOVA, PAGE_SIZE), 0);
	assert_true(vtd_ss_unlink_tables(&bad_a.ss, IOVA, PAGE_SIZE) > 0);
	assert_int_equal(vtd_inval_pages(&bad.u, DID, IOVA, PAGE_SIZE, true), 0);
}

static void free_page_still_mapped(void)
{
	mem_free_pages(bad_a.page, 0);
}

static void clear_without_invalidation(void)
{
	assert_int_equal(vtd_context_clear_present(LEGACY(bad.u.root, bad.u.caps.coherent), RID), 0);
	assert_int_equal(dma(&bad, RID, IOVA, 2), 0);		/* still lets it through */
}

static void zero_before_invalidation(void)
{
	assert_int_equal(vtd_context_clear_present(LEGACY(bad.u.root, bad.u.caps.coherent), RID), 0);
	assert_int_equal(vtd_context_zero(LEGACY(bad.u.root, bad.u.caps.coherent), RID), 0);
}

/* The context cache alone is not enough: the IOTLB is asked first. */
static void context_without_iotlb(void)
{
	const struct vtd_qi_desc cc = vtd_qi_cc(VTD_G_SELECTIVE, DID, RID);

	assert_int_equal(vtd_context_clear_present(LEGACY(bad.u.root, bad.u.caps.coherent), RID), 0);
	assert_int_equal(vtd_qi_submit(&bad.u, &cc, 1), 0);
	assert_int_equal(dma(&bad, RID, IOVA, 2), 0);
}

/* Device-selective needs the DID that stands in the entry. */
static void context_under_another_did(void)
{
	const struct vtd_qi_desc d[] = {
		vtd_qi_cc(VTD_G_SELECTIVE, DID + 1, RID), vtd_qi_iotlb(VTD_G_DOMAIN, DID, 0, 0, false),
	};

	assert_int_equal(vtd_context_clear_present(LEGACY(bad.u.root, bad.u.caps.coherent), RID), 0);
	assert_int_equal(vtd_qi_submit(&bad.u, d, 2), 0);
	assert_int_equal(dma(&bad, RID, IOVA, 2), 0);
}

static void iotlb_before_context(void)
{
	const struct vtd_qi_desc d[] = {
		vtd_qi_iotlb(VTD_G_DOMAIN, DID, 0, 0, false), vtd_qi_cc(VTD_G_SELECTIVE, DID, RID),
	};

	assert_int_equal(vtd_context_clear_present(LEGACY(bad.u.root, bad.u.caps.coherent), RID), 0);
	assert_int_equal(vtd_qi_submit(&bad.u, d, 2), 0);
}

static void replace_invalidates_new_did(void)
{
	struct vtd_ss to;

	new_table(&bad, &to);
	assert_int_equal(vtd_context_replace(LEGACY(bad.u.root, bad.u.caps.coherent), RID, entry_of(&to, DID + 1)), 0);
	assert_int_equal(vtd_inval_context(&bad.u, RID, DID + 1), 0);
	assert_int_equal(dma(&bad, RID, IOVA, 3), 0);		/* still into the old page */
	assert_int_equal(at(bad_a.page), 3);
}

static void replace_under_the_same_did(void)
{
	uint64_t *slot = (uint64_t *)mem_ptr(at(bad.u.root) & SPEC_RE_CTP) + 2 * RID;
	struct vtd_ss to;

	new_table(&bad, &to);
	mem_write128(slot, entry_of(&to, DID).lo, entry_of(&to, DID).hi);
}

static void reuse_did_before_invalidation(void)
{
	struct vtd_ss to;

	assert_int_equal(vtd_context_clear_present(LEGACY(bad.u.root, bad.u.caps.coherent), RID), 0);
	new_table(&bad, &to);
	attach(&bad, RID + 8, &to, DID);
}

static void free_tables_of_a_live_domain(void)
{
	vtd_ss_free(&bad_a.ss);
}

static void free_before_the_context_is_flushed(void)
{
	assert_int_equal(vtd_context_clear_present(LEGACY(bad.u.root, bad.u.caps.coherent), RID), 0);
	vtd_ss_free(&bad_a.ss);
}

/* One DID on two tables: the second device's walk starts in the first one's tables. */
static void did_aliasing(void)
{
	const paddr_t page = mem_alloc_pages(0);
	struct vtd_ss other;

	new_table(&bad, &other);
	map(&bad, &other, DID, IOVA, page, PAGE_SIZE);
	assert_int_equal(vtd_context_set(LEGACY(bad.u.root, bad.u.caps.coherent), RID + 8, entry_of(&other, DID)), 0);
	assert_int_equal(dma(&bad, RID + 8, IOVA, 0xa11a5), 0);		/* no fault anywhere */
	assert_int_equal(at(bad_a.page), 0xa11a5);			/* in the wrong memory */
	assert_int_equal(at(page), 0);
}

/* Unseen when it was stored, found at the end. */
static void did_shared_behind_the_seam(void)
{
	struct vtd_context_entry *slot =
		(struct vtd_context_entry *)mem_ptr(at(bad.u.root) & SPEC_RE_CTP) + RID + 8;
	struct vtd_ss other;

	new_table(&bad, &other);
	*slot = entry_of(&other, DID);
}

static void forget_to_flush(void)
{
	model_write_back(MODEL_NEVER);
	assert_int_equal(vtd_ss_map(&bad_a.ss, IOVA + PAGE_SIZE, bad_a.page, PAGE_SIZE, VTD_SS_RW), 0);
	assert_int_equal(dma(&bad, RID, IOVA + PAGE_SIZE, 1), SPEC_FAULT_WRITE);
}

/* What stands in a fresh table behind the caches is nonsense. */
static void link_an_unflushed_table(void)
{
	model_write_back(MODEL_NEVER);
	assert_int_equal(vtd_ss_map(&bad_a.ss, IOVA + MIB(2), bad_a.page, PAGE_SIZE, VTD_SS_RW), 0);
	model_write_back(MODEL_AT_FLUSH);
	mem_flush(mem_ptr(bad_a.ss.top), PAGE_SIZE);
	mem_flush(mem_ptr(at(bad_a.ss.top + 8 * (IOVA >> 30)) & SPEC_SS_ADDR), PAGE_SIZE);
	assert_int_equal(dma(&bad, RID, IOVA + MIB(2), 1), SPEC_FAULT_SS_RSVD);
}

/* With caching mode "not there" is remembered as well. */
static void map_without_invalidation(void)
{
	assert_int_equal(dma(&bad, RID, IOVA + PAGE_SIZE, 1), SPEC_FAULT_WRITE);
	assert_int_equal(vtd_ss_map(&bad_a.ss, IOVA + PAGE_SIZE, bad_a.page, PAGE_SIZE, VTD_SS_RW), 0);
	assert_int_equal(dma(&bad, RID, IOVA + PAGE_SIZE, 1), SPEC_FAULT_WRITE);
}

static void attach_without_invalidation(void)
{
	assert_int_equal(dma(&bad, RID + 8, IOVA, 1), SPEC_FAULT_CONTEXT_P);
	assert_int_equal(vtd_context_set(LEGACY(bad.u.root, bad.u.caps.coherent), RID + 8, entry_of(&bad_a.ss, DID)), 0);
	assert_int_equal(dma(&bad, RID + 8, IOVA, 1), SPEC_FAULT_CONTEXT_P);
}

static void map_without_write_buffer_flush(void)
{
	assert_int_equal(vtd_ss_map(&bad_a.ss, IOVA + PAGE_SIZE, bad_a.page, PAGE_SIZE, VTD_SS_RW), 0);
	assert_int_equal(dma(&bad, RID, IOVA + PAGE_SIZE, 1), SPEC_FAULT_WRITE);
}

static void undrained(void)
{
	const struct vtd_qi_desc d = {
		.lo = vtd_qi_iotlb(VTD_G_DOMAIN, DID, 0, 0, false).lo & ~(VTD_QI_IOTLB_DW | VTD_QI_IOTLB_DR),
	};

	assert_int_equal(model_dma_post(bad.model, RID, IOVA, "late", 5), 0);
	assert_int_equal(vtd_ss_unmap(&bad_a.ss, IOVA, PAGE_SIZE), 0);
	assert_int_equal(vtd_qi_submit(&bad.u, &d, 1), 0);
	mem_free_pages(bad_a.page, 0);
	model_dma_land();
}

static void status_page_freed(void)
{
	mem_free_pages(bad.u.qi.status, 0);
	vtd_inval_global(&bad.u);
}

static void ring_freed(void)
{
	mem_free_pages(bad.u.qi.ring, 0);
}

static void new_root_not_flushed(void)
{
	const paddr_t root = vtd_root_alloc(true);

	mmio_write64(bad.u.regs + SPEC_RTADDR, root);
	assert_int_equal(vtd_unit_command(&bad.u, SPEC_GCMD_SRTP, true, "RTPS"), 0);
	assert_int_equal(dma(&bad, RID, IOVA, 0x01d), 0);	/* cached: nothing moved */
}

static void old_root_freed_too_early(void)
{
	new_root_not_flushed();
	mem_free_pages(bad.u.root, 0);
}

/* Until the flush, either root table may answer whoever is not cached yet. */
static void either_root_is_used(void)
{
	attach(&bad, RID + 8, &bad_a.ss, DID);
	attach(&bad, RID + 16, &bad_a.ss, DID);
	new_root_not_flushed();
	assert_int_equal(dma(&bad, RID + 8, IOVA, 1), 0);
	assert_int_equal(dma(&bad, RID + 16, IOVA, 1), SPEC_FAULT_ROOT_P);
}

static void queue_stopped_with_work(void)
{
	struct vtd_qi_desc *ring = mem_ptr(bad.u.qi.ring);

	ring[bad.u.qi.tail] = vtd_qi_iotlb(VTD_G_DOMAIN, DID, 0, 0, false);
	mmio_write64(bad.u.regs + SPEC_IQT, (bad.u.qi.tail + 1) * 16);
	for (unsigned i = 0; i < 9; i++)
		platform_us();
	vtd_unit_command(&bad.u, SPEC_GCMD_QIE, false, "QIES");
}

static void did_beyond_the_unit(void)
{
	struct vtd_ss to;

	new_table(&bad, &to);
	assert_int_equal(vtd_context_set(LEGACY(bad.u.root, true), RID + 8, entry_of(&to, 0x4444)), 0);
	assert_int_equal(dma(&bad, RID + 8, IOVA, 1), SPEC_FAULT_CONTEXT_RSVD);
}

#define C	{ .coherent = true }
static const struct {
	const char *name;
	struct model_traits t;
	void (*run)(void);
	const char *seen;
} mistakes[] = {
	{ "unmap_without_invalidation", C, unmap_without_invalidation, "IOTLB still translates" },
	{ "invalidation_of_wrong_did", C, wrong_did, "IOTLB still translates" },
	{ "invalidation_of_wrong_page", C, wrong_page, "IOTLB still translates" },
	{ "leaf_only_after_unlinking", C, leaf_only_after_unlinking, "paging-structure cache still leads" },
	{ "leaf_only_table_kept", C, leaf_only_table_kept, "cache still leads from" },
	{ "free_page_still_mapped", C, free_page_still_mapped, "freed while" },
	{ "clear_without_invalidation", C, clear_without_invalidation, "is cached as it no longer is" },
	{ "zero_before_invalidation", C, zero_before_invalidation, "rewritten before its invalidation" },
	{ "context_without_iotlb", C, context_without_iotlb, "is owed" },
	{ "context_under_another_did", C, context_under_another_did, "is owed" },
	{ "iotlb_before_context", C, iotlb_before_context, "is owed" },
	{ "replace_invalidates_new_did", C, replace_invalidates_new_did, "is owed" },
	{ "replace_under_same_did", C, replace_under_the_same_did, "another table under the same DID" },
	{ "did_reused_too_early", C, reuse_did_before_invalidation, "reused before its invalidation" },
	{ "tables_of_live_domain_freed", C, free_tables_of_a_live_domain, "freed while the tables" },
	{ "tables_freed_before_flush", C, free_before_the_context_is_flushed, "freed while" },
	{ "did_aliasing", C, did_aliasing, "with different tables" },
	{ "did_shared_behind_the_seam", C, did_shared_behind_the_seam, "with different tables" },
	{ "no_flush", { 0 }, forget_to_flush, "does not see what was stored (no flush)" },
	{ "no_flush_of_new_table", { 0 }, link_an_unflushed_table, "does not see what was stored" },
	{ "cm_map_without_invalidation", { .cm = true }, map_without_invalidation, "IOTLB still translates" },
	{ "cm_attach_without_invalidation", { .cm = true }, attach_without_invalidation, "is owed" },
	{ "no_write_buffer_flush", { .rwbf = true, .coherent = true }, map_without_write_buffer_flush,
	  "(write buffer)" },
	{ "not_drained", C, undrained, "it was not drained" },
	{ "status_page_freed", C, status_page_freed, "writes its status" },
	{ "ring_freed", C, ring_freed, "freed while the invalidation queue" },
	{ "new_root_not_flushed", C, new_root_not_flushed, "without the global invalidations" },
	{ "either_root_is_used", C, either_root_is_used, "without the global invalidations" },
	{ "old_root_freed_too_early", C, old_root_freed_too_early, "former root pointer" },
	{ "queue_stopped_with_work", C, queue_stopped_with_work, "did not end with a wait" },
	{ "did_beyond_the_unit", { .coherent = true, .nd = 2 }, did_beyond_the_unit, "beyond the unit's ids" },
};

static void test_mistakes_are_seen(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++) {
		print_message("# mistake.%s\n", mistakes[i].name);
		bad_init(&mistakes[i].t);
		assert_int_equal(model_violations(), 0);
		mistakes[i].run();
		assert_true(model_violations() > 0);
		assert_true(model_violated(mistakes[i].seen));
	}
}

/* Moving the root under TES=1 to an identical copy: allowed, and hitless. */
static void move_root(struct bench *b)
{
	struct mapped m;
	struct race r;
	paddr_t root, old = b->u.root;

	mapped_init(b, &m, RID, DID);
	root = mem_alloc_pages(0);
	memcpy(mem_ptr(root), mem_ptr(old), PAGE_SIZE);
	mem_flush(mem_ptr(root), PAGE_SIZE);
	assert_int_equal(vtd_unit_write_buffer_flush(&b->u), 0);
	r = (struct race){ .b = b, .old_page = m.page, .new_page = m.page };
	model_inject(MODEL_EVERY_STEP, racing_write, &r);
	assert_int_equal(vtd_unit_set_root(&b->u, root), 0);
	mem_free_pages(old, 0);
	model_inject(0, NULL, NULL);
	assert_int_equal(r.bad, 0);
	racing_write(&r);
	assert_int_equal(r.bad, 0);
}

static void test_root_moves_under_dma(void **state)
{
	(void)state;
	on_every_kind(move_root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bring_up_denies),
		cmocka_unit_test(test_bring_up_from_unknown_state),
		cmocka_unit_test(test_take_over_needs_the_old_ring),
		cmocka_unit_test(test_map_and_unmap),
		cmocka_unit_test(test_large_ranges),
		cmocka_unit_test(test_map_under_dma),
		cmocka_unit_test(test_unmap_under_dma),
		cmocka_unit_test(test_invalidation_drains),
		cmocka_unit_test(test_replace_with_dma_at_every_step),
		cmocka_unit_test(test_torn_replace_is_seen),
		cmocka_unit_test(test_hand_over),
		cmocka_unit_test(test_shut_down),
		cmocka_unit_test(test_two_units_with_equal_dids),
		cmocka_unit_test(test_table_shared_by_two_units),
		cmocka_unit_test(test_many_devices),
		cmocka_unit_test(test_mistakes_are_seen),
		cmocka_unit_test(test_root_moves_under_dma),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
