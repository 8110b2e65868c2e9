/* What a radix tree says: chunks with their orders, and the same memory merged into ranges. */
#ifndef BATON_KHO_MAP_H
#define BATON_KHO_MAP_H

#include "place.h"

/* @count chunks of 2^@order pages, one after the other. */
struct kho_extent {
	paddr_t pa;
	uint64_t count;
	uint64_t order;
};

static inline uint64_t kho_extent_len(const struct kho_extent *e)
{
	return e->count << (PAGE_SHIFT + e->order);
}

struct kho_map {
	const struct kho_extent *extents;	/* sorted, no overlaps */
	size_t nr_extents;
	const struct kho_range *ranges;		/* sorted, neither overlap nor touch */
	size_t nr_ranges;
	const paddr_t *nodes;			/* radix nodes, sorted; not part of the ranges */
	size_t nr_nodes;
	uint64_t entries;			/* chunks, that is bits in the tree */
	uint64_t entries_of[KHO_MAX_ORDER + 1];	/* the same, per order */
	uint64_t pages;
};

/* Merge @n sorted extents into @out, which has room for as many; the number of ranges. */
size_t kho_map_merge(const struct kho_extent *e, size_t n, struct kho_range *out);

/* True if every byte of the non-empty range is preserved. */
bool kho_map_covers(const struct kho_map *m, paddr_t pa, uint64_t len);

/* True if a preserved chunk begins at @pa; then also the order it is entered with. */
bool kho_map_chunk(const struct kho_map *m, paddr_t pa, unsigned *order);

/* True if a byte of the non-empty range is preserved. */
bool kho_map_overlaps(const struct kho_map *m, paddr_t pa, uint64_t len);
/* True if a byte of the non-empty range belongs to a radix node. */
bool kho_map_overlaps_node(const struct kho_map *m, paddr_t pa, uint64_t len);

#endif
