/* Root and context tables of one unit, in either table mode: legacy (VT-d 9.1 "Root Entry", 9.3
 * "Context Entry") and scalable (9.2, 9.4).  The two differ in how many tables a bus has and in
 * how long an entry is; P, FPD and the pointer stand in the same place.  Invalidates nothing; the
 * order of steps is that of VT-d 6.5.3.3 and stands in inval.h. */
#ifndef VTD_CONTEXT_H
#define VTD_CONTEXT_H

#include "base.h"
#include "formats.h"

/* Where the tables of a unit begin, and how they are laid out and read. */
struct vtd_tables {
	paddr_t root;
	uint8_t ttm;		/* VTD_TTM_LEGACY or VTD_TTM_SCALABLE */
	bool coherent;		/* ECAP.C: without it every store is flushed */
};

/* An empty root table: every request is blocked. Return: its address; 0 no memory. */
paddr_t vtd_root_alloc(bool coherent);

/* Not present -> present: upper word first, then the one with P.  Adds the context table.
 * Return: 0; -EINVAL @entry without P; -EEXIST the entry is present; -ENOMEM. */
int vtd_context_set(const struct vtd_tables *t, uint16_t rid, struct vtd_context_entry entry);

/* Present -> not present, step one: P alone.  The rest stays until caches are invalidated.
 * Return: 0; -ENOENT not present. */
int vtd_context_clear_present(const struct vtd_tables *t, uint16_t rid);

/* Step two, after the invalidation. Return: 0; -ENOENT no context table; -EBUSY still present. */
int vtd_context_zero(const struct vtd_tables *t, uint16_t rid);

/* Change a live entry of legacy mode in one 16-byte store.  A new table, width or type needs a new
 * DID.  In scalable mode the PASID entry is what changes (pasid.h).
 * Return: 0; -ENOENT not present; -EINVAL @entry without P, the old DID with another table, or
 * scalable mode. */
int vtd_context_replace(const struct vtd_tables *t, uint16_t rid, struct vtd_context_entry entry);

/* Fault processing disable, also in an entry that is not present.  Adds the context table: faults
 * of a root entry that is not present cannot be switched off. Return: 0; -ENOMEM. */
int vtd_context_set_fpd(const struct vtd_tables *t, uint16_t rid, bool fpd);

/* The entry as it stands, present or not. Return: 0; -ENOENT no context table. */
int vtd_context_get(const struct vtd_tables *t, uint16_t rid, struct vtd_context_entry *entry);

/* The same two steps for all functions that share @rid's context table; the second hands the table
 * to the caller. Return: 0; -ENOENT not present, or nothing was left to zero; -EBUSY still present. */
int vtd_root_clear_present(const struct vtd_tables *t, uint16_t rid);
int vtd_root_zero(const struct vtd_tables *t, uint16_t rid, paddr_t *context_table);

/* The context table of a source id, or 0: of memory that is read before its entries may be. */
paddr_t vtd_context_table_of(const struct vtd_tables *t, uint16_t rid);

/* One bit per context table, at bus * 2 + (devfn >> 7).  Legacy mode has one table per bus and
 * uses the even bits only. */
#define VTD_CONTEXT_TABLES	512
#define VTD_CONTEXT_TABLE_WORDS	(VTD_CONTEXT_TABLES / 64)
static inline unsigned vtd_context_table_index(uint8_t ttm, uint16_t rid)
{
	return rid >> 8 << 1 | (ttm == VTD_TTM_SCALABLE && rid & 0x80);
}
void vtd_context_tables(const struct vtd_tables *t, uint64_t present[VTD_CONTEXT_TABLE_WORDS]);

/* The root table (@index -1), then each context table in the order of its index; bounded by 513.
 * Return: 0 or the first non-zero value of @fn. */
int vtd_context_for_each_table(const struct vtd_tables *t,
			       int (*fn)(void *ctx, paddr_t table, int index), void *ctx);

#endif
