/* The end of a run: nothing may reach memory any more, and nothing of ours stays behind. */
#include "selftest.h"

#include "kernel/panic.h"
#include "kernel/report/ktap.h"
#include "vtd/regs.h"

void selftest_teardown(struct run *r)
{
	int err;

	phase_set("teardown");
	while (r->nr_ports) {
		struct nic *nic = &r->port[r->nr_ports - 1].nic;

		iommu_fence(r->mmu, nic->segment, nic->rid);
		err = nic_stop(nic);
		check_ok(CHECK_TEARDOWN_SAFE, !err, "NIC %02x:%02x.%x does not stop (error %d)",
			 PCI_BUS(nic->rid), PCI_DEV(nic->rid), PCI_FN(nic->rid), -err);
		r->nr_ports--;
	}
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
