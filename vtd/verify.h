/* Walking tables found in memory: root -> context (-> PASID) -> second-stage, and comparing them with the
 * snapshots.  No page is read before the caller has allowed it, and every walk is bounded, so
 * any bytes may stand there.  Reads memory only; no registers, nothing is changed. */
#ifndef VTD_VERIFY_H
#define VTD_VERIFY_H

#include "base.h"
#include "snapshot.h"

enum vtd_violation_kind {
	VTD_BAD_CAPS,		/* the snapshot's CAP and ECAP decode to nothing usable */
	VTD_BAD_MODE,		/* RTADDR says a mode the unit has not, or has reserved bits */
	VTD_BAD_SNAPSHOT,	/* a device names no domain, or a domain's shape is impossible */
	VTD_BAD_DID,		/* DID outside 2 .. ndoms - 1 */
	VTD_DID_SHARED,		/* one DID for two tables, or two DIDs for one table */
	VTD_ROOT_UNEXPECTED,	/* root entry present where there should be no context table */
	VTD_ROOT_MISSING,	/* root entry not present where there should be one */
	VTD_ROOT_RESERVED,	/* reserved bits in a root entry */
	VTD_CONTEXT_UNEXPECTED,	/* context entry present for no known device */
	VTD_CONTEXT_MISSING,	/* a known device's entry is not present */
	VTD_CONTEXT_RESERVED,	/* reserved bits in a known device's context entry, or FPD */
	VTD_CONTEXT_TT,		/* translation type differs */
	VTD_CONTEXT_TABLE,	/* SSPTPTR differs */
	VTD_CONTEXT_AW,		/* address width differs */
	VTD_CONTEXT_DID,	/* DID differs */
	VTD_PASID_TABLE,	/* PASIDDIRPTR or PDTS differs */
	VTD_PASID_PAGE,		/* a PASID directory or table lies where no table may lie */
	VTD_PASID_UNEXPECTED,	/* a PASID entry is present beside that of RID_PASID */
	VTD_PASID_MISSING,	/* that one is not present */
	VTD_PASID_RESERVED,	/* reserved bits in a PASID directory or table entry, or FPD */
	VTD_PASID_TYPE,		/* PGTT or PWSNP differs */
	VTD_TABLE_PAGE,		/* a table lies where no table may lie; it was not read */
	VTD_SS_RESERVED_BITS,	/* reserved bits in a second-stage entry */
	VTD_SS_INTERRUPT_RANGE,	/* a leaf leads into the interrupt address range */
	VTD_SS_LEAF_PAGE,	/* a leaf leads where the caller allows none */
	VTD_SS_TABLE_COUNT,	/* number of table pages differs from the snapshot */
	VTD_TOO_MANY_TABLES,	/* the bound was reached: a cycle, or tables without end */
	VTD_VIOLATION_KINDS,
};

struct vtd_violation {
	enum vtd_violation_kind kind;
	uint16_t rid;		/* source id; the first of its table for root entries */
	uint32_t domain;	/* snapshot id; UINT32_MAX: none */
	paddr_t page;		/* table page it stands in or, VTD_TABLE_PAGE, leads to */
	iova_t iova;		/* second-stage violations only */
	uint64_t found, want;
};

struct vtd_verify {
	const struct vtd_unit_snapshot *unit;
	const struct vtd_domain_snapshot *domains;
	size_t nr_domains;
	const struct vtd_device_snapshot *devices;	/* those of other units are passed over */
	size_t nr_devices;
	unsigned haw;		/* host address width, in bits */
	uint64_t max_tables;	/* of all kinds, for the whole unit */

	/* May @page be read as a table?  Asked before each page is. */
	bool (*page_ok)(void *ctx, paddr_t page);
	/* May DMA of @domain reach [pa, pa + size)?  NULL: not asked. */
	bool (*leaf_ok)(void *ctx, const struct vtd_domain_snapshot *domain, paddr_t pa,
			uint64_t size);
	/* Called for each violation; NULL: count only. */
	void (*report)(void *ctx, const struct vtd_violation *v);
	void *ctx;
};

struct vtd_verify_result {
	uint64_t violations;
	uint64_t tables;	/* pages read, all kinds */
	uint64_t leaves;
	uint64_t bytes;		/* that the leaves map */
};

/**
 * vtd_verify_unit() - compare a unit's tables with what is expected of them
 *
 * Root entries must be present exactly where the unit's snapshot has context tables, context entries
 * exactly for its devices, and in scalable mode one PASID entry for each.  A domain that several devices share is walked once.
 * Return: true if there was no violation.
 */
bool vtd_verify_unit(const struct vtd_verify *v, struct vtd_verify_result *result);

const char *vtd_violation_name(enum vtd_violation_kind kind);

#endif
