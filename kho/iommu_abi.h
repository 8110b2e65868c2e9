/* Layout L5 of the IOMMU live-update records: what hangs off the FLB "iommu-liveupdate", version 1.
 * Source: the series "iommu: Add live update state preservation", include/linux/kho/abi/iommu.h as
 * of commit d03649cebd07 (not in a released Linux); layouts before it differ in sizes and offsets:
 * iommu_layout.h tells them apart.  Earlier layouts used bit-fields in packed structs, which compilers lay out
 * differently: here every field has a width of its own and an offset that is asserted. */
#ifndef BATON_KHO_IOMMU_ABI_H
#define BATON_KHO_IOMMU_ABI_H

#include "abi.h"

#define KHO_IOMMU_FLB		"iommu-liveupdate"	/* L4, L5 */
#define KHO_IOMMU_FLB_L0_L1	"iommu-v1"
#define KHO_IOMMU_FLB_L2_L3	"iommu-liveupdate-v1"
#define KHO_IOMMU_VERSION	1

#define KHO_ASSERT_OFFSET(type, member, offset) \
	static_assert(offsetof(struct type, member) == (offset), #type "." #member)

/* One page, named by the FLB entry.  None of the three may be 0, not even for no records. */
struct kho_iommu_top_ser {
	uint64_t version;
	uint64_t units_pa;		/* first block of unit records */
	uint64_t domains_pa;
	uint64_t devices_pa;
};
static_assert(sizeof(struct kho_iommu_top_ser) == 32, "top structure");

/* Records lie in blocks with the header of kho_block_ser.  A slot is never used again. */
struct kho_iommu_header_ser {
	uint32_t ref_count;
	uint32_t flags;
};
static_assert(sizeof(struct kho_iommu_header_ser) == 8, "record header");
#define KHO_IOMMU_DELETED	BIT32(0)	/* the slot is dead, skip it */
#define KHO_IOMMU_INCOMING	BIT32(1)	/* set by the receiver only */

struct kho_iommu_unit_ser {
	struct kho_iommu_header_ser header;	/* ref_count: live devices behind it */
	uint64_t token;			/* the register base again */
	uint64_t type;			/* KHO_IOMMU_TYPE_ */
	uint8_t restored;		/* the receiver's scratch */
	uint8_t padding[7];
	uint64_t register_base_pa;
	uint64_t root_table_pa;		/* without the mode bits of RTADDR */
	uint64_t context_tables[8];	/* bit bus * 2 + (devfn >> 7): that table is preserved */
};
static_assert(sizeof(struct kho_iommu_unit_ser) == 112, "unit record");
KHO_ASSERT_OFFSET(kho_iommu_unit_ser, header, 0);
KHO_ASSERT_OFFSET(kho_iommu_unit_ser, token, 8);
KHO_ASSERT_OFFSET(kho_iommu_unit_ser, type, 16);
KHO_ASSERT_OFFSET(kho_iommu_unit_ser, restored, 24);
KHO_ASSERT_OFFSET(kho_iommu_unit_ser, padding, 25);
KHO_ASSERT_OFFSET(kho_iommu_unit_ser, register_base_pa, 32);
KHO_ASSERT_OFFSET(kho_iommu_unit_ser, root_table_pa, 40);
KHO_ASSERT_OFFSET(kho_iommu_unit_ser, context_tables, 48);
#define KHO_IOMMU_TYPE_INTEL	1

struct kho_iommu_domain_ser {
	struct kho_iommu_header_ser header;	/* ref_count: 1 */
	uint64_t top_table_pa;
	uint64_t top_level;		/* an index: levels - 1 */
	uint32_t vasz;			/* log2 of the usable input space */
	uint8_t sign_extend;		/* 1 first-stage, 0 second-stage tables */
	uint8_t padding[3];
	uint64_t restored_domain;	/* the receiver's scratch */
};
static_assert(sizeof(struct kho_iommu_domain_ser) == 40, "domain record");
KHO_ASSERT_OFFSET(kho_iommu_domain_ser, header, 0);
KHO_ASSERT_OFFSET(kho_iommu_domain_ser, top_table_pa, 8);
KHO_ASSERT_OFFSET(kho_iommu_domain_ser, top_level, 16);
KHO_ASSERT_OFFSET(kho_iommu_domain_ser, vasz, 24);
KHO_ASSERT_OFFSET(kho_iommu_domain_ser, sign_extend, 28);
KHO_ASSERT_OFFSET(kho_iommu_domain_ser, padding, 29);
KHO_ASSERT_OFFSET(kho_iommu_domain_ser, restored_domain, 32);

struct kho_iommu_device_ser {
	struct kho_iommu_header_ser header;	/* ref_count: 1 */
	uint32_t devid;			/* bus << 8 | devfn */
	uint32_t pci_domain;
	uint64_t owner_token;		/* who owns the device's DMA; not 0 */
	uint64_t attachment_id;		/* the DID on its unit */
	uint64_t domain_pa;		/* domain record */
	uint64_t unit_pa;		/* unit record */
	uint8_t ats_enabled;
	uint8_t ats_supported;
	uint8_t restored;		/* the receiver's scratch */
	uint8_t padding[5];
	uint64_t pasid_dir_pa;		/* 0 in legacy mode */
	uint64_t max_pasid;
};
static_assert(sizeof(struct kho_iommu_device_ser) == 72, "device record");
KHO_ASSERT_OFFSET(kho_iommu_device_ser, header, 0);
KHO_ASSERT_OFFSET(kho_iommu_device_ser, devid, 8);
KHO_ASSERT_OFFSET(kho_iommu_device_ser, pci_domain, 12);
KHO_ASSERT_OFFSET(kho_iommu_device_ser, owner_token, 16);
KHO_ASSERT_OFFSET(kho_iommu_device_ser, attachment_id, 24);
KHO_ASSERT_OFFSET(kho_iommu_device_ser, domain_pa, 32);
KHO_ASSERT_OFFSET(kho_iommu_device_ser, unit_pa, 40);
KHO_ASSERT_OFFSET(kho_iommu_device_ser, ats_enabled, 48);
KHO_ASSERT_OFFSET(kho_iommu_device_ser, ats_supported, 49);
KHO_ASSERT_OFFSET(kho_iommu_device_ser, restored, 50);
KHO_ASSERT_OFFSET(kho_iommu_device_ser, padding, 51);
KHO_ASSERT_OFFSET(kho_iommu_device_ser, pasid_dir_pa, 56);
KHO_ASSERT_OFFSET(kho_iommu_device_ser, max_pasid, 64);

#define KHO_IOMMU_UNITS_PER_BLOCK	KHO_BLOCK_CAPACITY(sizeof(struct kho_iommu_unit_ser))
#define KHO_IOMMU_DOMAINS_PER_BLOCK	KHO_BLOCK_CAPACITY(sizeof(struct kho_iommu_domain_ser))
#define KHO_IOMMU_DEVICES_PER_BLOCK	KHO_BLOCK_CAPACITY(sizeof(struct kho_iommu_device_ser))
static_assert(KHO_IOMMU_UNITS_PER_BLOCK == 36, "unit records per block");
static_assert(KHO_IOMMU_DOMAINS_PER_BLOCK == 102, "domain records per block");
static_assert(KHO_IOMMU_DEVICES_PER_BLOCK == 56, "device records per block");

/* A one-page PASID directory covers 2^15 PASIDs; max_pasid doubles with its pages, to 20 bits. */
#define KHO_IOMMU_PASIDS_PER_PAGE	BIT64(15)
#define KHO_IOMMU_MAX_PASID		BIT64(20)

/* DIDs: 0 is reserved, 1 the default of pass-through and first-stage; the field is 16 bits. */
#define KHO_IOMMU_FIRST_DID	2
#define KHO_IOMMU_LAST_DID	0xffff

/* --- Files that depend on the records: the handlers of the series, not in a released Linux --- */

#define KHO_IOMMUFD_COMPATIBLE	"iommufd-v1"
struct kho_iommufd_hwpt_ser {
	uint64_t domain_pa;		/* domain record */
	uint64_t token;			/* chosen when the HWPT was marked */
	uint8_t reclaimed;		/* the receiver's scratch */
	uint8_t padding[7];
};
static_assert(sizeof(struct kho_iommufd_hwpt_ser) == 24, "HWPT entry");
struct kho_iommufd_ser {
	uint64_t nr_hwpts;		/* entries follow */
};
#define KHO_IOMMUFD_MAX_HWPTS \
	((PAGE_SIZE - sizeof(struct kho_iommufd_ser)) / sizeof(struct kho_iommufd_hwpt_ser))

#define KHO_VFIO_PCI_COMPATIBLE	"vfio-pci-v2"
/* Packed in Linux, 7 bytes; without padding until its last byte. */
struct kho_vfio_pci_ser {
	uint32_t pci_domain;
	uint16_t bdf;
	uint8_t reset_works;
};
KHO_ASSERT_OFFSET(kho_vfio_pci_ser, bdf, 4);
KHO_ASSERT_OFFSET(kho_vfio_pci_ser, reset_works, 6);

#endif
