/* What a unit can do: CAP and ECAP with every encoded field decoded, once. */
#ifndef VTD_CAPS_H
#define VTD_CAPS_H

#include "base.h"

struct vtd_caps {
	uint8_t ver_major, ver_minor;
	uint64_t cap, ecap;	/* as read */

	uint32_t ndoms;		/* domain ids 0 .. ndoms - 1 */
	uint8_t sagaw;		/* as in CAP: bit 1 is 3 levels, bit 2 is 4, bit 3 is 5 */
	uint8_t mgaw;		/* maximum guest address width, in bits */
	uint8_t mamv;		/* largest address mask of a page-selective invalidation */
	unsigned page_sizes;	/* of second-stage leaves: VTD_PG_4K, VTD_PG_2M, VTD_PG_1G */

	bool rwbf;		/* write-buffer flush needed */
	bool cm;		/* caching mode: not-present entries may be cached */
	bool psi;		/* page-selective invalidation */
	bool plmr, phmr;	/* protected low, high memory region */
	bool drain_read, drain_write;
	bool esrtps;		/* SRTP invalidates all caches itself */
	bool coherent;		/* ECAP.C: snooped are root, context and PASID tables, and second-stage
				 * tables in legacy mode */
	bool qi, ir, pt, sc, prs, pms;
	bool scalable_ss;	/* scalable mode with second-stage tables: SMTS and SSTS */
	bool smpwcs;		/* their walks can be made to snoop; ECAP.C does not cover them */

	uint32_t fro, nfr;	/* fault records: byte offset, count */
	uint32_t iro;		/* IOTLB registers: byte offset */
	uint32_t reg_bytes;	/* register extent needed, in bytes, whole pages */
};

/**
 * vtd_caps_decode() - decode the three read-only registers
 *
 * Return: 0; -ENODEV nothing decodes there (all ones, zero, or major version 0);
 * -EINVAL reserved or contradictory fields.
 * Spec: VT-d "Version Register", "Capability Register", "Extended Capability Register".
 */
int vtd_caps_decode(uint32_t ver, uint64_t cap, uint64_t ecap, struct vtd_caps *out);

/**
 * vtd_caps_pick_levels() - smallest second-stage table for addresses of @iova_bits
 *
 * Return: 0 and 3 or 4 in @levels; -EOPNOTSUPP this unit has no such table.
 */
int vtd_caps_pick_levels(const struct vtd_caps *caps, unsigned iova_bits, unsigned *levels);

/* Usable input bits of a table of @levels: the table's width or MGAW, whichever is smaller. */
unsigned vtd_caps_usable_bits(const struct vtd_caps *caps, unsigned levels);

/* Whether SAGAW allows a table of @levels. */
bool vtd_caps_has_levels(const struct vtd_caps *caps, unsigned levels);

#endif
