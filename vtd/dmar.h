/* ACPI DMAR table (VT-d chapter 8, "BIOS Considerations").  Pure: bytes in, plain values out;
 * the spans in the result point into the table that was given. */
#ifndef VTD_DMAR_H
#define VTD_DMAR_H

#include "base.h"
#include "span.h"

#define VTD_DMAR_MAX_DRHD	64
#define VTD_DMAR_MAX_RMRR	128
#define VTD_DMAR_MAX_PATH	16

/* Header flags. */
#define VTD_DMAR_INTR_REMAP	BIT32(0)
#define VTD_DMAR_X2APIC_OPT_OUT	BIT32(1)
#define VTD_DMAR_DMA_OPT_IN	BIT32(2)	/* DMA_CTRL_PLATFORM_OPT_IN */

/* Odd things real firmware ships: parsed, reported, never refused here. */
enum vtd_dmar_anomaly {
	VTD_DMAR_DRHD_BASE_ZERO		= 1 << 0,
	VTD_DMAR_DRHD_BASE_UNALIGNED	= 1 << 1,
	VTD_DMAR_DRHD_DUPLICATE		= 1 << 2,	/* two with one register base */
	VTD_DMAR_DRHD_NO_SCOPE		= 1 << 3,	/* and not INCLUDE_PCI_ALL */
	VTD_DMAR_NO_INCLUDE_ALL		= 1 << 4,	/* in some segment that has a DRHD */
	VTD_DMAR_TWO_INCLUDE_ALL	= 1 << 5,	/* in one segment */
	VTD_DMAR_INCLUDE_ALL_NOT_LAST	= 1 << 6,	/* of its segment */
	VTD_DMAR_RMRR_EMPTY		= 1 << 7,	/* limit not above base */
	VTD_DMAR_RMRR_UNALIGNED		= 1 << 8,
	VTD_DMAR_RMRR_BELOW_1M		= 1 << 9,
	VTD_DMAR_RHSA_UNKNOWN_DRHD	= 1 << 10,
	VTD_DMAR_SCOPE_RESERVED		= 1 << 11,	/* non-zero reserved bytes in a scope */
	VTD_DMAR_SCOPE_PATH		= 1 << 12,	/* odd length, or a PCI scope without path */
	VTD_DMAR_UNKNOWN_TYPE		= 1 << 13,
	VTD_DMAR_ANDD_UNTERMINATED	= 1 << 14,
};

enum vtd_dmar_scope_type {
	VTD_SCOPE_ENDPOINT = 1,
	VTD_SCOPE_BRIDGE = 2,		/* the bridge and everything below it */
	VTD_SCOPE_IOAPIC = 3,
	VTD_SCOPE_HPET = 4,
	VTD_SCOPE_ACPI = 5,
};

struct vtd_dmar_scope {
	uint8_t type, flags;
	uint8_t enum_id;	/* IOAPIC id, HPET number, ACPI device number */
	uint8_t start_bus;
	unsigned n;		/* path pairs */
	struct { uint8_t dev, fn; } path[VTD_DMAR_MAX_PATH];
};

struct vtd_dmar_drhd {
	uint16_t segment;
	bool include_all;
	paddr_t base;
	uint64_t bytes;		/* of registers, by the table; old tables always say 4 KiB */
	size_t same_as;		/* index of the first unit with this segment and base */
	struct span scopes;
};

struct vtd_dmar_rmrr {
	uint16_t segment;
	paddr_t base, limit;	/* limit is the last byte */
	struct span scopes;
};

/* Real tables have regions of 0 .. 0. */
static inline bool vtd_dmar_rmrr_usable(const struct vtd_dmar_rmrr *r)
{
	return r->limit > r->base && r->limit < UINT64_MAX;
}

struct vtd_dmar {
	uint8_t haw;		/* host address width, in bits */
	uint8_t flags;
	struct vtd_dmar_drhd drhd[VTD_DMAR_MAX_DRHD];
	struct vtd_dmar_rmrr rmrr[VTD_DMAR_MAX_RMRR];
	size_t nr_drhd, nr_rmrr, nr_atsr, nr_rhsa, nr_andd, nr_satc, nr_sidp, nr_unknown;
	size_t nr_scopes;
	uint32_t anomalies;	/* enum vtd_dmar_anomaly */
};

/**
 * vtd_dmar_parse() - read a whole DMAR table
 * @table: the bytes, at least as many as the table's length field says
 * @why:   on failure one constant sentence, else untouched
 *
 * Every scope is validated here, so that the iterator and the matching below cannot fail.
 * Return: 0; -EBADMSG signature, length, checksum or a structure that does not fit;
 * -ENOSPC more units, regions or path elements than this library holds.
 */
int vtd_dmar_parse(struct span table, struct vtd_dmar *out, const char **why);

/* Next scope of @scopes; starts with *@off = 0.  False at the end. */
bool vtd_dmar_scope_next(struct span scopes, size_t *off, struct vtd_dmar_scope *out);

/* The PCI topology as the matching needs it, current bus numbers. */
struct vtd_pci_view {
	void *ctx;
	/* Secondary bus of the bridge @rid; false if it is no bridge. */
	bool (*secondary_bus)(void *ctx, uint16_t segment, uint16_t rid, uint8_t *bus);
	/* Bridge above the function @rid; false on a root bus. */
	bool (*parent)(void *ctx, uint16_t segment, uint16_t rid, uint16_t *parent);
};

/**
 * vtd_dmar_unit_of() - the unit that remaps a PCI function
 * @rid: source id; of a virtual function its physical function's, of a device in a VMD domain
 *       the VMD endpoint's
 *
 * A scope that names the function itself wins, then the nearest bridge above it that a scope
 * names, then the segment's INCLUDE_PCI_ALL unit.  Of units with one base the first is returned.
 * Return: 0; -ENOENT no unit serves it; -ELOOP @view never reaches a root bus.
 * Spec: VT-d 8.3, "DMA Remapping Hardware Unit Definition Structure", "Device Scope Structure".
 */
int vtd_dmar_unit_of(const struct vtd_dmar *d, uint16_t segment, uint16_t rid,
		     const struct vtd_pci_view *view, size_t *unit);

/* Whether RMRR @i names this function: itself, or by a bridge above it. */
bool vtd_dmar_rmrr_names(const struct vtd_dmar *d, size_t i, uint16_t segment, uint16_t rid,
			 const struct vtd_pci_view *view);

#endif
