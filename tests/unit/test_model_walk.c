/* The model's walks: tables written by hand, one bit wrong at a time, each with its reason; in
 * legacy and in scalable mode.  And what the caches keep there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "test_model_fixture.h"

/* Where the tables lie; offsets of the entries that RID 00:03.0 and IOVA 40201000h use. */
#define ROOT		MIB(8)
#define CONTEXT		(ROOT + 0x1000)
#define DIR		(ROOT + 0x2000)
#define PASIDS		(ROOT + 0x3000)
#define SS3		(ROOT + 0x4000)
#define SS2		(ROOT + 0x5000)
#define SS1		(ROOT + 0x6000)
#define SS4		(ROOT + 0x7000)
#define TARGET		MIB(16)
#define WHERE		(IOVA + 0x201000)
#define LEVEL3		(SS3 + 8)
#define LEVEL2		(SS2 + 8)
#define LEVEL1		(SS1 + 8)
#define CE		(CONTEXT + RID * 16)
#define SCE		(CONTEXT + RID * 32)
#define PE		PASIDS

static unsigned unit;

static void set(paddr_t pa, uint64_t v)
{
	memcpy(mem_ptr(pa), &v, sizeof(v));
	model_publish(ALIGN_DOWN(pa, PAGE_SIZE), PAGE_SIZE);
}

/* Translation simply is on: how it got there is not the point here. */
static struct model_unit *translating(const struct model_traits *t, uint64_t rtaddr)
{
	struct model_unit *u;

	model_reset();
	unit = model_add_unit(REGS, t);
	u = model_unit(unit);
	u->gsts = SPEC_GSTS_TES | SPEC_GSTS_RTPS;
	u->root = u->rtaddr = rtaddr;
	u->flush_cc = u->flush_pc = u->flush_iotlb = true;
	set(ROOT, CONTEXT | 1);
	set(LEVEL3, SS2 | 3);
	set(LEVEL2, SS1 | 3);
	set(LEVEL1, TARGET | 3);
	return u;
}

static struct model_unit *legacy(const struct model_traits *t)
{
	struct model_unit *u = translating(t, ROOT);

	set(CE, SS3 | 1);
	set(CE + 8, 5 << 8 | 1);
	return u;
}

static struct model_unit *scalable(const struct model_traits *t)
{
	struct model_traits smts = *t;
	struct model_unit *u;

	smts.smts = true;
	u = translating(&smts, ROOT | 0x400);
	set(SCE, DIR | 1);
	set(DIR, PASIDS | 1);
	set(PE, SS3 | 1 << 2 | 2 << 6 | 1);
	set(PE + 8, 5);
	return u;
}

static int write_there(iova_t iova)
{
	const uint64_t v = 0x5eed;

	return model_dma_write(unit, RID, iova, &v, sizeof(v));
}

static int read_there(iova_t iova)
{
	uint64_t v;

	return model_dma_read(unit, RID, iova, &v, sizeof(v));
}

/* The reason of the only record. */
static unsigned recorded(void)
{
	const struct model_unit *u = model_unit(unit);

	if (!(u->frcd[0][1] & SPEC_FR_HI_F))
		return 0;
	assert_int_equal(spec_get(SPEC_FR_HI_SID, u->frcd[0][1]), RID);
	return (unsigned)spec_get(SPEC_FR_HI_FR, u->frcd[0][1]);
}

struct wrong {
	const char *name;
	struct model_traits t;
	paddr_t at;		/* 0: nothing is changed */
	uint64_t v;
	iova_t iova;		/* 0: WHERE */
	int write, read;	/* reasons; 0: it goes through */
};

static void run(const struct wrong *w, struct model_unit *(*set_up)(const struct model_traits *))
{
	const iova_t iova = w->iova ? w->iova : WHERE;

	print_message("# %s\n", w->name);
	for (unsigned write = 0; write < 2; write++) {
		const int want = write ? w->write : w->read;

		set_up(&w->t);
		if (w->at)
			set(w->at, w->v);
		assert_int_equal(write ? write_there(iova) : read_there(iova), want);
		assert_int_equal(recorded(), want);
		/* Once more: from the caches, or again from memory, it is the same. */
		assert_int_equal(write ? write_there(iova) : read_there(iova), want);
	}
}

#define FULL	{ .sslps = 3, .pt = true, .sc = true, .coherent = true }
static const struct wrong legacy_cases[] = {
	{ "legacy.goes_through", { 0 }, 0, 0, 0, 0, 0 },
	{ "legacy.root_not_present", { 0 }, ROOT, CONTEXT, 0, 1, 1 },
	{ "legacy.root_reserved_low", { 0 }, ROOT, CONTEXT | 3, 0, 0xa, 0xa },
	{ "legacy.root_reserved_haw", { 0 }, ROOT, CONTEXT | BIT64(39) | 1, 0, 0xa, 0xa },
	{ "legacy.root_upper_word", { 0 }, ROOT + 8, 1, 0, 0xa, 0xa },
	{ "legacy.context_table_no_memory", { 0 }, ROOT, GIB(4) | 1, 0, 9, 9 },
	{ "legacy.context_not_present", { 0 }, CE, SS3, 0, 2, 2 },
	{ "legacy.context_reserved_low", { 0 }, CE, SS3 | 0x11, 0, 0xb, 0xb },
	{ "legacy.context_reserved_haw", { 0 }, CE, SS3 | BIT64(40) | 1, 0, 0xb, 0xb },
	{ "legacy.context_reserved_71", { 0 }, CE + 8, 5 << 8 | 0x81, 0, 0xb, 0xb },
	{ "legacy.context_reserved_88", { 0 }, CE + 8, BIT64(24) | 5 << 8 | 1, 0, 0xb, 0xb },
	{ "legacy.context_ignored_67", { 0 }, CE + 8, 5 << 8 | 0x79, 0, 0, 0 },
	{ "legacy.did_too_wide", { .nd = 2 }, CE + 8, 0x100 << 8 | 1, 0, 0xb, 0xb },
	{ "legacy.aw_unsupported", { .sagaw = 4 }, 0, 0, 0, 3, 3 },
	{ "legacy.aw_reserved", { 0 }, CE + 8, 5 << 8 | 4, 0, 3, 3 },
	{ "legacy.ats_without_dt", { 0 }, CE, SS3 | 5, 0, 3, 3 },
	{ "legacy.tt_reserved", { 0 }, CE, SS3 | 0xd, 0, 3, 3 },
	{ "legacy.pass_through_unsupported", { 0 }, CE, 9, 0, 3, 3 },
	{ "legacy.pass_through_aw_not_largest", FULL, CE, 9, 0, 3, 3 },
	{ "legacy.beyond_39_bits", { 0 }, 0, 0, BIT64(39), 4, 4 },
	{ "legacy.beyond_mgaw", { .mgaw = 38 }, 0, 0, BIT64(38), 4, 4 },
	{ "legacy.not_mapped", { 0 }, LEVEL1, 0, 0, 5, 6 },
	{ "legacy.not_mapped_reserved_do_not_count", { 0 }, LEVEL1, BIT64(62) | TARGET, 0, 5, 6 },
	{ "legacy.read_only", { 0 }, LEVEL1, TARGET | 1, 0, 5, 0 },
	{ "legacy.write_only", { 0 }, LEVEL1, TARGET | 2, 0, 0, 6 },
	{ "legacy.read_only_above", { 0 }, LEVEL2, SS1 | 1, 0, 5, 0 },
	{ "legacy.table_no_memory", { 0 }, LEVEL2, GIB(4) | 3, 0, 7, 7 },
	{ "legacy.leaf_bit_62", { 0 }, LEVEL1, BIT64(62) | TARGET | 3, 0, 0xc, 0xc },
	{ "legacy.leaf_bit_63_ignored", { 0 }, LEVEL1, BIT64(63) | TARGET | 3, 0, 0, 0 },
	{ "legacy.leaf_software_bits", { 0 }, LEVEL1, 0x1ff0000000000000 | TARGET | 0x77f, 0, 0, 0 },
	{ "legacy.leaf_haw", { 0 }, LEVEL1, BIT64(39) | TARGET | 3, 0, 0xc, 0xc },
	{ "legacy.leaf_snp_without_sc", { 0 }, LEVEL1, TARGET | 0x803, 0, 0xc, 0xc },
	{ "legacy.leaf_snp", FULL, LEVEL1, TARGET | 0x803, 0, 0, 0 },
	{ "legacy.table_snp", FULL, LEVEL2, SS1 | 0x803, 0, 0xc, 0xc },
	{ "legacy.2m_unsupported", { 0 }, LEVEL2, TARGET | 0x83, 0, 0xc, 0xc },
	{ "legacy.2m", FULL, LEVEL2, TARGET | 0x83, 0, 0, 0 },
	{ "legacy.2m_unaligned", FULL, LEVEL2, (TARGET + 0x1000) | 0x83, 0, 0xc, 0xc },
	{ "legacy.1g_unsupported", { .sslps = 1 }, LEVEL3, 0x83, 0, 0xc, 0xc },
	{ "legacy.1g", FULL, LEVEL3, 0x83, 0, 0, 0 },
	{ "legacy.1g_unaligned", FULL, LEVEL3, MIB(2) | 0x83, 0, 0xc, 0xc },
	{ "legacy.into_interrupts", { 0 }, LEVEL1, 0xfee00003, 0, 0xe, 0xe },
	{ "legacy.from_interrupts", { 0 }, 0, 0, 0xfee00100, 0xe, 0xe },
};

static void test_legacy(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(legacy_cases); i++)
		run(&legacy_cases[i], legacy);
}

static const struct wrong scalable_cases[] = {
	{ "scalable.goes_through", { .coherent = true }, 0, 0, 0, 0, 0 },
	{ "scalable.root_not_present", { 0 }, ROOT, CONTEXT, 0, 0x39, 0x39 },
	{ "scalable.root_reserved", { 0 }, ROOT, CONTEXT | 5, 0, 0x3a, 0x3a },
	{ "scalable.context_table_no_memory", { 0 }, ROOT, GIB(4) | 1, 0, 0x40, 0x40 },
	{ "scalable.context_not_present", { 0 }, SCE, DIR, 0, 0x41, 0x41 },
	{ "scalable.context_reserved", { 0 }, SCE, DIR | 0x81, 0, 0x42, 0x42 },
	{ "scalable.context_dte_without_dt", { 0 }, SCE, DIR | 5, 0, 0x42, 0x42 },
	{ "scalable.context_last_word", { 0 }, SCE + 24, 1, 0, 0x42, 0x42 },
	{ "scalable.rid_pasid_without_rps", { 0 }, SCE + 8, 1, 0, 0x42, 0x42 },
	{ "scalable.rid_pasid", { .rps = true }, SCE + 8, 1, 0, 0x59, 0x59 },
	{ "scalable.rid_pasid_beyond_directory", { .rps = true }, SCE + 8, 0x2000, 0, 0x43, 0x43 },
	{ "scalable.rid_pasid_in_directory", { .rps = true }, SCE + 8, 0x1fff, 0, 0x51, 0x51 },
	{ "scalable.directory_not_present", { 0 }, DIR, PASIDS, 0, 0x51, 0x51 },
	{ "scalable.directory_reserved", { 0 }, DIR, PASIDS | 0x801, 0, 0x52, 0x52 },
	{ "scalable.directory_no_memory", { 0 }, SCE, GIB(4) | 1, 0, 0x50, 0x50 },
	{ "scalable.pasid_table_no_memory", { 0 }, DIR, GIB(4) | 1, 0, 0x58, 0x58 },
	{ "scalable.fpd_hides_no_access_error", { 0 }, DIR, GIB(4) | 3, 0, 0x58, 0x58 },
	{ "scalable.pasid_not_present", { 0 }, PE, SS3 | 1 << 2 | 2 << 6, 0, 0x59, 0x59 },
	{ "scalable.pasid_reserved", { 0 }, PE, SS3 | 1 << 2 | 2 << 6 | 1 << 10 | 1, 0, 0x5a, 0x5a },
	{ "scalable.pasid_ssade", { 0 }, PE, SS3 | 1 << 2 | 2 << 6 | 1 << 9 | 1, 0, 0x5a, 0x5a },
	{ "scalable.pasid_pwsnp_without_smpwcs", { 0 }, PE + 8, BIT64(23) | 5, 0, 0x5a, 0x5a },
	{ "scalable.pasid_pwsnp", { .smpwcs = true }, PE + 8, BIT64(23) | 5, 0, 0, 0 },
	{ "scalable.pasid_pgsnp_without_sc", { 0 }, PE + 8, BIT64(24) | 5, 0, 0x5a, 0x5a },
	{ "scalable.pasid_first_stage_words", { 0 }, PE + 16, 4, 0, 0x5a, 0x5a },
	{ "scalable.pasid_last_word", { 0 }, PE + 56, 1, 0, 0x5a, 0x5a },
	{ "scalable.pasid_did_too_wide", { .nd = 2 }, PE + 8, 0x100, 0, 0x5a, 0x5a },
	{ "scalable.pasid_aw_unsupported", { .sagaw = 4 }, 0, 0, 0, 0x5b, 0x5b },
	{ "scalable.pasid_first_stage", { 0 }, PE, SS3 | 1 << 2 | 1 << 6 | 1, 0, 0x5b, 0x5b },
	{ "scalable.pasid_pass_through_unsupported", { 0 }, PE, 1 << 2 | 4 << 6 | 1, 0, 0x5b, 0x5b },
	{ "scalable.ss_root_no_memory", { 0 }, PE, GIB(4) | 1 << 2 | 2 << 6 | 1, 0, 0x7b, 0x7b },
	{ "scalable.not_mapped", { 0 }, LEVEL1, 0, 0, 0x79, 0x79 },
	{ "scalable.read_only", { 0 }, LEVEL1, TARGET | 1, 0, 0x85, 0 },
	{ "scalable.write_only", { 0 }, LEVEL1, TARGET | 2, 0, 0, 0x86 },
	{ "scalable.table_no_memory", { 0 }, LEVEL2, GIB(4) | 3, 0, 0x78, 0x78 },
	{ "scalable.leaf_reserved", { 0 }, LEVEL1, BIT64(62) | TARGET | 3, 0, 0x7a, 0x7a },
	{ "scalable.beyond_39_bits", { 0 }, 0, 0, BIT64(39), 0x84, 0x84 },
	{ "scalable.into_interrupts", { 0 }, LEVEL1, 0xfee00003, 0, 0x87, 0x87 },
};

static void test_scalable(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(scalable_cases); i++)
		run(&scalable_cases[i], scalable);
}

/* Identity, up to the host address width. */
static void test_pass_through(void **state)
{
	const struct model_traits t = FULL;

	(void)state;
	legacy(&t);
	set(CE, 9);
	set(CE + 8, 5 << 8 | 2);
	assert_int_equal(write_there(TARGET + 8), 0);
	assert_int_equal(at(TARGET + 8), 0x5eed);
	assert_int_equal(write_there(BIT64(39)), SPEC_FAULT_ADDRESS);
	scalable(&t);
	set(PE, 1 << 2 | 4 << 6 | 1);
	assert_int_equal(write_there(TARGET + 16), 0);
	assert_int_equal(at(TARGET + 16), 0x5eed);
	assert_int_equal(write_there(BIT64(39)), SPEC_FAULT_S_HAW);
}

/* A write over the end of a mapped page stops there. */
static void test_bytes_really_move(void **state)
{
	uint8_t data[64];

	(void)state;
	legacy(&(struct model_traits){ 0 });
	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i + 1);
	assert_int_equal(model_dma_write(unit, RID, WHERE + PAGE_SIZE - 32, data, 64), SPEC_FAULT_WRITE);
	assert_memory_equal(mem_ptr(TARGET + PAGE_SIZE - 32), data, 32);
	assert_int_equal(*(uint8_t *)mem_ptr(TARGET + PAGE_SIZE), 0);
	memset(data, 0, sizeof(data));
	assert_int_equal(model_dma_read(unit, RID, WHERE + PAGE_SIZE - 32, data, 32), 0);
	assert_int_equal(data[31], 32);
	assert_int_equal(model_dma_write(unit, RID, 0xfee00000, data, 4), MODEL_DROPPED);
	assert_int_equal(model_unit(unit)->interrupts, 1);
}

/* ---- what is remembered --------------------------------------------------------------------- */

/* ECAP.C does not cover the second-stage walks of scalable mode: PWSNP does. */
static void test_snooping(void **state)
{
	static const struct {
		const char *name;
		bool scalable, coherent, pwsnp, sees_pte, sees_context;
	} cases[] = {
		{ "legacy_c", false, true, false, true, true },
		{ "legacy_no_c", false, false, false, false, false },
		{ "scalable_c", true, true, false, false, true },
		{ "scalable_c_pwsnp", true, true, true, true, true },
		{ "scalable_pwsnp", true, false, true, true, false },
	};
	const uint64_t other = (TARGET + PAGE_SIZE) | 3;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct model_traits t = { .coherent = cases[i].coherent, .smpwcs = true };

		print_message("# snooping.%s\n", cases[i].name);
		(cases[i].scalable ? scalable : legacy)(&t);
		if (cases[i].pwsnp)
			set(PE + 8, BIT64(23) | 5);
		memcpy(mem_ptr(LEVEL1), &other, 8);	/* not flushed */
		assert_int_equal(write_there(WHERE), 0);
		assert_int_equal(at(TARGET + PAGE_SIZE) == 0x5eed, cases[i].sees_pte);
		assert_int_equal(at(TARGET) == 0x5eed, !cases[i].sees_pte);

		(cases[i].scalable ? scalable : legacy)(&t);
		*(uint8_t *)mem_ptr(cases[i].scalable ? SCE : CE) &= 0xfe;
		assert_int_equal(write_there(WHERE) == 0, !cases[i].sees_context);
	}
}

enum { CC = 1, PC = 2, TLB = 4, TLB_LEAF = 8, P_TLB = 16 };

/* Bare commands of the queue's inside, in this order. */
static void invalidate(struct model_unit *u, unsigned what, uint16_t did)
{
	static uint64_t ring_at = MIB(24);
	uint64_t q[5][4] = { 0 };
	unsigned n = 0;

	if (what & CC)
		q[n++][0] = 0x21;
	if (what & PC)
		q[n++][0] = 0x07 | (uint64_t)did << 16;
	if (what & TLB)
		q[n++][0] = 0xe2 | (uint64_t)did << 16;
	if (what & TLB_LEAF) {
		q[n][1] = WHERE | 0x40;
		q[n++][0] = 0xf2 | (uint64_t)did << 16;
	}
	if (what & P_TLB)
		q[n++][0] = 0x26 | (uint64_t)did << 16;
	memcpy(mem_ptr(ring_at), q, sizeof(q));
	u->iqa = ring_at | (u->t.smts ? 0x800 : 0);
	u->iqh = 0;
	u->gsts |= SPEC_GSTS_QIES;
	mmio_write64(REGS + SPEC_IQT, n * 32);
	for (unsigned i = 0; i < 30; i++)
		platform_us();
	assert_int_equal(u->fsts & SPEC_FSTS_IQE, 0);
	assert_int_equal(u->nr_fetched, 0);
}

static const struct {
	const char *name;
	unsigned what;
	uint16_t did;
	bool old_leaf, old_table, old_pasid, old_context;	/* what goes on being used */
} forgetting[] = {
	{ "nothing", 0, 5, true, true, true, true },
	{ "context", CC, 5, true, true, true, true },
	{ "context_and_iotlb", CC | TLB, 5, false, false, true, false },
	{ "all_three", CC | PC | TLB, 5, false, false, false, false },
	{ "all_three_of_another_did", CC | PC | TLB, 6, true, true, true, true },
	{ "leaf_only", TLB_LEAF, 5, false, true, true, true },
	{ "iotlb", TLB, 5, false, false, true, true },
	{ "pasid_iotlb", P_TLB, 5, false, true, true, true },
};

/* Change one word on the way and see whether the change arrives. */
static bool still_old(const struct model_traits *t, unsigned what, uint16_t did, paddr_t word,
		      uint64_t v)
{
	struct model_unit *u = scalable(t);

	assert_int_equal(write_there(WHERE), 0);
	set(word, v);
	invalidate(u, what, did);
	return write_there(WHERE) == 0;
}

static void test_scalable_caches(void **state)
{
	const struct model_traits t = { .coherent = true };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(forgetting); i++) {
		const unsigned what = forgetting[i].what;
		const uint16_t did = forgetting[i].did;

		print_message("# forgetting.%s\n", forgetting[i].name);
		assert_int_equal(still_old(&t, what, did, LEVEL1, 0), forgetting[i].old_leaf);
		assert_int_equal(still_old(&t, what, did, LEVEL2, 0), forgetting[i].old_table);
		assert_int_equal(still_old(&t, what, did, PE, SS3 | 1 << 2 | 2 << 6), forgetting[i].old_pasid);
		assert_int_equal(still_old(&t, what, did, SCE, DIR), forgetting[i].old_context);
	}
}

/* A queue of the wrong width for the mode. */
static void test_scalable_needs_wide_descriptors(void **state)
{
	struct model_unit *u;

	(void)state;
	u = scalable(&(struct model_traits){ .coherent = true });
	u->iqa = MIB(24);
	u->gsts |= SPEC_GSTS_QIES;
	set(MIB(24), 0x11);
	mmio_write64(REGS + SPEC_IQT, 16);
	assert_int_equal(u->fsts & SPEC_FSTS_IQE, SPEC_FSTS_IQE);
	assert_int_equal(u->iqercd, SPEC_IQEI_WIDTH);
	u->iqa |= 0x800;
	u->fsts = 0;
	mmio_write64(REGS + SPEC_IQT, 0x30);
	assert_int_equal(u->iqercd, SPEC_IQEI_ALIGN);
}

/* Rules for live entries in scalable mode. */
static uint64_t *word_of(paddr_t pa) { return mem_ptr(pa); }
static void pasid_word_by_word(void) { mem_write64(word_of(PE + 8), 6); }
static void pasid_other_table(void) { mem_write128(word_of(PE), SS4 | 1 << 2 | 2 << 6 | 1, 5); }
static void pasid_zeroed(void) { mem_write64(word_of(PE), 0); }
static void pasid_far_word(void) { mem_write64(word_of(PE + 16), 0x1000); }
static void pasid_removed(void) { mem_write64(word_of(PE), at(PE) & ~1ULL); }
static void context_zeroed(void) { mem_write64(word_of(SCE), 0); }
static void context_far_word(void) { mem_write64(word_of(SCE + 16), 0x1000); }
static void context_removed(void) { mem_write64(word_of(SCE), at(SCE) & ~1ULL); }
static void directory_removed(void) { mem_write64(word_of(DIR), at(DIR) & ~1ULL); }
static void root_changed(void) { mem_write64(word_of(ROOT), DIR | 1); }
static void did_shared(void)
{
	mem_write64(word_of(PE + 64 + 8), 5);
	mem_write64(word_of(PE + 64), SS4 | 1 << 2 | 2 << 6 | 1);
}

static const struct {
	const char *name;
	void (*change)(void);
	const char *seen;
} live_changes[] = {
	{ "pasid_word_by_word", pasid_word_by_word, "by an 8-byte store" },
	{ "pasid_other_table_same_did", pasid_other_table, "another table under the same DID" },
	{ "pasid_zeroed", pasid_zeroed, "P cleared together with other fields" },
	{ "pasid_far_word", pasid_far_word, "changed while present" },
	{ "pasid_removed", pasid_removed, "is owed" },
	{ "context_zeroed", context_zeroed, "P cleared together with other fields" },
	{ "context_far_word", context_far_word, "changed while present" },
	{ "context_removed", context_removed, "is owed" },
	{ "directory_removed", directory_removed, "is owed" },
	{ "root_changed", root_changed, "root entry of bus 00 changed while present" },
	{ "did_shared", did_shared, "with different tables" },
};

static void test_live_changes_in_scalable_mode(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(live_changes); i++) {
		print_message("# live.%s\n", live_changes[i].name);
		scalable(&(struct model_traits){ .coherent = true });
		assert_int_equal(model_violations(), 0);
		live_changes[i].change();
		model_violations();
		assert_true(model_violated(live_changes[i].seen));
	}
}

/* The right way: P alone, then PASID-cache and IOTLB. */
static void test_removal_in_scalable_mode(void **state)
{
	struct model_unit *u;

	(void)state;
	u = scalable(&(struct model_traits){ .coherent = true });
	assert_int_equal(write_there(WHERE), 0);
	pasid_removed();
	invalidate(u, PC | TLB, 5);
	assert_int_equal(write_there(WHERE), SPEC_FAULT_PASID_P);
	mem_write64(word_of(PE), 0);
	assert_int_equal(model_violations(), 0);
}

/* Without the PASID-cache, or with it before the context-cache, it is not done. */
static void test_order_in_scalable_mode(void **state)
{
	struct model_unit *u;

	(void)state;
	u = scalable(&(struct model_traits){ .coherent = true });
	pasid_removed();
	invalidate(u, TLB, 5);
	assert_true(model_violations() > 0);
	assert_true(model_violated("is owed"));
	u = scalable(&(struct model_traits){ .coherent = true });
	context_removed();
	invalidate(u, PC, 5);
	invalidate(u, CC | TLB, 5);
	assert_true(model_violations() > 0);
	assert_true(model_violated("is owed"));
	invalidate(u, CC | PC | TLB, 5);
	model_forgive();
	assert_int_equal(model_violations(), 0);
}

/* FPD anywhere on the way hides what is qualified. */
static void test_fpd_in_scalable_mode(void **state)
{
	static const paddr_t where[] = { SCE, DIR, PE };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(where); i++) {
		scalable(&(struct model_traits){ .coherent = true });
		set(where[i], at(where[i]) | 2);
		set(LEVEL1, 0);
		assert_int_equal(write_there(WHERE), SPEC_FAULT_S_SS_P);
		assert_int_equal(recorded(), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_legacy),
		cmocka_unit_test(test_scalable),
		cmocka_unit_test(test_pass_through),
		cmocka_unit_test(test_bytes_really_move),
		cmocka_unit_test(test_snooping),
		cmocka_unit_test(test_scalable_caches),
		cmocka_unit_test(test_scalable_needs_wide_descriptors),
		cmocka_unit_test(test_live_changes_in_scalable_mode),
		cmocka_unit_test(test_removal_in_scalable_mode),
		cmocka_unit_test(test_order_in_scalable_mode),
		cmocka_unit_test(test_fpd_in_scalable_mode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
