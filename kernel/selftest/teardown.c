/* The end of a run: nothing may reach memory any more, and nothing of ours stays behind. */
#include "selftest.h"

#include "kernel/report/ktap.h"
#include "vtd/regs.h"

void selftest_teardown(struct run *r)
{
	int err = 0;

	if (r->have_port) {
		iommu_fence(r->mmu, r->port.nic.segment, r->port.nic.rid);
		err = nic_stop(&r->port.nic);
		r->have_port = false;
	}
	check_ok(CHECK_TEARDOWN_SAFE, !err, "the NIC does not stop (error %d)", -err);
	err = iommu_shut_down(r->mmu);
	check_ok(CHECK_TEARDOWN_SAFE, !err, "a unit does not switch off (error %d)", -err);
	for (size_t i = 0; i < r->mmu->nr_fns; i++) {
		const struct pci_fn *fn = &r->mmu->fns[i];

		check_ok(CHECK_TEARDOWN_SAFE,
			 fn->is_bridge || !pci_is_bus_master(fn->segment, fn->rid),
			 "%02x:%02x.%x is still bus master", PCI_BUS(fn->rid), PCI_DEV(fn->rid),
			 PCI_FN(fn->rid));
	}
	for (size_t i = 0; i < r->mmu->nr_units; i++) {
		struct vtd_unit_state s;

		if (!r->mmu->unit[i].used)
			continue;
		vtd_unit_read_state(&r->mmu->unit[i].vtd, &s);
		check_ok(CHECK_TEARDOWN_SAFE, !(s.gsts & (VTD_GSTS_TES | VTD_GSTS_QIES)),
			 "vtd%zu GSTS is %08x", i, s.gsts);
	}
}
