/* Second-stage page tables (VT-d 3.7, "Second-Stage Translation"): one engine over a format
 * description.  Invalidates nothing; what to invalidate when is inval.h.
 *
 * Table pages outlive the mappings in them: vtd_ss_unmap() clears leaves only, because caches
 * may still hold pointers to tables.  To return them: vtd_ss_unlink_tables(), then an
 * invalidation that is not leaf-only, then vtd_ss_free_tables(). */
#ifndef VTD_PAGETABLE_H
#define VTD_PAGETABLE_H

#include "base.h"
#include "formats.h"

/* What the units that walk a table have in common. */
struct vtd_ss_format {
	unsigned levels;	/* 3 to 5 */
	unsigned page_sizes;	/* VTD_PG_4K, with VTD_PG_2M and VTD_PG_1G where allowed */
	unsigned addr_bits;	/* usable input bits, at most 12 + 9 * levels */
	unsigned haw;		/* host address width, in bits, at most 52 */
	bool coherent;		/* hardware snoops the walk: no cache flush needed */
};

struct vtd_ss {
	paddr_t top;
	unsigned levels;
	unsigned page_sizes;
	unsigned addr_bits;
	unsigned haw;
	bool coherent;
	uint64_t table_pages;	/* owned: top, linked, and unlinked but not yet freed */
	paddr_t unlinked;	/* chain of tables that wait for the invalidation; 0: none */
};

/* A table with nothing mapped. Return: 0; -EINVAL @fmt; -ENOMEM. */
int vtd_ss_init(struct vtd_ss *ss, const struct vtd_ss_format *fmt);

/* Take over a table found in memory, which is verified before anything is mapped. @table_pages as recorded or counted.
 * Return: 0; -EINVAL @fmt or @top. */
int vtd_ss_adopt(struct vtd_ss *ss, const struct vtd_ss_format *fmt, paddr_t top,
		 uint64_t table_pages);

/**
 * vtd_ss_map() - map a range in a second-stage table
 * @ss:   table to extend, 3 to 5 levels
 * @iova: first I/O virtual address, in bytes, multiple of PAGE_SIZE
 * @pa:   host physical address, in bytes, multiple of PAGE_SIZE
 * @len:  bytes, non-zero multiple of PAGE_SIZE
 * @perm: VTD_SS_R, VTD_SS_W or both
 *
 * Uses the largest pages that alignment and @ss->page_sizes allow, and smaller ones where a
 * table already stands.  Invalidates nothing.
 * Return: 0; -EINVAL alignment, @perm, or either side touches the interrupt address range;
 * -ERANGE beyond the address widths; -EEXIST something is mapped there already (nothing
 * changed); -ENOMEM (the part already mapped stays).
 * Spec: VT-d 3.7 "Second-Stage Translation", 9.8 "Second-Stage Paging Entries".
 */
int vtd_ss_map(struct vtd_ss *ss, iova_t iova, paddr_t pa, uint64_t len, uint64_t perm);

/**
 * vtd_ss_unmap() - remove whole leaves
 *
 * Return: 0; -EINVAL alignment, or a larger page would have to be split; -ERANGE; -ENOENT some
 * of the range is not mapped.  Nothing changed unless 0.
 */
int vtd_ss_unmap(struct vtd_ss *ss, iova_t iova, uint64_t len);

/* Detach the tables that map nothing any more and lie wholly or partly in the range.
 * Return: how many; if any, the invalidation before vtd_ss_free_tables() must not be leaf-only. */
uint64_t vtd_ss_unlink_tables(struct vtd_ss *ss, iova_t iova, uint64_t len);

/* Free what was unlinked; only after that invalidation has completed. */
void vtd_ss_free_tables(struct vtd_ss *ss);

/* Translate. @pa is that of @iova itself; @perm of all levels ANDed; @size of the leaf.
 * Return: 0; -ENOENT not mapped; -ERANGE. */
int vtd_ss_lookup(const struct vtd_ss *ss, iova_t iova, paddr_t *pa, uint64_t *perm, uint64_t *size);

/* Every table page, parents first, in address order.  @fn returns 0 to go on, or what ends it.
 * Return: 0, @fn's value, or -ELOOP more tables than the table owns. */
int vtd_ss_for_each_table(const struct vtd_ss *ss,
			  int (*fn)(void *ctx, paddr_t table, unsigned level), void *ctx);

/* Every leaf in address order; @fn and return as above. */
struct vtd_ss_leaf_info {
	iova_t iova;
	paddr_t pa;
	uint64_t size;		/* bytes */
	uint64_t perm;		/* of the leaf entry */
};
int vtd_ss_for_each_leaf(const struct vtd_ss *ss,
			 int (*fn)(void *ctx, const struct vtd_ss_leaf_info *leaf), void *ctx);

/* Free every table page; no device may use the table any more. */
void vtd_ss_free(struct vtd_ss *ss);

/* The walk under all of the above and under verify.h: bounded in depth by @levels and in width
 * by @max_tables, so it ends on any bytes. */
enum { VTD_VISIT_SKIP = 1 };	/* do not go below; the walk goes on */
struct vtd_ss_visitor {
	/* Before a table page is read.  0, VTD_VISIT_SKIP or a negative error. */
	int (*table)(void *ctx, paddr_t table, unsigned level);
	/* For every present entry, before it is followed; may be NULL.  Same values. */
	int (*entry)(void *ctx, iova_t iova, uint64_t entry, unsigned level);
	void *ctx;
	uint64_t max_tables;
};
/* Return: 0, a callback's error, or -ELOOP more than @max_tables. */
int vtd_ss_visit(paddr_t top, unsigned levels, const struct vtd_ss_visitor *v);

/* Bits that must be zero in a present entry, legacy mode. @page_sizes and @sc by capability. */
uint64_t vtd_ss_reserved(uint64_t entry, unsigned level, unsigned haw, unsigned page_sizes,
			 bool sc);

#endif
