/* Context-cache, PASID-cache, paging-structure cache, IOTLB (VT-d 6.2).  Nothing leaves them
 * but by an invalidation whose scope names it. */
#include "internal.h"

#include <stdlib.h>

/* Take entry @i out of an array: the last one moves. */
#define DROP(array, nr, i)	((array)[i] = (array)[--(nr)])

#define ADD(array, nr, e)						\
	do {								\
		if ((nr) == ARRAY_SIZE(array))				\
			abort();	/* a test larger than the model */ \
		(array)[(nr)++] = *(e);					\
	} while (0)

/* ---- look-up and filling -------------------------------------------------------------------- */

struct model_context *model_find_context(struct model_unit *u, uint16_t sid)
{
	for (size_t i = 0; i < u->nr_contexts; i++)
		if (u->context[i].sid == sid)
			return &u->context[i];
	return NULL;
}

struct model_pasid *model_find_pasid(struct model_unit *u, uint16_t sid, uint32_t pasid)
{
	for (size_t i = 0; i < u->nr_pasids; i++)
		if (u->pasid[i].sid == sid && u->pasid[i].pasid == pasid)
			return &u->pasid[i];
	return NULL;
}

const struct model_structure *model_find_structure(const struct model_unit *u, uint16_t did,
						   unsigned level, iova_t iova)
{
	for (size_t i = 0; i < u->nr_structures; i++) {
		const struct model_structure *s = &u->structure[i];

		if (s->did == did && s->level == level &&
		    s->base == ALIGN_DOWN(iova, model_entry_bytes(level)))
			return s;
	}
	return NULL;
}

/* By SID: whatever the context has become meanwhile does not count. */
const struct model_tlb *model_find_tlb(const struct model_unit *u, uint16_t sid, iova_t iova)
{
	for (size_t i = 0; i < u->nr_tlbs; i++)
		if (u->tlb[i].sid == sid && u->tlb[i].page == ALIGN_DOWN(iova, PAGE_SIZE))
			return &u->tlb[i];
	return NULL;
}

void model_add_context(struct model_unit *u, const struct model_context *e)
{
	ADD(u->context, u->nr_contexts, e);
}

void model_add_pasid(struct model_unit *u, const struct model_pasid *e)
{
	ADD(u->pasid, u->nr_pasids, e);
}

void model_add_structure(struct model_unit *u, const struct model_structure *e)
{
	ADD(u->structure, u->nr_structures, e);
}

void model_add_tlb(struct model_unit *u, const struct model_tlb *e)
{
	ADD(u->tlb, u->nr_tlbs, e);
}

/* ---- invalidation --------------------------------------------------------------------------- */

/* The hardware ignores what it has no bits for; the driver thinks of another domain. */
static uint16_t known_did(struct model_unit *u, uint16_t did)
{
	const unsigned bits = 4 + 2 * (unsigned)spec_get(SPEC_CAP_ND, u->cap);

	if (did >> bits)
		model_violate(u, "invalidation names DID %u, the unit has %u bits of it", did, bits);
	return did & (uint16_t)((1U << bits) - 1);
}

/* FM: how many of the low function bits do not count (bit 2; 2:1; 2:0). */
static uint16_t function_mask(unsigned fm)
{
	static const uint16_t ignored[] = { 0, 4, 6, 7 };

	return (uint16_t)~ignored[fm];
}

void model_inv_context(struct model_unit *u, unsigned g, uint16_t did, uint16_t sid, unsigned fm)
{
	const bool scalable = model_ttm(u) == SPEC_TTM_SCALABLE;

	/* Scalable entries have no DID: domain-selective is done as global. */
	if (g == SPEC_G_DOMAIN && scalable)
		g = SPEC_G_GLOBAL;
	if (g != SPEC_G_GLOBAL && !scalable)
		did = known_did(u, did);
	model_drain_write_buffer(u);
	for (size_t i = 0; i < u->nr_contexts;) {
		const struct model_context *c = &u->context[i];
		const bool match = g == SPEC_G_GLOBAL ||
			((scalable || c->did == did) &&
			 (g == SPEC_G_DOMAIN || !((c->sid ^ sid) & function_mask(fm))));

		if (match)
			DROP(u->context, u->nr_contexts, i);
		else
			i++;
	}
	if (g == SPEC_G_GLOBAL)
		u->flush_cc = true;
	model_rule_cc(u, g, did, sid, fm);
}

void model_inv_pasid(struct model_unit *u, unsigned g, uint16_t did, uint32_t pasid)
{
	if (g != SPEC_PC_G_GLOBAL)
		did = known_did(u, did);
	model_drain_write_buffer(u);
	for (size_t i = 0; i < u->nr_pasids;) {
		const struct model_pasid *p = &u->pasid[i];

		if (g == SPEC_PC_G_GLOBAL ||
		    (p->did == did && (g == SPEC_PC_G_DOMAIN || p->pasid == pasid)))
			DROP(u->pasid, u->nr_pasids, i);
		else
			i++;
	}
	if (g == SPEC_PC_G_GLOBAL && u->flush_cc)
		u->flush_pc = true;
	model_rule_pc(u, g, did);
}

static bool overlaps(iova_t a, uint64_t alen, iova_t b, uint64_t blen)
{
	return a <= b + (blen - 1) && b <= a + (alen - 1);
}

void model_inv_iotlb(struct model_unit *u, unsigned g, uint16_t did, iova_t addr, unsigned am,
		     bool ih, bool drain)
{
	const uint64_t bytes = am < 52 ? PAGE_SIZE << am : 0;	/* 0: everything, as a length */

	if (g != SPEC_G_GLOBAL)
		did = known_did(u, did);
	model_drain_write_buffer(u);
	for (size_t i = 0; i < u->nr_tlbs;) {
		const struct model_tlb *t = &u->tlb[i];

		if (g == SPEC_G_GLOBAL ||
		    (t->did == did && (g == SPEC_G_DOMAIN || overlaps(t->page, PAGE_SIZE, addr, bytes))))
			DROP(u->tlb, u->nr_tlbs, i);
		else
			i++;
	}
	for (size_t i = 0; i < u->nr_structures && !(g == SPEC_G_SELECTIVE && ih);) {
		const struct model_structure *s = &u->structure[i];

		if (g == SPEC_G_GLOBAL ||
		    (s->did == did && (g == SPEC_G_DOMAIN ||
				       overlaps(s->base, model_entry_bytes(s->level), addr, bytes))))
			DROP(u->structure, u->nr_structures, i);
		else
			i++;
	}
	if (drain || u->t.major >= 2)
		model_drain(u, g, did, addr, am);
	if (g == SPEC_G_GLOBAL && u->flush_cc &&
	    (u->flush_pc || model_ttm(u) == SPEC_TTM_LEGACY))
		u->flush_iotlb = true;
	model_rule_iotlb(u, g, did);
}

/* Leaves the paging-structure caches of second-stage tables alone. */
void model_inv_p_iotlb(struct model_unit *u, unsigned g, uint16_t did, uint32_t pasid, iova_t addr,
		       unsigned am)
{
	const uint64_t bytes = am < 52 ? PAGE_SIZE << am : 0;

	did = known_did(u, did);
	for (size_t i = 0; i < u->nr_tlbs;) {
		const struct model_tlb *t = &u->tlb[i];

		if (t->did == did && t->pasid == pasid &&
		    (g == SPEC_G_DOMAIN || overlaps(t->page, PAGE_SIZE, addr, bytes)))
			DROP(u->tlb, u->nr_tlbs, i);
		else
			i++;
	}
}

void model_evict(unsigned unit)
{
	struct model_unit *u = model_unit(unit);

	u->nr_contexts = u->nr_pasids = u->nr_structures = u->nr_tlbs = 0;
}

/* What the hardware does by itself where it is said to. */
void model_inv_all(struct model_unit *u)
{
	u->nr_contexts = u->nr_pasids = u->nr_structures = u->nr_tlbs = 0;
	u->nr_owed = 0;
	u->old_root = 0;
	u->flush_cc = u->flush_pc = u->flush_iotlb = true;
	model_drain_write_buffer(u);
}
