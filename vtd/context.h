/* Root and context tables of one unit, legacy mode (VT-d 9.1 "Root Entry", 9.3 "Context Entry").
 * @coherent is ECAP.C: without it every store is flushed.  Invalidates nothing; the order of
 * steps is that of VT-d 6.5.3.3 and stands in inval.h. */
#ifndef VTD_CONTEXT_H
#define VTD_CONTEXT_H

#include "base.h"
#include "formats.h"

/* An empty root table: every request is blocked. Return: its address; 0 no memory. */
paddr_t vtd_root_alloc(bool coherent);

/* Not present -> present: upper word first, then the one with P.  Adds the context table.
 * Return: 0; -EINVAL @entry without P; -EEXIST the entry is present; -ENOMEM. */
int vtd_context_set(paddr_t root, uint16_t rid, struct vtd_context_entry entry, bool coherent);

/* Present -> not present, step one: P alone.  The rest stays until caches are invalidated.
 * Return: 0; -ENOENT not present. */
int vtd_context_clear_present(paddr_t root, uint16_t rid, bool coherent);

/* Step two, after the invalidation. Return: 0; -ENOENT no context table; -EBUSY still present. */
int vtd_context_zero(paddr_t root, uint16_t rid, bool coherent);

/* Change a live entry in one 16-byte store.  A new table, width or type needs a new DID.
 * Return: 0; -ENOENT not present; -EINVAL @entry without P, or the old DID with another table. */
int vtd_context_replace(paddr_t root, uint16_t rid, struct vtd_context_entry entry, bool coherent);

/* Fault processing disable, also in an entry that is not present.
 * Return: 0; -ENOENT no context table. */
int vtd_context_set_fpd(paddr_t root, uint16_t rid, bool fpd, bool coherent);

/* The entry as it stands, present or not. Return: 0; -ENOENT no context table. */
int vtd_context_get(paddr_t root, uint16_t rid, struct vtd_context_entry *entry);

/* The same two steps for a whole bus; the second hands the context table to the caller.
 * Return: 0; -ENOENT not present, or nothing was left to zero; -EBUSY still present. */
int vtd_root_clear_present(paddr_t root, uint8_t bus, bool coherent);
int vtd_root_zero(paddr_t root, uint8_t bus, bool coherent, paddr_t *context_table);

/* Which context tables there are, as the IOMMU records of Linux say it: bit bus * 2 + (devfn >> 7).
 * Legacy mode has one table for a whole bus, and even bits only. */
void vtd_root_context_tables(paddr_t root, uint64_t bits[8]);

/* The root table (@bus -1), then each context table in bus order; bounded by 257.
 * Return: 0 or the first non-zero value of @fn. */
int vtd_context_for_each_table(paddr_t root, int (*fn)(void *ctx, paddr_t table, int bus),
			       void *ctx);

#endif
