/* Plain pictures of units, domains and devices: values only, nothing that depends on where the
 * picture was taken.  They travel in the handoff and are compared with what is found. */
#ifndef VTD_SNAPSHOT_H
#define VTD_SNAPSHOT_H

#include "base.h"

struct vtd_unit_snapshot {
	paddr_t regs;
	uint32_t reg_bytes;
	uint32_t index;
	uint16_t segment;
	uint32_t ver;
	uint64_t cap, ecap;
	uint32_t gsts, pmen;
	uint64_t rtaddr, iqa, irta;
	uint64_t context_tables[8];	/* of which a context table is there, see
				 * vtd_root_context_tables() */
};

struct vtd_domain_snapshot {
	uint32_t id;		/* of the picture, not a DID */
	uint32_t levels;
	paddr_t top;
	uint32_t addr_bits;
	uint32_t page_sizes;	/* VTD_PG_* */
	uint64_t table_pages;	/* 0: not recorded */
};

/* One per source id: a device with aliases has several, in one domain. */
struct vtd_device_snapshot {
	uint32_t unit;		/* vtd_unit_snapshot.index */
	uint16_t segment, rid;
	uint32_t domain;	/* vtd_domain_snapshot.id */
	uint16_t did;
};

#endif
