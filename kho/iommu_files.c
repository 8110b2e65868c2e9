/* FLB entry and files of the IOMMU series. */
#include "iommu_files.h"

#include "errno.h"
#include "platform/mem.h"

int kho_iommu_flb(enum kho_iommu_profile profile, paddr_t top_pa, size_t nr_iommufd,
		  struct kho_flb *out)
{
	const bool series = profile == KHO_PROFILE_IOMMU_SERIES;

	if (!nr_iommufd == series)
		return -EINVAL;
	*out = (struct kho_flb){
		.name = KHO_IOMMU_FLB, .data = top_pa, .count = series ? nr_iommufd : 1,
	};
	return 0;
}

/* A page of its own, preserved, for what a handler keeps.  Its contents are written before it is
 * handed to anyone. */
static int take_page(struct kho_radix *radix, struct kho_pages *p, paddr_t *pa)
{
	const size_t first = p->nr;
	int err = kho_pages_alloc(p, 1);

	if (err)
		return err;
	err = kho_pages_preserve(p, first, radix);
	if (err)
		kho_pages_free(p, first);
	else
		*pa = p->pa[first];
	return err;
}

int kho_iommufd_write(const struct kho_iommufd_hwpt *h, size_t n, uint64_t token,
		      struct kho_radix *radix, struct kho_pages *pages, struct kho_file *out)
{
	struct kho_iommufd_ser *header;
	struct kho_iommufd_hwpt_ser *ser;
	paddr_t pa;
	int err;

	if (n > KHO_IOMMUFD_MAX_HWPTS)
		return -ENOSPC;
	err = take_page(radix, pages, &pa);
	if (err)
		return err;
	header = mem_ptr(pa);
	header->nr_hwpts = n;
	ser = (struct kho_iommufd_hwpt_ser *)(header + 1);
	for (size_t i = 0; i < n; i++)
		ser[i] = (struct kho_iommufd_hwpt_ser){
			.domain_pa = h[i].domain_pa, .token = h[i].token,
		};
	*out = (struct kho_file){ .compatible = KHO_IOMMUFD_COMPATIBLE, .data = pa, .token = token };
	return 0;
}

int kho_vfio_pci_write(uint32_t pci_domain, uint16_t bdf, bool reset_works, uint64_t token,
		       struct kho_radix *radix, struct kho_pages *pages, struct kho_file *out)
{
	struct kho_vfio_pci_ser *ser;
	paddr_t pa;
	const int err = take_page(radix, pages, &pa);

	if (err)
		return err;
	ser = mem_ptr(pa);
	ser->pci_domain = pci_domain;
	ser->bdf = bdf;
	ser->reset_works = reset_works;
	*out = (struct kho_file){ .compatible = KHO_VFIO_PCI_COMPATIBLE, .data = pa, .token = token };
	return 0;
}
