/* Walking tables found in memory: root -> context -> second-stage, and comparing them with the
 * snapshots.  No page is read before the caller has allowed it, and every walk is bounded, so
 * any bytes may stand there.  Reads memory only; no registers, nothing is changed. */
#ifndef VTD_VERIFY_H
#define VTD_VERIFY_H

#include "base.h"
#include "snapshot.h"

enum vtd_violation_kind {
	VTD_BAD_CAPS,		/* the snapshot's CAP and ECAP decode to nothing usable */
	VTD_BAD_MODE,		/* RTADDR is not legacy mode, or has reserved bits */
	VTD_BAD_SNAPSHOT,	/* a device names no domain, or a domain's shape is impossible */
	VTD_BAD_DID,		/* DID outside 2 .. ndoms - 1 */
	VTD_DID_SHARED,		/* one DID for two tables, or two DIDs for one table */
	VTD_ROOT_UNEXPECTED,	/* root entry present on a bus that should have none */
	VTD_ROOT_MISSING,	/* root entry not present on a bus that should have one */
	VTD_ROOT_RESERVED,	/* reserved bits in a root entry */
	VTD_CONTEXT_UNEXPECTED,	/* context entry present for no known device */
	VTD_CONTEXT_MISSING,	/* a known device's entry is not present */
	VTD_CONTEXT_RESERVED,	/* reserved bits in a context entry */
	VTD_CONTEXT_TT,		/* translation type differs */
	VTD_CONTEXT_TABLE,	/* SSPTPTR differs */
	VTD_CONTEXT_AW,		/* address width differs */
	VTD_CONTEXT_DID,	/* DID differs */
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
	uint16_t rid;		/* source id; its bus alone for root entries */
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
};

/**
 * vtd_verify_unit() - compare a unit's tables with what is expected of them
 *
 * Root entries must be present exactly for the context tables of the unit's snapshot, context
 * entries exactly for its devices.  A domain that several devices share is walked once.
 * Return: true if there was no violation.
 */
bool vtd_verify_unit(const struct vtd_verify *v, struct vtd_verify_result *result);

const char *vtd_violation_name(enum vtd_violation_kind kind);

enum vtd_table_kind { VTD_TABLE_ROOT, VTD_TABLE_CONTEXT, VTD_TABLE_SS };

/* Distinct second-stage tables that one unit's entries may lead to here. */
#define VTD_VERIFY_MAX_TOPS	256

struct vtd_table_list {
	/* As above. */
	bool (*page_ok)(void *ctx, paddr_t page);
	/* Each table page, after page_ok.  Non-zero ends the listing. */
	int (*table)(void *ctx, enum vtd_table_kind kind, paddr_t page);
	void *ctx;
	uint64_t max_tables;
};

/**
 * vtd_verify_for_each_table() - every table page hardware can reach from a root table
 *
 * In a fixed order: root table; by bus its context table; after each context table, by device
 * and function, the second-stage tables not listed yet, parents first.  For preserving and for
 * digesting alike.  Only tables that vtd_verify_unit() objects to can list a page twice.
 * Return: 0; @table's value; -EBADMSG page_ok said no, or an entry no hardware would accept;
 * -ELOOP more than @max_tables; -ENOSPC more than VTD_VERIFY_MAX_TOPS.
 */
int vtd_verify_for_each_table(paddr_t root, const struct vtd_table_list *list);

#endif
