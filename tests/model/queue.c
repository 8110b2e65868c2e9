/* Invalidation queue (VT-d 6.5.2).  IQH moves on when a descriptor is fetched; it takes effect
 * later, one per tick, and only a wait descriptor tells. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#include "platform/mem.h"

/* Register and clock reads a descriptor takes: enough that not waiting for it shows. */
#define TICKS_PER_DESCRIPTOR	3

static uint64_t ring_bytes(const struct model_unit *u)
{
	return PAGE_SIZE << spec_get(SPEC_IQA_QS, u->iqa);
}

static unsigned ring_step(const struct model_unit *u)
{
	return u->iqa & SPEC_IQA_DW ? 32 : 16;
}

bool model_queue_idle(const struct model_unit *u)
{
	return u->nr_fetched == 0 && u->iqh == (u->iqt & SPEC_IQ_OFFSET);
}

static void error(struct model_unit *u, unsigned iqei)
{
	const bool quiet = !(u->fsts & (SPEC_FSTS_RW1C | SPEC_FSTS_PPF));

	u->fsts |= SPEC_FSTS_IQE;
	u->iqercd = (u->iqercd & ~SPEC_IQERCD_IQEI) | iqei;
	if (quiet)
		model_event(u, &u->fe[0]);
}

/* ---- which descriptors are valid ------------------------------------------------------------ */

/* Bits that may be set, by type; 0 in both words: no such descriptor. */
static const struct { uint64_t qw[2]; } known[] = {
	[SPEC_QI_CC] = { { SPEC_QI_TYPE | SPEC_QI_G | SPEC_QI_DID | SPEC_QI_CC_SID | SPEC_QI_CC_FM, 0 } },
	[SPEC_QI_IOTLB] = { { SPEC_QI_TYPE | SPEC_QI_G | SPEC_QI_IOTLB_DW | SPEC_QI_IOTLB_DR | SPEC_QI_DID,
			      SPEC_QI_IOTLB_HI_AM | SPEC_QI_IOTLB_HI_IH | SPEC_QI_IOTLB_HI_ADDR } },
	[SPEC_QI_IEC] = { { SPEC_QI_TYPE | SPEC_QI_IEC_USED, 0 } },
	[SPEC_QI_WAIT] = { { SPEC_QI_TYPE | SPEC_QI_WAIT_IF | SPEC_QI_WAIT_SW | SPEC_QI_WAIT_FN |
			     SPEC_QI_WAIT_DATA, SPEC_QI_WAIT_HI_ADDR } },
	[SPEC_QI_P_IOTLB] = { { SPEC_QI_TYPE | SPEC_QI_G | SPEC_QI_DID | SPEC_QI_PASID,
				SPEC_QI_IOTLB_HI_AM | SPEC_QI_IOTLB_HI_IH | SPEC_QI_IOTLB_HI_ADDR } },
	[SPEC_QI_PC] = { { SPEC_QI_TYPE | SPEC_QI_G | SPEC_QI_DID | SPEC_QI_PASID, 0 } },
};

static bool legal_type(const struct model_unit *u, unsigned type)
{
	if (type >= ARRAY_SIZE(known) || !known[type].qw[0])
		return false;
	if (type == SPEC_QI_IEC)
		return u->t.ir;
	if (type == SPEC_QI_P_IOTLB || type == SPEC_QI_PC)
		return model_ttm(u) == SPEC_TTM_SCALABLE && (u->iqa & SPEC_IQA_DW);
	return true;
}

static bool legal_granularity(unsigned type, unsigned g)
{
	switch (type) {
	case SPEC_QI_CC:
	case SPEC_QI_IOTLB:
		return g != 0;
	case SPEC_QI_P_IOTLB:
		return g >= SPEC_G_DOMAIN;
	case SPEC_QI_PC:
		return g != 2;
	}
	return true;
}

static bool legal_range(const struct model_unit *u, unsigned type, unsigned g, uint64_t hi)
{
	const unsigned am = (unsigned)(hi & SPEC_QI_IOTLB_HI_AM);

	if (g != SPEC_G_SELECTIVE || (type != SPEC_QI_IOTLB && type != SPEC_QI_P_IOTLB))
		return true;
	if (type == SPEC_QI_IOTLB && (u->t.no_psi || am > u->t.mamv))
		return false;
	return am < 52 && IS_ALIGNED(hi & SPEC_QI_IOTLB_HI_ADDR, PAGE_SIZE << am);
}

/* Return: 0, or what IQERCD says. */
static unsigned judge(const struct model_unit *u, const uint64_t qw[4])
{
	const unsigned type = (unsigned)(qw[0] & SPEC_QI_TYPE);
	const unsigned g = (unsigned)spec_get(SPEC_QI_G, qw[0]);
	const bool wide = u->iqa & SPEC_IQA_DW;

	if (wide ? !u->t.smts : model_ttm(u) != SPEC_TTM_LEGACY)
		return SPEC_IQEI_WIDTH;
	if ((qw[0] & SPEC_QI_TYPE_HI) || !legal_type(u, type))
		return SPEC_IQEI_TYPE;
	if ((qw[0] & ~known[type].qw[0]) || (qw[1] & ~known[type].qw[1]) || qw[2] || qw[3])
		return SPEC_IQEI_RSVD;
	if (!legal_granularity(type, g) || !legal_range(u, type, g, qw[1]))
		return SPEC_IQEI_RSVD;
	return 0;
}

/* ---- fetching ------------------------------------------------------------------------------- */

static bool read_descriptor(const struct model_unit *u, uint64_t qw[4])
{
	const paddr_t pa = (u->iqa & SPEC_IQA_IQA) + u->iqh;

	memset(qw, 0, 4 * sizeof(*qw));
	if (!model_is_ram(pa, ring_step(u)))
		return false;
	memcpy(qw, mem_ptr(pa), ring_step(u));	/* always snooped */
	return true;
}

static void push(struct model_unit *u, const uint64_t qw[4])
{
	if (u->nr_fetched == MODEL_MAX_FETCHED)
		abort();
	memcpy(u->fetched[(u->first_fetched + u->nr_fetched++) % MODEL_MAX_FETCHED].qw, qw,
	       sizeof(u->fetched[0].qw));
}

void model_queue_fetch(struct model_unit *u)
{
	while ((u->gsts & SPEC_GSTS_QIES) && !(u->fsts & (SPEC_FSTS_IQE | SPEC_FSTS_ITE)) &&
	       !u->hold_fetch && u->iqh != (u->iqt & SPEC_IQ_OFFSET)) {
		uint64_t qw[4];
		unsigned iqei;

		if (u->iqt >= ring_bytes(u) || u->iqt % ring_step(u)) {
			error(u, u->iqt >= ring_bytes(u) ? SPEC_IQEI_TAIL : SPEC_IQEI_ALIGN);
			return;
		}
		iqei = read_descriptor(u, qw) ? judge(u, qw) : SPEC_IQEI_FETCH;
		if (iqei) {
			error(u, iqei);
			return;		/* IQH stays at the bad one */
		}
		push(u, qw);
		u->iqh = (u->iqh + ring_step(u)) % ring_bytes(u);
		u->hold_fetch = (qw[0] & SPEC_QI_TYPE) == SPEC_QI_WAIT && (qw[0] & SPEC_QI_WAIT_FN);
	}
}

/* ---- taking effect -------------------------------------------------------------------------- */

static void complete_wait(struct model_unit *u, const uint64_t qw[4])
{
	const uint32_t data = (uint32_t)spec_get(SPEC_QI_WAIT_DATA, qw[0]);
	const paddr_t status = qw[1] & SPEC_QI_WAIT_HI_ADDR;

	if (qw[0] & SPEC_QI_WAIT_SW) {
		if (!model_is_ram(status, sizeof(data)) || model_is_freed(status))
			model_violate(u, "wait descriptor writes its status to %llx, which is %s",
				      (unsigned long long)status,
				      model_is_freed(status) ? "freed" : "no memory");
		else
			model_device_write(status, &data, sizeof(data));
	}
	if ((qw[0] & SPEC_QI_WAIT_IF) && !(u->ics & SPEC_ICS_IWC)) {
		u->ics |= SPEC_ICS_IWC;
		model_event(u, &u->ie[0]);
	}
	if (qw[0] & SPEC_QI_WAIT_FN)
		u->hold_fetch = false;
}

static void execute(struct model_unit *u, const uint64_t qw[4])
{
	const unsigned type = (unsigned)(qw[0] & SPEC_QI_TYPE);
	const unsigned g = (unsigned)spec_get(SPEC_QI_G, qw[0]);
	const uint16_t did = (uint16_t)spec_get(SPEC_QI_DID, qw[0]);
	const uint32_t pasid = (uint32_t)spec_get(SPEC_QI_PASID, qw[0]);
	const iova_t addr = qw[1] & SPEC_QI_IOTLB_HI_ADDR;
	const unsigned am = (unsigned)(qw[1] & SPEC_QI_IOTLB_HI_AM);
	const bool ih = qw[1] & SPEC_QI_IOTLB_HI_IH;

	u->descriptors++;
	u->last_was_wait = type == SPEC_QI_WAIT;
	switch (type) {
	case SPEC_QI_CC:
		model_inv_context(u, g, did, (uint16_t)spec_get(SPEC_QI_CC_SID, qw[0]),
				  (unsigned)spec_get(SPEC_QI_CC_FM, qw[0]));
		break;
	case SPEC_QI_IOTLB:
		model_inv_iotlb(u, g, did, addr, am, ih, qw[0] & SPEC_QI_IOTLB_DW);
		break;
	case SPEC_QI_P_IOTLB:
		model_inv_p_iotlb(u, g, did, pasid, addr, am);
		break;
	case SPEC_QI_PC:
		model_inv_pasid(u, g, did, pasid);
		break;
	case SPEC_QI_WAIT:
		complete_wait(u, qw);
		break;
	}
}

/* A device did not answer: waits under way are dropped, nothing is fetched until it is cleared. */
static void time_out(struct model_unit *u)
{
	u->ite_once = false;
	u->nr_fetched = 0;
	u->hold_fetch = false;
	u->fsts |= SPEC_FSTS_ITE;
	model_event(u, &u->fe[0]);
}

void model_queue_tick(struct model_unit *u)
{
	uint64_t qw[4];

	if (u->ice_once) {
		u->ice_once = false;
		u->fsts |= SPEC_FSTS_ICE;
	}
	model_queue_fetch(u);
	if (!u->nr_fetched || ++u->ticks < TICKS_PER_DESCRIPTOR)
		return;
	u->ticks = 0;
	if (u->ite_once) {
		time_out(u);
		return;
	}
	memcpy(qw, u->fetched[u->first_fetched].qw, sizeof(qw));
	u->first_fetched = (u->first_fetched + 1) % MODEL_MAX_FETCHED;
	u->nr_fetched--;
	execute(u, qw);
	model_queue_fetch(u);
}
