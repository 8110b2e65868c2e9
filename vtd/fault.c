/* Fault records: reading, clearing, names. */
#include "fault.h"

#include "errno.h"
#include "formats.h"
#include "platform/mmio.h"
#include "regs.h"
#include "unit.h"

static paddr_t record(const struct vtd_unit *u, unsigned i)
{
	return u->regs + u->caps.fro + i * VTD_FRCD_BYTES;
}

static struct vtd_fault decode(uint64_t lo, uint64_t hi)
{
	const bool pasid_valid = hi & VTD_FR_HI_PP;

	return (struct vtd_fault){
		.rid = (uint16_t)FIELD_GET(VTD_FR_HI_SID, hi),
		.reason = (uint8_t)FIELD_GET(VTD_FR_HI_FR, hi),
		.is_read = hi & VTD_FR_HI_T1,
		.pasid_valid = pasid_valid,
		.pasid = pasid_valid ? (uint32_t)FIELD_GET(VTD_FR_HI_PV, hi) : 0,
		.addr = lo & VTD_FR_FI,
	};
}

int vtd_fault_read_all(const struct vtd_unit *u, struct vtd_fault *recs, size_t max, size_t *n,
		       uint32_t *fsts)
{
	const uint32_t status = mmio_read32(u->regs + VTD_FSTS);
	const unsigned fri = status & VTD_FSTS_PPF ? (unsigned)FIELD_GET(VTD_FSTS_FRI, status) : 0;
	size_t found = 0;

	/* From the oldest on; those without F are passed over, since some may be cleared already. */
	for (unsigned i = 0; i < u->caps.nfr; i++) {
		const paddr_t rec = record(u, (fri + i) % u->caps.nfr);
		const uint64_t hi = mmio_read64(rec + 8);

		if (!(hi & VTD_FR_HI_F))
			continue;	/* the rest is valid only once F is set */
		if (found < max)
			recs[found] = decode(mmio_read64(rec), hi);
		found++;
	}
	*fsts = status;
	*n = found;
	return found > max ? -ENOSPC : 0;
}

int vtd_fault_clear(struct vtd_unit *u)
{
	uint32_t status;

	for (unsigned i = 0; i < u->caps.nfr; i++) {
		const paddr_t dw3 = record(u, i) + VTD_FRCD_DW3;

		if (mmio_read32(dw3) & VTD_FRCD_DW3_F)
			mmio_write32(dw3, VTD_FRCD_DW3_F);
	}
	/* After the records: with PFO clear and F set the next fault would overflow again. */
	status = mmio_read32(u->regs + VTD_FSTS) & VTD_FSTS_RW1C;
	if (status)
		mmio_write32(u->regs + VTD_FSTS, status);
	status = mmio_read32(u->regs + VTD_FSTS);
	return status & (VTD_FSTS_RW1C | VTD_FSTS_PPF) ? -EIO : 0;
}

bool vtd_fault_of_no_context(uint8_t ttm, uint8_t reason)
{
	if (reason == VTD_REASON_ROOT_NOT_PRESENT || reason == VTD_REASON_CONTEXT_NOT_PRESENT)
		return true;
	return ttm == VTD_TTM_SCALABLE && (reason == VTD_REASON_S_ROOT_NOT_PRESENT ||
					   reason == VTD_REASON_S_CONTEXT_NOT_PRESENT);
}

bool vtd_fault_of_permission(uint8_t ttm, uint8_t reason, bool is_read)
{
	if (reason == (is_read ? VTD_REASON_READ : VTD_REASON_WRITE))
		return true;
	return ttm == VTD_TTM_SCALABLE &&
	       (reason == VTD_REASON_S_NOT_MAPPED ||
		reason == (is_read ? VTD_REASON_S_READ : VTD_REASON_S_WRITE));
}

/* VT-d 7.1.3, "Fault conditions", without those of first-stage and nested translation. */
static const char *const reasons[] = {
	[0x01] = "root entry not present",
	[0x02] = "context entry not present",
	[0x03] = "invalid context entry",
	[0x04] = "address beyond the address width",
	[0x05] = "write not permitted",
	[0x06] = "read not permitted",
	[0x07] = "next table address not readable",
	[0x08] = "root table not readable",
	[0x09] = "context table not readable",
	[0x0a] = "reserved bit in root entry",
	[0x0b] = "reserved bit in context entry",
	[0x0c] = "reserved bit in paging entry",
	[0x0d] = "request type blocked by the context entry",
	[0x0e] = "output in the interrupt address range",
	[0x20] = "reserved bits in remappable interrupt",
	[0x21] = "interrupt index beyond the table",
	[0x22] = "interrupt remapping entry not present",
	[0x23] = "interrupt remapping table not readable",
	[0x24] = "reserved bits in interrupt remapping entry",
	[0x25] = "compatibility format interrupt blocked",
	[0x26] = "interrupt source id not verified",
	[0x27] = "posted interrupt descriptor not accessible",
	[0x28] = "reserved bits in posted interrupt descriptor",
	[0x29] = "no valid interrupt request",
	[0x30] = "invalid root table address register",
	[0x31] = "request with PASID in legacy mode",
	[0x32] = "page request in legacy mode",
	[0x33] = "blocked by abort-DMA mode",
	[0x38] = "root table not readable",
	[0x39] = "root entry not present",
	[0x3a] = "reserved bit in root entry",
	[0x40] = "context table not readable",
	[0x41] = "context entry not present",
	[0x42] = "reserved bit in context entry",
	[0x43] = "invalid context entry",
	[0x50] = "PASID directory not readable",
	[0x51] = "PASID directory entry not present",
	[0x52] = "reserved bit in PASID directory entry",
	[0x58] = "PASID table not readable",
	[0x59] = "PASID entry not present",
	[0x5a] = "reserved bit in PASID entry",
	[0x5b] = "invalid PASID entry",
	[0x78] = "second-stage table not readable",
	[0x79] = "not mapped",
	[0x7a] = "reserved bit in second-stage entry",
	[0x7b] = "second-stage table pointer not readable",
	[0x84] = "address beyond the address width",
	[0x85] = "write not permitted",
	[0x86] = "read not permitted",
	[0x87] = "output in the interrupt address range",
};

const char *vtd_fault_reason_name(uint8_t reason)
{
	if (reason >= ARRAY_SIZE(reasons) || !reasons[reason])
		return "unknown fault reason";
	return reasons[reason];
}
