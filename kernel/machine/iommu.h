/* All remapping units of the machine: found through DMAR, brought up from whatever state they
 * are in, and asked for domains.  The default is deny: a function without a domain is blocked. */
#ifndef BATON_IOMMU_H
#define BATON_IOMMU_H

#include "base.h"
#include "kernel/machine/acpi.h"
#include "kernel/machine/pci.h"
#include "vtd/dmar.h"
#include "vtd/fault.h"
#include "vtd/pagetable.h"
#include "vtd/snapshot.h"
#include "vtd/source.h"
#include "vtd/unit.h"

#define IOMMU_MAX_FNS		4096
#define IOMMU_MAX_DOMAINS	64
#define IOMMU_MAX_DEVICES	256
#define IOMMU_MAX_FAULTS	16	/* kept; hardware has 1 to 8, up to 256 */

/* Kernel's view of a domain; its id is the same in every generation. */
struct iommu_domain {
	uint32_t id;
	bool is_rmrr;		/* identity map of firmware's own regions */
	struct vtd_ss ss;
};

/* One source id in one domain. */
struct iommu_device {
	size_t unit;
	uint16_t segment, rid;
	uint32_t domain;	/* index into domains */
	uint16_t did;
	uint64_t owner_token;	/* of the record it was restored from; 0: attached by this kernel */
	paddr_t pasid_dir;	/* scalable mode; else 0 */
};

struct iommu_unit {
	struct vtd_unit vtd;
	bool used;		/* false: left alone (GPU only, does not answer, duplicate) */
	struct vtd_unit_state found;	/* registers before anything was written; GSTS.TES as
					 * iommu_stop_left() leaves it */
	struct vtd_fault fault[IOMMU_MAX_FAULTS];	/* records found at entry */
	size_t nr_faults;	/* may be more than are kept */
	uint32_t fsts;
	paddr_t ring, status;	/* pages of the invalidation queue */
};

struct iommu {
	struct vtd_dmar dmar;
	uint8_t ttm;		/* table mode of all units; set before iommu_bring_up() */
	struct iommu_unit unit[VTD_DMAR_MAX_DRHD];
	size_t nr_units;	/* = dmar.nr_drhd */

	struct pci_fn *fns;
	size_t nr_fns;
	struct vtd_pci_view view;

	struct iommu_domain domain[IOMMU_MAX_DOMAINS];
	size_t nr_domains;
	struct iommu_device device[IOMMU_MAX_DEVICES];
	size_t nr_devices;
	uint32_t next_domain_id;
};

/**
 * iommu_discover() - parse DMAR, enumerate PCI, read every unit
 *
 * Writes only event masks (FECTL, IECTL), then reads state and fault records, so that an
 * incoming kernel has the evidence before anything clears it.
 * Return: 0; -ENODEV no DMAR, or no unit that answers; -EBADMSG a table is broken; -ENOMEM.
 * *@why says which.
 */
int iommu_discover(struct iommu *mmu, const struct acpi_tables *acpi, const char **why);

/* Whether every unit has a table mode. @without: the first that has not, on false. */
bool iommu_has_mode(const struct iommu *mmu, uint8_t ttm, size_t *without);

/* Whether firmware asks for memory regions of this function to stay mapped. */
bool iommu_has_rmrr(const struct iommu *mmu, size_t fn);

/* The memory that RMRRs name, for keeping it free.  Return: how many, at most
 * VTD_DMAR_MAX_RMRR. */
struct keep_range;
size_t iommu_rmrr_ranges(const struct iommu *mmu, struct keep_range *out);

/* Bus master off on every endpoint without an RMRR, USB taken from firmware
 * first, which may still be polling its keyboard. */
void iommu_silence_devices(struct iommu *mmu);

/* For a machine that another kernel left: say what its units still use, and switch translation off
 * where it is on.  No endpoint without an RMRR does DMA any more.  Return: 0; -ETIMEDOUT. */
int iommu_stop_left(struct iommu *mmu);

/* The memory that units still point at, of a kernel that is gone and preserved none of it: queues,
 * which will be written to once more, then interrupt remapping and root tables.  Nobody may take it
 * before iommu_bring_up() is through.  Return: how many, at most IOMMU_MAX_LEFT. */
#define IOMMU_MAX_LEFT	(3 * VTD_DMAR_MAX_DRHD)
size_t iommu_left_queues(const struct iommu *mmu, struct keep_range *out);
size_t iommu_left_tables(const struct iommu *mmu, struct keep_range *out);

/**
 * iommu_bring_up() - from unknown state to "translating, everything denied but RMRRs"
 *
 * Spec: VT-d 6.6 "Set Root Table Pointer Operation", 6.5.2 "Queued Invalidation Interface".
 * Return: 0; -ENOMEM; -ETIMEDOUT, -EIO, -EOPNOTSUPP from a unit, which has logged why.
 */
int iommu_bring_up(struct iommu *mmu);

/* The unit in use with these registers, or NULL. */
struct iommu_unit *iommu_unit_at(struct iommu *mmu, paddr_t regs);

/* Index of the unit that translates for a function, or -ENOENT. */
int iommu_unit_of(const struct iommu *mmu, size_t fn);

/* A new, empty domain fit for a unit.  @page_sizes narrows the unit's (VTD_PG_*), @bits is the
 * width of addresses that will be mapped.  Return: index; -ENOSPC, -ENOMEM, -EOPNOTSUPP. */
#define IOMMU_IOVA_BITS	39	/* what is ours fits 3-level tables */
int iommu_domain_create(struct iommu *mmu, size_t unit, unsigned page_sizes, unsigned bits);

/* Put all source ids of a function into a domain, under the DID that the domain has on that unit,
 * or a fresh one for its first device there; then its DMA may start.
 * Return: 0; -ENOENT no unit; -ENOSPC; -EEXIST an id is in another domain, or its entry is live
 * without being known; as vtd_source_set(). */
int iommu_attach(struct iommu *mmu, size_t fn, size_t domain);

/* The other way: entry not present, caches invalidated, entry zeroed, DID free again. */
int iommu_detach(struct iommu *mmu, uint16_t segment, uint16_t rid);

/* Detach, and forget the domain if that was its last device: nothing of it is handed on. */
int iommu_leave(struct iommu *mmu, uint16_t segment, uint16_t rid);

/* Move a live function to another domain that translates alike for all that is in flight, by one
 * 16-byte store; old DID invalidated.  DIDs as for iommu_attach().
 * Return: 0; -ENOENT, -ENOSPC, -EINVAL with the old domain in place; as the invalidation, with the
 * new one: ask the device which before one of the two is given back. */
int iommu_replace(struct iommu *mmu, uint16_t segment, uint16_t rid, size_t domain);

bool iommu_domain_has_devices(const struct iommu *mmu, size_t domain);

/* Give back a domain that no device is in.  The last one takes its index. */
void iommu_domain_destroy(struct iommu *mmu, size_t domain);

/* Close the entry of a source id that is not among the devices, whatever stands in it or is cached.
 * Return: 0; as vtd_inval_global(), with the entry not present all the same. */
int iommu_block(struct iommu *mmu, uint16_t segment, uint16_t rid);

/* Bus master off, then detached and blocked: nothing of the device reaches memory any more.
 * Return: 0; the entry's invalidation failed. */
int iommu_fence(struct iommu *mmu, uint16_t segment, uint16_t rid);

/* No more fault records for a source id that has no domain: one is enough, and a device that
 * goes on trying would fill them.  Return: as vtd_source_suppress_faults(). */
int iommu_suppress_faults(struct iommu *mmu, size_t unit, uint16_t rid);

/* Entry of a source id, or NULL. */
struct iommu_device *iommu_device_of(struct iommu *mmu, uint16_t segment, uint16_t rid);

/* Bus master off on everything, and an empty root table on every unit: nothing of the old tables is
 * read or written, since they cannot be trusted.  No device and no domain is left.
 * Return: 0; -ENOMEM; as vtd_unit_set_root(). */
int iommu_deny_all(struct iommu *mmu);

/* Bus master off on everything: the last resort, from any state. */
void iommu_bus_masters_off(struct iommu *mmu);

/* Translation, queue and protected memory off, devices silent: the end of a run.
 * Return: 0 or the first unit's error. */
int iommu_shut_down(struct iommu *mmu);

#endif
