/* Domain ids of one unit (VT-d 6.2, "Tagging of Cached Translations").  A live id that is given
 * to a second table corrupts memory without a fault, so ids found in a handed-over unit are
 * reserved before the first allocation. */
#ifndef VTD_DID_H
#define VTD_DID_H

#include "base.h"

#define VTD_DID_MAX		65536	/* CAP.ND reaches 16 bits */
/* 0 tags faulting entries when CAP.CM=1; 1 is kept for pass-through and first-stage entries,
 * which must not share an id with a second-stage one. */
#define VTD_DID_FIRST		2

struct vtd_dids {
	uint64_t used[VTD_DID_MAX / 64];
	uint32_t ndoms;		/* ids 0 .. ndoms - 1 exist */
	uint32_t nr_used;	/* without the reserved 0 and 1 */
};

/* @ndoms as decoded from CAP.ND, 16 to 65536. */
void vtd_dids_init(struct vtd_dids *d, uint32_t ndoms);

/* Lowest free id. Return: 0; -ENOSPC all are in use. */
int vtd_dids_alloc(struct vtd_dids *d, uint16_t *did);

/* Mark an id found in use. Return: 0; -ERANGE not one of this unit's ids 2 .. ndoms - 1;
 * -EBUSY marked already. */
int vtd_dids_reserve(struct vtd_dids *d, uint16_t did);

/* Give an id back; only after its invalidation has completed.
 * Return: 0; -ERANGE as above; -ENOENT it was free. */
int vtd_dids_free(struct vtd_dids *d, uint16_t did);

bool vtd_dids_used(const struct vtd_dids *d, uint16_t did);

#endif
