/* Fault records (VT-d 7, "Translation Faults"; "Fault Recording Registers"). */
#ifndef VTD_FAULT_H
#define VTD_FAULT_H

#include "base.h"

struct vtd_unit;

#define VTD_FAULT_MAX	256	/* CAP.NFR counts to 256 */

/* Reasons that are expected somewhere (VT-d, "Fault Reason Encodings"); in scalable mode there are
 * others for the same, and emulated units that use those of legacy mode all the same. */
#define VTD_REASON_ROOT_NOT_PRESENT	0x01
#define VTD_REASON_CONTEXT_NOT_PRESENT	0x02
#define VTD_REASON_WRITE		0x05	/* no write permission, or not mapped */
#define VTD_REASON_READ			0x06
#define VTD_REASON_S_ROOT_NOT_PRESENT	0x39
#define VTD_REASON_S_CONTEXT_NOT_PRESENT 0x41
#define VTD_REASON_S_NOT_MAPPED		0x79
#define VTD_REASON_S_WRITE		0x85
#define VTD_REASON_S_READ		0x86

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

/* Whether the reason says, in this table mode, that the source id has no context entry, or not even
 * a context table. */
bool vtd_fault_of_no_context(uint8_t ttm, uint8_t reason);

/* Whether it says that the table does not permit a read or a write, or maps nothing there. */
bool vtd_fault_of_permission(uint8_t ttm, uint8_t reason, bool is_read);

/* A few words for a fault reason; never NULL. */
const char *vtd_fault_reason_name(uint8_t reason);

#endif
