/* Fault records (VT-d 7, "Translation Faults"; "Fault Recording Registers"). */
#ifndef VTD_FAULT_H
#define VTD_FAULT_H

#include "base.h"

struct vtd_unit;

#define VTD_FAULT_MAX	256	/* CAP.NFR counts to 256 */

/* Legacy-mode reasons that are expected somewhere (VT-d, "Fault Reason Encodings"). */
#define VTD_REASON_CONTEXT_NOT_PRESENT	0x02
#define VTD_REASON_WRITE		0x05	/* no write permission, or not mapped */
#define VTD_REASON_READ			0x06

struct vtd_fault {
	uint16_t rid;
	uint8_t reason;
	bool is_read;		/* read or AtomicOp; else write */
	bool pasid_valid;
	uint32_t pasid;		/* 0 unless pasid_valid */
	uint64_t addr;		/* faulting page; for interrupt faults the index in bits 63:48 */
};

/**
 * vtd_fault_read_all() - copy status and records; clears nothing
 * @recs: @max records; more than that are counted in @n but not copied
 *
 * Records are only complete evidence while VTD_FSTS_PFO is clear in @fsts.
 * Return: 0; -ENOSPC @n is larger than @max.
 */
int vtd_fault_read_all(const struct vtd_unit *u, struct vtd_fault *recs, size_t max, size_t *n,
		       uint32_t *fsts);

/* Clear all records, then overflow and queue errors. Return: 0; -EIO FSTS still reports some,
 * which new faults can cause as well. */
int vtd_fault_clear(struct vtd_unit *u);

/* A few words for a fault reason; never NULL. */
const char *vtd_fault_reason_name(uint8_t reason);

#endif
