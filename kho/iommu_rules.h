/* What is demanded of the plain form of records, by the writer as by the reader.  Each says what
 * is wrong, and sets @value to it; NULL: nothing. */
#ifndef BATON_KHO_IOMMU_RULES_H
#define BATON_KHO_IOMMU_RULES_H

#include "block.h"
#include "iommu_records.h"

extern const struct kho_block_kind kho_iommu_unit_blocks;
extern const struct kho_block_kind kho_iommu_domain_blocks;
extern const struct kho_block_kind kho_iommu_device_blocks;

const char *kho_iommu_unit_fault(const struct kho_iommu_unit *u, uint64_t *value);
const char *kho_iommu_domain_fault(const struct kho_iommu_domain *d, uint64_t *value);
/* The device alone, not what it points to. */
const char *kho_iommu_device_fault(const struct kho_iommu_device *d, uint64_t *value);

/* Bytes of a PASID directory. */
static inline uint64_t kho_iommu_pasid_dir_bytes(uint64_t max_pasid)
{
	return max_pasid / KHO_IOMMU_PASIDS_PER_PAGE * PAGE_SIZE;
}

/* A record that clashes with another: both are reported. */
struct kho_iommu_clash {
	void (*report)(void *ctx, size_t index, const char *fault, uint64_t value);
	bool (*counts)(void *ctx, size_t index);	/* false: deleted, or found bad before */
	void *ctx;
};

/* Clashes among units, domains, devices.  @io->keys holds as many keys as there are of them. */
void kho_iommu_unit_clashes(const struct kho_iommu *io, const struct kho_iommu_clash *c);
void kho_iommu_domain_clashes(const struct kho_iommu *io, const struct kho_iommu_clash *c);
void kho_iommu_address_clashes(const struct kho_iommu *io, const struct kho_iommu_clash *c);
void kho_iommu_device_clashes(const struct kho_iommu *io, const struct kho_iommu_clash *c);

#endif
