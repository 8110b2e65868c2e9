/* What ties the records to LUO: the FLB entry, and in the profile made for the series the files of
 * the handlers that a released Linux does not know. */
#ifndef BATON_KHO_IOMMU_FILES_H
#define BATON_KHO_IOMMU_FILES_H

#include "iommu_abi.h"
#include "luo.h"
#include "pages.h"

enum kho_iommu_profile {
	KHO_PROFILE_LINUX_7_3,		/* only what Linux 7.3 has handlers for */
	KHO_PROFILE_IOMMU_SERIES,	/* and iommufd-v1 and vfio-pci-v2 files */
};

/* The owner of a stream's DMA: 'BATON' and the stream, so never 0. */
static inline uint64_t kho_iommu_owner_token(uint16_t stream)
{
	return UINT64_C(0x4241544f4e) << 24 | stream;
}

/**
 * kho_iommu_flb() - the FLB entry of the records
 * @profile:    decides what counts as depending on them
 * @top_pa:     top structure
 * @nr_iommufd: iommufd-v1 files written; in profile linux-7.3 there are none, and 1 is stated
 * @out:        entry
 *
 * Return: 0; -EINVAL the number of files is not the profile's.
 */
int kho_iommu_flb(enum kho_iommu_profile profile, paddr_t top_pa, size_t nr_iommufd,
		  struct kho_flb *out);

/* A preserved hardware page table of an iommufd. */
struct kho_iommufd_hwpt {
	paddr_t domain_pa;		/* domain record */
	uint64_t token;
};

/**
 * kho_iommufd_write() - write an iommufd-v1 file
 * @h, @n: its HWPTs, at most KHO_IOMMUFD_MAX_HWPTS
 * @token: of the file
 * @radix: the page is entered
 * @pages: receives the page
 * @out:   file entry
 *
 * Return: 0; -ENOSPC, -ENOMEM, or as kho_preserve().  Nothing is taken on failure.
 */
int kho_iommufd_write(const struct kho_iommufd_hwpt *h, size_t n, uint64_t token,
		      struct kho_radix *radix, struct kho_pages *pages, struct kho_file *out);

/* Write a vfio-pci-v2 file for the device; the rest as kho_iommufd_write(). */
int kho_vfio_pci_write(uint32_t pci_domain, uint16_t bdf, bool reset_works, uint64_t token,
		       struct kho_radix *radix, struct kho_pages *pages, struct kho_file *out);

#endif
