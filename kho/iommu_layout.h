/* Which layout are IOMMU live-update records in?  L0 and L1 share an FLB name, so do L2 and L3, and
 * L4 and L5 share name and version.  The records themselves tell: in the right layout the addresses in
 * a device record are those of a domain and a unit record. */
#ifndef BATON_KHO_IOMMU_LAYOUT_H
#define BATON_KHO_IOMMU_LAYOUT_H

#include "block.h"
#include "iommu_abi.h"
#include "keys.h"

/* What an FLB name stands for. */
enum kho_iommu_family { KHO_IOMMU_L0_L1, KHO_IOMMU_L2_L3, KHO_IOMMU_L4_L5, KHO_IOMMU_FAMILIES };

enum kho_iommu_layout {
	KHO_IOMMU_L0, KHO_IOMMU_L1, KHO_IOMMU_L2, KHO_IOMMU_L3, KHO_IOMMU_L4, KHO_IOMMU_L5,
	KHO_IOMMU_NO_DEVICE,	/* more than one fits, but nothing is alive that says which */
	KHO_IOMMU_AMBIGUOUS,	/* more than one fits */
	KHO_IOMMU_NO_LAYOUT,	/* none fits */
};

/* No record of any layout is smaller; more of them than this allows is wrong in all. */
#define KHO_IOMMU_SMALLEST_RECORD	21

/* The chains of a handoff, every block checked and none there twice. */
struct kho_iommu_chains {
	const struct kho_key *unit, *domain;	/* blocks by address, sorted; index in the chain */
	size_t nr_units, nr_domains;		/* blocks */
	paddr_t device;				/* first block, or 0 */
};

/**
 * kho_iommu_recognise() - vote on the layout
 * @family: what the name allows
 * @c:      chains; no block counts more records than KHO_IOMMU_SMALLEST_RECORD allows
 *
 * A layout in which all live devices name a domain and a unit wins over one in which most do; one in
 * which fewer do never wins: now and then the bytes of one layout are an address in another.  With no
 * device record, a layout fits if its spacing makes domain records of the bytes there.
 * Return: the layout, or that there is none to be named.
 */
enum kho_iommu_layout kho_iommu_recognise(enum kho_iommu_family family,
					  const struct kho_iommu_chains *c);

/* The index of the record of @bytes at @pa in a chain of full blocks; SIZE_MAX: no record starts
 * there. */
size_t kho_iommu_record_at(const struct kho_key *block, size_t nr, size_t bytes, paddr_t pa);

/* How the records of a layout are read: into the form of L5, byte by byte where they are packed. */
struct kho_iommu_form {
	enum kho_iommu_layout layout;
	const struct kho_block_kind *domains, *devices;	/* unit records are the same in L3 to L5 */
	void (*domain)(paddr_t pa, struct kho_iommu_domain_ser *out);
	void (*device)(paddr_t pa, struct kho_iommu_device_ser *out);
};

/* A device of L3 has no owner: the record itself stands for it, as it did for the series then. */
extern const struct kho_iommu_form kho_iommu_l3;

#endif
