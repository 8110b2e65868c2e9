/* PASID structures of one source id (VT-d 9.5 "Scalable-Mode PASID Directory Entry", 9.6
 * "Scalable-Mode PASID Table Entry"): a directory of one page, one table, and in it the one entry
 * that requests without PASID use.  Invalidates nothing, see inval.h. */
#ifndef VTD_PASID_H
#define VTD_PASID_H

#include "base.h"
#include "formats.h"

/* PASID of requests without PASID: RID_PASID of the context entry is 0, with and without
 * ECAP.RPS. */
#define VTD_RID_PASID	0

/* A directory that leads to @entry. @coherent is ECAP.C. Return: its address; 0 no memory. */
paddr_t vtd_pasid_alloc(struct vtd_pasid_entry entry, bool coherent);

/* Return its two pages; only after the invalidation that follows the context entry's removal. */
void vtd_pasid_free(paddr_t dir);

/* Change the live entry by one 16-byte store, which holds all that a second-stage entry says.  A
 * new table or width needs a new DID.
 * Return: 0; -ENOENT not present; -EINVAL @entry without P, or the old DID with another table. */
int vtd_pasid_replace(paddr_t dir, struct vtd_pasid_entry entry, bool coherent);

/* The entry as it stands, present or not. Return: 0; -ENOENT no table. */
int vtd_pasid_get(paddr_t dir, struct vtd_pasid_entry *entry);

/* The directory, then each table in it. Return: 0 or the first non-zero value of @fn. */
int vtd_pasid_for_each_table(paddr_t dir, int (*fn)(void *ctx, paddr_t table), void *ctx);

#endif
