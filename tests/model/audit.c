/* What is still in use when a page is freed, and what is left over at the end of a test: caches
 * that no longer say what the tables say, tables the unit cannot see, debts. */
#include "internal.h"

#include <string.h>

/* ---- domain ids ----------------------------------------------------------------------------- */

struct did_map {
	paddr_t top[65536];
	uint8_t levels[65536];
	bool used[65536];
	uint16_t sid[65536];
};

static void note_did(struct model_unit *u, void *ctx, uint16_t sid, uint32_t pasid, uint16_t did,
		     paddr_t top, unsigned levels)
{
	struct did_map *m = ctx;

	(void)pasid;
	if (m->used[did] && (m->levels[did] != levels || (levels && m->top[did] != top)))
		model_violate(u, "DID %u is given to %04x and to %04x with different tables", did,
			      m->sid[did], sid);
	m->used[did] = true;
	m->top[did] = top;
	m->levels[did] = (uint8_t)levels;
	m->sid[did] = sid;
}

void model_rule_dids(struct model_unit *u)
{
	static struct did_map m;
	const struct model_visit v = { .shallow = true, .target = note_did, .ctx = &m };

	memset(&m, 0, sizeof(m));
	model_visit(u, u->root, &v);
}

/* ---- freeing -------------------------------------------------------------------------------- */

struct wanted {
	paddr_t page;
	bool reached;
};

static void note_reached(struct model_unit *u, void *ctx, enum model_table kind, paddr_t page,
			 uint16_t sid, bool snooped)
{
	struct wanted *w = ctx;

	(void)u;
	(void)kind;
	(void)sid;
	(void)snooped;
	w->reached |= page == w->page;
}

/* Whether the directory of a cached context entry leads to @page: it is read again for every PASID
 * that is not cached. */
static bool directory_leads_to(uint64_t context, paddr_t page)
{
	const paddr_t dir = context & SPEC_SCE_PASIDDIRPTR;
	const unsigned entries = 128U << spec_get(SPEC_SCE_PDTS, context);

	for (unsigned i = 0; i < entries && model_is_ram(dir, entries * 8ULL); i++) {
		const uint64_t de = model_cpu_read64(dir + 8 * i);

		if ((de & SPEC_PDE_P) && (de & SPEC_PDE_SMPTBLPTR) == page)
			return true;
	}
	return false;
}

/* Which cache still leads to @page, or NULL. */
static const char *cached_use(const struct model_unit *u, paddr_t page)
{
	const bool legacy = model_ttm(u) == SPEC_TTM_LEGACY;

	/* In both modes the first word holds the address of what comes next. */
	for (size_t i = 0; i < u->nr_contexts; i++)
		if (!u->context[i].reason && ((u->context[i].qw[0] & SPEC_CE_SSPTPTR) == page ||
					      (!legacy && directory_leads_to(u->context[i].qw[0], page))))
			return "the context-cache";
	for (size_t i = 0; i < u->nr_pasids && !legacy; i++)
		if (!u->pasid[i].reason && (u->pasid[i].qw[0] & SPEC_PE_SSPTPTR) == page)
			return "the PASID-cache";
	for (size_t i = 0; i < u->nr_structures; i++)
		if (u->structure[i].table == page || u->structure[i].top == page)
			return "the paging-structure cache";
	for (size_t i = 0; i < u->nr_tlbs; i++)
		if (u->tlb[i].perm && u->tlb[i].top &&
		    (u->tlb[i].pa == page || u->tlb[i].top == page))
			return "the IOTLB";
	for (size_t i = 0; i < u->nr_owed; i++)
		if (u->owed[i].top == page && !u->owed[i].added)
			return "an invalidation that is still owed";
	return NULL;
}

static const char *unit_use(struct model_unit *u, paddr_t page)
{
	struct wanted w = { .page = page };
	const struct model_visit v = { .table = note_reached, .ctx = &w };
	const paddr_t ring = u->iqa & SPEC_IQA_IQA;

	if ((u->gsts & SPEC_GSTS_QIES) &&
	    page - ring < PAGE_SIZE << spec_get(SPEC_IQA_QS, u->iqa))
		return "the invalidation queue";
	if (!(u->gsts & SPEC_GSTS_TES))
		return NULL;
	if (u->old_root && !u->flush_iotlb && (u->old_root & SPEC_RTADDR_RTA) == page)
		return "the former root pointer, whose caches are not flushed";
	model_visit(u, u->root, &v);
	return w.reached ? "the tables" : cached_use(u, page);
}

void model_rule_free(paddr_t page)
{
	for (unsigned i = 0; i < MODEL_MAX_UNITS; i++) {
		struct model_unit *u = &model_units[i];
		const char *use = u->exists ? unit_use(u, page) : NULL;

		if (use)
			model_violate(u, "page %llx freed while %s still leads to it",
				      (unsigned long long)page, use);
		if (u->exists && (u->gsts & SPEC_GSTS_QIES) && !model_queue_idle(u))
			model_violate(u, "page %llx freed while invalidations are under way",
				      (unsigned long long)page);
	}
}

/* ---- the end -------------------------------------------------------------------------------- */

static void audit_contexts(struct model_unit *u)
{
	for (size_t i = 0; i < u->nr_contexts; i++) {
		const uint16_t sid = u->context[i].sid;
		const struct model_walk is = model_resolve(u, sid, true);
		const struct model_walk should = model_resolve(u, sid, false);

		if (is.reason != should.reason || is.did != should.did || is.levels != should.levels ||
		    is.top != should.top)
			model_violate(u, "context of %04x is cached as it no longer is", sid);
	}
}

static void audit_tlb(struct model_unit *u)
{
	for (size_t i = 0; i < u->nr_tlbs; i++) {
		const struct model_tlb *t = &u->tlb[i];
		const struct model_walk w = model_translate(u, t->sid, t->page, false, false);
		const bool same = t->reason ? t->reason == w.reason :
			t->perm == w.perm && (!t->perm || (t->pa == w.pa && t->did == w.did));

		if (!same)
			model_violate(u, "IOTLB still translates %llx of %04x (DID %u) to %llx",
				      (unsigned long long)t->page, t->sid, t->did,
				      (unsigned long long)t->pa);
	}
}

static void audit_structures(struct model_unit *u)
{
	for (size_t i = 0; i < u->nr_structures; i++) {
		const struct model_structure *s = &u->structure[i];
		const uint64_t e = model_read64(u, s->snooped, s->slot);

		if ((e & SPEC_SS_ADDR) != s->table || !(e & SPEC_SS_RW) || model_is_freed(s->table))
			model_violate(u, "paging-structure cache still leads from %llx (DID %u) to table %llx",
				      (unsigned long long)s->base, s->did, (unsigned long long)s->table);
	}
}

/* Bytes of an entry and the bits of its first word that make it count; FPD does by itself. */
static unsigned entry_bytes(const struct model_unit *u, enum model_table kind)
{
	const bool scalable = model_ttm(u) == SPEC_TTM_SCALABLE;

	switch (kind) {
	case MODEL_CONTEXT: return scalable ? SPEC_SCE_BYTES : 16;
	case MODEL_PASID: return SPEC_PE_BYTES;
	default: return 8;
	}
}

static uint64_t counting_bits(enum model_table kind)
{
	return kind == MODEL_ROOT ? SPEC_RE_P : kind == MODEL_SS ? SPEC_SS_RW : SPEC_CE_P | SPEC_CE_FPD;
}

/* Whether a table reads the same for the unit and for the CPU; what is not present on both
 * sides may differ. */
static bool sees(const struct model_unit *u, enum model_table kind, paddr_t page, bool snooped)
{
	const unsigned bytes = entry_bytes(u, kind);

	for (paddr_t e = page; e < page + PAGE_SIZE; e += bytes) {
		if (!((model_read64(u, snooped, e) | model_cpu_read64(e)) & counting_bits(kind)))
			continue;
		for (paddr_t pa = e; pa < e + bytes; pa += 8)
			if (model_read64(u, snooped, pa) != model_cpu_read64(pa))
				return false;
	}
	return true;
}

static void check_seen(struct model_unit *u, void *ctx, enum model_table kind, paddr_t page,
		       uint16_t sid, bool snooped)
{
	static const char *const names[] = { "root", "context", "PASID directory", "PASID",
					     "second-stage" };

	(void)ctx;
	(void)sid;
	if (!sees(u, kind, page, snooped))
		model_violate(u, "%s table %llx: the unit does not see what was stored%s", names[kind],
			      (unsigned long long)page, u->buffered ? " (write buffer)" : " (no flush)");
	if (model_is_freed(page))
		model_violate(u, "%s table %llx is in use, but freed", names[kind],
			      (unsigned long long)page);
}

static void audit_translation(struct model_unit *u)
{
	const struct model_visit seen = { .table = check_seen };

	if (!u->flush_iotlb)
		model_violate(u, "root table set without the global invalidations that follow SRTP");
	for (size_t i = 0; i < u->nr_owed; i++)
		model_violate(u, "invalidation of %s %04x (DID %u) is owed",
			      u->owed[i].all ? "a root entry, not" : u->owed[i].added ? "added" : "changed",
			      u->owed[i].sid, u->owed[i].did);
	audit_contexts(u);
	audit_structures(u);
	audit_tlb(u);
	model_visit(u, u->root, &seen);
	model_rule_dids(u);
}

void model_audit(struct model_unit *u)
{
	if (u->gcmd_pending)
		model_violate(u, "GCMD command 0x%08x was never waited for", u->gcmd_pending);
	if (u->rtaddr_dirty)
		model_violate(u, "RTADDR written, but no SRTP followed");
	if (u->pmen_reads)
		model_violate(u, "PMEN written, but PRS was never waited for");
	if (u->ccmd_reads || u->iotlb_reads)
		model_violate(u, "register-based invalidation was never waited for");
	if ((u->gsts & SPEC_GSTS_QIES) && !model_queue_idle(u))
		model_violate(u, "invalidations are still under way");
	if (u->fsts & (SPEC_FSTS_IQE | SPEC_FSTS_ITE))
		model_violate(u, "queue error left in FSTS = 0x%x", u->fsts);
	if (u->gsts & SPEC_GSTS_TES)
		audit_translation(u);
}
