/* Records of IOMMU units, domains and devices: the plain form, its writer and its validating
 * reader.  Which form the bytes have is iommu_abi.h's business alone.
 *
 * A broken record is refused alone: its verdict names what is wrong, and every device that
 * depends on it has a verdict as well, so that those devices can be fenced and the rest go on.  A
 * broken chain refuses the records whole. */
#ifndef BATON_KHO_IOMMU_RECORDS_H
#define BATON_KHO_IOMMU_RECORDS_H

#include "claim.h"
#include "iommu_abi.h"
#include "iommu_layout.h"
#include "keys.h"
#include "luo.h"
#include "pages.h"

#define KHO_IOMMU_NONE	SIZE_MAX	/* index of no record; only in a deleted one */

/* Deleted records keep their place, and what they said: indices count them. */
struct kho_iommu_unit {
	paddr_t register_base;
	paddr_t root_table;
	uint64_t context_tables[8];	/* as in kho_iommu_unit_ser */
	bool deleted;
};

struct kho_iommu_domain {
	paddr_t top_table;
	uint8_t top_level;		/* levels - 1 */
	uint8_t vasz;
	bool first_stage;
	bool deleted;
};

/* The part that only VT-d has. */
struct kho_iommu_device_vtd {
	bool ats_enabled, ats_supported;
	paddr_t pasid_dir;		/* 0 in legacy mode */
	uint64_t max_pasid;
};

struct kho_iommu_device {
	uint32_t pci_domain;
	uint16_t devid;			/* bus << 8 | devfn */
	uint16_t did;
	uint64_t owner_token;
	size_t domain, unit;		/* indices */
	struct kho_iommu_device_vtd vtd;
	bool deleted;
};

/* All records; the arrays are the caller's.  The max_ members count for reading only. */
struct kho_iommu {
	struct kho_iommu_unit *unit;
	size_t nr_units, max_units;
	struct kho_iommu_domain *domain;
	size_t nr_domains, max_domains;
	struct kho_iommu_device *device;
	size_t nr_devices, max_devices;
	struct kho_key *keys;		/* work memory: as many as there are records of one kind,
					 * and blocks of units and domains together */
	size_t max_keys;
};

/* --- Writing --- */

/* Where the writer put records: indices into its list of pages. */
struct kho_iommu_placed {
	size_t top, units, domains, devices;	/* the first page of each */
};

/* Where record @i is: what the file handlers point to, and what a digest covers. */
paddr_t kho_iommu_unit_pa(const struct kho_pages *p, const struct kho_iommu_placed *at, size_t i);
paddr_t kho_iommu_domain_pa(const struct kho_pages *p, const struct kho_iommu_placed *at, size_t i);
paddr_t kho_iommu_device_pa(const struct kho_pages *p, const struct kho_iommu_placed *at, size_t i);

/**
 * kho_iommu_records_write() - write the records
 * @in:    records; the same demands as on those read, except that what they point to need not be
 *         preserved yet
 * @radix: every page is entered, order 0
 * @pages: receives the pages: top structure, units, domains, devices
 * @at:    where they are in @pages
 * @why:   set on refusal; for a record, its index is @why->value
 *
 * Return: 0; -EINVAL with @why; -ENOSPC with @why: keys or pages; -ENOMEM, or as
 * kho_preserve(), with @why.  Nothing is taken or preserved on failure.
 */
int kho_iommu_records_write(const struct kho_iommu *in, struct kho_radix *radix,
			    struct kho_pages *pages, struct kho_iommu_placed *at,
			    struct kho_refusal *why);

/* --- Reading --- */

/* What became of one record. */
struct kho_iommu_verdict {
	paddr_t pa;		/* where it is */
	const char *fault;	/* NULL: it is good, or deleted */
	uint64_t value;		/* the offending value */
};

struct kho_iommu_verdicts {
	struct kho_iommu_verdict *unit, *domain, *device;	/* as many as records */
	size_t bad_devices;
};

/* Are the bytes of a record those that were written?  Knows the digests, where there are any. */
struct kho_iommu_digests {
	bool (*intact)(void *ctx, paddr_t record, uint64_t len);	/* NULL: there are none */
	void *ctx;
};

/* Where records are, and what may be made of them. */
struct kho_iommu_place {
	enum kho_iommu_family family;		/* by the name of the FLB */
	paddr_t top_pa;				/* top structure */
	const struct kho_iommu_form *l3;	/* &kho_iommu_l3: records of that layout are read
						 * as well; NULL: they are refused */
};

/**
 * kho_iommu_find() - the records of a handoff
 * @l:   validated LUO
 * @out: for kho_iommu_records_read(), without L3
 * @why: set on refusal
 *
 * Return: 0; -ENOENT no unit was handed over; -EOPNOTSUPP with @why: FLBs of several names.
 */
int kho_iommu_find(const struct kho_luo *l, struct kho_iommu_place *out, struct kho_refusal *why);

/**
 * kho_iommu_records_read() - validate records
 * @r:       reader; every page of records is claimed
 * @at:      where they are
 * @digests: NULL for none; a record that is not intact is bad, whatever it says
 * @out:     arrays and their max_ members are given, the rest is set
 * @v:       arrays are given
 * @why:     set on refusal
 *
 * Chains: every pointer is a preserved page of its own, claimed by nothing else; counts fit;
 * version and layout are L5's, or L3's if asked for.  Which layout it is, the records say: see
 * kho_iommu_recognise().  Where no layout fits at all, those that should be L5 are read as such, and each
 * device is refused alone, since it names no record.  Records: scratch fields, padding and unknown
 * flags are zero, pointers among them name live records, tables are preserved, nothing that must be
 * unique is there twice, a DID stands for one domain on a unit and the reverse, and a unit's count is
 * that of its devices (devices whose unit is not known may make up the difference).
 * Whether a DID is within the unit's number of domains is the caller's to check.
 * Return: 0, with a verdict on every record; -EBADMSG, -ELOOP, -ENOSPC, -EOPNOTSUPP another
 * version or layout, which @why names; with @why.
 */
int kho_iommu_records_read(struct kho_reader *r, const struct kho_iommu_place *at,
			   const struct kho_iommu_digests *digests, struct kho_iommu *out,
			   struct kho_iommu_verdicts *v, struct kho_refusal *why);

#endif
