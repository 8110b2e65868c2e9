/* The register file of a unit (VT-d 11): widths, who may write what, and when it takes effect. */
#include "internal.h"

#include <string.h>

#include "platform/mmio.h"

/* Reads of a status until a command is done: a poll that is missing shows. */
#define READS_UNTIL_DONE	3

/* Fields of GCMD that stay as written. */
#define LEVELS	(SPEC_GCMD_TE | SPEC_GCMD_EAFL | SPEC_GCMD_QIE | SPEC_GCMD_IRE | SPEC_GCMD_CFI)

struct model_unit model_units[MODEL_MAX_UNITS];
static unsigned nr_units;
static uint32_t (*other_read32)(paddr_t);
static void (*other_write32)(paddr_t, uint32_t);

/* ---- set-up --------------------------------------------------------------------------------- */

void model_reset(void)
{
	for (unsigned i = 0; i < nr_units; i++) {
		model_free_unit_memory(&model_units[i]);
		memset(&model_units[i], 0, sizeof(model_units[i]));
	}
	nr_units = 0;
	other_read32 = NULL;
	other_write32 = NULL;
	model_memory_reset();
	model_dma_reset();
	model_steps_reset();
	model_rules_look_again();
	model_forgive();
}

static void set_default(unsigned *field, unsigned v)
{
	if (!*field)
		*field = v;
}

static uint64_t flag(bool on, uint64_t bit)
{
	return on ? bit : 0;
}

static void set_capabilities(struct model_unit *u)
{
	const struct model_traits *t = &u->t;

	u->ver = t->major << 4;
	u->cap = spec_put(SPEC_CAP_ND, t->nd) | flag(t->rwbf, SPEC_CAP_RWBF) |
		 flag(t->pmr, SPEC_CAP_PLMR | SPEC_CAP_PHMR) | flag(t->cm, SPEC_CAP_CM) |
		 spec_put(SPEC_CAP_SAGAW, t->sagaw) | spec_put(SPEC_CAP_MGAW, t->mgaw - 1) |
		 spec_put(SPEC_CAP_FRO, MODEL_FRO / 16) | spec_put(SPEC_CAP_SSLPS, t->sslps) |
		 flag(!t->no_psi, SPEC_CAP_PSI) | spec_put(SPEC_CAP_NFR, t->nfr - 1) |
		 spec_put(SPEC_CAP_MAMV, t->mamv) | SPEC_CAP_DWD | SPEC_CAP_DRD |
		 flag(t->esrtps, SPEC_CAP_ESRTPS);
	u->ecap = flag(t->coherent, SPEC_ECAP_C) | flag(!t->no_qi, SPEC_ECAP_QI) |
		  flag(t->ir, SPEC_ECAP_IR) | flag(t->pt, SPEC_ECAP_PT) | flag(t->sc, SPEC_ECAP_SC) |
		  spec_put(SPEC_ECAP_IRO, MODEL_IRO / 16) |
		  flag(t->smts, SPEC_ECAP_SMTS | SPEC_ECAP_SSTS) |
		  flag(t->smpwcs, SPEC_ECAP_SMPWCS) | flag(t->rps, SPEC_ECAP_RPS);
}

unsigned model_add_unit(paddr_t regs, const struct model_traits *t)
{
	struct model_unit *u = &model_units[nr_units];

	assert(nr_units < MODEL_MAX_UNITS);
	u->exists = true;
	u->index = nr_units;
	u->regs = regs;
	u->t = *t;
	set_default(&u->t.major, 1);
	set_default(&u->t.haw, 39);
	set_default(&u->t.mgaw, 48);
	set_default(&u->t.sagaw, 6);
	set_default(&u->t.nd, 6);
	set_default(&u->t.nfr, 1);
	set_default(&u->t.mamv, 18);
	assert(u->t.nfr <= MODEL_MAX_NFR);
	set_capabilities(u);
	u->fe[0] = u->ie[0] = SPEC_EVENT_IM;
	u->need_srtp = true;
	return nr_units++;
}

struct model_unit *model_unit(unsigned unit)
{
	return &model_units[unit];
}

void model_other_mmio(uint32_t (*read32)(paddr_t), void (*write32)(paddr_t, uint32_t))
{
	other_read32 = read32;
	other_write32 = write32;
}

/* ---- GCMD ----------------------------------------------------------------------------------- */

/* SRTP has taken effect: RTADDR is what requests use from now on. */
static void latch_root(struct model_unit *u)
{
	const bool live = u->gsts & SPEC_GSTS_TES;
	const uint64_t ttm = spec_get(SPEC_RTADDR_TTM, u->rtaddr);

	if (ttm > SPEC_TTM_SCALABLE || (ttm == SPEC_TTM_SCALABLE && !u->t.smts))
		model_violate(u, "SRTP with translation table mode %llu, which the unit does not have",
			      (unsigned long long)ttm);
	if (live && ttm != model_ttm(u) && !u->t.esrtps)
		model_violate(u, "translation table mode changed under TES=1 without ESRTPS");
	u->old_root = live ? u->root : 0;
	u->root = u->rtaddr;
	u->rtaddr_dirty = false;
	u->need_srtp = false;
	u->flush_cc = u->flush_pc = u->flush_iotlb = false;
	if (u->t.esrtps)
		model_inv_all(u);
}

static void set_translation(struct model_unit *u, bool on)
{
	model_drain(u, SPEC_G_GLOBAL, 0, 0, 0);
	if (on) {
		if (u->rtaddr_dirty || u->need_srtp)
			model_violate(u, "TE set without SRTP since %s", u->rtaddr_dirty ?
				      "RTADDR was written" : "translation was off");
		else if (!u->flush_iotlb)
			model_violate(u, "TE set before the caches were invalidated globally and in "
				      "order after SRTP");
		model_rule_dids(u);
		return;
	}
	u->te_drops++;
	u->need_srtp = true;
	if (u->te_must_stay)
		model_violate(u, "TE cleared, though translation must stay on");
	if (u->t.smts)
		model_inv_all(u);
	if (!(u->gsts & SPEC_GSTS_IRES))
		model_fault_index_reset(u);
}

static void set_queue(struct model_unit *u, bool on)
{
	u->iqh = 0;
	u->nr_fetched = 0;
	u->hold_fetch = false;
	if (on && (u->iqt & SPEC_IQ_OFFSET))
		model_violate(u, "queue enabled with IQT=0x%llx: what lies in the ring is executed",
			      (unsigned long long)u->iqt);
	if (on && ((u->ccmd & SPEC_CCMD_ICC) || (u->iotlb & SPEC_IOTLB_IVT)))
		model_violate(u, "queue enabled while a register-based invalidation is under way");
}

static void set_interrupt_remapping(struct model_unit *u, bool on)
{
	if (on && !(u->gsts & SPEC_GCMD_SIRTP))
		model_violate(u, "IRE set without SIRTP");
	if (!on && !(u->gsts & SPEC_GSTS_TES))
		model_fault_index_reset(u);
}

/* One field, now done. */
static void complete(struct model_unit *u, uint32_t bit, bool on)
{
	switch (bit) {
	case SPEC_GCMD_TE:
		set_translation(u, on);
		break;
	case SPEC_GCMD_SRTP:
		latch_root(u);
		break;
	case SPEC_GCMD_QIE:
		set_queue(u, on);
		break;
	case SPEC_GCMD_IRE:
		set_interrupt_remapping(u, on);
		break;
	case SPEC_GCMD_WBF:
		model_drain_write_buffer(u);
		on = false;	/* done means clear */
		break;
	}
	u->gsts = on ? u->gsts | bit : u->gsts & ~bit;
	model_rules_look_again();
	if (bit == SPEC_GCMD_QIE && on)
		model_queue_fetch(u);
}

static void complete_gcmd(struct model_unit *u)
{
	for (unsigned i = 0; i < 32; i++) {
		const uint32_t bit = 1U << i;

		if (u->gcmd_pending & bit)
			complete(u, bit, u->gcmd_target & bit);
	}
	u->gcmd_pending = 0;
}

/* VT-d 6.5.2: drained by a wait, or the hardware may not stop at all. */
static bool queue_may_stop(struct model_unit *u)
{
	if (model_queue_idle(u) && u->last_was_wait)
		return true;
	model_violate(u, "QIE cleared, but the queue %s", model_queue_idle(u) ?
		      "did not end with a wait descriptor" : "is not empty");
	return false;
}

static void write_gcmd(struct model_unit *u, uint32_t v)
{
	const uint32_t levels = (v ^ u->gsts) & LEVELS;
	uint32_t fields = levels | (v & SPEC_GCMD_ONE_SHOT);

	if (v & SPEC_GCMD_RSVD)
		model_violate(u, "GCMD = 0x%08x: reserved bits", v);
	if (u->gcmd_pending) {
		model_violate(u, "GCMD written while command 0x%08x is under way", u->gcmd_pending);
		complete_gcmd(u);
	}
	if (__builtin_popcount(fields) != 1)
		model_violate(u, "GCMD = 0x%08x changes %d fields at once (GSTS = 0x%08x)", v,
			      __builtin_popcount(fields), u->gsts);
	if ((fields & SPEC_GCMD_QIE) && !(v & SPEC_GCMD_QIE) && !queue_may_stop(u))
		fields &= ~SPEC_GCMD_QIE;
	/* Taken: the status of a pointer command goes away until it is done. */
	u->gsts &= ~(fields & (SPEC_GCMD_SRTP | SPEC_GCMD_SIRTP));
	u->gsts |= fields & SPEC_GCMD_WBF;
	u->gcmd_pending = fields;
	u->gcmd_target = v;
	u->gcmd_reads = READS_UNTIL_DONE;
}

/* ---- register-based invalidation ------------------------------------------------------------ */

static bool registers_refuse(struct model_unit *u)
{
	const char *why = u->t.major >= SPEC_VER_MAJOR_QI_ONLY ? "on a unit that has none" :
			  u->gsts & SPEC_GSTS_QIES ? "while the queue is enabled" :
			  model_ttm(u) != SPEC_TTM_LEGACY ? "in scalable mode" : NULL;

	if (why)
		model_violate(u, "register-based invalidation %s: nothing is done", why);
	return why;
}

static void complete_ccmd(struct model_unit *u)
{
	const unsigned g = (unsigned)spec_get(SPEC_CCMD_CIRG, u->ccmd);

	u->ccmd &= ~(SPEC_CCMD_ICC | SPEC_CCMD_CAIG);
	if (registers_refuse(u) || !g)
		return;
	model_inv_context(u, g, (uint16_t)spec_get(SPEC_CCMD_DID, u->ccmd),
			  (uint16_t)spec_get(SPEC_CCMD_SID, u->ccmd),
			  (unsigned)spec_get(SPEC_CCMD_FM, u->ccmd));
	u->ccmd |= spec_put(SPEC_CCMD_CAIG, g);
}

static void write_ccmd(struct model_unit *u, uint64_t v, bool fires)
{
	if (u->ccmd & SPEC_CCMD_ICC)
		model_violate(u, "CCMD written while ICC=1");
	if (v & SPEC_CCMD_RSVD)
		model_violate(u, "CCMD = 0x%llx: reserved bits", (unsigned long long)v);
	u->ccmd = v;
	if (fires && (v & SPEC_CCMD_ICC))
		u->ccmd_reads = READS_UNTIL_DONE;
	else
		u->ccmd &= ~SPEC_CCMD_ICC;
}

static bool range_refused(struct model_unit *u, unsigned g)
{
	const unsigned am = (unsigned)spec_get(SPEC_IVA_AM, u->iva);

	if (g != SPEC_G_SELECTIVE)
		return false;
	if (!u->t.no_psi && am <= u->t.mamv && IS_ALIGNED(u->iva & SPEC_IVA_ADDR, PAGE_SIZE << am))
		return false;
	model_violate(u, "page-selective invalidation of IVA = 0x%llx, which the unit cannot do",
		      (unsigned long long)u->iva);
	return true;
}

static void complete_iotlb(struct model_unit *u)
{
	const unsigned g = (unsigned)spec_get(SPEC_IOTLB_IIRG, u->iotlb);

	u->iotlb &= ~(SPEC_IOTLB_IVT | SPEC_IOTLB_IAIG);
	if (registers_refuse(u) || !g || range_refused(u, g))
		return;
	model_inv_iotlb(u, g, (uint16_t)spec_get(SPEC_IOTLB_DID, u->iotlb), u->iva & SPEC_IVA_ADDR,
			(unsigned)spec_get(SPEC_IVA_AM, u->iva), u->iva & SPEC_IVA_IH,
			u->iotlb & SPEC_IOTLB_DW);
	u->iotlb |= spec_put(SPEC_IOTLB_IAIG, g);
}

static void write_iotlb(struct model_unit *u, uint64_t v, bool fires)
{
	if ((u->iotlb & SPEC_IOTLB_IVT) || (u->ccmd & SPEC_CCMD_ICC))
		model_violate(u, "IOTLB written while %s", u->iotlb & SPEC_IOTLB_IVT ? "IVT=1" : "ICC=1");
	if ((v ^ u->iotlb) & SPEC_IOTLB_RSVDP)
		model_violate(u, "IOTLB = 0x%llx: reserved bits not preserved", (unsigned long long)v);
	u->iotlb = v;
	if (fires && (v & SPEC_IOTLB_IVT))
		u->iotlb_reads = READS_UNTIL_DONE;
	else
		u->iotlb &= ~SPEC_IOTLB_IVT;
}

/* ---- faults, events, protected memory, queue registers -------------------------------------- */

static void write_fsts(struct model_unit *u, uint32_t v)
{
	if (v & ~SPEC_FSTS_RW1C)
		model_violate(u, "FSTS = 0x%x: bits that cannot be cleared by writing", v);
	u->fsts &= ~(v & SPEC_FSTS_RW1C);
	if (v & (SPEC_FSTS_IQE | SPEC_FSTS_ITE))
		model_queue_fetch(u);
}

/* PPF is the OR of all F bits. */
static void write_record(struct model_unit *u, unsigned i, uint64_t v)
{
	if (v & ~SPEC_FR_HI_F)
		model_violate(u, "FRCD %u = 0x%llx: only F can be written", i, (unsigned long long)v);
	if (v & SPEC_FR_HI_F)
		u->frcd[i][1] &= ~SPEC_FR_HI_F;
	for (i = 0; i < u->t.nfr; i++)
		if (u->frcd[i][1] & SPEC_FR_HI_F)
			return;
	u->fsts &= ~(SPEC_FSTS_PPF | SPEC_FSTS_FRI);
}

static void write_event_control(struct model_unit *u, uint32_t *control, uint32_t v)
{
	if ((v ^ *control) & ~(SPEC_EVENT_IM | SPEC_EVENT_IP))
		model_violate(u, "event control = 0x%08x: reserved bits not preserved", v);
	*control = (*control & ~SPEC_EVENT_IM) | (v & SPEC_EVENT_IM);
	if (!(v & SPEC_EVENT_IM) && (*control & SPEC_EVENT_IP)) {
		*control &= ~SPEC_EVENT_IP;
		u->events++;
	}
}

static void write_pmen(struct model_unit *u, uint32_t v)
{
	if (v & ~(SPEC_PMEN_EPM | SPEC_PMEN_PRS))
		model_violate(u, "PMEN = 0x%08x: reserved bits", v);
	u->pmen = (u->pmen & SPEC_PMEN_PRS) | (v & SPEC_PMEN_EPM);
	u->pmen_reads = READS_UNTIL_DONE;
}

static void write_rtaddr(struct model_unit *u, uint64_t v)
{
	if (v & SPEC_RTADDR_RSVD)
		model_violate(u, "RTADDR = 0x%llx: reserved bits", (unsigned long long)v);
	if (u->gcmd_pending & SPEC_GCMD_SRTP)
		model_violate(u, "RTADDR written while SRTP is under way");
	if (u->root_must_stay)
		model_violate(u, "RTADDR written, though the root table must stay");
	u->rtaddr = v;
	u->rtaddr_dirty = true;
}

static void write_iqa(struct model_unit *u, uint64_t v)
{
	if (u->gsts & SPEC_GSTS_QIES)
		model_violate(u, "IQA written while QIES=1");
	if (v & ~(SPEC_IQA_IQA | SPEC_IQA_DW | SPEC_IQA_QS))
		model_violate(u, "IQA = 0x%llx: reserved bits", (unsigned long long)v);
	if ((v & SPEC_IQA_DW) && !u->t.smts)
		model_violate(u, "IQA = 0x%llx: 256-bit descriptors on a unit without scalable mode",
			      (unsigned long long)v);
	u->iqa = v;
}

static void write_iqt(struct model_unit *u, uint64_t v)
{
	if (v & ~SPEC_IQ_OFFSET)
		model_violate(u, "IQT = 0x%llx: reserved bits", (unsigned long long)v);
	u->iqt = v & SPEC_IQ_OFFSET;
	model_queue_fetch(u);
}

/* ---- the map -------------------------------------------------------------------------------- */

enum present { ALWAYS, IF_QI, IF_IR, IF_PMR };

static const struct reg {
	uint32_t off;
	unsigned bytes;
	bool writable, readable;
	enum present present;
} map[] = {
	{ SPEC_VER, 4, false, true, ALWAYS },
	{ SPEC_CAP, 8, false, true, ALWAYS },
	{ SPEC_ECAP, 8, false, true, ALWAYS },
	{ SPEC_GCMD, 4, true, false, ALWAYS },
	{ SPEC_GSTS, 4, false, true, ALWAYS },
	{ SPEC_RTADDR, 8, true, true, ALWAYS },
	{ SPEC_CCMD, 8, true, true, ALWAYS },
	{ SPEC_FSTS, 4, true, true, ALWAYS },
	{ SPEC_FECTL, 4, true, true, ALWAYS },
	{ SPEC_FEDATA, 4, true, true, ALWAYS },
	{ SPEC_FEADDR, 4, true, true, ALWAYS },
	{ SPEC_FEUADDR, 4, true, true, ALWAYS },
	{ SPEC_PMEN, 4, true, true, IF_PMR },
	{ SPEC_PLMBASE, 4, true, true, IF_PMR },
	{ SPEC_PLMLIMIT, 4, true, true, IF_PMR },
	{ SPEC_PHMBASE, 8, true, true, IF_PMR },
	{ SPEC_PHMLIMIT, 8, true, true, IF_PMR },
	{ SPEC_IQH, 8, false, true, IF_QI },
	{ SPEC_IQT, 8, true, true, IF_QI },
	{ SPEC_IQA, 8, true, true, IF_QI },
	{ SPEC_ICS, 4, true, true, IF_QI },
	{ SPEC_IECTL, 4, true, true, IF_QI },
	{ SPEC_IEDATA, 4, true, true, IF_QI },
	{ SPEC_IEADDR, 4, true, true, IF_QI },
	{ SPEC_IEUADDR, 4, true, true, IF_QI },
	{ SPEC_IQERCD, 8, false, true, IF_QI },
	{ SPEC_IRTA, 8, true, true, IF_IR },
	{ MODEL_IRO + SPEC_IVA, 8, true, false, ALWAYS },
	{ MODEL_IRO + SPEC_IOTLB, 8, true, true, ALWAYS },
};

static bool is_present(const struct model_unit *u, enum present p)
{
	return p == ALWAYS || (p == IF_QI && !u->t.no_qi) || (p == IF_IR && u->t.ir) ||
	       (p == IF_PMR && u->t.pmr);
}

static bool is_record(const struct model_unit *u, uint32_t off)
{
	return off >= MODEL_FRO && off < MODEL_FRO + u->t.nfr * SPEC_FRCD_BYTES;
}

/* The register an access of @bytes at @off belongs to; NULL, and a violation, if there is none. */
static const struct reg *find_reg(struct model_unit *u, uint32_t off, unsigned bytes, bool write)
{
	for (size_t i = 0; i < ARRAY_SIZE(map); i++) {
		const struct reg *r = &map[i];

		if (off < r->off || off >= r->off + r->bytes || !is_present(u, r->present))
			continue;
		if (bytes > r->bytes)
			model_violate(u, "%u-byte access to 0x%03x, a 32-bit register", bytes, off);
		else if (!(write ? r->writable : r->readable))
			model_violate(u, "%s register 0x%03x", write ? "write to read-only" :
				      "read of write-only", off);
		else
			return r;
		return NULL;
	}
	model_violate(u, "%u-byte %s at 0x%03x: no such register", bytes, write ? "write" : "read", off);
	return NULL;
}

static bool countdown(unsigned *reads)
{
	return *reads && --*reads == 0;
}

static uint32_t read_gsts(struct model_unit *u)
{
	const bool stuck = u->te_is_stuck && (u->gcmd_pending & ~u->gcmd_target & SPEC_GCMD_TE);

	if (u->gcmd_pending && !stuck && countdown(&u->gcmd_reads))
		complete_gcmd(u);
	return u->gsts;
}

static uint32_t read_pmen(struct model_unit *u)
{
	if (countdown(&u->pmen_reads))
		u->pmen = u->pmen & SPEC_PMEN_EPM ? SPEC_PMEN_EPM | SPEC_PMEN_PRS : 0;
	return u->pmen;
}

static uint64_t read_ccmd(struct model_unit *u)
{
	if (countdown(&u->ccmd_reads))
		complete_ccmd(u);
	return u->ccmd;
}

static uint64_t read_iotlb(struct model_unit *u)
{
	if (countdown(&u->iotlb_reads))
		complete_iotlb(u);
	return u->iotlb;
}

static uint64_t get(struct model_unit *u, uint32_t off)
{
	switch (off) {
	case SPEC_VER: return u->ver;
	case SPEC_CAP: return u->cap;
	case SPEC_ECAP: return u->ecap;
	case SPEC_GSTS: return read_gsts(u);
	case SPEC_RTADDR: return u->rtaddr;
	case SPEC_CCMD: return read_ccmd(u);
	case SPEC_FSTS: return u->fsts;
	case SPEC_FECTL: case SPEC_FEDATA: case SPEC_FEADDR: case SPEC_FEUADDR:
		return u->fe[(off - SPEC_FECTL) / 4];
	case SPEC_PMEN: return read_pmen(u);
	case SPEC_PLMBASE: case SPEC_PLMLIMIT: return u->plm[(off - SPEC_PLMBASE) / 4];
	case SPEC_PHMBASE: case SPEC_PHMLIMIT: return u->phm[(off - SPEC_PHMBASE) / 8];
	case SPEC_IQH: return u->iqh;
	case SPEC_IQT: return u->iqt;
	case SPEC_IQA: return u->iqa;
	case SPEC_ICS: return u->ics;
	case SPEC_IECTL: case SPEC_IEDATA: case SPEC_IEADDR: case SPEC_IEUADDR:
		return u->ie[(off - SPEC_IECTL) / 4];
	case SPEC_IQERCD: return u->iqercd;
	case SPEC_IRTA: return u->irta;
	case MODEL_IRO + SPEC_IOTLB: return read_iotlb(u);
	}
	return 0;
}

static void put_protected(struct model_unit *u, uint32_t off, uint64_t v)
{
	if (u->pmen & SPEC_PMEN_PRS)
		model_violate(u, "protected memory region 0x%03x written while PRS=1", off);
	v &= ~(MIB(2) - 1);
	if (off < SPEC_PHMBASE)
		u->plm[(off - SPEC_PLMBASE) / 4] = (uint32_t)v;
	else
		u->phm[(off - SPEC_PHMBASE) / 8] = v;
}

/* @fires: the highest byte is among those written. */
static void put(struct model_unit *u, uint32_t off, uint64_t v, bool fires)
{
	switch (off) {
	case SPEC_GCMD: write_gcmd(u, (uint32_t)v); break;
	case SPEC_RTADDR: write_rtaddr(u, v); break;
	case SPEC_CCMD: write_ccmd(u, v, fires); break;
	case SPEC_FSTS: write_fsts(u, (uint32_t)v); break;
	case SPEC_FECTL: write_event_control(u, &u->fe[0], (uint32_t)v); break;
	case SPEC_FEDATA: case SPEC_FEADDR: case SPEC_FEUADDR:
		u->fe[(off - SPEC_FECTL) / 4] = (uint32_t)v;
		break;
	case SPEC_PMEN: write_pmen(u, (uint32_t)v); break;
	case SPEC_PLMBASE: case SPEC_PLMLIMIT: case SPEC_PHMBASE: case SPEC_PHMLIMIT:
		put_protected(u, off, v);
		break;
	case SPEC_IQT: write_iqt(u, v); break;
	case SPEC_IQA: write_iqa(u, v); break;
	case SPEC_ICS: u->ics &= ~(uint32_t)v; break;
	case SPEC_IECTL: write_event_control(u, &u->ie[0], (uint32_t)v); break;
	case SPEC_IEDATA: case SPEC_IEADDR: case SPEC_IEUADDR:
		u->ie[(off - SPEC_IECTL) / 4] = (uint32_t)v;
		break;
	case SPEC_IRTA: u->irta = v; break;
	case MODEL_IRO + SPEC_IVA: u->iva = v; break;
	case MODEL_IRO + SPEC_IOTLB: write_iotlb(u, v, fires); break;
	}
}

/* ---- the seam ------------------------------------------------------------------------------- */

static struct model_unit *decode(paddr_t addr, unsigned bytes, uint32_t *off)
{
	for (unsigned i = 0; i < nr_units; i++) {
		struct model_unit *u = &model_units[i];

		if (addr - u->regs >= MODEL_REG_BYTES)
			continue;
		*off = (uint32_t)(addr - u->regs);
		if (!IS_ALIGNED(addr, bytes))
			model_violate(u, "%u-byte access at 0x%03x is not aligned", bytes, *off);
		return u;
	}
	return NULL;
}

static uint64_t read_reg(struct model_unit *u, uint32_t off, unsigned bytes)
{
	const struct reg *r;
	uint64_t v;

	model_queue_tick(u);
	if (is_record(u, off)) {
		v = u->frcd[(off - MODEL_FRO) / 16][off / 8 % 2];
		return v >> (off & 4) * 8;
	}
	r = find_reg(u, off, bytes, false);
	return r ? get(u, r->off) >> (off - r->off) * 8 : ~0ULL;
}

static void write_reg(struct model_unit *u, uint32_t off, unsigned bytes, uint64_t v)
{
	const struct reg *r;
	unsigned shift;

	if (is_record(u, off)) {
		if (off % 16 < 8)
			model_violate(u, "write to 0x%03x, a read-only part of a fault record", off);
		else
			write_record(u, (off - MODEL_FRO) / 16, v << (off & 4) * 8);
		return;
	}
	r = find_reg(u, off, bytes, true);
	if (!r)
		return;
	shift = (off - r->off) * 8;
	if (bytes < r->bytes) {
		const uint64_t mask = 0xffffffffULL << shift;

		v = ((r->off == MODEL_IRO + SPEC_IVA ? u->iva : get(u, r->off)) & ~mask) | v << shift;
	}
	put(u, r->off, v, off + bytes == r->off + r->bytes);
}

static void nowhere(paddr_t addr, unsigned bytes)
{
	model_violate(NULL, "%u-byte register access at %llx, where nothing is", bytes,
		      (unsigned long long)addr);
}

uint32_t mmio_read32(paddr_t addr)
{
	struct model_unit *u;
	uint32_t off;

	model_step();
	u = decode(addr, 4, &off);
	if (u)
		return (uint32_t)read_reg(u, off, 4);
	if (other_read32)
		return other_read32(addr);
	nowhere(addr, 4);
	return UINT32_MAX;
}

uint64_t mmio_read64(paddr_t addr)
{
	struct model_unit *u;
	uint32_t off;

	model_step();
	u = decode(addr, 8, &off);
	if (u)
		return read_reg(u, off, 8);
	nowhere(addr, 8);
	return UINT64_MAX;
}

void mmio_write32(paddr_t addr, uint32_t v)
{
	struct model_unit *u;
	uint32_t off;

	model_step();
	u = decode(addr, 4, &off);
	if (u)
		write_reg(u, off, 4, v);
	else if (other_write32)
		other_write32(addr, v);
	else
		nowhere(addr, 4);
}

void mmio_write64(paddr_t addr, uint64_t v)
{
	struct model_unit *u;
	uint32_t off;

	model_step();
	u = decode(addr, 8, &off);
	if (u)
		write_reg(u, off, 8, v);
	else
		nowhere(addr, 8);
}
