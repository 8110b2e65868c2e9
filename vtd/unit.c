/* Register access of one unit: global commands, root pointer, protected memory. */
#include "unit.h"

#include <string.h>

#include "errno.h"
#include "inval.h"
#include "platform/mmio.h"
#include "regs.h"

int vtd_unit_timed_out(struct vtd_unit *u, const char *name, uint64_t mask, uint64_t want,
		       uint64_t last)
{
	u->failed_wait = name;
	u->failed_value = last;
	platform_log("vtd%u: %s: waited for 0x%llx under mask 0x%llx, last value 0x%llx", u->index,
		     name, (unsigned long long)want, (unsigned long long)mask,
		     (unsigned long long)last);
	return -ETIMEDOUT;
}

int vtd_unit_wait32(struct vtd_unit *u, uint32_t reg, const char *name, uint32_t mask,
		    uint32_t want)
{
	const uint64_t start = platform_us();
	uint32_t v;

	for (;;) {
		const bool late = platform_us() - start > VTD_WAIT_US;

		v = mmio_read32(u->regs + reg);
		if ((v & mask) == want)
			return 0;
		if (late)
			return vtd_unit_timed_out(u, name, mask, want, v);
		platform_relax();
	}
}

int vtd_unit_wait64(struct vtd_unit *u, uint32_t reg, const char *name, uint64_t mask,
		    uint64_t want)
{
	const uint64_t start = platform_us();
	uint64_t v;

	for (;;) {
		const bool late = platform_us() - start > VTD_WAIT_US;

		v = mmio_read64(u->regs + reg);
		if ((v & mask) == want)
			return 0;
		if (late)
			return vtd_unit_timed_out(u, name, mask, want, v);
		platform_relax();
	}
}

/* GCMD takes the full intended state.  It is built from GSTS without the one-shots, which would
 * act again, and differs from it in one field. */
static void write_gcmd(struct vtd_unit *u, uint32_t bit, bool on)
{
	const uint32_t gsts = mmio_read32(u->regs + VTD_GSTS);
	const uint32_t level = gsts & ~VTD_GCMD_ONE_SHOT;
	const uint32_t v = on ? level | bit : level & ~bit;

	u->gcmd_writes++;
	if ((gsts & VTD_GSTS_TES) && !(v & VTD_GCMD_TE))
		u->gcmd_te_drops++;
	mmio_write32(u->regs + VTD_GCMD, v);
}

int vtd_unit_command(struct vtd_unit *u, uint32_t bit, bool on, const char *name)
{
	write_gcmd(u, bit, on);
	return vtd_unit_wait32(u, VTD_GSTS, name, bit, on ? bit : 0);
}

static bool status(const struct vtd_unit *u, uint32_t bit)
{
	return mmio_read32(u->regs + VTD_GSTS) & bit;
}

int vtd_unit_probe(struct vtd_unit *u, paddr_t regs)
{
	const uint32_t ver = mmio_read32(regs + VTD_VER);
	const uint64_t cap = mmio_read64(regs + VTD_CAP);
	const uint64_t ecap = mmio_read64(regs + VTD_ECAP);
	const unsigned index = u->index;
	const uint16_t segment = u->segment;
	struct vtd_caps caps;
	int rc;

	rc = vtd_caps_decode(ver, cap, ecap, &caps);
	if (rc) {
		platform_log("vtd%u: unusable: VER 0x%x CAP 0x%llx ECAP 0x%llx", index, ver,
			     (unsigned long long)cap, (unsigned long long)ecap);
		return rc;
	}
	memset(u, 0, sizeof(*u));
	u->index = index;
	u->segment = segment;
	u->regs = regs;
	u->reg_bytes = caps.reg_bytes;
	u->caps = caps;
	vtd_dids_init(&u->dids, caps.ndoms);
	return 0;
}

void vtd_unit_read_state(const struct vtd_unit *u, struct vtd_unit_state *s)
{
	*s = (struct vtd_unit_state){
		.gsts = mmio_read32(u->regs + VTD_GSTS),
		.fsts = mmio_read32(u->regs + VTD_FSTS),
		.fectl = mmio_read32(u->regs + VTD_FECTL),
		.rtaddr = mmio_read64(u->regs + VTD_RTADDR),
	};
	if (u->caps.qi) {
		s->iqa = mmio_read64(u->regs + VTD_IQA);
		s->iqh = mmio_read64(u->regs + VTD_IQH);
		s->iqt = mmio_read64(u->regs + VTD_IQT);
	}
	if (u->caps.ir)
		s->irta = mmio_read64(u->regs + VTD_IRTA);
	if (u->caps.plmr || u->caps.phmr)
		s->pmen = mmio_read32(u->regs + VTD_PMEN);
}

void vtd_unit_snapshot(const struct vtd_unit *u, const struct vtd_unit_state *s,
		       struct vtd_unit_snapshot *out)
{
	*out = (struct vtd_unit_snapshot){
		.regs = u->regs,
		.reg_bytes = u->reg_bytes,
		.index = u->index,
		.segment = u->segment,
		.ver = (uint32_t)u->caps.ver_major << 4 | u->caps.ver_minor,
		.cap = u->caps.cap,
		.ecap = u->caps.ecap,
		.gsts = s->gsts,
		.pmen = s->pmen,
		.rtaddr = s->rtaddr,
		.iqa = s->iqa,
		.irta = s->irta,
	};
}

static void mask_event(struct vtd_unit *u, uint32_t reg)
{
	const uint32_t v = mmio_read32(u->regs + reg);

	mmio_write32(u->regs + reg, v | VTD_EVENT_IM);
	(void)mmio_read32(u->regs + reg);	/* pushes out a message that was on its way */
}

void vtd_unit_mask_events(struct vtd_unit *u)
{
	mask_event(u, VTD_FECTL);
	if (u->caps.qi)
		mask_event(u, VTD_IECTL);
	if (u->caps.prs)
		mask_event(u, VTD_PECTL);
	if (u->caps.pms)
		mask_event(u, VTD_PERFINTRCTL);
}

int vtd_unit_latch_root(struct vtd_unit *u, paddr_t root)
{
	int rc;

	if (root == 0 || !IS_ALIGNED(root, PAGE_SIZE))
		return -EINVAL;
	u->rtaddr_writes++;
	mmio_write64(u->regs + VTD_RTADDR, root | FIELD_PREP(VTD_RTADDR_TTM, u->ttm));
	rc = vtd_unit_command(u, VTD_GCMD_SRTP, true, "GSTS.RTPS");
	if (rc)
		return rc;
	u->root = root;
	return 0;
}

int vtd_unit_set_root(struct vtd_unit *u, paddr_t root)
{
	const int rc = vtd_unit_latch_root(u, root);

	return rc ? rc : vtd_inval_global(u);
}

int vtd_unit_enable_translation(struct vtd_unit *u)
{
	if (status(u, VTD_GSTS_TES))
		return 0;
	return vtd_unit_command(u, VTD_GCMD_TE, true, "GSTS.TES");
}

int vtd_unit_disable_translation(struct vtd_unit *u)
{
	if (!status(u, VTD_GSTS_TES))
		return 0;
	return vtd_unit_command(u, VTD_GCMD_TE, false, "GSTS.TES");
}

int vtd_unit_interrupt_remapping_off(struct vtd_unit *u)
{
	const struct vtd_qi_desc iec = vtd_qi_iec_global();
	int rc;

	if (!status(u, VTD_GSTS_IRES))
		return 0;
	if (u->qi.on) {
		rc = vtd_qi_submit(u, &iec, 1);
		if (rc)
			return rc;
	}
	return vtd_unit_command(u, VTD_GCMD_IRE, false, "GSTS.IRES");
}

int vtd_unit_disable_protected_memory(struct vtd_unit *u)
{
	uint32_t v;

	if (!u->caps.plmr && !u->caps.phmr)
		return 0;
	v = mmio_read32(u->regs + VTD_PMEN);
	if (!(v & (VTD_PMEN_EPM | VTD_PMEN_PRS)))
		return 0;
	mmio_write32(u->regs + VTD_PMEN, v & ~VTD_PMEN_EPM);
	return vtd_unit_wait32(u, VTD_PMEN, "PMEN.PRS", VTD_PMEN_PRS, 0);
}

int vtd_unit_write_buffer_flush(struct vtd_unit *u)
{
	if (!u->caps.rwbf)
		return 0;
	write_gcmd(u, VTD_GCMD_WBF, true);
	/* Unlike the other commands this one is done when its status bit is clear. */
	return vtd_unit_wait32(u, VTD_GSTS, "GSTS.WBFS", VTD_GSTS_WBFS, 0);
}
