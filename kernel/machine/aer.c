/* Keeping a provoked fault from becoming a machine check. */
#include "aer.h"

#include <string.h>

#include "cpu.h"
#include "platform/mmio.h"

#define EXT_CAP_AER		0x0001
#define   AER_UNCOR_STATUS	0x04
#define   AER_UNCOR_MASK	0x08
#define     AER_UNCOR_UR	BIT32(20)	/* Unsupported Request Error */
#define   AER_COR_STATUS	0x10
#define EXT_CAP_DPC		0x001d
#define   DPC_STATUS		0x08

#define MSR_SMI_COUNT		0x34		/* Intel, family 6 */

/* Processors whose MSR list has the SMI counter; elsewhere reading it faults. */
static bool has_smi_count(void)
{
	uint32_t id[4];

	cpu_cpuid(0, 0, id);
	if (id[1] != 0x756e6547 || id[3] != 0x49656e69 || id[2] != 0x6c65746e)	/* GenuineIntel */
		return false;
	if (id[0] < 0x0b)	/* older than Nehalem, which brought both */
		return false;
	cpu_cpuid(1, 0, id);
	return (id[0] >> 8 & 0xf) == 6 && !(id[2] & BIT32(31));	/* and no hypervisor below */
}

void aer_quiet(const struct pci_fn *fns, size_t fn, struct aer_path *path)
{
	memset(path, 0, sizeof(*path));
	for (int i = (int)fn; i >= 0 && path->n < AER_MAX_PATH; i = fns[i].parent) {
		const uint16_t segment = fns[i].segment, rid = fns[i].rid;
		const uint16_t aer = pci_find_ext_cap(segment, rid, EXT_CAP_AER);

		path->fn[path->n].segment = segment;
		path->fn[path->n].rid = rid;
		path->fn[path->n].aer = aer;
		path->fn[path->n].command = pci_read16(segment, rid, PCI_COMMAND);
		if (aer) {
			path->fn[path->n].mask = pci_read32(segment, rid, aer + AER_UNCOR_MASK);
			pci_write32(segment, rid, aer + AER_UNCOR_MASK,
				    path->fn[path->n].mask | AER_UNCOR_UR);
		}
		pci_write_control(segment, rid, PCI_COMMAND,
				  (uint16_t)(path->fn[path->n].command & ~PCI_COMMAND_SERR));
		path->n++;
	}
}

void aer_restore(const struct aer_path *path)
{
	for (unsigned i = 0; i < path->n; i++) {
		const uint16_t segment = path->fn[i].segment, rid = path->fn[i].rid;

		if (path->fn[i].aer) {
			/* What we provoked ourselves is taken back: RW1C, that bit alone. */
			pci_write32(segment, rid, path->fn[i].aer + AER_UNCOR_STATUS, AER_UNCOR_UR);
			pci_write32(segment, rid, path->fn[i].aer + AER_UNCOR_MASK, path->fn[i].mask);
		}
		pci_write_control(segment, rid, PCI_COMMAND,
				  (uint16_t)((pci_read16(segment, rid, PCI_COMMAND) & ~PCI_COMMAND_SERR) |
					     (path->fn[i].command & PCI_COMMAND_SERR)));
	}
}

void aer_log(const struct aer_path *path, const char *when)
{
	for (unsigned i = 0; i < path->n; i++) {
		const uint16_t segment = path->fn[i].segment, rid = path->fn[i].rid;
		const uint16_t aer = path->fn[i].aer;
		const uint16_t dpc = pci_find_ext_cap(segment, rid, EXT_CAP_DPC);

		if (aer)
			platform_log("aer: %s, %02x:%02x.%x uncorrectable %08x correctable %08x", when,
				     PCI_BUS(rid), PCI_DEV(rid), PCI_FN(rid),
				     pci_read32(segment, rid, aer + AER_UNCOR_STATUS),
				     pci_read32(segment, rid, aer + AER_COR_STATUS));
		if (dpc)
			platform_log("dpc: %s, %02x:%02x.%x status %04x", when, PCI_BUS(rid),
				     PCI_DEV(rid), PCI_FN(rid), pci_read16(segment, rid, dpc + DPC_STATUS));
	}
	if (has_smi_count())
		platform_log("smi: %s, count %u", when, (uint32_t)cpu_rdmsr(MSR_SMI_COUNT));
}
