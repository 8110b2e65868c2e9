/* From a request to memory or to a fault reason: root, context, PASID entry, second-stage
 * (VT-d 3.4, 3.7, 9; reasons of 7.1.3).  First the caches, whatever memory says. */
#include "internal.h"

#include <string.h>

unsigned model_ttm(const struct model_unit *u)
{
	return (unsigned)spec_get(SPEC_RTADDR_TTM, u->root);
}

uint64_t model_entry_bytes(unsigned level)
{
	return PAGE_SIZE << (9 * (level - 1));
}

static struct model_walk fault(struct model_walk w, int reason, bool qualified)
{
	w.reason = reason;
	w.qualified = qualified;
	return w;
}

/* Bits 63:@haw, which no address of this machine has. */
static uint64_t beyond_haw(const struct model_unit *u)
{
	return ~0ULL << u->t.haw;
}

static uint64_t beyond_nd(const struct model_unit *u)
{
	return ~0ULL << (4 + 2 * u->t.nd);
}

/* Until the caches have been invalidated after SRTP, either root table may be used. */
static uint64_t pick_root(struct model_unit *u, bool cached)
{
	if (!cached || !u->old_root || u->flush_cc)
		return u->root;
	u->use_old = !u->use_old;
	return u->use_old ? u->old_root : u->root;
}

static bool has_levels(const struct model_unit *u, unsigned aw)
{
	return aw >= 1 && aw <= 3 && (u->t.sagaw >> aw & 1);
}

static unsigned largest_aw(const struct model_unit *u)
{
	for (unsigned aw = 3; aw >= 1; aw--)
		if (has_levels(u, aw))
			return aw;
	return 0;
}

/* ---- legacy mode ---------------------------------------------------------------------------- */

static struct model_walk check_context(const struct model_unit *u, const uint64_t qw[2],
				       struct model_walk w)
{
	const unsigned aw = (unsigned)spec_get(SPEC_CE_HI_AW, qw[1]);
	const unsigned tt = (unsigned)spec_get(SPEC_CE_TT, qw[0]);

	w.did = (uint16_t)spec_get(SPEC_CE_HI_DID, qw[1]);
	w.top = qw[0] & SPEC_CE_SSPTPTR;
	w.snooped = u->t.coherent;
	w.levels = tt == SPEC_TT_PASS_THROUGH ? 0 : aw + 2;
	if ((qw[0] & SPEC_CE_LO_RSVD) || (qw[1] & SPEC_CE_HI_RSVD) || (w.did & beyond_nd(u)) ||
	    (w.levels && (w.top & beyond_haw(u))))
		return fault(w, SPEC_FAULT_CONTEXT_RSVD, true);
	if (tt == SPEC_TT_PASS_THROUGH ? !u->t.pt || aw != largest_aw(u)
				       : tt != SPEC_TT_SS || !has_levels(u, aw))
		return fault(w, SPEC_FAULT_CONTEXT_INVALID, true);
	return w;
}

static struct model_walk read_context(struct model_unit *u, uint16_t sid, bool cached,
				      uint64_t qw[2])
{
	const paddr_t root = pick_root(u, cached) & SPEC_RTADDR_RTA;
	const paddr_t root_slot = root + (sid >> 8) * 16U;
	struct model_walk w = { 0 };
	uint64_t re[2], slot;

	if (!model_is_ram(root, PAGE_SIZE))
		return fault(w, SPEC_FAULT_ROOT_ACCESS, false);
	re[0] = model_read64(u, u->t.coherent, root_slot);
	re[1] = model_read64(u, u->t.coherent, root_slot + 8);
	if (!(re[0] & SPEC_RE_P))
		return fault(w, SPEC_FAULT_ROOT_P, false);
	if ((re[0] & (SPEC_RE_LO_RSVD | beyond_haw(u))) || re[1])
		return fault(w, SPEC_FAULT_ROOT_RSVD, false);
	slot = (re[0] & SPEC_RE_CTP) + (sid & 0xffU) * 16U;
	if (!model_is_ram(slot, 16))
		return fault(w, SPEC_FAULT_CONTEXT_ACCESS, false);
	qw[0] = model_read64(u, u->t.coherent, slot);
	qw[1] = model_read64(u, u->t.coherent, slot + 8);
	w.fpd = qw[0] & SPEC_CE_FPD;
	if (!(qw[0] & SPEC_CE_P))
		return fault(w, SPEC_FAULT_CONTEXT_P, true);
	return check_context(u, qw, w);
}

static struct model_walk resolve_legacy(struct model_unit *u, uint16_t sid, bool cached)
{
	const struct model_context *c = cached ? model_find_context(u, sid) : NULL;
	struct model_context fill = { .sid = sid };
	struct model_walk w = { 0 };

	if (c && c->reason) {
		w.fpd = c->fpd;
		return fault(w, c->reason, c->reason != SPEC_FAULT_ROOT_P);
	}
	if (c) {
		w.fpd = c->fpd;
		return check_context(u, c->qw, w);
	}
	w = read_context(u, sid, cached, fill.qw);
	/* Faulting entries are kept with caching mode only, under DID 0 (VT-d 6.1). */
	if (!cached || (w.reason && !u->t.cm))
		return w;
	fill.reason = (uint8_t)w.reason;
	fill.did = w.reason ? 0 : w.did;
	fill.fpd = w.fpd;
	model_add_context(u, &fill);
	return w;
}

/* ---- scalable mode -------------------------------------------------------------------------- */

static struct model_walk check_scalable_context(const struct model_unit *u, const uint64_t qw[2],
						struct model_walk w)
{
	w.pasid = u->t.rps ? (uint32_t)(qw[1] & SPEC_SCE_RID_PASID) : 0;
	/* No device-TLB, PASID or page-request support: their bits are reserved. */
	if ((qw[0] & (SPEC_SCE_RSVD | SPEC_SCE_DTE | SPEC_SCE_PASIDE | SPEC_SCE_PRE | beyond_haw(u))) ||
	    (qw[1] & ~(u->t.rps ? SPEC_SCE_RID_PASID : 0)))
		return fault(w, SPEC_FAULT_S_CONTEXT_RSVD, true);
	if (w.pasid >> 6 >= 128U << spec_get(SPEC_SCE_PDTS, qw[0]))
		return fault(w, SPEC_FAULT_S_CONTEXT_INVALID, true);
	return w;
}

static struct model_walk read_scalable_context(struct model_unit *u, uint16_t sid, bool cached,
					       uint64_t qw[2])
{
	const paddr_t root = pick_root(u, cached) & SPEC_RTADDR_RTA;
	struct model_walk w = { 0 };
	uint64_t half;
	paddr_t slot;

	if (!model_is_ram(root, PAGE_SIZE))
		return fault(w, SPEC_FAULT_S_ROOT_ACCESS, false);
	half = model_read64(u, u->t.coherent, root + (sid >> 8) * 16U + (sid & 0x80 ? 8 : 0));
	if (!(half & SPEC_RE_P))
		return fault(w, SPEC_FAULT_S_ROOT_P, false);
	if (half & (SPEC_RE_LO_RSVD | beyond_haw(u)))
		return fault(w, SPEC_FAULT_S_ROOT_RSVD, false);
	slot = (half & SPEC_RE_CTP) + (sid & 0x7fU) * SPEC_SCE_BYTES;
	if (!model_is_ram(slot, SPEC_SCE_BYTES))
		return fault(w, SPEC_FAULT_S_CONTEXT_ACCESS, false);
	qw[0] = model_read64(u, u->t.coherent, slot);
	qw[1] = model_read64(u, u->t.coherent, slot + 8);
	w.fpd = qw[0] & SPEC_SCE_FPD;
	if (!(qw[0] & SPEC_SCE_P))
		return fault(w, SPEC_FAULT_S_CONTEXT_P, true);
	if (model_read64(u, u->t.coherent, slot + 16) || model_read64(u, u->t.coherent, slot + 24))
		return fault(w, SPEC_FAULT_S_CONTEXT_RSVD, true);
	return check_scalable_context(u, qw, w);
}

static struct model_walk scalable_context(struct model_unit *u, uint16_t sid, bool cached,
					  uint64_t qw[2])
{
	const struct model_context *c = cached ? model_find_context(u, sid) : NULL;
	struct model_context fill = { .sid = sid };
	struct model_walk w = { 0 };

	if (c) {
		w.fpd = c->fpd;
		memcpy(qw, c->qw, sizeof(c->qw));
		return c->reason ? fault(w, c->reason, c->reason != SPEC_FAULT_S_ROOT_P)
				 : check_scalable_context(u, qw, w);
	}
	w = read_scalable_context(u, sid, cached, qw);
	if (!cached || (w.reason && !u->t.cm))
		return w;
	fill.reason = (uint8_t)w.reason;
	fill.fpd = w.fpd;
	memcpy(fill.qw, qw, sizeof(fill.qw));
	model_add_context(u, &fill);
	return w;
}

/* qw1 bits of a PASID entry this unit lets be set. */
static uint64_t pasid_qw1_known(const struct model_unit *u)
{
	return (SPEC_PE_HI_DID & ~beyond_nd(u)) | (u->t.smpwcs ? SPEC_PE_HI_PWSNP : 0) |
	       (u->t.sc ? SPEC_PE_HI_PGSNP : 0);
}

static struct model_walk check_pasid(const struct model_unit *u, const uint64_t qw[2],
				     struct model_walk w)
{
	const unsigned aw = (unsigned)spec_get(SPEC_PE_AW, qw[0]);
	const unsigned pgtt = (unsigned)spec_get(SPEC_PE_PGTT, qw[0]);

	w.did = (uint16_t)(qw[1] & SPEC_PE_HI_DID);
	w.top = qw[0] & SPEC_PE_SSPTPTR;
	w.snooped = qw[1] & SPEC_PE_HI_PWSNP;	/* ECAP.C does not cover these walks */
	w.levels = pgtt == SPEC_PGTT_PT ? 0 : aw + 2;
	/* SSADE and bit 5 as well: no accessed and dirty bits here. */
	if ((qw[0] & (SPEC_PE_LO_RSVD | SPEC_PE_SSADE)) || (qw[1] & ~pasid_qw1_known(u)) ||
	    (w.levels && (w.top & beyond_haw(u))))
		return fault(w, SPEC_FAULT_PASID_RSVD, true);
	if (pgtt == SPEC_PGTT_PT ? !u->t.pt : pgtt != SPEC_PGTT_SS || !has_levels(u, aw))
		return fault(w, SPEC_FAULT_PASID_INVALID, true);
	return w;
}

static struct model_walk read_pasid(struct model_unit *u, const uint64_t context[2],
				    struct model_walk w, uint64_t qw[2])
{
	const paddr_t dir = (context[0] & SPEC_SCE_PASIDDIRPTR) + (w.pasid >> 6) * 8;
	uint64_t de, rest = 0;
	paddr_t slot;

	if (!model_is_ram(dir, 8))
		return fault(w, SPEC_FAULT_DIR_ACCESS, false);
	de = model_read64(u, u->t.coherent, dir);
	w.fpd |= (de & SPEC_PDE_FPD) != 0;
	if (!(de & SPEC_PDE_P))
		return fault(w, SPEC_FAULT_DIR_P, true);
	if (de & (SPEC_PDE_RSVD | beyond_haw(u)))
		return fault(w, SPEC_FAULT_DIR_RSVD, true);
	slot = (de & SPEC_PDE_SMPTBLPTR) + w.pasid % SPEC_PASIDS_PER_TABLE * SPEC_PE_BYTES;
	if (!model_is_ram(slot, SPEC_PE_BYTES))
		return fault(w, SPEC_FAULT_PASID_ACCESS, false);
	qw[0] = model_read64(u, u->t.coherent, slot);
	qw[1] = model_read64(u, u->t.coherent, slot + 8);
	w.fpd |= (qw[0] & SPEC_PE_FPD) != 0;
	if (!(qw[0] & SPEC_PE_P))
		return fault(w, SPEC_FAULT_PASID_P, true);
	for (unsigned i = 2; i < 8; i++)
		rest |= model_read64(u, u->t.coherent, slot + 8 * i);
	if (rest)	/* first-stage and HPT fields, none of which this unit has */
		return fault(w, SPEC_FAULT_PASID_RSVD, true);
	return check_pasid(u, qw, w);
}

static struct model_walk resolve_scalable(struct model_unit *u, uint16_t sid, bool cached)
{
	struct model_pasid fill = { .sid = sid };
	const struct model_pasid *p;
	uint64_t context[2];
	struct model_walk w = scalable_context(u, sid, cached, context);

	if (w.reason)
		return w;
	p = cached ? model_find_pasid(u, sid, w.pasid) : NULL;
	if (p) {
		w.fpd |= p->fpd;
		return p->reason ? fault(w, p->reason, true) : check_pasid(u, p->qw, w);
	}
	w = read_pasid(u, context, w, fill.qw);
	if (!cached || (w.reason && !u->t.cm))
		return w;
	fill.pasid = w.pasid;
	fill.reason = (uint8_t)w.reason;
	fill.did = w.reason ? 0 : w.did;
	fill.fpd = w.fpd;
	model_add_pasid(u, &fill);
	return w;
}

struct model_walk model_resolve(struct model_unit *u, uint16_t sid, bool cached)
{
	return model_ttm(u) == SPEC_TTM_SCALABLE ? resolve_scalable(u, sid, cached)
						 : resolve_legacy(u, sid, cached);
}

/* ---- second stage --------------------------------------------------------------------------- */

/* The reasons differ by mode, the rules do not. */
struct reasons {
	int address, access, top_access, reserved, write, read, nothing, interrupts, haw;
};
static const struct reasons legacy = {
	SPEC_FAULT_ADDRESS, SPEC_FAULT_TABLE_ACCESS, SPEC_FAULT_TABLE_ACCESS, SPEC_FAULT_SS_RSVD,
	SPEC_FAULT_WRITE, SPEC_FAULT_READ, 0, SPEC_FAULT_INTR_OUTPUT, SPEC_FAULT_ADDRESS,
};
static const struct reasons scalable = {
	SPEC_FAULT_S_ADDRESS, SPEC_FAULT_S_SS_ACCESS, SPEC_FAULT_S_SSPTPTR, SPEC_FAULT_S_SS_RSVD,
	SPEC_FAULT_S_WRITE, SPEC_FAULT_S_READ, SPEC_FAULT_S_SS_P, SPEC_FAULT_S_INTR_OUTPUT,
	SPEC_FAULT_S_HAW,
};

static const struct reasons *reasons(const struct model_unit *u)
{
	return model_ttm(u) == SPEC_TTM_SCALABLE ? &scalable : &legacy;
}

static bool is_leaf(uint64_t entry, unsigned level)
{
	return level == 1 || (level <= 3 && (entry & SPEC_SS_PS));
}

/* Of a present entry. */
static uint64_t reserved_bits(const struct model_unit *u, uint64_t entry, unsigned level)
{
	uint64_t mask = SPEC_SS_RSVD_62 | (SPEC_SS_ADDR & beyond_haw(u));

	if (level >= 4 || (level > 1 && (entry & SPEC_SS_PS) && !(u->t.sslps >> (level - 2) & 1)))
		mask |= SPEC_SS_PS;
	if (!is_leaf(entry, level) || !u->t.sc)
		mask |= SPEC_SS_SNP;
	if (is_leaf(entry, level))
		mask |= (model_entry_bytes(level) - 1) & SPEC_SS_ADDR;
	return mask;
}

/* Deepest cached table on the way to @iova, of whatever walk under this DID. */
static unsigned start_level(struct model_unit *u, const struct model_walk *w, iova_t iova,
			    paddr_t *table, uint64_t *perm)
{
	for (unsigned level = 2; level <= w->levels; level++) {
		const struct model_structure *s = model_find_structure(u, w->did, level, iova);

		if (s) {
			*table = s->table;
			*perm = s->perm;
			return level - 1;
		}
	}
	return w->levels;
}

static bool in_interrupt_range(uint64_t addr)
{
	return addr - SPEC_INTR_BASE < SPEC_INTR_BYTES;
}

/* Fills w.pa and w.perm, or gives a reason that does not depend on read or write. */
static struct model_walk walk_tables(struct model_unit *u, struct model_walk w, iova_t iova,
				     bool cached)
{
	const struct reasons *r = reasons(u);
	paddr_t table = w.top;
	uint64_t perm = SPEC_SS_RW;
	unsigned level = cached ? start_level(u, &w, iova, &table, &perm) : w.levels;

	for (;; level--) {
		const uint64_t bytes = model_entry_bytes(level);
		const paddr_t slot = table + (iova / bytes % SPEC_SS_ENTRIES) * 8;
		uint64_t e;

		if (!model_is_ram(slot, 8))
			return fault(w, level == w.levels ? r->top_access : r->access, true);
		e = model_read64(u, w.snooped, slot);
		w.perm = perm &= e;
		if (!(e & SPEC_SS_RW) || !perm)
			return w;	/* nothing granted: the caller names the reason */
		if (e & reserved_bits(u, e, level))
			return fault(w, r->reserved, true);
		if (is_leaf(e, level)) {
			w.pa = (e & SPEC_SS_ADDR) + ALIGN_DOWN(iova & (bytes - 1), PAGE_SIZE);
			return in_interrupt_range(w.pa) ? fault(w, r->interrupts, true) : w;
		}
		table = e & SPEC_SS_ADDR;
		if (cached)
			model_add_structure(u, &(struct model_structure){
				.did = w.did, .level = (uint8_t)level, .base = ALIGN_DOWN(iova, bytes),
				.table = table, .top = w.top, .slot = slot, .snooped = w.snooped,
				.perm = perm & SPEC_SS_RW,
			});
	}
}

static struct model_walk judge(const struct model_unit *u, struct model_walk w, bool write)
{
	const struct reasons *r = reasons(u);

	w.perm &= SPEC_SS_RW;
	if (w.reason || (w.perm & (write ? SPEC_SS_W : SPEC_SS_R)))
		return w;
	return fault(w, !w.perm && r->nothing ? r->nothing : write ? r->write : r->read, true);
}

static struct model_walk from_tlb(const struct model_unit *u, const struct model_tlb *t, bool write)
{
	const struct model_walk w = {
		.reason = t->reason, .qualified = true, .did = t->did, .pasid = t->pasid,
		.top = t->top, .pa = t->pa, .perm = t->perm,
	};

	return judge(u, w, write);
}

static void fill_tlb(struct model_unit *u, uint16_t sid, iova_t iova, const struct model_walk *w)
{
	const bool nothing = w->reason || !(w->perm & SPEC_SS_RW);

	if (nothing && !u->t.cm)
		return;
	model_add_tlb(u, &(struct model_tlb){
		.sid = sid, .did = w->did, .pasid = w->pasid, .page = ALIGN_DOWN(iova, PAGE_SIZE),
		.pa = w->pa, .top = w->top, .perm = w->perm & SPEC_SS_RW,
		.reason = (uint8_t)w->reason,
	});
}

struct model_walk model_translate(struct model_unit *u, uint16_t sid, iova_t iova, bool write,
				  bool cached)
{
	const struct reasons *r = reasons(u);
	const struct model_tlb *t = cached ? model_find_tlb(u, sid, iova) : NULL;
	struct model_walk w;
	unsigned bits;

	if (t)
		return from_tlb(u, t, write);
	w = model_resolve(u, sid, cached);
	if (w.reason)
		return w;
	if (!w.levels) {
		if (iova >> u->t.haw)
			return fault(w, r->haw, true);
		w.top = 0;
		w.pa = ALIGN_DOWN(iova, PAGE_SIZE);
		w.perm = SPEC_SS_RW;
	} else {
		bits = MIN(12 + 9 * w.levels, u->t.mgaw);
		if (iova >> bits)
			return fault(w, r->address, true);
		w = walk_tables(u, w, iova, cached);
	}
	if (cached)
		fill_tlb(u, sid, iova, &w);
	return judge(u, w, write);
}
