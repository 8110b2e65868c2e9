/* Features of a PCI function that write to memory of their own accord (PCI Local Bus 3.0, 6.8
 * "MSI and MSI-X"; PCI Express 6.0, 10.5 "ATS", 10.5.2 "Page Request"). */
#include "pci.h"

#define CAP_CONTROL		0x02	/* message control of MSI and MSI-X */
#define   MSI_ENABLE		BIT32(0)
#define   MSIX_ENABLE		BIT32(15)
#define EXT_CAP_ATS		0x000f
#define   ATS_CONTROL		0x06
#define     ATS_ENABLE		BIT32(15)
#define EXT_CAP_PRI		0x0013
#define   PRI_CONTROL		0x04
#define     PRI_ENABLE		BIT32(0)

static enum pci_feature state(bool on)
{
	return on ? PCI_FEATURE_ON : PCI_FEATURE_OFF;
}

enum pci_feature pci_interrupt_messages(const struct pci_fn *fn)
{
	bool on = false;

	if (!fn->cap_msi && !fn->cap_msix)
		return PCI_FEATURE_ABSENT;
	if (fn->cap_msi)
		on |= pci_read16(fn->segment, fn->rid, fn->cap_msi + CAP_CONTROL) & MSI_ENABLE;
	if (fn->cap_msix)
		on |= !!(pci_read16(fn->segment, fn->rid, fn->cap_msix + CAP_CONTROL) & MSIX_ENABLE);
	return state(on);
}

void pci_interrupt_messages_off(const struct pci_fn *fn)
{
	if (fn->cap_msi)
		pci_write16(fn->segment, fn->rid, fn->cap_msi + CAP_CONTROL,
			    (uint16_t)(pci_read16(fn->segment, fn->rid, fn->cap_msi + CAP_CONTROL) &
				       ~MSI_ENABLE));
	if (fn->cap_msix)
		pci_write16(fn->segment, fn->rid, fn->cap_msix + CAP_CONTROL,
			    (uint16_t)(pci_read16(fn->segment, fn->rid, fn->cap_msix + CAP_CONTROL) &
				       ~MSIX_ENABLE));
}

static enum pci_feature extended(const struct pci_fn *fn, uint16_t id, unsigned control, uint32_t bit)
{
	const uint16_t cap = pci_find_ext_cap(fn->segment, fn->rid, id);

	return cap ? state(pci_read16(fn->segment, fn->rid, cap + control) & bit) : PCI_FEATURE_ABSENT;
}

enum pci_feature pci_page_requests(const struct pci_fn *fn)
{
	return extended(fn, EXT_CAP_PRI, PRI_CONTROL, PRI_ENABLE);
}

enum pci_feature pci_ats(const struct pci_fn *fn)
{
	return extended(fn, EXT_CAP_ATS, ATS_CONTROL, ATS_ENABLE);
}
