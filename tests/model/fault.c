/* Fault records (VT-d "Fault Status Register", "Fault Recording Registers") and events. */
#include "internal.h"

static bool recorded(const struct model_unit *u, unsigned i)
{
	return u->frcd[i][1] & SPEC_FR_HI_F;
}

void model_event(struct model_unit *u, uint32_t *control)
{
	if (*control & SPEC_EVENT_IM)
		*control |= SPEC_EVENT_IP;
	else
		u->events++;
}

void model_fault_index_reset(struct model_unit *u)
{
	u->next_record = 0;
}

/* Further faults of a source id that has a record are dropped, as hardware may. */
static bool collapsed(const struct model_unit *u, uint16_t sid)
{
	for (unsigned i = 0; i < u->t.nfr; i++)
		if (recorded(u, i) && spec_get(SPEC_FR_HI_SID, u->frcd[i][1]) == sid)
			return true;
	return false;
}

void model_fault(struct model_unit *u, uint16_t sid, iova_t iova, bool write,
		 const struct model_walk *w)
{
	const bool quiet = !(u->fsts & (SPEC_FSTS_RW1C | SPEC_FSTS_PPF));
	const unsigned i = u->next_record;

	if ((w->fpd && w->qualified) || (u->fsts & SPEC_FSTS_PFO) || collapsed(u, sid))
		return;
	if (recorded(u, i)) {
		u->fsts |= SPEC_FSTS_PFO;
		return;
	}
	u->frcd[i][0] = iova & SPEC_FR_FI;
	u->frcd[i][1] = SPEC_FR_HI_F | sid | spec_put(SPEC_FR_HI_FR, (uint64_t)w->reason) |
			(write ? 0 : SPEC_FR_HI_T1);
	if (!(u->fsts & SPEC_FSTS_PPF))
		u->fsts = (u->fsts & ~SPEC_FSTS_FRI) | (uint32_t)spec_put(SPEC_FSTS_FRI, i) |
			  SPEC_FSTS_PPF;
	u->next_record = (i + 1) % u->t.nfr;
	if (quiet)
		model_event(u, &u->fe[0]);
}
