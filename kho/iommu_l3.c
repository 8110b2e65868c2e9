/* Records of layout L3, as the kernels of the series' third version wrote them.  They are packed: no
 * field but a first record's is aligned, so that each is an array of bytes. */
#include <string.h>

#include "iommu_layout.h"
#include "platform/mem.h"

#define SIGN_EXTEND	0x01	/* the rest of that byte is padding */

struct domain_l3_ser {
	uint8_t ref_count[4];
	uint8_t flags[4];
	uint8_t top_table_pa[8];
	uint8_t top_level[8];
	uint8_t vasz[4];
	uint8_t bits;
	uint8_t restored_domain[8];
};
static_assert(sizeof(struct domain_l3_ser) == 37, "domain record of L3");
KHO_ASSERT_OFFSET(domain_l3_ser, ref_count, 0);
KHO_ASSERT_OFFSET(domain_l3_ser, flags, 4);
KHO_ASSERT_OFFSET(domain_l3_ser, top_table_pa, 8);
KHO_ASSERT_OFFSET(domain_l3_ser, top_level, 16);
KHO_ASSERT_OFFSET(domain_l3_ser, vasz, 24);
KHO_ASSERT_OFFSET(domain_l3_ser, bits, 28);
KHO_ASSERT_OFFSET(domain_l3_ser, restored_domain, 29);

struct device_l3_ser {
	uint8_t ref_count[4];
	uint8_t flags[4];
	uint8_t devid[4];
	uint8_t pci_domain[4];
	uint8_t attachment_id[8];
	uint8_t domain_pa[8];
	uint8_t unit_pa[8];
	uint8_t pasid_dir_pa[8];
	uint8_t max_pasid[8];
};
static_assert(sizeof(struct device_l3_ser) == 56, "device record of L3");
KHO_ASSERT_OFFSET(device_l3_ser, ref_count, 0);
KHO_ASSERT_OFFSET(device_l3_ser, flags, 4);
KHO_ASSERT_OFFSET(device_l3_ser, devid, 8);
KHO_ASSERT_OFFSET(device_l3_ser, pci_domain, 12);
KHO_ASSERT_OFFSET(device_l3_ser, attachment_id, 16);
KHO_ASSERT_OFFSET(device_l3_ser, domain_pa, 24);
KHO_ASSERT_OFFSET(device_l3_ser, unit_pa, 32);
KHO_ASSERT_OFFSET(device_l3_ser, pasid_dir_pa, 40);
KHO_ASSERT_OFFSET(device_l3_ser, max_pasid, 48);

static const struct kho_block_kind domain_blocks = {
	.what = "block of domain records", .entry_bytes = sizeof(struct domain_l3_ser),
	.may_be_empty = true, .fills = true, .max_blocks = SIZE_MAX,
};
static const struct kho_block_kind device_blocks = {
	.what = "block of device records", .entry_bytes = sizeof(struct device_l3_ser),
	.may_be_empty = true, .fills = true, .max_blocks = SIZE_MAX,
};

static uint32_t get32(const uint8_t b[4])
{
	uint32_t v;

	memcpy(&v, b, sizeof(v));
	return v;
}

static uint64_t get64(const uint8_t b[8])
{
	uint64_t v;

	memcpy(&v, b, sizeof(v));
	return v;
}

static void read_domain(paddr_t pa, struct kho_iommu_domain_ser *out)
{
	const struct domain_l3_ser *d = mem_ptr(pa);

	*out = (struct kho_iommu_domain_ser){
		.header = { get32(d->ref_count), get32(d->flags) },
		.top_table_pa = get64(d->top_table_pa), .top_level = get64(d->top_level),
		.vasz = get32(d->vasz), .sign_extend = d->bits & SIGN_EXTEND,
		.padding = { d->bits & ~SIGN_EXTEND },
		.restored_domain = get64(d->restored_domain),
	};
}

static void read_device(paddr_t pa, struct kho_iommu_device_ser *out)
{
	const struct device_l3_ser *d = mem_ptr(pa);

	*out = (struct kho_iommu_device_ser){
		.header = { get32(d->ref_count), get32(d->flags) },
		.devid = get32(d->devid), .pci_domain = get32(d->pci_domain), .owner_token = pa,
		.attachment_id = get64(d->attachment_id),
		.domain_pa = get64(d->domain_pa), .unit_pa = get64(d->unit_pa),
		.pasid_dir_pa = get64(d->pasid_dir_pa), .max_pasid = get64(d->max_pasid),
	};
}

const struct kho_iommu_form kho_iommu_l3 = {
	.layout = KHO_IOMMU_L3, .domains = &domain_blocks, .devices = &device_blocks,
	.domain = read_domain, .device = read_device,
};
