/* Replacing a restored domain under live DMA (VT-d 6.5.3.3, "Modifying a present entry"). */
#include "selftest.h"

#include "errno.h"
#include "kernel/report/ktap.h"
#include "platform/mmio.h"
#include "vtd/formats.h"

void selftest_replace(struct run *r, struct port *p)
{
	const uint16_t segment = p->nic.segment, rid = p->nic.rid;
	struct iommu_device *dev = iommu_device_of(r->mmu, segment, rid);
	const uint16_t old_did = dev->did;
	const uint32_t old_domain = dev->domain;
	const int fresh = iommu_domain_create(r->mmu, dev->unit, VTD_PG_4K,
					      IOMMU_IOVA_BITS);
	int err;

	if (fresh < 0) {
		check_ok(CHECK_REPLACE_HITLESS, false, "no fresh domain (error %d)", -fresh);
		return;
	}
	err = port_map(p->control, &r->mmu->domain[fresh].ss);
	if (!err)
		err = iommu_replace(r->mmu, segment, rid, (size_t)fresh);
	if (err) {
		check_ok(CHECK_REPLACE_HITLESS, false, "the domain cannot be replaced (error %d)", -err);
		return;
	}
	check_ok(CHECK_REPLACE_HITLESS, dev->did != old_did, "the fresh domain got the old DID %u",
		 old_did);
	if (!iommu_domain_has_devices(r->mmu, old_domain))	/* an alias of the NIC may still be in it */
		iommu_domain_destroy(r->mmu, old_domain);
	platform_log("replace: %02x:%02x.%x moved from DID %u to DID %u under live DMA",
		     PCI_BUS(rid), PCI_DEV(rid), PCI_FN(rid), old_did, dev->did);
}

void selftest_replace_check(struct run *r, struct port *p)
{
	const struct iommu_device *dev = iommu_device_of(r->mmu, p->nic.segment, p->nic.rid);
	struct vtd_fault f;
	uint32_t fsts;
	size_t n;

	vtd_fault_read_all(&r->mmu->unit[dev->unit].vtd, &f, 1, &n, &fsts);
	check_ok(CHECK_REPLACE_HITLESS, account_clean(&p->control->account) && !n,
		 "frames were lost, or %zu faults recorded, after the domain was replaced", n);
}
